"""Reading and writing by index on the GPU names the same elements as NumPy's indices."""

from __future__ import annotations

import re
from typing import Any

import cuda_harness
import numpy as np
import pytest

from tinygrad_lite.backends.cpu import indexing as cpu
from tinygrad_lite.backends.cuda import faults, indexing, layout, memory
from tinygrad_lite.backends.cuda.array import CudaArray, from_host
from tinygrad_lite.backends.cuda.types import ALL
from tinygrad_lite.errors import IndexingError

_MASK = np.array([[True, False, True], [False, False, True]])
#: what, shape, index
INDICES: list[tuple[str, tuple[int, ...], Any]] = [
    ("int", (3,), 1),
    ("negative int", (3, 2), -1),
    ("slice", (5,), slice(1, 4)),
    ("steps", (6, 2), slice(None, None, 2)),
    ("backwards", (5,), slice(None, None, -1)),
    ("backwards by 2", (3, 6), (slice(None), slice(4, 0, -2))),
    ("empty slice", (3, 2), slice(2, 1)),
    ("of nothing", (0, 2), slice(None)),
    ("of nothing, by array", (0,), np.array([], np.int64)),
    ("ellipsis", (2, 3, 2), (..., 0)),
    ("ellipsis alone", (2, 3), ...),
    ("new axes", (2, 3), (None, 1, ..., None)),
    ("nothing", (), ()),
    ("0-d, ellipsis", (), ...),
    ("mask", (2, 3), _MASK),
    ("mask of one axis", (2, 3), _MASK[:, 0]),
    ("mask and slice", (2, 3, 4), (_MASK, slice(0, 1))),
    ("mask behind an axis", (4, 2, 3), (slice(None), _MASK)),
    ("mask of nothing", (2, 3), np.zeros((2, 3), bool)),
    ("mask beside an empty axis", (2, 3, 0), _MASK),
    ("mask of everything", (3, 33), np.ones((3, 33), bool)),
    ("mask of rows", (300, 4), np.arange(300) % 7 == 3),
    ("mask of more than a block", (9001,), np.arange(9001) % 3 != 1),
    ("mask and array", (2, 3, 3), (_MASK, np.array([0, 2, 1]))),
    ("mask and one index", (2, 3, 3), (_MASK, np.array([2]))),
    ("0-d mask", (3,), np.array(True)),
    ("0-d mask of nothing", (3, 2), np.array(False)),
    ("bool", (3,), True),
    ("repeats", (3, 2), np.array([0, 2, 0, 0, -1])),
    ("repeats in a vector", (3,), np.array([[0, 2], [0, -3]])),
    ("repeats in rows", (4, 3), np.array([[1, 1], [3, 1]])),
    ("long rows", (5, 64), np.array([4, 0, 4])),
    ("long rows, behind", (2, 5, 64), (slice(None), np.array([[4, 0, 4]]))),
    ("one array, one slice", (3, 4), (np.array([0, 0, 2]), slice(1, 3))),
    ("slice, array", (3, 4), (slice(None), np.array([3, 0, 3]))),
    ("two arrays", (3, 4), (np.array([0, 2, 0]), np.array([1, 3, 1]))),
    ("two arrays of long rows", (3, 4, 32), (np.array([0, 2, 0]), np.array([1, 3, 1]))),
    ("two arrays that broadcast", (3, 4), (np.array([[0], [2]]), np.array([1, 3, 1]))),
    ("arrays side by side", (2, 3, 4), (slice(None), np.array([0, 2, 0]), np.array([1, 3, 1]))),
    ("separated arrays go first", (2, 3, 4), (np.array([0, 1, 0]), slice(None), np.array([1, 3, 1]))),
    ("separated by a new axis", (2, 3), (np.array([1, 1]), None, np.array([0, 0]))),
    ("separated by an empty ellipsis", (2, 3, 3), (slice(None), np.array([1, 0]), ..., np.array([0, 2]))),
    ("int and array, separated", (2, 3, 4), (0, slice(None), np.array([1, 1]))),
    ("int beside an array", (2, 3, 4), (1, np.array([0, 2, 0]))),
    ("int beside an array, behind a slice", (2, 3, 4), (slice(None), -1, np.array([1, 3, 1]))),
    ("array and ellipsis", (2, 3, 2), (..., np.array([1, 0, 1]))),
    ("five arrays", (2, 2, 2, 2, 2), tuple(np.array([0, 1, k % 2]) for k in range(5))),
    ("0-d array", (3, 2), np.array(1)),
    ("0-d arrays", (3, 2), (np.array(1), np.array(-1))),
    ("empty array", (3, 2), np.array([], np.int64)),
    ("uint8", (3, 2), np.array([2, 0], np.uint8)),
    ("uint64", (3, 2), np.array([2, 0], np.uint64)),
    ("int16, backwards", (3, 2), np.array([2, -1], np.int16)[::-1]),
]
_IDS = [what for what, *_ in INDICES]


def _up(index: Any) -> Any:
    """The index with its arrays on the GPU."""
    if isinstance(index, tuple):
        return tuple(map(_up, index))
    return from_host(index) if isinstance(index, np.ndarray) else index


def _numbers(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    values = np.arange(1, np.prod(shape, dtype=int) + 1).reshape(shape) % 251
    return values.astype(dtype)


def _strided(x: np.ndarray) -> CudaArray:
    """The same elements on the GPU, every axis backwards and with gaps."""
    wide = np.zeros([2 * n for n in x.shape], x.dtype)
    inner = tuple(slice(None, None, -2) for _ in x.shape)
    wide[inner] = x
    return indexing.view_of(from_host(wide), inner)


@pytest.mark.parametrize("what, shape, index", INDICES, ids=_IDS)
def test_reading(what: str, shape: tuple[int, ...], index: Any) -> None:
    x = _numbers(shape)
    expected = x[index]
    for given in (from_host(x), _strided(x)):
        result = indexing.getitem(given, _up(index))
        assert (result.shape, result.dtype) == (np.shape(expected), x.dtype)
        np.testing.assert_array_equal(result.get(), expected)


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_reading_every_dtype(dtype: Any) -> None:
    x, rows = _numbers((7, 33), dtype), np.array([3, -1, 3, 0])
    np.testing.assert_array_equal(indexing.getitem(from_host(x), from_host(rows)).get(), x[rows])
    np.testing.assert_array_equal(indexing.getitem(from_host(x), (slice(None), from_host(rows))).get(), x[:, rows])


def test_masks_of_axes_of_size_one() -> None:
    """Such axes may have any stride."""
    x, mask = _numbers((9,)), np.arange(9) % 2 == 0
    stretched = from_host(x).view_as((1, 9, 1), (0, 1, 0))
    where = from_host(mask[None, :, None])
    np.testing.assert_array_equal(indexing.getitem(stretched, where).get(), x[mask])
    values = _numbers((5,))
    result = indexing.setitem(stretched, from_host(values), where).get()
    np.testing.assert_array_equal(result, cpu.setitem(x, values, (mask,))[None, :, None])


def test_slices_are_views_and_arrays_are_copies() -> None:
    x = from_host(_numbers((4, 6)))
    assert indexing.getitem(x, (slice(1, 3), slice(None, None, -2))).block is x.block
    assert indexing.getitem(x, from_host(np.array([1]))).block is not x.block


_MISFIT = (
    "boolean index did not match indexed array along axis 0; "
    "size of axis is 3 but size of corresponding boolean axis is 2"
)
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (3, IndexError, "index 3 is out of bounds for axis 0 with size 3"),
    ((0, -5), IndexError, "index -5 is out of bounds for axis 1 with size 4"),
    ((0, 0, 0), IndexError, "too many indices for array: array is 2-dimensional, but 3 were indexed"),
    ((..., ...), IndexError, "an index can only have a single ellipsis ('...')"),
    (slice(0, 2, 0), ValueError, "slice step cannot be zero"),
    (np.array([0.5]), IndexError, "arrays used as indices must be of integer (or boolean) type"),
    (
        (np.array([0, 1]), np.array([0, 1, 2])),
        IndexError,
        "shape mismatch: indexing arrays could not be broadcast together with shapes (2,) (3,)",
    ),
    (
        np.array([True, False]),
        IndexError,
        _MISFIT,
    ),
]


@pytest.mark.parametrize("index, kind, text", REFUSED, ids=[text for *_, text in REFUSED])
def test_what_does_not_fit_is_refused_before_anything_is_launched(index: Any, kind: Any, text: str) -> None:
    x = from_host(_numbers((3, 4)))
    for act in (lambda i: indexing.getitem(x, i), lambda i: indexing.assign(x, i, 0.0)):
        with pytest.raises(kind) as caught:
            act(_up(index))
        assert str(caught.value) == text
    np.testing.assert_array_equal(x.get(), _numbers((3, 4)))


# --- writing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what, shape, index", INDICES, ids=_IDS)
def test_writing(what: str, shape: tuple[int, ...], index: Any) -> None:
    x = _numbers(shape)
    values = -_numbers(x[index].shape)
    for given in (from_host(x), _strided(x)):
        result = indexing.setitem(given, from_host(values), _up(index))
        np.testing.assert_array_equal(result.get(), cpu.setitem(x, values, _as_tuple(index)))
        np.testing.assert_array_equal(given.get(), x)
        np.testing.assert_array_equal(
            indexing.setitem(given, -0.5, _up(index)).get(), cpu.setitem(x, np.float32(-0.5), _as_tuple(index))
        )
        indexing.assign(given, _up(index), from_host(values))
        np.testing.assert_array_equal(given.get(), cpu.setitem(x, values, _as_tuple(index)))


def _as_tuple(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_writing_every_dtype(dtype: Any) -> None:
    x, rows = _numbers((7, 33), dtype), np.array([3, -1, 3, 0])
    values = _numbers((4, 33), dtype)[::-1]
    for index in (rows, np.arange(7) % 2 == 0):
        result = indexing.setitem(from_host(x), from_host(values), from_host(index))
        np.testing.assert_array_equal(result.get(), cpu.setitem(x, values, (index,)))


@pytest.mark.parametrize("schedule", ["forward", "reverse", "3"])
def test_the_last_of_repeated_writes_wins_in_any_schedule(schedule: str) -> None:
    if not cuda_harness.installed():
        pytest.skip("schedules are the emulator's")
    rows = np.random.default_rng(0).integers(0, 5, 700)
    values = np.arange(1400, dtype=np.float32).reshape(700, 2)
    x = np.zeros((5, 2), np.float32)
    with cuda_harness.schedule(schedule):
        result = indexing.setitem(from_host(x), from_host(values), from_host(rows)).get()
    np.testing.assert_array_equal(result, cpu.setitem(x, values, (rows,)))


def test_values_are_broadcast_and_cast() -> None:
    x = _numbers((3, 4), np.float32)
    for values in (np.arange(4), np.ones((1, 1, 4), np.int8), np.array([[2.5], [1.5]])):
        for index in (np.array([2, 0]), slice(0, 2), np.array([True, False, True])):
            expected = x.copy()
            expected[index] = values
            np.testing.assert_array_equal(indexing.setitem(from_host(x), from_host(values), _up(index)).get(), expected)
    text = "shape mismatch: value array of shape (3,) could not be broadcast to indexing result of shape (2, 4)"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        indexing.setitem(from_host(x), from_host(np.zeros(3)), slice(0, 2))


def test_what_is_read_may_overlap_what_is_written() -> None:
    x = from_host(_numbers((300,)))
    indexing.assign(x, slice(1, None), indexing.getitem(x, slice(0, -1)))
    np.testing.assert_array_equal(x.get(), np.concatenate([[1], _numbers((300,))[:-1]]))


def test_one_value_through_a_mask_does_not_wait() -> None:
    x, mask = from_host(_numbers((2, 3))), from_host(_MASK)
    before = cuda_harness.counters() if cuda_harness.installed() else None
    indexing.assign(x, mask, 7.0)
    if before is not None:
        assert cuda_harness.counters()["bytes_dtoh"] == before["bytes_dtoh"]
    np.testing.assert_array_equal(x.get(), np.where(_MASK, 7, _numbers((2, 3))))


# --- along an axis ------------------------------------------------------------------------------------------

TAKEN = [
    ((3,), np.array([2, 0, 2, -1]), 0),
    ((4, 3), np.array([[1, 1], [3, 1]]), 0),
    ((2, 3), np.array([2, 0, 2, 2], np.uint8), 1),
    ((2, 3, 2), np.array([0, -3, 0]), 1),
    ((3, 2), np.array(1), 0),
    ((3,), np.zeros(0, np.int64), 0),
    ((3, 0), np.array([1, 1]), 0),
    ((50, 256), np.arange(49, -1, -1), 0),
]


@pytest.mark.parametrize("shape, indices, axis", TAKEN)
def test_taking_rows(shape: tuple[int, ...], indices: np.ndarray, axis: int) -> None:
    x = _numbers(shape)
    for given in (from_host(x), _strided(x)):
        np.testing.assert_array_equal(
            indexing.take(given, from_host(indices), axis).get(), x.take(indices.astype(int), axis)
        )


ALONG = [
    ((3,), np.array([2, 0, 2, -1]), 0),
    ((2, 0), np.zeros((2, 0), int), 1),
    ((2, 3), np.array([[1], [0]]), 1),
    ((3, 2), np.array([[1, 0], [1, 2], [0, 0], [1, 1]], np.int32), 0),
    ((2, 3, 2), np.array([[[0, 2]], [[1, -1]]]), 1),
    ((2, 3), np.array([[0, 2, 2]]), 1),
]


@pytest.mark.parametrize("shape, indices, axis", ALONG)
def test_taking_along_an_axis(shape: tuple[int, ...], indices: np.ndarray, axis: int) -> None:
    x = _numbers(shape)
    for given in (from_host(x), _strided(x)):
        result = indexing.take_along_axis(given, from_host(indices), axis)
        np.testing.assert_array_equal(result.get(), np.take_along_axis(x, indices, axis))


def test_nothing_can_be_taken_from_an_empty_axis() -> None:
    x, rows = from_host(np.zeros((0, 2))), from_host(np.array([0]))
    with pytest.raises(IndexError, match=r"^cannot do a non-empty take from an empty axes\.$"):
        indexing.take(x, rows, 0)
    nothing = "^there is nothing to index along axis 0, which has size 0$"
    with pytest.raises(IndexError, match=nothing):
        indexing.getitem(x, rows)
    with pytest.raises(IndexError, match=nothing):
        indexing.take_along_axis(x, from_host(np.zeros((1, 2), int)), 0)


# --- indices out of range -------------------------------------------------------------------------------------


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "AT_ONCE", True)


LATE = "\n  hint  the GPU met it some calls ago; TINYGRAD_LITE_CUDA_SYNC=1 raises at the very call"
WRONG: list[tuple[str, Any, str]] = [
    (
        "getitem",
        lambda x, i: indexing.getitem(x, i),
        "getitem needs indices from -5 to 4 along axis 0, but met 7",
    ),
    (
        "behind a slice",
        lambda x, i: indexing.getitem(x, (slice(1, 3), i)),
        "getitem needs indices from -6 to 5 along axis 1, but met 7",
    ),
    (
        "two arrays",
        lambda x, i: indexing.getitem(x, (0, i)),
        "getitem needs indices from -6 to 5 along axis 1, but met 7",
    ),
    (
        "setitem",
        lambda x, i: indexing.setitem(x, 9.0, i),
        "setitem needs indices from -5 to 4 along axis 0, but met 7",
    ),
    (
        "take",
        lambda x, i: indexing.take(x, i, 1),
        "take needs indices from -6 to 5 along axis 1, but met 7",
    ),
    (
        "take_along_axis",
        lambda x, i: indexing.take_along_axis(x, indexing.getitem(i, (None, slice(None))), 1),
        "take_along_axis needs indices from -6 to 5 along axis 1, but met 7",
    ),
]


def _said(error: IndexingError) -> str:
    """The message without the line of the test that it names."""
    return "\n".join(line for line in str(error).split("\n") if not line.startswith("  at "))


@pytest.mark.parametrize("what, act, text", WRONG, ids=[what for what, *_ in WRONG])
def test_indices_out_of_range_are_raised_at_the_next_wait(what: str, act: Any, text: str) -> None:
    x, rows = from_host(_numbers((5, 6))), from_host(np.array([0, 7, 1]))
    result = act(x, rows)
    with pytest.raises(IndexingError) as caught:
        result.get()
    assert _said(caught.value) == text + LATE
    # The error was told; everything goes on, and nothing wrong was read or written.
    kept = result.get()
    if what == "getitem":
        np.testing.assert_array_equal(kept, _numbers((5, 6))[[0, 0, 1]])
    if what == "setitem":
        np.testing.assert_array_equal(kept[2:], _numbers((5, 6))[2:])
    np.testing.assert_array_equal(x.get(), _numbers((5, 6)))


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("what, act, text", WRONG, ids=[what for what, *_ in WRONG])
def test_indices_out_of_range_are_raised_at_the_call_if_asked(what: str, act: Any, text: str) -> None:
    x, rows = from_host(_numbers((5, 6))), from_host(np.array([0, 7, 1]))
    with pytest.raises(IndexingError) as caught:
        act(x, rows)
    assert _said(caught.value) == text


def test_a_huge_unsigned_index_is_out_of_range() -> None:
    x = from_host(_numbers((5,)))
    result = indexing.getitem(x, from_host(np.array([2**64 - 1], np.uint64)))
    with pytest.raises(IndexingError, match="from -5 to 4 along axis 0"):
        result.get()


# --- more than one launch ---------------------------------------------------------------------------------------


def test_many_elements_take_several_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MOST_ELEMENTS", 100)
    for cached in (layout.pieces, indexing._reading):
        cached.cache_clear()
    x, rows = _numbers((20, 24)), np.array([3, 19, 3, 0, 7, 8, 9])
    np.testing.assert_array_equal(indexing.getitem(from_host(x), from_host(rows)).get(), x[rows])
    values = _numbers((7, 24))
    result = indexing.setitem(from_host(x), from_host(values), from_host(rows)).get()
    np.testing.assert_array_equal(result, cpu.setitem(x, values, (rows,)))
    monkeypatch.undo()
    for cached in (layout.pieces, indexing._reading):
        cached.cache_clear()


def test_no_memory_is_kept() -> None:
    before = memory.pool.active
    x = from_host(_numbers((5, 6)))
    indexing.setitem(x, 0.0, from_host(np.array([1, 1])))
    del x
    assert memory.pool.active == before
