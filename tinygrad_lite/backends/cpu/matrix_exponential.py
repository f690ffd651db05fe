"""The exponential of matrices, by scaling and squaring."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array

#: Coefficients of the diagonal Pade approximant of degree 13, and the largest 1-norm at which it is as good as
#: float64 (Higham, "The scaling and squaring method for the matrix exponential revisited", 2005, table 2.3).
PADE = [math.comb(13, k) / math.perm(26, k) for k in range(14)]
_LARGEST_NORM = 5.37


@np.errstate(divide="ignore", invalid="ignore")
def squarings(norms: Array) -> tuple[Array, Array]:
    """How often each matrix is halved and its exponential squared, by the 1-norms; and what that multiplies it by."""
    found = np.ceil(np.log2(norms / _LARGEST_NORM))
    found = np.where(np.isfinite(norms), np.maximum(found, 0), 0).astype(np.int64)
    return found, np.exp2(-found).astype(norms.dtype)[..., None, None]


@np.errstate(divide="ignore", invalid="ignore", over="ignore")
def matrix_exp(x: Array) -> Array:
    """(p(x / 2^s) / p(-x / 2^s))^(2^s), with s chosen per matrix so that the scaled norm is small."""
    count, scales = squarings(np.abs(x).sum(-2).max(-1, initial=0))
    a = x * scales
    power, even, odd = np.eye(x.shape[-1], dtype=x.dtype), 0, 0
    square = a @ a
    for k in range(0, 14, 2):
        even = even + x.dtype.type(PADE[k]) * power
        odd = odd + x.dtype.type(PADE[k + 1]) * power
        power = power @ square
    odd = a @ odd
    result: Array = np.linalg.solve(even - odd, even + odd)
    for k in range(int(count.max(initial=0))):
        result = np.where((k < count)[..., None, None], result @ result, result)
    return result
