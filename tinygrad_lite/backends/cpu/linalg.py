"""Products, decompositions and solvers on NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array

matmul = np.matmul
inv = np.linalg.inv
cholesky = np.linalg.cholesky


def slogdet(x: Array) -> tuple[Array, Array]:
    sign, logabsdet = np.linalg.slogdet(x)
    return sign, logabsdet


def contract(arrays: Sequence[Array], inputs: Sequence[str], output: str) -> Array:
    result = np.einsum(f"{','.join(inputs)}->{output}", *arrays, optimize=len(arrays) > 1)
    return result.copy() if len(arrays) == 1 else result  # of one array it may be a view


def solve_triangular(a: Array, b: Array, upper: bool, transpose: bool) -> Array:
    """NumPy has no triangular solver; its general one, on the triangle alone, pivots nothing away."""
    a = np.triu(a) if upper else np.tril(a)
    return np.linalg.solve(a.swapaxes(-1, -2) if transpose else a, b)
