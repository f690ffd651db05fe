"""The engine: walks a recorded graph backward (gradients) or forward (tangents).

Backward visits the reachable nodes from the youngest to the oldest. A node is younger than everything it
uses, so when its turn comes every use of its output has already added its share: no recursion, no
topological sort. The rules run on plain arrays (symbol-to-number) or, under ``create_graph``, on tensors, so
that the backward pass is recorded too (symbol-to-symbol). The engine knows no operation by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, NoReturn, TypeAlias

import numpy as np

from tinygrad_lite.autograd import leaves
from tinygrad_lite.autograd.graph import (
    FREED,
    Array,
    Hooks,
    Leaf,
    Node,
    Projection,
    Tensor,
    make_tensor,
    mode,
    recording,
)
from tinygrad_lite.autograd.refusals import refuse_devices
from tinygrad_lite.autograd.rows import Plan, namespaces
from tinygrad_lite.autograd.saved import check_saved, saved_values
from tinygrad_lite.errors import GradientError, fail

Place: TypeAlias = "Node | Leaf"  #: where a gradient can arrive
Value: TypeAlias = Any  #: an Array, or under create_graph a Tensor

_by_age = attrgetter("seq")


# --- reverse mode ---------------------------------------------------------------------------------


def backward_pass(
    roots: Sequence[tuple[Place, Value]],
    *,
    retain_graph: bool,
    create_graph: bool,
    inputs: Sequence[Place] | None = None,
) -> list[Value]:
    """Send cotangents from ``roots`` to the leaves, or to ``inputs`` only.

    Args:
        roots: pairs of a place in the graph and the cotangent that enters there.
        retain_graph: keep the saved arrays for another pass.
        create_graph: run the rules on tensors, so that the result can be differentiated again.
        inputs: where to stop; None means every leaf, whose ``grad`` is then added to.

    Returns:
        The gradient at each of ``inputs`` (None where none arrives); an empty list without ``inputs``.

    Raises:
        GradientError: if a needed node was freed by an earlier pass, or an array that it saved was changed.
    """
    walk = _BackwardPass(roots, retain_graph, create_graph, inputs)
    mode.reached.append(walk.pending)
    try:
        return walk.run()
    except np.linalg.LinAlgError as error:
        refused = error
    finally:
        mode.reached.pop()
    return refuse_singular(refused)


def refuse_singular(error: np.linalg.LinAlgError) -> NoReturn:
    """What LAPACK refuses in a rule, in the name of the operation, which the frame of the walk still knows."""
    trace = error.__traceback__
    while trace is not None and "node" not in trace.tb_frame.f_locals:
        trace = trace.tb_next
    assert trace is not None
    node = trace.tb_frame.f_locals["node"]
    fail(GradientError, node.plan.row.name, f"has no derivative here: {str(error).lower()}", {"result": node})


class _BackwardPass:
    """The state of one walk: the gradients that have arrived so far, and what each leaf still waits for."""

    always_differentiates = False  # whether every node goes through ``differentiate``, where a subclass can watch it

    def __init__(
        self,
        roots: Sequence[tuple[Place, Value]],
        retain_graph: bool,
        create_graph: bool,
        inputs: Sequence[Place] | None,
    ) -> None:
        self.retain_graph, self.create_graph, self.inputs = retain_graph, create_graph, inputs
        self.grads: dict[Place, Value] = {}
        self.owned: set[Place] = set()  # places whose sum was allocated here and may be added to in place
        self.captured: dict[Place, Value] = {}
        self.order, self.pending, self.before_leaf, suspects = reachable([place for place, _ in roots])
        self.wanted = None if inputs is None else _leading_to(self.order, inputs)
        for node in suspects:  # refuse before any gradient is changed
            if self.wanted is None or not self.wanted.isdisjoint(node.parents):
                check_saved(node)
        for place, g in roots:
            self.add(place, _as_value(g, create_graph))
            if type(place) is Leaf:
                self.pending.setdefault(place, 0)

    def run(self) -> list[Value]:
        """Visit every node, youngest first."""
        grads, wanted, retain = self.grads, self.wanted, self.retain_graph
        targets = set(self.inputs or ())
        before_leaf = self.before_leaf
        symbolic = self.create_graph or wanted is not None or self.always_differentiates
        with recording(self.create_graph), np.errstate(all="ignore"):
            for leaf in [leaf for leaf, uses in self.pending.items() if uses == 0]:  # roots themselves
                self.finish(leaf)
            for node in self.order:
                g = grads.pop(node, None)
                if g is not None and (wanted is None or node in wanted):
                    if node.hooks is not None:
                        g = self.hooked(node.hooks, g)
                    if node in targets:
                        self.captured[node] = g
                        if self.wanted.isdisjoint(node.parents):  # type: ignore[union-attr]
                            continue  # nothing wanted lies behind it
                    plan = node.plan
                    if plan is None:
                        _project(node, g, grads)  # type: ignore[arg-type]
                    elif symbolic or plan.special or node.versions is not None:
                        self.differentiate(node, plan, g)
                    else:  # the plain case of ``differentiate``, without a call
                        saved, parents, xp = node.saved, node.parents, plan.xp
                        for i, vjp, take in plan.steps:
                            share = vjp(xp, g) if take is None else vjp(xp, g, *take(saved))
                            parent = parents[i]
                            if share.shape != parent.shape or share.dtype is not parent.dtype:
                                share = fit(xp, share, parent)
                            if parent in grads:
                                self.add(parent, share)
                            else:
                                grads[parent] = share
                    if not retain and node.saved:
                        node.saved = FREED
                        node.private = None
                if node in before_leaf:
                    self.count_down(node)
        return [self.captured.get(place) for place in self.inputs or ()]

    def add(self, place: Place, g: Value) -> None:
        """The first share is kept by reference, the second allocates, later ones add in place."""
        grads = self.grads
        if place in self.owned:
            total = grads[place]
            total += g
            grads[place] = total
        elif place in grads:
            grads[place] = grads[place] + g
            if not self.create_graph:
                self.owned.add(place)
        else:
            grads[place] = g

    def differentiate(self, node: Node, plan: Plan, g: Value) -> None:
        """Run the rules of one node and add what they return to its parents."""
        parents, wanted = node.parents, self.wanted
        xp = namespaces[Tensor] if self.create_graph else plan.xp
        needs = plan.needs if wanted is None else tuple([p in wanted for p in parents])
        if plan.override is not None and not self.create_graph:
            check_saved(node)
            sinks = [None if parent is None else self.sink(parent) for parent in parents]
            shares = plan.override.backward(node.private, g, needs, sinks)
            for parent, share, sink in zip(parents, shares, sinks, strict=True):
                if share is not None:
                    self.add(parent, share if share is sink else fit(xp, share, parent))
            return
        saved = saved_values(node, plan, self.create_graph)
        if plan.joint is not None:
            vjp, take = plan.joint[:2]
            shares = vjp(xp, g, needs) if take is None else vjp(xp, g, needs, *take(saved))
            for parent, need, share in zip(parents, needs, shares, strict=True):
                if need and share is not None:
                    self.add(parent, fit(xp, share, parent))
            return
        for i, vjp, take in plan.steps:
            if needs[i]:
                share = vjp(xp, g) if take is None else vjp(xp, g, *take(saved))
                self.add(parents[i], fit(xp, share, parents[i]))

    def count_down(self, node: Node) -> None:
        """This use of its leaves has been visited; a leaf's gradient is final with the last of them."""
        for parent in node.parents:
            if type(parent) is Leaf:
                uses = self.pending[parent] = self.pending[parent] - 1
                if uses == 0:
                    self.finish(parent)

    def finish(self, leaf: Leaf) -> None:
        """Hand a final gradient to the leaf, or to whoever asked for it."""
        if leaf in self.grads:
            g = self.grads.pop(leaf)
            if leaf.hooks is not None:
                g = self.hooked(leaf.hooks, g)
            if self.inputs is None:
                leaves.deposit(leaf, g, self.create_graph)
            else:
                self.captured[leaf] = g

    def hooked(self, hooks: Hooks, g: Value) -> Value:
        """What the hooks of a place make of its gradient."""
        return _hooked(hooks, g, self.create_graph)

    def sink(self, place: Place) -> Array:
        """Memory that a backend may write the whole gradient of ``place`` into, or None.

        A leaf's buffer, when this is its one use in this pass, it has no gradient yet, and no hook waits for it;
        or what the backend lends of an intermediate result that will not be needed again.
        """
        if place.hooks is not None or self.inputs is not None or place in self.grads:
            return None
        if isinstance(place, Leaf):
            unwritten = place.grad is None and place.buffer is not None and self.pending[place] == 1
            return leaves.claim_buffer(place) if unwritten else None
        override = None if self.retain_graph or place.plan is None else place.plan.override
        return None if override is None or override.lend is None else override.lend(place.private)


def reachable(roots: Iterable[Place]) -> tuple[list[Node], dict[Leaf, int], set[Node], list[Node]]:
    """What is behind ``roots``: the operations, youngest first; how many uses each leaf has; the operations that
    use a leaf; and those whose saved values may be gone or changed.
    """
    order: list[Node] = []
    suspects: list[Node] = []
    pending: dict[Leaf, int] = {}
    before_leaf: set[Node] = set()
    seen: set[Any] = {None}
    stack: list[Node] = []
    for root in roots:
        if type(root) is not Leaf and root not in seen:
            seen.add(root)
            stack.append(root)  # type: ignore[arg-type]
    while stack:
        node = stack.pop()
        order.append(node)
        if node.versions is not None or node.saved is FREED:
            suspects.append(node)
        for parent in node.parents:
            if parent in seen:
                continue
            if type(parent) is Leaf:
                pending[parent] = pending.get(parent, 0) + 1
                before_leaf.add(node)
            else:
                seen.add(parent)
                stack.append(parent)
    order.sort(key=_by_age, reverse=True)
    return order, pending, before_leaf, suspects


def _leading_to(order: Sequence[Node], inputs: Sequence[Place]) -> set[Place]:
    """The nodes through which a gradient must pass to arrive at one of ``inputs``."""
    leading: set[Place] = set(inputs)
    for node in reversed(order):
        if not leading.isdisjoint(node.parents):
            leading.add(node)
    return leading


def fit(xp: Any, g: Value, place: Place) -> Value:
    """Undo broadcasting and promotion: ``g`` in the shape and dtype of the value at ``place``."""
    if g.shape != place.shape:
        g = xp.sum_to(g, place.shape)
    if g.dtype != place.dtype:
        g = xp.astype(g, place.dtype)
    return g


def _project(node: Projection, g: Value, grads: dict[Place, Any]) -> None:
    """Put the gradient of one output into its slot of the operation's list of cotangents."""
    owner = node.parents[0]
    slots = grads.get(owner)
    if slots is None:
        slots = grads[owner] = [None] * len(owner.plan.row.outputs)
    index = node.index
    slots[index] = g if slots[index] is None else slots[index] + g


def _hooked(hooks: Hooks, g: Value, create_graph: bool) -> Value:
    """What the hooks make of a gradient: each may return a replacement of the same shape."""
    tensor = g if create_graph else make_tensor(leaves.as_array(g))
    for hook in list(hooks.values()):
        changed = hook(make_tensor(tensor._data, tensor._node))  # an assignment in the hook changes its own object
        if changed is None:
            continue
        if not isinstance(changed, Tensor) or changed._data.shape != tensor._data.shape:
            operands = {"gradient": tensor, "returned": changed}
            fail(GradientError, "hook", "must return None or a tensor of the gradient's shape", operands)
        if type(changed._data) is not type(tensor._data):
            refuse_devices("hook", {"gradient": tensor, "returned": changed})
        tensor = changed if changed._version is None else changed.clone()  # not memory that is written in place
    if not create_graph:
        g = tensor._data if tensor._data.dtype == g.dtype else tensor._data.astype(g.dtype)
        tensor = make_tensor(g)
    elif tensor._data.dtype != g._data.dtype:
        tensor = namespaces[Tensor].astype(tensor, g._data.dtype)
    if hooks.retain:
        hooks.retained = tensor if hooks.retained is None else hooks.retained + tensor
    return tensor if create_graph else g


def _as_value(g: Value, create_graph: bool) -> Value:
    """A cotangent or tangent as the rules take it: an array, or under create_graph a tensor."""
    if create_graph:
        return g if isinstance(g, Tensor) else make_tensor(g)
    return g._data if isinstance(g, Tensor) else g
