"""What reading at places that tensors name refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors

X = tgl.zeros((2, 3))
I = Tensor([1, 2])

REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "a missing axis",
        lambda: tgl.take(X, I),
        errors.ArgumentError,
        ("take needs an axis for x with other than one\n  x     shape (2, 3), float32, cpu\n  hint  say axis=0"),
    ),
    (
        "an index out of range",
        lambda: tgl.take(X, Tensor([0, 7]), axis=1),
        errors.IndexingError,
        (
            "take got index 7, but the axis has 3 elements\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  indices  shape (2,), int64, cpu\n"
            "  hint     indices go from 0 to 2, or from -3 to -1 from the end"
        ),
    ),
    (
        "an index below the range",
        lambda: tgl.take(X, Tensor([-4, 0]), axis=1),
        errors.IndexingError,
        (
            "take got index -4, but the axis has 3 elements\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  indices  shape (2,), int64, cpu\n"
            "  hint     indices go from 0 to 2, or from -3 to -1 from the end"
        ),
    ),
    (
        "fractions as indices",
        lambda: tgl.take(X, Tensor([0.5]), axis=0),
        errors.DTypeError,
        (
            "take needs integer indices\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  indices  shape (1,), float32, cpu\n"
            '  hint     indices.astype("int64")'
        ),
    ),
    (
        "an axis that is not there",
        lambda: tgl.take(X, I, axis=2),
        errors.AxisError,
        (
            "take got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "an index with too few axes",
        lambda: tgl.gather(X, 1, I),
        errors.ShapeError,
        (
            "gather needs an index with as many axes as x, 2, but it has 1\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  shape (2,), int64, cpu\n"
            "  hint   expand_dims(index, 1) is one index per position; take(x, index, axis) takes whole rows"
        ),
    ),
    (
        "an index larger than x",
        lambda: tgl.gather(X, 1, tgl.zeros((3, 1), "int64")),
        errors.ShapeError,
        (
            "gather needs an index that is no larger than x on every axis but 1\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  shape (3, 1), int64, cpu\n"
            "  hint   take_along_axis broadcasts"
        ),
    ),
    (
        "an index out of range to gather",
        lambda: tgl.gather(X, 1, Tensor([[3]])),
        errors.IndexingError,
        (
            "gather got index 3, but the axis has 3 elements\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  shape (1, 1), int64, cpu\n"
            "  hint   indices go from 0 to 2, or from -3 to -1 from the end"
        ),
    ),
    (
        "a mask of integers",
        lambda: tgl.masked_select(X, I),
        errors.DTypeError,
        (
            "masked_select needs a mask of bools\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  mask  shape (2,), int64, cpu\n"
            "  hint  compare first: mask != 0"
        ),
    ),
    (
        "a mask that does not broadcast",
        lambda: tgl.masked_select(X, Tensor([True, False])),
        errors.ShapeError,
        (
            "masked_select needs shapes that broadcast together, but axis -1 is 3 and 2\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  mask  shape (2,), bool, cpu\n"
            "  hint  expand_dims(mask, -1) lines mask up with the first axis of x"
        ),
    ),
    (
        "a class out of range",
        lambda: tgl.one_hot(Tensor([0, 3]), 3),
        errors.IndexingError,
        (
            "one_hot got index 3, but the axis has 3 elements\n"
            "  indices  shape (2,), int64, cpu\n"
            "  hint     indices go from 0 to 2"
        ),
    ),
    (
        "a negative class",
        lambda: tgl.one_hot(Tensor([-1]), 3),
        errors.IndexingError,
        (
            "one_hot got index -1, but the axis has 3 elements\n"
            "  indices  shape (1,), int64, cpu\n"
            "  hint     indices go from 0 to 2"
        ),
    ),
    (
        "fractions as classes",
        lambda: tgl.one_hot(X, 3),
        errors.DTypeError,
        ('one_hot needs integer indices\n  indices  shape (2, 3), float32, cpu\n  hint     indices.astype("int64")'),
    ),
    (
        "a fraction as number of classes",
        lambda: tgl.one_hot(I, 2.5),
        errors.DTypeError,
        (
            "one_hot needs an integer as num_classes\n"
            "  num_classes  2.5\n"
            "  hint         int(value) cuts off the fraction"
        ),
    ),
    (
        "a keyword of another dialect",
        lambda: tgl.take(X, I, dim=0),
        errors.KeywordError,
        ("take has no argument 'dim'; it has x, indices, axis\n  hint  say axis= instead of dim="),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Any, kind: type, text: str) -> None:
    assert refusal(kind, call) == text
