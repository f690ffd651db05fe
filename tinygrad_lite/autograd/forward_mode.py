"""Forward mode: pushes tangents through a recorded graph, the oldest operation first.

The graph is the one that backward walks; each row's jvp rule replaces its vjp. Nothing is recorded for it in
training, and there is no tangent slot on tensors that nested derivatives could confuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite.autograd import engine
from tinygrad_lite.autograd.graph import Node, Tensor, recording
from tinygrad_lite.autograd.rows import Plan, namespaces
from tinygrad_lite.autograd.saved import saved_values


def forward_pass(
    outputs: Sequence[engine.Place], seeds: Sequence[tuple[engine.Place, Any]], *, create_graph: bool
) -> list[Any]:
    """Push tangents from ``seeds`` through a recorded graph to ``outputs``: the same graph, oldest first.

    Args:
        outputs: the places whose tangents are wanted.
        seeds: pairs of a place and its tangent.
        create_graph: run the rules on tensors, so that the tangents can be differentiated.

    Returns:
        The tangent at each output, None where it is identically zero.

    Raises:
        GradientError: as for ``backward_pass``.
    """
    try:
        return _walk(outputs, seeds, create_graph)
    except np.linalg.LinAlgError as error:
        refused = error
    return engine.refuse_singular(refused)


def _walk(outputs: Sequence[engine.Place], seeds: Sequence[tuple[engine.Place, Any]], create_graph: bool) -> list[Any]:
    order = engine.reachable(outputs)[0]
    tangents: dict[engine.Place, Any] = dict(seeds)
    with recording(create_graph), np.errstate(all="ignore"):
        for node in reversed(order):
            if node in tangents or not any(parent in tangents for parent in node.parents):
                continue
            plan = node.plan
            if plan is None:
                tangent = tangents[node.parents[0]][node.index]  # type: ignore[attr-defined]
                if tangent is not None:
                    tangents[node] = tangent
                continue
            tangent = _push(node, plan, tangents, create_graph)
            if tangent is not None:
                tangents[node] = tangent
    return [tangents.get(place) for place in outputs]


def _push(node: Node, plan: Plan, tangents: dict[engine.Place, Any], create_graph: bool) -> Any:
    """The tangent of one node's output (a tuple of them for several outputs)."""
    xp = namespaces[Tensor] if create_graph else plan.xp
    saved = saved_values(node, plan, create_graph)
    incoming = [tangents.get(parent) if parent is not None else None for parent in node.parents]
    several = plan.row.several
    if plan.joint is not None:
        jvp, take = plan.joint[2:]
        pushed = jvp(xp, incoming) if take is None else jvp(xp, incoming, *take(saved))
        return pushed if several else _broadcast(xp, pushed, node)
    total: Any = None
    for i, jvp, take in plan.jvp_steps:
        if incoming[i] is None:
            continue
        pushed = jvp(xp, incoming[i]) if take is None else jvp(xp, incoming[i], *take(saved))
        if several:
            total = pushed if total is None else tuple(_sum(t, p) for t, p in zip(total, pushed, strict=True))
        else:
            total = _sum(total, _broadcast(xp, pushed, node))
    return total


def _sum(first: Any, second: Any) -> Any:
    if first is None or second is None:
        return second if first is None else first
    return first + second


def _broadcast(xp: Any, tangent: Any, node: Node) -> Any:
    """Broadcasting and promotion happened to the value, so they happen to its tangent."""
    if tangent.shape != node.shape:
        tangent = xp.broadcast_to(tangent, node.shape)
    if tangent.dtype != node.dtype:
        tangent = xp.astype(tangent, node.dtype)
    return tangent
