"""What an optimiser accepts: which values its settings may take, and which tensors it can optimise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.autograd.graph import Leaf, Tensor
from tinygrad_lite.errors import ArgumentError, DTypeError, GradientError, fail

LABELS = ("params", "initial_lr", "name")  #: what a group may hold besides settings


class Limit(NamedTuple):
    """What a setting may be."""

    meaning: str  # completes "needs lr to be ..."
    convert: Callable[[Any], Any]  # the value to use, or None if it is refused


def number(low: float, below: float, meaning: str) -> Limit:
    """A number ``x`` with ``low <= x < below``; bools are not numbers."""

    def convert(value: Any) -> float | None:
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
            return None
        value = value if type(value) in (int, float) else float(value)
        return value if low <= value < below else None

    return Limit(meaning, convert)


def _convert_betas(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return None
    first, second = map(FRACTION.convert, value)
    return None if first is None or second is None else (first, second)


NON_NEGATIVE = number(0, math.inf, "a finite number >= 0")
FRACTION = number(0, 1, "a number from 0 on and below 1")
SHARE = number(0, math.nextafter(1, 2), "a number from 0 to 1")
POSITIVE_SHARE = number(math.ulp(0), math.nextafter(1, 2), "a number above 0 and up to 1")
FINITE = number(-math.nextafter(math.inf, 0), math.inf, "a finite number")
FLAG = Limit("True or False", lambda value: bool(value) if isinstance(value, (bool, np.bool_)) else None)
ANYTHING = Limit("anything", lambda value: value)
BETAS = Limit("two numbers from 0 on and below 1", _convert_betas)


def checked(
    operation: str, limits: Mapping[str, Limit], settings: Mapping[str, Any], place: str = "{}"
) -> dict[str, Any]:
    """A copy of ``settings`` with every value converted.

    Args:
        operation: the public name for the error.
        limits: what the settings may be.
        settings: by name; those of ``LABELS`` pass unchecked.
        place: formats the name of a setting for the error.

    Raises:
        ArgumentError: a value is out of range, or there is no such setting.
    """
    result: dict[str, Any] = {}
    for name, value in settings.items():
        if name in LABELS:
            result[name] = value
        elif name not in limits:
            hint = f"the settings are {', '.join(limits)}"
            fail(ArgumentError, operation, f"has no setting {name!r}", hint=hint)
        else:
            result[name] = limits[name].convert(value)
            if result[name] is None and limits[name] is not ANYTHING:
                need = f"needs {place.format(name)} to be {limits[name].meaning}, but got {value!r}"
                fail(ArgumentError, operation, need, hint=_setting_hint(name, value, limits[name]))
    return result


def _setting_hint(name: str, value: Any, limit: Limit) -> str:
    """What is meant by a setting that is refused, where that can be guessed."""
    if isinstance(value, Tensor):
        return "settings are Python numbers: value.item()"
    if isinstance(value, str) and limit.meaning.startswith("a "):
        return f"settings are Python numbers: {name}=float(...) reads one from a text"
    if name == "lr" and isinstance(value, (int, float)) and value < 0:
        return "steps go against the gradient already; maximize=True climbs"
    if name == "betas" and isinstance(value, (int, float)):
        return f"betas=({value}, 0.999) sets the first of the two"
    return ""


def listed(operation: str, name: str, params: Any) -> list[Any]:
    """What ``params`` holds, which must be in a definite order."""
    if isinstance(params, Tensor):
        fail(DTypeError, operation, "needs a list of tensors, but got one tensor", {name: params}, "pass [tensor]")
    if isinstance(params, (set, frozenset, str, Mapping)) or not isinstance(params, Iterable):
        need = f"needs an ordered collection of tensors, but {name} is a {type(params).__name__}"
        hint = "pass a list, which has an order"
        if callable(getattr(params, "parameters", None)):
            hint = "pass its parameters: model.parameters()"
        elif isinstance(params, Mapping):
            hint = "pass the tensors alone: list(params.values())"
        fail(DTypeError, operation, need, hint=hint)
    return list(params)


def check_parameter(operation: str, name: str, tensor: Any) -> None:
    """Refuse what cannot be optimised."""
    if not isinstance(tensor, Tensor):
        need = f"needs tensors, but {name} is a {type(tensor).__name__}"
        fail(DTypeError, operation, need, hint="pass model.parameters(), or a list of groups")
    if tensor._node is None:
        hint = "leave frozen parameters out: [p for p in model.parameters() if p.requires_grad]"
        fail(GradientError, operation, "needs parameters that require a gradient", {name: tensor}, hint)
    if type(tensor._node) is not Leaf:
        hint = "optimise the leaf that it was computed from"
        fail(GradientError, operation, "needs leaves, not results of operations", {name: tensor}, hint)


def refuse_repeated(operation: str, tensors: Sequence[Tensor]) -> None:
    """A parameter that occurred twice would be updated twice."""
    seen: set[int] = set()
    for tensor in tensors:
        if id(tensor) in seen:
            need = "needs every parameter once, but one occurs twice"
            hint = "a layer used twice is trained once: list(dict.fromkeys(parameters)) leaves repeats out"
            fail(ArgumentError, operation, need, {"parameter": tensor}, hint)
        seen.add(id(tensor))
