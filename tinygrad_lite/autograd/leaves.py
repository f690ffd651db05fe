"""The gradient that a leaf keeps: how it is added to, replaced and let go.

``leaf.grad`` is memory of its own: a contiguous array, or the leaf's slice of the arena that optimiser and
communicator share. It is never an alias of another array.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from tinygrad_lite.autograd.graph import Array, Leaf, Tensor, make_tensor
from tinygrad_lite.autograd.rows import copied


def deposit(leaf: Leaf, g: Any, create_graph: bool) -> None:
    """Add a final gradient to ``leaf.grad``, which is memory of its own and never an alias.

    The tensor stays the same object from pass to pass; its views and the graphs that saved it keep their values.
    """
    grad = leaf.grad
    if create_graph:
        if grad is None:
            g = make_tensor(copied(g._data) if g._node is None else g._data, g._node)
        leaf.grad = g if grad is None else grad + g
    elif grad is None:
        if leaf.buffer is None:
            leaf.grad = make_tensor(copied(g))
        else:
            if g is not leaf.buffer:  # else the backend has written it there already
                claim_buffer(leaf)[...] = g
            leaf.grad = in_buffer(leaf)
    elif grad._data is leaf.buffer:
        leaf.written.raise_count()
        grad._data += g
    else:
        grad._data, grad._node, grad._version = grad._data + g, None, None
    if leaf.after is not None:
        tensor = leaf.tensor()
        for hook in list(leaf.after.values()) if tensor is not None else ():
            hook(tensor)


def claim_buffer(leaf: Leaf) -> Array:
    """The leaf's slice of the arena, about to be written: whoever looks at its old content gets a copy."""
    leaf.written.raise_count()
    return leaf.buffer


def in_buffer(leaf: Leaf) -> Tensor:
    """A gradient that lies in the arena."""
    grad = make_tensor(leaf.buffer)
    grad._version = leaf.written
    return grad


def leaf_of(tensor: Tensor) -> Leaf | None:
    """The leaf that keeps this tensor's gradient, also while the tensor is frozen; None for all others."""
    node, version = tensor._node, tensor._version
    if node is None and version is not None and version.owner() is tensor:
        return version.leaf
    return node if isinstance(node, Leaf) else None


def release_grad(leaf: Leaf) -> None:
    """Set a leaf's gradient to None. Whoever still holds it keeps its value: the buffer will be reused."""
    grad = leaf.grad
    if grad is None:
        return
    leaf.grad = None
    if leaf.buffer is None or grad._data is not leaf.buffer:
        return
    held = weakref.ref(grad)
    del grad
    kept = held()
    if kept is not None:
        kept._data, kept._version = copied(kept._data), None


def adopt_grad(leaf: Leaf, value: Tensor) -> None:
    """Make the elements of ``value`` the gradient of a leaf: a copy, in its place in the arena if it has one."""
    if leaf.buffer is None:
        leaf.grad = make_tensor(copied(value._data))
    else:
        claim_buffer(leaf)[...] = value._data
        leaf.grad = in_buffer(leaf)


def as_array(g: Array) -> Array:
    """A 0-d array where NumPy's arithmetic returned a scalar."""
    return np.asarray(g) if isinstance(g, np.generic) else g
