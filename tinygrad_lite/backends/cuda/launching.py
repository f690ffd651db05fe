"""Launching kernels with as little work as possible: what can be computed once is computed once.

A launch through the driver layer's convenient call costs 8 us, mostly for guessing argument types. Here a kernel's
parameters are declared once in ``struct``'s letters, and a launch is packing them and one call (about 0.5 us).
"""

from __future__ import annotations

import struct
from typing import Any, NoReturn

from tinygrad_lite.backends.cuda import compiler, driver
from tinygrad_lite.errors import LaunchError, fail

_UNASKED = 48 << 10  # bytes of shared memory that every kernel may have

kernels: list[Kernel] = []  #: every kernel that was declared, with its count of launches


class Kernel:
    """A ``__global__`` function of a module, ready to launch.

    Args:
        module: where it is.
        name: of the function.
        parameters: their types in ``struct``'s letters, in order: P a pointer, i I q Q integers, e f d floats, ? bool,
            ``"264s"`` a structure by value (whose alignment must be right at that place: put pointers first).
    """

    __slots__ = ("_launch", "_pack", "_shared", "_stream", "count", "module", "name", "parameters")

    def __init__(self, module: compiler.Module, name: str, parameters: str) -> None:
        self.module, self.name, self.parameters = module, name, parameters
        self.count = 0
        self._launch: Any = None
        self._stream: Any = None
        self._shared = _UNASKED
        self._pack = struct.Struct(parameters).pack
        kernels.append(self)

    def __call__(
        self,
        grid: tuple[int, int, int] | tuple[int, int] | tuple[int],
        block: tuple[int, int, int],
        *arguments: Any,
        shared: int = 0,
    ) -> None:
        """Launch it.

        Args:
            grid: blocks along x, y and z.
            block: threads of a block along x, y and z.
            arguments: addresses, numbers and packed structures, as ``parameters`` says.
            shared: bytes of dynamic shared memory.

        Raises:
            LaunchError: the driver refuses, or an earlier kernel has failed.
        """
        launch = self._launch or self._prepare()
        if driver.recorder is not None:
            driver.recorder.note([a for a, t in zip(arguments, _letters(self.parameters), strict=False) if t == "P"])
        try:
            if shared > self._shared:
                self._allow(shared)
            launch(grid, block, self._pack(*arguments), shared, self._stream)
        except Exception as error:
            driver.current()  # on another thread, this is why
            self._refuse(error, grid, block, arguments, shared)
        self.count += 1

    def _prepare(self) -> Any:
        self._stream = driver.current().stream
        self._launch = self.module.function(self.name)._launch_kernel
        _prepared.append(self)
        return self._launch

    def _allow(self, shared: int) -> None:
        """Ask for more shared memory than every kernel has."""
        import pycuda.driver as cuda

        function = self.module.function(self.name)
        function.set_attribute(cuda.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES, shared)
        self._shared = shared

    def forget(self) -> None:
        """Let go of the driver's handles, which must not outlive the context."""
        self._launch = self._stream = None

    def _refuse(self, error: Exception, grid: Any, block: Any, arguments: Any, shared: int) -> NoReturn:
        shown = ", ".join(_shown(a, t) for a, t in zip(arguments, _letters(self.parameters), strict=False))
        need = f"failed to launch {self.name} of {self.module.name}: {driver.reason(error)}"
        operands = {
            "grid": tuple(grid),
            "block": tuple(block),
            "shared": f"{shared} bytes",
            "arguments": shown,
        }
        lines = "".join(f"\n  {name:<9} {value}" for name, value in operands.items())
        fail(LaunchError, "cuda", need + lines, hint=driver.hint_after_failure())


_prepared: list[Kernel] = []


@driver.at_close
def _forget() -> None:
    for kernel in _prepared:
        kernel.forget()
    _prepared.clear()


def _letters(parameters: str) -> list[str]:
    """The types one by one: ``"PP8s"`` is P, P, s."""
    return [letter for letter in parameters if not letter.isdigit()]


def _shown(argument: Any, letter: str) -> str:
    if letter == "P":
        return hex(argument)
    return f"{len(argument)} bytes" if letter == "s" else repr(argument)


def launches() -> int:
    """How many kernels this process has launched."""
    return sum(kernel.count for kernel in kernels)


def blocks(threads: int, block: int) -> int:
    """How many blocks of ``block`` threads make ``threads``."""
    return -(-threads // block)


def block_size(threads: int, largest: int = 256) -> int:
    """Threads of a block: whole warps, no more than needed and at most ``largest``."""
    return largest if threads >= largest else max(-(-threads // 32) * 32, 32)
