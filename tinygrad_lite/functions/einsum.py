"""Einstein's sum: any product of tensors, summed over any axes, said in labels."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rules import products as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor
from tinygrad_lite.functions.indexing import getitem
from tinygrad_lite.functions.joining import together
from tinygrad_lite.functions.manipulation import permute_dims

__all__ = ["einsum"]


def einsum(subscripts: str, /, *operands: Any) -> Tensor:
    """Einstein's sum: products of elements, summed over the labels that the output lacks.

    Args:
        subscripts: labels per operand and, after ``->``, of the output, as in NumPy: ``"ij,jk->ik"``;
            without an arrow, the labels that occur once, in alphabetical order. ``...`` stands for further
            axes, which broadcast. A label repeated in one operand takes the diagonal.
        operands: one tensor per term.

    Returns:
        A tensor with one axis per output label. Every operand is differentiable.

    Raises:
        ArgumentError: if the subscripts cannot be read.
        ShapeError: if a label has two sizes, or the number of labels does not fit an operand.

    >>> einsum("ij,j->i", Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 1.0]))
    Tensor([3., 7.])
    """
    if not isinstance(subscripts, str):
        hint = 'einsum("ij,jk->ik", x1, x2)'
        fail(
            DTypeError,
            "einsum",
            "needs the subscripts as a string before the operands",
            {"subscripts": subscripts},
            hint,
        )
    tensors = [as_tensor("einsum", x, f"operands[{i}]") for i, x in enumerate(operands)]
    inputs, output = _parse(subscripts, tensors)
    if len({t._data.dtype for t in tensors}) > 1:
        tensors = together("einsum", tensors)
    sizes: dict[str, int] = {}
    for labels, t in zip(inputs, tensors, strict=True):
        for label, n in zip(labels, t._data.shape, strict=True):
            known = sizes.setdefault(label, n)
            if n != known and 1 not in (n, known):
                name = repr(label) if label in subscripts else "an axis of '...'"
                need = f"needs one size per label, but {name} is {known} and {n}"
                hint = "give the axes labels of their own, or transpose the labels of one operand"
                fail(ShapeError, "einsum", need, _listed(tensors), hint)
            sizes[label] = n if known == 1 else known
    pairs = [_diagonal(t, labels) for t, labels in zip(tensors, inputs, strict=True)]
    arrays, terms = [t for t, _ in pairs], tuple(labels for _, labels in pairs)
    return apply(rules.EINSUM, arrays, (terms, output))


def _listed(tensors: list[Tensor]) -> dict[str, Tensor]:
    return {f"operands[{i}]": t for i, t in enumerate(tensors)}


def _parse(subscripts: str, tensors: list[Tensor]) -> tuple[list[str], str]:
    """One label per axis, with ``...`` written out in labels that are not used otherwise."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        need = f"needs one operand for each of the {len(terms)} terms of {subscripts!r}, but got {len(tensors)}"
        hint = 'a comma stands between the labels of two operands: "ij,jk->ik"'
        fail(ArgumentError, "einsum", need, _listed(tensors), hint)
    strange = set(left) - set(string.ascii_letters + ",.") or set(right) - set(string.ascii_letters + ".")
    if strange or any(t.replace("...", "", 1).count(".") for t in (*terms, right)):
        need = f"needs letters, commas, '...' and one '->', but got {subscripts!r}"
        fail(ArgumentError, "einsum", need, {}, 'such as "ij,jk->ik", the product of two matrices')
    spare = [c for c in string.ascii_letters if c not in text]
    extra = [
        t._data.ndim - len(term.replace("...", "")) if "..." in term else 0
        for term, t in zip(terms, tensors, strict=True)
    ]
    wide = spare[: max(extra, default=0)]
    inputs = []
    for i, (term, t, n) in enumerate(zip(terms, tensors, extra, strict=True)):
        labels = term.replace("...", "".join(wide[len(wide) - n :])) if n > 0 else term.replace("...", "")
        if len(labels) != t._data.ndim or n < 0:
            need = f"needs one label per axis, but {term!r} does not fit the {t._data.ndim} axes of operand {i}"
            hint = "'...' stands for any number of axes"
            fail(ShapeError, "einsum", need, {f"operands[{i}]": t}, hint)
        inputs.append(labels)
    every = "".join(inputs)
    if not arrow:
        explicit = left.replace("...", "").replace(",", "")
        right = ("..." if "..." in left else "") + "".join(sorted(c for c in set(explicit) if explicit.count(c) == 1))
    output = right.replace("...", "".join(wide))
    unknown = set(output) - set(every)
    if unknown or len(set(output)) < len(output):
        need = f"needs output labels that occur in the inputs, each once, but got {right!r}"
        hint = "labels that are left out behind '->' are summed over"
        if unknown:
            hint = f"the inputs have {', '.join(sorted(set(every) & set(string.ascii_letters)))}"
        fail(ArgumentError, "einsum", need, {}, hint)
    return inputs, output


def _diagonal(x: Tensor, labels: str) -> tuple[Tensor, str]:
    """``x`` with the axes of a repeated label replaced by their common diagonal, a label then occurring once."""
    for label in labels:
        axes = [i for i, c in enumerate(labels) if c == label]
        if len(axes) > 1:
            rest = [i for i in range(len(labels)) if i not in axes]
            along = np.arange(x._data.shape[axes[0]])
            x = getitem(permute_dims(x, (*axes, *rest)), (along,) * len(axes))
            return _diagonal(x, label + "".join(labels[i] for i in rest))
    return x, labels


def contract(arrays: Any, inputs: tuple[str, ...], output: str) -> Tensor:
    """The einsum of the rules: labels already written out, one per axis."""
    return apply(rules.EINSUM, [as_tensor("einsum", a) for a in arrays], (tuple(inputs), output))
