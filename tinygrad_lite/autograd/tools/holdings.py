"""What a recorded operation holds on to: the arrays that it saved, and the memory that these keep alive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tinygrad_lite.autograd.graph import FREED, Array, Node, Tensor
from tinygrad_lite.autograd.rows import namespaces


def saved_arrays(node: Node) -> Iterator[tuple[str, Array]]:
    """The arrays that a node saved for its rules, by the names that these use; none if they were freed."""
    plan = node.plan
    if plan is None or node.saved is FREED:
        return
    for name, (kind, _), value in zip(plan.names, plan.kept, node.saved):
        if kind == "operand" or kind == "output":
            if _is_array(value):
                yield name, value
        else:
            yield from _arrays_in(value, name)


def held_arrays(node: Node) -> Iterator[tuple[str, Array]]:
    """The same, and what a backend's fast version of the operation saved for itself besides."""
    saved = list(saved_arrays(node))
    yield from saved
    for name, array in _arrays_in(getattr(node, "private", None), "private"):
        if not any(array is other for _, other in saved):
            yield name, array


def _arrays_in(value: Any, name: str, within: bool = False) -> Iterator[tuple[str, Array]]:
    """Every array in tensors, nested containers and the attributes of an object, with the path to it.

    Objects are what operations with state of their own save (a checkpoint its arguments); those ``within`` others
    are not looked into.
    """
    if isinstance(value, Tensor):
        yield name, value._data
    elif _is_array(value):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _arrays_in(item, f"{name}[{key!r}]", within)
    elif isinstance(value, (tuple, list)):
        fields = getattr(value, "_fields", None)
        for i, item in enumerate(value):
            yield from _arrays_in(item, f"{name}.{fields[i]}" if fields else f"{name}[{i}]", within)
    elif not within and not callable(value):
        for key, item in getattr(value, "__dict__", {}).items():
            yield from _arrays_in(item, f"{name}.{key}", within=True)


def buffer_of(array: Array) -> Array:
    """The array, or on a GPU the block, that owns the memory of ``array``, which lives as long as any view of it."""
    kind = type(array)
    if getattr(namespaces.get(kind), "device", "") == "cuda":
        return array.block
    while isinstance(getattr(array, "base", None), kind):
        array = array.base
    return array


def size_in_bytes(array: Array) -> int:
    """How many bytes an array's elements, or a block, take.

    >>> import numpy as np
    >>> size_in_bytes(buffer_of(np.zeros((4, 4), np.float32)[:1]))
    64
    """
    count: int = array.nbytes if hasattr(array, "nbytes") else array.size * array.dtype.itemsize
    return count


def _is_array(value: Any) -> bool:
    return type(value) in namespaces and type(value) is not Tensor
