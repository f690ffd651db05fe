"""Tensors of evenly spaced numbers, and the identity matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.errors import ArgumentError, DTypeError, fail
from tinygrad_lite.functions.arguments import checked_keywords, integer, number, shape_tuple
from tinygrad_lite.functions.creation import created, dtype_or_default

__all__ = [
    "arange",
    "eye",
    "linspace",
    "logspace",
]


@checked_keywords
def arange(
    start: float,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: dtypes.DTypeLike = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Evenly spaced numbers from ``start`` (0 if only one bound is given) to before ``stop``.

    >>> arange(3)
    Tensor([0, 1, 2], dtype=int64)
    >>> arange(1.0, 2.0, 0.5)
    Tensor([1. , 1.5])
    """
    start, stop = (0, start) if stop is None else (start, stop)
    start, stop, step = (number("arange", name, v) for name, v in (("start", start), ("stop", stop), ("step", step)))
    if step == 0:
        hint = "linspace(start, stop, num) takes a number of points"
        fail(ArgumentError, "arange", "needs a step other than 0", {}, hint)
    if not all(map(math.isfinite, (start, stop, step))):
        fail(ArgumentError, "arange", f"needs finite numbers, but got {start}, {stop} and {step}")
    whole = all(isinstance(v, int) for v in (start, stop, step))
    kind = (dtypes.default_int if whole else dtypes.default_float) if dtype is None else dtypes.as_dtype(dtype)
    return created("arange", np.arange(start, stop, step).astype(kind, copy=False), device, requires_grad)


def _line(operation: str, start: Any, stop: Any, num: Any, endpoint: bool) -> Any:
    """The numbers in double precision."""
    count = integer(operation, "num", num)
    if count < 0:
        hint = "it is the number of points"
        fail(ArgumentError, operation, f"needs num of at least 0, but got {count}", {}, hint)
    first, last = (
        v if isinstance(v, complex) else number(operation, name, v) for name, v in (("start", start), ("stop", stop))
    )
    line: Any = np.linspace(first, last, count, endpoint=bool(endpoint))
    return line


def _kind(operation: str, line: Any, dtype: dtypes.DTypeLike) -> dtypes.DType:
    """The dtype asked for, else the default one, real or complex."""
    kind: dtypes.DType = (
        dtypes.complex64 if dtype is None and line.dtype.kind == "c" else dtype_or_default(operation, dtype)
    )
    if line.dtype.kind == "c" and kind.kind != "c":
        fail(DTypeError, operation, f"cannot put complex numbers into {kind.name}")
    return kind


@checked_keywords
def linspace(
    start: complex,
    stop: complex,
    /,
    num: int,
    *,
    dtype: dtypes.DTypeLike = None,
    device: str | None = None,
    endpoint: bool = True,
    requires_grad: bool = False,
) -> Tensor:
    """``num`` evenly spaced numbers from ``start`` to ``stop``, the last of which is ``stop`` if ``endpoint``.

    >>> linspace(0.0, 1.0, 5)
    Tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    >>> linspace(0.0, 1.0, 4, endpoint=False)
    Tensor([0.  , 0.25, 0.5 , 0.75])
    """
    line = _line("linspace", start, stop, num, endpoint)
    kind = _kind("linspace", line, dtype)
    whole = np.floor(line) if kind.kind in "iu" else line
    return created("linspace", whole.astype(kind, copy=False), device, requires_grad)


@checked_keywords
def logspace(
    start: complex,
    stop: complex,
    /,
    num: int,
    *,
    base: float = 10.0,
    dtype: dtypes.DTypeLike = None,
    device: str | None = None,
    endpoint: bool = True,
    requires_grad: bool = False,
) -> Tensor:
    """``base`` to the powers of ``linspace(start, stop, num)``.

    >>> logspace(0, 2, 3)
    Tensor([  1.,  10., 100.])
    """
    line = _line("logspace", start, stop, num, endpoint)
    powers = np.power(number("logspace", "base", base), line)
    return created("logspace", powers.astype(_kind("logspace", line, dtype)), device, requires_grad)


@checked_keywords
def eye(
    n_rows: int,
    n_cols: int | None = None,
    *,
    k: int = 0,
    dtype: dtypes.DTypeLike = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Ones on the ``k``-th diagonal of ``n_rows`` by ``n_cols`` (square by default) zeros.

    >>> eye(2)
    Tensor([[1., 0.],
            [0., 1.]])
    >>> eye(2, 3, k=1)
    Tensor([[0., 1., 0.],
            [0., 0., 1.]])
    """
    rows, cols = shape_tuple("eye", (n_rows, n_rows if n_cols is None else n_cols))
    diagonal = np.eye(rows, cols, integer("eye", "k", k), dtype_or_default("eye", dtype))
    return created("eye", diagonal, device, requires_grad)
