"""Reductions that leave out NaN, the gaps of measured data; the gradient of what is left out is 0."""

from __future__ import annotations

from typing import Any, TypeAlias

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rows import Row
from tinygrad_lite.autograd.rules import reductions as rules
from tinygrad_lite.errors import ShapeError, fail
from tinygrad_lite.functions.arguments import NOTHING, as_tensor, axis_numbers, checked_keywords, floating, number
from tinygrad_lite.functions.elementwise import clip, sqrt, square, where
from tinygrad_lite.functions.logic import equal, isnan, logical_not
from tinygrad_lite.functions.manipulation import cast
from tinygrad_lite.functions.reductions import sum
from tinygrad_lite.functions.statistics import summable

__all__ = ["nanmax", "nanmean", "nanmin", "nanstd", "nansum", "nanvar"]

Axis: TypeAlias = "int | tuple[int, ...] | None"


@checked_keywords
def nansum(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum along ``axis`` of all that is not NaN; the gradient of NaN is 0.

    >>> nansum(Tensor([1.0, float("nan"), 2.0]))
    Tensor(3.)
    """
    x = as_tensor("nansum", x)
    return sum(_without_nan(x), axis_numbers("nansum", axis, x._data.ndim, x), keepdims)


@checked_keywords
def nanmean(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean along ``axis`` of all that is not NaN; of nothing it is NaN. Integers become float32.

    >>> nanmean(Tensor([1.0, float("nan"), 2.0]))
    Tensor(1.5)
    """
    x = floating("nanmean", x)
    axes = axis_numbers("nanmean", axis, x._data.ndim, x)
    count = sum(logical_not(isnan(x)), axes, keepdims)
    wide = summable(x._data.dtype)
    return cast(sum(_without_nan(x), axes, keepdims, wide) / cast(count, wide), x._data.dtype)


def _without_nan(x: Tensor) -> Tensor:
    return where(isnan(x), 0, x) if x._data.dtype.kind in "fc" else x


@checked_keywords
def nanvar(x: Any, /, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance along ``axis`` of the n elements that are not NaN: sum((x - mean)^2) / (n - correction).

    Args:
        x: any shape; integers become float32.
        axis: as for every reduction.
        correction: 0, or 1 for the unbiased estimate from a sample. Where it leaves no degree of freedom, the
            result is NaN or inf, as for ``var``.
        keepdims: leave the axes with size 1.

    >>> nanvar(Tensor([1.0, float("nan"), 3.0]))
    Tensor(1.)
    """
    x = floating("nanvar", x)
    return cast(_variance("nanvar", x, axis, correction, keepdims), x._data.dtype)


@checked_keywords
def nanstd(x: Any, /, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation along ``axis`` of all that is not NaN: the root of ``nanvar``, with the same arguments.

    Where all values are equal its gradient is 0, as for ``std``.

    >>> nanstd(Tensor([1.0, float("nan"), 5.0]))
    Tensor(2.)
    """
    x = floating("nanstd", x)
    variance = _variance("nanstd", x, axis, correction, keepdims)
    flat = equal(variance, 0)
    return cast(where(flat, 0.0, sqrt(where(flat, 1.0, variance))), x._data.dtype)


def _variance(operation: str, x: Tensor, axis: Axis, correction: float, keepdims: bool) -> Tensor:
    axes = axis_numbers(operation, axis, x._data.ndim, x)
    wide = cast(x, summable(x._data.dtype))
    centred = _without_nan(wide - nanmean(wide, axes, True))
    freedom = sum(logical_not(isnan(x)), axes, keepdims) - number(operation, "correction", correction)
    return sum(square(centred), axes, keepdims) / cast(clip(freedom, 0), wide._data.dtype)


@checked_keywords
def nanmax(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest element along ``axis`` that is not NaN, NaN if there is none; equal ones share the gradient evenly.

    Raises:
        ShapeError: if there is nothing to choose from.

    >>> nanmax(Tensor([[1.0, float("nan")], [7.0, 2.0]]), axis=1)
    Tensor([1., 7.])
    """
    return _extremum(rules.NANMAX, x, axis, keepdims)


@checked_keywords
def nanmin(x: Any, /, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest element along ``axis`` that is not NaN, NaN if there is none; equal ones share the gradient evenly.

    Raises:
        ShapeError: if there is nothing to choose from.

    >>> nanmin(Tensor([[1.0, float("nan")], [7.0, 2.0]]), axis=1)
    Tensor([1., 2.])
    """
    return _extremum(rules.NANMIN, x, axis, keepdims)


def _extremum(declared: Row, x: Any, axis: Axis, keepdims: bool) -> Tensor:
    x = as_tensor(declared.name, x)
    axes = axis_numbers(declared.name, axis, x._data.ndim, x)
    if any(x._data.shape[i] == 0 for i in axes):
        fail(ShapeError, declared.name, "needs at least one element to choose from", {"x": x}, NOTHING)
    return apply(declared, (x,), (axes, keepdims))
