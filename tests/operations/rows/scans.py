"""Running sums, products and extrema along one axis, differences, and the recurrence."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import operation, real, sample

_LINES = [
    *(sample(real(5)), sample(real(1)), sample(real(0)), sample(real(2, 3), axis=0)),
    *(sample(real(2, 3), axis=-1), sample(real(2, 3, 2), axis=1), sample(real(2, 0), axis=0)),
]
_INITIAL = [
    *(sample(real(3), include_initial=True), sample(real(0), include_initial=True)),
    *(sample(real(2, 3), axis=0, include_initial=True), sample(real(2, 3), axis=-1, include_initial=True)),
]


def _with_initial(running: Any, join: Any, initial: float) -> Any:
    def call(x: Any, axis: int = 0, include_initial: bool = False) -> Any:
        y = running(x, axis)
        first = (slice(None),) * (axis % x.ndim) + (slice(0, 1),)
        at = first if x.shape[axis] else ()
        edge = 0 * y[at] + initial if x.shape[axis] else y.sum(axis)[None] + initial
        return join([edge, y], axis) if include_initial else y

    return call


operation(
    "cumulative_sum",
    tgl.cumulative_sum,
    _with_initial(np.cumsum, np.concatenate, 0.0),
    lambda t, x, axis=0, **options: _with_initial(t.cumsum, t.cat, 0.0)(x, axis, **options),
    [*_LINES, *_INITIAL],
    length=None,
    condition=2,
    integers="int64",
)
operation(
    "cumulative_prod",
    tgl.cumulative_prod,
    _with_initial(np.cumprod, np.concatenate, 1.0),
    lambda t, x, axis=0, **options: _with_initial(t.cumprod, t.cat, 1.0)(x, axis, **options),
    [
        *_LINES,
        *_INITIAL,
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
for _name, _short in (("cumulative_max", "cummax"), ("cumulative_min", "cummin")):
    operation(
        _name,
        getattr(tgl, _name),
        lambda x, axis=0, name=_name[-3:]: getattr(np, f"{name}imum").accumulate(x, axis),
        lambda t, x, axis=0, name=_short: getattr(t, name)(x, axis)[0],
        _LINES,
        integers="same",
    )
operation(
    "logcumsumexp",
    tgl.logcumsumexp,
    lambda x, axis=0: np.log(np.cumsum(np.exp(x), axis)),
    lambda t, x, axis=0: t.logcumsumexp(x, axis),
    [*_LINES, sample(np.array([30.0, 31.0, -30.0]), label="large"), sample(np.array([1.0, -30.0, 2.0]), label="small")],
    length=None,
    condition=4,
    integers="float32",
)


def _torch_diff(t: Any, *arrays: Any, axis: int = -1, n: int = 1) -> Any:
    return t.diff(arrays[0], n, axis, **dict(zip(("prepend", "append"), arrays[1:])))


operation(
    "diff",
    lambda x, *edges, **options: tgl.diff(x, **dict(zip(("prepend", "append"), edges)), **options),
    lambda x, *edges, **options: np.diff(x, **dict(zip(("prepend", "append"), edges)), **options),
    _torch_diff,
    [
        *(sample(real(5)), sample(real(1)), sample(real(0)), sample(real(5), n=3), sample(real(4), n=0)),
        *(sample(real(2, 3), axis=0), sample(real(2, 3, 2), axis=-2), sample(real(2, 5), axis=1, n=2)),
        *(sample(real(3), real(2)), sample(real(3), real(1), real(2)), sample(real(2, 3), real(2, 1), real(2, 2), n=2)),
        sample(real(3), n=5),
    ],
    covers=("getitem", "concat", "subtract"),
    length=8,
    condition=8,
    integers="same",
)
