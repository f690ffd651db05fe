"""No result, of any operation, changes when an operand is written in place afterwards."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tgl
from operations.row import Operation, Sample
from operations.running import forward
from operations.table import case_id, cases
from tinygrad_lite import Tensor


@pytest.mark.parametrize("recording", [True, False])
@pytest.mark.parametrize("row, one", list(cases()), ids=case_id)
def test_results_keep_their_values_when_a_leaf_is_written(row: Operation, one: Sample, recording: bool) -> None:
    active = row.active(one.arrays)
    xs = [Tensor(a, requires_grad=i in active) for i, a in enumerate(one.arrays)]
    tgl.manual_seed(0)
    with tgl.set_grad_enabled(recording):
        ys = forward(row, one, xs)
    ys = [y for y in ys if not any(y is x for x in xs)]  # nothing to do: the operand itself
    before = [y.detach().numpy().copy() for y in ys]
    with tgl.no_grad():
        for x in (xs[i] for i in active):
            x += 100.0
    for y, expected in zip(ys, before, strict=True):
        np.testing.assert_array_equal(y.detach().numpy(), expected)
