"""Tensors repeated and stretched to a common shape."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import operation, real, sample

operation(
    "broadcast_arrays",
    tgl.broadcast_arrays,
    lambda *xs: tuple(np.broadcast_arrays(*xs)),
    lambda t, *xs: tuple(t.broadcast_tensors(*xs)),
    [
        *(sample(real(2, 1), real(3)), sample(real(), real(2)), sample(real(1), real(0)), sample(real(3))),
        *(sample(real(2, 3), real(2, 3)), sample(real(2, 1, 3), real(4, 1), real(1))),
    ],
    covers=("broadcast_to",),
    returns=("same",) * 3,
    integers="same",
)
operation(
    "broadcast_shapes",
    lambda x, shape: tgl.broadcast_to(x, tgl.broadcast_shapes(x.shape, shape)),
    lambda x, shape: np.broadcast_to(x, np.broadcast_shapes(x.shape, shape)),
    lambda t, x, shape: t.broadcast_to(x, t.broadcast_shapes(tuple(x.shape), shape)),
    [sample(real(2, 1), shape=(3,)), sample(real(), shape=(0,)), sample(real(0), shape=()), sample(real(1), shape=2)],
    covers=("broadcast_to",),
    integers="same",
)
operation(
    "meshgrid",
    tgl.meshgrid,
    lambda *xs, indexing="xy": tuple(np.meshgrid(*xs, indexing=indexing)),
    lambda t, *xs, indexing="xy": t.meshgrid(*xs, indexing=indexing),
    [
        *(sample(real(2), real(3)), sample(real(2), real(3), indexing="ij"), sample(real(2), real(3), real(4))),
        *(sample(real(3)), sample(real(), real(2)), sample(real(0), real(2)), sample(real(1), real(1), indexing="ij")),
    ],
    covers=("broadcast_to", "reshape"),
    returns=("same",) * 3,
    integers="same",
)


def _numbers(repeats: Any) -> Any:
    return np.array(repeats, np.int64) if isinstance(repeats, list) else repeats


def _repeat(f: Any) -> Any:
    return lambda x, repeats, axis=None: f(x, _numbers(repeats), axis=axis)


def _torch_repeat(t: Any, x: Any, repeats: Any, axis: Any = None) -> Any:
    numbers = t.tensor(repeats, dtype=t.int64) if isinstance(repeats, list) else repeats
    return t.repeat_interleave(x, numbers, dim=axis)


_REPEATED = [
    *(sample(real(3), repeats=2), sample(real(2, 3), repeats=2, axis=1), sample(real(2, 3), repeats=3, axis=-2)),
    *(sample(real(2, 2), repeats=2), sample(real(3), repeats=0), sample(real(), repeats=2), sample(real(0), repeats=2)),
    *(sample(real(3), repeats=[2, 0, 1]), sample(real(2, 3), repeats=[1, 3], axis=0), sample(real(1), repeats=[3])),
    *(sample(real(0, 2), repeats=[], axis=0), sample(real(2, 2), repeats=[1, 0, 2, 1])),
]
operation(
    "repeat",
    lambda x, repeats, axis=None: tgl.repeat(x, repeats, axis=axis),
    _repeat(np.repeat),
    _torch_repeat,
    _REPEATED,
    covers=("take", "repeat"),
    length=8,
    integers="same",
)
operation(
    "repeat_interleave",
    tgl.repeat_interleave,
    _repeat(np.repeat),
    _torch_repeat,
    _REPEATED,
    covers=("take", "repeat"),
    length=8,
    integers="same",
)
operation(
    "tile",
    lambda x, repetitions: tgl.tile(x, repetitions),
    lambda x, repetitions: np.tile(x, repetitions),
    lambda t, x, repetitions: t.tile(x, repetitions if isinstance(repetitions, tuple) else (repetitions,)),
    [
        *(sample(real(3), repetitions=2), sample(real(2, 3), repetitions=(2, 1)), sample(real(3), repetitions=(2, 2))),
        *(sample(real(2, 3), repetitions=(2,)), sample(real(), repetitions=(2,)), sample(real(), repetitions=())),
        *(sample(real(0, 2), repetitions=(2, 2)), sample(real(1), repetitions=0), sample(real(2), repetitions=(1, 1))),
    ],
    covers=("broadcast_to", "reshape"),
    length=8,
    integers="same",
)
