"""Allreduce on one host: ours against MPI's own and PyTorch's gloo, in the same run.

    mpirun -n 2 python benchmarks/distributed/allreduce.py [--sizes 64K 1M 64M] [--algorithms ring staged] [--gloo]

Every call reduces numbers that were not in the array before, because a cache remembers; the peers take turns; a time is
the maximum over ranks, and the median over calls. "MPI" is the better of MPI_Allreduce with two arrays and in place.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tinygrad_lite import distributed as dist
from tinygrad_lite.distributed import choice

SIZES = ("8", "1K", "8K", "32K", "64K", "256K", "1M", "4M", "16M", "64M", "256M")

#: Bytes that all calls of one peer at one size reduce together, within limits: large arrays need fewer calls.
BYTES, MOST, FEWEST = 512 * 1024 * 1024, 300, 5

Peer = tuple[np.ndarray, Callable[[], object]]  #: the array that it reduces, and how


def size_of(text: str) -> int:
    """Bytes of ``64K``, ``1M`` and the like.

    >>> size_of("64K")
    65536
    """
    scale = {"K": 1024, "M": 1024**2, "G": 1024**3}.get(text[-1].upper())
    return int(text[:-1]) * scale if scale else int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="bytes of an array (default: %(default)s)")
    parser.add_argument("--algorithms", nargs="*", default=[], help="ours besides auto, such as ring or staged")
    parser.add_argument("--gloo", action="store_true", help="PyTorch's gloo too")
    given = parser.parse_args()
    comm = dist.init()
    if comm.size == 1:
        sys.exit("allreduce.py compares ranks: start it by mpirun -n 2 python benchmarks/distributed/allreduce.py")
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    gloo = connect_gloo(comm) if given.gloo else None
    if comm.rank == 0:
        library = MPI.Get_library_version().split(",")[0]
        print(f"{library}, {comm.size} ranks, {len(os.sched_getaffinity(0))} cores; float32 sum")
        print("microseconds per allreduce, and in brackets MPI's time divided by it")
    for size in map(size_of, given.sizes):
        times = compare(comm, world, size, given.algorithms, gloo)
        if comm.rank == 0:
            show(size, times)
        comm.barrier()


def compare(comm: dist.Communicator, world: Any, size: int, algorithms: Sequence[str], gloo: Any) -> dict[str, float]:
    """Seconds of every peer for arrays of ``size`` bytes."""
    from mpi4py import MPI

    length = max(1, size // 4)
    x, y, shared = np.empty(length, np.float32), np.empty(length, np.float32), comm.empty(length)
    peers: dict[str, Peer] = {
        "MPI two arrays": (x, lambda: world.Allreduce(x, y)),
        "MPI in place": (x, lambda: world.Allreduce(MPI.IN_PLACE, x)),
        "auto": (x, lambda: comm.allreduce(x, out=y)),
        "auto in place": (x, lambda: comm.allreduce(x, out=x)),
        "comm.empty in place": (shared, lambda: comm.allreduce(shared, out=shared)),
    }
    for name in algorithms:
        array = x if name in choice.ALGORITHMS["allreduce", "private"] else shared
        peers[name] = array, partial(comm.allreduce, array, out=array, algorithm=name)
    if gloo is not None:
        peers["gloo"] = x, lambda: gloo(x)
    calls = min(MOST, max(FEWEST, BYTES // (size + 1) // len(peers)))
    return measure(world, peers, Fresh(length, comm.rank), calls)


class Fresh:
    """New numbers for an array before every call, made without touching it more than needed."""

    def __init__(self, length: int, seed: int) -> None:
        self._source = np.random.default_rng(seed).random(length, dtype=np.float32)
        self._calls = 0

    def fill(self, array: np.ndarray) -> None:
        self._calls += 1
        np.add(self._source, np.float32(self._calls % 7), out=array)


def measure(world: Any, peers: dict[str, Peer], fresh: Fresh, calls: int) -> dict[str, float]:
    """Median over calls of the maximum over ranks, in seconds."""
    from mpi4py import MPI

    names = list(peers)
    seconds = np.zeros((len(names), calls))
    for name in names:  # what is made at the first call
        fresh.fill(peers[name][0])
        peers[name][1]()
    for call in range(calls):
        for k, name in enumerate(names):
            array, run = peers[name]
            fresh.fill(array)
            world.Barrier()
            begin = time.perf_counter()
            run()
            seconds[k, call] = time.perf_counter() - begin
    world.Allreduce(MPI.IN_PLACE, seconds, MPI.MAX)
    return {name: statistics.median(row) for name, row in zip(names, seconds.tolist(), strict=True)}


def show(size: int, times: dict[str, float]) -> None:
    """One line per peer."""
    best = min(seconds for name, seconds in times.items() if name.startswith("MPI"))
    cells = [f"{name} {1e6 * seconds:.1f} ({best / seconds:.2f})" for name, seconds in times.items()]
    print(f"{size:>10} B  " + "   ".join(cells), flush=True)


def connect_gloo(comm: dist.Communicator) -> Callable[[np.ndarray], object]:
    """PyTorch's allreduce over the same ranks; they meet through a file."""
    import tempfile

    import torch
    import torch.distributed as torch_distributed

    torch.set_num_threads(1)
    name = np.zeros(256, np.uint8)
    if comm.rank == 0:
        path = os.path.join(tempfile.mkdtemp(), "meet").encode()
        name[: len(path)] = np.frombuffer(path, np.uint8)
    path = bytes(comm.broadcast(name)).rstrip(b"\0").decode()
    torch_distributed.init_process_group("gloo", init_method=f"file://{path}", rank=comm.rank, world_size=comm.size)
    return lambda array: torch_distributed.all_reduce(torch.from_numpy(array))


if __name__ == "__main__":
    main()
