"""vjp, jvp, jacobian, hessian and hvp: functions of several inputs and outputs, in both modes, nested."""

from __future__ import annotations

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.errors import ArgumentError, GradientError, ShapeError

rng = np.random.default_rng(0)
A, X, B = Tensor(rng.standard_normal((3, 2))), Tensor(rng.standard_normal(2)), Tensor(rng.standard_normal(3))


def affine(a: Tensor, x: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    h = a @ x + b
    return tgl.tanh(h), (h * h).sum()


def test_vjp_and_jvp_are_each_others_transpose():
    u = tuple(Tensor(rng.standard_normal(x.shape)) for x in (A, X, B))
    v = (Tensor(rng.standard_normal(3)), Tensor(rng.standard_normal(())))
    values, pulled = tgl.vjp(affine, (A, X, B), v)
    again, pushed = tgl.jvp(affine, (A, X, B), u)
    assert [y.tolist() for y in values] == [y.tolist() for y in again] == [y.tolist() for y in affine(A, X, B)]
    left = sum((g * d).sum().item() for g, d in zip(pulled, u))
    right = sum((w * t).sum().item() for w, t in zip(v, pushed))
    assert left == pytest.approx(right, rel=1e-13)
    assert not any(t.requires_grad for t in (*values, *pulled, *pushed))


def test_the_results_have_the_form_of_the_inputs_and_outputs():
    one = Tensor([1.0])
    assert isinstance(tgl.vjp(lambda x: x * 2, one, one)[1], Tensor)
    assert isinstance(tgl.vjp(lambda x: x * 2, (one,), one)[1], tuple)
    value, tangent = tgl.jvp(lambda x: [x * 2, x], one, one)
    assert isinstance(value, tuple)
    assert isinstance(tangent, tuple)


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_both_strategies_give_the_jacobian_in_every_input(strategy):
    def f(a, x):
        return tgl.exp(a) @ x

    in_a, in_x = tgl.jacobian(f, (A, X), strategy=strategy)
    assert in_a.shape == (3, 3, 2)
    assert in_x.shape == (3, 2)
    assert np.allclose(in_x.numpy(), np.exp(A.numpy()), rtol=1e-14)
    expected = np.einsum("ij,ik,k->ijk", np.eye(3), np.exp(A.numpy()), X.numpy())
    assert np.allclose(in_a.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1, 1)])
def test_jacobians_of_0d_and_empty_tensors(strategy, shape):
    x = Tensor(np.ones(shape))
    found = tgl.jacobian(lambda x: x * x, x, strategy=strategy)
    assert found.shape == shape + shape
    assert found.numpy().sum() == 2.0 * x.size


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_a_function_that_ignores_an_input_has_zeros_there(strategy):
    in_x, in_y = tgl.jacobian(lambda x, y: x * 2.0, (X, B), strategy=strategy)
    assert in_x.tolist() == [[2.0, 0.0], [0.0, 2.0]]
    assert in_y.shape == (2, 3)
    assert not in_y.numpy().any()


def test_a_constant_function_has_zero_derivatives_everywhere():
    def f(x):
        return Tensor([1.0, 2.0])

    assert tgl.vjp(f, X, Tensor([1.0, 1.0]))[1].tolist() == [0.0, 0.0]
    assert tgl.jvp(f, X, Tensor([1.0, 1.0]))[1].tolist() == [0.0, 0.0]
    assert tgl.hessian(lambda x: Tensor(1.0), X).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert tgl.hvp(lambda x: x.sum(), X, X)[1].tolist() == [0.0, 0.0]


def test_a_function_that_returns_its_input():
    assert tgl.vjp(lambda x: x, X, Tensor([3.0, 4.0], dtype="float64"))[1].tolist() == [3.0, 4.0]
    assert tgl.jvp(lambda x: x, X, Tensor([3.0, 4.0], dtype="float64"))[1].tolist() == [3.0, 4.0]


def test_the_hessian_in_several_inputs_is_symmetric_and_agrees_with_hvp():
    def f(x, b):
        return (tgl.tanh(A @ x + b) ** 2).sum()

    blocks = tgl.hessian(f, (X, B))
    full = np.block([[block.numpy() for block in row] for row in blocks])
    assert np.allclose(full, full.T, rtol=1e-13)
    u = rng.standard_normal(5)
    value, product = tgl.hvp(f, (X, B), (Tensor(u[:2]), Tensor(u[2:])))
    assert value.item() == f(X, B).item()
    assert np.allclose(np.concatenate([p.numpy() for p in product]), full @ u, rtol=1e-12)


def test_derivatives_of_derivatives():
    x = Tensor([1.5, -0.5], dtype="float64", requires_grad=True)

    def f(x):
        return (x**4).sum()

    cubes = tgl.jacobian(lambda x: x**3, x, create_graph=True)
    assert tgl.grad(cubes.sum(), x).tolist() == pytest.approx((6 * x.detach()).tolist())
    assert tgl.grad(tgl.hessian(f, x, create_graph=True).sum(), x).tolist() == pytest.approx([36.0, -12.0])
    product = tgl.hvp(f, x, Tensor([1.0, 0.0], dtype="float64"), create_graph=True)[1]
    assert tgl.grad(product.sum(), x).tolist() == pytest.approx([36.0, 0.0])
    forward = tgl.jvp(lambda x: x**3, x, Tensor([1.0, 1.0], dtype="float64"), create_graph=True)[1]
    assert tgl.grad(forward.sum(), x).tolist() == pytest.approx([9.0, -3.0])
    third = tgl.jacobian(lambda x: tgl.hessian(f, x, create_graph=True), x, strategy="forward-mode")
    assert third.numpy()[0, 0, 0] == pytest.approx(36.0)


def test_nested_tangents_are_not_confused():
    """d/dx (x d/dy (x + y)) is 1: an engine that mixes the two tangents up gives 2."""
    one = Tensor(1.0, dtype="float64")
    outer = tgl.jvp(lambda x: x * tgl.jvp(lambda y: x + y, one, one, create_graph=True)[1], one, one)
    assert outer[1].item() == 1.0
    product = tgl.jvp(lambda x: x * tgl.jvp(lambda y: x * y, one, one, create_graph=True)[1], one, one)
    assert product[1].item() == 2.0
    reverse = tgl.vjp(lambda x: x * tgl.jvp(lambda y: x * y * y, one, one, create_graph=True)[1], one, one)
    assert reverse[1].item() == 4.0


def test_without_create_graph_the_inner_derivative_is_a_constant():
    one = Tensor(1.0)
    assert tgl.jvp(lambda x: x * tgl.jvp(lambda y: x * y, one, one)[1], one, one)[1].item() == 1.0


def test_transforms_do_not_touch_the_inputs():
    x = Tensor([1.0, 2.0], requires_grad=True)

    def f(a):
        with tgl.no_grad():
            a[0] = 50.0
        return a * a

    assert tgl.vjp(f, x, Tensor([1.0, 1.0]))[1].tolist() == [100.0, 4.0]
    assert x.tolist() == [1.0, 2.0]
    assert x.grad is None
    with tgl.no_grad():
        assert tgl.vjp(lambda a: a * a, x, Tensor([1.0, 1.0]))[1].tolist() == [2.0, 4.0]


def test_several_outputs_one_of_them_without_a_derivative():
    (values, indices), (tangent, none) = tgl.jvp(lambda x: tgl.topk(x, 1), X, X)
    assert tangent.tolist() == values.tolist()
    assert none.tolist() == [0]
    assert indices.dtype == tgl.int64


@pytest.mark.parametrize(
    "kind, call, text",
    [
        (
            GradientError,
            lambda: tgl.vjp(lambda x: x * x, X),
            (
                "vjp needs v: a direction in the shape of the output\n"
                "  output  shape (2,), float64, cpu\n"
                "  hint    pass v, in the shape of the output, or let the function return one number: its sum "
                "or mean"
            ),
        ),
        (
            ArgumentError,
            lambda: tgl.vjp(lambda x: x * x, X, (X, X)),
            ("vjp needs one direction per output, but got 2 for 1\n  hint  pass v as a tuple of 1"),
        ),
        (
            ArgumentError,
            lambda: tgl.jvp(lambda x, y: x * y, (X, X), (X, X, X)),
            ("jvp needs one direction per input, but got 3 for 2\n  hint  pass v as a tuple of 2"),
        ),
        (
            ArgumentError,
            lambda: tgl.jvp(lambda x, y: x * y, (X, X), X),
            ("jvp needs one direction per input, but got 1 for 2\n  hint  pass v as a tuple of 2"),
        ),
        (
            ShapeError,
            lambda: tgl.jvp(lambda x: x * x, X, B),
            (
                "jvp needs directions in the shapes of the inputs\n"
                "  input  shape (2,), float64, cpu\n"
                "  v      shape (3,), float64, cpu\n"
                "  hint   v has one number for every element of the input"
            ),
        ),
        (
            GradientError,
            lambda: tgl.vjp(lambda x: x * x, Tensor([1, 2]), X),
            (
                "vjp needs a floating-point tensor\n"
                "  tensor  shape (2,), int64, cpu\n"
                "  hint    convert with astype first"
            ),
        ),
        (
            GradientError,
            lambda: tgl.vjp(lambda x: 3.0, X, X),
            (
                "vjp needs a function that returns a tensor or a tuple of them\n"
                "  returned  3.0\n"
                "  hint      does it end with a return, and compute with tensors from its arguments to its "
                "result?"
            ),
        ),
        (
            GradientError,
            lambda: tgl.jacobian(lambda x: (x, x), X),
            (
                "jacobian needs a function that returns one tensor\n"
                "  hint  take the Jacobian of each output: jacobian(lambda x: f(x)[0], x)"
            ),
        ),
        (
            ArgumentError,
            lambda: tgl.jacobian(lambda x: x, X, strategy="fwd"),
            'jacobian needs strategy "reverse-mode" or "forward-mode", but got \'fwd\'',
        ),
        (
            GradientError,
            lambda: tgl.hessian(lambda x: x * x, X),
            (
                "hessian needs a function with one output element\n"
                "  returned  shape (2,), float64, cpu\n"
                "  hint      sum or average what it returns, or use jacobian for a function with many outputs"
            ),
        ),
        (
            GradientError,
            lambda: tgl.hvp(lambda x: x.sum(), X),
            (
                "hvp needs v: a direction in the shape of the input\n"
                "  input  shape (2,), float64, cpu\n"
                "  hint   pass v, in the shape of the input"
            ),
        ),
        (
            GradientError,
            lambda: tgl.hvp(lambda x: x * x, X, X),
            (
                "hvp needs a function with one output element\n"
                "  returned  shape (2,), float64, cpu\n"
                "  hint      sum or average what it returns, or use jacobian for a function with many outputs"
            ),
        ),
    ],
)
def test_what_transforms_refuse(kind, call, text):
    assert refusal(kind, call) == text
