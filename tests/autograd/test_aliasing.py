"""Memory that two tensors could share by accident: leaves made of views, gradients, hooks, frozen leaves."""

from __future__ import annotations

import numpy as np

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, nn, optim


def leaf(*values: float) -> Tensor:
    return Tensor(list(values), requires_grad=True)


def test_a_detached_leaf_made_a_leaf_again_has_memory_of_its_own():
    w = leaf(1.0, 2.0)
    d = w.detach().requires_grad_()
    y = (d * d).sum()
    with tgl.no_grad():
        w += 10
    y.backward()
    assert (d.tolist(), d.grad.tolist()) == ([1.0, 2.0], [2.0, 4.0])
    with tgl.no_grad():
        d += 5
    assert w.tolist() == [11.0, 12.0]


def test_a_view_made_a_leaf_has_memory_of_its_own():
    w = leaf(1.0, 2.0)
    with tgl.no_grad():
        v = w[0]
        v.requires_grad = True
        w += 10
    assert v.item() == 1.0


def test_a_gradient_made_a_leaf_does_not_change_in_the_next_pass():
    w = leaf(1.0, 2.0)
    optimizer = optim.SGD([w], lr=0.0)
    (w * w).sum().backward()
    g = w.grad.detach().requires_grad_()
    optimizer.zero_grad()
    (w * 3).sum().backward()
    assert g.tolist() == [2.0, 4.0]


def test_a_leaf_returned_by_a_hook_is_copied():
    x, w = leaf(1.0, 2.0), leaf(5.0, 6.0)
    y = x * 1.0
    y.register_hook(lambda g: w)
    found = tgl.grad(y.sum(), y)
    with tgl.no_grad():
        w += 100
    assert found.tolist() == [5.0, 6.0]


def test_an_assignment_inside_a_hook_does_not_change_the_gradient():
    x = leaf(1.0, 2.0)

    def hook(g: Tensor) -> None:
        g[0] = 100.0

    x.register_hook(hook)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_a_frozen_leaf_shows_its_gradient_and_zero_grad_clears_it():
    for clear in (lambda p: optim.SGD(p.parameters(), lr=1.0).zero_grad(), lambda p: p.zero_grad()):
        model = nn.Linear(2, 1)
        model(tgl.ones((1, 2))).sum().backward()
        model.weight.requires_grad = False
        assert model.weight.grad.tolist() == [[1.0, 1.0]]
        model.weight.requires_grad = True
        clear(model)
        assert model.weight.grad is None


def test_an_optimizer_clears_the_gradient_of_a_parameter_that_was_frozen():
    p, q = leaf(1.0), leaf(1.0)
    optimizer = optim.SGD([p, q], lr=1.0)
    (p * 3 + q).sum().backward()
    p.requires_grad = False
    optimizer.zero_grad()
    p.requires_grad = True
    assert p.grad is None


def test_augmented_assignments_write_a_leaf_in_place():
    w = Tensor(np.full((2, 2), 3.0), requires_grad=True)
    same = w
    with tgl.no_grad():
        w **= 2
        assert (same is w, w.tolist()) == (True, [[9.0, 9.0], [9.0, 9.0]])
        w @= Tensor(np.eye(2) * 2)
    assert (same is w, w.tolist(), w.requires_grad) == (True, [[18.0, 18.0], [18.0, 18.0]], True)


def test_the_first_half_of_a_split_backward_leaves_the_second_to_run():
    x = leaf(0.5, 0.3)
    h = x.tanh()
    h2 = h.exp()
    y = (h2 * h2).sum()
    g = tgl.grad(y, h2)
    h2.backward(g)
    expected = tgl.grad((x.tanh().exp() ** 2).sum(), x)
    np.testing.assert_allclose(x.grad.numpy(), expected.numpy(), rtol=1e-6)


def test_backward_through_an_assignment_to_a_0d_tensor():
    x = Tensor(2.0, requires_grad=True)
    y = x * 3
    y[...] = 5.0
    z = y * 1 + x
    z.backward()
    assert (y.item(), x.grad.item()) == (5.0, 1.0)


def test_a_tangent_that_reaches_a_condition_only_is_zero():
    def f(x: Tensor) -> Tensor:
        return tgl.where(x > 0, Tensor([1.0, 2.0]), Tensor([3.0, 4.0])) * x

    _, tangent = tgl.jvp(f, Tensor([1.0, -1.0]), Tensor([1.0, 1.0]))
    assert tangent.tolist() == [1.0, 4.0]


def test_float16_sums_do_not_stall_at_2048():
    ones = Tensor(np.ones((4096, 2), np.float16))
    assert ones.sum(0).tolist() == [4096.0, 4096.0]
    assert tgl.cumulative_sum(ones, axis=0)[-1].tolist() == [4096.0, 4096.0]
    bias = Tensor(np.zeros(2, np.float16), requires_grad=True)
    (ones + bias).sum().backward()
    assert (bias.grad.tolist(), bias.grad.dtype.name) == ([4096.0, 4096.0], "float16")


def test_np_array_keeps_the_dtype():
    for dtype in ("float32", "int64", "bool"):
        t = tgl.ones(2, dtype=dtype)
        assert np.array(t).dtype == np.asarray(t).dtype == np.dtype(dtype)
        assert np.array(t).flags.writeable


def test_formatting_a_loss():
    assert f"{Tensor(0.12345):.3f} {Tensor([2]):d}" == "0.123 2"


def test_linear_on_permuted_batches_applies_bias_and_activation():
    rng = np.random.default_rng(0)
    x = Tensor(rng.standard_normal((2, 3, 4, 5))).permute_dims((2, 0, 1, 3))
    w, b = Tensor(rng.standard_normal((6, 5)), requires_grad=True), Tensor(np.ones(6), requires_grad=True)
    fused = tgl.linear(x, w, b, activation="relu")
    text = tgl.relu(x @ w.T + b)
    np.testing.assert_allclose(fused.detach().numpy(), text.detach().numpy(), rtol=1e-12)
    for one, other in zip(tgl.grad(fused.sum(), (w, b)), tgl.grad(text.sum(), (w, b)), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-12)
