"""A job: the derivatives of the collectives against differences of an objective that all ranks compute together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import tinygrad_lite as tgl
from distributed.checking import check, run, same_refusal
from tinygrad_lite import Tensor
from tinygrad_lite import distributed as dist
from tinygrad_lite.errors import ArgumentError, AxisError, DTypeError, ShapeError

Objective = Callable[[Tensor, Tensor], Tensor]

comm = dist.init()
own = np.random.default_rng([7, comm.rank])  # this rank's numbers
common = np.random.default_rng(7)  # the same on all ranks
SHAPE = (2, 3)  # divisible by some numbers of ranks, and smaller than others
WEIGHTS = Tensor(common.normal(size=SHAPE))
MINE = Tensor(own.normal(size=SHAPE))
WIDE = Tensor(common.normal(size=(SHAPE[0], sum(range(1, comm.size + 1)))))


def total(x: Tensor) -> Tensor:
    """One objective out of what each rank has."""
    return dist.reduce_from(x.sum(), comm)


#: name -> (objective of a replicated and a local value, the local value's shape)
OBJECTIVES: dict[str, tuple[Objective, tuple[int, ...]]] = {
    "copy_to": (lambda r, x: total(tgl.tanh(dist.copy_to(r, comm) * MINE) * x), SHAPE),
    "reduce_from": (lambda r, x: (tgl.tanh(dist.reduce_from(x * x, comm)) * r).sum(), SHAPE),
    "scatter_to, columns": (lambda r, x: total(tgl.tanh(dist.scatter_to(r, comm)) ** 2 * x[:, :1]), SHAPE),
    "scatter_to, rows": (lambda r, x: total(tgl.tanh(dist.scatter_to(r, comm, axis=0)) ** 2 * x[0]), SHAPE),
    "gather_from": (
        lambda r, x: (tgl.tanh(dist.gather_from(x, comm)) * WIDE).sum() * (r * r).sum(),
        (SHAPE[0], comm.rank + 1),
    ),
    "gather_from, rows": (
        lambda r, x: (tgl.tanh(dist.gather_from(x * x, comm, axis=0)).sum(axis=0) * r).sum(),
        (comm.rank, SHAPE[1]),
    ),
    "allreduce": (lambda r, x: total(tgl.tanh(dist.allreduce(x, comm)) * MINE * dist.copy_to(r, comm)), SHAPE),
    "allreduce, mean": (lambda r, x: total(tgl.tanh(dist.allreduce(x, comm, op="mean")) * MINE), SHAPE),
    "a scalar": (lambda r, x: total(tgl.sin(dist.allreduce((x * x).sum(), comm)) * MINE[0, 0]), SHAPE),
}


def places(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    r = Tensor(common.normal(size=SHAPE), requires_grad=True)
    return r, Tensor(own.normal(size=shape), requires_grad=True)


def shifted(objective: Objective, r: Tensor, x: Tensor, dr: np.ndarray, dx: np.ndarray) -> float:
    """The slope of the objective in the direction (dr, dx), by a central difference."""
    step = 1e-6
    ends = [objective(r.detach() + s * step * dr, x.detach() + s * step * dx).item() for s in (1, -1)]
    return (ends[0] - ends[1]) / (2 * step)


def inner(r: Tensor, x: Tensor, dr: np.ndarray, dx: np.ndarray) -> Tensor:
    """<r, dr> + <x, dx>: replicated values count once, local ones on every rank."""
    return (r * dr).sum() + total(x * dx)


def gradients(y: Tensor, r: Tensor, x: Tensor, create_graph: bool = False) -> tuple[Tensor, Tensor]:
    found = tgl.grad(y, (r, x), create_graph=create_graph, allow_unused=True)
    return tuple(tgl.zeros_like(v) if g is None else g for g, v in zip(found, (r, x)))


@check(*OBJECTIVES)
def gradients_are_slopes(name: str) -> None:
    objective, shape = OBJECTIVES[name]
    r, x = places(shape)
    y = objective(r, x)
    everywhere = comm.all_gather(np.array([y.item()]))
    assert (everywhere == everywhere[0]).all(), "the objective is one number"
    gr, gx = gradients(y, r, x)
    for i in range(r.size):  # a replicated value changes on all ranks
        unit = np.zeros(r.size)
        unit[i] = 1.0
        slope = shifted(objective, r, x, unit.reshape(r.shape), np.zeros(shape))
        np.testing.assert_allclose(gr.numpy().reshape(-1)[i], slope, rtol=1e-6, atol=1e-8)
    for rank in range(comm.size):  # a local one on one
        sizes = comm.all_gather(np.array([x.size]))
        for i in range(sizes[rank]):
            unit = np.zeros(x.size)
            if rank == comm.rank:
                unit[i] = 1.0
            slope = shifted(objective, r, x, np.zeros(r.shape), unit.reshape(shape))
            if rank == comm.rank:
                np.testing.assert_allclose(gx.numpy().reshape(-1)[i], slope, rtol=1e-6, atol=1e-8)


@check(*OBJECTIVES)
def second_derivatives_are_slopes_of_gradients(name: str) -> None:
    objective, shape = OBJECTIVES[name]
    r, x = places(shape)
    dr, dx = common.normal(size=r.shape), own.normal(size=shape)
    slope = inner(*gradients(objective(r, x), r, x, create_graph=True), dr, dx)
    hr, hx = gradients(slope, r, x)
    step = 1e-5
    ends = []
    for s in (1, -1):
        moved = [(v.detach() + s * step * d).requires_grad_() for v, d in ((r, dr), (x, dx))]
        ends.append(gradients(objective(*moved), *moved))
    for found, plus, minus in zip((hr, hx), *ends):
        np.testing.assert_allclose(found.detach(), (plus.numpy() - minus.numpy()) / (2 * step), rtol=1e-5, atol=1e-7)


@check(*OBJECTIVES)
def forward_mode_agrees_with_reverse(name: str) -> None:
    objective, shape = OBJECTIVES[name]
    r, x = places(shape)
    dr, dx = common.normal(size=r.shape), own.normal(size=shape)
    _, tangent = tgl.jvp(objective, (r, x), (Tensor(dr), Tensor(dx)))
    expected = inner(*gradients(objective(r, x), r, x), dr, dx)
    np.testing.assert_allclose(tangent.item(), expected.item(), rtol=1e-12, atol=1e-12)


@check()
def sums_and_gathered_parts_send_nothing_in_backward() -> None:
    x = Tensor(own.normal(size=(2, 3)), requires_grad=True)
    whole = dist.gather_from(dist.reduce_from(x, comm) * x, comm)
    comm.stats.reset()
    whole.sum().backward()
    assert comm.stats.messages == 0


@check()
def copies_without_a_gradient_send_nothing_at_all() -> None:
    weight = Tensor(own.normal(size=SHAPE), requires_grad=True)
    comm.stats.reset()
    (dist.copy_to(WEIGHTS, comm) * weight).sum().backward()
    assert comm.stats.messages == 0


@check()
def values_are_those_of_numpy() -> None:
    every = comm.all_gather(MINE.numpy()[None])
    np.testing.assert_allclose(dist.reduce_from(MINE, comm), every.sum(axis=0), rtol=1e-14)
    np.testing.assert_allclose(dist.allreduce(MINE, comm, op="mean"), every.mean(axis=0), rtol=1e-14)
    np.testing.assert_array_equal(dist.gather_from(MINE, comm), np.concatenate(list(every), axis=1))
    np.testing.assert_array_equal(dist.gather_from(MINE, comm, axis=0), np.concatenate(list(every)))
    np.testing.assert_array_equal(dist.copy_to(MINE, comm), MINE)
    parts = np.array_split(WEIGHTS.numpy(), comm.size, axis=1)
    np.testing.assert_array_equal(dist.scatter_to(WEIGHTS, comm), parts[comm.rank])
    assert dist.reduce_from(MINE.astype("float32"), comm).dtype == np.float32


@check()
def what_does_not_fit_is_refused_on_every_rank() -> None:
    x = tgl.ones((2, 3))
    hint = "  hint  comm = tinygrad_lite.distributed.init() makes one"
    for name in ("copy_to", "reduce_from", "scatter_to", "gather_from", "allreduce"):
        function = getattr(dist, name)
        text = f"{name} needs a communicator\n  x     shape (2, 3), float32, cpu\n  comm  3\n{hint}"
        same_refusal(comm, DTypeError, lambda f=function: f(x, 3), text)
    for name in ("scatter_to", "gather_from"):
        function = getattr(dist, name)
        text = f"{name} needs an axis of x, but got 2\n  x   shape (2, 3), float32, cpu"
        same_refusal(comm, AxisError, lambda f=function: f(x, comm, axis=2), text)
    text = (
        'allreduce needs "sum" or "mean" as op, but got \'max\'\n'
        "  hint  comm.allreduce(x, op=...) has others, without a derivative"
    )
    same_refusal(comm, ArgumentError, lambda: dist.allreduce(x, comm, op="max"), text)


@check()
def parts_that_cannot_be_put_together_are_refused_on_every_rank() -> None:
    if comm.size == 1:
        return
    height = 3 if comm.rank == comm.size - 1 else 2
    found = "; ".join(f"rank {r} has {(3 if r == comm.size - 1 else 2, 4)}" for r in range(comm.size))
    text = (
        f"gather_from needs shapes that differ along axis 1 only, but {found}\n  x   shape ({height}, 4), float32, cpu"
    )
    same_refusal(comm, ShapeError, lambda: dist.gather_from(tgl.ones((height, 4)), comm), text)


if __name__ == "__main__":
    run(comm)
