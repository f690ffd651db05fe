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
        ('dtype needs the name of an element type, but got \'foo\'\n  hint  such as "float32", "int64" or "bool"'),
    ),
    (
        "another number of elements",
        lambda: tgl.reshape(X, (4, 2)),
        errors.ShapeError,
        (
            "reshape cannot make shape (4, 2) of 6 elements\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  (-1, 2) fits: -1 stands for what is left, 3"
        ),
    ),
    (
        "a size that does not divide",
        lambda: tgl.reshape(X, (4, -1)),
        errors.ShapeError,
        (
            "reshape cannot make shape (4, -1) of 6 elements\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  the product of the sizes is the number of elements"
        ),
    ),
    (
        "elements out of nothing",
        lambda: tgl.reshape(X, (0, -1)),
        errors.ShapeError,
        (
            "reshape cannot make shape (0, -1) of 6 elements\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  the product of the sizes is the number of elements"
        ),
    ),
    (
        "two unknown sizes",
        lambda: tgl.reshape(X, (-1, -1)),
        errors.ShapeError,
        (
            "reshape needs sizes of at least 0 and at most one -1, but got (-1, -1)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  one -1 stands for what is left"
        ),
    ),
    (
        "a size below minus one",
        lambda: tgl.reshape(X, (-2, -3)),
        errors.ShapeError,
        (
            "reshape needs sizes of at least 0 and at most one -1, but got (-2, -3)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  one -1 stands for what is left"
        ),
    ),
    (
        "a shape of fractions",
        lambda: tgl.reshape(X, (2.0, 3)),
        errors.DTypeError,
        (
            "reshape needs integers as shape\n"
            "  shape  (2.0, 3)\n"
            "  hint   n // 2 is a whole number, n / 2 is none; int(n) makes one"
        ),
    ),
    (
        "axes in the wrong order",
        lambda: tgl.flatten(X, 1, 0),
        errors.AxisError,
        (
            "flatten needs start_axis before end_axis, but got 1 and 0\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  exchange them"
        ),
    ),
    (
        "an axis that is not there",
        lambda: tgl.flatten(X, 2),
        errors.AxisError,
        (
            "flatten got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "an axis twice",
        lambda: tgl.permute_dims(X, (0, 0)),
        errors.AxisError,
        (
            "permute_dims needs every axis once, but got (0, 0)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  all 2 axes are named, also those that stay: (1, 0) turns them round"
        ),
    ),
    (
        "an axis left out",
        lambda: X.permute_dims(1),
        errors.AxisError,
        (
            "permute_dims needs every axis once, but got (1,)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  all 2 axes are named, also those that stay: (1, 0) turns them round"
        ),
    ),
    (
        "an order of axes that is none",
        lambda: tgl.permute_dims(X, "ab"),
        errors.DTypeError,
        ("permute_dims needs integers as axes\n  axes  'ab'\n  hint  such as axes=(0, 1)"),
    ),
    (
        "the transpose of a vector",
        lambda: tgl.matrix_transpose(Tensor([1.0])),
        errors.ShapeError,
        (
            "matrix_transpose needs at least 2 axes\n"
            "  x     shape (1,), float32, cpu\n"
            "  hint  a row is x.reshape(1, -1), a column x.reshape(-1, 1)"
        ),
    ),
    (
        "the T of a vector",
        lambda: Tensor([1.0]).T,
        errors.ShapeError,
        (
            "T needs a matrix\n"
            "  tensor  shape (1,), float32, cpu\n"
            "  hint    a row is x.reshape(1, -1), a column x.reshape(-1, 1)"
        ),
    ),
    (
        "stretching an axis that is not one",
        lambda: tgl.broadcast_to(X, (3, 3)),
        errors.ShapeError,
        (
            "broadcast_to cannot stretch x to shape (3, 3)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  only axes of size 1 are stretched, and new ones come first"
        ),
    ),
    (
        "stretching to fewer axes",
        lambda: tgl.broadcast_to(X, (3,)),
        errors.ShapeError,
        (
            "broadcast_to cannot stretch x to shape (3,)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  only axes of size 1 are stretched, and new ones come first"
        ),
    ),
    (
        "a new axis too far",
        lambda: tgl.expand_dims(X, 5),
        errors.AxisError,
        (
            "expand_dims got axis 5, but the result has axes -3 to 2\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "a new axis twice",
        lambda: tgl.expand_dims(X, (0, 0)),
        errors.AxisError,
        ("expand_dims got axis (0, 0), which names an axis twice\n  hint  axis=(0,)"),
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
        (
            "squeeze needs axes of size 1, but axis 0 has 2\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  x has no axis of size 1; x[:, 0] takes one column of a matrix"
        ),
    ),
    (
        "a mirror along no axis",
        lambda: tgl.flip(X, 2),
        errors.AxisError,
        (
            "flip got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "nothing to join",
        lambda: tgl.concat([]),
        errors.ArgumentError,
        (
            "concat needs at least one tensor\n"
            "  hint  the list is empty: is it filled before? an iterator gives its tensors only once"
        ),
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
            "  arrays[1]  shape (2, 2), float32, cpu\n"
            "  hint       they fit along axis 1: concat(arrays, axis=1)"
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
        ("concat needs a list or tuple of tensors\n  arrays  3\n  hint    concat([x1, x2])"),
    ),
    (
        "nothing among tensors",
        lambda: tgl.concat([X, None]),
        errors.DTypeError,
        (
            "concat needs numbers, but got None\n"
            "  arrays[1]  None\n"
            "  hint       a function gives None where it does not return anything"
        ),
    ),
    (
        "joining along no axis",
        lambda: tgl.concat([X, X], 2),
        errors.AxisError,
        (
            "concat got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
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
        (
            "stack needs at least one tensor\n"
            "  hint  the list is empty: is it filled before? an iterator gives its tensors only once"
        ),
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
        (
            "stack got axis 4, but the result has axes -3 to 2\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
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
        (
            "pad needs (before, after) for each of 2 axes, but got (1, 2)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  (1, 2) on the last axis alone is ((0, 0), (1, 2))"
        ),
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
        ("pad needs an integer as pad_width\n  pad_width  1.5\n  hint       int(value) cuts off the fraction"),
    ),
    (
        "a border that the dtype cannot hold",
        lambda: tgl.pad(Tensor([1], dtype="uint8"), 1, 300),
        errors.ArgumentError,
        (
            "pad needs a number that uint8 can hold\n"
            "  x      shape (1,), uint8, cpu\n"
            "  value  300\n"
            "  hint   convert x with astype first"
        ),
    ),
    (
        "a border of words",
        lambda: tgl.pad(X, 1, "a"),
        errors.DTypeError,
        ("pad needs a number as value\n  value  'a'\n  hint   float(text) reads a number from a text"),
    ),
    (
        "the triangle of a vector",
        lambda: tgl.tril(Tensor([1.0])),
        errors.ShapeError,
        (
            "tril needs at least 2 axes\n"
            "  x     shape (1,), float32, cpu\n"
            "  hint  a row is x.reshape(1, -1); diag(x) makes a matrix of a vector"
        ),
    ),
    (
        "a diagonal between diagonals",
        lambda: tgl.tril(X, 1.5),
        errors.DTypeError,
        ("tril needs an integer as k\n  k     1.5\n  hint  int(value) cuts off the fraction"),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    before = tgl.get_rng_state()
    assert refusal(kind, call) == text
    assert tgl.get_rng_state() == before  # no random number is drawn for a call that fails
