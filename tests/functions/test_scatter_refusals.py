"""What writing and adding at places that tensors name refuses."""

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
        "an index out of range",
        lambda: tgl.scatter(X, 1, Tensor([[3]]), 1.0),
        errors.IndexingError,
        (
            "scatter got index 3, but the axis has 3 elements\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  shape (1, 1), int64, cpu\n"
            "  hint   indices go from 0 to 2, or from -3 to -1 from the end"
        ),
    ),
    (
        "an index with too few axes",
        lambda: tgl.scatter(X, 1, I, 1.0),
        errors.ShapeError,
        (
            "scatter needs an index with as many axes as x, 2, but it has 1\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  shape (2,), int64, cpu\n"
            "  hint   expand_dims(index, 1) is one index per position; take(x, index, axis) takes whole rows"
        ),
    ),
    (
        "an index larger than x",
        lambda: tgl.scatter_add(X, 1, tgl.zeros((3, 1), "int64"), 1.0),
        errors.ShapeError,
        (
            "scatter_add needs an index that is no larger than x on every axis but 1\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  shape (3, 1), int64, cpu\n"
            "  hint   nothing broadcasts here"
        ),
    ),
    (
        "a src that is too small",
        lambda: tgl.scatter_add(X, 1, tgl.zeros((2, 2), "int64"), tgl.ones((2, 1))),
        errors.ShapeError,
        (
            "scatter_add needs a src at least as large as index\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  shape (2, 2), int64, cpu\n"
            "  src    shape (2, 1), float32, cpu"
        ),
    ),
    (
        "a src of fractions for integers",
        lambda: tgl.scatter(Tensor([1, 2]), 0, I - 1, Tensor([0.5, 0.5])),
        errors.DTypeError,
        (
            "scatter cannot put floats into integers\n"
            "  x     shape (2,), int64, cpu\n"
            "  src   shape (2,), float32, cpu\n"
            "  hint  make x a float tensor first: x.astype(float)"
        ),
    ),
    (
        "an unknown reduction",
        lambda: tgl.scatter_reduce(X, 1, tgl.zeros((2, 1), "int64"), 1.0, "prod"),
        errors.ArgumentError,
        (
            'scatter_reduce needs a reduce of "sum", "mean", "amax" or "amin", but got \'prod\'\n'
            "  x   shape (2, 3), float32, cpu"
        ),
    ),
    (
        "a mean of integers",
        lambda: tgl.scatter_reduce(Tensor([1, 2]), 0, Tensor([0]), 1, "mean"),
        errors.DTypeError,
        ("scatter_reduce needs floats for a mean\n  x     shape (2,), int64, cpu\n  hint  convert with astype first"),
    ),
    (
        "indices with too few axes",
        lambda: tgl.put_along_axis(X, I, 1.0),
        errors.ShapeError,
        (
            "put_along_axis needs indices with as many axes as x, 2, but they have 1\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  indices  shape (2,), int64, cpu"
        ),
    ),
    (
        "indices that do not broadcast",
        lambda: tgl.put_along_axis(X, tgl.zeros((3, 1), "int64"), 1.0),
        errors.ShapeError,
        (
            "put_along_axis needs indices that broadcast to x on every axis but the given one\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  indices  shape (3, 1), int64, cpu"
        ),
    ),
    (
        "values that do not broadcast",
        lambda: tgl.put_along_axis(X, Tensor([[0, 1]]), tgl.ones(3)),
        errors.ShapeError,
        (
            "put_along_axis needs values that broadcast to the shape (2, 2) of the indices\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  indices  shape (1, 2), int64, cpu\n"
            "  values   shape (3,), float32, cpu"
        ),
    ),
    (
        "a src of another shape",
        lambda: tgl.index_add(X, 0, Tensor([0]), tgl.ones((2, 3))),
        errors.ShapeError,
        (
            "index_add needs a src of shape (1, 3)\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  shape (1,), int64, cpu\n"
            "  src    shape (2, 3), float32, cpu"
        ),
    ),
    (
        "an index of two axes",
        lambda: tgl.index_add(X, 0, Tensor([[0]]), tgl.ones((1, 3))),
        errors.ShapeError,
        (
            "index_add needs an index with one axis\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  shape (1, 1), int64, cpu"
        ),
    ),
    (
        "a word as alpha",
        lambda: tgl.index_add(X, 0, Tensor([0]), tgl.ones((1, 3)), alpha="a"),
        errors.DTypeError,
        ("index_add needs a number as alpha\n  alpha  'a'\n  hint   float(text) reads a number from a text"),
    ),
    (
        "an index out of range to fill",
        lambda: tgl.index_fill(X, 0, Tensor([2]), 1.0),
        errors.IndexingError,
        (
            "index_fill got index 2, but the axis has 2 elements\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  shape (1,), int64, cpu\n"
            "  hint   indices go from 0 to 1, or from -2 to -1 from the end"
        ),
    ),
    (
        "a vector as value",
        lambda: tgl.index_fill(X, 0, Tensor([0]), tgl.ones(3)),
        errors.ShapeError,
        (
            "index_fill needs a number or a 0-d tensor as value\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  value  shape (3,), float32, cpu"
        ),
    ),
    (
        "values to put that do not broadcast",
        lambda: tgl.index_put(X, (I - 1,), tgl.ones(4), accumulate=True),
        errors.ShapeError,
        (
            "index_put needs values that broadcast to the shape (2, 3) of the indexed part\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  values  shape (4,), float32, cpu"
        ),
    ),
    (
        "a place to put out of bounds",
        lambda: tgl.index_put(X, (I,), 1.0, accumulate=True),
        errors.IndexingError,
        (
            "index_put got index 2, but axis 0 has 2 elements\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  (Tensor([1, 2], dtype=int64),)\n"
            "  hint   indices go from 0 to 1, or from -2 to -1 from the end"
        ),
    ),
    (
        "a mask of integers",
        lambda: tgl.masked_fill(X, I, 1.0),
        errors.DTypeError,
        (
            "masked_fill needs a mask of bools\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  mask  shape (2,), int64, cpu\n"
            "  hint  compare first: mask != 0"
        ),
    ),
    (
        "a fraction among integers",
        lambda: tgl.masked_fill(Tensor([1, 2]), Tensor([True, False]), 0.5),
        errors.DTypeError,
        (
            "masked_fill cannot put floats into integers\n"
            "  x      shape (2,), int64, cpu\n"
            "  value  shape (), float32, cpu\n"
            "  hint   make x a float tensor first: x.astype(float)"
        ),
    ),
    (
        "a vector to fill with",
        lambda: tgl.masked_fill(X, X > 0, tgl.ones(3)),
        errors.ShapeError,
        (
            "masked_fill needs a number or a 0-d tensor as value\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  value  shape (3,), float32, cpu"
        ),
    ),
    (
        "a source that is too small",
        lambda: tgl.masked_scatter(X, X == 0, Tensor([1.0])),
        errors.ShapeError,
        (
            "masked_scatter needs 6 elements in source, one for each True of the mask\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  mask    shape (2, 3), bool, cpu\n"
            "  source  shape (1,), float32, cpu"
        ),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Any, kind: type, text: str) -> None:
    assert refusal(kind, call) == text
