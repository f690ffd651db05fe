"""The functions that can be called as methods: ``x.sum(axis=0)`` is ``sum(x, axis=0)``.

Each is the public function itself, so that a method costs no extra call and shows its documentation.
"""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.functions import closeness, network, repeating
from tinygrad_lite.functions import namespace as functions
from tinygrad_lite.functions import scatter as scattering


class FunctionMethods:
    """The public functions whose first operand is the tensor."""

    __slots__ = ()

    # --- element by element -------------------------------------------------------------------------

    abs, sign, square, sqrt, rsqrt = functions.abs, functions.sign, functions.square, functions.sqrt, functions.rsqrt
    exp, expm1, exp2 = functions.exp, functions.expm1, functions.exp2
    log, log1p, log2, log10 = functions.log, functions.log1p, functions.log2, functions.log10
    sin, cos, tan = functions.sin, functions.cos, functions.tan
    asin, acos, atan = functions.asin, functions.acos, functions.atan
    sinh, cosh, tanh = functions.sinh, functions.cosh, functions.tanh
    asinh, acosh, atanh = functions.asinh, functions.acosh, functions.atanh
    round, floor, ceil, trunc = functions.round, functions.floor, functions.ceil, functions.trunc
    negative, reciprocal, pow = functions.negative, functions.reciprocal, functions.pow
    maximum, minimum, clip = functions.maximum, functions.minimum, functions.clip
    erf, sigmoid, relu = functions.erf, functions.sigmoid, functions.relu
    conj, nan_to_num = functions.conj, functions.nan_to_num
    isfinite, isinf, isnan = functions.isfinite, functions.isinf, functions.isnan
    isclose, allclose = closeness.isclose, closeness.allclose

    # --- along axes -----------------------------------------------------------------------------------

    sum, prod, mean, var, std = functions.sum, functions.prod, functions.mean, functions.var, functions.std
    max, min, argmax, argmin = functions.max, functions.min, functions.argmax, functions.argmin
    amax, amin = functions.amax, functions.amin
    any, all, count_nonzero = functions.any, functions.all, functions.count_nonzero
    median, quantile = functions.median, functions.quantile
    logsumexp, softmax, log_softmax = functions.logsumexp, network.softmax, network.log_softmax
    cumulative_sum, cumulative_prod = functions.cumulative_sum, functions.cumulative_prod
    cumulative_max, cumulative_min = functions.cumulative_max, functions.cumulative_min
    diff, norm = functions.diff, functions.norm
    sort, argsort, topk = functions.sort, functions.argsort, functions.topk
    nonzero, unique = functions.nonzero, functions.unique

    # --- shapes -----------------------------------------------------------------------------------------

    squeeze, expand_dims = functions.squeeze, functions.expand_dims
    flatten, unflatten = functions.flatten, functions.unflatten
    moveaxis, swapaxes = functions.moveaxis, functions.swapaxes
    flip, roll, tril, triu = functions.flip, functions.roll, functions.tril, functions.triu
    broadcast_to, repeat, tile = functions.broadcast_to, repeating.repeat, repeating.tile
    repeat_interleave = repeating.repeat_interleave
    split, unstack = functions.split, functions.unstack

    def reshape(self: Any, *shape: Any, copy: bool | None = None) -> Tensor:
        """``x.reshape(2, 3)`` or ``x.reshape((2, 3))``: the same elements in another shape."""
        return functions.reshape(self, shape[0] if len(shape) == 1 else shape, copy)

    def permute_dims(self: Any, *axes: Any) -> Tensor:
        """``x.permute_dims(1, 0)`` or ``x.permute_dims((1, 0))``: the axes in another order."""
        return functions.permute_dims(self, axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes)

    # --- elements by index --------------------------------------------------------------------------------

    take, take_along_axis, gather = functions.take, functions.take_along_axis, functions.gather
    masked_fill, masked_select = scattering.masked_fill, functions.masked_select
    scatter, scatter_add, index_add = scattering.scatter, scattering.scatter_add, scattering.index_add

    # --- products -----------------------------------------------------------------------------------------

    matmul, dot, outer = functions.matmul, functions.dot, functions.outer
    trace, diagonal = functions.trace, functions.diagonal

    # --- complex numbers: attributes, as everywhere -------------------------------------------------------

    @property
    def real(self) -> Tensor:
        """The real part; of real numbers they themselves."""
        return functions.real(self)

    @property
    def imag(self) -> Tensor:
        """The imaginary part; of real numbers zeros."""
        return functions.imag(self)
