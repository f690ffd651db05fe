"""Gradients where functions have a kink, a pole or nothing to differentiate are PyTorch's, line by line."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor

nan, inf = float("nan"), float("inf")


class Kink(NamedTuple):
    """A convention: where it applies, and the gradient of the sum of the results there."""

    name: str
    ours: Any
    theirs: Any  # of the torch module and tensors
    at: tuple[Any, ...]
    slopes: tuple[Any, ...]


def _kink(name: str, ours: Any, theirs: Any, *pairs: Any) -> Kink:
    """``pairs``: per operand its values and the expected gradient."""
    return Kink(name, ours, theirs, tuple(at for at, _ in pairs), tuple(slope for _, slope in pairs))


KINKS = [
    # --- ties ---
    _kink(
        "maximum shares ties, follows NaN",
        tgl.maximum,
        lambda t, a, b: t.maximum(a, b),
        ([1.0, 0.0, nan, 2.0, nan, inf], [0.5, 0.5, 1.0, 1.0, 1.0, 0.5]),
        ([1.0, -0.0, 1.0, nan, nan, inf], [0.5, 0.5, 1.0, 1.0, 1.0, 0.5]),
    ),
    _kink(
        "minimum shares ties, follows NaN",
        tgl.minimum,
        lambda t, a, b: t.minimum(a, b),
        ([1.0, 0.0, nan, 2.0, nan, inf], [0.5, 0.5, 1.0, 1.0, 1.0, 0.5]),
        ([1.0, -0.0, 1.0, nan, nan, inf], [0.5, 0.5, 1.0, 1.0, 1.0, 0.5]),
    ),
    _kink(
        "max shares ties evenly",
        lambda x: tgl.max(x, axis=1),
        lambda t, x: t.amax(x, 1),
        ([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0], [-0.0, 0.0, -1.0]], [[0.5, 0.5, 0], [1 / 3] * 3, [0.5, 0.5, 0]]),
    ),
    _kink(
        "min shares ties evenly",
        lambda x: tgl.min(x, axis=0),
        lambda t, x: t.amin(x, 0),
        ([[1.0, -inf], [1.0, 3.0], [5.0, -inf]], [[0.5, 0.5], [0.5, 0.0], [0.0, 0.5]]),
    ),
    _kink(
        "max of NaN",
        tgl.max,
        lambda t, x: t.amax(x),
        ([1.0, nan, 3.0], [nan, nan, nan]),
    ),
    # --- points where the slope jumps ---
    _kink("relu", tgl.relu, lambda t, x: t.relu(x), ([0.0, -0.0, nan, inf, -inf, 1e-40], [0, 0, 1, 1, 0, 1])),
    _kink("abs", tgl.abs, lambda t, x: t.abs(x), ([0.0, -0.0, inf, -inf], [0, 0, 1, -1])),
    _kink("sign", tgl.sign, lambda t, x: t.sign(x), ([0.0, 2.0, nan], [0, 0, 0])),
    _kink(
        "clip includes its bounds",
        lambda x: tgl.clip(x, -1, 1),
        lambda t, x: t.clip(x, -1, 1),
        ([-1.0, 1.0, 0.0, -1.5, 1.5], [1, 1, 1, 0, 0]),
    ),
    _kink(
        "clip from below",
        lambda x: tgl.clip(x, min=0),
        lambda t, x: t.clip(x, min=0),
        ([0.0, -0.0, -1.0, inf], [1, 1, 0, 1]),
    ),
    _kink(
        "l1_loss at a hit",
        lambda x, y: tgl.l1_loss(x, y, reduction="sum"),
        lambda t, x, y: t.nn.functional.l1_loss(x, y, reduction="sum"),
        ([1.0, 2.0], [0, 1]),
        ([1.0, 1.0], [0, -1]),
    ),
    _kink(
        "huber_loss where its branches meet",
        lambda x: tgl.huber_loss(x, Tensor(np.zeros(4)), reduction="sum"),
        lambda t, x: t.nn.functional.huber_loss(x, t.zeros(4, dtype=x.dtype), reduction="sum"),
        ([1.0, -1.0, 0.0, 3.0], [1, -1, 0, 1]),
    ),
    *(
        _kink(
            f"linear with {activation} at 0",
            lambda x, a=activation: tgl.linear(x, Tensor([[1.0]], dtype="float64"), activation=a),
            lambda t, x, a=activation: getattr(t, a)(t.nn.functional.linear(x, t.ones(1, 1, dtype=x.dtype))),
            ([[0.0], [-0.0], [1.0], [-1.0]], slope),
        )
        for activation, slope in (("relu", [[0], [0], [1], [0]]), ("tanh", None))
    ),
    # --- poles ---
    _kink("sqrt at 0", tgl.sqrt, lambda t, x: t.sqrt(x), ([0.0, 4.0, inf], [inf, 0.25, 0])),
    _kink("log at 0", tgl.log, lambda t, x: t.log(x), ([0.0, inf], [inf, 0])),
    _kink("log1p at -1", tgl.log1p, lambda t, x: t.log1p(x), ([-1.0, 0.0], [inf, 1])),
    _kink(
        "divide by 0",
        tgl.divide,
        lambda t, a, b: a / b,
        ([1.0, 0.0, -1.0], [inf, inf, inf]),
        ([0.0, 0.0, 0.0], [-inf, nan, inf]),
    ),
    # --- powers ---
    _kink(
        "pow at 0",
        tgl.pow,
        lambda t, x, y: t.pow(x, y),
        ([0.0, 0.0, 0.0, 0.0, 2.0, -2.0], [0, 1, 0, inf, 0, -12 / -1.0]),
        ([0.0, 1.0, 2.0, 0.5, 0.0, 3.0], [0, 0, 0, 0, np.log(2.0), nan]),
    ),
    *(
        _kink(
            f"x to the power {exponent} at 0",
            lambda x, e=exponent: x**e,
            lambda t, x, e=exponent: x**e,
            ([0.0, -1.0], slope),
        )
        for exponent, slope in ((0, [0, 0]), (1, [1, 1]), (2, [0, -2]), (3, [0, 3]), (-1, [-inf, -1]), (0.0, [0, 0]))
    ),
    _kink("x to the power 0.5 at 0", lambda x: x**0.5, lambda t, x: x**0.5, ([0.0, 4.0], [inf, 0.25])),
    _kink("2 to the power x", lambda x: 2.0**x, lambda t, x: 2.0**x, ([0.0, -inf], [np.log(2.0), 0])),
    _kink("0 to the power x", lambda x: 0.0**x, lambda t, x: 0.0**x, ([0.0, 1.0, 2.0], [0, 0, 0])),
    # --- branches that are not taken ---
    _kink(
        "where with NaN in the branch not taken",
        lambda a, b: tgl.where(Tensor([True, False, True]), a, b),
        lambda t, a, b: t.where(t.tensor([True, False, True]), a, b),
        ([1.0, nan, inf], [1, 0, 1]),
        ([nan, 2.0, nan], [0, 1, 0]),
    ),
    _kink(
        "where behind a function without a value there",
        lambda x: tgl.where(x > 0, tgl.sqrt(x), 0.0),
        lambda t, x: t.where(x > 0, t.sqrt(x), 0.0),
        ([-1.0, 0.0, 4.0], [nan, nan, 0.25]),
    ),
    _kink(
        "setitem over NaN",
        lambda x: tgl.setitem(x, 0.0, 1),
        lambda t, x: t.where(t.tensor([False, True]), 0.0, x),
        ([1.0, nan], [1, 0]),
    ),
    # --- sums of nothing, and of infinities ---
    _kink("sum of nothing", tgl.sum, lambda t, x: t.sum(x), ([], [])),
    _kink(
        "logsumexp of -inf alone",
        lambda x: tgl.logsumexp(x, axis=1),
        lambda t, x: t.logsumexp(x, 1),
        ([[-inf, 0.0], [-inf, -inf]], [[0, 1], [nan, nan]]),
    ),
    _kink(
        "softmax beside -inf",
        lambda x: tgl.softmax(x) * Tensor(np.array([1.0, 2.0])),
        lambda t, x: t.softmax(x, -1) * t.tensor([1.0, 2.0], dtype=x.dtype),
        ([0.0, -inf], [0, 0]),
    ),
    _kink(
        "log_softmax of large numbers",
        lambda x: tgl.log_softmax(x)[0],
        lambda t, x: t.log_softmax(x, -1)[0],
        ([1e4, 0.0], [0, 0]),
    ),
    _kink(
        "cumulative_prod through zeros",
        tgl.cumulative_prod,
        lambda t, x: t.cumprod(x, 0),
        ([2.0, 0.0, 3.0, 0.0, 5.0], [1, 8, 0, 0, 0]),
    ),
    # --- saturation ---
    _kink("sigmoid far out", tgl.sigmoid, lambda t, x: t.sigmoid(x), ([1e3, -1e3, inf, -inf], [0, 0, 0, 0])),
    _kink("tanh far out", tgl.tanh, lambda t, x: t.tanh(x), ([1e3, -1e3, inf, -inf], [0, 0, 0, 0])),
    _kink(
        "softplus far out",
        tgl.softplus,
        lambda t, x: t.nn.functional.softplus(x),
        ([1e3, -1e3, inf, -inf], [1, 0, 1, 0]),
    ),
    _kink("exp far out", tgl.exp, lambda t, x: t.exp(x), ([-inf, inf, 0.0], [0, inf, 1])),
]


def _slopes(kink: Kink) -> list[np.ndarray]:
    xs = [Tensor(np.array(at, "float64"), requires_grad=True) for at in kink.at]
    with np.errstate(all="ignore"):
        y = kink.ours(*xs)
    return [g._data for g in tgl.grad(y, xs, tgl.ones(y.shape, "float64"))]


@pytest.mark.parametrize("kink", [k for k in KINKS if None not in k.slopes], ids=lambda k: k.name)
def test_the_gradient_at_a_kink_is_the_documented_one(kink: Kink) -> None:
    for got, expected in zip(_slopes(kink), kink.slopes, strict=True):
        np.testing.assert_allclose(got, np.array(expected, "float64"), rtol=1e-15)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("kink", KINKS, ids=lambda k: k.name)
def test_the_gradient_at_a_kink_is_that_of_pytorch(kink: Kink) -> None:
    import torch

    xs = [torch.tensor(at, dtype=torch.float64, requires_grad=True) for at in kink.at]
    reference = torch.autograd.grad(kink.theirs(torch, *xs).sum(), xs)
    for got, expected in zip(_slopes(kink), reference, strict=True):
        np.testing.assert_allclose(got, expected.numpy(force=True), rtol=1e-15)


#: Where a second derivative is asked for at a kink: the function, the points, and the value.
BENT = [
    ("relu", tgl.relu, [0.0, 1.0], [0, 0]),
    ("abs", tgl.abs, [0.0, 1.0], [0, 0]),
    ("x**2", lambda x: x**2, [0.0, -1.0], [2, 2]),
    ("x**3", lambda x: x**3, [0.0, -1.0], [0, -6]),
    ("x**1", lambda x: x**1, [0.0, 2.0], [0, 0]),
    ("x to a tensor of 2", lambda x: tgl.pow(x, Tensor([2.0, 2.0])), [0.0, -1.0], [2, 2]),
    ("square", tgl.square, [0.0, -1.0], [2, 2]),
    ("cumulative_prod", tgl.cumulative_prod, [0.0, 0.0], [1, 1]),
    ("softplus", tgl.softplus, [0.0, 1e3], [0.25, 0]),
]


@pytest.mark.parametrize("name, function, at, expected", BENT, ids=[name for name, *_ in BENT])
def test_the_second_derivative_at_a_kink(name: str, function: Any, at: Any, expected: Any) -> None:
    x = Tensor(np.array(at), requires_grad=True)
    (slope,) = tgl.grad(function(x).sum(), [x], create_graph=True)
    bend = tgl.grad(slope.sum(), x, allow_unused=True) if slope.requires_grad else None
    got = np.zeros(len(at)) if bend is None else bend._data
    np.testing.assert_allclose(got, expected, rtol=1e-15)
