"""Adding and comparing at repeated places on the GPU: NumPy's sums within rounding, and the same bits every time."""

from __future__ import annotations

import re
from typing import Any

import cuda_harness
import numpy as np
import pytest
from backends.cuda.test_indexing import INDICES, _up

from tinygrad_lite.backends.cpu import indexing as cpu
from tinygrad_lite.backends.cuda import faults, layout, scatter
from tinygrad_lite.backends.cuda.array import CudaArray, from_host
from tinygrad_lite.backends.cuda.types import ALL, REAL
from tinygrad_lite.errors import IndexingError


@pytest.fixture(params=["looked through", "sorted"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of adding, whatever the sizes."""
    monkeypatch.setattr(scatter, "FEW", 0)
    monkeypatch.setattr(scatter, "LONGEST", 1 << 20)
    monkeypatch.setattr(scatter, "WORK", 0 if request.param == "sorted" else 1 << 40)
    return str(request.param)


def _whole(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """Small whole numbers: all sums of them are exact."""
    return (np.arange(1, np.prod(shape, dtype=int) + 1).reshape(shape) % 7).astype(dtype)


def _turned(x: np.ndarray) -> CudaArray:
    """The same elements with the axes reversed in memory."""
    held = from_host(x.T)
    return held.view_as(x.shape, held.strides[::-1])


@pytest.mark.parametrize("what, shape, index", INDICES, ids=[what for what, *_ in INDICES])
def test_adding_at_an_index(what: str, shape: tuple[int, ...], index: Any, way: str) -> None:
    named = np.zeros(shape, np.float32)[index]
    x = _whole(named.shape)
    expected = np.zeros(shape, np.float32)
    np.add.at(expected, index, x)
    for given in (from_host(x), _turned(x)):
        result = scatter.add_at(given, _up(index), shape)
        assert (result.shape, result.dtype) == (shape, x.dtype)
        np.testing.assert_array_equal(result.get(), expected)


@pytest.mark.parametrize("width", [1, 3, 8, 40, 64])
@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_every_dtype(dtype: Any, width: int, way: str) -> None:
    rows = np.random.default_rng(0).integers(-7, 7, 41)
    x = _whole((41, width), dtype)
    result = scatter.add_at(from_host(x), from_host(rows), (7, width))
    np.testing.assert_array_equal(result.get(), cpu.add_at(x, (rows,), (7, width)))


#: what, rows of the table, width, number of indices, and how they are drawn
TABLES: list[tuple[str, int, int, Any]] = [
    ("one run", 4, 1, lambda rng: np.full(700, 2)),
    ("one run of rows", 4, 33, lambda rng: np.full(150, 2)),
    ("two long runs", 2, 1, lambda rng: rng.integers(0, 2, 600)),
    ("no repeats", 500, 1, lambda rng: rng.permutation(500)),
    ("some repeats", 40, 5, lambda rng: rng.integers(0, 40, 300)),
    ("some rows much more often", 300, 4, lambda rng: np.minimum(rng.zipf(1.3, 400), 300) - 1),
    ("runs that end with chunks", 9, 2, lambda rng: np.repeat(np.arange(9), 4)),
    ("the last row", 9, 2, lambda rng: np.full(33, -1)),
    ("more keys than a block sorts", 70_000, 1, lambda rng: rng.integers(0, 70_000, 3100)),
]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("what, height, width, draw", TABLES, ids=[what for what, *_ in TABLES])
def test_sums_are_as_exact_as_one_after_the_other(
    what: str, height: int, width: int, draw: Any, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scatter, "WORK", 0)
    rng = np.random.default_rng(3)
    rows = draw(rng)
    x = rng.uniform(-8, 8, (rows.size, width)).astype(dtype)
    result = scatter.add_at(from_host(x), from_host(rows), (height, width)).get()
    wide = np.complex128 if dtype == "complex64" else np.float64
    exact, magnitude = np.zeros((height, width), wide), np.zeros((height, width))
    np.add.at(exact, rows, x.astype(wide))
    np.add.at(magnitude, rows, np.abs(x.astype(wide)))
    most = np.bincount(rows % height).max()
    sums = np.finfo("float32" if dtype == "float16" else dtype).eps * most * magnitude
    assert np.all(np.abs(result - exact) <= sums + np.finfo(dtype).eps * np.abs(exact))


@pytest.mark.parametrize("width", [1, 40])
def test_two_runs_give_the_same_bits_in_any_schedule(width: int, way: str) -> None:
    if not cuda_harness.installed():
        pytest.skip("schedules are the emulator's")
    rng = np.random.default_rng(1)
    rows = np.minimum(rng.zipf(1.3, 300), 20) - 1
    x, places = from_host(rng.normal(size=(300, width)).astype(np.float32)), from_host(rows)
    found = []
    for schedule in ("forward", "reverse", "5"):
        with cuda_harness.schedule(schedule):
            found.append(scatter.add_at(x, places, (20, width)).get())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_float16_is_summed_in_float32(way: str) -> None:
    x, rows = np.full((3000, 1), 1.0, np.float16), np.zeros(3000, int)
    assert scatter.add_at(from_host(x), from_host(rows), (2, 1)).get()[0, 0] == 3000  # halves beyond 2048 are even


def test_a_mask_need_not_be_waited_for() -> None:
    mask = np.array([[True, False, True], [False, False, True]])
    x, where = from_host(_whole((3,))), from_host(mask)
    before = cuda_harness.counters()["bytes_dtoh"] if cuda_harness.installed() else 0
    result = scatter.add_at(x, where, (2, 3))
    if cuda_harness.installed():
        assert cuda_harness.counters()["bytes_dtoh"] == before
    np.testing.assert_array_equal(result.get(), cpu.add_at(_whole((3,)), (mask,), (2, 3)))


def test_values_of_another_shape_are_refused() -> None:
    text = "shape mismatch: x has shape (2,), but the index names elements of shape (3,)"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        scatter.add_at(from_host(_whole((2,))), from_host(np.array([0, 0, 1])), (4,))


# --- along an axis ----------------------------------------------------------------------------------------------

ALONG = [
    ((3,), np.array([2, 0, 2, -1]), 0),
    ((2, 3), np.array([[1], [0]]), 1),
    ((3, 2), np.array([[1, 0], [1, 2], [0, 0], [1, 1]], np.int32), 0),
    ((2, 3), np.zeros((2, 0), int), 1),
    ((3, 4), np.array([[1, 0, 0], [2, 2, 1]]), 0),
    ((3, 4, 2), np.arange(24).reshape(3, 4, 2) % 4, 1),
    ((3, 4, 2), np.arange(12).reshape(2, 3, 2) % 4, 1),
    ((1,), np.array([0]), 0),
]


@pytest.mark.parametrize("shape, indices, axis", ALONG)
def test_adding_along_an_axis(shape: tuple[int, ...], indices: np.ndarray, axis: int, way: str) -> None:
    for x in (_whole(indices.shape), _whole((1,) * indices.ndim)):
        expected = cpu.add_along_axis(x, indices, shape, axis)
        for given, places in ((from_host(x), from_host(indices)), (_turned(x), _turned(indices))):
            result = scatter.add_along_axis(given, places, shape, axis)
            np.testing.assert_array_equal(result.get(), expected)


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_along_an_axis_in_every_dtype(dtype: Any, way: str) -> None:
    x, indices = _whole((5, 9), dtype), np.arange(45).reshape(5, 9) % 4
    result = scatter.add_along_axis(from_host(x), from_host(indices), (5, 4), 1)
    np.testing.assert_array_equal(result.get(), cpu.add_along_axis(x, indices, (5, 4), 1))


# --- extrema ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("dtype", REAL, ids=str)
def test_extrema_in_every_dtype(dtype: Any, include_self: bool, largest: bool) -> None:
    rng = np.random.default_rng(4)
    low, high = (0, 2) if dtype.kind == "b" else (-100, 100)
    x, src = (rng.integers(low, high, shape).astype(dtype) for shape in ((6, 5), (6, 40)))
    if dtype.kind in "iu":
        x[0], src[1, ::3], src[2, ::4] = 0, np.iinfo(dtype).max, np.iinfo(dtype).min
    if dtype.kind == "f":
        src[0, 3], src[1, ::5], src[2, ::5], x[3, 1], x[4, 4] = np.nan, np.inf, -np.inf, np.nan, -0.0
    indices = rng.integers(-5, -1, src.shape)  # the last place is never named
    expected = cpu.scatter_extremum(x, src, indices, 1, largest, include_self)
    result = scatter.scatter_extremum(from_host(x), from_host(src), from_host(indices), 1, largest, include_self).get()
    assert result.dtype == x.dtype
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(np.signbit(result[4, 4:]), np.signbit(x[4, 4:]))


def test_extrema_of_layouts() -> None:
    x, src = _whole((3, 4, 2)), _whole((2, 3, 2)) + 2
    indices = np.arange(12).reshape(2, 3, 2) % 4
    for axis in (1, -2):
        expected = cpu.scatter_extremum(x, src, indices, 1, True, True)
        for given, values, places in (
            (from_host(x), from_host(src), from_host(indices)),
            (_turned(x), _turned(src), _turned(indices)),
        ):
            result = scatter.scatter_extremum(given, values, places, axis, True, True)
            np.testing.assert_array_equal(result.get(), expected)
    nothing = scatter.scatter_extremum(from_host(x), from_host(src[:0]), from_host(indices[:0]), 1, True, True)
    np.testing.assert_array_equal(nothing.get(), x)


# --- indices out of range -------------------------------------------------------------------------------------------

LATE = "\n  hint  the GPU met it some calls ago; TINYGRAD_LITE_CUDA_SYNC=1 raises at the very call"
WRONG: list[tuple[str, Any, str]] = [
    (
        "add_at",
        lambda x, i: scatter.add_at(x, i, (5, 2)),
        "add_at needs indices from -5 to 4 along axis 0, but met 7",
    ),
    (
        "two arrays",
        lambda x, i: scatter.add_at(x, (from_host(np.zeros(3, int)), i), (2, 5, 2)),
        "add_at needs indices from -5 to 4 along axis 1, but met 7",
    ),
    (
        "add_along_axis",
        lambda x, i: scatter.add_along_axis(x, i.view_as((3, 2), (1, 0)), (5, 2), 0),
        "add_along_axis needs indices from -5 to 4 along axis 0, but met 7",
    ),
]


def _said(error: IndexingError) -> str:
    """The message without the line of the test that it names."""
    return "\n".join(line for line in str(error).split("\n") if not line.startswith("  at "))


@pytest.mark.parametrize("what, act, text", WRONG, ids=[what for what, *_ in WRONG])
def test_indices_out_of_range_are_left_out_and_raised_at_the_next_wait(
    what: str, act: Any, text: str, way: str
) -> None:
    x, rows = from_host(np.ones((3, 2), np.float32)), from_host(np.array([0, 7, 1]))
    result = act(x, rows)
    with pytest.raises(IndexingError) as caught:
        result.get()
    assert _said(caught.value) == text + LATE
    assert result.get().sum() == 4


def test_extrema_out_of_range_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "AT_ONCE", True)
    x, rows = from_host(np.ones(3, np.float32)), from_host(np.array([0, -4, 1]))
    with pytest.raises(IndexingError) as caught:
        scatter.scatter_extremum(x, x, rows, 0, True, True)
    assert _said(caught.value) == "scatter_extremum needs indices from -3 to 2 along axis 0, but met -4"


def test_many_elements_take_several_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MOST_ELEMENTS", 60)
    layout.pieces.cache_clear()
    x, rows = _whole((7, 24)), np.array([3, 19, 3, 0, 7, 8, -9])
    result = scatter.add_at(from_host(x), from_host(rows), (20, 24)).get()
    np.testing.assert_array_equal(result, cpu.add_at(x, (rows,), (20, 24)))
    layout.pieces.cache_clear()
