"""Special functions of the GPU are accurate to a few units in the last place, in every precision and far out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from backends.cuda.placed import layouts, on_gpu

from tinygrad_lite.backends.cpu import namespace as cpu
from tinygrad_lite.backends.cuda import special
from tinygrad_lite.backends.cuda.array import CudaArray, from_host
from tinygrad_lite.backends.namespace import SPECIAL

nan, inf = math.nan, math.inf
RANDOM = np.random.default_rng(3)
WIDE = np.concatenate([RANDOM.uniform(-6, 6, 500), RANDOM.normal(0, 1e-3, 100)])
RIGHT = np.concatenate([WIDE, RANDOM.uniform(6, 26, 100)])
POSITIVE = np.concatenate([RANDOM.uniform(5, 40, 300), 10 ** RANDOM.uniform(-6, -0.4, 100)])


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def units(got: CudaArray, expected: Any) -> float:
    """The largest error in units in the last place, of the references that are normal numbers."""
    found, expected = got.get(), np.asarray(expected, "float64")
    limits = np.finfo(found.dtype)
    normal = (np.abs(expected) > limits.tiny) & (np.abs(expected) < limits.max)
    assert normal.sum() > normal.size // 2
    unit = np.spacing(np.abs(expected[normal]).astype(found.dtype)).astype("float64")
    return float(np.max(np.abs(found[normal].astype("float64") - expected[normal]) / unit))


def each(function: Callable[[float], float], x: Any) -> Any:
    return np.array([function(float(v)) for v in x])


#: Of each function the points, the reference, and how many units in the last place it may be off in each precision.
ACCURACY = [
    ("erf", WIDE, math.erf, {"float64": 4, "float32": 4, "float16": 0.6}),
    ("erfc", RIGHT, math.erfc, {"float64": 6, "float32": 6, "float16": 0.6}),
    ("lgamma", POSITIVE, math.lgamma, {"float64": 16, "float32": 12, "float16": 0.6}),
    ("sigmoid", WIDE, lambda x: 1 / (1 + math.exp(-x)), {"float64": 4, "float32": 4, "float16": 0.6}),
    ("relu", WIDE, lambda x: max(x, 0.0), {"float64": 0, "float32": 0, "float16": 0}),
]


@pytest.mark.parametrize("name, points, reference, bounds", ACCURACY, ids=[name for name, *_ in ACCURACY])
def test_a_function_with_a_reference_of_its_own(
    name: str, points: Any, reference: Callable[[float], float], bounds: dict[str, float]
) -> None:
    for dtype, bound in bounds.items():
        x = points.astype(dtype)
        y = getattr(special, name)(from_host(x))
        assert y.dtype == dtype
        assert units(y, each(reference, x)) <= bound, dtype


#: The CPU's own float64 functions, which their tests compare with PyTorch's, are the reference of these.
BY_CPU = [
    ("erfcx", np.concatenate([RANDOM.uniform(-5, 5, 300), 10 ** RANDOM.uniform(0.5, 4, 50)]), 12),
    ("log_ndtr", np.concatenate([RANDOM.uniform(-40, 3, 300), -(10 ** RANDOM.uniform(2, 4, 50))]), 12),
    ("erfinv", np.concatenate([RANDOM.uniform(-1, 1, 300), 1 - 10.0 ** RANDOM.uniform(-3, -1, 50)]), 12),
    ("digamma", RANDOM.uniform(2, 50, 300), 8),
    ("lgamma", np.concatenate([c + RANDOM.normal(0, 1e-2, 100) for c in (1.0, 2.0)]), 8),
]


@pytest.mark.parametrize("name, points, bound", BY_CPU, ids=[name for name, *_ in BY_CPU])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_a_function_agrees_with_the_cpus_in_float64(name: str, points: Any, bound: float, dtype: str) -> None:
    x = points.astype(dtype)
    expected = getattr(cpu, name)(x.astype("float64"))
    assert units(getattr(special, name)(from_host(x)), expected) <= (bound if dtype != "float16" else 0.6)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-11), ("float32", 2e-4), ("float16", 2e-2)])
def test_functions_of_negative_numbers(dtype: str, tolerance: float) -> None:
    x = np.concatenate([RANDOM.uniform(-6, 6, 300), [-0.5, -1.5, -2.25]]).astype(dtype)
    x = x[np.abs(x - np.rint(x)) > 0.05]
    for name in ("lgamma", "digamma"):
        expected = getattr(cpu, name)(x.astype("float64"))
        np.testing.assert_allclose(getattr(special, name)(from_host(x)).get(), expected, tolerance, tolerance)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 1e-6), ("float16", 1e-3)])
def test_polygamma_of_every_order(dtype: str, tolerance: float) -> None:
    x = np.concatenate([RANDOM.uniform(-3, 0, 60), RANDOM.uniform(0.1, 9, 60), [1.0, 25.0, -0.5]]).astype(dtype)
    x = x[(x > 0) | (np.abs(x - np.rint(x)) > 0.05)]
    for n in range(6):
        expected = cpu.polygamma(n, x.astype("float64"))
        got = special.polygamma(n, from_host(x))
        assert got.dtype == dtype
        finite = np.abs(expected) < np.finfo(dtype).max
        error = np.abs(got.get()[finite] - expected[finite])
        # Near its zeros a function of negative numbers is a small difference of large ones.
        assert np.all(error <= (tolerance if n else 100 * tolerance) * np.maximum(np.abs(expected[finite]), 1)), n


def test_polygamma_of_a_high_order() -> None:
    assert special.polygamma(161, from_host(np.array([2.0]))).item() == pytest.approx(
        math.factorial(161) * 2.0**-162, rel=1e-12
    )


def test_polygamma_of_one_is_a_zeta_value() -> None:
    for n, expected in ((1, math.pi**2 / 6), (3, math.pi**4 / 15), (5, 8 * math.pi**6 / 63)):
        assert special.polygamma(n, from_host(np.ones(1))).item() == pytest.approx(expected, rel=2e-15)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-11), ("float32", 2e-4), ("float16", 2e-2)])
def test_the_derivatives_of_sinc(dtype: str, tolerance: float) -> None:
    x = np.concatenate([RANDOM.uniform(-4, 4, 100), [0.0, 1.0, 1e-4]]).astype(dtype)
    for order in range(6):
        got, expected = special.sinc_derivative(from_host(x), order), cpu.sinc_derivative(x.astype("float64"), order)
        assert got.dtype == dtype
        np.testing.assert_allclose(got.get(), expected, atol=tolerance * math.pi**order)


LIMITS = [
    ("erf", [inf, -inf, nan, 0.0], [1, -1, nan, 0]),
    ("erfc", [inf, -inf, nan, 0.0, 30.0], [0, 2, nan, 1, 0]),
    ("erfcx", [inf, -inf, nan, 0.0, -30.0], [0, inf, nan, 1, inf]),
    ("erfinv", [1.0, -1.0, nan, 0.0, 1.5], [inf, -inf, nan, 0, nan]),
    ("log_ndtr", [inf, -inf, nan], [0, -inf, nan]),
    ("lgamma", [inf, -inf, nan, 0.0, -0.0, -1.0, 1.0, 2.0], [inf, inf, nan, inf, inf, inf, 0, 0]),
    ("digamma", [inf, -inf, nan, 0.0, -0.0, -1.0], [inf, nan, nan, -inf, inf, nan]),
    ("sigmoid", [inf, -inf, nan, 0.0, 1e4, -1e4], [1, 0, nan, 0.5, 1, 0]),
    ("relu", [inf, -inf, nan, 0.0, -1.0], [inf, 0, nan, 0, 0]),
]


@pytest.mark.parametrize("name, points, expected", LIMITS, ids=[name for name, *_ in LIMITS])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_limits(name: str, points: list[float], expected: list[float], dtype: str) -> None:
    np.testing.assert_array_equal(getattr(special, name)(from_host(np.array(points, dtype))).get(), expected)


def test_polygamma_at_its_poles_is_the_cpus() -> None:
    x = np.array([0.0, -0.0, -1.0, inf, nan])
    for n in (1, 2):
        np.testing.assert_array_equal(special.polygamma(n, from_host(x)).get(), cpu.polygamma(n, x))


@pytest.mark.parametrize("name", sorted(set(SPECIAL) - {"polygamma", "sinc_derivative"}))
def test_every_layout(name: str) -> None:
    function = getattr(special, name)
    whole = RANDOM.uniform(0.1, 0.9, 400).astype("float32")
    for x in layouts(whole).values():
        got = function(on_gpu(x))
        np.testing.assert_array_equal(got.get(), function(from_host(x)).get())
        assert got.shape == x.shape


def test_orders_in_every_layout() -> None:
    for x in layouts(RANDOM.uniform(0.1, 3, 400)).values():
        np.testing.assert_allclose(special.polygamma(2, on_gpu(x)).get(), cpu.polygamma(2, x), 1e-13)
        np.testing.assert_allclose(special.sinc_derivative(on_gpu(x), 1).get(), cpu.sinc_derivative(x, 1), 1e-9, 1e-12)


def test_every_name_is_there() -> None:
    assert set(SPECIAL) == set(special.__all__)
