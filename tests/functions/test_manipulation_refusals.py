"""What functions that move elements refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors

X = tgl.zeros((2, 3))
M = tgl.eye(2)
C = Tensor([1j, 2.0])
LEAF = Tensor([1.0, 2.0], requires_grad=True)

REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "a complex tensor with a gradient",
        lambda: LEAF.astype("complex64"),
        errors.GradientError,
        (
            "astype cannot carry a gradient: complex tensors have none\n"
            "  x     shape (2,), float32, cpu\n"
            "  hint  detach() it first"
        ),
    ),
    (
        "an element type that is none",
        lambda: X.astype("foo"),
        errors.DTypeError,
        "dtype needs the name of an element type, but got 'foo'",
    ),
    (
        "another number of elements",
        lambda: tgl.reshape(X, (4, 2)),
        errors.ShapeError,
        ("reshape cannot make shape (4, 2) of 6 elements\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "a size that does not divide",
        lambda: tgl.reshape(X, (4, -1)),
        errors.ShapeError,
        ("reshape cannot make shape (4, -1) of 6 elements\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "elements out of nothing",
        lambda: tgl.reshape(X, (0, -1)),
        errors.ShapeError,
        ("reshape cannot make shape (0, -1) of 6 elements\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "two unknown sizes",
        lambda: tgl.reshape(X, (-1, -1)),
        errors.ShapeError,
        ("reshape needs sizes of at least 0 and at most one -1, but got (-1, -1)\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "a size below minus one",
        lambda: tgl.reshape(X, (-2, -3)),
        errors.ShapeError,
        ("reshape needs sizes of at least 0 and at most one -1, but got (-2, -3)\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "a shape of fractions",
        lambda: tgl.reshape(X, (2.0, 3)),
        errors.DTypeError,
        ("reshape needs integers as shape\n  shape  (2.0, 3)"),
    ),
    (
        "axes in the wrong order",
        lambda: tgl.flatten(X, 1, 0),
        errors.AxisError,
        ("flatten needs start_axis before end_axis, but got 1 and 0\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "an axis that is not there",
        lambda: tgl.flatten(X, 2),
        errors.AxisError,
        ("flatten got axis 2, but the array has axes -2 to 1\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "an axis twice",
        lambda: tgl.permute_dims(X, (0, 0)),
        errors.AxisError,
        ("permute_dims needs every axis once, but got (0, 0)\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "an axis left out",
        lambda: X.permute_dims(1),
        errors.AxisError,
        ("permute_dims needs every axis once, but got (1,)\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "an order of axes that is none",
        lambda: tgl.permute_dims(X, "ab"),
        errors.DTypeError,
        ("permute_dims needs integers as axes\n  axes  'ab'"),
    ),
    (
        "the transpose of a vector",
        lambda: tgl.matrix_transpose(Tensor([1.0])),
        errors.ShapeError,
        ("matrix_transpose needs at least 2 axes\n  x   shape (1,), float32, cpu"),
    ),
    (
        "the T of a vector",
        lambda: Tensor([1.0]).T,
        errors.ShapeError,
        (
            "T needs a matrix\n"
            "  tensor  shape (1,), float32, cpu\n"
            "  hint    use .mT for batches of matrices, or permute_dims"
        ),
    ),
    (
        "stretching an axis that is not one",
        lambda: tgl.broadcast_to(X, (3, 3)),
        errors.ShapeError,
        ("broadcast_to cannot stretch x to shape (3, 3)\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "stretching to fewer axes",
        lambda: tgl.broadcast_to(X, (3,)),
        errors.ShapeError,
        ("broadcast_to cannot stretch x to shape (3,)\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "a new axis too far",
        lambda: tgl.expand_dims(X, 5),
        errors.AxisError,
        "expand_dims got axis 5, but the result has axes -3 to 2",
    ),
    (
        "a new axis twice",
        lambda: tgl.expand_dims(X, (0, 0)),
        errors.AxisError,
        "expand_dims got axis (0, 0), which names an axis twice",
    ),
    (
        "a new axis in another dialect",
        lambda: tgl.expand_dims(X, dim=0),
        errors.KeywordError,
        ("expand_dims has no argument 'dim'; it has x, axis\n  hint  say axis= instead of dim="),
    ),
    (
        "an axis that is longer than one",
        lambda: tgl.squeeze(X, 0),
        errors.ShapeError,
        ("squeeze needs axes of size 1, but axis 0 has 2\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "a mirror along no axis",
        lambda: tgl.flip(X, 2),
        errors.AxisError,
        ("flip got axis 2, but the array has axes -2 to 1\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "nothing to join",
        lambda: tgl.concat([]),
        errors.ArgumentError,
        "concat needs at least one tensor",
    ),
    (
        "numbers to join",
        lambda: tgl.concat([Tensor(1.0)]),
        errors.ShapeError,
        ("concat needs tensors with at least one axis\n  arrays[0]  shape (), float32, cpu\n  hint       use stack"),
    ),
    (
        "sizes that do not join",
        lambda: tgl.concat([X, M]),
        errors.ShapeError,
        (
            "concat needs equal sizes on every axis but axis 0\n"
            "  arrays[0]  shape (2, 3), float32, cpu\n"
            "  arrays[1]  shape (2, 2), float32, cpu"
        ),
    ),
    (
        "tensors that are not in a list",
        lambda: tgl.concat(X, X),
        errors.DTypeError,
        (
            "concat needs the tensors in one list\n"
            "  arrays  shape (2, 3), float32, cpu\n"
            "  axis    shape (2, 3), float32, cpu\n"
            "  hint    concat([x1, x2])"
        ),
    ),
    (
        "a number in the place of a list",
        lambda: tgl.concat(3),
        errors.DTypeError,
        ("concat needs a list or tuple of tensors\n  arrays  3"),
    ),
    (
        "nothing among tensors",
        lambda: tgl.concat([X, None]),
        errors.DTypeError,
        ("concat needs numbers, but got None\n  arrays[1]  None"),
    ),
    (
        "joining along no axis",
        lambda: tgl.concat([X, X], 2),
        errors.AxisError,
        ("concat got axis 2, but the array has axes -2 to 1\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "joining a gradient and complex numbers",
        lambda: tgl.concat([LEAF, C]),
        errors.GradientError,
        (
            "astype cannot carry a gradient: complex tensors have none\n"
            "  x     shape (2,), float32, cpu\n"
            "  hint  detach() it first"
        ),
    ),
    (
        "nothing to stack",
        lambda: tgl.stack([]),
        errors.ArgumentError,
        "stack needs at least one tensor",
    ),
    (
        "shapes that do not stack",
        lambda: tgl.stack([X, M]),
        errors.ShapeError,
        (
            "stack needs tensors of one shape\n"
            "  arrays[0]  shape (2, 3), float32, cpu\n"
            "  arrays[1]  shape (2, 2), float32, cpu\n"
            "  hint       concat joins them along an axis they have"
        ),
    ),
    (
        "stacking along no axis",
        lambda: tgl.stack([X, X], 4),
        errors.AxisError,
        "stack got axis 4, but the result has axes -3 to 2",
    ),
    (
        "a border for too few axes",
        lambda: tgl.pad(X, ((1, 1),)),
        errors.ShapeError,
        ("pad needs (before, after) for each of 2 axes, but got ((1, 1),)\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "a border with one side",
        lambda: tgl.pad(X, (1, 2)),
        errors.ShapeError,
        ("pad needs (before, after) for each of 2 axes, but got (1, 2)\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "a negative border",
        lambda: tgl.pad(X, -1),
        errors.ArgumentError,
        ("pad needs widths of at least 0, but got -1\n  x     shape (2, 3), float32, cpu\n  hint  slice instead"),
    ),
    (
        "a border of fractions",
        lambda: tgl.pad(X, 1.5),
        errors.DTypeError,
        ("pad needs an integer as pad_width\n  pad_width  1.5"),
    ),
    (
        "a border of words",
        lambda: tgl.pad(X, 1, "a"),
        errors.DTypeError,
        ("pad needs a number as value\n  value  'a'"),
    ),
    (
        "the triangle of a vector",
        lambda: tgl.tril(Tensor([1.0])),
        errors.ShapeError,
        ("tril needs at least 2 axes\n  x   shape (1,), float32, cpu"),
    ),
    (
        "a diagonal between diagonals",
        lambda: tgl.tril(X, 1.5),
        errors.DTypeError,
        ("tril needs an integer as k\n  k   1.5"),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    before = tgl.get_rng_state()
    assert refusal(kind, call) == text
    assert tgl.get_rng_state() == before  # no random number is drawn for a call that fails
