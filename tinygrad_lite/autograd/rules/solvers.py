"""Inverses, linear systems, determinants and powers of matrices; leading axes are batches, which broadcast.

The derivatives are those of Giles, "An extended collection of matrix derivative results" (2008), unless a row
names another source.
"""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.rows import Joint, Rule, row
from tinygrad_lite.autograd.rules.products import t


def _matrix(ndim: int) -> tuple[int, int]:
    """The axes of the matrices in an array with ``ndim`` axes."""
    return (ndim - 2, ndim - 1)


def identity(xp: Any, x: Any) -> Any:
    """The identity in the shape of the square matrices ``x``."""
    ones = xp.zeros_like(x) + 1.0
    return xp.tril(ones, 0) - xp.tril(ones, -1)


# --- inverses -----------------------------------------------------------------------------------------------

# From A A^-1 = I: dA^-1 = -A^-1 dA A^-1.
INV = row(
    "inv",
    "x",
    x=Rule(
        lambda xp, g, ans: -xp.matmul(t(xp, ans), xp.matmul(g, t(xp, ans))),
        lambda xp, dx, ans: -xp.matmul(ans, xp.matmul(dx, ans)),
    ),
)


# Golub & Pereyra (1973), for matrices whose rank does not change: with P = A^+,
# dP = -P dA P + P P^T dA^T (I - A P) + (I - P A) dA^T P^T P.
def _pinv_vjp(xp, g, x, ans):
    p, gt = t(xp, ans), t(xp, g)
    spread = xp.matmul(xp.matmul(gt, ans), p)  # G^T P P^T
    narrow = xp.matmul(xp.matmul(p, ans), gt)  # P^T P G^T
    spread = spread - xp.matmul(x, xp.matmul(ans, spread))
    narrow = narrow - xp.matmul(xp.matmul(narrow, ans), x)
    return spread + narrow - xp.matmul(p, xp.matmul(g, p))


def _pinv_jvp(xp, dx, x, ans):
    p, dxt = t(xp, ans), t(xp, dx)
    spread = xp.matmul(xp.matmul(ans, p), dxt)  # P P^T dA^T
    narrow = xp.matmul(dxt, xp.matmul(p, ans))  # dA^T P^T P
    spread = spread - xp.matmul(xp.matmul(spread, x), ans)
    narrow = narrow - xp.matmul(ans, xp.matmul(x, narrow))
    return spread + narrow - xp.matmul(ans, xp.matmul(dx, ans))


PINV = row("pinv", "x rtol", x=Rule(_pinv_vjp, _pinv_jvp))

# --- systems ------------------------------------------------------------------------------------------------


def _solve_vjp(xp, g, needs, x1, ans):
    # B = A X: dB gets A^-T G, dA gets -(A^-T G) X^T. One system serves both.
    share = xp.solve(t(xp, x1), g)
    return (-xp.matmul(share, t(xp, ans)) if needs[0] else None), (share if needs[1] else None)


def _solve_jvp(xp, tangents, x1, ans):
    dx1, dx2 = tangents
    right = dx2
    if dx1 is not None:
        right = -xp.matmul(dx1, ans) if dx2 is None else dx2 - xp.matmul(dx1, ans)
    return xp.solve(x1, right)


# Of matrices: a single right side is a column.
SOLVE = row("solve", "x1 x2", joint=Joint(_solve_vjp, _solve_jvp))


def _triangle(xp, x, upper):
    return t(xp, xp.tril(t(xp, x), 0)) if upper else xp.tril(x, 0)


def _triangular_vjp(xp, g, needs, a, ans, upper, transpose):
    share = xp.solve_triangular(a, g, upper, not transpose)
    if not needs[0]:
        return None, share
    full = -xp.matmul(ans, t(xp, share)) if transpose else -xp.matmul(share, t(xp, ans))
    return _triangle(xp, full, upper), (share if needs[1] else None)


def _triangular_jvp(xp, tangents, a, ans, upper, transpose):
    da, right = tangents
    if da is not None:
        da = _triangle(xp, da, upper)
        moved = xp.matmul(t(xp, da) if transpose else da, ans)
        right = -moved if right is None else right - moved
    return xp.solve_triangular(a, right, upper, transpose)


# Solves L y = b with the lower (or upper) triangle of L, or of its transpose; the other triangle is not read.
SOLVE_TRIANGULAR = row("solve_triangular", "a b | upper transpose", joint=Joint(_triangular_vjp, _triangular_jvp))

# --- determinants -------------------------------------------------------------------------------------------


def _slogdet_vjp(xp, g, x):
    # d log|det A| = tr(A^-1 dA); the sign is locally constant.
    if g[1] is None:
        return xp.zeros_like(x)
    return xp.expand_dims(g[1], (-2, -1)) * t(xp, xp.inv(x))


SLOGDET = row(
    "slogdet",
    "x -> sign logabsdet",
    x=Rule(_slogdet_vjp, lambda xp, dx, x: (None, xp.sum(t(xp, xp.inv(x)) * dx, _matrix(len(x.shape)), False))),
)
# Jacobi: d det A = <C, dA> with the cofactors C = det(A) A^-T, which singular matrices have too.
DET = row(
    "det",
    "x",
    x=Rule(
        lambda xp, g, x: xp.expand_dims(g, (-2, -1)) * xp.cofactors(x),
        lambda xp, dx, x: xp.sum(xp.cofactors(x) * dx, _matrix(len(x.shape)), False),
    ),
)


def _cofactors_derivative(xp, g, x):
    """In the frame of A = U S V^T the cofactors of S + E are, to first order in E,

        C_ii = prod of s_k, k != i, + sum over j != i of E_jj P_ij,    C_ij = -E_ji P_ij,

    where P_ij is the product of all s_k but s_i and s_j. The map is its own transpose. det U det V = +-1.
    """
    if x.shape[-1] < 2:
        return xp.zeros_like(g)
    u, s, vh = xp.svd(x, False)
    unit = identity(xp, x)
    kept = (1.0 - xp.expand_dims(unit, (-2,))) * (1.0 - xp.expand_dims(unit, (-3,)))  # 0 where k is i or j
    factors = kept * xp.expand_dims(s, (-2, -3)) + (1.0 - kept)
    products = xp.prod(factors, (len(factors.shape) - 1,), False)
    products = products * (1.0 - unit) * xp.expand_dims(xp.det(u) * xp.det(vh), (-2, -1))
    inner = xp.matmul(t(xp, u), xp.matmul(g, t(xp, vh)))
    own = xp.matmul(products, xp.expand_dims(xp.sum(inner * unit, (len(g.shape) - 1,), False), (-1,)))
    return xp.matmul(u, xp.matmul(unit * own - products * t(xp, inner), vh))


COFACTORS = row("cofactors", "x", x=Rule(_cofactors_derivative, _cofactors_derivative))

# --- the exponential ----------------------------------------------------------------------------------------


def _frechet(xp, x, direction):
    """The derivative of exp at x: the corner of exp([[x, direction], [0, x]]) (Mathias 1996)."""
    n, last = x.shape[-1], len(x.shape) - 1
    top = xp.concat((x, direction), last)
    bottom = xp.concat((xp.zeros_like(x), x), last)
    return xp.matrix_exp(xp.concat((top, bottom), last - 1))[..., :n, n:]


MATRIX_EXP = row(
    "matrix_exp",
    "x",
    x=Rule(lambda xp, g, x: _frechet(xp, t(xp, x), g), lambda xp, dx, x: _frechet(xp, x, dx)),
)
