"""Decompositions and solvers, computed on the CPU; the exponential of matrices, of which that is true for one step."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.backends.cpu.matrix_exponential import PADE, squarings
from tinygrad_lite.backends.cuda import elementwise, products, reductions
from tinygrad_lite.backends.cuda.array import CudaArray, copied, from_host
from tinygrad_lite.backends.cuda.fallback import on_cpu

__all__ = [
    *("cholesky", "cofactors", "det", "eig", "eigh", "eigvals", "eigvalsh", "inv", "matrix_exp", "pinv", "qr"),
    *("slogdet", "solve", "solve_triangular", "svd", "svdvals"),
]

cholesky = on_cpu("cholesky")
cofactors = on_cpu("cofactors")
det = on_cpu("det")
eig = on_cpu("eig")
eigh = on_cpu("eigh")
eigvals = on_cpu("eigvals")
eigvalsh = on_cpu("eigvalsh")
inv = on_cpu("inv")
pinv = on_cpu("pinv")
qr = on_cpu("qr")
slogdet = on_cpu("slogdet")
solve = on_cpu("solve")
solve_triangular = on_cpu("solve_triangular")
svd = on_cpu("svd")
svdvals = on_cpu("svdvals")


def matrix_exp(x: CudaArray) -> CudaArray:
    """(p(x / 2^s) / p(-x / 2^s))^(2^s), as on the CPU; the quotient is a ``solve``.

    The numbers of squarings, one per matrix, are chosen on the CPU: the quotient waits for the GPU anyway.
    """
    if not x.size:
        return copied(x)
    n, add, multiply, matmul = x.shape[-1], elementwise.add, elementwise.multiply, products.matmul
    sums = reductions.sum(elementwise.abs(x), (x.ndim - 2,), False)
    count, scales = squarings(reductions.max(sums, (x.ndim - 2,), False).get())
    a = multiply(x, from_host(scales))
    square = matmul(a, a)
    power: Any = from_host(np.eye(n, dtype=x.dtype))
    even, odd = multiply(power, PADE[0]), multiply(power, PADE[1])
    for k in range(2, 14, 2):
        power = square if k == 2 else matmul(power, square)
        even = add(even, multiply(power, PADE[k]))
        odd = add(odd, multiply(power, PADE[k + 1]))
    odd = matmul(a, odd)
    result: CudaArray = solve(elementwise.subtract(even, odd), add(even, odd))
    for k in range(int(count.max())):
        going_on = from_host((k < count)[..., None, None])
        result = elementwise.where(going_on, matmul(result, result), result)
    return result
