"""Checks of what all ranks start from: parameters, buffers, the state of the optimiser, random streams."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

import tinygrad_lite as tgl
from distributed.checking import check, same_refusal
from distributed.serial_training import (
    assert_replicated,
    comm,
    error,
    network,
    part,
)
from tinygrad_lite import Tensor, nn, optim
from tinygrad_lite import distributed as dist
from tinygrad_lite.errors import DTypeError, StateError


@check()
def everything_starts_from_rank_0() -> None:
    model = nn.Sequential(network(seed=comm.rank), nn.BatchNorm1d(4, dtype="float64"))
    model[1].running_mean = Tensor(np.full(4, float(comm.rank)))
    step = optim.Adam(model.parameters(), lr=0.1 + comm.rank)
    for _ in range(comm.rank + 1):
        (error(model, part()) * (comm.rank + 1)).backward()
        step.step()
    tgl.manual_seed(100 + comm.rank)
    dist.DataParallel(model, comm, optimizer=step)
    for value in model.state_dict().values():
        assert_replicated(value)
    state = step.state_dict()
    assert state["param_groups"][0]["lr"] == 0.1
    assert len(state["state"]) == len(list(model.parameters()))
    for entry in state["state"].values():
        assert entry["step"] == 1
        assert_replicated(entry["exp_avg"])
        assert_replicated(entry["exp_avg_sq"])
    draws = comm.all_gather(tgl.random.uniform((1, 3)).numpy())
    assert len(np.unique(draws)) == draws.size, "every rank draws numbers of its own"
    tgl.manual_seed(100)
    assert (draws[0] == tgl.random.uniform((3,)).numpy()).all(), "rank 0 draws what one process would"


@check()
def broadcasting_makes_the_random_streams_equal() -> None:
    tgl.manual_seed(100 + comm.rank)
    tgl.random.uniform((2,))
    dist.broadcast_state(comm, nn.Linear(2, 2))
    assert_replicated(tgl.random.uniform((3,)))
    last = comm.size - 1
    model = nn.Linear(1, 1)
    with tgl.no_grad():
        model.weight[...] = Tensor([[float(comm.rank)]])
    dist.broadcast_state(comm, model, root=last)
    assert model.weight.item() == last


@check()
def ranks_that_disagree_on_the_model_are_told_where() -> None:
    if comm.size == 1:
        return
    last = comm.size - 1
    model = nn.Sequential(nn.Linear(3, 5 if comm.rank == last else 4), nn.Linear(4, 2))
    text = (
        "broadcast_state needs one model on all ranks, but rank 0 has 0.weight: float32[4, 3], trained and "
        f"rank {last} has 0.weight: float32[5, 3], trained"
    )
    same_refusal(comm, StateError, lambda: dist.DataParallel(model, comm), text)
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(2 if comm.rank == last else 1)])
    text = f"broadcast_state needs one model on all ranks, but rank 0 has nothing more and rank {last} has 1.weight: "
    same_refusal(comm, StateError, lambda: dist.DataParallel(model, comm), text + "float32[2, 2], trained")
    model = nn.Linear(2, 2)
    step = (optim.SGD if comm.rank == last else optim.Adam)(model.parameters())
    text = (
        "broadcast_state needs one optimizer on all ranks, but rank 0 has Adam of 2 parameters and "
        f"rank {last} has SGD of 2 parameters"
    )
    same_refusal(comm, StateError, lambda: dist.broadcast_state(comm, model, step), text)


@check()
def settings_of_the_optimizer_may_be_numpy_numbers() -> None:
    model = nn.Linear(2, 2)
    step = optim.SGD(model.parameters(), lr=0.5)
    step.param_groups[0]["lr"] = np.float32(0.25 + comm.rank)
    dist.broadcast_state(comm, model, step)
    assert step.param_groups[0]["lr"] == 0.25


@check()
def parts_of_a_split_model_are_not_overwritten() -> None:
    tgl.manual_seed(0)
    model = nn.Sequential(dist.ColumnParallelLinear(3, 2 * comm.size, comm))
    held = model[0].weight.detach().numpy().copy()
    if comm.size > 1:
        n = comm.size
        text = (
            f"broadcast_state needs the same part of split layers, but rank 0 has layer '0' in part 0 of {n} and "
            f"rank 1 has layer '0' in part 1 of {n}\n  hint  they are for model parallelism among these ranks; "
            "dist.Grid makes others, over which gradients are averaged"
        )
        same_refusal(comm, StateError, lambda: dist.DataParallel(model, comm), text)
        text = text.replace("layer '0'", "the model")
        same_refusal(comm, StateError, lambda: dist.broadcast_state(comm, model[0]), text)
        assert (model[0].weight.detach().numpy() == held).all()
    dist.DataParallel(model, dist.Grid(comm, model=comm.size).data)


@check()
def what_is_no_communicator_is_refused() -> None:
    text = "broadcast_state needs a communicator as comm, but got Intracomm\n  hint  dist.init() makes one"
    same_refusal(comm, DTypeError, lambda: dist.broadcast_state(MPI.COMM_WORLD, nn.Linear(2, 2)), text)
