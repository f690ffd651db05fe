"""Products of vectors and matrices."""

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

# --- vectors ------------------------------------------------------------------------------------------

_LINALG: Any = np.linalg  # its stubs lack the axis of vecdot
_ALONG: list[tuple[tuple[int, ...], tuple[int, ...], int]] = [
    *(((3,), (3,), -1), ((1,), (1,), 0), ((2, 3), (3,), -1), ((2, 3), (2, 3), 0), ((2, 3), (2, 1), -2)),
    *(((2, 3, 2), (3, 1), -2), ((0, 3), (1, 3), -1), ((2, 0), (2, 0), 1), ((3, 2), (4, 3, 2), 1)),
]


def _vecdot(a: Any, b: Any, axis: int = -1) -> Any:
    axis = axis if axis < 0 else axis - min(a.ndim, b.ndim)
    return _LINALG.vecdot(a, b, axis=axis)


def _torch_vecdot(t: Any, a: Any, b: Any, axis: int = -1) -> Any:
    return t.linalg.vecdot(a, b, dim=axis if axis < 0 else axis - min(a.ndim, b.ndim))


operation(
    "vecdot",
    tgl.vecdot,
    _vecdot,
    _torch_vecdot,
    [sample(real(*s1), real(*s2), axis=axis) for s1, s2, axis in _ALONG],
    length=None,
    condition=4,
    integers="same",
)
operation(
    "cross",
    tgl.cross,
    lambda a, b, axis=-1: np.linalg.cross(a, b, axis=axis if axis < 0 else axis - min(a.ndim, b.ndim)),
    lambda t, a, b, axis=-1: t.linalg.cross(a, b, dim=axis if axis < 0 else axis - min(a.ndim, b.ndim)),
    [
        *(sample(real(3), real(3)), sample(real(2, 3), real(1, 3)), sample(real(3, 2), real(3, 1), axis=0)),
        *(
            sample(real(2, 3, 1), real(2, 3, 4), axis=-2),
            sample(real(0, 3), real(1, 3)),
            sample(real(4, 3), real(4, 3)),
        ),
        *(sample(real(3, 1, 1), real(3, 1, 1), axis=0), sample(real(1, 3), real(1, 3), axis=1)),
    ],
    length=4,
    condition=4,
    integers="same",
)
operation(
    "outer",
    tgl.outer,
    np.outer,
    lambda t, a, b: t.outer(a, b),
    [sample(real(*s1), real(*s2)) for s1, s2 in (((2,), (3,)), ((1,), (1,)), ((0,), (3,)), ((3,), (0,)))],
    covers=("multiply",),
    integers="same",
    condition=4,
)
_PLAIN: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    *(((), ()), ((), (2, 3)), ((3,), ()), ((3,), (3,)), ((1,), (1,)), ((2, 3), (3,)), ((0, 3), (3,)), ((0,), (0,))),
]
operation(
    "inner",
    tgl.inner,
    np.inner,
    lambda t, a, b: t.inner(a, b),
    [sample(real(*s1), real(*s2)) for s1, s2 in (*_PLAIN, ((2, 3), (4, 3)), ((2, 2, 3), (2, 3)))],
    covers=("matmul",),
    length=None,
    condition=4,
    integers="same",
)
operation(
    "dot",
    tgl.dot,
    np.dot,
    lambda t, a, b: a * b if 0 in (a.ndim, b.ndim) else t.tensordot(a, b, dims=([a.ndim - 1], [max(b.ndim - 2, 0)])),
    [sample(real(*s1), real(*s2)) for s1, s2 in (*_PLAIN, ((2, 3), (3, 4)), ((2, 2, 3), (2, 3, 2)), ((3,), (3, 2)))],
    covers=("matmul",),
    length=None,
    condition=4,
    integers="same",
)
operation(
    "tensordot",
    tgl.tensordot,
    np.tensordot,
    lambda t, a, b, axes=2: t.tensordot(a, b, dims=axes),
    [
        *(sample(real(2, 3, 2), real(3, 2, 2)), sample(real(2, 3), real(3, 2), axes=1)),
        *(sample(real(2), real(3), axes=0), sample(real(), real(2), axes=0), sample(real(1, 1), real(1, 1))),
        *(sample(real(2, 3), real(3, 2), axes=((0, 1), (1, 0))), sample(real(2, 3, 4), real(3, 2), axes=((-2,), (0,)))),
        *(sample(real(2, 0), real(0, 3), axes=1), sample(real(0, 2), real(2), axes=1)),
        sample(real(2, 3, 2), real(2, 3), axes=([1, 0], [1, 0])),
    ],
    covers=("matmul",),
    length=None,
    condition=4,
    integers="same",
)
_TILES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    *(((2,), (3,)), ((2, 2), (2, 3)), ((1, 1), (2, 2)), ((2, 2), (3,)), ((), (2, 2)), ((), ()), ((0,), (2,))),
    *(((2, 1, 2), (2, 2)), ((2, 1), (0, 2))),
]
operation(
    "kron",
    tgl.kron,
    np.kron,
    lambda t, a, b: t.kron(a, b),
    [sample(real(*s1), real(*s2)) for s1, s2 in _TILES],
    covers=("multiply",),
    integers="same",
    condition=4,
)
_CHAINS: list[Any] = [
    *([(2, 3), (3, 4)], [(3, 2), (2, 4), (4, 1)], [(1, 4), (4, 1), (1, 3), (3, 2)], [(2,), (2, 3), (3,)]),
    *([(2, 3), (3,)], [(2, 0), (0, 3), (3, 2)], [(1, 1), (1, 1)]),
]
operation(
    "multi_dot",
    lambda *xs: tgl.linalg.multi_dot(xs),
    lambda *xs: np.linalg.multi_dot(xs),
    lambda t, *xs: t.linalg.multi_dot(xs),
    [sample(*(real(*s) for s in shapes)) for shapes in _CHAINS],
    covers=("matmul",),
    length=None,
    condition=64,
    integers="same",
)
