"""Ranks that disagree, bad arguments, mpi4py's way of calling; run by test_agreement.py, a job per number of ranks."""

from __future__ import annotations

import time

import numpy as np
import pytest
from refusals import refusal, refuses

from distributed.checking import run_checks
from tinygrad_lite import distributed as dist
from tinygrad_lite.distributed import choice, tune
from tinygrad_lite.distributed.watch import HISTORY, INTERVAL, SETTLED
from tinygrad_lite.errors import ArgumentError, CommunicationError, DTypeError, ShapeError

Comm = dist.Communicator

_HINT = "does every rank have the same model, the same sizes and the same number of steps?"


def differ(comm: Comm, call, last: str, others: str) -> None:
    """The last rank calls something else: every rank raises the same words."""
    number = comm.connection.watch.calls + 1
    first = "rank 0" if comm.size == 2 else f"ranks {', '.join(map(str, range(comm.size - 1)))}"
    width = len(first)
    expected = (
        f"Communicator needs the same calls in the same order on every rank, but call {number} differs\n"
        f"  {first}  {others}\n"
        f"  {f'rank {comm.size - 1}':<{width}}  {last}\n"
        f"  {'hint':<{width}}  {_HINT}"
    )
    assert refusal(CommunicationError, call) == expected
    comm.barrier()  # and everyone can go on


def check_different_shapes(comm: Comm) -> None:
    is_last = comm.rank == comm.size - 1
    x = np.zeros(91 if is_last else 90)
    differ(
        comm,
        lambda: comm.allreduce(x),
        "allreduce(sum) of float64, shape (91,), by mpi",
        "allreduce(sum) of float64, shape (90,), by mpi",
    )


def check_different_dtypes(comm: Comm) -> None:
    x = np.zeros(92, np.int32 if comm.rank == comm.size - 1 else np.int64)
    differ(
        comm,
        lambda: comm.reduce_scatter(x),
        "reduce_scatter(sum) of int32, length 92, by mpi",
        "reduce_scatter(sum) of int64, length 92, by mpi",
    )


def check_different_operations(comm: Comm) -> None:
    is_last = comm.rank == comm.size - 1
    differ(
        comm,
        lambda: comm.iallreduce(np.zeros((2, 47)), "max" if is_last else "min"),
        "allreduce(max) of float64, shape (2, 47), by doubling",
        "allreduce(min) of float64, shape (2, 47), by doubling",
    )


def check_different_collectives(comm: Comm) -> None:
    x = np.zeros((3, 5))
    differ(
        comm,
        lambda: comm.all_gather(x) if comm.rank == comm.size - 1 else comm.broadcast(x, root=1),
        "all_gather of float64, shape (*, 5)",
        "broadcast(root=1) of float64, shape (3, 5)",
    )


def check_calls_out_of_order(comm: Comm) -> None:
    x, y = np.zeros(31), np.zeros(31, np.int64)
    for array in (x, y):
        comm.allreduce(array)
    is_last = comm.rank == comm.size - 1
    differ(  # both calls are known, and MPI adds the bits of the one to those of the other
        comm,
        lambda: comm.allreduce(y if is_last else x),
        "allreduce(sum) of int64, shape (31,), by mpi",
        "allreduce(sum) of float64, shape (31,), by mpi",
    )


def check_known_calls_are_not_asked_again(comm: Comm) -> None:
    x = np.zeros(33)
    comm.allreduce(x)
    comm.connection.comm, asked = None, comm.connection.comm  # where the question goes
    try:
        for _ in range(2 * HISTORY):
            comm.allreduce(x)
    finally:
        comm.connection.comm = asked


def check_a_call_that_waits_and_one_that_does_not(comm: Comm) -> None:
    """To MPI the two are different operations, which never meet."""
    x = np.zeros(93)
    is_last = comm.rank == comm.size - 1
    for _ in range(2):
        differ(
            comm,
            lambda: comm.iallreduce(x) if is_last else comm.allreduce(x),
            "iallreduce(sum) of float64, shape (93,), by mpi",
            "allreduce(sum) of float64, shape (93,), by mpi",
        )


def check_calls_whose_long_descriptions_differ_at_the_end(comm: Comm) -> None:
    chunks = [(0, 1)] * 60
    is_last = comm.rank == comm.size - 1
    shape = tuple(start + stop for start, stop in chunks)
    x = np.zeros((*shape, 1 + is_last, 2, 1))
    number = comm.connection.watch.calls + 1
    text = refusal(CommunicationError, lambda: comm.allreduce(x))
    assert f"but call {number} differs\n" in text
    said = [line.split("allreduce")[1] for line in text.splitlines() if "allreduce" in line]
    assert len(set(said)) == len(said) == 2
    assert all(line.startswith("(sum) of float64, shape (1, 1, ") and "... " in line for line in said)
    comm.barrier()


def check_a_disagreement_that_was_caught_leaves_time(comm: Comm) -> None:
    """The thread that looks at the table takes nobody for a rank that waits, who has been told and goes on."""
    for text in (lambda: comm.allreduce(np.zeros(94 + (comm.rank == comm.size - 1))), None):
        if text is not None:
            refusal(CommunicationError, text)
        time.sleep(3 * SETTLED + 2 * INTERVAL)
    comm.barrier()


def check_bad_arguments(comm: Comm) -> None:
    x = np.zeros(3)
    refuses(
        ArgumentError,
        lambda: comm.allreduce(x, "avg"),
        "allreduce needs op to be one of 'sum', 'mean', 'prod', 'max', 'min', but got 'avg'",
    )
    refuses(
        ArgumentError,
        lambda: comm.allreduce(x, algorithm="direct"),
        "allreduce needs algorithm to be one of 'auto', 'mpi', 'doubling', 'ring', 'staged' for an array outside of "
        "windows, but got 'direct'",
    )
    refuses(
        DTypeError,
        lambda: comm.allreduce([1.0, 2.0]),
        "allreduce needs a NumPy array or a Tensor, but got list\n  hint  np.asarray(x) makes an array of numbers",
    )
    refuses(
        DTypeError,
        lambda: comm.allreduce(np.zeros(3, bool)),
        "allreduce has no sum of bool\n  hint  ask for 'max' (any) or 'min' (all), or convert first",
    )
    refuses(
        DTypeError,
        lambda: comm.allreduce(np.zeros(3, int), "mean"),
        "allreduce has no mean of int64\n  hint  convert to a float first, or ask for the 'sum'",
    )
    refuses(
        DTypeError,
        lambda: comm.allreduce(np.zeros(3, complex), "max"),
        "allreduce has no max of complex128: complex numbers are not ordered",
    )
    refuses(
        DTypeError,
        lambda: comm.broadcast(np.zeros(3, ">f4")),
        "broadcast needs numbers or bools in this machine's byte order, but got >f4\n"
        "  hint  x.astype(x.dtype.newbyteorder('=')) reorders the bytes",
    )
    refuses(
        DTypeError,
        lambda: comm.all_gather(np.array(["a"])),
        "all_gather needs numbers or bools in this machine's byte order, but got <U1",
    )
    refuses(
        ShapeError,
        lambda: comm.allreduce(x, out=np.zeros(4)),
        "allreduce needs out of the result's shape (3,)\n  out  shape (4,), float64, cpu",
    )
    refuses(
        DTypeError,
        lambda: comm.allreduce(x, out=np.zeros(3, np.float32)),
        "allreduce needs out of the result's dtype float64\n  out  shape (3,), float32, cpu",
    )
    refuses(
        DTypeError,
        lambda: comm.allreduce(x, out=[0.0] * 3),
        "allreduce needs out to be a NumPy array or a Tensor, but got list",
    )
    refuses(
        ShapeError,
        lambda: comm.reduce_scatter(np.zeros((2, 2))),
        "reduce_scatter needs a 1-d array\n  x     shape (2, 2), float64, cpu\n  hint  x.reshape(-1) has one axis",
    )
    refuses(
        ShapeError,
        lambda: comm.all_gather(np.array(1.0)),
        "all_gather needs at least one axis\n  x     shape (), float64, cpu\n  hint  x.reshape(1) has one",
    )
    refuses(
        ArgumentError,
        lambda: comm.broadcast(x, root=comm.size),
        f"broadcast needs root to be a rank below {comm.size}, but got {comm.size}",
    )
    refuses(ArgumentError, lambda: comm.split(-1), "split needs a color of at least 0, but got -1")
    comm.barrier()


def check_too_many_handles_on_a_window(comm: Comm) -> None:
    x = comm.empty(10)
    x[...] = 0.0
    handles = [comm.iallreduce(x[:0], out=x[:0], algorithm="direct") for _ in range(64)]
    if any(handle.done for handle in handles):
        return  # nothing to wait for on an empty part
    refuses(
        ArgumentError,
        lambda: comm.iallreduce(x[:0], out=x[:0], algorithm="direct"),
        "iallreduce allows 64 collectives on one window at a time, but got more\n"
        "  hint  wait() for the older ones first",
    )
    for handle in handles:
        handle.wait()


def check_buffers_like_mpi4py(comm: Comm) -> None:
    from mpi4py import MPI

    world, ours, n, rank = MPI.COMM_WORLD, dist.Buffers(comm), comm.size, comm.rank
    comm.stats.reset()
    x = np.arange(6.0) + rank
    for op in (None, MPI.SUM, MPI.MAX, MPI.MIN, MPI.PROD):
        for form in (lambda a: a, lambda a: [a, a.size], lambda a: [a, MPI.DOUBLE], lambda a: [a, 6, MPI.DOUBLE]):
            expected, got = np.empty(6), np.empty(6)
            world.Allreduce(x, expected, op or MPI.SUM)
            ours.Allreduce(form(x), form(got), **({} if op is None else {"op": op}))
            np.testing.assert_allclose(got, expected)
    got = x.copy()
    ours.Allreduce(MPI.IN_PLACE, got)
    np.testing.assert_allclose(got, sum(np.arange(6.0) + r for r in range(n)))
    assert comm.stats["allreduce"].calls == 21

    counts = [2 * r + 1 for r in range(n)]
    y = np.arange(sum(counts), dtype=np.int32) * (rank + 1)
    for given in (counts, None):
        expected, got = np.empty(counts[rank], np.int32), np.empty(counts[rank], np.int32)
        world.Reduce_scatter(y, expected, counts)
        ours.Reduce_scatter(y, got, given)
        np.testing.assert_array_equal(got, expected)
    z = np.arange(3 * n, dtype=np.float32) + rank
    expected, got = np.empty(3, np.float32), np.empty(3, np.float32)
    world.Reduce_scatter_block(z, expected, MPI.MAX)
    ours.Reduce_scatter_block(z, got, MPI.MAX)
    np.testing.assert_array_equal(got, expected)
    assert comm.stats["reduce_scatter"].calls == 3

    block, whole, expected = np.full((2, 2), rank), np.empty((n, 2, 2), int), np.empty((n, 2, 2), int)
    world.Allgather(block, expected)
    ours.Allgather(block, whole)
    np.testing.assert_array_equal(whole, expected)
    whole[...] = -1
    whole[rank] = rank
    ours.Allgather(MPI.IN_PLACE, whole)
    np.testing.assert_array_equal(whole, expected)
    starts = [sum(counts[:r]) for r in range(n)]
    for form in ([counts], [counts, starts, MPI.DOUBLE], [(counts, starts)], [counts, MPI.DOUBLE]):
        gathered, expected = np.empty(sum(counts)), np.empty(sum(counts))
        world.Allgatherv(np.full(counts[rank], 1.0 + rank), [expected, counts])
        ours.Allgatherv(np.full(counts[rank], 1.0 + rank), [gathered, *form])
        np.testing.assert_array_equal(gathered, expected)
    value = np.full(3, rank)
    ours.Bcast(value, root=n - 1)
    assert (value == n - 1).all()

    ours.Allreduce(np.array([rank > 0]), flags := np.empty(1, bool), MPI.LOR)  # mpi4py's
    assert flags.tolist() == [n > 1]
    with_gaps = np.zeros(2 * n)
    ours.Allgatherv(np.array([1.0 + rank]), [with_gaps, [1] * n, [2 * r for r in range(n)], MPI.DOUBLE])
    assert with_gaps[::2].tolist() == [1.0 + r for r in range(n)]
    assert (ours.Get_rank(), ours.Get_size()) == (rank, n)


def check_buffers_that_mpi4py_refuses(comm: Comm) -> None:
    """What does not fit gets mpi4py's error, and no guess."""
    from mpi4py import MPI

    world, n = MPI.COMM_WORLD, comm.size
    with comm.split(0) as part:
        ours = dist.Buffers(part)
        x, out, part_of = np.ones(2 * n + 2), np.zeros(2 * n + 2), np.ones(2)
        for call in (
            lambda buffers: buffers.Allreduce([x, -1], out[:-1]),
            lambda buffers: buffers.Allreduce(x, out, MPI.OP_NULL),
            lambda buffers: buffers.Reduce_scatter_block(x[: 2 * n], out[:2], MPI.OP_NULL),
            lambda buffers: buffers.Reduce_scatter(x, out[:2], [2] * (n + 1)),
            lambda buffers: buffers.Reduce_scatter(x[: 2 * n], out[:2], [2] * (n - 1)),
            lambda buffers: buffers.Reduce_scatter(x[: 2 * n], out[:2], [2] * n, MPI.OP_NULL),
            lambda buffers: buffers.Allgatherv(part_of, [out, [2] * (n - 1)]),
            lambda buffers: buffers.Allgatherv(part_of, [out, [2] * (n + 1)]),
        ):
            said = []
            for buffers in (world, ours):
                with pytest.raises((ValueError, MPI.Exception)) as caught:
                    call(buffers)
                said.append(str(caught.value))
            assert said[0] == said[1]
            assert (out == 0).all()


def check_a_measured_table_has_a_row_for_every_size(comm: Comm) -> None:
    table = tune.tune(comm, [64, 4096])
    assert set(table) == {f"{operation} {place}" for operation, place in choice.ALGORITHMS}
    for key, rows in table.items():
        operation, place = key.split()
        assert rows[-1][0] == float("inf")
        assert {algorithm for _, algorithm in rows} <= set(choice.ALGORITHMS[operation, place])
    assert (
        comm.all_gather(np.frombuffer(repr(table).encode().ljust(4096), np.uint8)).reshape(comm.size, -1).std(0).max()
        == 0
    )


if __name__ == "__main__":
    run_checks(globals())
