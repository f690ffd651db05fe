"""Checks that run on several ranks at once, because starting a job takes longer than most checks.

A script of checks ends with ``run_checks(globals())``; its functions ``check_...(comm)`` run in order on every rank of
one job. In pytest, ``failures(script, ranks)`` says what each of them found.

Where checks are functions under ``@check`` of several modules, or of several cases, the script ends with ``run(comm)``,
and ``assert_all_passed(script, ranks)`` reports the job as a whole.
"""

from __future__ import annotations

import functools
import json
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

_MARK = "@check "


def run_checks(names: dict[str, Any]) -> None:
    """Run the script's checks on this rank; one that fails ends the rank, and with it the job."""
    from tinygrad_lite import distributed as dist

    comm = dist.init(report=30.0, timeout=120.0)
    for name, check in names.items():
        if not name.startswith("check_"):
            continue
        try:
            check(comm)
            error = ""
        except BaseException:
            error = traceback.format_exc()
        sys.stdout.write(f"{_MARK}{json.dumps([comm.rank, name, error])}\n")
        sys.stdout.flush()
        if error:
            raise SystemExit(1)


def names_of(script: Path) -> list[str]:
    """The checks of a script, without importing it."""
    return re.findall(r"^def (check_\w+)", script.read_text(), re.MULTILINE)


@functools.cache
def failures(script: Path, ranks: int) -> Callable[[str], str]:
    """Run a script's checks on so many ranks; returns what says for a check why it failed, or nothing."""
    with tempfile.TemporaryDirectory() as cache:  # no table that someone measured here
        done = launch(ranks, script, timeout=180.0, environment={"XDG_CACHE_HOME": cache})
    reports = [json.loads(line[len(_MARK) :]) for line in done.stdout.splitlines() if line.startswith(_MARK)]

    def of(name: str) -> str:
        said = {rank: error for rank, check, error in reports if check == name}
        errors = [f"rank {rank} of {ranks}:\n{error}" for rank, error in sorted(said.items()) if error]
        missing = sorted(set(range(ranks)) - set(said))
        if missing:
            errors.append(f"ranks {missing} of {ranks} did not finish it (status {done.status}):\n{done.stderr}")
        return "\n".join(errors)

    return of


# --- checks under @check, which a job runs until one fails ---------------------------------------------------

FOLDER = Path(__file__).parent

_checks: list[tuple[str, Callable[[], None]]] = []


def check(*cases: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a check, once per case."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        title = function.__name__.replace("_", " ")
        if not cases:
            _checks.append((title, function))
        _checks.extend((f"{title}: {case}", functools.partial(function, case)) for case in cases)
        return function

    return register


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


@functools.cache
def job(script: str, ranks: int, *arguments: str) -> Finished:
    """The finished job of a script in this folder, started once however many tests ask for it."""
    return launch(ranks, FOLDER / script, *arguments, timeout=120.0)


def assert_all_passed(script: str, ranks: int) -> None:
    """Fail with what the ranks said, unless every check of the job passed on every rank."""
    done = job(script, ranks)
    last = done.stdout.splitlines()[-1:] or [""]
    assert done.status == 0, f"status {done.status}\n{done.stdout}\n{done.stderr}"
    assert last[0].endswith(" checks passed"), f"{done.stdout}\n{done.stderr}"
    assert last[0] != "0 checks passed"
