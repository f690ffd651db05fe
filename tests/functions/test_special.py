"""Special functions are accurate to a few units in the last place, also far out, and differentiable at every order."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor

nan, inf = math.nan, math.inf


def _ulps(got: Any, expected: Any) -> float:
    """The largest error in units in the last place of ``got``'s dtype, of the references that are normal numbers."""
    got, expected = np.asarray(got), np.asarray(expected)
    limits = np.finfo(got.dtype)
    normal = (np.abs(expected) > limits.tiny) & (np.abs(expected) < limits.max)
    assert normal.sum() > normal.size // 2
    unit = np.spacing(np.abs(expected[normal]).astype(got.dtype)).astype("float64")
    return float(np.max(np.abs(got[normal].astype("float64") - expected[normal]) / unit))


def _each(function: Callable[[float], float], x: np.ndarray) -> np.ndarray:
    return np.array([function(float(v)) for v in x])


_RANDOM = np.random.default_rng(3)
_WIDE = np.concatenate([_RANDOM.uniform(-6, 6, 2000), _RANDOM.normal(0, 1e-3, 200)])
_RIGHT = np.concatenate([_WIDE, _RANDOM.uniform(6, 26, 400)])
_POSITIVE = np.concatenate([_RANDOM.uniform(5, 40, 1500), 10 ** _RANDOM.uniform(-6, -0.4, 300)])

#: Of each function the points, the reference, and how many units in the last place it may be off in each precision.
ACCURACY = [
    ("erf", _WIDE, math.erf, {"float64": 6, "float32": 6, "float16": 0.6}),
    ("erfc", _RIGHT, math.erfc, {"float64": 10, "float32": 12, "float16": 0.6}),
    ("lgamma", _POSITIVE, math.lgamma, {"float64": 16, "float32": 12, "float16": 0.6}),
]


@pytest.mark.parametrize("name, points, reference, bounds", ACCURACY, ids=[name for name, *_ in ACCURACY])
def test_a_special_function_is_accurate_in_every_precision(
    name: str, points: np.ndarray, reference: Callable[[float], float], bounds: dict[str, float]
) -> None:
    for dtype, bound in bounds.items():
        x = points.astype(dtype)
        y = getattr(tgl, name)(Tensor(x))
        assert y.dtype == dtype
        assert _ulps(y._data, _each(reference, x)) <= bound, dtype


@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    "name, points, bound",
    [
        ("erfcx", np.concatenate([_RANDOM.uniform(-5, 5, 500), 10 ** _RANDOM.uniform(1, 300, 200)]), 20),
        ("log_ndtr", np.concatenate([_RANDOM.uniform(-40, 3, 500), -(10 ** _RANDOM.uniform(2, 150, 200))]), 12),
        ("digamma", _RANDOM.uniform(2, 50, 500), 8),
        ("lgamma", np.concatenate([c + _RANDOM.normal(0, 1e-3, 200) for c in (1.0, 2.0)]), 8),
    ],
)
def test_a_special_function_is_that_of_pytorch_to_a_few_units(name: str, points: np.ndarray, bound: float) -> None:
    import torch

    assert (
        _ulps(
            getattr(tgl, name)(Tensor(points))._data,
            getattr(torch.special, _TORCH.get(name, name))(torch.tensor(points)).numpy(),
        )
        <= bound
    )


_TORCH = {"lgamma": "gammaln"}


def test_erfinv_undoes_erf() -> None:
    y = np.concatenate([_RANDOM.uniform(-1, 1, 500), 1 - 10.0 ** _RANDOM.uniform(-15, -1, 300)])
    x = tgl.erfinv(Tensor(y))._data
    slope = 2 / math.sqrt(math.pi) * np.exp(-x * x)
    error = np.abs(_each(math.erf, x) - y) / (np.spacing(np.abs(y)) + slope * np.spacing(np.abs(x)))
    assert error.max() <= 8


def test_polygamma_counts_up_by_powers() -> None:
    """polygamma(n, x + 1) - polygamma(n, x) = (-1)^n n! x^-(n+1), on both sides of 0."""
    x = np.concatenate([_RANDOM.uniform(-3, 0, 200), _RANDOM.uniform(0.1, 9, 200)])
    for n in range(5):
        below, above = tgl.polygamma(n, Tensor(x))._data, tgl.polygamma(n, Tensor(x + 1))._data
        step = (-1) ** n * math.factorial(n) * x ** -(n + 1.0)
        largest = np.maximum(np.maximum(np.abs(below), np.abs(above)), 1)
        assert np.max(np.abs(above - below - step) / largest) < 3e-13


def test_polygamma_of_one_is_a_zeta_value() -> None:
    ones = Tensor(np.ones(1))
    for n, expected in ((1, math.pi**2 / 6), (3, math.pi**4 / 15), (5, 8 * math.pi**6 / 63)):
        assert tgl.polygamma(n, ones).item() == pytest.approx(expected, rel=1e-15)


LIMITS = [
    ("erf", [inf, -inf, nan, 0.0], [1, -1, nan, 0]),
    ("erfc", [inf, -inf, nan, 0.0, 30.0], [0, 2, nan, 1, 0]),
    ("erfcx", [inf, -inf, nan, 0.0], [0, inf, nan, 1]),
    ("erfinv", [1.0, -1.0, nan, 0.0, 1.5], [inf, -inf, nan, 0, nan]),
    ("ndtr", [inf, -inf, nan, 0.0], [1, 0, nan, 0.5]),
    ("log_ndtr", [inf, -inf, nan], [0, -inf, nan]),
    ("lgamma", [inf, -inf, nan, 0.0, -0.0, -1.0, 1.0, 2.0], [inf, inf, nan, inf, inf, inf, 0, 0]),
    ("digamma", [inf, -inf, nan, 0.0, -0.0, -1.0], [inf, nan, nan, -inf, inf, nan]),
    ("logit", [0.0, 1.0, 0.5, -1.0, nan], [-inf, inf, 0, nan, nan]),
    ("sinc", [0.0, 1.0, 0.5], [1, 0, 2 / math.pi]),
]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name, points, expected", LIMITS, ids=[name for name, *_ in LIMITS])
def test_the_limits_of_a_special_function(name: str, points: list, expected: list, dtype: str) -> None:
    with np.errstate(all="ignore"):
        y = getattr(tgl, name)(Tensor(np.array(points, dtype)))
    np.testing.assert_allclose(y._data, np.array(expected, dtype), rtol=1e-3, atol=1e-6)


def _derivatives(function: Callable[[Any], Any], at: float, order: int) -> list[float]:
    """The first derivatives at a point, each the gradient of the one before."""
    x = Tensor(np.array(at), requires_grad=True)
    y, found = function(x), []
    for _ in range(order):
        (y,) = tgl.grad(y, [x], create_graph=True)
        found.append(y.item())
    return found


def test_sinc_has_derivatives_of_every_order_at_0() -> None:
    """sinc(x) = sum of (-1)^k (pi x)^2k / (2k + 1)!, so that the derivative of order 2k is (-1)^k pi^2k / (2k + 1)."""
    expected = [0.0 if n % 2 else (-1) ** (n // 2) * math.pi**n / (n + 1) for n in range(1, 8)]
    assert _derivatives(tgl.sinc, 0.0, 7) == pytest.approx(expected, rel=1e-13)


def test_sinc_has_the_same_derivatives_where_its_two_formulas_meet() -> None:
    for n in range(1, 6):
        edge = (n + 1) / math.pi
        below, above = (_derivatives(tgl.sinc, edge * (1 + side * 1e-12), n)[-1] for side in (-1, 1))
        assert below == pytest.approx(above, rel=1e-10, abs=1e-10)


def test_the_derivatives_of_lgamma_are_the_polygammas() -> None:
    found = _derivatives(tgl.lgamma, 2.5, 4)
    x = Tensor(np.array(2.5))
    assert found == pytest.approx([tgl.polygamma(n, x).item() for n in range(4)], rel=1e-15)


def test_the_slope_of_log_ndtr_far_out_on_the_left_keeps_its_digits() -> None:
    """phi(x) / Phi(x) = -x - 1/x + 2/x^3 - ..., though phi and Phi are 0 in floating point."""
    for at in (-100.0, -1e4):
        exact = Fraction(-at) - 1 / Fraction(at) + 2 / Fraction(at) ** 3
        assert _derivatives(tgl.log_ndtr, at, 1)[0] == pytest.approx(float(exact), rel=1e-9)


def test_the_highest_polygamma_still_has_a_derivative() -> None:
    x = Tensor(np.array([2.0]), requires_grad=True)
    slope = tgl.grad(tgl.polygamma(160, x).sum(), x)
    assert slope.item() == pytest.approx(math.factorial(161) * 2.0**-162, rel=1e-12)


def test_many_elements_are_those_of_few() -> None:
    """Long arrays are worked on in blocks, on several threads."""
    x = np.random.default_rng(1).normal(0, 2, (300, 333)).T
    for name in ("erf", "erfc", "lgamma", "digamma"):
        function = getattr(tgl, name)
        np.testing.assert_array_equal(function(Tensor(x))._data[7], function(Tensor(x[7]))._data)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lgamma_is_infinite_at_every_negative_integer(dtype: str) -> None:
    x = np.array([-1.0, -1e5, -float(np.finfo(dtype).max), -np.inf], dtype)
    np.testing.assert_array_equal(tgl.lgamma(Tensor(x)).numpy(), np.inf)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_logistic_function_is_silent_and_bounded_everywhere(dtype: str) -> None:
    largest = float(np.finfo(dtype).max)
    x = np.array([-np.inf, -largest, -12.0, 0.0, 12.0, largest, np.inf, np.nan], dtype)
    exact = [0.0, 0.0, 1 / (1 + math.exp(12)), 0.5, 1 / (1 + math.exp(-12)), 1.0, 1.0, np.nan]
    tolerance = {"float16": 6e-3, "float32": 1e-6, "float64": 1e-15}[dtype]  # half: -12 gives a subnormal number
    np.testing.assert_allclose(tgl.sigmoid(Tensor(x)).numpy(), exact, rtol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_curvature_of_log_ndtr_is_finite_far_out_on_both_sides(dtype: str) -> None:
    """The slope s falls by s (s + x): to 0 on the right, and by almost 1 on the left."""
    x = Tensor(np.array([-1e4, -50.0, 5.0, 50.0, 1e4], dtype), requires_grad=True)
    (slope,) = tgl.grad([tgl.log_ndtr(x)], [x], [tgl.ones_like(x)], create_graph=True)
    curvature = tgl.grad(slope.sum(), x).numpy()
    density = math.exp(-12.5) / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(curvature[2:], [-density * (density + 5.0), 0.0, 0.0], rtol=1e-5)
    assert np.isfinite(curvature).all()
