"""backward and grad: which graphs can be walked, how often, from where and to where."""

from __future__ import annotations

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.errors import ArgumentError, DTypeError, GradientError, ShapeError


def leaf(*values: float) -> Tensor:
    return Tensor(list(values), requires_grad=True)


# --- once, twice, and higher ----------------------------------------------------------------------------


def test_second_backward_names_the_freed_op():
    x = leaf(1.0, 2.0)
    y = (tgl.exp(x) + 0).sum()
    y.backward()
    z = tgl.exp(leaf(3.0)) * 2.0
    z.backward()
    assert refusal(GradientError, lambda: z.backward()) == (
        "backward reached multiply a second time, but its saved values were freed by the first pass\n"
        "  hint  pass retain_graph=True to the first backward, or compute the result again"
    )
    assert x.grad.tolist() == pytest.approx(np.exp([1, 2]), rel=1e-6)


def test_retain_graph_keeps_it_for_another_pass():
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [12.0]
    with pytest.raises(GradientError):
        y.backward()


def test_a_backward_that_is_refused_leaves_every_gradient_as_it_was():
    x, c = leaf(2.0), leaf(5.0)
    middle = x * x
    middle.backward()
    y = middle + c
    with pytest.raises(GradientError):
        y.backward()
    assert c.grad is None
    assert x.grad.tolist() == [4.0]
    assert tgl.grad(y, c).tolist() == [1.0]  # the freed operation is not on the way to c


def test_a_graph_that_saved_nothing_may_be_walked_again():
    x = leaf(1.0)
    y = x + x
    y.backward()
    y.backward()
    assert x.grad.tolist() == [4.0]


def test_the_third_derivative_of_a_fourth_power():
    x = leaf(2.0)
    first = tgl.grad((x * x * x * x).sum(), x, create_graph=True)
    second = tgl.grad(first.sum(), x, create_graph=True)
    third = tgl.grad(second.sum(), x)
    assert [d.item() for d in (first, second, third)] == [32.0, 48.0, 48.0]
    assert not third.requires_grad


def test_backward_under_create_graph_leaves_gradients_that_can_be_differentiated():
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    assert tgl.grad(x.grad.sum(), x).tolist() == [12.0]


def test_create_graph_keeps_the_graph_unless_told_otherwise():
    x = leaf(2.0)
    y = (x * x).sum()
    tgl.grad(y, x, create_graph=True)
    tgl.grad(y, x, create_graph=True, retain_graph=False)
    with pytest.raises(GradientError):
        tgl.grad(y, x)


# --- from where, to where -------------------------------------------------------------------------------


def test_grad_of_an_intermediate_result_and_of_the_output_itself():
    x = leaf(2.0)
    middle = x * 3.0
    y = middle * middle
    assert tgl.grad(y, [middle, x, y], retain_graph=True)[0].tolist() == [12.0]
    assert [g.tolist() for g in tgl.grad(y, (middle, x, y))] == [[12.0], [36.0], [1.0]]
    assert x.grad is None


def test_grad_of_one_output_of_several():
    x = leaf(3.0, 1.0, 2.0)
    values, _ = tgl.topk(x, 2)
    assert tgl.grad((values * values).sum(), [values, x])[0].tolist() == [6.0, 4.0]


def test_grad_of_a_weighted_sum_of_outputs():
    x = leaf(1.0, 2.0)
    found = tgl.grad([x * 2, x * x], x, grad_outputs=[np.array([1.0, 1.0]), [10.0, 100.0]])
    assert found.tolist() == [22.0, 402.0]


def test_one_output_that_another_was_computed_from():
    x = leaf(3.0)
    y = x * 2.0
    z = y * y
    assert tgl.grad([y, z], x).tolist() == [2.0 + 24.0]


def test_unused_inputs_are_refused_or_give_none():
    x, z = leaf(1.0), leaf(1.0)
    assert refusal(GradientError, lambda: tgl.grad((x * x).sum(), [x, z])) == (
        "grad found that the outputs do not depend on inputs[1]\n"
        "  inputs[1]  shape (1,), float32, cpu\n"
        "  hint       pass allow_unused=True to get None for it"
    )
    found = tgl.grad((x * x).sum(), [x, z], allow_unused=True)
    assert found[0].tolist() == [2.0]
    assert found[1] is None


@pytest.mark.parametrize("as_list", [True, False])
def test_backward_to_chosen_leaves_leaves_the_others_alone(as_list):
    x, z = leaf(2.0), leaf(3.0)
    (x * z).backward(inputs=[x] if as_list else x)
    assert x.grad.tolist() == [3.0]
    assert z.grad is None


@pytest.mark.parametrize(
    "gradient, expected",
    [
        ([1.0, 10.0], [2.0, 40.0]),
        (np.array([1, 10]), [2.0, 40.0]),
        (np.array([1.0, 10.0], np.float64), [2.0, 40.0]),
        (Tensor([1.0, 10.0], dtype="float16"), [2.0, 40.0]),
    ],
)
def test_a_gradient_of_any_real_dtype_is_cast_to_the_outputs(gradient, expected):
    x = leaf(1.0, 2.0)
    (x * x).backward(gradient)
    assert x.grad.dtype == tgl.float32
    assert x.grad.tolist() == expected


def test_a_gradient_may_be_a_number_in_the_shape_of_a_0d_output():
    x = Tensor(3.0, requires_grad=True)
    (x * x).backward(0.5)
    assert x.grad.item() == 3.0


@pytest.mark.parametrize(
    "kind, call, text",
    [
        (
            GradientError,
            lambda: (leaf(1.0, 2.0) * 2.0).backward(),
            (
                "backward needs a gradient for an output with more than one element\n"
                "  output  shape (2,), float32, cpu\n"
                "  hint    reduce it first, with .sum() or .mean(), or pass gradient="
            ),
        ),
        (
            GradientError,
            lambda: Tensor(1.0).backward(),
            (
                "backward needs a tensor that was computed from one that requires a gradient\n"
                "  output  shape (), float32, cpu\n"
                "  hint    did you compute it under no_grad(), or from tensors without requires_grad=True?"
            ),
        ),
        (
            ShapeError,
            lambda: leaf(1.0, 2.0).backward([1.0]),
            (
                "backward needs a gradient in the output's shape\n"
                "  output    shape (2,), float32, cpu\n"
                "  gradient  shape (1,), float32, cpu\n"
                "  hint      it is a weight for every element of the output; of an output with one element it "
                "may be left out"
            ),
        ),
        (
            DTypeError,
            lambda: leaf(1.0).backward(np.array([1j])),
            (
                "backward needs a real gradient\n"
                "  output    shape (1,), float32, cpu\n"
                "  gradient  shape (1,), complex128, cpu\n"
                "  hint      real(gradient)"
            ),
        ),
        (
            GradientError,
            lambda: leaf(1.0).backward(inputs=[leaf(1.0) * 2.0]),
            (
                "backward needs leaves that require a gradient as inputs\n"
                "  input  shape (1,), float32, cpu\n"
                "  hint   grad(output, inputs) gives the gradients of intermediate results"
            ),
        ),
        (
            GradientError,
            lambda: tgl.grad(leaf(1.0), Tensor([1.0])),
            (
                "grad needs inputs that require a gradient, but inputs[0] does not\n"
                "  inputs[0]  shape (1,), float32, cpu\n"
                "  hint       call requires_grad_() on it before the outputs are computed"
            ),
        ),
        (
            GradientError,
            lambda: tgl.grad(leaf(1.0), 1.0),
            (
                "grad needs inputs that require a gradient, but inputs[0] does not\n"
                "  inputs[0]  1.0\n"
                "  hint       call requires_grad_() on it before the outputs are computed"
            ),
        ),
        (
            GradientError,
            lambda: tgl.grad([1.0], leaf(1.0)),
            (
                "grad needs a tensor\n"
                "  output  1.0\n"
                "  hint    what was computed with Python numbers or NumPy has no graph: compute it with tensors"
            ),
        ),
        (
            ArgumentError,
            lambda: tgl.grad([leaf(1.0)], leaf(1.0), grad_outputs=[None, None]),
            (
                "grad needs one cotangent per output, but got 2 for 1\n"
                "  hint  pass a list with a weight, or None, for each output"
            ),
        ),
    ],
)
def test_what_backward_and_grad_refuse(kind, call, text):
    assert refusal(kind, call) == text


# --- the gradient that a leaf keeps ---------------------------------------------------------------------


def test_gradients_accumulate_over_passes_until_they_are_released():
    x = leaf(1.0)
    for expected in (2.0, 4.0, 6.0):
        (x * 2.0).backward()
        assert x.grad.tolist() == [expected]
    x.grad = None
    (x * 2.0).backward()
    assert x.grad.tolist() == [2.0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + 0,
        lambda x: x.reshape((3, 2)),
        lambda x: tgl.permute_dims(x, (1, 0)),
        lambda x: tgl.broadcast_to(x, (4, 2, 3)),
        lambda x: tgl.flip(x),
        lambda x: x.sum(),
        lambda x: x[::-1, 1:],
    ],
)
def test_grad_is_contiguous_writable_memory_of_its_own(function):
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    y = function(x)
    seed = Tensor(np.ones(y.shape))
    y.backward(seed)
    array = x.grad._data
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.flags.owndata
    assert not np.shares_memory(array, seed._data)
    assert not np.shares_memory(array, x._data)


def test_two_leaves_that_receive_the_same_array_do_not_share_it():
    x, z = leaf(1.0), leaf(1.0)
    for expected in (1.0, 2.0):
        (x + z).backward()
        assert (x.grad.tolist(), z.grad.tolist()) == ([expected], [expected])
    assert not np.shares_memory(x.grad._data, z.grad._data)


def test_an_assigned_gradient_is_copied():
    x, z, given = leaf(1.0), leaf(1.0), Tensor([5.0])
    x.grad = z.grad = given
    (x + z).backward()
    assert (x.grad.tolist(), z.grad.tolist(), given.tolist()) == ([6.0], [6.0], [5.0])


def test_whoever_holds_a_released_gradient_keeps_its_value():
    x = leaf(1.0)
    (x * 2.0).backward()
    held = x.grad
    x.grad = None
    (x * 7.0).backward()
    assert held.tolist() == [2.0]
    assert x.grad.tolist() == [7.0]


def test_a_gradient_that_is_the_cotangent_itself_does_not_follow_later_writes_to_it():
    x, weights = leaf(1.0, 2.0), leaf(3.0, 4.0)
    found = tgl.grad(x + 0, x, grad_outputs=weights)
    with tgl.no_grad():
        weights[0] = 77.0
    assert found.tolist() == [3.0, 4.0]


@pytest.mark.parametrize("value", [3.0, Tensor([1.0, 2.0]), Tensor([1.0], dtype="float64")])
def test_a_gradient_of_another_kind_cannot_be_assigned(value):
    x = leaf(1.0)
    with pytest.raises(GradientError, match="grad needs None or a tensor of the same shape and dtype"):
        x.grad = value
    assert x.grad is None


def test_what_assigning_gradients_refuses():
    x = leaf(1.0)
    assert refusal(GradientError, lambda: setattr(x, "grad", 3.0)) == (
        "grad needs None or a tensor of the same shape and dtype\n"
        "  tensor  shape (1,), float32, cpu\n"
        "  grad    3.0\n"
        '  hint    the gradient has one number per element: shape (1,), dtype "float32"'
    )
    assert refusal(GradientError, lambda: setattr(x * 2, "grad", None)) == (
        "grad can be set on leaves that require a gradient only\n"
        "  tensor  shape (1,), float32, cpu\n"
        "  hint    call requires_grad_() on a leaf; of a result take retain_grad() and backward()"
    )


def test_the_gradient_is_in_the_dtype_of_each_leaf():
    half = Tensor([2.0], dtype="float16", requires_grad=True)
    single = Tensor([3.0], dtype="float32", requires_grad=True)
    double = Tensor([[5.0], [7.0]], dtype="float64", requires_grad=True)
    y = half * single * double
    assert y.dtype == tgl.float64
    y.sum().backward()
    for x, value in ((half, [36.0]), (single, [24.0]), (double, [[6.0], [6.0]])):
        assert x.grad.dtype == x.dtype
        assert x.grad.shape == x.shape
        assert x.grad.tolist() == value


def test_integer_and_bool_results_have_no_edge():
    x = leaf(1.0, 5.0)
    values, indices = tgl.topk(x, 1)
    assert values.requires_grad
    for y in (indices, x > 2.0, tgl.argmax(x), x.astype("int64"), tgl.isfinite(x)):
        assert not y.requires_grad


def test_0d_leaves_and_empty_leaves_get_gradients_in_their_shape():
    x, empty = Tensor(2.0, requires_grad=True), Tensor(np.ones((0, 3)), requires_grad=True)
    (x * x + (empty * 2.0).sum()).backward()
    assert type(x.grad._data) is np.ndarray
    assert x.grad.shape == ()
    assert x.grad.item() == 4.0
    assert empty.grad.shape == (0, 3)
