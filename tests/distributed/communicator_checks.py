"""What every collective must do on any number of ranks; run by test_communicator.py as one job per number."""

from __future__ import annotations

import numpy as np

import tinygrad_lite as tgl
from distributed.checking import run_checks
from distributed.hosts import on_hosts_of
from tinygrad_lite import distributed as dist
from tinygrad_lite.distributed import choice, ring
from tinygrad_lite.distributed.watch import HISTORY

Comm = dist.Communicator

PRIVATE = choice.ALGORITHMS["allreduce", "private"]
WINDOW = choice.ALGORITHMS["allreduce", "window"]
UFUNCS = {"sum": np.add, "mean": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}
DTYPES = "?bBhHiIlLqQefdgFDG"


def lengths(n: int) -> list[int]:
    return sorted({0, 1, n - 1, n, n + 1, 7, 101, 4099})


def values(rank: int, length: int, dtype: str = "d") -> np.ndarray:
    """A rank's contribution: small integers, whose sums and products of a few are exact in every dtype."""
    return ((np.arange(length) * 7 + rank * 3) % 3 + (dtype != "?")).astype(dtype)


def reduced(n: int, length: int, dtype: str, op: str) -> np.ndarray:
    parts = [values(rank, length, dtype) for rank in range(n)]
    total = parts[0]
    for part in parts[1:]:
        total = UFUNCS[op](total, part)
    return (total / n).astype(dtype) if op == "mean" else total.astype(dtype)


def refused(op: str, dtype: str) -> bool:
    return (dtype == "?" and op in ("sum", "mean")) or (
        (op == "mean" and np.dtype(dtype).kind in "iu") or (op in ("max", "min") and np.dtype(dtype).kind == "c")
    )


def same_everywhere(comm: Comm, x: np.ndarray) -> bool:
    """Whether all ranks hold the same bits."""
    data = np.frombuffer(np.ascontiguousarray(x).tobytes(), np.uint8)
    every = comm.all_gather(data, algorithm="mpi").reshape(comm.size, -1)
    return bool((every == every[0]).all())


def check_ranks(comm: Comm) -> None:
    assert sorted(comm.all_gather(np.array([comm.rank])).tolist()) == list(range(comm.size))
    assert (comm.local_rank, comm.local_size) == (comm.rank, comm.size)  # one host
    assert repr(comm) == f"Communicator(rank={comm.rank}, size={comm.size})"


def check_allreduce_of_every_length(comm: Comm) -> None:
    for length in lengths(comm.size):
        for algorithm in ("auto", *PRIVATE):
            x = values(comm.rank, length)
            got = comm.allreduce(x, algorithm=algorithm)
            np.testing.assert_array_equal(got, reduced(comm.size, length, "d", "sum"), algorithm)
            assert got is not x
            np.testing.assert_array_equal(x, values(comm.rank, length), algorithm)
            assert comm.allreduce(x, out=x, algorithm=algorithm) is x
            np.testing.assert_array_equal(x, got, algorithm)


def check_allreduce_of_every_dtype_and_op(comm: Comm) -> None:
    for dtype in DTYPES:
        for op in UFUNCS:
            if refused(op, dtype):
                continue
            for algorithm in ("auto", "ring", "staged", "doubling"):
                got = comm.allreduce(values(comm.rank, 11, dtype), op, algorithm=algorithm)
                assert got.dtype == np.dtype(dtype)
                rtol = 2e-3 if dtype == "e" else 1e-6
                np.testing.assert_allclose(got, reduced(comm.size, 11, dtype, op), rtol, err_msg=f"{dtype} {op}")


def check_shapes_and_kinds(comm: Comm) -> None:
    n = comm.size
    assert comm.allreduce(np.full((2, 3), 1.5)).tolist() == [[1.5 * n] * 3] * 2
    assert comm.allreduce(np.array(2.0)).shape == ()
    transposed = np.arange(6.0).reshape(2, 3).T
    np.testing.assert_array_equal(comm.allreduce(transposed), n * transposed)
    out = np.zeros((6, 2))[::2]
    assert comm.allreduce(transposed, out=out) is out
    np.testing.assert_array_equal(out, n * transposed)
    tensor = tgl.Tensor([1.0, 2.0], requires_grad=True)
    total = comm.allreduce(tensor)
    assert type(total) is tgl.Tensor
    assert not total.requires_grad
    assert total.tolist() == [n, 2.0 * n]
    with tgl.no_grad():
        assert comm.allreduce(tensor, out=tensor) is tensor
    assert tensor.tolist() == [n, 2.0 * n]


def check_all_ranks_hold_the_same_bits(comm: Comm) -> None:
    x = np.random.default_rng(comm.rank).standard_normal(4099).astype(np.float32)
    for op in ("sum", "mean", "prod"):
        for algorithm in PRIVATE:
            first = comm.allreduce(x, op, algorithm=algorithm)
            assert same_everywhere(comm, first), (op, algorithm)
            assert np.array_equal(comm.allreduce(x, op, algorithm=algorithm), first), (op, algorithm)
    zeros = np.where(np.arange(4099) % comm.size == comm.rank, -0.0, 0.0)  # the greater one is whichever comes first
    for op in ("max", "min"):
        for algorithm in PRIVATE:
            assert same_everywhere(comm, comm.allreduce(zeros, op, algorithm=algorithm)), (op, algorithm)


def check_nan_wins_max_and_min(comm: Comm) -> None:
    x = np.full(5, float(comm.rank))
    x[comm.rank % 5] = np.nan
    poisoned = np.zeros(5, bool)
    poisoned[[rank % 5 for rank in range(comm.size)]] = True
    for op in ("max", "min"):
        for algorithm in PRIVATE:
            assert np.array_equal(np.isnan(comm.allreduce(x, op, algorithm=algorithm)), poisoned), algorithm


def check_segmented_ring(comm: Comm) -> None:
    before, ring.SEGMENT = ring.SEGMENT, 64  # several segments per chunk without large arrays
    try:
        for length in (1, 31, 257, 1000):
            got = comm.allreduce(values(comm.rank, length), algorithm="ring")
            np.testing.assert_array_equal(got, reduced(comm.size, length, "d", "sum"))
    finally:
        ring.SEGMENT = before


def check_ring_rounds_and_bytes(comm: Comm) -> None:
    n, length = comm.size, 840 * comm.size
    x = values(comm.rank, length)
    comm.stats.reset()
    comm.allreduce(x, algorithm="ring")
    counts = comm.stats["allreduce"]
    assert (counts.calls, counts.rounds, counts.bytes) == (1, 2 * (n - 1), 2 * (n - 1) * x.nbytes // n)
    assert counts.messages == 2 * (n - 1)  # one segment each
    assert counts.algorithm == ("ring" if n > 1 else "single")
    comm.reduce_scatter(x, algorithm="ring")
    halves = [comm.stats["reduce_scatter"]]
    comm.all_gather(x[: length // n], algorithm="ring")
    halves.append(comm.stats["all_gather"])
    assert [(half.rounds, half.bytes) for half in halves] == [(n - 1, (n - 1) * x.nbytes // n)] * 2
    assert comm.stats.bytes == 4 * (n - 1) * x.nbytes // n
    assert comm.stats.calls == 3
    comm.stats.reset()
    assert (comm.stats.messages, counts.seconds) == (0, 0.0)


def check_reduce_scatter(comm: Comm) -> None:
    for length in lengths(comm.size):
        start, stop = comm.bounds(length)[comm.rank]
        for op in ("sum", "mean", "max"):
            for algorithm in ("auto", "mpi", "ring"):
                x = values(comm.rank, length)
                got = comm.reduce_scatter(x, op, algorithm=algorithm)
                np.testing.assert_array_equal(got, reduced(comm.size, length, "d", op)[start:stop], algorithm)
                np.testing.assert_array_equal(x, values(comm.rank, length))


def check_all_gather_of_different_lengths(comm: Comm) -> None:
    for rows in ([2] * comm.size, list(range(comm.size)), [0] * comm.size, [5] + [0] * (comm.size - 1)):
        every = [np.full((rows[rank], 3), rank, np.int32) for rank in range(comm.size)]
        for algorithm in ("auto", "mpi", "ring"):
            got = comm.all_gather(every[comm.rank], algorithm=algorithm)
            np.testing.assert_array_equal(got, np.concatenate(every), algorithm)


def check_broadcast(comm: Comm) -> None:
    for root in range(comm.size):
        x = np.full((2, 2), comm.rank)
        got = comm.broadcast(x, root=root)
        assert (got == root).all()
        assert (x == comm.rank).all()
        assert comm.broadcast(x, root=root, out=x) is x
        assert (x == root).all()
    assert comm.broadcast(tgl.Tensor([1.0 + comm.rank])).tolist() == [1.0]


def check_handles_in_any_order(comm: Comm) -> None:
    n = comm.size
    started = []
    for algorithm in ("auto", "mpi", "doubling", "ring", "staged", "staged"):
        x = values(comm.rank, 1000)
        started.append((comm.iallreduce(x, algorithm=algorithm), reduced(n, 1000, "d", "sum")))
        y = values(comm.rank, 50)
        started.append((comm.iallreduce(y, "max", out=y, algorithm=algorithm), reduced(n, 50, "d", "max")))
    start, stop = comm.bounds(7)[comm.rank]
    started.append((comm.ireduce_scatter(values(comm.rank, 7)), reduced(n, 7, "d", "sum")[start:stop]))
    started.append((comm.iall_gather(np.array([comm.rank])), np.arange(n)))
    started.append((comm.ibroadcast(np.array([comm.rank]), root=n - 1), np.array([n - 1])))
    for k in np.random.default_rng(comm.rank).permutation(len(started)):  # another order on every rank
        handle, expected = started[k]
        result = handle.wait()
        np.testing.assert_array_equal(result, expected)
        assert handle.wait() is result
        assert handle.done


def check_windows(comm: Comm) -> None:
    n = comm.size
    for length in (0, 1, n + 1, 4099, 70_001):
        shared, other = comm.empty(length + 3, np.float64), comm.empty((length + 3,), "d")
        for algorithm in ("auto", *WINDOW):
            for part in (slice(0, length), slice(3, length + 3)):
                x, out = shared[part], other[part]
                x[...] = values(comm.rank, length)
                total = reduced(n, length, "d", "sum")
                comm.allreduce(x, out=out, algorithm=algorithm)
                np.testing.assert_array_equal(out, total, algorithm)
                np.testing.assert_array_equal(x, values(comm.rank, length), algorithm)
                assert comm.allreduce(x, "mean", out=x, algorithm=algorithm) is x
                np.testing.assert_array_equal(x, total / n, algorithm)
        shared[...] = comm.rank
        for algorithm in ("mpi", "ring", "direct"):
            gathered = comm.all_gather(shared, algorithm=algorithm)
            np.testing.assert_array_equal(gathered, np.repeat(np.arange(n), length + 3), algorithm)
            assert (comm.reduce_scatter(shared, algorithm=algorithm) == n * (n - 1) / 2).all(), algorithm


def check_windows_beside_other_arrays(comm: Comm) -> None:
    shared, private = comm.empty(1000), values(comm.rank, 1000, "f")
    comm.allreduce(private, out=shared, algorithm="ring")
    np.testing.assert_array_equal(shared, reduced(comm.size, 1000, "f", "sum"))
    shared[...] = private
    np.testing.assert_array_equal(comm.allreduce(shared), reduced(comm.size, 1000, "f", "sum"))


def check_buckets_of_one_window(comm: Comm) -> None:
    n, arena = comm.size, comm.empty(3000)
    for algorithm in ("direct", "window_ring", "ring"):
        arena[...] = values(comm.rank, 3000, "f")
        parts = [arena[k * 1000 : (k + 1) * 1000] for k in range(3)]
        handles = [comm.iallreduce(part, out=part, algorithm=algorithm) for part in parts]
        for handle in handles if comm.rank % 2 else reversed(handles):
            handle.wait()
        np.testing.assert_array_equal(arena, reduced(n, 3000, "f", "sum"), algorithm)


def check_windows_hold_the_same_bits(comm: Comm) -> None:
    x = np.random.default_rng(comm.rank).standard_normal(4099)
    shared = comm.empty(4099, "d")
    for algorithm in WINDOW:
        shared[...] = x
        assert same_everywhere(comm, comm.allreduce(shared, out=shared, algorithm=algorithm)), algorithm


def check_split(comm: Comm) -> None:
    members = [rank for rank in range(comm.size) if rank % 2 == comm.rank % 2]
    half = comm.split(comm.rank % 2)
    assert (half.rank, half.size) == (members.index(comm.rank), len(members))
    assert half.allreduce(np.array([comm.rank])).tolist() == [sum(members)]
    backwards = comm.split(0, key=-comm.rank)
    assert backwards.rank == comm.size - 1 - comm.rank
    part = half.empty(10)
    part[...] = 1.0
    assert (half.allreduce(part, out=part, algorithm="direct" if half.size > 1 else "auto") == half.size).all()


def check_handles_by_polling_and_dropped_ones(comm: Comm) -> None:
    comm.iallreduce(values(comm.rank, 300), algorithm="ring")  # nobody waits, but the messages have to go somewhere
    handles = [comm.iallreduce(values(comm.rank, 100 + k), algorithm="ring") for k in range(3)]
    waiting = list(handles)
    while waiting:
        waiting = [handle for handle in waiting if not handle.test()]
    for k, handle in enumerate(handles):
        np.testing.assert_array_equal(handle.wait(), reduced(comm.size, 100 + k, "d", "sum"))


def check_ranks_on_several_hosts(comm: Comm) -> None:
    if comm.size == 1:
        return
    apart = on_hosts_of(2, comm)
    assert (apart.local_rank, apart.local_size) == (comm.rank % 2, min(2, comm.size - comm.rank // 2 * 2))
    x = apart.empty(70_001)
    assert (x.base is None) == (comm.size > 2)
    x[...] = values(comm.rank, 70_001, "f")
    for algorithm in ("auto", "staged"):
        total = apart.allreduce(x, algorithm=algorithm)
        np.testing.assert_array_equal(total, reduced(comm.size, 70_001, "f", "sum"))
    assert apart.stats["allreduce"].algorithm == ("ring" if comm.size > 2 else "staged")
    apart.close()


def check_delayed_messages(comm: Comm) -> None:
    slow = comm.delayed(0.05)
    x = values(comm.rank, 10)
    handle = slow.iallreduce(x)
    assert handle.test() == (comm.size == 1)  # nothing can have arrived: every message is held back
    np.testing.assert_array_equal(handle.wait(), reduced(comm.size, 10, "d", "sum"))
    assert slow.stats["allreduce"].rounds == 2 * (comm.size - 1)
    assert slow.stats["allreduce"].seconds >= 0.05 * 2 * (comm.size - 1)


def check_numbers_of_calls_that_begin_again(comm: Comm) -> None:
    if comm.size == 1:
        return
    part = comm.split(0)
    part.connection.watch._number = 2**23 - 3
    for _ in range(6):
        np.testing.assert_array_equal(part.allreduce(np.ones(2)), np.full(2, comm.size))


def check_a_rank_that_ended_after_its_part_is_not_missed(comm: Comm) -> None:
    if comm.size == 1:
        return
    part, last = comm.split(0), comm.size - 1
    for _ in range(HISTORY + 6):
        part.barrier()
    watch = part.connection.watch
    number = watch.calls
    for left, missed in ((False, [False, False, True]), (True, [True, True, True])):
        if comm.rank == last:
            if left:
                watch.open[0] = None
            watch.end()
        comm.barrier()
        assert [watch._never_comes(last, call << 40) for call in (number - 1, number, number + 1)] == missed
        comm.barrier()
    watch.open.clear()
    watch.compute()
    part.close()


def check_a_blocking_call_moves_open_handles_on(comm: Comm) -> None:
    handle = comm.iallreduce(values(comm.rank, 100_000), algorithm="ring")
    if comm.rank == 0:
        total = comm.allreduce(np.ones(3))
        result = handle.wait()
    else:
        result = handle.wait()
        total = comm.allreduce(np.ones(3))
    np.testing.assert_array_equal(total, np.full(3, comm.size))
    np.testing.assert_array_equal(result, reduced(comm.size, 100_000, "d", "sum"))


def check_a_new_call_moves_open_handles_on(comm: Comm) -> None:
    """A rank that asks the others about a new call is no reason for them to wait."""
    for start in (lambda: comm.iallreduce(np.ones(1234)), lambda: comm.iall_gather(np.ones((1, 1, 3)))):
        for _ in range(2):
            handle = comm.iallreduce(values(comm.rank, 100_000), algorithm="ring")
            if comm.rank == 0:
                after = start()
                result = handle.wait()
            else:
                result = handle.wait()
                after = start()
            assert (after.wait() >= 1).all()
            np.testing.assert_array_equal(result, reduced(comm.size, 100_000, "d", "sum"))


def check_bounds(comm: Comm) -> None:
    for length in lengths(comm.size):
        cuts = comm.bounds(length)
        assert [stop for _, stop in cuts[:-1]] == [start for start, _ in cuts[1:]]
        assert (cuts[0][0], cuts[-1][1]) == (0, length)
        sizes = [stop - start for start, stop in cuts]
        assert max(sizes) - min(sizes) <= 1


if __name__ == "__main__":
    run_checks(globals())
