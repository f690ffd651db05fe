"""Shapes and strides as kernels get them name the same elements as NumPy's, whatever the view."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest

from tinygrad_lite.backends.cuda import layout

RANDOM = np.random.default_rng(7)
ROOT = np.arange(4000)


def random_view(most_axes: int = 6) -> Any:
    """A view of ROOT with permuted, reversed, stepped, repeated, single and sometimes empty axes."""
    shape = tuple(int(n) for n in RANDOM.integers(1, 5, RANDOM.integers(0, most_axes)))
    view = ROOT[: math.prod(shape)].reshape(shape)
    for k in range(view.ndim):
        kind = RANDOM.integers(0, 6)
        index: list[Any] = [slice(None)] * view.ndim
        if kind == 0:
            index[k] = slice(None, None, -1)
        elif kind == 1:
            index[k] = slice(None, None, 2)
        elif kind == 2:
            index[k] = slice(0, 1)
        elif kind == 3:
            view = np.broadcast_to(view[tuple(index)][..., None], (*view.shape, 3))
            index.append(slice(None))
        view = view[tuple(index)]
    return view.transpose(RANDOM.permutation(view.ndim))


def strides_of(view: Any) -> tuple[int, ...]:
    return tuple(s // ROOT.itemsize for s in view.strides)


def offsets(shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    """Where the elements lie, in row-major order, counted from the first."""
    found = np.zeros((), np.int64)
    for n, s in zip(shape, strides, strict=True):
        found = found[..., None] + np.arange(n) * s
    return found.reshape(-1)


VIEWS = [random_view() for _ in range(300)]


def test_row_major_strides_are_those_of_numpy() -> None:
    for view in VIEWS:
        made = np.empty(view.shape, np.int64)
        assert layout.row_major(view.shape) == strides_of(made)
        assert layout.is_row_major(view.shape, strides_of(view)) == view.flags.c_contiguous
    assert layout.is_row_major((3, 0), (17, 5))
    assert layout.is_row_major((1, 4), (99, 1))


def test_merged_axes_name_the_same_elements_in_the_same_order() -> None:
    fewer = 0
    for view in VIEWS:
        other = np.broadcast_to(ROOT[: view.shape[-1]] if view.ndim else ROOT[0], view.shape)
        shape, both = layout.merged(view.shape, strides_of(view), strides_of(other))
        fewer += len(shape) < view.ndim
        assert 1 not in shape or shape == (1,)
        for found, given in zip(both, (view, other), strict=True):
            np.testing.assert_array_equal(offsets(shape, found), offsets(view.shape, strides_of(given)))
    assert fewer > 100
    assert layout.merged((), ()) == ((1,), ((0,),))
    assert layout.merged((1, 1), (5, 7)) == ((1,), ((0,),))


def test_no_two_neighbouring_axes_are_left_that_lie_together() -> None:
    for view in VIEWS:
        shape, (steps,) = layout.merged(view.shape, strides_of(view))
        assert all(a != b * n for a, b, n in zip(steps, steps[1:], shape[1:], strict=False))


def test_broadcasting_is_numpys() -> None:
    for _ in range(300):
        shapes = [tuple(int(n) for n in RANDOM.choice([0, 1, 1, 2, 3], RANDOM.integers(0, 4))) for _ in range(3)]
        try:
            expected = np.broadcast_shapes(*shapes)
        except ValueError:
            with pytest.raises(ValueError, match="do not broadcast together"):
                layout.broadcast_shapes(*shapes)
            continue
        assert layout.broadcast_shapes(*shapes) == expected
        for shape in shapes:
            view = np.broadcast_to(np.empty(shape, np.int64), expected)
            found = layout.broadcast_strides(shape, layout.row_major(shape), expected)
            np.testing.assert_array_equal(offsets(expected, found), offsets(expected, strides_of(view)))


def quotient(index: int, divisor: tuple[int, int, int]) -> int:
    """What ``Axis::quotient`` computes in 32 bits."""
    _, multiplier, shift = divisor
    total = ((index * multiplier) >> 32) + index
    assert multiplier < 2**32
    assert total < 2**32
    return total >> shift


def test_division_by_product_and_shift_is_exact() -> None:
    near = {max(2**k + d, 1) for k in range(31) for d in range(-3, 4)}
    anywhere = {int(n) for n in RANDOM.integers(1, 2**31 - 1, 300)}
    for n in sorted(near | anywhere | set(range(1, 300))):
        if n >= 2**31:
            continue
        made = layout.divisor(n)
        assert made[0] == n
        last = (2**31 - 1) // n * n
        for index in (0, 1, n - 1, n, n + 1, last - 1, last, 2**31 - 1, int(RANDOM.integers(0, 2**31))):
            if 0 <= index < 2**31:
                assert quotient(index, made) == index // n, (index, n)


def test_a_packed_layout_is_the_structure_of_the_kernels() -> None:
    packed = layout.pack((3, 5), (5, 1), (0, 7))
    assert len(packed) == 8 + 8 * 12 + 2 * 8 * 8
    words = struct.unpack("26I16q", packed)
    assert words[:2] == (2, 15)
    assert words[2:8] == (*layout.divisor(3), *layout.divisor(5))
    assert words[26:28] == (5, 1)
    assert words[34:36] == (0, 7)


@pytest.mark.parametrize(
    "shape, strides",
    [
        ((2,) * 9, tuple(3**k for k in range(9))),
        ((2,) * 10, tuple(-(3**k) for k in range(10))),
        ((3, *(2,) * 9), (1, *(3 ** (k + 1) for k in range(9)))),
        ((5, 7), (7, 1)),
    ],
)
def test_pieces_cover_all_elements_in_order(shape: Any, strides: Any) -> None:
    twice = tuple(2 * s for s in strides)
    found = []
    for piece, (steps, double), (first, start) in layout.pieces(shape, strides, twice):
        assert len(piece) <= layout.MOST_AXES
        assert start == 2 * first
        np.testing.assert_array_equal(2 * offsets(piece, steps), offsets(piece, double))
        found.append(first + offsets(piece, steps))
    np.testing.assert_array_equal(np.concatenate(found), offsets(shape, strides))


@pytest.mark.parametrize(
    "shape, strides",
    [
        ((2**31,), (1,)),
        ((2**33 + 5,), (3,)),
        ((2**20, 2**13), (2**13 + 1, 1)),
        ((5, 2**31 + 1), (2**40, 2)),
        ((3, 4, 2**31 - 1), (2**50, 2**40, 1)),
    ],
)
def test_pieces_of_more_elements_than_32_bits_count_are_whole(shape: Any, strides: Any) -> None:
    pieces = layout.pieces(shape, strides)
    assert sum(math.prod(piece) for piece, _, _ in pieces) == math.prod(shape)
    assert all(math.prod(piece) <= layout.MOST_ELEMENTS for piece, _, _ in pieces)
    last = sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    piece, (steps,), (first,) = pieces[-1]
    assert first + sum((n - 1) * s for n, s in zip(piece, steps, strict=True)) == last
    assert len({first for _, _, (first,) in pieces}) == len(pieces)
