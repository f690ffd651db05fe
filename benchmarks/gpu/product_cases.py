"""The matrix products: every rung of the ladder and the kernel that the backend chooses, against cuBLAS.

C[m, n] = op(A) op(B) with row-major matrices; in a layout's name T says that the operand lies transposed: NT is a
linear layer's forward pass, NN the gradient of its input, TN that of its weight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from cases import ROUNDOFF, Array
from memory_cases import normals

import tinygrad_lite as tgl
from tinygrad_lite.backends import devices
from tinygrad_lite.backends.cuda import gemm_ladder, gemm_table

SHARE = 0.90  #: of cuBLAS, for the chosen kernel at the sizes of TARGETED
TARGETED = (4096, 8192)
LAYOUTS = ("NN", "NT", "TN")
SIZES = (1024, 2048, 4096, 8192)
AWKWARD = (130, 131, 67)  #: m, n and k that no tile divides
ROUNDINGS = 16  #: the error that is allowed, relative to |A| |B|
CHOSEN = "chosen"
TOP = tuple(name for name, tile in gemm_table.TILES.items() if tile.file == "gemm_warp_tiles.cu")[::-1]


class Skinny(NamedTuple):
    """A product of the training step of 784-512-10 at batch 128."""

    name: str
    layout: str
    m: int
    n: int
    k: int


STEP = (
    Skinny("hidden layer", "NT", 128, 512, 784),
    Skinny("output layer", "NT", 128, 10, 512),
    Skinny("gradient of the activations", "NN", 128, 512, 10),
    Skinny("gradient of the output weight", "TN", 10, 512, 128),
    Skinny("gradient of the hidden weight", "TN", 512, 784, 128),
)


def operands(rng: np.random.Generator, layout: str, m: int, n: int, k: int) -> tuple[Array, Array]:
    """Random A and B as they lie in memory."""
    a = normals(rng, *((k, m) if layout[0] == "T" else (m, k)))
    b = normals(rng, *((n, k) if layout[1] == "T" else (k, n)))
    return a, b


def product(rung: str, layout: str, a: Any, b: Any) -> Callable[[], Any]:
    """The call that multiplies two tensors as they lie, through matmul or on one rung of the ladder."""
    x = a.mT if layout[0] == "T" else a
    y = b.mT if layout[1] == "T" else b
    if rung == CHOSEN:
        return lambda: tgl.matmul(x, y)
    return lambda: gemm_ladder.multiply(rung, x._data, y._data)


def rungs() -> tuple[str, ...]:
    """The names of the ladder's rungs, slowest first, and of what the backend multiplies with."""
    return (*gemm_ladder.RUNGS, *TOP, CHOSEN)


def described(rung: str, layout: str, m: int, n: int, k: int) -> str:
    """A row's name for a rung; for the chosen one with the kernel that the backend's table names for these sizes."""
    return f"{rung} ({gemm_table.choose(layout, m, n, k, 1)[0]})" if rung == CHOSEN else rung


def deviation(found: Any, a: Array, b: Array, layout: str, rng: np.random.Generator, most: int = 64) -> float:
    """The largest error in a sample of C's rows, in roundings."""
    result = found.detach().numpy() if isinstance(found, tgl.Tensor) else devices.on_host(found)
    x = a.T if layout[0] == "T" else a
    y = b.T if layout[1] == "T" else b
    if result.shape != (x.shape[0], y.shape[1]):
        return float("inf")
    chosen = np.unique(np.append(rng.integers(0, len(x), most), [0, len(x) - 1]))
    left, right = x[chosen].astype(np.float64), y.astype(np.float64)
    error = np.abs(result[chosen] - left @ right)
    return float(np.max(error / (ROUNDOFF * np.maximum(np.abs(left) @ np.abs(right), 2.0**-126))))
