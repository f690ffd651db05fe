"""MPI's own collectives: the baseline, and the choice for small arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.distributed.reductions import Array, Reduction
from tinygrad_lite.distributed.statistics import Counts
from tinygrad_lite.distributed.transport import Steps


class MPICollectives:
    """MPI's collectives on a communicator, blocking ones and ones to be waited for, counted as one message each.

    Args:
        mpi, comm: mpi4py's module and the communicator.
    """

    def __init__(self, mpi: Any, comm: Any) -> None:
        self._mpi, self._comm = mpi, comm
        self._size: int = comm.Get_size()

    def allreduce(self, reduction: Reduction, counts: Counts, nbytes: int) -> Callable[[Array, Array], None]:
        """What reduces arrays of ``nbytes``: a function of the operand and the result, which may be the operand.

        Everything that can be looked up is looked up here: of small arrays one notices each attribute.
        """
        run, in_place, op = self._comm.Allreduce, self._mpi.IN_PLACE, getattr(self._mpi, reduction.mpi or "")
        finish, size = reduction.finish if reduction.mean else None, self._size

        def allreduce(x: Array, out: Array) -> None:
            run(in_place if x is out else x, out, op)
            if finish is not None:
                finish(out, size)
            counts.rounds += 1
            counts.messages += 1
            counts.bytes += nbytes

        return allreduce

    def iallreduce(self, x: Array, out: Array, reduction: Reduction, counts: Counts) -> Steps:
        _count(counts, x.nbytes)
        yield self._comm.Iallreduce(self._mpi.IN_PLACE if x is out else x, out, getattr(self._mpi, reduction.mpi or ""))
        reduction.finish(out, self._size)

    def ireduce_scatter(
        self, x: Array, out: Array, cuts: Sequence[tuple[int, int]], reduction: Reduction, counts: Counts
    ) -> Steps:
        _count(counts, x.nbytes)
        lengths = [stop - start for start, stop in cuts]
        yield self._comm.Ireduce_scatter(x, out, lengths, getattr(self._mpi, reduction.mpi or ""))
        reduction.finish(out, self._size)

    def iall_gather(self, x: Array, out: Array, cuts: Sequence[tuple[int, int]], counts: Counts) -> Steps:
        _count(counts, x.nbytes)
        lengths, starts = [stop - start for start, stop in cuts], [start for start, _ in cuts]
        mine: Any = x
        if np.may_share_memory(x, out):  # MPI wants to be told, and knows only one such case
            start, stop = cuts[self._comm.Get_rank()]
            in_place = x.ctypes.data == out.reshape(-1)[start:stop].ctypes.data
            mine = self._mpi.IN_PLACE if in_place else x.copy()
        yield self._comm.Iallgatherv(mine, [out, (lengths, starts)])

    def ibroadcast(self, x: Array, root: int, counts: Counts) -> Steps:
        _count(counts, x.nbytes)
        yield self._comm.Ibcast(x, root)

    def ibarrier(self, counts: Counts) -> Steps:
        _count(counts, 0)
        yield self._comm.Ibarrier()


def _count(counts: Counts, nbytes: int) -> None:
    counts.rounds += 1
    counts.messages += 1
    counts.bytes += nbytes
