"""CUDA graphs: work that is recorded once and replayed with one call to the driver.

PyCUDA has no graphs, so the six functions of the driver that it takes are called through ctypes, on PyCUDA's stream.
While a stream captures, launches and copies are written down instead of run. The memory that they use comes from a
pool of their own, which the graph keeps for as long as it lives: nothing else can be in its way when it is replayed.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tinygrad_lite.backends.cuda import driver, memory
from tinygrad_lite.errors import LaunchError, fail

# Allocating device memory is safe while recording, since no stream has a part in it; the other modes forbid it.
_RELAXED = 2


class Graph:
    """A recorded sequence of launches and copies.

    Attributes:
        pool: where the memory of its arrays comes from.
        nodes: how many launches, copies and fillings it consists of.
        used: the addresses that these work on.
        owed: what gives memory of other libraries' back whose arrays went while the graph was recorded.
    """

    def __init__(self) -> None:
        self.pool = memory.Pool(pooling=True)
        self.nodes = 0
        self.used: set[int] = set()
        self._pinned: list[tuple[memory.Pool, set[int]]] = []
        self._borrowed: list[memory.Borrowed] = []
        self.owed: list[Callable[[], object]] = []
        self._executable: Any = None

    def note(self, addresses: Iterable[int]) -> None:
        """What a launch or a copy works on, while it is recorded."""
        self.used.update(addresses)

    @contextmanager
    def memory(self) -> Iterator[None]:
        """Let arrays that are made in this block have memory of the graph's."""
        before, memory.pool = memory.pool, self.pool
        try:
            yield
        finally:
            memory.pool = before

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Write down what is launched in this block instead of running it.

        Raises:
            LaunchError: something in the block cannot be recorded; whatever was written down is forgotten.
        """
        stream, graph = ctypes.c_void_p(driver.current().handle), ctypes.c_void_p()
        memory.counters()  # they are zero before every launch, so this is too late for them
        _call("cuStreamBeginCapture_v2", stream, _RELAXED)
        driver.recorder = self
        try:
            with self.memory():
                yield
        except BaseException:
            driver.recorder = None
            driver.library().cuStreamEndCapture(stream, ctypes.byref(graph))
            if graph.value:
                _call("cuGraphDestroy", graph)
            raise
        try:
            _call("cuStreamEndCapture", stream, ctypes.byref(graph))
            executable, count = ctypes.c_void_p(), ctypes.c_size_t()
            _call("cuGraphGetNodes", graph, None, ctypes.byref(count))
            _call("cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, ctypes.c_ulonglong(0))
            self.nodes, self._executable = count.value, executable
            self._keep()
        finally:
            driver.recorder = None
            if graph.value:
                _call("cuGraphDestroy", graph)

    def _keep(self) -> None:
        """What lies outside of its own pool must not be used for other things, even if its array goes."""
        for pool in list(memory.pools):
            addresses = pool.owners(self.used) if pool is not self.pool else set()
            if addresses:
                pool.pin(addresses)
                self._pinned.append((pool, addresses))
        self._borrowed = [block for block in list(memory.borrowed) if block.holds(self.used)]
        _living.add(self)

    def replay(self) -> None:
        """Run everything again, in the order of the stream."""
        _call("cuGraphLaunch", self._executable, ctypes.c_void_p(driver.current().handle))

    def close(self) -> None:
        """Give the driver's part back."""
        executable, self._executable = self._executable, None
        if executable is not None:
            driver.library().cuGraphExecDestroy(executable)
        while self._pinned:
            pool, addresses = self._pinned.pop()
            pool.unpin(addresses)
        self._borrowed.clear()
        if self.owed:
            driver.finish()
        while self.owed:
            self.owed.pop()()

    def __del__(self) -> None:
        self.close()


_living: weakref.WeakSet[Graph] = weakref.WeakSet()


@driver.at_close
def _close_all() -> None:
    for graph in list(_living):
        graph.close()


def _call(name: str, *arguments: Any) -> None:
    status = getattr(driver.library(), name)(*arguments)
    if status:
        text = ctypes.c_char_p()
        driver.library().cuGetErrorString(status, ctypes.byref(text))
        said = text.value.decode() if text.value else f"error {status}"
        fail(LaunchError, "cuda", f"failed in {name}: {said}")
