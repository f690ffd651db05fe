"""Directions of vectors, along every axis."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import operation, real, sample


def _directed(x: Any, ord: float, axis: int, eps: float) -> Any:
    norm = np.abs(x).max(axis, keepdims=True) if ord == np.inf else np.linalg.norm(x, ord, axis, keepdims=True)
    return x / np.maximum(norm, eps)


operation(
    "normalize",
    tgl.normalize,
    lambda x, ord=2, axis=1, eps=1e-12: _directed(x, ord, axis, eps),
    lambda t, x, ord=2, axis=1, eps=1e-12: t.nn.functional.normalize(x, float(ord), axis, eps),
    [
        *(sample(real(2, 3), axis=axis) for axis in (0, 1, -1)),
        *(sample(real(2, 3), ord=ord) for ord in (1, 3, np.inf)),
        *(sample(real(2, 3, 2)), sample(real(4), axis=0), sample(real(1), axis=0), sample(real(1, 2), eps=100.0)),
        *(sample(real(0, 3)), sample(real(2, 0), ord=1)),
    ],
    covers=("divide", "abs", "vector_norm"),
    length=None,
    condition=8,
    integers="float32",
)


def _cosine(x: Any, y: Any, axis: int = 1, eps: float = 1e-8) -> Any:
    x, y = np.broadcast_arrays(x, y)
    return (_directed(x, 2, axis, eps) * _directed(y, 2, axis, eps)).sum(axis)


operation(
    "cosine_similarity",
    tgl.cosine_similarity,
    _cosine,
    lambda t, x, y, axis=1, eps=1e-8: t.nn.functional.cosine_similarity(x, y, axis, eps),
    [
        *(sample(real(2, 3), real(2, 3), axis=axis) for axis in (0, 1, -1)),
        *(sample(real(2, 3), real(3)), sample(real(4, 1, 3), real(1, 2, 3), axis=-1), sample(real(2, 3), real(2, 1))),
        *(sample(real(4), real(4), axis=0), sample(real(1), real(1), axis=0)),
        *(sample(real(0, 3), real(0, 3)), sample(real(0, 3), real(3), axis=0)),
    ],
    covers=("sum", "divide", "vector_norm"),
    length=None,
    condition=8,
    integers="float32",
)
