"""Reading and writing by index in every mixture that NumPy knows, and along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import integers, operation, real, sample
from tinygrad_lite.functions import namespace as primitives

_MASK = np.array([[True, False, True], [False, False, True]])
_ROWS = np.array([1, 0, 1, 1])
#: index, the shape that it is used on, and whether it names an element twice
_INDICES: list[tuple[str, tuple[int, ...], Any]] = [
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
    ("scalar ellipsis", (), ...),
    ("mask", (2, 3), _MASK),
    ("mask of one axis", (2, 3), _MASK[:, 0]),
    ("mask and slice", (2, 3, 2), (_MASK, slice(0, 1))),
    ("mask of nothing", (2, 3), np.zeros((2, 3), bool)),
    ("repeats", (3, 2), np.array([0, 2, 0, 0, -1])),
    ("repeats in a vector", (3,), np.array([[0, 2], [0, -3]])),
    ("repeats in rows", (4, 3), np.array([[1, 1], [3, 1]])),
    ("one array, one slice", (3, 4), (np.array([0, 0, 2]), slice(1, 3))),
    ("slice, array", (3, 4), (slice(None), np.array([3, 0, 3]))),
    ("two arrays", (3, 4), (np.array([0, 2, 0]), np.array([1, 3, 1]))),
    ("two arrays that broadcast", (3, 4), (np.array([[0], [2]]), np.array([1, 3, 1]))),
    ("arrays side by side", (2, 3, 4), (slice(None), np.array([0, 2, 0]), np.array([1, 3, 1]))),
    ("separated arrays go first", (2, 3, 4), (np.array([0, 1, 0]), slice(None), np.array([1, 3, 1]))),
    ("separated by an ellipsis of no axes", (2, 3, 3), (slice(None), np.array([1, 0]), ..., np.array([0, 2]))),
    ("arrays after an ellipsis of no axes", (2, 3), (..., np.array([1, 0]), np.array([0, 2]))),
    ("separated by a new axis", (2, 3), (np.array([1, 1]), None, np.array([0, 0]))),
    ("int and array", (2, 3, 4), (0, slice(None), np.array([1, 1]))),
    ("int beside an array", (2, 3, 4), (1, np.array([0, 2, 0]))),
    ("int beside an array, behind a slice", (2, 3, 4), (slice(None), -1, np.array([1, 3, 1]))),
    ("array and ellipsis", (2, 3, 2), (..., np.array([1, 0, 1]))),
    ("0-d array", (3, 2), np.array(1)),
    ("empty array", (3, 2), np.array([], np.int64)),
    ("empty list", (3,), []),
    ("list", (3, 2), [2, 0]),
    ("python bool", (3,), True),
]


def _fixed(index: Any) -> Any:
    """The index as NumPy wants it: a list of integers as an array, even if it is empty."""
    return np.array(index, np.int64) if isinstance(index, list) else index


def _places(shape: tuple[int, ...], index: Any) -> np.ndarray:
    """The flat position of every element that the index names."""
    return np.array(np.arange(int(np.prod(shape))).reshape(shape)[_fixed(index)])


def _torch_get(x: Any, places: np.ndarray) -> Any:
    return x.reshape(-1)[places.reshape(-1)].reshape(places.shape)


operation(
    "getitem",
    lambda x, index: x[index],
    lambda x, index: x[_fixed(index)],
    lambda t, x, index: _torch_get(x, _places(tuple(x.shape), index)),
    [sample(real(*shape), index=index, label=label) for label, shape, index in _INDICES],
    integers="same",
)


def _set(x: Any, values: Any, index: Any) -> Any:
    out = np.array(x)
    out[_fixed(index)] = values
    return out


def _torch_set(t: Any, x: Any, values: Any, index: Any) -> Any:
    """By positions, so that the last of repeated writes wins, which PyTorch leaves open."""
    shape = tuple(x.shape)
    where = np.arange(x.numel()).reshape(shape).copy()
    target = where[_fixed(index)].shape
    own = tuple(values.shape)
    while len(own) > len(target):
        own = own[1:]
    where[_fixed(index)] = x.numel() + np.arange(int(np.prod(target))).reshape(target)
    spread = t.broadcast_to(values.reshape(own), target)
    return t.cat([x.reshape(-1), spread.reshape(-1)])[where]


def _set_samples() -> Any:
    for label, shape, index in _INDICES:
        target = np.empty(shape)[_fixed(index)].shape
        yield sample(real(*shape), real(*target), index=index, label=label)
    yield sample(real(3, 2), real(), index=1, label="one value for a row")
    yield sample(real(3, 4), real(1, 2), index=(slice(None), slice(0, 2)), label="a row for all rows")
    yield sample(real(3, 2), real(1, 1, 2), index=0, label="leading axes of size 1")
    yield sample(real(3, 4), real(3), index=(slice(None), _ROWS[:3]), label="repeats, broadcast values")


operation(
    "setitem",
    lambda x, values, index: tgl.setitem(x, values, index),
    _set,
    _torch_set,
    _set_samples(),
    covers=("setitem",),
    integers="same",
)


def _scatter(x: Any, index: Any, shape: Any) -> Any:
    out = np.zeros(shape, x.dtype)
    np.add.at(out, _fixed(index), x)
    return out


def _torch_scatter(t: Any, x: Any, index: Any, shape: Any) -> Any:
    flat = t.zeros(int(np.prod(shape)), dtype=x.dtype)
    places = t.from_numpy(_places(shape, index).reshape(-1))
    return flat.index_add(0, places, x.reshape(-1)).reshape(shape)


operation(
    "add_at",
    lambda x, index, shape: primitives.add_at(x, index, shape),
    _scatter,
    _torch_scatter,
    [
        sample(real(*np.empty(shape)[_fixed(index)].shape), index=index, shape=shape, label=label)
        for label, shape, index in _INDICES
    ],
    length=8,
    integers="same",
)

# --- along an axis ----------------------------------------------------------------------------------


def _put(x: Any, indices: Any, shape: Any, axis: int) -> Any:
    out = np.zeros(shape, x.dtype)
    for place in np.ndindex(indices.shape):
        target = list(place)
        target[axis] = int(indices[place])
        out[tuple(target)] += x[place]
    return out


operation(
    "take_along_axis",
    tgl.take_along_axis,
    lambda x, indices, axis=-1: np.take_along_axis(x, indices, axis),
    lambda t, x, indices, axis=-1: t.take_along_dim(x, indices % x.shape[axis], axis),
    [
        sample(real(3), np.array([2, 0, 2, -1])),
        sample(real(1), np.array([0, 0])),
        sample(real(2, 0), integers(2, 0, below=1), axis=1),
        sample(real(2, 3), np.array([[1], [0]]), axis=1),
        sample(real(3, 2), np.array([[1, 0], [1, 2], [0, 0], [1, 1]]), axis=0),
        sample(real(2, 3, 2), integers(2, 1, 2, below=3), axis=-2),
        sample(real(2, 3), integers(2, 0, below=3), axis=1),
        sample(real(2, 3), np.array([[0, 2, 2]]), axis=1, label="indices of size 1 broadcast"),
    ],
    integers="same",
)
operation(
    "add_along_axis",
    lambda x, indices, shape, axis: primitives.add_along_axis(x, indices, shape, axis),
    _put,
    lambda t, x, indices, shape, axis: t.zeros(shape, dtype=x.dtype).scatter_add(axis, indices % shape[axis], x),
    [
        sample(real(4), np.array([2, 0, 2, -1]), shape=(3,), axis=0),
        sample(real(2, 1), np.array([[1], [0]]), shape=(2, 3), axis=1),
        sample(real(4, 2), np.array([[1, 0], [1, 2], [0, 0], [1, 1]]), shape=(3, 2), axis=0),
        sample(real(2, 0), integers(2, 0, below=3), shape=(2, 3), axis=-1),
        sample(real(1), np.array([0]), shape=(1,), axis=0),
    ],
    length=4,
    integers="same",
)
