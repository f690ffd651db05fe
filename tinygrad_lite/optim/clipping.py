"""Gradient clipping, by norm and by value: the first lecture's cure for cliffs.

At a cliff of the loss the gradient explodes, and one step throws the weights far away from the minimum. The
heuristic is to take only the direction of such a gradient: its length is limited.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinygrad_lite.autograd.arena import Span, spans
from tinygrad_lite.autograd.graph import Array, Leaf, Tensor, make_tensor
from tinygrad_lite.autograd.leaves import claim_buffer
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.errors import ArgumentError, DeviceError, DTypeError, GradientError, fail
from tinygrad_lite.optim.settings import NON_NEGATIVE, Limit, checked, listed

NORM = Limit(
    "a number above 0, or inf",
    lambda v: float(v) if isinstance(v, (int, float, np.number)) and not isinstance(v, bool) and v > 0 else None,
)
LENGTH = Limit("a number >= 0, or inf", lambda v: NORM.convert(v) or NON_NEGATIVE.convert(v))


@checked_keywords
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients, in place, so that their norm as one long vector is at most ``max_norm``.

    The direction stays, the length is limited: ``g <- g min(1, max_norm / (||g|| + 1e-6))``, as in PyTorch.

    Args:
        parameters: a leaf or several; those without a gradient are left out.
        max_norm: the largest length; with ``inf`` the norm is measured and nothing is scaled.
        norm_type: p of the p-norm, above 0; ``inf`` for the largest absolute value.
        error_if_nonfinite: refuse a norm that is inf or NaN, instead of scaling by 0 or NaN.

    Returns:
        The norm before the scaling, a tensor of shape (); 0 without gradients. For its accuracy see
        ``get_total_norm``.

    Raises:
        ArgumentError: an argument is out of range, there are no parameters (PyTorch returns 0 then), or the norm
            is not finite and ``error_if_nonfinite``.
        DTypeError, GradientError: a parameter is not a tensor, or not a leaf that requires a gradient.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor([3.0, 4.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> clip_grad_norm_([x], max_norm=1.0)
    Tensor(10.)
    >>> x.grad
    Tensor([0.6, 0.8])
    """
    operation = "clip_grad_norm_"
    limits = {"max_norm": LENGTH, "norm_type": NORM}
    given = checked(operation, limits, {"max_norm": max_norm, "norm_type": norm_type})
    leaves = _leaves(operation, parameters)
    pieces, others = _pieces(leaves)
    grads: list[Any] = [leaf.grad for leaf in leaves]
    loose: list[Any] = [leaf.grad for leaf in others]
    arrays = [*map(_flat, pieces), *(grad._data for grad in loose)]
    norm = _measured(operation, arrays, given["norm_type"], error_if_nonfinite)
    limit = namespaces[type(norm)].clipping.limiter(norm, given["max_norm"]) if given["max_norm"] < math.inf else None
    if limit is not None:
        _change(pieces, others, limit)
    return _as_tensor(norm, [grad._data for grad in grads])


@checked_keywords
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of every gradient, in place, to the range from ``-clip_value`` to ``clip_value``.

    Unlike ``clip_grad_norm_`` this changes the direction. NaN stays NaN.

    Args:
        parameters: a leaf or several; those without a gradient are left out.
        clip_value: the largest absolute value.

    Raises:
        ArgumentError: ``clip_value`` is out of range, or there are no parameters.
        DTypeError, GradientError: a parameter is not a tensor, or not a leaf that requires a gradient.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor([3.0, 0.1], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> clip_grad_value_([x], 1.0)
    >>> x.grad
    Tensor([1. , 0.2])
    """
    operation = "clip_grad_value_"
    bound = checked(operation, {"clip_value": NON_NEGATIVE}, {"clip_value": clip_value})["clip_value"]
    leaves = _leaves(operation, parameters)
    grads: list[Any] = [leaf.grad for leaf in leaves]
    xp = _namespace(operation, [grad._data for grad in grads])
    _change(*_pieces(leaves), xp.clipping.limiter_of_values(bound))


@checked_keywords
def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """The norm of several tensors (gradients, usually) as one long vector.

    Squares are summed in the precision of the array within rows of 4096 elements, and the rows in double
    precision: for float32 within about 1e-6 of the exact value at any size. Where squares overflow or
    underflow, the sum is taken again, scaled by the largest element.

    Args:
        tensors: one or several, of floats.
        norm_type: p of the p-norm, above 0; ``inf`` for the largest absolute value.
        error_if_nonfinite: refuse a norm that is inf or NaN.

    Returns:
        A tensor of shape (); 0 for no tensors.

    Raises:
        ArgumentError: ``norm_type`` is out of range, or the norm is not finite and ``error_if_nonfinite``.
        DTypeError: something given is not a tensor of floats.

    >>> import tinygrad_lite as tgl
    >>> get_total_norm([tgl.Tensor([3.0]), tgl.Tensor([[4.0]])])
    Tensor(5.)
    """
    operation = "get_total_norm"
    p = checked(operation, {"norm_type": NORM}, {"norm_type": norm_type})["norm_type"]
    given = [tensors] if isinstance(tensors, Tensor) else listed(operation, "tensors", tensors)
    for i, tensor in enumerate(given):
        if not isinstance(tensor, Tensor) or tensor.dtype.kind != "f":
            hint = "of gradients: [p.grad for p in model.parameters() if p.grad is not None]"
            fail(DTypeError, operation, "needs tensors of floats", {f"tensors[{i}]": tensor}, hint)
    arrays = [tensor._data for tensor in given]
    return _as_tensor(_measured(operation, arrays, p, error_if_nonfinite), arrays)


# --- gradients ------------------------------------------------------------------------------------------


def _leaves(operation: str, parameters: Any) -> list[Leaf]:
    """The leaves that have a gradient."""
    tensors = [parameters] if isinstance(parameters, Tensor) else listed(operation, "parameters", parameters)
    if not tensors:
        hint = "a generator such as model.parameters() can be used once only: pass a list, or call it again"
        fail(ArgumentError, operation, "needs at least one parameter, but got none", hint=hint)
    leaves: list[Leaf] = []
    for i, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            need = f"needs tensors, but parameters[{i}] is a {type(tensor).__name__}"
            fail(DTypeError, operation, need, hint="pass model.parameters()")
        node = tensor._node
        if node is not None and type(node) is not Leaf:
            need = "needs leaves, not results of operations"
            fail(GradientError, operation, need, {f"parameters[{i}]": tensor}, "pass model.parameters()")
        if type(node) is Leaf and node.grad is not None:
            leaves.append(node)
    return list(dict.fromkeys(leaves))


def _pieces(leaves: list[Leaf]) -> tuple[list[Span], list[Leaf]]:
    """Stretches of gradients that lie end to end in an arena, and the leaves whose gradients do not."""
    placed: list[Leaf] = []
    others: list[Leaf] = []
    for leaf in leaves:
        grad: Any = leaf.grad
        (placed if grad._data is leaf.buffer else others).append(leaf)
    return spans(placed), others


def _flat(span: Span) -> Array:
    return span.arena.grads[span.start : span.stop]


def _change(pieces: list[Span], others: list[Leaf], limit: Callable[[Array, Array], None]) -> None:
    """Run ``limit(g, out)`` over all gradients: in place in an arena, else the tensor gets a new array."""
    for piece in pieces:
        for leaf in piece.leaves:
            claim_buffer(leaf)
        flat = _flat(piece)
        limit(flat, flat)
    for leaf in others:
        grad: Any = leaf.grad
        changed = namespaces[type(grad._data)].empty(grad._data.shape, grad._data.dtype)
        limit(grad._data, changed)
        if grad._node is None:
            grad._data, grad._version = changed, None
        else:  # recorded by create_graph: whoever holds it keeps its graph
            leaf.grad = make_tensor(changed)


# --- norms ----------------------------------------------------------------------------------------------


def _namespace(operation: str, arrays: list[Array]) -> Any:
    """The namespace of the device where all arrays are."""
    types = {type(array) for array in arrays}
    if len(types) > 1:
        hint = "clip the parameters of each device by themselves"
        fail(DeviceError, operation, "needs gradients on one device, but got some on several", hint=hint)
    return namespaces[types.pop() if types else np.ndarray]


def _measured(operation: str, arrays: list[Array], p: float, error_if_nonfinite: bool) -> Array:
    """The norm, as float64 on the device of the arrays."""
    norm: Array = _namespace(operation, arrays).clipping.norm(arrays, p)
    if error_if_nonfinite and not math.isfinite(norm.item()):
        hint = "look for the first NaN or inf in the loss, or lower the learning rate"
        need = f"needs a finite norm with error_if_nonfinite=True, but it is {norm.item()}"
        fail(ArgumentError, operation, need, hint=hint)
    return norm


def _as_tensor(norm: Array, arrays: list[Array]) -> Tensor:
    """In the widest dtype of the arrays, but at least float32: a norm soon passes what float16 can hold."""
    dtype = np.result_type(np.float32, *(array.dtype for array in arrays))
    with np.errstate(over="ignore"):
        return make_tensor(namespaces[type(norm)].astype(norm, dtype))
