"""How many cores the ranks of a host share, and what to set where they are too few."""

from __future__ import annotations

import os

import numpy as np

from tinygrad_lite import distributed as dist

YIELDING = "OMPI_MCA_mpi_yield_when_idle"


def cores_of_host(comm: dist.Communicator) -> int:
    """Cores that the ranks of this host may use, which a launcher may have bound to one each. Collective."""
    known = hasattr(os, "sched_getaffinity")
    own = np.array(sorted(os.sched_getaffinity(0)) if known else range(os.cpu_count() or 1))
    numbers = comm.all_gather(own)
    if comm.local_size < comm.size:  # the other hosts' cores have the same numbers
        return os.cpu_count() or len(own)
    return len(np.unique(numbers))


def advise(comm: dist.Communicator) -> None:
    """Say so if Open MPI's waiting ranks will keep the cores from those that they wait for. Collective."""
    cores = cores_of_host(comm)
    yielding = os.environ.get(YIELDING, "").lower() in ("1", "true")
    if "OMPI_COMM_WORLD_SIZE" in os.environ and comm.local_size > cores and not yielding:
        shared = f"{comm.local_size} ranks share {cores} core{'s' * (cores > 1)}"
        print(f"{shared}: set {YIELDING}=true, or waiting for each other will slow them down up to a hundred times")
