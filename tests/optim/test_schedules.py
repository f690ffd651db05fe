"""Schedules: trajectories against PyTorch, composition, and continuing from a saved state."""

import math

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import optim
from tinygrad_lite.optim import lr_scheduler as schedules

RATES = [0.5, 0.02]
EPOCHS = 250

NESTED = "a sequence in a sequence"  # not compared: PyTorch's inner sequence is an epoch ahead of itself
CASES = {
    "step": lambda s, o: s.StepLR(o, 7, gamma=0.9),
    "step, every epoch": lambda s, o: s.StepLR(o, 1, gamma=0.99),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.97),
    "exponential, up": lambda s, o: s.ExponentialLR(o, 1.01),
    "lambda": lambda s, o: s.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    "lambda, one per group": lambda s, o: s.LambdaLR(o, [lambda epoch: 0.95**epoch, lambda epoch: epoch % 3]),
    "warm-up, then a lambda": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=10), s.LambdaLR(o, lambda epoch: 1 / (2 + epoch))], [10]
    ),
    "constant": lambda s, o: s.ConstantLR(o, factor=0.25, total_iters=9),
    "linear": lambda s, o: s.LinearLR(o),
    "linear, down": lambda s, o: s.LinearLR(o, 1.0, 0.1, total_iters=40),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 30),
    "cosine, with a floor": lambda s, o: s.CosineAnnealingLR(o, 40, eta_min=0.001),
    "cosine, once": lambda s, o: s.CosineAnnealingLR(o, EPOCHS),
    "warm-up, then cosine": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=10), s.CosineAnnealingLR(o, 50, 1e-4)], [10]
    ),
    "three parts": lambda s, o: s.SequentialLR(
        o,
        [s.ConstantLR(o, 0.5, 3), s.StepLR(o, 10, 0.8), s.LinearLR(o, 1.0, 0.2, 60)],
        [5, 100],
    ),
    NESTED: lambda s, o: s.SequentialLR(
        o,
        [
            s.SequentialLR(o, [s.LinearLR(o, 0.5, total_iters=4), s.StepLR(o, 3)], [4]),
            s.CosineAnnealingLR(o, 20),
        ],
        [12],
    ),
}
LOSSES = 1 + np.abs(np.random.default_rng(3).normal(size=EPOCHS)) * np.exp(-np.arange(EPOCHS) / 20)
PLATEAUS = [
    {},
    {"patience": 2, "factor": 0.5},
    {"patience": 1, "cooldown": 4, "factor": 0.7, "min_lr": [0.001, 0.01]},
    {"mode": "max", "patience": 3, "threshold": 0.1},
    {"mode": "max", "patience": 3, "threshold": 0.1, "threshold_mode": "abs"},
    {"patience": 0, "threshold": 0.05, "threshold_mode": "abs", "factor": 0.9, "min_lr": 1e-4},
]


def ours(rates=RATES):
    groups = [{"params": [tgl.Tensor([1.0], requires_grad=True)], "lr": rate} for rate in rates]
    return optim.SGD(groups)


def theirs(rates=RATES):
    import torch

    optimizer = torch.optim.SGD([{"params": [torch.ones(1, requires_grad=True)], "lr": r} for r in rates])
    optimizer.step()
    return optimizer


def trajectory(schedule, epochs=EPOCHS, step=lambda schedule, epoch: schedule.step()):
    rates = []
    for epoch in range(epochs):
        rates.append(list(schedule.get_last_lr()))
        assert rates[-1] == [group["lr"] for group in schedule.optimizer.param_groups]
        schedule.optimizer.step()
        step(schedule, epoch)
    return rates


@pytest.mark.needs("torch")
@pytest.mark.parametrize("case", [case for case in CASES if case != NESTED])
def test_hundreds_of_epochs_are_those_of_pytorch(case):
    import torch

    found = trajectory(CASES[case](schedules, ours()))
    wanted = trajectory(CASES[case](torch.optim.lr_scheduler, theirs()))
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("settings", PLATEAUS)
def test_plateaus_are_those_of_pytorch(settings):
    import torch

    step = lambda schedule, epoch: schedule.step(LOSSES[epoch])
    found = trajectory(schedules.ReduceLROnPlateau(ours(), **settings), step=step)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs(), **settings)
    np.testing.assert_allclose(found, trajectory(schedule, step=step), rtol=1e-12)
    assert len({tuple(rates) for rates in found}) > 2


@pytest.mark.needs("torch")
def test_two_schedules_of_one_optimiser_multiply_as_in_pytorch():
    import torch

    def run(s, optimizer):
        first, second = s.StepLR(optimizer, 3, 0.9), s.LinearLR(optimizer, 0.5, total_iters=8)
        rates = []
        for _ in range(30):
            rates.append([group["lr"] for group in optimizer.param_groups])
            optimizer.step()
            first.step()
            second.step()
        return rates

    np.testing.assert_allclose(run(schedules, ours()), run(torch.optim.lr_scheduler, theirs()), rtol=1e-12)


@pytest.mark.parametrize(
    "case, epoch, factor",
    [
        ("step", 20, 0.9**2),
        ("constant", 8, 0.25),
        ("constant", 9, 1.0),
        ("linear", 0, 1 / 3),
        ("linear", 5, 1.0),
        ("linear, down", 20, 0.55),
        ("cosine", 15, 0.5),
        ("cosine", 30, 0.0),
        ("cosine", 60, 1.0),
        ("warm-up, then cosine", 0, 0.1),
        ("warm-up, then cosine", 5, 0.55),
        ("warm-up, then cosine", 10, 1.0),
        (NESTED, 0, 0.5),
        (NESTED, 3, 0.875),
        (NESTED, 6, 1.0),
        (NESTED, 7, 0.1),
        (NESTED, 12, 1.0),
        (NESTED, 22, 0.5),
    ],
)
def test_landmarks(case, epoch, factor):
    rates = trajectory(CASES[case](schedules, ours()), epoch + 1)[-1]
    np.testing.assert_allclose(rates, np.array(RATES) * factor, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("at", [4, 11, 60])
def test_a_restored_schedule_continues_bit_for_bit(case, at):
    schedule = CASES[case](schedules, ours())
    trajectory(schedule, at)
    optimizer = ours()
    twin = CASES[case](schedules, optimizer)
    optimizer.load_state_dict(schedule.optimizer.state_dict())
    twin.load_state_dict(schedule.state_dict())
    assert trajectory(twin, 70) == trajectory(schedule, 70)


def test_a_restored_plateau_continues():
    step = lambda schedule, epoch: schedule.step(LOSSES[epoch])
    make = lambda optimizer: schedules.ReduceLROnPlateau(optimizer, patience=3, cooldown=2)
    schedule = make(ours())
    trajectory(schedule, 20, step)
    optimizer = ours()
    twin = make(optimizer)
    optimizer.load_state_dict(schedule.optimizer.state_dict())
    twin.load_state_dict(schedule.state_dict())
    later = lambda schedule, epoch: schedule.step(LOSSES[epoch + 20])
    assert trajectory(twin, 60, later) == trajectory(schedule, 60, later)


def test_a_state_is_plain_data():
    schedule = CASES["warm-up, then cosine"](schedules, ours())
    import json

    assert json.loads(json.dumps(schedule.state_dict())) == schedule.state_dict()


class Decay:
    """A callable object, whose attributes are part of the state."""

    def __init__(self, rate):
        self.rate, self.calls = rate, 0

    def __call__(self, epoch):
        self.calls += 1
        return self.rate**epoch


@pytest.mark.needs("torch")
def test_the_state_of_a_lambda_is_that_of_pytorch():
    import torch

    ours_, theirs_ = (
        s.LambdaLR(o, [Decay(0.5), lambda epoch: 1.0])
        for s, o in ((schedules, ours()), (torch.optim.lr_scheduler, theirs()))
    )
    for schedule in (ours_, theirs_):
        schedule.optimizer.step()
        schedule.step()
    state, reference = ours_.state_dict(), theirs_.state_dict()
    assert state == {name: reference[name] for name in state}
    assert set(state) == {"last_epoch", "base_lrs", "_last_lr", "lr_lambdas"}
    assert state["lr_lambdas"] == [{"rate": 0.5, "calls": 2}, None]


def test_the_attributes_of_a_callable_are_restored():
    schedule = schedules.LambdaLR(ours([1.0]), Decay(0.5))
    schedule.step()
    twin = schedules.LambdaLR(ours([1.0]), Decay(0.9))
    twin.load_state_dict(schedule.state_dict())
    twin.step()
    assert twin.get_last_lr() == [0.25]
    assert twin.lr_lambdas[0].calls == 3
    assert schedule.lr_lambdas[0].calls == 2


def test_a_lambda_overwrites_changes_by_hand():
    optimizer = ours([1.0])
    schedule = schedules.LambdaLR(optimizer, lambda epoch: 0.5**epoch)
    optimizer.param_groups[0]["lr"] = 8.0
    schedule.step()
    assert schedule.get_last_lr() == [0.5]


def test_they_are_imported_as_in_pytorch():
    from tinygrad_lite.optim.lr_scheduler import StepLR

    assert StepLR is optim.lr_scheduler.StepLR is schedules.StepLR


def test_changes_by_hand_are_kept():
    optimizer = ours([1.0])
    schedule = schedules.StepLR(optimizer, 1, 0.5)
    optimizer.param_groups[0]["lr"] = 8.0
    schedule.step()
    assert schedule.get_last_lr() == [4.0]


def test_a_metric_of_nan_is_no_improvement():
    schedule = schedules.ReduceLROnPlateau(ours([1.0]), patience=1, factor=0.5)
    for value in (1.0, math.nan, tgl.Tensor(math.nan)):
        schedule.step(value)
    assert schedule.get_last_lr() == [0.5]


@pytest.mark.parametrize("name, argument", [("StepLR", 2), ("CosineAnnealingLR", 2), ("ExponentialLR", 0.5),
    ("LambdaLR", lambda epoch: 1 / (1 + epoch))])  # fmt: skip
def test_groups_added_later_follow(name, argument):
    optimizer = ours([1.0])
    schedule = getattr(schedules, name)(optimizer, argument)
    optimizer.add_param_group({"params": [tgl.Tensor([1.0], requires_grad=True)], "lr": 0.5})
    for _ in range(5):
        schedule.step()
    first, second = schedule.get_last_lr()
    assert second == pytest.approx(first / 2)


@pytest.mark.parametrize("wrap", [lambda o, s: s, lambda o, s: schedules.SequentialLR(o, [s], [])])
def test_an_epoch_whose_factor_overflows_changes_nothing(wrap):
    optimizer = optim.SGD([tgl.Tensor(1.0, requires_grad=True)], lr=1e-300)
    schedule = wrap(optimizer, schedules.StepLR(optimizer, 1, gamma=1e200))
    schedule.step()
    before = schedule.state_dict()
    with pytest.raises(OverflowError):
        schedule.step()
    assert schedule.state_dict() == before
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-100)
