"""Dtypes, special values and complex values of the element-wise functions: the array API standard's, else NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.backends.cpu import elementwise as cpu

nan, inf = float("nan"), float("inf")

# --- dtypes -----------------------------------------------------------------------------------------

DISCRETE = ["int8", "int32", "int64", "uint8", "uint64"]
KEEPING = ["abs", "ceil", "floor", "trunc", "round", "positive", "sign", "square", "conj", "bitwise_invert"]


@pytest.mark.parametrize("name", KEEPING)
def test_integers_stay_integers(name: str) -> None:
    for dtype in DISCRETE:
        x = np.array([3, 0, 5], dtype)
        y = getattr(tgl, name)(Tensor(x))
        assert y.dtype == dtype
        if name in ("ceil", "floor", "trunc", "round", "positive", "conj", "abs"):
            np.testing.assert_array_equal(y._data, x)


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "round"])
def test_large_integers_are_not_rounded(name: str) -> None:
    x = np.array([2**53 + 1, -(2**62) - 1])
    y = getattr(tgl, name)(Tensor(x))
    np.testing.assert_array_equal(y._data, x)
    assert y._data is not x


def test_round_of_integers_to_tens_stays_an_integer() -> None:
    y = tgl.round(Tensor([14, 15, -26]), decimals=-1)
    assert (y.dtype, y.tolist()) == ("int64", [10, 20, -30])


WEAK = [
    ("floor_divide", [7, -7], 2, [3, -4], [0, -1]),
    ("remainder", [7, -7], 4, [3, 1], [4, -3]),
    ("fmod", [7, -7], 4, [3, -3], [4, 4]),
    ("bitwise_and", [12, 10], 6, [4, 2], [4, 2]),
    ("bitwise_or", [12, 10], 6, [14, 14], [14, 14]),
    ("bitwise_xor", [12, 10], 6, [10, 12], [10, 12]),
    ("bitwise_left_shift", [1, 3], 2, [4, 12], [4, 16]),
    ("bitwise_right_shift", [13, 1], 2, [3, 0], [0, 1]),
]


@pytest.mark.parametrize("name, x, number, right, left", WEAK, ids=[name for name, *_ in WEAK])
def test_a_python_number_on_either_side_takes_the_dtype_of_the_integers(
    name: str, x: list, number: int, right: list, left: list
) -> None:
    function = getattr(tgl, name)
    for dtype in ("int8", "int64"):
        for y, expected in (
            (function(Tensor(x, dtype=dtype), number), right),
            (function(number, Tensor(x, dtype=dtype)), left),
        ):
            assert (y.dtype, y.tolist()) == (dtype, expected)


def test_bits_of_bools_are_logic() -> None:
    a, b = Tensor([True, True, False]), Tensor([True, False, False])
    for function, expected in (
        (tgl.bitwise_and, [True, False, False]),
        (tgl.bitwise_or, [True, True, False]),
        (tgl.bitwise_xor, [False, True, False]),
        (tgl.logical_xor, [False, True, False]),
    ):
        y = function(a, b)
        assert (y.dtype, y.tolist()) == ("bool", expected)
    assert tgl.bitwise_invert(a).tolist() == [False, False, True]


def test_integers_by_zero_are_numpys() -> None:
    with np.errstate(divide="ignore"):
        assert tgl.floor_divide(Tensor([1, -1]), 0).tolist() == [0, 0]
        assert tgl.remainder(Tensor([1, -1]), 0).tolist() == [0, 0]


PROMOTED = [
    ("float16", "float32", "float32"),
    ("float64", "float32", "float64"),
    ("float16", "int64", "float16"),
    ("uint8", "float64", "float64"),
    ("int32", "int64", "float32"),
    ("bool", "int8", "float32"),
]
FLOATING = ["atan2", "copysign", "heaviside", "hypot", "logaddexp", "logaddexp2", "nextafter", "xlogy"]


@pytest.mark.parametrize("first, second, expected", PROMOTED)
@pytest.mark.parametrize("name", FLOATING)
def test_two_dtypes_give_a_floating_one(name: str, first: str, second: str, expected: str) -> None:
    for pair in ((first, second), (second, first)):
        a, b = (Tensor(np.array([1, 1], dtype)) for dtype in pair)
        assert getattr(tgl, name)(a, b).dtype == expected


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod"])
def test_quotients_promote_as_sums_do(name: str) -> None:
    for first, second, expected in (("int8", "int32", "int32"), ("int8", "uint8", "int16"), *PROMOTED[:4]):
        y = getattr(tgl, name)(Tensor(np.array([7], first)), Tensor(np.array([2], second)))
        assert (y.dtype, y.item()) == (expected, 3 if name == "floor_divide" else 1)


# --- clip -------------------------------------------------------------------------------------------

CLIPPED = [
    ("float32", "float64", "float32"),
    ("float64", "float16", "float64"),
    ("int8", "int64", "int8"),
    ("uint8", "int16", "uint8"),
    ("int32", "float32", "float32"),
]


@pytest.mark.parametrize("dtype, bounds, expected", CLIPPED)
def test_bounds_do_not_widen_what_they_clip(dtype: str, bounds: str, expected: str) -> None:
    x = Tensor(np.array([1, 5, 9], dtype))
    y = tgl.clip(x, Tensor(np.array(2, bounds)), Tensor(np.array([4, 8, 8], bounds)))
    assert (y.dtype, y.tolist()) == (expected, [2, 5, 8])


def test_a_wide_bound_does_not_wrap_around() -> None:
    assert tgl.clip(Tensor([100], dtype="int8"), max=Tensor([1000])).tolist() == [100]


def test_clip_without_bounds_is_a_copy() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = tgl.clip(x)
    assert tgl.grad(y.sum(), x).tolist() == [1, 1]
    y += 1
    assert x.tolist() == [1, 2]


# --- special values ---------------------------------------------------------------------------------


def test_lerp_is_exact_at_both_ends() -> None:
    a, b = Tensor([0.1, 1e8]), Tensor([0.7, -3.0])
    for weight in (0.0, Tensor([0.0, 0.0])):
        assert tgl.lerp(a, b, weight).tolist() == a.tolist()
    for weight in (1.0, Tensor([1.0, 1.0])):
        assert tgl.lerp(a, b, weight).tolist() == b.tolist()


def test_xlogy_is_0_for_0_whatever_the_other_is_but_nan() -> None:
    with np.errstate(all="ignore"):
        y = tgl.xlogy(Tensor(np.zeros(5)), Tensor(np.array([0.0, inf, -1.0, 2.0, nan])))
    np.testing.assert_array_equal(y._data, [0, 0, 0, 0, nan])
    assert tgl.xlogy(Tensor([0.0, 1.0]), 2.0).dtype == tgl.xlogy(2, Tensor([0.5])).dtype == "float32"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nan_to_num_takes_the_limits_of_the_dtype(dtype: str) -> None:
    limits = np.finfo(dtype)
    y = tgl.nan_to_num(Tensor(np.array([inf, -inf, nan, 1], dtype)))
    assert (y.dtype, y.tolist()) == (dtype, [limits.max, limits.min, 0, 1])


def test_nextafter_is_the_neighbour() -> None:
    for dtype in ("float16", "float32", "float64"):
        x = np.array([1.0, 0.0, -1.0], dtype)
        y = tgl.nextafter(Tensor(x), Tensor(np.full(3, inf, dtype)))
        assert y.dtype == dtype
        np.testing.assert_array_equal(y._data, np.nextafter(x, np.array(inf, dtype)))


def test_closeness_is_that_of_the_second_operand() -> None:
    assert tgl.isclose(Tensor([100.0, inf, inf, 0.1]), Tensor([100.1, inf, -inf, 0.1]), rtol=1e-3).tolist() == [
        True,
        True,
        False,
        True,
    ]
    assert tgl.isclose(Tensor([0.1]), 0.1, rtol=0, atol=0).tolist() == [True]  # a number is weak
    assert tgl.isclose(Tensor([0], dtype="uint8"), Tensor([1], dtype="uint8"), rtol=0, atol=1).tolist() == [True]
    assert tgl.isclose(1, 1.0).item()


def test_a_tensor_equals_one_of_its_shape_alone() -> None:
    assert tgl.array_equal(Tensor([1.0, 2.0]), [1, 2])
    assert not tgl.array_equal(Tensor([[1.0, 2.0]]), Tensor([1.0, 2.0]))
    assert not tgl.array_equal(Tensor([nan]), Tensor([nan]))
    assert tgl.array_equal(Tensor([nan]), Tensor([nan]), equal_nan=True)
    assert tgl.array_equal(tgl.zeros((0, 2)), tgl.zeros((0, 2)))


# --- complex values ---------------------------------------------------------------------------------

_Z = np.array([0.5 + 0.25j, -1.5 + 2j, 0.3 - 0.7j, 2.0 + 0j, 3j])
UNARY: dict[str, Any] = {
    **{name: getattr(np, name) for name in ("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "square", "exp2")},
    **{name: getattr(np, name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "negative", "positive")},
    **{name: getattr(np, "arc" + name[1:]) for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")},
    **{name: getattr(np, name) for name in ("reciprocal", "sign", "conj", "round", "isfinite", "isinf", "isnan")},
    "abs": np.abs,
    "real": np.real,
    "imag": np.imag,
}


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("name", UNARY)
def test_a_function_of_complex_numbers(name: str, dtype: str) -> None:
    z = _Z.astype(dtype)
    y, expected = getattr(tgl, name)(Tensor(z)), np.asarray(UNARY[name](z))
    assert y.dtype == expected.dtype
    assert not y.requires_grad
    np.testing.assert_allclose(y._data, expected, rtol=1e-6 if dtype == "complex64" else 1e-14)


BINARY = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "pow": np.power}


@pytest.mark.parametrize("dtype, real", [("complex64", "float32"), ("complex128", "float64")])
@pytest.mark.parametrize("name", BINARY)
def test_a_function_of_two_complex_numbers_or_one(name: str, dtype: str, real: str) -> None:
    function, numpy, z, w = getattr(tgl, name), BINARY[name], _Z.astype(dtype), _Z[::-1].astype(dtype) + 1
    r = w.real.astype(real)
    for y, expected in (
        (function(Tensor(z), Tensor(w)), numpy(z, w)),
        (function(Tensor(z), Tensor(r)), numpy(z, r)),
        (function(Tensor(r), Tensor(w)), numpy(r, w)),
        (function(Tensor(w), 2), numpy(w, 2)),
        (function(Tensor(w), 0.5j), numpy(w, z.dtype.type(0.5j))),
        (function(Tensor(r), 0.5j), numpy(r, z.dtype.type(0.5j))),
    ):
        assert y.dtype == expected.dtype == dtype
        np.testing.assert_allclose(y._data, expected, rtol=1e-5 if dtype == "complex64" else 1e-13)


def test_complex_numbers_compare_for_equality() -> None:
    z = Tensor([1 + 1j, 2.0])
    assert tgl.equal(z, Tensor([1 + 1j, 2j])).tolist() == [True, False]
    assert tgl.not_equal(z, 2).tolist() == [True, False]
    assert tgl.isclose(z, Tensor([1 + 1.0000001j, 3.0])).tolist() == [True, False]


def test_expm1_of_complex_zeros_and_infinities() -> None:
    z = np.array([complex(0, 0), complex(inf, 0), complex(-inf, inf), complex(nan, 0)])
    y = tgl.expm1(Tensor(z))._data
    np.testing.assert_array_equal(y.real, [0, inf, -1, nan])
    np.testing.assert_array_equal(y.imag, [0, 0, 0, 0])
    tiny = tgl.expm1(Tensor(np.array([1e-20 + 1e-20j])))._data
    np.testing.assert_allclose(tiny, [1e-20 + 1e-20j], rtol=1e-15)


def test_parts_of_a_real_tensor_do_not_follow_it() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    parts = [tgl.real(x), tgl.conj(x), tgl.positive(x), tgl.imag(x)]
    with tgl.no_grad():
        x += 1
    assert [part.tolist() for part in parts] == [[1, 2], [1, 2], [1, 2], [0, 0]]


def test_rounding_half_precision_to_decimals_does_not_overflow() -> None:
    x = np.array([1.2344, 1000.0, -60000.0], "float16")
    y = tgl.round(Tensor(x), 2)
    assert (y.dtype, y.tolist()) == ("float16", [float(np.float16(1.23)), 1000.0, -60000.0])


def test_a_number_outside_an_integer_type_is_compared_and_multiplied_in_floating_point() -> None:
    x = Tensor([1, 255], dtype="uint8")
    assert tgl.isclose(x, 255.0).tolist() == [False, True]
    assert tgl.isclose(x, -1).tolist() == [False, False]
    np.testing.assert_allclose(tgl.xlogy(x, 300).numpy(), np.array([1, 255]) * np.log(300), rtol=1e-6)


# --- choices between numbers ------------------------------------------------------------------------

C3 = np.array([True, False, True])


@pytest.mark.parametrize(
    "x1, x2, dtype",
    [
        (1.0, 0.0, "float32"),
        (1, 0.5, "float32"),
        (0.5, 1, "float32"),
        (True, 0.5, "float32"),
        ([1.0, 2.0, 3.0], 0.0, "float32"),
        (0.0, [1.0, 2.0, 3.0], "float32"),
        ([1, 2, 3], 0.5, "float32"),
        (np.ones(3), 0.0, "float64"),
        (0.0, np.ones(3), "float64"),
        (np.ones(3, np.float16), 0.5, "float16"),
        (1, 0, "int64"),
        (1, True, "int64"),
        (True, False, "bool"),
        (1.0, 2j, "complex64"),
    ],
)
def test_a_choice_between_numbers_has_their_default_dtype(x1: Any, x2: Any, dtype: str) -> None:
    for y in (tgl.where(Tensor(C3), x1, x2), np.where(Tensor(C3), x1, x2)):
        assert y.dtype == dtype
        np.testing.assert_array_equal(y.numpy(), np.where(C3, x1, x2))


# --- whole powers -----------------------------------------------------------------------------------

BASES = np.array([-inf, -3.7, -1.0, -1e-3, -0.0, 0.0, 1e-3, 0.3, 1.0, 2.0, 11.1, inf, nan])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("exponent", [-4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 8, 3.0, -3.0, 4.0, inf, -inf, nan])
def test_powers_of_numbers_of_both_signs_are_those_of_numpy(exponent: float, dtype: str) -> None:
    x = BASES.astype(dtype)
    with np.errstate(all="ignore"):
        expected = np.power(x, x.dtype.type(exponent))
        for y in (tgl.pow(Tensor(x), exponent).numpy(), [tgl.pow(Tensor(v), exponent).item() for v in x]):
            y = np.asarray(y, dtype)
            np.testing.assert_allclose(y, expected, rtol=2 * np.finfo(dtype).eps)
            assert (np.signbit(y) == np.signbit(expected))[~np.isnan(expected)].all()


def test_whole_powers_of_negative_numbers_are_found_from_their_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    bases: list[Any] = []

    def power(x: Any, exponent: Any, **kwargs: Any) -> Any:
        bases.append(x.min())
        return np.float_power(x, exponent).astype(x.dtype)

    monkeypatch.setattr(cpu.np, "power", power)
    y = cpu.power(np.array([-2.0, 3.0], np.float32), 5)
    monkeypatch.undo()
    assert (y.tolist(), y.dtype, bases) == ([-32.0, 243.0], "float32", [2.0])


@pytest.mark.parametrize("exponent", [-3, -2, -1, 0, 1, 2, 3, 4, 5, 3.0])
def test_whole_powers_have_derivatives_of_all_orders_on_both_sides_of_zero(exponent: float) -> None:
    x = Tensor(np.array([-2.0, -0.5, 0.25, 3.0]), requires_grad=True)
    y, factor = tgl.pow(x, exponent), 1.0
    for order in range(1, 4):
        y = tgl.grad(y.sum(), x, create_graph=True)
        factor *= exponent - order + 1
        expected = factor * x.detach().numpy() ** float(exponent - order) if factor else np.zeros(4)
        np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-14)
        if not y.requires_grad:
            break


def test_whole_powers_have_slopes_at_zero() -> None:
    slopes = []
    for exponent in (0, 1, 2, 3, 4):
        x = Tensor(0.0, requires_grad=True)
        slopes.append(tgl.grad(x**exponent, x).item())
    assert slopes == [0.0, 1.0, 0.0, 0.0, 0.0]
