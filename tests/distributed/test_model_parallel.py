"""Model parallelism as real jobs on 1 to 4 ranks: the differentiable collectives, the split layers, the grid."""

from __future__ import annotations

import pytest

from distributed.checking import assert_all_passed

pytestmark = pytest.mark.needs("mpi")

RANKS = [1, 2, 3, 4]


@pytest.mark.parametrize("ranks", RANKS)
def test_collectives_and_their_derivatives(ranks):
    assert_all_passed("collective_checks.py", ranks)


@pytest.mark.parametrize("ranks", RANKS)
def test_split_networks_are_the_serial_ones(ranks):
    assert_all_passed("model_parallel_checks.py", ranks)
