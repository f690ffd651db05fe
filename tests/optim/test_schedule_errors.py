"""What schedules refuse, in their own words, and that nothing has changed then."""

import math

import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import errors, optim
from tinygrad_lite.optim import lr_scheduler as schedules

NON_NEGATIVE = "a finite number >= 0"


def sgd(lr=1.0):
    return optim.SGD([tgl.Tensor([1.0, 2.0], requires_grad=True)], lr=lr)


SCHEDULES = [
    ("StepLR", {"step_size": 0}, "step_size to be a whole number from 1 on, but got 0"),
    ("StepLR", {"step_size": 2.0}, "step_size to be a whole number from 1 on, but got 2.0"),
    ("StepLR", {"step_size": 2, "gamma": -1}, f"gamma to be {NON_NEGATIVE}, but got -1"),
    ("ExponentialLR", {"gamma": -0.5}, f"gamma to be {NON_NEGATIVE}, but got -0.5"),
    ("ExponentialLR", {"gamma": math.nan}, f"gamma to be {NON_NEGATIVE}, but got nan"),
    (
        "LambdaLR",
        {"lr_lambda": [math.sqrt, math.sqrt]},
        "one function per group, but got 2 for 1\n  hint  one function for all groups will do, too",
    ),
    ("ConstantLR", {"factor": 0}, "start_factor to be a number above 0 and up to 1, but got 0"),
    ("ConstantLR", {"total_iters": -1}, "total_iters to be a whole number from 0 on, but got -1"),
    ("LinearLR", {"start_factor": 0.0}, "start_factor to be a number above 0 and up to 1, but got 0.0"),
    ("LinearLR", {"end_factor": 1.5}, "end_factor to be a number from 0 to 1, but got 1.5"),
    ("LinearLR", {"total_iters": True}, "total_iters to be a whole number from 1 on, but got True"),
    ("CosineAnnealingLR", {"T_max": 0}, "T_max to be a whole number from 1 on, but got 0"),
    ("CosineAnnealingLR", {"T_max": 3, "eta_min": math.inf}, f"eta_min to be {NON_NEGATIVE}, but got inf"),
    ("CosineAnnealingLR", {"T_max": 3, "eta_min": -0.1}, f"eta_min to be {NON_NEGATIVE}, but got -0.1"),
    ("ReduceLROnPlateau", {"mode": "low"}, "mode to be 'min' or 'max', but got 'low'"),
    ("ReduceLROnPlateau", {"threshold_mode": "x"}, "threshold_mode to be 'rel' or 'abs', but got 'x'"),
    ("ReduceLROnPlateau", {"factor": 1.0}, "factor to be a number from 0 on and below 1, but got 1.0"),
    ("ReduceLROnPlateau", {"patience": -1}, "patience to be a whole number from 0 on, but got -1"),
    ("ReduceLROnPlateau", {"threshold": -1}, f"threshold to be {NON_NEGATIVE}, but got -1"),
    ("ReduceLROnPlateau", {"cooldown": 1.5}, "cooldown to be a whole number from 0 on, but got 1.5"),
    ("ReduceLROnPlateau", {"min_lr": -1}, f"min_lr to be {NON_NEGATIVE}, but got -1"),
    (
        "ReduceLROnPlateau",
        {"min_lr": [0, 0]},
        "one min_lr per group, but got 2 for 1\n  hint  one number for all groups will do, too",
    ),
    ("ReduceLROnPlateau", {"eps": math.nan}, f"eps to be {NON_NEGATIVE}, but got nan"),
]


@pytest.mark.parametrize("name, arguments, text", SCHEDULES)
def test_a_schedule_with_an_argument_out_of_range(name, arguments, text):
    optimizer = sgd()
    call = lambda: getattr(schedules, name)(optimizer, **arguments)
    assert refusal(errors.ArgumentError, call) == f"{name} needs {text}"
    assert optimizer.param_groups[0]["lr"] == 1.0
    assert "initial_lr" not in optimizer.param_groups[0]


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("StepLR", {"step_size": 1}),
        ("ExponentialLR", {"gamma": 0.5}),
        ("LambdaLR", {"lr_lambda": math.sqrt}),
        ("CosineAnnealingLR", {"T_max": 1}),
        ("ReduceLROnPlateau", {}),
        ("SequentialLR", {"schedulers": [], "milestones": []}),
    ],
)
def test_a_schedule_of_something_else_than_an_optimiser(name, arguments):
    call = lambda: getattr(schedules, name)([0.1], **arguments)
    assert refusal(errors.DTypeError, call) == (
        f"{name} needs an optimiser, but got a list\n"
        "  hint  make one first, such as optim.SGD(model.parameters(), lr=0.1)"
    )


MULTIPLIED = "\n  hint  it is what the first learning rate is multiplied by"


@pytest.mark.parametrize("given", [-1, math.inf, None, "1"])
def test_a_lambda_that_returns_no_factor(given):
    optimizer = sgd()
    text = refusal(errors.ArgumentError, lambda: schedules.LambdaLR(optimizer, lambda epoch: given))
    assert text == f"LambdaLR needs {NON_NEGATIVE} from lr_lambda, but got {given!r} in epoch 0{MULTIPLIED}"
    assert optimizer.param_groups[0]["lr"] == 1.0
    schedule = schedules.LambdaLR(optimizer, lambda epoch: given if epoch else 1.0)
    before = schedule.state_dict()
    text = refusal(errors.ArgumentError, lambda: schedule.step())
    assert text == f"LambdaLR needs {NON_NEGATIVE} from lr_lambda, but got {given!r} in epoch 1{MULTIPLIED}"
    assert schedule.state_dict() == before
    assert optimizer.param_groups[0]["lr"] == 1.0


@pytest.mark.parametrize("given, name", [(0.5, "lr_lambda is 0.5"), ([math.sqrt, 3], "lr_lambda[1] is 3")])
def test_a_lambda_that_is_no_function(given, name):
    text = refusal(errors.DTypeError, lambda: schedules.LambdaLR(sgd(), given))
    assert text == (f"LambdaLR needs functions of the epoch, but {name}\n  hint  such as lambda epoch: 0.95**epoch")


def test_a_group_that_has_no_function():
    optimizer = sgd()
    schedule = schedules.LambdaLR(optimizer, [lambda epoch: 1.0])
    optimizer.add_param_group({"params": [tgl.Tensor([1.0], requires_grad=True)]})
    text = refusal(errors.ArgumentError, lambda: schedule.step())
    assert text == (
        "LambdaLR needs one function per group, but got 1 for 2\n  hint  one function for all groups will do, too"
    )
    assert schedule.last_epoch == 0


@pytest.mark.parametrize("given", [3, [], [{}], [3], [None, None]])
def test_the_state_of_other_lambdas(given):
    schedule = schedules.LambdaLR(sgd(), lambda epoch: 0.5)
    state = {**schedule.state_dict(), "lr_lambdas": given}
    assert refusal(errors.StateError, lambda: schedule.load_state_dict(state)) == (
        f"LambdaLR.load_state_dict needs 'lr_lambdas' to fit its 1 functions, but got {given!r}\n"
        "  hint  None stands for a function, a dictionary for the attributes of an object"
    )


BEGINS = "\n  hint  a milestone is the epoch at which the next schedule begins"


def test_a_sequence_that_does_not_fit_together():
    optimizer, other = sgd(), sgd()
    linear, cosine = schedules.LinearLR(optimizer), schedules.CosineAnnealingLR(optimizer, 5)
    plateau, foreign = schedules.ReduceLROnPlateau(optimizer), schedules.StepLR(other, 1)
    cases = [
        (
            [linear, plateau],
            [3],
            (
                "needs schedules that go by epochs alone, but schedulers[1] is a ReduceLROnPlateau\n"
                "  hint  ReduceLROnPlateau takes its own steps, beside others"
            ),
        ),
        (
            [linear, foreign],
            [3],
            (
                "needs schedules of one optimiser, but schedulers[1] belongs to another\n"
                "  hint  make all of them with the same optimiser"
            ),
        ),
        ([linear, cosine], [], "needs one milestone fewer than schedules, but got 0 for 2" + BEGINS),
        ([], [], "needs one milestone fewer than schedules, but got 0 for 0" + BEGINS),
        ([linear, cosine, linear], [3, 3], "needs rising whole numbers as milestones, but got [3, 3]" + BEGINS),
        ([linear, cosine], [2.5], "needs rising whole numbers as milestones, but got [2.5]" + BEGINS),
    ]
    rate = optimizer.param_groups[0]["lr"]
    for parts, milestones, text in cases:
        call = lambda parts=parts, milestones=milestones: schedules.SequentialLR(optimizer, parts, milestones)
        assert refusal(errors.ArgumentError, call) == f"SequentialLR {text}"
    assert optimizer.param_groups[0]["lr"] == rate


@pytest.mark.parametrize("metrics, shown", [("low", "'low'"), (True, "True"), (None, "None")])
def test_a_metric_that_is_no_number(metrics, shown):
    schedule = schedules.ReduceLROnPlateau(sgd())
    text = refusal(errors.DTypeError, lambda: schedule.step(metrics))
    assert text == (
        f"ReduceLROnPlateau.step needs a number\n  metrics  {shown}\n"
        "  hint     pass what is watched, such as the loss of the epoch: loss.item()"
    )
    assert schedule.last_epoch == 0


def test_the_state_of_another_kind_of_schedule():
    optimizer = sgd()
    schedule = schedules.StepLR(optimizer, 3)
    other = schedules.CosineAnnealingLR(optimizer, 5).state_dict()
    text = refusal(errors.StateError, lambda: schedule.load_state_dict(other))
    assert text == (
        "StepLR.load_state_dict needs 'step_size', but the dictionary does not have it\n"
        "  hint  was it saved by a schedule of this kind?"
    )
    text = refusal(errors.StateError, lambda: schedule.load_state_dict(3))
    assert text == (
        "StepLR.load_state_dict needs a dictionary, but got a int\n  hint  pass what schedule.state_dict() returned"
    )


def test_the_state_of_a_longer_sequence():
    optimizer = sgd()
    make = lambda: schedules.StepLR(optimizer, 3)
    long = schedules.SequentialLR(optimizer, [make(), make(), make()], [2, 4])
    short = schedules.SequentialLR(optimizer, [make(), make()], [2])
    text = refusal(errors.StateError, lambda: short.load_state_dict(long.state_dict()))
    assert text == "SequentialLR.load_state_dict needs 2 schedules, but the dictionary has 3"


RATES = "to be a list of finite numbers"
SCHEDULE_STATES = [
    ("last_epoch", "3", "'last_epoch' to be a whole number from 0 on, but got '3'"),
    ("last_epoch", -1, "'last_epoch' to be a whole number from 0 on, but got -1"),
    ("step_size", 0, "'step_size' to be a whole number from 1 on, but got 0"),
    ("gamma", None, f"'gamma' to be {NON_NEGATIVE}, but got None"),
    ("base_lrs", 0.1, f"'base_lrs' {RATES}, but got 0.1"),
    ("base_lrs", [], f"'base_lrs' {RATES}, but got []"),
    ("_last_lr", ["a"], f"'_last_lr' {RATES}, but got ['a']"),
    ("base_lrs", [1.0, 2.0], "at most 1 rates as 'base_lrs', but the dictionary has 2"),
]


@pytest.mark.parametrize("name, value, text", SCHEDULE_STATES)
def test_the_state_of_a_schedule_that_does_not_fit(name, value, text):
    schedule = schedules.StepLR(sgd(), 3)
    before = schedule.state_dict()
    state = {**before, "last_epoch": 2, name: value}
    refused = refusal(errors.StateError, lambda: schedule.load_state_dict(state))
    assert refused == f"StepLR.load_state_dict needs {text}"
    assert schedule.state_dict() == before


PLATEAU_STATES = [
    ("mode", "low", "'mode' to be 'min' or 'max', but got 'low'"),
    ("best", "low", "'best' to be a number, but got 'low'"),
    ("num_bad_epochs", 0.5, "'num_bad_epochs' to be a whole number from 0 on, but got 0.5"),
    ("min_lrs", [0, 0], "at most 1 rates as 'min_lrs', but the dictionary has 2"),
]


@pytest.mark.parametrize("name, value, text", PLATEAU_STATES)
def test_the_state_of_a_plateau_that_does_not_fit(name, value, text):
    schedule = schedules.ReduceLROnPlateau(sgd())
    before = schedule.state_dict()
    state = {**before, "last_epoch": 2, name: value}
    refused = refusal(errors.StateError, lambda: schedule.load_state_dict(state))
    assert refused == f"ReduceLROnPlateau.load_state_dict needs {text}"
    assert schedule.state_dict() == before


SEQUENCE_STATES = [
    (
        lambda state: state["_schedulers"][1].update(gamma=-1),
        f"StepLR.load_state_dict needs 'gamma' to be {NON_NEGATIVE}, but got -1",
    ),
    (
        lambda state: state.update(_schedulers=3),
        "SequentialLR.load_state_dict needs a list as '_schedulers', but got a int",
    ),
    (
        lambda state: state.update(_milestones=[3, 2]),
        "SequentialLR.load_state_dict needs '_milestones' to be rising whole numbers, but got [3, 2]",
    ),
    (
        lambda state: state.update(_milestones=[2, 3]),
        "SequentialLR.load_state_dict needs 1 milestones, but the dictionary has 2",
    ),
]


@pytest.mark.parametrize("change, text", SEQUENCE_STATES)
def test_the_state_of_a_sequence_is_loaded_whole_or_not_at_all(change, text):
    optimizer = sgd()
    make = lambda: schedules.SequentialLR(optimizer, [schedules.StepLR(optimizer, 3) for _ in range(2)], [2])
    other, schedule = make(), make()
    other.step()
    before, state = schedule.state_dict(), other.state_dict()
    change(state)
    assert refusal(errors.StateError, lambda: schedule.load_state_dict(state)) == text
    assert schedule.state_dict() == before
