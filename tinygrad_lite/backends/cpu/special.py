"""Special functions of NumPy arrays: the logistic function, relu, and the family of the error function.

Rational approximations near full precision: W. J. Cody, "Rational Chebyshev approximations for the error function",
Math. Comp. 23 (1969), for erf, erfc and erfcx; M. J. Wichura, "Algorithm AS 241: the percentage points of the normal
distribution", Applied Statistics 37 (1988), for erfinv.
"""

from __future__ import annotations

import math

import numpy as np

from tinygrad_lite.backends.cpu.approximation import by_blocks as _by_blocks
from tinygrad_lite.backends.cpu.approximation import either as _either
from tinygrad_lite.backends.cpu.approximation import polynomial as _polynomial
from tinygrad_lite.backends.cpu.arrays import Array

_SQRT_HALF = math.sqrt(0.5)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), to full relative precision on both sides; 0 where that is below a quarter of finfo's tiny."""
    if x.dtype == np.float16:  # exp(12) is too large already
        return sigmoid(x.astype(np.float32)).astype(np.float16)
    e = np.negative(x, out=np.empty_like(x))
    with np.errstate(over="ignore"):
        np.exp(e, out=e)
    e += 1
    return np.divide(1, e, out=e)


def relu(x: Array) -> Array:
    """max(x, 0). Against a row of zeros NumPy's maximum runs twice as fast as against the number 0."""
    if x.size > _LARGE and _ROW <= x.shape[-1] <= _LARGE:
        return np.maximum(x, np.zeros(x.shape[-1], x.dtype))
    return np.maximum(x, 0.0)


_LARGE, _ROW = 16 * 1024, 256  # elements: where a row of zeros pays, and which rows do


def erf(x: Array) -> Array:
    """2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    return _by_blocks(_erf, x)


def erfc(x: Array) -> Array:
    """1 - erf(x), to full relative precision where erf is almost 1."""
    return _by_blocks(_erfc, x)


def erfcx(x: Array) -> Array:
    """exp(x^2) erfc(x), which does not underflow for large x."""
    return _by_blocks(_erfcx, x)


def erfinv(x: Array) -> Array:
    """The number whose erf is x."""
    return _by_blocks(_erfinv, x)


def log_ndtr(x: Array) -> Array:
    """The logarithm of the standard normal distribution function, also far out on the left."""
    return _by_blocks(_log_ndtr, x)


def sinc_derivative(x: Array, order: int) -> Array:
    """The derivative of that order of sin(pi x) / (pi x)."""
    return _by_blocks(lambda block: math.pi**order * _sinc_derivative(math.pi * block, order), x)


# --- the error function -----------------------------------------------------------------------------

_SMALL = 0.46875  # up to here erf is computed, and erfc from it; beyond it is the other way around
_ERF_P = (
    3.20937758913846947e3,
    3.77485237685302021e2,
    1.13864154151050156e2,
    3.16112374387056560,
    1.85777706184603153e-1,
)
_ERF_Q = (2.84423683343917062e3, 1.28261652607737228e3, 2.44024637934444173e2, 2.36012909523441209e1, 1.0)
# erfcx on (0.46875, 4]
_MIDDLE_P = (
    *(1.23033935479799725e3, 2.05107837782607147e3, 1.71204761263407058e3, 8.81952221241769090e2),
    *(
        2.98635138197400131e2,
        6.61191906371416295e1,
        8.88314979438837594,
        5.64188496988670089e-1,
        2.15311535474403846e-8,
    ),
)
_MIDDLE_Q = (
    *(1.23033935480374942e3, 3.43936767414372164e3, 4.36261909014324716e3, 3.29079923573345963e3),
    *(1.62138957456669019e3, 5.37181101862009858e2, 1.17693950891312499e2, 1.57449261107098347e1, 1.0),
)
# (1/sqrt(pi) - x erfcx(x)) x^2 beyond 4, in 1/x^2
_FAR_P = (
    *(6.58749161529837803e-4, 1.60837851487422766e-2, 1.25781726111229246e-1, 3.60344899949804439e-1),
    *(3.05326634961232344e-1, 1.63153871373020978e-2),
)
_FAR_Q = (
    *(2.33520497626869185e-3, 6.05183413124413191e-2, 5.27905102951428412e-1, 1.87295284992346725),
    *(2.56852019228982242, 1.0),
)
# erf(x)/x in x^2 on |x| <= 3.93, where float32 has reached 1: least squares with weights that even out the largest
# relative errors, 1.9e-8. One formula without a case costs a fifth of Cody's three.
_SINGLE_P = (1.128379145, 0.1907836165, 0.05279024329, 0.003779595027, 0.0002848073916, 2.041961141e-06)
_SINGLE_Q = (1.0, 0.5024102977, 0.1142574201, 0.01499741118, 0.001165207529, 3.800391118e-05)
_SINGLE_END = 3.93


def _erf(x: Array) -> Array:
    if x.dtype == np.float32:
        x = np.clip(x, -_SINGLE_END, _SINGLE_END)
        t = x * x
        return np.clip(x * (_polynomial(t, _SINGLE_P) / _polynomial(t, _SINGLE_Q)), -1.0, 1.0)
    return _either(np.abs(x) <= _SMALL, x, _erf_small, _erf_large)


def _erf_small(x: Array) -> Array:
    t = x * x
    return x * (_polynomial(t, _ERF_P) / _polynomial(t, _ERF_Q))


def _erf_large(x: Array) -> Array:
    y = np.abs(x)
    return np.copysign(1 - _gauss(y) * _erfcx_large(y), x)


def _erfc(x: Array) -> Array:
    return _either(np.abs(x) <= _SMALL, x, lambda x: 1 - _erf_small(x), _erfc_large)


def _erfc_large(x: Array) -> Array:
    y = np.abs(x)
    tail = _gauss(y) * _erfcx_large(y)
    return np.where(x < 0, 2 - tail, tail)


def _erfcx(x: Array) -> Array:
    return _either(np.abs(x) <= _SMALL, x, _erfcx_small, _erfcx_outside)


def _erfcx_small(x: Array) -> Array:
    return np.exp(x * x) * (1 - _erf_small(x))


def _erfcx_outside(x: Array) -> Array:
    return _either(x < 0, x, _erfcx_negative, _erfcx_large)


def _erfcx_negative(x: Array) -> Array:
    return 2 * _gauss(-x, 1.0) - _erfcx_large(-x)


def _erfcx_large(y: Array) -> Array:
    """erfcx for y > 0.46875."""
    return _either(y > 4, y, _erfcx_far, _erfcx_middle)


def _erfcx_middle(y: Array) -> Array:
    return _polynomial(y, _MIDDLE_P) / _polynomial(y, _MIDDLE_Q)


def _erfcx_far(y: Array) -> Array:
    t = 1 / (y * y)
    return (1 / math.sqrt(math.pi) - t * (_polynomial(t, _FAR_P) / _polynomial(t, _FAR_Q))) / y


def _gauss(y: Array, sign: float = -1.0) -> Array:
    """exp(sign y^2) for y >= 0: a square of few bits is exact, and the rest of it is small (Cody)."""
    y = np.minimum(y, 40.0)  # where it is 0 or infinite in float64; keeps infinity from inf - inf
    coarse = np.trunc(y * 16) * 0.0625
    return np.exp(sign * coarse * coarse) * np.exp(sign * (y - coarse) * (y + coarse))


# --- its inverse ------------------------------------------------------------------------------------

_CENTRE_P = (
    *(3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4),
    *(4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
)
_CENTRE_Q = (
    *(1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3),
    *(2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)
_TAIL_P = (
    *(1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504),
    *(1.27045825245236838258, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
)
_TAIL_Q = (
    *(1.0, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1),
    *(1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)
_END_P = (
    *(6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 2.96560571828504891230e-1),
    *(2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
)
_END_Q = (
    *(1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2),
    *(7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)


def _erfinv(x: Array) -> Array:
    return _either(np.abs(x) <= 0.85, x, _erfinv_centre, _erfinv_tail)


def _erfinv_centre(x: Array) -> Array:
    t = 0.180625 - 0.25 * (x * x)
    return (0.5 * _SQRT_HALF) * x * (_polynomial(t, _CENTRE_P) / _polynomial(t, _CENTRE_Q))


def _erfinv_tail(x: Array) -> Array:
    r = np.sqrt(-np.log(0.5 * (1 - np.abs(x))))
    quantile = np.where(r == np.inf, r, _either(r <= 5, r, _quantile_tail, _quantile_end))
    return np.copysign(_SQRT_HALF * quantile, x)


def _quantile_tail(r: Array) -> Array:
    t = r - 1.6
    return _polynomial(t, _TAIL_P) / _polynomial(t, _TAIL_Q)


def _quantile_end(r: Array) -> Array:
    t = r - 5.0
    return _polynomial(t, _END_P) / _polynomial(t, _END_Q)


# --- the normal distribution --------------------------------------------------------------------------


def _log_ndtr(x: Array) -> Array:
    return _either(x < -1, x, _log_ndtr_left, lambda x: np.log1p(-0.5 * _erfc(_SQRT_HALF * x)))


def _log_ndtr_left(x: Array) -> Array:
    return np.log(0.5 * _erfcx(-_SQRT_HALF * x)) - 0.5 * (x * x)


# --- sin(t) / t ---------------------------------------------------------------------------------------


def _sinc_derivative(t: Array, order: int) -> Array:
    """d^n/dt^n (sin t / t): Taylor's series near 0, and beyond it what n derivatives of t s(t) = sin t say."""
    if order == 0:
        return np.where(t == 0, 1, np.sin(t) / t)
    return _either(np.abs(t) < order + 1, t, lambda t: _sinc_near(t, order), lambda t: _sinc_away(t, order))


def _sinc_near(t: Array, order: int) -> Array:
    start = (order + 1) // 2  # the first even power 2k that n derivatives leave something of
    coefficients = tuple(
        (-1.0) ** k * (math.factorial(2 * k) / math.factorial(2 * k - order) / math.factorial(2 * k + 1))
        for k in range(start, start + 14 + order)
    )
    series = _polynomial(t * t, coefficients)
    return t * series if order % 2 else series


def _sinc_away(t: Array, order: int) -> Array:
    sine, cosine = np.sin(t), np.cos(t)
    value = sine / t
    for n in range(1, order + 1):  # t s_n + n s_(n-1) = the n-th derivative of sin t
        value = ((cosine, -sine, -cosine, sine)[(n - 1) % 4] - n * value) / t
    return value
