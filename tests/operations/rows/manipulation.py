"""Operations that move elements."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import SHAPES, operation, real, sample


def _like(name: str) -> Any:
    return lambda t, x, **options: getattr(t, name)(x, **options)


operation(
    "reshape",
    tgl.reshape,
    lambda x, shape: x.reshape(shape),
    lambda t, x, shape: x.reshape(shape),
    [
        *(sample(real(), shape=(1, 1)), sample(real(6), shape=(2, 3)), sample(real(2, 3), shape=(3, -1))),
        *(sample(real(2, 3), shape=-1), sample(real(0, 3), shape=(3, 0)), sample(real(1, 1), shape=())),
    ],
    integers="same",
)
operation(
    "Tensor.reshape",
    lambda x, shape, copy: tgl.reshape(x, shape, copy=copy),
    lambda x, shape, copy: x.reshape(shape),
    lambda t, x, shape, copy: x.reshape(shape),
    [
        *(sample(real(2, 3), shape=(6,), copy=True), sample(real(), shape=(1,), copy=None)),
        *(sample(real(0, 3), shape=(3, 0), copy=True), sample(real(1), shape=(), copy=True)),
    ],
    covers=("reshape", "clone"),
    integers="same",
)
operation(
    "flatten",
    tgl.flatten,
    lambda x, start_axis=0, end_axis=-1: x.reshape(
        *x.shape[:start_axis], -1 if x.size else 0, *x.shape[end_axis % max(x.ndim, 1) + 1 :]
    ),
    lambda t, x, start_axis=0, end_axis=-1: t.flatten(x, start_axis, end_axis),
    [
        *(sample(real()), sample(real(3)), sample(real(2, 3, 2)), sample(real(2, 3, 2), start_axis=1)),
        *(sample(real(2, 3, 2), end_axis=1), sample(real(2, 3, 2), start_axis=1, end_axis=-2), sample(real(0, 3))),
    ],
    covers=("reshape",),
    integers="same",
)
operation(
    "permute_dims",
    tgl.permute_dims,
    lambda x, axes: np.transpose(x, axes),
    lambda t, x, axes: t.permute(x, axes),
    [
        *(sample(real(), axes=()), sample(real(3), axes=(0,)), sample(real(2, 3), axes=(1, 0))),
        *(
            sample(real(2, 3, 4), axes=(2, 0, 1)),
            sample(real(2, 3, 4), axes=(-1, 0, -2)),
            sample(real(0, 2), axes=(1, 0)),
        ),
    ],
    integers="same",
)
operation(
    "matrix_transpose",
    tgl.matrix_transpose,
    lambda x: np.swapaxes(x, -1, -2),
    lambda t, x: x.mT,
    [sample(real(2, 3)), sample(real(2, 1, 3)), sample(real(0, 2)), sample(real(1, 1))],
    integers="same",
)
operation(
    "broadcast_to",
    tgl.broadcast_to,
    lambda x, shape: np.broadcast_to(x, shape),
    lambda t, x, shape: t.broadcast_to(x, shape),
    [
        *(sample(real(), shape=(2, 2)), sample(real(3), shape=(2, 3)), sample(real(2, 1), shape=(2, 3))),
        *(sample(real(1, 3), shape=(4, 1, 3)), sample(real(1), shape=(0,)), sample(real(2, 3), shape=(2, 3))),
        sample(real(0, 1), shape=(2, 0, 3)),
    ],
    integers="same",
)
operation(
    "expand_dims",
    tgl.expand_dims,
    lambda x, axis=0: np.expand_dims(x, axis),
    lambda t, x, axis=0: x.reshape(np.expand_dims(np.empty(tuple(x.shape)), axis).shape),
    [
        *(sample(real()), sample(real(3), axis=-1), sample(real(2, 3), axis=1), sample(real(2, 3), axis=(0, -1))),
        *(sample(real(2, 3), axis=(3, 1)), sample(real(0), axis=0)),
    ],
    integers="same",
)
operation(
    "squeeze",
    tgl.squeeze,
    np.squeeze,
    lambda t, x, axis=None: t.squeeze(x) if axis is None else t.squeeze(x, axis),
    [
        *(sample(real()), sample(real(1)), sample(real(1, 3, 1)), sample(real(1, 3, 1), axis=0)),
        *(sample(real(1, 3, 1), axis=(-1, 0)), sample(real(1, 0), axis=0)),
    ],
    integers="same",
)
operation(
    "flip",
    tgl.flip,
    np.flip,
    lambda t, x, axis=None: t.flip(
        x, tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    ),
    [
        *(sample(real()), sample(real(4)), sample(real(2, 3)), sample(real(2, 3), axis=-1)),
        *(sample(real(2, 3, 2), axis=(0, -1)), sample(real(0, 2), axis=1)),
    ],
    integers="same",
)


operation(
    "astype",
    lambda x, dtype: tgl.astype(x, dtype),
    lambda x, dtype: x.astype(dtype),
    lambda t, x, dtype: x.to(getattr(t, dtype)),
    [sample(real(*shape), dtype="float64") for shape in SHAPES] + [sample(real(3), dtype="float32")],
    returns=("option",),
    differences=False,
)

# ``x.clone()`` is a method with a row of its own.
operation(
    "Tensor.clone",
    lambda x: x.clone(),
    np.copy,
    lambda t, x: x.clone(),
    [sample(real(*shape)) for shape in SHAPES],
    covers=("clone",),
    integers="same",
)
# A cast to the dtype that is there already gives a new tensor on the same memory.
operation(
    "Tensor.astype",
    lambda x: x.astype(x.dtype),
    np.copy,
    lambda t, x: x.clone(),
    [sample(real(*shape)) for shape in SHAPES],
    covers=("reshape",),
    integers="same",
)
operation(
    "moveaxis",
    lambda x, source, destination: tgl.moveaxis(x, source, destination),
    np.moveaxis,
    lambda t, x, source, destination: t.movedim(x, source, destination),
    [
        *(sample(real(2, 3, 4), source=0, destination=-1), sample(real(2, 3, 4), source=(0, -1), destination=(1, 0))),
        *(sample(real(0, 2), source=1, destination=0), sample(real(1), source=0, destination=0)),
        *(sample(real(2, 3), source=(), destination=()), sample(real(), source=(), destination=())),
    ],
    covers=("permute_dims",),
    integers="same",
)
operation(
    "swapaxes",
    tgl.swapaxes,
    np.swapaxes,
    lambda t, x, axis1, axis2: t.swapaxes(x, axis1, axis2),
    [
        *(sample(real(2, 3, 4), axis1=0, axis2=2), sample(real(2, 3), axis1=-1, axis2=-2)),
        *(sample(real(0, 2), axis1=0, axis2=1), sample(real(1), axis1=0, axis2=-1)),
    ],
    covers=("permute_dims",),
    integers="same",
)
operation(
    "unflatten",
    tgl.unflatten,
    lambda x, axis, sizes: x.reshape(*x.shape[: axis % x.ndim], *sizes, *x.shape[axis % x.ndim + 1 :]),
    lambda t, x, axis, sizes: t.unflatten(x, axis, sizes),
    [
        *(sample(real(2, 6), axis=1, sizes=(2, -1)), sample(real(4), axis=-1, sizes=(2, 2, 1))),
        *(sample(real(0, 3), axis=1, sizes=(3, 1)), sample(real(1), axis=0, sizes=(1, 1))),
    ],
    covers=("reshape",),
    integers="same",
)
operation(
    "roll",
    tgl.roll,
    np.roll,
    lambda t, x, shift, axis=None: t.roll(x, shift, axis),
    [
        *(sample(real(4), shift=1), sample(real(2, 3), shift=-2), sample(real(2, 3), shift=5, axis=-1)),
        *(sample(real(2, 3), shift=(1, 2), axis=(0, 1)), sample(real(3, 2), shift=(1, 1), axis=(0, 0))),
        *(sample(real(0, 2), shift=1, axis=1), sample(real(0), shift=2), sample(real(1), shift=1)),
        sample(real(3), shift=0, axis=0),
    ],
    integers="same",
)
for _ndim in (1, 2, 3):
    operation(
        f"atleast_{_ndim}d",
        getattr(tgl, f"atleast_{_ndim}d"),
        getattr(np, f"atleast_{_ndim}d"),
        lambda t, x, ndim=_ndim: getattr(t, f"atleast_{ndim}d")(x),
        [
            sample(real()),
            sample(real(3)),
            sample(real(0)),
            sample(real(2, 3)),
            sample(real(2, 1, 3)),
            sample(real(1, 2, 2, 1)),
        ],
        covers=("reshape",),
        integers="same",
    )
operation(
    "rot90",
    tgl.rot90,
    np.rot90,
    lambda t, x, k=1, axes=(0, 1): t.rot90(x, k, axes),
    [
        *(sample(real(2, 3)), sample(real(2, 3), k=2), sample(real(2, 3), k=-1), sample(real(2, 3), k=4)),
        *(sample(real(2, 3, 2), axes=(2, 0)), sample(real(0, 2)), sample(real(1, 1), k=3)),
    ],
    covers=("flip",),
    integers="same",
)
