"""What cutting, repeating and padding refuse."""

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
        "parts that are not equal",
        lambda: tgl.split(X, 2, axis=1),
        errors.ShapeError,
        (
            "split cannot cut 3 elements into 2 equal parts\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  give the positions of the cuts instead"
        ),
    ),
    (
        "no parts",
        lambda: tgl.split(X, 0),
        errors.ArgumentError,
        (
            "split needs at least one section, but got 0\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  sections is the number of parts, or a list of positions"
        ),
    ),
    (
        "cuts in falling order",
        lambda: tgl.split(X, [2, 1], axis=1),
        errors.ArgumentError,
        (
            "split needs positions in rising order, but got (2, 1)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  positions of the cuts, not sizes of the parts; negative ones count from the end"
        ),
    ),
    (
        "cuts of fractions",
        lambda: tgl.split(X, [0.5]),
        errors.DTypeError,
        (
            "split needs integers as sections\n"
            "  sections  [0.5]\n"
            "  hint      n // 2 is a whole number, n / 2 is none; int(n) makes one"
        ),
    ),
    (
        "no axis to cut",
        lambda: tgl.split(Tensor(1.0), 1),
        errors.AxisError,
        (
            "split got axis 0, but the array has no axes (it is 0-d)\n"
            "  x     shape (), float32, cpu\n"
            "  hint  x.reshape(1) has one axis"
        ),
    ),
    (
        "an axis that is not there",
        lambda: tgl.unstack(X, axis=2),
        errors.AxisError,
        (
            "unstack got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "shapes that do not broadcast",
        lambda: tgl.broadcast_shapes((2, 3), (2,)),
        errors.ShapeError,
        (
            "broadcast_shapes needs shapes that broadcast together, but axis -1 is 3 and 2\n"
            "  shapes[0]  (2, 3)\n"
            "  shapes[1]  (2,)\n"
            "  hint       sizes are compared from the last axis on, and must be equal or 1"
        ),
    ),
    (
        "tensors that do not broadcast",
        lambda: tgl.broadcast_arrays(X, tgl.ones(2)),
        errors.ShapeError,
        (
            "broadcast_arrays needs shapes that broadcast together, but axis -1 is 3 and 2\n"
            "  arrays[0]  shape (2, 3), float32, cpu\n"
            "  arrays[1]  shape (2,), float32, cpu\n"
            "  hint       expand_dims(arrays[1], -1) lines arrays[1] up with the first axis of arrays[0]"
        ),
    ),
    (
        "a matrix in a grid",
        lambda: tgl.meshgrid(X),
        errors.ShapeError,
        (
            "meshgrid needs tensors with one axis\n"
            "  arrays[0]  shape (2, 3), float32, cpu\n"
            "  hint       reshape(x, (-1,))"
        ),
    ),
    (
        "an unknown order of axes",
        lambda: tgl.meshgrid(I, I, indexing="yx"),
        errors.ArgumentError,
        (
            'meshgrid needs indexing "xy" or "ij", but got \'yx\'\n'
            '  hint  "ij" lets the first tensor vary along axis 0, "xy" along axis 1'
        ),
    ),
    (
        "a fraction of repeats",
        lambda: tgl.repeat(X, 1.5),
        errors.DTypeError,
        (
            "repeat needs integers as repeats\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  repeats  1.5\n"
            "  hint     repeats count: astype(repeats, int) makes integers"
        ),
    ),
    (
        "a negative number of repeats",
        lambda: tgl.repeat(X, -1),
        errors.ArgumentError,
        (
            "repeat needs repeats of at least 0\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  repeats  -1\n"
            "  hint     0 leaves an element out, 1 keeps it"
        ),
    ),
    (
        "too few numbers of repeats",
        lambda: tgl.repeat_interleave(X, [1, 2], axis=1),
        errors.ShapeError,
        (
            "repeat_interleave needs one number of repeats, or one for each of 3 elements\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  repeats  shape (2,), int64, cpu\n"
            "  hint     one number repeats all elements alike"
        ),
    ),
    (
        "a negative repetition",
        lambda: tgl.tile(X, (2, -1)),
        errors.ArgumentError,
        (
            "tile needs repetitions of at least 0, but got (2, -1)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  1 keeps an axis as it is"
        ),
    ),
    (
        "an unknown mode",
        lambda: tgl.pad(X, 1, mode="mirror"),
        errors.ArgumentError,
        (
            "pad needs a mode of constant, reflect, edge, replicate, wrap, circular, but got 'mirror'\n"
            "  x   shape (2, 3), float32, cpu"
        ),
    ),
    (
        "a mode in the place of the value",
        lambda: tgl.pad(X, 1, "reflect"),
        errors.DTypeError,
        ("pad needs a number as value\n  value  'reflect'\n  hint   mode=\"reflect\""),
    ),
    (
        "nothing to repeat",
        lambda: tgl.pad(tgl.zeros((0, 2)), 1, mode="edge"),
        errors.ArgumentError,
        ("pad finds nothing to repeat on axis 0\n  x   shape (0, 2), float32, cpu"),
    ),
    (
        "windows longer than the axis",
        lambda: tgl.unfold(X, 1, 4),
        errors.ArgumentError,
        ("unfold needs a size from 0 to 3, the elements of axis 1, but got 4\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "a step of zero",
        lambda: tgl.unfold(X, 1, 2, 0),
        errors.ArgumentError,
        ("unfold needs a step of at least 1, but got 0\n  x   shape (2, 3), float32, cpu"),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Any, kind: type, text: str) -> None:
    assert refusal(kind, call) == text
