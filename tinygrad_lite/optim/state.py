"""Reads the state dictionary of an optimiser, ours or PyTorch's, and refuses one that does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from tinygrad_lite.autograd.graph import Array, Tensor
from tinygrad_lite.errors import StateError, fail
from tinygrad_lite.optim.settings import LABELS, checked

if TYPE_CHECKING:
    from tinygrad_lite.optim.optimizer import Optimizer

Entry: TypeAlias = "tuple[int, dict[str, Array]]"  #: how often a parameter was stepped, and its arrays

# PyTorch's choices between implementations of the same formula, and one formula that we do not have.
_CHOICES = ("foreach", "fused", "capturable", "differentiable", "decoupled_weight_decay", "amsgrad")


def parse(optimizer: Optimizer, operation: str, state_dict: Any) -> tuple[list[dict[str, Any]], list[Entry]]:
    """Check a state dictionary against an optimiser, changing nothing.

    Returns:
        The settings of each group, and for each parameter its entry.

    Raises:
        StateError: it does not fit.
        ArgumentError: a setting is out of range.
    """
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
        _refuse(operation, "needs a dictionary with 'state' and 'param_groups'")
    saved = list(state_dict["param_groups"])
    own = optimizer.param_groups
    if len(saved) != len(own):
        _refuse(operation, f"needs {len(own)} parameter groups, but the dictionary has {len(saved)}")
    groups: list[dict[str, Any]] = []
    order: list[Any] = []  # the keys of the parameters, in the dictionary's own numbering
    for i, (group, kept) in enumerate(zip(saved, own, strict=True)):
        groups.append(_settings(optimizer, operation, i, group))
        indices = list(group["params"])
        if len(indices) != len(kept["params"]):
            count = len(kept["params"])
            _refuse(operation, f"needs {count} parameters in group {i}, but the dictionary has {len(indices)}")
        order += indices
    entries: list[Entry] = []
    unknown = [key for key in state_dict["state"] if key not in order]
    if unknown:
        _refuse(operation, f"found state for the parameter {unknown[0]!r}, which is in none of the groups")
    owners = [(group, p) for group, kept in zip(groups, own, strict=True) for p in kept["params"]]
    for key, (group, parameter) in zip(order, owners, strict=True):
        entry = state_dict["state"].get(key) or {}
        entries.append(_entry(optimizer, operation, f"state[{key}]", entry, group, parameter))
    return groups, entries


def _settings(optimizer: Optimizer, operation: str, index: int, group: Any) -> dict[str, Any]:
    if not isinstance(group, Mapping) or "params" not in group:
        _refuse(operation, f"needs a dictionary with 'params' as param_groups[{index}]")
    if group.get("amsgrad"):
        _refuse(operation, f"does not have the variant that param_groups[{index}]['amsgrad'] asks for")
    settings = {name: value for name, value in group.items() if name not in _CHOICES and name != "params"}
    for name in optimizer.settings:
        if name not in settings:
            _refuse(operation, f"needs {name!r}, but param_groups[{index}] does not have it")
    for name in settings:
        if name not in optimizer.settings and name not in LABELS:
            _refuse(operation, f"has no setting {name!r}, but param_groups[{index}] does")
    settings = checked(operation, optimizer.settings, settings, f"param_groups[{index}][{{!r}}]")
    optimizer.check(operation, settings)
    return settings


def _entry(
    optimizer: Optimizer, operation: str, where: str, entry: Any, group: Mapping[str, Any], parameter: Tensor
) -> Entry:
    if not isinstance(entry, Mapping):
        _refuse(operation, f"needs a dictionary as {where}")
    entry = {name: value for name, value in entry.items() if value is not None}
    step = 0
    if optimizer.counts_steps and entry:
        try:
            step = int(entry.pop("step"))
        except (KeyError, TypeError, ValueError):
            step = -1
        if step < 0:
            _refuse(operation, f"needs the number of steps as {where}['step']")
    for name in optimizer.state_names(group) if entry else ():
        if name not in entry:
            _refuse(operation, f"needs {name!r}, but {where} does not have it")
    arrays: dict[str, Array] = {}
    for name, value in entry.items():
        if name not in optimizer.arrays:
            _refuse(operation, f"has no state called {name!r}, but {where} does")
        array = value._data if isinstance(value, Tensor) else np.asarray(value)
        if array.shape != parameter.shape or array.dtype.kind not in "fiu":
            operands = {"parameter": parameter, name: array}
            _refuse(operation, f"needs numbers in the shape of the parameter as {where}[{name!r}]", operands)
        arrays[name] = array.astype(parameter.dtype)
    return step, arrays


def _refuse(operation: str, need: str, operands: Mapping[str, Any] | None = None) -> NoReturn:
    fail(StateError, operation, need, operands, "was it saved by an optimiser of this kind for this model?")
