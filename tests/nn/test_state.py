"""state_dict and load_state_dict: copies out, all or nothing in."""

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors, nn


def model():
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))


KEYS = [
    "0.weight",
    "0.bias",
    "1.weight",
    "1.bias",
    "1.running_mean",
    "1.running_var",
    "1.num_batches_tracked",
    "2.weight",
    "2.bias",
]


def test_the_state_has_pytorchs_names_in_its_order():
    assert list(model().state_dict()) == KEYS
    assert list(model().state_dict("m."))[:1] == ["m.0.weight"]


def test_the_state_is_a_copy():
    m = model()
    state = m.state_dict()
    kept = state["0.weight"].tolist()
    assert not state["0.weight"].requires_grad
    with tgl.no_grad():
        m[0].weight[...] = 0.0
    assert state["0.weight"].tolist() == kept
    state["0.bias"][0] = 99.0
    assert m[0].bias[0].item() != 99.0


def test_loading_copies_into_the_parameters_that_are_there():
    source, target = model(), model()
    source(tgl.random.normal((8, 3)))
    parameters = list(target.parameters())
    memory = [p._data for p in parameters]
    result = target.load_state_dict(source.state_dict())
    assert result == ([], [])
    assert result.missing_keys == []
    assert result.unexpected_keys == []
    assert all(p is q for p, q in zip(parameters, target.parameters()))
    assert all(p._data is a for p, a in zip(parameters, memory))
    for name, value in source.state_dict().items():
        assert target.state_dict()[name].tolist() == value.tolist(), name
    with tgl.no_grad():
        source[0].weight[...] = 0.0
    assert target[0].weight.tolist() != source[0].weight.tolist()


def test_numpy_arrays_load_too():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": np.array([[1.0, 2.0]], np.float32), "bias": np.zeros(1, np.float32)})
    assert layer.weight.tolist() == [[1.0, 2.0]]


def test_a_frozen_parameter_loads_and_stays_frozen():
    layer = nn.Linear(2, 1).requires_grad_(False)
    before = layer.weight.detach()
    layer.load_state_dict({"weight": tgl.ones((1, 2)), "bias": tgl.ones(1)})
    assert layer.weight.tolist() == [[1.0, 1.0]] != before.tolist()
    assert not layer.weight.requires_grad


def test_views_of_a_loaded_parameter_keep_their_values():
    layer = nn.Linear(2, 1)
    view, kept = layer.weight.detach(), layer.weight.tolist()
    layer.load_state_dict({"weight": tgl.ones((1, 2)), "bias": tgl.ones(1)})
    assert view.tolist() == kept


def test_a_kept_buffer_keeps_its_value():
    norm = nn.BatchNorm1d(2)
    kept = norm.running_mean
    norm.load_state_dict({name: tgl.ones_like(value) for name, value in norm.state_dict().items()})
    assert norm.running_mean.tolist() == [1.0, 1.0]
    norm.double()
    assert kept.tolist() == [0.0, 0.0]
    assert kept.dtype == tgl.float32


def test_backward_after_loading_into_a_saved_weight_is_an_error():
    layer = nn.Linear(2, 1)
    loss = layer(Tensor([[1.0, 2.0]], requires_grad=True)).sum()
    layer.load_state_dict({"weight": tgl.ones((1, 2)), "bias": tgl.ones(1)})
    with pytest.raises(errors.GradientError):
        loss.backward()


def test_swapping_two_weights_through_views():
    m = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    with tgl.no_grad():
        m[0].weight[...] = 1.0
        m[1].weight[...] = 2.0
    m.load_state_dict({"0.weight": m[1].weight, "1.weight": m[0].weight.detach()})
    assert [m[0].weight.item(), m[1].weight.item()] == [2.0, 1.0]


def test_not_strict_takes_what_fits():
    layer = nn.Linear(2, 1)
    result = layer.load_state_dict({"weight": tgl.ones((1, 2)), "other": tgl.ones(1)}, strict=False)
    assert result == (["bias"], ["other"])
    assert layer.weight.tolist() == [[1.0, 1.0]]


def without(state, *names):
    return {name: value for name, value in state.items() if name not in names}


NEED = "load_state_dict needs the state of this Sequential, but found "
LAX = "\n  hint  strict=False loads the entries that both have, and returns the names of the others"
REFUSED = {
    "missing": (lambda s: without(s, "0.bias"), True, NEED + "missing: 0.bias" + LAX),
    "unexpected": (lambda s: {**s, "3.bias": s["0.bias"]}, True, NEED + "unexpected: 3.bias" + LAX),
    "both": (
        lambda s: {"m." + name: value for name, value in s.items()},
        True,
        NEED + "missing: 0.weight, 0.bias, 1.weight, 1.bias, 1.running_mean and 4 more; unexpected: m.0.weight, "
        "m.0.bias, m.1.weight, m.1.bias, m.1.running_mean and 4 more\n"
        "  hint  was it saved from another model, or under a prefix?",
    ),
    "shape": (
        lambda s: {**s, "2.weight": tgl.ones((2, 1))},
        False,
        NEED + "of another shape or dtype: 2.weight\n"
        "  2.weight                shape (1, 2), float32, cpu\n"
        "  state_dict['2.weight']  shape (2, 1), float32, cpu\n"
        "  hint                    the saved matrices are transposed: Linear.weight is (out_features, in_features)",
    ),
    "dtype": (
        lambda s: {**s, "2.bias": tgl.ones(1, "float64")},
        True,
        NEED + "of another shape or dtype: 2.bias\n"
        "  2.bias                shape (1,), float32, cpu\n"
        "  state_dict['2.bias']  shape (1,), float64, cpu\n"
        '  hint                  convert the module first: module.to("float64")',
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_state_that_does_not_fit_changes_nothing(case):
    change, strict, text = REFUSED[case]
    m = model()
    state = change({name: tgl.ones_like(value) for name, value in m.state_dict().items()})
    before = {name: value.tolist() for name, value in m.state_dict().items()}
    counts = [p._version.count for p in m.parameters()]
    refuses(errors.StateError, lambda: m.load_state_dict(state, strict), text)
    assert {name: value.tolist() for name, value in m.state_dict().items()} == before
    assert [p._version.count for p in m.parameters()] == counts


def test_values_that_are_no_tensors_are_refused():
    layer = nn.Linear(1, 1)
    text = "load_state_dict needs tensors, but 'bias' is none\n  value  1.0\n  hint   make it one: Tensor(value)"
    state = {"weight": tgl.ones((1, 1)), "bias": 1.0}
    refuses(errors.DTypeError, lambda: layer.load_state_dict(state), text)
    text = (
        "load_state_dict needs a mapping of names to tensors\n"
        "  state_dict  3\n"
        "  hint        tensors have names in a dictionary, such as load(path) and model.state_dict() "
        "return"
    )
    refuses(errors.DTypeError, lambda: layer.load_state_dict(3), text)
