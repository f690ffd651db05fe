"""``gradcheck``: is a derivative right? Both modes and higher orders, against differences of the function's values.

Random directions decide, so the cost does not depend on the size of the inputs; only after a disagreement are
single entries of the Jacobian compared, to say where the bug is. Stands on the transforms alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.autograd.graph import Tensor, is_grad_enabled
from tinygrad_lite.autograd.tools.differences import Function, Line, Misfit, differences, dot, flat, normal
from tinygrad_lite.autograd.transforms import vjp
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.errors import ArgumentError, DTypeError, GradientError, fail

#: Larger Jacobians are not formed to localise a bug.
_MOST_ENTRIES = 20_000
_WITHIN = "within rounding"


class Check(NamedTuple):
    """One comparison: ``<v, J u>`` by rules and by differences, and how far they may lie apart."""

    derivative: str
    mode: str
    analytic: float
    numerical: float
    allowed: float
    verdict: str  # begins with "within rounding", or says what is wrong


class Report:
    """What ``gradcheck`` found: true if every check is within rounding; its text is a table.

    Attributes:
        name: the name of the function.
        checks: one per derivative and mode.
    """

    def __init__(self, name: str, checks: Sequence[Check]) -> None:
        self.name = name
        self.checks = tuple(checks)

    def __bool__(self) -> bool:
        return all(check.verdict.startswith(_WITHIN) for check in self.checks)

    def __str__(self) -> str:
        rows = [("derivative", "mode", "by rules", "numerical", "apart", "allowed", "verdict")]
        for c in self.checks:
            numbers = (f"{c.analytic:.8g}", f"{c.numerical:.8g}", f"{abs(c.analytic - c.numerical):.1e}")
            rows.append((c.derivative, c.mode, *numbers, f"{c.allowed:.1e}", c.verdict))
        widths = [max(len(row[i]) for row in rows) for i in range(6)]
        lines = [
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[6]]) for row in rows
        ]
        return "\n".join([f"{self.name}: {self.conclusion}", *lines])

    __repr__ = __str__

    @property
    def conclusion(self) -> str:
        """The whole report in one line."""
        wrong = next((c.verdict for c in self.checks if not c.verdict.startswith(_WITHIN)), None)
        return _WITHIN if wrong is None else wrong


@checked_keywords
def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float | None = None,
    order: int = 2,
    modes: Sequence[str] = ("reverse", "forward"),
    directions: int = 2,
    seed: int = 0,
    raise_exception: bool = True,
) -> Report:
    """Compares the derivatives of ``func`` with differences of its values, and says where a bug is.

    For random ``u`` and ``v``, with R the Richardson extrapolation of central differences of steps h and h/2,

        N(h) = <v, f(x + h u) - f(x - h u)> / 2h,    R = (4 N(h/2) - N(h)) / 3,
        reverse  <J^T v, u>,    forward  <v, J u>,
        allowed  |N(h/2) - N(h)| + 24 eps (<|v|, |f|> + <|J^T v|, |x|>) / h + 64 eps <|J^T v|, |u|>

    where eps is the unit round-off (1.1e-16 for float64): the truncation, the rounding of the function (by its
    value and by its condition) and that of the rules. Of several h the one with the smallest bound counts. The
    order n + 1 is the same check on the map from x and v to J^T v, recorded by ``create_graph``. What rules
    such as 1 - tanh(x)^2 lose against 1 is added. (Differences, their step and their extrapolation: Press et al.,
    Numerical Recipes, 3rd ed., section 5.7.)

    At a kink (one-sided differences that keep disagreeing as h shrinks) an entry of the Jacobian may lie anywhere
    between the two; at a jump it cannot be judged, and the verdict says so.

    Args:
        func: takes the inputs and returns a tensor or a tuple of them; the same values for the same inputs.
        inputs: a tensor or a tuple of them; float64 shows the smallest bugs. Integers and bools are passed on
            as they are. Whether they require a gradient does not matter.
        eps: the step h; None chooses one for each input by its dtype and magnitude.
        order: 1 checks gradients, 2 also second derivatives, and so on.
        modes: which of ``"reverse"`` and ``"forward"`` to check.
        directions: how many random directions to try per input.
        seed: where the directions come from.
        raise_exception: raise on a disagreement, or only report it.

    Returns:
        A report: true if everything is within rounding; ``str(report)`` is a table.

    Raises:
        GradientError: with that table, if a derivative is wrong.
        ArgumentError: if an argument makes no sense, or ``func`` changes its inputs, gives two results for the
            same inputs, or gives infinities or NaN.
        DTypeError: if no input is a floating-point tensor, or ``func`` returns none.

    >>> from tinygrad_lite import Tensor, tanh
    >>> report = gradcheck(lambda x, w: tanh(x @ w), (Tensor([[0.1, 0.2]], dtype=float), Tensor([[0.5], [0.3]])))
    >>> bool(report)
    True
    >>> report.conclusion
    'within rounding'
    """
    unknown = [mode for mode in modes if mode not in ("reverse", "forward")]
    if unknown or not modes:
        fail(ArgumentError, "gradcheck", f'needs modes from "reverse" and "forward", but got {tuple(modes)}')
    if order < 1 or directions < 1:
        need = f"needs order and directions of at least 1, but got {order} and {directions}"
        fail(ArgumentError, "gradcheck", need)
    if eps is not None and not eps > 0:
        fail(ArgumentError, "gradcheck", f"needs a step eps > 0, but got {eps}")
    given = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    tensors = tuple(x if isinstance(x, Tensor) else Tensor(x) for x in given)
    function = _opened(func, tensors)
    rng = np.random.default_rng(seed)
    checks: list[Check] = []
    for level in range(1, order + 1):
        function.level = level
        checks += _check(function, rng, modes, directions, eps)
        if not Report(function.name, checks):
            break  # the next order would only repeat this
        if level < order:
            function = _derivative(function, rng)
    report = Report(function.name, checks)
    if raise_exception and not report:
        table = str(report).replace("\n", "\n    ")
        hint = "compare the rule of each operation in it by a gradcheck of its own"
        named = dict(zip(_names(func, len(tensors)), tensors, strict=True))
        fail(GradientError, "gradcheck", f"found derivatives that are not within rounding\n    {table}", named, hint)
    return report


# --- the function under test ------------------------------------------------------------------------


def _names(func: Callable[..., Any], count: int) -> list[str]:
    """The names of the parameters of ``func`` if they are as many as the inputs."""
    try:
        parameters = list(inspect.signature(func).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return named[:count] if len(named) >= count else [f"inputs[{i}]" for i in range(count)]


def _opened(func: Callable[..., Any], tensors: tuple[Tensor, ...]) -> Function:
    """``func`` on its floating-point inputs, once it is known to be a function of them alone."""
    places = [i for i, x in enumerate(tensors) if x.dtype.kind == "f"]
    names = _names(func, len(tensors))
    if not places:
        fail(DTypeError, "gradcheck", "needs a floating-point input", dict(zip(names, tensors, strict=True)))
    arrays = [tensors[i].detach().numpy().copy() for i in places]

    def call(*xs: Tensor) -> tuple[Tensor, ...]:
        full = list(tensors)
        for i, x in zip(places, xs, strict=True):
            full[i] = x
        before = [(x, x.detach().numpy().copy()) for x in full]
        returned = func(*full)
        for name, (x, copy) in zip(names, before, strict=True):
            if not np.array_equal(x.detach().numpy(), copy, equal_nan=x.dtype.kind == "f"):
                fail(ArgumentError, "gradcheck", f"needs a function that leaves {name} unmodified")
        ys = returned if isinstance(returned, (tuple, list)) else (returned,)
        found = tuple(y for y in ys if isinstance(y, Tensor) and y.dtype.kind == "f")
        if not found:
            need = "needs a function that returns a floating-point tensor or a tuple of them"
            fail(DTypeError, "gradcheck", need, {"returned": returned})
        return found

    function = Function(getattr(func, "__name__", type(func).__name__), call, [names[i] for i in places], arrays)
    first, second = function.values(arrays), function.values(arrays)
    if not np.all(np.isfinite(first)):
        fail(ArgumentError, "gradcheck", "needs a function with finite values at these inputs")
    if first.shape != second.shape or not np.array_equal(first, second):
        hint = "fix the seed inside the function"
        need = "needs a function that gives the same values when called twice"
        fail(ArgumentError, "gradcheck", need, {}, hint)
    return function


def _derivative(function: Function, rng: np.random.Generator) -> Function:
    """The map from x and v to J^T v: its derivatives are the second ones in x, and J itself in v."""
    inner, count = function.call, len(function.arrays)
    cotangents = [normal(rng, y) for y in function.like]

    def call(*operands: Tensor) -> tuple[Tensor, ...]:
        # For differences of values the rules run on numbers, as they do in training.
        found = vjp(inner, operands[:count], operands[count:], create_graph=is_grad_enabled())[1]
        return tuple(found)

    cotangent = "cotangent" + "'" * (function.level - 1)
    several = len(cotangents) > 1
    names = [f"{cotangent}s[{j}]" if several else cotangent for j in range(len(cotangents))]
    made = Function(function.name, call, [*function.names, *names], [*function.arrays, *cotangents])
    made.output_names = [function.derivative(k) for k in range(count)]
    largest = [float(np.abs(a).max(initial=0.0)) for a in (flat(cotangents), flat(function.like))]
    made.hidden = largest[0] * max(1.0, largest[1], function.hidden)
    return made


# --- checks along random directions -------------------------------------------------------------------


def _check(
    function: Function, rng: np.random.Generator, modes: Sequence[str], directions: int, eps: float | None
) -> list[Check]:
    """One check per input and mode, each the worst of all directions."""
    worst: dict[tuple[int, str], tuple[float, Check]] = {}
    for _ in range(directions):
        v = flat([normal(rng, y) for y in function.like])
        gradients = _attempt(function.reverse, v)
        for k, x in enumerate(function.arrays):
            if x.size == 0 or v.size == 0:
                continue
            u = normal(rng, x)
            tangent = _attempt(function.forward, k, u) if "forward" in modes else ""
            gradient = gradients if isinstance(gradients, str) else gradients[k]
            line = differences(function, k, u, eps, v[None, :], gradient)
            for mode in modes:
                found = gradient if mode == "reverse" else tangent
                if isinstance(found, str):
                    analytic, verdict = np.nan, f"a bug: {mode} mode fails: {found}"
                else:
                    analytic = dot(found, u) if mode == "reverse" else dot(found, v)
                    verdict = _verdict(function, k, mode, analytic, line, eps)
                apart = abs(analytic - line.value[0]) / max(line.allowed[0], np.finfo(float).tiny)
                score = np.inf if not verdict.startswith(_WITHIN) else float(apart)
                check = Check(
                    function.derivative(k),
                    mode,
                    analytic,
                    float(line.value[0]),
                    float(line.allowed[0]),
                    verdict,
                )
                if (k, mode) not in worst or score > worst[k, mode][0]:
                    worst[k, mode] = (score, check)
    return [check for _, check in worst.values()]


def _attempt(derivative: Callable[..., Any], *args: Any) -> Any:
    """What the rules give, or in words why they do not."""
    try:
        return derivative(*args)
    except Misfit as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _verdict(function: Function, k: int, mode: str, analytic: float, line: Line, eps: float | None) -> str:
    if not np.isfinite(line.value[0]):
        return f"not judged: the function is not finite in the neighbourhood of {function.names[k]}"
    if not line.kink[0] and abs(analytic - line.value[0]) <= line.allowed[0]:
        return _WITHIN
    return _localised(function, k, mode, eps)


# --- where the bug is ---------------------------------------------------------------------------------


def _localised(function: Function, k: int, mode: str, eps: float | None) -> str:
    """Compare the Jacobian entry by entry and name the worst, in plain words."""
    x, outputs = function.arrays[k], flat(function.like).size
    of = f"d/d{function.names[k]} by {mode} mode"
    if outputs * x.size > _MOST_ENTRIES:
        return f"a bug: {of} (a Jacobian of {outputs} x {x.size} entries is too large to localise it, or a kink)"
    by_rules = np.empty((outputs, x.size))
    lines = []
    for i in range(x.size):
        u = np.zeros_like(x)
        u.flat[i] = 1
        lines.append(differences(function, k, u, eps, None, None))
        if mode == "forward":
            by_rules[:, i] = function.forward(k, u)
    if mode == "reverse":
        for j in range(outputs):
            by_rules[j] = function.reverse(np.eye(1, outputs, j)[0])[k].ravel()
    value, allowed, kink, low, high = (np.stack(part, axis=1) for part in zip(*lines, strict=True))
    with np.errstate(all="ignore"):
        right = np.where(kink, (by_rules >= low) & (by_rules <= high), np.abs(by_rules - value) <= allowed)
        if right.all():
            if kink.any():
                at_jumps = int(np.isinf(low).sum())
                between = f"{int(kink.sum()) - at_jumps} of {kink.size} entries between the two sides of a kink"
                beyond = f"{at_jumps} of {kink.size} entries at a jump, not judged"
                counted = [text for text, some in ((between, kink.sum() > at_jumps), (beyond, at_jumps > 0)) if some]
                return f"{_WITHIN} ({', '.join(counted)})"
            return f"a bug: {of} is right for each element alone but not for mixtures: the rule is not linear"
        excess = np.where(right, 0.0, np.abs(by_rules - value) / np.maximum(allowed, 1e-300))
        excess[np.isnan(excess)] = np.inf
        j, i = (int(n) for n in np.unravel_index(int(np.argmax(excess)), excess.shape))
        ratios = by_rules[np.abs(value) > allowed] / value[np.abs(value) > allowed]
    element = _element(function.names[k], x.shape, i)
    text = (
        f"a bug: d {_output_element(function, j)} / d {element} is {by_rules[j, i]:.8g} by {mode} mode,"
        f" but {value[j, i]:.8g} numerically"
    )
    count = int((~right).sum())
    if count > 1:
        text += f" ({count} of {right.size} entries are wrong"
        same = ratios.size > 1 and np.all(np.abs(ratios - ratios[0]) <= 1e-3 * abs(ratios[0]))
        text += f", all by the factor {ratios[0] + 0.0:.3g})" if same and count == ratios.size else ")"
    return text


def _element(name: str, shape: tuple[int, ...], flat: int) -> str:
    """``x[1, 2]``, or ``x`` where it is 0-d."""
    index = [int(n) for n in np.unravel_index(flat, shape)]
    return f"{name}{index}" if index else name


def _output_element(function: Function, flat: int) -> str:
    for name, y in zip(function.output_names, function.like, strict=True):
        if flat < y.size:
            return _element(f"({name})" if "/" in name else name, y.shape, flat)
        flat -= y.size
    raise AssertionError("an output element beyond the last")
