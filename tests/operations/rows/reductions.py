"""Reductions and running sums: every form of ``axis``, with and without ``keepdims``."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import also_called, operation, real, sample

_AXES: list[tuple[tuple[int, ...], Any]] = [
    *(((), None), ((1,), None), ((5,), 0), ((5,), -1), ((2, 3), None), ((2, 3), 0), ((2, 3), -1)),
    *(((2, 3), (0, 1)), ((2, 1, 3), (-1, 0)), ((2, 1, 3), (1,)), ((2, 3, 2), (2, -3)), ((2, 3), ())),
]
_EMPTY: list[tuple[tuple[int, ...], Any]] = [((0,), None), ((0, 3), 0), ((2, 0, 3), (1, 2)), ((0, 3), 1)]


def _samples(shapes: list[tuple[tuple[int, ...], Any]]) -> list[Any]:
    plain = [sample(real(*shape), axis=axis) for shape, axis in shapes]
    return plain + [sample(real(*shape), axis=axis, keepdims=True) for shape, axis in shapes]


def _torch(name: str) -> Any:
    def call(t: Any, x: Any, axis: Any = None, keepdims: bool = False, **options: Any) -> Any:
        # To PyTorch an empty tuple of axes means all of them, to the standard none of them.
        if axis == ():
            x, axis = x.unsqueeze(0), (0,)
            return call(t, x, axis, False, **options)
        axis = tuple(range(x.ndim)) if axis is None else axis
        return getattr(t, name)(x, dim=axis, keepdim=keepdims, **options)

    return call


def _any_all(name: str) -> Any:
    def call(t: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        x = x.bool()
        for a in sorted((a % x.ndim for a in axes), reverse=True):
            x = getattr(t, name)(x, dim=a, keepdim=keepdims)
        return x

    return call


def _lse(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


operation("sum", tgl.sum, np.sum, _torch("sum"), _samples(_AXES + _EMPTY), length=None, condition=4, integers="int64")
operation("mean", tgl.mean, np.mean, _torch("mean"), _samples(_AXES), length=None, integers="float32")
for _name in ("max", "min"):
    operation(
        _name,
        getattr(tgl, _name),
        getattr(np, _name),
        _torch(f"a{_name}"),
        _samples([*_AXES[:-1], ((0, 3), 1)]),
        integers="same",
    )
    also_called(f"a{_name}", _name)
operation(
    "logsumexp",
    tgl.logsumexp,
    _lse,
    _torch("logsumexp"),
    [*_samples([*_AXES[:-1], ((0, 3), 1)]), sample(np.array([30.0, 31.0, -30.0]), label="large")],
    length=None,
    condition=4,
    integers="float32",
)
operation(
    "var",
    tgl.var,
    lambda x, correction=0.0, **options: np.var(x, ddof=correction, **options),
    lambda t, x, correction=0.0, **options: _torch("var")(t, x, correction=correction, **options),
    [*_samples(_AXES[2:-1]), sample(real(5), correction=1), sample(real(2, 3), axis=-1, correction=1), sample(real())],
    covers=("mean", "sum"),
    length=None,
    condition=4,
    integers="float32",
)
for _name in ("any", "all"):
    operation(
        _name,
        getattr(tgl, _name),
        getattr(np, _name),
        _any_all(_name),
        [
            *_samples(_AXES + _EMPTY),
            *(sample(np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), axis=axis) for axis in (None, 0, 1)),
        ],
        differentiable=(),
        returns=("bool",),
        integers="bool",
    )
for _name in ("argmax", "argmin"):
    operation(
        _name,
        getattr(tgl, _name),
        getattr(np, _name),
        lambda t, x, axis=None, keepdims=False, name=_name: getattr(t, name)(x, dim=axis, keepdim=keepdims),
        [
            *(sample(real(), axis=None), sample(real(5), axis=0), sample(real(2, 3), axis=None)),
            *(sample(real(2, 3), axis=-1), sample(real(2, 3), axis=0, keepdims=True)),
            *(sample(real(0, 3), axis=1), sample(np.array([1.0, 2.0, 2.0]), label="ties")),
        ],
        differentiable=(),
        returns=("int64",),
        integers="int64",
    )

# --- scans ------------------------------------------------------------------------------------------

_LINES = [
    *(sample(real(5)), sample(real(1)), sample(real(0)), sample(real(2, 3), axis=0)),
    *(sample(real(2, 3), axis=-1), sample(real(2, 3, 2), axis=1), sample(real(2, 0), axis=0)),
]
operation(
    "cumulative_sum",
    tgl.cumulative_sum,
    lambda x, axis=0: np.cumsum(x, axis),
    lambda t, x, axis=0: t.cumsum(x, axis),
    _LINES,
    length=None,
    condition=2,
    integers="int64",
)
operation(
    "cumulative_prod",
    tgl.cumulative_prod,
    lambda x, axis=0: np.cumprod(x, axis),
    lambda t, x, axis=0: t.cumprod(x, axis),
    [
        *_LINES,
        sample(np.array([1.5, 0.0, -2.0, 0.5]), label="one zero"),
        sample(np.array([0.0, 0.0, 2.0, 0.5]), label="two zeros"),
        sample(np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 3.0]]), axis=0, label="zeros in columns"),
    ],
    length=None,
    condition=16,
    integers="int64",
)


def _scan(stack: Any) -> Any:
    """The recurrence written out, step by step."""

    def scan(a: Any, b: Any, axis: int = -1, reverse: bool = False) -> Any:
        n = b.shape[axis]
        if n == 0:
            return b + 0 * a
        steps: list[Any] = [None] * n
        before = None
        for t in reversed(range(n)) if reverse else range(n):
            at = (slice(None),) * (axis % b.ndim) + (t,)
            before = steps[t] = b[at] if before is None else a[at] * before + b[at]
        return stack(steps, axis)

    return scan


operation(
    "linear_scan",
    tgl.linear_scan,
    _scan(np.stack),
    lambda t, a, b, **options: _scan(t.stack)(a, b, **options),
    [
        *(sample(real(5), real(5)), sample(real(5), real(5), reverse=True), sample(real(1), real(1))),
        *(sample(real(0), real(0)), sample(real(3, 2), real(3, 2), axis=0)),
        sample(real(2, 3, 2), real(2, 3, 2), axis=-2, reverse=True),
    ],
    length=None,
    condition=16,
)
operation(
    "sum_to",
    lambda x, shape: tgl.sum_to(x, shape),
    lambda x, shape: np.sum(
        x, tuple(i for i in range(x.ndim) if i < x.ndim - len(shape) or shape[i - x.ndim] != x.shape[i]), keepdims=True
    ).reshape(shape),
    lambda t, x, shape: x.sum_to_size(shape),
    [
        *(sample(real(2, 3), shape=(3,)), sample(real(2, 3), shape=(1, 3)), sample(real(2, 3), shape=())),
        *(sample(real(2, 3), shape=(2, 3)), sample(real(2, 4, 3), shape=(4, 1)), sample(real(0, 3), shape=(1, 3))),
        *(sample(real(), shape=()), sample(real(1, 1), shape=(1,))),
    ],
    length=None,
    condition=4,
)
