"""Operands and results that lie in each other's way, or where others do not expect them."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributed.checking import failures, names_of

pytestmark = pytest.mark.needs("mpi")

SCRIPT = Path(__file__).with_name("operand_checks.py")


@pytest.mark.parametrize("ranks", (1, 2, 3, 5))
@pytest.mark.parametrize("check", names_of(SCRIPT))
def test_on_one_to_five_ranks(check: str, ranks: int) -> None:
    failure = failures(SCRIPT, ranks)(check)
    if failure:
        pytest.fail(failure, pytrace=False)
