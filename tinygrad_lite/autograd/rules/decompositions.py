"""Factors, eigenvalues and singular values; the last two axes are the matrix, the rest are batches.

Sources: Murray, "Differentiation of the Cholesky decomposition" (2016); Walter & Lehmann, "Algorithmic
differentiation of linear algebra functions" (2010), for QR; Giles, "An extended collection of matrix derivative
results" (2008), for eigenvalues; Townsend, "Differentiating the singular value decomposition" (2016). Where two
eigenvalues or singular values are equal their vectors are not unique and have no derivative: inf or NaN.
"""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.rows import Rule, row
from tinygrad_lite.autograd.rules.products import t
from tinygrad_lite.autograd.rules.solvers import identity


def _symmetric(xp: Any, x: Any) -> Any:
    return (x + t(xp, x)) * 0.5


def _columns(xp: Any, s: Any) -> Any:
    """One number per column of the matrices that it multiplies."""
    return xp.expand_dims(s, (-2,))


# --- Cholesky -----------------------------------------------------------------------------------------------


def _phi(xp, x):
    """The lower triangle with half the diagonal: the linear map that splits a symmetric matrix in two."""
    return (xp.tril(x, 0) + xp.tril(x, -1)) * 0.5


def _cholesky_vjp(xp, g, ans):
    # L^-T phi(L^T g) L^-1, made symmetric, because the operand is.
    inner = _phi(xp, xp.matmul(t(xp, ans), xp.tril(g, 0)))
    left = xp.solve_triangular(ans, inner, False, True)
    return _symmetric(xp, t(xp, xp.solve_triangular(ans, t(xp, left), False, True)))


def _cholesky_jvp(xp, dx, ans):
    # L phi(L^-1 dA L^-T)
    left = xp.solve_triangular(ans, _symmetric(xp, dx), False, False)
    inner = t(xp, xp.solve_triangular(ans, t(xp, left), False, False))
    return xp.matmul(ans, _phi(xp, inner))


CHOLESKY = row("cholesky", "x", x=Rule(_cholesky_vjp, _cholesky_jvp))

# --- QR -----------------------------------------------------------------------------------------------------


def _over(xp, x, r):
    """x R^-1."""
    return t(xp, xp.solve_triangular(r, t(xp, x), True, True))


def _tall_qr_vjp(xp, gq, gr, q, r):
    # (gQ + Q copyltu(M)) R^-T with M = R gR^T - gQ^T Q, whose lower triangle copyltu mirrors.
    m = xp.matmul(r, t(xp, gr)) - xp.matmul(t(xp, gq), q)
    mirrored = xp.tril(m, 0) + t(xp, xp.tril(m, -1))
    share = gq + xp.matmul(q, mirrored)
    return t(xp, xp.solve_triangular(r, t(xp, share), True, False))


def _tall_qr_jvp(xp, dx, q, r):
    # dA = dQ R + Q dR, where Q^T dQ is antisymmetric and dR R^-1 triangular: the latter is what is left of
    # W = Q^T dA R^-1 without the antisymmetric matrix that has W's lower triangle.
    over = _over(xp, dx, r)
    w = xp.matmul(t(xp, q), over)
    lower = xp.tril(w, -1)
    triangle = w - lower + t(xp, lower)
    return over - xp.matmul(q, triangle), xp.matmul(triangle, r)


# Of a wide matrix A = (X Y) = Q (U V), X = Q U is a square decomposition and V = Q^T Y a product.
def _qr_vjp(xp, g, Q, R, x_shape):
    gq = xp.zeros_like(Q) if g[0] is None else g[0]
    gr = xp.zeros_like(R) if g[1] is None else g[1]
    m, n = x_shape[-2:]
    if m >= n:
        return _tall_qr_vjp(xp, gq, gr, Q, R)
    gv = gr[..., :, m:]
    gq = gq + xp.matmul(xp.matmul(Q, R[..., :, m:]), t(xp, gv))
    gx = _tall_qr_vjp(xp, gq, gr[..., :, :m], Q, R[..., :, :m])
    return xp.concat((gx, xp.matmul(Q, gv)), len(x_shape) - 1)


def _qr_jvp(xp, dx, Q, R, x_shape):
    m, n = x_shape[-2:]
    if m >= n:
        return _tall_qr_jvp(xp, dx, Q, R)
    dq, du = _tall_qr_jvp(xp, dx[..., :, :m], Q, R[..., :, :m])
    dv = xp.matmul(t(xp, Q), dx[..., :, m:] - xp.matmul(dq, R[..., :, m:]))
    return dq, xp.concat((du, dv), len(x_shape) - 1)


# ``mode`` is "reduced" or "complete"; of the complete form only square and wide matrices have derivatives.
QR = row("qr", "x | mode -> Q R", x=Rule(_qr_vjp, _qr_jvp))

# --- eigenvalues of symmetric matrices ----------------------------------------------------------------------


def _gaps(xp, values, unit):
    """1 / (v_j - v_i) off the diagonal, 0 on it."""
    differences = xp.expand_dims(values, (-2,)) - xp.expand_dims(values, (-1,))
    return (1.0 - unit) / (differences + unit)


def _eigh_vjp(xp, g, eigenvalues, eigenvectors):
    # V (diag(gw) + F * V^T gV) V^T, made symmetric, because the operand is.
    v = eigenvectors
    share = None
    if g[0] is not None:
        share = xp.matmul(v * _columns(xp, g[0]), t(xp, v))
    if g[1] is not None:
        inner = xp.matmul(t(xp, v), g[1])
        turned = inner * _gaps(xp, eigenvalues, identity(xp, inner))
        turned = _symmetric(xp, xp.matmul(v, xp.matmul(turned, t(xp, v))))
        share = turned if share is None else share + turned
    return share


def _eigh_jvp(xp, dx, eigenvalues, eigenvectors):
    # With E = V^T dA V: dw = diag(E), dV = V (F * E).
    v = eigenvectors
    inner = xp.matmul(t(xp, v), xp.matmul(_symmetric(xp, dx), v))
    unit = identity(xp, inner)
    turned = xp.matmul(v, inner * _gaps(xp, eigenvalues, unit))
    return xp.sum(inner * unit, (len(inner.shape) - 1,), False), turned


EIGH = row("eigh", "x -> eigenvalues eigenvectors", x=Rule(_eigh_vjp, _eigh_jvp))


# The values alone cost a fraction of the vectors: those wait until a derivative asks for them.
def _eigvalsh_vjp(xp, g, x):
    _, v = xp.eigh(x)
    return xp.matmul(v * _columns(xp, g), t(xp, v))


def _eigvalsh_jvp(xp, dx, x):
    _, v = xp.eigh(x)
    return xp.sum(v * xp.matmul(_symmetric(xp, dx), v), (len(v.shape) - 2,), False)


EIGVALSH = row("eigvalsh", "x", x=Rule(_eigvalsh_vjp, _eigvalsh_jvp))

# --- eigenvalues of any matrix, which may be complex: no derivatives ----------------------------------------

EIG = row("eig", "x -> eigenvalues eigenvectors")
EIGVALS = row("eigvals", "x")

# --- singular values ----------------------------------------------------------------------------------------


def _squared_gaps(xp, s, unit):
    """1 / (s_j^2 - s_i^2) off the diagonal, 0 on it."""
    row_values, column_values = xp.expand_dims(s, (-2,)), xp.expand_dims(s, (-1,))
    return (1.0 - unit) / ((row_values - column_values) * (row_values + column_values) + unit)


def _svd_vjp(xp, g, U, S, Vh, x_shape):
    gu, gs, gvh = g
    m, n = x_shape[-2:]
    square = xp.matmul(Vh, t(xp, Vh))
    unit = identity(xp, square)
    inner = xp.zeros_like(square)
    if gs is not None:
        inner = unit * _columns(xp, gs)
    outside = []
    if gu is not None:
        share = xp.matmul(t(xp, U), gu)
        inner = inner + (share - t(xp, share)) * _squared_gaps(xp, S, unit) * _columns(xp, S)
        if m > n:  # what of gU lies outside the span of U
            outside.append(xp.matmul((gu - xp.matmul(U, share)) / _columns(xp, S), Vh))
    if gvh is not None:
        share = xp.matmul(Vh, t(xp, gvh))
        inner = inner + (share - t(xp, share)) * _squared_gaps(xp, S, unit) * xp.expand_dims(S, (-1,))
        if n > m:
            rest = gvh - xp.matmul(t(xp, share), Vh)
            outside.append(xp.matmul(U / _columns(xp, S), rest))
    total = xp.matmul(U, xp.matmul(inner, Vh))
    for term in outside:
        total = total + term
    return total


def _svd_jvp(xp, dx, U, S, Vh, x_shape):
    m, n = x_shape[-2:]
    inner = xp.matmul(t(xp, U), xp.matmul(dx, t(xp, Vh)))
    unit = identity(xp, inner)
    gaps = _squared_gaps(xp, S, unit)
    by_column, by_row = inner * _columns(xp, S), inner * xp.expand_dims(S, (-1,))
    du = xp.matmul(U, gaps * (by_column + t(xp, by_column)))
    dv = xp.matmul(t(xp, Vh), gaps * (by_row + t(xp, by_row)))
    if m > n:
        outside = xp.matmul(dx, t(xp, Vh)) - xp.matmul(U, inner)
        du = du + outside / _columns(xp, S)
    if n > m:
        outside = xp.matmul(t(xp, dx), U) - xp.matmul(t(xp, Vh), t(xp, inner))
        dv = dv + outside / _columns(xp, S)
    return du, xp.sum(inner * unit, (len(inner.shape) - 1,), False), t(xp, dv)


# Derivatives are of the reduced form, or of square matrices.
SVD = row("svd", "x | full_matrices -> U S Vh", x=Rule(_svd_vjp, _svd_jvp))


def _svdvals_vjp(xp, g, x):
    u, _, vh = xp.svd(x, False)
    return xp.matmul(u * _columns(xp, g), vh)


def _svdvals_jvp(xp, dx, x):
    u, _, vh = xp.svd(x, False)
    return xp.sum(u * xp.matmul(dx, t(xp, vh)), (len(u.shape) - 2,), False)


SVDVALS = row("svdvals", "x", x=Rule(_svdvals_vjp, _svdvals_jvp))
