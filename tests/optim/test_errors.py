"""What optimisers, schedules and clipping refuse, in their own words, and that nothing has changed then."""

import math
import re

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import errors, optim
from tinygrad_lite.backends.cpu import parallel
from tinygrad_lite.optim import lr_scheduler as schedules

OPTIMIZERS = ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW"]
SETTINGS = {
    "SGD": "lr, momentum, dampening, weight_decay, nesterov, maximize",
    "Adagrad": "lr, lr_decay, weight_decay, initial_accumulator_value, eps, maximize",
    "RMSprop": "lr, momentum, alpha, eps, centered, weight_decay, maximize",
    "Adam": "lr, betas, eps, weight_decay, maximize",
    "AdamW": "lr, betas, eps, weight_decay, maximize",
}


def leaf(values=(1.0, 2.0)):
    return tgl.Tensor(list(values), requires_grad=True)


# Settings -----------------------------------------------------------------------------------------------

NON_NEGATIVE = "a finite number >= 0"
BAD = {
    "lr": (NON_NEGATIVE, [-0.1, math.nan, math.inf, "0.1", None, True]),
    "momentum": (NON_NEGATIVE, [-0.9, math.inf]),
    "dampening": ("a finite number", [math.nan, -math.inf, "x"]),
    "weight_decay": (NON_NEGATIVE, [-1, math.nan]),
    "lr_decay": (NON_NEGATIVE, [-1e-9]),
    "initial_accumulator_value": (NON_NEGATIVE, [-1]),
    "eps": (NON_NEGATIVE, [-1e-8, math.nan]),
    "alpha": ("a number from 0 to 1", [-0.1, 1.5, math.nan]),
    "betas": (
        "two numbers from 0 on and below 1",
        [(0.9, 1.0), (-0.1, 0.9), (0.9,), 0.9, (0.9, math.nan), "ab"],
    ),
    "nesterov": ("True or False", [1, "yes"]),
    "centered": ("True or False", [0]),
    "maximize": ("True or False", [None]),
}
BAD_SETTINGS = [
    (name, setting, value)
    for name, settings in SETTINGS.items()
    for setting in settings.split(", ")
    for value in BAD[setting][1]
]


@pytest.mark.parametrize("name, setting, value", BAD_SETTINGS)
def test_a_setting_out_of_range(name, setting, value):
    x = leaf()
    text = refusal(errors.ArgumentError, lambda: getattr(optim, name)([x], **{setting: value}))
    assert text == f"{name} needs {setting} to be {BAD[setting][0]}, but got {value!r}"
    assert x._node.slot is None


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_setting_out_of_range_in_a_group(name):
    x, y = leaf(), leaf()
    groups = [{"params": [x]}, {"params": [y], "lr": -1.0}]
    text = refusal(errors.ArgumentError, lambda: getattr(optim, name)(groups))
    assert text == f"{name} needs param_groups[1]['lr'] to be {NON_NEGATIVE}, but got -1.0"
    assert x._node.slot is None


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_setting_that_does_not_exist(name):
    groups = [{"params": [leaf()], "learning_rate": 1.0}]
    text = refusal(errors.ArgumentError, lambda: getattr(optim, name)(groups))
    assert text == f"{name} has no setting 'learning_rate'\n  hint  the settings are {SETTINGS[name]}"


@pytest.mark.parametrize("settings, got", [({}, (0, 0)), ({"momentum": 0.9, "dampening": 0.1}, (0.9, 0.1))])
def test_nesterov_without_momentum_or_with_dampening(settings, got):
    text = refusal(errors.ArgumentError, lambda: optim.SGD([leaf()], nesterov=True, **settings))
    assert text == (
        f"SGD needs momentum and no dampening with nesterov=True, but got momentum={got[0]} and dampening={got[1]}"
    )


def test_a_setting_changed_to_nonsense_is_found_at_the_next_step():
    x, y = leaf(), leaf()
    optimizer = optim.SGD([{"params": [x]}, {"params": [y]}], lr=0.1)
    (x * y).sum().backward()
    optimizer.param_groups[1]["lr"] = math.nan
    text = refusal(errors.ArgumentError, lambda: optimizer.step())
    assert text == "SGD.step needs param_groups[1]['lr'] to be a finite number >= 0, but got nan"
    assert x.tolist() == y.tolist() == [1.0, 2.0]
    optimizer.param_groups[1].update(lr=0.1, nesterov=True)
    text = refusal(errors.ArgumentError, lambda: optimizer.step())
    assert text == ("SGD.step needs momentum and no dampening with nesterov=True, but got momentum=0 and dampening=0")
    assert x.tolist() == y.tolist() == [1.0, 2.0]


# Parameters ---------------------------------------------------------------------------------------------

TENSOR = "shape (2,), float32, cpu"
ONCE = "an iterator such as model.parameters() gives its tensors only once: was it used before?"
PLAIN = tgl.Tensor([1.0, 2.0])
RESULT = leaf() * 2
X = leaf()
PARAMETERS = [
    (errors.ArgumentError, [], f" needs at least one parameter, but got none\n  hint  {ONCE}"),
    (
        errors.ArgumentError,
        [{"params": []}],
        f" needs at least one parameter, but got none\n  hint  {ONCE}",
    ),
    (
        errors.ArgumentError,
        [X, X],
        f" needs every parameter once, but one occurs twice\n  parameter  {TENSOR}",
    ),
    (
        errors.ArgumentError,
        [{"params": [X]}, {"params": X}],
        f" needs every parameter once, but one occurs twice\n  parameter  {TENSOR}",
    ),
    (errors.ArgumentError, [{"lr": 0.1}], " needs 'params' in param_groups[0]\n  group  {'lr': 0.1}"),
    (
        errors.DTypeError,
        X,
        f" needs a list of tensors, but got one tensor\n  params  {TENSOR}\n  hint    pass [tensor]",
    ),
    (errors.DTypeError, {X}, " needs an ordered collection of tensors, but params is a set"),
    (errors.DTypeError, 3, " needs an ordered collection of tensors, but params is a int"),
    (errors.DTypeError, [{"params": [X]}, X], " needs groups throughout, but params[1] is no dictionary"),
    (
        errors.DTypeError,
        [X, ("name", X)],
        (
            " needs tensors, but param_groups[0]['params'][1] is a tuple\n"
            "  hint  pass model.parameters(), or a list of groups"
        ),
    ),
    (
        errors.GradientError,
        [X, PLAIN],
        (
            f" needs parameters that require a gradient\n  param_groups[0]['params'][1]  {TENSOR}\n"
            "  hint                          leave frozen parameters out: "
            "[p for p in model.parameters() if p.requires_grad]"
        ),
    ),
    (
        errors.GradientError,
        [RESULT],
        (
            f" needs leaves, not results of operations\n  param_groups[0]['params'][0]  {TENSOR}\n"
            "  hint                          optimise the leaf that it was computed from"
        ),
    ),
]


@pytest.mark.parametrize("kind, params, text", PARAMETERS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_cannot_be_optimised(name, kind, params, text):
    assert refusal(kind, lambda: getattr(optim, name)(params)) == name + text
    assert X._node.slot is None


def test_a_group_added_later_is_checked_too():
    x, y = leaf(), leaf()
    optimizer = optim.SGD([x])
    before = optimizer.state_dict()
    name = "SGD.add_param_group"
    cases = [
        (errors.DTypeError, [y], f"{name} needs a dictionary\n  group  [{y!r}]"),
        (
            errors.ArgumentError,
            {"params": [x]},
            f"{name} needs every parameter once, but one occurs twice\n  parameter  {TENSOR}",
        ),
        (
            errors.ArgumentError,
            {"params": [y], "lr": -1},
            f"{name} needs param_groups[1]['lr'] to be {NON_NEGATIVE}, but got -1",
        ),
    ]
    for kind, group, text in cases:
        assert refusal(kind, lambda group=group: optimizer.add_param_group(group)) == text
    assert optimizer.state_dict() == before
    assert y._node.slot is None


def test_state_of_a_parameter_that_changed_its_size():
    x = leaf()
    optimizer = optim.Adam([x])
    (x * x).sum().backward()
    optimizer.step()
    x.grad = None
    x._data = np.ones(3, np.float32)
    text = refusal(errors.ShapeError, lambda: optimizer.step())
    assert text == (
        "Adam.step has state for 2 elements of a parameter that now has another size\n"
        "  parameter  shape (3,), float32, cpu\n"
        "  hint       make a new optimiser for the new parameters"
    )


# State dictionaries -------------------------------------------------------------------------------------


def trained():
    """An Adam with two groups, after one step."""
    x, y = leaf(), leaf([3.0])
    optimizer = optim.Adam([{"params": [x]}, {"params": [y], "lr": 0.5}], lr=0.1)
    (x * y).sum().backward()
    optimizer.step()
    return optimizer, [x, y]


def drop(*path):
    def change(state):
        for key in path[:-1]:
            state = state[key]
        del state[path[-1]]

    return change


def put(*path, value):
    def change(state):
        for key in path[:-1]:
            state = state[key]
        state[path[-1]] = value

    return change


SAVED = [
    (drop("state"), "needs a dictionary with 'state' and 'param_groups'"),
    (drop("param_groups", 1), "needs 2 parameter groups, but the dictionary has 1"),
    (drop("param_groups", 1, "params"), "needs a dictionary with 'params' as param_groups[1]"),
    (
        put("param_groups", 1, "params", value=[1, 2]),
        "needs 1 parameters in group 1, but the dictionary has 2",
    ),
    (drop("param_groups", 1, "eps"), "needs 'eps', but param_groups[1] does not have it"),
    (
        put("param_groups", 1, "momentum", value=0.9),
        "has no setting 'momentum', but param_groups[1] does",
    ),
    (
        put("param_groups", 1, "amsgrad", value=True),
        "does not have the variant that param_groups[1]['amsgrad'] asks for",
    ),
    (put("state", 7, value={}), "found state for the parameter 7, which is in none of the groups"),
    (put("state", 1, value=[1]), "needs a dictionary as state[1]"),
    (drop("state", 1, "step"), "needs the number of steps as state[1]['step']"),
    (put("state", 1, "step", value=-3), "needs the number of steps as state[1]['step']"),
    (drop("state", 1, "exp_avg_sq"), "needs 'exp_avg_sq', but state[1] does not have it"),
    (
        put("state", 1, "max_exp_avg_sq", value=np.zeros(1)),
        "has no state called 'max_exp_avg_sq', but state[1] does",
    ),
    (
        put("state", 1, "exp_avg", value=np.zeros((2, 2))),
        (
            "needs numbers in the shape of the parameter as state[1]['exp_avg']\n"
            "  parameter  shape (1,), float32, cpu\n"
            "  exp_avg    shape (2, 2), float64, cpu"
        ),
    ),
]


@pytest.mark.parametrize("change, text", SAVED)
def test_a_state_dictionary_that_does_not_fit(change, text):
    optimizer, _weights = trained()
    state = optimizer.state_dict()
    change(state)
    settings = [dict(group) for group in optimizer.param_groups]
    before = {i: {k: np.array(v) for k, v in e.items()} for i, e in optimizer.state_dict()["state"].items()}
    found = refusal(errors.StateError, lambda: optimizer.load_state_dict(state))
    lines = text.split("\n")
    width = max([4, *(len(line.split()[0]) for line in lines[1:])])
    hint = f"\n  {'hint':<{width}}  was it saved by an optimiser of this kind for this model?"
    assert found == f"Adam.load_state_dict {text}{hint}"
    assert optimizer.param_groups == settings
    for i, entry in optimizer.state_dict()["state"].items():
        for key, value in entry.items():
            assert np.array_equal(np.array(value), before[i][key])


def test_a_state_dictionary_with_a_setting_out_of_range():
    optimizer, _ = trained()
    state = optimizer.state_dict()
    state["param_groups"][1]["lr"] = -1
    text = refusal(errors.ArgumentError, lambda: optimizer.load_state_dict(state))
    assert text == f"Adam.load_state_dict needs param_groups[1]['lr'] to be {NON_NEGATIVE}, but got -1"


# Schedules ----------------------------------------------------------------------------------------------


def sgd(lr=1.0):
    return optim.SGD([leaf()], lr=lr)


SCHEDULES = [
    ("StepLR", {"step_size": 0}, "step_size to be a whole number from 1 on, but got 0"),
    ("StepLR", {"step_size": 2.0}, "step_size to be a whole number from 1 on, but got 2.0"),
    ("StepLR", {"step_size": 2, "gamma": -1}, f"gamma to be {NON_NEGATIVE}, but got -1"),
    ("ConstantLR", {"factor": 0}, "start_factor to be a number above 0 and up to 1, but got 0"),
    ("ConstantLR", {"total_iters": -1}, "total_iters to be a whole number from 0 on, but got -1"),
    ("LinearLR", {"start_factor": 0.0}, "start_factor to be a number above 0 and up to 1, but got 0.0"),
    ("LinearLR", {"end_factor": 1.5}, "end_factor to be a number from 0 to 1, but got 1.5"),
    ("LinearLR", {"total_iters": True}, "total_iters to be a whole number from 1 on, but got True"),
    ("CosineAnnealingLR", {"T_max": 0}, "T_max to be a whole number from 1 on, but got 0"),
    ("CosineAnnealingLR", {"T_max": 3, "eta_min": math.inf}, "eta_min to be a finite number, but got inf"),
    ("ReduceLROnPlateau", {"mode": "low"}, "mode to be 'min' or 'max', but got 'low'"),
    ("ReduceLROnPlateau", {"threshold_mode": "x"}, "threshold_mode to be 'rel' or 'abs', but got 'x'"),
    ("ReduceLROnPlateau", {"factor": 1.0}, "factor to be a number from 0 on and below 1, but got 1.0"),
    ("ReduceLROnPlateau", {"patience": -1}, "patience to be a whole number from 0 on, but got -1"),
    ("ReduceLROnPlateau", {"threshold": -1}, f"threshold to be {NON_NEGATIVE}, but got -1"),
    ("ReduceLROnPlateau", {"cooldown": 1.5}, "cooldown to be a whole number from 0 on, but got 1.5"),
    ("ReduceLROnPlateau", {"min_lr": -1}, f"min_lr to be {NON_NEGATIVE}, but got -1"),
    ("ReduceLROnPlateau", {"min_lr": [0, 0]}, "one min_lr per group, but got 2 for 1"),
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
        ("CosineAnnealingLR", {"T_max": 1}),
        ("ReduceLROnPlateau", {}),
        ("SequentialLR", {"schedulers": [], "milestones": []}),
    ],
)
def test_a_schedule_of_something_else_than_an_optimiser(name, arguments):
    call = lambda: getattr(schedules, name)([0.1], **arguments)
    assert refusal(errors.DTypeError, call) == f"{name} needs an optimiser, but got a list"


def test_a_sequence_that_does_not_fit_together():
    optimizer, other = sgd(), sgd()
    linear, cosine = schedules.LinearLR(optimizer), schedules.CosineAnnealingLR(optimizer, 5)
    plateau, foreign = schedules.ReduceLROnPlateau(optimizer), schedules.StepLR(other, 1)
    cases = [
        (
            [linear, plateau],
            [3],
            "needs schedules that go by epochs alone, but schedulers[1] is a ReduceLROnPlateau",
        ),
        ([linear, foreign], [3], "needs schedules of one optimiser, but schedulers[1] belongs to another"),
        ([linear, cosine], [], "needs one milestone fewer than schedules, but got 0 for 2"),
        ([], [], "needs one milestone fewer than schedules, but got 0 for 0"),
        ([linear, cosine, linear], [3, 3], "needs rising whole numbers as milestones, but got [3, 3]"),
        ([linear, cosine], [2.5], "needs rising whole numbers as milestones, but got [2.5]"),
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
    assert text == f"ReduceLROnPlateau.step needs a number\n  metrics  {shown}"
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
    assert text == "StepLR.load_state_dict needs a dictionary, but got a int"


def test_the_state_of_a_longer_sequence():
    optimizer = sgd()
    make = lambda: schedules.StepLR(optimizer, 3)
    long = schedules.SequentialLR(optimizer, [make(), make(), make()], [2, 4])
    short = schedules.SequentialLR(optimizer, [make(), make()], [2])
    text = refusal(errors.StateError, lambda: short.load_state_dict(long.state_dict()))
    assert text == "SequentialLR.load_state_dict needs 2 schedules, but the dictionary has 3"


# Clipping -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda x: optim.clip_grad_norm_([x], -1), "clip_grad_norm_ needs max_norm to be a finite number >= 0"),
        (lambda x: optim.clip_grad_norm_([x], "1"), "clip_grad_norm_ needs max_norm to be a finite number >= 0"),
        (lambda x: optim.clip_grad_norm_([x], 1, 0), "clip_grad_norm_ needs norm_type to be a number above 0, or inf"),
        (lambda x: optim.clip_grad_value_([x], -1), "clip_grad_value_ needs clip_value to be a finite number >= 0"),
        (lambda x: optim.get_total_norm([x], -1), "get_total_norm needs norm_type to be a number above 0, or inf"),
    ],
)
def test_clipping_with_an_argument_out_of_range(call, text):
    x = leaf()
    (x * x).sum().backward()
    found = refusal(errors.ArgumentError, lambda: call(x))
    assert re.fullmatch(re.escape(text) + r", but got ('1'|0|-1)", found)
    assert x.grad.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_norm_that_is_not_finite(value):
    x = leaf()
    x.grad = tgl.Tensor([1.0, value])
    hint = "\n  hint  look for the first NaN or inf in the loss, or lower the learning rate"
    need = f"needs a finite norm with error_if_nonfinite=True, but it is {value}{hint}"
    call = lambda: optim.clip_grad_norm_([x], 1.0, error_if_nonfinite=True)
    assert refusal(errors.ArgumentError, call) == f"clip_grad_norm_ {need}"
    call = lambda: optim.get_total_norm(x.grad, error_if_nonfinite=True)
    assert refusal(errors.ArgumentError, call) == f"get_total_norm {need}"
    assert np.array_equal(x.grad.numpy(), np.array([1.0, value], np.float32), equal_nan=True)


def test_clipping_what_has_no_gradient_of_its_own():
    call = lambda: optim.clip_grad_norm_([leaf(), 3], 1.0)
    assert refusal(errors.DTypeError, call) == "clip_grad_norm_ needs tensors, but parameters[1] is a int"
    call = lambda: optim.clip_grad_norm_(3, 1.0)
    assert refusal(errors.DTypeError, call) == (
        "clip_grad_norm_ needs an ordered collection of tensors, but parameters is a int"
    )
    call = lambda: optim.get_total_norm({X})
    assert refusal(errors.DTypeError, call) == (
        "get_total_norm needs an ordered collection of tensors, but tensors is a set"
    )
    call = lambda: optim.clip_grad_value_([RESULT], 1.0)
    assert refusal(errors.GradientError, call) == (
        f"clip_grad_value_ needs leaves, not results of operations\n  parameters[0]  {TENSOR}"
    )
    call = lambda: optim.get_total_norm([leaf(), tgl.Tensor([1, 2])])
    assert refusal(errors.DTypeError, call) == (
        "get_total_norm needs tensors of floats\n  tensors[1]  shape (2,), int64, cpu"
    )


# Threads ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
def test_a_number_of_threads_that_is_none(count):
    before = parallel.get_num_threads()
    text = refusal(errors.ArgumentError, lambda: parallel.set_num_threads(count))
    assert text == f"set_num_threads needs a whole number from 1 on, but got {count!r}"
    assert parallel.get_num_threads() == before


def test_an_environment_variable_that_is_no_number_of_threads(monkeypatch):
    monkeypatch.setattr(parallel, "_threads", None)
    monkeypatch.setenv("TINYGRAD_LITE_NUM_THREADS", "many")
    text = refusal(errors.ArgumentError, lambda: parallel.get_num_threads())
    assert text == ("get_num_threads needs a whole number from 1 on in TINYGRAD_LITE_NUM_THREADS, but found 'many'")
