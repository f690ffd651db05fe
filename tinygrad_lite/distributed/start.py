"""Where a communicator comes from: ``init`` looks for an MPI launch and says what to do if something does not fit."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from tinygrad_lite.distributed.communicator import Communicator
from tinygrad_lite.distributed.connection import Connection
from tinygrad_lite.distributed.failure import this_process
from tinygrad_lite.errors import CommunicationError, DependencyError, fail

#: What launchers tell their processes about the number of ranks: Open MPI's mpirun, MPICH's and Intel's, Slurm's srun.
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")


def init(*, report: float = 30.0, timeout: float = 600.0) -> Communicator:
    """The communicator of all ranks of this job. Collective.

    Under ``mpirun`` or ``srun`` it connects all processes; without them it has one rank and needs no MPI. From then on
    an exception that no one catches ends the whole job, with a traceback that names the rank.

    Args:
        report: seconds that a rank waits for others before it says on the error output who is late, and where.
        timeout: seconds that a rank waits for others before it ends the job. A rank waits in a call, and while it
            tests a handle every two seconds or oftener.

    Raises:
        DependencyError: there are several ranks, but no mpi4py.
        CommunicationError: ``mpirun`` belongs to another MPI than mpi4py's.

    >>> init().size
    1
    """
    ranks = launched_ranks()
    if ranks == 1:
        return Communicator()
    # Where UCX finds no network it says so in several lines on every rank; the windows of one host do not need it.
    os.environ.setdefault("OMPI_MCA_osc", "^ucx")
    mpi, missing = None, ""
    try:
        mpi = loaded_mpi()
    except (ImportError, RuntimeError) as error:
        missing = str(error)
    if mpi is None:
        hint = "pip install 'tinygrad_lite[mpi]' brings mpi4py and an mpirun that fits it"
        need = f"needs mpi4py, because {ranks} ranks were started: {missing}"
        fail(DependencyError, "init", need, hint=hint)
    if not mpi.Is_initialized():
        check_launcher(os.environ, mpi)
        mpi.Init_thread(mpi.THREAD_MULTIPLE)
    check_world(ranks, mpi)
    return Communicator(Connection(mpi, mpi.COMM_WORLD.Dup(), this_process(mpi), report, timeout))


def launched_ranks() -> int:
    """How many ranks the launcher of this process has started, by what it left in the environment; 1 without one."""
    return max((int(os.environ[name]) for name in _SIZES if os.environ.get(name, "").isdigit()), default=1)


def loaded_mpi() -> Any:
    """mpi4py's module, with MPI not started yet unless it was before."""
    import mpi4py

    if "mpi4py.MPI" not in sys.modules:
        mpi4py.rc.initialize, mpi4py.rc.finalize = False, True
    from mpi4py import MPI

    return MPI


def check_launcher(environment: Mapping[str, str], mpi: Any) -> None:
    """Refuse Open MPI's launcher for MPICH and what descends from it, which would abort as they start."""
    ranks = environment.get("OMPI_COMM_WORLD_SIZE")
    vendor, version = mpi.get_vendor()
    if ranks and vendor in ("MPICH", "MPICH2", "Intel MPI", "MVAPICH", "MVAPICH2", "Cray MPI"):
        library = f"{vendor} {'.'.join(map(str, version))}"
        need = f"needs the mpirun of mpi4py's own MPI ({library}), but Open MPI's started these {ranks} ranks"
        fail(CommunicationError, "init", need, hint="use the mpirun that is installed beside this Python")


def check_world(ranks: int, mpi: Any) -> None:
    """Refuse a launcher that mpi4py's library does not understand: each process would train the model alone."""
    size = mpi.COMM_WORLD.Get_size()
    if size == ranks:
        return
    library = mpi.Get_library_version().split(",")[0].split("\n")[0].strip()
    need = f"needs the mpirun of mpi4py's own MPI ({library}), but of {ranks} started ranks it sees {size}"
    fail(CommunicationError, "init", need, hint="use the mpirun that is installed beside this Python")
