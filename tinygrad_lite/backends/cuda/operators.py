"""Arithmetic, comparisons and reading by index, attached to ``CudaArray``: each is a function of the namespace."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_lite.backends.cuda.array import CudaArray

_ARITHMETIC = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "pow"}
_COMPARISONS = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
_NUMBERS = (bool, int, float, complex)


def attach(namespace: Any) -> None:
    """Give ``CudaArray`` its operators, from the functions of the finished namespace."""
    functions = SimpleNamespace(**{name: getattr(namespace, name) for name in namespace.__dict__})
    for symbol, name in {**_ARITHMETIC, **_COMPARISONS}.items():
        setattr(CudaArray, f"__{symbol}__", _operator(getattr(functions, name)))
        if symbol in _ARITHMETIC:
            setattr(CudaArray, f"__r{symbol}__", _reflected(getattr(functions, name)))
    for name, value in {
        "__neg__": functions.negative,
        "__iadd__": _adding(functions),
        "__getitem__": functions.getitem,
        "__setitem__": _setitem(functions),
        "astype": functions.astype,
    }.items():
        setattr(CudaArray, name, value)


def _mixes(other: Any) -> bool:
    return type(other) is CudaArray or (isinstance(other, _NUMBERS) and not isinstance(other, np.generic))


def _operator(function: Any) -> Any:
    def operate(self: CudaArray, other: Any) -> Any:
        return function(self, other) if _mixes(other) else NotImplemented

    return operate


def _reflected(function: Any) -> Any:
    def operate(self: CudaArray, other: Any) -> Any:
        return function(other, self) if _mixes(other) else NotImplemented

    return operate


def _adding(functions: Any) -> Any:
    def add_in_place(self: CudaArray, other: Any) -> CudaArray:
        """``self += other`` in the memory of self, which keeps its dtype."""
        functions.add_into(self, other)
        return self

    return add_in_place


def _setitem(functions: Any) -> Any:
    def write(self: CudaArray, index: Any, value: Any) -> None:
        """Write an array, broadcast and cast, or a number, to the elements that an index names."""
        functions.assign(self, index, value)

    return write
