"""Exponentials, trigonometry and complex functions of the GPU are accurate to a few units in the last place."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from backends.cuda.placed import close, inf, nan, ordinary

from tinygrad_lite.backends.cpu import namespace as cpu
from tinygrad_lite.backends.cuda import elementwise
from tinygrad_lite.backends.cuda.array import from_host

FLOATS = ["float16", "float32", "float64"]
COMPLEX = ["complex64", "complex128"]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


ANYWHERE = ["exp", "exp2", "expm1", "sin", "cos", "tan", "sinh", "cosh", "tanh", "atan", "asinh"]
POSITIVE = ["log", "log2", "log10", "log1p"]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [*ANYWHERE, *POSITIVE, "asin", "acos", "atanh", "acosh"])
def test_a_function_of_floats(name: str, dtype: str) -> None:
    if name in POSITIVE:
        x = ordinary(dtype, 300, 1, 0.01, 9)
    elif name in ANYWHERE:
        x = ordinary(dtype, 300, 1, -6, 6)
    else:
        x = ordinary(dtype, 300, 1, 1, 9) if name == "acosh" else ordinary(dtype, 300, 1, -1, 1)
    x[:6] = [0.0, -0.0, inf, -inf, nan, 1.0]
    wide = x.astype("float32" if dtype == "float16" else "float64")
    close(getattr(elementwise, name)(from_host(x)), getattr(cpu, name)(wide).astype(dtype), 4)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["atan2", "hypot", "logaddexp", "logaddexp2", "pow"])
def test_a_function_of_two_floats(name: str, dtype: str) -> None:
    x, y = ordinary(dtype, 300, 1, 0.01, 5), ordinary(dtype, 300, 2, -4, 4)
    x[:8], y[:8] = [0, -0.0, inf, -inf, nan, inf, -inf, 1], [-0.0, 0, 1, inf, 1, inf, -inf, nan]
    wide = "float32" if dtype == "float16" else "float64"
    expected = getattr(cpu, name)(x.astype(wide), y.astype(wide)).astype(dtype)
    close(getattr(elementwise, name)(from_host(x), from_host(y)), expected, 4)
    with_number = getattr(cpu, name)(x.astype(wide), np.array(1.5, wide)).astype(dtype)
    close(getattr(elementwise, name)(from_host(x), 1.5), with_number, 4)


WIDER = {"complex64": "complex128", "complex128": "clongdouble"}
COMPLEX_UNARY = [*ANYWHERE, *POSITIVE, "asin", "acos", "atanh", "acosh", "sqrt", "square", "reciprocal", "sign", "abs"]


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("name", COMPLEX_UNARY)
def test_a_function_of_complex_numbers(name: str, dtype: str) -> None:
    z = ordinary(dtype, 300, 1)
    z[:6] = [0.5, -0.25, 2.5j, -0.125j, 1e-3 + 1e-3j, 3]
    exact = getattr(cpu, name)(z.astype(WIDER[dtype]))
    close(getattr(elementwise, name)(from_host(z)), exact.astype(cpu.abs(z).dtype if name == "abs" else dtype), 8)


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "pow"])
def test_a_function_of_two_complex_numbers(name: str, dtype: str) -> None:
    z, w = ordinary(dtype, 300, 1), ordinary(dtype, 300, 2)
    w[:4] = [2, -3, 0, 1]
    close(getattr(elementwise, name)(from_host(z), from_host(w)), getattr(cpu, name)(z, w), 64 if name == "pow" else 8)
    close(getattr(elementwise, name)(from_host(z), 0.5 + 1j), getattr(cpu, name)(z, z.dtype.type(0.5 + 1j)), 64)
    close(getattr(elementwise, name)(0.5 + 1j, from_host(z)), getattr(cpu, name)(z.dtype.type(0.5 + 1j), z), 64)


SPECIAL_VALUES = ["exp", "expm1", "log", "sqrt", "abs", "sign", "square", "isnan", "isinf"]
SPECIAL_VALUES += ["sinh", "cosh", "tanh", "asin", "acos", "asinh", "acosh", "atan", "atanh"]


@pytest.mark.parametrize("name", SPECIAL_VALUES)
def test_special_values_of_complex_numbers(name: str) -> None:
    parts = [0.0, -0.0, 1.0, -2.0, inf, -inf, nan]
    z = np.array([complex(a, b) for a in parts for b in parts])
    got, expected = getattr(elementwise, name)(from_host(z)).get(), getattr(cpu, name)(z)
    for at, one, other in zip(z, got, expected, strict=True):
        # What C leaves open, the sign of a zero or of an infinity beside NaN, may differ.
        undefined = np.isnan(one) and np.isnan(other)
        assert undefined or one == pytest.approx(other, rel=1e-14), (at, one, other)
