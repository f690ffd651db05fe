"""Distinct values with repeats, and membership."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.backends.cpu import sorting as cpu

BAG = np.array([[3.0, 1.0, 3.0], [2.0, 1.0, 3.0]])


def test_the_distinct_values_say_where_they_are_and_how_often() -> None:
    values, indices, inverse, counts = tgl.unique_all(Tensor(BAG))
    assert values.tolist() == [1.0, 2.0, 3.0]
    assert indices.tolist() == [1, 3, 0]
    assert inverse.tolist() == [[2, 0, 2], [1, 0, 2]]
    assert counts.tolist() == [2, 1, 3]
    assert [t.dtype for t in (indices, inverse, counts)] == ["int64"] * 3


def test_the_results_have_the_names_of_the_standard() -> None:
    assert tgl.unique_all(Tensor(BAG))._fields == ("values", "indices", "inverse_indices", "counts")
    assert tgl.unique_counts(Tensor(BAG))._fields == ("values", "counts")
    assert tgl.unique_inverse(Tensor(BAG))._fields == ("values", "inverse_indices")


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_the_values_at_the_inverse_indices_are_the_elements(axis: int | None) -> None:
    slices = np.array([[2, 1, 2], [0, 1, 0], [2, 1, 2]], "int32")
    values, inverse, counts = tgl.unique(Tensor(slices), return_inverse=True, return_counts=True, axis=axis)
    if axis is None:
        np.testing.assert_array_equal(values.numpy()[inverse.numpy()], slices)
        assert counts.sum().item() == 9
    else:
        np.testing.assert_array_equal(np.take(values.numpy(), inverse.numpy(), axis), slices)
        assert counts.tolist() == [1, 2]


def test_unique_alone_returns_the_values() -> None:
    assert tgl.unique(Tensor([3, 1, 3])).tolist() == [1, 3]


def test_every_nan_is_a_value_of_its_own_and_in_nothing() -> None:
    nan = float("nan")
    values, counts = tgl.unique_counts(Tensor([nan, 1.0, nan]))
    np.testing.assert_array_equal(values.numpy(), [1.0, nan, nan])
    assert counts.tolist() == [1, 1, 1]
    assert tgl.isin(Tensor([nan, 1.0]), Tensor([nan, 1.0])).tolist() == [False, True]


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "complex64"])
def test_every_dtype_has_distinct_values(dtype: str) -> None:
    values = tgl.unique_values(Tensor(np.array([1, 0, 1], dtype)))
    assert values.dtype == dtype
    assert values.tolist() == [0, 1]


def test_the_first_of_equal_elements_receives_the_gradient() -> None:
    x = Tensor(BAG, requires_grad=True)
    y = tgl.unique_values(x) * Tensor(np.array([1.0, 10.0, 100.0]))
    assert tgl.grad(y.sum(), x).tolist() == [[100.0, 1.0, 0.0], [10.0, 0.0, 0.0]]


def test_the_first_of_equal_slices_receives_the_gradient() -> None:
    x = Tensor(np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 5.0]]), requires_grad=True)
    y = tgl.unique(x, axis=1) * Tensor(np.array([[1.0, 10.0], [100.0, 1000.0]]))
    assert tgl.grad(y.sum(), x).tolist() == [[10.0, 0.0, 1.0], [1000.0, 0.0, 100.0]]


def test_membership_takes_numbers_on_either_side() -> None:
    assert tgl.isin(Tensor([1, 2]), 2).tolist() == [False, True]
    assert tgl.isin(2, Tensor([1, 2])).item() is True
    assert tgl.isin(Tensor([1, 2]), [2, 3], invert=True).tolist() == [True, False]
    assert tgl.isin(Tensor([1.5, 2.0]), Tensor([2, 3])).tolist() == [False, True]


def test_a_python_number_is_looked_for_in_the_precision_of_the_tensor() -> None:
    x = Tensor([0.1, 0.2])
    assert tgl.isin(x, 0.1).tolist() == [True, False]
    assert tgl.isin(0.1, x).tolist() is True


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8", "complex128"])
def test_many_repeats_are_found_at_their_first_places(dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 50, (40, 50)).astype(dtype)
    for ours, numpy in zip(tgl.unique_all(Tensor(x)), np.unique(x, True, True, True), strict=True):
        np.testing.assert_array_equal(ours.numpy().ravel(), numpy.ravel())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_nan_receives_its_own_gradient(dtype: str) -> None:
    nan = float("nan")
    x = Tensor(np.array([nan, 2.0, nan, 2.0, nan], dtype), requires_grad=True)
    values, indices, inverse, counts = tgl.unique_all(x)
    assert (indices.tolist(), inverse.tolist(), counts.tolist()) == ([1, 0, 2, 4], [1, 0, 2, 0, 3], [2, 1, 1, 1])
    assert tgl.grad((values * Tensor([1.0, 2.0, 3.0, 4.0])).sum(), x).tolist() == [2.0, 1.0, 3.0, 0.0, 4.0]


def test_an_empty_set_has_no_values() -> None:
    assert [t.shape for t in tgl.unique_all(tgl.zeros((2, 0)))] == [(0,), (0,), (2, 0), (0,)]
    assert [t.shape for t in tgl.unique_counts(tgl.zeros((2, 0)))] == [(0,), (0,)]


@pytest.mark.parametrize(
    "function",
    [tgl.unique_values, tgl.unique_counts, tgl.unique, lambda x: tgl.unique(x, return_counts=True)],
)
def test_values_without_a_gradient_need_no_places(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x = Tensor(BAG, requires_grad=True)
    recorded = function(x)
    monkeypatch.setattr(cpu, "argsort", None)
    with tgl.no_grad():
        found = function(x)
    found, recorded = (values if isinstance(values, tuple) else (values,) for values in (found, recorded))
    for one, other in zip(found, recorded, strict=True):
        assert (one.dtype, one.tolist()) == (other.dtype, other.tolist())
