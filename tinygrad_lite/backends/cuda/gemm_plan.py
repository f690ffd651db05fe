"""How a matrix product is computed on the GPU: which kernel, in which blocks, after which copies.

A plan depends on dtype, shapes and strides alone and is kept, so that a repeated product costs a look-up, the result's
memory and a launch.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cuda import compiler, gemm_table, launching, layout
from tinygrad_lite.backends.cuda.types import ALL, C_NAMES

ACTIVATIONS = (None, "relu", "tanh", "sigmoid")  #: by their numbers in kernels/gemm.cuh
MOST = 2**31 - 256  #: elements of an axis: with a tile beyond its end, what the kernels' 32-bit numbers hold
_MOST_MATRICES = 65535  # of one launch: blocks along z

# --- the kernels ------------------------------------------------------------------------------------------

_TILE_PARAMETERS = "PPPPPPPP" + "qqqqq" + "iiiiiiiiiiii"  # struct Gemm
_ANY_PARAMETERS = "PPPPPP" + "qqqqqqqqq" + "iiiiiiiiii"  # struct AnyGemm
_GEMV_PARAMETERS = "PPPPP" + "qqqqqqqq" + "iiiiiiii"  # struct Gemv

_LAYOUTS = {"NN": (0, 0), "NT": (0, 1), "TN": (1, 0)}


def _tile_kernels() -> dict[tuple[str, str, bool], launching.Kernel]:
    """(name, layout, whether it can apply tanh and sigmoid, as x W^T of a layer's forward pass needs it) -> kernel."""
    found = {}
    for tile_name, tile in gemm_table.TILES.items():
        for name, (a, b) in _LAYOUTS.items():
            for smooth in (False, True) if name == "NT" else (False,):
                epilogue = {"SMOOTH": 1} if smooth else {}
                module = compiler.module(tile.file, TRANSPOSE_A=a, TRANSPOSE_B=b, **epilogue)
                found[tile_name, name, smooth] = launching.Kernel(module, tile_name, _TILE_PARAMETERS)
    return found


_TILE_KERNELS = _tile_kernels()
_ANY: dict[Any, launching.Kernel] = {}
_ANY_END: dict[Any, launching.Kernel] = {}
_ROWS: dict[Any, launching.Kernel] = {}
_COLUMNS: dict[Any, launching.Kernel] = {}
CROSS: dict[Any, launching.Kernel] = {}
for _dtype in ALL:
    _module = compiler.module("gemm_any.cu", TYPE=C_NAMES[_dtype] if _dtype.kind != "i" else f"u{C_NAMES[_dtype]}")
    _ANY[_dtype] = launching.Kernel(_module, "gemm_any", _ANY_PARAMETERS)
    _ANY_END[_dtype] = launching.Kernel(_module, "gemm_any_end", _ANY_PARAMETERS)
    _ROWS[_dtype] = launching.Kernel(_module, "gemv_rows", _GEMV_PARAMETERS)
    _COLUMNS[_dtype] = launching.Kernel(_module, "gemv_columns", _GEMV_PARAMETERS)
    CROSS[_dtype] = launching.Kernel(_module, "cross", "PPPqqq296s")


def _sum_bytes(dtype: Any) -> int:
    """The bytes of a sum of products while it is computed (kernels/sum_of_products.cuh)."""
    return 4 if dtype.kind in "iuf" and dtype.itemsize < 4 else int(dtype.itemsize)


# --- batches ----------------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """Matrices for one launch: where the first lies in each operand, and how the others follow along two axes."""

    starts: tuple[int, ...]  # elements, per operand
    first: int  # its number in the whole batch
    matrices: int
    inner: int  # how many there are along the inner axis
    outer_strides: tuple[int, ...]
    inner_strides: tuple[int, ...]


@functools.lru_cache(1024)
def batches(shape: tuple[int, ...], *strides: tuple[int, ...]) -> tuple[Batch, ...]:
    """The batch in launches of two axes and at most 65535 matrices each: mostly one.

    >>> [(b.matrices, b.inner, b.outer_strides, b.inner_strides) for b in batches((4, 3), (0, 8), (24, 8))]
    [(12, 3, (0, 24), (8, 8))]
    """
    sizes, steps = layout.merged(shape, *strides)
    if len(sizes) > 2 or (len(sizes) == 2 and sizes[1] > _MOST_MATRICES):
        each = math.prod(sizes[1:])
        found = []
        for i in range(sizes[0]):
            for b in batches(sizes[1:], *(s[1:] for s in steps)):
                starts = tuple(start + i * s[0] for start, s in zip(b.starts, steps, strict=True))
                found.append(b._replace(starts=starts, first=b.first + i * each))
        return tuple(found)
    inner = sizes[1] if len(sizes) == 2 else 1
    outer_strides = tuple(s[0] for s in steps)
    inner_strides = tuple(s[1] if len(sizes) == 2 else 0 for s in steps)
    most = max(_MOST_MATRICES // inner, 1)
    return tuple(
        Batch(
            starts=tuple(i * s for s in outer_strides),
            first=i * inner,
            matrices=min(most, sizes[0] - i) * inner,
            inner=inner,
            outer_strides=outer_strides,
            inner_strides=inner_strides,
        )
        for i in range(0, sizes[0], most)
    )


# --- plans ------------------------------------------------------------------------------------------------


class Question(NamedTuple):
    """What a plan depends on. The batch is that of the result; strides count elements."""

    dtype: Any
    batch: tuple[int, ...]
    m: int
    n: int
    k: int
    a: tuple[tuple[int, ...], int, int]  # the strides of the batch, between rows, between k
    b: tuple[tuple[int, ...], int, int]  # the strides of the batch, between k, between columns
    activation: str | None = None
    slope: str | None = None
    bias: bool = False
    sums: bool = False
    ld_saved: int = 0
    accumulate: bool = False
    kernel: str | None = None  # of float32 tiles, instead of what the table would choose


class Launch(NamedTuple):
    """One launch; the offsets are elements to add to the addresses of the operands and the result."""

    kernel: launching.Kernel
    grid: tuple[int, int, int]
    threads: int
    offsets: tuple[int, ...]
    numbers: tuple[int, ...]


class Plan(NamedTuple):
    """How a product is computed.

    Attributes:
        form: the kernels' structure, which says what a launch is given: "tiles", "any" or "gemv"; "copy" if no kernel
            reads an operand as it lies.
        launches: in order.
        workspace: bytes for partial sums; 0 where k is not split.
        swap: gemv: whether the matrix is B.
        layout: tiles: "NN", "NT" or "TN"; copy: that which the operands shall have.
        copy_a, copy_b: whether that takes a copy.
    """

    form: str
    launches: tuple[Launch, ...] = ()
    workspace: int = 0
    swap: bool = False
    layout: str = ""
    copy_a: bool = False
    copy_b: bool = False


@functools.lru_cache(4096)
def planned(q: Question) -> Plan:
    """The plan for a product whose result is not empty."""
    if (q.m == 1 or q.n == 1) and q.activation is None and q.slope is None and not q.bias and q.kernel is None:
        return _matrix_times_vector(q)
    return _tiles(q) if q.dtype == dtypes.float32 else _any(q)


def _tiles(q: Question) -> Plan:
    """The float32 kernels: the first layout of those whose kernels have the epilogue that takes the least copying."""
    smooth = q.activation in ("tanh", "sigmoid")
    # Operands with one row or column can have several layouts: the first that fits is taken.
    choices = ("NT",) if smooth else ("TN", "NN", "NT") if q.sums else ("NN", "NT", "TN")
    (a_batch, a_row, a_k), (b_batch, b_k, b_column) = q.a, q.b
    a_has = {"N": _in_rows(q.m, q.k, a_row, a_k), "T": _in_rows(q.k, q.m, a_k, a_row)}
    b_has = {"N": _in_rows(q.k, q.n, b_k, b_column), "T": _in_rows(q.n, q.k, b_column, b_k)}

    def copied(name: str) -> int:
        return (not a_has[name[0]]) * q.m * q.k + (not b_has[name[1]]) * q.n * q.k

    name = min(choices, key=copied)
    if copied(name):
        return Plan("copy", layout=name, copy_a=not a_has[name[0]], copy_b=not b_has[name[1]])
    lda = (a_row if q.m > 1 else 0) if name[0] == "N" else (a_k if q.k > 1 else 0)
    ldb = (b_k if q.k > 1 else 0) if name[1] == "N" else (b_column if q.n > 1 else 0)
    kernel_name, splits = gemm_table.choose(name, q.m, q.n, q.k, math.prod(q.batch), q.kernel)
    tile = gemm_table.TILES[kernel_name]
    kernel = _TILE_KERNELS[kernel_name, name, smooth]
    down, across = -(-q.m // tile.rows), -(-q.n // tile.columns)
    launches, most = [], 0
    for b in batches(q.batch, a_batch, b_batch):
        numbers = (
            *(b.outer_strides[0], b.inner_strides[0], b.outer_strides[1], b.inner_strides[1], q.m * q.n),
            *(q.m, q.n, q.k, lda, ldb, q.n, q.ld_saved, b.inner, splits),
            *(q.accumulate, ACTIVATIONS.index(q.activation), ACTIVATIONS.index(q.slope)),
        )
        offsets = (*b.starts, b.first * q.m * q.n)
        launches.append(Launch(kernel, (down * across, splits, b.matrices), tile.threads, offsets, numbers))
        most = max(most, b.matrices)
    partial = 4 * splits * (most * down * across * tile.rows * tile.columns + down * tile.rows)
    return Plan("tiles", tuple(launches), partial if splits > 1 else 0, layout=name)


def _in_rows(rows: int, columns: int, row: int, column: int) -> bool:
    """Whether the elements of a row are neighbours, and the rows no further apart than 32 bits can say."""
    return (column == 1 or columns <= 1) and (rows <= 1 or -MOST <= row <= MOST)


def _any(q: Question) -> Plan:
    """The kernels of all dtypes, which read any strides."""
    (a_batch, a_row, a_k), (b_batch, b_k, b_column) = q.a, q.b
    side = 32 if _sum_bytes(q.dtype) > 8 else 64
    tiles, matrices = -(-q.m // side) * -(-q.n // side), math.prod(q.batch)
    splits = gemm_table.splits(tiles * matrices, q.k, 2 * gemm_table.MULTIPROCESSORS, 64)
    launches, most = [], 0
    for b in batches(q.batch, a_batch, b_batch):
        numbers = (
            *(b.outer_strides[0], b.inner_strides[0], a_row, a_k),
            *(b.outer_strides[1], b.inner_strides[1], b_k, b_column, q.m * q.n),
            *(q.m, q.n, q.k, q.n, q.ld_saved, b.inner, splits),
            *(ACTIVATIONS.index(q.activation), ACTIVATIONS.index(q.slope), q.accumulate),
        )
        offsets = (*b.starts, b.first * q.m * q.n)
        launches.append(Launch(_ANY[q.dtype], (tiles, splits, b.matrices), 256, offsets, numbers))
        if splits > 1:
            grid = (-(-q.n // 256), q.m, b.matrices)
            launches.append(Launch(_ANY_END[q.dtype], grid, 256, offsets, numbers))
        most = max(most, b.matrices)
    partial = most * splits * q.m * q.n * _sum_bytes(q.dtype)
    return Plan("any", tuple(launches), partial if splits > 1 else 0)


def _matrix_times_vector(q: Question) -> Plan:
    (a_batch, _, a_k), (b_batch, b_k, b_column) = q.a, q.b
    if q.n == 1:
        return vectors(q.dtype, q.batch, q.m, q.k, q.a, (b_batch, 0, b_k), accumulate=q.accumulate)
    matrix, vector = (b_batch, b_column, b_k), (a_batch, 0, a_k)
    return vectors(q.dtype, q.batch, q.n, q.k, matrix, vector, accumulate=q.accumulate)._replace(swap=True)


@functools.lru_cache(1024)
def vectors(
    dtype: Any,
    batch: tuple[int, ...],
    rows: int,
    k: int,
    a: tuple[tuple[int, ...], int, int],
    x: tuple[tuple[int, ...], int, int] | None,
    *,
    conjugated: bool = False,
    accumulate: bool = False,
) -> Plan:
    """Sums over k of a[i, k] x[i, k], or of a[i, k] alone, for every i: strides of the batch, along i and along k.

    Where neighbours in memory follow i, and all i have one vector, a thread takes an i; else a warp, or a block, does.
    """
    (a_batch, a_row, a_k), (x_batch, x_row, x_k) = a, x or ((0,) * len(batch), 0, 0)
    matrices = math.prod(batch)
    if x is None or (a_row == 1 and a_k != 1 and x_row == 0 and rows > 1 and not conjugated):
        kernel, warps = _COLUMNS[dtype], 1
        blocks = -(-rows // 32)
        splits = gemm_table.splits(blocks * matrices, k, 2 * gemm_table.MULTIPROCESSORS, 64)
    else:
        kernel, full = _ROWS[dtype], 32 * 16 // dtype.itemsize  # what a warp reads at once
        warps = 8 if rows * matrices < 16 * gemm_table.MULTIPROCESSORS and k > 4 * full else 1
        blocks = -(-rows * warps // 8)
        splits = gemm_table.splits(blocks * matrices, k, 2 * gemm_table.MULTIPROCESSORS, 8 * warps * full)
    launches, most = [], 0
    for b in batches(batch, a_batch, x_batch):
        numbers = (
            *(b.outer_strides[0], b.inner_strides[0], a_row, a_k),
            *(b.outer_strides[1], b.inner_strides[1], x_row, x_k),
            *(rows, k, b.inner, splits, warps, conjugated, accumulate, 0),
        )
        launches.append(Launch(kernel, (blocks, splits, b.matrices), 256, (*b.starts, b.first * rows), numbers))
        most = max(most, b.matrices)
    return Plan("gemv", tuple(launches), most * rows * splits * _sum_bytes(dtype) if splits > 1 else 0)
