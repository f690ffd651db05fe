"""The dtype of what comes out: arrays with arrays, and arrays with Python numbers, which are weak."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


@pytest.mark.parametrize("integer", (*INTEGERS, "bool"))
@pytest.mark.parametrize("floating", FLOATS)
def test_an_integer_or_bool_with_a_float_gives_that_float(floating, integer):
    f, i = Tensor([1.0], dtype=floating), Tensor([1], dtype=integer)
    for result in (f + i, i + f, f * i, i / f, tgl.maximum(i, f), tgl.where(i > 0, i, f)):
        assert result.dtype == floating
    assert tgl.result_type(f.dtype, i.dtype) == floating


@pytest.mark.parametrize(
    "first, second, result",
    [
        ("float16", "float32", "float32"),
        ("float16", "float64", "float64"),
        ("float32", "float64", "float64"),
        ("int8", "uint8", "int16"),
        ("int8", "uint16", "int32"),
        ("int32", "uint32", "int64"),
        ("int64", "uint32", "int64"),
        ("bool", "int8", "int8"),
        ("bool", "bool", "bool"),
        ("float32", "complex64", "complex64"),
        ("float64", "complex64", "complex128"),
        ("int64", "complex64", "complex64"),
    ],
)
def test_two_arrays_promote_alike_in_both_orders(first, second, result):
    x, y = Tensor([1], dtype=first), Tensor([1], dtype=second)
    assert (x * y).dtype == result
    assert (y * x).dtype == result


@pytest.mark.parametrize(
    "dtype, number, result",
    [
        *((f, n, f) for f in FLOATS for n in (True, 2, 2.5)),
        *((i, n, i) for i in INTEGERS for n in (True, 2)),
        *((i, 2.5, "float32") for i in (*INTEGERS, "bool")),
        ("bool", True, "bool"),
        ("bool", 2, "int64"),
        ("float32", 1j, "complex64"),
        ("float64", 1j, "complex128"),
    ],
)
def test_python_numbers_are_weak(dtype, number, result):
    x = Tensor([1], dtype=dtype)
    assert (x * number).dtype == result
    assert (number * x).dtype == result


def test_numpy_scalars_are_as_strong_as_arrays():
    x = Tensor([1.0], dtype="float32")
    assert (x * np.float64(2.0)).dtype == tgl.float64
    assert (np.float64(2.0) * x).dtype == tgl.float64
    assert (x * np.float32(2.0)).dtype == tgl.float32


@pytest.mark.parametrize("dtype", (*INTEGERS, "bool"))
def test_functions_that_need_floats_make_float32_of_integers(dtype):
    x = Tensor([1], dtype=dtype)
    for function in (tgl.exp, tgl.sqrt, tgl.tanh, lambda x: x / 2, lambda x: x / x):
        assert function(x).dtype == tgl.float32


@pytest.mark.parametrize("dtype", FLOATS)
def test_functions_keep_the_floating_dtype_and_so_do_gradients(dtype):
    x = Tensor([0.5, 2.0], dtype=dtype, requires_grad=True)
    for function in (tgl.exp, tgl.sqrt, tgl.tanh, lambda x: x / 2, lambda x: 2**x, lambda x: x.mean()):
        y = function(x)
        assert y.dtype == dtype
        assert tgl.grad(y.sum(), x).dtype == dtype


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_gradient_comes_back_through_a_cast_in_its_own_dtype(dtype):
    x = Tensor([1.0, 2.0], dtype=dtype, requires_grad=True)
    g = tgl.grad((x.astype("float64") * Tensor([3.0, 4.0], dtype="float32")).sum(), x, create_graph=True)
    assert g.dtype == dtype
    assert g.tolist() == [3.0, 4.0]


@pytest.mark.parametrize(
    "function",
    [
        lambda a, x: a + x,
        lambda a, x: a - x,
        lambda a, x: a * x,
        lambda a, x: a / x,
        lambda a, x: a**x,
        lambda a, x: a @ x,
    ],
)
@pytest.mark.parametrize("array", [np.array([2.0, 3.0], np.float32), np.array([2.0, 3.0])])
def test_a_numpy_array_on_the_left_gives_a_tensor_with_its_graph(function, array):
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = function(array, x)
    assert type(y) is Tensor
    assert y.dtype == array.dtype
    assert y.tolist() == pytest.approx(function(array, x.detach().numpy()).tolist())
    y.sum().backward()
    assert x.grad.dtype == tgl.float32


def test_comparisons_with_numpy_arrays_give_bool_tensors():
    array, x = np.array([1.0, 5.0]), Tensor([2.0, 5.0])
    for result, expected in ((array < x, [True, False]), (array == x, [False, True]), (x >= array, [True, True])):
        assert type(result) is Tensor
        assert result.dtype == tgl.bool_
        assert result.tolist() == expected


@pytest.mark.parametrize(
    ("call", "dtype"),
    [
        (lambda: tgl.clip(Tensor([1.0, 2.0]), np.float64(0.5)), "float32"),
        (lambda: tgl.clip(Tensor([1, 2]), 0.5, 1.5), "float32"),
        (lambda: tgl.clip(Tensor([1, 2]), 0, 1), "int64"),
        (lambda: tgl.pad(Tensor([1]), 1, 2.5), "float32"),
        (lambda: tgl.pad(Tensor([1]), 1), "int64"),
        (lambda: tgl.where(Tensor([1, 0]), Tensor([1.0, 2.0]), 0), "float32"),
    ],
)
def test_numbers_as_arguments_are_weak(call, dtype):
    assert call().dtype == np.dtype(dtype)


def test_a_list_of_tensors_with_gradients_is_refused():
    w = Tensor([1.0, 2.0], requires_grad=True)
    text = refusal(tgl.errors.GradientError, lambda: Tensor([w[0] * 2, w[1] * 3]))
    assert text.startswith(
        "Tensor cannot carry the gradients of tensors in a list\n  element  shape (), float32, cpu\n"
    )
    assert text.endswith("\n  hint     stack([...]) keeps the graph; detach() says that the gradient ends here")
    with tgl.no_grad():
        assert Tensor([w[0], w[1]]).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge"])
@pytest.mark.parametrize("number", [-1, 256, -(2**70), 2**70])
def test_integers_compare_with_numbers_beyond_their_dtype(name, number):
    compare = getattr(operator, name)
    values = [0, 1, 255]
    x = Tensor(values, dtype="uint8")
    assert compare(x, number).tolist() == [compare(v, number) for v in values]
    assert compare(number, x).tolist() == [compare(number, v) for v in values]
