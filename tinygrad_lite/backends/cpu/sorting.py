"""Sorting, searching and selecting on NumPy arrays."""

from __future__ import annotations

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array


def topk(x: Array, k: int, axis: int, largest: bool) -> tuple[Array, Array]:
    """Equal values keep the order of their positions; NaN counts as the largest, as in PyTorch."""
    keys = np.moveaxis(x, axis, -1)
    order = np.argsort(keys, axis=-1, kind="stable")
    if largest:
        # The stable order of the reversed array, read from its end, puts the first of equal values first.
        n = keys.shape[-1]
        order = (n - 1 - np.argsort(keys[..., ::-1], axis=-1, kind="stable"))[..., ::-1]
    indices = np.moveaxis(order[..., :k], -1, axis)
    return np.take_along_axis(x, indices, axis), np.ascontiguousarray(indices)
