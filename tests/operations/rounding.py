"""The rounding model: is a difference from the reference what rounding explains, or a bug?

One rounding changes a result by at most half a unit in the last place. A chain of n operations on numbers of
size m may be off by about ``n * unit * m``, where ``unit`` is the dtype's unit round-off and m the largest number that
takes part: terms that cancel leave the rounding of their sizes behind. The reference is computed in float64
from the same, already rounded inputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

SLACK = 4  # an operation of a mathematical library may be off by a few units, not by half of one


class Verdict(NamedTuple):
    """What the model says of an array, in words."""

    within: bool
    text: str


def unit(dtype: Any) -> float:
    """The unit round-off: half the distance from 1 to the next number of ``dtype``.

    >>> unit("float64") == 2.0**-53
    True
    """
    return float(np.finfo(dtype).eps) / 2


def judge(got: Any, expected: Any, *, length: float = 1, size: float = 0.0, dtype: Any = None) -> Verdict:
    """Compare ``got`` with a reference, element by element.

    Args:
        got: an array; its dtype says how fine it can be, unless ``dtype`` does.
        expected: the reference, in float64 (or integers or bools, which must be equal).
        length: how many operations one element goes through.
        size: the largest magnitude that takes part; that of the reference is added.
        dtype: the coarsest dtype that takes part.

    Returns:
        Whether all differences are within rounding, and a sentence that names the worst element.
    """
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        return Verdict(False, f"a bug: shape {got.shape}, expected {expected.shape}")
    if got.size == 0:
        return Verdict(True, "within rounding: no elements")
    if got.dtype.kind != "f":
        wrong = got != expected
        allowed = error = np.zeros(got.shape)
        quantum = 1.0
    else:
        dtype = np.dtype(dtype or got.dtype)
        exact, found = expected.astype(np.float64), got.astype(np.float64)
        finite = np.isfinite(exact)
        size = max(size, float(np.max(np.abs(exact[finite]), initial=0.0)))
        tiny = float(np.finfo(dtype).smallest_subnormal)
        allowed = np.full(got.shape, SLACK * max(length, 1) * unit(dtype) * size + tiny)
        with np.errstate(invalid="ignore"):
            error = np.abs(found - exact)
            same = (found == exact) | (np.isnan(found) & np.isnan(exact))
            wrong = ~same & ~(finite & (error <= allowed))
        quantum = 2 * unit(dtype)
    if not wrong.any():
        worst = float(np.nanmax(error, initial=0.0)) if got.dtype.kind == "f" else 0.0
        return Verdict(True, f"within rounding: largest error {worst:.3g}")
    # NaN where a number is expected counts as the largest error of all.
    ranked = np.where(wrong, np.nan_to_num(error, nan=np.inf, posinf=np.inf), -1.0)
    place = np.unravel_index(int(np.argmax(ranked)), got.shape)
    ulp = quantum * max(abs(float(expected[place])), float(np.finfo(np.float64).tiny))
    return Verdict(
        False,
        f"a bug at this element: index {tuple(int(i) for i in place)}, got {got[place]}, "
        f"expected {expected[place]}, error {float(error[place]) / ulp:.3g} ulps "
        f"(rounding explains {float(allowed[place]) / ulp:.3g}); "
        f"{int(wrong.sum())} of {got.size} elements are wrong",
    )


def assert_within_rounding(got: Any, expected: Any, what: str, **model: Any) -> None:
    """Fail with the verdict's text unless all differences are within rounding."""
    verdict = judge(got, expected, **model)
    assert verdict.within, f"{what}: {verdict.text}"


#: The five-point rule with this step is off by about step^4 in truncation and 2^-53 / step in rounding.
STEP = 1e-3
DIFFERENCE_LENGTH = 2e6  # in units of 2^-53: about 1e-9 of the function's size


def central_difference(function: Any, x: np.ndarray) -> np.ndarray:
    """The gradient of a function of one float64 array that returns a number, by the five-point rule."""
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        values = []
        for steps in (-2, -1, 1, 2):
            moved = x.copy()
            moved[place] += steps * STEP
            values.append(function(moved))
        before2, before, after, after2 = values
        gradient[place] = (8 * (after - before) - (after2 - before2)) / (12 * STEP)
    return gradient
