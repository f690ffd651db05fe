"""What a tensor turns into: Python numbers, NumPy arrays, other libraries' tensors, other dtypes and devices."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, make_leaf, mode
from tinygrad_lite.autograd.rows import copied
from tinygrad_lite.backends.devices import on_host
from tinygrad_lite.errors import ArgumentError, DTypeError, GradientError, ShapeError, fail
from tinygrad_lite.functions import manipulation
from tinygrad_lite.functions.devices import to_device
from tinygrad_lite.interop import array_api, dlpack, numpy_protocols


class Conversions:
    """The ways out of a tensor."""

    __slots__ = ()

    _data: Any
    _node: Any
    _version: Any

    # --- Python -----------------------------------------------------------------------------------

    def item(self: Any) -> Any:
        """The only element as a Python number.

        Raises:
            ShapeError: if there is not exactly one.

        >>> Tensor([2.5]).item()
        2.5
        """
        return _only("item", self)

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self._data.tolist()

    def __float__(self: Any) -> float:
        return float(_real("float", self))

    def __int__(self: Any) -> int:
        return int(_real("int", self))

    def __complex__(self: Any) -> complex:
        return complex(_only("complex", self))

    def __bool__(self: Any) -> bool:
        if self.size != 1:
            fail(
                ShapeError,
                "bool",
                "needs exactly one element",
                {"tensor": self},
                "say which elements must be true: x.any() or x.all()",
            )
        return bool(self.item())

    def __index__(self: Any) -> int:
        if self.dtype.kind not in "iu":
            hint = "x.item() is its value, int(x) cuts off the fraction"
            fail(DTypeError, "index", "needs an integer", {"tensor": self}, hint)
        return int(_only("index", self))

    def __format__(self: Any, spec: str) -> str:
        return format(_only("format", self), spec) if spec else str(self)

    def __reduce__(self) -> NoReturn:
        hint = "save weights with tinygrad_lite.save (safetensors)"
        fail(ArgumentError, "pickle", "does not work on tensors", {"tensor": self}, hint)

    def __copy__(self: Any) -> Tensor:
        return self.__deepcopy__({})  # type: ignore[no-any-return]

    def __deepcopy__(self: Any, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            hint = "x.clone() keeps the graph, copy.deepcopy(x.detach()) leaves it behind"
            fail(GradientError, "deepcopy", "needs a leaf", {"tensor": self}, hint)
        twin: Tensor = object.__new__(type(self))
        memo[id(self)] = twin
        twin._data, twin._node, twin._version = copied(self._data), None, None
        if self._node is not None:
            make_leaf(twin)
        return twin

    # --- NumPy ------------------------------------------------------------------------------------

    def numpy(self: Any) -> np.ndarray[Any, Any]:
        """The elements as a read-only NumPy array that shares their memory, as it is now; of a GPU's, a copy.

        Of a leaf or a gradient, which are written in place, ``.copy()`` keeps a snapshot; an optimiser that is
        made later moves the leaf's elements to memory of its own and leaves the array behind.

        Raises:
            GradientError: on a tensor that requires a gradient (which NumPy would not follow).
        """
        if self._node is not None and mode.enabled:
            hint = "x.detach().numpy() says that the gradient ends here"
            fail(GradientError, "numpy", "cannot carry a gradient", {"tensor": self}, hint)
        view = on_host(self._data).view()
        view.flags.writeable = False
        return view

    def __array__(self: Any, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array: np.ndarray[Any, Any] = self.numpy()
        converts = dtype is not None and array.dtype != dtype
        if copy is False and converts:
            raise ValueError(f"a {array.dtype.name} tensor is a {np.dtype(dtype).name} array only by a copy")
        return np.array(array, dtype=dtype) if copy or converts else array

    __array_ufunc__ = numpy_protocols.array_ufunc
    __array_function__ = numpy_protocols.array_function

    # --- other libraries ----------------------------------------------------------------------------

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        return array_api.namespace(api_version)

    def __dlpack__(
        self: Any,
        /,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        return dlpack.export(self, stream, max_version, dl_device, copy)

    def __dlpack_device__(self: Any, /) -> tuple[int, int]:
        return dlpack.device_number(self)

    @property
    def __cuda_array_interface__(self: Any) -> dict[str, Any]:
        if self.device != "cuda" or (self._node is not None and mode.enabled):
            raise AttributeError("__cuda_array_interface__")  # by which others tell that there is none
        return self._data.__cuda_array_interface__  # type: ignore[no-any-return]

    # --- dtype and device ---------------------------------------------------------------------------

    astype = manipulation.astype

    def to(self: Any, *targets: Any, dtype: dtypes.DTypeLike = None, device: str | None = None) -> Tensor:
        """This tensor with another dtype, on another device (``"cpu"``, ``"cuda"``), or both.

        The gradient goes with it: the copy is an operation like any other, and a gradient comes back to where
        the tensor was.

        Args:
            targets: dtypes and names of devices, or another tensor whose dtype and device are meant.
            dtype, device: the same by name.

        >>> Tensor([1, 2]).to("cpu", "float64")
        Tensor([1., 2.], dtype=float64)
        """
        for target in targets:
            if isinstance(target, Tensor):
                dtype, device = target.dtype, target.device
            elif isinstance(target, str) and not dtypes.is_name(target):
                device = target
            elif target is not None:
                dtype = target
        there = to_device(self, device)
        return there if dtype is None else manipulation.astype(there, dtype, copy=False)

    def to_device(self: Any, device: str, /, *, stream: Any = None) -> Tensor:
        """This tensor on ``device``, ``"cpu"`` or ``"cuda"``; everything runs in the order of one stream.

        >>> Tensor([1.0]).to_device("cpu").device
        'cpu'
        """
        if stream is not None:
            need = f"needs no stream, but got {stream!r}"
            fail(ArgumentError, "to_device", need, {"tensor": self}, "leave stream out")
        return to_device(self, device, "to_device")


def _only(operation: str, x: Any) -> Any:
    """The only element as a Python number."""
    if x.size != 1:
        hint = "use tolist(), or reduce it first: x.mean().item()" if x.size else "the tensor is empty"
        fail(ShapeError, operation, "needs exactly one element", {"tensor": x}, hint)
    return x._data.item()


def _real(kind: str, x: Any) -> Any:
    """The only element, which must not be complex."""
    if x.dtype.kind == "c":
        fail(DTypeError, kind, "needs a real number", {"tensor": x}, "use tgl.real or tgl.abs")
    return _only(kind, x)
