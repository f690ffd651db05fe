"""The GPU's world: arrays of the CUDA backend with the values and the layout of NumPy arrays.

Without a GPU the harness in ``tests/cuda_harness`` stands in for one; the fixture ``gpu`` installs it.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from operations.running import WORLDS


@functools.cache
def gpu_world() -> type:
    """The GPU's kind of array, known to ``running.tensor`` from here on."""
    from tinygrad_lite.functions.devices import backend

    kind: Any = backend("tests", "cuda").array_type
    WORLDS[kind] = (on_gpu, kind.get)
    return kind


def on_gpu(array: np.ndarray) -> Any:
    """The same elements with the same strides, gaps included, on the GPU."""
    from tinygrad_lite.backends.cuda import array as arrays

    array = np.asarray(array)
    whole = array if array.base is None or not array.size else array.base
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    if array.flags.c_contiguous or whole.dtype != array.dtype:
        return arrays.from_host(array)
    memory = arrays.from_host(whole.ravel(order="K"))
    first = array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    strides = tuple(s // array.itemsize for s in array.strides)
    return arrays.over(memory.block, memory.address + first, array.shape, strides, array.dtype)
