"""Measuring once which algorithm is fastest here: ``mpirun -n 4 python -m tinygrad_lite.distributed tune``.

Every algorithm reduces the same sizes in turn. The table that results is stored for this processor, MPI and number of
ranks, and every later ``init`` of such a job uses it. Nothing is measured at any other time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from tinygrad_lite.distributed import choice
from tinygrad_lite.distributed.choice import KIB, MIB
from tinygrad_lite.distributed.communicator import Communicator
from tinygrad_lite.distributed.reductions import Array

#: Bytes at which the algorithms are compared.
SIZES = (4 * KIB, 32 * KIB, 128 * KIB, 512 * KIB, 2 * MIB, 8 * MIB, 32 * MIB, 64 * MIB)

#: What another algorithm must be faster by before the choice changes from one size to the next.
MARGIN = 1.1

_BYTES, _MOST, _FEWEST = 64 * MIB, 50, 5  #: data per measurement, and limits for the number of calls

Run = Callable[[str], object]


def tune(comm: Communicator, sizes: Sequence[int] = SIZES) -> choice.Table:
    """Measure and return a table for the ranks of ``comm``. Collective; every rank returns the same.

    Where shared memory is too small for windows of the largest size, their rows are the defaults, and rank 0 says so.
    """
    longest, link = max(sizes) // 4, comm.connection
    anywhere, shared = np.ones(longest, np.float32), comm.empty(longest)
    shared[...] = 1.0
    has_window = shared.base is not None
    one_host = comm.local_size == comm.size
    has_stage = link is not None and link.can_stage
    if one_host and not (has_window and has_stage) and comm.rank == 0:
        kinds = " and ".join(name for name, there in (("windows", has_window), ("staged", has_stage)) if not there)
        print(f"too little shared memory for arrays of {max(sizes)} bytes: not measured are {kinds}")
    table: choice.Table = {}
    for (operation, place), algorithms in choice.ALGORITHMS.items():
        key, array = f"{operation} {place}", shared if place == "window" else anywhere
        if place == "window" and one_host and not has_window:
            table[key] = choice.defaults(comm.size)[key]
            continue
        offered = tuple(name for name in algorithms if name != "staged" or has_stage)
        if place == "window" and not one_host:
            offered = ("mpi",)
        rows: choice.Rows = []
        for size in sizes:
            part = array[: size // 4]
            if operation == "all_gather":
                part = part[: max(1, part.size // comm.size)]
            seconds = {name: _seconds(comm, operation, part, name) for name in offered}
            rows.append((size, _fastest(seconds, rows[-1][1] if rows else "mpi")))
        table[key] = _joined(rows)
    return table


def _seconds(comm: Communicator, operation: str, x: Array, algorithm: str) -> float:
    """Median over calls of the slowest rank's time; the same on all ranks."""
    calls = max(_FEWEST, min(_MOST, _BYTES // x.nbytes))
    run: dict[str, Callable[[], object]] = {
        "allreduce": lambda: comm.allreduce(x, out=x, algorithm=algorithm),
        "reduce_scatter": lambda: comm.reduce_scatter(x, algorithm=algorithm),
        "all_gather": lambda: comm.all_gather(x, algorithm=algorithm),
    }
    taken = np.empty(calls)
    run[operation]()
    for call in range(calls):
        x[...] = call
        comm.barrier()
        begin = time.perf_counter()
        run[operation]()
        taken[call] = time.perf_counter() - begin
    return statistics.median(comm.allreduce(taken, "max").tolist())


def _fastest(seconds: dict[str, float], before: str) -> str:
    """The fastest algorithm, unless the one of the size before is nearly as fast."""
    best = min(seconds, key=lambda name: seconds[name])
    return before if before in seconds and seconds[before] < MARGIN * seconds[best] else best


def _joined(rows: choice.Rows) -> choice.Rows:
    """One row per stretch of sizes with the same algorithm; a change lies halfway, and the last row has no limit."""
    joined: choice.Rows = []
    for (size, algorithm), (after, other) in pairwise(rows):
        if other != algorithm:
            joined.append(((size * after) ** 0.5 // 1, algorithm))
    return [*joined, (float("inf"), rows[-1][1])]
