"""Exponential and gamma draws: whose bits they are, that any slice can be drawn alone, and how they are distributed."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from backends.philox_reference import WORD, philox
from numpy.typing import NDArray
from refusals import refusal

from tinygrad_lite.backends.cpu.gamma_draws import blocks_at, gamma
from tinygrad_lite.backends.cpu.random import exponential, uniform
from tinygrad_lite.errors import ArgumentError, DTypeError


def gamma_number(seed: int, counter: int, index: int, concentration: float) -> tuple[float, int]:
    """Element ``index`` and the number of its attempts, as the method is described, one proposal after the other."""
    d = (concentration if concentration >= 1 else concentration + 1) - 1 / 3
    for attempt in range(100):
        words = philox((seed, counter), (index, attempt, 0, 0))
        a, b, u, w = ((word >> 11) * 2.0**-53 for word in words)
        x = math.sqrt(-2 * math.log(1 - a)) * math.cos(2 * math.pi * b)
        v = (1 + x / math.sqrt(9 * d)) ** 3
        if v > 0 and math.log(1 - u) < x * x / 2 + d - d * v + d * math.log(v):
            boost = (1 - w) ** (1 / concentration) if concentration < 1 else 1.0
            return d * v * boost, attempt + 1
    raise AssertionError("a hundred proposals were rejected")


# --- whose bits they are ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed, counter", [(0, 0), (1, 2), (2**63, 5), (5, 2**63 + 1), (WORD, WORD)])
@pytest.mark.parametrize("attempt", [0, 1, 7, 2**40])
def test_scattered_blocks_are_those_of_the_generator(seed: int, counter: int, attempt: int) -> None:
    blocks = [0, 1, 5, 2**32 - 1, 2**32, 2**62 + 3, WORD]
    found = blocks_at(seed, counter, np.array(blocks, np.uint64), attempt)
    assert found.T.tolist() == [philox((seed, counter), (block, attempt, 0, 0)) for block in blocks]


@pytest.mark.parametrize("concentration", [0.05, 0.5, 1.0, 1.5, 40.0])
@pytest.mark.parametrize("start", [0, 3, 2**33 + 1])
def test_a_gamma_number_comes_from_the_attempts_of_its_own_block(concentration: float, start: int) -> None:
    expected = [gamma_number(9, 4, start + i, concentration) for i in range(200)]
    found = gamma(9, 4, 200, concentration, "float64", start=start)
    np.testing.assert_allclose(found, [value for value, _ in expected], rtol=1e-12)
    if concentration <= 1.5:
        assert max(attempts for _, attempts in expected) > 1  # so that a repetition is seen


def test_an_exponential_number_is_the_logarithm_of_its_uniform() -> None:
    for dtype, source in (("float64", "float64"), ("float32", "float32"), ("float16", "float32")):
        expected = -np.log1p(-uniform(3, 1, 1000, source).astype("float64"))
        np.testing.assert_allclose(exponential(3, 1, 1000, dtype), expected.astype(dtype), rtol=1e-15)


DRAWS: dict[str, Callable[..., NDArray[Any]]] = {
    "exponential float16": partial(exponential, dtype="float16"),
    "exponential float32": partial(exponential, dtype="float32"),
    "exponential float64": partial(exponential, dtype="float64"),
    "gamma float32": partial(gamma, concentration=0.7, dtype="float32"),
    "gamma float64": partial(gamma, concentration=3.0, dtype="float64"),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("cuts", [[1], [3, 8, 9, 21, 64, 1000], [32767, 65535, 65537, 70001]])
@pytest.mark.parametrize("start", [0, 5])
def test_any_partition_gives_the_same_bits(name: str, cuts: list[int], start: int) -> None:
    draw, size = DRAWS[name], cuts[-1] + 37
    whole = draw(11, 4, size, start=start)
    parts = [draw(11, 4, b - a, start=start + a) for a, b in pairwise([0, *cuts, size])]
    assert whole.tobytes() == np.concatenate(parts).tobytes()


def test_an_element_depends_on_no_other_concentration() -> None:
    alone = gamma(2, 2, 500, 0.8, "float64")
    mixed = np.where(np.arange(500) % 2, 0.8, 1e-3)
    np.testing.assert_array_equal(gamma(2, 2, 500, mixed, "float64")[1::2], alone[1::2])


@pytest.mark.parametrize("name", DRAWS)
def test_shapes_and_dtypes_are_what_is_asked_for(name: str) -> None:
    for shape, lengths in ((5, (5,)), ((), ()), ((2, 3), (2, 3)), ((2, 0), (2, 0))):
        x = DRAWS[name](0, 0, shape)
        assert (type(x), x.shape, x.dtype.name) == (np.ndarray, lengths, name.split()[1])
        assert x.flags.writeable
        assert (x >= 0).all()
        assert np.isfinite(x).all()


# --- how they are distributed -----------------------------------------------------------------------------


def gamma_cdf(a: float, x: float) -> float:
    """The regularised lower incomplete gamma function, by its series (Abramowitz and Stegun 6.5.29)."""
    if x == 0:
        return 0.0
    term = total = 1 / a
    k = a
    while term > total * 1e-17:
        k += 1
        term *= x / k
        total += term
    return total * math.exp(a * math.log(x) - x - math.lgamma(a))


def distance(sample: NDArray[Any], cdf: Callable[[float], float]) -> float:
    """Kolmogorov and Smirnov's: the largest gap between the share of the sample below x and the probability."""
    ordered = np.sort(sample.astype("float64"))
    expected = np.array([cdf(x) for x in ordered.tolist()])
    n = len(ordered)
    return float(max((np.arange(1, n + 1) / n - expected).max(), (expected - np.arange(n) / n).max()))


N = 20000
LIMIT = 1.95 / math.sqrt(N)  # the 0.1 % level


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exponential_numbers_have_their_distribution(dtype: str) -> None:
    x = exponential(1, 2, N, dtype)
    assert distance(x, lambda v: -math.expm1(-v)) < LIMIT
    assert abs(x.mean(dtype="float64") - 1) < 5 / math.sqrt(N)


@pytest.mark.parametrize("concentration", [0.1, 0.5, 0.999, 1.0, 1.001, 2.5, 30.0])
def test_gamma_numbers_have_their_distribution(concentration: float) -> None:
    x = gamma(1, 2, N, concentration, "float64")
    assert distance(x, partial(gamma_cdf, concentration)) < LIMIT
    assert abs(x.mean() - concentration) < 5 * math.sqrt(concentration / N)


def test_the_numbers_that_were_drawn_again_have_the_distribution_too() -> None:
    """Ten thousand pairs of neighbours are not correlated, and every seed has its own numbers."""
    x = gamma(5, 0, (10000, 2), 0.6, "float64")
    assert abs(np.corrcoef(x.T)[0, 1]) < 5 / math.sqrt(10000)
    assert not np.isin(gamma(6, 0, 1000, 0.6, "float64"), x).any()


@pytest.mark.parametrize("concentration", [1e3, 1e10, 1e20, 1e30])
def test_a_large_concentration_is_a_normal_distribution(concentration: float) -> None:
    x = (gamma(3, 3, N, concentration, "float64") - concentration) / math.sqrt(concentration)
    if concentration <= 1e20:  # above, the spacing of float64 is wider than the distribution
        assert distance(x, lambda v: 0.5 * math.erfc(-v / math.sqrt(2))) < LIMIT + 0.01
    assert np.isfinite(x).all()


def test_a_tiny_concentration_rounds_to_zero_and_never_to_nan() -> None:
    x = gamma(3, 3, 1000, 1e-5, "float64")
    assert (x == 0).mean() > 0.9
    assert np.isfinite(x).all()


# --- refusals ---------------------------------------------------------------------------------------------

REFUSALS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: exponential(-1, 0, 3), ArgumentError, "exponential needs 0 <= seed < 2**64, but seed = -1"),
    (
        lambda: gamma(0, 2**64, 3, 1.0),
        ArgumentError,
        "gamma needs 0 <= counter < 2**64, but counter = 18446744073709551616",
    ),
    (lambda: gamma(0, 0, -3, 1.0), ArgumentError, "gamma needs lengths >= 0, but shape = (-3,)"),
    (
        lambda: exponential(0, 0, 3, "int32"),
        DTypeError,
        "exponential needs dtype float16, float32 or float64, but dtype = int32",
    ),
    (lambda: gamma(0, 0, 3, 1.0, None), DTypeError, "gamma needs dtype float16, float32 or float64, but dtype = None"),
]


@pytest.mark.parametrize("call, kind, text", REFUSALS, ids=[text for *_, text in REFUSALS])
def test_a_refusal_in_all_its_words(call: Callable[[], Any], kind: type[Exception], text: str) -> None:
    assert refusal(kind, call) == text
