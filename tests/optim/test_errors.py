"""What optimisers and clipping refuse, in their own words, and that nothing has changed then."""

import math
import re

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import errors, optim
from tinygrad_lite.backends.cpu import parallel

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
CLIMB = "\n  hint  steps go against the gradient already; maximize=True climbs"
TEXT = "\n  hint  settings are Python numbers: {}=float(...) reads one from a text"


def setting_hint(setting, value):
    """The line of the hint, for the values above that have one."""
    if isinstance(value, str) and BAD[setting][0].startswith("a "):
        return TEXT.format(setting)
    if setting == "lr" and value == -0.1:
        return CLIMB
    return "\n  hint  betas=(0.9, 0.999) sets the first of the two" if value == 0.9 else ""


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
    assert text == f"{name} needs {setting} to be {BAD[setting][0]}, but got {value!r}{setting_hint(setting, value)}"
    assert x._node.slot is None


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_setting_out_of_range_in_a_group(name):
    x, y = leaf(), leaf()
    groups = [{"params": [x]}, {"params": [y], "lr": -1.0}]
    text = refusal(errors.ArgumentError, lambda: getattr(optim, name)(groups))
    assert text == f"{name} needs param_groups[1]['lr'] to be {NON_NEGATIVE}, but got -1.0{CLIMB}"
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
        f"SGD needs momentum and no dampening with nesterov=True, but got momentum={got[0]} and dampening={got[1]}\n"
        "  hint  momentum=0.9, dampening=0 is usual"
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
    assert text == (
        "SGD.step needs momentum and no dampening with nesterov=True, but got momentum=0 and "
        "dampening=0\n"
        "  hint  momentum=0.9, dampening=0 is usual"
    )
    assert x.tolist() == y.tolist() == [1.0, 2.0]


def test_a_setting_taken_away_is_found_at_the_next_step():
    optimizer, weights = trained()
    before, state = [w.tolist() for w in weights], optimizer.state_dict()["state"]
    del optimizer.param_groups[1]["lr"]
    text = refusal(errors.ArgumentError, lambda: optimizer.step())
    assert text == ("Adam.step needs 'lr', but param_groups[1] does not have it\n  hint  the default is 0.1")
    assert [w.tolist() for w in weights] == before
    assert [entry["step"] for entry in optimizer.state.values()] == [entry["step"] for entry in state.values()]


CHANGES = {
    "appended": lambda groups: groups[0]["params"].append(leaf()),
    "removed": lambda groups: groups[0]["params"].pop(),
    "replaced, one": lambda groups: groups[0]["params"].__setitem__(0, leaf()),
    "replaced, all": lambda groups: groups[0].update(params=[leaf()]),
    "no list any more": lambda groups: groups[0].update(params=3),
    "dropped": lambda groups: groups[0].pop("params"),
    "a new group": lambda groups: groups.append({"params": [leaf()], "lr": 0.1}),
}


@pytest.mark.parametrize("method", ["step", "state_dict", "load_state_dict"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_parameters_changed_behind_the_back_of_the_optimiser(change, method):
    optimizer, weights = trained()
    arguments = [optimizer.state_dict()] if method == "load_state_dict" else []
    before = [w.tolist() for w in weights]
    change(optimizer.param_groups)
    assert refusal(errors.ArgumentError, lambda: getattr(optimizer, method)(*arguments)) == (
        f"Adam.{method} needs the parameters that it was given, but those in param_groups were changed\n"
        "  hint  use add_param_group, or make a new optimiser"
    )
    assert [w.tolist() for w in weights] == before
    assert [entry["step"] for entry in optimizer.state.values()] == [1, 1]


# Parameters ---------------------------------------------------------------------------------------------

TENSOR = "shape (2,), float32, cpu"
ONCE = "an iterator such as model.parameters() gives its tensors only once: was it used before?"
PLAIN = tgl.Tensor([1.0, 2.0])
RESULT = leaf() * 2
X = leaf()
TWICE = (
    f" needs every parameter once, but one occurs twice\n  parameter  {TENSOR}\n"
    "  hint       a layer used twice is trained once: list(dict.fromkeys(parameters)) leaves repeats out"
)
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
        TWICE,
    ),
    (
        errors.ArgumentError,
        [{"params": [X]}, {"params": X}],
        TWICE,
    ),
    (
        errors.ArgumentError,
        [{"lr": 0.1}],
        (
            " needs 'params' in param_groups[0]\n  group  {'lr': 0.1}\n"
            '  hint   a group is a dictionary like {"params": layer.parameters(), "lr": 0.01}'
        ),
    ),
    (
        errors.DTypeError,
        X,
        f" needs a list of tensors, but got one tensor\n  params  {TENSOR}\n  hint    pass [tensor]",
    ),
    (
        errors.DTypeError,
        {X},
        " needs an ordered collection of tensors, but params is a set\n  hint  pass a list, which has an order",
    ),
    (
        errors.DTypeError,
        3,
        " needs an ordered collection of tensors, but params is a int\n  hint  pass a list, which has an order",
    ),
    (
        errors.DTypeError,
        [{"params": [X]}, X],
        (
            " needs groups throughout, but params[1] is no dictionary\n"
            '  hint  put the others into a group of their own: {"params": [...]}'
        ),
    ),
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
        (
            errors.DTypeError,
            [y],
            f'{name} needs a dictionary\n  group  [{y!r}]\n  hint   pass {{"params": [...]}}',
        ),
        (
            errors.ArgumentError,
            {"params": [x]},
            f"{name}{TWICE}",
        ),
        (
            errors.ArgumentError,
            {"params": [y], "lr": -1},
            f"{name} needs param_groups[1]['lr'] to be {NON_NEGATIVE}, but got -1{CLIMB}",
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
    (put("param_groups", value=5), "needs a list as 'param_groups' and a dictionary as 'state'"),
    (put("state", value=[]), "needs a list as 'param_groups' and a dictionary as 'state'"),
    (put("param_groups", 1, value=3), "needs a dictionary with 'params' as param_groups[1]"),
    (put("param_groups", 1, "params", value=1), "needs a list of numbers as param_groups[1]['params']"),
    (put("param_groups", 1, "params", value=[[1]]), "needs a list of numbers as param_groups[1]['params']"),
    (put("param_groups", 1, "params", value=[0]), "needs every parameter once, but the groups number them [0, 0]"),
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
    (put("state", 1, "step", value=math.inf), "needs the number of steps as state[1]['step']"),
    (put("state", 1, "step", value=2.5), "needs the number of steps as state[1]['step']"),
    (put("state", 1, "step", value="two"), "needs the number of steps as state[1]['step']"),
    (
        put("state", 1, "exp_avg", value=[[1.0], [1.0, 2.0]]),
        (
            "needs numbers in the shape of the parameter as state[1]['exp_avg']\n"
            "  parameter  shape (1,), float32, cpu\n"
            "  exp_avg    shape (), object, cpu"
        ),
    ),
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
    assert text == f"Adam.load_state_dict needs param_groups[1]['lr'] to be {NON_NEGATIVE}, but got -1{CLIMB}"


# Clipping -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda x: optim.clip_grad_norm_([x], -1), "clip_grad_norm_ needs max_norm to be a number >= 0, or inf"),
        (lambda x: optim.clip_grad_norm_([x], "1"), "clip_grad_norm_ needs max_norm to be a number >= 0, or inf"),
        (lambda x: optim.clip_grad_norm_([x], math.nan), "clip_grad_norm_ needs max_norm to be a number >= 0, or inf"),
        (lambda x: optim.clip_grad_norm_([x], 1, 0), "clip_grad_norm_ needs norm_type to be a number above 0, or inf"),
        (lambda x: optim.clip_grad_value_([x], -1), "clip_grad_value_ needs clip_value to be a finite number >= 0"),
        (lambda x: optim.get_total_norm([x], -1), "get_total_norm needs norm_type to be a number above 0, or inf"),
    ],
)
def test_clipping_with_an_argument_out_of_range(call, text):
    x = leaf()
    (x * x).sum().backward()
    found = refusal(errors.ArgumentError, lambda: call(x))
    hint = TEXT.format("max_norm") if "'1'" in found else ""
    assert re.fullmatch(re.escape(text) + r", but got ('1'|0|-1|nan)" + re.escape(hint), found)
    assert x.grad.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("name, clip", [(n, getattr(optim, n)) for n in ("clip_grad_norm_", "clip_grad_value_")])
def test_clipping_nothing_because_a_generator_was_used_before(name, clip):
    x = leaf()
    (x * x).sum().backward()
    parameters = (parameter for parameter in [x])
    clip(parameters, 100.0)
    assert refusal(errors.ArgumentError, lambda: clip(parameters, 1.0)) == (
        f"{name} needs at least one parameter, but got none\n"
        "  hint  a generator such as model.parameters() can be used once only: pass a list, or call it again"
    )


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
    assert refusal(errors.DTypeError, call) == (
        "clip_grad_norm_ needs tensors, but parameters[1] is a int\n  hint  pass model.parameters()"
    )
    call = lambda: optim.clip_grad_norm_(3, 1.0)
    assert refusal(errors.DTypeError, call) == (
        "clip_grad_norm_ needs an ordered collection of tensors, but parameters is a int\n"
        "  hint  pass a list, which has an order"
    )
    call = lambda: optim.get_total_norm({X})
    assert refusal(errors.DTypeError, call) == (
        "get_total_norm needs an ordered collection of tensors, but tensors is a set\n"
        "  hint  pass a list, which has an order"
    )
    call = lambda: optim.clip_grad_value_([RESULT], 1.0)
    assert refusal(errors.GradientError, call) == (
        f"clip_grad_value_ needs leaves, not results of operations\n  parameters[0]  {TENSOR}\n"
        "  hint           pass model.parameters()"
    )
    call = lambda: optim.get_total_norm([leaf(), tgl.Tensor([1, 2])])
    assert refusal(errors.DTypeError, call) == (
        "get_total_norm needs tensors of floats\n"
        "  tensors[1]  shape (2,), int64, cpu\n"
        "  hint        of gradients: [p.grad for p in model.parameters() if p.grad is not None]"
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
