"""examples/custom_op.py as its user sees it."""

from __future__ import annotations

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
    assert lines[-1] == "y = 1.75 x -0.5"
