"""Writing and adding at places that tensors name."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import integers, operation, real, sample


def _each(x: Any, index: Any, src: Any, axis: int, put: Any) -> Any:
    """``put(out, place, value)`` for every element of the index, in order."""
    out = np.array(x)
    src = np.broadcast_to(src, index.shape) if np.ndim(src) == 0 else src
    for place in np.ndindex(index.shape):
        target = list(place)
        target[axis] = int(index[place])
        put(out, tuple(target), src[place])
    return out


def _write(out: Any, place: Any, value: Any) -> None:
    out[place] = value


def _add(out: Any, place: Any, value: Any) -> None:
    out[place] += value


_UNIQUE = np.array([[1, 0, 2], [0, 2, 1]])
_ALONG = [
    *(sample(real(3), np.array([2, 0]), real(2), axis=0), sample(real(3, 4), _UNIQUE, real(2, 3), axis=1)),
    *(sample(real(3, 4), np.array([[2, 1, 0]]), real(2, 4), axis=-2), sample(real(1), np.array([0]), real(1), axis=0)),
    sample(real(2, 3), np.zeros((2, 0), int), real(2, 0), axis=1),
    sample(real(3), np.array([-1, 0]), real(), axis=0, label="a number"),
]
_REPEATS = [
    sample(real(3), np.array([2, 0, 2, 2]), real(5), axis=0, label="repeats"),
    sample(real(2, 3, 2), integers(2, 4, 1, below=3), real(2, 4, 2), axis=1, label="repeats"),
    sample(real(3, 3), np.array([[0, 0, 0], [1, 0, 1]]), real(2, 3), axis=0, label="repeats"),
]


def _torch_along(name: str, **options: Any) -> Any:
    def call(t: Any, x: Any, index: Any, src: Any, axis: int, **more: Any) -> Any:
        src = src.expand(index.shape) if src.ndim == 0 else src[tuple(slice(0, n) for n in index.shape)]
        return getattr(t, name)(x, axis, index % x.shape[axis], src, **options, **more)

    return call


def _last_in_torch(t: Any, x: Any, index: Any, src: Any, axis: int) -> Any:
    """By positions, so that the last of repeated writes wins, which PyTorch leaves open."""
    src = src.expand(index.shape) if src.ndim == 0 else src
    numbers = x.numel() + np.arange(src.numel()).reshape(tuple(src.shape))
    where = _each(np.arange(x.numel()).reshape(tuple(x.shape)), index.numpy(), numbers, axis, _write)
    return t.cat([x.reshape(-1), src.reshape(-1)])[t.from_numpy(where)]


operation(
    "scatter",
    lambda x, index, src, axis: tgl.scatter(x, axis, index, src),
    lambda x, index, src, axis: _each(x, index, src, axis, _write),
    _last_in_torch,
    [*_ALONG, *_REPEATS],
    covers=("setitem",),
    integers="same",
)
operation(
    "scatter_add",
    lambda x, index, src, axis: tgl.scatter_add(x, axis, index, src),
    lambda x, index, src, axis: _each(x, index, src, axis, _add),
    _torch_along("scatter_add"),
    [*_ALONG, *_REPEATS],
    covers=("add_along_axis", "add"),
    length=8,
    integers="same",
)


def _reduced(x: Any, index: Any, src: Any, axis: int, reduce: str, include_self: bool = True) -> Any:
    lists: dict[Any, list[Any]] = {}
    _each(x, index, src, axis, lambda out, place, value: lists.setdefault(place, []).append(value))
    combine = {"sum": np.sum, "mean": np.mean, "amax": np.max, "amin": np.min}[reduce]
    out = np.array(x)
    for place, values in lists.items():
        axis_place = tuple(i % n for i, n in zip(place, x.shape, strict=True))
        out[axis_place] = combine([x[axis_place], *values] if include_self else values)
    return out


_WAYS = [(reduce, own) for reduce in ("sum", "mean", "amax", "amin") for own in (True, False)]
operation(
    "scatter_reduce",
    lambda x, index, src, axis, **options: tgl.scatter_reduce(x, axis, index, src, **options),
    _reduced,
    _torch_along("scatter_reduce"),
    [
        sample(*one.arrays, **one.options, reduce=reduce, include_self=own)
        for one in (*_ALONG[:5], *_REPEATS)
        for reduce, own in _WAYS
    ],
    covers=("scatter_extremum", "add_along_axis", "divide"),
    length=16,
)


def _put(x: Any, indices: Any, values: Any, axis: int = -1) -> Any:
    out = np.array(x)
    np.put_along_axis(out, indices, values, axis)
    return out


def _wide(indices: Any, x: Any, axis: int) -> tuple[int, ...]:
    axis %= x.ndim
    return (*x.shape[:axis], indices.shape[axis], *x.shape[axis + 1 :])


operation(
    "put_along_axis",
    lambda x, indices, values, axis=-1: tgl.put_along_axis(x, indices, values, axis=axis),
    _put,
    lambda t, x, indices, values, axis=-1: (
        t.scatter(
            x, axis, (indices % x.shape[axis]).expand(_wide(indices, x, axis)), values.expand(_wide(indices, x, axis))
        )
        if axis is not None
        else t.scatter(x.reshape(-1), 0, indices, values).reshape(x.shape)
    ),
    [
        *(sample(real(3), np.array([2, -3]), real(2)), sample(real(2, 3), np.array([[1], [0]]), real(), axis=1)),
        *(
            sample(real(2, 3), np.array([[1, 2]]), real(2, 2)),
            sample(real(2, 3), np.array([[1, 0, 1]]), real(3), axis=0),
        ),
        *(sample(real(2, 3), np.array([4, 0]), real(2), axis=None), sample(real(1), np.array([0]), real(1))),
        sample(real(2, 3), np.zeros((2, 0), int), real(2, 0)),
    ],
    covers=("setitem",),
    integers="same",
)

# --- whole slices, and NumPy's index forms ------------------------------------------------------------


def _rows(axis: int, index: Any, ndim: int) -> tuple[Any, ...]:
    return (*(slice(None),) * (axis % ndim), index)


def _index_add(x: Any, index: Any, src: Any, axis: int, alpha: float = 1) -> Any:
    out = np.array(x)
    np.add.at(out, _rows(axis, index, x.ndim), (alpha * src).astype(x.dtype))
    return out


operation(
    "index_add",
    lambda x, index, src, axis, alpha=1: tgl.index_add(x, axis, index, src, alpha=alpha),
    _index_add,
    lambda t, x, index, src, axis, alpha=1: t.index_add(x, axis, index % x.shape[axis], src, alpha=alpha),
    [
        *(sample(real(3), np.array([2, 0, 2, -1]), real(4), axis=0), sample(real(1), np.array([0]), real(1), axis=0)),
        *(
            sample(real(2, 3), np.array([1, 1]), real(2, 2), axis=1),
            sample(real(3, 0), np.array([1]), real(1, 0), axis=0),
        ),
        *(sample(real(3, 2), np.array([1, 1]), real(2, 2), axis=-2, alpha=2),),
        sample(real(3, 2), np.zeros(0, int), real(0, 2), axis=0),
    ],
    covers=("add_at", "add"),
    length=16,
    integers="same",
)


def _filled(x: Any, index: Any, value: Any, axis: int) -> Any:
    out = np.array(x)
    out[_rows(axis, index, x.ndim)] = value
    return out


operation(
    "index_fill",
    lambda x, index, value, axis: tgl.index_fill(x, axis, index, value),
    _filled,
    lambda t, x, index, value, axis: t.index_fill(x, axis, index % x.shape[axis], value),
    [
        *(sample(real(3), np.array([2, 0]), real(), axis=0), sample(real(2, 3), np.array([1, -1]), real(), axis=1)),
        *(sample(real(0, 2), np.array([1]), real(), axis=1), sample(real(1), np.array([0]), real(), axis=-1)),
    ],
    covers=("setitem",),
    integers="same",
)


def _index_put(x: Any, values: Any, indices: Any, accumulate: bool) -> Any:
    out = np.array(x)
    if accumulate:
        np.add.at(out, indices, values)
    else:
        out[indices] = values
    return out


operation(
    "index_put",
    lambda x, values, indices, accumulate: tgl.index_put(x, indices, values, accumulate=accumulate),
    _index_put,
    lambda t, x, values, indices, accumulate: t.index_put(
        x, tuple(t.from_numpy(np.asarray(i)) for i in indices), values, accumulate
    ),
    [
        sample(real(3), real(2), indices=(np.array([2, 0]),), accumulate=False),
        sample(real(3), real(4), indices=(np.array([2, 0, 2, 2]),), accumulate=True),
        sample(real(3, 2), real(2), indices=(np.array([1, 1]),), accumulate=True, label="values broadcast"),
        sample(real(3, 4), real(3), indices=(np.array([2, 0, 2]), np.array([1, 3, 1])), accumulate=True, label="pairs"),
        sample(real(2, 3), real(), indices=(np.array([[True, False, True], [False, False, True]]),), accumulate=True),
        sample(real(2, 3), real(0), indices=(np.array([], int), np.array([], int)), accumulate=True, label="nothing"),
        sample(real(1), real(1), indices=(np.array([0]),), accumulate=True),
    ],
    covers=("setitem", "add_at"),
    length=8,
    integers="same",
)

# --- by masks -----------------------------------------------------------------------------------------

_MASK = np.array([[True, False, True], [False, False, True]])
operation(
    "masked_fill",
    lambda x, mask, value: tgl.masked_fill(x, mask, value),
    lambda x, mask, value: np.where(mask, value.astype(x.dtype), x),
    lambda t, x, mask, value: t.masked_fill(x, mask, value),
    [
        *(sample(real(2, 3), _MASK, real()), sample(real(2, 3), _MASK[0], real()), sample(real(3), _MASK, real())),
        *(sample(real(), np.array(True), real()), sample(real(0), np.zeros(0, bool), real())),
        sample(real(1), np.array([False]), real()),
    ],
    covers=("where",),
    integers="same",
)


def _masked(x: Any, mask: Any, source: Any) -> Any:
    shape = np.broadcast_shapes(x.shape, mask.shape)
    out, mask = np.array(np.broadcast_to(x, shape)), np.broadcast_to(mask, shape)
    out[mask] = source.reshape(-1)[: mask.sum()]
    return out


operation(
    "masked_scatter",
    lambda x, mask, source: tgl.masked_scatter(x, mask, source),
    _masked,
    lambda t, x, mask, source: t.masked_scatter(x, mask, source),
    [
        *(sample(real(2, 3), _MASK, real(3)), sample(real(2, 3), _MASK, real(2, 2)), sample(real(3), _MASK, real(5))),
        *(sample(real(1), np.array([True]), real(1)), sample(real(0), np.zeros(0, bool), real(0))),
    ],
    covers=("setitem",),
    integers="same",
)
