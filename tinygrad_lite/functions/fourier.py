"""Discrete Fourier transforms. Spectra are complex, and complex tensors carry no gradients; the shifts keep them.

A transform of n points x is X_k = sum_j x_j exp(-2 pi i j k / n); its inverse has the other sign and the factor 1 / n.
``norm`` says where that factor stands: ``"backward"`` in the inverse, ``"forward"`` in the transform,
``"ortho"`` as 1 / sqrt(n) in both. An axis is cut, or filled with zeros at its end, to the n points asked for.
Transforms along several axes are transforms along one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, mode
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rows import Row
from tinygrad_lite.autograd.rules import fourier as rules
from tinygrad_lite.autograd.rules.elementwise import ASTYPE
from tinygrad_lite.errors import ArgumentError, AxisError, DTypeError, GradientError, fail
from tinygrad_lite.functions.arguments import (
    as_tensor,
    axis_number,
    axis_numbers,
    checked_keywords,
    integer,
    number,
    whole_numbers,
)
from tinygrad_lite.functions.complex_numbers import conj
from tinygrad_lite.functions.creation import created
from tinygrad_lite.functions.manipulation import roll

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]

#: a norm of the transform -> the one that scales its inverse alike
_SWAPPED = {"backward": "forward", "ortho": "ortho", "forward": "backward"}

# --- along one axis ---------------------------------------------------------------------------------


@checked_keywords
def fft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Tensor:
    """The discrete Fourier transform along ``axis``.

    Args:
        x: at least one axis; float32 and float64 give complex64 and complex128, integers complex64.
        n: the number of points; None takes the size of the axis.
        axis: the axis to transform.
        norm: ``"backward"``, ``"ortho"`` or ``"forward"``, see above; None is ``"backward"``.

    Raises:
        ArgumentError: if there is no point, or the norm is unknown.
        GradientError: if ``x`` requires a gradient.

    >>> fft(Tensor([1.0, 2.0, 1.0, 0.0]))
    Tensor([4.+0.j, 0.-2.j, 0.+0.j, 0.+2.j], dtype=complex64)
    """
    return _along("fft", rules.FFT, _signal("fft", x), n, axis, _norm("fft", norm))


@checked_keywords
def ifft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Tensor:
    """The inverse of ``fft``, with the same arguments.

    >>> ifft(Tensor([4 + 0j, -2j, 0, 2j]))
    Tensor([1.+0.j, 2.+0.j, 1.+0.j, 0.+0.j], dtype=complex64)
    """
    return _along("ifft", rules.IFFT, _signal("ifft", x), n, axis, _norm("ifft", norm))


@checked_keywords
def rfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Tensor:
    """The first n // 2 + 1 coefficients of ``fft`` of real numbers; the others are their conjugates.

    Args:
        x: real, at least one axis; float32 and float64 give complex64 and complex128.
        n: the number of points of ``x``.
        axis: the axis to transform.
        norm: as of ``fft``.

    >>> rfft(Tensor([1.0, 2.0, 1.0, 0.0]))
    Tensor([4.+0.j, 0.-2.j, 0.+0.j], dtype=complex64)
    """
    return _along("rfft", rules.RFFT, _signal("rfft", x, real=True), n, axis, _norm("rfft", norm))


@checked_keywords
def irfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Tensor:
    """The inverse of ``rfft``: real numbers.

    Args:
        x: the m first coefficients, at least one axis; complex64 gives float32, complex128 float64.
        n: the number of points of the result; None takes 2 (m - 1), so that an odd number must be said.
        axis: the axis to transform.
        norm: as of ``fft``.

    >>> irfft(Tensor([4 + 0j, -2j, 0]))
    Tensor([1., 2., 1., 0.])
    """
    return _along("irfft", rules.IRFFT, _signal("irfft", x), n, axis, _norm("irfft", norm))


@checked_keywords
def hfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Tensor:
    """The ``fft``, which is real, of n points whose second half is the conjugate of the first, which ``x`` holds.

    Args:
        x: the m first points, at least one axis; complex64 gives float32, complex128 float64.
        n: the number of points of the result; None takes 2 (m - 1).
        axis: the axis to transform.
        norm: as of ``fft``.

    >>> hfft(Tensor([1 + 0j, -0.5j, 0]))
    Tensor([1., 0., 1., 2.])
    """
    signal, swapped = _signal("hfft", x), _SWAPPED[_norm("hfft", norm)]
    return _along("hfft", rules.IRFFT, conj(signal), n, axis, swapped)


@checked_keywords
def ihfft(x: Any, /, n: int | None = None, axis: int = -1, norm: str | None = "backward") -> Tensor:
    """The inverse of ``hfft``: the first n // 2 + 1 of n points, of real ``x``; arguments as of ``rfft``.

    >>> ihfft(Tensor([1.0, 0.0, 1.0, 2.0]))
    Tensor([1.-0.j , 0.-0.5j, 0.-0.j ], dtype=complex64)
    """
    signal, swapped = _signal("ihfft", x, real=True), _SWAPPED[_norm("ihfft", norm)]
    return conj(_along("ihfft", rules.RFFT, signal, n, axis, swapped))


# --- along several axes -----------------------------------------------------------------------------


@checked_keywords
def fftn(
    x: Any, /, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = "backward"
) -> Tensor:
    """``fft`` along several axes.

    Args:
        x: at least one axis.
        s: the number of points per axis; -1, and None for all of them, takes the size of the axis.
        axes: the axes to transform; None takes all, or with ``s`` as many of the last.
        norm: as of ``fft``, which is applied along each axis.

    Raises:
        AxisError: if there is no axis, or one is named twice.
        ArgumentError: if there are not as many sizes as axes.

    >>> fftn(Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[10.+0.j, -2.+0.j],
            [-4.+0.j,  0.+0.j]], dtype=complex64)
    """
    return _along_each("fftn", rules.FFT, rules.FFT, _signal("fftn", x), s, axes, norm)


@checked_keywords
def ifftn(
    x: Any, /, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = "backward"
) -> Tensor:
    """The inverse of ``fftn``, with the same arguments.

    >>> ifftn(Tensor([[10 + 0j, -2], [-4, 0]]))
    Tensor([[1.+0.j, 2.+0.j],
            [3.+0.j, 4.+0.j]], dtype=complex64)
    """
    return _along_each("ifftn", rules.IFFT, rules.IFFT, _signal("ifftn", x), s, axes, norm)


@checked_keywords
def rfftn(
    x: Any, /, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = "backward"
) -> Tensor:
    """``rfft`` along the last of ``axes``, then ``fft`` along the others; arguments as of ``fftn``.

    >>> rfftn(Tensor([[1.0, 2.0, 1.0, 0.0]]))
    Tensor([[4.+0.j, 0.-2.j, 0.+0.j]], dtype=complex64)
    """
    return _along_each("rfftn", rules.RFFT, rules.FFT, _signal("rfftn", x, real=True), s, axes, norm)


@checked_keywords
def irfftn(
    x: Any, /, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = "backward"
) -> Tensor:
    """The inverse of ``rfftn``; ``s`` is of the result, whose last axis has 2 (m - 1) points if it is not said.

    >>> irfftn(Tensor([[4 + 0j, -2j, 0]]))
    Tensor([[1., 2., 1., 0.]])
    """
    return _along_each("irfftn", rules.IRFFT, rules.IFFT, _signal("irfftn", x), s, axes, norm)


# --- what they share --------------------------------------------------------------------------------


def _signal(operation: str, x: Any, real: bool = False) -> Tensor:
    """A tensor of a dtype that has transforms and without a gradient; integers become float32."""
    tensor = as_tensor(operation, x)
    dtype = tensor._data.dtype
    if real and dtype.kind == "c":
        fail(DTypeError, operation, "needs real numbers", {"x": tensor}, "fft.fft and fft.ifft are for complex ones")
    if dtype.kind in "biu":
        return apply(ASTYPE, (tensor,), (dtypes.default_float,))
    if dtype.itemsize < 4:
        fail(DTypeError, operation, "needs float32 or float64", {"x": tensor}, 'x.astype("float32")')
    if tensor._node is not None and mode.enabled:
        need = "cannot carry a gradient: complex tensors have none"
        fail(GradientError, operation, need, {"x": tensor}, "detach() it first")
    return tensor


def _norm(operation: str, norm: str | None) -> str:
    if norm is None:
        return "backward"
    if norm not in _SWAPPED:
        fail(ArgumentError, operation, f"needs a norm of {', '.join(_SWAPPED)}, but got {norm!r}")
    return norm


def _along(operation: str, row: Row, x: Tensor, n: int | None, axis: int, norm: str) -> Tensor:
    place = axis_number(operation, axis, x._data.ndim, x)
    count = _points(row, x, place) if n is None else integer(operation, "n", n)
    _require_points(operation, x, place, count)
    return apply(row, (x,), (count, place, norm))


def _along_each(
    operation: str,
    last: Row,
    others: Row,
    x: Tensor,
    s: Sequence[int] | None,
    axes: Sequence[int] | None,
    norm: str | None,
) -> Tensor:
    """``others`` along all axes but the last one named, ``last`` along that: first if it makes real numbers complex."""
    ndim, scale = x._data.ndim, _norm(operation, norm)
    sizes = None if s is None else whole_numbers(operation, "s", s)
    if axes is None:
        named: tuple[int, ...] = tuple(range(ndim))[-len(sizes) :] if sizes else tuple(range(ndim))
    else:
        named = whole_numbers(operation, "axes", axes)
    places = [axis_number(operation, a, ndim, x) for a in named]
    if not places:
        fail(AxisError, operation, "needs at least one axis to transform", {"x": x})
    if len(set(places)) < len(places):
        fail(AxisError, operation, f"got axes {named}, which name an axis twice", {"x": x})
    if sizes is not None and len(sizes) != len(places):
        need = f"needs a size in s for each of {len(places)} axes, but got {sizes}"
        fail(ArgumentError, operation, need, {"x": x}, "-1 takes the size of the axis")
    steps = []
    for i, place in enumerate(places):
        row = last if i == len(places) - 1 else others
        count = _points(row, x, place) if sizes is None or sizes[i] == -1 else sizes[i]
        _require_points(operation, x, place, count)
        steps.append((row, count, place))
    for row, count, place in reversed(steps) if last is rules.RFFT else steps:
        x = apply(row, (x,), (count, place, scale))
    return x


def _points(row: Row, x: Tensor, place: int) -> int:
    """How many points the transform along an axis has where nothing else is said."""
    size: int = x._data.shape[place]
    return 2 * (size - 1) if row is rules.IRFFT else size


def _require_points(operation: str, x: Tensor, place: int, count: int) -> None:
    if count < 1:
        fail(ArgumentError, operation, f"needs at least 1 point along axis {place}, but got {count}", {"x": x})


# --- frequencies and their order --------------------------------------------------------------------


@checked_keywords
def fftfreq(n: int, /, d: float = 1.0, dtype: dtypes.DTypeLike = None, device: str | None = None) -> Tensor:
    """The frequencies of the coefficients of ``fft`` in cycles per unit: 0, 1, ..., -2, -1 over n d.

    Args:
        n: the number of points.
        d: the distance of two points.
        dtype: a floating-point dtype; float32 if it is not said.
        device: where the result is.

    >>> fftfreq(4)
    Tensor([ 0.  ,  0.25, -0.5 , -0.25])
    """
    count, span, kind = _grid("fftfreq", n, d, dtype)
    steps = np.arange(count)
    steps[(count + 1) // 2 :] -= count
    return created("fftfreq", (steps / span).astype(kind), device, False)


@checked_keywords
def rfftfreq(n: int, /, d: float = 1.0, dtype: dtypes.DTypeLike = None, device: str | None = None) -> Tensor:
    """The frequencies of the coefficients of ``rfft``: 0, 1, ..., n // 2 over n d; arguments as of ``fftfreq``.

    >>> rfftfreq(4)
    Tensor([0.  , 0.25, 0.5 ])
    """
    count, span, kind = _grid("rfftfreq", n, d, dtype)
    return created("rfftfreq", (np.arange(count // 2 + 1) / span).astype(kind), device, False)


def _grid(operation: str, n: Any, d: Any, dtype: dtypes.DTypeLike) -> tuple[int, float, dtypes.DType]:
    """The number of points, what they span, and the dtype of their frequencies."""
    count, distance = integer(operation, "n", n), number(operation, "d", d)
    kind = dtypes.default_float if dtype is None else dtypes.as_dtype(dtype)
    if kind.kind != "f":
        fail(DTypeError, operation, f"needs a floating-point dtype, but got {kind.name}")
    if count < 1:
        fail(ArgumentError, operation, f"needs at least 1 point, but got {count}")
    if not distance or not math.isfinite(distance):
        fail(ArgumentError, operation, f"needs a finite distance other than 0 as d, but got {distance}")
    return count, count * distance, kind


@checked_keywords
def fftshift(x: Any, /, axes: int | Sequence[int] | None = None) -> Tensor:
    """``x`` in rising order of frequency: the one of frequency 0 moves to the middle.

    Args:
        x: any shape and dtype.
        axes: one axis or several; None takes all.

    >>> fftshift(Tensor([0.0, 1.0, -2.0, -1.0]))
    Tensor([-2., -1.,  0.,  1.])
    """
    return _shifted("fftshift", x, axes, 1)


@checked_keywords
def ifftshift(x: Any, /, axes: int | Sequence[int] | None = None) -> Tensor:
    """The inverse of ``fftshift``; of an odd number of elements it is another.

    >>> ifftshift(Tensor([-2.0, -1.0, 0.0, 1.0]))
    Tensor([ 0.,  1., -2., -1.])
    """
    return _shifted("ifftshift", x, axes, -1)


def _shifted(operation: str, x: Any, axes: int | Sequence[int] | None, sign: int) -> Tensor:
    tensor = as_tensor(operation, x)
    places = axis_numbers(operation, axes, tensor._data.ndim, tensor)
    if not places:
        return roll(tensor, 0)
    return roll(tensor, [sign * (tensor._data.shape[a] // 2) for a in places], places)
