"""Corner cases of gradients, hooks and dtypes that are easily got wrong."""

from __future__ import annotations

import numpy as np
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors
from tinygrad_lite.autograd import transforms


def leaf(*values: float) -> Tensor:
    return Tensor(list(values), requires_grad=True)


def test_a_root_that_is_a_leaf_and_is_used_elsewhere_gets_both_shares():
    x = leaf(3.0)
    assert tgl.grad([x, x * x], x).tolist() == [7.0]
    transforms.backward([x, x * x], [None, Tensor([1.0])])
    assert x.grad.tolist() == [7.0]


def test_gradients_of_two_leaves_under_create_graph_are_two_tensors():
    x, z = leaf(1.0), leaf(1.0)
    (x + z).backward(create_graph=True)
    (x + z).backward()
    assert (x.grad.tolist(), z.grad.tolist()) == ([2.0], [2.0])


def test_a_view_of_a_gradient_does_not_change_in_the_next_pass():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    view = x.grad.detach()
    (x * x).sum().backward()
    assert view.tolist() == [2.0, 4.0]


def test_a_saved_gradient_that_was_added_to_is_refused_or_kept():
    x, w = leaf(1.0), leaf(1.0)
    (x * x).backward()
    penalty = (w * x.grad).sum()
    (x * x).backward()
    penalty.backward()
    assert w.grad.tolist() == [2.0]


def test_a_hook_cannot_change_the_dtype_of_a_gradient():
    x = leaf(1.0)
    x.register_hook(lambda g: g.astype("float64"))
    (x * x).sum().backward()
    assert x.grad.dtype == tgl.float32


def test_a_hook_of_a_leaf_that_is_a_root_runs_without_recording():
    x, seen = leaf(1.0), []
    x.register_hook(lambda g: seen.append(tgl.is_grad_enabled()))
    x.backward()
    assert seen == [False]


def test_a_post_accumulate_hook_is_not_called_for_a_tensor_that_is_gone():
    def build() -> Tensor:
        w = leaf(2.0)
        w.register_post_accumulate_grad_hook(lambda p: p.shape)
        return w * w

    build().backward()


def test_functions_of_one_operand_take_python_numbers():
    assert tgl.exp(0.0).item() == 1.0
    assert tgl.negative(2).item() == -2
    assert tgl.abs(-2.5).dtype == tgl.float32


def test_result_type_takes_names():
    assert tgl.result_type("float32", "int64") == tgl.float32


def test_arrays_in_the_other_byte_order_are_converted():
    assert Tensor(np.array([1.0, 2.0], ">f4")).dtype == tgl.float32


def test_nothing_equals_none():
    assert (leaf(1.0) == None) is False  # noqa: E711
    assert None not in [leaf(1.0)]


def test_a_singular_matrix_has_no_derivative_in_words_that_name_the_operation() -> None:
    x = Tensor([[1.0, 2.0], [2.0, 4.0]], dtype="float64", requires_grad=True)
    y = tgl.linalg.slogdet(x)[1]
    text = "slogdet has no derivative here: singular matrix\n  result  shape (), float64, cpu"
    refuses(errors.GradientError, lambda: y.backward(), text)
    assert x.grad is None
    refuses(errors.GradientError, lambda: tgl.jvp(lambda x: tgl.linalg.slogdet(x)[1], x, tgl.ones_like(x)), text)
