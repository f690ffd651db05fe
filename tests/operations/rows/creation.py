"""Operations that make tensors from nothing, or in the image of another."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import SHAPES, operation, real, sample


def _like(name: str) -> Any:
    return lambda t, x, **options: getattr(t, name)(x, **options)


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
# What uninitialised memory holds is nobody's business: only shape and dtype are compared.
operation(
    "empty",
    lambda shape, dtype: tgl.zeros_like(tgl.empty(shape, dtype)),
    np.zeros,
    lambda t, shape, dtype: t.zeros(shape, dtype=getattr(t, dtype)),
    [sample(shape=shape, dtype=dtype) for shape in ((), (0,), (2, 3)) for dtype in ("float32", "int64", "bool")],
    **_NOTHING,
)
operation(
    "empty_like",
    lambda x: tgl.zeros_like(tgl.empty_like(x)),
    np.zeros_like,
    _like("zeros_like"),
    [sample(real(*shape)) for shape in SHAPES],
    **{**_NOTHING, "returns": ("same",)},
    integers="same",
)
operation(
    "full_like",
    lambda x, fill_value: tgl.full_like(x, fill_value),
    np.full_like,
    lambda t, x, fill_value: t.full_like(x, fill_value),
    [sample(real(*shape), fill_value=2.5) for shape in SHAPES],
    **{**_NOTHING, "returns": ("same",)},
)


def _linspace(f: Any) -> Any:
    return lambda *, ends, num, endpoint=True, dtype="float64": f(*ends, num, endpoint=endpoint, dtype=dtype)


operation(
    "linspace",
    _linspace(tgl.linspace),
    _linspace(np.linspace),
    lambda t, *, ends, num, endpoint=True, dtype="float64": (
        t.from_numpy(np.linspace(*ends, num, endpoint, dtype=dtype))
        if dtype == "int64" or not endpoint  # which PyTorch rounds, and does not have
        else t.linspace(*ends, num, dtype=getattr(t, dtype))
    ),
    [
        *(sample(ends=(0.0, 1.0), num=5), sample(ends=(2, -1), num=4, endpoint=False), sample(ends=(1, 3), num=1)),
        *(sample(ends=(0, 1), num=0), sample(ends=(-3, 3), num=4, dtype="int64"), sample(ends=(0.1, 0.7), num=7)),
    ],
    length=4,
    **_NOTHING,
)


def _logspace(f: Any) -> Any:
    return lambda *, ends, num, base=10.0, dtype="float64": f(*ends, num, base=base, dtype=dtype)


operation(
    "logspace",
    _logspace(tgl.logspace),
    _logspace(np.logspace),
    lambda t, *, ends, num, base=10.0: t.logspace(*ends, num, base, dtype=t.float64),
    [sample(ends=(0.0, 2.0), num=5), sample(ends=(-1, 3), num=3, base=2), sample(ends=(0, 1), num=0)],
    length=4,
    condition=100.0,
    **_NOTHING,
)
