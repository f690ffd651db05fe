"""Reading at places that tensors name."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import integers, operation, real, sample

operation(
    "take",
    tgl.take,
    np.take,
    lambda t, x, indices, axis=0: x[(slice(None),) * (axis % x.ndim) + (indices.long(),)],
    [
        *(sample(real(3), np.array([2, 0, 2, -1])), sample(real(4, 3), np.array([[1, 1], [3, 1]]), axis=0)),
        *(sample(real(2, 3), np.array([2, 0, 2, 2]), axis=1), sample(real(2, 3, 2), np.array([0, -3, 0]), axis=-2)),
        *(
            sample(real(3, 2), np.array(1), axis=0),
            sample(real(3), np.zeros(0, np.int64)),
            sample(real(1), np.array([0])),
        ),
        *(sample(real(3, 0), np.array([1, 1]), axis=0), sample(real(2, 3), np.array([1], np.uint8), axis=1)),
    ],
    length=8,
    integers="same",
)


def _gathered(x: Any, axis: int, index: Any) -> Any:
    axis %= x.ndim
    return np.take_along_axis(x[tuple(slice(n if k != axis else None) for k, n in enumerate(index.shape))], index, axis)


operation(
    "gather",
    lambda x, index, axis: tgl.gather(x, axis, index),
    lambda x, index, axis: _gathered(x, axis, index),
    lambda t, x, index, axis: t.gather(x, axis, index % x.shape[axis]),
    [
        *(sample(real(3), np.array([2, 0, 2, -1]), axis=0), sample(real(3, 4), np.array([[1, 0], [2, 2]]), axis=1)),
        *(sample(real(3, 4), np.array([[1, 0], [2, 2]]), axis=-2), sample(real(2, 3), np.zeros((0, 3), int), axis=0)),
        *(sample(real(1), np.array([0, 0]), axis=0), sample(real(2, 3, 2), integers(2, 4, 1, below=3), axis=1)),
    ],
    covers=("take_along_axis", "getitem"),
    length=8,
    integers="same",
)
_MASK = np.array([[True, False, True], [False, False, True]])
operation(
    "masked_select",
    lambda x, mask: tgl.masked_select(x, mask),
    lambda x, mask: np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape))[
        np.broadcast_to(mask, np.broadcast_shapes(x.shape, mask.shape))
    ],
    lambda t, x, mask: t.masked_select(x, mask),
    [
        *(sample(real(2, 3), _MASK), sample(real(3), _MASK), sample(real(2, 3), _MASK[0]), sample(real(2, 3), ~_MASK)),
        *(sample(real(), np.array(True)), sample(real(1), np.array([False])), sample(real(0), np.zeros(0, bool))),
    ],
    covers=("getitem",),
    integers="same",
)
operation(
    "one_hot",
    lambda indices, num_classes: tgl.one_hot(indices, num_classes),
    lambda indices, num_classes: np.eye(num_classes, dtype=np.int64)[indices],
    lambda t, indices, num_classes: t.nn.functional.one_hot(indices, num_classes),
    [
        *(sample(np.array([2, 0, 2]), num_classes=3), sample(np.array([[1], [0]]), num_classes=4)),
        *(sample(np.array(1), num_classes=2), sample(np.zeros(0, int), num_classes=2)),
    ],
    covers=(),
    differentiable=(),
    returns=("int64",),
)
