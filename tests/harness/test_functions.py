"""CUDA's functions on the emulator: mathematics against NumPy in more precision, integers against Python's."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytestmark = pytest.mark.needs("cuda")

UNIT, REAL, POSITIVE, LARGE = (
    np.linspace(-1, 1, 21),
    np.linspace(-3, 3, 25),
    np.geomspace(1e-3, 30, 21),
    np.linspace(1, 9, 17),
)
BOTH = {
    "exp": (np.exp, REAL),
    "exp2": (np.exp2, REAL),
    "exp10": (lambda x: 10.0**x, REAL),
    "expm1": (np.expm1, REAL),
    "log": (np.log, POSITIVE),
    "log2": (np.log2, POSITIVE),
    "log10": (np.log10, POSITIVE),
    "log1p": (np.log1p, POSITIVE),
    "sin": (np.sin, REAL),
    "cos": (np.cos, REAL),
    "tan": (np.tan, UNIT),
    "asin": (np.arcsin, UNIT),
    "acos": (np.arccos, UNIT),
    "atan": (np.arctan, REAL),
    "sinh": (np.sinh, REAL),
    "cosh": (np.cosh, REAL),
    "tanh": (np.tanh, REAL),
    "asinh": (np.arcsinh, REAL),
    "acosh": (np.arccosh, LARGE),
    "atanh": (np.arctanh, 0.9 * UNIT),
    "sqrt": (np.sqrt, POSITIVE),
    "cbrt": (np.cbrt, REAL),
    "floor": (np.floor, REAL),
    "ceil": (np.ceil, REAL),
    "trunc": (np.trunc, REAL),
    "rint": (np.rint, REAL),
    "fabs": (np.fabs, REAL),
    "erf": (np.vectorize(math.erf), REAL),
    "erfc": (np.vectorize(math.erfc), REAL),
    "lgamma": (np.vectorize(math.lgamma), LARGE),
    "tgamma": (np.vectorize(math.gamma), LARGE),
}
ONLY_CUDA = {
    "rsqrt": (lambda x: 1 / np.sqrt(x), POSITIVE),
    "sinpi": (lambda x: np.sin(np.pi * x), REAL),
    "cospi": (lambda x: np.cos(np.pi * x), REAL),
    "normcdf": (lambda x: 0.5 * np.vectorize(math.erfc)(-x / math.sqrt(2)), REAL),
}


@pytest.fixture
def functions(compiled):
    return compiled("functions.cu")


def tabulate(cuda, functions, to_device, to_host, name, x):
    out = cuda.mem_alloc(x.nbytes)
    functions.get_function(name)(to_device(x), out, np.int32(len(x)), block=(len(x), 1, 1))
    return to_host(out, len(x), x.dtype)


@pytest.mark.parametrize("name", [*BOTH, *ONLY_CUDA])
def test_mathematical_functions(functions, cuda, to_device, to_host, name):
    exact, points = (BOTH | ONLY_CUDA)[name]
    for suffix, kind in (("32", np.float32), ("64", np.float64), ("overload", np.float32)):
        if suffix == "overload" and name in ONLY_CUDA:
            continue
        x = points.astype(kind)
        found = tabulate(cuda, functions, to_device, to_host, f"{name}_{suffix}", x)
        eps = np.finfo(kind).eps
        np.testing.assert_allclose(found, exact(x.astype(np.float64)), rtol=8 * eps, atol=8 * eps, err_msg=suffix)


def test_multiples_of_a_half_are_exact_in_functions_of_pi(functions, cuda, to_device, to_host):
    x = np.arange(-4, 5) / 2
    sines = tabulate(cuda, functions, to_device, to_host, "sinpi_64", x)
    cosines = tabulate(cuda, functions, to_device, to_host, "cospi_64", x)
    np.testing.assert_array_equal(sines, [0, 1, 0, -1, 0, 1, 0, -1, 0])
    np.testing.assert_array_equal(cosines, [1, 0, -1, 0, 1, 0, -1, 0, 1])


def signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def expected_integers(a, b):
    wide, mask = a << 32 | b, (1 << 32) - 1
    sa, sb, swide = signed(a, 32), signed(b, 32), signed(wide, 64)
    both = b << 32 | a
    reverse = lambda value, bits: int(f"{value:0{bits}b}"[::-1], 2)
    lowest = lambda value: (value & -value).bit_length()
    octets = [both >> (8 * k) & 0xFF for k in range(8)]
    return [
        a.bit_count(),
        wide.bit_count(),
        32 - a.bit_length(),
        64 - wide.bit_length(),
        lowest(a),
        lowest(wide),
        reverse(a, 32),
        signed(reverse(wide, 64), 64),
        a * b >> 32,
        sa * sb >> 32,
        signed(wide * wide >> 64, 64),
        swide * swide >> 64,
        (both << 9 >> 32) & mask,
        (both >> 9) & mask,
        octets[2] | octets[4] << 8 | octets[1] << 16 | octets[5] << 24,
        a & 0x7F7FFFFF,
        (a & 0x7FEFFFFF) << 32 | b,
        min(a, b),
        max(sa, sb),
        max(a, b),
    ]


def test_integer_functions(functions, cuda, to_device, to_host):
    pairs = [(0, 0), (1, 2), (0xFFFFFFFF, 1), (0x80000000, 0x7FFFFFFF), (0x12345678, 0x9ABCDEF0), (96, 0)]
    x, y = np.array(pairs, np.uint32).T
    out = cuda.mem_alloc(len(pairs) * 20 * 8)
    functions.get_function("integers")(to_device(x), to_device(y), out, block=(len(pairs), 1, 1))
    found = to_host(out, (len(pairs), 20), np.int64)
    for row, (a, b) in zip(found, pairs, strict=True):
        assert row.tolist() == expected_integers(a, b)


def test_conversions_saturate(functions, cuda, to_device, to_host):
    x = np.array([2.5, -2.5, 1e10, -1e10, np.nan, np.inf], np.float32)
    out = cuda.mem_alloc(len(x) * 20)
    functions.get_function("conversions")(to_device(x), out, block=(len(x), 1, 1))
    most, least = 2**31 - 1, -(2**31)
    np.testing.assert_array_equal(
        to_host(out, (len(x), 5), np.int32),
        [[2, 2, 2, 3, 2], [-2, -2, -3, -2, 0], [most] * 4 + [-1], [least] * 4 + [0], [0] * 5, [most] * 4 + [-1]],
    )


def test_products_and_sums_are_rounded_twice_unless_fused(functions, cuda, to_device, to_host):
    third = np.float32(1) / np.float32(3)
    x = np.array([3, third, -1, np.nan], np.float32)
    out = cuda.mem_alloc(28)
    functions.get_function("fused")(to_device(x), out, block=(1, 1, 1))
    once = np.float32(3 * np.float64(third) - 1)
    assert once != 0
    np.testing.assert_array_equal(to_host(out, 7, np.float32), [once, 0, once, 0, 1, 1, 1])


def test_atomics(functions, cuda, to_device, to_host):
    i = to_device(np.array([0, 0, -9, 9, 0], np.int32))
    u = to_device(np.array([0xFFFFFFFF, 0, 0, 0, 0], np.uint32))
    w = to_device(np.zeros(2, np.uint64))
    functions.get_function("atomics")(i, u, w, block=(20, 1, 1))
    np.testing.assert_array_equal(to_host(i, 5, np.int32), [40, -60, 19, -19, 77])
    ones = (1 << 20) - 1
    np.testing.assert_array_equal(to_host(u, 5, np.uint32), [0xFFFFFFFF ^ ones, ones, ones, 0, 20])
    np.testing.assert_array_equal(to_host(w, 2, np.uint64), [20 << 40, 19 << 33])


def test_vector_types_have_the_layout_of_cuda(functions, cuda, to_device, to_host):
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    y, z, sizes = cuda.mem_alloc(48), cuda.mem_alloc(12), cuda.mem_alloc(56)
    functions.get_function("vectors")(to_device(x), y, z, sizes, block=(3, 1, 1))
    np.testing.assert_array_equal(to_host(y, (3, 2), np.float64), x.reshape(3, 2, 2).sum(2))
    np.testing.assert_array_equal(to_host(z, (3, 4), np.uint8), [[1, 2, 3, k] for k in range(3)])
    assert to_host(sizes, 14, np.int32).tolist() == [12, 4, 16, 16, 16, 16, 8, 8, 8, 8, 4, 4, 16, 16]
