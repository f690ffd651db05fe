"""The rows that memory bounds: what they must move is all that counts against the device's own copy.

Inputs are random. The reference beside each is the textbook formula in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from cases import Array, Arrays, Call, Case, Expected, of

import tinygrad_lite as tgl
from tinygrad_lite import nn, optim
from tinygrad_lite.backends import devices
from tinygrad_lite.nn import functional

ELEMENTWISE, REDUCTION = 0.90, 0.85  #: the parts of the copy's bandwidth that are aimed at
WIDTH = 1024  #: of the rows that are reduced, sorted and normalised

# --- inputs -------------------------------------------------------------------------------------------------


DRAWN = 1 << 24  #: numbers drawn; larger arrays repeat them, at distances beyond the size of any cache


def normals(rng: np.random.Generator, *shape: int) -> Array:
    """Normal numbers in float32."""
    count = math.prod(shape)
    drawn = rng.standard_normal(min(count, DRAWN), np.float32)
    return np.resize(drawn, count).reshape(shape)


def vectors(count: int) -> Callable[[np.random.Generator, int], Arrays]:
    """``count`` vectors."""
    return lambda rng, n: tuple(normals(rng, n) for _ in range(count))


def rows(width: int = WIDTH) -> Callable[[np.random.Generator, int], Arrays]:
    """A matrix of rows of ``width``."""
    return lambda rng, n: (normals(rng, max(n // width, 2), width),)


def few_rows(rng: np.random.Generator, n: int) -> Arrays:
    """Four long rows."""
    return (normals(rng, 4, n // 4),)


def square(rng: np.random.Generator, n: int) -> Arrays:
    """A matrix whose height is a multiple of no power of two worth mentioning."""
    height = math.isqrt(n) | 1
    return (normals(rng, height, n // height),)


def row_and_bias(rng: np.random.Generator, n: int) -> Arrays:
    return (*rows()(rng, n), normals(rng, WIDTH))


def logits(classes: int) -> Callable[[np.random.Generator, int], Arrays]:
    def make(rng: np.random.Generator, n: int) -> Arrays:
        count = max(n // classes, 2)
        return normals(rng, count, classes), rng.integers(0, classes, count)

    return make


def table_and_places(rng: np.random.Generator, n: int) -> Arrays:
    """A table of rows of 256 and a permutation of its rows."""
    height = max(n // 256, 2)
    return normals(rng, height, 256), rng.permutation(np.arange(height))


def rows_and_few_places(rng: np.random.Generator, n: int) -> Arrays:
    """Rows of 256, and for each one of a thousand places."""
    height = max(n // 256, 2)
    return normals(rng, height, 256), rng.integers(0, 1000, height)


def rows_and_columns(rng: np.random.Generator, n: int) -> Arrays:
    """Rows, and as many places along each."""
    (x,) = rows()(rng, n)
    return x, np.asarray(rng.integers(0, WIDTH, x.shape))


def images(rng: np.random.Generator, n: int) -> Arrays:
    """A batch of images, channels first."""
    return (normals(rng, max(n // (64 * 28 * 28), 1), 64, 28, 28),)


# --- what is moved --------------------------------------------------------------------------------------------


def moved(reads: float, writes: float = 0.0) -> Callable[..., int]:
    """Bytes per element of the first input."""
    return lambda x, *others: int(x.size * (reads + writes))


def moved_with(reads: float, writes: float) -> Callable[..., int]:
    """The same, and every other input read once."""
    return lambda x, *others: int(x.size * (reads + writes)) + sum(y.nbytes for y in others)


# --- calls ----------------------------------------------------------------------------------------------------


def gradient_of_cross_entropy(device: str, x: Any, target: Any) -> Call:
    """Forward and backward; the gradient is asked for after the loss, so the logits are read twice."""
    leaf = x.detach().requires_grad_()

    return lambda: tgl.grad(functional.cross_entropy(leaf, target, reduction="sum"), leaf)


def update(optimizer: type[Any], **options: Any) -> Callable[..., Call]:
    """A step of an optimiser over one flat parameter."""

    def prepare(device: str, p: Any, g: Any) -> Call:
        parameter = nn.Parameter(p)
        steps = optimizer([parameter], **options)
        parameter.grad = g

        def call() -> Any:
            steps.step()
            return parameter

        return call

    return prepare


def uniform(device: str, x: Any) -> Call:
    """As many random numbers as x has elements."""
    namespace, shape = devices.namespace_on(device), x.shape
    return lambda: namespace.uniform(7, 1, shape, np.dtype(np.float32))


def dropout(device: str, x: Any) -> Call:
    def call() -> Any:
        tgl.manual_seed(7)  # every call draws the same mask
        return functional.dropout(x, 0.5)

    return call


# --- references -----------------------------------------------------------------------------------------------


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def cross_entropy(x: Array, target: Array) -> Expected:
    top = x.max(1)
    total = np.log(np.exp(x - top[:, None]).sum(1))
    picked = x[np.arange(len(x)), target]
    return Expected(total + top - picked, np.abs(total) + np.abs(top) + np.abs(picked))


def cross_entropy_gradient(x: Array, target: Array) -> Expected:
    p = softmax(x)
    one = np.zeros_like(p)
    one[np.arange(len(x)), target] = 1
    return Expected(p - one, p + one)


def added_rows(x: Array, places: Array) -> Expected:
    sums, scale = np.zeros((1000, x.shape[1])), np.zeros((1000, x.shape[1]))
    np.add.at(sums, places, x)
    np.add.at(scale, places, np.abs(x))
    return Expected(sums, scale)


def trajectory(rule: Callable[[Array, Array, list[Array], int], Array], states: int) -> Callable[..., Expected]:
    """The parameter after three steps of ``p - rule(p, g, states, step)``."""

    def reference(p: Array, g: Array) -> Expected:
        kept = [np.zeros_like(p) for _ in range(states)]
        scale = np.abs(p)
        for step in (1, 2, 3):
            change = rule(p, g, kept, step)
            p, scale = p - change, scale + np.abs(change)
        return Expected(p, scale)

    return reference


def momentum_rule(p: Array, g: Array, kept: list[Array], step: int) -> Array:
    kept[0] = g if step == 1 else 0.9 * kept[0] + g
    return 0.1 * kept[0]


def adagrad_rule(p: Array, g: Array, kept: list[Array], step: int) -> Array:
    kept[0] = kept[0] + g * g
    return 0.1 * g / (np.sqrt(kept[0]) + 1e-10)


def rmsprop_rule(p: Array, g: Array, kept: list[Array], step: int) -> Array:
    kept[0] = 0.99 * kept[0] + 0.01 * g * g
    return 0.1 * g / (np.sqrt(kept[0]) + 1e-8)


def adam_rule(p: Array, g: Array, kept: list[Array], step: int) -> Array:
    kept[0] = 0.9 * kept[0] + 0.1 * g
    kept[1] = 0.999 * kept[1] + 0.001 * g * g
    return 0.1 * (kept[0] / (1 - 0.9**step)) / (np.sqrt(kept[1] / (1 - 0.999**step)) + 1e-8)


def adamw_rule(p: Array, g: Array, kept: list[Array], step: int) -> Array:
    return 0.1 * 0.01 * p + adam_rule(p, g, kept, step)


# --- the rows -------------------------------------------------------------------------------------------------


def elementwise(name: str, count: int, bytes_moved: float, function: Any, reference: Any, roundings: float = 8) -> Case:
    group = "element-wise"
    return Case(
        group,
        name,
        vectors(count),
        of(function),
        moved(bytes_moved),
        reference,
        roundings,
        share=ELEMENTWISE,
        operations=1,
    )


def reduction(name: str, inputs: Any, axis: Any, function: str, reference: Any, *, whole: Any = "sample") -> Case:
    """A reduction of everything is read once and hardly written."""

    def call(x: Any) -> Any:
        return getattr(tgl, function)(x, axis=axis)

    return Case(
        "reductions", name, inputs, of(call), moved(4), reference, 64, share=REDUCTION, operations=1, whole=whole
    )


def optimizer(name: str, floats: int, operations: int, rule: Any, states: int, kind: type[Any], **options: Any) -> Case:
    """A fused update that reads and writes so many floats per parameter."""
    return Case(
        *("fused optimisers", name, vectors(2), update(kind, lr=0.1, **options), moved(4 * floats)),
        trajectory(rule, states),
        roundings=32,
        share=ELEMENTWISE,
        operations=operations,
        calls=3,
    )


CASES: list[Case] = [
    elementwise("x + y", 2, 12, lambda x, y: x + y, lambda x, y: x + y),
    elementwise("x * 2", 1, 8, lambda x: x * 2.0, lambda x: x * 2),
    elementwise("x > y", 2, 9, lambda x, y: x > y, None),
    elementwise("maximum", 2, 12, lambda x, y: tgl.maximum(x, y), None),
    elementwise("relu", 1, 8, tgl.relu, None),
    elementwise("exp", 1, 8, tgl.exp, np.exp),
    elementwise("tanh", 1, 8, tgl.tanh, np.tanh),
    elementwise("sigmoid", 1, 8, tgl.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    elementwise("to float16", 1, 6, lambda x: x.astype("float16"), None),
    Case("element-wise", "matrix + row", row_and_bias, of(lambda x, b: x + b), moved(8),
         lambda x, b: x + b, share=ELEMENTWISE, operations=1, whole="all"),
    Case("copies", "copy", vectors(1), of(lambda x: tgl.asarray(x, copy=True)), moved(8)),
    Case("copies", "transpose", square, of(lambda x: tgl.asarray(x.mT, copy=True)), moved(8), whole="all"),
    Case("copies", "channels last", images, of(lambda x: tgl.asarray(tgl.permute_dims(x, (0, 2, 3, 1)), copy=True)),
         moved(8)),
    Case("copies", "every other element", vectors(1), of(lambda x: tgl.asarray(x[::2], copy=True)), moved(6),
         whole="all"),
    Case("copies", "concat", vectors(2), of(lambda x, y: tgl.concat([x, y])), moved(16), whole="all"),
    reduction("sum of all", vectors(1), None, "sum", lambda x: Expected(x.sum(), np.abs(x).sum()), whole="all"),
    reduction("max of all", vectors(1), None, "max", None, whole="all"),
    reduction("sum of rows", rows(), 1, "sum", lambda x: Expected(x.sum(1), np.abs(x).sum(1))),
    reduction("sum of long rows", few_rows, 1, "sum", lambda x: Expected(x.sum(1), np.abs(x).sum(1))),
    reduction("sum of columns", rows(), 0, "sum", lambda x: Expected(x.sum(0), np.abs(x).sum(0)), whole="all"),
    reduction("max of rows", rows(), 1, "max", None),
    reduction("argmax of rows", rows(), 1, "argmax", None),
    reduction("variance of rows", rows(), 1, "var", lambda x: x.var(1)),
    Case("softmax", "softmax", rows(), of(lambda x: tgl.softmax(x, 1)), moved(8), softmax, 64, share=REDUCTION,
         operations=5),
    Case("softmax", "cross-entropy", logits(WIDTH), of(lambda x, t: functional.cross_entropy(x, t, reduction="none")),
         moved_with(4, 0), cross_entropy, 64, share=REDUCTION, operations=5),
    Case("softmax", "cross-entropy and gradient", logits(WIDTH), gradient_of_cross_entropy, moved_with(8, 4),
         cross_entropy_gradient, 64, share=REDUCTION, operations=5),
    Case("softmax", "cross-entropy and gradient, 10 classes", logits(10), gradient_of_cross_entropy,
         moved_with(8, 4), cross_entropy_gradient, 64, share=REDUCTION, operations=5),
    optimizer("SGD", 3, 2, lambda p, g, kept, step: 0.1 * g, 0, optim.SGD),
    optimizer("SGD, momentum", 5, 4, momentum_rule, 1, optim.SGD, momentum=0.9),
    optimizer("Adagrad", 5, 6, adagrad_rule, 1, optim.Adagrad),
    optimizer("RMSProp", 5, 8, rmsprop_rule, 1, optim.RMSprop),
    optimizer("Adam", 7, 12, adam_rule, 2, optim.Adam),
    optimizer("AdamW", 7, 14, adamw_rule, 2, optim.AdamW),
    Case("sorting", "sort rows", rows(), of(lambda x: tgl.sort(x, axis=1)), moved(8)),
    Case("sorting", "argsort rows", rows(), of(lambda x: tgl.argsort(x, axis=1)), moved(12)),
    Case("indexing", "take rows", table_and_places, of(lambda x, i: tgl.take(x, i, axis=0)), moved_with(4, 4),
         whole="all"),
    Case("indexing", "take along rows", rows_and_columns, of(lambda x, i: tgl.take_along_axis(x, i, axis=1)),
         moved_with(4, 4)),
    Case("indexing", "add rows at places", rows_and_few_places,
         of(lambda x, i: tgl.index_add(tgl.zeros((1000, x.shape[1]), device=x.device), 0, i, x)), moved_with(4, 0),
         added_rows, 64, whole="no"),
    Case("random numbers", "uniform", vectors(1), uniform, moved(4), whole="no"),
    Case("random numbers", "dropout", vectors(1), dropout, moved(8), whole="no"),
]  # fmt: skip
