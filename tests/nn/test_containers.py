"""Sequential, ModuleList and ModuleDict: order, names, and the fused Linear and activation."""

from collections import OrderedDict

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors, nn


def names(module):
    return [name for name, _ in module.named_children()]


def test_sequential_indexes_slices_and_iterates():
    layers = [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)]
    model = nn.Sequential(*layers)
    assert len(model) == 3
    assert list(model) == layers
    assert model[0] is layers[0]
    assert model[-1] is layers[2]
    assert isinstance(model[1:], nn.Sequential)
    assert list(model[1:]) == layers[1:]
    assert names(model[1:]) == ["1", "2"]
    assert getattr(model, "1") is layers[1]
    model[1] = nn.Tanh()
    assert isinstance(model[1], nn.Tanh)
    assert names(model) == ["0", "1", "2"]
    assert model.append(nn.Sigmoid()) is model
    assert names(model) == ["0", "1", "2", "3"]
    del model[1]
    assert names(model) == ["0", "1", "2"]
    assert model[1] is layers[2]


def test_a_slice_can_be_appended_to():
    part = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Tanh())[1:]
    part.append(nn.Sigmoid())
    assert [type(m).__name__ for m in part] == ["ReLU", "Tanh", "Sigmoid"]


def test_sequential_takes_names():
    model = nn.Sequential(OrderedDict(hidden=nn.Linear(2, 3), out=nn.Linear(3, 1)))
    assert list(model.state_dict()) == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert model[0] is model.hidden
    del model[0]
    assert names(model) == ["out"]


def test_an_empty_sequential_is_the_identity():
    x = Tensor([1.0])
    assert nn.Sequential()(x) is x


def test_module_list():
    items = nn.ModuleList([nn.ReLU(), nn.Tanh()])
    items.append(nn.Sigmoid()).extend([nn.Identity()])
    items.insert(1, nn.Softplus())
    assert [type(m).__name__ for m in items] == ["ReLU", "Softplus", "Tanh", "Sigmoid", "Identity"]
    assert names(items) == ["0", "1", "2", "3", "4"]
    assert names(items[3:]) == ["0", "1"]
    del items[1:3]
    assert [type(m).__name__ for m in items] == ["ReLU", "Sigmoid", "Identity"]
    assert names(items) == ["0", "1", "2"]


def test_module_dict():
    heads = nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.Linear(1, 2)})
    heads["c"] = nn.ReLU()
    assert list(heads) == list(heads.keys()) == ["a", "b", "c"]
    assert len(heads) == 3
    assert "a" in heads
    assert "z" not in heads
    assert "training" not in heads
    assert [module for _, module in heads.items()] == list(heads.values())
    del heads["a"]
    assert names(heads) == ["b", "c"]
    heads["b"] = nn.Tanh()
    assert isinstance(heads["b"], nn.Tanh)


# Fusion ---------------------------------------------------------------------------------------------------

ACTIVATIONS = [nn.ReLU, nn.Tanh, nn.Sigmoid]


def results(model, x):
    model.zero_grad()
    x = Tensor(x, requires_grad=True)
    y = model(x)
    (y * y).sum().backward()
    return [y.detach().numpy(), x.grad.numpy(), *(p.grad.numpy() for p in model.parameters())]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_fused_and_separate_agree(activation, bias):
    x = tgl.random.normal((5, 4), dtype="float64").numpy()
    model = nn.Sequential(nn.Linear(4, 3, bias=bias, dtype="float64"), activation())
    fused = results(model, x)
    handle = model[1].register_forward_hook(lambda *args: None)
    separate = results(model, x)
    handle.remove()
    for a, b in zip(fused, separate, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_fused_pair_is_one_operation(activation, monkeypatch):
    monkeypatch.setattr(activation, "forward", None)
    model = nn.Sequential(nn.Linear(4, 3), activation())
    assert model(tgl.ones((1, 4))).shape == (1, 3)


def test_hooks_and_subclasses_are_called_one_by_one():
    class Loud(nn.ReLU):
        def forward(self, x):
            return super().forward(x) + 100.0

    assert nn.Sequential(nn.Linear(1, 1), Loud())(tgl.ones((1, 1))).item() >= 100.0
    for place in (0, 1):
        model, seen = nn.Sequential(nn.Linear(1, 1), nn.ReLU()), []
        model[place].register_forward_hook(lambda m, args, out, seen=seen: seen.append(m))
        model(tgl.ones((1, 1)))
        assert seen == [model[place]]


# Refusals -------------------------------------------------------------------------------------------------

MODEL = nn.Sequential(nn.Linear(2, 1))
REFUSED = {
    "a class": (
        lambda: nn.Sequential(nn.Linear(2, 1), nn.ReLU),
        errors.DTypeError,
        (
            "Sequential needs modules\n"
            "  module  class ReLU\n"
            "  hint    ReLU is a class; with parentheses it makes a module: ReLU(...)"
        ),
    ),
    "a function": (
        lambda: MODEL.append(3),
        errors.DTypeError,
        (
            "Sequential needs modules\n"
            "  module  3\n"
            "  hint    layers and activations are modules, such as nn.Linear(8, 2) and nn.ReLU()"
        ),
    ),
    "an index": (
        lambda: MODEL[1],
        errors.IndexingError,
        ("Sequential has 1 modules, but got index 1\n  hint  indices go from 0 to 0, -1 is the last"),
    ),
    "a text": (
        lambda: MODEL["0"],
        errors.DTypeError,
        (
            "Sequential needs an integer or a slice as index, but got '0'\n"
            "  hint  modules by name are found with getattr(model, name) or get_submodule(path)"
        ),
    ),
    "a key": (
        lambda: nn.ModuleDict({"a": nn.ReLU()})["b"],
        errors.IndexingError,
        ("ModuleDict has no module 'b'; it has a\n  hint  modules[name] = module adds one"),
    ),
    "a method's name": (
        lambda: nn.ModuleDict({"keys": nn.ReLU()}),
        errors.ArgumentError,
        "ModuleDict cannot have an attribute 'keys', because every ModuleDict has one\n  hint  choose another name",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    act, kind, text = REFUSED[case]
    refuses(kind, act, text)
    assert names(MODEL) == ["0"]
