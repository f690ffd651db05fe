"""Checks of synchronised batch normalisation: many ranks against one process on the concatenation."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from distributed.checking import check, same_refusal
from tinygrad_lite import Tensor, nn
from tinygrad_lite import distributed as dist
from tinygrad_lite.errors import DTypeError, ShapeError

comm = dist.init()
common = np.random.default_rng(11)

#: samples of each rank, for any number of them
LENGTHS = {"equal": lambda r: 3, "uneven": lambda r: 2 + r, "first empty": lambda r: 4 * (r > 0 or comm.size == 1)}
SHAPES = {"rows": (3,), "sequences": (3, 4)}
CASES = [(lengths, shape) for lengths in LENGTHS for shape in SHAPES]


def place(name: str) -> slice:
    lengths = [LENGTHS[name](r) for r in range(comm.size)]
    start = sum(lengths[: comm.rank])
    return slice(start, start + lengths[comm.rank])


def values(name: str, shape: str, offset: float = 0.0) -> np.ndarray[Any, Any]:
    count = sum(LENGTHS[name](r) for r in range(comm.size))
    return common.normal(size=(count, *SHAPES[shape])) + offset


def layers() -> tuple[nn.BatchNorm1d, nn.Module]:
    """The serial layer, and the synchronised one with the same parameters."""
    serial = nn.BatchNorm1d(3, dtype="float64")
    with tgl.no_grad():
        serial.weight[...] = Tensor(common.normal(size=3))
        serial.bias[...] = Tensor(common.normal(size=3))
    layer = nn.BatchNorm1d(3, dtype="float64")
    layer.load_state_dict(serial.state_dict())
    return serial, dist.SyncBatchNorm.convert(layer, comm)


def close(found: Any, expected: Any, tolerance: float = 1e-13) -> None:
    found, expected = (np.asarray(v.detach() if isinstance(v, Tensor) else v) for v in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@check(*CASES)
def outputs_gradients_and_statistics_are_those_of_the_concatenation(case: tuple[str, str]) -> None:
    lengths, shape = case
    serial, layer = layers()
    mine = place(lengths)
    for _ in range(2):
        x, weights = values(lengths, shape), values(lengths, shape)
        whole, own = Tensor(x, requires_grad=True), Tensor(x[mine], requires_grad=True)
        expected, found = serial(whole), layer(own)
        close(found, expected[mine])
        serial.zero_grad()
        layer.zero_grad()
        (expected * Tensor(weights)).sum().backward()
        (found * Tensor(weights[mine])).sum().backward()
        close(own.grad, whole.grad[mine], 1e-12)
        for p, other in zip(layer.parameters(), serial.parameters(), strict=True):
            close(comm.allreduce(p.grad.numpy()), other.grad, 1e-12)
        close(layer.running_mean, serial.running_mean)
        close(layer.running_var, serial.running_var)
        assert layer.num_batches_tracked.item() == serial.num_batches_tracked.item()
    serial.eval()
    layer.eval()
    close(layer(Tensor(x[mine])), serial(Tensor(x))[mine])


@check()
def local_batch_norm_would_differ() -> None:
    if comm.size == 1:
        return
    x = values("equal", "rows")
    serial, _ = layers()
    local = nn.BatchNorm1d(3, dtype="float64")
    local.load_state_dict(serial.state_dict())
    mine = place("equal")
    assert abs(local(Tensor(x[mine])).detach() - serial(Tensor(x)).detach()[mine]).max() > 0.01


@check()
def a_mean_far_from_zero_costs_no_digits() -> None:
    x = values("uneven", "rows", offset=1e6)
    serial, layer = layers()
    close(layer(Tensor(x[place("uneven")])), serial(Tensor(x))[place("uneven")], 1e-9)
    close(layer.running_var, 0.9 + 0.1 * x.var(axis=0, ddof=1), 1e-10)


@check()
def second_derivatives_are_those_of_the_concatenation() -> None:
    x, weights = values("uneven", "rows"), values("uneven", "rows")
    serial, layer = layers()
    mine = place("uneven")
    whole, own = Tensor(x, requires_grad=True), Tensor(x[mine], requires_grad=True)
    for module, z, w in ((serial, whole, weights), (layer, own, weights[mine])):
        (gradient,) = tgl.grad((tgl.tanh(module(z)) * Tensor(w)).sum(), [z], create_graph=True)
        (gradient * gradient).sum().backward()
    close(own.grad, whole.grad[mine], 1e-11)
    for p, other in zip(layer.parameters(), serial.parameters(), strict=True):
        close(comm.allreduce(p.grad.numpy()), other.grad, 1e-11)


@check()
def forward_mode_is_that_of_the_concatenation() -> None:
    x, dx = values("uneven", "sequences"), values("uneven", "sequences")
    serial, layer = layers()
    mine = place("uneven")
    _, expected = tgl.jvp(serial, (Tensor(x),), (Tensor(dx),))
    _, found = tgl.jvp(layer, (Tensor(x[mine]),), (Tensor(dx[mine]),))
    close(found, expected[mine], 1e-12)


@check()
def one_message_forward_and_one_backward() -> None:
    _, layer = layers()
    x = Tensor(values("equal", "rows")[place("equal")], requires_grad=True)
    comm.stats.reset()
    y = layer(x)
    assert (comm.stats["all_gather"].calls, comm.stats["allreduce"].calls) == (1, 0)
    y.sum().backward()
    assert (comm.stats["all_gather"].calls, comm.stats["allreduce"].calls) == (1, 1)
    layer.eval()
    comm.stats.reset()
    layer(x).sum().backward()
    assert comm.stats["all_gather"].calls == comm.stats["allreduce"].calls == 0


@check()
def training_with_uneven_and_empty_batches_equals_one_process() -> None:
    def network() -> nn.Sequential:
        tgl.manual_seed(2)
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).double()

    serial, model = network(), network()
    dist.SyncBatchNorm.convert(model, comm)
    assert list(model.state_dict()) == list(serial.state_dict())
    dp = dist.DataParallel(model, comm)
    steps = [tgl.optim.SGD(m.parameters(), lr=0.5, momentum=0.9) for m in (serial, model)]
    for lengths in ("uneven", "first empty", "equal"):
        x = values(lengths, "rows")
        mine = place(lengths)
        for step in steps:
            step.zero_grad()
        serial(Tensor(x)).square().sum(axis=1).mean().backward()
        dp.backward(model(Tensor(x[mine])).square().sum(), count=len(x[mine]), reduction="sum")
        for step in steps:
            step.step()
    for found, expected in zip(model.state_dict().values(), serial.state_dict().values(), strict=True):
        close(found, expected, 1e-11)


@check()
def shared_layers_options_and_hooks_are_converted_too() -> None:
    layer = nn.BatchNorm1d(3, eps=0.5, momentum=None, affine=False)
    called = []
    layer.register_forward_hook(lambda module, args, output: called.append(1))
    model = dist.SyncBatchNorm.convert(nn.Sequential(layer, nn.ReLU(), layer), comm)
    assert model[0] is model[2]
    assert type(model[0]) is dist.SyncBatchNorm
    assert (model[0].eps, model[0].momentum, model[0].weight) == (0.5, None, None)
    model(Tensor(np.ones((2, 3), np.float32)))
    assert len(called) == 2


@check()
def what_does_not_fit_is_refused_on_every_rank() -> None:
    layer = dist.SyncBatchNorm(3, comm)
    rows = int(comm.rank == 0)
    text = (
        f"SyncBatchNorm needs more than one value per channel on all ranks together\n"
        f"  x     shape ({rows}, 3), float32, cpu\n"
        f"  in    syncbatchnorm: SyncBatchNorm(3)\n"
        f"  hint  use larger batches, or call eval()"
    )
    same_refusal(comm, ShapeError, lambda: layer(tgl.ones((rows, 3))), text)
    text = "SyncBatchNorm.convert needs a module\n  model  3\n  hint   pass the network itself"
    same_refusal(comm, DTypeError, lambda: dist.SyncBatchNorm.convert(3, comm), text)
    text = "{} needs a communicator as comm, but got NoneType\n  hint  dist.init() makes one"
    same_refusal(comm, DTypeError, lambda: dist.SyncBatchNorm(3, None), text.format("SyncBatchNorm"))
    model, convert = nn.Sequential(nn.BatchNorm1d(3)), dist.SyncBatchNorm.convert
    same_refusal(comm, DTypeError, lambda: convert(model, None), text.format("SyncBatchNorm.convert"))
