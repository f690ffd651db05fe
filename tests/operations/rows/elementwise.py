"""Element-wise operations: one or two operands, numbers on either side, comparisons and logic."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import PAIRS, SHAPES, operation, positive, real, sample


def _unary(name: str, numpy: Any, values: Any = real, torch: Any = None, extra: Any = (), **fields: Any) -> None:
    function = getattr(tgl, name)
    call = torch or (lambda t, x: getattr(t, name)(x))
    samples = [*(sample(values(*shape)) for shape in SHAPES), *extra]
    operation(name, function, numpy, call, samples, **{"integers": "float32", **fields})


def _binary(name: str, numpy: Any, values: Any = real, second: Any = None, **fields: Any) -> None:
    function = getattr(tgl, name)

    def call(a: Any, b: Any = None, *, left: Any = None, right: Any = None) -> Any:
        if b is not None:
            return function(a, b)
        return function(a, right) if left is None else function(left, a)

    def reference(a: Any, b: Any = None, *, left: Any = None, right: Any = None) -> Any:
        if b is not None:
            return numpy(a, b)
        return numpy(a, a.dtype.type(right)) if left is None else numpy(a.dtype.type(left), a)

    def torch(t: Any, a: Any, b: Any = None, *, left: Any = None, right: Any = None) -> Any:
        peer = getattr(t, name)
        if b is not None:
            return peer(a, b)
        number = t.as_tensor(right if left is None else left, dtype=a.dtype)
        return peer(a, number) if left is None else peer(number, a)

    samples = [sample(values(*s1), (second or values)(*s2)) for s1, s2 in PAIRS]
    samples += [sample(values(2, 3), right=2), sample(values(3), right=0.5), sample(values(), right=3.0)]
    samples += [sample((second or values)(2, 3), left=2), sample((second or values)(0), left=0.5)]
    operation(name, call, reference, torch, samples, **fields)


# --- arithmetic -------------------------------------------------------------------------------------


def _away(*shape: int) -> np.ndarray:
    """Denominators of both signs, not near 0."""
    x = positive(*shape)
    return np.where(np.arange(x.size).reshape(shape) % 2, -x, x)


_binary("add", np.add, integers="same")
_binary("subtract", np.subtract, integers="same")
_binary("multiply", np.multiply, integers="same")
_binary("divide", np.divide, second=_away, condition=4, integers="float32")
_binary("pow", np.power, values=positive, covers=("pow", "power"), length=4, condition=20)
_binary("maximum", np.maximum, integers="same")
_binary("minimum", np.minimum, integers="same")
_unary("negative", np.negative, integers="same")

# --- exponentials and activations -------------------------------------------------------------------

_unary("exp", np.exp, length=4)
_unary("expm1", np.expm1, length=4)
_unary("log", np.log, positive, length=4)
_unary("log1p", np.log1p, positive, length=4)
_unary("sqrt", np.sqrt, positive)
_unary("square", np.square, integers="same")
_unary("sin", np.sin, length=4)
_unary("cos", np.cos, length=4)
_unary("tanh", np.tanh, length=4)
_unary("abs", np.abs, integers="same")
_unary("sign", np.sign, integers="same", flat=True)
_EXTREME = [sample(np.array([-30.0, -9.0, 9.0, 30.0]), label="extreme")]
_unary("sigmoid", lambda x: 1 / (1 + np.exp(-x)), length=4, extra=_EXTREME)
_unary("relu", lambda x: np.maximum(x, 0), extra=_EXTREME)
_unary(
    "softplus",
    lambda x: np.logaddexp(x, 0),
    torch=lambda t, x: t.nn.functional.softplus(x, threshold=1e9),
    extra=_EXTREME,
    length=4,
)
operation(
    "clip",
    tgl.clip,
    lambda x, min=None, max=None: np.clip(x, min, max),
    lambda t, x, min=None, max=None: t.clip(x, min, max),
    [
        *(sample(real(*shape), min=-0.75, max=0.75) for shape in SHAPES),
        *(sample(real(2, 3), min=0.1), sample(real(2, 3), max=0.1), sample(real(4), min=-1, max=1)),
    ],
)


# --- choices and comparisons ------------------------------------------------------------------------


def _mask(*shape: int) -> np.ndarray:
    return real(*shape) > 0


def _where(f: Any) -> Any:
    def where(condition: Any, a: Any, b: Any = None, *, first: Any = None, second: Any = None) -> Any:
        if b is not None:
            return f(condition, a, b)
        return f(condition, a, second) if first is None else f(condition, first, a)

    return where


operation(
    "where",
    _where(tgl.where),
    _where(np.where),
    lambda t, *args, **options: _where(t.where)(*args, **options),
    [
        sample(_mask(), real(), real()),
        sample(_mask(3), real(3), real(3)),
        sample(_mask(3), real(2, 3), real(2, 1)),
        sample(_mask(2, 1, 1), real(), real(3, 1)),
        sample(_mask(0), real(1), real(0)),
        sample(_mask(4), real(4), second=0.5),
        sample(_mask(2, 2), real(2), first=-1),
    ],
)


def _comparison(name: str, numpy: Any, torch: str) -> None:
    ties = np.array([1.0, 2.0, -0.5, 0.0])
    samples = [sample(real(*s1), real(*s2)) for s1, s2 in PAIRS]
    samples.append(sample(ties, ties[::-1].copy() * [1, 1, 1, 0], label="ties"))
    operation(
        name,
        getattr(tgl, name),
        numpy,
        lambda t, a, b: getattr(t, torch)(a, b),
        samples,
        differentiable=(),
        returns=("bool",),
        integers="bool",
    )


_comparison("equal", np.equal, "eq")
_comparison("not_equal", np.not_equal, "ne")
_comparison("less", np.less, "lt")
_comparison("less_equal", np.less_equal, "le")
_comparison("greater", np.greater, "gt")
_comparison("greater_equal", np.greater_equal, "ge")
_comparison("logical_and", np.logical_and, "logical_and")
_comparison("logical_or", np.logical_or, "logical_or")
_PREDICATE: dict[str, Any] = {"differentiable": (), "returns": ("bool",), "integers": "bool"}
_SPECIAL = [sample(np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0]), label="special")]
_unary("logical_not", np.logical_not, extra=_SPECIAL, **_PREDICATE)
_unary("isfinite", np.isfinite, extra=_SPECIAL, **_PREDICATE)
_unary("isnan", np.isnan, extra=_SPECIAL, **_PREDICATE)
