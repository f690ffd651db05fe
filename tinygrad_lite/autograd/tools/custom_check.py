"""``Operation.check``: ``gradcheck`` of a custom operation, with its table turned into words about the rules."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.tools.gradcheck import Report, gradcheck
from tinygrad_lite.autograd.tools.transposition import Call
from tinygrad_lite.errors import GradientError, fail

if TYPE_CHECKING:
    from tinygrad_lite.autograd.tools.custom import Operation


def check(
    operation: Operation,
    inputs: tuple[Any, ...],
    statics: dict[str, Any],
    order: int,
    seed: int,
    raise_exception: bool,
) -> Report:
    """See ``Operation.check``."""
    given, static = operation.bound(inputs, statics)
    names = operation.operand_names(len(given))
    operands = [operation.operand(name, x) for name, x in zip(names, given, strict=True)]
    full = [_double(x) for x in operation.prepared(names, [_detached(x) for x in operands])]
    constants = operation.constants
    places = [i for i, name in enumerate(names) if full[i] is not None and name.split("[")[0] not in constants]
    for i in places:
        if operation.row.joint is None and names[i] not in operation.row.rules:
            operation.refuse_without_rule(names[i], full[i])  # type: ignore[arg-type]

    def function(*xs: Any) -> Any:
        values: list[Any] = list(full)
        for i, x in zip(places, xs, strict=True):
            values[i] = x
        return apply(operation.row, values, (*static, Call()))

    kind = inspect.Parameter.POSITIONAL_ONLY
    function.__name__ = operation.__name__
    shown = [names[i].replace("[", "_").rstrip("]") for i in places]
    function.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in shown])  # type: ignore[attr-defined]
    report = gradcheck(function, tuple(full[i] for i in places), order=order, seed=seed, raise_exception=False)
    if raise_exception and not report:
        table = str(report).replace("\n", "\n    ")
        fail(GradientError, operation.__name__, f"has a wrong rule: {_blame(operation, report, shown)}\n    {table}")
    return report


def _blame(operation: Operation, report: Report, names: Sequence[str]) -> str:
    """Which rule a report of gradcheck speaks against."""
    wrong = [(c.derivative, c.mode) for c in report.checks if not c.verdict.startswith("within rounding")]
    for x in names:
        modes = {mode for derivative, mode in wrong if derivative == f"d/d{x}"}
        if not modes:
            continue
        derived = operation.derived.get("" if operation.row.joint else x, "")
        if derived:
            return f"the {'vjp' if derived == 'jvp' else 'jvp'} for {x} (its {derived} is derived from that)"
        if len(modes) == 2:
            return f"the rule for {x}, or the forward that it belongs to"
        return f"the {'vjp' if 'reverse' in modes else 'jvp'} for {x}"
    again = "right in numbers but not when it is differentiated again"
    if any("mode fails" in c.verdict for c in report.checks):
        return f"{again}, where it runs on tensors"
    return f"{again}, as if it depended on something that it does not save"


def _detached(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) else x


def _double(x: Tensor | None) -> Tensor | None:
    """Floating-point values in float64, where differences are sharp."""
    return x if x is None or x.dtype.kind != "f" else x.astype("float64")
