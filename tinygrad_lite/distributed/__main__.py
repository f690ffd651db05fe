"""``mpirun -n 4 python -m tinygrad_lite.distributed tune`` measures the algorithms; ``show`` prints their table."""

from __future__ import annotations

import argparse

from tinygrad_lite.distributed import choice
from tinygrad_lite.distributed.communicator import Communicator
from tinygrad_lite.distributed.start import init
from tinygrad_lite.distributed.tune import SIZES, tune

DESCRIPTION = "Which algorithm the collectives take for which size, on the ranks that mpirun starts."


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tinygrad_lite.distributed", description=DESCRIPTION)
    parser.add_argument(
        "command", choices=("tune", "show"), help="measure and store the table, or print the one in use"
    )
    parser.add_argument(
        "--most", type=int, default=max(SIZES), metavar="BYTES", help="largest array (default: %(default)s)"
    )
    given = parser.parse_args()
    if given.most < min(SIZES):
        parser.error(f"--most needs at least {min(SIZES)} bytes, but got {given.most}")
    comm = init()
    if given.command == "tune":
        if comm.size == 1:
            parser.error("one rank has nothing to choose: mpirun -n 4 python -m tinygrad_lite.distributed tune")
        comm.table = tune(comm, [size for size in SIZES if size <= given.most])
        if comm.rank == 0:
            print(f"stored in {choice.save(comm.machine, comm.table)}")
    if comm.rank == 0:
        show(comm)


def show(comm: Communicator) -> None:
    """Print which algorithm is chosen up to which size."""
    print(f"{comm.size} ranks, {comm.machine}")
    for key, rows in comm.table.items():
        limits = [f"{algorithm} to {most / 1024:.0f} KiB" for most, algorithm in rows[:-1]]
        print(f"  {key:24} " + ", ".join([*limits, f"{rows[-1][1]} beyond" if limits else f"{rows[-1][1]} always"]))


if __name__ == "__main__":
    main()
