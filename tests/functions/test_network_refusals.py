"""What layers as functions refuse."""

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
W = tgl.zeros((4, 3))

REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "a distribution over nothing",
        lambda: tgl.softmax(tgl.zeros((2, 0))),
        errors.ShapeError,
        (
            "softmax needs at least one element along axis 1\n"
            "  x     shape (2, 0), float32, cpu\n"
            "  hint  a batch without samples still has its classes: shape (0, classes)"
        ),
    ),
    (
        "a distribution over an axis that is not there",
        lambda: tgl.log_softmax(X, 2),
        errors.AxisError,
        (
            "log_softmax got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "a distribution of a number",
        lambda: tgl.softmax(Tensor(1.0)),
        errors.AxisError,
        (
            "softmax got axis -1, but the array has no axes (it is 0-d)\n"
            "  x     shape (), float32, cpu\n"
            "  hint  x.reshape(1) has one axis"
        ),
    ),
    (
        "a distribution from complex numbers",
        lambda: tgl.softmax(C),
        errors.DTypeError,
        ("softmax needs real numbers\n  x     shape (2,), complex64, cpu\n  hint  take real(x), imag(x) or abs(x)"),
    ),
    (
        "features that do not fit",
        lambda: tgl.linear(X, M),
        errors.ShapeError,
        (
            "linear needs x.shape[-1] == weight.shape[1], but 3 != 2\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  weight  shape (2, 2), float32, cpu\n"
            "  hint    is x transposed? The rows are samples, the columns features"
        ),
    ),
    (
        "images that were not flattened",
        lambda: tgl.linear(tgl.zeros((2, 2, 2)), tgl.zeros((3, 4))),
        errors.ShapeError,
        (
            "linear needs x.shape[-1] == weight.shape[1], but 2 != 4\n"
            "  x       shape (2, 2, 2), float32, cpu\n"
            "  weight  shape (3, 4), float32, cpu\n"
            "  hint    flatten the images first: x.flatten(1)"
        ),
    ),
    (
        "a weight that is no matrix",
        lambda: tgl.linear(X, Tensor([1.0])),
        errors.ShapeError,
        (
            "linear needs x in the shape (..., in_features) and weight in the shape (out_features, "
            "in_features)\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  weight  shape (1,), float32, cpu\n"
            "  hint    the weight is a matrix with one row per output"
        ),
    ),
    (
        "an input without features",
        lambda: tgl.linear(Tensor(1.0), M),
        errors.ShapeError,
        (
            "linear needs x in the shape (..., in_features) and weight in the shape (out_features, "
            "in_features)\n"
            "  x       shape (), float32, cpu\n"
            "  weight  shape (2, 2), float32, cpu\n"
            "  hint    a single number is a batch of one row: x.reshape(1, 1)"
        ),
    ),
    (
        "no weight",
        lambda: tgl.linear(X, None),
        errors.DTypeError,
        (
            "linear needs numbers, but got None\n"
            "  weight  None\n"
            "  hint    a function gives None where it does not return anything"
        ),
    ),
    (
        "a bias of another size",
        lambda: tgl.linear(X, W, Tensor([1.0])),
        errors.ShapeError,
        (
            "linear needs a bias of shape (4,)\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  weight  shape (4, 3), float32, cpu\n"
            "  bias    shape (1,), float32, cpu\n"
            "  hint    one number per output; add any other with +"
        ),
    ),
    (
        "a weight of another type",
        lambda: tgl.linear(X, W.astype("float64")),
        errors.DTypeError,
        (
            "linear needs one dtype\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  weight  shape (4, 3), float64, cpu\n"
            '  hint    x.astype("float64")'
        ),
    ),
    (
        "an activation that is unknown",
        lambda: tgl.linear(X, W, activation="gelu"),
        errors.ArgumentError,
        (
            'linear knows the activations "relu", "tanh" and "sigmoid", but got \'gelu\'\n'
            "  hint  call any other on the result"
        ),
    ),
    (
        "a probability above one",
        lambda: tgl.dropout(X, 1.5),
        errors.ArgumentError,
        (
            "dropout needs a probability from 0 to 1, but got p=1.5\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  1.5 percent is the probability 0.015"
        ),
    ),
    (
        "a probability that is NaN",
        lambda: tgl.dropout(X, float("nan")),
        errors.ArgumentError,
        (
            "dropout needs a probability from 0 to 1, but got p=nan\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  p=0.5 drops half of the elements"
        ),
    ),
    (
        "a probability that is a word",
        lambda: tgl.dropout(X, "a"),
        errors.DTypeError,
        ("dropout needs a number as p\n  p     'a'\n  hint  float(text) reads a number from a text"),
    ),
    (
        "dropping complex numbers",
        lambda: tgl.dropout(C),
        errors.DTypeError,
        ("dropout needs real numbers\n  x     shape (2,), complex64, cpu\n  hint  take real(x), imag(x) or abs(x)"),
    ),
    (
        "a batch without channels",
        lambda: tgl.batch_norm(Tensor([1.0])),
        errors.ShapeError,
        (
            "batch_norm needs x in the shape (N, C) or (N, C, ...)\n"
            "  x     shape (1,), float32, cpu\n"
            "  hint  axis 0 is the batch, axis 1 the channels"
        ),
    ),
    (
        "an empty batch",
        lambda: tgl.batch_norm(tgl.zeros((0, 2))),
        errors.ShapeError,
        (
            "batch_norm needs a batch that is not empty\n"
            "  x     shape (0, 2), float32, cpu\n"
            "  hint  nothing has no mean: leave out empty batches"
        ),
    ),
    (
        "weights for other channels",
        lambda: tgl.batch_norm(X, Tensor([1.0])),
        errors.ShapeError,
        (
            "batch_norm needs parameters of shape (3,)\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  weight  shape (1,), float32, cpu\n"
            "  hint    weight and bias have one number per channel, which are axis 1 of x"
        ),
    ),
    (
        "a negative eps",
        lambda: tgl.batch_norm(X, eps=-1),
        errors.ArgumentError,
        (
            "batch_norm needs eps of at least 0, but got -1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  it is added to the variance: 1e-5 is usual"
        ),
    ),
    (
        "an eps that is a word",
        lambda: tgl.batch_norm(X, eps="a"),
        errors.DTypeError,
        ("batch_norm needs a number as eps\n  eps   'a'\n  hint  float(text) reads a number from a text"),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    before = tgl.get_rng_state()
    assert refusal(kind, call) == text
    assert tgl.get_rng_state() == before  # no random number is drawn for a call that fails
