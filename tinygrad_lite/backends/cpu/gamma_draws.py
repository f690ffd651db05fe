"""Gamma distributed numbers: the one draw that may have to try more than once, without using its neighbours' bits.

A rejected proposal must not shift what others get, or an element would depend on all before it. Element i therefore
owns block i of the stream, and its attempts 0, 1, ... differ in the counter's second word, which all other draws leave
at 0:

    attempt t of element i = Philox(key, (i, t, 0, 0)), four 64-bit words
        words 0 and 1    the uniforms a and b of a normal x = sqrt(-2 log(1 - a)) cos(2 pi b)
        word 2           the uniform that accepts or rejects
        word 3           the uniform of the boost for a concentration below 1

with uniforms ``(word >> 11) * 2**-53``. About one proposal in twenty is rejected at concentration 1, fewer above.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_lite.backends.cpu import random

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

__all__ = ["gamma"]

_AT_ONCE = 1 << 16  # elements: enough for the few that try again to be worth a vector operation

_MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
_WEYL = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
_LOW = np.uint64(2**32 - 1)
_HALF = np.uint64(32)


def gamma(
    seed: int,
    counter: int,
    shape: random.Shape,
    concentration: Any,
    dtype: DTypeLike = np.float32,
    *,
    start: int = 0,
) -> NDArray[Any]:
    """Gamma distributed numbers with scale 1, by the method of Marsaglia and Tsang (2000).

    With d = a - 1/3 and c = 1 / sqrt(9 d), a normal x and a uniform u give d v, v = (1 + c x)^3, which is accepted
    where v > 0 and log(1 - u) < x^2 / 2 + d (1 - v + log v). For a < 1 the result for a + 1 is multiplied by
    w^(1 / a) with another uniform w from (0, 1]. All is evaluated in float64 and rounded once.

    Args:
        seed, counter, shape, start: as in ``random_bits``.
        concentration: a > 0 and finite, a number or an array of that shape.
        dtype: float16, float32 or float64.

    Returns:
        An array of that shape and dtype.

    Example:
        >>> gamma(7, 0, 3, 2.0, "float64").round(4)
        array([2.19  , 1.0336, 1.4962])
    """
    dtype = random.checked_dtype("gamma", dtype)
    seed, counter, lengths, start = random.checked_stream("gamma", seed, counter, shape, start)
    result = np.empty(math.prod(lengths), dtype)
    alphas = np.broadcast_to(np.asarray(concentration, np.float64), lengths).reshape(-1)
    for first in range(0, result.size, _AT_ONCE):
        part = slice(first, min(first + _AT_ONCE, result.size))
        result[part] = _gammas(seed, counter, start + first, alphas[part])
    return result.reshape(lengths)


def _gammas(seed: int, counter: int, start: int, alpha: NDArray[Any]) -> NDArray[Any]:
    """As many numbers as ``alpha`` has elements, from blocks ``start``, ``start + 1``, ..."""
    d = np.where(alpha < 1, alpha + 1, alpha) - 1 / 3
    words = random._words64(seed, counter, 4 * start, 4 * alpha.size).reshape(-1, 4).T
    found, accepted = _proposals(words, alpha, d)
    attempt = 0
    while not accepted.all():
        attempt += 1
        (pending,) = np.nonzero(~accepted)
        words = blocks_at(seed, counter, pending.astype(np.uint64) + np.uint64(start), attempt)
        found[pending], accepted[pending] = _proposals(words, alpha[pending], d[pending])
    return found


@np.errstate(over="ignore")  # of 9 d or 1 / alpha: t is then rightly 0, and so is the result of the boost
def _proposals(words: NDArray[Any], alpha: NDArray[Any], d: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """A number per block, and whether it is accepted."""
    a, b, u, w = (words >> np.uint64(11)) * 2.0**-53
    x = np.sqrt(-2.0 * np.log(1.0 - a)) * np.cos((2.0 * math.pi) * b)
    t = x / np.sqrt(9.0 * d)
    inside = t > -1.0
    t = np.where(inside, t, 0.0)
    # 1 - v + log v, in powers of t: for a large concentration v is so near to 1 that 1 - v would lose its digits.
    exponent = d * (3.0 * np.log1p(t) - t * (3.0 + t * (3.0 + t)))
    accepted = inside & (np.log(1.0 - u) < 0.5 * x * x + exponent)
    found = d * (1.0 + t) ** 3
    boosted = alpha < 1
    found[boosted] *= (1.0 - w[boosted]) ** (1.0 / alpha[boosted])
    return found, accepted


def blocks_at(seed: int, counter: int, blocks: NDArray[np.uint64], attempt: int) -> NDArray[np.uint64]:
    """The four words of Philox(key, (block, attempt, 0, 0)) for scattered blocks, as an array of shape (4, n).

    NumPy's generator makes neighbouring blocks only; this one is written out, for the few that are drawn again.

    Example:
        >>> blocks_at(0, 0, np.array([0], np.uint64), 0)[:, 0] == random._words64(0, 0, 0, 4)
        array([ True,  True,  True,  True])
    """
    x0, x1 = blocks, np.full(blocks.shape, attempt, np.uint64)
    x2 = x3 = np.zeros(blocks.shape, np.uint64)
    for step in range(10):
        key0, key1 = (np.uint64((key + step * weyl) % 2**64) for key, weyl in zip((seed, counter), _WEYL, strict=True))
        high0, low0 = _product(_MULTIPLIERS[0], x0)
        high1, low1 = _product(_MULTIPLIERS[1], x2)
        x0, x1, x2, x3 = high1 ^ x1 ^ key0, low1, high0 ^ x3 ^ key1, low0
    return np.stack([x0, x1, x2, x3])


def _product(multiplier: int, x: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The upper and the lower 64 bits of the product, from the products of 32-bit halves."""
    upper, lower = np.uint64(multiplier >> 32), np.uint64(multiplier & 0xFFFFFFFF)
    x_upper, x_lower = x >> _HALF, x & _LOW
    first, second = lower * x_upper, upper * x_lower
    middle = (lower * x_lower >> _HALF) + (first & _LOW) + (second & _LOW)
    high = upper * x_upper + (first >> _HALF) + (second >> _HALF) + (middle >> _HALF)
    return high, np.uint64(multiplier) * x
