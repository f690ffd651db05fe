"""Systems of equations, diagonals, determinants and powers of matrices."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import operation, real, sample
from tinygrad_lite.functions.matrices import cofactors

LAPACK: dict[str, Any] = {"dtypes": ("float32", "float64"), "length": None}
SQUARE: dict[str, Any] = {**LAPACK, "condition": 16}
SIZES = ((1, 1), (3, 3), (2, 2, 2), (0, 2, 2), (0, 0))
OBLONG = ((3, 2), (2, 3), (1, 1), (2, 3, 2), (2, 1, 3), (0, 3, 2))


def regular(*shape: int) -> np.ndarray:
    """Matrices that are far from singular, with eigenvalues that are apart."""
    n = shape[-1]
    return 0.3 * real(*shape) + np.diag(np.linspace(2.0, 2.0 + 0.8 * max(n - 1, 0), n))


def oblong(*shape: int) -> np.ndarray:
    """Matrices of full rank with singular values that are apart."""
    m, n = shape[-2:]
    return 0.2 * real(*shape) + np.eye(m, n) * np.linspace(1.5, 2.5, n)


# --- inverses and systems -------------------------------------------------------------------------------

operation(
    "inv",
    tgl.inv,
    np.linalg.inv,
    lambda t, x: t.linalg.inv(x),
    [sample(regular(*s)) for s in SIZES],
    **SQUARE,
)
operation(
    "linalg.pinv",
    tgl.linalg.pinv,
    lambda x, rtol=None: np.linalg.pinv(x, rtol=rtol),
    lambda t, x, rtol=None: t.linalg.pinv(x, rtol=rtol),
    [*(sample(oblong(*s)) for s in OBLONG), sample(regular(3, 3), rtol=1e-3), sample(real(2, 0))],
    covers=("pinv",),
    **{**SQUARE, "condition": 64},
)
_SYSTEMS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    *(((3, 3), (3,)), ((3, 3), (3, 2)), ((1, 1), (1,)), ((2, 2, 2), (2, 2, 1)), ((2, 2, 2), (2,))),
    *(((3, 1, 2, 2), (2, 2, 1)), ((2, 2), (3, 2, 2)), ((0, 2, 2), (2, 1)), ((2, 2), (2, 0))),
]
operation(
    "linalg.solve",
    tgl.linalg.solve,
    np.linalg.solve,
    lambda t, a, b: t.linalg.solve(a, b[:, None])[..., 0] if b.ndim == 1 else t.linalg.solve(a, b),
    [sample(regular(*s1), real(*s2)) for s1, s2 in _SYSTEMS],
    covers=("solve",),
    **SQUARE,
)


def _solved(a: Any, b: Any, upper: bool = False, transpose: bool = False) -> Any:
    a = np.triu(a) if upper else np.tril(a)
    return np.linalg.solve(a.mT if transpose else a, b)


def _torch_solved(t: Any, a: Any, b: Any, upper: bool = False, transpose: bool = False) -> Any:
    a = t.triu(a) if upper else t.tril(a)
    return t.linalg.solve_triangular(a.mT if transpose else a, b, upper=upper != transpose)


operation(
    "solve_triangular",
    tgl.solve_triangular,
    _solved,
    _torch_solved,
    [
        *(
            sample(regular(3, 3), real(3, 2), upper=upper, transpose=transpose)
            for upper in (False, True)
            for transpose in (False, True)
        ),
        *(sample(regular(2, 2, 2), real(2, 2, 1)), sample(regular(1, 1), real(1, 3))),
        *(sample(regular(2, 2), real(3, 2, 1)), sample(regular(3, 1, 2, 2), real(2, 2, 2), upper=True)),
        *(sample(regular(2, 2), real(2, 0)), sample(regular(0, 2, 2), real(0, 2, 1))),
    ],
    **SQUARE,
)


operation(
    "cholesky_solve",
    tgl.cholesky_solve,
    lambda b, a, upper=False: np.linalg.solve(np.triu(a).mT @ np.triu(a) if upper else np.tril(a) @ np.tril(a).mT, b),
    lambda t, b, a, upper=False: t.cholesky_solve(b, t.triu(a) if upper else t.tril(a), upper),
    [
        *(sample(real(3, 2), regular(3, 3)), sample(real(3, 2), regular(3, 3), upper=True)),
        *(
            sample(real(2, 2, 1), regular(2, 2, 2)),
            sample(real(1, 1), regular(1, 1)),
            sample(real(2, 0), regular(2, 2)),
        ),
    ],
    covers=("solve_triangular",),
    **SQUARE,
)


operation(
    "cholesky_inverse",
    tgl.cholesky_inverse,
    lambda a, upper=False: np.linalg.inv(np.triu(a).mT @ np.triu(a) if upper else np.tril(a) @ np.tril(a).mT),
    lambda t, a, upper=False: t.linalg.inv(t.triu(a).mT @ t.triu(a) if upper else t.tril(a) @ t.tril(a).mT),
    [*(sample(regular(*s)) for s in SIZES), sample(regular(2, 3, 3), upper=True)],
    covers=("solve_triangular",),
    **SQUARE,
)


def _least(a: Any, b: Any) -> tuple[Any, Any]:
    y = np.linalg.pinv(a) @ b
    return y, ((a @ y - b) ** 2).sum(-1 if b.ndim == 1 else -2)


def _torch_least(t: Any, a: Any, b: Any) -> tuple[Any, Any]:
    y = t.linalg.pinv(a) @ b
    return y, ((a @ y - b) ** 2).sum(-1 if b.ndim == 1 else -2)


_FITS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    *(((3, 2), (3,)), ((3, 2), (3, 2)), ((2, 3), (2, 2)), ((2, 3), (2,)), ((2, 3, 2), (2, 3, 1)), ((1, 1), (1,))),
    *(((2, 2), (2, 1)), ((0, 3, 2), (0, 3, 1))),
]
operation(
    "linalg.lstsq",
    lambda a, b: tuple(tgl.linalg.lstsq(a, b)),
    _least,
    _torch_least,
    [sample(oblong(*s1), real(*s2)) for s1, s2 in _FITS],
    covers=("qr", "solve_triangular"),
    returns=("same", "same"),
    **{**SQUARE, "condition": 64},
)

# --- diagonals, determinants, powers --------------------------------------------------------------------

_DIAGONALS = [
    ((2, 3), 0),
    ((3, 2), 1),
    ((2, 3, 3), -1),
    ((1, 1), 0),
    ((0, 3), 0),
    ((2, 3), 5),
    ((3, 2), -2),
    ((2, 0, 2), 0),
]
operation(
    "linalg.diagonal",
    tgl.linalg.diagonal,
    lambda x, offset=0: np.linalg.diagonal(x, offset=offset),
    lambda t, x, offset=0: (
        t.linalg.diagonal(x, offset=offset) if -x.shape[-2] <= offset <= x.shape[-1] else x[..., 0, :0]
    ),
    [sample(real(*s), offset=k) for s, k in _DIAGONALS],
    covers=("reshape", "getitem"),
    integers="same",
)
operation(
    "trace",
    tgl.trace,
    lambda x, offset=0: np.linalg.trace(x, offset=offset),
    lambda t, x, offset=0: (
        t.linalg.diagonal(x, offset=offset).sum(-1) if -x.shape[-2] <= offset <= x.shape[-1] else x.sum((-2, -1)) * 0
    ),
    [sample(real(*s), offset=k) for s, k in _DIAGONALS],
    covers=("sum",),
    length=None,
    integers="int64",
)
_SINGULAR = np.array([[1.0, 2.0, 1.0], [0.5, 1.0, 2.0], [2.0, 4.0, -1.0]])  # the second column is twice the first


def _minors(x: Any) -> Any:
    """Determinants of what is left without a row and a column, with signs."""
    n = x.shape[-1]
    found = np.zeros(x.shape)
    for i in range(n):
        for j in range(n):
            rest = np.delete(np.delete(x, i, -2), j, -1)
            found[..., i, j] = (-1) ** (i + j) * np.linalg.det(rest)
    return found


def _leibniz(t: Any, x: Any) -> Any:
    """The determinant as its definition: PyTorch's own has a gradient of 0 at a singular matrix, which is wrong."""
    n = x.shape[-1]
    total = zero = 0 * x.sum((-2, -1))
    for order in itertools.permutations(range(n)):
        odd = sum(a > b for a, b in itertools.combinations(order, 2)) % 2
        term = zero + (-1 if odd else 1)
        for i, j in enumerate(order):
            term = term * x[..., i, j]
        total = total + term
    return total


def _torch_minors(t: Any, x: Any) -> Any:
    n = x.shape[-1]
    if x.numel() == 0:
        return x * 1
    keep = [[k for k in range(n) if k != i] for i in range(n)]
    rows = [[(-1) ** (i + j) * _leibniz(t, x[..., keep[i], :][..., :, keep[j]]) for j in range(n)] for i in range(n)]
    return t.stack([t.stack(row, -1) for row in rows], -2)


operation(
    "linalg.det",
    tgl.linalg.det,
    np.linalg.det,
    _leibniz,
    [
        *(sample(regular(*s)) for s in SIZES),
        *(sample(regular(3, 3)[::-1].copy(), label="negative"), sample(_SINGULAR, label="singular")),
    ],
    covers=("det",),
    **{**SQUARE, "condition": 64},
)
# The gradient of det, which singular matrices have too.
operation(
    "cofactors",
    cofactors,
    _minors,
    _torch_minors,
    [*(sample(regular(*s)) for s in SIZES), sample(_SINGULAR, label="singular")],
    **{**SQUARE, "condition": 64},
)
operation(
    "slogdet",
    lambda x: tuple(tgl.slogdet(x)),
    lambda x: tuple(np.linalg.slogdet(x)),
    lambda t, x: tuple(t.linalg.slogdet(x)),
    [*(sample(regular(*s)) for s in SIZES), sample(regular(3, 3)[::-1].copy(), label="negative")],
    returns=("same", "same"),
    **SQUARE,
)
operation(
    "logdet",
    tgl.logdet,
    lambda x: np.linalg.slogdet(x)[1],
    lambda t, x: t.logdet(x),
    [sample(regular(*s)) for s in SIZES],
    covers=("slogdet",),
    **SQUARE,
)
operation(
    "linalg.matrix_power",
    lambda x, n: tgl.linalg.matrix_power(x, n),
    lambda x, n: np.linalg.matrix_power(x, n),
    lambda t, x, n: t.linalg.matrix_power(x, n),
    [
        *(sample(regular(3, 3), n=n) for n in (1, 2, 5, -1, -3)),
        *(sample(regular(*s), n=3) for s in SIZES),
    ],
    covers=("matmul", "inv"),
    **{**SQUARE, "condition": 2000},
)


def _exponential(x: Any) -> Any:
    """The series itself, of x / 2^8, squared 8 times."""
    x = x / 256
    term = total = np.broadcast_to(np.eye(x.shape[-1]), x.shape)
    for k in range(1, 20):
        term = term @ x / k
        total = total + term
    for _ in range(8):
        total = total @ total
    return total


operation(
    "linalg.matrix_exp",
    tgl.linalg.matrix_exp,
    _exponential,
    lambda t, x: t.linalg.matrix_exp(x) if x.numel() else x.exp(),
    [*(sample(real(*s)) for s in SIZES), sample(8 * real(2, 2, 2), label="scaled")],
    covers=("matrix_exp",),
    **{**LAPACK, "condition": 1e8},
)
