"""Special functions of arrays on the GPU; see kernels/special.cuh and gamma.cuh. float16 is computed in float32."""

from __future__ import annotations

import functools
import math

import numpy as np

from tinygrad_lite.backends.cpu.gamma_function import cotangent_derivative
from tinygrad_lite.backends.cuda import elementwise, loops, types
from tinygrad_lite.backends.cuda.array import CudaArray, from_host
from tinygrad_lite.backends.cuda.loops import Operation

__all__ = [
    "digamma",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "lgamma",
    "log_ndtr",
    "polygamma",
    "relu",
    "sigmoid",
    "sinc_derivative",
]

_MODULES = loops.modules("special.cu", types.FLOATS)

relu = elementwise.unary("relu", elementwise.ARITHMETIC, "f")
sigmoid = elementwise.unary("sigmoid", elementwise.TRANSCENDENTAL, "f")
erf = elementwise.unary("erf", _MODULES, "f")
erfc = elementwise.unary("erfc", _MODULES, "f")
erfcx = elementwise.unary("erfcx", _MODULES, "f")
erfinv = elementwise.unary("erfinv", _MODULES, "f")
log_ndtr = elementwise.unary("log_ndtr", _MODULES, "f")
lgamma = elementwise.unary("lgamma", _MODULES, "f")
digamma = elementwise.unary("digamma", _MODULES, "f")


# --- with an order ------------------------------------------------------------------------------------------

_SINC = Operation("sinc_derivative", _MODULES, 1, "f", extra="ddi")
_POLYGAMMA = Operation("polygamma", _MODULES, 1, "f", extra="Pdi")


def sinc_derivative(x: CudaArray, order: int) -> CudaArray:
    """The derivative of that order of sin(pi x) / (pi x)."""
    k = (order + 1) // 2  # the first even power 2k that the derivatives leave something of
    first = (-1.0) ** k / (2 * k + 1)
    return loops.unary(_SINC, x, elementwise.astype, (first, math.pi**order, order))


def polygamma(n: int, x: CudaArray) -> CudaArray:
    """The n-th derivative of digamma."""
    if n == 0:
        return digamma(x)  # type: ignore[no-any-return]
    numbers = (_coefficients(n).address, float(math.factorial(n)), n)
    return loops.unary(_POLYGAMMA, x, elementwise.astype, numbers)


@functools.lru_cache(32)
def _coefficients(n: int) -> CudaArray:
    return from_host(np.array(cotangent_derivative(n)))
