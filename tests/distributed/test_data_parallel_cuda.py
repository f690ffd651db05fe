"""Data parallel training of a model on a GPU, an emulated one where there is none: on one rank, which takes every step,
and on two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from distributed import pinned_checks
from distributed.checking import assert_all_passed
from tinygrad_lite import Tensor, nn
from tinygrad_lite import distributed as dist

pytestmark = [pytest.mark.needs("cuda"), pytest.mark.usefixtures("gpu")]


@pytest.mark.needs("mpi")
def test_two_ranks_with_a_gpu_each() -> None:
    assert_all_passed("pinned_checks.py", 2)


@pytest.mark.parametrize("check", [value for name, value in vars(pinned_checks).items() if name.startswith("check_")])
def test_one_rank_takes_the_same_steps(check: Callable[[Any], None]) -> None:
    check(dist.init())


@pytest.mark.parametrize("thread", [False, True])
def test_gradients_on_the_gpu_are_averaged(thread):
    def network() -> nn.Module:
        tgl.manual_seed(4)
        return nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))

    x = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    expected, model = network(), network().to("cuda")
    dp = dist.DataParallel(model, dist.init(), bucket_mb=1e-5, thread=thread)
    (expected(Tensor(x)) ** 2).mean().backward()
    dp.backward((model(Tensor(x, device="cuda")) ** 2).mean(), count=6)
    for p, other in zip(model.parameters(), expected.parameters(), strict=True):
        assert p.grad.device == "cuda"
        np.testing.assert_allclose(p.grad.to("cpu").numpy(), other.grad.numpy(), rtol=1e-5, atol=1e-7)
    model[0].requires_grad_(False)
    model.zero_grad()
    dp.backward((model(Tensor(x, device="cuda")) ** 2).mean(), count=6)
    assert model[0].weight.grad is None
    dp.detach()


def test_the_reproducible_mode_runs_on_the_gpu():
    x = tgl.ones((8, 5), device="cuda")
    model = nn.Linear(5, 1).to("cuda")
    dp = dist.ReproducibleDataParallel(model, dist.init())
    dp.backward(lambda x: model(x).mean(), x)
    np.testing.assert_allclose(model.weight.grad.to("cpu").numpy(), np.ones((1, 5)), rtol=1e-6)


def test_batch_norm_is_synchronised_on_the_gpu():
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    serial, layer = nn.BatchNorm1d(3), dist.SyncBatchNorm(3, dist.init()).to("cuda")
    whole, own = Tensor(x, requires_grad=True), Tensor(x, device="cuda", requires_grad=True)
    (serial(whole) ** 3).sum().backward()
    (layer(own) ** 3).sum().backward()
    np.testing.assert_allclose(own.grad.to("cpu").numpy(), whole.grad.numpy(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer.running_var.to("cpu").numpy(), serial.running_var.numpy(), rtol=1e-5)
