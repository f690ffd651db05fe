"""Products, decompositions and solvers."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import operation, real, sample

_PRODUCTS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    *(((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((1, 1), (1, 1))),
    *(((2, 2, 3), (3, 4)), ((2, 2, 3), (2, 3, 2)), ((2, 3), (4, 3, 2)), ((2, 1, 2, 3), (3, 3, 2))),
    *(((1, 2, 3), (4, 3, 1)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,)), ((2, 0), (0, 3)), ((0, 2), (2, 3))),
    *(((0, 2, 3), (3, 2)), ((3, 0, 2), (2, 2)), ((2, 2, 0), (0, 3)), ((0,), (0, 2))),
]
operation(
    "matmul",
    tgl.matmul,
    np.matmul,
    lambda t, a, b: t.matmul(a, b),
    [sample(real(*s1), real(*s2)) for s1, s2 in _PRODUCTS],
    length=None,
    condition=4,
    integers="same",
)

_SUMS: list[tuple[str, list[tuple[int, ...]]]] = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 2)]),
    ("ij->ji", [(2, 3)]),
    ("ba", [(2, 3)]),
    ("ij->", [(2, 3)]),
    ("ij->i", [(2, 3)]),
    ("i,i->", [(3,), (3,)]),
    ("i,j->ij", [(2,), (3,)]),
    ("i,i->i", [(3,), (3,)]),
    (",->", [(), ()]),
    (",i->i", [(), (3,)]),
    ("ii->i", [(3, 3)]),
    ("ii", [(3, 3)]),
    ("ii,i->i", [(3, 3), (3,)]),
    ("iji->j", [(2, 3, 2)]),
    ("iijj->ij", [(2, 2, 3, 3)]),
    ("...ij,...jk->...ik", [(2, 2, 3), (2, 3, 2)]),
    ("...ij,...jk->...ik", [(4, 1, 2, 3), (2, 3, 2)]),
    ("...ij,jk->...ik", [(2, 3), (3, 2)]),
    ("...i->...", [(2, 3)]),
    ("i...->...", [(2, 3)]),
    ("...ii->...i", [(2, 3, 3)]),
    ("ij,ij->ij", [(2, 1), (2, 3)]),
    ("ij,jk->ik", [(2, 1), (3, 4)]),
    ("ij,ij->j", [(1, 3), (2, 3)]),
    ("ij,jk,kl->il", [(2, 3), (3, 2), (2, 4)]),
    ("i,i,i->", [(3,), (3,), (3,)]),
    ("bi,bj,bij->b", [(2, 2), (2, 3), (2, 2, 3)]),
    ("ij,k->k", [(2, 3), (2,)]),
    ("ij,kj->i", [(2, 3), (4, 3)]),
    ("ij,k->", [(2, 3), (2,)]),
    ("ij,jk->ik", [(2, 0), (0, 3)]),
    ("ij->j", [(0, 3)]),
]


def _einsum(f: Any) -> Any:
    return lambda *xs, subscripts: f(subscripts, *xs)


operation(
    "einsum",
    _einsum(tgl.einsum),
    _einsum(np.einsum),
    lambda t, *xs, subscripts: t.einsum(subscripts.replace(" ", ""), *xs),
    [sample(*(real(*s) for s in shapes), subscripts=text) for text, shapes in _SUMS],
    length=None,
    condition=16,
    integers="same",
)

# --- square matrices --------------------------------------------------------------------------------


def _regular(*shape: int) -> np.ndarray:
    """Matrices that are far from singular."""
    return 0.3 * real(*shape) + 2 * np.eye(shape[-1])


_SQUARE: dict[str, Any] = {"dtypes": ("float32", "float64"), "length": None, "condition": 16}
_SIZES = ((1, 1), (3, 3), (2, 2, 2), (0, 2, 2), (0, 0))
operation(
    "inv",
    tgl.inv,
    np.linalg.inv,
    lambda t, x: t.linalg.inv(x),
    [sample(_regular(*s)) for s in _SIZES],
    **_SQUARE,
)
operation(
    "slogdet",
    tgl.slogdet,
    lambda x: tuple(np.linalg.slogdet(x)),
    lambda t, x: tuple(t.linalg.slogdet(x)),
    [*(sample(_regular(*s)) for s in _SIZES), sample(_regular(3, 3)[::-1].copy(), label="negative")],
    returns=("same", "same"),
    **_SQUARE,
)


def _symmetric(x: Any) -> Any:
    """Positive definite matrices made of any others, so that every sample may move freely."""
    return (x + x.mT) * 0.5


operation(
    "cholesky",
    lambda x: tgl.cholesky((x + tgl.matrix_transpose(x)) * 0.5),
    lambda x: np.linalg.cholesky((x + x.mT) * 0.5),
    lambda t, x: t.linalg.cholesky(_symmetric(x)),
    [sample(_regular(*s)) for s in _SIZES],
    **_SQUARE,
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
            sample(_regular(3, 3), real(3, 2), upper=upper, transpose=transpose)
            for upper in (False, True)
            for transpose in (False, True)
        ),
        *(sample(_regular(2, 2, 2), real(2, 2, 1)), sample(_regular(1, 1), real(1, 3))),
        *(sample(_regular(2, 2), real(3, 2, 1)), sample(_regular(3, 1, 2, 2), real(2, 2, 2), upper=True)),
        *(sample(_regular(2, 2), real(2, 0)), sample(_regular(0, 2, 2), real(0, 2, 1))),
    ],
    **_SQUARE,
)
