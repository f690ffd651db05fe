"""What the indexing functions refuse, in the whole of its words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.functions.indexing import add_at

X = Tensor(np.zeros((2, 3), "float32"))
REFUSALS: list[tuple[str, Any, type, str]] = [
    (
        "indices that do not broadcast",
        lambda: tgl.take_along_axis(X, Tensor(np.zeros((3, 1), "int64")), axis=1),
        tgl.errors.ShapeError,
        (
            "take_along_axis needs indices that broadcast against x on every axis but the given one\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  indices  shape (3, 1), int64, cpu\n"
            "  hint     the shapes may differ along the given axis, and where one of them has size 1"
        ),
    ),
    (
        "values that do not broadcast",
        lambda: tgl.setitem(X, Tensor([1.0, 2.0]), 0),
        tgl.errors.ShapeError,
        (
            "setitem needs values that broadcast to the shape (3,) of the indexed part\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  values  shape (2,), float32, cpu\n"
            "  hint    one number, or 3 in that shape"
        ),
    ),
    (
        "values with a leading axis of two",
        lambda: tgl.setitem(X, Tensor([[1.0], [2.0]]), 0),
        tgl.errors.ShapeError,
        (
            "setitem needs values that broadcast to the shape (3,) of the indexed part\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  values  shape (2, 1), float32, cpu\n"
            "  hint    one number, or 3 in that shape"
        ),
    ),
    (
        "an index out of bounds",
        lambda: tgl.setitem(X, 1.0, 2),
        tgl.errors.IndexingError,
        (
            "setitem got index 2, but axis 0 has 2 elements\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  2\n"
            "  hint   indices go from 0 to 1, or from -2 to -1 from the end"
        ),
    ),
    (
        "an index of a shape that has no such axis",
        lambda: add_at(Tensor([1.0]), (0, 0), (3,)),
        tgl.errors.IndexingError,
        (
            "add_at got indices for 2 axes, but there is 1 axis\n"
            "  x      shape (1,), float32, cpu\n"
            "  index  (0, 0)\n"
            "  hint   1 index reaches a single element"
        ),
    ),
    (
        "a fraction among integers",
        lambda: tgl.setitem(Tensor([1, 2]), 1.5, 0),
        tgl.errors.DTypeError,
        (
            "setitem cannot put floats into integers\n"
            "  x       shape (2,), int64, cpu\n"
            "  values  shape (), float32, cpu\n"
            "  hint    make x a float tensor first: x.astype(float)"
        ),
    ),
]


@pytest.mark.parametrize("what, call, kind, expected", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_names_the_need_and_the_operands(what: str, call: Any, kind: type, expected: str) -> None:
    assert refusal(kind, call) == expected
