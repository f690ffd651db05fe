"""Anomaly mode: the line, operation, shapes and module path behind the first NaN or inf.

Everything here is paid for inside ``with detect_anomaly():`` alone. On entry, five names that recording and the two
walks look up are exchanged for checking versions, on exit they are put back; the code that runs without the mode
holds no trace of it.

    World.forward, World.override   compare the result of each operation with its operands
    record._new                     makes nodes that know their line and module
    engine._BackwardPass            compares what a rule returns with what arrived
    forward_mode._push              the same for tangents

The names are the process's, the mode is the thread's: in other threads the checking versions step aside.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ContextDecorator, contextmanager
from types import TracebackType
from typing import Any, NamedTuple, NoReturn

import numpy as np

from tinygrad_lite.autograd import engine, forward_mode, record
from tinygrad_lite.autograd.engine import Place, Value
from tinygrad_lite.autograd.graph import Hooks, Leaf, Node, recording
from tinygrad_lite.autograd.rows import Plan, Row, World
from tinygrad_lite.autograd.tools import anomaly_text as text
from tinygrad_lite.autograd.tools.holdings import saved_arrays
from tinygrad_lite.errors import AnomalyError, Error, user_line

__all__ = ["detect_anomaly"]


class detect_anomaly(ContextDecorator):
    """Raise an error at the first NaN or inf, forward or backward: a context manager and a decorator.

    In the forward pass every operation is checked, recorded or not: its result may have no NaN unless an operand has
    one, and no inf unless an operand has one. In the backward pass every rule is checked in the same way against
    the gradient that arrived, in forward mode against the tangents, and the error names the line and the
    module in which the operation was recorded. No leaf's ``grad`` changes in a pass that fails; the pass is
    over, though, and what it has freed is freed. Gradients are added to leaves, and the leaves' hooks run, after
    the last rule.

    An anomaly that was there before, such as a NaN in the data or in a parameter, is not the fault of an operation and
    passes; the operations on it are silent, too. Operations recorded before the block are checked in the
    backward pass, but their lines are not known. The mode holds in the thread that entered it. It may be nested:
    the innermost block decides. Checking reads every result, which makes programs two to ten times slower.

    Args:
        check_nan: whether to look for NaN.
        check_inf: whether to look for inf and -inf. Programs that mean their infinities (a maximum that starts at
            -inf) pass False. With neither, only the lines and modules are noted.

    Raises:
        AnomalyError: at the operation, or in the backward pass, where the first one appears.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor([4.0, 0.0], requires_grad=True)
    >>> with tgl.detect_anomaly():
    ...     y = tgl.sqrt(x)
    ...     try:
    ...         y.sum().backward()
    ...     except tgl.errors.AnomalyError as error:
    ...         print(error.need)
    made a gradient with inf for x, though none arrived: 1 of 2 elements, the first at [1], where ans is 0.0
    >>> print(x.grad)
    None
    """

    def __init__(self, check_nan: bool = True, check_inf: bool = True) -> None:
        self._kinds = text.NAN * bool(check_nan) | text.INF * bool(check_inf)

    def __enter__(self) -> None:
        _install()
        _here.modes.append(self._kinds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _here.modes.pop()
        _uninstall()


class _Here(threading.local):
    """What holds in this thread."""

    def __init__(self) -> None:
        self.modes: list[int] = []  # which kinds each open block looks for
        self.rules: list[Node] = []  # the nodes whose rules are running


_here = _Here()


# --- where a node was recorded --------------------------------------------------------------------


_MODULES = "tinygrad_lite.nn.module"  #: where the frames are in which modules are called; named, since nn lies above


class Trace(NamedTuple):
    """Where an operation was recorded."""

    line: str  # of the user
    module: str  # path and description of the module, "" outside of one
    derivative: str  # under create_graph: the operation whose rule recorded this one


class TracedNode(Node):
    """A node that was recorded in anomaly mode."""

    __slots__ = ("trace",)

    trace: Trace


def trace_of(node: Node) -> Trace | None:
    """Where a node was recorded; None if anomaly mode was off then."""
    return getattr(node, "trace", None)


def _trace() -> Trace:
    """The user's line, and the modules that are being called: found on the stack, so that calling one costs nothing."""
    inside = Error("", "")
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "__call__" and frame.f_globals.get("__name__") == _MODULES:
            frame.f_locals["self"]._locate(inside)
        frame = frame.f_back  # type: ignore[assignment]
    derivative = ""
    if _here.rules:
        source = _here.rules[-1]
        origin = trace_of(source)
        derivative = source.plan.row.name + (f" at {origin.line}" if origin else "")
    return Trace(user_line(), inside.module, derivative)


def _traced_new(kind: type) -> Any:
    """What ``record`` makes its records with."""
    if kind is not Node or not _here.modes:
        return object.__new__(kind)
    node = object.__new__(TracedNode)
    node.trace = _trace()
    return node


# --- forward --------------------------------------------------------------------------------------


def _checks_results() -> bool:
    """Whether results of operations are to be checked; what runs inside a rule is checked as a gradient."""
    return bool(_here.modes and _here.modes[-1]) and not _here.rules


def _checked_forward(world: World) -> Callable[..., Any]:
    forward: Callable[..., Any] = _FORWARD.__get__(world)
    if not _checks_results():
        return forward
    row = world.plans._row

    def checked(*arguments: Any) -> Any:
        _here.modes.append(0)  # what a custom operation calls inside is its own affair
        try:
            with np.errstate(all="ignore"):  # the error says more than NumPy's warning
                outputs = forward(*arguments)
        finally:
            _here.modes.pop()
        _check_result(row, arguments, outputs)
        return outputs

    return checked


def _checked_override(world: World) -> Any:
    override = _OVERRIDE.__get__(world)
    if override is None or not _checks_results():
        return override
    row = world.plans._row

    def checked(needs: tuple[bool, ...], *arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            outputs, private = override.forward(needs, *arguments)
        _check_result(row, arguments, outputs)
        return outputs, private

    return override._replace(forward=checked)


def _check_result(row: Row, arguments: tuple[Any, ...], outputs: Any) -> None:
    """Refuse a result with a kind of anomaly that no operand has."""
    new = text.flaws(outputs) & _here.modes[-1]
    if new:
        new &= ~text.flaws(arguments)
    if not new:
        return
    several = outputs if row.several else (outputs,)
    which, output = next((i, out) for i, out in enumerate(several) if text.flaws(out) & new)
    array = text.on_host(output)
    index, count = text.first_flaw(array, new)
    arrays = [*arguments[0]] if row.variadic else [*arguments[: len(row.operands)]]
    operands = [
        (f"{row.operands[0]}[{i}]" if row.variadic else row.operands[i], value)
        for i, value in enumerate(arrays)
        if value is not None
    ]
    where = text.place_of(array, index, count)
    values = text.values_at(row.name, operands, index, array.shape)
    made = text.named(array[index]) + (f" in {row.outputs[which]}" if row.several else "")
    need = f"made {made}, though no operand has any: {where}" + (f", where {values}" if values else "")
    shown = [(name, text.described(value)) for name, value in operands]
    raise AnomalyError(row.name, need, tuple(shown), text.forward_hint(row.name, new, array.dtype), user_line())


# --- backward -------------------------------------------------------------------------------------


@contextmanager
def _rule_of(node: Node) -> Iterator[None]:
    """While the rules of ``node`` run."""
    _here.rules.append(node)
    try:
        yield
    finally:
        _here.rules.pop()


class _CheckedPass(engine._BackwardPass):
    """A backward pass in which what each rule adds to its operands is compared with what had arrived."""

    always_differentiates = True

    def __init__(
        self,
        roots: Sequence[tuple[Place, Value]],
        retain_graph: bool,
        create_graph: bool,
        inputs: Sequence[Place] | None,
    ) -> None:
        self.node: Node | None = None  # whose rules are running
        self.arrived: Value = None  # the cotangent that they received, and what was wrong with it already
        self.known = 0
        self.operand = -1  # the last one that received its share
        self.final: list[Leaf] | None = []  # the leaves that wait for the end of the pass
        super().__init__(roots, retain_graph, create_graph, inputs)

    def run(self) -> list[Value]:
        """All leaves or none: gradients are handed over when every rule has passed."""
        super().run()
        final, self.final = self.final, None
        with recording(self.create_graph), np.errstate(all="ignore"):
            for leaf in final or ():
                self.finish(leaf)
        return [self.captured.get(place) for place in self.inputs or ()]

    def finish(self, leaf: Leaf) -> None:
        if self.final is None:
            super().finish(leaf)
        else:
            self.final.append(leaf)

    def sink(self, place: Place) -> None:
        """A pass that may fail writes into nobody's memory."""

    def differentiate(self, node: Node, plan: Plan, g: Value) -> None:
        self.node, self.arrived, self.known, self.operand = node, g, text.flaws(g), -1
        with _rule_of(node):
            super().differentiate(node, plan, g)
        self.node = None

    def add(self, place: Place, g: Value) -> None:
        if self.node is None:  # a cotangent that enters the graph
            super().add(place, g)
            return
        kinds = _here.modes[-1]
        self.operand = i = self._operand(place)
        shares = text.flaws(g)
        if shares & ~self.known & kinds:
            self._refuse(i, g, shares & ~self.known & kinds)
        before = text.flaws(self.grads.get(place))
        super().add(place, g)
        new = text.flaws(self.grads[place]) & ~(before | shares) & kinds
        if new:
            self._refuse(i, self.grads[place], new, "made, with what other operations added,")

    def _operand(self, place: Place) -> int:
        """Which operand a share belongs to: rules hand them over in order."""
        node: Any = self.node
        return next(i for i in range(self.operand + 1, len(node.parents)) if node.parents[i] is place)

    def _refuse(self, i: int, g: Value, kinds: int, made: str = "made") -> NoReturn:
        node: Any = self.node
        row = node.plan.row
        array, arrived = text.on_host(g), self.arrived
        index, count = text.first_flaw(array, kinds)
        name = f"{row.operands[0]}[{i}]" if row.variadic else row.operands[i]
        where = text.place_of(array, index, count)
        value = text.named(array[index])
        need = f"{made} a gradient with {value} for {name}, though none arrived: {where}"
        saved = text.values_at(row.name, list(saved_arrays(node)), index, array.shape)
        need += f", where {saved}" if saved else ""
        incoming = text.on_host(arrived) if not isinstance(arrived, list) else None
        same = incoming is not None and incoming.shape == array.shape
        hint = text.backward_hint(row.name, kinds, array.dtype, float(incoming[index]) if same else None)  # type: ignore[index]
        shown = [*_values_of(node)]
        if incoming is not None:
            shown.append(("arrived", text.described(incoming)))
        _fail_at(node, need, shown, hint, kinds)

    def hooked(self, hooks: Hooks, g: Value) -> Value:
        changed = super().hooked(hooks, g)
        new = text.flaws(changed) & ~text.flaws(g) & _here.modes[-1]
        if new:
            array = text.on_host(changed)
            index, count = text.first_flaw(array, new)
            where = text.place_of(array, index, count)
            need = f"returned {text.named(array[index])}, though its gradient has none: {where}"
            given = text.described(text.on_host(g))
            raise AnomalyError("hook", need, (("gradient", given),), "", user_line())
        return changed


def _values_of(node: Node) -> Iterator[tuple[str, str]]:
    """The operands and outputs of a recorded operation: their values where they were saved, else their shapes."""
    plan: Any = node.plan
    row = plan.row
    saved = dict(saved_arrays(node))
    for i, parent in enumerate(node.parents):
        name = f"{row.operands[0]}[{i}]" if row.variadic else row.operands[i]
        if name in saved:
            yield name, text.described(saved[name])
        elif parent is not None:
            yield name, f"shape {parent.shape}, {parent.dtype.name}"
    for name in row.outputs:
        if name in saved:
            yield name, text.described(saved[name])
        elif not row.several:
            yield name, f"shape {node.shape}, {node.dtype.name}"


def _fail_at(node: Any, need: str, shown: list[tuple[str, str]], hint: str, kinds: int) -> NoReturn:
    """Raise the error that leads back to where ``node`` was recorded."""
    trace = trace_of(node)
    if trace is None:
        shown.append(("made at", "not known: it was not recorded inside detect_anomaly()"))
    else:
        shown += [(name, where) for name, where in (("made in", trace.module), ("made at", trace.line)) if where]
        if trace.derivative:
            shown.append(("made by", f"the rule of {trace.derivative}"))
    if kinds & text.flaws(node.saved):
        hint = "an operand has it since the forward pass: look at the data and the parameters before this operation"
        if trace is None:
            hint = "an operand has it since the forward pass: run that inside detect_anomaly(), too"
    raise AnomalyError(node.plan.row.name, need, tuple(shown), hint, user_line())


def _backward_pass(*arguments: Any) -> engine._BackwardPass:
    """The pass of a thread in the mode, or the plain one."""
    return (_CheckedPass if _here.modes else _BACKWARD_PASS)(*arguments)


# --- forward mode ---------------------------------------------------------------------------------


def _checked_push(node: Node, plan: Plan, tangents: dict[Place, Any], create_graph: bool) -> Any:
    """The tangent of a node's output, compared with those of its operands."""
    if not _here.modes:
        return _PUSH(node, plan, tangents, create_graph)
    with _rule_of(node):
        pushed = _PUSH(node, plan, tangents, create_graph)
    incoming = [tangents.get(parent) for parent in node.parents if parent is not None]
    new = text.flaws(pushed) & ~text.flaws(incoming) & _here.modes[-1]
    if new:
        outputs = pushed if plan.row.several else (pushed,)
        array = text.on_host(next(out for out in outputs if text.flaws(out) & new))
        index, count = text.first_flaw(array, new)
        where = text.place_of(array, index, count)
        need = f"made a tangent with {text.named(array[index])}, though no operand's has any: {where}"
        hint = text.backward_hint(plan.row.name, new, array.dtype, None)
        _fail_at(node, need, [*_values_of(node)], hint, new)
    return pushed


# --- exchanging the names -------------------------------------------------------------------------

_FORWARD, _OVERRIDE = World.__dict__["forward"], World.__dict__["override"]  # the descriptors of the slots
_BACKWARD_PASS: Any = engine._BackwardPass
_PUSH = forward_mode._push

_EXCHANGED: tuple[tuple[Any, str, Any, Any], ...] = (
    (World, "forward", _FORWARD, property(_checked_forward, _FORWARD.__set__)),
    (World, "override", _OVERRIDE, property(_checked_override, _OVERRIDE.__set__)),
    (record, "_new", record._new, _traced_new),
    (engine, "_BackwardPass", _BACKWARD_PASS, _backward_pass),
    (forward_mode, "_push", _PUSH, _checked_push),
)

_lock = threading.Lock()
_open = 0  # blocks, in all threads


def _install() -> None:
    global _open
    with _lock:
        _open += 1
        if _open == 1:
            for owner, name, _, checking in _EXCHANGED:
                setattr(owner, name, checking)


def _uninstall() -> None:
    global _open
    with _lock:
        _open -= 1
        if _open == 0:
            for owner, name, plain, _ in _EXCHANGED:
                setattr(owner, name, plain)
