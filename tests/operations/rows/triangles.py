"""Triangles and diagonals of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import operation, real, sample

_MATRICES = [
    *(sample(real(3, 3)), sample(real(2, 4), k=1), sample(real(4, 2), k=-1), sample(real(2, 3, 3))),
    *(sample(real(0, 3)), sample(real(2, 2), k=-5), sample(real(2, 2), k=5), sample(real(1, 1))),
]
operation("tril", tgl.tril, np.tril, lambda t, x, k=0: t.tril(x, k), _MATRICES, integers="same")
operation("triu", tgl.triu, np.triu, lambda t, x, k=0: t.triu(x, k), _MATRICES, integers="same")
operation(
    "diag",
    tgl.diag,
    np.diag,
    lambda t, x, k=0: t.diag(x, k),
    [
        *(sample(real(3)), sample(real(2), k=2), sample(real(2), k=-1), sample(real(1)), sample(real(0))),
        *(sample(real(3, 3)), sample(real(2, 4), k=1), sample(real(2, 4), k=3), sample(real(4, 2), k=-2)),
        *(sample(real(2, 2), k=2), sample(real(2, 2), k=-2), sample(real(0, 3))),
    ],
    covers=("add_at", "getitem"),
    integers="same",
)


def _embedded(x: np.ndarray, k: int = 0) -> np.ndarray:
    n = x.shape[-1] + abs(k)
    flat = x.reshape(-1, x.shape[-1]) if x.size else np.zeros((int(np.prod(x.shape[:-1])), x.shape[-1]), x.dtype)
    return np.array([np.diag(row, k) for row in flat], x.dtype).reshape(*x.shape[:-1], n, n)


operation(
    "diag_embed",
    tgl.diag_embed,
    _embedded,
    lambda t, x, k=0: t.diag_embed(x, k),
    [sample(real(3)), sample(real(2, 3), k=1), sample(real(2, 1, 2), k=-2), sample(real(2, 0)), sample(real(1))],
    covers=("add_at", "reshape"),
    integers="same",
)
_NOTHING: Any = {"differentiable": (), "covers": (), "returns": ("int64", "int64")}
_SIZES = [{"n": 3}, {"n": 3, "k": 1}, {"n": 2, "k": -1, "m": 4}, {"n": 4, "m": 2}, {"n": 0}, {"n": 2, "k": 5}]


def _of_torch(name: str) -> Any:
    return lambda t, n, k=0, m=None: tuple(getattr(t, name)(n, n if m is None else m, k))


operation(
    "tril_indices",
    tgl.tril_indices,
    np.tril_indices,
    _of_torch("tril_indices"),
    [sample(**options) for options in _SIZES],
    **_NOTHING,
)
operation(
    "triu_indices",
    tgl.triu_indices,
    np.triu_indices,
    _of_torch("triu_indices"),
    [sample(**options) for options in _SIZES],
    **_NOTHING,
)
