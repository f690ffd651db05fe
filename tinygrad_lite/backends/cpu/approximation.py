"""How special functions are evaluated on NumPy arrays: polynomials, block by block."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array
from tinygrad_lite.backends.cpu.parallel import for_blocks

_BLOCK = 32 * 1024  # elements: a few temporaries fit the L2 cache; in blocks of 8k erf takes 1.8 times as long


def by_blocks(function: Callable[[Array], Array], x: Array) -> Array:
    """``function`` of 1-d pieces of a floating-point array, put together again; float16 is computed in float32."""
    if x.dtype.kind != "f":
        raise TypeError(f"no such function of {x.dtype.name}")
    if x.dtype == np.float16:
        return by_blocks(function, x.astype(np.float32)).astype(np.float16)
    out = np.empty(x.shape, x.dtype)
    flat, target = x.reshape(-1), out.reshape(-1)

    def work(start: int, stop: int) -> None:
        target[start:stop] = function(flat[start:stop])

    with np.errstate(all="ignore"):
        for_blocks(flat.size, _BLOCK, work)
    return out


def polynomial(x: Array, coefficients: Sequence[float]) -> Array:
    """Horner's scheme; the constant coefficient comes first."""
    *rest, second, first = coefficients
    total = x * first
    total += second
    for coefficient in reversed(rest):
        total *= x
        total += coefficient
    return total


def either(case: Array, x: Array, function: Callable[[Array], Array], other: Callable[[Array], Array]) -> Array:
    """``function(x)`` where ``case`` holds, else ``other(x)``.

    In a block that needs both, both are computed everywhere: on noise that is twice as fast as picking the elements
    out and putting them back, which stumbles over every change.
    """
    if case.all():
        return function(x)
    return np.where(case, function(x), other(x)) if case.any() else other(x)
