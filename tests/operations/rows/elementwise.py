"""Element-wise operations of one or two tensors, or a tensor and a number: arithmetic, exponentials, choices."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import PAIRS, SHAPES, operation, positive, real, sample


def unary(name: str, numpy: Any, values: Any = real, torch: Any = None, extra: Any = (), **fields: Any) -> None:
    """The row of a function of one tensor."""
    function = getattr(tgl, name)
    call = torch or (lambda t, x: getattr(t, name)(x))
    samples = [*(sample(values(*shape)) for shape in SHAPES), *extra]
    operation(name, function, numpy, call, samples, **{"integers": "float32", **fields})


def binary(
    name: str,
    numpy: Any,
    values: Any = real,
    second: Any = None,
    torch: Any = None,
    extra: Any = (),
    numbers: tuple[float, ...] = (2, 0.5, 3.0, 2, 0.5),
    **fields: Any,
) -> None:
    """The row of a function of two tensors or a tensor and a number: of ``numbers``, three go right and two left."""
    function = getattr(tgl, name)

    def call(a: Any, b: Any = None, *, left: Any = None, right: Any = None) -> Any:
        if b is not None:
            return function(a, b)
        return function(a, right) if left is None else function(left, a)

    def reference(a: Any, b: Any = None, *, left: Any = None, right: Any = None) -> Any:
        if b is not None:
            return numpy(a, b)
        return numpy(a, a.dtype.type(right)) if left is None else numpy(a.dtype.type(left), a)

    def peer(t: Any, a: Any, b: Any = None, *, left: Any = None, right: Any = None) -> Any:
        theirs = functools.partial(torch, t) if torch else getattr(t, name)
        if b is not None:
            return theirs(a, b)
        number = t.as_tensor(right if left is None else left, dtype=a.dtype)
        return theirs(a, number) if left is None else theirs(number, a)

    second = second or values
    samples = [sample(values(*s1), second(*s2)) for s1, s2 in PAIRS]
    samples += [sample(values(*shape), right=n) for shape, n in zip(((2, 3), (3,), ()), numbers, strict=False)]
    samples += [sample(second(*shape), left=n) for shape, n in zip(((2, 3), (0,)), numbers[3:], strict=True)]
    operation(name, call, reference, peer, [*samples, *extra], **fields)


# --- arithmetic -------------------------------------------------------------------------------------


def away(*shape: int) -> np.ndarray:
    """Denominators of both signs, not near 0."""
    x = positive(*shape)
    return np.where(np.arange(x.size).reshape(shape) % 2, -x, x)


binary("add", np.add, integers="same")
binary("subtract", np.subtract, integers="same")
binary("multiply", np.multiply, integers="same")
binary("divide", np.divide, second=away, condition=4, integers="float32")
binary("pow", np.power, values=positive, covers=("pow", "power"), length=4, condition=20)


def _tenths(*shape: int) -> np.ndarray:
    return np.round(real(*shape), 1)


def _between(*shape: int) -> np.ndarray:
    return _tenths(*shape) + 0.05  # so that no two operands come close to a tie


_APART: dict[str, Any] = {"second": _between, "numbers": (3, 0.55, 3.05, -3, 0.5)}
binary("maximum", np.maximum, _tenths, integers="same", **_APART)
binary("minimum", np.minimum, _tenths, integers="same", **_APART)
unary("negative", np.negative, integers="same")
unary("positive", np.positive, integers="same")
unary("reciprocal", np.reciprocal, away, condition=4)
binary("hypot", np.hypot, length=2, integers="float32")

# --- exponentials and powers ------------------------------------------------------------------------

unary("exp", np.exp, length=4)
unary("expm1", np.expm1, length=4)
unary("log", np.log, positive, length=4)
unary("exp2", np.exp2, length=4)
unary("log1p", np.log1p, positive, length=4)
unary("log2", np.log2, positive, length=4)
unary("log10", np.log10, positive, length=4)
binary("logaddexp", np.logaddexp, length=4, integers="float32")
binary("logaddexp2", np.logaddexp2, length=4, integers="float32")
unary("sqrt", np.sqrt, positive)
unary("rsqrt", lambda x: 1 / np.sqrt(x), positive, length=2)
unary("square", np.square, integers="same")
unary("abs", np.abs, integers="same")
unary("sign", np.sign, integers="same", flat=True)


def _clear(*shape: int) -> np.ndarray:
    """Numbers from (-2, 2), whose magnitudes leave out what is between 0.75 and 1.05."""
    x = real(*shape, low=-1.4, high=1.4)
    return np.where((np.abs(x) > 0.75) & (np.abs(x) < 1.05), 1.5 * x, x)


def _low(*shape: int) -> np.ndarray:
    return real(*shape, low=-1.0, high=-0.8)


def _high(*shape: int) -> np.ndarray:
    return real(*shape, low=0.8, high=1.0)


def _torch_clip(t: Any, x: Any, low: Any, high: Any, min: Any, max: Any) -> Any:
    if low is None:
        return t.clip(x, min, max)
    bounds = [t.as_tensor(bound, dtype=x.dtype) for bound in (low, max if high is None else high) if bound is not None]
    return t.clip(*t.broadcast_tensors(x, *bounds))  # without which their gradient of a bound fails


binary("copysign", np.copysign, integers="float32", differentiable=(0,))
operation(
    "heaviside",
    lambda y, x: tgl.heaviside(x, y),
    lambda y, x: np.heaviside(x, y),
    lambda t, y, x: t.where(x == 0, y, (x > 0).to(x.dtype)),  # their own has no derivative
    [*(sample(real(*s1), real(*s2)) for s1, s2 in PAIRS), sample(real(3), np.array([0.0, -1.0, 1.0]), label="zero")],
    differentiable=(0,),
    integers="float32",
)
operation(
    "clip",
    tgl.clip,
    lambda x, low=None, high=None, min=None, max=None: np.clip(
        x, min if low is None else low, max if high is None else high
    ),
    lambda t, x, low=None, high=None, min=None, max=None: _torch_clip(t, x, low, high, min, max),
    [
        *(sample(_clear(*shape), min=-0.9, max=0.9) for shape in SHAPES),
        *(sample(_clear(2, 3), min=0.9), sample(_clear(2, 3), max=0.9), sample(real(4), min=-1, max=1)),
        *(sample(_clear(*s1), _low(*s2)) for s1, s2 in PAIRS),
        sample(_clear(2, 3), _low(3), _high(2, 1)),
        sample(_clear(3), _low(1), max=0.9),
        sample(_clear(3, 1), _high(1), _low(3)),
        sample(_clear(), _low(2, 2), _high(2)),
    ],
)
operation(
    "lerp",
    tgl.lerp,
    lambda a, b, w=0.25: a * (1 - w) + b * w,
    lambda t, a, b, w=0.25: t.lerp(*t.broadcast_tensors(a, b), w),
    [
        *(sample(real(*s1), real(*s2), real(*s2)) for s1, s2 in PAIRS),
        sample(real(3), real(2, 1), positive(2, 3)),
    ],
    covers=("add", "multiply", "subtract"),
    length=4,
)

# --- choices ----------------------------------------------------------------------------------------


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

_SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.5, -2.0])
operation(
    "nan_to_num",
    tgl.nan_to_num,
    lambda x, **options: np.nan_to_num(x, **options),
    lambda t, x, **options: t.nan_to_num(x, **options),
    [
        *(sample(real(*shape)) for shape in SHAPES),
        sample(_SPECIAL, nan=1.5, posinf=9.0, neginf=-9.0),
        sample(_SPECIAL, posinf=1, neginf=0),
    ],
    covers=("where",),
    differences=False,
    integers="same",
)
