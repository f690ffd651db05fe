"""What activations refuse, as functions and as modules, in the whole of its words."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors, nn

X = Tensor(np.zeros((2, 3), "float32"))

REFUSALS: list[tuple[Callable[[], Any], type[errors.Error], str]] = [
    (
        lambda: tgl.relu6(Tensor([1j])),
        errors.DTypeError,
        ("relu6 needs real numbers\n  x     shape (1,), complex64, cpu\n  hint  take real(x), imag(x) or abs(x)"),
    ),
    (
        lambda: tgl.relu6("a"),
        errors.DTypeError,
        ("relu6 needs numbers, but got 'a'\n  x     'a'\n  hint  float(text) reads a number from a text"),
    ),
    (
        lambda: tgl.threshold(X, "a", 0),
        errors.DTypeError,
        (
            "threshold needs a number as threshold\n"
            "  threshold  'a'\n"
            "  hint       float(text) reads a number from a text"
        ),
    ),
    (
        lambda: tgl.threshold(X, 0, X),
        errors.DTypeError,
        ("threshold needs a number as value\n  value  shape (2, 3), float32, cpu"),
    ),
    (
        lambda: tgl.hardtanh(X, 2, 1),
        errors.ArgumentError,
        (
            "hardtanh needs min_val <= max_val, but got 2 and 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  exchange the two"
        ),
    ),
    (
        lambda: tgl.hardtanh(X, nan),
        errors.ArgumentError,
        ("hardtanh needs min_val <= max_val, but got nan and 1.0\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        lambda: tgl.leaky_relu(X, slope=0.1),
        errors.KeywordError,
        "leaky_relu has no argument 'slope'; it has x, negative_slope",
    ),
    (
        lambda: tgl.leaky_relu(X, X),
        errors.DTypeError,
        ("leaky_relu needs a number as negative_slope\n  negative_slope  shape (2, 3), float32, cpu"),
    ),
    (
        lambda: tgl.prelu(X, Tensor([0.5, 0.5])),
        errors.ShapeError,
        (
            "prelu needs a weight of shape (), (1,) or (3,): one slope, or one per channel (axis 1 of x)\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  weight  shape (2,), float32, cpu"
        ),
    ),
    (
        lambda: tgl.prelu(X, Tensor([[0.5]])),
        errors.ShapeError,
        (
            "prelu needs a weight of shape (), (1,) or (3,): one slope, or one per channel (axis 1 of x)\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  weight  shape (1, 1), float32, cpu"
        ),
    ),
    (
        lambda: tgl.prelu(Tensor([1.0, 2.0]), Tensor([0.5, 0.5])),
        errors.ShapeError,
        (
            "prelu needs a weight of shape () or (1,): one slope for the one channel of x\n"
            "  x       shape (2,), float32, cpu\n"
            "  weight  shape (2,), float32, cpu"
        ),
    ),
    (
        lambda: tgl.prelu(X, Tensor([0.5], dtype="float64")),
        errors.DTypeError,
        (
            "prelu needs one dtype\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  weight  shape (1,), float64, cpu\n"
            '  hint    x.astype("float64")'
        ),
    ),
    (
        lambda: tgl.rrelu(X, 0.5, 0.25),
        errors.ArgumentError,
        ("rrelu needs finite lower <= upper, but got 0.5 and 0.25\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        lambda: tgl.rrelu(X, 0.5, inf, training=True),
        errors.ArgumentError,
        ("rrelu needs finite lower <= upper, but got 0.5 and inf\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        lambda: tgl.softshrink(X, -1),
        errors.ArgumentError,
        ("softshrink needs lambd of at least 0, but got -1\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        lambda: tgl.hardshrink(X, nan),
        errors.ArgumentError,
        ("hardshrink needs lambd of at least 0, but got nan\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        lambda: tgl.elu(X, "a"),
        errors.DTypeError,
        ("elu needs a number as alpha\n  alpha  'a'\n  hint   float(text) reads a number from a text"),
    ),
    (
        lambda: tgl.celu(X, 0),
        errors.ArgumentError,
        ("celu needs an alpha that is not 0\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        lambda: tgl.softplus(X, 0.0),
        errors.ArgumentError,
        ("softplus needs a beta that is not 0\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        lambda: tgl.softplus(X, threshold="a"),
        errors.DTypeError,
        ("softplus needs a number as threshold\n  threshold  'a'\n  hint       float(text) reads a number from a text"),
    ),
    (
        lambda: tgl.gelu(X, "exact"),
        errors.ArgumentError,
        (
            'gelu knows the forms "none" and "tanh", but got approximate=\'exact\'\n'
            '  hint  "tanh" is the faster approximation, "none" the exact form'
        ),
    ),
    (
        lambda: tgl.gelu(X, approx="tanh"),
        errors.KeywordError,
        ("gelu has no argument 'approx'; it has x, approximate\n  hint  say approximate= instead of approx="),
    ),
    (
        lambda: tgl.glu(X),
        errors.ShapeError,
        (
            "glu needs an even size along axis 1, but it is 3\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  one half is multiplied with the sigmoid of the other"
        ),
    ),
    (
        lambda: tgl.glu(Tensor(1.0)),
        errors.AxisError,
        (
            "glu got axis -1, but the array has no axes (it is 0-d)\n"
            "  x     shape (), float32, cpu\n"
            "  hint  x.reshape(1) has one axis"
        ),
    ),
    (
        lambda: tgl.glu(X, dim=0),
        errors.KeywordError,
        ("glu has no argument 'dim'; it has x, axis\n  hint  say axis= instead of dim="),
    ),
    (
        lambda: tgl.softmin(X, 2),
        errors.AxisError,
        (
            "softmin got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        lambda: tgl.softmin(Tensor(np.zeros((2, 0)))),
        errors.ShapeError,
        (
            "softmin needs at least one element along axis 1\n"
            "  x     shape (2, 0), float64, cpu\n"
            "  hint  a batch without samples still has its classes: shape (0, classes)"
        ),
    ),
    (
        lambda: nn.PReLU(0),
        errors.ArgumentError,
        (
            "PReLU needs num_parameters of at least 1, but got 0\n"
            "  hint  num_parameters is the size of one axis of the data, such as x.shape[1]"
        ),
    ),
    (
        lambda: nn.PReLU(1.5),
        errors.DTypeError,
        (
            "PReLU needs an integer num_parameters, but got 1.5\n"
            "  hint  sizes are whole numbers: n // 2, not n / 2; int(num_parameters) makes one"
        ),
    ),
    (
        lambda: nn.PReLU(dtype="int32"),
        errors.DTypeError,
        (
            "PReLU needs a floating-point dtype, but got int32\n"
            '  hint  parameters have gradients, which need floats, such as dtype="float32"'
        ),
    ),
    (
        lambda: nn.PReLU(2)(X),
        errors.ShapeError,
        (
            "prelu needs a weight of shape (), (1,) or (3,): one slope, or one per channel (axis 1 of x)\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  weight  shape (2,), float32, cpu\n"
            "  in      prelu: PReLU(num_parameters=2)"
        ),
    ),
    (
        lambda: nn.PReLU(init="a"),
        errors.DTypeError,
        ("PReLU needs a number as init\n  init  'a'\n  hint  float(text) reads a number from a text"),
    ),
    (
        lambda: nn.Softmax2d()(X),
        errors.ShapeError,
        (
            "Softmax2d needs images of shape (N, C, H, W) or (C, H, W)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  in    softmax2d: Softmax2d()\n"
            "  hint  for rows of logits take Softmax(dim=-1)"
        ),
    ),
    (
        lambda: nn.GLU()(X),
        errors.ShapeError,
        (
            "glu needs an even size along axis 1, but it is 3\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  in    glu: GLU(dim=-1)\n"
            "  hint  one half is multiplied with the sigmoid of the other"
        ),
    ),
    (
        lambda: nn.Hardtanh(2, 1)(X),
        errors.ArgumentError,
        (
            "hardtanh needs min_val <= max_val, but got 2 and 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  in    hardtanh: Hardtanh(min_val=2, max_val=1)\n"
            "  hint  exchange the two"
        ),
    ),
    (
        lambda: nn.LeakyReLU(inplace=True),
        errors.KeywordError,
        "LeakyReLU has no argument 'inplace'; it has negative_slope",
    ),
]


@pytest.mark.parametrize("call, kind, text", REFUSALS, ids=[text.partition("\n")[0] for *_, text in REFUSALS])
def test_a_refusal_in_all_its_words(call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    before = tgl.get_rng_state()
    assert refusal(kind, call) == text
    assert tgl.get_rng_state() == before
