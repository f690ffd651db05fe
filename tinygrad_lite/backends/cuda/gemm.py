"""Matrix products on the GPU, C = epilogue(A B), by the kernels at the top of the ladder (docs/gemm.md).

Operands are views: a transposed one is read where it lies, and so are rows that are further apart than they are long,
and batches that repeat or permute. What no kernel reads directly is copied first.
"""

from __future__ import annotations

import functools
from typing import Any

from tinygrad_lite.backends.cuda import layout, memory
from tinygrad_lite.backends.cuda.array import CudaArray, contiguous, copied, copy_into, empty
from tinygrad_lite.backends.cuda.gemm_plan import MOST, Plan, Question, planned, vectors
from tinygrad_lite.errors import ShapeError, fail


def transposed(x: CudaArray) -> CudaArray:
    """The view with the last two axes exchanged."""
    shape, strides = x.shape, x.strides
    return x.view_as((*shape[:-2], shape[-1], shape[-2]), (*strides[:-2], strides[-1], strides[-2]))


def gemm(
    a: CudaArray,
    b: CudaArray,
    out: CudaArray | None = None,
    *,
    bias: CudaArray | None = None,
    activation: str | None = None,
    slope: str | None = None,
    saved: CudaArray | None = None,
    sums: CudaArray | None = None,
    accumulate: bool = False,
    kernel: str | None = None,
) -> CudaArray:
    """The product of matrices, completed on its way to memory.

    The three products of a linear layer with weight W (out, in), with all axes of x but the last as one::

        y  = gemm(x, transposed(W), bias=b, activation="relu")
        dW = gemm(transposed(dy), x, out=dW, sums=db)
        dx = gemm(dy, W, slope="relu", saved=x)    # if x itself came out of a relu

    Each is one launch for float32; ``out`` and ``sums`` may be memory that is there already, such as gradients in the
    arena.

    Args:
        a: (..., m, k), of any strides.
        b: (..., k, n), of the same dtype; the leading axes broadcast.
        out: (..., m, n), where to write; another array than a, b and saved. New memory if None.
        bias: (n,): added to every row.
        activation: None, "relu", "tanh" or "sigmoid": applied after the bias.
        slope: the same names: the result is multiplied by that activation's derivative where it returned ``saved``.
        saved: the shape of the result. With it, a batch must be one of rows: b has no leading axes.
        sums: (m,), contiguous: becomes the sums of a along k. With it, a and b have no leading axes.
        accumulate: whether the result is added to what ``out``, and ``sums``, hold.
        kernel: of float32 arrays, a name in gemm_table.TILES: the kernel to use whatever the table says.

    Returns:
        ``out``.

    Raises:
        ShapeError: an axis has more elements than the kernels can count.
    """
    n = b.shape[-1]
    batch = layout.broadcast_shapes(a.shape[:-2], b.shape[:-2]) if a.ndim > 2 or b.ndim > 2 else ()
    shape = (*batch, a.shape[-2], n)
    if out is None:
        out = empty(shape, a.dtype)
    elif not out.contiguous:
        detour = copied(out) if accumulate else empty(shape, a.dtype)
        options: dict[str, Any] = {"bias": bias, "activation": activation, "slope": slope, "saved": saved, "sums": sums}
        copy_into(out, gemm(a, b, detour, accumulate=accumulate, kernel=kernel, **options))
        return out
    if not out.size:
        if sums is not None:
            column_sums(transposed(a), sums, accumulate=accumulate)
        return out
    bias = contiguous(bias) if bias is not None else None
    saved = contiguous(saved) if saved is not None else None
    ld_saved = n if saved is not None else 0
    epilogue = (activation, slope, bias is not None, sums is not None, ld_saved, accumulate, kernel)
    plan = planned(_question(a, b, batch, epilogue))
    if plan.form == "copy":
        a = _in_layout(a, plan.layout[0] == "T") if plan.copy_a else a
        b = _in_layout(b, plan.layout[1] == "T") if plan.copy_b else b
        plan = planned(_question(a, b, batch, epilogue))
    if sums is not None and plan.layout != "TN":
        column_sums(transposed(a), sums, accumulate=accumulate)
        sums = None
    _run(plan, a, b, out, bias, saved, sums)
    return out


def _in_layout(x: CudaArray, is_transposed: bool) -> CudaArray:
    """A copy whose rows, or columns, lie in memory one after the other."""
    return transposed(copied(transposed(x))) if is_transposed else copied(x)


def _question(a: CudaArray, b: CudaArray, batch: tuple[int, ...], epilogue: tuple[Any, ...]) -> Question:
    m, k = a.shape[-2:]
    n = b.shape[-1]
    if max(m, n, k) > MOST:
        fail(ShapeError, "matmul", f"needs axes of at most {MOST} elements", {"x1": a, "x2": b}, "multiply in parts")
    a_batch: tuple[int, ...] = ()
    b_batch: tuple[int, ...] = ()
    a_row, b_row = a.strides[-2], b.strides[-2]
    if batch:
        a_batch = layout.broadcast_strides(a.shape[:-2], a.strides[:-2], batch)
        b_batch = layout.broadcast_strides(b.shape[:-2], b.strides[:-2], batch)
        if not any(b_batch):  # one matrix on the right: all rows on the left may be those of one matrix, too
            (rows, *more), ((step, *_),) = layout.merged((*batch, m), (*a_batch, a_row))
            if not more and rows <= MOST:
                batch, a_batch, b_batch, m, a_row = (), (), (), rows, step
        assert not batch or (epilogue[1] is None and not epilogue[3]), "the epilogue knows no batch"
    steps = ((a_batch, a_row, a.strides[-1]), (b_batch, b_row, b.strides[-1]))
    return Question(a.dtype, batch, m, n, k, *steps, *epilogue)


def _run(
    plan: Plan,
    a: CudaArray,
    b: CudaArray,
    out: CudaArray,
    bias: CudaArray | None,
    saved: CudaArray | None,
    sums: CudaArray | None,
) -> None:
    item = out.dtype.itemsize
    workspace = memory.allocate(plan.workspace) if plan.workspace else None
    partial = workspace.address if workspace is not None else 0
    if plan.form == "gemv":
        pointers: tuple[int, ...] = (partial, memory.counters())
        first, second = (b, a) if plan.swap else (a, b)
    else:
        first, second = a, b
        pointers = (bias.address if bias is not None else 0, saved.address if saved is not None else 0)
        if plan.form == "tiles":
            pointers += (sums.address if sums is not None else 0, partial, memory.counters())
        else:
            pointers += (partial,)
    for kernel, grid, threads, (start_a, start_b, start_c), numbers in plan.launches:
        kernel(
            grid,
            (threads, 1, 1),
            first.address + start_a * item,
            second.address + start_b * item,
            out.address + start_c * item,
            *pointers,
            *numbers,
        )


# --- sums -------------------------------------------------------------------------------------------------


def column_sums(x: CudaArray, out: CudaArray | None = None, *, accumulate: bool = False) -> CudaArray:
    """The sums of the columns of a matrix, in its dtype: the gradient of a bias.

    Args:
        x: (m, n), of any strides.
        out: (n,), contiguous: where to write. New memory if None.
        accumulate: whether the sums are added to what ``out`` holds.
    """
    m, n = x.shape
    if out is None:
        out = empty((n,), x.dtype)
    if n:
        plan = _summing(x.dtype, n, m, x.strides, accumulate)
        workspace = memory.allocate(plan.workspace) if plan.workspace else None
        partial = workspace.address if workspace is not None else 0
        for kernel, grid, threads, _, numbers in plan.launches:
            kernel(grid, (threads, 1, 1), x.address, 0, out.address, partial, memory.counters(), *numbers)
    return out


@functools.lru_cache(1024)
def _summing(dtype: Any, n: int, m: int, strides: tuple[int, ...], accumulate: bool) -> Plan:
    return vectors(dtype, (), n, m, ((), strides[1], strides[0]), None, accumulate=accumulate)


def dots(x1: CudaArray, x2: CudaArray, *, conjugated: bool) -> CudaArray:
    """The sums of products along the last axis; the other axes broadcast.

    Args:
        x1: (..., k).
        x2: (..., k), of the same dtype.
        conjugated: whether the conjugate of x1 is meant.
    """
    shape = layout.broadcast_shapes(x1.shape[:-1], x2.shape[:-1])
    out = empty(shape, x1.dtype)
    if out.size:
        k = x1.shape[-1]
        strides = [
            (*layout.broadcast_strides(x.shape[:-1], x.strides[:-1], shape), x.strides[-1] if k > 1 else 1)
            for x in (x1, x2)
        ]
        _run(_dotting(x1.dtype, shape, k, *strides, conjugated), x1, x2, out, None, None, None)
    return out


@functools.lru_cache(1024)
def _dotting(
    dtype: Any, shape: tuple[int, ...], k: int, first: tuple[int, ...], second: tuple[int, ...], conjugated: bool
) -> Plan:
    """The last of the merged axes of the result counts as rows, and those before it as a batch."""
    sizes, (a, x) = layout.merged(shape, first[:-1], second[:-1])
    if max(k, sizes[-1]) > MOST:
        fail(ShapeError, "vecdot", f"needs axes of at most {MOST} elements, but got {max(k, sizes[-1])}")
    rows = ((a[:-1], a[-1], first[-1]), (x[:-1], x[-1], second[-1]))
    return vectors(dtype, sizes[:-1], sizes[-1], k, *rows, conjugated=conjugated)
