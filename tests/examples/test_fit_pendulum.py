"""examples/fit_pendulum.py: it finds what made the measurements, as precisely as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from examples.running import run_example

RESULT = re.compile(r"^(length|damping) += (\S+) \+- (\S+) \S+ +\(true: (\S+)\)$", re.MULTILINE)


def test_the_fit_is_within_its_own_error_of_the_truth() -> None:
    output, complaints = run_example("fit_pendulum.py", "--length", 0.9, "--damping", 0.4, "--noise", 0.05)
    assert complaints == ""
    results = RESULT.findall(output)
    assert [name for name, *_ in results] == ["length", "damping"]
    for _, value, error, truth in results:
        assert 0 < float(error) < 0.01
        assert abs(float(value) - float(truth)) < 4 * float(error)


def test_without_noise_the_fit_is_exact_and_the_error_falls() -> None:
    output, _ = run_example("fit_pendulum.py", "--noise", 0, "--iterations", 60)
    errors = [float(e) for e in re.findall(r"^Adam +\d+ +error (\S+) rad", output, re.MULTILINE)]
    assert errors[-1] < 0.1 * errors[0]
    assert [float(value) for _, value, *_ in RESULT.findall(output)] == pytest.approx([1.3, 0.25], abs=2e-4)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--length", "0"], "argument --length: needs a positive number, but got '0'"),
        (["--damping", "nan"], "argument --damping: needs a positive number, but got 'nan'"),
        (["--noise", "-1"], "argument --noise: needs a number of at least 0, but got '-1'"),
        (["--iterations", "0"], "argument --iterations: needs an integer of at least 1, but got '0'"),
        (["--device", "gpu"], "argument --device: needs cpu, cuda or cuda:N, but got 'gpu'"),
        (["--plot", "fit.txt"], "argument --plot: needs a name that ends in .png or .pdf or .svg, but got 'fit.txt'"),
    ],
)
def test_bad_settings_are_refused_in_words(arguments: list[str], message: str) -> None:
    _, complaints = run_example("fit_pendulum.py", *arguments, status=2)
    assert complaints.splitlines()[-1] == f"fit_pendulum.py: error: {message}"


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    output, _ = run_example("fit_pendulum.py", "--iterations", 10, "--plot", tmp_path / "fit.png")
    assert output.endswith(f"\npicture: {tmp_path}/fit.png\n")
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")
