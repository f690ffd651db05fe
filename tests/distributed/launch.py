"""Starting a script on several MPI ranks, on any machine: root or not, Open MPI or MPICH, as few cores as there are.

    python tests/distributed/launch.py -n 4 [--timeout 60] script.py arguments
    python tests/distributed/launch.py -n 4 [--timeout 60] -- -m module arguments

The job begins with a nearly empty environment, so that neither a batch scheduler nor an MPI around it leaks in. One
that is not done in time is ended, and where every rank stood is printed: a hang is a failure that explains itself.
"""

from __future__ import annotations

import argparse
import faulthandler
import functools
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

#: What a job inherits. Everything else may belong to another MPI, or to a scheduler.
INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "USER", "XDG_CACHE_HOME", "TINYGRAD_LITE_DATA")

#: One thread of linear algebra per rank: ranks are what uses the cores.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TINYGRAD_LITE_NUM_THREADS": "1"}

OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_osc": "^ucx",
    "OMPI_MCA_pml": "ob1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
MPICH = {"HYDRA_LAUNCHER": "fork", "FI_PROVIDER": "tcp"}

#: Seconds between the ranks' writing down where they are and the end of the job.
GRACE = 3.0


class Finished(NamedTuple):
    """What a job left behind."""

    status: int
    stdout: str
    stderr: str


@functools.cache
def mpirun() -> tuple[str, bool]:
    """The launcher that came with this Python, else the first one on PATH, and whether it is Open MPI's."""
    here = Path(sys.executable).parent
    folders = os.pathsep.join([str(here), os.environ.get("PATH", "")])
    for name in ("mpirun", "mpiexec"):
        path = shutil.which(name, path=folders)
        if path is not None:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60)
            return path, "Open MPI" in said.stdout + said.stderr
    raise SystemExit("launch: no mpirun; pip install 'tinygrad_lite[mpi]' brings mpi4py and one that fits it")


def settings(ranks: int) -> dict[str, str]:
    """The environment in which this machine's MPI starts ``ranks`` processes, which yield if they share cores."""
    shared = ranks > len(os.sched_getaffinity(0))
    if mpirun()[1]:
        return {**ONE_THREAD, **OPEN_MPI, **({"OMPI_MCA_mpi_yield_when_idle": "true"} if shared else {})}
    return {**ONE_THREAD, **MPICH, **({"MPIR_CVAR_POLLS_BEFORE_YIELD": "1"} if shared else {})}


def launch(
    ranks: int,
    script: str | Path,
    *arguments: object,
    timeout: float = 60.0,
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    shown: bool = False,
) -> Finished:
    """Run ``script`` on ``ranks`` processes; return its status and output, which if ``shown`` appears as it comes.

    A job that takes longer than ``timeout`` seconds is ended with status 124, as by the program ``timeout``, and its
    error output closes with the stack of every rank.
    """
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    with tempfile.TemporaryDirectory(prefix="launch") as folder:
        rank_main = [sys.executable, __file__, "--rank-main", folder, str(timeout), str(script)]
        process = subprocess.Popen(
            [mpirun()[0], "-n", str(ranks), *options, *rank_main, *map(str, arguments)],
            env={**kept, **settings(ranks), **paths, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=None if shown else subprocess.PIPE,
            stderr=None if shown else subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(timeout=timeout + GRACE)
            return Finished(process.returncode, stdout or "", stderr or "")
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGTERM)  # a session of its own does not hear of the interrupt
            raise
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)  # mpirun passes it on and cleans up
            try:
                stdout, stderr = process.communicate(timeout=GRACE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                stdout, stderr = process.communicate()
            stood = [f"--- {path.stem}\n{path.read_text()}" for path in sorted(Path(folder).glob("rank*"))]
            said = f"the job was not done after {timeout:g} s; where its ranks stood:\n"
            return Finished(124, stdout or "", f"{stderr or ''}\n{said}" + "\n".join(stood))


def rank_main(folder: str, timeout: str, script: str, *arguments: str) -> None:
    """What each process of the job runs: the script, as if Python had been started on it."""
    rank = next((os.environ[n] for n in ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK") if n in os.environ), "0")
    with open(Path(folder, f"rank{rank}.txt"), "w") as stood:
        faulthandler.dump_traceback_later(float(timeout), file=stood)
        if script == "-m":
            sys.argv = [*arguments]
            sys.path[0] = os.getcwd()
            runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
            return
        sys.argv = [script, *arguments]
        sys.path[0] = str(Path(script).resolve().parent)
        runpy.run_path(script, run_name="__main__")
        faulthandler.cancel_dump_traceback_later()


def main() -> int:
    parser = argparse.ArgumentParser(description="Run a script on several MPI ranks.")
    parser.add_argument("-n", type=int, default=2, metavar="RANKS", help="how many processes (default: 2)")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS", help="when to end it (default: 600)")
    parser.add_argument("script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    if given.script != "-m" and not Path(given.script).exists():
        parser.error(f"needs a script, but there is no {given.script!r}")
    done = launch(given.n, given.script, *given.arguments, timeout=given.timeout, shown=True)
    sys.stderr.write(done.stderr)
    return done.status


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rank-main"]:
        rank_main(*sys.argv[2:])
    else:
        sys.exit(main())
