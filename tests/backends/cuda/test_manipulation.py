"""Shapes, order and creation on the GPU agree with the CPU in every dtype and layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinygrad_lite.backends.cpu import manipulation as cpu
from tinygrad_lite.backends.cuda import layout, manipulation
from tinygrad_lite.backends.cuda.array import CudaArray, from_host
from tinygrad_lite.backends.cuda.types import ALL, FLOATS


def _numbers(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    return (np.arange(1, np.prod(shape, dtype=int) + 1).reshape(shape) % 113).astype(dtype)


def _layouts(x: np.ndarray) -> list[CudaArray]:
    """The same elements contiguous, with the axes reversed in memory, and backwards with gaps."""
    turned = manipulation.permute_dims(from_host(x.T), tuple(range(x.ndim))[::-1])
    wide = np.zeros([2 * n for n in x.shape], x.dtype)
    inner = tuple(slice(None, None, -2) for _ in x.shape)
    wide[inner] = x
    strides = tuple(-2 * s for s in layout.row_major(wide.shape))
    held = from_host(wide)
    last = sum((2 * n - 1) * s for n, s in zip(x.shape, layout.row_major(wide.shape), strict=True))
    return [from_host(x), turned, held.view_as(x.shape, strides, last if x.size else 0)]


#: what, shape, arguments; which the CPU's function of that name takes as well
CASES: list[tuple[str, tuple[int, ...], tuple[Any, ...]]] = [
    ("reshape", (2, 3, 4), ((4, 6),)),
    ("reshape", (2, 3, 4), ((-1,),)),
    ("reshape", (), ((1, 1),)),
    ("reshape", (0, 3), ((3, 0),)),
    ("permute_dims", (2, 3, 4), ((2, 0, 1),)),
    ("permute_dims", (), ((),)),
    ("broadcast_to", (3, 1), ((2, 3, 4),)),
    ("broadcast_to", (), ((2,),)),
    ("broadcast_to", (1,), ((0,),)),
    ("expand_dims", (2, 3), ((0, -1),)),
    ("expand_dims", (2, 3), ((1,),)),
    ("squeeze", (1, 3, 1), ((0, 2),)),
    ("squeeze", (1, 3, 1), (-1,)),
    ("flip", (2, 3), ((0,),)),
    ("flip", (2, 3), ((0, 1),)),
    ("flip", (0, 3), ((0, 1),)),
    ("roll", (5,), ((2,), (0,))),
    ("roll", (5,), (-7, 0)),
    ("roll", (2, 3), (1, None)),
    ("roll", (3, 4, 2), ((1, -1), (0, 1))),
    ("roll", (3, 4), ((1, 1), (0, 0))),
    ("roll", (0, 4), ((1,), (1,))),
    ("roll", (3, 4), ((3,), (0,))),
    ("tril", (3, 3), (0,)),
    ("tril", (2, 4), (1,)),
    ("tril", (2, 3, 3), (-1,)),
    ("triu", (4, 2), (-1,)),
    ("triu", (2, 2), (5,)),
    ("triu", (2, 2), (-5,)),
    ("tril", (0, 3), (0,)),
    ("triu", (33, 31), (2,)),
    ("triu", (3,), (0,)),
    ("repeat", (3,), (2, 0)),
    ("repeat", (2, 3), (2, 1)),
    ("repeat", (2, 3), (0, 1)),
    ("repeat", (3,), (np.array([2, 0, 1]), 0)),
    ("repeat", (2, 3), (np.array([1, 3], np.int32), 0)),
    ("repeat", (2, 3), (np.array([2]), 1)),
    ("repeat", (0, 2), (np.zeros(0, int), 0)),
    ("repeat", (300, 2), (np.arange(300) % 5, 0)),
    ("pad", (3,), (((1, 2),), 0)),
    ("pad", (2, 3), (((0, 1), (2, 0)), 5)),
    ("pad", (0, 2), (((1, 0), (0, 0)), 1)),
    ("pad", (2,), (((0, 0),), 1)),
    ("pad", (2, 3, 4, 5), (((0, 0), (1, 1), (0, 0), (0, 0)), 0)),
    ("pad", (2, 1, 3), (((1, 0), (0, 0), (0, 2)), 0)),
    ("pad", (), ((), 1)),
    ("sum_to", (2, 3), ((1, 3),)),
    ("sum_to", (2, 3), ((3,),)),
    ("sum_to", (2, 3), ((),)),
    ("sum_to", (2, 3), ((2, 3),)),
    ("unfold", (5,), (0, 3, 1)),
    ("unfold", (2, 7), (1, 3, 2)),
    ("unfold", (6, 2), (0, 2, 3)),
    ("unfold", (3,), (0, 0, 1)),
    ("overlap_add", (3, 3), (0, 5, 1)),
    ("overlap_add", (2, 3, 2), (1, 7, 2)),
    ("overlap_add", (3, 0, 2), (0, 4, 1)),
    ("overlap_add", (1, 1), (0, 1, 3)),
    ("overlap_add", (4, 3, 2), (0, 9, 2)),
    ("overlap_add", (2, 2), (0, 40, 7)),
]


def _up(value: Any) -> Any:
    return from_host(value) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("name, shape, arguments", CASES, ids=[f"{n} {s} {a}" for n, s, a in CASES])
def test_as_on_the_cpu(name: str, shape: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
    for dtype in (np.float32, np.int64):
        x = _numbers(shape, dtype)
        expected = getattr(cpu, name)(x, *arguments)
        for given in _layouts(x):
            result = getattr(manipulation, name)(given, *map(_up, arguments))
            assert (result.shape, result.dtype) == (np.shape(expected), expected.dtype)
            np.testing.assert_array_equal(result.get(), expected)


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_every_dtype(dtype: Any) -> None:
    x = _numbers((5, 7), dtype)
    for given in _layouts(x):
        for name, arguments in (
            ("roll", ((2,), (1,))),
            ("triu", (1,)),
            ("pad", (((1, 0), (0, 2)), 1)),
            ("concat", ()),
            ("repeat", (3, 1)),
        ):
            if name == "concat":
                result, expected = manipulation.concat([given, given], 1), np.concatenate([x, x], 1)
            else:
                result, expected = getattr(manipulation, name)(given, *arguments), getattr(cpu, name)(x, *arguments)
            assert result.dtype == dtype
            np.testing.assert_array_equal(result.get(), expected)


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_windows_are_added_in_every_dtype(dtype: Any) -> None:
    x = _numbers((6, 5), dtype)
    np.testing.assert_array_equal(manipulation.overlap_add(from_host(x), 0, 15, 2).get(), cpu.overlap_add(x, 0, 15, 2))


def test_float16_windows_are_summed_in_float32() -> None:
    x = np.full((40, 40), 0.1, np.float16)
    np.testing.assert_array_equal(manipulation.overlap_add(from_host(x), 0, 79, 1).get(), cpu.overlap_add(x, 0, 79, 1))


MIXED = [
    ([(2, 3), (1, 3)], 0, ["float32", "float32"]),
    ([(2, 3), (2, 0), (2, 1)], 1, ["float32", "float64", "int8"]),
    ([(3,), (2,)], 0, ["int8", "uint8"]),
    ([(3,), (2,)], 0, ["bool", "complex64"]),
    ([(2, 3), (4,)], None, ["float16", "float16"]),
    ([(0,), (0,)], 0, ["int32", "int32"]),
    ([(2, 3)] * 9, -1, ["float32"] * 9),
]


@pytest.mark.parametrize("shapes, axis, names", MIXED)
def test_concatenating(shapes: list[tuple[int, ...]], axis: int | None, names: list[str]) -> None:
    parts = [_numbers(shape, name) for shape, name in zip(shapes, names, strict=True)]
    expected = np.concatenate(parts, axis)
    result = manipulation.concat([from_host(x) for x in parts], axis)
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result.get(), expected)


def test_views_share_memory() -> None:
    x = from_host(_numbers((2, 3, 4)))
    for name, arguments in (
        ("reshape", ((6, 4),)),
        ("permute_dims", ((2, 0, 1),)),
        ("broadcast_to", ((5, 2, 3, 4),)),
        ("expand_dims", ((0,),)),
        ("flip", ((1,),)),
        ("unfold", (2, 2, 1)),
    ):
        assert getattr(manipulation, name)(x, *arguments).block is x.block, name


def test_creation() -> None:
    for dtype in ALL:
        x = from_host(_numbers((2, 3), dtype))
        for result, expected in (
            (manipulation.zeros((2, 2), dtype), np.zeros((2, 2), dtype)),
            (manipulation.full((2,), 3, dtype), np.full((2,), 3, dtype)),
            (manipulation.zeros_like(x), np.zeros((2, 3), dtype)),
            (manipulation.zeros_like(x, dtype="int64", shape=(4,)), np.zeros(4, np.int64)),
        ):
            assert result.dtype == expected.dtype
            np.testing.assert_array_equal(result.get(), expected)
    assert manipulation.empty(3, "bool").shape == (3,)
    for n in (0, 1, 255, 1000):
        np.testing.assert_array_equal(manipulation.arange(n).get(), np.arange(n))
    with pytest.raises(OverflowError) as caught:
        manipulation.full((2,), 300, np.uint8)
    assert str(caught.value) == "300 does not fit into uint8"


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda x: manipulation.reshape(x, (4,)), ValueError, "cannot reshape array of size 6 into shape (4,)"),
    (lambda x: manipulation.permute_dims(x, (0, 0)), ValueError, "axes don't match array"),
    (lambda x: manipulation.broadcast_to(x, (2, 4)), ValueError, "shapes (2, 3), (2, 4) do not broadcast together"),
    (lambda x: manipulation.broadcast_to(x, (3,)), ValueError, "cannot broadcast shape (2, 3) to (3,)"),
    (
        lambda x: manipulation.squeeze(x, 0),
        ValueError,
        "cannot select an axis to squeeze out which has size not equal to one",
    ),
    (lambda x: manipulation.flip(x, 2), IndexError, "axis 2 is out of bounds for array of dimension 2"),
    (lambda x: manipulation.repeat(x, -1, 0), ValueError, "repeats may not contain negative values."),
    (
        lambda x: manipulation.repeat(x, from_host(np.array([1, -1])), 0),
        ValueError,
        "repeats may not contain negative values.",
    ),
    (
        lambda x: manipulation.repeat(x, from_host(np.array([1, 2, 3])), 0),
        ValueError,
        "operands could not be broadcast together with shape (2, 3) (3,)",
    ),
    (lambda x: manipulation.pad(x, ((0, 0), (-1, 0)), 0), ValueError, "index can't contain negative values"),
    (lambda x: manipulation.concat([]), ValueError, "need at least one array to concatenate"),
    (
        lambda x: manipulation.concat([x, manipulation.flip(x.reshape(3, 2))]),
        ValueError,
        "all the input array dimensions except for the concatenation axis must match exactly",
    ),
    (
        lambda x: manipulation.concat([manipulation.zeros((), "float32")]),
        ValueError,
        "zero-dimensional arrays cannot be concatenated",
    ),
    (
        lambda x: manipulation.roll(x, (1, 2, 3), (0, 1)),
        ValueError,
        "shift and axis must have as many elements as each other",
    ),
    (
        lambda x: manipulation.tril(manipulation.zeros((), "bool")),
        ValueError,
        "a triangle needs at least one axis",
    ),
    (
        lambda x: manipulation.sum_to(x, (4, 3)),
        ValueError,
        "an array of shape (2, 3) cannot have been broadcast from (4, 3)",
    ),
]


@pytest.mark.parametrize("act, kind, text", REFUSED, ids=[text for *_, text in REFUSED])
def test_refusals(act: Any, kind: Any, text: str) -> None:
    with pytest.raises(kind) as caught:
        act(from_host(_numbers((2, 3))))
    assert str(caught.value) == text


def test_what_one_launch_cannot_count_takes_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MOST_ELEMENTS", 40)
    layout.pieces.cache_clear()
    x = _numbers((7, 5, 3))
    for name, arguments in (
        ("roll", ((1, -1), (0, 2))),
        ("pad", (((1, 2), (0, 1), (0, 0)), 3)),
        ("tril", (0,)),
        ("overlap_add", (0, 15, 2)),
    ):
        for given in _layouts(x):
            np.testing.assert_array_equal(
                getattr(manipulation, name)(given, *arguments).get(), getattr(cpu, name)(x, *arguments)
            )
    np.testing.assert_array_equal(manipulation.arange(100).get(), np.arange(100))
    layout.pieces.cache_clear()


def test_many_axes() -> None:
    x = _numbers((2,) * 10)
    for given in _layouts(x):
        np.testing.assert_array_equal(manipulation.roll(given, (1, 1), (3, 7)).get(), np.roll(x, (1, 1), (3, 7)))
        width = ((0, 0),) * 3 + ((1, 1), (0, 0)) * 3 + ((0, 1),)
        np.testing.assert_array_equal(manipulation.pad(given, width, 0.5).get(), np.pad(x, width, constant_values=0.5))


def test_rounding_of_sums_to_a_shape() -> None:
    for dtype in FLOATS:
        x = _numbers((8, 9), dtype)
        np.testing.assert_array_equal(manipulation.sum_to(from_host(x), (9,)).get(), cpu.sum_to(x, (9,)))
