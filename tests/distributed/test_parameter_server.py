"""The synchronous parameter server, as real jobs on 1 to 4 ranks."""

from __future__ import annotations

import pytest

from distributed.checking import assert_all_passed

pytestmark = pytest.mark.needs("mpi")


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_it_can_be_put_in_the_place_of_the_ring(ranks):
    assert_all_passed("parameter_server_checks.py", ranks)
