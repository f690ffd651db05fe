"""Reductions: every form of ``axis``, with and without ``keepdims``."""

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


def _products(t: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """One axis at a time, which is all that PyTorch's prod takes."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for a in sorted((a % x.ndim for a in axes), reverse=True):
        x = t.prod(x, dim=a, keepdim=keepdims)
    return x


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
for _name in ("var", "std"):
    operation(
        _name,
        getattr(tgl, _name),
        lambda x, correction=0.0, name=_name, **options: getattr(np, name)(x, ddof=correction, **options),
        lambda t, x, correction=0.0, name=_name, **options: _torch(name)(t, x, correction=correction, **options),
        [
            *_samples(_AXES[2:-1]),
            *(sample(real(5), correction=1), sample(real(2, 3), axis=-1, correction=1), sample(real())),
            *(sample(real(5), correction=1.5), sample(real(2, 3), axis=0, correction=-1, keepdims=True)),
            *(sample(real(1)), sample(real(1, 2), axis=0, keepdims=True)),
        ],
        length=None,
        condition=16,
        integers="float32",
    )
operation(
    "prod",
    tgl.prod,
    np.prod,
    _products,
    [
        *_samples(_AXES + _EMPTY),
        *(sample(np.array(v), label=f"zeros: {v}") for v in ([1.5, 0.0, -2.0], [0.0, 2.0, 0.0], [0.0] * 3)),
        sample(np.array([[0.0, 1.5, 2.0], [-2.0, 0.5, 0.0]]), axis=0, label="zeros in columns"),
        sample(np.array([[[0.0, 1.5], [2.0, 0.0]], [[-2.0, 0.5], [0.5, 1.5]]]), axis=(0, 2), label="zeros, two axes"),
        sample(real(7), label="an odd number"),
    ],
    length=None,
    condition=64,
    integers="int64",
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

operation(
    "count_nonzero",
    tgl.count_nonzero,
    lambda x, axis=None, keepdims=False: np.sum(x != 0, axis, keepdims=keepdims),
    lambda t, x, axis=None, keepdims=False: _torch("sum")(t, (x != 0).long(), axis, keepdims),
    [
        *_samples(_AXES + _EMPTY),
        *(sample(np.array([[0.0, 0.0], [0.0, 1.0], [1.0, np.nan]]), axis=axis) for axis in (None, 0, 1)),
    ],
    differentiable=(),
    returns=("int64",),
    integers="int64",
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
