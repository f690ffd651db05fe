"""What an example prints under mpirun and without it."""

from __future__ import annotations

import functools
import re

import pytest
from examples.running import ROOT, run_example

from distributed.launch import launch


@functools.cache
def output(ranks: int, name: str, *arguments: str) -> str:
    """What ``examples/<name>`` prints, without mpirun for 0 ranks; nothing may go to the error output."""
    if ranks == 0:
        said, complaints = run_example(name, *arguments)
        assert complaints == ""
    else:
        strict = {"PYTHONWARNINGS": "error"}
        done = launch(ranks, ROOT / "examples" / name, *arguments, environment=strict, timeout=180.0)
        assert done.status == 0, done.stderr
        said, complaints = done.stdout, done.stderr
        # An MPI may have something to say about the machine.
        assert not re.search(r"Traceback|Warning|tinygrad_lite", complaints), complaints
    return said.replace("\r", "")


def assert_learnt_alike(found: list[str], expected: list[str]) -> None:
    """The same lines, whose losses and percentages differ at most by what rounding in float32 makes of them."""
    words, others = ([re.sub(r"[\d.]+", "#", line) for line in lines] for lines in (found, expected))
    assert words == others
    for line, other in zip(found, expected, strict=True):
        for kind, tolerance in (("loss", 0.005), ("accuracy", 0.6)):  # 0.5 %: one image of 200
            got, want = ([float(number) for number in re.findall(rf"{kind} ([\d.]+)", text)] for text in (line, other))
            assert got == pytest.approx(want, abs=tolerance), f"{line}\n{other}"
