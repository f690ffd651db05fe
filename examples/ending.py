"""How a program ends: what a user can mend in one sentence, and no traceback where the reader of a pipe has gone."""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tinygrad_lite import errors

if TYPE_CHECKING:
    from tinygrad_lite.distributed import Communicator

T = TypeVar("T")

#: What a user can mend: data, a device or a package that is missing.
MENDABLE = errors.DataError, errors.DeviceError, errors.DependencyError


def run(main: Callable[[], None]) -> None:
    """Call ``main``; where data, a device or a package is missing, end with status 1 and one sentence."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for names of files that the terminal cannot show
    try:
        try:
            main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on, as after | head; Python's own flush at exit must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MENDABLE as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; nothing was saved")


def from_rank_0(comm: Communicator, call: Callable[[], T]) -> T:
    """What ``call()`` returns on rank 0, on every rank; if it ends the program, rank 0 alone says why, and all end.

    For what is the same for all: the command line, data that perhaps only rank 0 can load, results to be checked.
    """
    ended, status, told = 0, 0, b""
    if comm.rank == 0:
        try:
            told = pickle.dumps(call())
        except MENDABLE as error:
            ended = status = 1
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        except SystemExit as end:
            ended, status = 1, end.code if isinstance(end.code, int) else int(end.code is not None)
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
        sys.stdout.flush()  # mpirun ends this rank when another has ended
        sys.stderr.flush()
    ended, status, length = comm.broadcast(np.array([ended, status, len(told)])).tolist()
    if ended:
        sys.exit(status)
    result: T = pickle.loads(comm.broadcast(np.frombuffer(told.ljust(length), np.uint8)).tobytes())
    return result
