"""Buckets: the flat pieces in which gradients are averaged.

The gradients of a model lie end to end in an arena (``autograd/arena.py``), the last layers' first, because backward
finishes those first. A bucket is a slice of that array: nothing is packed or unpacked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_lite.autograd.arena import Arena, Span, arenas_of, spans
from tinygrad_lite.autograd.graph import Array, Leaf, Tensor
from tinygrad_lite.autograd.leaves import adopt_grad, claim_buffer
from tinygrad_lite.backends.devices import device_of
from tinygrad_lite.distributed.pinned import PinnedGradients, pinned_like, start_all

if TYPE_CHECKING:
    from tinygrad_lite.distributed.communicator import Communicator


class Bucket:
    """Neighbouring gradients that travel together.

    Attributes:
        grads: their flat array, a slice of the arena's.
        leaves: whose gradients lie in it.
        waiting: those of them that are not final yet in the backward pass in progress.
    """

    __slots__ = ("_buffers", "_host", "grads", "leaves", "waiting")

    def __init__(self, grads: Array, leaves: Sequence[Leaf]) -> None:
        self.grads, self.leaves = grads, tuple(leaves)
        self.waiting: set[Leaf] = set()
        self._buffers = {leaf: leaf.buffer for leaf in leaves}
        self._host: Any = None  # where those of a GPU are averaged, from the first time on

    def append(self, memory: Array) -> Array:
        """Let what lies behind the gradients in their memory travel with them, and return that."""
        arena, start, _ = self.leaves[0].slot  # type: ignore[misc]
        self.grads = memory[start:]
        return memory[arena.grads.size :]

    def is_stale(self) -> bool:
        """Whether the gradients lie somewhere else by now."""
        return any(leaf.buffer is not buffer for leaf, buffer in self._buffers.items())

    def expect(self, reached: Mapping[Leaf, Any] | None) -> None:
        """Begin a backward pass in which the gradients of the ``reached`` leaves will come; None: perhaps of all."""
        self.waiting = set(self._buffers) if reached is None else reached.keys() & self._buffers.keys()

    def send(self, sender: Any) -> Any:
        """Start to average the gradients, and return the handle. Those of a GPU are copied down first."""
        self.make_ready()
        if device_of(self.grads) != "cpu":
            new = self._host is None
            if self._host is None:
                self._host = pinned_like(self.grads)
            return PinnedGradients(self.grads, self._host, sender, new=new)
        start_all(sender)
        return sender.iallreduce(self.grads, "mean", self.grads)

    def receive(self, handle: Any) -> None:
        """Wait for the averages."""
        handle.wait()

    def make_ready(self) -> None:
        """See to it that ``grads`` holds every gradient, zeros for those that there are not, and may be written."""
        for leaf in self.leaves:
            if leaf.grad is None:
                claim_buffer(leaf).fill(0)
            elif leaf.grad._data is not leaf.buffer:
                adopt_grad(leaf, leaf.grad)
            else:
                leaf.written.raise_count()


def plan(parameters: Sequence[Tensor], size: int) -> list[Bucket]:
    """Cut the gradients of ``parameters`` into buckets of at most ``size`` bytes, or of one larger parameter each.

    Args:
        parameters: leaves that require a gradient, in the order of registration.
        size: in bytes.

    >>> from tinygrad_lite import nn
    >>> model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 10))
    >>> [bucket.grads.nbytes for bucket in plan(list(model.parameters()), 4096)]
    [2880, 16384]
    """
    arenas_of(parameters)
    buckets = []
    for span in spans(tensor._node for tensor in parameters):  # type: ignore[misc]
        for start, stop, leaves in _cut(span, size):
            buckets.append(Bucket(span.arena.grads[start:stop], leaves))
    return buckets


def _cut(span: Span, size: int) -> list[tuple[int, int, list[Leaf]]]:
    pieces: list[tuple[int, int, list[Leaf]]] = []
    for leaf in span.leaves:
        _, start, stop = leaf.slot  # type: ignore[misc]
        if pieces and (stop - pieces[-1][0]) * span.arena.grads.itemsize <= size:
            first, _, leaves = pieces.pop()
            pieces.append((first, stop, [*leaves, leaf]))
        else:
            pieces.append((start, stop, [leaf]))
    return pieces


def move_to_window(parameters: Sequence[Tensor], comm: Communicator) -> dict[Arena, Array]:
    """Make room for the gradients of ``parameters`` in memory that the ranks of one host share: no copy is sent.

    The parameters get new arenas of their own, in which nobody else has a slot; optimisers follow by themselves, and
    gradients that there are move when they are next needed.

    Returns:
        For each arena on the CPU the memory of its gradients, which goes on behind them by one element per parameter.
    """
    memories: dict[Arena, Array] = {}
    for tensor in parameters:
        tensor._node.slot = None  # type: ignore[union-attr]
    for arena in arenas_of(parameters):
        if type(arena.grads) is np.ndarray:
            memories[arena] = comm.empty(arena.grads.size + len(parameters), arena.grads.dtype)
            memories[arena].fill(0)  # what lies between slots stays so
            _replace(arena, memories[arena][: arena.grads.size], parameters)
    return memories


def leave_window(parameters: Sequence[Tensor]) -> None:
    """Put the gradients of ``parameters`` back into memory of this rank alone."""
    for arena in arenas_of(parameters):
        if type(arena.grads) is np.ndarray:
            _replace(arena, arena.grads.copy(), parameters)
    for tensor in parameters:
        leaf: Leaf = tensor._node  # type: ignore[assignment]
        if leaf.grad is not None:
            adopt_grad(leaf, leaf.grad)


def forget_slot(leaf: Leaf) -> None:
    """Let a leaf that is trained no longer have memory of its own, instead of a place in an arena that others left."""
    grad, leaf.slot, leaf.buffer = leaf.grad, None, None
    if grad is not None:
        adopt_grad(leaf, grad)


def _replace(arena: Arena, grads: Array, parameters: Sequence[Tensor]) -> None:
    arena.grads = grads
    for tensor in parameters:
        leaf: Leaf = tensor._node  # type: ignore[assignment]
        owner, start, stop = leaf.slot  # type: ignore[misc]
        if owner is arena:
            leaf.buffer = grads[start:stop].reshape(leaf.shape)
