"""Sets of real numbers on the GPU, from sorting and searching; slices and complex numbers are left to the CPU."""

from __future__ import annotations

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cuda.array import CudaArray, full, zeros
from tinygrad_lite.backends.cuda.elementwise import not_equal, subtract
from tinygrad_lite.backends.cuda.fallback import on_cpu
from tinygrad_lite.backends.cuda.indexing import assign, take
from tinygrad_lite.backends.cuda.manipulation import concat
from tinygrad_lite.backends.cuda.places import places_of_true
from tinygrad_lite.backends.cuda.scans import cumulative_sum
from tinygrad_lite.backends.cuda.sorting import alike, is_sortable, look_up, ordered, sort

__all__ = ["isin", "unique_all", "unique_counts"]

_isin_on_cpu, _all_on_cpu, _counts_on_cpu = on_cpu("isin"), on_cpu("unique_all"), on_cpu("unique_counts")


def isin(x1: CudaArray, x2: CudaArray, invert: bool) -> CudaArray:
    """For every element of ``x1`` whether it is in ``x2``; NaN is in nothing."""
    x1, x2 = alike(x1, x2)
    if not is_sortable(x2):
        return _isin_on_cpu(x1, x2, invert)  # type: ignore[no-any-return]
    return look_up("contains", sort(x2.reshape(-1), 0, False, False), x1, dtypes.bool_, invert)


def unique_all(x: CudaArray, axis: int | None) -> tuple[CudaArray, CudaArray, CudaArray, CudaArray]:
    """Values, first indices, inverse indices and counts; every NaN is a value of its own. Waits for the GPU."""
    if axis is not None or not is_sortable(x):
        return _all_on_cpu(x, axis)  # type: ignore[no-any-return]
    values, order = ordered(x.reshape(-1), x.size, 0, False, True, True)
    changes = _changes(values)
    starts = places_of_true(changes)
    inverse = zeros(x.size, dtypes.int64)
    assign(inverse, (order,), subtract(cumulative_sum(changes, 0), 1))
    first = take(order, starts, 0)
    return take(values, starts, 0), first, inverse.reshape(x.shape), _lengths(starts, x.size)


def unique_counts(x: CudaArray) -> tuple[CudaArray, CudaArray]:
    """The values and the counts alone; waits for the GPU."""
    if not is_sortable(x):
        return _counts_on_cpu(x)  # type: ignore[no-any-return]
    values = sort(x.reshape(-1), 0, False, False)
    starts = places_of_true(_changes(values))
    return take(values, starts, 0), _lengths(starts, x.size)


def _changes(values: CudaArray) -> CudaArray:
    """Where sorted values have another value than before; NaN differs from NaN."""
    n = values.size
    if n < 2:
        return full(n, True, dtypes.bool_)
    before, after = values.view_as((n - 1,), (1,)), values.view_as((n - 1,), (1,), 1)
    return concat((full(1, True, dtypes.bool_), not_equal(after, before)), 0)


def _lengths(starts: CudaArray, size: int) -> CudaArray:
    """The lengths of runs that begin at ``starts`` and end where the next begins."""
    count = starts.size
    if not count:
        return starts
    ends = concat((starts.view_as((count - 1,), (1,), 1), full(1, size, dtypes.int64)), 0)
    lengths: CudaArray = subtract(ends, starts)
    return lengths
