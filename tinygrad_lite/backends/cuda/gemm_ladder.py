"""Every rung of the ladder (docs/gemm.md) by name, for lectures, tests and benchmarks; the backend uses the top."""

from __future__ import annotations

from typing import NamedTuple

from tinygrad_lite.backends.cuda import compiler, gemm_table, launching
from tinygrad_lite.backends.cuda.array import CudaArray, empty
from tinygrad_lite.backends.cuda.gemm import gemm, transposed


class Rung(NamedTuple):
    """One kernel of the ladder.

    Attributes:
        kernels: by layout.
        tile: rows and columns of C that a block computes.
        block: its threads along x and y.
        rows_along_x: whether neighbouring blocks lie below each other.
    """

    kernels: dict[str, launching.Kernel]
    tile: tuple[int, int]
    block: tuple[int, int, int]
    rows_along_x: bool = False


def _rung(file: str, tile: tuple[int, int], block: tuple[int, int, int], rows_along_x: bool = False) -> Rung:
    module = compiler.module(file)
    kernels = {name: launching.Kernel(module, f"gemm_{name.lower()}", "PPPiiiiii") for name in ("NN", "NT", "TN")}
    return Rung(kernels, tile, block, rows_along_x)


#: The lower ones, from the bottom.
RUNGS = {
    "naive": _rung("gemm_naive.cu", (32, 8), (32, 8, 1), rows_along_x=True),
    "coalesced": _rung("gemm_coalesced.cu", (8, 32), (32, 8, 1)),
    "shared tiles": _rung("gemm_shared_tiles.cu", (32, 32), (32, 32, 1)),
    "column tiles": _rung("gemm_column_tiles.cu", (64, 64), (512, 1, 1)),
    "register tiles": _rung("gemm_register_tiles.cu", (128, 128), (256, 1, 1)),
    "vectorized": _rung("gemm_vectorized.cu", (128, 128), (256, 1, 1)),
}


def multiply(rung: str, a: CudaArray, b: CudaArray) -> CudaArray:
    """The float32 product of two matrices by one rung.

    Args:
        rung: a name in RUNGS, or of a kernel at the top: one in ``gemm_table.TILES``.
        a: (m, k), each row or each column without gaps in memory.
        b: (k, n), likewise, but not both in columns.
    """
    if rung in gemm_table.TILES:
        return gemm(a, b, kernel=rung)
    (m, k), n = a.shape, b.shape[1]
    name = ("N" if a.strides[1] == 1 else "T") + ("N" if b.strides[1] == 1 else "T")
    lda = (a if name[0] == "N" else transposed(a)).strides[0]
    ldb = (b if name[1] == "N" else transposed(b)).strides[0]
    out = empty((m, n), a.dtype)
    kernels, (rows, columns), block, rows_along_x = RUNGS[rung]
    down, across = launching.blocks(m, rows), launching.blocks(n, columns)
    grid = (down, across, 1) if rows_along_x else (across, down, 1)
    if out.size:
        kernels[name](grid, block, a.address, b.address, out.address, m, n, k, lda, ldb, n)
    return out
