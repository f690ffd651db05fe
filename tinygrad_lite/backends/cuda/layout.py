"""Shapes and strides of operands, prepared for kernels: broadcast, merged to as few axes as possible, packed.

Strides count elements, and are 0 along an axis that is repeated. ``kernels/layout.cuh`` is the other side of ``pack``.
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Sequence
from typing import TypeAlias

Shape: TypeAlias = "tuple[int, ...]"
Strides: TypeAlias = "tuple[int, ...]"

MOST_AXES = 8  #: of a kernel's layout, after merging
MOST_ELEMENTS = 2**31 - 1  #: of one launch: kernels count in 32 bits


@functools.lru_cache(4096)
def row_major(shape: Shape) -> Strides:
    """The strides of contiguous elements.

    >>> row_major((2, 3, 4))
    (12, 4, 1)
    """
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


@functools.lru_cache(4096)
def is_row_major(shape: Shape, strides: Strides) -> bool:
    """Whether the elements lie side by side in row-major order; the strides of axes of size one do not matter."""
    step = 1
    for n, stride in zip(reversed(shape), reversed(strides), strict=True):
        if n == 0:
            return True
        if n != 1:
            if stride != step:
                return False
            step *= n
    return True


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that all broadcast to.

    Raises:
        ValueError: they do not.

    >>> broadcast_shapes((2, 1, 3), (4, 1))
    (2, 4, 3)
    """
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    ndim = max(map(len, shapes))
    result = [1] * ndim
    for shape in shapes:
        for k, n in enumerate(shape, ndim - len(shape)):
            if n != 1 and result[k] not in (1, n):
                raise ValueError(f"shapes {', '.join(map(str, shapes))} do not broadcast together")
            if n != 1:
                result[k] = n
    return tuple(result)


@functools.lru_cache(4096)
def broadcast_strides(shape: Shape, strides: Strides, target: Shape) -> Strides:
    """The strides with which an operand is read as one of shape ``target``.

    >>> broadcast_strides((3, 1), (1, 1), (2, 3, 4))
    (0, 1, 0)
    """
    lead = len(target) - len(shape)
    return (0,) * lead + tuple(0 if n == 1 else s for n, s in zip(shape, strides, strict=True))


@functools.lru_cache(4096)
def merged(shape: Shape, *strides: Strides) -> tuple[Shape, tuple[Strides, ...]]:
    """The same elements in the same order with fewer axes: none of size one, none that continues the one before.

    There is one axis at least.

    >>> merged((2, 1, 3, 4), (12, 0, 4, 1), (4, 0, 0, 1))
    ((2, 3, 4), ((12, 4, 1), (4, 0, 1)))
    >>> merged((2, 3, 4), (12, 4, 1), (12, 4, 1))
    ((24,), ((1,), (1,)))
    """
    sizes: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for k, n in enumerate(shape):
        if n == 1:
            continue
        if sizes and all(done[-1] == given[k] * n for done, given in zip(steps, strides, strict=True)):
            sizes[-1] *= n
            for done, given in zip(steps, strides, strict=True):
                done[-1] = given[k]
        else:
            sizes.append(n)
            for done, given in zip(steps, strides, strict=True):
                done.append(given[k])
    if not sizes:
        return (1,), tuple((0,) for _ in strides)
    return tuple(sizes), tuple(map(tuple, steps))


@functools.lru_cache(4096)
def pack(shape: Shape, *strides: Strides) -> bytes:
    """The bytes of a ``Layout<N>``, for at most MOST_AXES axes and MOST_ELEMENTS elements."""
    axes = len(shape)
    assert 0 < axes <= MOST_AXES, shape
    assert math.prod(shape) <= MOST_ELEMENTS, shape
    words = [axes, math.prod(shape)]
    for n in (*shape, *(1,) * (MOST_AXES - axes)):
        words += divisor(n)
    numbers = [s for steps in strides for s in (*steps, *(0,) * (MOST_AXES - axes))]
    return struct.pack(f"{len(words)}I{len(numbers)}q", *words, *numbers)


def divisor(n: int) -> tuple[int, int, int]:
    """Size, multiplier and shift: ``(high(i * multiplier) + i) >> shift`` is ``i // n`` for i below 2^31."""
    shift = (n - 1).bit_length()
    return n, ((1 << 32) * ((1 << shift) - n)) // n + 1, shift


Piece: TypeAlias = "tuple[Shape, tuple[Strides, ...], tuple[int, ...]]"  #: shape, strides, first element per operand


@functools.lru_cache(1024)
def pieces(shape: Shape, *strides: Strides) -> Sequence[Piece]:
    """The layout cut, along its leading axes, into pieces that a kernel can count and unravel: mostly one.

    Shape and strides are merged ones; each piece says where it begins in every operand.
    """
    if len(shape) <= MOST_AXES and math.prod(shape) <= MOST_ELEMENTS:
        return ((shape, strides, (0,) * len(strides)),)
    found: list[Piece] = []
    if len(shape) > MOST_AXES or math.prod(shape[1:]) > MOST_ELEMENTS:
        cuts = [(i, 1) for i in range(shape[0])]
    else:
        step = max(MOST_ELEMENTS // math.prod(shape[1:]), 1)
        cuts = [(i, min(step, shape[0] - i)) for i in range(0, shape[0], step)]
    for start, count in cuts:
        inner = merged((count, *shape[1:]), *strides)
        for piece_shape, piece_strides, firsts in pieces(inner[0], *inner[1]):
            begins = tuple(first + start * s[0] for first, s in zip(firsts, strides, strict=True))
            found.append((piece_shape, piece_strides, begins))
    return tuple(found)
