"""Reading and adding by index on NumPy arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array
from tinygrad_lite.backends.cpu.scatter import add_along as _add_along
from tinygrad_lite.backends.cpu.scatter import add_places as _add_places
from tinygrad_lite.backends.cpu.scatter import add_rows as _add_rows
from tinygrad_lite.backends.cpu.scatter import flat_rows as _flat_rows
from tinygrad_lite.backends.cpu.scatter import take_along as _take_along


def take(x: Array, indices: Array, axis: int) -> Array:
    """Rows are copied whole, which is twice as fast as reading by index."""
    return x.take(indices.astype(np.intp, copy=False), axis)


def add_at(x: Array, index: tuple[Any, ...], shape: tuple[int, ...]) -> Array:
    arrays = [i for i in index if isinstance(i, np.ndarray) and i.dtype.kind in "iu"]
    if not arrays:  # slices and masks name every element once
        out = np.zeros(shape, x.dtype)
        out[index] = x
        return out
    if int in map(type, index):  # beside an array a number counts as one too
        index = tuple([np.asarray(i) if type(i) is int else i for i in index])
        arrays = [i for i in index if isinstance(i, np.ndarray) and i.dtype.kind in "iu"]
    axis = _adjacent(index, len(shape))
    if axis is not None:
        stop = axis + len(arrays)
        if len(shape) == 1:
            return _add_rows(shape, arrays[0].ravel(), x)
        parts = arrays if len(arrays) == 1 else np.broadcast_arrays(*arrays)
        rows = _flat_rows(parts, shape[axis:stop])
        if axis:  # one table for each place of the leading axes
            rows = (np.arange(math.prod(shape[:axis]))[:, None] * math.prod(shape[axis:stop]) + rows).ravel()
        return _add_rows((math.prod(shape[:stop]), *shape[stop:]), rows, x).reshape(shape)
    # Any other mixture: find the flat position of each named element, then add there.
    return _add_places(shape, np.arange(math.prod(shape)).reshape(shape)[index], x)


def _adjacent(index: tuple[Any, ...], ndim: int) -> int | None:
    """The first axis of integer arrays that stand side by side, with nothing but whole axes around them."""
    whole = ndim - sum(i is not Ellipsis for i in index)
    kinds: list[type] = []
    for i in index:
        if i is Ellipsis:  # one that stands for no axis separates arrays all the same
            kinds += [slice] * whole or [type(Ellipsis)]
        elif type(i) is slice:
            kinds.append(slice if i == slice(None) else type(None))
        else:
            kinds.append(np.ndarray if isinstance(i, np.ndarray) and i.dtype.kind in "iu" else type(None))
    first = kinds.index(np.ndarray)
    count = kinds.count(np.ndarray)
    if type(None) in kinds or kinds[first : first + count] != [np.ndarray] * count:
        return None
    return kinds[:first].count(slice)


def setitem(x: Array, values: Array, index: tuple[Any, ...]) -> Array:
    out = np.array(x, order="C")  # also of the scalars that arithmetic on 0-d arrays makes
    # NumPy writes in the order of memory; only in row-major order is the last write the last one named.
    in_order = tuple([np.asarray(i, order="C") if isinstance(i, np.ndarray) else i for i in index])
    out[in_order] = np.asarray(values, order="C")
    return out


def take_along_axis(x: Array, indices: Array, axis: int) -> Array:
    if x.ndim == 1:
        return take(x, indices, 0)
    lines = zip(x.shape, indices.shape, strict=True)
    if indices.size > _MANY and x.flags.c_contiguous and all(n == m for k, (n, m) in enumerate(lines) if k != axis):
        return _take_along(x, indices, axis)
    return np.take_along_axis(x, indices, axis)


_MANY = 8192  # elements, below which NumPy's own way is quicker (measured)


def add_along_axis(x: Array, indices: Array, shape: tuple[int, ...], axis: int) -> Array:
    if x.shape != indices.shape:
        x = np.broadcast_to(x, indices.shape)
    if len(shape) == 1:
        return _add_rows(shape, indices, x)
    return _add_along(x, indices, shape, axis)


def scatter_extremum(x: Array, src: Array, indices: Array, axis: int, largest: bool, include_self: bool) -> Array:
    out = np.array(x, order="C")
    flat, places = out.reshape(-1), _flat_rows(_grid(indices, axis), x.shape)
    values = np.ravel(src)
    if not include_self:  # then any of the written values is as good a start
        flat[places] = values
    with np.errstate(invalid="ignore"):  # of NaN, which wins
        (np.maximum if largest else np.minimum).at(flat, places, values)
    return out


def _grid(indices: Array, axis: int) -> list[Array]:
    """The place of every element: the counters of the other axes, and its index."""
    grid: list[Array] = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    grid[axis] = indices
    return grid
