"""Running a sample: tensors of a dtype, layout and world; cotangents; and what one backward or forward pass gives."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.opaque import OpaqueArray, reveal
from operations.row import Operation, Sample
from tinygrad_lite import Tensor
from tinygrad_lite.autograd.graph import make_leaf, make_tensor


@functools.cache
def direction(shape: tuple[int, ...], seed: int = 0, dtype: Any = "float64") -> np.ndarray:
    """A random cotangent or tangent, the same for the same shape; no element is near 0."""
    rng = np.random.default_rng((seed, *shape))
    signs = np.where(rng.random(shape) < 0.5, -1.0, 1.0)
    return frozen(np.asarray(signs * rng.uniform(0.5, 1.5, shape), dtype))


def cast(arrays: Sequence[np.ndarray], dtype: Any) -> list[np.ndarray]:
    """The floating-point arrays in another precision."""
    return [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]


def strided(array: np.ndarray) -> np.ndarray:
    """The same elements with gaps and negative strides between them, and in column-major order."""
    if array.ndim == 0:
        return np.stack([array, array])[1]
    wide = np.zeros([2 * n for n in array.shape], array.dtype, order="F")
    view = wide[tuple(slice(None, None, -2) for _ in array.shape)]
    view[...] = array
    return view


def frozen(array: np.ndarray) -> np.ndarray:
    """A view that nothing can write through."""
    view = array.view()
    view.flags.writeable = False
    return view


#: Per kind of array how it is made of a NumPy array, and how its values are read.
WORLDS: dict[type, tuple[Any, Any]] = {
    np.ndarray: (lambda array: frozen(np.asarray(array)), lambda data: data),
    OpaqueArray: (OpaqueArray, reveal),
}


def tensor(array: np.ndarray, world: type = np.ndarray, requires_grad: bool = False) -> Tensor:
    """A tensor on ``array`` itself, or on a copy of it in another world."""
    made = make_tensor(WORLDS[world][0](array))
    if requires_grad:
        make_leaf(made)
    return made


def operands(row: Operation, arrays: Sequence[np.ndarray], world: type = np.ndarray) -> tuple[list, list]:
    """All operands as tensors, and those of them that have a gradient."""
    active = row.active(arrays)
    every = [tensor(a, world, requires_grad=i in active) for i, a in enumerate(arrays)]
    return every, [every[i] for i in active]


def results(returned: Any) -> list[Tensor]:
    """What an operation returned, as a list."""
    return list(returned) if isinstance(returned, (tuple, list)) else [returned]


def forward(row: Operation, one: Sample, xs: Sequence[Tensor]) -> list[Tensor]:
    """The results of a sample on tensors."""
    return results(row.call(*xs, **one.options))


def recorded(ys: Sequence[Tensor]) -> list[Tensor]:
    """The results that have a gradient."""
    return [y for y in ys if y.requires_grad]


def values(x: Any) -> np.ndarray:
    """The elements of a tensor of any world; the array must be one of that world's."""
    data = x._data
    assert type(data) in WORLDS, f"a tensor holds {type(data)}"
    return WORLDS[type(data)][1](data)


def pull(ys: Sequence[Tensor], xs: Sequence[Tensor], seed: int = 3, **options: Any) -> list[Any]:
    """J^T w with random w: the gradient of every x, None where there is none."""
    world = type(xs[0]._data)
    ws = [tensor(direction(y.shape, seed + i, y.dtype), world) for i, y in enumerate(ys)]
    return list(tgl.grad(ys, xs, ws, allow_unused=True, **options))


def dot(first: Sequence[Any], second: Sequence[Any]) -> float:
    """The sum of all products, in float64."""
    pairs = zip(first, second, strict=True)
    return float(sum(np.sum(np.float64(a) * np.float64(b)) for a, b in pairs))


def size_of(*groups: Sequence[Any]) -> float:
    """The largest magnitude in all of the arrays, at least 1."""
    return max([1.0, *(float(np.abs(a).max(initial=0.0)) for group in groups for a in group)])
