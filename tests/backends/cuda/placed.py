"""NumPy views and the same views on the GPU: the awkward layouts that every chapter must read."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.backends.cuda.array import CudaArray, from_host


def on_gpu(x: Any) -> CudaArray:
    """The same elements with the same strides: what lies around a view is copied too."""
    root = x
    while isinstance(root.base, np.ndarray):
        root = root.base
    item = x.dtype.itemsize
    whole = from_host(root.reshape(-1))
    first = (x.__array_interface__["data"][0] - root.__array_interface__["data"][0]) // item if x.size else 0
    return whole.view_as(x.shape, tuple(s // item for s in x.strides), first)


def layouts(values: Any) -> dict[str, Any]:
    """Views of different shapes and strides that show elements of the 1-d array ``values``, of 300 at least."""
    return {
        "none": values[:0],
        "no rows": values[:0].reshape(3, 0),
        "0-d": values[5:6].reshape(()),
        "one": values[7:8],
        "a few": values[:7],
        "less than a block": values[:255],
        "more than a block": values[:257],
        "unaligned": values[1:258],
        "matrix": values[:64].reshape(4, 16),
        "columns": values[:96].reshape(6, 16)[:, 3:12],
        "aligned columns": values[:192].reshape(6, 32)[:, 16:],
        "transposed": values[:99].reshape(9, 11).T,
        "backwards": values[40:3:-1],
        "every third": values[2:200:3],
        "repeated": np.broadcast_to(values[:16], (3, 16)),
        "repeated along rows": np.broadcast_to(values[:4, None], (4, 32)),
        "cube": values[:120].reshape(4, 5, 6).transpose(2, 0, 1),
        "nine axes": np.broadcast_to(values[:6].reshape(1, 3, 1, 1, 2, 1, 1, 1, 1), (2, 3, 1, 2, 2, 1, 2, 1, 1)),
        "nine axes that do not merge": values[:256].reshape((2,) * 8)[None].transpose(8, 7, 6, 5, 4, 3, 2, 1, 0),
    }
