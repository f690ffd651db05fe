"""Products of vectors and matrices in the array namespace; ``gemm.py`` says how they reach the GPU."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_lite.backends.cuda import launching, layout
from tinygrad_lite.backends.cuda.array import CudaArray, empty
from tinygrad_lite.backends.cuda.contraction import contract
from tinygrad_lite.backends.cuda.elementwise import astype
from tinygrad_lite.backends.cuda.gemm import dots, gemm
from tinygrad_lite.backends.cuda.gemm_plan import CROSS
from tinygrad_lite.errors import DTypeError, fail

__all__ = ["contract", "cross", "matmul", "matrix_transpose", "vecdot"]


def matmul(x1: CudaArray, x2: CudaArray) -> CudaArray:
    """The matrix product with NumPy's rules: leading axes broadcast, a vector is one row or one column."""
    x1, x2 = _promoted(x1, x2)
    if x1.ndim > 1 and x2.ndim > 1:
        return gemm(x1, x2)
    left = x1 if x1.ndim > 1 else x1.view_as((1, *x1.shape), (0, *x1.strides))
    right = x2 if x2.ndim > 1 else x2.view_as((*x2.shape, 1), (*x2.strides, 0))
    product = gemm(left, right)
    shape = product.shape[:-2] + product.shape[-2:-1] * (x1.ndim > 1) + product.shape[-1:] * (x2.ndim > 1)
    return product.view_as(shape, layout.row_major(shape))


def matrix_transpose(x: CudaArray) -> CudaArray:
    """A view with the last two axes exchanged."""
    shape, strides = x.shape, x.strides
    return x.view_as((*shape[:-2], shape[-1], shape[-2]), (*strides[:-2], strides[-1], strides[-2]))


def vecdot(x1: CudaArray, x2: CudaArray) -> CudaArray:
    """The sums of the products of conj(x1) and x2 along the last axis; the others broadcast."""
    return dots(*_promoted(x1, x2), conjugated=True)


def cross(x1: CudaArray, x2: CudaArray, axis: int) -> CudaArray:
    """Vector products of the three elements along an axis that counts from the end; the other axes broadcast."""
    x1, x2 = _promoted(x1, x2)
    if x1.dtype.kind == "b":
        fail(DTypeError, "cross", "needs numbers, which can be subtracted", {"x1": x1, "x2": x2})
    out = empty(layout.broadcast_shapes(x1.shape, x2.shape), x1.dtype)
    if out.size:
        item = out.dtype.itemsize
        arrays = [(x.shape, x.strides) for x in (x1, x2)]
        for grid, threads, offsets, numbers in _vectors(out.shape, *arrays[0], *arrays[1], axis):
            places = (x.address + start * item for x, start in zip((x1, x2, out), offsets, strict=True))
            CROSS[out.dtype](grid, threads, *places, *numbers)
    return out


@functools.lru_cache(256)
def _vectors(
    shape: tuple[int, ...],
    shape1: tuple[int, ...],
    strides1: tuple[int, ...],
    shape2: tuple[int, ...],
    strides2: tuple[int, ...],
    axis: int,
) -> list[tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, ...], tuple[Any, ...]]]:
    """The launches of ``cross``: grid, block, first elements, and the arguments behind the addresses."""
    place = len(shape) + axis
    all_strides = (
        layout.broadcast_strides(shape1, strides1, shape),
        layout.broadcast_strides(shape2, strides2, shape),
        layout.row_major(shape),
    )
    steps = tuple(s[place] for s in all_strides)
    rest = tuple(s[:place] + s[place + 1 :] for s in all_strides)
    found = []
    for piece, strides, offsets in layout.pieces(*_flat(layout.merged(shape[:place] + shape[place + 1 :], *rest))):
        count = math.prod(piece)
        threads = launching.block_size(count)
        grid = (launching.blocks(count, threads), 1, 1)
        found.append((grid, (threads, 1, 1), offsets, (*steps, layout.pack(piece, *strides))))
    return found


def _flat(merged: tuple[Any, tuple[Any, ...]]) -> tuple[Any, ...]:
    return merged[0], *merged[1]


def _promoted(x1: CudaArray, x2: CudaArray) -> tuple[CudaArray, CudaArray]:
    """Both in the dtype that NumPy gives the result."""
    if x1.dtype == x2.dtype:
        return x1, x2
    dtype = np.result_type(x1.dtype, x2.dtype)
    return astype(x1, dtype), astype(x2, dtype)
