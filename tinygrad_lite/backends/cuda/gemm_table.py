"""Which kernel computes a matrix product, and over how many blocks its k is split: a stored table.

Another kernel adds in another order, so the choice must depend on the shapes alone: never on the machine, and never
on a measurement at run time. A row that was tuned carries the date and the machine of the measurement; the others are
derived, and say how.
"""

from __future__ import annotations

from typing import NamedTuple

MULTIPROCESSORS = 132  #: of the GPU that the table is for, an H200; others get the same choices, and so the same bits


class Tile(NamedTuple):
    """A float32 kernel.

    Attributes:
        file: in kernels/.
        rows, columns: of the tile of C that a block computes.
        threads: of a block.
        depth: how many k a worker multiplies at a time.
        workers: among how many warps a block divides its k.
        wanted: blocks that the GPU shall have, if splitting k can provide them: one per multiprocessor, or two of small
            ones, so that one computes while the other waits. What is chosen only for many tiles splits nothing (0).
    """

    file: str
    rows: int
    columns: int
    threads: int
    depth: int
    workers: int
    wanted: int


TILES = {
    "gemm_128x128": Tile("gemm_warp_tiles.cu", 128, 128, 256, 16, 1, 0),
    "gemm_64x64": Tile("gemm_warp_tiles.cu", 64, 64, 128, 16, 1, MULTIPROCESSORS),
    "gemm_sliced": Tile("gemm_sliced.cu", 32, 32, 128, 8, 4, 2 * MULTIPROCESSORS),
}


class Row(NamedTuple):
    """The kernel for the products of a layout that have at least so many tiles of 64 x 64 elements."""

    layout: str
    tiles: int
    kernel: str
    source: str


_FULL = "derived: a tile of 128 x 128 for every multiprocessor"
_HALF = "derived: with fewer than a tile of 64 x 64 for two multiprocessors most of the GPU would wait"
_REST = "derived: small tiles, and k sliced"

TABLE = tuple(
    Row(layout, *rest)
    for layout in ("NN", "NT", "TN")
    for rest in (
        (4 * MULTIPROCESSORS, "gemm_128x128", _FULL),
        (MULTIPROCESSORS // 2, "gemm_64x64", _HALF),
        (0, "gemm_sliced", _REST),
    )
)

LEAST_STEPS = 2  #: times its depth that a worker's share of k has at least: below, starting and adding up cost more
MOST_SPLITS = 64


def choose(layout: str, m: int, n: int, k: int, matrices: int, kernel: str | None = None) -> tuple[str, int]:
    """The kernel, unless it is given, and over how many blocks the k of a tile is split.

    >>> choose("NN", 4096, 4096, 4096, 1)
    ('gemm_128x128', 1)
    >>> choose("NT", 128, 512, 784, 1)
    ('gemm_sliced', 4)
    """
    tiles = matrices * -(-m // 64) * -(-n // 64)
    name = kernel or next(row.kernel for row in TABLE if row.layout == layout and tiles >= row.tiles)
    tile = TILES[name]
    blocks = matrices * -(-m // tile.rows) * -(-n // tile.columns)
    return name, splits(blocks, k, tile.wanted, LEAST_STEPS * tile.depth * tile.workers)


def splits(blocks: int, k: int, wanted: int, least: int) -> int:
    """Over how many blocks to split k, so that there are at most ``wanted``, each with at least ``least`` of k."""
    return max(1, min(wanted // max(blocks, 1), k // least, MOST_SPLITS))
