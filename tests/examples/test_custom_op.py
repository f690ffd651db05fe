"""examples/custom_op.py as its user sees it."""

from __future__ import annotations

import pytest
from examples.running import run_example


def test_it_checks_its_rules_finds_the_planted_mistake_and_fits_the_line() -> None:
    output, complaints = run_example("custom_op.py")
    lines = output.splitlines()
    assert complaints == ""
    assert lines[0] == "log_cosh: within rounding, first and second order, reverse and forward mode"
    assert lines[1].startswith("a planted mistake: wrong_log_cosh has a wrong rule: the rule for x")
    assert "all by the factor -1" in lines[2]
    losses = [float(line.rpartition(" ")[2]) for line in lines if line.startswith("step")]
    assert len(losses) == 5
    assert losses[-1] < 0.5 * losses[0]
    assert lines[-1] == "y = 1.75 x - 0.5"


def test_help_says_what_it_is() -> None:
    output, _ = run_example("custom_op.py", "--help")
    assert "Two operations of your own, checked and used in training." in output


@pytest.mark.parametrize("option", ["--plot=a.png", "--steps", "5"])
def test_an_option_that_it_does_not_have_is_refused(option: str) -> None:
    output, complaints = run_example("custom_op.py", option, status=2)
    assert output == ""
    assert complaints.splitlines()[-1] == f"custom_op.py: error: unrecognized arguments: {option}"


def test_a_device_of_another_name_is_refused() -> None:
    output, complaints = run_example("custom_op.py", "--device", "gpu", status=2)
    assert output == ""
    message = "argument --device: needs cpu, cuda or cuda:N, but got 'gpu'"
    assert complaints.splitlines()[-1] == f"custom_op.py: error: {message}"
