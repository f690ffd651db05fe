"""The operators and methods of a tensor: every one of Python's, with tensors, arrays and numbers on either side."""

from __future__ import annotations

import operator
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, dialects
from tinygrad_lite.errors import ArgumentError, DeviceError, DTypeError, ShapeError

ARITHMETIC = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"]
BITS = ["and", "or", "xor", "lshift", "rshift"]
COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]
FLOATS = (np.array([[1.5, 2.0, -3.0]]), np.array([[2.0], [0.5]]))
INTEGERS = (np.array([[5, 6, 7]]), np.array([[1], [2]]))
BOOLS = (np.array([True, True, False, False]), np.array([True, False, True, False]))


def _operator(name):
    return getattr(operator, f"__{name}__")


@pytest.mark.parametrize("arrays", [FLOATS, INTEGERS], ids=["floats", "integers"])
@pytest.mark.parametrize("name", [*ARITHMETIC, *COMPARISONS])
def test_arithmetic_and_comparison_agree_with_numpy_on_either_side(name, arrays):
    function, (a, b) = _operator(name), arrays
    with np.errstate(invalid="ignore"):
        expected, by_number, of_number = function(a, b), function(a, 2), function(2, b)
        for result in (function(Tensor(a), Tensor(b)), function(Tensor(a), b), function(a, Tensor(b))):
            assert type(result) is Tensor
            np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6)
        np.testing.assert_allclose(function(Tensor(a), 2).numpy(), by_number, rtol=1e-6)
        np.testing.assert_allclose(function(2, Tensor(b)).numpy(), of_number, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "arrays"), [*((name, INTEGERS) for name in BITS), *((name, BOOLS) for name in ("and", "or", "xor"))]
)
def test_integers_are_combined_bit_by_bit_and_bools_logically(name, arrays):
    function, (a, b) = _operator(name), arrays
    one = True if arrays is BOOLS else 1
    for result, expected in (
        (function(Tensor(a), Tensor(b)), function(a, b)),
        (function(a, Tensor(b)), function(a, b)),
        (function(Tensor(a), one), function(a, one)),
        (function(one, Tensor(a)), function(one, a)),
    ):
        assert (result.tolist(), result.dtype) == (expected.tolist(), expected.dtype)


@pytest.mark.parametrize(
    ("operators", "function"),
    [
        ("__add__ __radd__", tgl.add),
        ("__mul__ __rmul__", tgl.multiply),
        ("__sub__", tgl.subtract),
        ("__truediv__", tgl.divide),
        ("__matmul__", tgl.matmul),
        ("__and__ __rand__", tgl.bitwise_and),
        ("__lt__", tgl.less),
        ("__neg__", tgl.negative),
    ],
)
def test_an_operator_is_the_function_itself_and_costs_no_extra_call(operators, function):
    assert all(getattr(Tensor, name) is function for name in operators.split())


def test_signs_and_bits_of_one_operand():
    x = Tensor([1, -2])
    assert ((-x).tolist(), abs(x).tolist(), (+x).tolist(), (~x).tolist()) == ([-1, 2], [1, 2], [1, -2], [-2, 1])
    assert (~Tensor([True, False])).tolist() == [False, True]


def test_divmod():
    for result in (divmod(Tensor([7, -7]), 3), divmod(np.array([7, -7]), Tensor([3, 3]))):
        assert [part.tolist() for part in result] == [[2, -3], [1, 2]]
    assert [part.tolist() for part in divmod(7, Tensor([2, 3]))] == [[3, 2], [1, 1]]


def test_matrix_products_on_either_side():
    a, b = np.arange(6.0).reshape(2, 3), np.arange(3.0)
    for result in (Tensor(a) @ Tensor(b), Tensor(a) @ b, a @ Tensor(b)):
        assert result.tolist() == (a @ b).tolist()


@pytest.mark.parametrize("name", ["and", "or", "xor", "lshift", "rshift"])
def test_floats_have_no_bits(name):
    with pytest.raises(DTypeError, match="bitwise_"):
        _operator(name)(Tensor([1.0]), Tensor([1]))
    with pytest.raises(DTypeError, match="bitwise_invert"):
        _ = ~Tensor([1.0])


def test_complex_numbers():
    x = Tensor([1 + 2j])
    assert (x * 1j).tolist() == [-2 + 1j]
    assert abs(x).dtype == tgl.float32
    assert (x.real.tolist(), x.imag.tolist(), x.conj().tolist()) == ([1.0], [2.0], [1 - 2j])
    assert complex(x) == 1 + 2j
    assert complex(Tensor(2.0)) == 2 + 0j
    text = "float needs a real number\n  tensor  shape (1,), complex64, cpu\n  hint    use tgl.real or tgl.abs"
    assert refusal(DTypeError, lambda: float(x)) == text
    assert refusal(DTypeError, lambda: int(x)) == text.replace("float", "int")


@pytest.mark.parametrize("function", [int, float, complex, operator.index, "{:.1f}".format])
def test_a_conversion_refuses_more_than_one_element_in_its_own_name(function):
    name = getattr(function, "__name__", "format")
    text = refusal(ShapeError, lambda: function(Tensor([1, 2])))
    assert text == (
        f"{name} needs exactly one element\n  tensor  shape (2,), int64, cpu\n"
        "  hint    use tolist(), or reduce it first: x.mean().item()"
    )


def test_membership_asks_for_elements():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    assert 3.0 in x
    assert 9.0 not in x
    assert None not in x
    assert np.float64(4.0) in x


@pytest.mark.parametrize("other", [None, "a", b"a", {}, {1.0}, object(), len])
def test_what_is_no_number_equals_no_tensor(other):
    x = Tensor([1.0])
    assert not x == other  # noqa: SIM201
    assert x != other
    assert other not in x
    assert [other, x].index(other) == 0


def test_an_object_that_compares_itself_is_asked():
    class Anything:
        def __eq__(self, other):
            return True

    assert Tensor([1.0, 2.0]) == Anything()
    assert Tensor([1.0, 2.0]) in [Anything()]


@pytest.mark.parametrize("other", [Fraction(1, 2), Decimal("0.5"), ["a"], np.array(["a"])])
def test_numbers_and_arrays_that_a_tensor_cannot_hold_are_not_just_unequal(other):
    with pytest.raises(DTypeError, match="equal needs numbers"):
        _ = Tensor([0.5]) == other


@pytest.mark.parametrize(
    "other", [1.0, [1.0], (1,), range(1, 2), np.array([1.0]), np.float32(1), True, bytearray(b"\x01")]
)
def test_numbers_and_arrays_compare_element_by_element(other):
    assert (Tensor([1.0]) == other).tolist() == [True]
    assert (Tensor([1.0]) != other).tolist() == [False]


# --- in place -----------------------------------------------------------------------------------------------

IN_PLACE = ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow"]


@pytest.mark.parametrize("name", IN_PLACE)
def test_an_operator_in_place_changes_one_object(name):
    function = _operator(name)
    x = original = Tensor([5.0, 7.0])
    view, expected = x[:], function(np.array([5.0, 7.0]), 2.0)
    x = function(x, 2.0)
    assert x is original
    assert x.tolist() == expected.tolist()
    assert view.tolist() == [5.0, 7.0]


@pytest.mark.parametrize("function", [operator.pos, lambda x: tgl.rot90(x, 4), lambda x: tgl.roll(x, 0), tgl.real])
def test_what_changes_nothing_is_a_new_tensor_all_the_same(function):
    x = Tensor([[1.0, 2.0]])
    y = function(x)
    y += 1.0
    assert (x.tolist(), y.tolist()) == ([[1.0, 2.0]], [[2.0, 3.0]])


@pytest.mark.parametrize("name", ["iand", "ior", "ixor", "ilshift", "irshift"])
def test_bits_change_in_place_too(name):
    function = _operator(name)
    x = original = Tensor([5, 6], dtype="int8")
    x = function(x, 1)
    assert x is original
    assert x.dtype == tgl.int8
    assert x.tolist() == function(np.array([5, 6]), 1).tolist()


def test_in_place_matrix_products():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    x @= Tensor([[0.0, 1.0], [1.0, 0.0]])
    assert x.tolist() == [[2.0, 1.0], [4.0, 3.0]]


def test_a_gradient_passes_through_what_was_written_in_place():
    x = Tensor([5.0, 7.0], requires_grad=True)
    y = x * 1.0
    y %= 3.0
    y *= 2.0
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_in_place_operators_keep_shape_and_dtype():
    x = Tensor([1, 2])

    def divided() -> None:
        y = x[:]
        y /= 2

    def widened() -> None:
        y = x[:]
        y |= Tensor([[1], [2]])

    assert refusal(DTypeError, divided) == (
        "divide cannot change the dtype in place, to float32\n"
        "  x      shape (2,), int64, cpu\n"
        "  other  2\n"
        '  hint   write x = x.astype("float32") first'
    )
    assert refusal(ShapeError, widened) == (
        "bitwise_or cannot change the shape in place, to (2, 2)\n"
        "  x      shape (2,), int64, cpu\n"
        "  other  shape (2, 1), int64, cpu\n"
        "  hint   x = x + other gives the name x to a new tensor"
    )


# --- methods --------------------------------------------------------------------------------------------------

#: methods that are not the function of the same name, or of which there is none
OF_ITS_OWN = {
    *("reshape", "permute_dims", "real", "imag"),
    *("item", "tolist", "numpy", "to", "to_device", "clone", "detach", "backward", "register_hook", "retain_grad"),
    *("requires_grad_", "register_post_accumulate_grad_hook"),
}
METHODS = [name for name in dir(Tensor) if not name.startswith("_") and callable(getattr(Tensor, name))]


@pytest.mark.parametrize("name", sorted({*METHODS} - OF_ITS_OWN))
def test_a_method_is_the_function_itself(name):
    function = getattr(tgl, name, None) or getattr(tgl.linalg, name)
    assert getattr(Tensor, name) is function


@pytest.mark.parametrize(
    ("method", "function"),
    [
        (lambda x: x.std(axis=0), lambda x: tgl.std(x, axis=0)),
        (lambda x: x.reshape(3, 2), lambda x: tgl.reshape(x, (3, 2))),
        (lambda x: x.reshape((3, 2)), lambda x: tgl.reshape(x, (3, 2))),
        (lambda x: x.permute_dims(1, 0), lambda x: tgl.permute_dims(x, (1, 0))),
        (lambda x: x.permute_dims((1, 0)), lambda x: tgl.permute_dims(x, (1, 0))),
        (lambda x: x.norm(), lambda x: tgl.linalg.norm(x)),
        (lambda x: x.masked_fill(x > 1, 0.0), lambda x: tgl.where(x > 1, 0.0, x)),
    ],
)
def test_methods_and_functions_agree(method, function):
    x = Tensor([[0.5, 1.5, 2.5], [3.5, 0.25, 1.25]])
    assert method(x).tolist() == function(x).tolist()


def test_a_shape_may_be_changed_without_a_copy_alone():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    assert np.shares_memory(x.reshape(-1, copy=False)._data, x._data)
    assert not np.shares_memory(x.reshape(4, copy=True)._data, x._data)


# --- dtype and device -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "dtype"),
    [
        (lambda x: x.to("cpu"), "float32"),
        (lambda x: x.to("float64"), "float64"),
        (lambda x: x.to(tgl.int8), "int8"),
        (lambda x: x.to("cpu", "float64"), "float64"),
        (lambda x: x.to(device="cpu", dtype=int), "int64"),
        (lambda x: x.to(Tensor([1], dtype="int16")), "int16"),
        (lambda x: x.to(None), "float32"),
        (lambda x: x.to_device("cpu"), "float32"),
    ],
)
def test_to_another_dtype_and_device(call, dtype):
    y = call(Tensor([1.0, 2.0]))
    assert (y.dtype, y.device, y.tolist()) == (dtype, "cpu", [1, 2])


def test_where_there_is_nothing_to_change_the_tensor_itself_comes_back():
    x = Tensor([1.0], requires_grad=True)
    assert x.to("cpu") is x.to_device("cpu") is x.to("float32") is x
    assert x.to("float64").requires_grad


def test_other_devices_and_streams_are_refused():
    x = Tensor([1.0])
    text = ' knows the devices "cpu" and "cuda", but got \'tpu\'\n  hint  use device="cpu", or leave it out'
    assert refusal(DeviceError, lambda: x.to("tpu", "float64")) == "to" + text
    assert refusal(DeviceError, lambda: x.to_device("tpu")) == "to_device" + text
    assert refusal(ArgumentError, lambda: x.to_device("cpu", stream=1)) == (
        "to_device needs no stream, but got 1\n  tensor  shape (1,), float32, cpu\n  hint    leave stream out"
    )


# --- names of other libraries -----------------------------------------------------------------------------------


def test_no_hint_is_about_a_name_that_is_here():
    assert [name for name in dialects._TENSOR if hasattr(Tensor, name)] == []
    assert [name for name in dialects._FUNCTIONS if hasattr(tgl, name)] == []


@pytest.mark.parametrize(("name", "hint"), [(n, h) for n, h in dialects._FUNCTIONS.items() if not set("@[") & set(h)])
def test_every_hint_names_what_is_here(name, hint):
    for one in hint.split(" or "):
        assert operator.attrgetter(one.split("(")[0])(tgl) is not None


def _values(hint):
    """What a hint for a tensor's attribute gives on a matrix."""
    names = {"x": Tensor([[1.0, 2.0], [3.0, 4.0]]), "y": Tensor([[1.0, 2.0], [3.0, 4.0]]), "tgl": tgl, "dtype": "int8"}
    names |= {"axis": 1, "shape": (2, 2), "min": 0, "max": 1, "indices": Tensor([0]), "sections": 2}
    names |= {"size": 2, "step": 1}
    return eval(hint, names | {"mask": names["x"] > 1})


@pytest.mark.parametrize(
    ("name", "hint"),
    [(n, h) for n, h in dialects._TENSOR.items() if "=" not in h and "..." not in h and "cuda" not in h],
)
def test_every_hint_about_a_tensor_works(name, hint):
    assert _values(hint) is not None
