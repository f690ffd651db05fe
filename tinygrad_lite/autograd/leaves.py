"""The gradient that a leaf keeps: how it is added to, replaced and let go.

``leaf.grad`` is memory of its own: a contiguous array, or the leaf's slice of the arena that optimiser and
communicator share. It is never an alias of another array.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from tinygrad_lite.autograd.graph import Array, Leaf, Tensor, make_tensor


def deposit(leaf: Leaf, g: Any, create_graph: bool) -> None:
    """Add a final gradient to ``leaf.grad``, which is memory of its own and never an alias."""
    grad = leaf.grad
    if create_graph:
        leaf.grad = g if grad is None else grad + g
    elif grad is None:
        if leaf.buffer is None:
            data = np.array(g) if isinstance(g, np.generic) else g.copy()
        else:
            data = leaf.buffer
            if g is not data:
                data[...] = g
        leaf.grad = make_tensor(data)
    elif grad._node is None and getattr(grad._data, "flags", None) is not None and grad._data.flags.writeable:
        grad._data += g
    else:
        leaf.grad = make_tensor(grad._data + g)
    if leaf.after is not None:
        for hook in list(leaf.after.values()):
            hook(leaf.tensor())


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
        kept._data = kept._data.copy()


def adopt_grad(leaf: Leaf, value: Tensor) -> None:
    """Make the elements of ``value`` the gradient of a leaf: a copy, in its place in the arena if it has one."""
    if leaf.buffer is None:
        leaf.grad = make_tensor(value._data.copy())
    else:
        leaf.buffer[...] = value._data
        leaf.grad = make_tensor(leaf.buffer)


def as_array(g: Array) -> Array:
    """A 0-d array where NumPy's arithmetic returned a scalar."""
    return np.asarray(g) if isinstance(g, np.generic) else g
