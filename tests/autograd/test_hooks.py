"""Hooks on gradients: when they run, in which order, and what they may do."""

from __future__ import annotations

import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.errors import GradientError


def leaf(*values: float) -> Tensor:
    return Tensor(list(values), requires_grad=True)


def test_hooks_run_in_the_order_of_registration_and_each_sees_what_the_one_before_made():
    x, seen = leaf(1.0), []

    def hook(factor):
        def scale(g):
            seen.append((factor, g.item()))
            return g * factor

        return scale

    x.register_hook(hook(10.0))
    x.register_hook(hook(3.0))
    (x * 2.0).backward()
    assert seen == [(10.0, 2.0), (3.0, 20.0)]
    assert x.grad.tolist() == [60.0]


def test_a_hook_that_returns_nothing_changes_nothing():
    x = leaf(1.0)
    x.register_hook(lambda g: None)
    (x * 2.0).backward()
    assert x.grad.tolist() == [2.0]


def test_a_removed_hook_does_not_run_and_may_be_removed_twice():
    x = leaf(1.0)
    handle, other = x.register_hook(lambda g: g * 10.0), x.register_hook(lambda g: g * 3.0)
    handle.remove()
    handle.remove()
    (x * 2.0).backward()
    assert x.grad.tolist() == [6.0]
    other.remove()


def test_a_hook_may_remove_itself_while_it_runs():
    x, handles, runs = leaf(1.0), [], []

    def once(g):
        runs.append(1)
        handles[0].remove()

    handles.append(x.register_hook(once))
    x.register_hook(lambda g: g * 5.0)
    (x * 2.0).backward()
    (x * 2.0).backward()
    assert runs == [1]
    assert x.grad.tolist() == [20.0]


def test_a_leafs_hook_runs_once_on_the_sum_of_all_uses():
    x, seen = leaf(3.0), []
    x.register_hook(lambda g: seen.append(g.item()))
    (x * x + tgl.exp(x * 0.0) * x).sum().backward()
    assert seen == [7.0]


def test_a_hook_on_an_intermediate_result_changes_what_flows_on():
    x = leaf(2.0)
    middle = x * 3.0
    middle.register_hook(lambda g: g * 100.0)
    (middle * middle).backward()
    assert x.grad.tolist() == [3600.0]


def test_a_hook_on_one_output_of_several():
    x = leaf(1.0, 5.0, 3.0)
    values, _ = tgl.topk(x * 1.0, 2)
    values.retain_grad()
    values.register_hook(lambda g: g * 10.0)
    values.sum().backward()
    assert x.grad.tolist() == [0.0, 10.0, 10.0]
    assert values.grad.tolist() == [10.0, 10.0]


def test_grad_runs_the_hooks_of_the_inputs_too():
    x = leaf(2.0)
    x.register_hook(lambda g: g * 10.0)
    assert tgl.grad(x * x, x).tolist() == [40.0]


def test_a_leafs_gradient_is_final_when_its_last_use_was_visited_not_at_the_end():
    order: list[str] = []
    layers = [leaf(1.0) for _ in range(3)]
    h = Tensor([1.0])
    for i, w in enumerate(layers):
        w.register_hook(lambda g, i=i: order.append(f"w{i} final"))
        w.register_post_accumulate_grad_hook(lambda p, i=i: order.append(f"w{i} kept"))
        h = h * w
        h.register_hook(lambda g, i=i: order.append(f"h{i}"))
    (h * 1.0).backward()
    assert order == [
        *("h2", "w2 final", "w2 kept"),
        *("h1", "w1 final", "w1 kept"),
        *("h0", "w0 final", "w0 kept"),
    ]


def test_a_shared_leaf_waits_for_its_oldest_use():
    order: list[str] = []
    w = leaf(1.0)
    h = w * 2.0
    h.register_hook(lambda g: order.append("oldest use"))
    y = (h * 3.0) * w
    y.register_hook(lambda g: order.append("youngest use"))
    w.register_hook(lambda g: order.append("leaf"))
    y.backward()
    assert order == ["youngest use", "oldest use", "leaf"]


def test_a_leaf_behind_an_operation_that_no_gradient_reaches_is_not_waited_for():
    x, order = leaf(1.0, 2.0), []
    values, indices = tgl.topk(x, 1)
    x.register_hook(lambda g: order.append("x"))
    (tgl.take_along_axis(x * 1.0, indices, axis=0) * 2.0).sum().backward()
    assert order == ["x"]
    assert x.grad.tolist() == [0.0, 2.0]
    assert values.requires_grad


def test_post_accumulate_hooks_see_the_tensor_with_its_gradient_in_place():
    x, seen = leaf(1.0), []
    handle = x.register_post_accumulate_grad_hook(lambda p: seen.append((p is x, p.grad.tolist())))
    (x * 2.0).backward()
    (x * 2.0).backward()
    handle.remove()
    (x * 2.0).backward()
    assert seen == [(True, [2.0]), (True, [4.0])]


def test_an_optimiser_may_step_in_a_post_accumulate_hook():
    x = leaf(1.0)

    def step(p):
        with tgl.no_grad():
            p -= 0.5 * p.grad
        p.grad = None

    x.register_post_accumulate_grad_hook(step)
    (x * 2.0).sum().backward()
    assert x.tolist() == [0.0]
    assert x.grad is None


def test_retain_grad_keeps_the_gradient_of_an_intermediate_result():
    x = leaf(2.0)
    middle = x * 3.0
    assert middle.grad is None
    middle.retain_grad()
    (middle * middle).backward()
    assert middle.grad.tolist() == [12.0]
    x.retain_grad()  # a leaf keeps it anyway
    assert x.grad.tolist() == [36.0]


def test_under_create_graph_hooks_take_part_in_the_derivative():
    x = leaf(2.0)
    x.register_hook(lambda g: g * g)
    first = tgl.grad((x * x).sum(), x, create_graph=True)
    assert first.tolist() == [16.0]
    assert tgl.grad(first.sum(), first).tolist() == [1.0]


def test_an_exception_in_a_hook_comes_out_and_leaves_the_mode_and_the_leaf_as_they_were():
    x = leaf(1.0)

    def broken(g):
        assert not tgl.is_grad_enabled()
        raise ZeroDivisionError("from the hook")

    x.register_hook(broken)
    with pytest.raises(ZeroDivisionError, match="from the hook"):
        (x * x).sum().backward()
    assert tgl.is_grad_enabled()
    assert x.grad is None


def test_what_hooks_refuse():
    x = leaf(1.0)
    x.register_hook(lambda g: 3.0)
    assert refusal(GradientError, lambda: (x * x).backward()) == (
        "hook must return None or a tensor of the gradient's shape\n"
        "  gradient  shape (1,), float32, cpu\n"
        "  returned  3.0"
    )
    assert refusal(GradientError, lambda: Tensor(1.0).register_hook(print)) == (
        "register_hook needs a tensor that requires a gradient\n"
        "  tensor  shape (), float32, cpu\n"
        "  hint    call requires_grad_() on it, or on what it is computed from, first"
    )
    assert refusal(GradientError, lambda: Tensor(1.0).retain_grad()) == (
        "retain_grad needs a tensor that requires a gradient\n"
        "  tensor  shape (), float32, cpu\n"
        "  hint    call requires_grad_() on it, or on what it is computed from, first"
    )
    assert refusal(GradientError, lambda: (x * 2.0).register_post_accumulate_grad_hook(print)) == (
        "register_post_accumulate_grad_hook needs a leaf that requires a gradient\n"
        "  tensor  shape (1,), float32, cpu\n"
        "  hint    call requires_grad_() on a leaf first; results of operations have register_hook"
    )
