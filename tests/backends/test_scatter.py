"""Adding at repeated places gives the sums of a float64 reference on every path, and the same bits every time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tinygrad_lite.backends.cpu import indexing, parallel, scatter


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = parallel.get_num_threads()
    yield
    parallel.set_num_threads(before)


#: what, height of the table, width of a row, and the rows that are added
TABLES: list[tuple[str, int, int, Any]] = [
    ("short rows", 50, 3, lambda rng: rng.integers(0, 50, 5000)),
    ("short rows in several blocks", 50, 8, lambda rng: rng.integers(0, 50, 20_000)),
    ("numbers", 1000, 1, lambda rng: rng.integers(0, 1000, 100_000)),
    ("long rows, many repeats", 300, 64, lambda rng: rng.integers(0, 300, 20_000)),
    ("long rows, hardly a repeat", 5000, 64, lambda rng: rng.integers(0, 5000, 4000)),
    ("a few long runs", 3, 128, lambda rng: rng.integers(0, 3, 3000)),
    ("one run", 4, 64, lambda rng: np.full(3000, 2)),
    ("some rows much more often", 1000, 64, lambda rng: np.minimum(rng.zipf(1.3, 10_000), 1000) - 1),
    ("more than 2**16 rows", 70_000, 24, lambda rng: rng.choice([1, 65_535, 65_536, 65_537, 69_999], 4000)),
    ("no rows", 10, 64, lambda rng: np.zeros(0, np.int64)),
    ("empty rows", 10, 0, lambda rng: rng.integers(0, 10, 100)),
]


def _added(height: int, width: int, rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    out = np.zeros((height, width))
    np.add.at(out, rows, x.astype(np.float64))
    return out


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
@pytest.mark.parametrize("what, height, width, draw", TABLES, ids=[what for what, *_ in TABLES])
def test_rows_are_added_as_exactly_as_one_after_the_other(
    what: str, height: int, width: int, draw: Any, dtype: str
) -> None:
    rng = np.random.default_rng(3)
    rows = draw(rng)
    x = (rng.uniform(-8, 8, (rows.size, width))).astype(dtype)
    out = scatter.add_rows((height, width), rows, x)
    assert (out.shape, out.dtype) == ((height, width), dtype)
    exact = _added(height, width, rows, x)
    if dtype == "int32":
        np.testing.assert_array_equal(out, exact)
        return
    magnitude = _added(height, width, rows, np.abs(x))
    most = np.bincount(rows, minlength=height).max(initial=1)
    sums = np.finfo("float32" if dtype == "float16" else dtype).eps * most * magnitude
    assert np.all(np.abs(out - exact) <= sums + np.finfo(dtype).eps * np.abs(exact))


@pytest.mark.parametrize("what, height, width, draw", TABLES, ids=[what for what, *_ in TABLES])
def test_the_bits_do_not_depend_on_the_threads(what: str, height: int, width: int, draw: Any) -> None:
    rng = np.random.default_rng(4)
    rows = draw(rng)
    x = rng.normal(size=(rows.size, width)).astype(np.float32)
    found = []
    for threads in (1, 2, 2):
        parallel.set_num_threads(threads)
        found.append(scatter.add_rows((height, width), rows, x).tobytes())
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("what, height, width, draw", TABLES, ids=[what for what, *_ in TABLES])
def test_rows_may_have_any_strides(
    what: str, height: int, width: int, draw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(6)
    rows = draw(rng)
    layouts: list[bool] = []
    run_sums = scatter._run_sums

    def spied(x: Any, *args: Any) -> Any:
        layouts.append(x.flags.c_contiguous)
        return run_sums(x, *args)

    monkeypatch.setattr(scatter, "_run_sums", spied)
    x = rng.normal(size=(rows.size, width))
    one, line = np.broadcast_to(np.float64(0.5), x.shape), np.broadcast_to(rng.normal(size=width), x.shape)
    for strided in (np.asfortranarray(x), one, line, np.repeat(x, 2, 0)[::2]):
        out = scatter.add_rows((height, width), rows, strided)
        plain = scatter.add_rows((height, width), rows, np.array(strided, order="C"))
        np.testing.assert_array_equal(out, plain)
    assert all(layouts)  # take copies the whole of any other array at every call


ALONG = [
    ((20, 600), (100, 600), 0),
    ((600, 20), (600, 100), 1),
    ((9, 7, 50), (9, 40, 50), 1),
    ((9, 7, 50), (9, 7, 300), 2),
    ((7, 30, 50), (20, 30, 50), 0),
    ((50,), (20_000,), 0),
    ((1, 30), (1, 20_000), 1),
]


@pytest.mark.parametrize("shape, places, axis", ALONG)
def test_elements_along_an_axis_are_read_and_added(shape: tuple[int, ...], places: tuple[int, ...], axis: int) -> None:
    rng = np.random.default_rng(5)
    index = rng.integers(-shape[axis], shape[axis], places)
    x, values = rng.normal(size=shape), rng.normal(size=places)
    grid = list(np.ogrid[tuple(slice(n) for n in places)])
    grid[axis] = index
    expected = np.zeros(shape)
    np.add.at(expected, tuple(grid), values)
    np.testing.assert_allclose(indexing.add_along_axis(values, index, shape, axis), expected, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(indexing.take_along_axis(x, index, axis), x[tuple(grid)])
    np.testing.assert_array_equal(indexing.take_along_axis(np.asfortranarray(x), index, axis), x[tuple(grid)])


INDICES: list[tuple[str, Any]] = [
    ("rows", (np.array([2, -1, 2]),)),
    ("rows, and all of the rest", (np.array([2, -1, 2]), slice(None), slice(None))),
    ("columns", (slice(None), np.array([[1, 1], [-4, 0]]))),
    ("the last axis", (..., np.array([4, 0, 4, -5]))),
    ("pairs", (np.array([0, 2, 0]), np.array([1, -1, 1]))),
    ("pairs that broadcast", (np.array([[0], [2]]), np.array([1, -1, 1]))),
    ("triples", (np.array([0, 0]), np.array([1, 1]), np.array([-1, 4]))),
    ("the last two axes", (slice(None), np.array([0, 0]), np.array([1, 1]))),
    ("part of the rows", (np.array([0, 0]), slice(1, 3))),
    ("separated arrays", (np.array([0, 0]), slice(None), np.array([1, 1]))),
    ("a number between", (np.array([0, 0]), 1)),
    ("a small type", (np.array([2, 0, 2], np.uint8), np.array([3, 3, 3], np.int8))),
]


@pytest.mark.parametrize("what, index", INDICES, ids=[what for what, _ in INDICES])
def test_adding_at_an_index_undoes_reading_it(what: str, index: tuple[Any, ...]) -> None:
    shape = (3, 4, 5)
    read = np.arange(60.0).reshape(shape)[index]
    expected = np.zeros(shape)
    np.add.at(expected, index, read)
    np.testing.assert_array_equal(indexing.add_at(read, index, shape), expected)


def test_the_last_of_repeated_writes_wins_in_every_layout() -> None:
    index = np.zeros((3, 4), np.int64)
    values = np.arange(12.0).reshape(3, 4)
    for order in ("C", "F"):
        written = indexing.setitem(np.zeros(2), np.array(values, order=order), (np.array(index, order=order),))
        np.testing.assert_array_equal(written, [11.0, 0.0])
