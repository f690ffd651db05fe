"""Layers and activations: values, gradients, modes, and what they refuse."""

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors, nn

X = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0], [2.0, 2.0, 2.0], [-1.0, 0.0, 4.0]])


def test_linear_is_x_w_transposed_plus_b():
    layer = nn.Linear(3, 2, dtype="float64")
    w, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    np.testing.assert_allclose(layer(Tensor(X)).detach().numpy(), X @ w.T + b, rtol=1e-14)
    assert nn.Linear(3, 2, bias=False).bias is None
    assert layer(Tensor(X.reshape(2, 2, 3))).shape == (2, 2, 2)


@pytest.mark.parametrize("m", [1, 7, 784])
def test_linear_starts_within_the_lectures_bound(m):
    tgl.manual_seed(0)
    layer = nn.Linear(m, 50)
    for parameter in (layer.weight, layer.bias):
        drawn = parameter.detach().numpy()
        assert abs(drawn).max() <= m**-0.5
        assert abs(drawn).max() > 0.8 * m**-0.5
        assert len(np.unique(drawn)) > 0.9 * drawn.size


def test_one_seed_gives_one_model():
    tgl.manual_seed(5)
    first = nn.Linear(3, 2)
    tgl.manual_seed(5)
    assert nn.Linear(3, 2).weight.tolist() == first.weight.tolist()
    tgl.manual_seed(6)
    assert nn.Linear(3, 2).weight.tolist() != first.weight.tolist()


@pytest.mark.parametrize(
    "shape, start, end, result",
    [
        ((5, 2, 3), 1, -1, (5, 6)),
        ((5, 2, 3), 0, -1, (30,)),
        ((5, 2, 3, 4), 1, 2, (5, 6, 4)),
        ((5, 4), 1, -1, (5, 4)),
        ((0, 2, 3), 1, -1, (0, 6)),
    ],
)
def test_flatten(shape, start, end, result):
    assert nn.Flatten(start, end)(tgl.zeros(shape)).shape == result


def test_dropout_drops_in_training_only():
    tgl.manual_seed(0)
    layer, x = nn.Dropout(0.25), tgl.ones((100, 100))
    y = layer(x).numpy()
    assert set(np.unique(y)) == {np.float32(0.0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.02
    assert layer.eval()(x) is x
    assert nn.Dropout(0.0)(x) is x


def test_dropout_passes_the_gradient_of_what_it_kept():
    x = Tensor(np.ones(100, np.float32), requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()


@pytest.mark.parametrize(
    "module, expected",
    [
        (nn.ReLU(), lambda x: np.maximum(x, 0)),
        (nn.Tanh(), np.tanh),
        (nn.Sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
        (nn.Softplus(), lambda x: np.log1p(np.exp(x))),
        (nn.Softmax(), lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
        (nn.Softmax(0), lambda x: np.exp(x) / np.exp(x).sum(0)),
        (nn.LogSoftmax(), lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True))),
        (nn.Identity(), lambda x: x),
    ],
)
def test_activations(module, expected):
    np.testing.assert_allclose(module(Tensor(X)).numpy(), expected(X), rtol=1e-13)


# Batch norm -----------------------------------------------------------------------------------------------


def test_batch_norm_is_the_lectures_formula():
    layer = nn.BatchNorm1d(3, eps=0.5, dtype="float64")
    expected = (X - X.mean(0)) / np.sqrt(0.5 + ((X - X.mean(0)) ** 2).mean(0))
    np.testing.assert_allclose(layer(Tensor(X)).detach().numpy(), expected, rtol=1e-13)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_batch_norm_follows_the_unbiased_variance(dtype):
    layer = nn.BatchNorm1d(3, momentum=1.0, dtype=dtype)
    layer(Tensor(X, dtype=dtype))
    rtol = {"float16": 4e-3, "float32": 1e-6, "float64": 1e-13}[dtype]
    np.testing.assert_allclose(layer.running_mean.numpy(), X.mean(0), rtol=rtol)
    np.testing.assert_allclose(layer.running_var.numpy(), X.var(0, ddof=1), rtol=rtol)
    assert {layer.running_mean.dtype, layer.running_var.dtype} == {np.dtype(dtype)}


def test_the_running_variance_of_a_constant_is_zero_not_negative():
    layer = nn.BatchNorm1d(1, momentum=1.0)
    layer(tgl.full((4, 1), 3.0))
    assert layer.running_var.item() == pytest.approx(0.0, abs=1e-11)
    assert layer.running_var.item() >= 0.0


def test_evaluation_uses_and_keeps_the_running_statistics():
    layer = nn.BatchNorm1d(3, dtype="float64")
    layer(Tensor(X))
    mean, variance = layer.running_mean, layer.running_var
    y = layer.eval()(Tensor(X[:1])).detach().numpy()
    np.testing.assert_allclose(y, (X[:1] - mean.numpy()) / np.sqrt(variance.numpy() + 1e-5), rtol=1e-13)
    assert layer.running_mean is mean
    assert layer.running_var is variance
    assert layer.num_batches_tracked.item() == 1


def test_a_kept_statistic_does_not_change():
    layer = nn.BatchNorm1d(3, dtype="float64")
    kept, before = layer.running_mean, layer.running_mean.tolist()
    layer(Tensor(X))
    assert kept.tolist() == before != layer.running_mean.tolist()
    assert not layer.running_mean.requires_grad
    layer.reset_running_stats()
    assert layer.running_mean.tolist() == before
    assert layer.num_batches_tracked.item() == 0


def test_without_tracking_evaluation_takes_the_batch():
    layer = nn.BatchNorm1d(3, affine=False, track_running_stats=False)
    x = Tensor(X, dtype="float32")
    assert layer.state_dict() == {}
    assert layer.eval()(x).tolist() == layer.train()(x).tolist()


def test_batch_norm_has_second_derivatives():
    layer = nn.BatchNorm1d(2, dtype="float64")
    x = Tensor(X[:, :2], requires_grad=True)
    g = tgl.grad((layer(x) ** 3).sum(), x, create_graph=True)
    assert np.abs(tgl.grad((g * g).sum(), x).numpy()).max() > 0


# Refusals -------------------------------------------------------------------------------------------------

BN = nn.BatchNorm1d(3)
IN = "  in    batchnorm1d: BatchNorm1d(3)"
REFUSED = {
    "size 0": (
        lambda: nn.Linear(0, 3),
        errors.ArgumentError,
        (
            "Linear needs in_features of at least 1, but got 0\n"
            "  hint  in_features is the size of one axis of the data, such as x.shape[1]"
        ),
    ),
    "size 1.5": (
        lambda: nn.Linear(3, 1.5),
        errors.DTypeError,
        (
            "Linear needs an integer out_features, but got 1.5\n"
            "  hint  sizes are whole numbers: n // 2, not n / 2; int(out_features) makes one"
        ),
    ),
    "integer weights": (
        lambda: nn.Linear(3, 1, dtype=int),
        errors.DTypeError,
        (
            "Linear needs a floating-point dtype, but got int64\n"
            '  hint  parameters have gradients, which need floats, such as dtype="float32"'
        ),
    ),
    "integer statistics": (
        lambda: nn.BatchNorm1d(3, dtype=int),
        errors.DTypeError,
        (
            "BatchNorm1d needs a floating-point dtype, but got int64\n"
            '  hint  parameters have gradients, which need floats, such as dtype="float32"'
        ),
    ),
    "images": (
        lambda: nn.Linear(6, 2)(tgl.ones((5, 2, 3))),
        errors.ShapeError,
        (
            "linear needs x.shape[-1] == weight.shape[1], but 3 != 6\n  x       shape (5, 2, 3), float32, cpu\n"
            "  weight  shape (2, 6), float32, cpu\n  bias    shape (2,), float32, cpu\n"
            "  in      linear: Linear(6 -> 2)\n  hint    flatten the images first: x.flatten(1)"
        ),
    ),
    "float64 input": (
        lambda: nn.Linear(2, 1)(tgl.ones((1, 2), "float64")),
        errors.DTypeError,
        (
            "linear needs one dtype\n  x       shape (1, 2), float64, cpu\n  weight  shape (1, 2), float32, cpu\n"
            '  bias    shape (1,), float32, cpu\n  in      linear: Linear(2 -> 1)\n  hint    x.astype("float32")'
        ),
    ),
    "flatten a vector": (
        lambda: nn.Flatten()(tgl.ones(3)),
        errors.AxisError,
        (
            "Flatten needs axes 1 to -1\n  x     shape (3,), float32, cpu\n  in    flatten: Flatten()\n"
            "  hint  the first axis is the batch: x[None]"
        ),
    ),
    "dropout above 1": (
        lambda: nn.Dropout(1.5),
        errors.ArgumentError,
        ("Dropout needs a probability from 0 to 1, but got p=1.5\n  hint  1.5 percent is the probability 0.015"),
    ),
    "dropout nan": (
        lambda: nn.Dropout(float("nan")),
        errors.ArgumentError,
        ("Dropout needs a probability from 0 to 1, but got p=nan\n  hint  p=0.5 drops half of the elements"),
    ),
    "softmax axis": (
        lambda: nn.Softmax(2)(tgl.ones((1, 2))),
        errors.AxisError,
        (
            "softmax got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (1, 2), float32, cpu\n"
            "  in    softmax: Softmax(dim=2)\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    "negative eps": (
        lambda: nn.BatchNorm1d(3, eps=-1.0),
        errors.ArgumentError,
        ("BatchNorm1d needs eps of at least 0, but got -1.0\n  hint  it is added to the variance: 1e-5 is usual"),
    ),
    "momentum": (
        lambda: nn.BatchNorm1d(3, momentum=2.0),
        errors.ArgumentError,
        (
            "BatchNorm1d needs a momentum from 0 to 1, or None, but got 2.0\n"
            "  hint  it is the share of the new batch in the running statistics: 0.1 is usual"
        ),
    ),
    "batch of one": (
        lambda: BN(tgl.ones((1, 3))),
        errors.ShapeError,
        "BatchNorm1d needs more than one value per channel\n  x     shape (1, 3), float32, cpu\n" + IN + "\n"
        "  hint  use a larger batch, drop the last one (drop_last=True), or call eval()",
    ),
    "empty batch": (
        lambda: BN(tgl.ones((0, 3))),
        errors.ShapeError,
        "BatchNorm1d needs more than one value per channel\n  x     shape (0, 3), float32, cpu\n" + IN + "\n"
        "  hint  use a larger batch, drop the last one (drop_last=True), or call eval()",
    ),
    "channels": (
        lambda: BN(tgl.ones((4, 2))),
        errors.ShapeError,
        (
            "BatchNorm1d needs x of shape (N, 3) or (N, 3, L)\n"
            "  x     shape (4, 2), float32, cpu\n"
            "  in    batchnorm1d: BatchNorm1d(3)\n"
            "  hint  num_features=2 fits this x"
        ),
    ),
    "axes": (
        lambda: BN(tgl.ones((2, 3, 4, 5))),
        errors.ShapeError,
        (
            "BatchNorm1d needs x of shape (N, 3) or (N, 3, L)\n"
            "  x     shape (2, 3, 4, 5), float32, cpu\n"
            "  in    batchnorm1d: BatchNorm1d(3)\n"
            "  hint  flatten to (N, 3) first, and back with reshape"
        ),
    ),
    "dtype": (
        lambda: BN(tgl.ones((2, 3), "float64")),
        errors.DTypeError,
        (
            "BatchNorm1d needs one dtype\n  x       shape (2, 3), float64, cpu\n"
            "  weight  shape (3,), float32, cpu\n  in      batchnorm1d: BatchNorm1d(3)\n"
            '  hint    x.astype("float32")'
        ),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    act, kind, text = REFUSED[case]
    refuses(kind, act, text)
    assert BN.num_batches_tracked.item() == 0
    assert BN.running_mean.tolist() == [0.0, 0.0, 0.0]
    assert BN.running_var.tolist() == [1.0, 1.0, 1.0]
