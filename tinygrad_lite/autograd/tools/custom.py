"""Operations of your own: a forward and its rules, in the form of the package's rows, become a function.

    @tgl.operation(x=tgl.Rule.diagonal(lambda xp, g, x: -g * xp.sin(x)))
    def cosine(xp, x):
        return xp.cos(x)

The rows of the package are internal and trusted; what comes from outside is checked: the declaration when it is made,
the results of forward and rules whenever they run. A half of a rule that is left out is derived by transposing the
other (``transposition.py``).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, overload

from tinygrad_lite import dtypes
from tinygrad_lite.autograd import rows
from tinygrad_lite.autograd.graph import Number, Tensor, make_tensor, mode
from tinygrad_lite.autograd.record import apply, operand
from tinygrad_lite.autograd.tools.transposition import (
    Call,
    checked_forward,
    checked_joint_vjp,
    checked_jvp,
    checked_vjp,
    joint_vjp_from_jvp,
    jvp_from_vjp,
    vjp_from_jvp,
    written,
)
from tinygrad_lite.errors import ArgumentError, DTypeError, GradientError, KeywordError, fail

__all__ = ["Joint", "Operation", "Rule", "operation"]

Function = Callable[..., Any]


class Rule(NamedTuple):
    """The derivatives of an operation in one operand; either half may be left out.

    ``vjp(xp, g, *saves)`` takes the cotangent of the output to that of the operand (reverse mode),
    ``jvp(xp, dx, *saves)`` the tangent of the operand to that of the output (forward mode). The names of the
    parameters after the first two say what is saved: operands, outputs (``ans``), static arguments, or shapes
    (``x_shape``). With several outputs ``g`` is a list with None for those without a cotangent, and jvp returns a
    tuple.
    """

    vjp: Function | None = None
    jvp: Function | None = None

    @classmethod
    def diagonal(cls, function: Function) -> Rule:
        """The rule of an element-wise operation: its Jacobian is diagonal, so one function serves as vjp and jvp.

        >>> import tinygrad_lite as tgl
        >>> @tgl.operation(x=tgl.Rule.diagonal(lambda xp, g, x: 3 * g * x * x))
        ... def cube(xp, x):
        ...     return x * x * x
        >>> x = tgl.Tensor(2.0, requires_grad=True)
        >>> tgl.grad(cube(x), x)
        Tensor(12.)
        """
        return cls(function, function)


class Joint(NamedTuple):
    """One rule for all operands, where their gradients share work; either half may be left out.

    ``vjp(xp, g, needs, *saves)`` returns a gradient (or None) per operand, given a bool for each that says whether
    it is needed; ``jvp(xp, tangents, *saves)`` receives a tangent or None per operand.
    """

    vjp: Function | None = None
    jvp: Function | None = None


@overload
def operation(
    forward: Function,
    /,
    *,
    name: str | None = None,
    outputs: str | Sequence[str] = "ans",
    nondifferentiable: str | Sequence[str] = (),
    joint: Joint | Function | None = None,
    **rules: Rule | Function,
) -> Operation: ...
@overload
def operation(
    *,
    name: str | None = None,
    outputs: str | Sequence[str] = "ans",
    nondifferentiable: str | Sequence[str] = (),
    joint: Joint | Function | None = None,
    **rules: Rule | Function,
) -> Callable[[Function], Operation]: ...
def operation(
    forward: Function | None = None,
    /,
    *,
    name: str | None = None,
    outputs: str | Sequence[str] = "ans",
    nondifferentiable: str | Sequence[str] = (),
    joint: Joint | Function | None = None,
    **rules: Rule | Function,
) -> Any:
    """Make an operation of a forward function and a rule per operand; used as a decorator or called.

    The forward is ``forward(xp, operands, static arguments)``. It receives plain arrays, and in ``xp`` the functions of
    this package (element-wise, reductions, products, indexing, ...), which take and return arrays here. Its operands
    are the parameters up to a ``/`` or, without one, up to a ``*`` or the first default other than None; those behind
    it are static arguments: numbers, tuples, words. ``*xs`` takes any number of operands. An operand whose default is
    None may be left out.

    Rules are pure and written with ``xp``, operators and methods: they run on arrays and, for higher derivatives,
    on tensors. A function alone is a vjp. The missing half of a rule is derived from the other.

    Args:
        forward: what the operation computes; its name and docstring become those of the operation.
        name: another name, for errors and graphs.
        outputs: names of the outputs, separated by spaces; with several, forward returns a tuple.
        nondifferentiable: names of operands that are constants to every derivative (indices, masks, targets).
            A gradient is refused for any other operand without a rule.
        joint: one rule for all operands instead of ``rules``.
        rules: by operand its ``Rule``, ``Rule.diagonal(...)``, or a function, which is a vjp.

    Returns:
        The ``Operation``, a function of tensors, arrays and numbers; or the decorator that makes it.

    Raises:
        ArgumentError: if a rule is for no operand, wants to save what does not exist, or two names are equal.

    >>> import tinygrad_lite as tgl
    >>> def swish_vjp(xp, g, x, ans, beta):
    ...     s = xp.sigmoid(beta * x)
    ...     return g * (s + beta * x * s * (1 - s))
    >>> @tgl.operation(x=tgl.Rule.diagonal(swish_vjp))
    ... def swish(xp, x, /, beta=1.0):
    ...     return x * xp.sigmoid(beta * x)
    >>> x = tgl.Tensor([0.0, 2.0], requires_grad=True)
    >>> swish(x, beta=1.5)
    Tensor([0.    , 1.9051], from=swish)
    >>> bool(swish.check(x, beta=1.5))
    True
    """
    if forward is None:
        return lambda function: Operation(function, name, outputs, nondifferentiable, joint, rules)
    return Operation(forward, name, outputs, nondifferentiable, joint, rules)


class Operation:
    """A function with rules of its own; ``operation`` makes it.

    Attributes:
        row: what the engine knows of it.
    """

    __name__: str

    def __init__(
        self,
        forward: Function,
        name: str | None,
        outputs: str | Sequence[str],
        nondifferentiable: str | Sequence[str],
        joint: Joint | Function | None,
        rules: Mapping[str, Rule | Function],
    ) -> None:
        if not callable(forward):
            fail(ArgumentError, "operation", "needs a function as forward", {"forward": forward})
        title = str(name or getattr(forward, "__name__", type(forward).__name__))
        self.__name__ = "operation" if title == "<lambda>" else title
        self.__doc__ = forward.__doc__
        self.__module__ = forward.__module__
        self._forward = forward
        self.derived: dict[str, str] = {}  # operand ("" of a joint rule) -> the half that was left out
        self.constants = frozenset(_names(nondifferentiable))
        operands, statics = self._read_signature()
        self._variadic = operands[0].kind is inspect.Parameter.VAR_POSITIONAL
        self._operands, self._statics = operands, statics
        self._known = {p.name: p for p in (*operands, *statics)}
        self.__signature__ = inspect.Signature([*operands, *statics])
        # How many positional arguments leave nothing to bind but defaults: from fewest to most.
        empty, by_name = inspect.Parameter.empty, inspect.Parameter.KEYWORD_ONLY
        self._defaults = [p.default for p in (*operands, *statics)]
        self._fewest = max((i for i, default in enumerate(self._defaults, 1) if default is empty), default=0)
        self._most = -1 if self._variadic else len([p for p in (*operands, *statics) if p.kind is not by_name])
        self.row = self._row([p.name for p in operands], [p.name for p in statics], _names(outputs), joint, rules)

    # --- the declaration ------------------------------------------------------------------------------

    def _refuse(self, need: str, hint: str = "") -> NoReturn:
        fail(ArgumentError, "operation", f"{self.__name__} {need}", {}, hint)

    def _read_signature(self) -> tuple[list[inspect.Parameter], list[inspect.Parameter]]:
        """The operands and the static arguments among the parameters of forward."""
        parameters = list(inspect.signature(self._forward).parameters.values())[1:]
        kinds = [p.kind for p in parameters]
        star = inspect.Parameter.VAR_POSITIONAL
        if inspect.Parameter.VAR_KEYWORD in kinds:
            self._refuse("needs a forward whose static arguments have names, but it has **keywords")
        if star in kinds:
            split = kinds.index(star) + 1
            if split > 1:
                self._refuse("needs *xs as its only operand, but others stand before it")
        elif inspect.Parameter.POSITIONAL_ONLY in kinds:
            split = kinds.count(inspect.Parameter.POSITIONAL_ONLY)
        else:
            static = [
                p.kind is p.KEYWORD_ONLY or (p.default is not p.empty and p.default is not None) for p in parameters
            ]
            split = [*static, True].index(True)
        if split == 0:
            self._refuse("needs a forward with at least one operand: forward(xp, x)")
        return parameters[:split], parameters[split:]

    def _row(
        self,
        operands: list[str],
        statics: list[str],
        outputs: tuple[str, ...],
        joint: Joint | Function | None,
        rules: Mapping[str, Rule | Function],
    ) -> rows.Row:
        shapes = [f"{operands[0]}_shapes"] if self._variadic else [f"{x}_shape" for x in operands]
        names = [*operands, *outputs, *statics, *shapes, "_call"]
        twice = next((x for x in names if names.count(x) > 1), None)
        if twice or not outputs:
            self._refuse(
                f"needs different names for everything, but {twice!r} is there twice" if twice else "needs outputs"
            )
        for x in (*rules, *self.constants):
            if x not in operands:
                role = "a rule for" if x in rules else "the non-differentiable operand"
                hint = ""
                if x in statics:
                    hint = "operands stand before a / in forward's parameters, static arguments behind it"
                self._refuse(f"has {role} {x!r}, but its operands are {', '.join(operands)}", hint)
        if joint is not None and rules:
            self._refuse("needs either a joint rule or one rule per operand, but has both")
        if self._variadic and rules:
            self._refuse(f"takes any number of operands and needs a joint rule, but has one for {operands[0]!r}")
        known = frozenset(names)
        one = {x: self._whole(x, rule, Rule, known, outputs) for x, rule in rules.items()}
        both = None if joint is None else self._whole("", joint, Joint, known, outputs)
        described = ("*" if self._variadic else "") + " ".join(operands)
        signature = f"{described} | {' '.join([*statics, '_call'])} -> {' '.join(outputs)}"
        parameters = (None if self._variadic else self._operands, self._statics)
        run = checked_forward(self._forward, self.__name__, *parameters, outputs)
        return rows.Row(self.__name__, signature, run, both, False, one)

    def _whole(
        self, x: str, given: Any, kind: type[Rule] | type[Joint], known: frozenset[str], outputs: tuple[str, ...]
    ) -> Any:
        """A rule with both halves, each checked when it runs."""
        joint = kind is Joint
        if isinstance(given, (Rule, Joint, rows.Rule, rows.Joint)):
            vjp, jvp = given
        else:
            vjp, jvp = given, None
        label = "joint rule" if joint else f"rule of {x}"
        if isinstance(given, (Rule, Joint)) and not isinstance(given, kind):
            self._refuse(f"has a {label} that is a {type(given).__name__} instead of a {kind.__name__}")
        if vjp is None and jvp is None:
            self._refuse(f"has a {label} without vjp and jvp")
        for half, function in (("vjp", vjp), ("jvp", jvp)):
            if function is None:
                continue
            if not callable(function):
                self._refuse(f"needs a function as {half} of its {label}, but got {function!r}")
            first = 3 if joint and half == "vjp" else 2
            kinds = {p.name: p.kind for p in inspect.signature(function).parameters.values()}
            parameters = list(kinds)
            if len(parameters) < first or (first == 3 and parameters[2] != "needs"):
                begin = "(xp, g, needs, ...)" if first == 3 else "(xp, g, ...)" if half == "vjp" else "(xp, dx, ...)"
                self._refuse(f"needs a {half}{begin} in its {label}, but it takes ({', '.join(parameters)})")
            for wanted in parameters[first:]:
                if wanted not in known or wanted == "_call":
                    can = ", ".join(sorted(known - {"_call"}))
                    self._refuse(f"has a {half} in its {label} that asks for {wanted!r}, but there is only {can}")
                if kinds[wanted] is inspect.Parameter.KEYWORD_ONLY:
                    self._refuse(f"needs a {half} in its {label} that takes {wanted} by position, but a * is before it")
        if vjp is None or jvp is None:
            self.derived[x] = "vjp" if vjp is None else "jvp"
        return self._joint(vjp, jvp, outputs) if joint else self._single(vjp, jvp, x, outputs)

    def _single(self, vjp: Any, jvp: Any, x: str, outputs: tuple[str, ...]) -> rows.Rule:
        names = [p.name for p in self._operands]
        place = names.index(x)
        about = f" for {x}"
        reverse = vjp and checked_vjp(vjp, self.__name__, names, place)
        forward = jvp and checked_jvp(jvp, self.__name__, about, outputs)
        return rows.Rule(
            written(reverse or vjp_from_jvp(forward, place), "xp g", _saves(vjp or jvp, 2)),
            written(forward or jvp_from_vjp(reverse, False), "xp dx", _saves(jvp or vjp, 2)),
        )

    def _joint(self, vjp: Any, jvp: Any, outputs: tuple[str, ...]) -> rows.Joint:
        names = [p.name for p in self._operands]
        reverse = vjp and checked_joint_vjp(vjp, self.__name__, names)
        forward = jvp and checked_jvp(jvp, self.__name__, "", outputs)
        after_vjp, after_jvp = vjp and _saves(vjp, 3), jvp and _saves(jvp, 2)
        return rows.Joint(
            written(reverse or joint_vjp_from_jvp(forward), "xp g needs", after_jvp if vjp is None else after_vjp),
            written(forward or jvp_from_vjp(reverse, True), "xp tangents", after_vjp if jvp is None else after_jvp),
        )

    # --- a call -----------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given, statics = self.bound(args, kwargs)
        for parameter, value in zip(self._statics, statics, strict=True):
            if isinstance(value, Tensor):
                hint = f"put {parameter.name} before a / in forward's parameters, among the operands"
                need = f"needs a number or the like as {parameter.name}, which is a static argument"
                fail(DTypeError, self.__name__, need, {parameter.name: value}, hint)
        names = self.operand_names(len(given))
        operands = self.prepared(names, [self.operand(x, value) for x, value in zip(names, given, strict=True)])
        return apply(self.row, operands, (*statics, Call()))

    def bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Sequence[Any], list[Any]]:
        """The operands and the static arguments of a call, defaults filled in."""
        if not kwargs and self._fewest <= len(args) <= self._most:
            everything = [*args, *self._defaults[len(args) :]]
            return everything[: len(self._operands)], everything[len(self._operands) :]
        wrong = next((x for x in kwargs if x not in self._known), None)
        if wrong is not None:
            known = ", ".join(self._known)
            fail(KeywordError, self.__name__, f"has no argument {wrong!r}; it has {known}")
        refused = ""
        try:
            bound = self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            refused = str(error)
        if refused:  # out of the handler, so that no traceback shows two errors
            fail(
                KeywordError, self.__name__, f"cannot be called like this: {refused}; its arguments are {self._shown()}"
            )
        bound.apply_defaults()
        values = list(bound.arguments.values())
        if self._variadic:
            if not values[0]:
                fail(ArgumentError, self.__name__, f"needs at least one of {self._operands[0].name}")
            return values[0], values[1:]
        return values[: len(self._operands)], values[len(self._operands) :]

    def _shown(self) -> str:
        return str(self.__signature__)

    def operand_names(self, count: int) -> list[str]:
        if self._variadic:
            return [f"{self._operands[0].name}[{i}]" for i in range(count)]
        return [p.name for p in self._operands]

    def operand(self, x: str, value: Any) -> Any:
        optional = x in self._known and self._known[x].default is None
        if value is None and optional:
            return None
        return operand(self.__name__, value, x)

    def prepared(self, names: list[str], operands: list[Any]) -> list[Tensor | None]:
        """Tensors: numbers in the dtype and on the device of the others, constants without a place in the graph."""
        home = next((x.device for x in operands if isinstance(x, Tensor)), None)
        floats = [x._data.dtype for x in operands if isinstance(x, Tensor) and x._data.dtype.kind == "f"]
        dtype = functools.reduce(dtypes.promote, floats) if floats else None
        prepared: list[Tensor | None] = []
        for name, x in zip(names, operands, strict=True):
            base = self._operands[0].name if self._variadic else name
            constant = base in self.constants
            if isinstance(x, Number):
                weak = dtypes.default_float if dtype is None and not constant else dtype
                x = Tensor(x._data, dtype=None if constant or isinstance(x._data, complex) else weak, device=home)
            elif x is not None and not constant and x._data.dtype.kind in "biu":
                x = make_tensor(rows.namespaces[type(x._data)].astype(x._data, dtype or dtypes.default_float))
            if x is not None and x._node is not None and mode.enabled:
                if constant:
                    x = x.detach()
                elif self.row.joint is None and name not in self.row.rules:
                    self.refuse_without_rule(name, x)
            prepared.append(x)
        if mode.enabled and any(x is not None and x._node is not None for x in prepared):
            for name, x in zip(names, prepared, strict=True):
                if x is not None and x._data.dtype.kind == "c":
                    need = "cannot carry a gradient: complex tensors have none"
                    fail(GradientError, self.__name__, need, {name: x})
        return prepared

    def refuse_without_rule(self, name: str, x: Tensor) -> NoReturn:
        hint = f'give it a rule, or name it in nondifferentiable="{name}" if it is a constant'
        fail(GradientError, self.__name__, f"has no rule for {name}, which requires a gradient", {name: x}, hint)

    # --- the check ----------------------------------------------------------------------------------------

    def check(self, *inputs: Any, order: int = 2, seed: int = 0, raise_exception: bool = True, **statics: Any) -> Any:
        """Compare the rules with each other and with differences of the forward, and name the one that is wrong.

        ``gradcheck`` at ``inputs``, with its table turned into words about this operation's rules.

        Args:
            inputs: the operands; float64 shows the smallest bugs. They are compared in float64 if given in less.
            order: 2 checks the rules of the rules as well.
            seed: where the random directions come from.
            raise_exception: raise on a disagreement, or only report it.
            statics: the static arguments.

        Returns:
            A report: true if all is within rounding.

        Raises:
            GradientError: if a rule is wrong.
        """
        from tinygrad_lite.autograd.tools.custom_check import check

        return check(self, inputs, statics, order, seed, raise_exception)

    def __repr__(self) -> str:
        return f"<operation {self.__name__}{self._shown()}>"


def _names(text: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(text.split()) if isinstance(text, str) else tuple(text)


def _saves(function: Any, first: int) -> list[str]:
    return list(inspect.signature(function).parameters)[first:]
