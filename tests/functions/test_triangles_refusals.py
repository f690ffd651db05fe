"""What functions on axes, triangles and diagonals refuse."""

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
        "a vector",
        lambda: tgl.triu(I),
        errors.ShapeError,
        (
            "triu needs at least 2 axes\n"
            "  x     shape (2,), int64, cpu\n"
            "  hint  a row is x.reshape(1, -1); diag(x) makes a matrix of a vector"
        ),
    ),
    (
        "a number on a diagonal",
        lambda: tgl.diag_embed(Tensor(1.0)),
        errors.ShapeError,
        ("diag_embed needs at least one axis\n  x     shape (), float32, cpu\n  hint  reshape(x, (1,))"),
    ),
    (
        "a batch of matrices",
        lambda: tgl.diag(tgl.zeros((2, 2, 2))),
        errors.ShapeError,
        (
            "diag needs a vector or a matrix\n"
            "  x     shape (2, 2, 2), float32, cpu\n"
            "  hint  linalg.diagonal(x) is for batches of matrices, diag_embed(x) for batches of vectors"
        ),
    ),
    (
        "a fraction as diagonal",
        lambda: tgl.diag(I, 0.5),
        errors.DTypeError,
        ("diag needs an integer as k\n  k     0.5\n  hint  int(value) cuts off the fraction"),
    ),
    (
        "a negative size",
        lambda: tgl.tril_indices(-1),
        errors.ShapeError,
        (
            "tril_indices needs sizes of at least 0, but got shape (-1, -1)\n"
            "  hint  -1 stands for what is left in reshape only"
        ),
    ),
    (
        "a device that is not there",
        lambda: tgl.triu_indices(2, device="tpu"),
        errors.DeviceError,
        ('triu_indices knows the devices "cpu" and "cuda", but got \'tpu\'\n  hint  use device="cpu", or leave it out'),
    ),
    (
        "more places than axes",
        lambda: tgl.moveaxis(X, 0, (0, 1)),
        errors.AxisError,
        (
            "moveaxis needs as many places as axes, each once, but got 0 and (0, 1)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  moveaxis(x, 0, -1) moves the first axis to the end"
        ),
    ),
    (
        "a place named twice",
        lambda: tgl.moveaxis(X, (0, 1), (0, 0)),
        errors.AxisError,
        (
            "moveaxis needs as many places as axes, each once, but got (0, 1) and (0, 0)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  moveaxis(x, 0, -1) moves the first axis to the end"
        ),
    ),
    (
        "an axis to swap that is not there",
        lambda: tgl.swapaxes(X, 0, 2),
        errors.AxisError,
        (
            "swapaxes got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "sizes that do not fit",
        lambda: tgl.unflatten(X, 1, (2, 2)),
        errors.ShapeError,
        (
            "unflatten cannot make sizes (2, 2) of axis 1, which has 3 elements\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  one -1 stands for what is left"
        ),
    ),
    (
        "two unknown sizes",
        lambda: tgl.unflatten(X, 1, (-1, -1)),
        errors.ShapeError,
        (
            "unflatten cannot make sizes (-1, -1) of axis 1, which has 3 elements\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  one -1 stands for what is left"
        ),
    ),
    (
        "two shifts of no axis",
        lambda: tgl.roll(X, (1, 2)),
        errors.ShapeError,
        ("roll needs an axis for each of the 2 shifts\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "as many shifts as axes",
        lambda: tgl.roll(X, (1, 2), (0, 1, 1)),
        errors.ShapeError,
        ("roll needs an axis for each shift, but got (1, 2) and (0, 1, 1)\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "a plane of one axis",
        lambda: tgl.rot90(X, axes=(0, 0)),
        errors.AxisError,
        (
            "rot90 needs two different axes, but got (0, 0)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  the two axes of the plane that turns, such as axes=(0, 1)"
        ),
    ),
    (
        "another device",
        lambda: tgl.astype(X, "float64", device="tpu"),
        errors.DeviceError,
        ('astype knows the devices "cpu" and "cuda", but got \'tpu\'\n  hint  use device="cpu", or leave it out'),
    ),
    (
        "a copy that must not be made",
        lambda: tgl.reshape(tgl.matrix_transpose(X), (6,), copy=False),
        errors.ArgumentError,
        (
            "reshape cannot keep the memory of x in this shape (copy=False)\n"
            "  x     shape (3, 2), float32, cpu\n"
            "  hint  leave copy out, so that it copies where it must"
        ),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Any, kind: type, text: str) -> None:
    assert refusal(kind, call) == text
