"""The gamma function's logarithm and its derivatives on NumPy arrays.

Stirling's series far out, the Taylor series at 2 near 1 and 2, recurrences between, reflection for negative numbers
(NIST Digital Library of Mathematical Functions, 5.5, 5.7, 5.11, 5.15); Hurwitz's zeta function by Euler-Maclaurin
summation (DLMF 25.11). lgamma has full relative precision for positive numbers, the others away from their zeros.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from tinygrad_lite.backends.cpu.approximation import by_blocks as _by_blocks
from tinygrad_lite.backends.cpu.approximation import polynomial as _polynomial
from tinygrad_lite.backends.cpu.arrays import Array

# Bernoulli's numbers B_2, B_4, ..., B_24
_BERNOULLI = (
    *(1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510),
    *(43867 / 798, -174611 / 330, 854513 / 138, -236364091 / 2730),
)
_FAR = 8.0  # from here on eight terms of an asymptotic series give float64
_TERMS = 8
_STIRLING = tuple(b / ((2 * k) * (2 * k - 1)) for k, b in enumerate(_BERNOULLI[:_TERMS], 1))
_DIGAMMA = (0.0, *(b / (2 * k) for k, b in enumerate(_BERNOULLI[:_TERMS], 1)))
_EULER = 0.57721566490153286  # the Euler-Mascheroni constant
_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def lgamma(x: Array) -> Array:
    """The logarithm of |gamma(x)|."""
    return _by_blocks(_lgamma, x)


def digamma(x: Array) -> Array:
    """The derivative of lgamma."""
    return _by_blocks(_digamma, x)


def polygamma(n: int, x: Array) -> Array:
    """The n-th derivative of digamma."""
    return digamma(x) if n == 0 else _by_blocks(lambda block: _polygamma(n, block), x)


# --- the logarithm ----------------------------------------------------------------------------------


def _lgamma(x: Array) -> Array:
    y = np.abs(x)
    cases = [y < 0.5, (y >= 0.5) & (y < 1.5), (y >= 1.5) & (y < _FAR)]
    value = np.piecewise(y, cases, [_lgamma_0, _lgamma_1, _lgamma_2, _lgamma_far])
    negative = x < 0
    if negative.any():  # gamma(-y) gamma(y) = -pi / (y sin(pi y))
        y = y[negative]
        sine = np.abs(np.sin(math.pi * (y - np.rint(y))))
        value[negative] = math.log(math.pi) - np.log(y) - np.log(sine) - value[negative]
        value[negative] = np.where(y == np.rint(y), np.inf, value[negative])  # also where lgamma(y) is infinite
    return value


def _lgamma_0(x: Array) -> Array:
    return _series(x) - np.log(x * (1 + x))


def _lgamma_1(x: Array) -> Array:
    z = x - 1
    return _series(z) - np.log1p(z)


def _lgamma_2(x: Array) -> Array:
    product = np.ones_like(x)
    for _ in range(int(_FAR) - 2):  # gamma(x) = (x - 1) gamma(x - 1)
        high = x > 2.5
        x = x - high.astype(x.dtype)
        product *= np.where(high, x, 1)
    return _series(x - 2) + np.log(product)


def _lgamma_far(x: Array) -> Array:
    t = 1 / x
    return (x - 0.5) * (np.log(x) - 1) + (_HALF_LOG_TWO_PI - 0.5) + t * _polynomial(t * t, _STIRLING)


def _series(z: Array) -> Array:
    """lgamma(2 + z) for |z| <= 1/2."""
    return z * _polynomial(z, _taylor(13 if z.dtype == np.float32 else 27))


@functools.cache
def _taylor(terms: int) -> tuple[float, ...]:
    """lgamma(2 + z) / z = 1 - gamma + sum over k >= 2 of (-1)^k (zeta(k) - 1) z^(k-1) / k."""
    two = np.array([2.0])
    rest = ((-1) ** k * float(_zeta(k, two)[0]) / k for k in range(2, terms + 1))
    return (1 - _EULER, *rest)


# --- its derivatives --------------------------------------------------------------------------------


def _digamma(x: Array) -> Array:
    negative = x <= 0
    y = np.where(negative, 1 - x, x)
    value = np.zeros_like(y)
    for _ in range(int(_FAR)):  # digamma(y) = digamma(y + 1) - 1 / y
        low = y < _FAR
        if not low.any():
            break
        value -= np.where(low, 1 / y, 0)
        y = y + low.astype(y.dtype)
    t = 1 / y
    value += np.log(y) - 0.5 * t - _polynomial(t * t, _DIGAMMA)
    if negative.any():  # digamma(1 - x) - digamma(x) = pi cot(pi x)
        x = x[negative]
        pole = np.where(x == 0, np.copysign(np.inf, x), np.nan)
        fraction = x - np.rint(x)
        value[negative] -= np.where(fraction == 0, pole, math.pi / np.tan(math.pi * fraction))
    return value


def _polygamma(n: int, x: Array) -> Array:
    negative = x <= 0
    sign = -1.0 if n % 2 == 0 else 1.0
    value = sign * math.factorial(n) * _zeta(n + 1, np.where(negative, 1 - x, x))
    if negative.any():  # the n-th derivative of the reflection formula of digamma
        x = x[negative]
        fraction = x - np.rint(x)
        cotangent = np.copysign(1 / np.tan(math.pi * np.abs(fraction)), fraction)
        reflected = math.pi ** (n + 1) * _polynomial(cotangent, cotangent_derivative(n))
        value[negative] = -sign * value[negative] - reflected
    return value


def cotangent_derivative(n: int) -> tuple[float, ...]:
    """The n-th derivative of cot t as a polynomial in c = cot t, whose derivative is -(1 + c^2)."""
    found = [0.0, 1.0]
    for _ in range(n):
        slope = [k * a for k, a in enumerate(found)][1:]
        found = [0.0] * (len(slope) + 2)
        for k, a in enumerate(slope):
            found[k] -= a
            found[k + 2] -= a
    return tuple(found)


def _zeta(s: int, q: Array) -> Array:
    """Hurwitz's zeta function, the sum of (q + k)^-s over k >= 0, for q > 0."""
    direct = 10  # terms before the integral: with twelve corrections enough for float64
    total = sum(((q + k) ** -float(s) for k in range(1, direct)), q ** -float(s))
    a = q + direct
    factor, corrections = 1.0, []
    for j, bernoulli in enumerate(_BERNOULLI, 1):  # B_2j / (2j)! s (s+1) ... (s+2j-2)
        factor *= s if j == 1 else (s + 2 * j - 3) * (s + 2 * j - 2)
        corrections.append(bernoulli / math.factorial(2 * j) * factor)
    t = 1 / a
    return total + a ** (1.0 - s) * (1 / (s - 1) + t * (0.5 + t * _polynomial(t * t, tuple(corrections))))
