"""Collectives on 1 to 8 ranks, each against what NumPy computes on one."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributed.checking import failures, names_of

pytestmark = pytest.mark.needs("mpi")

SCRIPT = Path(__file__).with_name("communicator_checks.py")


@pytest.mark.parametrize("ranks", (1, 2, 3, 4, 8))
@pytest.mark.parametrize("check", names_of(SCRIPT))
def test_on_every_number_of_ranks(check: str, ranks: int) -> None:
    failure = failures(SCRIPT, ranks)(check)
    if failure:
        pytest.fail(failure, pytrace=False)
