"""Order statistics, histograms and curves where the table of operations has no samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor

nan, inf = float("nan"), float("inf")


def test_one_nan_makes_the_median_and_every_quantile_nan() -> None:
    x = Tensor([[1.0, nan, 2.0], [3.0, 1.0, 2.0]])
    np.testing.assert_array_equal(tgl.median(x, axis=1).numpy(), [nan, 2.0])
    np.testing.assert_array_equal(tgl.quantile(x, [0.0, 1.0], axis=1).numpy(), [[nan, 1.0], [nan, 3.0]])


def test_the_median_of_infinite_and_of_the_largest_numbers() -> None:
    assert tgl.median(Tensor([inf, inf])).item() == inf
    largest = float(np.finfo("float32").max)
    assert tgl.median(Tensor([largest, largest])).item() == largest


def test_several_quantiles_come_first_in_the_shape() -> None:
    x = Tensor(np.zeros((2, 3, 4)))
    assert tgl.quantile(x, [0.1, 0.2, 0.3, 0.4, 0.5], axis=1).shape == (5, 2, 4)
    assert tgl.quantile(x, Tensor([0.5]), axis=(0, 2), keepdims=True).shape == (1, 1, 3, 1)
    assert tgl.quantile(x, np.array(0.5)).shape == ()
    assert tgl.quantile(x, [], axis=0).shape == (0, 3, 4)


def test_bincount_counts_in_int64_and_weighs_in_the_dtype_of_the_weights() -> None:
    x = Tensor(np.array([1, 3, 1], "uint8"))
    counts = tgl.bincount(x, minlength=2)
    assert (counts.tolist(), counts.dtype) == ([0, 2, 0, 1], "int64")
    weighed = tgl.bincount(x, Tensor(np.array([0.5, 1.0, 2.0], "float16")))
    assert (weighed.tolist(), weighed.dtype) == ([0.0, 2.5, 0.0, 1.0], "float16")
    assert tgl.bincount(x, Tensor([1, 2, 3])).dtype == "float32"


WAYS: list[dict[str, Any]] = [
    {"bins": 3},
    {"bins": 3, "density": True},
    {"bins": [0.0, 1.0, 1.5, 4.0]},
    {"bins": [0.0, 1.0, 1.5, 4.0], "density": True},
    {"bins": 2, "range": (0.5, 2.5)},
]


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("options", WAYS, ids=str)
def test_histograms_are_those_of_numpy(options: dict[str, Any], weighed: bool) -> None:
    x, w = np.array([0.3, 1.0, 1.2, 3.9, 4.0, 1.5, 0.0]), np.arange(1.0, 8.0)
    counts, edges = tgl.histogram(Tensor(x), **options, weights=Tensor(w) if weighed else None)
    expected = np.histogram(x, **options, weights=w if weighed else None)
    np.testing.assert_allclose(counts.numpy(), expected[0], rtol=1e-12)
    np.testing.assert_allclose(edges.numpy(), expected[1], rtol=1e-12)
    assert counts.dtype == ("float64" if weighed or options.get("density") else "int64")


def test_the_largest_element_of_a_histogram_lies_in_its_last_bin() -> None:
    """In float32 -0.5 + (0.4 + 0.5) is less than 0.4."""
    counts, edges = tgl.histogram(Tensor([-0.5, 0.4]), bins=2)
    assert counts.tolist() == [1, 1]
    assert edges[-1].item() == np.float32(0.4)


def test_equal_elements_lie_in_the_middle_of_a_histogram() -> None:
    counts, edges = tgl.histogram(Tensor([2.0, 2.0]), bins=1)
    assert (counts.tolist(), edges.tolist()) == ([2], [1.5, 2.5])


def test_the_weights_of_a_histogram_have_gradients_and_nan_is_in_no_bin() -> None:
    w = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    counts, _ = tgl.histogram(Tensor([0.5, nan, 1.5]), bins=[0.0, 1.0, 2.0], weights=w)
    assert counts.tolist() == [1.0, 3.0]
    assert tgl.grad((counts * Tensor([10.0, 20.0])).sum(), w).tolist() == [10.0, 0.0, 20.0]


def test_the_edges_of_a_histogram_follow_its_extreme_elements() -> None:
    x = Tensor(np.array([0.0, 1.0, 4.0]), requires_grad=True)
    _, edges = tgl.histogram(x, bins=4)
    assert tgl.grad(edges[1], x, retain_graph=True).tolist() == [0.75, 0.0, 0.25]
    assert tgl.grad(edges[-1], x).tolist() == [0.0, 0.0, 1.0]


def test_interpolation_is_exact_at_the_points() -> None:
    # 1e8 + (0.1 - 1e8) is 0 in float32.
    xp, fp = np.array([0.0, 0.1, 0.7, 1.0], "float32"), np.array([0.3, 1.7, 1e8, 0.1], "float32")
    np.testing.assert_array_equal(tgl.interp(Tensor(xp), Tensor(xp), Tensor(fp)).numpy(), fp)


def test_interpolation_of_infinite_places_nan_and_a_single_point() -> None:
    x = Tensor([-inf, inf, nan], requires_grad=True)
    y = tgl.interp(x, Tensor([0.0, 1.0]), Tensor([2.0, 3.0]))
    np.testing.assert_array_equal(y.detach().numpy(), [2.0, 3.0, nan])
    assert tgl.grad(y[:2].sum(), x).tolist() == [0.0, 0.0, 0.0]
    assert tgl.interp(Tensor([-1.0, 0.0, 1.0]), [0.0], [7.0]).tolist() == [7.0, 7.0, 7.0]


def test_the_covariance_of_one_variable_is_its_variance() -> None:
    x = Tensor([1.0, 2.0, 4.0])
    assert tgl.cov(x).shape == ()
    np.testing.assert_allclose(tgl.cov(x).item(), tgl.var(x, correction=1).item(), rtol=1e-6)
    assert tgl.corrcoef(Tensor([[1.0, 2.0], [3.0, 5.0]])).tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_a_correlation_is_never_above_1() -> None:
    """In float32 the quotient of these is 1.0000001."""
    x = np.array([[-1.3, -0.6, 0.0], [-3.9, -1.8, 0.0]], "float32")
    assert tgl.max(tgl.corrcoef(Tensor(x))).item() <= 1.0


def test_a_covariance_without_a_degree_of_freedom_is_not_a_number() -> None:
    with np.errstate(all="ignore"):
        assert np.isnan(tgl.cov(Tensor([[1.0], [2.0]])).numpy()).all()


def test_half_precision_is_averaged_in_float32() -> None:
    x = Tensor(np.full(4, 60000.0, "float16"), requires_grad=True)
    mean = tgl.average(x, weights=Tensor(np.ones(4, "float16")))
    assert (mean.item(), mean.dtype) == (60000.0, "float16")
    assert tgl.grad(mean, x).tolist() == [0.25] * 4


def test_no_quantiles_keep_the_reduced_axes() -> None:
    assert tgl.quantile(tgl.ones((2, 3)), [], axis=1, keepdims=True).shape == (0, 2, 1)


@pytest.mark.parametrize("weighted", [False, True])
def test_numbers_at_an_edge_are_counted_where_numpy_counts_them(weighted: bool) -> None:
    """0.3 lies below the edge 3 * 0.1, which is 0.30000000000000004."""
    x = np.arange(11) / 10
    weights = np.ones(11) if weighted else None
    expected, edges = np.histogram(x, 10, weights=weights)
    counts, found = tgl.histogram(Tensor(x), 10, weights=weights)
    np.testing.assert_array_equal(counts.numpy(), expected)
    np.testing.assert_array_equal(found.numpy(), edges)


def test_quantiles_at_infinite_elements_are_those_elements() -> None:
    x = Tensor([1.0, inf, inf], requires_grad=True)
    with np.errstate(invalid="ignore"):
        y = tgl.quantile(x, [0.0, 0.5, 0.75, 1.0])
    np.testing.assert_array_equal(y.detach().numpy(), [1.0, inf, nan, inf])  # as in NumPy: inf - inf at 0.75
    assert y.dtype == "float32"
    assert tgl.grad(y[:2].sum(), x).tolist() == [1.0, 1.0, 0.0]
