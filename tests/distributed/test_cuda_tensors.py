"""Tensors on a GPU: they come back on it."""

from __future__ import annotations

import pytest

import tinygrad_lite as tgl
from tinygrad_lite import distributed as dist

pytestmark = [pytest.mark.needs("cuda"), pytest.mark.usefixtures("gpu")]


def test_results_are_on_the_device_of_the_operand() -> None:
    comm = dist.init()
    x = tgl.Tensor([1.0, 2.0], device="cuda")
    for result in (comm.allreduce(x), comm.all_gather(x), comm.reduce_scatter(x), comm.broadcast(x)):
        assert result.device == "cuda"
        assert result.tolist() == [1.0, 2.0]


def test_out_is_written_on_its_device() -> None:
    out = tgl.zeros(2, device="cuda")
    assert dist.init().allreduce(tgl.Tensor([1.0, 2.0], device="cuda"), out=out) is out
    assert out.device == "cuda"
    assert out.tolist() == [1.0, 2.0]
