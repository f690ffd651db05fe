"""Activations far from 0, at their bends in second order, and rrelu's slopes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor

inf, nan = math.inf, math.nan


@pytest.fixture(autouse=True)
def own_stream():
    """The stream of the process is put back after every test."""
    state = tgl.get_rng_state()
    tgl.manual_seed(0)
    yield
    tgl.set_rng_state(state)


def slopes(function: Callable[[Tensor], Tensor], at: Any, dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    """The value and the slope at each point."""
    x = Tensor(np.array(at, dtype), requires_grad=True)
    y = function(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == dtype
    return y.detach().numpy(), x.grad.numpy()


# --- far from 0 ---------------------------------------------------------------------------------------

LARGE = {"float16": 60000.0, "float32": 3e38, "float64": 1e308}
#: name: (value, slope) far on the left, and far on the right where "x" stands for the operand
FAR: dict[str, tuple[Callable[[Tensor], Tensor], tuple[Any, float], tuple[Any, float]]] = {
    "relu6": (tgl.relu6, (0, 0), (6, 0)),
    "hardtanh": (tgl.hardtanh, (-1, 0), (1, 0)),
    "hardsigmoid": (tgl.hardsigmoid, (0, 0), (1, 0)),
    "hardswish": (tgl.hardswish, (0, 0), ("x", 1)),
    "elu": (lambda x: tgl.elu(x, 2.0), (-2, 0), ("x", 1)),
    "celu": (lambda x: tgl.celu(x, 2.0), (-2, 0), ("x", 1)),
    "softplus": (tgl.softplus, (0, 0), ("x", 1)),
    "softplus without a threshold": (lambda x: tgl.softplus(x, threshold=inf), (0, 0), ("x", 1)),
    "logsigmoid": (tgl.logsigmoid, ("x", 1), (0, 0)),
    "silu": (tgl.silu, (0, 0), ("x", 1)),
    "mish": (tgl.mish, (0, 0), ("x", 1)),
    "gelu": (tgl.gelu, (0, 0), ("x", 1)),
    "gelu by tanh": (lambda x: tgl.gelu(x, "tanh"), (0, 0), ("x", 1)),
    "softsign": (tgl.softsign, (-1, 0), (1, 0)),
    "tanhshrink": (tgl.tanhshrink, ("x", 1), ("x", 1)),
    "softshrink": (tgl.softshrink, ("x", 1), ("x", 1)),
    "hardshrink": (tgl.hardshrink, ("x", 1), ("x", 1)),
}


@pytest.mark.parametrize("dtype", LARGE)
@pytest.mark.parametrize("name", FAR)
def test_far_from_zero_everything_has_its_limit(name: str, dtype: str, recwarn: pytest.WarningsRecorder) -> None:
    function, left, right = FAR[name]
    x = LARGE[dtype]
    y, g = slopes(function, [-x, x], dtype)
    resolution = {"rtol": 2 * float(np.finfo(dtype).eps), "atol": float(np.finfo(dtype).eps)}
    expected = [sign * x if value == "x" else value for sign, (value, _) in ((-1, left), (1, right))]
    np.testing.assert_allclose(y, expected, **resolution)
    np.testing.assert_allclose(g, [left[1], right[1]], **resolution)
    assert [str(warning.message) for warning in recwarn] == []


def test_small_tails_keep_their_digits() -> None:
    """Of what vanishes slowly no digit is lost to a difference of nearly equal numbers."""
    y, g = slopes(tgl.logsigmoid, [40.0, 700.0])
    np.testing.assert_allclose(y, [-math.exp(-40), -math.exp(-700)], rtol=1e-15)
    np.testing.assert_allclose(g, [math.exp(-40), math.exp(-700)], rtol=1e-15)
    y, g = slopes(tgl.mish, [-40.0, -600.0])
    np.testing.assert_allclose(y, [-40 * math.exp(-40), -600 * math.exp(-600)], rtol=1e-14)
    np.testing.assert_allclose(g, [-39 * math.exp(-40), -599 * math.exp(-600)], rtol=1e-14)
    y, _ = slopes(tgl.silu, [-40.0, -600.0])
    np.testing.assert_allclose(y, [-40 * math.exp(-40), -600 * math.exp(-600)], rtol=1e-14)
    y, g = slopes(lambda x: tgl.softplus(x, threshold=inf), [-40.0, 40.0])
    np.testing.assert_allclose(y - [0, 40], [math.exp(-40), 0], rtol=1e-15)
    _, g = slopes(tgl.tanhshrink, [1e-8])
    np.testing.assert_allclose(g, [1e-16], rtol=1e-14)
    y, _ = slopes(tgl.elu, [-1e-10])
    np.testing.assert_allclose(y, [-1e-10 + 5e-21], rtol=1e-15)


def test_softplus_is_exactly_x_beyond_its_threshold() -> None:
    y, g = slopes(tgl.softplus, [20.0, 20.5])
    assert y[0] > 20.0
    assert g[0] < 1.0
    assert (y[1], g[1]) == (20.5, 1.0)
    for dtype in ("float16", "float32", "float64"):
        y, g = slopes(tgl.softplus, [20.5, 64.0, inf], dtype)
        assert (y.tolist(), g.tolist()) == ([20.5, 64.0, inf], [1.0, 1.0, 1.0])
        y, g = slopes(lambda x: tgl.softplus(x, 1.0, 17.0), [17.5, 1.0], dtype)
        assert (y[0], g[0]) == (17.5, 1.0)
    y, g = slopes(lambda x: tgl.softplus(x, 2.0, 3.0), [1.5, 1.75])
    assert y[0] > 1.5
    assert (y[1], g[1]) == (1.75, 1.0)
    with np.errstate(over="ignore"):  # 4 x is beyond float16
        y, g = slopes(lambda x: tgl.softplus(x, 4.0), [30000.0], "float16")
    assert (y[0], g[0]) == (30000.0, 1.0)


def test_large_arrays_have_the_gelu_of_small_ones() -> None:
    x = np.random.default_rng(0).normal(size=(400, 500)).astype("float32")
    y, g = slopes(tgl.gelu, x, "float32")
    rows = [slopes(tgl.gelu, row, "float32") for row in x]
    np.testing.assert_allclose(y, [value for value, _ in rows], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(g, [slope for _, slope in rows], rtol=1e-6, atol=1e-7)


def test_a_mish_of_float16_is_that_of_float32_rounded() -> None:
    x = np.linspace(-12, 12, 4001).astype("float16")
    narrow, narrow_slope = slopes(tgl.mish, x, "float16")
    wide, wide_slope = slopes(tgl.mish, x, "float64")
    np.testing.assert_allclose(narrow, wide, rtol=4e-3, atol=1e-5)
    np.testing.assert_allclose(narrow_slope, wide_slope, atol=3e-3)


def test_the_two_forms_of_gelu_are_close_and_not_the_same() -> None:
    x = Tensor(np.linspace(-6, 6, 1001))
    gap = np.abs((tgl.gelu(x) - tgl.gelu(x, approximate="tanh")).numpy())
    assert 1e-4 < gap.max() < 5e-4
    exact = [v * 0.5 * math.erfc(-v / math.sqrt(2)) for v in x.tolist()]
    np.testing.assert_allclose(tgl.gelu(x).numpy(), exact, atol=3e-16 * 6)


# --- second derivatives where the slope jumps or the curvature does ---------------------------------------

BENDS: list[tuple[str, Callable[[Tensor], Tensor], Callable[..., Any], list[float]]] = [
    ("relu", tgl.relu, lambda f, x: f.relu(x), [0.0]),
    ("relu6", tgl.relu6, lambda f, x: f.relu6(x), [0.0, 6.0]),
    ("hardtanh", tgl.hardtanh, lambda f, x: f.hardtanh(x), [-1.0, 1.0]),
    ("hardswish", tgl.hardswish, lambda f, x: f.hardswish(x), [-3.0, 0.0, 3.0]),
    ("threshold", lambda x: tgl.threshold(x, 0.5, 9.0), lambda f, x: f.threshold(x, 0.5, 9.0), [0.5, 0.0]),
    ("leaky_relu", tgl.leaky_relu, lambda f, x: f.leaky_relu(x), [0.0, -0.0]),
    ("elu", lambda x: tgl.elu(x, 2.0), lambda f, x: f.elu(x, 2.0), [0.0, -0.0, -1.0, 1.0, inf, -inf]),
    ("elu of alpha 1", tgl.elu, lambda f, x: f.elu(x), [0.0, -1.0, 1.0]),
    ("celu", lambda x: tgl.celu(x, 2.0), lambda f, x: f.celu(x, 2.0), [0.0, -1.0, 1.0]),
    ("selu", tgl.selu, lambda f, x: f.selu(x), [0.0, -1.0, 1.0]),
    ("softplus", tgl.softplus, lambda f, x: f.softplus(x), [0.0, 20.5]),
    ("softshrink", tgl.softshrink, lambda f, x: f.softshrink(x), [0.5, -0.5, 0.0]),
    ("hardshrink", tgl.hardshrink, lambda f, x: f.hardshrink(x), [0.5, -0.5, 0.0]),
    ("softsign", tgl.softsign, lambda f, x: f.softsign(x), [0.0]),
    ("logsigmoid", tgl.logsigmoid, lambda f, x: f.logsigmoid(x), [0.0, inf, -inf]),
    ("gelu", tgl.gelu, lambda f, x: f.gelu(x), [0.0, 1e30, -1e30]),
    ("mish", tgl.mish, lambda f, x: f.mish(x), [0.0, -1e30]),
]


@pytest.mark.needs("torch")
@pytest.mark.parametrize("name, ours, theirs, at", BENDS, ids=[name for name, *_ in BENDS])
def test_value_slope_and_curvature_at_a_bend_are_pytorchs(
    name: str, ours: Callable[[Tensor], Tensor], theirs: Callable[..., Any], at: list[float]
) -> None:
    import torch

    for point in at:
        x = Tensor(np.array([point]), requires_grad=True)
        y = ours(x)
        g = tgl.grad(y.sum(), x, create_graph=True)
        h = tgl.grad(g.sum(), x).numpy() if g.requires_grad else np.zeros(1)
        tx = torch.tensor([point], dtype=torch.float64, requires_grad=True)
        ty = theirs(torch.nn.functional, tx)
        (tg,) = torch.autograd.grad(ty.sum(), tx, create_graph=True)
        (th,) = torch.autograd.grad(tg.sum(), tx)
        np.testing.assert_allclose(y.detach().numpy(), ty.numpy(force=True), rtol=1e-14)
        np.testing.assert_allclose(g.detach().numpy(), tg.numpy(force=True), rtol=1e-14)
        np.testing.assert_allclose(h, th.numpy(), rtol=1e-14, atol=1e-300)


def test_a_nan_goes_through_every_activation() -> None:
    piecewise = ("relu6", "hardtanh", "hardsigmoid", "hardswish", "softshrink", "hardshrink", "leaky_relu")
    smooth = ("elu", "selu", "celu", "softplus", "logsigmoid", "silu", "mish", "gelu", "softsign", "tanhshrink")
    for name in (*piecewise, *smooth):
        assert math.isnan(getattr(tgl, name)(Tensor([nan])).item()), name


@pytest.mark.parametrize(
    "name",
    [
        *("relu", "relu6", "hardtanh", "hardsigmoid", "hardswish", "leaky_relu", "softshrink", "hardshrink", "rrelu"),
        *(
            "sigmoid",
            "elu",
            "celu",
            "selu",
            "softplus",
            "logsigmoid",
            "silu",
            "mish",
            "gelu",
            "softsign",
            "tanhshrink",
            "glu",
        ),
    ],
)
def test_complex_numbers_are_refused(name: str) -> None:
    text = "needs real numbers\n  x     shape (2,), complex64, cpu\n  hint  take real(x), imag(x) or abs(x)"
    refuses(tgl.errors.DTypeError, lambda: getattr(tgl, name)(Tensor([1j, 2.0])), f"{name} {text}")
    if name == "gelu":
        refuses(tgl.errors.DTypeError, lambda: tgl.gelu(Tensor([1j, 2.0]), "tanh"), f"gelu {text}")


# --- learned and random slopes --------------------------------------------------------------------------


def test_the_slopes_of_prelu_add_up_the_gradients_of_their_channels() -> None:
    x, weight = Tensor([[[-1.0, 2.0], [-3.0, -4.0]]]), Tensor([0.5, 0.25], requires_grad=True)
    y = tgl.prelu(x, weight)
    assert y.detach().tolist() == [[[-0.5, 2.0], [-0.75, -1.0]]]
    y.sum().backward()
    assert weight.grad.tolist() == [-1.0, -7.0]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (0, 3)])
def test_one_slope_serves_every_shape(shape: tuple[int, ...]) -> None:
    x = Tensor(-np.ones(shape))
    for weight in (Tensor(np.array(0.5)), Tensor(np.array([0.5]))):
        y = tgl.prelu(x, weight)
        assert y.shape == shape
        assert (y.numpy() == -0.5).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rrelu_draws_a_slope_for_every_element(dtype: str) -> None:
    x = Tensor(-np.ones(20000, dtype), requires_grad=True)
    y = tgl.rrelu(x, 0.25, 0.75, training=True)
    y.sum().backward()
    slope = x.grad.numpy()
    assert y.dtype == dtype
    np.testing.assert_array_equal(slope, -y.detach().numpy())
    assert slope.min() >= 0.25
    assert slope.max() <= 0.75
    assert abs(slope.astype("float64").mean() - 0.5) < 5 * 0.5 / math.sqrt(12 * 20000)
    assert len(np.unique(slope)) > 500


def test_rrelu_leaves_positive_numbers_alone() -> None:
    y, g = slopes(lambda x: tgl.rrelu(x, 0.25, 0.75, training=True), [1.0, inf, nan, 3.0])
    np.testing.assert_array_equal(y, [1.0, inf, nan, 3.0])
    np.testing.assert_array_equal(g, [1.0, 1.0, 1.0, 1.0])


def test_rrelu_takes_one_number_of_the_counter_and_none_in_evaluation() -> None:
    x = Tensor([-1.0, 1.0])
    tgl.rrelu(x, training=True)
    assert tgl.get_rng_state() == {"seed": 0, "counter": 1}
    assert tgl.rrelu(x, 0.25, 0.75).tolist() == [-0.5, 1.0]
    assert tgl.get_rng_state() == {"seed": 0, "counter": 1}
    tgl.manual_seed(3)
    first = tgl.rrelu(x, training=True).tolist()
    assert tgl.rrelu(x, training=True).tolist() != first
    tgl.manual_seed(3)
    assert tgl.rrelu(x, training=True).tolist() == first


def test_the_second_derivative_of_a_square_of_rrelu_is_twice_the_squared_slope() -> None:
    x = Tensor(np.array([-1.0, 2.0]), requires_grad=True)
    y = tgl.rrelu(x, 0.25, 0.75, training=True)
    slope = (y / x).detach().numpy()
    g = tgl.grad((y * y).sum(), x, create_graph=True)
    np.testing.assert_allclose(tgl.grad(g.sum(), x).numpy(), 2 * slope * slope, rtol=1e-14)


# --- the choice behind them ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_where_of_two_large_arrays_chooses_exactly(dtype: str) -> None:
    rng = np.random.default_rng(0)
    condition = rng.random(20000) < 0.5
    a, b = rng.normal(size=20000).astype(dtype), rng.normal(size=20000).astype(dtype)
    a[:3], b[:3] = [nan, inf, -0.0], [-inf, nan, 0.0]
    chosen = tgl.where(Tensor(condition), Tensor(a), Tensor(b)).numpy()
    assert chosen.tobytes() == np.where(condition, a, b).tobytes()
    strided = tgl.where(Tensor(condition)[::2], Tensor(a)[::2], Tensor(b)[::-2]).numpy()
    assert strided.tobytes() == np.where(condition[::2], a[::2], b[::-2]).tobytes()
