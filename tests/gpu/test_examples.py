"""The examples with ``--device cuda``: they say the same as on the CPU, and where they were."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_lite as tgl

pytestmark = [pytest.mark.needs("cuda"), pytest.mark.usefixtures("gpu")]
ROOT = Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
FALLBACK = re.compile(r"^\S+\.py:\d+: RuntimeWarning: (\w+) is computed on the CPU: .*\n  .*\n", re.MULTILINE)


def run(name: str, *arguments: object, device: str) -> tuple[str, str]:
    """Output and error output of an example in a process of its own."""
    program = [str(ROOT / "examples" / name), *map(str, arguments), "--device", device]
    if device == "cuda" and os.environ.get("TINYGRAD_LITE_TEST_DEVICE") != "gpu":
        program.insert(0, str(ROOT / "tests" / "cuda_harness" / "run.py"))
    strict = ["-W", "error", "-W", "always::RuntimeWarning"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "TINYGRAD_LITE_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *strict, *program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def compare(found: str, expected: str) -> None:
    """Assert that two texts are the same but for the rounding of their numbers."""
    assert NUMBER.sub("N", found) == NUMBER.sub("N", expected)
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (found, expected)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-3, abs=1e-9)


@pytest.mark.parametrize(
    "name, arguments, on_the_cpu",
    [
        ("custom_op.py", (), []),
        ("autograd_tour.py", (), ["eigvalsh", "solve"]),
        ("fit_pendulum.py", ("--iterations", 2), ["solve", "inv"]),
    ],
)
def test_an_example_says_there_what_it_says_on_the_cpu(
    name: str, arguments: tuple[object, ...], on_the_cpu: list[str]
) -> None:
    found, complaints = run(name, *arguments, device="cuda")
    expected, nothing = run(name, *arguments, device="cpu")
    timings = re.compile(r" +\S+ ms, +\S+ us each")
    compare(timings.sub("", found), timings.sub("", expected))
    assert FALLBACK.findall(complaints) == on_the_cpu
    assert FALLBACK.sub("", complaints) == nothing == ""


def test_the_digits_say_on_which_gpu_they_are_learnt() -> None:
    options = ("--data", "digits", "--epochs", 2, "--hidden", 16, "--validation", 100)
    found, complaints = run("mnist_mlp.py", *options, device="cuda")
    expected, _ = run("mnist_mlp.py", *options, device="cpu")
    compiling = "the first epoch also compiles the kernels that are not in the cache yet"
    place = f", on {tgl.cuda.device_name()} (cuda)\n\n{compiling}\n"
    line = "2 epochs of adam on cross-entropy, learning rate 0.0015 falling to 0, 64 images per step, seed 0"
    assert complaints == ""
    assert f"\n\n{line}{place}\nepoch 1/2: " in found
    assert f"\n\n{line}\n\nepoch 1/2: " in expected
    speeds = re.compile(r", [\d,]+ images/s, \S+ s$", re.MULTILINE)
    compare(speeds.sub("", found).replace(place, "\n"), speeds.sub("", expected))
