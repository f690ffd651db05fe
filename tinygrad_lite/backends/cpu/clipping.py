"""Norms of gradients, and limiting them, over the processor's cores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tinygrad_lite.backends.cpu.parallel import BLOCK, for_blocks

Array: TypeAlias = Any  #: np.ndarray
Limiter = Callable[[Array, Array], None]

#: Elements, a divisor of BLOCK: the squares of a row are summed in the precision of the array, the rows in double.
ROW = 4096


def norm(arrays: Sequence[Array], p: float) -> Array:
    """The p-norm of all elements, as float64; p may be inf."""
    return np.asarray(_norm([array.reshape(-1) for array in arrays if array.size], p))


def _norm(arrays: list[Array], p: float) -> float:
    with np.errstate(all="ignore"):
        if p == 2:
            total = math.fsum(_sum_of_squares(array) for array in arrays)
            if 1e-30 < total < math.inf:
                return math.sqrt(total)
        largest = _largest(arrays)
        if p == math.inf or largest == 0 or not math.isfinite(largest):
            return largest
        return float(largest * _scaled_sum(arrays, p, largest) ** (1 / p))


def _sum_of_squares(array: Array) -> float:
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    full = array.size // ROW * ROW
    rows, rest = array[:full].reshape(-1, ROW), array[full:]
    sums = np.empty(len(rows), array.dtype)

    def block(start: int, stop: int) -> None:
        part = slice(start // ROW, stop // ROW)
        np.vecdot(rows[part], rows[part], out=sums[part])

    for_blocks(rows.size, BLOCK, block)
    return float(sums.sum(dtype=np.float64)) + float(np.vecdot(rest, rest))


def _largest(arrays: list[Array]) -> float:
    """The largest absolute value; NaN if there is one."""
    bounds = [float(bound) for array in arrays for bound in (array.max(), -array.min())]
    return math.nan if any(math.isnan(bound) for bound in bounds) else max(bounds, default=0.0)


def _scaled_sum(arrays: list[Array], p: float, scale: float) -> float:
    """The sum of ``|x / scale|^p``, in double precision."""
    parts: list[float] = []
    for array in arrays:
        for start in range(0, array.size, BLOCK):
            block = np.abs(array[start : start + BLOCK].astype(np.float64)) / scale
            parts.append(float((block if p == 1 else block**p).sum()))
    return math.fsum(parts)


def limiter(found: Array, most: float) -> Limiter | None:
    """What scales an array so that the norm ``found`` becomes at most ``most``: ``function(x, out)``, out may be x.

    None where the norm is not larger.
    """
    factor = most / (float(found) + 1e-6)
    if factor >= 1:  # so that NaN counts
        return None
    return lambda x, out: _by_blocks(lambda g, into: np.multiply(g, factor, into), x, out)


def limiter_of_values(bound: float) -> Limiter:
    """What limits every element of an array to -bound ... bound: ``function(x, out)``, out may be x."""
    return lambda x, out: _by_blocks(
        lambda g, into: np.minimum(np.maximum(g, -bound, out=into), bound, out=into), x, out
    )


def _by_blocks(function: Callable[[Array, Array], Array], x: Array, out: Array) -> None:
    """Over flat arrays block by block; over others at once."""
    with np.errstate(all="ignore"):
        if x.ndim == 1 and x is out:
            for_blocks(x.size, BLOCK, lambda start, stop: function(x[start:stop], out[start:stop]))
        else:
            function(x, out)
