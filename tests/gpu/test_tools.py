"""The tools on the GPU: checkpoints, anomaly mode, memory reports, gradient checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import errors

pytestmark = [pytest.mark.needs("cuda"), pytest.mark.usefixtures("gpu")]


def leaf(*shape: int) -> tgl.Tensor:
    values = np.linspace(0.5, 1.5, int(np.prod(shape))).reshape(shape)
    return tgl.Tensor(values, device="cuda", requires_grad=True)


def test_a_checkpoint_gives_the_gradient_of_the_plain_call() -> None:
    def function(x: Any) -> Any:
        return tgl.dropout(tgl.exp(x) * tgl.sin(x), 0.5)

    found = []
    for run in (function, lambda x: tgl.checkpoint(function, x)):
        tgl.manual_seed(4)
        x = leaf(3, 50)
        run(x).sum().backward()
        found.append(x.grad.numpy())
    np.testing.assert_array_equal(*found)


def test_a_checkpoint_notices_that_its_second_call_computes_something_else() -> None:
    factors = iter((1.0, 1.0 + 1e-6))
    x = leaf(100)
    y = tgl.checkpoint(lambda v: v * next(factors), x)
    text = refusal(errors.GradientError, lambda: y.sum().backward())
    assert "checkpoint" in text


def test_anomaly_mode_names_the_operation_behind_the_first_nan() -> None:
    x = tgl.Tensor([1.0, -1.0], device="cuda", requires_grad=True)
    with tgl.detect_anomaly(), pytest.raises(errors.AnomalyError, match="log"):
        tgl.log(x).sum().backward()


def test_a_memory_report_counts_the_blocks_of_the_gpu() -> None:
    x = leaf(256)
    y = tgl.exp(x)
    report = tgl.memory_report(y)
    assert report["leaves", ""] == report["tensors", "output"] == 256 * 8
    (saved,) = (holder for holder in report.holders if holder.name == "exp")
    assert (saved.nbytes, saved.shared) == (0, 256 * 8)


def test_gradcheck_takes_tensors_of_the_gpu() -> None:
    assert tgl.gradcheck(lambda x: tgl.tanh(x) * x, leaf(3).detach())


def test_a_picture_of_the_graph_needs_no_values() -> None:
    assert "exp" in tgl.draw_graph(tgl.exp(leaf(2))).dot
