"""Element-wise functions and reductions on large arrays, against the bare NumPy expression, and PyTorch for comparison.

The array is far larger than the caches, so the time is that of the passes over memory and the arithmetic: what a
function adds to NumPy's own should not be seen. Where NumPy has no function of that name the peer is the plain
expression that one would write.

    python benchmarks/functions.py
    python benchmarks/functions.py --rows 4096 --columns 512 --only sigmoid,sum
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
from compare import heading, pair, report

import tinygrad_lite as tgl

TARGET = 1.1


def _softmax(x: Any) -> Any:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def _logsumexp(x: Any) -> Any:
    m = x.max(1, keepdims=True)
    return np.log(np.exp(x - m).sum(1, keepdims=True)) + m


#: name: (ours, NumPy's), of x and y in (0.1, 0.9) and the integers n
FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "x + y": (lambda x, y, n: x + y, lambda x, y, n: x + y),
    "x * 2.0": (lambda x, y, n: x * 2.0, lambda x, y, n: x * np.float32(2.0)),
    "x / y": (lambda x, y, n: x / y, lambda x, y, n: x / y),
    "x ** 2": (lambda x, y, n: x**2, lambda x, y, n: x**2),
    "x ** y": (lambda x, y, n: x**y, lambda x, y, n: x**y),
    "maximum": (lambda x, y, n: tgl.maximum(x, y), lambda x, y, n: np.maximum(x, y)),
    "where": (lambda x, y, n: tgl.where(x > y, x, y), lambda x, y, n: np.where(x > y, x, y)),
    "clip": (lambda x, y, n: tgl.clip(x, 0.2, 0.8), lambda x, y, n: np.clip(x, np.float32(0.2), np.float32(0.8))),
    "x > y": (lambda x, y, n: x > y, lambda x, y, n: x > y),
    "atan2": (lambda x, y, n: tgl.atan2(x, y), lambda x, y, n: np.arctan2(x, y)),
    "hypot": (lambda x, y, n: tgl.hypot(x, y), lambda x, y, n: np.hypot(x, y)),
    "logaddexp": (lambda x, y, n: tgl.logaddexp(x, y), lambda x, y, n: np.logaddexp(x, y)),
    "n // 3": (lambda x, y, n: n // 3, lambda x, y, n: n // 3),
    "n & 7": (lambda x, y, n: n & 7, lambda x, y, n: n & 7),
    "sigmoid": (lambda x, y, n: tgl.sigmoid(x), lambda x, y, n: 1 / (1 + np.exp(-x))),
    "silu": (lambda x, y, n: tgl.silu(x), lambda x, y, n: x / (1 + np.exp(-x))),
    "softplus": (lambda x, y, n: tgl.softplus(x), lambda x, y, n: np.logaddexp(x, np.float32(0))),
    "relu": (lambda x, y, n: tgl.relu(x), lambda x, y, n: np.maximum(x, np.float32(0))),
    "leaky_relu": (lambda x, y, n: tgl.leaky_relu(x), lambda x, y, n: np.where(x > 0, x, np.float32(0.01) * x)),
    "gelu tanh form": (
        lambda x, y, n: tgl.gelu(x, approximate="tanh"),
        lambda x, y, n: (
            np.float32(0.5)
            * x
            * (1 + np.tanh(np.float32((2 / np.pi) ** 0.5) * (x + np.float32(0.044715) * (x * x * x))))
        ),
    ),
    "softmax": (lambda x, y, n: tgl.softmax(x, 1), lambda x, y, n: _softmax(x)),
    "sum": (lambda x, y, n: tgl.sum(x), lambda x, y, n: x.sum()),
    "sum axis 0": (lambda x, y, n: tgl.sum(x, 0), lambda x, y, n: x.sum(0)),
    "sum axis 1": (lambda x, y, n: tgl.sum(x, 1), lambda x, y, n: x.sum(1)),
    "mean axis 1": (lambda x, y, n: tgl.mean(x, 1), lambda x, y, n: x.mean(1)),
    "var axis 0": (lambda x, y, n: tgl.var(x, 0), lambda x, y, n: x.var(0)),
    "std": (lambda x, y, n: tgl.std(x), lambda x, y, n: x.std()),
    "prod axis 1": (lambda x, y, n: tgl.prod(x, 1), lambda x, y, n: x.prod(1)),
    "max axis 1": (lambda x, y, n: tgl.max(x, 1), lambda x, y, n: x.max(1)),
    "argmax axis 1": (lambda x, y, n: tgl.argmax(x, 1), lambda x, y, n: x.argmax(1)),
    "any": (lambda x, y, n: tgl.any(x > 2), lambda x, y, n: (x > 2).any()),
    "logsumexp axis 1": (lambda x, y, n: tgl.logsumexp(x, 1), lambda x, y, n: _logsumexp(x)),
    "cumulative_sum": (lambda x, y, n: tgl.cumulative_sum(x, 1), lambda x, y, n: x.cumsum(1)),
    "sort axis 1": (lambda x, y, n: tgl.sort(x, 1), lambda x, y, n: np.sort(x, 1)),
    "vector_norm": (lambda x, y, n: tgl.linalg.vector_norm(x), lambda x, y, n: np.sqrt((x * x).sum())),
    "median axis 1": (lambda x, y, n: tgl.median(x, 1), lambda x, y, n: np.median(x, 1)),
    "count_nonzero": (lambda x, y, n: tgl.count_nonzero(n), lambda x, y, n: np.count_nonzero(n)),
}
#: exp and its like: one ufunc each
UFUNCS = ("exp expm1 log log1p log2 sqrt square sin cos tan asin acos atan sinh cosh tanh asinh atanh "
          "floor ceil trunc round abs sign negative reciprocal isfinite")  # fmt: skip
_THEIRS = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh",
           "atanh": "arctanh"}  # fmt: skip


def _functions() -> dict[str, tuple[Callable[..., Any], Callable[..., Any]]]:
    found = dict(FUNCTIONS)
    for name in UFUNCS.split():
        ours, theirs = getattr(tgl, name), getattr(np, _THEIRS.get(name, name))
        found[name] = (lambda x, y, n, f=ours: f(x), lambda x, y, n, f=theirs: f(x))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--columns", type=int, default=1024)
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--seconds", type=float, default=0.1, help="length of a round")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    x, y = (rng.uniform(0.1, 0.9, (options.rows, options.columns)).astype(np.float32) for _ in range(2))
    n = rng.integers(1, 100, (options.rows, options.columns))
    ours = [tgl.Tensor(a) for a in (x, y, n)]
    x, y, n = (tensor.numpy() for tensor in ours)  # the same memory: where it lies changes the time by a fifth
    heading(f"functions of a float32 array of {options.rows} x {options.columns}", "ms", "NumPy")
    ratios = []
    for name, (function, numpy) in _functions().items():
        if options.only and name not in options.only.split(","):
            continue
        result = pair(lambda f=function: f(*ours), lambda f=numpy: f(x, y, n), seconds=options.seconds)  # type: ignore[misc]
        ratios.append(result.ratio)
        report(name, result, 1e3, TARGET)
    if ratios:
        missed = sum(ratio > TARGET for ratio in ratios)
        mean = statistics.geometric_mean(ratios)
        print(f"geometric mean of the ratios {mean:.3f}; {missed} of {len(ratios)} above {TARGET}")


if __name__ == "__main__":
    main()
