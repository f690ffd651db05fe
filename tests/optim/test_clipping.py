"""Clipping: PyTorch's results, accurate norms, in place in the arena and outside."""

import math

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import optim

SHAPES = [(7, 5), (5,), (), (3, 1, 4), (300, 500)]


def params(dtype=np.float32, scale=1.0, arena=False):
    rng = np.random.default_rng(0)
    found = [tgl.Tensor(np.zeros(shape, dtype), requires_grad=True) for shape in SHAPES]
    if arena:
        optim.SGD(found)
    for p in found:
        p.grad = tgl.Tensor((scale * rng.normal(size=p.shape)).astype(dtype))
    return found


def grads(tensors):
    return [p.grad.numpy().copy() for p in tensors]


@pytest.mark.needs("torch")
@pytest.mark.parametrize("arena", [False, True])
@pytest.mark.parametrize("dtype, rtol", [(np.float32, 3e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.5, math.inf])
@pytest.mark.parametrize("max_norm", [0.0, 0.7, 1e9])
def test_clipping_by_norm_is_pytorchs(max_norm, norm_type, dtype, rtol, arena):
    import torch

    ours = params(dtype, arena=arena)
    theirs = [torch.zeros(p.shape, requires_grad=True, dtype=getattr(torch, dtype.__name__)) for p in ours]
    for p, q in zip(ours, theirs, strict=True):
        q.grad = torch.tensor(p.grad.numpy())
    norm = optim.clip_grad_norm_(ours, max_norm, norm_type)
    wanted = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    assert norm.dtype == dtype
    assert norm.item() == pytest.approx(wanted.item(), rel=rtol)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=rtol)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_norm_that_is_not_finite_is_treated_as_in_pytorch(value):
    import torch

    p = tgl.Tensor([0.0, 0.0], requires_grad=True)
    q = torch.zeros(2, requires_grad=True)
    p.grad, q.grad = tgl.Tensor([1.0, value]), torch.tensor([1.0, value])
    norm, wanted = optim.clip_grad_norm_(p, 1.0), torch.nn.utils.clip_grad_norm_(q, 1.0)
    assert np.array_equal(norm.numpy(), wanted.numpy(), equal_nan=True)
    assert np.array_equal(p.grad.numpy(), q.grad.numpy(), equal_nan=True)


@pytest.mark.parametrize("arena", [False, True])
def test_the_direction_stays_and_the_length_is_limited(arena):
    tensors = params(np.float64, arena=arena)
    before = grads(tensors)
    norm = optim.clip_grad_norm_(tensors, 0.5).item()
    assert optim.get_total_norm([p.grad for p in tensors]).item() == pytest.approx(0.5, rel=1e-6)
    for p, g in zip(tensors, before, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), g * (0.5 / (norm + 1e-6)), rtol=1e-12)


@pytest.mark.parametrize("value, norm", [(4.0, 5.0), (math.inf, math.inf), (math.nan, math.nan)])
def test_without_a_limit_the_norm_is_only_measured(value, norm):
    x = tgl.Tensor([0.0, 0.0], requires_grad=True)
    x.grad = tgl.Tensor([3.0, value])
    assert optim.clip_grad_norm_([x], math.inf).item() == pytest.approx(norm, nan_ok=True)
    np.testing.assert_array_equal(x.grad.numpy(), np.array([3.0, value], np.float32))


def test_short_gradients_are_not_touched():
    tensors = params()
    before = grads(tensors)
    optim.clip_grad_norm_(tensors, 1e6)
    assert all(np.array_equal(p.grad.numpy(), g) for p, g in zip(tensors, before, strict=True))


def test_the_norm_in_float32_is_accurate():
    rng = np.random.default_rng(0)
    x = (1 + rng.random(3_000_001)).astype(np.float32)
    exact = math.sqrt(float(np.square(x.astype(np.float64)).sum()))
    assert optim.get_total_norm(tgl.Tensor(x)).item() == pytest.approx(exact, rel=2e-7)


@pytest.mark.parametrize(
    "dtype, size", [(np.float32, 1e30), (np.float32, 1e-30), (np.float64, 1e200), (np.float64, 1e-200)]
)
def test_squares_may_overflow_or_underflow(dtype, size):
    x = np.array([3 * size, -4 * size], dtype)
    assert optim.get_total_norm(tgl.Tensor(x)).item() == pytest.approx(5 * size, rel=1e-6)


def test_the_norm_of_float16_may_pass_its_range():
    norm = optim.get_total_norm(tgl.Tensor(np.full(10_000, 1000, np.float16)))
    assert norm.dtype == np.float32
    assert norm.item() == pytest.approx(1e5, rel=1e-6)


@pytest.mark.parametrize(
    "tensors, norm", [([], 0.0), ([tgl.Tensor(np.zeros((0, 3)))], 0.0), ([tgl.Tensor([0.0])], 0.0)]
)
def test_norms_of_nothing(tensors, norm):
    assert optim.get_total_norm(tensors).item() == norm


def test_parameters_without_a_gradient_are_left_out():
    x, y = tgl.Tensor([1.0], requires_grad=True), tgl.Tensor([1.0], requires_grad=True)
    assert optim.clip_grad_norm_([x, y, tgl.Tensor([1.0])], 1.0).item() == 0.0
    (x * 2).sum().backward()
    assert optim.clip_grad_norm_([x, y], 1.0).item() == 2.0
    assert y.grad is None


def test_a_parameter_given_twice_counts_once():
    x = tgl.Tensor([0.0, 0.0], requires_grad=True)
    x.grad = tgl.Tensor([3.0, 4.0])
    assert optim.clip_grad_norm_([x, x], 1.0).item() == 5.0
    np.testing.assert_allclose(x.grad.numpy(), [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("arena", [False, True])
def test_clipping_by_value(arena):
    tensors = params(arena=arena)
    before = grads(tensors)
    optim.clip_grad_value_(tensors, 0.3)
    for p, g in zip(tensors, before, strict=True):
        assert np.array_equal(p.grad.numpy(), np.clip(g, np.float32(-0.3), np.float32(0.3)))


def test_clipping_by_value_keeps_nan():
    x = tgl.Tensor([0.0, 0.0], requires_grad=True)
    x.grad = tgl.Tensor([math.nan, math.inf])
    optim.clip_grad_value_(x, 1.0)
    assert np.array_equal(x.grad.numpy(), np.array([math.nan, 1.0], np.float32), equal_nan=True)


@pytest.mark.parametrize("arena", [False, True])
def test_gradients_in_an_arena_stay_there(arena):
    x = tgl.Tensor([3.0, 4.0], requires_grad=True)
    optimizer = optim.SGD([x], lr=1.0)
    (x * x).sum().backward()
    optim.clip_grad_norm_([x], 1.0)
    assert x._node.grad._data is x._node.buffer
    optimizer.step()
    np.testing.assert_allclose(x.detach().numpy(), [2.4, 3.2], rtol=1e-6)


@pytest.mark.parametrize("arena", [False, True])
def test_views_of_a_gradient_keep_their_values(arena):
    x = tgl.Tensor([3.0, 4.0], requires_grad=True)
    if arena:
        optim.SGD([x])
    (x * x).sum().backward()
    grad, view = x.grad, x.grad.reshape(2, 1)
    optim.clip_grad_norm_([x], 1.0)
    assert view.tolist() == [[6.0], [8.0]]
    assert x.grad is grad
    np.testing.assert_allclose(grad.numpy(), [0.6, 0.8], rtol=1e-6)


def test_a_recorded_gradient_keeps_its_graph_and_a_clipped_copy_takes_its_place():
    x = tgl.Tensor([2.0], requires_grad=True)
    (x**3).sum().backward(create_graph=True)
    recorded = x.grad
    optim.clip_grad_norm_([x], 1.0)
    assert recorded.tolist() == [12.0]
    assert x.grad.item() == pytest.approx(1.0)
    assert not x.grad.requires_grad
