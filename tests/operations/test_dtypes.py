"""Promotion: what mixing dtypes gives, that a gradient always has its operand's dtype, and 0-d stays 0-d."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from operations.running import tensor
from tinygrad_lite import Tensor

MIXTURES = [
    ("float32", "float32", "float32"),
    ("float16", "float32", "float32"),
    ("float64", "float32", "float64"),
    ("float16", "float64", "float64"),
    ("float16", "int64", "float16"),
    ("int64", "float32", "float32"),
    ("bool", "float16", "float16"),
    ("uint8", "float64", "float64"),
    ("int32", "int64", "int64"),
    ("int8", "uint8", "int16"),
    ("bool", "int32", "int32"),
]
BINARY = [tgl.add, tgl.subtract, tgl.multiply, tgl.divide, tgl.pow, tgl.maximum, tgl.minimum, tgl.matmul]
BINARY_IDS = [f.__name__ for f in BINARY]


def _mixed(function: Any, first: str, second: str) -> tuple[Tensor, list[Tensor]]:
    values = np.array([[1, 1], [2, 1]]), np.array([[1, 1], [1, 2]])
    xs = [
        tensor(v.astype(d), requires_grad=d.startswith("float")) for v, d in zip(values, (first, second), strict=True)
    ]
    return function(*xs), xs


@pytest.mark.parametrize("first, second, expected", MIXTURES)
@pytest.mark.parametrize("function", BINARY, ids=BINARY_IDS)
def test_two_dtypes_give_the_documented_one_and_gradients_their_own(
    function: Any, first: str, second: str, expected: str
) -> None:
    for pair in ((first, second), (second, first)):
        y, xs = _mixed(function, *pair)
        integral = not expected.startswith("float")
        assert y.dtype == ("float32" if integral and function is tgl.divide else expected)
        for x in (x for x in xs if x.requires_grad):
            (g,) = tgl.grad(y.sum(), [x], retain_graph=True, create_graph=True)
            assert (g.dtype, g.shape) == (x.dtype, x.shape)


NUMBERS = [
    ("float16", 2, "float16"),
    ("float16", 2.5, "float16"),
    ("float32", True, "float32"),
    ("float64", 2.5, "float64"),
    ("int32", 2, "int32"),
    ("int64", 2.5, "float32"),
    ("bool", 2, "int64"),
    ("bool", 2.5, "float32"),
    ("uint8", 2, "uint8"),
]


@pytest.mark.parametrize("dtype, number, expected", NUMBERS)
@pytest.mark.parametrize("function", [tgl.add, tgl.multiply, tgl.maximum], ids=["add", "multiply", "maximum"])
def test_a_python_number_is_weak_on_either_side(function: Any, dtype: str, number: Any, expected: str) -> None:
    x = tensor(np.ones((2, 2), dtype))
    assert function(x, number).dtype == expected
    assert function(number, x).dtype == expected
    assert tgl.where(x != 0, x, number).dtype == expected
    assert tgl.where(x != 0, number, x).dtype == expected


@pytest.mark.parametrize("first, second, expected", MIXTURES)
def test_where_concat_and_stack_promote(first: str, second: str, expected: str) -> None:
    functions = [
        lambda a, b: tgl.where(Tensor([[True, False], [False, True]]), a, b),
        lambda a, b: tgl.concat([a, b]),
        lambda a, b: tgl.stack([a, b]),
        lambda a, b: tgl.einsum("ij,jk->ik", a, b),
    ]
    for function in functions:
        y, xs = _mixed(function, first, second)
        assert y.dtype == expected
        for x in (x for x in xs if x.requires_grad):
            (g,) = tgl.grad(y.sum(), [x], retain_graph=True)
            assert g.dtype == x.dtype


@pytest.mark.parametrize("wide, narrow", [("float64", "float32"), ("float32", "float16"), ("float16", "float64")])
def test_a_cast_casts_the_gradient_back(wide: str, narrow: str) -> None:
    x = tensor(np.array([1.0, 2.0], wide), requires_grad=True)
    y = tgl.astype(x, narrow) * 3
    assert y.dtype == narrow
    (g,) = tgl.grad(y.sum(), [x])
    assert g.dtype == wide
    np.testing.assert_array_equal(g._data, [3.0, 3.0])
    _, t = tgl.jvp(lambda v: tgl.astype(v, narrow), x, tensor(np.array([1.0, 0.5], wide)))
    assert t.dtype == narrow


def test_a_cast_to_integers_ends_the_gradient() -> None:
    x = tensor(np.array([1.5]), requires_grad=True)
    assert not tgl.astype(x, "int64").requires_grad


@pytest.mark.parametrize("dtype", ["int8", "uint8", "bool", "int32"])
def test_small_integers_are_summed_wide(dtype: str) -> None:
    x = tensor(np.ones(300, dtype))
    expected = "uint64" if dtype == "uint8" else "int64"
    for y in (tgl.sum(x), tgl.cumulative_sum(x)[-1]):
        assert (y.dtype, y.item()) == (expected, 300)


def test_a_mean_of_float16_does_not_overflow() -> None:
    x = tensor(np.full(100, 2000.0, "float16"), requires_grad=True)
    y = tgl.mean(x)
    assert (y.dtype, y.item()) == ("float16", 2000.0)


SCALARS = [
    lambda x: x + 1,
    lambda x: 2 * x,
    lambda x: -x,
    lambda x: tgl.exp(x),
    lambda x: x**2,
    lambda x: tgl.sum(x),
    lambda x: tgl.max(x),
    lambda x: tgl.reshape(x, ()),
    lambda x: x[()],
    lambda x: tgl.expand_dims(x, 0)[0],
    lambda x: tgl.where(x > 0, x, 0.0),
    lambda x: tgl.einsum(",->", x, x),
    lambda x: x == x,
    lambda x: tgl.isnan(x),
]


@pytest.mark.parametrize("function", SCALARS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_0d_result_is_a_tensor_on_an_array(function: Any, dtype: str) -> None:
    x = tensor(np.array(1.5, dtype), requires_grad=True)
    y = function(x)
    assert type(y) is Tensor
    assert type(y._data) is np.ndarray
    assert y.shape == ()
    if y.requires_grad:
        assert y.dtype == dtype
        for create_graph in (False, True):
            (g,) = tgl.grad(y, [x], retain_graph=True, create_graph=create_graph)
            assert (type(g._data), g.shape, g.dtype) == (np.ndarray, (), dtype)


def test_complex_numbers_compute_but_have_no_gradient() -> None:
    z = Tensor([1 + 2j])
    assert (z * 2).dtype == "complex64"
    with pytest.raises(tgl.errors.GradientError, match="complex tensors have no derivatives"):
        z.requires_grad = True
