"""Curves of which some points are known: the area below them, and what lies between the points."""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.errors import ShapeError, fail
from tinygrad_lite.functions.arguments import axis_number, checked_keywords, floating, number
from tinygrad_lite.functions.devices import on_device_of, require_one_device
from tinygrad_lite.functions.elementwise import clip, where
from tinygrad_lite.functions.indexing import getitem
from tinygrad_lite.functions.manipulation import reshape
from tinygrad_lite.functions.reductions import sum
from tinygrad_lite.functions.scans import diff
from tinygrad_lite.functions.sorting import searchsorted

__all__ = [
    "interp",
    "trapezoid",
]


@checked_keywords
def trapezoid(y: Any, /, x: Any = None, dx: float = 1.0, axis: int = -1) -> Tensor:
    """The integral along ``axis`` of a curve through the points ``y``: the sum of (x_(k+1) - x_k) (y_k + y_(k+1)) / 2.

    Args:
        y: any shape but 0-d; integers become float32.
        x: where the points lie, 1-d or in the shape of y; None puts them ``dx`` apart.
        dx: the distance of neighbours where there is no x.
        axis: along which to integrate.

    Raises:
        ShapeError: if x does not fit.

    >>> trapezoid(Tensor([1.0, 2.0, 3.0]))
    Tensor(4.)
    """
    y = floating("trapezoid", y, "y")
    along = axis_number("trapezoid", axis, y._data.ndim, y)
    before = (slice(None),) * along
    heights = (getitem(y, (*before, slice(1, None))) + getitem(y, (*before, slice(None, -1)))) * 0.5
    if x is None:
        return sum(heights, (along,)) * number("trapezoid", "dx", dx)
    x, shape = floating("trapezoid", x), y._data.shape
    if x._data.shape == (shape[along],):
        widths = reshape(diff(x), (-1, *(1,) * (len(shape) - along - 1)))
    elif x._data.shape == shape:
        widths = diff(x, axis=along)
    else:
        fail(ShapeError, "trapezoid", "needs x in the shape of y, or one number per point", {"y": y, "x": x})
    return sum(widths * heights, (along,))


@checked_keywords
def interp(x: Any, xp: Any, fp: Any, /, left: float | None = None, right: float | None = None) -> Tensor:
    """The value at ``x`` of the curve through the points (``xp``, ``fp``), joined by straight lines.

    All three are differentiated. At a point of ``xp`` the slope is that of the line to its right, at the last one
    of the line to its left; outside it is 0.

    Args:
        x: any shape, or a number.
        xp: where the points lie, 1-d, in rising order.
        fp: the values there, in the shape of xp.
        left, right: the value below the first and above the last point; None takes that of the point.

    Raises:
        ShapeError: unless xp and fp are 1-d, of one size, with at least one point.

    >>> interp(Tensor([0.5, 1.5, 9.0]), Tensor([0.0, 1.0, 2.0]), Tensor([0.0, 10.0, 30.0]))
    Tensor([ 5., 20., 30.])
    """
    xp, fp = floating("interp", xp, "xp"), floating("interp", fp, "fp")
    x = floating("interp", on_device_of("interp", x, xp, "x"))
    require_one_device("interp", {"xp": xp, "fp": fp})
    count = xp._data.size
    if xp._data.ndim != 1 or fp._data.shape != xp._data.shape or count == 0:
        fail(ShapeError, "interp", "needs xp and fp with one axis of one size, at least 1", {"xp": xp, "fp": fp})
    first, last = getitem(xp, 0), getitem(xp, -1)
    below, above = x < first, x > last
    inside = where(below, first, where(above, last, x))
    start = clip(searchsorted(xp.detach(), inside.detach(), "right") - 1, 0, count - 2 if count > 1 else 0)
    stop = clip(start + 1, 0, count - 1)
    x0, y0, y1 = getitem(xp, start), getitem(fp, start), getitem(fp, stop)
    width = getitem(xp, stop) - x0
    weight = (inside - x0) / where(width == 0, 1, width)
    rise = y1 - y0
    # From the nearer side: exact at both ends.
    y = where(weight < 0.5, y0 + rise * weight, y1 - rise * (1 - weight))
    if left is not None:
        y = where(below, number("interp", "left", left), y)
    if right is not None:
        y = where(above, number("interp", "right", right), y)
    return y
