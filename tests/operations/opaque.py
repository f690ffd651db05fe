"""An array type that stands in for a GPU's: immutable, and offering nothing but the declared namespace.

Code that peeks at values, writes in place, mixes with NumPy arrays or uses an undeclared function works on the
CPU by accident and would fail on a device. Here it fails at once.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from tinygrad_lite.autograd import rows
from tinygrad_lite.backends import namespace as declared
from tinygrad_lite.backends.cpu import namespace as cpu


class OpaqueArray:
    """Values that only the declared namespace can work on; ``reveal`` is for tests alone."""

    __slots__ = ("_OpaqueArray__values",)
    __array_ufunc__ = None  # NumPy's operators refuse it too
    __hash__ = object.__hash__

    def __init__(self, values: Any) -> None:
        held = np.array(values)
        held.flags.writeable = False
        object.__setattr__(self, "_OpaqueArray__values", held)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise TypeError(f"an OpaqueArray cannot change, but {name} was set")

    @property
    def shape(self) -> tuple[int, ...]:
        return self.__values.shape

    @property
    def dtype(self) -> Any:
        return self.__values.dtype

    @property
    def ndim(self) -> int:
        return self.__values.ndim

    @property
    def size(self) -> int:
        return self.__values.size

    def __getitem__(self, index: Any) -> OpaqueArray:
        return OpaqueArray(self.__values[tuple(_inside(i) for i in index)])


def reveal(array: OpaqueArray) -> np.ndarray:
    """The values, for a test to compare."""
    return array._OpaqueArray__values


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"an OpaqueArray has no {name}: its values are not on this machine")

    return refuse


for _name in (
    *("__bool__", "__float__", "__int__", "__index__", "__complex__", "__len__", "__iter__", "__contains__"),
    *("__array__", "__setitem__", "__delitem__"),
):
    setattr(OpaqueArray, _name, _refusing(_name))

_NUMBERS = (bool, int, float)


def _inside(value: Any) -> Any:
    """The NumPy values in an argument: opaque arrays, numbers, and tuples of them."""
    if isinstance(value, OpaqueArray):
        return reveal(value)
    if isinstance(value, (tuple, list)):
        return type(value)(_inside(v) for v in value)
    if isinstance(value, (np.ndarray, np.generic)):
        raise TypeError(f"an OpaqueArray does not mix with {type(value).__name__} of NumPy")
    return value


def _outside(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_outside(v) for v in value)
    return OpaqueArray(value)


def _made(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function, assigned=("__name__",), updated=())
    def on_opaque(*args: Any, **kwargs: Any) -> Any:
        return _outside(function(*map(_inside, args), **{k: _inside(v) for k, v in kwargs.items()}))

    return on_opaque


def _operator(name: str, reflected: bool = False) -> Callable[[Any, Any], Any]:
    function = getattr(cpu, name)

    def operator(self: OpaqueArray, other: Any) -> Any:
        if not isinstance(other, (OpaqueArray, *_NUMBERS)) or isinstance(other, np.generic):
            raise TypeError(f"an OpaqueArray does not mix with {type(other).__name__}")
        values = (reveal(self), _inside(other))
        return OpaqueArray(function(*(values[::-1] if reflected else values)))

    return operator


_ARITHMETIC = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "pow"}
_COMPARISONS = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
for _symbol, _name in {**_ARITHMETIC, **_COMPARISONS}.items():
    setattr(OpaqueArray, f"__{_symbol}__", _operator(_name))
    if _symbol in _ARITHMETIC:
        setattr(OpaqueArray, f"__r{_symbol}__", _operator(_name, reflected=True))
setattr(OpaqueArray, "__neg__", lambda self: OpaqueArray(cpu.negative(reveal(self))))  # noqa: B010


def _asarray(value: Any, dtype: Any = None, copy: bool | None = None) -> OpaqueArray:
    """The one way in: from NumPy or numbers to the device."""
    return OpaqueArray(np.asarray(reveal(value) if isinstance(value, OpaqueArray) else value, dtype))


opaque_namespace = types.SimpleNamespace(
    **{name: _made(getattr(cpu, name)) for name in sorted(declared.NAMES - {"asarray"})},
    asarray=_asarray,
    array_type=OpaqueArray,
    overrides={},
)
rows.namespaces[OpaqueArray] = opaque_namespace
