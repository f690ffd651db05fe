"""Reading and adding by index on NumPy arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array
from tinygrad_lite.backends.cpu.reductions import WIDE as _WIDE


def add_at(x: Array, index: tuple[Any, ...], shape: tuple[int, ...]) -> Array:
    out = np.zeros(shape, x.dtype)
    arrays = [i for i in index if isinstance(i, np.ndarray)]
    if not [i for i in arrays if i.dtype.kind in "iu"]:  # slices and masks name every element once
        out[index] = x
    elif len(index) == 1 and len(shape) >= 1:
        _add_rows(out, arrays[0], x)
    else:
        # Any mixture: find the flat position of each named element, then add there. A 1-D add.at without
        # casts is NumPy's fast path.
        places = np.arange(math.prod(shape)).reshape(shape)[index].ravel()
        np.add.at(out.reshape(-1), places, np.broadcast_to(x, out[index].shape).ravel())
    return out


def _add_rows(out: Array, rows: Array, x: Array) -> None:
    """Add ``x[i]`` to ``out[rows[i]]``; equal rows are sorted together and summed in one pass."""
    rows = rows.ravel()
    if rows.size == 0 or out.size == 0:
        return
    x = np.broadcast_to(x, (*x.shape[: x.ndim - out.ndim + 1], *out.shape[1:])).reshape(rows.size, -1)
    rows = np.where(rows < 0, rows + out.shape[0], rows)
    if x.shape[1] == 1:
        np.add.at(out.reshape(-1), rows, x.ravel())
        return
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    out.reshape(out.shape[0], -1)[ordered[starts]] = np.add.reduceat(x[order], starts, axis=0, dtype=_WIDE.get(x.dtype))


def setitem(x: Array, values: Array, index: tuple[Any, ...]) -> Array:
    out = np.array(x, order="C")  # also of the scalars that arithmetic on 0-d arrays makes
    out[index] = values
    return out


def take_along_axis(x: Array, indices: Array, axis: int) -> Array:
    return np.take_along_axis(x, indices, axis)


def add_along_axis(x: Array, indices: Array, shape: tuple[int, ...], axis: int) -> Array:
    out = np.zeros(shape, x.dtype)
    grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    grid[axis] = indices
    np.add.at(out, tuple(grid), np.broadcast_to(x, indices.shape))
    return out
