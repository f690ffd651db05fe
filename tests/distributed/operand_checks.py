"""Operands and results that lie in each other's way, or where others do not expect them; run by test_operands.py."""

from __future__ import annotations

import tracemalloc

import numpy as np
from refusals import refusal, refuses

from distributed.checking import run_checks
from tinygrad_lite import distributed as dist
from tinygrad_lite.distributed import choice, staged
from tinygrad_lite.distributed.windows import BLOCK
from tinygrad_lite.errors import ArgumentError, CommunicationError, DTypeError

Comm = dist.Communicator

LONG = 300_000  # elements: several blocks, segments and turns
SHIFT = 30


def ramp(comm: Comm, length: int) -> np.ndarray:
    return np.arange(length) % 1000 + float(comm.rank)


def total(comm: Comm, length: int) -> np.ndarray:
    return np.arange(length) % 1000 * float(comm.size) + comm.size * (comm.size - 1) / 2


def check_a_result_that_lies_across_its_operand(comm: Comm) -> None:
    for algorithm in ("auto", *choice.ALGORITHMS["allreduce", "private"]):
        for reads, writes in ((0, SHIFT), (SHIFT, 0)):
            memory = np.zeros(LONG + SHIFT)
            x, out = memory[reads : reads + LONG], memory[writes : writes + LONG]
            x[...] = ramp(comm, LONG)
            assert comm.allreduce(x, out=out, algorithm=algorithm) is out
            np.testing.assert_array_equal(out, total(comm, LONG), algorithm)
            x[...] = ramp(comm, LONG)
            assert comm.iallreduce(x, out=out, algorithm=algorithm).wait() is out
            np.testing.assert_array_equal(out, total(comm, LONG), algorithm)


def check_two_views_of_one_array_are_reduced_in_place(comm: Comm) -> None:
    for algorithm in choice.ALGORITHMS["allreduce", "private"]:
        x = ramp(comm, LONG)
        comm.allreduce(x, out=x[:], algorithm=algorithm)
        np.testing.assert_array_equal(x, total(comm, LONG), algorithm)


def check_a_result_that_lies_across_its_operand_in_a_window(comm: Comm) -> None:
    for length in (10, LONG):
        memory = comm.empty(length + SHIFT, "d")
        x, out = memory[:length], memory[SHIFT:]
        for _ in range(3):
            x[...] = ramp(comm, length)
            comm.allreduce(x, out=out)
            np.testing.assert_array_equal(out, total(comm, length))
            x[...] = ramp(comm, length)
            comm.allreduce(x, out=memory[:length])
            np.testing.assert_array_equal(x, total(comm, length))


def check_a_chunk_that_lies_in_its_operand(comm: Comm) -> None:
    length = LONG * comm.size
    start, stop = comm.bounds(length)[comm.rank]
    for make in (np.empty, comm.empty):
        for algorithm in ("auto", "mpi", "ring"):
            x = make(length, np.float64)
            for first in (0, length - (stop - start)):
                x[...] = ramp(comm, length)
                out = x[first : first + stop - start]
                assert comm.reduce_scatter(x, out=out, algorithm=algorithm) is out
                np.testing.assert_array_equal(out, total(comm, length)[start:stop], algorithm)


def check_gathered_parts_that_lie_in_the_whole(comm: Comm) -> None:
    for length in (3, LONG // 10):
        expected = np.repeat(np.arange(float(comm.size)), length)
        for make in (np.empty, comm.empty):
            for rank in (0, comm.rank):  # in the same place on every rank, and in its own
                for algorithm in ("auto", "mpi", "ring"):
                    whole = make(comm.size * length, np.float64)
                    mine = whole[rank * length : (rank + 1) * length]
                    mine[...] = comm.rank
                    assert comm.all_gather(mine, out=whole, algorithm=algorithm) is whole
                    np.testing.assert_array_equal(whole, expected, algorithm)


def check_results_that_cannot_be_written_are_refused(comm: Comm) -> None:
    x = np.ones(4)
    x.flags.writeable = False
    out = np.zeros(4 * comm.size)
    out.flags.writeable = False
    start, stop = comm.bounds(4)[comm.rank]

    def text(operation: str, length: int) -> str:
        shown = f"  out   shape ({length},), float64, cpu\n"
        return f"{operation} needs out to be writable\n{shown}  hint  out.copy() can be written"

    refuses(ArgumentError, lambda: comm.allreduce(x, out=x), text("allreduce", 4))
    refuses(ArgumentError, lambda: comm.iallreduce(x, out=x), text("iallreduce", 4))
    scattered = text("reduce_scatter", stop - start)
    refuses(ArgumentError, lambda: comm.reduce_scatter(x, out=out[: stop - start]), scattered)
    refuses(ArgumentError, lambda: comm.all_gather(x, out=out), text("all_gather", 4 * comm.size))
    refuses(ArgumentError, lambda: comm.broadcast(x, comm.size, out=out[:4]), ROOT.format(comm.size))
    refuses(ArgumentError, lambda: comm.broadcast(x, out=out[:4]), text("broadcast", 4))
    assert comm.allreduce(x).tolist() == [float(comm.size)] * 4
    mine = np.full(4, float(comm.rank))
    mine.flags.writeable = comm.rank != 0  # the root only reads it
    assert comm.broadcast(mine, out=mine).tolist() == [0.0] * 4


ROOT = "broadcast needs root to be a rank below {0}, but got {0}"


def check_numbers_of_ranks_are_integers(comm: Comm) -> None:
    hint = "  hint   int(value) cuts off the fraction"
    text = f"split needs an integer as color\n  color  1.5\n{hint}"
    refuses(DTypeError, lambda: comm.split(1.5), text)
    text = "broadcast needs an integer as root\n  root  '0'\n  hint  int(value) cuts off the fraction"
    refuses(DTypeError, lambda: comm.broadcast(np.ones(2), "0"), text)
    comm.barrier()


def check_known_calls_of_arrays_in_windows_and_elsewhere(comm: Comm) -> None:
    """Whether a call is known does not depend on where one rank has its array."""
    shared = comm.empty(40, "d")
    shared[...] = 1.0
    last = comm.rank == comm.size - 1
    comm.allreduce(np.ones(20))
    assert (comm.allreduce(shared[:20] if last else np.ones(20)) == comm.size).all()
    comm.allreduce(shared[:20])
    assert (comm.allreduce(shared[20:] if last else shared[:20]) == comm.size).all()
    comm.reduce_scatter(shared[:20], algorithm="mpi")
    assert (comm.reduce_scatter(shared[20:] if last else shared[:20], algorithm="mpi") == comm.size).all()
    comm.allreduce(np.ones(21), algorithm="mpi" if last else "auto")
    comm.allreduce(np.ones(21), algorithm="auto" if last else "mpi")


def check_results_in_different_places_are_refused(comm: Comm) -> None:
    if comm.size == 1:
        return
    with comm.split(0) as part:
        shared, out = part.empty(LONG, "d"), part.empty(2 * LONG, "d")
        shared[...], out[...] = 1.0, -1.0
        result = out[LONG:] if comm.rank == comm.size - 1 else out[:LONG]
        number = part.connection.watch.calls + 1
        text = refusal(CommunicationError, lambda: part.allreduce(shared, out=result))
        first = "rank 0" if comm.size == 2 else f"ranks {', '.join(map(str, range(comm.size - 1)))}"
        call = f"allreduce(sum) of float64, shape ({LONG},), by direct, in window 0 at 0, into window 1 at"
        width = len(first)
        assert text == (
            f"Communicator needs the same calls in the same order on every rank, but call {number} differs\n"
            f"  {first}  {call} 0\n"
            f"  {f'rank {comm.size - 1}':<{width}}  {call} {8 * LONG}\n"
            f"  {'hint':<{width}}  does every rank have the same model, the same sizes and the same number of steps?"
        )
        part.barrier()
        assert (out == -1.0).all()


def check_lengths_around_blocks_and_cache_lines(comm: Comm) -> None:
    blocks = [staged.STAGE, 2 * staged.STAGE, 3 * staged.STAGE, BLOCK * comm.size, 64, 64 * comm.size]
    before = None
    for dtype in ("d", "b", "G", "e", "?"):
        size = np.dtype(dtype).itemsize
        for block in blocks if dtype == "d" else blocks[:1] + blocks[3:]:
            for length in (block // size - 1, block // size, block // size + 1):
                x = ((np.arange(length) + comm.rank) % 3 == 0).astype(dtype)
                expected = x != 0
                for rank in range(comm.size):
                    expected = expected | ((np.arange(length) + rank) % 3 == 0)
                got = comm.allreduce(x, "max" if dtype != "G" else "sum", algorithm="staged")
                np.testing.assert_array_equal(got != 0, expected)
                np.testing.assert_array_equal(comm.allreduce(x, "prod", out=x, algorithm="staged") != 0, x != 0)
                if before is not None:  # what the call before has made is still what it was
                    np.testing.assert_array_equal(*before)
                before = got, got.copy()


def check_staged_calls_of_many_lengths_keep_no_memory(comm: Comm) -> None:
    comm.allreduce(np.ones(LONG), algorithm="staged")
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for length in range(LONG + 1, LONG + 11):
        comm.allreduce(np.ones(length), algorithm="staged")
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < staged.STAGE // 4, grown


if __name__ == "__main__":
    run_checks(globals())
