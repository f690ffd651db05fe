"""The Tensor object: what it can be made of, what it turns into, and what it refuses."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.errors import (
    ArgumentError,
    DeviceError,
    DTypeError,
    GradientError,
    IndexingError,
    IterationError,
    ShapeError,
)


def leaf(*values: float) -> Tensor:
    return Tensor(list(values), requires_grad=True)


# --- construction ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data, dtype, values",
    [
        (2.5, "float32", 2.5),
        (3, "int64", 3),
        (True, "bool", True),
        (1 + 2j, "complex128", 1 + 2j),
        ([1.0, 2], "float32", [1.0, 2.0]),
        ([[1, 2], [3, 4]], "int64", [[1, 2], [3, 4]]),
        ((True, False), "bool", [True, False]),
        ([], "float32", []),
        ([[], []], "float32", [[], []]),
        (range(3), "int64", [0, 1, 2]),
        (np.float64(2.0), "float64", 2.0),
        (np.float16(2.0), "float16", 2.0),
        ([np.float64(1.0), 2.0], "float64", [1.0, 2.0]),
        (np.array([1, 2], np.int8), "int8", [1, 2]),
        (np.zeros((0, 3)), "float64", []),
        ([Tensor([1.0, 2.0]), Tensor([3.0, 4.0])], "float32", [[1.0, 2.0], [3.0, 4.0]]),
        ([Tensor(1, dtype="int8"), Tensor(2, dtype="int8")], "int8", [1, 2]),
        ([np.array([1.0]), np.array([2.0])], "float64", [[1.0], [2.0]]),
    ],
)
def test_what_a_tensor_can_be_made_of(data, dtype, values):
    x = Tensor(data)
    if not np.iscomplexobj(values):
        assert x.dtype == dtype
    assert x.tolist() == values
    assert not x.requires_grad


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "bool", float, int, np.float64, tgl.float32])
def test_a_dtype_decides_over_that_of_the_data(dtype):
    for data in ([1, 0], np.array([1.0, 0.0]), Tensor([1.0, 0.0])):
        x = Tensor(data, dtype=dtype)
        assert x.dtype == {float: tgl.float32, int: tgl.int64}.get(dtype, np.dtype(dtype))
        assert x.tolist() == [1, 0]


@pytest.mark.parametrize("make", [lambda a: a, lambda a: Tensor(a), lambda a: [a, a]])
def test_the_constructor_copies(make):
    array = np.array([1.0, 2.0])
    x = Tensor(make(array))
    before = x.tolist()
    array[0] = 9.0
    assert x.tolist() == before
    y = Tensor(x)
    assert not np.shares_memory(x._data, y._data)


def test_a_tensor_from_a_strided_array_is_contiguous():
    assert Tensor(np.arange(12.0).reshape(3, 4)[::-1, ::2].T)._data.flags.c_contiguous


def test_asarray_shares_or_copies_as_it_is_told():
    array = np.array([1.0, 2.0])
    assert np.shares_memory(tgl.asarray(array)._data, array)
    assert np.shares_memory(tgl.asarray(array, copy=False)._data, array)
    assert not np.shares_memory(tgl.asarray(array, copy=True)._data, array)
    x = leaf(1.0)
    assert tgl.asarray(x) is x
    assert refusal(ArgumentError, lambda: tgl.asarray(array, dtype="float32", copy=False)) == (
        "asarray cannot share memory with this (copy=False)\n  obj   shape (2,), float64, cpu\n"
        "  hint  leave copy out, so that it copies where it must"
    )
    assert refusal(ArgumentError, lambda: tgl.asarray([1.0, 2.0], copy=False)) == (
        "asarray cannot share memory with this (copy=False)\n  obj   [1.0, 2.0]\n"
        "  hint  leave copy out, so that it copies where it must"
    )


def test_writing_to_a_leaf_made_of_a_shared_array_does_not_write_to_the_array():
    array = np.array([1.0, 2.0])
    x = tgl.asarray(array).requires_grad_()
    with tgl.no_grad():
        x += 1.0
    assert array.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "kind, call, text",
    [
        (
            DTypeError,
            lambda: Tensor("abc"),
            ("Tensor needs numbers, but got 'abc'\n  value  'abc'\n  hint   float(text) reads a number from a text"),
        ),
        (
            DTypeError,
            lambda: Tensor(None),
            (
                "Tensor needs numbers, but got None\n"
                "  value  None\n"
                "  hint   a function gives None where it does not return anything"
            ),
        ),
        (
            DTypeError,
            lambda: Tensor([[None], [2.0]]),
            (
                "Tensor needs numbers, but got None\n"
                "  value  [[None], [2.0]]\n"
                "  hint   a function gives None where it does not return anything"
            ),
        ),
        (
            DTypeError,
            lambda: Tensor([1, 2**70]),
            (
                "Tensor needs numbers, but got 1180591620717411303424\n  value  [1, 1180591620717411303424]\n"
                "  hint   integers go from -2^63 to 2^64 - 1; a float can hold larger numbers"
            ),
        ),
        (
            ArgumentError,
            lambda: Tensor([[1.0], [1.0, 2.0]]),
            (
                "Tensor needs nested lists of equal lengths\n  value  [[1.0], [1.0, 2.0]]\n"
                "  hint   what stands at one depth must have one length"
            ),
        ),
        (
            DTypeError,
            lambda: Tensor({1, 2}),
            ("Tensor needs numbers, but got {1, 2}\n  value  {1, 2}\n  hint   make a list of its numbers first"),
        ),
        (
            DTypeError,
            lambda: Tensor(np.array("2020-01-01", "M8[D]")),
            (
                "Tensor needs numbers, but got an array of datetime64[D]\n"
                "  value  shape (), datetime64[D], cpu\n"
                "  hint   array.astype(float) makes numbers of what can be read so"
            ),
        ),
        (
            DTypeError,
            lambda: Tensor([1.0], dtype="float31"),
            ("dtype needs the name of an element type, but got 'float31'\n  hint  \"float32\""),
        ),
        (
            DTypeError,
            lambda: Tensor([1.0], dtype="S1"),
            (
                "dtype needs one of bool, int8..int64, uint8..uint64, float16..float64, complex64, complex128, "
                "but got bytes8\n"
                '  hint  such as "float32", "int64" or "bool"'
            ),
        ),
        (
            GradientError,
            lambda: Tensor([1, 2], requires_grad=True),
            (
                "Tensor needs a floating-point tensor\n"
                "  tensor  shape (2,), int64, cpu\n"
                "  hint    convert with astype first"
            ),
        ),
        (
            GradientError,
            lambda: Tensor([1j], dtype="complex64", requires_grad=True),
            (
                "Tensor needs a floating-point tensor\n"
                "  tensor  shape (1,), complex64, cpu\n"
                "  hint    complex tensors have no derivatives"
            ),
        ),
        (
            GradientError,
            lambda: Tensor([1, 2]).requires_grad_(),
            (
                "requires_grad needs a floating-point tensor\n"
                "  tensor  shape (2,), int64, cpu\n"
                "  hint    convert with astype first"
            ),
        ),
        (
            GradientError,
            lambda: tgl.zeros(2, dtype=int, requires_grad=True),
            (
                "zeros needs a floating-point tensor\n"
                "  tensor  shape (2,), int64, cpu\n"
                "  hint    convert with astype first"
            ),
        ),
        (
            DeviceError,
            lambda: Tensor(1.0, device="tpu"),
            ('Tensor knows the devices "cpu" and "cuda", but got \'tpu\'\n  hint  use device="cpu", or leave it out'),
        ),
        (
            GradientError,
            lambda: (leaf(1.0) * 2).requires_grad_(False),
            (
                "requires_grad can be set on leaves only\n"
                "  tensor  shape (1,), float32, cpu\n"
                "  hint    detach() gives a tensor without the graph; no_grad() keeps one from being recorded"
            ),
        ),
    ],
)
def test_what_a_tensor_cannot_be_made_of(kind, call, text):
    assert refusal(kind, call) == text


# --- shape and kind -------------------------------------------------------------------------------------


def test_what_it_says_about_itself():
    x = Tensor(np.zeros((2, 3)), requires_grad=True)
    assert (x.shape, x.ndim, x.size, x.dtype, x.device) == ((2, 3), 2, 6, np.dtype("float64"), "cpu")
    assert x.is_leaf
    assert not (x * 2).is_leaf
    assert x.detach().is_leaf
    assert (x.T.shape, x.mT.shape) == ((3, 2), (3, 2))
    assert len(x) == 2
    assert [row.shape for row in x] == [(3,), (3,)]
    assert len(Tensor(np.zeros((0, 3)))) == 0


@pytest.mark.parametrize(
    "x, text",
    [
        (Tensor(1.5), "Tensor(1.5)"),
        (Tensor([1.0, 2.0]), "Tensor([1., 2.])"),
        (Tensor([1, 2]), "Tensor([1, 2], dtype=int64)"),
        (Tensor([True]), "Tensor([ True])"),
        (Tensor([]), "Tensor([])"),
        (Tensor(np.zeros((0, 3), "float32")), "Tensor([], shape=(0, 3))"),
        (
            tgl.zeros((2, 600)),
            "Tensor([[0., 0., 0., ..., 0., 0., 0.],\n        [0., 0., 0., ..., 0., 0., 0.]], shape=(2, 600))",
        ),
        (Tensor([1.0], dtype="float16"), "Tensor([1.], dtype=float16)"),
        (leaf(1.0), "Tensor([1.], requires_grad=True)"),
        (leaf(1.0) * 2, "Tensor([2.], from=multiply)"),
        (tgl.topk(leaf(1.0, 2.0), 1)[0], "Tensor([2.], from=topk)"),
        (Tensor([[1, 2], [3, 4]]), "Tensor([[1, 2],\n        [3, 4]], dtype=int64)"),
    ],
)
def test_repr(x, text):
    assert repr(x) == text


def test_python_numbers_come_out_of_one_element():
    assert Tensor([[2.5]]).item() == 2.5
    assert type(Tensor(3).item()) is int
    assert float(leaf(2.5)) == 2.5
    assert int(Tensor(2.9)) == 2
    assert bool(Tensor([0.0])) is False
    assert ["a", "b"][Tensor(1)] == "b"
    assert list(range(Tensor(2, dtype="uint8"))) == [0, 1]


@pytest.mark.parametrize(
    "kind, call, text",
    [
        (
            IterationError,
            lambda: len(Tensor(1.0)),
            (
                "len needs at least one axis\n"
                "  tensor  shape (), float32, cpu\n"
                "  hint    this tensor is a single number: x.size is 1, and x.reshape(1) has an axis"
            ),
        ),
        (
            IterationError,
            lambda: iter(Tensor(1.0)),
            (
                "iter needs at least one axis\n"
                "  tensor  shape (), float32, cpu\n"
                "  hint    this tensor is a single number: x.item() is its value, and x.reshape(1) has an axis"
            ),
        ),
        (
            ShapeError,
            lambda: bool(Tensor([1.0, 2.0])),
            (
                "bool needs exactly one element\n"
                "  tensor  shape (2,), float32, cpu\n"
                "  hint    say which elements must be true: x.any() or x.all()"
            ),
        ),
        (
            ShapeError,
            lambda: Tensor([]).item(),
            ("item needs exactly one element\n  tensor  shape (0,), float32, cpu\n  hint    the tensor is empty"),
        ),
        (
            ShapeError,
            lambda: float(Tensor([1.0, 2.0])),
            (
                "float needs exactly one element\n"
                "  tensor  shape (2,), float32, cpu\n"
                "  hint    use tolist(), or reduce it first: x.mean().item()"
            ),
        ),
        (
            DTypeError,
            lambda: [1, 2][Tensor(1.0)],
            (
                "index needs an integer\n"
                "  tensor  shape (), float32, cpu\n"
                "  hint    x.item() is its value, int(x) cuts off the fraction"
            ),
        ),
        (
            ShapeError,
            lambda: Tensor([1.0]).T,
            (
                "T needs a matrix\n"
                "  tensor  shape (1,), float32, cpu\n"
                "  hint    a row is x.reshape(1, -1), a column x.reshape(-1, 1)"
            ),
        ),
        (
            GradientError,
            lambda: leaf(1.0).numpy(),
            (
                "numpy cannot carry a gradient\n"
                "  tensor  shape (1,), float32, cpu\n"
                "  hint    x.detach().numpy() says that the gradient ends here"
            ),
        ),
        (
            GradientError,
            lambda: np.sum(np.asarray(leaf(1.0))),
            (
                "numpy cannot carry a gradient\n"
                "  tensor  shape (1,), float32, cpu\n"
                "  hint    x.detach().numpy() says that the gradient ends here"
            ),
        ),
        (
            IndexingError,
            lambda: leaf(1.0)[5],
            (
                "getitem got index 5, but axis 0 has 1 element\n"
                "  x      shape (1,), float32, cpu\n"
                "  index  5\n"
                "  hint   indices go from 0 to 0, or from -1 to -1 from the end"
            ),
        ),
        (
            DTypeError,
            lambda: leaf(1.0)[1.0],
            (
                "getitem needs integers, bools or slices as index\n"
                "  x      shape (1,), float32, cpu\n"
                "  index  1.0\n"
                "  hint   n // 2 is a whole number, n / 2 is none; int(n) makes one"
            ),
        ),
        (
            ShapeError,
            lambda: leaf(1.0, 2.0) + Tensor([1.0, 2.0, 3.0]),
            (
                "add needs shapes that broadcast together, but axis -1 is 2 and 3\n"
                "  x1    shape (2,), float32, cpu\n"
                "  x2    shape (3,), float32, cpu\n"
                "  hint  sizes are compared from the last axis on, and must be equal or 1"
            ),
        ),
        (
            DTypeError,
            lambda: leaf(1.0) + None,
            (
                "add needs numbers, but got None\n"
                "  x2    None\n"
                "  hint  a function gives None where it does not return anything"
            ),
        ),
    ],
)
def test_what_a_tensor_refuses_to_be(kind, call, text):
    assert refusal(kind, call) == text


def test_a_single_value_is_told_from_many_as_everywhere():
    for call in (len, iter, list):
        with pytest.raises(TypeError):
            call(Tensor(1.0))


def test_it_may_be_a_key_and_a_member():
    x, y = leaf(1.0), Tensor([2.0])
    assert {x: 1, y: 2}[x] == 1
    assert 2.0 in Tensor([1.0, 2.0])
    assert 5.0 not in Tensor([1.0, 2.0])


# --- copies and NumPy ------------------------------------------------------------------------------------


def test_deepcopy_makes_an_independent_leaf():
    x = leaf(1.0, 2.0)
    (x * 2.0).sum().backward()
    twin, plain = copy.deepcopy([x, x.detach()])
    assert twin.is_leaf
    assert twin.requires_grad
    assert not plain.requires_grad
    with tgl.no_grad():
        x += 5.0
    assert twin.tolist() == [1.0, 2.0]
    both = copy.deepcopy([x, x])
    assert both[0] is both[1]


def test_results_cannot_be_copied_deeply_and_tensors_cannot_be_pickled():
    with pytest.raises(GradientError) as caught:
        copy.deepcopy(leaf(1.0) * 2)
    lines = str(caught.value).splitlines()
    assert lines[:2] == ["deepcopy needs a leaf", "  tensor  shape (1,), float32, cpu"]
    assert lines[3] == "  hint    x.clone() keeps the graph, copy.deepcopy(x.detach()) leaves it behind"
    with pytest.raises(ArgumentError) as caught:
        pickle.dumps(Tensor(1.0))
    lines = str(caught.value).splitlines()
    assert lines[:2] == ["pickle does not work on tensors", "  tensor  shape (), float32, cpu"]
    assert lines[3] == "  hint    save weights with tinygrad_lite.save (safetensors)"


def test_clone_has_memory_of_its_own_and_passes_gradients():
    x = leaf(1.0, 2.0)
    y = x.clone()
    assert not np.shares_memory(x._data, y._data)
    (y * y).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_detach_ends_the_gradient():
    x = leaf(3.0)
    (x * x.detach()).backward()
    assert x.grad.tolist() == [3.0]


def test_numpy_arrays_are_made_of_tensors_that_need_no_gradient():
    x = Tensor([1.0, 4.0])
    assert np.asarray(x, dtype="float64").dtype == np.float64
    assert np.asarray(x, copy=True).flags.writeable
    with tgl.no_grad():
        assert np.asarray(leaf(1.0)).tolist() == [1.0]


def test_no_operator_makes_an_object_array():
    x, array = leaf(1.0, 2.0), np.array([[1.0], [2.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for y in (array * x, array + x, array - x, array / x, np.float32(2) ** x, [1.0, 2.0] * x, (3.0, 4.0) - x):
            assert type(y) is Tensor
            assert y.dtype.kind == "f"
            assert y.requires_grad


def test_freezing_and_thawing_a_leaf():
    x = leaf(2.0)
    x.requires_grad_(False)
    assert not (x * 2.0).requires_grad
    x.requires_grad_()
    (x * x).backward()
    assert x.grad.tolist() == [4.0]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("unsqueeze", "here it is called x.expand_dims(axis)"), ("view", "here it is called x.reshape(...)")],
)
def test_a_name_from_another_library_is_refused_with_ours(name, hint):
    text = refusal(tgl.errors.MissingAttributeError, lambda: getattr(Tensor([1.0]), name))
    assert text == f"Tensor has no attribute {name!r}\n  hint  {hint}"
    assert not hasattr(Tensor([1.0]), "nonsense")


def test_a_function_from_another_library_is_refused_with_ours():
    text = refusal(tgl.errors.MissingAttributeError, lambda: tgl.cat)
    assert text == "tinygrad_lite has no attribute 'cat'\n  hint  here it is called concat"
    assert not hasattr(tgl, "nonsense")


def test_a_device_that_is_none_is_refused_as_a_device():
    text = refusal(tgl.errors.DeviceError, lambda: Tensor([1.0]).to("gpu"))
    assert text == ('to knows the devices "cpu" and "cuda", but got \'gpu\'\n  hint  use device="cuda"')
