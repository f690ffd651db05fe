"""Activations: piecewise linear ones, smooth ones, and gates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import SHAPES, operation, positive, real, sample

# Bends lie at 0, at 0.5 and 1 from it, and at 3 and 6: none of these numbers comes near.
_FAR = [sample(np.array([-30.0, -9.0, -4.4, -2.6, 2.7, 4.3, 7.0, 9.0, 30.0]), label="far")]


def _functional(name: str) -> Any:
    return lambda t, *args, **options: getattr(t.nn.functional, name)(*args, **options)


def _activation(name: str, numpy: Any, *options: dict[str, Any], **fields: Any) -> None:
    """``options``: the settings to try, on a matrix and on numbers far from 0."""
    samples = [*(sample(real(*shape)) for shape in SHAPES), *_FAR] if "needs" not in fields else []
    needs = fields.pop("needs", {})
    if needs:
        samples = [*(sample(real(*shape), **needs) for shape in SHAPES)]
    for given in options:
        samples += [sample(real(2, 3), **given), sample(_FAR[0].arrays[0], **given)]
    fields.setdefault("integers", "float32")
    operation(name, getattr(tgl, name), numpy, fields.pop("torch", _functional(name)), samples, **fields)


# --- piecewise linear -------------------------------------------------------------------------------

_activation("relu", lambda x: np.maximum(x, 0))
_activation("relu6", lambda x: np.clip(x, 0, 6), covers=("hardtanh",))
_activation("hardtanh", lambda x, min_val=-1, max_val=1: np.clip(x, min_val, max_val), {"min_val": -3.5, "max_val": 2})
_activation("hardsigmoid", lambda x: np.clip(x + 3, 0, 6) / 6, length=4, torch=lambda t, x: t.clip(x + 3, 0, 6) / 6)
_activation("hardswish", lambda x: x * np.clip(x + 3, 0, 6) / 6, length=4)
_activation(
    "threshold",
    lambda x, threshold, value: np.where(x > threshold, x, value),
    {"threshold": -2.2, "value": 0.0},
    {"threshold": 0, "value": 3},
    needs={"threshold": 0.1, "value": -0.5},
)
_activation(
    "leaky_relu",
    lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x),
    {"negative_slope": 0.3},
    {"negative_slope": 0},
    {"negative_slope": -2.0},
)
_activation("softshrink", lambda x, lambd=0.5: x - np.clip(x, -lambd, lambd), {"lambd": 0.0}, {"lambd": 3.3})
_activation("hardshrink", lambda x, lambd=0.5: np.where(np.abs(x) > lambd, x, 0), {"lambd": 0}, {"lambd": 3.3})


def _numpy_prelu(x: Any, weight: Any) -> Any:
    if weight.size != 1:
        weight = weight.reshape(-1, *(1,) * (x.ndim - 2))
    return np.where(x > 0, x, weight.reshape(weight.shape if weight.size != 1 else ()) * x)


operation(
    "prelu",
    tgl.prelu,
    _numpy_prelu,
    _functional("prelu"),
    [
        *(sample(real(*shape), positive(1)) for shape in SHAPES),
        *(sample(real(4, 3), positive(3)), sample(real(2, 3, 2), positive(3)), sample(real(2, 2, 1, 3), positive(2))),
        *(sample(real(0, 3), positive(3)), sample(real(2, 3), positive()), sample(real(4), positive())),
        *(sample(real(3, 0, 2), positive(0)), sample(_FAR[0].arrays[0].reshape(3, 3), positive(3), label="far")),
    ],
    length=None,  # the gradient of a slope is a sum
    condition=16,
    integers="float32",
)

# --- rrelu: the slopes are a pure function of the seed ------------------------------------------------


def _slopes(x: Any, lower: float, upper: float, training: bool) -> Any:
    from tinygrad_lite.backends.cpu.random import uniform

    if not training:
        return (lower + upper) / 2
    tgl.manual_seed(11)
    return uniform(*tgl.random.next_key(), tuple(x.shape), "float64") * (upper - lower) + lower


def _rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Any:
    tgl.manual_seed(11)
    return tgl.rrelu(x, lower, upper, training)


def _numpy_rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Any:
    return np.where(x > 0, x, _slopes(x, lower, upper, training) * x)


def _torch_rrelu(t: Any, x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Any:
    return t.where(x > 0, x, t.as_tensor(_slopes(x, lower, upper, training), dtype=x.dtype) * x)


_TRAINING = {"lower": 0.25, "upper": 1.5, "training": True}
operation(
    "rrelu",
    _rrelu,
    _numpy_rrelu,
    _torch_rrelu,
    [
        *(sample(real(*shape)) for shape in SHAPES),
        *(sample(real(*shape), **_TRAINING) for shape in SHAPES),
        sample(real(2, 3), lower=0.5, upper=0.5, training=True),
    ],
    covers=("leaky_relu", "multiply"),
    dtypes=("float64",),  # each precision draws bits of its own: see test_activations.py
)

# --- exponential on the left ------------------------------------------------------------------------


def _elu(x: Any, alpha: float = 1.0, scale: float = 1.0, rate: float = 1.0) -> Any:
    return scale * np.where(x > 0, x, alpha * np.expm1(rate * np.minimum(x, 0)))


_activation("elu", _elu, {"alpha": 2.5}, {"alpha": 0.5}, length=4)
# PyTorch rounds 1 / alpha to float32 in the gradient of celu, and 1/6 in that of hardsigmoid, even for float64.
_activation(
    "celu",
    lambda x, alpha=1.0: _elu(x, alpha, 1.0, 1 / alpha),
    {"alpha": 2.0},
    {"alpha": 0.25},
    length=4,
    covers=("elu",),
)
_activation("selu", lambda x: _elu(x, 1.6732632423543772, 1.0507009873554805), length=4, covers=("elu",))

# --- smooth ----------------------------------------------------------------------------------------


def _numpy_softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    return np.where(beta * x > threshold, x, np.logaddexp(beta * x, 0) / beta)


_activation(
    "softplus",
    _numpy_softplus,
    {"beta": 3.0},
    {"beta": 0.5, "threshold": 3.0},
    {"beta": -1.5, "threshold": math.inf},
    {"threshold": math.inf},
    length=8,
    condition=4,
    torch=lambda t, x, beta=1.0, threshold=20.0: t.nn.functional.softplus(x, beta, min(threshold, 1e9)),
)
_activation("logsigmoid", lambda x: -np.logaddexp(-x, 0), length=4)
_activation("silu", lambda x: x / (1 + np.exp(-x)), length=8)
_activation("mish", lambda x: x * np.tanh(np.logaddexp(x, 0)), length=8)
_erf = np.vectorize(math.erf, otypes=["float64"])
_activation(
    "gelu",
    lambda x, approximate="none": (
        x
        * (
            1
            + (_erf(x / math.sqrt(2)) if approximate == "none" else np.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))
        )
        / 2
    ),
    {"approximate": "tanh"},
    covers=("gelu", "gelu_tanh"),
    length=8,
)
_activation("softsign", lambda x: x / (1 + np.abs(x)), length=4)
_activation("tanhshrink", lambda x: x - np.tanh(x), length=4)

# --- gates -----------------------------------------------------------------------------------------


def _numpy_glu(x: Any, axis: int = -1) -> Any:
    a, b = np.split(x, 2, axis)
    return a / (1 + np.exp(-b))


operation(
    "glu",
    tgl.glu,
    _numpy_glu,
    lambda t, x, axis=-1: t.nn.functional.glu(x, axis),
    [
        *(
            sample(real(4)),
            sample(real(2)),
            sample(real(3, 4)),
            sample(real(2, 3), axis=0),
            sample(real(2, 4, 3), axis=-2),
        ),
        *(sample(real(0, 2)), sample(real(3, 0)), sample(real(2, 1), axis=0)),
        sample(np.array([[3.0, -2.0], [-30.0, 30.0]]), axis=0, label="far"),
    ],
    length=4,
    integers="float32",
)
