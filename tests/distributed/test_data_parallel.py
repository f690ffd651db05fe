"""Data parallel training on 1 to 4 ranks, and its reproducible mode on 1, 2, 4 and 8."""

from __future__ import annotations

import pytest

from distributed.checking import assert_all_passed, job

pytestmark = pytest.mark.needs("mpi")


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_many_ranks_equal_one_process(ranks: int) -> None:
    assert_all_passed("training_checks.py", ranks)


@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
def test_reproducible_training(ranks: int) -> None:
    assert_all_passed("reproducible_checks.py", ranks)


@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_reproducible_weights_are_those_of_one_process(ranks: int) -> None:
    one, many = (
        [line for line in job("reproducible_checks.py", n).stdout.splitlines() if line.startswith("digest")]
        for n in (1, ranks)
    )
    assert len(one) == 2
    assert one == many
