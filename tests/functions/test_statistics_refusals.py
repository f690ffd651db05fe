"""What scans, sorting, sets and statistics refuse, in the whole of its words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor

X = Tensor(np.zeros((2, 3), "float32"))
V = Tensor(np.zeros(3, "float32"))
Z = Tensor(np.zeros(2, "complex64"))
EMPTY = Tensor(np.zeros((0, 2), "float32"))
COUNTS = Tensor(np.array([0, 1, 1]))
S, A, D, AX, K = (
    tgl.errors.ShapeError,
    tgl.errors.ArgumentError,
    tgl.errors.DTypeError,
    tgl.errors.AxisError,
    tgl.errors.KeywordError,
)

REFUSALS: list[tuple[str, Any, type, str]] = [
    (
        "prod axis",
        lambda: tgl.prod(X, axis=2),
        AX,
        (
            "prod got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "std of complex numbers",
        lambda: tgl.std(Z),
        D,
        ("std needs real numbers\n  x     shape (2,), complex64, cpu\n  hint  take real(x), imag(x) or abs(x)"),
    ),
    (
        "std correction",
        lambda: tgl.std(X, correction="a"),
        D,
        ("std needs a number as correction\n  correction  'a'\n  hint        float(text) reads a number from a text"),
    ),
    (
        "a dialect's keyword",
        lambda: tgl.std(X, dim=0),
        K,
        ("std has no argument 'dim'; it has x, axis, correction, keepdims\n  hint  say axis= instead of dim="),
    ),
    (
        "count_nonzero twice",
        lambda: tgl.count_nonzero(X, axis=(0, -2)),
        AX,
        (
            "count_nonzero got axis (0, -2), which names an axis twice\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axis=(0,)"
        ),
    ),
    (
        "a scan without an axis",
        lambda: tgl.cumulative_max(X),
        S,
        (
            "cumulative_max needs an axis when the tensor is not 1-d\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  say which one: axis=-1"
        ),
    ),
    (
        "a scan of a number",
        lambda: tgl.logcumsumexp(Tensor(1.0)),
        S,
        ("logcumsumexp needs at least one axis\n  x     shape (), float32, cpu\n  hint  reshape(x, (1,))"),
    ),
    (
        "a scan of complex numbers",
        lambda: tgl.logcumsumexp(Z),
        D,
        (
            "logcumsumexp needs real numbers\n"
            "  x     shape (2,), complex64, cpu\n"
            "  hint  take real(x), imag(x) or abs(x)"
        ),
    ),
    (
        "a negative n",
        lambda: tgl.diff(V, n=-1),
        A,
        ("diff needs n >= 0, but got -1\n  x     shape (3,), float32, cpu\n  hint  cumulative_sum goes the other way"),
    ),
    (
        "an n that is no integer",
        lambda: tgl.diff(V, n=1.5),
        D,
        ("diff needs an integer as n\n  n     1.5\n  hint  int(value) cuts off the fraction"),
    ),
    (
        "diff axis",
        lambda: tgl.diff(V, axis=1),
        AX,
        (
            "diff got axis 1, but the array has axes -1 to 0\n"
            "  x     shape (3,), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "prepend",
        lambda: tgl.diff(X, prepend=Tensor([1.0, 2.0])),
        S,
        (
            "diff needs prepend in the shape of x on every axis but 1\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  prepend  shape (2,), float32, cpu"
        ),
    ),
    (
        "append",
        lambda: tgl.diff(X, append=tgl.zeros((3, 1))),
        S,
        (
            "diff needs append in the shape of x on every axis but 1\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  append  shape (3, 1), float32, cpu"
        ),
    ),
    (
        "sort axis",
        lambda: tgl.sort(X, axis=5),
        AX,
        (
            "sort got axis 5, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "sort of a number",
        lambda: tgl.argsort(Tensor(1.0)),
        AX,
        (
            "argsort got axis -1, but the array has no axes (it is 0-d)\n"
            "  x     shape (), float32, cpu\n"
            "  hint  x.reshape(1) has one axis"
        ),
    ),
    (
        "k of 0",
        lambda: tgl.kthvalue(X, 0),
        A,
        (
            "kthvalue needs k from 1 to 3, the size of axis 1, but got 0\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  k = 1 is the smallest"
        ),
    ),
    (
        "k too large",
        lambda: tgl.kthvalue(X, 4, axis=1),
        A,
        (
            "kthvalue needs k from 1 to 3, the size of axis 1, but got 4\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  k = 1 is the smallest"
        ),
    ),
    (
        "k of a word",
        lambda: tgl.kthvalue(X, "a"),
        D,
        ("kthvalue needs an integer as k\n  k     'a'\n  hint  int(value) cuts off the fraction"),
    ),
    (
        "side",
        lambda: tgl.searchsorted(V, V, side="middle"),
        A,
        (
            "searchsorted needs side 'left' or 'right', but got 'middle'\n"
            "  hint  'left' gives the place before equal elements, 'right' the one behind them"
        ),
    ),
    (
        "a matrix to search",
        lambda: tgl.searchsorted(X, V),
        S,
        (
            "searchsorted needs x1 with one axis\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  hint  x1 is the sorted vector, x2 what is looked up"
        ),
    ),
    (
        "a sorter of floats",
        lambda: tgl.searchsorted(V, V, sorter=V),
        D,
        (
            "searchsorted needs integers as sorter\n"
            "  x1      shape (3,), float32, cpu\n"
            "  sorter  shape (3,), float32, cpu\n"
            "  hint    argsort(x1)"
        ),
    ),
    (
        "a sorter of another size",
        lambda: tgl.searchsorted(V, V, sorter=Tensor([0, 1])),
        S,
        (
            "searchsorted needs a sorter in the shape of x1\n"
            "  x1      shape (3,), float32, cpu\n"
            "  sorter  shape (2,), int64, cpu\n"
            "  hint    argsort(x1)"
        ),
    ),
    (
        "nonzero of a number",
        lambda: tgl.nonzero(Tensor(1.0)),
        S,
        ("nonzero needs at least one axis\n  x     shape (), float32, cpu\n  hint  reshape(x, (1,))"),
    ),
    (
        "unique axis",
        lambda: tgl.unique(X, axis=2),
        AX,
        (
            "unique got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "median of nothing",
        lambda: tgl.median(EMPTY, axis=0),
        S,
        (
            "median needs at least one element to choose from\n"
            "  x     shape (0, 2), float32, cpu\n"
            "  hint  an axis of size 0 holds nothing: was everything filtered out before?"
        ),
    ),
    (
        "median of complex numbers",
        lambda: tgl.median(Z),
        D,
        ("median needs real numbers\n  x     shape (2,), complex64, cpu\n  hint  take real(x), imag(x) or abs(x)"),
    ),
    (
        "q above 1",
        lambda: tgl.quantile(X, 50),
        A,
        (
            "quantile needs q from 0 to 1, but got 50\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  50 percent is the share 0.5"
        ),
    ),
    (
        "q of a word",
        lambda: tgl.quantile(X, "a"),
        D,
        ("quantile needs a number as q\n  q     'a'\n  hint  float(text) reads a number from a text"),
    ),
    (
        "one q of several",
        lambda: tgl.quantile(X, [0.5, -0.1]),
        A,
        ("quantile needs q from 0 to 1, but got -0.1\n  x     shape (2, 3), float32, cpu\n  hint  the median is q=0.5"),
    ),
    (
        "method",
        lambda: tgl.quantile(X, 0.5, method="cubic"),
        A,
        "quantile needs method 'linear', 'lower', 'higher', 'midpoint' or 'nearest', but got 'cubic'",
    ),
    (
        "weights",
        lambda: tgl.average(X, weights=V),
        S,
        (
            "average needs weights in the shape of x, or 1-d ones for a single axis\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  weights  shape (3,), float32, cpu"
        ),
    ),
    (
        "cov of a stack",
        lambda: tgl.cov(tgl.zeros((2, 2, 2))),
        S,
        ("cov needs one variable per row of a matrix, or a vector\n  x   shape (2, 2, 2), float32, cpu"),
    ),
    (
        "bincount of floats",
        lambda: tgl.bincount(V),
        D,
        ('bincount needs integers\n  x     shape (3,), float32, cpu\n  hint  convert with x.astype("int64")'),
    ),
    (
        "bincount of a matrix",
        lambda: tgl.bincount(Tensor([[1]])),
        S,
        ("bincount needs x with one axis\n  x     shape (1, 1), int64, cpu\n  hint  flatten(x)"),
    ),
    ("minlength", lambda: tgl.bincount(COUNTS, minlength=-1), A, "bincount needs minlength >= 0, but got -1"),
    (
        "bincount of negative numbers",
        lambda: tgl.bincount(Tensor([-1])),
        A,
        (
            "bincount needs integers of at least 0\n"
            "  x     shape (1,), int64, cpu\n"
            "  hint  subtract the smallest first: x - min(x)"
        ),
    ),
    (
        "bincount weights",
        lambda: tgl.bincount(COUNTS, Tensor([1.0])),
        S,
        (
            "bincount needs weights in the shape of x\n"
            "  x        shape (3,), int64, cpu\n"
            "  weights  shape (1,), float32, cpu"
        ),
    ),
    (
        "no bins",
        lambda: tgl.histogram(V, bins=0),
        A,
        ("histogram needs at least one bin, but got 0\n  x     shape (3,), float32, cpu\n  hint  10 is the default"),
    ),
    (
        "PyTorch's keyword",
        lambda: tgl.quantile(X, 0.5, interpolation="lower"),
        K,
        (
            "quantile has no argument 'interpolation'; it has x, q, axis, keepdims, method\n"
            "  hint  say method= instead of interpolation="
        ),
    ),
    (
        "half a bin",
        lambda: tgl.histogram(V, bins=2.5),
        D,
        ("histogram needs an integer as bins\n  bins  2.5\n  hint  int(value) cuts off the fraction"),
    ),
    (
        "a range of one number",
        lambda: tgl.histogram(V, range=1.0),
        A,
        "histogram needs a range of two numbers\n  range  1.0",
    ),
    (
        "one edge",
        lambda: tgl.histogram(V, bins=[1.0]),
        S,
        ("histogram needs a number of bins or at least two edges on one axis\n  bins  shape (1,), float32, cpu"),
    ),
    (
        "range",
        lambda: tgl.histogram(V, range=(1.0, 0.0)),
        A,
        "histogram needs a range from low to high, but got (1.0, 0.0)",
    ),
    (
        "histogram weights",
        lambda: tgl.histogram(X, weights=V),
        S,
        (
            "histogram needs weights in the shape of x\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  weights  shape (3,), float32, cpu"
        ),
    ),
    (
        "x of trapezoid",
        lambda: tgl.trapezoid(X, V[:2]),
        S,
        (
            "trapezoid needs x in the shape of y, or one number per point\n"
            "  y   shape (2, 3), float32, cpu\n"
            "  x   shape (2,), float32, cpu"
        ),
    ),
    (
        "falling edges of a histogram",
        lambda: tgl.histogram(V, [3.0, 2.0, 1.0]),
        A,
        "histogram needs edges in rising order\n  bins  shape (3,), float32, cpu\n  hint  sort(bins)",
    ),
    (
        "points of interp",
        lambda: tgl.interp(V, V, V[:2]),
        S,
        (
            "interp needs xp and fp with one axis of one size, at least 1\n"
            "  xp  shape (3,), float32, cpu\n"
            "  fp  shape (2,), float32, cpu"
        ),
    ),
    (
        "no points of interp",
        lambda: tgl.interp(V, V[:0], V[:0]),
        S,
        (
            "interp needs xp and fp with one axis of one size, at least 1\n"
            "  xp  shape (0,), float32, cpu\n"
            "  fp  shape (0,), float32, cpu"
        ),
    ),
]


@pytest.mark.parametrize("what, call, kind, expected", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_names_the_need_and_the_operands(what: str, call: Any, kind: type, expected: str) -> None:
    assert refusal(kind, call) == expected
