"""Products, decompositions and solvers on NumPy arrays: LAPACK's, by way of NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array

# --- products ---------------------------------------------------------------------------------------

matmul = np.matmul
vecdot = np.vecdot


def cross(x1: Array, x2: Array, axis: int) -> Array:
    return np.cross(x1, x2, axis=axis)


def contract(arrays: Sequence[Array], inputs: Sequence[str], output: str) -> Array:
    result = np.einsum(f"{','.join(inputs)}->{output}", *arrays, optimize=len(arrays) > 1)
    return result.copy() if len(arrays) == 1 else result  # of one array it may be a view


# --- inverses and solvers -------------------------------------------------------------------------------

inv = np.linalg.inv
solve = np.linalg.solve


def solve_triangular(a: Array, b: Array, upper: bool, transpose: bool) -> Array:
    """NumPy has no triangular solver; its general one, on the triangle alone, pivots nothing away."""
    a = np.triu(a) if upper else np.tril(a)
    return np.linalg.solve(a.swapaxes(-1, -2) if transpose else a, b)


def pinv(x: Array, rtol: float | Array) -> Array:
    return np.linalg.pinv(x, rtol=np.asarray(rtol))


# --- determinants -----------------------------------------------------------------------------------------

det = np.linalg.det


def slogdet(x: Array) -> tuple[Array, Array]:
    sign, logabsdet = np.linalg.slogdet(x)
    return sign, logabsdet


def cofactors(x: Array) -> Array:
    """det(x) x^-T, or, where a matrix has no inverse, the same by its singular values."""
    try:
        inverse = np.linalg.inv(x)
    except np.linalg.LinAlgError:
        u, s, vh = np.linalg.svd(x)
        others = np.where(np.eye(x.shape[-1], dtype=bool), x.dtype.type(1), s[..., None, :]).prod(-1)
        others *= (np.linalg.det(u) * np.linalg.det(vh))[..., None]
        return np.matmul(u * others[..., None, :], vh)
    result: Array = np.linalg.det(x)[..., None, None] * inverse.swapaxes(-1, -2)
    return result


# --- decompositions -----------------------------------------------------------------------------------------

cholesky = np.linalg.cholesky
svdvals = np.linalg.svdvals


def qr(x: Array, mode: Any) -> tuple[Array, Array]:
    q, r = np.linalg.qr(x, mode)
    return q, r


def eigh(x: Array) -> tuple[Array, Array]:
    _require_finite(x)
    eigenvalues, eigenvectors = np.linalg.eigh(x)
    return eigenvalues, eigenvectors


def eigvalsh(x: Array) -> Array:
    _require_finite(x)
    return np.linalg.eigvalsh(x)


def _require_finite(x: Array) -> None:
    """Refuse NaN and inf in the triangle that is read: LAPACK makes finite eigenvalues of NaN."""
    if not np.isfinite(np.tril(x)).all():
        raise np.linalg.LinAlgError("Array must not contain infs or NaNs")


def eig(x: Array) -> tuple[Array, Array]:
    """Complex always: whether NumPy's are depends on the values."""
    eigenvalues, eigenvectors = np.linalg.eig(x)
    dtype = np.result_type(x, np.complex64)
    return eigenvalues.astype(dtype, copy=False), eigenvectors.astype(dtype, copy=False)


def eigvals(x: Array) -> Array:
    return np.linalg.eigvals(x).astype(np.result_type(x, np.complex64), copy=False)


def svd(x: Array, full_matrices: bool) -> tuple[Array, Array, Array]:
    u, s, vh = np.linalg.svd(x, full_matrices)
    return u, s, vh
