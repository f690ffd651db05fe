"""What the errors of anomaly mode say about arrays with NaN or inf: where they are, what stands there, what to do."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.backends import devices
from tinygrad_lite.backends.namespace import ELEMENTWISE, SPECIAL
from tinygrad_lite.errors import describe

NAN, INF = 1, 2  #: the two kinds of anomaly, as bits

#: Whether element i of the result is made of element i of every operand alone.
_ELEMENTWISE = {*ELEMENTWISE, *SPECIAL}


def flaws(value: Any) -> int:
    """Which of NAN and INF occur in an array, a tensor, a number, or a sequence of these.

    >>> flaws(np.asarray([1.0, np.nan])), flaws((None, -math.inf, 3))
    (1, 2)
    """
    if isinstance(value, Tensor):
        value = value._data
    if isinstance(value, (tuple, list)):
        found = 0
        for item in value:
            found |= flaws(item)
        return found
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        if not isinstance(value, (float, complex)):
            return 0
        return NAN * cmath.isnan(value) | INF * cmath.isinf(value)
    if dtype.kind not in "fc":
        return 0
    xp = namespaces.get(type(value))
    if xp is None:  # a NumPy scalar, which arithmetic on 0-d arrays makes
        return flaws(value.item())
    axes = tuple(range(value.ndim))
    if xp.all(xp.isfinite(value), axes, False).item():
        return 0
    nan = xp.isnan(value)
    infinite = xp.logical_not(xp.logical_or(xp.isfinite(value), nan))
    return NAN * bool(xp.any(nan, axes, False).item()) | INF * bool(xp.any(infinite, axes, False).item())


def on_host(value: Any) -> np.ndarray[Any, Any]:
    """An array of any backend, a tensor or a number as a NumPy array."""
    return devices.on_host(value._data if isinstance(value, Tensor) else value)


def first_flaw(array: np.ndarray[Any, Any], kinds: int) -> tuple[tuple[int, ...], int]:
    """The index of the first element of one of these kinds, and how many there are."""
    hits = np.zeros(array.shape, bool)
    if kinds & NAN:
        hits |= np.isnan(array)
    if kinds & INF:
        hits |= np.isinf(array)
    index = np.unravel_index(int(np.argmax(hits)), array.shape)
    return tuple(int(i) for i in index), int(np.count_nonzero(hits))


def named(value: Any) -> str:
    """An anomalous element as people write it: ``NaN``, ``inf`` or ``-inf``."""
    if np.isnan(value):
        return "NaN"
    return "-inf" if isinstance(value.item(), float) and value < 0 else "inf"


def place_of(array: np.ndarray[Any, Any], index: tuple[int, ...], count: int) -> str:
    """``2 of 6 elements, the first at [0, 2]``"""
    if array.size == 1:
        return "its one element"
    return f"{count} of {array.size:,} elements, the first at [{', '.join(map(str, index))}]"


def values_at(row_name: str, operands: Sequence[tuple[str, Any]], index: tuple[int, ...], shape: Any) -> str:
    """What the operands of an element-wise operation are where the result is an anomaly: ``x1 is 1.0, x2 is 0.0``."""
    if row_name not in _ELEMENTWISE:
        return ""
    found = []
    for name, value in operands:
        try:
            there = np.broadcast_to(on_host(value), shape)[index]
        except (TypeError, ValueError):
            continue
        found.append(f"{name} is {there!s}")
    return ", ".join(found)


def described(value: Any) -> str:
    """An operand in an error: shape, dtype, device, and the range of its values or the anomalies in it.

    >>> described(np.asarray([3.0, -1.0], np.float32)), described(2.5)
    ('shape (2,), float32, cpu, from -1 to 3', '2.5')
    """
    text = describe(value)
    if getattr(getattr(value, "dtype", None), "kind", "") != "f" or math.prod(value.shape) == 0:
        return text
    array = on_host(value)
    nans, infs = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    if nans or infs:
        parts = [f"{count:,} {kind}" for count, kind in ((nans, "NaN"), (infs, "inf")) if count]
        return f"{text}, with {' and '.join(parts)}"
    low, high = float(array.min()), float(array.max())
    return f"{text}, {low:.6g}" if low == high else f"{text}, from {low:.6g} to {high:.6g}"


# --- hints ------------------------------------------------------------------------------------------

_LOG = "log is -inf at 0 and NaN below it: keep its operand positive, for example with clip(x, 1e-12)"
_DIVIDE = "the divisor is 0 there: add a small number to it, or replace its zeros with where() before dividing"
_POWERS = ("pow", "power")
_POWER = "a negative number to a fractional power is NaN"
_SOFTMAX = "a row that is -inf throughout has no softmax: leave one element of it unmasked"

_FORWARD = {
    "log": _LOG,
    "log2": _LOG.replace("log", "log2", 1),
    "log10": _LOG.replace("log", "log10", 1),
    "log1p": "log1p is -inf at -1 and NaN below it: keep its operand above -1",
    "divide": _DIVIDE,
    "reciprocal": _DIVIDE,
    "sqrt": "sqrt is NaN below 0, where rounding can push a difference of sums: clip its operand at 0",
    **dict.fromkeys(
        ("asin", "acos", "atanh"), "it is defined from -1 to 1: clip its operand, which rounding can push out"
    ),
    "rsqrt": "the root is 0 there: add a small number under it",
}

_BACKWARD = {
    "sqrt": "the slope of sqrt is infinite at 0: add a small number under the root, as in sqrt(x + 1e-12)",
    **dict.fromkeys(_POWERS, "the slope of x ** p is infinite at 0 for p below 1: add a small number to x"),
    **dict.fromkeys(("asin", "acos"), "the slope is infinite at -1 and 1: clip the operand to less"),
    "log": "the slope of log is infinite at 0: keep its operand positive, for example with clip(x, 1e-12)",
    "divide": _DIVIDE,
    "reciprocal": _DIVIDE,
}


def forward_hint(name: str, kinds: int, dtype: Any) -> str:
    """The frequent cause of a NaN or inf in the result of an operation."""
    largest = float(np.finfo(dtype).max)
    if name in ("exp", "expm1", "sinh", "cosh"):
        limit = f"{name} exceeds the largest {dtype.name} above {math.log(largest):.1f}"
        return f"{limit}: subtract the maximum first, as softmax, log_softmax and logsumexp do"
    if name in _FORWARD:
        return _FORWARD[name]
    if name in _POWERS:
        return _POWER if kinds & NAN else f"0 to a negative power is inf; besides, {_overflow(dtype, largest)}"
    if "softmax" in name and kinds & NAN:
        return _SOFTMAX
    if kinds & NAN:
        return "inf - inf, 0 * inf and 0 / 0 are NaN, and so are functions outside their domain"
    return _overflow(dtype, largest)


def backward_hint(name: str, kinds: int, dtype: Any, incoming: float | None) -> str:
    """The same for the gradient that a rule made; ``incoming`` is what arrived at that element, if known."""
    if incoming == 0 and kinds & NAN:
        return (
            "a slope that is infinite there meets a gradient of 0, and 0 * inf is NaN: choose a safe operand"
            " with where() before the operation, not only its result after it"
        )
    if name in _BACKWARD:
        return _BACKWARD[name]
    if kinds & NAN:
        return "inf - inf, 0 * inf and 0 / 0 are NaN"
    return _overflow(dtype, float(np.finfo(dtype).max))


def _overflow(dtype: Any, largest: float) -> str:
    causes = "a learning rate that is too high, inputs that are not normalised, or a division by 0 lead here"
    return f"the largest {dtype.name} is {largest:.3g}: {causes}"
