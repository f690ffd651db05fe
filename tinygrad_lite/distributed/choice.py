"""Which algorithm carries out a collective, by its size: a table that was measured once, not a race at every start.

Another algorithm is another order of summation. So the choice comes from a file, written only by ``python -m
tinygrad_lite.distributed tune``, or from the defaults below; rank 0 reads it and tells the others.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from pathlib import Path
from typing import Any

#: Where an array lies: in memory that the ranks of one host share, or anywhere.
PLACES = ("window", "private")

#: What there is to choose from.
ALGORITHMS = {
    ("allreduce", "window"): ("mpi", "doubling", "ring", "direct", "window_ring"),
    ("allreduce", "private"): ("mpi", "doubling", "ring", "staged"),
    ("reduce_scatter", "window"): ("mpi", "ring", "direct"),
    ("reduce_scatter", "private"): ("mpi", "ring"),
    ("all_gather", "window"): ("mpi", "ring", "direct"),
    ("all_gather", "private"): ("mpi", "ring"),
}

Rows = list[tuple[float, str]]  #: (largest size in bytes, algorithm), rising
Table = dict[str, Rows]

KIB, MIB = 1024, 1024 * 1024
_ALWAYS = float("inf")


def defaults(ranks: int) -> Table:
    """The table of a machine that was not tuned, from Open MPI 5.0.11 on two cores of an AMD EPYC (Zen 5).

    MPI's own is ahead as long as a call costs more than its bytes: ours make a few calls of NumPy per rank.
    """
    private: Rows = [(3 * KIB * ranks, "mpi"), (_ALWAYS, "staged")]
    others: Rows = [(8 * MIB, "mpi"), (_ALWAYS, "ring")]
    window: Rows = [(2 * KIB * ranks, "mpi"), (_ALWAYS, "direct")]
    places = {"allreduce private": private, "reduce_scatter private": others, "all_gather private": others}
    return {key: places.get(key, window) for key in (f"{operation} {place}" for operation, place in ALGORITHMS)}


def choose(table: Table, operation: str, place: str, nbytes: int) -> str:
    """The algorithm for an array of ``nbytes``.

    >>> choose(defaults(2), "allreduce", "private", 4096)
    'mpi'
    """
    return next(algorithm for most, algorithm in table[f"{operation} {place}"] if nbytes <= most)


def machine(library: str, hosts: list[int], cores: int) -> str:
    """A name for what the table depends on: processor, cores, MPI library, and how many ranks each host has."""
    facts = f"{platform.machine()} {_processor()} {cores} cores, {library}, ranks per host {hosts}"
    return f"{len(hosts)}x{max(hosts)}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"


def path(name: str) -> Path:
    """The file of the table for a machine of this name."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "tinygrad_lite", "distributed", f"{name}.json")


def load(name: str, ranks: int) -> Table:
    """The table that was measured for a machine of this name, else the defaults. A damaged file counts as none."""
    try:
        return _checked(json.loads(path(name).read_text()))
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RuntimeError):  # the last one: nobody's home
        return defaults(ranks)


def save(name: str, table: Table) -> Path:
    """Store a table; readers see the old file or the new one, never half of it."""
    file = path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = {
        key: [[None if most == _ALWAYS else most, algorithm] for most, algorithm in rows] for key, rows in table.items()
    }
    written = file.with_suffix(f".{os.getpid()}")
    written.write_text(json.dumps(rows, indent=1) + "\n")
    written.replace(file)
    return file


def _checked(stored: dict[str, Any]) -> Table:
    table: Table = {}
    for (operation, place), offered in ALGORITHMS.items():
        rows = [
            (_ALWAYS if most is None else float(most), algorithm) for most, algorithm in stored[f"{operation} {place}"]
        ]
        if not rows or rows[-1][0] != _ALWAYS or any(algorithm not in offered for _, algorithm in rows):
            raise ValueError(f"no row for every size: {rows}")
        table[f"{operation} {place}"] = rows
    return table


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
