"""Arenas: many parameters end to end in one flat array, and their gradients in a second one.

An optimiser then updates, a clip scales and a communicator sends one long array instead of many short ones.
Whoever comes first makes the arena; the others find it through ``Leaf.slot``. The engine writes gradients
straight into ``Leaf.buffer``, which is the parameter's part of the second array.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tinygrad_lite.autograd.graph import Array, Leaf, Tensor
from tinygrad_lite.autograd.leaves import adopt_grad, release_grad
from tinygrad_lite.autograd.rows import namespaces

ALIGNMENT = 64  #: bytes; a cache line, the widest vector register, and four times what a GPU's thread loads at once


class Arena:
    """Two flat arrays of one dtype on one device, values and gradients, in which every parameter has a slot.

    A slot begins at a multiple of ``ALIGNMENT`` bytes. What lies between slots is zero in both arrays, so that
    element-wise updates and norms may run over it.

    Args:
        array_type: the kind of array, which says on which device it is.
        dtype: of both arrays.
        size: in elements.
    """

    __slots__ = ("__weakref__", "grads", "values")

    def __init__(self, array_type: type, dtype: Any, size: int) -> None:
        zeros = namespaces[array_type].updates.flat_zeros
        self.values, self.grads = zeros(dtype, size), zeros(dtype, size)

    def zeros(self) -> Array:
        """A third array of the same layout, for the state of an optimiser."""
        values = self.values
        zeros: Array = namespaces[type(values)].updates.flat_zeros(values.dtype, values.size)
        return zeros


class Span(NamedTuple):
    """Slots of one arena with nothing but padding between them."""

    arena: Arena
    start: int
    stop: int
    leaves: list[Leaf]


def arenas_of(tensors: Sequence[Tensor]) -> list[Arena]:
    """Give every tensor a slot and return the arenas that hold them.

    Tensors that have a slot keep it. The others are laid out in new arenas, one per dtype and device, in reverse order:
    backward finishes the gradients of the last layers first, so final gradients lie together early. A
    tensor whose array was replaced since (a module moved to another dtype or device, say) counts as new. Gradients
    move along.

    Args:
        tensors: leaves that require a gradient, in the order of registration, none twice.

    >>> import tinygrad_lite as tgl
    >>> w, b = tgl.Tensor([[1.0, 2.0]], requires_grad=True), tgl.Tensor([3.0], requires_grad=True)
    >>> (arena,) = arenas_of([w, b])
    >>> b._node.slot[1:], w._node.slot[1:]
    ((0, 1), (16, 18))
    >>> arena.values[:18]
    array([3., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 1.,
           2.], dtype=float32)
    """
    new: dict[Any, list[Tensor]] = {}
    for tensor in reversed(tensors):
        if not has_place(tensor):
            new.setdefault((type(tensor._data), tensor._data.dtype), []).append(tensor)
    for (array_type, dtype), group in new.items():
        _lay_out(array_type, dtype, group)
    return list(dict.fromkeys(tensor._node.slot[0] for tensor in tensors))  # type: ignore[union-attr, index]


def has_place(tensor: Tensor) -> bool:
    """Whether the values of a leaf are in its slot: it has one, and its array was not replaced since."""
    leaf: Any = tensor._node
    if leaf.slot is None:
        return False
    arena, start, _ = leaf.slot
    data, values = tensor._data, arena.values
    if type(data) is not type(values) or data.dtype != values.dtype or data.shape != leaf.buffer.shape:
        return False
    address = namespaces[type(data)].updates.address
    return bool(address(data) == address(values) + start * values.itemsize)


def spans(leaves: Iterable[Leaf]) -> list[Span]:
    """Join the slots of ``leaves`` to maximal contiguous pieces, arena by arena, in rising order."""
    by_arena: dict[Arena, list[Leaf]] = {}
    for leaf in leaves:
        by_arena.setdefault(leaf.slot[0], []).append(leaf)  # type: ignore[index]
    found: list[Span] = []
    for arena, members in by_arena.items():
        members.sort(key=lambda leaf: leaf.slot[1:])  # type: ignore[index]
        end = -1
        for leaf in members:
            _, start, stop = leaf.slot  # type: ignore[misc]
            if start == end:
                found[-1] = found[-1]._replace(stop=stop)
                found[-1].leaves.append(leaf)
            else:
                found.append(Span(arena, start, stop, [leaf]))
            end = _round_up(stop, arena.values.itemsize)
    return found


def _lay_out(array_type: type, dtype: Any, tensors: Sequence[Tensor]) -> None:
    """Move tensors into a new arena, in the given order."""
    starts, size = [], 0
    for tensor in tensors:
        starts.append(size)
        size = _round_up(size + tensor._data.size, dtype.itemsize)
    arena = Arena(array_type, dtype, size)
    for tensor, start in zip(tensors, starts, strict=True):
        _move(tensor, arena, start)


def _move(tensor: Tensor, arena: Arena, start: int) -> None:
    """Copy the values and the gradient of a leaf to its slot, and let it live there."""
    leaf: Any = tensor._node
    data, grad = tensor._data, leaf.grad
    stop = start + data.size
    values = arena.values[start:stop].reshape(data.shape)
    values[...] = data
    tensor._data = values
    leaf.shape, leaf.dtype = data.shape, data.dtype
    leaf.slot = (arena, start, stop)
    leaf.buffer = arena.grads[start:stop].reshape(data.shape)
    if grad is None:
        return
    if grad._data.shape != data.shape:
        release_grad(leaf)
    elif grad._node is None:  # one that create_graph recorded stays as it is
        adopt_grad(leaf, grad)


def _round_up(elements: int, itemsize: int) -> int:
    per_line = ALIGNMENT // itemsize
    return -(-elements // per_line) * per_line
