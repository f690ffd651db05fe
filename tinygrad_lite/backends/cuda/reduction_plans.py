"""How a reduction runs: which of the kernels in kernels/reduce.cuh, on which grid, over which layouts.

A plan depends on shapes, strides and alignment alone, is worked out once for each, and is the same on every GPU: so is
the order in which sums are added up.
"""

from __future__ import annotations

import functools
import math
import struct
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.backends.cuda import layout
from tinygrad_lite.backends.cuda.layout import MOST_AXES, MOST_ELEMENTS

THREADS = 256  #: of a block, as in kernels/reduce.cuh
AHEAD = 4  #: vectors that a thread loads at a time
#: Blocks that a launch wants: where there are fewer sets, several blocks share one. A large GPU holds about as many.
BLOCKS = 1024
ROWS, COLUMNS, STRIDED = range(3)

#: What follows the pointers in the kernels' parameters: how a ``Rows`` and a ``Columns`` are packed.
ROWS_BYTES, COLUMNS_BYTES = 360, 352

_Axes = list[tuple[int, int]]  # (size, stride) of each


class Launch(NamedTuple):
    """One launch: of which kernel, and with what."""

    kernel: int
    grid: tuple[int, int]
    block: tuple[int, int, int]
    shape: bytes  #: the packed ``Rows`` or ``Columns``
    first: int  #: element of the operand at which it begins
    start: int  #: element of the result at which it begins
    partials: int  #: how many states it leaves in memory for its last blocks


class Plan(NamedTuple):
    """A reduction of operands of one layout.

    Attributes:
        shape: of the result.
        sets: how many elements the result has.
        elements: how many elements of the operand each of them has.
        launches: empty if there is nothing to do.
        order: not None where the operand has to be copied first, with its axes in this order.
        copied: the shape that the copy then has: the kept axes, and one that is reduced.
    """

    shape: tuple[int, ...]
    sets: int
    elements: int
    launches: tuple[Launch, ...]
    order: tuple[int, ...] | None = None
    copied: tuple[int, ...] = ()


@functools.lru_cache(4096)
def plan(
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    axis: Any,
    keepdims: bool,
    item: int,
    residue: int,
    vectors: bool,
    ordered: bool,
) -> Plan:
    """The plan for one layout.

    Args:
        shape, strides: of the operand.
        axis: a tuple of ints, an int, or None for all axes.
        keepdims: whether the reduced axes stay in the result's shape.
        item: bytes of an element.
        residue: the operand's address modulo 16.
        vectors: whether the operation has a kernel for columns of several sets.
        ordered: whether elements are numbered, so that the order of the reduced axes counts.

    Raises:
        numpy.exceptions.AxisError: there is no such axis.
        ValueError: an axis is named twice.
    """
    axes = _axes(axis, len(shape))
    kept = [k for k in range(len(shape)) if k not in axes]
    result = tuple(1 if k in axes else n for k, n in enumerate(shape) if keepdims or k not in axes)
    sets, count = math.prod(shape[k] for k in kept), math.prod(shape[k] for k in axes)
    if not sets or not count:
        return Plan(result, sets, count, ())
    reduced, first = [(shape[k], strides[k]) for k in axes], 0
    if not ordered:
        reduced, first = _sorted(reduced)
    whole, (steps,) = layout.merged(tuple(shape[k] for k in kept), tuple(strides[k] for k in kept))
    runs, (run_steps,) = layout.merged(tuple(n for n, _ in reduced), tuple(s for _, s in reduced))
    one_run = len(runs) == 1 and run_steps[0] == 1
    if len(runs) > MOST_AXES or (count > MOST_ELEMENTS and not one_run):
        copied = (*(shape[k] for k in kept), count)
        return Plan(result, sets, count, (), (*kept, *axes), copied)
    launches: list[Launch] = []
    done = 0  # pieces are cut along the leading axes, so that in the result one follows the other
    for piece, (piece_steps,), (start,) in layout.pieces(whole, steps):
        made = _launch(piece, piece_steps, runs, run_steps, item, (residue + (first + start) * item) % 16, vectors)
        launches.append(made._replace(first=first + start, start=done))
        done += math.prod(piece)
    return Plan(result, sets, count, tuple(launches))


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    found = []
    for k in axis if isinstance(axis, tuple) else (axis,):
        if not -ndim <= k < ndim:
            raise np.exceptions.AxisError(k, ndim)
        found.append(k % ndim)
    if len(set(found)) != len(found):
        raise ValueError("duplicate value in 'axis'")
    return tuple(sorted(found))


def _sorted(axes: _Axes) -> tuple[_Axes, int]:
    """The same elements in the order of memory, and where they begin."""
    first = sum((n - 1) * s for n, s in axes if s < 0)
    return sorted(((n, abs(s)) for n, s in axes if n > 1), key=lambda axis: -axis[1]), first


def _launch(
    sets: tuple[int, ...],
    steps: tuple[int, ...],
    runs: tuple[int, ...],
    run_steps: tuple[int, ...],
    item: int,
    residue: int,
    vectors: bool,
) -> Launch:
    lanes = min(16 // item, 4)
    if run_steps[-1] == 1 and (len(runs) == 1 or runs[-1] >= 16):
        return _rows(sets, steps, runs, run_steps, 16 // item)
    wide = (
        vectors
        and lanes > 1
        and steps[-1] == 1
        and sets[-1] % lanes == 0
        and residue % (lanes * item) == 0
        and all(s % lanes == 0 for s in (*steps[:-1], *run_steps))
    )
    if wide:
        packs, pack_steps = (*sets[:-1], sets[-1] // lanes), (*steps[:-1], lanes)
        return _columns(COLUMNS, packs, pack_steps, runs, run_steps, lanes)
    return _columns(STRIDED, sets, steps, runs, run_steps, 1)


def _rows(
    sets: tuple[int, ...], steps: tuple[int, ...], runs: tuple[int, ...], run_steps: tuple[int, ...], lanes_of: int
) -> Launch:
    """Sets with runs of neighbours: a few threads, a warp, a block or several blocks for each."""
    many, total, length = math.prod(sets), math.prod(runs), runs[-1]
    step = THREADS * AHEAD * lanes_of  # elements that a block reads at a time
    shape: tuple[int, ...] = (1,)
    strides: tuple[int, ...] = (0,)
    share = 1
    if len(runs) == 1:
        packs = length // lanes_of
        if packs <= 32 * AHEAD * (8 if many >= 2048 else 1):
            width = lanes = _lanes(length, lanes_of, 32)
        else:
            width = lanes = THREADS
            length = step * _share(-(-total // step), many)
            shape, strides = (-(-total // length),), (length,)
    else:
        parts = _parts(length, many * math.prod(runs[:-1]), step, lanes_of)
        length //= parts
        shape, (strides,) = layout.merged((*runs[:-1], parts), (*run_steps[:-1], length))
        width = 32 if many >= 2048 and total <= 32 * AHEAD * lanes_of * 8 else THREADS
        lanes = _lanes(length, lanes_of, width)
        share = math.prod(shape)
        if width == THREADS:
            groups = width // lanes
            share = groups * _share(-(-share // groups), many)
    count = math.prod(shape)
    splits = -(-count // share)
    threads = min(THREADS, max(_power_above(many * width), 32))
    packed = layout.pack(sets, steps) + layout.pack(shape, strides)
    packed += struct.pack("qIIII", total, length, lanes, width, share)
    grid = (-(-many // (threads // width)), splits)
    return Launch(ROWS, grid, (threads, 1, 1), packed, 0, 0, many * splits if splits > 1 else 0)


def _lanes(length: int, lanes_of: int, most: int) -> int:
    """How many threads read a run: with a few vectors each, or, of a run too short for vectors, a few elements."""
    if length < 4 * lanes_of:
        return min(_power_above(-(-length // 2)), most)
    return min(max(_power_above(-(-length // (lanes_of * AHEAD))), 4), most)


def _share(pieces: int, sets: int) -> int:
    """How many of the pieces of a set one block takes."""
    return max(-(-pieces // -(-BLOCKS // sets)), 1)


def _parts(length: int, runs: int, step: int, lanes_of: int) -> int:
    """In how many equal parts to cut runs that are few and long."""
    if runs >= BLOCKS or length < 2 * step:
        return 1
    wanted = min(BLOCKS // runs, length // step)
    return next((p for p in range(wanted, 1, -1) if length % (p * lanes_of) == 0), 1)


def _columns(
    kernel: int,
    sets: tuple[int, ...],
    steps: tuple[int, ...],
    runs: tuple[int, ...],
    run_steps: tuple[int, ...],
    lanes_of: int,
) -> Launch:
    """Sets side by side, ``lanes_of`` to a thread; the threads of a block are spread over sets and elements."""
    many, count = math.prod(sets), math.prod(runs)
    if abs(run_steps[-1]) < abs(steps[-1]):  # neighbours in memory are of one set
        high = min(THREADS, _power_below(count))
        wide = min(many, THREADS // high)
    else:
        wide = min(many, THREADS // min(8, _power_below(count)))
        high = min(_power_below(THREADS // wide), _power_below(count))
    tiles = -(-many // wide)
    share = max(-(-count // -(-BLOCKS // tiles)), high * AHEAD)
    splits = -(-count // share)
    packed = layout.pack(sets, steps) + layout.pack(runs, run_steps) + struct.pack("III4x", wide, high, share)
    partials = splits * many * lanes_of if splits > 1 else 0
    return Launch(kernel, (tiles, splits), (wide * high, 1, 1), packed, 0, 0, partials)


def _power_above(n: int) -> int:
    return 1 << (n - 1).bit_length()


def _power_below(n: int) -> int:
    return 1 << (n.bit_length() - 1)
