"""How an operation is declared: one row with its forward, and per operand its reverse and forward rules.

    row("multiply", "x y",
        x=diagonal(lambda xp, g, y: g * y),
        y=diagonal(lambda xp, g, x: g * x))

The *parameter names* of a rule say what the operation saves for it: an operand (``y``), an output (``ans``,
or the names after ``->``), a static argument (``axis``) or, without keeping the array, ``x_shape``. A rule
is written against an array namespace ``xp`` and is pure: the same text runs on plain arrays (numbers), on
a GPU's arrays, and on tensors, where it records its own graph (symbols).

Signature strings read ``"operands | static arguments -> outputs"``; a single operand ``*xs`` takes any
number. Where the gradients of several operands share work, the row has one ``Joint`` rule instead.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

RuleFunction = Callable[..., Any]
Take = Callable[[tuple[Any, ...]], tuple[Any, ...]]
Step = tuple[int, RuleFunction, "Take | None"]


class Rule(NamedTuple):
    """The two derivatives of an operation in one operand.

    ``vjp(xp, g, *saves)`` takes the cotangent of the output to that of the operand (reverse mode);
    ``jvp(xp, dx, *saves)`` takes the tangent of the operand to that of the output (forward mode).
    With several outputs ``g`` is a list (an absent cotangent is None) and ``jvp`` returns a tuple.
    """

    vjp: RuleFunction
    jvp: RuleFunction


class Joint(NamedTuple):
    """One rule for all operands: ``vjp(xp, g, needs, *saves)`` returns a gradient (or None) per operand,
    ``jvp(xp, tangents, *saves)`` receives a tangent or None per operand.
    """

    vjp: RuleFunction
    jvp: RuleFunction


def diagonal(rule: RuleFunction) -> Rule:
    """A rule for element-wise operations: the Jacobian is diagonal, so it is its own transpose."""
    return Rule(rule, rule)


class Plan:
    """What one kind of call of a row keeps and runs, given which operands need a gradient.

    Attributes:
        keep: takes ``(*operands, *outputs, *statics, *shapes)`` to the tuple that the node saves.
        names: of the saved values.
        kept: for each saved value its kind and number: ``("operand", 1)``, ``("output", 0)``, ``("static", 0)``.
        steps: per needed operand ``(operand, vjp, take)``; ``take`` picks the rule's arguments from the saved.
        jvp_steps: the same with the forward-mode rules.
        special: whether the row has more than one rule per operand: a joint rule or an override.
        joint: ``(vjp, take, jvp, jvp_take)`` of a Joint rule, or None.
    """

    __slots__ = (
        "joint",
        "jvp_steps",
        "keep",
        "kept",
        "names",
        "needs",
        "override",
        "row",
        "special",
        "steps",
        "uses_shapes",
        "versioned",
        "xp",
    )

    def __init__(self, row: Row, xp: Any, needs: tuple[bool, ...], override: Any) -> None:
        self.row, self.xp, self.needs, self.override = row, xp, needs, override
        wanted = [i for i, need in enumerate(needs) if need]
        rules: list[tuple[int, Rule | Joint]]
        if row.joint is not None:
            rules = [(0, row.joint)]
        else:
            rules = [(i, row.rules[row.operands[i]]) for i in wanted if row.operands[i] in row.rules]
        names: list[str] = []
        for _, rule in rules:
            for function in rule:
                names += [name for name in _save_names(function) if name not in names]
        places = row.places(len(needs))
        self.keep: Take | None = _picker([places[name] for name in names])
        self.names = tuple(names)
        self.kept = tuple(row.kind(name) for name in names)
        # Operands whose arrays the node holds on to, and whose buffers must not change until backward.
        self.versioned = tuple(index for kind, index in self.kept if kind == "operand")
        if row.variadic and any(kind == "operands" for kind, _ in self.kept):
            self.versioned = tuple(range(len(needs)))

        def take(function: RuleFunction) -> Take | None:
            return _picker([names.index(name) for name in _save_names(function)])

        self.joint: Any = None
        self.steps: tuple[Step, ...] = ()
        self.jvp_steps: tuple[Step, ...] = ()
        if row.joint is not None:
            self.joint = (row.joint.vjp, take(row.joint.vjp), row.joint.jvp, take(row.joint.jvp))
        else:
            self.steps = tuple((i, rule.vjp, take(rule.vjp)) for i, rule in rules)
            self.jvp_steps = tuple((i, rule.jvp, take(rule.jvp)) for i, rule in rules)
        self.uses_shapes = any(name.endswith(("_shape", "_shapes")) for name in names)
        self.special = self.joint is not None or override is not None


class World:
    """A row on one kind of array: the forward to call, the override if any, and the plans made so far."""

    __slots__ = ("array_type", "by_mask", "forward", "override", "plans", "xp")

    def __init__(self, row: Row, array_type: type, xp: Any) -> None:
        self.array_type, self.xp = array_type, xp
        # An operation of a user's may have the name of one of ours.
        override = self.override = getattr(xp, "overrides", {}).get(row.name) if rows.get(row.name) is row else None
        # A row without a forward of its own is the namespace's function of that name: no wrapper in the way.
        self.forward: Callable[..., Any] = (
            getattr(xp, row.name) if row.forward is None else functools.partial(row.forward, xp)
        )
        self.plans = _Plans(row, xp, override)
        if len(row.operands) <= 2 and not row.variadic:
            count = len(row.operands)
            masks = range(1 << count)
            self.by_mask = [self.plans[tuple(bool(m >> i & 1) for i in range(count))] for m in masks]


class _Plans(dict[tuple[bool, ...], Plan]):
    def __init__(self, row: Row, xp: Any, override: Any) -> None:
        super().__init__()
        self._row, self._xp, self._override = row, xp, override

    def __missing__(self, needs: tuple[bool, ...]) -> Plan:
        plan = self[needs] = Plan(self._row, self._xp, needs, self._override)
        return plan


class _Worlds(dict[type, World]):
    def __init__(self, row: Row) -> None:
        super().__init__()
        self._row = row

    def __missing__(self, array_type: type) -> World:
        world = self[array_type] = World(self._row, array_type, namespaces[array_type])
        return world


namespaces: dict[type, Any] = {}  #: array type -> the backend's namespace


def copied(array: Any) -> Any:
    """A copy of an array of any backend (a NumPy scalar, which arithmetic on 0-d arrays makes, becomes an array)."""
    xp = namespaces.get(type(array))
    return np.array(array) if xp is None else xp.asarray(array, copy=True)


rows: dict[str, Row] = {}  #: every declared operation, by name


class Row:
    """A declared operation; see the head of this file."""

    def __init__(
        self,
        name: str,
        signature: str,
        forward: Callable[..., Any] | None,
        joint: Joint | None,
        view: bool,
        rules: dict[str, Rule],
    ) -> None:
        head, _, outputs = signature.partition("->")
        operands, _, statics = head.partition("|")
        self.name = name
        self.operands = tuple(operands.replace("*", "").split())
        self.variadic = "*" in operands
        self.statics = tuple(statics.split())
        self.outputs = tuple(outputs.split()) or ("ans",)
        self.several = len(self.outputs) > 1
        self.forward = forward
        self.joint = joint
        self.view = view  # the output may share the first operand's memory
        self.rules = rules
        self.worlds = _Worlds(self)
        unknown = set(rules) - set(self.operands)
        assert not unknown, f"{name}: rules for {unknown}, which are no operands"

    def places(self, count: int) -> dict[str, int]:
        """Where each name stands in ``(*operands, *outputs, *statics, *shapes)`` of a call on ``count`` arrays."""
        names: list[str] = [*(f"{self.operands[0]}[{i}]" for i in range(count))] if self.variadic else [*self.operands]
        names += [*self.outputs, *self.statics]
        if self.variadic:
            names += [self.operands[0], f"{self.operands[0]}_shapes"]
        else:
            names += [f"{name}_shape" for name in self.operands]
        return {name: place for place, name in enumerate(names)}

    def kind(self, name: str) -> tuple[str, int]:
        """What a saved name is: ``("operand", its number)``, ``("output", ...)`` or ``("static", ...)``."""
        if self.variadic and name == self.operands[0]:
            return "operands", 0
        if name in self.operands:
            return "operand", self.operands.index(name)
        if name in self.outputs:
            return "output", self.outputs.index(name)
        return "static", 0


def row(
    name: str,
    signature: str,
    forward: Callable[..., Any] | None = None,
    joint: Joint | None = None,
    view: bool = False,
    **rules: Rule,
) -> Row:
    """Declare an operation; without ``forward`` it is the backend's function ``name``."""
    assert name not in rows, f"{name} is declared twice"
    declared = rows[name] = Row(name, signature, forward, joint, view, rules)
    return declared


def _save_names(function: RuleFunction) -> list[str]:
    """The parameters of a rule after ``xp`` and ``g`` (and ``needs``) are what it wants saved."""
    names = list(inspect.signature(function).parameters)
    skip = 3 if len(names) > 2 and names[2] == "needs" else 2
    return names[skip:]


def _picker(places: list[int]) -> Take | None:
    """A function that takes a tuple to the tuple of its items at ``places``; None when there are none."""
    if not places:
        return None
    if len(places) == 1:  # itemgetter(3) would return the bare item; a slice keeps the tuple
        return itemgetter(slice(places[0], places[0] + 1))
    return itemgetter(*places)
