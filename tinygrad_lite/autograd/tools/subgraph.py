"""A part of the graph by itself: what was recorded since a moment, and a derivative through that part alone.

Custom operations and checkpoints differentiate a piece of work that hangs on the graph around it. For that they
``cut`` it off: each place where it hangs is exchanged for a stand-in, the two walks of the engine run on the piece, and
then the real places return, so that what ``create_graph`` recorded leads on into the graph around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tinygrad_lite.autograd import engine, forward_mode
from tinygrad_lite.autograd.engine import Place
from tinygrad_lite.autograd.graph import Leaf, Node, Tensor


def recorded_since(start: int, roots: Iterable[Place]) -> tuple[list[Node], list[Place]]:
    """The nodes behind ``roots`` that are younger than ``start``, and the older places that they hang on.

    Both in the order in which a walk from the roots meets them, so that equal computations give equal lists.
    """
    nodes: dict[Node, None] = {}
    ends: dict[Place, None] = {}
    stack = list(roots)
    while stack:
        place = stack.pop()
        if place.seq <= start:
            ends[place] = None
        elif place not in nodes:
            nodes[place] = None  # type: ignore[index]
            stack += [parent for parent in place.parents if parent is not None]
    return list(nodes), list(ends)


def stand_in(place: Any) -> Leaf:
    """A leaf that takes the gradient of ``place`` (anything with a shape and a dtype) without its hooks."""
    leaf = Leaf.__new__(Leaf)
    leaf.shape, leaf.dtype, leaf.hooks = place.shape, place.dtype, None
    return leaf


def exchange(nodes: Iterable[Node], table: Mapping[Any, Place]) -> None:
    """Hang ``nodes`` on other places."""
    for node in nodes:
        if not table.keys().isdisjoint(node.parents):
            node.parents = tuple([table.get(parent, parent) for parent in node.parents])


class Piece:
    """What was recorded since ``start`` on the way to ``roots``, cut off from the graph around it.

    Attributes:
        ends: the places outside that it hangs on.
        nodes: the operations inside.
    """

    def __init__(self, start: int, roots: Sequence[Place]) -> None:
        self.start = start
        self.nodes, self.ends = recorded_since(start, roots)
        self._stand_ins: dict[Place, Leaf] = {}

    def pull(self, roots: Sequence[tuple[Place, Any]], inputs: Sequence[Place], *, create_graph: bool) -> list[Any]:
        """The cotangents at ``inputs`` (places in ``ends``) of ``roots``; None where none arrives."""
        inside = self._cut()
        try:
            found = engine.backward_pass(
                [(inside.get(place, place), g) for place, g in roots],
                retain_graph=create_graph,
                create_graph=create_graph,
                inputs=[inside.get(place) or stand_in(place) for place in inputs],
            )
        finally:
            self._mend()
        return self._mended(found)

    def push(self, outputs: Sequence[Place], seeds: Sequence[tuple[Place, Any]], *, create_graph: bool) -> list[Any]:
        """The tangents at ``outputs`` of tangents at places in ``ends``; None where they are zero."""
        inside = self._cut()
        try:
            found = forward_mode.forward_pass(
                [inside.get(place, place) for place in outputs],
                [(inside[place], tangent) for place, tangent in seeds if place in inside],
                create_graph=create_graph,
            )
        finally:
            self._mend()
        return self._mended(found)

    def _cut(self) -> dict[Place, Leaf]:
        self._stand_ins = {place: stand_in(place) for place in self.ends}
        exchange(self.nodes, self._stand_ins)
        return self._stand_ins

    def _mend(self) -> None:
        exchange(self.nodes, {leaf: place for place, leaf in self._stand_ins.items()})

    def _mended(self, found: list[Any]) -> list[Any]:
        """Derivatives whose own graph, if one was recorded, leads to the real places."""
        tensors = [x for x in found if isinstance(x, Tensor) and x._node is not None]
        back = {leaf: place for place, leaf in self._stand_ins.items()}
        nodes, _ = recorded_since(self.start, [x._node for x in tensors if x._node not in back])  # type: ignore[misc]
        exchange(nodes, back)
        for x in tensors:
            x._node = back.get(x._node, x._node)  # type: ignore[arg-type]
        return found
