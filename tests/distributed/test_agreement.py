"""Ranks that disagree, bad arguments, mpi4py's way of calling, and tuning."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributed.checking import failures, names_of

pytestmark = pytest.mark.needs("mpi")

SCRIPT = Path(__file__).with_name("agreement_checks.py")


@pytest.mark.parametrize("ranks", (2, 3))
@pytest.mark.parametrize("check", names_of(SCRIPT))
def test_on_two_and_three_ranks(check: str, ranks: int) -> None:
    failure = failures(SCRIPT, ranks)(check)
    if failure:
        pytest.fail(failure, pytrace=False)
