"""Who holds what: the memory of a model, its optimiser and the graphs behind results, every byte counted once.

What counts is memory that is kept alive: an array that is a small view of a large one holds the large one.
Where several hold the same memory, it is counted for the first of them, in the order parameters, buffers, gradients,
optimiser state, given tensors, leaves, saved values (oldest operation first), and shown as shared for the others.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tinygrad_lite.autograd import engine
from tinygrad_lite.autograd.graph import Array, Leaf, Node, Tensor
from tinygrad_lite.autograd.leaves import leaf_of
from tinygrad_lite.autograd.tools.anomaly import trace_of
from tinygrad_lite.autograd.tools.holdings import buffer_of, held_arrays, size_in_bytes
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.errors import DTypeError, fail

__all__ = ["memory_report"]


class Holder:
    """One line of a report.

    Attributes:
        kind: ``"parameters"``, ``"buffers"``, ``"gradients"``, ``"optimizer state"``, ``"tensors"``, ``"leaves"``,
            ``"saved"`` or ``"alive"``.
        name: which of the kind: the state's name, the tensor's, or the operation's.
        where: module path and line of the operation, if anomaly mode was on when it was recorded, else ``""``.
        arrays: how many arrays it holds.
        nbytes: the memory counted here.
        shared: the memory that it holds as well, but that is counted for an earlier holder.
    """

    __slots__ = ("_counted", "_shared", "arrays", "kind", "name", "nbytes", "shared", "where")

    def __init__(self, kind: str, name: str, where: str) -> None:
        self.kind, self.name, self.where = kind, name, where
        self.arrays = self.nbytes = self.shared = 0
        self._counted: set[int] = set()
        self._shared: set[int] = set()

    def __repr__(self) -> str:
        return f"<{self.title}: {self.nbytes:,} bytes, {self.shared:,} shared>"

    @property
    def title(self) -> str:
        """Kind, name and place in one line."""
        title = f"{self.kind}: {self.name}" if self.name else self.kind
        return f"{title} ({self.where})" if self.where else title


class MemoryReport:
    """What ``memory_report`` found; printing it shows a table, the largest holders first.

    Attributes:
        holders: all of them, the largest first; of equal size in the order in which they were found.
        graphs: per given (or living) tensor with a graph its name and the number of operations that it keeps alive.
    """

    def __init__(self, holders: Iterable[Holder], graphs: Sequence[tuple[str, int]]) -> None:
        self.holders = sorted(holders, key=lambda holder: -holder.nbytes)
        self.graphs = tuple(graphs)

    @property
    def total(self) -> int:
        """All bytes, each counted once."""
        return sum(holder.nbytes for holder in self.holders)

    def by_kind(self) -> dict[str, int]:
        """Bytes per kind of holder, the largest first."""
        found: dict[str, int] = {}
        for holder in self.holders:
            found[holder.kind] = found.get(holder.kind, 0) + holder.nbytes
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def __getitem__(self, key: tuple[str, str]) -> int:
        """The bytes of a kind and a name, wherever they are: ``report["saved", "exp"]``."""
        return sum(holder.nbytes for holder in self.holders if (holder.kind, holder.name) == key)

    def __str__(self) -> str:
        rows = [("holder", "arrays", "bytes", "shared")]
        rows += [(h.title, f"{h.arrays:,}", f"{h.nbytes:,}", f"{h.shared:,}" if h.shared else "") for h in self.holders]
        rows.append(("total", "", f"{self.total:,}", ""))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = ["  ".join([row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in (1, 2, 3))]) for row in rows]
        lines += [f"{name} keeps {count:,} operation{'s' if count != 1 else ''} alive" for name, count in self.graphs]
        return "\n".join(line.rstrip() for line in lines)

    __repr__ = __str__


@checked_keywords
def memory_report(
    outputs: Tensor | Sequence[Tensor] | Mapping[str, Tensor] = (),
    *,
    model: Any = None,
    optimizer: Any = None,
    alive: bool = False,
) -> MemoryReport:
    """Who holds how much memory; nothing is changed.

    Args:
        outputs: results whose graphs are looked through, such as the loss; a dictionary gives them names.
        model: a module, for its parameters, their gradients and its buffers.
        optimizer: for its state, and for its parameters and their gradients.
        alive: look also for all other tensors that are alive in this process, and the graphs that they keep. This
            collects garbage and walks all objects of the program.

    Returns:
        An object with ``holders``, ``graphs``, ``total`` and ``by_kind()``, which prints as a table. Parameters
        and gradients that lie in an arena, where optimisers put them, count with all of the arena.

    Raises:
        DTypeError: an output is not a tensor, the model no module, or the optimiser none.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> loss = (tgl.exp(x) * x).sum()
    >>> print(memory_report({"loss": loss}))
    holder           arrays  bytes  shared
    leaves                1     12
    saved: exp            1     12
    tensors: loss         1      4
    saved: multiply       2      0      24
    total                       28
    loss keeps 3 operations alive
    """
    given = _named(outputs)
    for name, value, needed in (("model", model, "named_buffers"), ("optimizer", optimizer, "param_groups")):
        if value is not None and not hasattr(value, needed):
            fail(DTypeError, "memory_report", "needs a module as model and an optimiser as optimizer", {name: value})
    count = _Count()
    parameters: dict[Any, None] = {}
    if model is not None:
        parameters.update(dict.fromkeys(model.parameters()))
    if optimizer is not None:
        parameters.update(dict.fromkeys(p for group in optimizer.param_groups for p in group["params"]))
    for parameter in parameters:
        count.add(parameter._data, "parameters")
    if model is not None:
        for buffer in model.buffers():
            count.add(buffer._data, "buffers")
    for parameter in parameters:
        count.gradient(leaf_of(parameter))
    if optimizer is not None:
        for state in optimizer._flat.values():  # by arena: state has the layout of the parameters
            for name, array in state.items():
                count.add(array, "optimizer state", name)
    living = _living([*parameters, *given.values()]) if alive else {}
    graphs = []
    for name, tensor in given.items():
        count.add(tensor._data, "tensors", name)
    order = engine.reachable([t._node for t in (*given.values(), *living) if t._node is not None])[0]
    for leaf in dict.fromkeys(p for node in reversed(order) for p in node.parents if type(p) is Leaf):
        owner = leaf.tensor()
        if owner is not None and owner not in parameters:
            count.add(owner._data, "leaves")
        count.gradient(leaf)
    for node in reversed(order):
        count.operation(node)
    for tensor, name in living.items():
        count.add(tensor._data, "alive", name)
    for tensor, name in [*((t, name) for name, t in given.items()), *living.items()]:
        if isinstance(tensor._node, Node):
            graphs.append((name, sum(node.plan is not None for node in engine.reachable([tensor._node])[0])))
    return MemoryReport(count.holders.values(), graphs)


def _named(outputs: Any) -> dict[str, Tensor]:
    """The given tensors by name."""
    if isinstance(outputs, Mapping):
        named = dict(outputs)
    elif isinstance(outputs, Tensor) or not isinstance(outputs, Iterable):
        named = {"output": outputs}
    else:
        named = {f"outputs[{i}]": y for i, y in enumerate(outputs)}
    for name, tensor in named.items():
        if not isinstance(tensor, Tensor):
            hint = ""
            if hasattr(tensor, "parameters"):
                hint = "pass what was computed, such as the loss, and the module by its name: model=..."
            fail(DTypeError, "memory_report", "needs tensors as outputs", {name: tensor}, hint)
    return named


def _living(known: Iterable[Tensor]) -> dict[Tensor, str]:
    """All other tensors of the process, described."""
    passed = {id(tensor) for tensor in known}
    gc.collect()  # what only a cycle of garbage refers to is not alive, and nobody could say who holds it
    # By type: isinstance would ask every object of the process for its class, and some warn when they are asked.
    tensors = [x for x in gc.get_objects() if issubclass(type(x), Tensor) and id(x) not in passed]
    return {x: _description(x) for x in tensors if hasattr(x, "_data")}


def _description(x: Tensor) -> str:
    text = f"{tuple(x._data.shape)} {x._data.dtype.name}"
    plan = getattr(x._node, "plan", None)
    return text if plan is None else f"{text} from {plan.row.name}"


class _Count:
    """Holders, and the memory that has been counted."""

    def __init__(self) -> None:
        self.holders: dict[tuple[str, str, str], Holder] = {}
        self.counted: dict[int, Array] = {}  # by id; the arrays themselves keep the ids valid

    def add(self, array: Array, kind: str, name: str = "", where: str = "") -> None:
        """Note that a holder has ``array``."""
        key = (kind, name, where)
        holder = self.holders.get(key)
        if holder is None:
            holder = self.holders[key] = Holder(*key)
        holder.arrays += 1
        buffer = buffer_of(array)
        identity = id(buffer)
        if identity not in self.counted:
            self.counted[identity] = buffer
            holder._counted.add(identity)
            holder.nbytes += size_in_bytes(buffer)
        elif identity not in holder._counted and identity not in holder._shared:
            holder._shared.add(identity)
            holder.shared += size_in_bytes(buffer)

    def gradient(self, leaf: Leaf | None) -> None:
        """A leaf's gradient, and the place in an arena that waits for one."""
        if leaf is None:
            return
        grad = leaf.grad
        if grad is not None:
            self.add(grad._data, "gradients")
        if leaf.buffer is not None and (grad is None or grad._data is not leaf.buffer):
            self.add(leaf.buffer, "gradients")

    def operation(self, node: Node) -> None:
        """What a node saved, and what hooks and a backend's fast version keep."""
        hooks = node.hooks
        if hooks is not None and hooks.retained is not None:
            self.add(hooks.retained._data, "gradients")
        if node.plan is None:
            return
        trace = trace_of(node)
        where = ", ".join(text for text in (trace.module, trace.line) if text) if trace else ""
        for _, array in held_arrays(node):
            self.add(array, "saved", node.plan.row.name, where)
