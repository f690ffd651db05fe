"""A job: trains in the reproducible mode, and prints a digest of all weights that must not depend on the ranks."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from mpi4py import MPI

import tinygrad_lite as tgl
from distributed.checking import check, run, same_refusal
from tinygrad_lite import Tensor, data, nn, optim
from tinygrad_lite import distributed as dist
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_lite.nn import functional as F

comm = dist.init()
common = np.random.default_rng(1)
X = common.normal(size=(112, 12)).astype(np.float32)
Y = common.integers(0, 5, size=112)


def network(middle: nn.Module) -> nn.Sequential:
    tgl.manual_seed(8)
    body = [nn.Linear(12, 33), nn.ReLU(), nn.Dropout(0.3), nn.Linear(33, 17), middle, nn.Tanh()]
    return nn.Sequential(*body, nn.Dropout(0.1), nn.Linear(17, 5))


def digest(model: nn.Module, losses: list[float]) -> str:
    found = hashlib.sha256(np.array(losses).tobytes())
    for value in model.state_dict().values():
        found.update(value.numpy().tobytes())
    return found.hexdigest()


def trained(make: Any, middle: nn.Module, samples: int) -> str:
    model = network(middle)
    dp = dist.ReproducibleDataParallel(model, comm)
    step = make(model.parameters())
    losses = []
    loader = dist.ShardedLoader(data.TensorDataset(X[:samples], Y[:samples]), 32, comm, shuffle=True, seed=3, shards=8)
    for _ in range(2):
        for x, y in loader:
            step.zero_grad()
            losses.append(dp.backward(lambda x, y: F.cross_entropy(model(x), y), x, y).item())
            step.step()
    assert np.isfinite(losses).all()
    assert losses[-1] != losses[0]
    return digest(model, losses)


@check()
def weights_are_bits_that_do_not_depend_on_the_ranks() -> None:
    for found in (
        trained(lambda p: optim.SGD(p, lr=0.1, momentum=0.9), nn.BatchNorm1d(17), 112),
        trained(lambda p: optim.Adam(p, lr=0.01), nn.ReLU(), 101),  # the last batch has fewer samples than shards
    ):
        every = comm.all_gather(np.frombuffer(found.encode(), np.uint8).reshape(1, -1))
        assert (every == every[0]).all()
        if comm.rank == 0:
            print("digest", found)


@check()
def it_is_the_gradient_of_the_mean_over_all_samples() -> None:
    def model() -> nn.Module:
        tgl.manual_seed(8)
        return nn.Sequential(nn.Linear(12, 7), nn.Tanh(), nn.Linear(7, 5)).double()

    def loss(net: nn.Module, x: Any, y: Any) -> Tensor:
        return F.cross_entropy(net(Tensor(x)), Tensor(y))

    net, serial = model(), model()
    x = X.astype(np.float64)
    x = x[:101]
    expected = loss(serial, x, Y[:101])
    expected.backward()
    dp = dist.ReproducibleDataParallel(net, comm)
    (part,) = dist.ShardedLoader(data.TensorDataset(x, Y[:101]), 101, comm, shards=8)
    found = dp.backward(lambda x, y: loss(net, x, y), *part)
    np.testing.assert_allclose(found.item(), expected.item(), rtol=1e-13)
    for p, other in zip(net.parameters(), serial.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), other.grad.numpy(), rtol=1e-12, atol=1e-16)
    dp.backward(lambda x, y: loss(net, x, y), *part)  # on top of what is there
    for p, other in zip(net.parameters(), serial.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), 2 * other.grad.numpy(), rtol=1e-12, atol=1e-16)


@check()
def unused_parameters_have_no_gradient_and_random_numbers_do_not_repeat() -> None:
    used, unused = nn.Linear(3, 2), nn.Linear(3, 2)
    dp = dist.ReproducibleDataParallel(nn.ModuleList([used, unused]), comm, shards=8)
    drawn: list[bytes] = []

    def loss(x: Tensor) -> Tensor:
        drawn.append(tgl.random.uniform((4,)).numpy().tobytes() + tgl.random.uniform((4,)).numpy().tobytes())
        return used(x).mean()

    start = tgl.get_rng_state()
    for _ in range(2):
        dp.backward(loss, tgl.ones((16 // comm.size, 3)))
    assert tgl.get_rng_state() == {"seed": start["seed"], "counter": start["counter"] + 4}
    halves = [half for pair in drawn for half in (pair[:16], pair[16:])]
    assert len(set(halves)) == len(halves) == 4 * 8 // comm.size
    assert unused.weight.grad is None
    assert used.weight.grad is not None


@check()
def running_statistics_are_averaged_over_the_shards() -> None:
    layer = nn.BatchNorm1d(2, momentum=0.5, dtype="float64")
    dp = dist.ReproducibleDataParallel(layer, comm, shards=8)
    x = common.normal(size=(3, 20, 2))
    for batch in x:
        (part,) = next(iter(dist.ShardedLoader(data.TensorDataset(batch), 20, comm, shards=8)))
        dp.backward(lambda part: (layer(part) ** 2).mean(), part)
    mean = np.zeros(2)
    for batch in x:  # shards of three and of two samples, weighted by their length
        mean = 0.5 * mean + 0.5 * batch.mean(axis=0)
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
    assert layer.num_batches_tracked.item() == 3


@check()
def buffers_that_nobody_changes_keep_their_bits() -> None:
    layer = nn.Linear(12, 3, dtype="float64")
    constants = np.array([0.1, -np.inf, np.nan, 1 / 3])
    layer.register_buffer("constants", Tensor(constants))
    dp = dist.ReproducibleDataParallel(layer, comm, shards=8)
    for samples in (29, 35):  # some shards of the last batch are empty, or shares of the samples that no float is
        for (part,) in dist.ShardedLoader(data.TensorDataset(X[:samples]), 24, comm, shards=8):
            dp.backward(lambda part: layer(part.astype("float64")).mean(), part)
            assert layer.constants.numpy().tobytes() == constants.tobytes()


@check()
def what_does_not_fit_is_refused_on_every_rank() -> None:
    model = network(nn.ReLU())
    name = "ReproducibleDataParallel"
    text = f"{name} needs a module as model\n  model  7\n  hint   pass the network itself"
    same_refusal(comm, DTypeError, lambda: dist.ReproducibleDataParallel(7, comm), text)
    text = f"{name} needs a communicator as comm, but got Intracomm\n  hint  dist.init() makes one"
    same_refusal(comm, DTypeError, lambda: dist.ReproducibleDataParallel(model, MPI.COMM_WORLD), text)
    text = f"{name} needs a power of two as shards, but got 6\n  hint  8 is usual"
    same_refusal(comm, ArgumentError, lambda: dist.ReproducibleDataParallel(model, comm, shards=6), text)
    text = (
        f"{name} cannot train a SyncBatchNorm: a shard is on one rank only\n"
        "  hint  nn.BatchNorm1d normalises each shard by itself"
    )
    synchronised = dist.SyncBatchNorm.convert(network(nn.BatchNorm1d(17)), comm)
    same_refusal(comm, ArgumentError, lambda: dist.ReproducibleDataParallel(synchronised, comm), text)
    watched = nn.Linear(2, 2)
    dist.DataParallel(watched, comm)
    text = f"{name} needs a model without a DataParallel\n  hint  detach() it: this mode averages for itself"
    same_refusal(comm, ArgumentError, lambda: dist.ReproducibleDataParallel(watched, comm), text)
    if comm.size > 1:
        text = f"{name} needs 1 rank for 1 shard, but there are {comm.size}"
        same_refusal(comm, ArgumentError, lambda: dist.ReproducibleDataParallel(model, comm, shards=1), text)
    dp = dist.ReproducibleDataParallel(model, comm)
    rows = 8 // comm.size
    x = tgl.ones((rows + (comm.rank == comm.size - 1), 12))
    if comm.size > 1:
        counts = [rows] * (comm.size - 1) + [rows + 1]
        text = (
            f"{name}.backward needs batches of {[rows + 1] + [rows] * (comm.size - 1)} samples on the ranks, but got "
            f"{counts}\n  batch[0]  shape ({len(x)}, 12), float32, cpu\n"
            "  hint      ShardedLoader(..., shards=8) divides them so"
        )
        same_refusal(comm, ShapeError, lambda: dp.backward(lambda x: model(x).mean(), x), text)
    text = (
        f"{name}.backward needs the loss as a function, because it is called once per shard\n"
        "  loss  shape (), float32, cpu\n  hint  backward(lambda x, y: F.cross_entropy(model(x), y), x, y)"
    )
    same_refusal(comm, DTypeError, lambda: dp.backward(model(x).mean(), x), text)
    text = (
        f"{name}.backward needs arrays of one length, at least one\n"
        "  batch[0]  shape (2,), float32, cpu\n  batch[1]  shape (3,), float32, cpu"
    )
    same_refusal(comm, ShapeError, lambda: dp.backward(lambda x, y: x, tgl.ones(2), tgl.ones(3)), text)
    text = (
        f"{name}.backward needs a loss with one element\n  loss  shape (1, 5), float32, cpu\n"
        "  hint  take the mean over the samples: loss.mean()"
    )
    same_refusal(comm, ShapeError, lambda: dp.backward(model[-1], tgl.ones((rows, 17))), text)
    text = (
        f"{name}.backward needs at least one sample on all ranks together\n"
        "  batch[0]  shape (0, 12), float32, cpu\n"
        "  hint      ShardedLoader(..., shards=8) divides them so"
    )
    same_refusal(comm, ShapeError, lambda: dp.backward(lambda x: model(x).mean(), tgl.ones((0, 12))), text)


run(comm)
