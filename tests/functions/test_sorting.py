"""Sorting and searching: NaN, equal elements, every dtype."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor

nan, inf = float("nan"), float("inf")


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float64"])
def test_every_dtype_is_sorted_in_both_directions(dtype: str) -> None:
    x = Tensor(np.array([1, 0, 1, 0], dtype))
    assert tgl.sort(x).tolist() == [0, 0, 1, 1]
    assert tgl.sort(x, descending=True).tolist() == [1, 1, 0, 0]
    assert tgl.sort(x).dtype == dtype
    assert tgl.argsort(x).tolist() == [1, 3, 0, 2]
    assert tgl.argsort(x, descending=True).tolist() == [0, 2, 1, 3]
    assert tgl.argsort(x, descending=True).dtype == "int64"


def test_long_half_precision_arrays_with_many_equal_elements_are_in_order() -> None:
    x = np.random.default_rng(0).integers(-9, 9, 20_000).astype(np.float16)
    expected = sorted(x.tolist())
    assert tgl.sort(Tensor(x)).tolist() == expected
    values, counts = tgl.unique_counts(Tensor(x))
    assert values.tolist() == list(range(-9, 9))
    assert counts.tolist() == [expected.count(value) for value in range(-9, 9)]


def test_nan_is_the_largest() -> None:
    x = Tensor([nan, 1.0, float("inf")])
    np.testing.assert_array_equal(tgl.sort(x).numpy(), [1.0, np.inf, nan])
    assert tgl.argsort(x, descending=True).tolist() == [0, 2, 1]
    assert tgl.kthvalue(x, 3)[1].item() == 0
    assert tgl.topk(x, 1)[1].tolist() == [0]


def test_what_is_sorted_in_descending_order_may_be_written_over() -> None:
    x = Tensor([1.0, 2.0])
    y = tgl.sort(x, descending=True)
    y[0] = 5.0
    assert (x.tolist(), y.tolist()) == ([1.0, 2.0], [5.0, 1.0])


def test_a_sorter_puts_the_first_operand_in_order() -> None:
    x = Tensor([4.0, 1.0, 2.0])
    places = tgl.searchsorted(x, Tensor([[0.5, 1.0], [3.0, 9.0]]), sorter=tgl.argsort(x))
    assert places.tolist() == [[0, 0], [2, 3]]
    assert tgl.searchsorted(x, 1.0, "right", tgl.argsort(x)).item() == 1


def test_searching_promotes_and_takes_numbers() -> None:
    x = Tensor([1, 2, 3])
    assert tgl.searchsorted(x, 2).item() == 1
    assert tgl.searchsorted(x, 2.5).item() == 2
    assert tgl.searchsorted(x, Tensor([1.5, nan])).tolist() == [1, 3]
    assert tgl.searchsorted([1.0, 2.0], [1.5]).dtype == "int64"


def test_positions_of_what_is_not_zero() -> None:
    x = Tensor([[0.0, nan], [-0.0, 2.0]])
    rows, columns = tgl.nonzero(x)
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [1, 1])
    assert tgl.argwhere(x).tolist() == [[0, 1], [1, 1]]
    assert tgl.flatnonzero(x).tolist() == [1, 3]
    assert tgl.argwhere(Tensor(5)).shape == (1, 0)
    assert tgl.argwhere(Tensor(0)).shape == (0, 0)


RANGES = {
    "bool": [0, 1],
    **{name: [np.iinfo(name).min, 0, 1, np.iinfo(name).max] for name in ("int8", "uint8", "int16", "int32", "uint32")},
    **{name: [np.iinfo(name).min, 0, 1, np.iinfo(name).max] for name in ("int64", "uint64")},
    **{
        name: [nan, -nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, float(tiny), -float(tiny), float(np.finfo(name).max)]
        for name, tiny in (("float16", 6e-8), ("float32", 1e-45), ("float64", 5e-324))
    },
}


@pytest.mark.parametrize("shape, axis", [((60,), 0), ((6, 10), 0), ((6, 10), 1), ((3, 2, 10), 1), ((0, 3), 0)])
@pytest.mark.parametrize("dtype", RANGES)
def test_the_order_of_every_kind_of_number_is_numpys_stable_one(dtype: str, shape: tuple[int, ...], axis: int) -> None:
    """Few different numbers, so that equal ones abound: extremes, signed zeros, subnormals, NaN of both signs."""
    x = np.random.default_rng(5).choice(np.array(RANGES[dtype], dtype), shape)
    order = tgl.argsort(Tensor(x), axis).numpy()
    np.testing.assert_array_equal(order, np.argsort(x, axis, kind="stable"))
    np.testing.assert_array_equal(tgl.sort(Tensor(x), axis).numpy(), np.sort(x, axis))
    falling = tgl.argsort(Tensor(x), axis, descending=True).numpy()
    expected = x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
    np.testing.assert_array_equal(falling, expected)


@pytest.mark.parametrize("shape, axis", [((60,), 0), ((6, 10), 0), ((3, 2, 10), 1)])
@pytest.mark.parametrize("dtype", RANGES)
def test_the_first_few_are_the_start_of_the_stable_order(dtype: str, shape: tuple[int, ...], axis: int) -> None:
    x = Tensor(np.random.default_rng(6).choice(np.array(RANGES[dtype], dtype), shape))
    for k in (0, 1, 2, shape[axis]):
        start = (slice(None),) * axis + (slice(0, k),)
        for largest in (True, False):
            expected = tgl.argsort(x, axis, descending=largest).numpy()[start]
            values, indices = tgl.topk(x, k, axis, largest)
            np.testing.assert_array_equal(indices.numpy(), expected)
            np.testing.assert_array_equal(values.numpy(), np.take_along_axis(x.numpy(), expected, axis))
    value, index = tgl.kthvalue(x, 2, axis)
    np.testing.assert_array_equal(index.numpy(), np.take(tgl.argsort(x, axis).numpy(), 1, axis))
    np.testing.assert_array_equal(value.numpy(), np.take(np.sort(x.numpy(), axis), 1, axis))
