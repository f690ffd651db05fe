"""What products of vectors and tensors refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from refusals import refusal

import tinygrad_lite
from tinygrad_lite import errors

tgl: Any = tinygrad_lite  # the type checker refuses these calls too
X = tgl.zeros((2, 3))
W = tgl.zeros((4, 3))
V = tgl.zeros((3,))

REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "vectors of two sizes",
        lambda: tgl.vecdot(V, tgl.zeros((2,))),
        errors.ShapeError,
        (
            "vecdot needs equal sizes along the axis, but 3 != 2\n"
            "  x1    shape (3,), float32, cpu\n"
            "  x2    shape (2,), float32, cpu\n"
            "  hint  the axis counts from the end in each, and the others broadcast"
        ),
    ),
    (
        "a vector and a number",
        lambda: tgl.vecdot(V, 2.0),
        errors.ShapeError,
        (
            "vecdot needs at least one axis in each operand\n"
            "  x1    shape (3,), float32, cpu\n"
            "  x2    shape (), float32, cpu\n"
            "  hint  use * for numbers"
        ),
    ),
    (
        "an axis that only one vector has",
        lambda: tgl.vecdot(V, X, axis=1),
        errors.AxisError,
        (
            "vecdot got axis 1, but the array has axes -1 to 0\n"
            "  x     shape (3,), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "rows that do not broadcast",
        lambda: tgl.vecdot(X, W),
        errors.ShapeError,
        (
            "vecdot needs shapes that broadcast together, but axis -2 is 2 and 4\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (4, 3), float32, cpu\n"
            "  hint  sizes are compared from the last axis on, and must be equal or 1"
        ),
    ),
    (
        "the axis of vectors in PyTorch's word",
        lambda: tgl.vecdot(V, V, dim=0),
        errors.KeywordError,
        ("vecdot has no argument 'dim'; it has x1, x2, axis\n  hint  say axis= instead of dim="),
    ),
    (
        "vectors of the plane",
        lambda: tgl.cross(X, tgl.zeros((2,))),
        errors.ShapeError,
        (
            "cross needs 3 elements along the axis\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (2,), float32, cpu\n"
            "  hint  vectors of a plane get a third element 0: pad(x, ((0, 0), (0, 1))) for rows of them"
        ),
    ),
    (
        "vectors that do not broadcast",
        lambda: tgl.cross(X, W),
        errors.ShapeError,
        (
            "cross needs shapes that broadcast together, but axis -2 is 2 and 4\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (4, 3), float32, cpu\n"
            "  hint  sizes are compared from the last axis on, and must be equal or 1"
        ),
    ),
    (
        "the outer product of a matrix",
        lambda: tgl.outer(X, V),
        errors.ShapeError,
        (
            "outer needs vectors with one axis\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (3,), float32, cpu\n"
            "  hint  flatten them first"
        ),
    ),
    (
        "last axes that differ",
        lambda: tgl.inner(X, tgl.zeros((2,))),
        errors.ShapeError,
        (
            "inner needs x1.shape[1] == x2.shape[0], but 3 != 2\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (2,), float32, cpu\n"
            "  hint  the axes that are summed have equal sizes in both"
        ),
    ),
    (
        "a dot product of matrices that do not fit",
        lambda: tgl.dot(X, X),
        errors.ShapeError,
        (
            "dot needs x1.shape[1] == x2.shape[0], but 3 != 2\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (2, 3), float32, cpu\n"
            "  hint  the axes that are summed have equal sizes in both"
        ),
    ),
    (
        "more axes than there are",
        lambda: tgl.tensordot(X, X, axes=3),
        errors.ArgumentError,
        (
            "tensordot needs from 0 to 2 axes, but got 3\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (2, 3), float32, cpu\n"
            "  hint  a number of axes: the last of x1 are summed with the first of x2"
        ),
    ),
    (
        "one axis against two",
        lambda: tgl.tensordot(X, X, axes=((0,), (0, 1))),
        errors.ArgumentError,
        (
            "tensordot needs as many axes of x1 as of x2, each once, but got ((0,), (0, 1))\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (2, 3), float32, cpu\n"
            "  hint  axes=([1], [0]) sums axis 1 of x1 with axis 0 of x2"
        ),
    ),
    (
        "three lists of axes",
        lambda: tgl.tensordot(X, X, axes=((0,), (0,), (1,))),
        errors.ArgumentError,
        (
            "tensordot needs axes as a number or a pair of sequences, but got ((0,), (0,), (1,))\n"
            "  hint  axes=([1], [0]) sums axis 1 of x1 with axis 0 of x2"
        ),
    ),
    (
        "an axis that x2 lacks",
        lambda: tgl.tensordot(X, X, axes=((0,), (5,))),
        errors.AxisError,
        (
            "tensordot got axis 5, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "axes that are a fraction",
        lambda: tgl.tensordot(X, X, axes=1.5),
        errors.DTypeError,
        ("tensordot needs an integer as axes\n  axes  1.5\n  hint  int(value) cuts off the fraction"),
    ),
    (
        "axes of two sizes",
        lambda: tgl.tensordot(X, X, axes=((0,), (1,))),
        errors.ShapeError,
        (
            "tensordot needs x1.shape[0] == x2.shape[1], but 2 != 3\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (2, 3), float32, cpu\n"
            "  hint  the axes that are summed have equal sizes in both"
        ),
    ),
    (
        "a tensor product with nothing",
        lambda: tgl.tensordot(X, None),
        errors.DTypeError,
        (
            "tensordot needs numbers, but got None\n"
            "  x2    None\n"
            "  hint  a function gives None where it does not return anything"
        ),
    ),
    (
        "a chain that is one matrix",
        lambda: tgl.linalg.multi_dot(X),
        errors.DTypeError,
        ("multi_dot needs a list or tuple of matrices\n  arrays  shape (2, 3), float32, cpu"),
    ),
    (
        "a chain of one",
        lambda: tgl.linalg.multi_dot([X]),
        errors.ArgumentError,
        ("multi_dot needs at least two matrices, but got 1"),
    ),
    (
        "neighbours that do not fit",
        lambda: tgl.linalg.multi_dot([X, X]),
        errors.ShapeError,
        (
            "multi_dot needs neighbours that fit, but 3 != 2\n"
            "  arrays[0]  shape (2, 3), float32, cpu\n"
            "  arrays[1]  shape (2, 3), float32, cpu"
        ),
    ),
    (
        "a vector inside a chain",
        lambda: tgl.linalg.multi_dot([X, V, X]),
        errors.ShapeError,
        (
            "multi_dot needs matrices, of which the first and the last may be vectors\n"
            "  arrays[1]  shape (3,), float32, cpu"
        ),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    assert refusal(kind, call) == text
