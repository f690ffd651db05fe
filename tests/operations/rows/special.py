"""Special functions. Their references are Python's own math library where it has them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import SHAPES, operation, positive, real, sample
from operations.rows.elementwise import binary, unary


def _each(function: Callable[[float], float]) -> Any:
    """A function of arrays from one of numbers, infinite at poles."""

    def at(x: float) -> float:
        try:
            return function(x)
        except ValueError:
            return math.inf

    return lambda x: np.vectorize(at, otypes=["f8"])(x)


def _special(name: str) -> Any:
    return lambda t, x: getattr(t.special, name)(x)


def _probability(*shape: int) -> np.ndarray:
    return real(*shape, low=0.25, high=0.8)


def _inside(*shape: int) -> np.ndarray:
    return real(*shape, low=-0.9, high=0.9)


_EXTREME = [sample(np.array([-30.0, -9.0, 9.0, 30.0]), label="extreme")]
_EVERYWHERE = [sample(np.array([-5.5, -1.5, 0.45, 0.75, 3.0, 7.5, 12.0]), label="every range")]
unary("sigmoid", lambda x: 1 / (1 + np.exp(-x)), length=4, extra=_EXTREME)
operation(
    "logit",
    tgl.logit,
    lambda x, eps=0.0: np.log(np.clip(x, eps, 1 - eps) / (1 - np.clip(x, eps, 1 - eps))),
    lambda t, x, eps=None: t.logit(x, eps),
    [*(sample(_probability(*shape)) for shape in SHAPES), sample(_probability(2, 3), eps=0.3)],
    length=4,
    condition=8,
)
_ZERO = [sample(np.array([0.0, 0.0, 2.0]), np.array([0.5, 3.0, 1.5]), label="zeros")]
binary(
    "xlogy",
    lambda x, y: np.where(x == 0, 0.0, x * np.log(np.where(x == 0, 1.0, y))),
    positive,
    extra=_ZERO,
    length=4,
    integers="float32",
)
unary("erf", _each(math.erf), length=4, extra=_EXTREME)
unary("erfc", _each(math.erfc), length=4, extra=_EXTREME)
unary("erfcx", _each(lambda x: math.exp(x * x) * math.erfc(x)), torch=_special("erfcx"), length=8, condition=8)


def _erfinv(x: Any) -> Any:
    """Bisection."""
    low, high = np.full(np.shape(x), -6.0), np.full(np.shape(x), 6.0)
    for _ in range(60):
        middle = (low + high) / 2
        above = _each(math.erf)(middle) > x
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2


unary("erfinv", _erfinv, _inside, length=4, condition=8, integers=None)
_ndtr = _each(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)))
unary("ndtr", _ndtr, torch=_special("ndtr"), covers=("erfc",), length=8)
unary("log_ndtr", lambda x: np.log(_ndtr(x)), torch=_special("log_ndtr"), length=8, condition=4)


@functools.cache
def _gamma_family(t: Any) -> Any:
    """PyTorch's digamma and lgamma with Hurwitz's zeta function behind them: its own trigamma is off by 1e-9."""

    class Digamma(t.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(context: Any, x: Any) -> Any:
            context.save_for_backward(x)
            return t.digamma(x)

        @staticmethod
        def backward(context: Any, g: Any) -> Any:
            return g * t.special.zeta(t.full_like(g, 2.0), *context.saved_tensors)

    class LogGamma(t.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(context: Any, x: Any) -> Any:
            context.save_for_backward(x)
            return t.lgamma(x)

        @staticmethod
        def backward(context: Any, g: Any) -> Any:
            return g * Digamma.apply(*context.saved_tensors)

    return Digamma, LogGamma


def _torch_polygamma(t: Any, x: Any, n: int = 1) -> Any:
    if n == 0:
        return _gamma_family(t)[0].apply(x)
    return (-1) ** (n + 1) * math.factorial(n) * t.special.zeta(t.full_like(x, n + 1.0), x)


def _torch_lgamma(t: Any, x: Any) -> Any:
    return _gamma_family(t)[1].apply(x)


unary("lgamma", _each(math.lgamma), positive, torch=_torch_lgamma, length=8, condition=4, extra=_EVERYWHERE)


def _polygamma(x: Any, n: int = 0) -> Any:
    """Differences of lgamma would be too coarse: sums of 2000 terms, and the integral of the rest."""
    x = np.asarray(x, "f8")
    k = x[..., None] + np.arange(2000)
    end = x + 2000
    if n == 0:
        return np.log(end) - 1 / (2 * end) - 1 / (12 * end**2) - np.sum(1 / k, -1)
    rest = end**-n / n + end ** -(n + 1) / 2 + (n + 1) * end ** -(n + 2) / 12
    return (-1) ** (n + 1) * math.factorial(n) * (np.sum(k ** -(n + 1.0), -1) + rest)


unary("digamma", _polygamma, positive, torch=lambda t, x: _torch_polygamma(t, x, 0), length=16, condition=8)
operation(
    "polygamma",
    lambda x, n=1: tgl.polygamma(n, x),
    lambda x, n=1: _polygamma(x, n),
    _torch_polygamma,
    [*(sample(positive(*shape)) for shape in SHAPES), *(sample(positive(4), n=n) for n in (0, 2, 5))],
    covers=("polygamma",),
    length=16,
    condition=64,
)
