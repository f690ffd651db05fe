"""Reductions and scans where the table of operations has no samples: dtypes, complex values, long recurrences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor

TOTALS = [tgl.sum, tgl.prod, lambda x, **options: tgl.cumulative_sum(x, **options)[-1], tgl.cumulative_prod]
WIDE = [
    *(("bool", "int64"), ("int8", "int64"), ("int32", "int64"), ("int64", "int64"), ("uint8", "uint64")),
    *(("uint32", "uint64"), ("uint64", "uint64"), ("float16", "float16"), ("float32", "float32")),
    *(("complex64", "complex64"), ("complex128", "complex128")),
]


@pytest.mark.parametrize("dtype, expected", WIDE)
@pytest.mark.parametrize("function", TOTALS)
def test_sums_and_products_of_small_integers_are_wide(function: Any, dtype: str, expected: str) -> None:
    assert function(Tensor(np.ones(3, dtype))).dtype == expected


@pytest.mark.parametrize("dtype", ["int8", "uint16", "float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("function", TOTALS)
def test_a_dtype_that_is_asked_for_is_given(function: Any, dtype: str) -> None:
    y = function(Tensor([1, 2, 3]), dtype=dtype)
    assert y.dtype == dtype
    assert np.ravel(y.numpy())[-1] == 6


def test_a_sum_in_another_dtype_is_differentiated_in_its_own() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    g = tgl.grad(tgl.sum(x, dtype="float64"), x)
    assert g.dtype == "float32"
    assert g.tolist() == [1.0, 1.0]


def test_an_initial_element_has_the_dtype_of_the_result() -> None:
    for dtype, expected in (("int8", "int64"), ("float16", "float16"), ("bool", "int64"), ("complex64", "complex64")):
        x = Tensor(np.ones(2, dtype))
        assert tgl.cumulative_sum(x, include_initial=True).tolist() == [0, 1, 2]
        assert tgl.cumulative_prod(x, include_initial=True).tolist() == [1, 1, 1]
        assert tgl.cumulative_sum(x, include_initial=True).dtype == expected


def test_complex_values_have_sums_products_and_means() -> None:
    z = np.array([[1 + 2j, 3 - 1j], [0 + 1j, 2 + 0j]], "complex64")
    for name in ("sum", "prod", "mean"):
        for axis in (None, 0, (0, 1)):
            y = getattr(tgl, name)(Tensor(z), axis=axis)
            np.testing.assert_allclose(y.numpy(), getattr(np, name)(z, axis=axis), rtol=1e-6)
            assert y.dtype == "complex64"
    np.testing.assert_allclose(tgl.cumulative_sum(Tensor(z), axis=1).numpy(), np.cumsum(z, 1))
    np.testing.assert_allclose(tgl.cumulative_prod(Tensor(z), axis=1).numpy(), np.cumprod(z, 1), rtol=1e-6)
    np.testing.assert_array_equal(tgl.diff(Tensor(z)).numpy(), np.diff(z))
    assert tgl.count_nonzero(Tensor(z)).item() == 4
    assert tgl.any(Tensor(z)).item() is True
    assert tgl.all(Tensor(z * 0)).item() is False


def test_float16_is_added_and_multiplied_in_float32() -> None:
    ones = Tensor(np.ones(4096, "float16"))
    assert tgl.sum(ones).item() == 4096.0
    assert tgl.cumulative_sum(ones)[-1].item() == 4096.0
    assert tgl.nansum(ones).item() == 4096.0
    assert tgl.nanmean(Tensor(np.full(100, 2000.0, "float16"))).item() == 2000.0
    assert tgl.prod(Tensor(np.array([300.0, 300.0, 0.01], "float16"))).dtype == "float16"
    assert np.isfinite(tgl.prod(Tensor(np.array([300.0, 300.0, 0.01], "float16"))).item())
    x = Tensor(np.array([200.0, -200.0, 200.0, -200.0], "float16"))
    assert tgl.var(x).item() == 40000.0  # of which only one fits into a float16


def test_a_variance_without_a_degree_of_freedom_is_not_finite() -> None:
    with np.errstate(all="ignore"):
        assert np.isnan(tgl.var(Tensor([1.0]), correction=1).item())
        assert tgl.var(Tensor([1.0, 2.0]), correction=2).item() == np.inf
        assert tgl.std(Tensor([1.0, 2.0]), correction=3).item() == np.inf  # and not the root of a negative number


def test_a_variance_far_from_zero_keeps_its_digits() -> None:
    x = Tensor(np.array([10000.0, 10001.0, 10002.0], "float32"))
    assert tgl.var(x, correction=1).item() == 1.0


@pytest.mark.parametrize("count", [2, 3, 7, 8, 13])
def test_every_derivative_of_a_product_is_exact_at_zeros(count: int) -> None:
    """The third derivative of a product of zeros in three of them is the product of the others."""
    x = np.arange(1.0, count + 1)
    x[:3] = 0.0
    t = Tensor(x, requires_grad=True)
    y = tgl.prod(t)
    expected = np.prod(x[3:])
    for place in range(min(count, 3)):
        y = tgl.grad(y, t, create_graph=True)[place]
    if count >= 3:
        assert y.item() == expected


# --- long recurrences, which the CPU cuts into chunks -------------------------------------------------


def _steps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    h = np.zeros_like(b)
    before = np.zeros_like(b[0])
    for t in range(len(b)):
        before = h[t] = a[t] * before + b[t]
    return h


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", [(64,), (1000,), (1024,), (1025,), (333, 3), (100, 2, 2)])
def test_a_long_recurrence_is_that_of_single_steps(shape: tuple[int, ...], reverse: bool) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.uniform(-1, 1, shape), rng.normal(size=shape)
    found = tgl.linear_scan(Tensor(a), Tensor(b), 0, reverse).numpy()
    expected = _steps(a[::-1], b[::-1])[::-1] if reverse else _steps(a, b)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_long_recurrence_is_exact_where_a_product_of_its_factors_is_too_large() -> None:
    a, b = np.full(500, 1e30), np.zeros(500)
    a[::10] = 0.0
    a[100:200] = 1e30  # (1e30)^100 is no float64, but every h is 0 there
    b[250] = 1.0
    found = tgl.linear_scan(Tensor(a), Tensor(b)).numpy()
    np.testing.assert_array_equal(found, _steps(a, b))


def test_the_gradient_of_a_long_cumulative_product_passes_zeros() -> None:
    x = np.ones(200)
    x[[50, 120]] = 0.0
    t = Tensor(x, requires_grad=True)
    g = tgl.grad(tgl.cumulative_prod(t).sum(), t).numpy()
    assert g[50] == 70.0  # y_50 to y_119 are this element times ones
    assert g[0] == 50.0
    assert not g[51:].any()


# --- order and NaN ------------------------------------------------------------------------------------


def test_extrema_so_far_of_every_dtype_and_of_nan() -> None:
    for dtype in ("bool", "int8", "uint64", "float16"):
        x = Tensor(np.array([0, 1, 0], dtype))
        assert tgl.cumulative_max(x).tolist() == [0, 1, 1]
        assert tgl.cumulative_min(x).dtype == dtype
    x = Tensor([1.0, float("nan"), 3.0])
    np.testing.assert_array_equal(tgl.cumulative_max(x).numpy(), [1.0, np.nan, np.nan])
    np.testing.assert_array_equal(tgl.cumulative_min(x).numpy(), [1.0, np.nan, np.nan])


def test_the_gradient_of_an_extremum_so_far_goes_to_the_last_of_equal_elements_and_to_nan() -> None:
    x = Tensor([1.0, 1.0, 0.0, float("nan"), 3.0], requires_grad=True)
    weights = Tensor([1.0, 10.0, 100.0, 1000.0, 10000.0])
    with np.errstate(invalid="ignore"):
        (g,) = tgl.grad([tgl.cumulative_max(x)], [x], [weights])
    assert g.tolist() == [1.0, 110.0, 0.0, 11000.0, 0.0]


def test_the_gradient_of_a_deviation_of_equal_elements_is_zero_in_both_modes() -> None:
    x = Tensor([3.0, 3.0], requires_grad=True)
    (slope,) = tgl.grad(tgl.std(x), [x], create_graph=True)
    assert slope.tolist() == [0.0, 0.0]
    assert tgl.jvp(tgl.std, x, Tensor([1.0, -1.0]))[1].item() == 0.0
    assert not np.isnan(tgl.grad(slope.sum(), x).numpy()).any()


def test_differences_of_bools_say_where_they_change() -> None:
    assert tgl.diff(Tensor([True, True, False])).tolist() == [False, True]


def test_numbers_may_stand_before_and_after_the_differences() -> None:
    x = Tensor([[1.0, 3.0], [2.0, 5.0]])
    assert tgl.diff(x, prepend=0, append=Tensor(1.0)).tolist() == [[1.0, 2.0, -2.0], [2.0, 3.0, -4.0]]


def test_numbers_and_lists_are_reduced_too() -> None:
    assert tgl.sum([1, 2]).item() == 3
    assert tgl.prod(2.5).item() == 2.5
    assert tgl.std([1.0, 3.0]).item() == 1.0
    assert tgl.count_nonzero([0, 1, 2]).item() == 2
    assert tgl.median([3, 1, 2]).item() == 2.0


def test_half_precision_deviations_and_exponentials_do_not_overflow() -> None:
    x = Tensor(np.array([300.0, -300.0, 300.0, -300.0], "float16"), requires_grad=True)
    deviation = tgl.std(x)
    assert (deviation.item(), deviation.dtype) == (300.0, "float16")
    assert tgl.grad(deviation, x).tolist() == [0.25, -0.25, 0.25, -0.25]
    total = tgl.logsumexp(Tensor(np.zeros(70000, "float16")))
    assert (total.item(), total.dtype) == (float(np.float16(np.log(70000))), "float16")
