"""What a communicator holds and gives back, in real jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributed.checking import failures, names_of
from distributed.launch import launch

pytestmark = pytest.mark.needs("mpi")

SCRIPT = Path(__file__).with_name("lifetime_checks.py")


@pytest.mark.parametrize("ranks", (1, 2, 3))
@pytest.mark.parametrize("check", names_of(SCRIPT))
def test_on_one_to_three_ranks(check: str, ranks: int) -> None:
    failure = failures(SCRIPT, ranks)(check)
    if failure:
        pytest.fail(failure, pytrace=False)


@pytest.mark.parametrize("ranks", (1, 3))
def test_a_program_ends_well_after_it_has_closed_everything(ranks: int) -> None:
    done = launch(ranks, SCRIPT.with_name("closing.py"), "ends", timeout=60.0)
    assert done.status == 0, done.stderr
    assert done.stdout.count("is done") == ranks
    assert "tinygrad_lite" not in done.stderr


@pytest.mark.parametrize("script", ("groups.py", "threads.py"))
def test_memory_does_not_hold_up_the_end_in_whatever_order_it_was_made(script: str) -> None:
    done = launch(3, SCRIPT.with_name(script), timeout=60.0)
    assert done.status == 0, done.stderr
    assert done.stdout.count("is done") == 3


def test_an_error_after_everything_is_closed_still_ends_the_job() -> None:
    done = launch(3, SCRIPT.with_name("closing.py"), "raises", timeout=60.0)
    assert done.status not in (0, 124)
    assert "rank 0 of 3" in done.stderr
    assert "ValueError: after everything was closed" in done.stderr
