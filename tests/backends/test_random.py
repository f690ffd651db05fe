"""The random stream: which bits are whose, what is made of them, and that any slice can be drawn alone."""

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

from tinygrad_lite.backends.cpu.random import (
    integers,
    keep_mask,
    keep_threshold,
    normal,
    permutation,
    random_bits,
    uniform,
)
from tinygrad_lite.errors import ArgumentError, DTypeError

Draw = Callable[..., NDArray[Any]]

PI = [0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89]
PI_KEY = [0x452821E638D01377, 0xBE5466CF34E90C6C]

# Key, counter and block: the three vectors for Philox4x64-10 that the generator's authors publish.
KNOWN_BLOCKS = [
    (
        [0, 0],
        [0, 0, 0, 0],
        [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B],
    ),
    (
        [WORD] * 2,
        [WORD] * 4,
        [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0],
    ),
    (PI_KEY, PI, [0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6]),
]


def word64(seed: int, counter: int, index: int) -> int:
    return philox([seed, counter], [index // 4, 0, 0, 0])[index % 4]


def word32(seed: int, counter: int, index: int) -> int:
    return word64(seed, counter, index // 2) >> 32 * (index % 2) & 0xFFFFFFFF


# --- which bits are whose -----------------------------------------------------------------------------------


@pytest.mark.parametrize("key, counter, block", KNOWN_BLOCKS)
def test_the_reference_generator_gives_the_published_blocks(
    key: list[int], counter: list[int], block: list[int]
) -> None:
    assert philox(key, counter) == block


def test_the_first_elements_are_the_published_block_low_half_first() -> None:
    expected = [half for word in KNOWN_BLOCKS[0][2] for half in (word & 0xFFFFFFFF, word >> 32)]
    assert random_bits(0, 0, 8).tolist() == expected


@pytest.mark.parametrize("seed, counter", [(0, 0), (1, 2), (2**63, 5), (5, 2**63 + 1), (WORD, WORD), tuple(PI_KEY)])
@pytest.mark.parametrize("start", [0, 1, 7, 8, 29, 2**35 + 3, 2**63 - 1, WORD])
def test_element_i_is_half_i_mod_8_of_block_i_div_8(seed: int, counter: int, start: int) -> None:
    expected = [word32(seed, counter, start + i) for i in range(19)]
    assert random_bits(seed, counter, 19, start=start).tolist() == expected


@pytest.mark.parametrize("start", [0, 1, 2, 3, 4, 2**40 + 3])
def test_64_bit_draws_use_word_i_mod_4_of_block_i_div_4(start: int) -> None:
    words = [word64(3, 9, start + i) for i in range(13)]
    assert uniform(3, 9, 13, np.float64, start=start).tolist() == [(w >> 11) / 2**53 for w in words]
    assert integers(3, 9, 13, -7, 2**31, start=start).tolist() == [-7 + (w * (2**31 + 7) >> 64) for w in words]


DRAWS: dict[str, Draw] = {
    "random_bits": random_bits,
    "uniform float16": partial(uniform, dtype="float16"),
    "uniform float32": partial(uniform, dtype="float32"),
    "uniform float64": partial(uniform, dtype="float64"),
    "normal float16": partial(normal, dtype="float16"),
    "normal float32": partial(normal, dtype="float32"),
    "normal float64": partial(normal, dtype="float64"),
    "keep_mask": partial(keep_mask, keep_probability=0.3),
    "integers": partial(integers, low=-5, high=1000),
}
each_draw = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())


@each_draw
@pytest.mark.parametrize("cuts", [[1], [3, 8, 9, 21, 64, 1000], list(range(1, 40)), [32767, 65535, 65537, 70001]])
@pytest.mark.parametrize("start", [0, 5])
def test_any_partition_gives_the_same_bits(draw: Draw, cuts: list[int], start: int) -> None:
    size = cuts[-1] + 37
    whole = draw(11, 4, size, start=start)
    edges = [0, *cuts, size]
    parts = [draw(11, 4, b - a, start=start + a) for a, b in pairwise(edges)]
    assert whole.tobytes() == np.concatenate(parts).tobytes()


@each_draw
def test_the_shape_only_folds_the_stream(draw: Draw) -> None:
    flat = draw(1, 2, 24)
    assert np.array_equal(draw(1, 2, (2, 3, 4)), flat.reshape(2, 3, 4))
    scalar = draw(1, 2, (), start=7)
    assert isinstance(scalar, np.ndarray)
    assert scalar.shape == ()
    assert scalar == flat[7]
    assert draw(1, 2, (3, 0, 2)).shape == (3, 0, 2)


@each_draw
def test_draws_are_pure_and_leave_numpys_own_generator_alone(draw: Draw) -> None:
    before = str(np.random.get_state(legacy=False))  # noqa: NPY002 - the global generator is meant
    first = draw(8, 8, 50)
    assert first.flags.writeable
    first.fill(0)
    assert np.array_equal(draw(8, 8, 50), draw(np.int64(8), np.uint64(8), [50], start=np.uint8(0)))
    assert draw(8, 8, 50).any()
    assert str(np.random.get_state(legacy=False)) == before  # noqa: NPY002


@each_draw
def test_seed_counter_and_index_all_change_the_numbers(draw: Draw) -> None:
    base = draw(1, 2, 400).astype(float)
    for other in (draw(2, 2, 400), draw(1, 3, 400), draw(2, 1, 400), draw(1, 2, 400, start=8)):
        assert abs(np.corrcoef(base, other.astype(float))[0, 1]) < 0.2  # 4 standard deviations of 1/sqrt(400)


# --- what is made of the bits -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype, digits", [("float16", 11), ("float32", 24)])
def test_uniform_is_the_upper_bits_as_a_fraction(dtype: str, digits: int) -> None:
    drawn = uniform(5, 6, 50_000, dtype)
    assert drawn.dtype == dtype
    assert np.array_equal(drawn.astype(np.float64) * 2**digits, random_bits(5, 6, 50_000) >> (32 - digits))


def test_uniform_reaches_zero_and_stays_below_one_where_every_value_occurs() -> None:
    drawn = uniform(0, 0, 100_000, np.float16)
    assert (drawn.min(), drawn.max()) == (0.0, 2047 / 2048)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normals_come_in_pairs_from_uniforms_by_box_and_muller(dtype: str) -> None:
    uniforms = uniform(3, 1, 2000, dtype).tolist()
    expected = []
    for a, b in zip(uniforms[0::2], uniforms[1::2]):
        radius = math.sqrt(-2 * math.log(1 - a))
        expected += [radius * math.cos(2 * math.pi * b), radius * math.sin(2 * math.pi * b)]
    drawn = normal(3, 1, 2000, dtype)
    assert drawn.dtype == dtype
    np.testing.assert_allclose(drawn, expected, rtol=float(np.finfo(dtype).eps), atol=4e-15)


def test_half_precision_normals_are_the_rounded_single_precision_ones() -> None:
    drawn = normal(3, 1, 1001, np.float16)
    np.testing.assert_allclose(drawn, normal(3, 1, 1001), rtol=2**-10, atol=2**-24)


@pytest.mark.parametrize("probability", [2**-32, 0.1, 0.25, 0.5, 0.9, 1 - 2**-32])
def test_keep_mask_compares_the_word_with_the_threshold(probability: float) -> None:
    expected = random_bits(4, 4, 5000) < keep_threshold(probability)
    mask = keep_mask(4, 4, (50, 100), probability)
    assert mask.dtype == np.bool_
    assert np.array_equal(mask.ravel(), expected)


@pytest.mark.parametrize(
    "probability, threshold",
    [
        (0, 0),
        (0.0, 0),
        (2**-34, 0),
        (2**-32, 1),
        (0.1, 429496730),
        (0.5, 2**31),
        (np.float32(0.75), 3 * 2**30),
        (1 - 2**-32, 2**32 - 1),
        (1 - 2**-53, 2**32),
        (1.0, 2**32),
        (True, 2**32),
    ],
)
def test_keep_threshold_is_the_nearest_of_2_to_the_32(probability: float, threshold: int) -> None:
    assert keep_threshold(probability) == threshold


def test_probabilities_zero_and_one_are_exact() -> None:
    assert not keep_mask(0, 0, 200_000, 0.0).any()
    assert keep_mask(0, 0, 200_000, 1.0).all()
    assert keep_mask(0, 0, (2, 3), 1.0).shape == (2, 3)


@pytest.mark.parametrize(
    "low, high",
    [(0, 1), (0, 2), (-3, 3), (5, 1005), (0, 2**32), (-(2**63), 2**32 - 2**63), (2**63 - 2**32, 2**63)],
)
def test_integers_are_the_upper_half_of_the_product(low: int, high: int) -> None:
    drawn = integers(2, 0, 500, low, high)
    assert drawn.dtype == np.int64
    assert drawn.tolist() == [low + (word64(2, 0, i) * (high - low) >> 64) for i in range(500)]
    assert low <= drawn.min()
    assert drawn.max() < high


@pytest.mark.parametrize("n", [0, 1, 2, 3, 1000, 10_007])
def test_permutation_holds_every_index_once(n: int) -> None:
    order = permutation(6, 1, n)
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(n))


def test_permutation_sorts_the_64_bit_words() -> None:
    assert permutation(6, 1, 300).tolist() == sorted(range(300), key=lambda i: word64(6, 1, i))


# --- statistics, with fixed seeds and bounds of five standard deviations ------------------------------------


def test_each_of_the_32_bits_is_fair() -> None:
    bits = random_bits(1, 1, 100_000)
    shares = [(bits >> np.uint32(b) & np.uint32(1)).mean() for b in range(32)]
    assert max(abs(share - 0.5) for share in shares) < 5 * 0.5 / math.sqrt(100_000)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_uniform_has_the_moments_of_the_uniform_distribution(dtype: str) -> None:
    n = 200_000
    drawn = uniform(2024, 0, n, dtype).astype(np.float64)
    grain = 2.0 ** -(np.finfo(dtype).nmant + 1)  # the lattice k * grain below 1 has mean 1/2 - grain/2
    assert abs(drawn.mean() - (0.5 - grain / 2)) < 5 * math.sqrt(1 / 12 / n)
    assert abs(drawn.var() - 1 / 12) < 5 * math.sqrt(1 / 180 / n)
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 5 / math.sqrt(n)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_normal_has_the_moments_of_the_normal_distribution(dtype: str) -> None:
    n = 200_000
    drawn = normal(2024, 1, n, dtype).astype(np.float64)
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs((drawn**power).mean() - moment) < 5 * math.sqrt(variance / n)
    assert abs(np.corrcoef(drawn[0::2], drawn[1::2])[0, 1]) < 5 / math.sqrt(n / 2)
    assert np.isfinite(drawn).all()


def test_normal_follows_the_normal_distribution_function() -> None:
    n = 20_000
    drawn = np.sort(normal(9, 9, n, np.float64))
    expected = np.array([0.5 + 0.5 * math.erf(x / math.sqrt(2)) for x in drawn])
    # Kolmogorov and Smirnov: a distance above 1.95/sqrt(n) has a probability below 1e-3.
    assert np.abs(expected - (np.arange(n) + 0.5) / n).max() < 1.95 / math.sqrt(n)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.8])
def test_keep_mask_keeps_the_asked_share(probability: float) -> None:
    share = keep_mask(3, 3, 200_000, probability).mean()
    assert abs(share - probability) < 5 * math.sqrt(probability * (1 - probability) / 200_000)


def test_integers_are_equally_likely() -> None:
    counts = np.bincount(integers(4, 0, 70_000, 0, 7), minlength=7)
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 27.9  # chi-squared, 6 degrees of freedom, 1e-4


def test_all_orders_of_four_are_equally_likely() -> None:
    orders = [tuple(permutation(5, counter, 4).tolist()) for counter in range(4800)]
    counts = np.array([orders.count(order) for order in sorted(set(orders))])
    assert counts.size == 24
    assert ((counts - 200) ** 2 / 200).sum() < 57.0  # chi-squared, 23 degrees of freedom, 1e-4


# --- refusals -----------------------------------------------------------------------------------------------

SHARE = "what is meant is the share that stays, 1 - p of a dropout"
OPEN_END = "high itself is never drawn: low = 0 and high = 10 give 0 to 9"

# A call stays on one line, because the error quotes it.
REFUSED_VALUES = [
    (lambda: random_bits(-1, 0, 3), "random_bits needs 0 <= seed < 2**64, but seed = -1", ""),
    (lambda: uniform(0, 2**64, 3), f"uniform needs 0 <= counter < 2**64, but counter = {2**64}", ""),
    (lambda: normal(0, 0, 3, start=-2), "normal needs 0 <= start < 2**64, but start = -2", ""),
    (lambda: integers(0, 0, (2, -1), 0, 9), "integers needs lengths >= 0, but shape = (2, -1)", ""),
    (lambda: random_bits(0, 0, -4), "random_bits needs lengths >= 0, but shape = (-4,)", ""),
    (
        lambda: keep_mask(0, 0, 3, 1.5),
        "keep_mask needs 0 <= keep_probability <= 1, but keep_probability = 1.5",
        SHARE,
    ),
    (
        lambda: keep_mask(0, 0, 3, -0.1),
        "keep_mask needs 0 <= keep_probability <= 1, but keep_probability = -0.1",
        SHARE,
    ),
    (
        lambda: keep_threshold(math.nan),
        "keep_mask needs 0 <= keep_probability <= 1, but keep_probability = nan",
        SHARE,
    ),
    (lambda: integers(0, 0, 3, 5, 5), "integers needs low < high, but low = 5 and high = 5", OPEN_END),
    (
        lambda: integers(0, 0, 3, 0, 2**33),
        "integers needs high - low <= 2**32, but high - low = 8589934592",
        "",
    ),
    (
        lambda: integers(0, 0, 3, -(2**64), 0),
        f"integers needs -2**63 <= low and high <= 2**63, but low = -{2**64} and high = 0",
        "",
    ),
    (lambda: permutation(0, 0, -1), "permutation needs n >= 0, but n = -1", ""),
    (lambda: permutation(0, -1, 4), "permutation needs 0 <= counter < 2**64, but counter = -1", ""),
]
REFUSED_KINDS = [
    (lambda: random_bits(1.5, 0, 3), "random_bits needs an integer seed, but seed = 1.5"),
    (lambda: keep_mask(0, None, 3, 0.5), "keep_mask needs an integer counter, but counter = None"),
    (lambda: uniform(0, 0, (2, 0.5)), "uniform needs an integer shape, but shape = 0.5"),
    (lambda: uniform(0, 0, "3"), "uniform needs an integer shape, but shape = '3'"),
    (lambda: uniform(0, 0, 3, None), "uniform needs dtype float16, float32 or float64, but dtype = None"),
    (lambda: uniform(0, 0, 3, "int32"), "uniform needs dtype float16, float32 or float64, but dtype = int32"),
    (lambda: normal(0, 0, 3, "real"), "normal needs dtype float16, float32 or float64, but dtype = 'real'"),
    (lambda: keep_mask(0, 0, 3, "0.5"), "keep_mask needs a real number, but keep_probability = '0.5'"),
    (lambda: integers(0, 0, 3, 0.0, 5), "integers needs an integer low, but low = 0.0"),
    (lambda: permutation(0, 0, 2.0), "permutation needs an integer n, but n = 2.0"),
]


@pytest.mark.parametrize("call, need, hint", REFUSED_VALUES)
def test_values_out_of_range_are_refused_in_words(call: Callable[[], Any], need: str, hint: str) -> None:
    assert refusal(ArgumentError, call) == (f"{need}\n  hint  {hint}" if hint else need)


@pytest.mark.parametrize("call, need", REFUSED_KINDS)
def test_arguments_of_the_wrong_kind_are_refused_in_words(call: Callable[[], Any], need: str) -> None:
    assert refusal(DTypeError, call) == need
