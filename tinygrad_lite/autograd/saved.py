"""What a node saved for its rules: handing it out, and refusing when it is gone or no longer true."""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.graph import FREED, Node, Projection, make_tensor
from tinygrad_lite.autograd.rows import Plan, namespaces
from tinygrad_lite.errors import GradientError, fail


def saved_values(node: Node, plan: Plan, symbolic: bool) -> tuple[Any, ...]:
    """The saved values as arrays or, ``symbolic``, as tensors with their places in the graph.

    Raises:
        GradientError: if they were freed, or changed in place since they were saved.
    """
    check_saved(node)
    return _wrapped(node, plan) if symbolic else node.saved


def check_saved(node: Node) -> None:
    """Refuse saved values that an earlier pass has freed, or that were written in place since."""
    if node.saved is FREED:
        _fail_freed(node.plan)  # type: ignore[arg-type]
    if node.versions is not None:
        _check_versions(node, node.plan)  # type: ignore[arg-type]


def _wrapped(node: Node, plan: Plan) -> tuple[Any, ...]:
    """A tensor for every saved array: what is recorded on it continues the graph."""
    wrapped: list[Any] = []
    for (kind, index), value in zip(plan.kept, node.saved, strict=True):
        if kind == "operands":
            pairs = zip(value, node.parents, strict=True)
            wrapped.append(tuple(make_tensor(array, parent) for array, parent in pairs))
        elif kind == "static" or value is None or type(value) not in namespaces:
            wrapped.append(value)
        elif kind == "operand":
            wrapped.append(make_tensor(value, node.parents[index]))
        elif value.dtype.kind != "f":
            wrapped.append(make_tensor(value))
        elif len(plan.row.outputs) == 1:
            wrapped.append(make_tensor(value, node))
        else:
            wrapped.append(make_tensor(value, Projection(node, index, value.shape, value.dtype)))
    return tuple(wrapped)


def _fail_freed(plan: Plan) -> None:
    """The arrays of this operation were let go by an earlier backward pass."""
    fail(
        GradientError,
        "backward",
        f"reached {plan.row.name} a second time, but its saved values were freed by the first pass",
        hint="pass retain_graph=True to the first backward, or compute the result again",
    )


def _check_versions(node: Node, plan: Plan) -> None:
    """Refuse to use a saved array that was written in place since."""
    for index, version, count in node.versions or ():
        if version.count != count:
            names = plan.row.operands
            name = f"{names[0]}[{index}]" if plan.row.variadic else names[index]
            fail(
                GradientError,
                "backward",
                f"needs the value of {name} that {plan.row.name} saved, but it was changed in place since"
                f" ({version.count - count} time{'s' if version.count - count > 1 else ''})",
                {name: version.owner()} if version.owner() is not None else {},
                "run backward before the update, or compute the result again after it",
            )
