"""Order statistics, means that leave out or weigh, correlation, counting, and sampled curves."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import operation, positive, real, sample

_AXES: list[tuple[tuple[int, ...], Any]] = [
    *(((), None), ((1,), None), ((5,), 0), ((4,), -1), ((2, 3), None), ((2, 3), 0), ((2, 3), -1)),
    *(((2, 3), (0, 1)), ((2, 1, 3), (-1, 0)), ((2, 3, 2), (2, -3)), ((0, 3), 1)),
]


def _samples(**options: Any) -> list[Any]:
    plain = [sample(real(*shape), axis=axis, **options) for shape, axis in _AXES]
    return plain + [sample(real(*shape), axis=axis, keepdims=True, **options) for shape, axis in _AXES]


def _flat(x: Any, axis: Any, keepdims: bool) -> Any:
    """x with the reduced axes as the last one, and the shape of the result."""
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(a % x.ndim for a in axes)
    others = [i for i in range(x.ndim) if i not in axes]
    shape = [1 if i in axes else n for i, n in enumerate(x.shape)] if keepdims else [x.shape[i] for i in others]
    count = int(np.prod([x.shape[a] for a in axes], dtype=int))
    return x.permute((*others, *axes)).reshape(*[x.shape[i] for i in others], count), shape


# --- order statistics -------------------------------------------------------------------------------


def _torch_quantile(
    t: Any, x: Any, axis: Any = None, keepdims: bool = False, q: Any = 0.5, method: str = "linear"
) -> Any:
    lines, shape = _flat(x, axis, keepdims)
    several = isinstance(q, list)
    if lines.numel() == 0:
        return lines.sum(-1).reshape([len(q), *shape] if several else shape)
    found = t.quantile(lines.double(), t.tensor(q, dtype=t.float64), -1, interpolation=method)
    return found.to(x.dtype).reshape([len(q), *shape] if several else shape)


operation(
    "median",
    tgl.median,
    np.median,
    _torch_quantile,
    _samples(),
    covers=("sort", "getitem"),
    condition=4,
    integers="float32",
)
operation(
    "quantile",
    tgl.quantile,
    np.quantile,
    _torch_quantile,
    [
        *_samples(q=0.3),
        *(sample(real(6), q=0.3, method=m) for m in ("lower", "higher", "midpoint", "nearest")),
        *(sample(real(2, 5), q=[0.0, 0.25, 0.9, 1.0], axis=axis) for axis in (None, 0, 1)),
        *(sample(real(2, 5), q=[0.6], axis=1, keepdims=True), sample(real(5), q=0.5), sample(real(5), q=1)),
    ],
    covers=("sort", "getitem"),
    condition=4,
)

# --- sums and means ---------------------------------------------------------------------------------

_HOLES = [
    sample(np.array([[1.5, np.nan, -0.5], [np.nan, 2.0, np.nan]]), label=f"holes, axis={axis}", axis=axis)
    for axis in (None, 0, -1, (0, 1))
]


def _over(name: str) -> Any:
    def call(t: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        lines, shape = _flat(x, axis, keepdims)
        return getattr(t, name)(lines, -1).reshape(shape)

    return call


for _name, _integers in (("nansum", "int64"), ("nanmean", "float32")):
    operation(
        _name,
        getattr(tgl, _name),
        getattr(np, _name),
        _over(_name),
        [*_samples(), *_HOLES, sample(real(0, 3), axis=1)],
        covers=("sum", "where"),
        length=None,
        condition=4,
        integers=_integers,
        differences=False,  # the reference's NaN has no slope
    )


def _torch_extremum(name: str) -> Any:
    worst = -np.inf if name == "nanmax" else np.inf

    def call(t: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        lines, shape = _flat(x, axis, keepdims)
        return getattr(lines.where(~lines.isnan(), t.tensor(worst, dtype=x.dtype)), f"a{name[3:]}")(-1).reshape(shape)

    return call


for _name in ("nanmax", "nanmin"):
    operation(
        _name,
        getattr(tgl, _name),
        getattr(np, _name),
        _torch_extremum(_name),
        [*_samples(), *_HOLES],
        integers="same",
        differences=False,
    )


def _nan_spread(name: str) -> Any:
    def call(x: Any, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
        return getattr(np, name)(x, axis, ddof=correction, keepdims=keepdims)

    return call


def _torch_spread(name: str) -> Any:
    def call(t: Any, x: Any, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
        lines, shape = _flat(x, axis, keepdims)
        holes = lines.isnan()
        centred = (lines - lines.nanmean(-1, keepdim=True)).where(~holes, t.zeros((), dtype=x.dtype))
        variance = (centred**2).sum(-1) / ((~holes).sum(-1) - correction)
        if name == "nanstd":  # whose slope at 0 is 0, as that of std
            variance = t.where(variance == 0, 1.0, variance).sqrt() * (variance != 0)
        return variance.reshape(shape)

    return call


_SPREAD = [sample(real(*shape), axis=axis, **more) for shape, axis in _AXES[2:] for more in ({}, {"keepdims": True})]
for _name in ("nanvar", "nanstd"):
    operation(
        _name,
        getattr(tgl, _name),
        _nan_spread(_name),
        _torch_spread(_name),
        [*_SPREAD, sample(real(2, 3), correction=1), sample(real(1)), sample(real(0, 3), axis=1)],
        covers=("sum", "where"),
        length=None,
        condition=8,
        integers="float32",
        differences=False,
    )


def _average(x: Any, w: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    return np.average(x, axis, w, keepdims=keepdims)


def _torch_average(t: Any, x: Any, w: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    axes = tuple(range(x.ndim)) if axis is None else axis
    if w is None:
        return x.mean(axes, keepdim=keepdims)
    if w.ndim == 1 and x.ndim > 1:
        w = w.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)]).expand(x.shape)
    return (x * w).sum(axes, keepdim=keepdims) / w.sum(axes, keepdim=keepdims)


operation(
    "average",
    lambda x, w=None, **options: tgl.average(x, weights=w, **options),
    _average,
    _torch_average,
    [
        *(sample(real(5), positive(5)), sample(real(1), positive(1)), sample(real(2, 3), positive(2, 3))),
        *(sample(real(2, 3), positive(3), axis=-1), sample(real(2, 3), positive(2), axis=0, keepdims=True)),
        *(sample(real(2, 3, 2), positive(2, 3, 2), axis=(0, 2)), sample(real(0, 3), positive(3), axis=1)),
        *(sample(real(2, 3), axis=0), sample(real(2, 3))),
    ],
    covers=("sum", "multiply", "divide"),
    length=None,
    condition=8,
    integers="float32",
)

# --- correlation ------------------------------------------------------------------------------------

operation(
    "cov",
    tgl.cov,
    lambda x, correction=1: np.cov(x, ddof=correction),
    lambda t, x, correction=1: t.cov(x, correction=correction),
    [
        *(sample(real(5)), sample(real(2, 4)), sample(real(3, 2), correction=0), sample(real(1, 4))),
        *(sample(np.empty((0, 3))), sample(real(1), correction=0)),
    ],
    covers=("matmul", "mean"),
    length=None,
    condition=16,
    integers="float32",
)
operation(
    "corrcoef",
    tgl.corrcoef,
    np.corrcoef,
    lambda t, x: t.corrcoef(x),
    [sample(real(2, 4)), sample(real(3, 5)), sample(np.empty((0, 3))), sample(real(4)), sample(real(1, 3))],
    covers=("matmul", "mean"),
    length=None,
    condition=64,
    dtypes=("float32", "float64"),
)

# --- counting ---------------------------------------------------------------------------------------

_PLACES = np.array([2, 0, 2, 5, 0])
operation(
    "bincount",
    tgl.bincount,
    np.bincount,
    lambda t, x, w=None, minlength=0: (
        t.bincount(x, minlength=minlength)
        if w is None
        else t.zeros(max(minlength, int(x.max()) + 1 if len(x) else 0), dtype=w.dtype).index_add(0, x, w)
    ),
    [
        *(sample(_PLACES, real(5)), sample(_PLACES, real(5), minlength=8), sample(np.array([1]), real(1))),
        *(sample(np.empty(0, int), np.empty(0), minlength=2), sample(np.empty(0, int), np.empty(0))),
    ],
    length=8,
)


_HEAP = np.array([[0.3, -1.7, 0.9], [1.1, 1.2, 0.4]])  # nothing near an edge, which rounding might move past it


def _torch_histogram(t: Any, x: Any, w: Any = None, bins: Any = 10, density: bool = False, **options: Any) -> Any:
    limits = {} if options.get("range") is None else {"range": options["range"]}
    if x.numel() == 0 and not limits:
        limits = {"range": (0.0, 1.0)}
    counts, edges = t.histogram(
        x.detach().reshape(-1), bins, weight=None if w is None else w.detach().reshape(-1), density=density, **limits
    )
    return (counts if w is not None or density else counts.long()), edges


operation(
    "histogram",
    lambda x, **options: tgl.histogram(x, **options),
    lambda x, **options: np.histogram(x, **options),
    _torch_histogram,
    [
        *(sample(_HEAP, bins=3), sample(_HEAP, bins=4, range=(-1.0, 1.5)), sample(real(1), bins=3)),
        *(sample(np.empty(0), bins=2), sample(np.empty(0), bins=3, range=(0.0, 3.0)), sample(real(), bins=1)),
        sample(np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.0]), bins=4, label="on the edges"),
    ],
    covers=(),
    differentiable=(),
    returns=("int64", "same"),
    length=8,
)

# --- sampled curves ---------------------------------------------------------------------------------


def _torch_trapezoid(t: Any, y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    return t.trapezoid(y, dx=dx, dim=axis) if x is None else t.trapezoid(y, x, dim=axis)


operation(
    "trapezoid",
    tgl.trapezoid,
    lambda y, x=None, **options: np.trapezoid(y, x, **options),
    _torch_trapezoid,
    [
        *(sample(real(5), dx=0.5), sample(real(1), dx=2.0), sample(real(0), dx=1.0), sample(real(5), real(5))),
        *(sample(real(2, 3), real(3)), sample(real(2, 3), real(2, 3), axis=0), sample(real(3, 2), real(3, 2), axis=1)),
    ],
    covers=("sum", "multiply", "getitem"),
    length=8,
    condition=16,
)


def _torch_interp(t: Any, x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Any:
    """Written out: PyTorch has no interp."""
    inside = t.where(x < xp[0], xp[0], t.where(x > xp[-1], xp[-1], x))
    start = (t.searchsorted(xp.detach(), inside.detach().contiguous(), right=True) - 1).clip(0, max(len(xp) - 2, 0))
    stop = (start + 1).clip(max=len(xp) - 1)
    width = xp[stop] - xp[start]
    y = fp[start] + (inside - xp[start]) / t.where(width == 0, 1.0, width) * (fp[stop] - fp[start])
    y = y if left is None else t.where(x < xp[0], left, y)
    return y if right is None else t.where(x > xp[-1], right, y)


_KNOTS = np.array([-1.5, -0.75, 0.5, 1.25])
operation(
    "interp",
    tgl.interp,
    np.interp,
    _torch_interp,
    [
        *(sample(real(7), _KNOTS, real(4)), sample(real(2, 3), _KNOTS, real(4), left=5.0, right=-5.0)),
        *(sample(real(), _KNOTS, real(4)), sample(np.empty(0), _KNOTS, real(4)), sample(real(3), real(1), real(1))),
    ],
    covers=("getitem", "where"),
    length=16,
    condition=16,
)
