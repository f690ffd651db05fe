"""Memory that the ranks of one host share, and collectives that work on it without sending anything.

Direct: every rank reduces one slice of the array over all ranks' windows, block by block in cache, and writes the
result to all of them: each byte is read once and written once per rank, 2 rounds. Ring: pulled from the left
neighbour's window, the same 2(n-1) rounds as with messages. ``MPI_Win_sync`` stands on both sides of every wait:
not every processor shows writes in the order in which they were made.

An array of ``Communicator.empty`` lies in such a window and is reduced where it is. For any other see ``staged``.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.distributed.reductions import Array, Reduction, bounds
from tinygrad_lite.distributed.statistics import Counts
from tinygrad_lite.distributed.transport import Steps
from tinygrad_lite.errors import ArgumentError, fail

#: Bytes that a rank reduces at once: operands and result stay in the second-level cache.
BLOCK = 256 * 1024

#: Looks at a flag before the processor is given away, where every rank has a core of its own.
_SPINS = 2000

#: Collectives that may be under way on one window at a time.
TURNS = 64

_SHARED_MEMORY = "/dev/shm"  # where both MPIs put windows
_OWN_REFERENCES = 2  # a window's to the array that owns a part, while one asks for their number
_LINE = 64  #: bytes of a cache line: flags of different ranks lie in different ones
_PAGE = 4096


class Window:
    """Shared memory of ``nbytes`` per rank, with flags by which the ranks wait for each other. Collective.

    Attributes:
        memory: every rank's part, as bytes.
    """

    def __init__(self, mpi: Any, comm: Any, nbytes: int) -> None:
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()
        info = mpi.Info.Create()
        info.Set("alloc_shared_noncontig", "true")  # every part begins at a page
        self._window = mpi.Win.Allocate_shared(_PAGE + nbytes, 1, info, comm)
        info.Free()
        self.sync: Callable[[], None] = self._window.Sync
        self._window.Lock_all(mpi.MODE_NOCHECK)
        parts = [self._window.Shared_query(rank)[0] for rank in range(self.size)]
        self.memory = [np.frombuffer(part, np.uint8)[_PAGE : _PAGE + nbytes] for part in parts]
        self.flags = [memoryview(part).cast("B")[:_PAGE].cast("q") for part in parts]
        for column in range(TURNS):
            self.flags[self.rank][column] = 0
        self.address: int = self.memory[self.rank].__array_interface__["data"][0]
        self._turns = [Turn(self, column) for column in range(TURNS)]
        self._number = 0
        self.spins = _SPINS if self.size <= cores_of(comm) else 0
        comm.Barrier()

    def array(self, rank: int, dtype: np.dtype[Any], offset: int, length: int) -> Array:
        """A rank's elements from byte ``offset`` on."""
        return self.memory[rank][offset : offset + length * dtype.itemsize].view(dtype)

    def turn(self) -> Turn:
        """The flags of the next collective; every rank starts its collectives on a window in the same order."""
        turn = self._turns[self._number % TURNS]
        if turn.busy:
            hint = "wait() for the older ones first"
            fail(
                ArgumentError,
                "iallreduce",
                f"allows {TURNS} collectives on one window at a time, but got more",
                {},
                hint,
            )
        self._number += 1
        turn.busy = True
        return turn

    def in_use(self) -> bool:
        """Whether anyone on this rank holds an array in the memory."""
        return any(sys.getrefcount(memory.base) > _OWN_REFERENCES for memory in self.memory)

    def free(self) -> None:
        """Give the memory back; collective, and no array in it may be used afterwards."""
        self.memory = []
        for flags in self.flags:
            flags.release()
        self._window.Unlock_all()
        self._window.Free()


class Turn:
    """One column of a window's flags. A rank counts its announcements up in it, and the others wait for a count."""

    def __init__(self, window: Window, column: int) -> None:
        self._window, self._column, self._count = window, column, 0
        self.busy = False

    def announce(self) -> Reached:
        """Show the others what was written so far and say so; returns the wait until all have come as far."""
        window, column = self._window, self._column
        self._count += 1
        window.sync()
        window.flags[window.rank][column] = self._count
        return self.reached(window.flags)

    def reached(self, flags: Sequence[memoryview]) -> Reached:
        """What to wait for until the ranks with these flags have made as many announcements."""
        return Reached(flags, self._column, self._count, self._window)


class Reached:
    """The others' announcements, waited for."""

    def __init__(self, flags: Sequence[memoryview], column: int, count: int, window: Window) -> None:
        self._flags, self._column, self._count, self._window = list(flags), column, count, window

    def Test(self) -> bool:
        flags, column, count = self._flags, self._column, self._count
        while flags:
            if flags[-1][column] < count:
                return False
            flags.pop()
        self._window.sync()
        return True

    def Wait(self) -> None:
        tries, spins = 0, self._window.spins
        while not self.Test():
            tries += 1
            if tries > spins:
                os.sched_yield()


class Resident:
    """An array in a window: where it is in every rank's part."""

    def __init__(self, window: Window, offset: int, dtype: np.dtype[Any], length: int) -> None:
        self.window = window
        self.arrays = [window.array(rank, dtype, offset, length) for rank in range(window.size)]
        self.mine = self.arrays[window.rank]


def has_room(comm: Any, nbytes: int) -> bool:
    """Whether every rank of ``comm``, on one host, can have so much shared memory; too little would end in SIGBUS."""
    try:
        free = shutil.disk_usage(_SHARED_MEMORY).free
    except OSError:
        return True  # not a Linux; the system looks after it
    return all(comm.allgather(free >= comm.Get_size() * (nbytes + _PAGE)))


def cores_of(comm: Any) -> int:
    """How many cores the ranks of ``comm``, on one host, have together; a launcher may tie each to one of them."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    return len(set[int]().union(*comm.allgather(os.sched_getaffinity(0))))


def slices(length: int, size: int, itemsize: int) -> list[tuple[int, int]]:
    """Cut ``length`` elements for ``size`` ranks at cache lines, so that no two ranks write into one."""
    line = max(1, _LINE // itemsize)
    cuts = bounds(-(-length // line), size)
    return [(min(start * line, length), min(stop * line, length)) for start, stop in cuts]


class Direct:
    """Allreduces of arrays in a window into arrays in a window, where they are: two rounds.

    Sums are made in this rank's own memory, and copied into the others' while they are in cache: to store into memory
    that another processor has just read costs more than a copy, which does not wait for it.

    Args:
        x, out: what is reduced, and into what; ``out`` may be ``x``.
    """

    def __init__(self, x: Resident, out: Resident) -> None:
        self._window, rank, size = x.window, x.window.rank, x.window.size
        start, stop = slices(x.mine.size, size, x.mine.itemsize)[rank]
        others = [(rank + r) % size for r in range(1, size)]
        self._bytes = (size - 1) * (stop - start) * x.mine.itemsize
        step = max(1, BLOCK // x.mine.itemsize)
        self._pieces: list[tuple[Array, list[Array], Array, list[Array]]] = []
        for begin in range(start, stop, step):
            piece = slice(begin, min(begin + step, stop))
            operands, results = [x.arrays[r][piece] for r in others], [out.arrays[r][piece] for r in others]
            self._pieces.append((x.mine[piece], operands, out.mine[piece], results))

    def steps(self, reduction: Reduction, counts: Counts) -> Steps:
        """Carry it out; yields what has to be waited for."""
        combine, size, turn = reduction.combine, self._window.size, self._window.turn()
        yield turn.announce()
        for own, operands, total, results in self._pieces:
            combine(own, operands, total, size)
            for result in results:
                result[...] = total
        _count(counts, 2, self._bytes)
        yield turn.announce()
        turn.busy = False


def direct_reduce_scatter(
    x: Resident, out: Array, cuts: Sequence[tuple[int, int]], reduction: Reduction, counts: Counts
) -> Steps:
    """Reduce this rank's chunk over the windows into an array anywhere else."""
    window, size = x.window, x.window.size
    turn = window.turn()
    yield turn.announce()
    start, stop = cuts[window.rank]
    operands = [x.arrays[(window.rank + r) % size] for r in range(1, size)]
    step = max(1, BLOCK // out.itemsize)
    for begin in range(start, stop, step):
        end = min(begin + step, stop)
        others = [operand[begin:end] for operand in operands]
        reduction.combine(x.mine[begin:end], others, out[begin - start : end - start], size)
    _count(counts, 2, (size - 1) * out.nbytes)
    yield turn.announce()
    turn.busy = False


def direct_all_gather(x: Resident, out: Array, counts: Counts) -> Steps:
    """Copy what lies in the windows, equally long on all ranks, into one array."""
    window, length = x.window, x.arrays[0].size
    turn = window.turn()
    yield turn.announce()
    # Others still read this rank's part while it writes.
    whole = np.empty_like(out) if np.may_share_memory(x.mine, out) else out
    for rank, part in enumerate(x.arrays):
        whole[rank * length : (rank + 1) * length] = part
    _count(counts, 2, (window.size - 1) * x.arrays[0].nbytes)
    yield turn.announce()
    if whole is not out:
        out[...] = whole
    turn.busy = False


def ring_allreduce(x: Resident, out: Resident, reduction: Reduction, counts: Counts) -> Steps:
    """The ring, with rounds in which every rank pulls from its left neighbour's window instead of receiving.

    No rank overwrites what its right neighbour has still to pull: the final value of a chunk depends on it.
    """
    window, rank, n = x.window, x.window.rank, x.window.size
    left, right = (rank - 1) % n, (rank + 1) % n
    mine, theirs = out.arrays[rank], out.arrays[left]
    if out is not x:
        mine[...] = x.arrays[rank]
    cuts = bounds(mine.size, n)
    turn = window.turn()
    turn.announce()
    for t in range(2 * (n - 1)):
        yield turn.reached([window.flags[left]])
        start, stop = cuts[(rank - t - 2) % n]
        if t < n - 1:
            reduction.ufunc(theirs[start:stop], mine[start:stop], out=mine[start:stop])
            if t == n - 2:
                reduction.finish(mine[start:stop], n)
        else:
            mine[start:stop] = theirs[start:stop]
        _count(counts, 1, (stop - start) * mine.itemsize)
        turn.announce()
    yield turn.reached([window.flags[right]])
    turn.busy = False


def _count(counts: Counts, rounds: int, nbytes: int) -> None:
    counts.rounds += rounds
    counts.bytes += nbytes
