"""Products of vectors and matrices; leading axes are batches and broadcast."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply, promoted
from tinygrad_lite.autograd.refusals import broadcast_clash, broadcast_hint
from tinygrad_lite.autograd.rules import products as rules
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, axis_number, checked_keywords, integer, whole_numbers
from tinygrad_lite.functions.elementwise import holding, multiply
from tinygrad_lite.functions.lapack import check_batches, pair
from tinygrad_lite.functions.manipulation import moveaxis, permute_dims, reshape

__all__ = [
    "cross",
    "dot",
    "inner",
    "kron",
    "matmul",
    "multi_dot",
    "outer",
    "tensordot",
    "vecdot",
]


def matmul(x1: Any, x2: Any, /) -> Tensor:
    """The matrix product: sum over k of x1[..., i, k] x2[..., k, j].

    Args:
        x1: (..., n, k), or (k,) taken as one row.
        x2: (..., k, m), or (k,) taken as one column. The leading axes broadcast.

    Returns:
        (..., n, m) without the axes that a vector operand does not have. Gradients: dx1 = g x2^T,
        dx2 = x1^T g, summed over broadcast batches.

    Raises:
        ShapeError: if the inner sizes differ or the batches do not broadcast.

    >>> matmul(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 1.0]))
    Tensor([3., 7.])
    """
    x1, x2 = as_tensor("matmul", x1, "x1"), as_tensor("matmul", x2, "x2")
    a, b = x1._data, x2._data
    if a.dtype is not b.dtype:
        _, _, a, b = promoted(rules.MATMUL, x1, x2)
        x1, x2 = holding(x1, a), holding(x2, b)
    s1, s2 = a.shape, b.shape
    if not s1 or not s2:
        fail(ShapeError, "matmul", "needs at least one axis in each operand", {"x1": x1, "x2": x2}, "use * for numbers")
    inner = s2[-2] if len(s2) > 1 else s2[0]
    if s1[-1] != inner:
        side = "x2.shape[-2]" if len(s2) > 1 else "x2.shape[0]"
        hint = "the last axis of x1 is summed with the second to last of x2, or with the only one"
        if s1[-1] == s2[-1]:
            hint = "transpose the second operand: matrix_transpose(x2)"
        elif len(s1) > 1 and s1[-2] == inner:
            hint = "transpose the first operand: matrix_transpose(x1)"
        elif s2[-1] == (s1[-2] if len(s1) > 1 else s1[-1]):
            hint = "exchange the operands: matmul(x2, x1)"
        fail(
            ShapeError,
            "matmul",
            f"needs x1.shape[-1] == {side}, but {s1[-1]} != {inner}",
            {"x1": x1, "x2": x2},
            hint,
        )
    if len(s1) > 2 and len(s2) > 2:
        check_batches("matmul", {"x1": x1, "x2": x2})
    return apply(rules.MATMUL, (x1, x2))


@checked_keywords
def vecdot(x1: Any, x2: Any, /, axis: int = -1) -> Tensor:
    """The sum of products along one axis; of complex vectors, of the conjugate of x1 with x2.

    Args:
        x1: any shape with the axis.
        x2: as many elements along the axis; the other axes broadcast.
        axis: counts from the end where the operands have different numbers of axes.

    Raises:
        ShapeError: if the sizes along the axis differ or the other axes do not broadcast.

    >>> vecdot(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 1.0]))
    Tensor([3., 7.])
    """
    x1, x2 = pair(rules.VECDOT, x1, x2)
    place = _common_axis("vecdot", x1, x2, axis)
    n, m = x1._data.shape[place], x2._data.shape[place]
    if n != m:
        hint = "the axis counts from the end in each, and the others broadcast"
        fail(ShapeError, "vecdot", f"needs equal sizes along the axis, but {n} != {m}", {"x1": x1, "x2": x2}, hint)
    if place != -1:
        x1, x2 = moveaxis(x1, place, -1), moveaxis(x2, place, -1)
    return apply(rules.VECDOT, (x1, x2))


def _common_axis(operation: str, x1: Tensor, x2: Tensor, axis: int) -> int:
    """An axis that both operands have, counted from the end, where they line up."""
    fewest: int = min(x1._data.ndim, x2._data.ndim)
    if not fewest:
        hint = "use * for numbers"
        fail(ShapeError, operation, "needs at least one axis in each operand", {"x1": x1, "x2": x2}, hint)
    return axis_number(operation, axis, fewest, x1 if x1._data.ndim == fewest else x2) - fewest


@checked_keywords
def cross(x1: Any, x2: Any, /, axis: int = -1) -> Tensor:
    """The vector product of vectors with 3 elements; its derivatives are vector products too.

    Args:
        x1: 3 elements along the axis.
        x2: 3 elements along the axis; the other axes broadcast.
        axis: counts from the end where the operands have different numbers of axes.

    Raises:
        ShapeError: if there are not 3 elements along the axis.

    >>> cross(Tensor([1.0, 0.0, 0.0]), Tensor([0.0, 1.0, 0.0]))
    Tensor([0., 0., 1.])
    """
    x1, x2 = pair(rules.CROSS, x1, x2)
    place = _common_axis("cross", x1, x2, axis)
    if x1._data.shape[place] != 3 or x2._data.shape[place] != 3:
        hint = "vectors of a plane get a third element 0: pad(x, ((0, 0), (0, 1))) for rows of them"
        if 2 not in (x1._data.shape[place], x2._data.shape[place]):
            hint = "say along which axis the vectors lie: axis=0"
        fail(ShapeError, "cross", "needs 3 elements along the axis", {"x1": x1, "x2": x2}, hint)
    clash = broadcast_clash([x1._data.shape, x2._data.shape])
    if clash:
        named = {"x1": x1, "x2": x2}
        fail(ShapeError, "cross", f"needs shapes that broadcast together, but {clash}", named, broadcast_hint(named))
    return apply(rules.CROSS, (x1, x2), (place,))


@checked_keywords
def outer(x1: Any, x2: Any, /) -> Tensor:
    """All products of two vectors: x1[i] x2[j].

    Raises:
        ShapeError: if an operand is not 1-d.

    >>> outer(Tensor([1.0, 2.0]), Tensor([3.0, 4.0]))
    Tensor([[3., 4.],
            [6., 8.]])
    """
    x1, x2 = as_tensor("outer", x1, "x1"), as_tensor("outer", x2, "x2")
    if x1._data.ndim != 1 or x2._data.ndim != 1:
        fail(ShapeError, "outer", "needs vectors with one axis", {"x1": x1, "x2": x2}, "flatten them first")
    return multiply(reshape(x1, (x1._data.shape[0], 1)), x2)


@checked_keywords
def inner(x1: Any, x2: Any, /) -> Tensor:
    """The sum of products along the last axes, for all pairs of the other indices; of numbers, the product.

    >>> inner(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 1.0]))
    Tensor([3., 7.])
    """
    x1, x2 = pair(rules.MATMUL, as_tensor("inner", x1, "x1"), as_tensor("inner", x2, "x2"))
    if not x1._data.ndim or not x2._data.ndim:
        return multiply(x1, x2)
    return _contracted("inner", x1, x2, [x1._data.ndim - 1], [x2._data.ndim - 1])


def dot(x1: Any, x2: Any, /) -> Tensor:
    """NumPy's dot: the last axis of x1 against the last but one of x2 (its only one, if it is a vector).

    Of two matrices it is the matrix product, of numbers the product. Unlike ``matmul`` it has no batches: the
    other axes of both are kept.

    >>> dot(Tensor([1.0, 2.0]), Tensor([3.0, 4.0]))
    Tensor(11.)
    """
    x1, x2 = pair(rules.MATMUL, as_tensor("dot", x1, "x1"), as_tensor("dot", x2, "x2"))
    if not x1._data.ndim or not x2._data.ndim:
        return multiply(x1, x2)
    return _contracted("dot", x1, x2, [x1._data.ndim - 1], [max(x2._data.ndim - 2, 0)])


@checked_keywords
def tensordot(x1: Any, x2: Any, /, axes: Any = 2) -> Tensor:
    """The sum of products over some axes of both; the other axes of x1, then those of x2, stay.

    Args:
        x1: any shape.
        x2: any shape.
        axes: a number n, for the last n axes of x1 and the first n of x2, or a pair of sequences: the axes of x1
            and, in the same order, those of x2.

    Raises:
        ShapeError: if the sizes along a pair of axes differ.

    >>> tensordot(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 1.0]), axes=1)
    Tensor([3., 7.])
    """
    x1, x2 = pair(rules.MATMUL, as_tensor("tensordot", x1, "x1"), as_tensor("tensordot", x2, "x2"))
    n1, n2 = x1._data.ndim, x2._data.ndim
    if hasattr(axes, "__iter__"):
        axes = tuple(axes)
        if len(axes) != 2:
            hint = "axes=([1], [0]) sums axis 1 of x1 with axis 0 of x2"
            fail(ArgumentError, "tensordot", f"needs axes as a number or a pair of sequences, but got {axes}", {}, hint)
        first, second = (list(whole_numbers("tensordot", "axes", part)) for part in axes)
        first = [axis_number("tensordot", a, n1, x1) for a in first]
        second = [axis_number("tensordot", a, n2, x2) for a in second]
        if len(first) != len(second) or len(set(first)) < len(first) or len(set(second)) < len(second):
            need = f"needs as many axes of x1 as of x2, each once, but got {axes}"
            hint = "axes=([1], [0]) sums axis 1 of x1 with axis 0 of x2"
            fail(ArgumentError, "tensordot", need, {"x1": x1, "x2": x2}, hint)
    else:
        count = integer("tensordot", "axes", axes)
        if not 0 <= count <= min(n1, n2):
            need = f"needs from 0 to {min(n1, n2)} axes, but got {count}"
            hint = "a number of axes: the last of x1 are summed with the first of x2"
            fail(ArgumentError, "tensordot", need, {"x1": x1, "x2": x2}, hint)
        first, second = list(range(n1 - count, n1)), list(range(count))
    return _contracted("tensordot", x1, x2, first, second)


def _contracted(operation: str, x1: Tensor, x2: Tensor, first: list[int], second: list[int]) -> Tensor:
    """One matrix product, with the axes that stay gathered on the outside and those that are summed inside."""
    s1, s2 = x1._data.shape, x2._data.shape
    for i, k in zip(first, second, strict=True):
        if s1[i] != s2[k]:
            need = f"needs x1.shape[{i}] == x2.shape[{k}], but {s1[i]} != {s2[k]}"
            hint = "the axes that are summed have equal sizes in both"
            fail(ShapeError, operation, need, {"x1": x1, "x2": x2}, hint)
    stay1, stay2 = [i for i in range(len(s1)) if i not in first], [i for i in range(len(s2)) if i not in second]
    kept1, kept2, summed = [s1[i] for i in stay1], [s2[i] for i in stay2], [s1[i] for i in first]
    rows = reshape(permute_dims(x1, (*stay1, *first)), (math.prod(kept1), math.prod(summed)))
    columns = reshape(permute_dims(x2, (*second, *stay2)), (math.prod(summed), math.prod(kept2)))
    return reshape(matmul(rows, columns), (*kept1, *kept2))


@checked_keywords
def kron(x1: Any, x2: Any, /) -> Tensor:
    """The Kronecker product: x2 once per element of x1, multiplied by it, side by side.

    >>> kron(Tensor([1.0, 10.0]), Tensor([1.0, 2.0]))
    Tensor([ 1.,  2., 10., 20.])
    """
    x1, x2 = as_tensor("kron", x1, "x1"), as_tensor("kron", x2, "x2")
    ndim = max(x1._data.ndim, x2._data.ndim)
    s1, s2 = ((1,) * (ndim - x._data.ndim) + x._data.shape for x in (x1, x2))
    wide = [n for size in s1 for n in (size, 1)]
    fine = [n for size in s2 for n in (1, size)]
    return reshape(multiply(reshape(x1, wide), reshape(x2, fine)), [n * m for n, m in zip(s1, s2, strict=True)])


@checked_keywords
def multi_dot(arrays: Sequence[Any], /) -> Tensor:
    """The product of a chain of matrices, in the order that needs the fewest multiplications.

    Args:
        arrays: two or more matrices; the first may be a row and the last a column, as vectors.

    Raises:
        ShapeError: if neighbours do not fit.

    >>> multi_dot([Tensor([[1.0, 2.0]]), Tensor([[3.0], [4.0]]), Tensor([[2.0]])])
    Tensor([[22.]])
    """
    if isinstance(arrays, Tensor) or not hasattr(arrays, "__iter__"):
        fail(DTypeError, "multi_dot", "needs a list or tuple of matrices", {"arrays": arrays})
    chain = [as_tensor("multi_dot", a, f"arrays[{i}]") for i, a in enumerate(arrays)]
    if len(chain) < 2:
        fail(ArgumentError, "multi_dot", f"needs at least two matrices, but got {len(chain)}")
    for i, x in enumerate(chain):
        if x._data.ndim != 2 and not (x._data.ndim == 1 and i in (0, len(chain) - 1)):
            need = "needs matrices, of which the first and the last may be vectors"
            fail(ShapeError, "multi_dot", need, {f"arrays[{i}]": x})
    for i, (x1, x2) in enumerate(itertools.pairwise(chain)):
        if x1._data.shape[-1] != x2._data.shape[0]:
            named = {f"arrays[{i}]": x1, f"arrays[{i + 1}]": x2}
            need = f"needs neighbours that fit, but {x1._data.shape[-1]} != {x2._data.shape[0]}"
            fail(ShapeError, "multi_dot", need, named)
    return _in_order(chain, _cheapest(chain), 0, len(chain) - 1)


def _cheapest(chain: list[Tensor]) -> dict[tuple[int, int], int]:
    """Where to split each part i..j of the chain (Cormen et al., Introduction to Algorithms, section 14.2)."""
    sizes = [1 if chain[0]._data.ndim == 1 else chain[0]._data.shape[0]]
    sizes += [x._data.shape[-1] for x in chain[:-1]]
    sizes += [1 if chain[-1]._data.ndim == 1 else chain[-1]._data.shape[1]]
    costs = {(i, i): 0 for i in range(len(chain))}
    split: dict[tuple[int, int], int] = {}
    for length in range(1, len(chain)):
        for i in range(len(chain) - length):
            j = i + length
            found = [(costs[i, k] + costs[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)]
            costs[i, j], split[i, j] = min(found)
    return split


def _in_order(chain: list[Tensor], split: dict[tuple[int, int], int], i: int, j: int) -> Tensor:
    if i == j:
        return chain[i]
    k = split[i, j]
    return matmul(_in_order(chain, split, i, k), _in_order(chain, split, k + 1, j))
