"""Order statistics, weighted means, correlation, and counting."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.autograd.rules.sorting import BINCOUNT
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import (
    NOTHING,
    as_tensor,
    axis_numbers,
    checked_keywords,
    floating,
    integer,
    number,
)
from tinygrad_lite.functions.creation import zeros_like
from tinygrad_lite.functions.elementwise import clip, divide, sqrt, where
from tinygrad_lite.functions.indexing import getitem
from tinygrad_lite.functions.joining import concat
from tinygrad_lite.functions.logic import equal, isnan
from tinygrad_lite.functions.manipulation import broadcast_to, cast, matrix_transpose, permute_dims, reshape
from tinygrad_lite.functions.products import matmul
from tinygrad_lite.functions.reductions import all, max, mean, min, sum
from tinygrad_lite.functions.scans import cumulative_sum, diff
from tinygrad_lite.functions.sorting import searchsorted, sort

__all__ = [
    "average",
    "bincount",
    "corrcoef",
    "cov",
    "histogram",
    "median",
    "quantile",
]

Axis: TypeAlias = "int | tuple[int, ...] | None"
Method: TypeAlias = Literal["linear", "lower", "higher", "midpoint", "nearest"]

# --- order statistics -------------------------------------------------------------------------------------


def _sorted_lines(operation: str, x: Any, axis: Axis) -> tuple[Tensor, tuple[int, ...]]:
    """x with the reduced axes as one, in front and sorted; and the shape that the result has with them."""
    x = floating(operation, x)
    shape = x._data.shape
    axes = axis_numbers(operation, axis, len(shape), x)
    others = tuple(i for i in range(len(shape)) if i not in axes)
    count = math.prod([shape[i] for i in axes])
    if count == 0:
        fail(ShapeError, operation, "needs at least one element to choose from", {"x": x}, NOTHING)
    lines = reshape(permute_dims(x, (*axes, *others)), (count, *[shape[i] for i in others]))
    kept = tuple([1 if i in axes else n for i, n in enumerate(shape)])
    return sort(lines, 0), kept


def _beside(x: Tensor, numbers: list[Any], dtype: dtypes.DType) -> Tensor:
    """Numbers as a tensor on the device of ``x``."""
    xp = namespaces[type(x._data)]
    return make_tensor(xp.astype(xp.asarray(numbers), dtype))


def _mixed(ordered: Tensor, ranks: list[float], method: str) -> Tensor:
    """What stands at the fractional ``ranks`` of sorted lines, on a new first axis; NaN if there is a NaN, the last."""
    below, above = [math.floor(rank) for rank in ranks], [math.ceil(rank) for rank in ranks]
    if method == "nearest":
        below = above = [round(rank) for rank in ranks]  # halves to even, as in NumPy and PyTorch
    elif method == "lower":
        above = below
    elif method == "higher":
        below = above
    value = getitem(ordered, _beside(ordered, below, dtypes.int64))
    if above != below:
        weights = [rank - start for rank, start in zip(ranks, below, strict=True)]
        if method == "midpoint":
            weights = [0.5 if weight else 0.0 for weight in weights]
        column = (-1, *(1,) * (ordered._data.ndim - 1))
        weight = reshape(_beside(ordered, weights, ordered._data.dtype), column)
        exact = equal(weight, 0)  # two infinities have no difference
        other = getitem(ordered, _beside(ordered, above, dtypes.int64))
        step = where(exact, 0.0, other) - where(exact, 0.0, value)
        # From the nearer side: exact at both ends.
        value = where(weight < 0.5, value + step * weight, other - step * (1 - weight))
    last = getitem(ordered, -1)
    return where(isnan(last), last, value)


@checked_keywords
def median(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The middle element along ``axis``, or the mean of the two in the middle, as in NumPy; NaN if there is a NaN.

    The gradient goes to the elements in the middle, half to each of two. (PyTorch's ``median`` is the lower of
    the two, which here is ``quantile(x, 0.5, method="lower")``.) Integers become float32.

    Raises:
        ShapeError: if there is nothing to choose from.

    >>> median(Tensor([4.0, 1.0, 3.0, 2.0]))
    Tensor(2.5)
    """
    ordered, kept = _sorted_lines("median", x, axis)
    count = ordered._data.shape[0]
    value = getitem(ordered, count // 2)
    if count % 2 == 0:
        value = getitem(ordered, count // 2 - 1) * 0.5 + value * 0.5  # halved first: the sum may be too large
    last = getitem(ordered, -1)
    value = where(isnan(last), last, value)
    return reshape(value, kept) if keepdims else value


@checked_keywords
def quantile(x: Any, /, q: Any, axis: Axis = None, keepdims: bool = False, method: Method = "linear") -> Tensor:
    """The value below which a share ``q`` of the elements along ``axis`` lies; NaN if there is a NaN.

    With the elements in order, x_0 to x_(n-1), it is the one at the place q (n - 1); between two of them
    ``method`` decides. The gradient goes to the elements that it is made of. Integers become float32.

    Args:
        x: any shape.
        q: a number from 0 to 1, or several of them: then they come first in the shape of the result.
            Percentiles are ``quantile(x, p / 100)``.
        axis: as for every reduction.
        keepdims: leave the axes with size 1.
        method: ``"linear"`` interpolation, the ``"lower"`` or the ``"higher"`` neighbour, the ``"midpoint"`` of
            both, or the ``"nearest"``.

    Raises:
        ArgumentError: if q is not from 0 to 1, or the method is another word.
        ShapeError: if there is nothing to choose from.

    >>> quantile(Tensor([1.0, 2.0, 4.0]), [0.25, 0.5])
    Tensor([1.5, 2. ])
    """
    if method not in ("linear", "lower", "higher", "midpoint", "nearest"):
        need = f"needs method 'linear', 'lower', 'higher', 'midpoint' or 'nearest', but got {method!r}"
        fail(ArgumentError, "quantile", need)
    several = isinstance(q, (list, tuple)) or getattr(q, "ndim", 0) == 1
    shares = [number("quantile", "q", share) for share in (q if several else [q])]
    for share in shares:
        if not 0 <= share <= 1:
            hint = f"{share} percent is the share {share / 100}" if 1 < share <= 100 else "the median is q=0.5"
            need = f"needs q from 0 to 1, but got {share}"
            fail(ArgumentError, "quantile", need, {"x": as_tensor("quantile", x)}, hint)
    ordered, kept = _sorted_lines("quantile", x, axis)
    values = _mixed(ordered, [share * (ordered._data.shape[0] - 1) for share in shares], method)
    if keepdims:
        values = reshape(values, (len(shares), *kept))
    return values if several else getitem(values, 0)


# --- weighted means ---------------------------------------------------------------------------------------


@checked_keywords
def average(x: Any, /, axis: Axis = None, weights: Any = None, keepdims: bool = False) -> Tensor:
    """The weighted mean sum(w x) / sum(w) along ``axis``; without weights it is ``mean``.

    Args:
        x: any shape.
        axis: as for every reduction.
        weights: in the shape of x, or 1-d for a single axis; they are differentiated too.
        keepdims: leave the axes with size 1.

    Raises:
        ShapeError: if the weights do not fit.

    >>> average(Tensor([1.0, 2.0]), weights=Tensor([3.0, 1.0]))
    Tensor(1.25)
    """
    if weights is None:
        return mean(as_tensor("average", x), axis, keepdims)
    x, w = floating("average", x), floating("average", weights, "weights")
    shape, own = x._data.shape, w._data.shape
    axes = axis_numbers("average", axis, len(shape), x)
    if own != shape:
        if len(axes) != 1 or own != (shape[axes[0]],):
            need = "needs weights in the shape of x, or 1-d ones for a single axis"
            fail(ShapeError, "average", need, {"x": x, "weights": w})
        w = broadcast_to(reshape(w, tuple([n if i in axes else 1 for i, n in enumerate(shape)])), shape)
    dtype = dtypes.promote(x._data.dtype, w._data.dtype)
    x, w = (cast(part, summable(dtype)) for part in (x, w))
    return cast(sum(x * w, axes, keepdims) / sum(w, axes, keepdims), dtype)


def summable(dtype: dtypes.DType) -> dtypes.DType:
    """Where to add up: a float16 holds no sum above 65504."""
    return dtypes.float32 if dtype == dtypes.float16 else dtype


# --- correlation --------------------------------------------------------------------------------------------


def _centred(operation: str, x: Any) -> Tensor:
    x = floating(operation, x)
    if x._data.ndim not in (1, 2):
        fail(ShapeError, operation, "needs one variable per row of a matrix, or a vector", {"x": x})
    rows = x if x._data.ndim == 2 else reshape(x, (1, -1))
    return rows - mean(rows, (1,), True)


@checked_keywords
def cov(x: Any, /, correction: float = 1.0) -> Tensor:
    """The covariance matrix of the variables in the rows of ``x``, with one observation per column.

    c_ij = sum_k (x_ik - mean_i) (x_jk - mean_j) / (n - correction). Integers become float32.

    Args:
        x: (variables, observations), or 1-d for one variable; of one variable the result is 0-d, its variance.
        correction: 1 for the unbiased estimate, as in NumPy and PyTorch; 0 for that of the values themselves.

    >>> cov(Tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    Tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    centred = _centred("cov", x)
    freedom = centred._data.shape[1] - number("cov", "correction", correction)
    c = matmul(centred, matrix_transpose(centred)) / (freedom if freedom > 0 else 0.0)
    return reshape(c, ()) if c._data.shape == (1, 1) else c


@checked_keywords
def corrcoef(x: Any, /) -> Tensor:
    """Pearson's correlation of the variables in the rows of ``x``, with one observation per column.

    r_ij = c_ij / sqrt(c_ii c_jj) with c the covariance, kept from -1 to 1; NaN where a variable is constant.

    >>> corrcoef(Tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    Tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    centred = _centred("corrcoef", x)
    c = matmul(centred, matrix_transpose(centred))
    sizes = sqrt(sum(centred * centred, (1,), True))
    r = clip(c / sizes / matrix_transpose(sizes), -1.0, 1.0)
    return reshape(r, ()) if r._data.shape == (1, 1) else r


# --- counting -----------------------------------------------------------------------------------------------


@checked_keywords
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2, ... occurs in ``x``, or the sum of the weights with which it does.

    Args:
        x: integers of at least 0, 1-d.
        weights: floating-point numbers in the shape of x, which are differentiated; integers become float32.
        minlength: the least size of the result, which otherwise is max(x) + 1.

    Returns:
        int64 counts, or sums in the dtype of the weights.

    Raises:
        ShapeError, DTypeError, ArgumentError: if an argument is not as above.

    >>> bincount(Tensor([0, 2, 2]), Tensor([0.5, 1.0, 1.5]))
    Tensor([0.5, 0. , 2.5])
    """
    x, least = as_tensor("bincount", x), integer("bincount", "minlength", minlength)
    if x._data.dtype.kind not in "biu":
        fail(DTypeError, "bincount", "needs integers", {"x": x}, 'convert with x.astype("int64")')
    if x._data.ndim != 1:
        fail(ShapeError, "bincount", "needs x with one axis", {"x": x}, "flatten(x)")
    if least < 0:
        fail(ArgumentError, "bincount", f"needs minlength >= 0, but got {least}")
    if weights is not None:
        weights = floating("bincount", weights, "weights")
        if weights._data.shape != x._data.shape:
            fail(ShapeError, "bincount", "needs weights in the shape of x", {"x": x, "weights": weights})
    try:
        counts = apply(BINCOUNT, (x, weights), (least,))
    except ArgumentError:  # only the elements can be wrong now, which only the backend sees
        counts = None
    if counts is None:
        hint = "subtract the smallest first: x - min(x)"
        fail(ArgumentError, "bincount", "needs integers of at least 0", {"x": x}, hint)
    return counts


@checked_keywords
def histogram(
    x: Any, /, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None
) -> tuple[Tensor, Tensor]:
    """How many elements of ``x`` lie in each of several bins, and the edges of the bins, as in NumPy.

    A bin holds its left edge but not its right one; the last holds both. What lies outside is not counted, nor is
    NaN. The counts have no gradient in x, but they have one in the weights; the edges have one in x where they
    follow from it.

    Args:
        x: any shape; integers become float32.
        bins: the number of bins of equal width, or a 1-d tensor of edges in rising order.
        range: the lowest and the highest edge; None takes the smallest and the largest element, and leaves edges
            of NaN if they are not finite.
        density: divide by the total and the width of the bin, so that the integral is 1.
        weights: what each element counts, in the shape of x; None counts 1.

    Returns:
        ``(counts, edges)``: int64 counts, or floats with weights or density; there is one edge more.

    Raises:
        ArgumentError, ShapeError: if an argument is not as above.

    >>> counts, edges = histogram(Tensor([1.0, 2.0, 1.0]), bins=[0.0, 1.0, 2.0, 3.0])
    >>> counts
    Tensor([0, 2, 1], dtype=int64)
    """
    x = floating("histogram", x)
    if weights is not None:
        weights = floating("histogram", weights, "weights")
        if weights._data.shape != x._data.shape:
            fail(ShapeError, "histogram", "needs weights in the shape of x", {"x": x, "weights": weights})
        weights = reshape(weights, (-1,))
    edges = _edges(x, bins, range)
    flat, bounds = reshape(x, (-1,)).detach(), edges.detach()
    lower, end, count = getitem(bounds, slice(0, -1)), getitem(bounds, slice(-1, None)), bounds._data.shape[0] - 1
    if weights is None:  # sorting takes a tenth of the time of looking every element up
        ordered = sort(flat)
        counts = diff(concat((searchsorted(ordered, lower), searchsorted(ordered, end, "right")), 0))
    else:
        places = searchsorted(bounds, flat, "right")
        places = where(flat == end, count, places)  # the last bin holds its right edge too
        counts = getitem(bincount(places, weights, count + 2), slice(1, count + 1))
    if density:
        counts = counts / (divide(sum(counts), 1.0) * diff(edges))
    return counts, edges


def _edges(x: Tensor, bins: Any, limits: Any) -> Tensor:
    if isinstance(bins, (list, tuple)) or getattr(bins, "ndim", 0) > 0:
        edges = cast(as_tensor("histogram", bins, "bins"), x._data.dtype)
        if edges._data.ndim != 1 or edges._data.shape[0] < 2:
            fail(ShapeError, "histogram", "needs a number of bins or at least two edges on one axis", {"bins": edges})
        if not all(diff(edges.detach()) >= 0):
            fail(ArgumentError, "histogram", "needs edges in rising order", {"bins": edges}, "sort(bins)")
        return edges
    count = integer("histogram", "bins", bins)
    if count < 1:
        fail(ArgumentError, "histogram", f"needs at least one bin, but got {count}", {"x": x}, "10 is the default")
    ones = zeros_like(x, shape=(count + 1,)) + 1
    if limits is not None:
        if not (isinstance(limits, (list, tuple)) and len(limits) == 2):
            fail(ArgumentError, "histogram", "needs a range of two numbers", {"range": limits})
        low, high = (number("histogram", "range", limit) for limit in limits)
        if not (low <= high and math.isfinite(low) and math.isfinite(high)):
            fail(ArgumentError, "histogram", f"needs a range from low to high, but got ({low}, {high})")
        first, last = getitem(ones, 0) * low, getitem(ones, 0) * high
    elif x._data.size == 0:
        first, last = getitem(ones, 0) * 0.0, getitem(ones, 0)
    else:
        first, last = min(x), max(x)
    # A single value lies in the middle of a range of width 1.
    same = first == last
    first, last = where(same, first - 0.5, first), where(same, last + 0.5, last)
    steps = cumulative_sum(ones) - 1
    edges = first + (last - first) / count * steps  # rounded as in NumPy, which counts numbers at an edge the same way
    return where(steps == count, last, edges)  # the last edge exactly: the largest element must not fall beyond it
