"""Special functions of NumPy arrays."""

from __future__ import annotations

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), to full relative precision on both sides and without overflow."""
    e = np.exp(-np.abs(x))
    return np.exp(np.minimum(x, 0)) / (1 + e)
