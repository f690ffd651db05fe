"""Initialisers: bounds, moments, fans, and writing in place outside the graph."""

import math

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors, nn
from tinygrad_lite.nn import init

SHAPE = (120, 200)  # (out, in): n, m


def drawn(fill, shape=SHAPE, dtype="float32"):
    tgl.manual_seed(1)
    tensor = nn.Parameter(np.zeros(shape, dtype))
    assert fill(tensor) is tensor
    assert tensor.is_leaf
    assert tensor.requires_grad
    return tensor.detach().numpy()


BOUNDS = {
    "the lecture's first rule": (init.fan_in_uniform_, 1 / math.sqrt(200)),
    "the lecture's second rule": (init.xavier_uniform_, math.sqrt(6 / 320)),
    "xavier with gain": (lambda t: init.xavier_uniform_(t, 2.0), 2 * math.sqrt(6 / 320)),
    "kaiming": (init.kaiming_uniform_, math.sqrt(2) * math.sqrt(3 / 200)),
    "kaiming fan_out": (
        lambda t: init.kaiming_uniform_(t, mode="fan_out", nonlinearity="relu"),
        math.sqrt(2) * math.sqrt(3 / 120),
    ),
    "kaiming as PyTorch's Linear": (lambda t: init.kaiming_uniform_(t, a=math.sqrt(5)), 1 / math.sqrt(200)),
    "uniform": (lambda t: init.uniform_(t, -3.0, 3.0), 3.0),
}


@pytest.mark.parametrize("case", BOUNDS)
def test_uniform_initialisers_fill_their_interval_evenly(case):
    fill, bound = BOUNDS[case]
    values = drawn(fill)
    assert abs(values).max() <= bound * (1 + 1e-6)
    counts, _ = np.histogram(values, bins=10, range=(-bound, bound))
    expected = values.size / 10
    assert ((counts - expected) ** 2 / expected).sum() < 27.9  # chi-square, 9 degrees of freedom, 0.1 %


DEVIATIONS = {
    "xavier": (init.xavier_normal_, math.sqrt(2 / 320)),
    "kaiming": (init.kaiming_normal_, math.sqrt(2 / 200)),
    "kaiming tanh": (lambda t: init.kaiming_normal_(t, nonlinearity="tanh"), 5 / 3 / math.sqrt(200)),
    "normal": (lambda t: init.normal_(t, 0.0, 0.3), 0.3),
}


@pytest.mark.parametrize("case", DEVIATIONS)
def test_normal_initialisers_have_their_deviation(case):
    fill, std = DEVIATIONS[case]
    values = drawn(fill, dtype="float64") / std
    count = values.size
    assert abs(values.mean()) < 4 / math.sqrt(count)
    assert abs((values**2).mean() - 1) < 4 * math.sqrt(2 / count)
    assert abs((values**4).mean() - 3) < 4 * math.sqrt(96 / count)


def test_fans_count_the_window_too():
    values = drawn(init.fan_in_uniform_, (16, 8, 5, 5))
    bound = 1 / math.sqrt(8 * 25)
    assert 0.99 * bound < abs(values).max() <= bound
    values = drawn(init.xavier_uniform_, (16, 8, 5, 5))
    bound = math.sqrt(6 / (8 * 25 + 16 * 25))
    assert 0.99 * bound < abs(values).max() <= bound


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    w = drawn(lambda t: init.orthogonal_(t, 3.0), shape, "float64").reshape(shape[0], -1) / 3
    product = w @ w.T if shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-14)


def test_orthogonal_has_no_preferred_sign():
    tgl.manual_seed(0)
    corners = [init.orthogonal_(tgl.zeros((2, 2)))[0, 0].item() for _ in range(200)]
    assert 60 < sum(c > 0 for c in corners) < 140


def test_trunc_normal_stays_inside():
    values = drawn(lambda t: init.trunc_normal_(t, 1.0, 2.0, 0.0, 2.0))
    assert values.min() >= 0.0
    assert values.max() <= 2.0
    assert abs(values.mean() - 1.0) < 0.02


@pytest.mark.parametrize(
    "fill, expected",
    [
        (init.zeros_, np.zeros((2, 3))),
        (init.ones_, np.ones((2, 3))),
        (lambda t: init.constant_(t, 0.25), np.full((2, 3), 0.25)),
        (init.eye_, np.eye(2, 3)),
    ],
)
def test_constants(fill, expected):
    assert np.array_equal(drawn(fill, (2, 3)), expected)


@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    "name, param", [("linear", None), ("sigmoid", None), ("tanh", None), ("relu", None), ("selu", None),
                    ("leaky_relu", None), ("leaky_relu", 0.3)]
)  # fmt: skip
def test_gains_are_pytorchs(torch, name, param):
    assert init.calculate_gain(name, param) == pytest.approx(torch.nn.init.calculate_gain(name, param))


def test_the_same_seed_draws_the_same_weights():
    assert np.array_equal(drawn(init.xavier_uniform_), drawn(init.xavier_uniform_))


@pytest.mark.parametrize("name", [name for name in init.__all__ if name.endswith("_")])
def test_writing_is_in_place_and_seen_by_backward(name):
    p = nn.Parameter(np.ones((3, 3), np.float32))
    memory, view, y = p._data, p.detach(), (p * p).sum()
    arguments = (0.5,) if name == "constant_" else ()
    getattr(init, name)(p, *arguments)
    assert p._data is memory
    assert view.tolist() == np.ones((3, 3)).tolist()
    with pytest.raises(errors.GradientError):
        y.backward()


SHAPE_TEXT = (
    "{} needs a weight of shape (out, in, ...)\n  tensor  shape (3,), float32, cpu\n  hint    use uniform_ for biases"
)
REFUSED = {
    "bias": (lambda: init.xavier_uniform_(tgl.zeros(3)), errors.ShapeError, SHAPE_TEXT.format("xavier_uniform_")),
    "bias of orthogonal": (lambda: init.orthogonal_(tgl.zeros(3)), errors.ShapeError, SHAPE_TEXT.format("orthogonal_")),
    "integers": (
        lambda: init.normal_(Tensor([1])),
        errors.DTypeError,
        (
            "normal_ needs a floating-point leaf tensor\n"
            "  tensor  shape (1,), int64, cpu\n"
            "  hint    initialise a parameter of a layer, such as layer.weight, or a tensor of floats"
        ),
    ),
    "a result": (
        lambda: init.zeros_(nn.Parameter([1.0]) * 2),
        errors.DTypeError,
        (
            "zeros_ needs a floating-point leaf tensor\n"
            "  tensor  shape (1,), float32, cpu\n"
            "  hint    initialise a parameter of a layer, such as layer.weight, or a tensor of floats"
        ),
    ),
    "a module": (
        lambda: init.zeros_(nn.ReLU()),
        errors.DTypeError,
        (
            "zeros_ needs a floating-point leaf tensor\n"
            "  tensor  ReLU()\n"
            "  hint    initialise a parameter of a layer, such as layer.weight, or a tensor of floats"
        ),
    ),
    "eye of a vector": (
        lambda: init.eye_(tgl.zeros(3)),
        errors.ShapeError,
        ("eye_ needs a matrix\n  tensor  shape (3,), float32, cpu\n  hint    zeros_ and ones_ fill any shape"),
    ),
    "mode": (
        lambda: init.kaiming_normal_(tgl.zeros((2, 2)), mode="fan_avg"),
        errors.ArgumentError,
        (
            'kaiming_normal_ needs mode "fan_in" or "fan_out", but got \'fan_avg\'\n'
            '  hint  "fan_in" keeps the variance in the forward pass, "fan_out" in the backward pass'
        ),
    ),
    "gain": (
        lambda: init.calculate_gain("softmax"),
        errors.ArgumentError,
        (
            "calculate_gain knows linear, sigmoid, tanh, relu, selu, leaky_relu, but got 'softmax'\n"
            "  hint  for others take relu, or multiply by a gain of your own"
        ),
    ),
    "bounds": (
        lambda: init.trunc_normal_(tgl.zeros(3), a=9.0, b=10.0),
        errors.ArgumentError,
        (
            "trunc_normal_ needs std > 0 and bounds that leave room, but got mean=0.0, std=1.0, a=9.0, "
            "b=10.0\n"
            "  hint  the bounds a and b are values, such as mean - 2 * std"
        ),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    act, kind, text = REFUSED[case]
    refuses(kind, act, text)
