"""A job: the parameter server in the place of the all-reduce."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from distributed.checking import check, run, same_refusal
from tinygrad_lite import Tensor, nn, optim
from tinygrad_lite import distributed as dist
from tinygrad_lite.distributed import parameter_server
from tinygrad_lite.distributed.parameter_server import ServerReductions
from tinygrad_lite.distributed.transport import DelayedTransport
from tinygrad_lite.errors import ArgumentError, DTypeError
from tinygrad_lite.nn import functional as F

comm = dist.init()
SERVERS = sorted({1, 2, comm.size} & set(range(1, comm.size + 1)))
numbers = np.random.default_rng(11)  # the same on all ranks
IMAGES, LABELS = Tensor(numbers.normal(size=(10, 6))), Tensor(numbers.integers(0, 4, 10))


def network() -> nn.Sequential:
    tgl.manual_seed(2)
    return nn.Sequential(nn.Linear(6, 13, dtype="float64"), nn.Tanh(), nn.Linear(13, 4, dtype="float64"))


def part(step: int) -> tuple[Tensor, Tensor]:
    """This rank's images in one step: uneven, and none for the last of several ranks in step 1."""
    stops = np.linspace(0, len(IMAGES), comm.size + 1).astype(int)
    if step == 1 and comm.size > 1:
        stops[-2] = len(IMAGES)
    return IMAGES[stops[comm.rank] : stops[comm.rank + 1]], LABELS[stops[comm.rank] : stops[comm.rank + 1]]


def trained(attach: Any, steps: int = 6) -> nn.Sequential:
    """The loop that both have in common; ``attach`` is the line that differs."""
    model = network()
    parallel = attach(model)
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    for step in range(steps):
        optimizer.zero_grad()
        x, y = part(step)
        parallel.backward(F.cross_entropy(model(x), y) if len(x) else None, count=len(x))
        optimizer.step()
    parallel.detach()
    return model


def same_on_all_ranks(model: nn.Module) -> None:
    for name, value in model.state_dict().items():
        every = comm.all_gather(value.numpy()[None])
        assert (every == every[0]).all(), name


@check(*SERVERS)
def training_is_that_of_the_ring_up_to_rounding(servers: int) -> None:
    with_server = trained(lambda model: dist.ParameterServer(model, comm, servers=servers))
    with_ring = trained(lambda model: dist.DataParallel(model, comm))
    same_on_all_ranks(with_server)
    for name, value in with_ring.state_dict().items():
        np.testing.assert_allclose(with_server.state_dict()[name], value, rtol=1e-11, atol=1e-13, err_msg=name)


@check()
def training_is_that_of_one_process() -> None:
    found = trained(lambda model: dist.ParameterServer(model, comm)).state_dict()
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    for _ in range(6):
        optimizer.zero_grad()
        F.cross_entropy(model(IMAGES), LABELS).backward()
        optimizer.step()
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(found[name], value, rtol=1e-10, atol=1e-12, err_msg=name)


@check(*SERVERS)
def sums_of_every_length_are_right(servers: int) -> None:
    through = ServerReductions(comm, servers)
    for dtype in (np.float64, np.float32, np.int64):
        long = (300_007,) if dtype == np.float64 else ()  # so long that MPI sends it while it is received
        for length in (0, 1, comm.size - 1, comm.size, comm.size + 1, 1009, *long):
            every = np.arange(comm.size * length).reshape(comm.size, length).astype(dtype)
            mine = every[comm.rank].copy()
            result = through.allreduce(mine)
            np.testing.assert_array_equal(result, every.sum(axis=0))
            assert result.dtype == dtype
            np.testing.assert_array_equal(mine, every[comm.rank])
            for _ in range(2):
                mine[...] = every[comm.rank]
                assert through.allreduce(mine, out=mine) is mine
                np.testing.assert_array_equal(mine, every.sum(axis=0))
            if dtype != np.int64:
                mine[...] = every[comm.rank]
                np.testing.assert_allclose(through.iallreduce(mine, op="mean", out=mine).wait(), every.mean(axis=0))
    square = through.allreduce(np.full((2, 3), comm.rank + 1.0))
    np.testing.assert_array_equal(square, np.full((2, 3), comm.size * (comm.size + 1) / 2))
    assert through.allreduce(np.array([comm.rank]), op="max").tolist() == [comm.size - 1]


@check(*SERVERS)
def long_arrays_travel_in_messages_that_mpi_can_count(servers: int) -> None:
    before, parameter_server.SEGMENT = parameter_server.SEGMENT, 64
    try:
        for length in (0, 1, 7, 8, 9, 1000):
            through = ServerReductions(comm, servers)
            every = np.arange(1.0 + comm.size * length)[1:].reshape(comm.size, length)
            for out in (None, every[comm.rank].copy()):
                through.stats.reset()
                found = through.allreduce(every[comm.rank] if out is None else out, out=out)
                np.testing.assert_array_equal(found, every.sum(axis=0))
                if comm.size > 1 == servers:
                    ways = comm.size - 1 if comm.rank == 0 else 1
                    assert through.stats["allreduce"].messages == ways * max(1, -(-length // 8))
                    assert through.stats["allreduce"].bytes == ways * 8 * length
    finally:
        parameter_server.SEGMENT = before


@check(*SERVERS)
def the_server_is_the_bottleneck(servers: int) -> None:
    """Each server sends its part to all others; each rank sends every part that is not its own, once."""
    through = ServerReductions(comm, servers)
    x = np.ones(840)  # divisible by 1, 2, 3 and 4
    through.stats.reset()
    through.allreduce(x)
    seen = through.stats["allreduce"]
    others, each = comm.size - 1, x.nbytes // servers
    serves = comm.rank < servers
    assert seen.calls == 1
    if comm.size > 1:
        assert seen.messages == (servers - serves) + serves * others
        assert seen.bytes == (servers - serves) * each + serves * others * each
        assert seen.rounds == 2
        assert seen.algorithm == "server"


@check()
def a_number_of_servers_that_cannot_be_is_refused() -> None:
    model = network()
    for servers in (0, comm.size + 1):
        text = (
            f"ParameterServer needs 1 to {comm.size} servers, which are the first of the ranks, but got {servers}\n"
            "  hint  start more ranks with mpirun -n, or leave servers out"
        )
        same_refusal(comm, ArgumentError, lambda k=servers: dist.ParameterServer(model, comm, servers=k), text)
    text = "ParameterServer needs an integer as servers\n  servers  1.5\n  hint     int(value) cuts off the fraction"
    same_refusal(comm, DTypeError, lambda: dist.ParameterServer(model, comm, servers=1.5), text)
    text = "ParameterServer needs a communicator as comm, but got NoneType\n  hint  dist.init() makes one"
    same_refusal(comm, DTypeError, lambda: dist.ParameterServer(model, None), text)


@check()
def a_communicator_and_what_is_split_off_keep_to_one_algorithm() -> None:
    for algorithm in ("ring", "mpi"):
        for among in (comm.using(algorithm), comm.using(algorithm).split(0, -comm.rank)):
            np.testing.assert_array_equal(among.allreduce(np.ones(5)), np.full(5, comm.size))
            assert among.stats["allreduce"].algorithm == (algorithm if comm.size > 1 else "single")
    text = "using needs 'ring' or 'mpi', but got 'direct'"
    same_refusal(comm, ArgumentError, lambda: comm.using("direct"), text)


@check()
def a_slower_network_is_that_of_what_is_split_off_too() -> None:
    below = comm.delayed(1e-4, 1e-9).split(comm.rank % 2, comm.rank)
    if below.size > 1:
        assert isinstance(below._link.transport, DelayedTransport)
    np.testing.assert_array_equal(below.allreduce(np.ones(5)), np.full(5, below.size))
    model = trained(lambda model: dist.ParameterServer(model, comm.delayed(1e-4)), steps=2)
    same_on_all_ranks(model)


@check()
def it_says_what_it_is() -> None:
    assert repr(dist.ParameterServer(network(), comm)).startswith(f"ParameterServer({comm.size} ranks, ")


if __name__ == "__main__":
    run(comm)
