"""Sorting and searching along an axis, with ties and in both directions, and tensors as sets."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import operation, real, sample

# --- order ------------------------------------------------------------------------------------------

_LINES = [
    *(sample(real(5)), sample(real(1)), sample(real(0)), sample(real(5), descending=True)),
    *(sample(real(2, 3), axis=0), sample(real(2, 3), axis=-1, descending=True), sample(real(2, 3, 2), axis=1)),
    *(sample(real(2, 0), axis=0), sample(real(2, 4), axis=1, stable=False)),
]
_TIES = [
    sample(np.array([2.0, 1.0, 2.0, 1.0, 2.0]), descending=descending, label=f"ties, descending={descending}")
    for descending in (False, True)
]


def _order(x: Any, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    return np.argsort(-x if descending else x, axis=axis, kind="stable")


operation(
    "sort",
    tgl.sort,
    lambda x, axis=-1, **options: np.take_along_axis(x, _order(x, axis, **options), axis),
    lambda t, x, axis=-1, descending=False, stable=True: t.sort(x, dim=axis, descending=descending, stable=True)[0],
    _LINES,
    integers="same",
)
operation(
    "argsort",
    tgl.argsort,
    _order,
    lambda t, x, axis=-1, descending=False, stable=True: t.argsort(x, dim=axis, descending=descending, stable=True),
    [*_LINES, *_TIES],
    differentiable=(),
    returns=("int64",),
    integers="int64",
)


def _top(x: Any, k: int, axis: int = -1, largest: bool = True) -> Any:
    order = np.argsort(-x if largest else x, axis=axis, kind="stable")
    indices = np.take(order, range(k), axis=axis)
    return np.take_along_axis(x, indices, axis), indices


operation(
    "topk",
    tgl.topk,
    _top,
    lambda t, x, k, axis=-1, largest=True: tuple(t.topk(x, k, axis, largest, True)),
    [
        *(sample(real(5), k=2), sample(real(5), k=5), sample(real(4), k=0), sample(real(2, 5), k=3, largest=False)),
        *(sample(real(4, 2), k=2, axis=0), sample(real(2, 3, 2), k=1, axis=-2), sample(real(0, 3), k=2)),
        sample(real(1), k=1),
    ],
    returns=("same", "int64"),
)


def _kth(x: Any, k: int, axis: int = -1, keepdims: bool = False) -> Any:
    indices = np.take(np.argsort(x, axis, kind="stable"), [k - 1], axis)
    found = np.take_along_axis(x, indices, axis), indices
    return found if keepdims else tuple(np.squeeze(a, axis) for a in found)


operation(
    "kthvalue",
    tgl.kthvalue,
    _kth,
    lambda t, x, k, axis=-1, keepdims=False: tuple(t.kthvalue(x, k, axis, keepdims)),
    [
        *(sample(real(5), k=2), sample(real(5), k=5, keepdims=True), sample(real(1), k=1)),
        *(sample(real(3, 2), k=2, axis=0), sample(real(2, 3, 2), k=1, axis=-2, keepdims=True)),
        sample(real(0, 3), k=2),
    ],
    covers=("topk",),
    returns=("same", "int64"),
)

# --- search -----------------------------------------------------------------------------------------

_SORTED = np.array([-1.0, 0.5, 0.5, 2.0])
operation(
    "searchsorted",
    tgl.searchsorted,
    lambda x1, x2, sorter=None, side="left": np.searchsorted(x1, x2, side, sorter),
    lambda t, x1, x2, sorter=None, side="left": t.searchsorted(
        x1, x2, side=side, sorter=None if sorter is None else t.from_numpy(sorter)
    ),
    [
        *(sample(_SORTED, real(2, 3)), sample(_SORTED, np.array([0.5, -1.0, 2.0])), sample(_SORTED, real())),
        *(sample(_SORTED, np.array([0.5, -1.0, 2.0]), side="right"), sample(np.empty(0), real(2))),
        *(sample(_SORTED, np.empty((0, 2))), sample(np.array([1.0]), np.array([np.nan, 1.0, np.inf]))),
    ],
    differentiable=(),
    returns=("int64",),
    integers="int64",
)
_HOLES = [
    *(np.array([0.0, 1.5, 0.0, -2.0]), np.array([[0.0, np.nan], [3.0, 0.0]]), np.zeros((2, 0)), np.zeros(3)),
    *(np.ones(1), np.array([[[0.0, 1.0]], [[1.0, 1.0]]])),
]


for _name, _numpy, _torch_call in (
    ("nonzero", np.nonzero, lambda t, x: tuple(t.nonzero(x, as_tuple=True))),
    ("argwhere", np.argwhere, lambda t, x: t.argwhere(x)),
    ("flatnonzero", np.flatnonzero, lambda t, x: t.nonzero(x.reshape(-1))[:, 0]),
):
    operation(
        _name,
        getattr(tgl, _name),
        _numpy,
        _torch_call,
        [sample(a) for a in _HOLES],
        covers=(),
        differentiable=(),
        returns=("int64",) * (3 if _name == "nonzero" else 1),
    )

# --- sets -------------------------------------------------------------------------------------------

# All different: the gradients of equal elements are a convention, which test_sets.py states.
_BAGS = [real(5), real(2, 3), real(0), real(0, 2), real(1), real()]


def _distinct(*wanted: int) -> Any:
    def call(x: Any) -> Any:
        values, indices, inverse, counts = np.unique(x, True, True, True)
        found = (values, indices, inverse.reshape(x.shape), counts)
        return tuple(found[i] for i in wanted)

    return call


def _distinct_torch(*wanted: int) -> Any:
    """PyTorch's ``unique`` has no gradient: here the values are read from their first places."""

    def call(t: Any, x: Any) -> Any:
        _, indices, inverse, counts = _distinct(0, 1, 2, 3)(x.numpy(force=True))
        values = x.reshape(-1)[t.from_numpy(indices)]
        found = (values, t.from_numpy(indices), t.from_numpy(inverse), t.from_numpy(counts))
        return tuple(found[i] for i in wanted)

    return call


for _name, _wanted in (
    ("unique_all", (0, 1, 2, 3)),
    ("unique_counts", (0, 3)),
    ("unique_inverse", (0, 2)),
    ("unique_values", (0,)),
):
    operation(
        _name,
        getattr(tgl, _name),
        _distinct(*_wanted),
        _distinct_torch(*_wanted),
        [sample(a) for a in _BAGS],
        covers=("unique_all",),
        returns=("same", *("int64",) * (len(_wanted) - 1)),
        integers="same",
    )


def _numpy_unique(x: Any, axis: Any = None) -> Any:
    values, indices, inverse, counts = np.unique(x, True, True, True, axis)
    return values, indices, inverse.reshape(x.shape if axis is None else -1), counts


def _torch_unique(t: Any, x: Any, axis: Any = None) -> Any:
    _, indices, inverse, counts = map(t.from_numpy, _numpy_unique(x.numpy(force=True), axis)[:4])
    line = x.reshape(-1) if axis is None else x
    return line.index_select(0 if axis is None else axis, indices), inverse, counts


operation(
    "unique",
    lambda x, axis=None: tgl.unique(x, True, True, axis),
    lambda x, axis=None: tuple(_numpy_unique(x, axis)[i] for i in (0, 2, 3)),
    _torch_unique,
    [
        *(sample(real(3, 2)), sample(real(3, 2), axis=0), sample(real(3, 2), axis=-1), sample(real(1))),
        *(sample(np.empty((0, 2))), sample(real(2, 1, 2), axis=1)),
    ],
    covers=("unique_all",),
    returns=("same", "int64", "int64"),
    integers="same",
)
operation(
    "isin",
    tgl.isin,
    lambda x1, x2, invert=False: np.isin(x1, x2, invert=invert),
    lambda t, x1, x2, invert=False: t.isin(x1, x2, invert=invert),
    [
        *(sample(np.array([1.0, 2.0, np.nan]), np.array([np.nan, 1.0])), sample(real(), real())),
        *(sample(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[4.0], [1.0]]), invert=True),),
        *(sample(np.empty(0), real(2)), sample(real(2, 2), np.empty(0)), sample(real(2, 2), np.empty(0), invert=True)),
    ],
    differentiable=(),
    returns=("bool",),
    integers="bool",
)
