"""Activations as modules: values, gradients, names and texts are those of PyTorch's modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, nn
from tinygrad_lite.nn import functional

#: made from our ``nn`` and from PyTorch's
MODULES: list[tuple[str, Callable[[Any], Any]]] = [
    ("ReLU", lambda m: m.ReLU()),
    ("Tanh", lambda m: m.Tanh()),
    ("Sigmoid", lambda m: m.Sigmoid()),
    ("ReLU6", lambda m: m.ReLU6()),
    ("Hardsigmoid", lambda m: m.Hardsigmoid()),
    ("Hardswish", lambda m: m.Hardswish()),
    ("SELU", lambda m: m.SELU()),
    ("LogSigmoid", lambda m: m.LogSigmoid()),
    ("SiLU", lambda m: m.SiLU()),
    ("Mish", lambda m: m.Mish()),
    ("Softsign", lambda m: m.Softsign()),
    ("Tanhshrink", lambda m: m.Tanhshrink()),
    ("Threshold", lambda m: m.Threshold(0.1, 20)),
    ("Hardtanh", lambda m: m.Hardtanh()),
    ("Hardtanh with bounds", lambda m: m.Hardtanh(-2, 0.5)),
    ("Hardtanh by name", lambda m: m.Hardtanh(max_val=2.0, min_val=-0.5)),
    ("LeakyReLU", lambda m: m.LeakyReLU()),
    ("LeakyReLU with a slope", lambda m: m.LeakyReLU(negative_slope=0.2)),
    ("PReLU", lambda m: m.PReLU()),
    ("PReLU per channel", lambda m: m.PReLU(4, init=0.1)),
    ("RReLU in evaluation", lambda m: m.RReLU().eval()),
    ("RReLU with bounds, in evaluation", lambda m: m.RReLU(lower=0.2, upper=0.6).eval()),
    ("Softshrink", lambda m: m.Softshrink()),
    ("Softshrink with a width", lambda m: m.Softshrink(lambd=0.9)),
    ("Hardshrink", lambda m: m.Hardshrink()),
    ("Hardshrink with a width", lambda m: m.Hardshrink(0.9)),
    ("ELU", lambda m: m.ELU()),
    ("ELU with alpha", lambda m: m.ELU(alpha=2.0)),
    ("CELU", lambda m: m.CELU()),
    ("CELU with alpha", lambda m: m.CELU(2)),
    ("Softplus", lambda m: m.Softplus()),
    ("Softplus with settings", lambda m: m.Softplus(beta=2, threshold=1)),
    ("GELU", lambda m: m.GELU()),
    ("GELU by tanh", lambda m: m.GELU(approximate="tanh")),
    ("GLU", lambda m: m.GLU()),
    ("GLU of the channels", lambda m: m.GLU(dim=1)),
    ("Softmax", lambda m: m.Softmax(dim=1)),
    ("LogSoftmax", lambda m: m.LogSoftmax(dim=-1)),
    ("Softmin", lambda m: m.Softmin(dim=1)),
    ("Softmax2d", lambda m: m.Softmax2d()),
]
DATA = np.random.default_rng(0).normal(size=(3, 4, 2, 6)) * 2
WEIGHTS = np.random.default_rng(1).normal(size=DATA.shape)


def through(module: Any, x: Any, weigh: Callable[[np.ndarray], Any]) -> list[Any]:
    """The result, the gradient of a weighted sum of it in x, and those in the parameters."""
    y = module(x)
    (y * weigh(WEIGHTS[tuple(slice(n) for n in y.shape)])).sum().backward()
    return [y.detach(), x.grad, *(p.grad for p in module.parameters())]


@pytest.mark.needs("torch")
@pytest.mark.parametrize("name, make", MODULES, ids=[name for name, _ in MODULES])
def test_values_and_gradients_are_pytorchs(name: str, make: Callable[[Any], Any]) -> None:
    import torch

    ours = through(make(nn).double(), Tensor(DATA, requires_grad=True), Tensor)
    theirs = through(make(torch.nn).double(), torch.tensor(DATA, requires_grad=True), torch.tensor)
    assert len(ours) == len(theirs)
    # PyTorch has 1/6 in single precision in the gradient of its Hardsigmoid.
    tolerance = 1e-7 if name == "Hardsigmoid" else 1e-12
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("name, make", MODULES, ids=[name for name, _ in MODULES])
def test_a_module_prints_as_pytorchs_and_has_its_state(name: str, make: Callable[[Any], Any]) -> None:
    import torch

    mine, other = make(nn), make(torch.nn)
    assert repr(mine) == repr(other)
    state = {key: value.tolist() for key, value in mine.state_dict().items()}
    assert state == {key: value.tolist() for key, value in other.state_dict().items()}


@pytest.mark.parametrize("name, make", MODULES, ids=[name for name, _ in MODULES])
def test_a_module_keeps_the_dtype_of_its_operand(name: str, make: Callable[[Any], Any]) -> None:
    for dtype in ("float16", "float32", "float64"):
        y = make(nn).to(dtype)(Tensor(DATA.astype(dtype)))
        assert y.dtype == dtype


def test_the_slopes_of_prelu_travel_by_state_and_learn() -> None:
    layer = nn.PReLU(2)
    assert layer.state_dict()["weight"].tolist() == [0.25, 0.25]
    layer.load_state_dict({"weight": np.array([0.5, -1.0], "float32")})
    x = Tensor([[-1.0, -2.0], [3.0, 4.0]])
    assert layer(x).tolist() == [[-0.5, 2.0], [3.0, 4.0]]
    layer(x).sum().backward()
    assert layer.weight.grad.tolist() == [-1.0, -2.0]
    tgl.optim.SGD(layer.parameters(), lr=0.5).step()
    assert layer.weight.tolist() == [1.0, 0.0]
    layer.reset_parameters()
    assert layer.weight.tolist() == [0.25, 0.25]


def test_prelu_has_the_dtype_that_is_asked_for() -> None:
    assert nn.PReLU(3, 0.5, dtype="float64").weight.dtype == "float64"
    assert nn.PReLU().weight.dtype == "float32"


def test_rrelu_draws_in_training_alone() -> None:
    state = tgl.get_rng_state()
    layer, x = nn.RReLU(0.25, 0.75), Tensor(-np.ones(100, "float32"))
    tgl.manual_seed(0)
    first = layer(x).numpy()
    assert len(np.unique(first)) > 90
    assert (first != layer(x).numpy()).any()
    tgl.manual_seed(0)
    np.testing.assert_array_equal(layer(x).numpy(), first)
    layer.eval()
    assert (layer(x).numpy() == -0.5).all()
    assert tgl.get_rng_state() == {"seed": 0, "counter": 1}
    tgl.set_rng_state(state)


def test_softmax2d_takes_one_image_too() -> None:
    np.testing.assert_allclose(nn.Softmax2d()(Tensor(DATA[0])).numpy().sum(0), np.ones((2, 6)), rtol=1e-14)


def test_softmin_is_along_the_last_axis_by_default() -> None:
    np.testing.assert_allclose(nn.Softmin()(Tensor(DATA)).numpy().sum(-1), np.ones((3, 4, 2)), rtol=1e-14)
    assert repr(nn.Softmin()) == "Softmin(dim=-1)"


@pytest.mark.needs("torch")
def test_functional_has_the_names_of_pytorchs_activations() -> None:
    import torch

    assert [name for name in functional.__all__ if not hasattr(torch.nn.functional, name)] == []
    assert all(callable(getattr(functional, name)) for name in functional.__all__)
    for name in ("relu6", "prelu", "logsigmoid", "gelu", "glu", "mish", "softmin", "threshold"):
        assert getattr(functional, name) is getattr(tgl, name)


def test_a_model_of_many_activations_learns() -> None:
    tgl.manual_seed(0)
    model = nn.Sequential(
        *(nn.Linear(3, 8), nn.PReLU(8), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 8), nn.RReLU(), nn.Linear(8, 8)),
        *(nn.GLU(), nn.Linear(4, 4), nn.Mish(), nn.Linear(4, 1), nn.Softplus()),
    )
    x = Tensor(np.random.default_rng(0).normal(size=(32, 3)).astype("float32"))
    target = (x * x).sum(1, keepdims=True)
    optimizer = tgl.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        loss = nn.MSELoss()(model(x), target)
        model.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
