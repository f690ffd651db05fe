"""Factors, eigenvalues, singular values and norms of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import operation, real, sample
from operations.rows.linalg import LAPACK, OBLONG, SIZES, SQUARE, oblong, regular


def _symmetric(x: Any) -> Any:
    """Symmetric matrices made of any others, so that every sample may move freely."""
    return (x + x.mT) * 0.5


def _ours(x: Any) -> Any:
    return (x + tgl.matrix_transpose(x)) * 0.5


# --- factors and values -----------------------------------------------------------------------------------

operation(
    "cholesky",
    lambda x, upper=False: tgl.cholesky(_ours(x), upper),
    lambda x, upper=False: np.linalg.cholesky(_symmetric(x), upper=upper),
    lambda t, x, upper=False: t.linalg.cholesky(_symmetric(x), upper=upper),
    [*(sample(regular(*s)) for s in SIZES), sample(regular(2, 3, 3), upper=True)],
    **SQUARE,
)


# The signs of vectors are arbitrary: those of the rows of R make Q unique.
def _signed_qr(x: Any, mode: Any = "reduced") -> tuple[Any, Any]:
    q, r = tgl.linalg.qr(x, mode)
    signs = tgl.sign(tgl.linalg.diagonal(r))
    if q.shape[-1] == signs.shape[-1]:
        q = q * tgl.expand_dims(signs, -2)
    return q * q if mode == "complete" else q, (tgl.abs(r) if mode == "complete" else r * tgl.expand_dims(signs, -1))


def _numpy_qr(x: Any, mode: Any = "reduced") -> tuple[Any, Any]:
    q, r = np.linalg.qr(x, mode)
    signs = np.sign(np.linalg.diagonal(r))
    if q.shape[-1] == signs.shape[-1]:
        q = q * signs[..., None, :]
    return q * q if mode == "complete" else q, (np.abs(r) if mode == "complete" else r * signs[..., None])


def _torch_qr(t: Any, x: Any, mode: str = "reduced") -> tuple[Any, Any]:
    q, r = t.linalg.qr(x, mode)
    signs = t.sign(t.linalg.diagonal(r))
    if q.shape[-1] == signs.shape[-1]:
        q = q * signs[..., None, :]
    return q * q if mode == "complete" else q, (t.abs(r) if mode == "complete" else r * signs[..., None])


operation(
    "linalg.qr",
    _signed_qr,
    _numpy_qr,
    _torch_qr,
    [*(sample(oblong(*s)) for s in OBLONG), sample(regular(3, 3)), sample(oblong(2, 3), mode="complete")],
    covers=("qr",),
    returns=("same", "same"),
    **{**SQUARE, "condition": 64},
)


def _spectral(w: Any, v: Any) -> tuple[Any, Any]:
    """The values, and what does not depend on the signs of the vectors: the squares, and one product."""
    return w, v * v


operation(
    "linalg.eigh",
    lambda x: _spectral(*tgl.linalg.eigh(_ours(x))),
    lambda x: _spectral(*np.linalg.eigh(_symmetric(x))),
    lambda t, x: _spectral(*t.linalg.eigh(_symmetric(x))),
    [sample(regular(*s)) for s in SIZES],
    covers=("eigh",),
    returns=("same", "same"),
    **{**SQUARE, "condition": 256},
)
operation(
    "linalg.eigvalsh",
    lambda x: tgl.linalg.eigvalsh(_ours(x)),
    lambda x: np.linalg.eigvalsh(_symmetric(x)),
    lambda t, x: t.linalg.eigvalsh(_symmetric(x)),
    [sample(regular(*s)) for s in SIZES],
    covers=("eigvalsh",),
    **{**SQUARE, "condition": 64},
)


def _parts(u: Any, s: Any, vh: Any) -> tuple[Any, Any, Any]:
    """The values, the squares of the vectors, and the product of both with other values: signs cancel."""
    return s, u * u, (u * s[..., None, :] ** 3) @ vh


operation(
    "linalg.svd",
    lambda x, full=False: _parts(*tgl.linalg.svd(x, full_matrices=full)),
    lambda x, full=False: _parts(*np.linalg.svd(x, full_matrices=full)),
    lambda t, x, full=False: _parts(*t.linalg.svd(x, full_matrices=full)),
    [*(sample(oblong(*s)) for s in OBLONG), sample(regular(3, 3), full=True)],
    covers=("svd",),
    returns=("same", "same", "same"),
    **{**SQUARE, "condition": 256},
)
operation(
    "linalg.svdvals",
    tgl.linalg.svdvals,
    np.linalg.svdvals,
    lambda t, x: t.linalg.svdvals(x),
    [*(sample(oblong(*s)) for s in OBLONG), sample(regular(3, 3))],
    covers=("svdvals",),
    **{**SQUARE, "condition": 64},
)

# --- norms --------------------------------------------------------------------------------------------------

# No whole powers: ** of an array and np.power of old NumPy differ there in the last bit.
_ORDERS = (2, 1, 0, 3.3, 2.7, 0.4, -1, float("inf"), float("-inf"))
_AXES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    *(((), {}), ((1,), {}), ((3,), {}), ((2, 3), {}), ((2, 3), {"axis": 0}), ((2, 3), {"axis": -1, "keepdims": True})),
    *(((2, 3, 2), {"axis": (0, -1)}), ((2, 3), {"keepdims": True}), ((0, 3), {"axis": 1})),
]


def _vector_norm(x: Any, **options: Any) -> Any:
    return np.linalg.vector_norm(x, **options)


def _torch_vector_norm(t: Any, x: Any, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Any:
    return t.linalg.vector_norm(x, ord, axis, keepdims)


operation(
    "linalg.vector_norm",
    tgl.linalg.vector_norm,
    _vector_norm,
    _torch_vector_norm,
    [
        *(sample(real(*shape), **options) for shape, options in _AXES),
        *(sample(real(2, 3), axis=1, ord=order) for order in _ORDERS),
        *(sample(real(0)), sample(real(0, 2), axis=0, ord=1), sample(real(2), ord=-1), sample(real(), ord=3.3)),
    ],
    covers=("vector_norm",),
    length=None,
    condition=16,
)
_MATRIX_ORDERS = ("fro", "nuc", 1, -1, 2, -2, float("inf"), float("-inf"))
operation(
    "linalg.matrix_norm",
    tgl.linalg.matrix_norm,
    lambda x, **options: np.linalg.matrix_norm(x, **options),
    lambda t, x, keepdims=False, ord="fro": t.linalg.matrix_norm(x, ord, keepdim=keepdims),
    [
        *(sample(oblong(2, 3, 2), ord=order) for order in _MATRIX_ORDERS),
        *(sample(oblong(2, 3), ord=order, keepdims=True) for order in _MATRIX_ORDERS),
        *(sample(oblong(1, 1)), sample(oblong(0, 2, 3), ord=2), sample(real(0, 2), ord="nuc")),
    ],
    covers=("vector_norm", "svdvals", "max"),
    **{**SQUARE, "condition": 64},
)


def _torch_norm(t: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    return t.linalg.norm(x, ord, axis, keepdims)


operation(
    "linalg.norm",
    tgl.linalg.norm,
    np.linalg.norm,
    _torch_norm,
    [
        *(sample(real(3)), sample(real(2, 3, 2)), sample(real(2, 3), ord=1), sample(real(3), ord=3.3), sample(real(1))),
        *(
            sample(real(2, 3), axis=1),
            sample(np.expm1(real(2, 3, 2)), axis=(2, 0), ord=1, keepdims=True),
            sample(real(0)),
        ),
        *(sample(real(2, 3, 2), axis=(0, -1), ord="nuc"), sample(real(2, 3), keepdims=True)),
        sample(real(2, 3, 2), axis=(-1, 1), ord=float("inf")),
    ],
    covers=("vector_norm",),
    **{**SQUARE, "condition": 64},
)


def _numpy_distances(a: Any, b: Any, p: float = 2) -> Any:
    return np.linalg.vector_norm(a[..., :, None, :] - b[..., None, :, :], axis=-1, ord=p)


operation(
    "cdist",
    tgl.cdist,
    _numpy_distances,
    lambda t, a, b, p=2: t.linalg.vector_norm(a[..., :, None, :] - b[..., None, :, :], p, dim=-1),
    [
        *(
            sample(real(2, 3), real(4, 3)),
            sample(real(2, 3), 0.9 * real(2, 3) + 0.03, p=1),
            sample(real(1, 1), real(1, 1)),
        ),
        *(sample(real(2, 2, 2), real(3, 2), p=2.7), sample(real(0, 2), real(3, 2)), sample(real(3, 2), real(0, 2))),
    ],
    covers=("cdist", "subtract"),
    length=None,
    condition=64,
)


def _torch_cond(t: Any, x: Any, p: Any = None) -> Any:
    """PyTorch's own writes over what its gradient needs, except for singular values."""
    if p in (None, 2, -2):
        return t.linalg.cond(x, p)
    return t.linalg.matrix_norm(x, p) * t.linalg.matrix_norm(t.linalg.inv(x), p)


operation(
    "linalg.cond",
    tgl.linalg.cond,
    np.linalg.cond,
    _torch_cond,
    [
        *(sample(oblong(*s)) for s in OBLONG),
        *(sample(regular(3, 3), p=p) for p in (2, -2, 1, -1, "fro", "nuc", float("inf"), float("-inf"))),
    ],
    covers=("svdvals", "inv"),
    **{**SQUARE, "condition": 256},
)

# --- without derivatives ------------------------------------------------------------------------------------

_FLAT: dict[str, Any] = {**LAPACK, "differentiable": ()}


def _low_rank(*shape: int) -> np.ndarray:
    """All ones but in one corner: of rank 2, or of 1 if there is no other row."""
    x = np.ones(shape)
    x[..., 0, 0] = 2
    return x


operation(
    "linalg.matrix_rank",
    tgl.linalg.matrix_rank,
    lambda x, rtol=None: np.linalg.matrix_rank(x, rtol=rtol),
    lambda t, x, rtol=None: t.linalg.matrix_rank(x, rtol=rtol),
    [
        *(sample(_low_rank(3, 3)), sample(_low_rank(2, 2, 3)), sample(real(1, 1)), sample(oblong(0, 2, 2))),
        *(sample(np.diag([1.0, 0.1, 0.001]), rtol=0.01), sample(real(2, 2))),
    ],
    returns=("int64",),
    covers=(),
    **_FLAT,
)
_EIGENVALUES: dict[str, Any] = {**_FLAT, "condition": 256}
operation(
    "linalg.eigvals",
    lambda x: tgl.abs(tgl.linalg.eigvals(x)),
    lambda x: np.abs(np.linalg.eigvals(x)),
    lambda t, x: t.linalg.eigvals(x).abs(),
    [sample(regular(*s)) for s in SIZES],
    covers=("eigvals",),
    **_EIGENVALUES,
)
operation(
    "linalg.eig",
    lambda x: tuple(map(tgl.abs, tgl.linalg.eig(x))),
    lambda x: tuple(map(np.abs, np.linalg.eig(x))),
    lambda t, x: tuple(y.abs() for y in t.linalg.eig(x)),
    [sample(regular(*s)) for s in SIZES],
    covers=("eig",),
    returns=("same", "same"),
    **_EIGENVALUES,
)
