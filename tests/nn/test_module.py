"""Module: what it finds among its attributes, in which order, and what it refuses."""

import copy
import gc
import weakref

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors, nn


class MLP(nn.Module):
    """Layers in a list, a buffer and a scale of its own."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter([2.0])
        self.register_buffer("mean", Tensor([0.5]))
        self.layers = nn.ModuleList([nn.Linear(4, 3), nn.Linear(3, 2)])
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.norm(x) * self.scale


def values(module):
    return {name: tensor.numpy().copy() for name, tensor in module.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


# Parameter ------------------------------------------------------------------------------------------------


def test_a_parameter_is_a_leaf_that_owns_its_memory():
    data = np.ones(3, np.float32)
    p = nn.Parameter(data)
    data[0] = 7.0
    assert p.requires_grad
    assert p.is_leaf
    assert isinstance(p, Tensor)
    assert p.tolist() == [1.0, 1.0, 1.0]
    assert not hasattr(p, "__dict__")
    assert type(p * 2) is Tensor


def test_the_gradient_of_a_parameter_can_be_switched_off_and_on():
    p = nn.Parameter([1.0, 2.0])
    p.requires_grad = False
    assert (p * p).requires_grad is False
    p.requires_grad = True
    (p * p).sum().backward()
    assert p.grad.tolist() == [2.0, 4.0]


@pytest.mark.parametrize(
    "p, text",
    [
        (nn.Parameter([1.0]), "Parameter([1.], requires_grad=True)"),
        (nn.Parameter([1.0], requires_grad=False), "Parameter([1.])"),
        (
            nn.Parameter(np.eye(2)),
            "Parameter([[1., 0.],\n           [0., 1.]], dtype=float64, requires_grad=True)",
        ),
    ],
)
def test_the_repr_of_a_parameter(p, text):
    assert repr(p) == text


def test_an_integer_parameter_is_refused():
    text = (
        "Parameter needs a floating-point tensor\n  tensor  shape (2,), int64, cpu\n  hint    convert with astype first"
    )
    refuses(errors.GradientError, lambda: nn.Parameter([1, 2]), text)


# What a module finds --------------------------------------------------------------------------------------


def test_names_come_in_the_order_of_assignment_own_before_children():
    model = MLP()
    assert [name for name, _ in model.named_parameters()] == [
        "scale",
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "layers.1.bias",
        "norm.weight",
        "norm.bias",
    ]
    assert [name for name, _ in model.named_buffers()] == [
        "mean",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
    ]
    assert [name for name, _ in model.named_modules()] == ["", "layers", "layers.0", "layers.1", "norm"]
    assert [name for name, _ in model.named_children()] == ["layers", "norm"]
    assert list(model.children()) == [model.layers, model.norm]
    assert [name for name, _ in model.named_parameters("m", recurse=False)] == ["m.scale"]
    assert len(list(model.parameters())) == 7
    assert len(list(model.buffers())) == 4


def test_reassigning_and_deleting_change_what_is_found():
    layer = nn.Linear(2, 2)
    layer.weight = nn.Parameter(np.zeros((2, 2), np.float32))
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    assert layer.get_parameter("weight") is layer.weight
    del layer.weight
    assert [name for name, _ in layer.named_parameters()] == ["bias"]
    layer.bias = None
    assert list(layer.parameters()) == []
    layer.bias = nn.Parameter([1.0, 1.0])
    assert list(layer.state_dict()) == ["bias"]


def test_a_deleted_buffer_is_gone_and_its_name_is_free():
    module = nn.Module()
    module.register_buffer("mean", Tensor([1.0]))
    del module.mean
    assert list(module.named_buffers()) == []
    module.mean = "text"
    assert module.mean == "text"


def test_a_parameter_takes_the_place_of_a_buffer_of_its_name():
    module = nn.Module()
    module.register_buffer("mean", Tensor([1.0]))
    module.mean = nn.Parameter([1.0])
    assert list(module.named_buffers()) == []
    assert list(module.state_dict()) == ["mean"]


def test_a_buffer_may_be_kept_out_of_the_state():
    module = nn.Module()
    module.register_buffer("kept", Tensor([1.0]))
    module.register_buffer("derived", Tensor([1.0]), persistent=False)
    module.register_buffer("absent", None)
    assert [name for name, _ in module.named_buffers()] == ["kept", "derived"]
    assert list(module.state_dict()) == ["kept"]


def test_shared_parameters_and_modules_count_once():
    tied = nn.Linear(3, 3)
    model = nn.Sequential(tied, nn.ReLU(), tied)
    model.add_module("extra", nn.Linear(3, 3))
    model.extra.weight = tied.weight
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "extra.bias"]
    every = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    assert every == ["0.weight", "0.bias", "2.weight", "2.bias", "extra.weight", "extra.bias"]
    assert list(model.state_dict()) == every
    assert [name for name, _ in model.named_modules()] == ["", "0", "1", "extra"]
    assert [name for name, _ in model.named_modules(remove_duplicate=False)] == ["", "0", "1", "2", "extra"]


def test_a_deep_copy_is_independent_and_keeps_sharing():
    tied = nn.Linear(2, 2)
    model = nn.Sequential(tied, tied)
    copied = copy.deepcopy(model)
    assert copied[0] is copied[1]
    assert copied[0].weight is not tied.weight
    assert copied[0].weight.requires_grad
    assert isinstance(copied[0].weight, nn.Parameter)
    before = values(model)
    with tgl.no_grad():
        copied[0].weight[...] = 0.0
    assert same(values(model), before)


def test_a_deep_copy_takes_the_hooks_along():
    layer, seen = nn.ReLU(), []
    layer.register_forward_hook(lambda m, args, output: seen.append(m))
    copied = copy.deepcopy(layer)
    copied(Tensor(1.0))
    layer(Tensor(1.0))
    assert seen == [copied, layer]


def test_a_dropped_model_is_freed_at_once():
    gc.collect()
    gc.disable()
    try:
        model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        weak = weakref.ref(model[0].weight)
        model(tgl.ones((1, 2))).sum().backward()
        del model
        assert weak() is None
    finally:
        gc.enable()


def test_lookups_by_dotted_name():
    model = MLP()
    assert model.get_submodule("layers.1") is model.layers[1]
    assert model.get_submodule("") is model
    assert model.get_parameter("layers.1.bias") is model.layers[1].bias
    text = (
        "get_submodule finds no module 'layers.7' in MLP\n  hint  dict(model.named_modules()) has all of them by name"
    )
    refuses(errors.ArgumentError, lambda: model.get_submodule("layers.7"), text)
    text = (
        "get_parameter finds no parameter 'layers.0.wieght' in MLP\n"
        "  hint  dict(model.named_parameters()) has all of them by name"
    )
    refuses(errors.ArgumentError, lambda: model.get_parameter("layers.0.wieght"), text)


# What a module refuses ------------------------------------------------------------------------------------


def test_a_missing_attribute_names_the_module():
    layer = nn.Linear(2, 2)
    text = "Linear has no attribute 'wieght'\n  hint  did you mean weight?"
    refuses(AttributeError, lambda: layer.wieght, text)
    assert not hasattr(layer, "anything")
    assert getattr(layer, "anything", 3) == 3


def test_init_must_be_called_first():
    class Forgetful(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 2)

    class Lazy(nn.Module):
        def __init__(self):
            pass

    text = "{} is not initialised as a Module\n  hint  call super().__init__() first in __init__"
    refuses(AttributeError, lambda: Forgetful(), text.format("Forgetful"))
    inside = (
        "Lazy is not initialised as a Module\n  in    lazy: Lazy()\n  hint  call super().__init__() first in __init__"
    )
    refuses(AttributeError, lambda: Lazy()(1), inside)
    refuses(AttributeError, lambda: Lazy().register_buffer("x", None), text.format("Lazy"))


def assign(module, name, value):
    setattr(module, name, value)


PROTECTED = "MLP cannot have an attribute 'train', because every MLP has one\n  hint  choose another name"
REFUSED = {
    "a tensor as parameter": (
        lambda m: assign(m, "scale", Tensor([1.0])),
        errors.DTypeError,
        (
            "MLP.scale is a parameter and needs a Parameter or None\n  value  shape (1,), float32, cpu\n"
            "  hint   wrap it: Parameter(value); or write into it under no_grad(): module.scale[...] = value"
        ),
    ),
    "a number as buffer": (
        lambda m: assign(m, "mean", 1.0),
        errors.DTypeError,
        ("MLP.mean is a buffer and needs a tensor or None\n  value  1.0\n  hint   wrap it: Tensor(value)"),
    ),
    "a method's name": (lambda m: assign(m, "train", nn.Linear(1, 1)), errors.ArgumentError, PROTECTED),
    "a method's name for a buffer": (
        lambda m: m.register_buffer("train", None),
        errors.ArgumentError,
        PROTECTED,
    ),
    "a dot": (
        lambda m: m.add_module("a.b", nn.ReLU()),
        errors.ArgumentError,
        (
            "MLP needs an attribute name that is not empty and has no dot, but got 'a.b'\n"
            "  hint  dots stand between the names of modules in a path: use _ instead"
        ),
    ),
    "no name": (
        lambda m: m.register_parameter("", None),
        errors.ArgumentError,
        (
            "MLP needs an attribute name that is not empty and has no dot, but got ''\n"
            "  hint  dots stand between the names of modules in a path: use _ instead"
        ),
    ),
    "a number as name": (
        lambda m: m.add_module(3, nn.ReLU()),
        errors.DTypeError,
        ("MLP needs a string as attribute name, but got 3\n  hint  str(3) makes one of it"),
    ),
    "a taken name": (
        lambda m: m.register_buffer("scale", Tensor(1.0)),
        errors.ArgumentError,
        ("MLP has an attribute 'scale' already\n  hint  choose another name, or assign to it: self.scale = ..."),
    ),
    "no parameter": (
        lambda m: m.register_parameter("p", Tensor([1.0])),
        errors.DTypeError,
        (
            "register_parameter needs a Parameter or None\n"
            "  param  shape (1,), float32, cpu\n"
            "  hint   wrap it: Parameter(value)"
        ),
    ),
    "no tensor": (
        lambda m: m.register_buffer("b", 1),
        errors.DTypeError,
        ("register_buffer needs a tensor or None\n  tensor  1\n  hint    wrap it: Tensor(value)"),
    ),
    "no module": (
        lambda m: m.add_module("m", 1),
        errors.DTypeError,
        "add_module needs a Module or None\n  module  1",
    ),
    "an integer dtype": (
        lambda m: m.to("int32"),
        errors.DTypeError,
        ("to needs a floating-point dtype, but got int32\n  hint  parameters have gradients, which need floats"),
    ),
    "another device": (
        lambda m: m.to("tpu"),
        errors.DeviceError,
        ('to knows the devices "cpu" and "cuda", but got \'tpu\'\n  hint  use device="cpu", or leave it out'),
    ),
    "a mode that is none": (
        lambda m: m.train(1),
        errors.ArgumentError,
        (
            "train needs True or False, but got 1\n"
            "  hint  train() and eval() need no argument; to fit a model, write a loop over the batches"
        ),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_and_nothing_changed(case):
    act, kind, text = REFUSED[case]
    model = MLP()
    before, attributes = values(model), set(vars(model))
    refuses(kind, lambda: act(model), text)
    assert same(values(model), before)
    assert set(vars(model)) == attributes
    assert model.training


def test_a_module_without_forward():
    class Empty(nn.Module):
        pass

    text = "Empty has no forward method\n  in    empty: Empty()\n  hint  define forward(self, x)"
    refuses(errors.ArgumentError, lambda: Empty()(1), text)


# Errors name the path -------------------------------------------------------------------------------------


LINEAR_TEXT = (
    "linear needs x.shape[-1] == weight.shape[1], but 5 != 4\n"
    "  x       shape (2, 5), float32, cpu\n"
    "  weight  shape (3, 4), float32, cpu\n"
    "  bias    shape (3,), float32, cpu\n"
    "  in      {}: Linear(4 -> 3)\n"
    "  hint    in_features=5 fits this x"
)


class Holder(nn.Module):
    """A model that keeps a layer where parameters() does not find it."""

    def __init__(self):
        super().__init__()
        self.hidden_away = [nn.Linear(4, 3)]

    def forward(self, x):
        return self.hidden_away[0](x)


@pytest.mark.parametrize(
    "model, path",
    [
        (nn.Linear(4, 3), "linear"),
        (MLP(), "mlp.layers.0"),
        (nn.Sequential(nn.Identity(), nn.Linear(4, 3)), "sequential.1"),
        (nn.Sequential(nn.Linear(4, 3), nn.ReLU()), "sequential.0"),
        (nn.Sequential(nn.Flatten(), nn.Sequential(MLP())), "sequential.1.0.layers.0"),
        (Holder(), "holder"),
    ],
)
def test_an_error_names_the_path_to_the_layer(model, path):
    refuses(errors.ShapeError, lambda: model(tgl.ones((2, 5))), LINEAR_TEXT.format(path))


def test_other_exceptions_pass_through_untouched():
    class Broken(nn.Module):
        def forward(self, x):
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        nn.Sequential(Broken())(1)


# Changing all of it ---------------------------------------------------------------------------------------


def test_train_and_eval_reach_every_module():
    model = MLP()
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    assert all(module.training for module in model.train().modules())


def test_apply_visits_children_first():
    seen = []
    model = nn.Sequential(nn.Sequential(nn.ReLU()), nn.Tanh())
    assert model.apply(lambda m: seen.append(type(m).__name__)) is model
    assert seen == ["ReLU", "Sequential", "Tanh", "Sequential"]


def test_requires_grad_freezes_and_thaws():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    model(tgl.ones((1, 2))).sum().backward()
    assert model[0].weight.grad is None
    assert model[1].weight.grad is not None
    model.requires_grad_(True)
    assert all(p.requires_grad for p in model.parameters())


def test_zero_grad_drops_or_fills():
    layer = nn.Linear(2, 1)
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad is None
    layer(tgl.ones((1, 2))).sum().backward()
    kept = layer.weight.grad
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0.0, 0.0]]
    assert kept.tolist() == [[1.0, 1.0]]
    layer.zero_grad()
    assert layer.weight.grad is None
    assert layer.bias.grad is None


@pytest.mark.parametrize(
    "change, dtype",
    [
        (lambda m: m.double(), "float64"),
        (lambda m: m.half(), "float16"),
        (lambda m: m.to("float64"), "float64"),
        (lambda m: m.double().float(), "float32"),
        (lambda m: m.to("cpu"), "float32"),
    ],
)
def test_to_changes_floats_and_leaves_counters(change, dtype):
    model = MLP()
    first = model.layers[0].weight
    model(tgl.ones((3, 4))).sum().backward()
    assert change(model) is model
    assert model.layers[0].weight is first
    assert {p.dtype.name for p in model.parameters()} == {dtype}
    assert {p.grad.dtype.name for p in model.parameters()} == {dtype}
    assert model.norm.running_mean.dtype.name == dtype
    assert model.norm.num_batches_tracked.dtype.name == "int64"
    model.zero_grad()
    model(tgl.ones((3, 4)).astype(dtype)).sum().backward()
    assert first.grad.dtype.name == dtype


# Text -----------------------------------------------------------------------------------------------------


def test_the_repr_is_nested():
    assert repr(MLP()) == (
        "MLP(\n  (layers): ModuleList(\n    (0): Linear(4 -> 3)\n    (1): Linear(3 -> 2)\n  )\n"
        "  (norm): BatchNorm1d(2)\n)"
    )


@pytest.mark.parametrize(
    "module, text",
    [
        (nn.Linear(3, 2), "Linear(3 -> 2)"),
        (nn.Linear(3, 2, bias=False), "Linear(3 -> 2, bias=False)"),
        (nn.Flatten(), "Flatten()"),
        (nn.Flatten(0), "Flatten(start_dim=0, end_dim=-1)"),
        (nn.Dropout(0.1), "Dropout(p=0.1)"),
        (nn.Identity(), "Identity()"),
        (nn.ReLU(), "ReLU()"),
        (nn.Softmax(), "Softmax(dim=-1)"),
        (nn.LogSoftmax(1), "LogSoftmax(dim=1)"),
        (nn.BatchNorm1d(3, eps=0.1, momentum=None), "BatchNorm1d(3, eps=0.1, momentum=None)"),
        (nn.CrossEntropyLoss(), "CrossEntropyLoss()"),
        (nn.MSELoss(reduction="sum"), "MSELoss(reduction='sum')"),
        (nn.Sequential(), "Sequential()"),
    ],
)
def test_the_repr_of_layers(module, text):
    assert repr(module) == text
