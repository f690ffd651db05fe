"""Checks of how gradients get to their averages: when buckets leave, what may happen to a model, who sees what."""

from __future__ import annotations

import time

import numpy as np

import tinygrad_lite as tgl
from distributed.checking import check, same_refusal
from distributed.serial_training import (
    BATCH,
    STEPS,
    Branches,
    X,
    Y,
    assert_gradients,
    assert_replicated,
    comm,
    error,
    gradients,
    network,
    part,
    serial_gradients,
)
from tinygrad_lite import Tensor, nn, optim
from tinygrad_lite import distributed as dist
from tinygrad_lite.distributed.buckets import move_to_window
from tinygrad_lite.distributed.windows import TURNS
from tinygrad_lite.errors import GradientError
from tinygrad_lite.nn import functional as F


@check()
def buckets_leave_while_backward_still_runs() -> None:
    model = network()
    dp = dist.DataParallel(model, comm, bucket_mb=1e-5)
    assert len(dp._buckets) == 6
    sent: list[int] = []
    model[0].weight.register_hook(lambda g: sent.append(len(dp._handles)))
    dp.comm.stats.reset()
    error(model, part()).backward()
    assert 4 <= sent[0] <= 5, sent
    assert dp.comm.stats["allreduce"].calls == 6  # the last bucket says which parameters were used


@check()
def a_single_bucket_leaves_when_all_gradients_are_there() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    sent: list[int] = []
    model[0].weight.register_hook(lambda g: sent.append(len(dp._handles)))
    error(model, part()).backward()
    assert (sent, len(dp._buckets)) == ([0], 1)


@check("polling", "thread", "polling a slow network", "thread on a slow network")
def a_bucket_arrives_before_the_last_gradient_is_there(way: str) -> None:
    model = network()
    ranks = comm.delayed(0.001) if "slow" in way else comm
    dp = dist.DataParallel(model, ranks, bucket_mb=1e-5, thread="thread" in way)
    arrived: list[bool] = []

    def wait(g: Tensor) -> None:
        for _ in range(5000):  # gives up instead of hanging
            if dp._handles[0].test():
                break
            time.sleep(0.001)
        arrived.append(dp._handles[0].test())

    model[0].weight.register_hook(wait)
    error(model, part()).backward()
    assert arrived == [True]
    assert_gradients(model, serial_gradients(error))
    dp.detach()


@check()
def a_thread_gives_the_same_bits() -> None:
    found = []
    for thread in (False, True):
        model = network()
        dp = dist.DataParallel(model, comm, bucket_mb=1e-4, thread=thread)
        for i in range(STEPS):
            dp.backward(error(model, part(), i), count=BATCH // comm.size)
        found.append(gradients(model))
        dp.detach()
    assert all((a == b).all() for a, b in zip(*found, strict=True))


@check()
def detached_models_are_on_their_own() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    dp.detach()
    stats = dp.comm.stats
    stats.reset()
    error(model, part()).backward()
    assert stats["allreduce"].calls == 0
    assert_gradients(model, serial_gradients(lambda m: error(m, part())))
    model.zero_grad()
    dist.DataParallel(model, comm)
    error(model, part()).backward()
    assert_gradients(model, serial_gradients(error))


@check()
def the_model_may_change_afterwards() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    model[0].requires_grad_(False)
    error(model, part()).backward()
    assert model[0].weight.grad is None
    model[0].requires_grad_(True)
    model.zero_grad()
    error(model, part()).backward()
    assert_gradients(model, serial_gradients(error))
    model.zero_grad()
    model.to("float32")
    F.cross_entropy(model(Tensor(X[0, part()].astype(np.float32))), Tensor(Y[0, part()])).backward()
    for g, other in zip(gradients(model), serial_gradients(error), strict=True):
        np.testing.assert_allclose(g, other, rtol=1e-3, atol=1e-6)
    assert {bucket.grads.dtype.name for bucket in dp._buckets} == {"float32"}
    model[4] = nn.Linear(5, 4)
    dist.broadcast_state(comm, model)
    model.zero_grad()
    F.cross_entropy(model(Tensor(X[0, part()].astype(np.float32))), Tensor(Y[0, part()])).backward()
    assert_replicated(model[4].weight.grad)


@check()
def a_graph_of_gradients_is_refused() -> None:
    model = network()
    dist.DataParallel(model, comm)
    text = (
        "DataParallel cannot average gradients that are part of a graph: backward() had create_graph=True\n"
        "  parameter  shape (4, 5), float64, cpu\n"
        "  hint       for a penalty on gradients take grad(loss, x, create_graph=True)"
    )
    same_refusal(comm, GradientError, lambda: error(model, part()).backward(create_graph=True), text)


@check()
def unused_parameters_hold_up_no_bucket() -> None:
    tgl.manual_seed(0)
    model = Branches()
    dp = dist.DataParallel(model, comm, bucket_mb=1e-5)
    sent: list[int] = []
    model.body.weight.register_hook(lambda g: sent.append(len(dp._handles)))
    model(Tensor(X[0, part()]), 0).sum().backward()
    # Six unused parameters come before the used head's two and the body's bias, which may be final a moment later.
    assert len(dp._buckets) == 12
    assert 10 <= sent[0] <= 11, sent


@check()
def a_view_of_the_local_gradient_is_not_averaged() -> None:
    model = network()
    held: list[Tensor] = []
    model[4].bias.register_post_accumulate_grad_hook(lambda p: held.append(p.grad.detach()))
    dist.DataParallel(model, comm)
    error(model, part()).backward()
    local = serial_gradients(lambda m: error(m, part()))[-1]
    np.testing.assert_allclose(held[0].numpy(), local, rtol=1e-13)


@check("before", "after")
def hooks_of_the_user_change_what_is_averaged(when: str) -> None:
    gone: list[bool] = []  # whether the bucket had left already

    def changes(p: Tensor) -> None:
        gone.append(dp._buckets.index(dp._home[p._node]) < len(dp._handles))

    def shrink(p: Tensor) -> None:
        changes(p)
        p.grad = p.grad * 0.5

    def zero(p: Tensor) -> None:
        changes(p)
        p.grad[...] = 0.0

    def add(model: nn.Module) -> None:
        model[0].weight.register_post_accumulate_grad_hook(shrink)
        model[2].bias.register_post_accumulate_grad_hook(zero)
        model[4].weight.register_post_accumulate_grad_hook(shrink)

    model = network()
    if when == "before":
        add(model)
    dp = dist.DataParallel(model, comm, bucket_mb=1e-5)
    if when == "after":
        add(model)
    error(model, part()).backward()
    assert gone == [False] * 3
    serial = serial_gradients(error)
    for k, factor in ((0, 0.5), (3, 0.0), (4, 0.5)):
        serial[k] = factor * serial[k]
    assert_gradients(model, serial)


@check()
def more_buckets_than_a_window_has_turns() -> None:
    tgl.manual_seed(0)
    model = nn.ModuleList([nn.Linear(200, 200, bias=False) for _ in range(70)])
    dp = dist.DataParallel(model, comm, bucket_mb=1e-5)
    assert len(dp._buckets) == 70 > TURNS
    for step in range(2):
        if comm.rank == comm.size - 1:
            time.sleep(0.2)
        model.zero_grad()
        sum((k + step + comm.rank) * layer.weight.sum() for k, layer in enumerate(model)).backward()
        for k, layer in enumerate(model):
            np.testing.assert_allclose(layer.weight.grad, np.full((200, 200), k + step + (comm.size - 1) / 2))


@check()
def half_precision_gradients_are_averaged() -> None:
    model = nn.Linear(3, 2, dtype="float16")
    dist.DataParallel(model, comm)
    x = Tensor(np.full((4, 3), 1.0 + comm.rank, np.float16))
    model(x).sum().backward()
    assert model.weight.grad.dtype.name == "float16"
    np.testing.assert_array_equal(model.weight.grad, np.full((2, 3), 4 * (1 + (comm.size - 1) / 2), np.float16))


@check()
def a_window_is_given_back() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for frozen in (True, False) * 4:
        model[0].requires_grad_(not frozen)
        model.zero_grad()
        error(model, part()).backward()
        optimizer.step()
    model.zero_grad()
    error(model, part()).backward()
    link = dp.comm.connection
    if link is not None:
        assert len(link.windows) <= 3, len(link.windows)  # the optimiser lets go of the last one at its next step
    dp.detach()
    dp.detach()
    error(model, part()).backward()
    optimizer.step()


@check()
def a_view_of_a_sum_over_micro_batches_is_not_scaled() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    with dp.no_sync():
        dp.backward(error(model, part()), count=2)
    view = model[4].bias.grad[1:]
    values = view.numpy().copy()
    dp.backward(None, count=0)
    np.testing.assert_array_equal(view.numpy(), values)
    assert_gradients(model, serial_gradients(error))


@check()
def gradients_that_move_are_found_again() -> None:
    model = network()
    dist.DataParallel(model, comm)
    error(model, part()).backward()
    model.zero_grad()
    move_to_window(list(model.parameters()), comm)
    error(model, part()).backward()
    assert_gradients(model, serial_gradients(error))


@check()
def parameters_of_two_dtypes_travel_in_buckets_of_their_own() -> None:
    def build() -> nn.ModuleList:
        tgl.manual_seed(1)
        return nn.ModuleList([nn.Linear(6, 4), nn.Linear(4, 3, dtype="float64"), nn.Linear(6, 4)])

    def loss(model: nn.ModuleList, mine: slice) -> Tensor:
        return (model[1](model[0](Tensor(X[0, mine].astype(np.float32))).astype("float64")) ** 2).mean()

    model, expected = build(), build()
    dp = dist.DataParallel(model, comm)
    loss(model, part()).backward()
    loss(expected, slice(None)).backward()
    assert {bucket.grads.dtype.name for bucket in dp._buckets} == {"float32", "float64"}
    assert model[2].weight.grad is None
    for p, other in zip(model[:2].parameters(), expected[:2].parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), other.grad.numpy(), rtol=1e-4, atol=1e-7)
        assert_replicated(p.grad)


@check()
def every_way_of_going_backward_is_averaged() -> None:
    model = network()
    dist.DataParallel(model, comm, bucket_mb=1e-5)
    expected = serial_gradients(error)
    error(model, part()).backward(inputs=[model[4].weight, model[0].bias])
    names = [name for name, _ in model.named_parameters()]
    wanted = {"4.weight", "0.bias"}
    assert_gradients(model, [g if name in wanted else None for name, g in zip(names, expected, strict=True)])
    model.zero_grad()
    with tgl.detect_anomaly():
        error(model, part()).backward()
    assert_gradients(model, expected)
    model.zero_grad()
    z = tgl.checkpoint(model[:3], Tensor(X[0, part()]))
    F.cross_entropy(model[3:](z), Tensor(Y[0, part()])).backward()
    assert_gradients(model, expected)
    model.zero_grad()
    loss = error(model, part())
    loss.backward(retain_graph=True)
    loss.backward()
    assert_gradients(model, serial_gradients(lambda m: 2 * error(m)))
    found = tgl.grad(error(model, part()), model[4].weight)  # not averaged: it belongs to who asked for it
    np.testing.assert_allclose(found.numpy(), serial_gradients(lambda m: error(m, part()))[4], rtol=1e-13)


@check()
def the_norm_of_all_gradients_is_that_of_one_process() -> None:
    model, expected = network(), network()
    dist.DataParallel(model, comm)
    error(model, part()).backward()
    error(expected).backward()
    norms = [optim.clip_grad_norm_(m.parameters(), 0.1).item() for m in (model, expected)]
    np.testing.assert_allclose(*norms, rtol=1e-13)
    assert_gradients(model, gradients(expected))


@check()
def gradients_from_before_stay() -> None:
    model = network()
    step = optim.SGD(model.parameters(), lr=1.0)
    error(model, part()).backward()
    expected = [p.detach().numpy() - p.grad.numpy() for p in model.parameters()]
    dist.DataParallel(model, comm)
    step.step()
    for p, values in zip(model.parameters(), expected, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), values, rtol=1e-13)
    model = network()
    error(model, part()).backward()
    dist.DataParallel(model, comm)
    error(model, part()).backward()
    assert_gradients(model, serial_gradients(lambda m: 2 * error(m)))


@check()
def gradients_that_others_hold_keep_their_values() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    error(model, part()).backward()
    held, view = model[0].weight.grad, model[0].weight.grad[0]
    values, row = held.numpy().copy(), view.numpy().copy()
    model.zero_grad()
    dp.backward(error(model, part(), 1), count=1)
    assert (held.numpy() == values).all()
    assert (view.numpy() == row).all()


@check("before", "after")
def a_hook_of_the_user_may_drop_a_gradient(when: str) -> None:
    def drop(p: Tensor) -> None:
        p.grad = None

    model = network()
    if when == "before":
        model[0].weight.register_post_accumulate_grad_hook(drop)
    dist.DataParallel(model, comm)
    if when == "after":
        model[0].weight.register_post_accumulate_grad_hook(drop)
    error(model, part()).backward()
    assert_gradients(model, [None, *serial_gradients(error)[1:]])


@check()
def what_was_frozen_may_be_all_that_is_trained() -> None:
    model = network()
    model[0].requires_grad_(False)
    dist.DataParallel(model, comm)
    assert not model[0].weight.requires_grad
    expected = serial_gradients(error)
    for first in (False, True, False, True):
        model.zero_grad()
        for p in model.parameters():
            p.requires_grad = not first
        model[0].requires_grad_(first)
        error(model, part()).backward()
        assert_gradients(model, [g if (k < 2) == first else None for k, g in enumerate(expected)])
