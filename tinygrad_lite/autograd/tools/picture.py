"""A picture of a recorded graph: DOT text without any dependency, SVG with the program ``dot`` of Graphviz.

Leaves are blue, operations white, saved values yellow notes on dashed lines. What symbol-to-symbol
differentiation (``create_graph``) records is orange. Nodes are numbered in the order of recording, so that the same
program gives the same text.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tinygrad_lite.autograd import engine
from tinygrad_lite.autograd.graph import FREED, Array, Leaf, Node, Tensor, make_tensor
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.autograd.tools.holdings import buffer_of, held_arrays, saved_arrays, size_in_bytes
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.errors import ArgumentError, DependencyError, DTypeError, GradientError, fail

__all__ = ["draw_graph"]

_HEAD = """digraph computation {
  rankdir=TB
  node [fontname="Helvetica", fontsize=10, shape=box, style="rounded,filled", fillcolor=white]
  edge [fontname="Helvetica", fontsize=9]
"""
_BLUE, _GREEN, _ORANGE, _YELLOW, _GREY = "#cfe2ff", "#d1e7dd", "#ffe0b2", "#fff9c4", "#eeeeee"
_FORMATS = (".svg", ".png", ".pdf")


class Picture:
    """A drawn graph: ``.dot`` is its text; notebooks show it as it is.

    Attributes:
        dot: the graph in the DOT language.
    """

    def __init__(self, dot: str) -> None:
        self.dot = dot

    def __repr__(self) -> str:
        return f"<Picture: {len(self.dot.splitlines())} lines of DOT text>"

    def svg(self) -> str:
        """The picture as SVG text.

        Raises:
            DependencyError: Graphviz is not installed.
        """
        return self._render("svg", ".svg").decode()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file: ``.dot`` or ``.gv`` needs nothing, ``.svg``, ``.png`` and ``.pdf`` need Graphviz.

        Raises:
            ArgumentError: the name has another ending.
            DependencyError: Graphviz is not installed.
        """
        suffix = os.path.splitext(path)[1].lower()
        if suffix in (".dot", ".gv"):
            content = self.dot.encode()
        elif suffix in _FORMATS:
            content = self._render("save", suffix)
        else:
            needed = ", ".join((".dot", ".gv", *_FORMATS))
            fail(ArgumentError, "save", f"needs a file name that ends in one of {needed}", {"path": path})
        with open(path, "wb") as file:
            file.write(content)

    def _render(self, operation: str, suffix: str) -> bytes:
        program = shutil.which("dot")
        if program is None:
            hint = "install the package graphviz (apt-get, brew, conda); or save the text: picture.save('graph.dot')"
            fail(DependencyError, operation, "needs the program dot of Graphviz, which is not installed", hint=hint)
        run = [program, f"-T{suffix[1:]}"]
        return subprocess.run(run, input=self.dot.encode(), capture_output=True, check=True).stdout

    def _repr_svg_(self) -> str | None:
        return self.svg() if shutil.which("dot") else None


@checked_keywords
def draw_graph(
    outputs: Tensor | Sequence[Tensor],
    *,
    model: Any = None,
    names: Mapping[str, Tensor] | None = None,
    saved: bool = True,
    constants: bool = False,
    backward: bool = False,
    max_nodes: int = 200,
) -> Picture:
    """Draw the graph behind one or several results.

    Neither the graph nor any gradient is changed, and nothing is freed; hooks do not run.

    Args:
        outputs: what to start from.
        model: a module; its parameters and buffers are shown by name.
        names: names of further tensors: ``{"x": x, "h": h}``.
        saved: whether to draw what each operation keeps for its rules, with the bytes. A value whose memory the
            picture has shown already, with a leaf or with an older operation, is marked as shared.
        constants: whether to draw operands without a gradient.
        backward: whether to draw also what ``grad(outputs, leaves, create_graph=True)`` records, in orange.
        max_nodes: the most operations to draw; of more, the youngest.

    Raises:
        DTypeError: something given is not a tensor, or the model no module.
        GradientError: an output has no graph, or, with ``backward``, its graph was freed.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor([1.0, 2.0], requires_grad=True)
    >>> print(draw_graph(tgl.exp(x), names={"x": x}).dot)
    digraph computation {
      rankdir=TB
      node [fontname="Helvetica", fontsize=10, shape=box, style="rounded,filled", fillcolor=white]
      edge [fontname="Helvetica", fontsize=9]
      leaf1 [label="x\\n(2,) float32", fillcolor="#cfe2ff"]
      op1 [label="exp\\n(2,) float32"]
      leaf1 -> op1
      saved1 [label="ans (2,) float32, 8 bytes", shape=note, style=filled, fillcolor="#fff9c4"]
      saved1 -> op1 [style=dashed, dir=none]
      output1 [label="output", fillcolor="#d1e7dd"]
      op1 -> output1
    }
    """
    ys: list[Any] = list(outputs) if isinstance(outputs, Iterable) and not isinstance(outputs, Tensor) else [outputs]
    for y in ys:
        if not isinstance(y, Tensor):
            fail(DTypeError, "draw_graph", "needs a tensor or a sequence of tensors", {"output": y})
        if y._node is None:
            hint = "was it computed under no_grad(), or from tensors without requires_grad=True?"
            fail(GradientError, "draw_graph", "needs a result with a graph", {"output": y}, hint)
    if not isinstance(max_nodes, int) or max_nodes < 1:
        fail(ArgumentError, "draw_graph", f"needs an integer max_nodes of at least 1, but got {max_nodes!r}")
    if names is not None and not isinstance(names, Mapping):
        hint = "names={'x': x}"
        fail(DTypeError, "draw_graph", "needs a dictionary of names and their tensors", {"names": names}, hint)
    titles = _titles(model, names)
    roots = [("output" if len(ys) == 1 else f"outputs[{i}]", y._node) for i, y in enumerate(ys)]
    forward = engine.reachable([place for _, place in roots])[0]
    gradients: list[tuple[Leaf, Any]] = _gradients(ys, forward) if backward else []
    drawing = _Drawing(titles, saved, constants, set(forward))
    drawing.draw(roots, gradients, max_nodes)
    return Picture("\n".join([_HEAD.rstrip("\n"), *drawing.lines, "}"]))


def _titles(model: Any, names: Mapping[str, Tensor] | None) -> dict[Any, str]:
    """The names of leaves and nodes."""
    named: list[tuple[str, Any]] = []
    if model is not None:
        if not hasattr(model, "named_buffers"):
            fail(DTypeError, "draw_graph", "needs a module as model", {"model": model})
        named += [*model.named_parameters(), *model.named_buffers()]
    named += (names or {}).items()
    for name, tensor in named:
        if not isinstance(tensor, Tensor):
            fail(DTypeError, "draw_graph", "needs tensors as the values of names", {name: tensor})
    return {tensor._node: name for name, tensor in named if tensor._node is not None}


def _gradients(ys: Sequence[Tensor], forward: Iterable[Node]) -> list[tuple[Leaf, Any]]:
    """The leaves and their gradients, recorded; hooks are set aside meanwhile."""
    places: list[Any] = [y._node for y in ys]
    found = dict.fromkeys(p for node in reversed([*forward]) for p in node.parents if type(p) is Leaf)
    found.update(dict.fromkeys(place for place in places if type(place) is Leaf))
    leaves: list[Any] = list(found)
    hooked: list[Any] = [place for place in (*forward, *leaves) if place.hooks is not None]
    hooks = [place.hooks for place in hooked]
    try:
        for place in hooked:
            place.hooks = None
        ones = [namespaces[type(y._data)].full(y._data.shape, 1, y._data.dtype) for y in ys]
        roots = [(place, make_tensor(one)) for place, one in zip(places, ones)]
        grads = engine.backward_pass(roots, retain_graph=True, create_graph=True, inputs=leaves)
    finally:
        for place, kept in zip(hooked, hooks):
            place.hooks = kept
    return [(leaf, g) for leaf, g in zip(leaves, grads) if g is not None]


class _Drawing:
    """The lines of a picture, and what has been drawn so far."""

    def __init__(self, titles: Mapping[Any, str], saved: bool, constants: bool, forward: set[Node]) -> None:
        self.titles, self.saved, self.constants, self.forward = titles, saved, constants, forward
        self.lines: list[str] = []
        self.ids: dict[Any, str] = {}  # of leaves and nodes
        self.seen: dict[int, str] = {}  # who showed a buffer first, by the buffer's id
        self.buffers: list[Array] = []  # keeps the ids valid
        self.counts: dict[str, int] = {}

    def draw(self, roots: Sequence[tuple[str, Any]], gradients: Sequence[tuple[Leaf, Any]], limit: int) -> None:
        """Everything behind ``roots`` and the gradients, the oldest first."""
        ends = [place for _, place in roots] + [g._node for _, g in gradients if g._node is not None]
        order = engine.reachable(ends)[0]
        hidden = len(order) - limit
        order = order[:limit][::-1]
        for place in dict.fromkeys([p for node in order for p in node.parents] + ends):
            if type(place) is Leaf:
                self.leaf(place)
        if hidden > 0:
            label = f"{hidden:,} older operation{'s' if hidden > 1 else ''} not drawn\nmax_nodes={limit}"
            self.lines.append(_node("omitted", label, shape="plaintext", style=None))
        for node in order:
            self.operation(node)
        for title, place in roots:
            self.output(title, place, _GREEN)
        for leaf, g in gradients:
            title = f"gradient of {_first_line(self.titles.get(leaf, self.ids.get(leaf, 'a leaf')))}"
            self.output(title, g._node, _ORANGE)

    def leaf(self, leaf: Leaf) -> None:
        title = self.titles.get(leaf, "")
        identity = self.ids[leaf] = self.number("leaf")
        self.lines.append(_node(identity, f"{title or 'leaf'}\n{_shape(leaf)}", fillcolor=_BLUE))
        tensor = leaf.tensor()
        if tensor is not None:
            self.holder(tensor._data, title or identity)

    def operation(self, node: Any) -> None:
        identity = self.ids[node] = self.number("op")
        colour = None if node in self.forward else _ORANGE
        title = f"{self.titles[node]} = " if node in self.titles else ""
        if node.plan is None:
            owner = node.parents[0]
            self.lines.append(_node(identity, f"{title}{owner.plan.row.outputs[node.index]}\n{_shape(node)}", colour))
            self.edge(owner, identity)
            return
        row = node.plan.row
        outputs = "" if row.several else f"\n{_shape(node)}"
        self.lines.append(_node(identity, f"{title}{row.name}{outputs}", colour))
        for i, parent in enumerate(node.parents):
            name = f"{row.operands[0]}[{i}]" if row.variadic else row.operands[i]
            if parent is not None:
                self.edge(parent, identity, name if len(node.parents) > 1 else "")
            elif self.constants:
                self.constant(node, i, name, identity)
        if self.saved:
            self.note(node, identity)

    def constant(self, node: Any, i: int, name: str, identity: str) -> None:
        """An operand without a gradient. What the graph has not kept of it, nobody knows."""
        plan = node.plan
        value = next((v for kind, v in zip(plan.kept, node.saved) if kind == ("operand", i)), None)
        known = dict(saved_arrays(node)).get(name)
        text = f"\n{known.shape} {known.dtype.name}" if known is not None else ""
        text = f" = {value!r}" if isinstance(value, (bool, int, float)) else text
        constant = self.number("constant")
        self.lines.append(_node(constant, f"{name}{text}", fillcolor=_GREY))
        self.lines.append(f"  {constant} -> {identity}")

    def note(self, node: Any, identity: str) -> None:
        """What an operation keeps until the backward pass has visited it."""
        if node.saved is FREED:
            rows = ["freed by a backward pass"]
        else:
            title = f"{node.plan.row.name} ({identity})"
            own: dict[int, str] = {}  # the names in this note
            rows = [self.kept(name, array, title, own) for name, array in held_arrays(node)]
        if rows:
            note = self.number("saved")
            self.lines.append(_node(note, "\n".join(rows), shape="note", style="filled", fillcolor=_YELLOW))
            self.lines.append(f"  {note} -> {identity} [style=dashed, dir=none]")

    def kept(self, name: str, array: Array, title: str, own: dict[int, str]) -> str:
        buffer = buffer_of(array)
        text = f"{name} {array.shape} {array.dtype.name}, {size_in_bytes(buffer):,} bytes"
        holder = self.holder(array, title)
        first = own.setdefault(id(buffer), name)
        if holder == title:
            holder = first
        return text if holder == name else f"{text}, shared with {holder}"

    def holder(self, array: Array, title: str) -> str:
        """Who showed the memory of ``array`` first: ``title`` itself if nobody did."""
        buffer = buffer_of(array)
        self.buffers.append(buffer)
        return self.seen.setdefault(id(buffer), title)

    def output(self, title: str, place: Any, colour: str) -> None:
        identity = self.number("output")
        self.lines.append(_node(identity, title, fillcolor=colour))
        if place is not None:
            self.edge(place, identity)

    def edge(self, source: Any, target: str, label: str = "") -> None:
        """From an operand to its use; from the note on what is left out if the operand is not drawn."""
        label = f' [label="{_escaped(label)}"]' if label else ""
        self.lines.append(f"  {self.ids.get(source, 'omitted')} -> {target}{label}")

    def number(self, kind: str) -> str:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{kind}{self.counts[kind]}"


def _node(
    identity: str,
    label: str,
    fillcolor: str | None = None,
    shape: str | None = None,
    style: str | None = None,
) -> str:
    """One line of DOT text."""
    given = (("shape", shape), ("style", style), ("fillcolor", fillcolor and f'"{fillcolor}"'))
    more = "".join(f", {key}={value}" for key, value in given if value)
    return f'  {identity} [label="{_escaped(label)}"{more}]'


def _escaped(text: str) -> str:
    r"""Text between quotation marks of DOT, where ``\n`` begins a new line."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _shape(place: Any) -> str:
    return f"{tuple(place.shape)} {place.dtype.name}"


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]
