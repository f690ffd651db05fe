"""Checks that run on several ranks at once, because starting a job takes longer than most checks.

In a script of checks each is a function under ``@check``, and the last line is ``run(comm)``; or each is a function
``check_...(comm)``, and the last line is ``run_checks(globals())``. Either way all ranks of one job run them in order
until one fails. In pytest ``assert_all_passed(script, ranks)`` reports the job as a whole, and ``failures(script,
ranks)`` says what became of each check.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from refusals import refusal

from distributed.launch import Finished, launch

FOLDER = Path(__file__).parent

_checks: list[tuple[str, Callable[[], None]]] = []

# --- in the job ---------------------------------------------------------------------------------------------


def check(*cases: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a check, once per case."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        title = _title(function.__name__)
        if not cases:
            _checks.append((title, function))
        _checks.extend((f"{title}: {case}", functools.partial(function, case)) for case in cases)
        return function

    return register


def run_checks(names: dict[str, Any]) -> None:
    """Run the functions ``check_...(comm)`` among these names."""
    from tinygrad_lite import distributed as dist

    comm = dist.init(report=30.0, timeout=120.0)
    for name, function in names.items():
        if name.startswith("check_"):
            _checks.append((_title(name), functools.partial(function, comm)))
    run(comm)


def run(comm: Any) -> None:
    """Run all checks on all ranks; ranks that left a check at different places cannot go on: a failure ends the job."""
    for title, function in _checks:
        try:
            function()
        except BaseException:
            text = "".join(f"[rank {comm.rank}] {line}\n" for line in traceback.format_exc().splitlines())
            sys.stderr.write(f"failed on rank {comm.rank}: {title}\n{text}")
            sys.stderr.flush()
            sys.stdout.flush()
            if comm.size > 1:
                from mpi4py import MPI

                MPI.COMM_WORLD.Abort(1)
            os._exit(1)
        comm.barrier()
        if comm.rank == 0:
            print(f"passed: {title}", flush=True)
    if comm.rank == 0:
        print(f"{len(_checks)} checks passed", flush=True)


def same_refusal(comm: Any, kind: type[Exception], call: Callable[[], Any], text: str) -> None:
    """Assert that ``call`` is refused on every rank with exactly this ``text``; nobody is left waiting."""
    found = refusal(kind, call)
    assert found == text, found
    comm.barrier()


# --- in pytest ----------------------------------------------------------------------------------------------


@functools.cache
def job(script: str | Path, ranks: int) -> Finished:
    """The finished job of a script in this folder, started once however many tests ask for it."""
    with tempfile.TemporaryDirectory() as cache:  # no table that someone measured here
        return launch(ranks, FOLDER / script, timeout=180.0, environment={"XDG_CACHE_HOME": cache})


def assert_all_passed(script: str | Path, ranks: int) -> None:
    """Fail with what the ranks said, unless every check of the job passed on every rank."""
    done = job(script, ranks)
    last = done.stdout.splitlines()[-1:] or [""]
    assert done.status == 0, f"status {done.status}\n{done.stdout}\n{done.stderr}"
    assert last[0].endswith(" checks passed"), f"{done.stdout}\n{done.stderr}"
    assert last[0] != "0 checks passed"


def names_of(script: Path) -> list[str]:
    """The functions ``check_...(comm)`` of a script, without importing it."""
    return re.findall(r"^def (check_\w+)", script.read_text(), re.MULTILINE)


def failures(script: Path, ranks: int) -> Callable[[str], str]:
    """Run a script's checks on so many ranks; returns what says for a check why it failed, or nothing.

    The end of the job, after the last check, belongs to that check.
    """
    done = job(script, ranks)
    passed, names = done.stdout.splitlines(), names_of(script)

    def of(name: str) -> str:
        if f"passed: {_title(name)}" in passed and (done.status == 0 or name != names[-1]):
            return ""
        return f"not passed on {ranks} ranks (status {done.status}):\n{done.stderr}"

    return of


def _title(name: str) -> str:
    return name.replace("_", " ")
