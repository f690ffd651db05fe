"""Allreduce of arrays that lie anywhere, on one host, block by block through a small window.

A rank copies in what the others reduce, reduces its own slice of the block into the result, and copies that in for the
others, who copy it out. Nothing but copies touches memory that another processor has just read: to store into it one
number at a time costs several times as much between processors that share no cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.distributed.reductions import Array, Reduction
from tinygrad_lite.distributed.statistics import Counts
from tinygrad_lite.distributed.transport import Steps
from tinygrad_lite.distributed.windows import Window, slices

#: Bytes per rank of a block: what a rank reads and writes of one stays in the second-level cache.
STAGE = 1024 * 1024

#: What a window needs per rank: two blocks of operands and two of results take turns.
ROOM = 4 * STAGE


class Stage(Window):
    """The small window, and room for sums in memory of this rank alone, where they are made faster. Collective."""

    def __init__(self, mpi: Any, comm: Any) -> None:
        super().__init__(mpi, comm, ROOM)
        self.scratch = np.empty(STAGE, np.uint8)


class Staged:
    """Allreduces of arrays of one length and dtype.

    While all work on one block the next is copied in, so that one wait per block is enough: what a block overwrites was
    last read two blocks before.

    Args:
        stage: through which they go.
        dtype, length: of the arrays, which are flat.
    """

    def __init__(self, stage: Stage, dtype: np.dtype[Any], length: int) -> None:
        self._stage = stage
        most = STAGE // dtype.itemsize
        starts = range(0, length, most)
        shapes = {(k % 2, min(most, length - start)) for k, start in enumerate(starts)}
        known = {shape: _Block(stage, dtype, *shape) for shape in shapes}
        self._blocks = [(start, known[k % 2, min(most, length - start)]) for k, start in enumerate(starts)]

    def steps(self, x: Array, out: Array, reduction: Reduction, counts: Counts) -> Steps:
        """Reduce ``x`` into ``out``, which may be ``x``; yields what has to be waited for."""
        blocks, turn, size, combine = self._blocks, self._stage.turn(), self._stage.size, reduction.combine
        in_place = x is out
        if blocks:
            blocks[0][1].copy_in(x, 0)
            counts.rounds += 1
            yield turn.announce()
        for k, (start, block) in enumerate(blocks):
            first, last = start + block.start, start + block.stop
            total = out[first:last] if in_place else block.scratch
            combine(x[first:last], block.operands, total, size)
            block.result[...] = total
            if not in_place:
                out[first:last] = total
            if k + 1 < len(blocks):
                after, following = blocks[k + 1]
                following.copy_in(x, after)
            counts.rounds += 1
            counts.bytes += block.bytes
            yield turn.announce()
            for begin, end, result in block.results:
                out[start + begin : start + end] = result
        turn.busy = False


class _Block:
    """Where the pieces of a block lie, in it and in the window.

    Attributes:
        start, stop: of the slice that this rank reduces, in elements from the block's beginning.
        operands: the others' numbers in that slice, those of the next rank first.
        result: where this rank shows what came out.
        results: start, stop and numbers of what the others reduced.
        scratch: room for this rank's slice.
        bytes: what this rank reads from the others.
    """

    def __init__(self, stage: Stage, dtype: np.dtype[Any], parity: int, length: int) -> None:
        rank, size = stage.rank, stage.size
        cuts = slices(length, size, dtype.itemsize)
        self.start, self.stop = start, stop = cuts[rank]
        others = [(rank + r) % size for r in range(1, size)]

        def part(of: int, place: int, first: int, last: int) -> Array:
            return stage.array(of, dtype, place * STAGE + first * dtype.itemsize, last - first)

        self.operands = [part(r, parity, start, stop) for r in others]
        self.result = part(rank, 2 + parity, start, stop)
        self.results = [(*cuts[r], part(r, 2 + parity, *cuts[r])) for r in others]
        self.scratch = stage.scratch[: (stop - start) * dtype.itemsize].view(dtype)
        shown = [(first, last) for first, last in ((0, start), (stop, length)) if first < last]
        self._shown = [(first, last, part(rank, parity, first, last)) for first, last in shown]
        self.bytes = ((size - 1) * (stop - start) + length - (stop - start)) * dtype.itemsize

    def copy_in(self, x: Array, begin: int) -> None:
        """Show the others what they reduce of the block that begins here."""
        for start, stop, place in self._shown:
            place[...] = x[begin + start : begin + stop]
