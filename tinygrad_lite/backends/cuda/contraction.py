"""Einstein's sum by matrix products: labels become batch, rows, columns and k of one product at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from tinygrad_lite.backends.cuda import layout, reductions
from tinygrad_lite.backends.cuda.array import CudaArray, copied
from tinygrad_lite.backends.cuda.elementwise import astype, multiply
from tinygrad_lite.backends.cuda.gemm import dots, gemm


class Term(NamedTuple):
    """An array with a label per axis; no label twice, none of size one."""

    array: CudaArray
    labels: str


def contract(arrays: Sequence[CudaArray], inputs: Sequence[str], output: str) -> CudaArray:
    """The einsum; ``inputs`` and ``output`` are labels, one letter per axis.

    An axis of size one broadcasts, a label that occurs twice in one operand takes the diagonal, and what occurs in one
    operand alone and not in the output is summed before anything is multiplied.
    """
    sizes: dict[str, int] = {}
    for array, labels in zip(arrays, inputs, strict=True):
        for label, n in zip(labels, array.shape, strict=True):
            sizes[label] = n if sizes.get(label, 1) == 1 else sizes[label]
    terms = [_distinct(array, labels) for array, labels in zip(arrays, inputs, strict=True)]
    while len(terms) > 1:
        terms = [_summed(t, _elsewhere(terms, (i,), output)) for i, t in enumerate(terms)]
        i, j = _cheapest(terms, output, sizes)
        product = _multiply(terms[i], terms[j], _elsewhere(terms, (i, j), output))
        terms = [t for k, t in enumerate(terms) if k not in (i, j)] + [product]
    (last,) = terms
    last = _summed(last, set(output))
    result = _arranged(last, output, sizes)
    return copied(result) if len(arrays) == 1 else result


def _elsewhere(terms: list[Term], among: tuple[int, ...], output: str) -> set[str]:
    """The labels of the output and of all terms but some."""
    return set(output).union(*(t.labels for i, t in enumerate(terms) if i not in among))


def _distinct(x: CudaArray, labels: str) -> Term:
    """Without axes of size one, and with the diagonal of those that share a label: along it, their strides add up."""
    shape: dict[str, int] = {}
    strides: dict[str, int] = {}
    for label, n, stride in zip(labels, x.shape, x.strides, strict=True):
        if n != 1:
            shape[label] = n
            strides[label] = strides.get(label, 0) + stride
    return Term(x.view_as(tuple(shape.values()), tuple(strides.values())), "".join(shape))


def _summed(term: Term, kept: set[str]) -> Term:
    """The sum over the labels that nobody else has."""
    axes = tuple(i for i, label in enumerate(term.labels) if label not in kept)
    if not axes:
        return term
    labels = "".join(label for label in term.labels if label in kept)
    if term.array.dtype.kind == "b":  # "or" is what adding means
        return Term(reductions.any(term.array, axes, False), labels)
    # Sums of small integers are wide, those of an einsum are not.
    return Term(astype(reductions.sum(term.array, axes, False), term.array.dtype), labels)


def _cheapest(terms: list[Term], output: str, sizes: dict[str, int]) -> tuple[int, int]:
    """The pair whose product has the fewest elements more than it consumes; the first of equals."""

    def growth(pair: tuple[int, int]) -> int:
        x, y = (terms[i] for i in pair)
        kept = _elsewhere(terms, pair, output) & set(x.labels + y.labels)
        return math.prod(sizes[label] for label in kept) - x.array.size - y.array.size

    return min(itertools.combinations(range(len(terms)), 2), key=growth)


def _multiply(x: Term, y: Term, kept: set[str]) -> Term:
    """The product of two terms, summed over the labels of both that are not kept."""
    shared = [label for label in x.labels if label in y.labels]
    batch = "".join(label for label in shared if label in kept)
    inner = "".join(label for label in shared if label not in kept)
    left = "".join(label for label in x.labels if label not in shared)
    right = "".join(label for label in y.labels if label not in shared)
    if not inner:
        return _outer(x, y, batch + left + right)
    if not left and not right:
        return Term(dots(_grouped(x, batch, inner), _grouped(y, batch, inner), conjugated=False), batch)
    product = gemm(_grouped(x, batch, left, inner), _grouped(y, batch, inner, right))
    ends = dict(zip(x.labels + y.labels, x.array.shape + y.array.shape, strict=True))
    return Term(product.reshape(tuple(ends[label] for label in batch + left + right)), batch + left + right)


def _outer(x: Term, y: Term, labels: str) -> Term:
    """The product without a sum, element by element."""
    return Term(multiply(_spread(x, labels), _spread(y, labels)), labels)


def _spread(term: Term, labels: str) -> CudaArray:
    """The axes in the order of ``labels``, those that the term lacks having size one."""
    axes = {label: i for i, label in enumerate(term.labels)}
    shape = tuple(term.array.shape[axes[label]] if label in axes else 1 for label in labels)
    strides = tuple(term.array.strides[axes[label]] if label in axes else 0 for label in labels)
    return term.array.view_as(shape, strides)


def _grouped(term: Term, batch: str, *groups: str) -> CudaArray:
    """The axes of the batch, then one per group of labels; a copy only where no strides can say so."""
    view = _spread(term, batch + "".join(groups))
    sizes = dict(zip(term.labels, term.array.shape, strict=True))
    ends = [sizes[label] for label in batch]
    ends += [math.prod(sizes[label] for label in group) for group in groups]
    return view.reshape(tuple(ends))


def _arranged(term: Term, output: str, sizes: dict[str, int]) -> CudaArray:
    """The axes in the order of the output, repeated where only the other axes of size one had the label."""
    view = _spread(term, output)
    shape = tuple(sizes[label] for label in output)
    return (
        view if view.shape == shape else view.view_as(shape, layout.broadcast_strides(view.shape, view.strides, shape))
    )
