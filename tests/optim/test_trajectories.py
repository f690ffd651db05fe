"""Optimisers against PyTorch: the same weights and the same state after hundreds of steps."""

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import optim

pytestmark = pytest.mark.needs("torch")

SHAPES = [(7, 5), (5,), (), (3, 1, 4), (33,)]
STEPS = 300

CASES = {
    "sgd": ("SGD", {"lr": 0.05}),
    "sgd, decay": ("SGD", {"lr": 0.05, "weight_decay": 0.01}),
    "sgd, momentum": ("SGD", {"lr": 0.01, "momentum": 0.9}),
    "sgd, momentum, dampening, decay": (
        "SGD",
        {"lr": 0.02, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1},
    ),
    "sgd, nesterov": ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "sgd, nesterov, decay": ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05}),
    "sgd, maximize": ("SGD", {"lr": 0.001, "momentum": 0.5, "maximize": True, "weight_decay": 0.5}),
    "sgd, defaults": ("SGD", {}),
    "adagrad, defaults": ("Adagrad", {}),
    "adagrad, all": (
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.01, "weight_decay": 0.02, "initial_accumulator_value": 0.5, "eps": 1e-6},
    ),
    "adagrad, maximize": ("Adagrad", {"maximize": True}),
    "rmsprop, defaults": ("RMSprop", {}),
    "rmsprop, momentum, decay": ("RMSprop", {"lr": 0.001, "alpha": 0.9, "momentum": 0.9, "weight_decay": 0.01}),
    "rmsprop, centered": ("RMSprop", {"lr": 0.001, "centered": True, "eps": 1e-3}),
    "rmsprop, all": (
        "RMSprop",
        {"lr": 0.001, "centered": True, "momentum": 0.5, "weight_decay": 0.1, "eps": 1e-3, "maximize": True},
    ),
    "adam, defaults": ("Adam", {}),
    "adam, all": ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.01, "maximize": True}),
    "adamw, defaults": ("AdamW", {}),
    "adamw, all": ("AdamW", {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-6, "weight_decay": 0.3}),
}


def both(name, settings, dtype, groups=None):
    """Our optimiser and PyTorch's over equal weights: ``(weights, optimizer)`` twice."""
    import torch

    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape).astype(dtype) for shape in SHAPES]
    ours = [tgl.Tensor(a, requires_grad=True) for a in start]
    theirs = [torch.tensor(a, requires_grad=True) for a in start]
    if groups is None:
        groups = [(range(len(SHAPES)), {})]

    def grouped(weights):
        return [{"params": [weights[i] for i in members], **extra} for members, extra in groups]

    theirs_settings = dict(settings, foreach=False)
    return (
        (ours, getattr(optim, name)(grouped(ours), **settings)),
        (theirs, getattr(torch.optim, name)(grouped(theirs), **theirs_settings)),
    )


def gradients(weights, step):
    """Gradients of a noisy bowl around 1, the same for both sides up to their own rounding."""
    rng = np.random.default_rng(step)
    return [(w - 1) * 0.5 + 0.3 * rng.normal(size=w.shape) for w in weights]


def give(weights, step, present, dtype, tensor):
    """Set the gradients of one step; None where ``present(step, i)`` says so."""
    grads = gradients([w.detach().numpy().astype(np.float64) for w in weights], step)
    for i, (w, g) in enumerate(zip(weights, grads, strict=True)):
        w.grad = tensor(np.asarray(g, dtype)) if present(step, i) else None


def train(ours, theirs, dtype, steps=STEPS, present=lambda step, i: True, between=None):
    """Take the same steps on both sides; each computes the gradients from its own weights."""
    import torch

    (x, a), (y, b) = ours, theirs
    for step in range(steps):
        if between is not None:
            between(step, a, b)
        give(x, step, present, dtype, tgl.Tensor)
        give(y, step, present, dtype, torch.tensor)
        a.step()
        b.step()


def assert_equal(ours, theirs, rtol):
    for w, v in zip(ours[0], theirs[0], strict=True):
        np.testing.assert_allclose(w.detach().numpy(), v.detach().numpy(), rtol=rtol, atol=rtol)
    mine, other = ours[1].state_dict()["state"], theirs[1].state_dict()["state"]
    assert mine.keys() == other.keys()
    for i in mine:
        assert mine[i].keys() == other[i].keys()
        for name, value in mine[i].items():
            np.testing.assert_allclose(np.asarray(value), other[i][name].numpy(), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-12), (np.float32, 2e-5)])
@pytest.mark.parametrize("case", CASES)
def test_hundreds_of_steps_end_where_pytorch_does(case, dtype, rtol):
    ours, theirs = both(*CASES[case], dtype)
    train(ours, theirs, dtype)
    assert_equal(ours, theirs, rtol)


@pytest.mark.parametrize("case", CASES)
def test_groups_with_settings_of_their_own(case):
    name, settings = CASES[case]
    groups = [([0, 3], {"lr": 0.003}), ([1], {"weight_decay": 0.2}), ([4, 2], {})]
    ours, theirs = both(name, settings, np.float64, groups)
    train(ours, theirs, np.float64, 60)
    assert_equal(ours, theirs, 1e-12)


@pytest.mark.parametrize("case", CASES)
def test_parameters_without_a_gradient_are_left_out_with_their_step_count(case):
    ours, theirs = both(*CASES[case], np.float64)
    train(ours, theirs, np.float64, 60, present=lambda step, i: (step // 3 + i) % 3 != 0)

    assert_equal(ours, theirs, 1e-12)


def test_settings_may_change_between_steps():
    def between(step, *optimizers):
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = 0.01 / (1 + step)
            optimizer.param_groups[0]["betas"] = (0.9 - 0.001 * step, 0.99)
            optimizer.param_groups[0]["weight_decay"] = 0.01 * (step % 3)

    ours, theirs = both("Adam", {}, np.float64)
    train(ours, theirs, np.float64, 100, between=between)
    assert_equal(ours, theirs, 1e-12)


@pytest.mark.parametrize("case", CASES)
def test_state_goes_to_pytorch_and_back(case):
    import torch

    name, settings = CASES[case]
    ours, theirs = both(name, settings, np.float64)
    train(ours, theirs, np.float64, 20)
    fresh, fresh_torch = both(name, settings, np.float64)
    for w, v, u in zip(fresh[0], fresh_torch[0], ours[0], strict=True):
        with tgl.no_grad():
            w[...] = u
        v.data = torch.tensor(u.detach().numpy())
    fresh[1].load_state_dict(theirs[1].state_dict())
    state = ours[1].state_dict()
    for entry in state["state"].values():
        for key in entry:
            entry[key] = torch.tensor(np.array(entry[key]))
    for group, full in zip(state["param_groups"], fresh_torch[1].state_dict()["param_groups"], strict=True):
        group.update({key: full[key] for key in full if key not in group})
    fresh_torch[1].load_state_dict(state)
    train(ours, theirs, np.float64, 20)
    train(fresh, fresh_torch, np.float64, 20)
    assert_equal(fresh, fresh_torch, 1e-12)
    for w, u in zip(fresh[0], ours[0], strict=True):
        np.testing.assert_allclose(w.detach().numpy(), u.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW"])
def test_defaults_and_repr_are_those_of_pytorch(name):
    import torch

    weights = [tgl.Tensor([1.0], requires_grad=True)]
    ours = getattr(optim, name)(weights)
    theirs = getattr(torch.optim, name)([torch.ones(1, requires_grad=True)])
    group = theirs.param_groups[0]
    for key in ours.param_groups[0]:
        if key != "params":
            assert ours.param_groups[0][key] == group[key]
    known = {f"    {key}:" for key in group if key not in ours.param_groups[0]}
    lines = [line for line in repr(theirs).splitlines() if not line.startswith(tuple(known))]
    assert repr(ours).splitlines() == lines
