"""Checks of data parallel training: many ranks against one process that computes the whole batch."""

from __future__ import annotations

from mpi4py import MPI
from refusals import refusal

import tinygrad_lite as tgl
from distributed.checking import check, same_refusal
from distributed.serial_training import (
    BATCH,
    OPTIMIZERS,
    SPLITS,
    STEPS,
    Branches,
    X,
    assert_gradients,
    assert_replicated,
    assert_same,
    comm,
    error,
    gradients,
    network,
    part,
    serial,
    serial_gradients,
    split,
)
from tinygrad_lite import Tensor, nn, optim
from tinygrad_lite import distributed as dist
from tinygrad_lite.errors import ArgumentError, DTypeError, GradientError, ShapeError

# --- equal to one process ---------------------------------------------------------------------------------


@check(*OPTIMIZERS)
def the_plain_loop_is_right_for_equal_batches(name: str) -> None:
    model = network(seed=comm.rank)  # rank 0's values count
    reference = network(seed=0)
    dp = dist.DataParallel(model, comm, bucket_mb=2e-4)
    steps = [OPTIMIZERS[name](m.parameters()) for m in (model, reference)]
    mine = part()
    for i in range(STEPS):
        for step in steps:
            step.zero_grad()
        error(model, mine, i).backward()
        error(reference, step=i).backward()
        for step in steps:
            step.step()
    assert_same(model, reference)
    assert len(dp._buckets) > 2


@check(*[(o, s) for o in OPTIMIZERS for s in SPLITS])
def counted_batches_of_any_length_are_exact(case: tuple[str, str]) -> None:
    optimizer, name = case
    model = network()
    step = OPTIMIZERS[optimizer](model.parameters())
    dp = dist.DataParallel(model, comm)
    mine = part(name)
    count = split(name)[comm.rank]
    for i in range(STEPS):
        step.zero_grad()
        dp.backward(error(model, mine, i) if count else None, count=count)
        step.step()
    assert_same(model, serial(optimizer))


@check(*SPLITS)
def sums_need_no_case_for_an_empty_batch(name: str) -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    count = split(name)[comm.rank]
    dp.backward(error(model, part(name), reduction="sum"), count=count, reduction="sum")
    assert_gradients(model, serial_gradients(error))
    model.zero_grad()
    dp.backward(error(model, part(name), reduction="sum"), count=count, reduction="sum", total=BATCH)
    assert_gradients(model, serial_gradients(error))


@check()
def equal_counts_give_the_bits_of_the_plain_loop() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    error(model, part()).backward()
    plain = gradients(model)
    model.zero_grad()
    dp.backward(error(model, part()), count=BATCH // comm.size)
    assert all((a == b).all() for a, b in zip(plain, gradients(model), strict=True))


@check()
def a_penalty_keeps_its_full_weight() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    mine, count = part("growing"), split("growing")[comm.rank]
    penalty = nn.l2_penalty(model.parameters(), 0.1)
    dp.backward(error(model, mine) + penalty if count else penalty, count=count)
    assert_gradients(model, serial_gradients(lambda m: error(m) + nn.l2_penalty(m.parameters(), 0.1)))


@check()
def no_samples_anywhere_give_zeros() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    dp.backward(error(model, slice(0, 0), reduction="sum"), count=0, reduction="sum")
    assert all((g == 0).all() for g in gradients(model) if g is not None)


# --- accumulation -----------------------------------------------------------------------------------------


@check()
def micro_batches_are_averaged_once() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    dp.comm.stats.reset()
    with dp.no_sync():
        for i in range(STEPS - 1):
            (error(model, part(), i) / STEPS).backward()
        assert dp.comm.stats["allreduce"].calls == 0
    (error(model, part(), STEPS - 1) / STEPS).backward()
    assert_gradients(model, serial_gradients(lambda m: sum(error(m, step=i) for i in range(STEPS)) / STEPS))


@check("mean", "sum")
def counted_micro_batches_may_differ_in_length(reduction: str) -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    names = ["growing", "all on one", "equal"]
    for i, name in enumerate(names):
        count = split(name)[comm.rank]
        loss = error(model, part(name), i, reduction) if count else None
        if i < len(names) - 1:
            with dp.no_sync():
                dp.backward(loss, count=count, reduction=reduction)
        else:
            dp.backward(loss, count=count, reduction=reduction)
    assert_gradients(model, serial_gradients(lambda m: sum(error(m, step=i) for i in range(3)) / 3))


@check()
def gradients_of_two_losses_add_up() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    error(model, part()).backward()
    dp.backward(error(model, part("growing"), 1, "sum"), split("growing")[comm.rank], reduction="sum")
    assert_gradients(model, serial_gradients(lambda m: error(m) + error(m, step=1)))


@check()
def dropped_micro_batches_do_not_count() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    with dp.no_sync():
        dp.backward(error(model, part(), 1), count=1000)
    model.zero_grad()
    dp.backward(error(model, part()), count=BATCH // comm.size)
    assert_gradients(model, serial_gradients(error))


@check(True, False)
def zeroed_micro_batches_do_not_count(counted: bool) -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    step = optim.SGD(model.parameters(), lr=0.1)
    with dp.no_sync():
        if counted:
            dp.backward(error(model, part(), 1), count=1000)
        else:
            error(model, part(), 1).backward()
    step.zero_grad(set_to_none=False)
    dp.backward(error(model, part()), count=BATCH // comm.size)
    assert_gradients(model, serial_gradients(error))


@check()
def micro_batches_without_a_slope_count() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    count = BATCH // comm.size
    with dp.no_sync():
        dp.backward(0.0 * error(model, part()), count=count)
    dp.backward(error(model, part()), count=count)
    assert_gradients(model, serial_gradients(lambda m: error(m) / 2))


@check()
def a_micro_batch_that_failed_does_not_count() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    loss, count = error(model, part()), BATCH // comm.size
    with dp.no_sync():
        dp.backward(loss, count=count)
        refusal(GradientError, lambda: dp.backward(loss, count=count))
    dp.backward(error(model, part()), count=count)
    assert_gradients(model, serial_gradients(error))


@check()
def after_dropped_counted_gradients_the_plain_loop_goes_on() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    with dp.no_sync():
        dp.backward(error(model, part(), 1), count=3)
    model.zero_grad()
    error(model, part()).backward()
    assert_gradients(model, serial_gradients(error))
    dp.backward(error(model, part(), 1), count=BATCH // comm.size)
    assert_gradients(model, serial_gradients(lambda m: error(m) + error(m, step=1)))


@check()
def micro_batches_with_and_without_a_count_are_refused() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    with dp.no_sync():
        error(model, part()).backward()
    text = (
        "DataParallel.backward needs counts for all micro-batches, but the gradients that wait here have none\n"
        "  hint  call dp.backward(loss, count=...) for all of them"
    )
    same_refusal(comm, ArgumentError, lambda: dp.backward(error(model, part()), count=3), text)
    model.zero_grad()
    with dp.no_sync():
        dp.backward(error(model, part()), count=3)
    text = (
        "DataParallel needs counts for all micro-batches, or for none\n"
        "  hint  the last backward() of an accumulation needs a count too: dp.backward(loss, count=...)"
    )
    same_refusal(comm, ArgumentError, lambda: error(model, part()).backward(), text)
    model.zero_grad()
    dp.backward(error(model, part()), count=3)
    text = (
        "DataParallel.backward needs the gradients of earlier steps gone, but there are some\n"
        "  hint  call optimizer.zero_grad() before no_sync()"
    )
    with dp.no_sync():
        same_refusal(comm, ArgumentError, lambda: dp.backward(error(model, part()), count=3), text)


# --- unused parameters, branches ----------------------------------------------------------------------------


@check()
def a_parameter_that_no_rank_used_has_no_gradient() -> None:
    tgl.manual_seed(0)
    model = Branches()
    dp = dist.DataParallel(model, comm, bucket_mb=1e-5)
    step = optim.Adam(model.parameters(), weight_decay=0.5)
    before = model.never.weight.detach().numpy().copy()
    for _ in range(2):
        step.zero_grad()
        dp.backward(model(Tensor(X[0, part()]), 1).sum(), count=1)
        step.step()
    assert model.never.weight.grad is None
    assert model.heads[0].weight.grad is None
    assert model.heads[1].weight.grad is not None
    assert (model.never.weight.detach().numpy() == before).all(), "an unused parameter is not decayed"


@check()
def ranks_may_take_different_branches() -> None:
    tgl.manual_seed(0)
    model = Branches()
    dist.DataParallel(model, comm, bucket_mb=1e-5)
    tgl.manual_seed(0)
    expected = Branches()
    rows = BATCH // comm.size
    total = sum(expected(Tensor(X[0, r * rows : (r + 1) * rows]), r % 4).sum() for r in range(comm.size))
    (total / comm.size).backward()
    model(Tensor(X[0, part()]), comm.rank % 4).sum().backward()
    assert_gradients(model, gradients(expected))
    for p in model.parameters():
        if p.grad is not None:
            assert_replicated(p.grad)


@check()
def a_loss_that_leads_to_no_parameter_still_takes_part() -> None:
    model = network()
    dp = dist.DataParallel(model, comm)
    other = Tensor(1.0, requires_grad=True)
    last = comm.rank == comm.size - 1
    dp.backward(error(model, part()) if last else other * 2, count=5)
    expected = serial_gradients(lambda m: error(m, slice(-BATCH // comm.size, None)) / comm.size)
    assert_gradients(model, expected)
    assert last or other.grad is not None


# --- arguments --------------------------------------------------------------------------------------------------


@check()
def buckets_of_different_sizes_are_refused() -> None:
    if comm.size == 1:
        return
    text = (
        "DataParallel needs the same buckets on all ranks, but rank 0 has bucket_mb=1, thread=False "
        "and rank 1 has bucket_mb=2, thread=False"
    )
    same_refusal(comm, ArgumentError, lambda: dist.DataParallel(network(), comm, bucket_mb=1 + (comm.rank > 0)), text)


@check()
def what_does_not_fit_is_refused_on_every_rank() -> None:
    model = network()
    frozen = network().requires_grad_(False)
    dp = dist.DataParallel(model, comm)
    text = "DataParallel needs a module as model\n  model  7\n  hint   pass the network itself"
    same_refusal(comm, DTypeError, lambda: dist.DataParallel(7, comm), text)
    text = "DataParallel needs a communicator as comm, but got Intracomm\n  hint  dist.init() makes one"
    same_refusal(comm, DTypeError, lambda: dist.DataParallel(network(), MPI.COMM_WORLD), text)
    text = (
        "DataParallel needs bucket_mb above 0, but got 0\n  hint  4 is usual; math.inf sends all gradients in one piece"
    )
    same_refusal(comm, ArgumentError, lambda: dist.DataParallel(model, comm, bucket_mb=0), text)
    text = (
        "DataParallel needs a parameter that requires a gradient\n"
        "  hint  is the model frozen? model.requires_grad_() thaws it"
    )
    same_refusal(comm, ArgumentError, lambda: dist.DataParallel(frozen, comm), text)
    text = (
        "DataParallel needs a model without another DataParallel\n  hint  detach() the first one, or pass it on instead"
    )
    same_refusal(comm, ArgumentError, lambda: dist.DataParallel(nn.Sequential(model, nn.ReLU()), comm), text)
    text = (
        "DataParallel.backward needs a count of at least 0, but got -1\n"
        "  hint  it is how many samples the loss is a mean of: count=len(x)"
    )
    same_refusal(comm, ArgumentError, lambda: dp.backward(error(model), count=-1), text)
    text = (
        "DataParallel.backward needs a total of at least count=3, but got 2\n"
        "  hint  it is the sum of the counts of all ranks"
    )
    same_refusal(comm, ArgumentError, lambda: dp.backward(error(model), count=3, total=2), text)
    text = text.replace("got 2", "got nan")
    same_refusal(comm, ArgumentError, lambda: dp.backward(error(model), count=3, total=float("nan")), text)
    text = "DataParallel.backward needs a loss for 2 samples, but got None\n  hint  without samples the count is 0"
    same_refusal(comm, ArgumentError, lambda: dp.backward(None, count=2), text)
    text = (
        'DataParallel.backward needs "mean" or "sum" as reduction, but got \'none\'\n'
        "  hint  it says what the loss is over the samples of this rank"
    )
    same_refusal(comm, ArgumentError, lambda: dp.backward(error(model), count=2, reduction="none"), text)
    text = (
        "DataParallel.backward needs a loss with one element\n"
        "  loss  shape (24,), float64, cpu\n"
        "  hint  take the mean over the samples: loss.mean()"
    )
    same_refusal(comm, ShapeError, lambda: dp.backward(error(model, reduction="none"), count=2), text)
    assert all(p.grad is None for p in model.parameters())
    text = (
        "DataParallel needs bucket_mb above 0, but got '4'\n"
        "  hint  4 is usual; math.inf sends all gradients in one piece"
    )
    same_refusal(comm, ArgumentError, lambda: dist.DataParallel(network(), comm, bucket_mb="4"), text)
    dp.detach()
    text = "DataParallel.backward cannot be used after detach()\n  hint  call loss.backward()"
    same_refusal(comm, ArgumentError, lambda: dp.backward(error(model), count=2), text)
