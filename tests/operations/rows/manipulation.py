"""Operations that move elements, and those that make arrays from nothing."""

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


def _concat(f: Any) -> Any:
    return lambda *xs, axis=0: f(xs, axis)


operation(
    "concat",
    _concat(tgl.concat),
    _concat(np.concatenate),
    lambda t, *xs, axis=0: t.cat([x.reshape(-1) for x in xs] if axis is None else xs, axis or 0),
    [
        *(sample(real(2), real(3)), sample(real(2, 1), real(2, 3), axis=1), sample(real(2, 3), real(0, 3))),
        *(sample(real(2, 3), real(2, 1), axis=-1), sample(real(4)), sample(real(1), real(1), real(1))),
        sample(real(2, 2), real(3), axis=None),
    ],
    integers="same",
)
operation(
    "stack",
    _concat(tgl.stack),
    _concat(np.stack),
    lambda t, *xs, axis=0: t.stack(xs, axis),
    [
        *(sample(real(), real()), sample(real(2), real(2), axis=1), sample(real(2, 3), real(2, 3), axis=-1)),
        *(sample(real(0), real(0)), sample(real(3))),
    ],
    covers=("concat", "expand_dims"),
    integers="same",
)


def _torch_pad(t: Any, x: Any, pad_width: Any, value: float = 0.0) -> Any:
    widths = ((pad_width, pad_width),) * x.ndim if isinstance(pad_width, int) else pad_width
    return t.nn.functional.pad(x, [n for pair in reversed(widths) for n in pair], value=value)


operation(
    "pad",
    tgl.pad,
    lambda x, pad_width, value=0.0: np.pad(x, pad_width, constant_values=value) if x.ndim else x,
    _torch_pad,
    [
        *(sample(real(3), pad_width=((1, 2),)), sample(real(2, 3), pad_width=((0, 1), (2, 0)), value=1.5)),
        *(sample(real(2, 3), pad_width=1), sample(real(0, 2), pad_width=((1, 0), (0, 0)))),
        *(sample(real(2), pad_width=((0, 0),)), sample(real(1), pad_width=2), sample(real(), pad_width=())),
    ],
    integers="same",
)
operation(
    "tril",
    tgl.tril,
    np.tril,
    lambda t, x, k=0: t.tril(x, k),
    [
        *(sample(real(3, 3)), sample(real(2, 4), k=1), sample(real(4, 2), k=-1), sample(real(2, 3, 3))),
        *(sample(real(0, 3)), sample(real(2, 2), k=-5), sample(real(1, 1))),
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

# --- from nothing -----------------------------------------------------------------------------------

_NOTHING: dict[str, Any] = {"differentiable": (), "covers": (), "returns": ("option",)}
for _name in ("zeros", "ones"):
    operation(
        _name,
        getattr(tgl, _name),
        getattr(np, _name),
        lambda t, shape, dtype, name=_name: getattr(t, name)(shape, dtype=getattr(t, dtype)),
        [sample(shape=shape, dtype=dtype) for shape in ((), (0,), (2, 3)) for dtype in ("float32", "int64", "bool")],
        **_NOTHING,
    )
    operation(
        f"{_name}_like",
        getattr(tgl, f"{_name}_like"),
        getattr(np, f"{_name}_like"),
        _like(f"{_name}_like"),
        [sample(real(*shape)) for shape in SHAPES],
        **{**_NOTHING, "returns": ("same",)},
        integers="same",
    )
operation(
    "full",
    tgl.full,
    np.full,
    lambda t, shape, fill_value, dtype: t.full(shape, fill_value, dtype=getattr(t, dtype)),
    [
        *(sample(shape=(2, 3), fill_value=7, dtype="int64"), sample(shape=(), fill_value=0.5, dtype="float32")),
        sample(shape=(0,), fill_value=True, dtype="bool"),
    ],
    **_NOTHING,
)
operation(
    "arange",
    lambda *, bounds, dtype: tgl.arange(*bounds, dtype=dtype),
    lambda *, bounds, dtype: np.arange(*bounds).astype(dtype),
    lambda t, *, bounds, dtype: t.arange(*bounds, dtype=getattr(t, dtype)),
    [
        *(sample(bounds=(4,), dtype="int64"), sample(bounds=(2, 8, 3), dtype="float32")),
        *(sample(bounds=(5, 0, -2), dtype="int32"), sample(bounds=(0,), dtype="int64")),
        sample(bounds=(1.0, 2.0, 0.25), dtype="float64"),
    ],
    **_NOTHING,
)
operation(
    "eye",
    lambda *, size, dtype: tgl.eye(*size, dtype=dtype),
    lambda *, size, dtype: np.eye(*size, dtype=dtype),
    lambda t, *, size, dtype: t.eye(*size, dtype=getattr(t, dtype)),
    [sample(size=size, dtype=dtype) for size in ((3,), (2, 3), (0,)) for dtype in ("float32", "int64")],
    **_NOTHING,
)
operation(
    "asarray",
    lambda *, obj, dtype=None: tgl.asarray(obj, dtype=dtype),
    lambda *, obj, dtype=None: np.asarray(obj, dtype or ("float32" if np.asarray(obj).dtype.kind == "f" else None)),
    lambda t, *, obj, dtype=None: t.tensor(obj, dtype=dtype and getattr(t, dtype)),
    [
        *(sample(obj=1.5), sample(obj=[[1, 2], [3, 4]]), sample(obj=[True, False]), sample(obj=[])),
        sample(obj=[1.5, 2.5], dtype="float64"),
    ],
    **_NOTHING,
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
