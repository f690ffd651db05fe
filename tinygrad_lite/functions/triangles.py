"""Triangles and diagonals of matrices: parts taken out, and matrices made from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rows import Row
from tinygrad_lite.autograd.rules import indexing as indexing_rules
from tinygrad_lite.autograd.rules import manipulation as rules
from tinygrad_lite.errors import ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, checked_keywords, integer, shape_tuple
from tinygrad_lite.functions.creation import created
from tinygrad_lite.functions.indexing import getitem
from tinygrad_lite.functions.manipulation import reshape

__all__ = [
    "diag",
    "diag_embed",
    "tril",
    "tril_indices",
    "triu",
    "triu_indices",
]


def _triangle(row: Row, x: Any, k: int) -> Tensor:
    x = as_tensor(row.name, x)
    if x._data.ndim < 2:
        hint = "a row is x.reshape(1, -1); diag(x) makes a matrix of a vector"
        fail(ShapeError, row.name, "needs at least 2 axes", {"x": x}, hint)
    return apply(row, (x,), (integer(row.name, "k", k),))


@checked_keywords
def tril(x: Any, /, k: int = 0) -> Tensor:
    """The lower triangle of the last two axes, up to the ``k``-th diagonal; zeros above it.

    >>> tril(Tensor([[1.0, 1.0], [1.0, 1.0]]))
    Tensor([[1., 0.],
            [1., 1.]])
    """
    return _triangle(rules.TRIL, x, k)


@checked_keywords
def triu(x: Any, /, k: int = 0) -> Tensor:
    """The upper triangle of the last two axes, from the ``k``-th diagonal on; zeros below it.

    >>> triu(Tensor([[1.0, 1.0], [1.0, 1.0]]))
    Tensor([[1., 1.],
            [0., 1.]])
    """
    return _triangle(rules.TRIU, x, k)


@checked_keywords
def tril_indices(n: int, k: int = 0, m: int | None = None, *, device: str | None = None) -> tuple[Tensor, Tensor]:
    """Rows and columns of the lower triangle of an ``n`` by ``m`` matrix (square by default), to index with.

    >>> rows, columns = tril_indices(2)
    >>> rows, columns
    (Tensor([0, 1, 1], dtype=int64), Tensor([0, 0, 1], dtype=int64))
    """
    height, width = shape_tuple("tril_indices", (n, n if m is None else m))
    return _places("tril_indices", np.tri(height, width, integer("tril_indices", "k", k), bool), device)


@checked_keywords
def triu_indices(n: int, k: int = 0, m: int | None = None, *, device: str | None = None) -> tuple[Tensor, Tensor]:
    """Rows and columns of the upper triangle of an ``n`` by ``m`` matrix (square by default), to index with.

    >>> rows, columns = triu_indices(2)
    >>> rows, columns
    (Tensor([0, 0, 1], dtype=int64), Tensor([0, 1, 1], dtype=int64))
    """
    height, width = shape_tuple("triu_indices", (n, n if m is None else m))
    return _places("triu_indices", ~np.tri(height, width, integer("triu_indices", "k", k) - 1, bool), device)


def _places(operation: str, mask: Any, device: str | None) -> tuple[Tensor, Tensor]:
    rows, columns = np.nonzero(mask)
    return created(operation, rows.astype(np.int64), device), created(operation, columns.astype(np.int64), device)


@checked_keywords
def diag(x: Any, /, k: int = 0) -> Tensor:
    """The ``k``-th diagonal of a matrix; or the matrix that has a vector there, and zeros elsewhere.

    Args:
        x: a vector or a matrix.
        k: above the main diagonal if positive, below it if negative.

    Raises:
        ShapeError: for anything else.

    >>> diag(Tensor([1.0, 2.0]))
    Tensor([[1., 0.],
            [0., 2.]])
    >>> diag(Tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    Tensor([2.])
    """
    x = as_tensor("diag", x)
    offset, ndim = integer("diag", "k", k), x._data.ndim
    if ndim == 1:
        return diag_embed(x, offset)
    if ndim != 2:
        hint = "linalg.diagonal(x) is for batches of matrices, diag_embed(x) for batches of vectors"
        fail(ShapeError, "diag", "needs a vector or a matrix", {"x": x}, hint)
    height, width = x._data.shape
    return getitem(reshape(x, (-1,)), _diagonal(height, width, offset))


@checked_keywords
def diag_embed(x: Any, /, k: int = 0) -> Tensor:
    """Matrices with the last axis of ``x`` on their ``k``-th diagonal, and zeros elsewhere.

    >>> diag_embed(Tensor([[1.0], [2.0]]), 1)
    Tensor([[[0., 1.],
             [0., 0.]],
    <BLANKLINE>
            [[0., 2.],
             [0., 0.]]])
    """
    x = as_tensor("diag_embed", x)
    offset = integer("diag_embed", "k", k)
    if not x._data.shape:
        fail(ShapeError, "diag_embed", "needs at least one axis", {"x": x}, "reshape(x, (1,))")
    *batch, length = x._data.shape
    n = length + abs(offset)
    index = (*(slice(None),) * len(batch), _diagonal(n, n, offset))
    flat = apply(indexing_rules.ADD_AT, (x,), (index, (*batch, n * n)))
    return reshape(flat, (*batch, n, n))


def _diagonal(height: int, width: int, k: int) -> slice:
    """Where the ``k``-th diagonal of a matrix lies among its elements in row-major order."""
    row, column = max(-k, 0), max(k, 0)
    length = max(min(height - row, width - column), 0)
    start = row * width + column if length else 0
    return slice(start, start + (length - 1) * (width + 1) + 1 if length else start, width + 1)
