"""Layers as functions."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import operation, positive, real, sample


def _softmax(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


_CLASSES = [
    *(sample(real(3)), sample(real(1)), sample(real(2, 3)), sample(real(2, 3), axis=0)),
    *(sample(real(2, 3, 2), axis=-2), sample(real(0, 3)), sample(np.array([30.0, -30.0, 29.0]), label="large")),
]
operation(
    "softmax",
    tgl.softmax,
    _softmax,
    lambda t, x, axis=-1: t.softmax(x, axis),
    _CLASSES,
    length=None,
    condition=4,
    integers="float32",
)
operation(
    "softmin",
    tgl.softmin,
    lambda x, axis=-1: _softmax(-x, axis),
    lambda t, x, axis=-1: t.nn.functional.softmin(x, axis),
    _CLASSES,
    covers=("softmax",),
    length=None,
    condition=4,
    integers="float32",
)
operation(
    "log_softmax",
    tgl.log_softmax,
    lambda x, axis=-1: x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True)),
    lambda t, x, axis=-1: t.log_softmax(x, axis),
    _CLASSES,
    length=None,
    condition=4,
    integers="float32",
)

# --- linear -----------------------------------------------------------------------------------------

_ACTIVATIONS: dict[str | None, Any] = {
    None: lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
}


def _linear(x: Any, weight: Any, bias: Any = None, activation: str | None = None) -> Any:
    z = x @ weight.T
    return _ACTIVATIONS[activation](z if bias is None else z + bias)


def _torch_linear(t: Any, x: Any, weight: Any, bias: Any = None, activation: str | None = None) -> Any:
    z = t.nn.functional.linear(x, weight, bias)
    return z if activation is None else getattr(t, activation)(z)


def _linear_samples() -> Any:
    for activation in _ACTIVATIONS:
        for shape in ((3,), (4, 3), (2, 2, 3)):
            yield sample(real(*shape), real(2, 3), activation=activation)
            yield sample(real(*shape), real(2, 3), real(2), activation=activation)
    yield sample(real(0, 3), real(2, 3), real(2), activation="relu")
    yield sample(real(1, 1), real(1, 1), real(1))
    yield sample(real(2, 0), real(3, 0), real(3))
    yield sample(real(2, 2, 0), real(3, 0), real(3))
    yield sample(real(2, 0, 3), real(2, 3), real(2), activation="tanh")
    yield sample(real(2, 3), real(0, 3), real(0))


operation("linear", tgl.linear, _linear, _torch_linear, _linear_samples(), length=None, condition=8)

# --- batch norm -------------------------------------------------------------------------------------


def _column(v: Any, ndim: int) -> Any:
    return v.reshape(1, -1, *(1,) * (ndim - 2)) if v.shape[0] else v.reshape(1, 0, *(1,) * (ndim - 2))


def _norm(root: Any, average: Any) -> Any:
    def batch_norm(x: Any, *parameters: Any, eps: float = 1e-5, only: str = "") -> Any:
        axes = (0, *range(2, x.ndim))
        mean = average(x, axes)
        centred = x - _column(mean, x.ndim)
        rstd = 1 / root(average(centred * centred, axes) + eps)
        y = centred * _column(rstd, x.ndim)
        weight = parameters[0] if parameters and only != "bias" else None
        bias = parameters[-1] if parameters and only != "weight" else None
        y = y if weight is None else y * _column(weight, x.ndim)
        return (y if bias is None else y + _column(bias, x.ndim)), mean, rstd

    return batch_norm


def _call_norm(x: Any, *parameters: Any, eps: float = 1e-5, only: str = "") -> Any:
    named = {only: parameters[0]} if only else dict(zip(("weight", "bias"), parameters, strict=False))
    return tgl.batch_norm(x, eps=eps, **named)


operation(
    "batch_norm",
    _call_norm,
    _norm(np.sqrt, lambda x, axes: x.mean(axes)),
    lambda t, *args, **options: _norm(t.sqrt, lambda x, axes: x.mean(axes))(*args, **options),
    [
        *(sample(real(4, 3)), sample(real(4, 3), positive(3), real(3)), sample(real(4, 2, 3), positive(2), real(2))),
        *(sample(real(4, 3), positive(3), only="weight"), sample(real(4, 3), real(3), only="bias")),
        *(sample(real(3, 2, 1), eps=0.1), sample(real(2, 2, 2, 2), positive(2), real(2)), sample(real(1, 2), eps=0.5)),
        *(sample(real(3, 0), real(0), real(0)), sample(real(1, 1), eps=0.5)),
    ],
    length=None,
    condition=32,
    returns=("same", "same", "same"),
)

# --- dropout: the mask is a pure function of the seed -----------------------------------------------


def _mask(shape: tuple[int, ...], p: float) -> np.ndarray:
    from tinygrad_lite.backends.cpu.random import keep_mask

    return keep_mask(11, 0, shape, 1.0 - p)


def _dropout(x: Any, p: float = 0.5, training: bool = True) -> Any:
    tgl.manual_seed(11)
    return tgl.dropout(x, p=p, training=training)


def _numpy_dropout(x: Any, p: float = 0.5, training: bool = True) -> Any:
    if not training:
        return x
    return np.where(_mask(x.shape, p), x * (1 / (1 - p)) if p < 1 else x, 0).astype(x.dtype)


def _torch_dropout(t: Any, x: Any, p: float = 0.5, training: bool = True) -> Any:
    if not training:
        return x
    return t.where(t.from_numpy(_mask(tuple(x.shape), p)), x / (1 - p) if p < 1 else x, 0.0)


operation(
    "dropout",
    _dropout,
    _numpy_dropout,
    _torch_dropout,
    [
        *(sample(real(4, 5)), sample(real(), p=0.1), sample(real(0)), sample(real(3, 2, 2), p=0.25)),
        *(sample(real(3), p=1.0), sample(real(3), training=False)),
    ],
    integers="float32",
)
