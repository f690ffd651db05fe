"""Choosing elements by bit masks: several times as fast as NumPy's where, which branches on every element."""

from __future__ import annotations

from typing import Any

import numpy as np

#: the integer type with the bits of each float type
SIGNED = {np.dtype(np.float16): np.int16, np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}


def selected(keep: Any, x: Any) -> Any:
    """``x`` where ``keep``, else +0: exact, also beside inf and NaN, and without a branch per element."""
    signed = SIGNED[x.dtype]
    # 0 or 1 becomes a mask of no or all bits.
    mask = np.negative(keep.view(np.int8), out=np.empty(x.shape, signed), casting="unsafe")
    return np.bitwise_and(mask, x.view(signed), out=mask).view(x.dtype)


def merged(first: Any, x1: Any, x2: Any) -> Any:
    """``x1`` where ``first``, else ``x2``, of one shape and dtype: exact, and without a branch per element."""
    signed = SIGNED[x1.dtype]
    mask = np.negative(first.view(np.int8), out=np.empty(x1.shape, signed), casting="unsafe")
    second = x2.view(signed)
    mask &= np.bitwise_xor(x1.view(signed), second)  # the bits to change where ``first``
    return np.bitwise_xor(mask, second, out=mask).view(x1.dtype)
