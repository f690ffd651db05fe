"""Fused forward-and-backward pairs for the rows that training spends its time in; see ``backends/override.py``.

The linear layer stands here, the others in the files of their kernels. Gradients of leaves go straight to their
places in the arena; whatever else a pair returns is new memory, which the pool has ready.
"""

from __future__ import annotations

import math
from typing import Any

from tinygrad_lite.backends.cuda import batch_normalization, compiler, launching, namespace, pointwise, softmax
from tinygrad_lite.backends.cuda.array import CudaArray, contiguous, empty
from tinygrad_lite.backends.cuda.gemm import column_sums, gemm, transposed
from tinygrad_lite.backends.cuda.pointwise import at_sixteen, landing, packs
from tinygrad_lite.backends.cuda.types import C_NAMES, FLOATS
from tinygrad_lite.backends.override import Override

_ACTIVATIONS = {"relu": 1, "tanh": 2, "sigmoid": 3}  # as in kernels/activations.cu
_SLOPES = {
    dtype: launching.Kernel(compiler.module("activations.cu", TYPE=C_NAMES[dtype]), "slope", "PPPQQi")
    for dtype in FLOATS
}


class Linear:
    """What a linear layer keeps for its derivative.

    Attributes:
        x, weight, out: as computed.
        activation: what came after the sum, or None.
        passed: a gradient that was multiplied by the slope of the activation already, or None: the layer behind this
            one does so while it writes its result.
    """

    def __init__(self, x: CudaArray, weight: CudaArray, out: CudaArray, activation: str | None) -> None:
        self.x, self.weight, self.out, self.activation = x, weight, out, activation
        self.passed: CudaArray | None = None


def _linear(
    needs: tuple[bool, ...], x: CudaArray, weight: CudaArray, bias: CudaArray | None, activation: str | None
) -> tuple[CudaArray, Linear]:
    """One product, which adds the bias and applies the activation to what it writes."""
    bias = None if bias is None else contiguous(bias)
    out = gemm(_rows(x), transposed(weight), bias=bias, activation=activation)
    if x.ndim != 2:
        out = out.reshape(*x.shape[:-1], weight.shape[0])
    return out, Linear(x, weight, out, activation)


def _linear_backward(
    saved: Linear, g: CudaArray, needs: tuple[bool, ...], sinks: list[Any]
) -> tuple[CudaArray | None, ...]:
    """Two products; the one that reads the gradient by columns also adds them up for the bias."""
    x, weight = saved.x, saved.weight
    if saved.activation is not None and g is not saved.passed:
        g = _through_slope(g, saved.out, saved.activation)
    saved.passed = None
    rows = _rows(g)
    gx = gw = gb = None
    if needs[2]:
        gb = landing(sinks[2], weight.shape[:1], weight.dtype)
    if needs[1]:
        gw = landing(sinks[1], weight.shape, weight.dtype)
        gemm(transposed(rows), _rows(x), out=gw, sums=gb)
    elif gb is not None:
        column_sums(rows, gb)
    if needs[0]:
        before = sinks[0]
        if type(before) is Linear and before.out is x and x.contiguous:
            gx = gemm(rows, weight, slope=before.activation, saved=_rows(x))
            gx = gx if x.ndim == 2 else gx.reshape(x.shape)
            before.passed = gx
        else:
            gx = landing(before, x.shape, x.dtype)
            gemm(rows, weight, out=gx if x.ndim == 2 else gx.reshape(rows.shape[0], x.shape[-1]))
    return gx, gw, gb


def _lend(saved: Linear) -> Linear | None:
    """Itself, if the layer behind may apply the slope.

    Should another operation send a gradient, too, the slope is applied to the sum of both: selecting twice, as that of
    relu does, is selecting once. Other slopes would count twice.
    """
    return saved if saved.activation == "relu" else None


def _rows(x: CudaArray) -> CudaArray:
    """All axes but the last as one."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _through_slope(g: CudaArray, out: CudaArray, activation: str) -> CudaArray:
    g, out = contiguous(g), contiguous(out)
    result = empty(out.shape, out.dtype)
    if out.size:
        addresses = g.address, out.address, result.address
        grid, block, vectors = packs(out.size, 16 // out.dtype.itemsize, at_sixteen(*addresses))
        _SLOPES[out.dtype](grid, block, *addresses, vectors, out.size, _ACTIVATIONS[activation])
    return result


namespace.overrides.update(
    batch_norm=Override(batch_normalization.forward, batch_normalization.backward),
    dropout=Override(pointwise.dropout, pointwise.dropout_backward),
    gelu=Override(pointwise.gelu, pointwise.gelu_backward),
    linear=Override(_linear, _linear_backward, _lend),
    log_softmax=Override(softmax.log_softmax, softmax.log_softmax_backward),
    softmax=Override(softmax.softmax, softmax.softmax_backward),
    softmax_cross_entropy=Override(softmax.cross_entropy, softmax.cross_entropy_backward),
)
