"""What a communicator holds and gives back; run by test_lifetimes.py, a job per number of ranks."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from refusals import refusal, refuses

from distributed.checking import run_checks
from tinygrad_lite import distributed as dist
from tinygrad_lite.distributed import choice, tune, windows
from tinygrad_lite.distributed.ring import Ring
from tinygrad_lite.distributed.watch import SETTLED
from tinygrad_lite.errors import CommunicationError, DTypeError, ShapeError

Comm = dist.Communicator

CLOSED = (
    "Communicator cannot be used after close()\n"
    "  hint  close() a communicator after its last use, or make another one with init() or split()"
)
INTERRUPTED = (
    "Communicator cannot be used after an exception has broken off one of its calls\n"
    "  hint  the other ranks still wait in that call: let the exception end the program"
)
SMALL = 64 * 1024  # bytes of an array that is reduced through the stage


def mapped() -> int:
    """How many pieces of shared memory this process sees."""
    with open("/proc/self/maps") as maps:
        return sum(line.split()[1].endswith("s") for line in maps)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("tinygrad_lite")]


@contextmanager
def shared_memory_of(free: int) -> Iterator[None]:
    before, shutil.disk_usage = shutil.disk_usage, lambda path: SimpleNamespace(free=free)
    try:
        yield
    finally:
        shutil.disk_usage = before


def used(comm: Comm) -> None:
    """Make use of everything that a communicator makes when it is first needed."""
    x, shared = np.ones(SMALL), comm.empty(100)
    shared[...] = 1.0
    np.testing.assert_array_equal(comm.allreduce(x, algorithm="staged"), np.full(SMALL, comm.size))
    for algorithm in ("direct", "ring") if comm.size > 1 else ("auto",):
        assert (comm.allreduce(shared, out=shared, algorithm=algorithm) == comm.size).all()
        shared[...] = 1.0
    comm.iallreduce(x, algorithm="ring")  # nobody waits for it


def check_one_thread_looks_after_all_communicators(comm: Comm) -> None:
    with comm.split(0), comm.split(comm.rank % 2):
        assert threads() == ["tinygrad_lite-watch"] * (comm.size > 1)


def check_what_is_closed_gives_everything_back(comm: Comm) -> None:
    def life() -> None:
        with comm.split(comm.rank % 2, comm.rank) as part:
            used(part)
        with comm.using("mpi") as same:
            used(same)

    life()  # what MPI keeps for itself is there now
    before = mapped(), len(os.listdir("/proc/self/fd")), len(threads())
    for _ in range(5):
        life()
    assert (mapped(), len(os.listdir("/proc/self/fd")), len(threads())) == before


def check_what_is_not_closed_stays(comm: Comm) -> None:
    """The measure of the check before sees what it should."""
    before, part = mapped(), comm.split(0)
    used(part)
    assert (mapped() > before) == (comm.size > 1)
    part.close()
    assert mapped() == before


def check_a_closed_communicator_refuses_everything(comm: Comm) -> None:
    part = comm.split(0)
    part.close()
    part.close()
    x, out = np.ones(3), np.zeros(3)
    for call in (
        lambda: part.allreduce(x, out=out),
        lambda: part.allreduce(x, out=x),
        lambda: part.iallreduce(x),
        lambda: part.reduce_scatter(x),
        lambda: part.all_gather(x),
        lambda: part.broadcast(x, out=out),
        lambda: part.barrier(),
        lambda: part.split(0),
        lambda: part.empty(3),
        lambda: part.delayed(0.1),
        lambda: part.using("ring"),
        lambda: part.connection,
        lambda: dist.Buffers(part),
    ):
        refuses(CommunicationError, call, CLOSED)
    assert (x == 1).all()
    assert (out == 0).all()
    assert repr(part) == f"Communicator(rank={comm.rank}, size={comm.size})"


def check_an_array_that_is_held_outlives_its_communicator(comm: Comm) -> None:
    before = mapped()
    with comm.split(0) as part:
        shared = part.empty(1000)[10:20]
        shared[...] = comm.rank
        part.barrier()
    comm.barrier()
    assert (shared == comm.rank).all()  # without which the process would have ended here
    assert (mapped() > before) == (comm.size > 1)


def check_memory_that_no_rank_holds_comes_back_early(comm: Comm) -> None:
    part = comm.split(0)
    first, second = part.empty(1000), part.empty(1000)
    for array in (first, second):
        array[...] = 1.0
        part.allreduce(array, out=array)
    link = part.connection
    if link is not None:  # goes with the call that it was made for, and with it its hold on the array
        link.keep(Ring(link.transport, link.next_tag(), first, first, part.bounds(1000)))
    before = mapped()
    if comm.rank > 0:
        first = None
    part._reclaim()
    assert mapped() == before  # rank 0 holds both
    first = None
    part._reclaim()
    assert (mapped() < before) == (comm.size > 1)
    algorithm = "direct" if comm.size > 1 else "auto"  # what is left is still known as a window
    assert (part.allreduce(second, out=second, algorithm=algorithm) == comm.size**2).all()
    second = None
    part.close()


def check_arrays_in_a_cycle_do_not_keep_memory(comm: Comm) -> None:
    before, part = mapped(), comm.split(0)
    gc.disable()
    try:
        cycle = [part.empty(1000)]
        cycle.append(cycle)
        del cycle
        part.close()
    finally:
        gc.enable()
    assert mapped() == before


def check_an_exception_leaves_it_open(comm: Comm) -> None:
    part = comm.split(0)
    try:
        with part:
            raise KeyError
    except KeyError:
        part.barrier()
    part.close()


def check_close_is_a_call_that_ranks_agree_on(comm: Comm) -> None:
    if comm.size == 1:
        return
    part = comm.split(0)
    last = comm.rank == comm.size - 1
    text = refusal(CommunicationError, lambda: part.barrier() if last else part.close())
    assert "  close\n" in text
    assert f"rank {comm.size - 1}" in text
    part.close()


def interrupted(*arguments: object) -> None:
    raise KeyboardInterrupt


def check_a_call_that_was_interrupted_is_the_last_one(comm: Comm) -> None:
    if comm.size == 1:
        return
    part = comm.split(0)
    before, windows.Reached.Wait = windows.Reached.Wait, interrupted
    try:
        with pytest.raises(KeyboardInterrupt):
            part.allreduce(np.ones(SMALL), algorithm="staged")
    finally:
        windows.Reached.Wait = before
    for call in (lambda: part.barrier(), lambda: part.allreduce(np.ones(2)), lambda: part.close()):
        refuses(CommunicationError, call, INTERRUPTED)
    time.sleep(3 * SETTLED)  # nobody is taken to wait
    comm.barrier()


def check_a_handle_that_was_interrupted_can_be_waited_for_again(comm: Comm) -> None:
    if comm.size == 1:
        return
    x = np.full(SMALL, 1.0)
    handle = comm.iallreduce(x, algorithm="ring")
    before, handle.drive = handle.drive, interrupted
    with pytest.raises(KeyboardInterrupt):
        handle.wait()
    handle.drive = before
    assert (handle.wait() == comm.size).all()


def check_a_handle_that_was_broken_off_has_no_result(comm: Comm) -> None:
    if comm.size == 1:
        return
    part, started = comm.split(0), []
    x = part.empty(1000)  # every rank adds up some of it
    x[...] = np.finfo("f").max

    def broken_off() -> None:
        started.append(part.iallreduce(x, out=x, algorithm="direct"))
        started[0].wait()

    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        broken_off()
    calls = [lambda: part.barrier()]
    if started:  # not where the others were already there
        calls += [lambda: started[0].wait(), lambda: started[0].test()]
    for call in calls:
        refuses(CommunicationError, call, INTERRUPTED)
    comm.barrier()


def check_sizes_of_empty(comm: Comm) -> None:
    assert comm.empty(np.int64(5)).shape == (5,)
    assert comm.empty((np.int32(2), 3)).shape == (2, 3)
    assert comm.empty([2, 0]).shape == (2, 0)
    refuses(
        ShapeError,
        lambda: comm.empty((2, -3)),
        "empty needs sizes of at least 0, but got shape (2, -3)\n  hint  a size is a number of elements",
    )
    refuses(
        DTypeError,
        lambda: comm.empty(2.5),
        "empty needs integers as shape\n  shape  2.5\n"
        "  hint   n // 2 is a whole number, n / 2 is none; int(n) makes one",
    )


def check_without_room_arrays_are_ordinary_and_the_ring_takes_over(comm: Comm) -> None:
    with shared_memory_of(60 * 1024 * comm.size):  # for the table, and no more
        part = comm.split(0)
        assert part.empty(20_000).base is None
    assert (part.allreduce(np.ones(SMALL)) == comm.size).all()
    assert part.stats["allreduce"].algorithm == ("ring" if comm.size > 1 else "single")
    part.close()


def check_one_host_without_room_is_enough(comm: Comm) -> None:
    """All ranks refuse together, though one alone finds too little."""
    if comm.size == 1:
        return
    with shared_memory_of(1024 if comm.rank == comm.size - 1 else 2**40):
        text = refusal(CommunicationError, lambda: comm.split(0))
    assert text == (
        "Communicator needs 55 KiB of shared memory per rank, but a host has less\n"
        "  hint  make it larger, with docker by --shm-size=1g, or start fewer ranks per host"
    )
    comm.barrier()


def check_tuning_without_room_leaves_windows_out(comm: Comm) -> None:
    if comm.size == 1:
        return
    said: list[str] = []
    with shared_memory_of(60 * 1024 * comm.size), comm.split(0) as part:
        before, sys.stdout = sys.stdout, SimpleNamespace(write=said.append, flush=lambda: None)
        try:
            table = tune.tune(part, [64, 65536])
        finally:
            sys.stdout = before
    text = "too little shared memory for arrays of 65536 bytes: not measured are windows and staged\n"
    assert "".join(said) == text * (comm.rank == 0)
    usual = choice.defaults(comm.size)
    assert set(table) == set(usual)
    for key, rows in table.items():
        if key.endswith("window"):
            assert rows == usual[key]
        assert "staged" not in {algorithm for _, algorithm in rows}


def check_a_second_communicator_of_all_ranks(comm: Comm) -> None:
    before = len(threads())
    again = dist.init()
    used(again)
    assert len(threads()) == before
    again.close()
    refuses(CommunicationError, lambda: again.barrier(), CLOSED)
    comm.barrier()


if __name__ == "__main__":
    run_checks(globals())
