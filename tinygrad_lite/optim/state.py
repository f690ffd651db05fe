"""Reads the state dictionary of an optimiser, ours or PyTorch's, and refuses one that does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from tinygrad_lite.autograd.graph import Array, Tensor
from tinygrad_lite.backends.devices import device_of, to_device
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
    saved = state_dict["param_groups"]
    if not isinstance(saved, (list, tuple)) or not isinstance(state_dict["state"], Mapping):
        _refuse(operation, "needs a list as 'param_groups' and a dictionary as 'state'")
    own = optimizer.param_groups
    if len(saved) != len(own):
        _refuse(operation, f"needs {len(own)} parameter groups, but the dictionary has {len(saved)}")
    groups: list[dict[str, Any]] = []
    order: list[Any] = []  # the keys of the parameters, in the dictionary's own numbering
    for i, (group, kept) in enumerate(zip(saved, own, strict=True)):
        groups.append(_settings(optimizer, operation, i, group))
        indices = group["params"]
        if not isinstance(indices, (list, tuple)) or not all(isinstance(key, (int, str)) for key in indices):
            _refuse(operation, f"needs a list of numbers as param_groups[{i}]['params']")
        if len(indices) != len(kept["params"]):
            count = len(kept["params"])
            _refuse(operation, f"needs {count} parameters in group {i}, but the dictionary has {len(indices)}")
        order += indices
    if len(set(order)) != len(order):
        _refuse(operation, f"needs every parameter once, but the groups number them {order}")
    entries: list[Entry] = []
    unknown = [key for key in state_dict["state"] if key not in order]
    if unknown:
        _refuse(operation, f"found state for the parameter {unknown[0]!r}, which is in none of the groups")
    parameters = [parameter for kept in own for parameter in kept["params"]]
    for key, parameter in zip(order, parameters, strict=True):
        entry = state_dict["state"].get(key, {})
        entries.append(_entry(optimizer, operation, f"state[{key}]", entry, parameter))
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


def _entry(optimizer: Optimizer, operation: str, where: str, entry: Any, parameter: Tensor) -> Entry:
    if not isinstance(entry, Mapping):
        _refuse(operation, f"needs a dictionary as {where}")
    entry = {name: value for name, value in entry.items() if value is not None}
    step = 0
    if optimizer.counts_steps and entry:
        try:
            count = float(entry.pop("step"))
        except (KeyError, TypeError, ValueError, RuntimeError, OverflowError):
            count = -1.0
        if count < 0 or not count.is_integer():
            _refuse(operation, f"needs the number of steps as {where}['step']")
        step = int(count)
    for name in optimizer.required if entry else ():
        if name not in entry:
            _refuse(operation, f"needs {name!r}, but {where} does not have it")
    arrays: dict[str, Array] = {}
    for name, value in entry.items():
        if name not in optimizer.arrays:
            _refuse(operation, f"has no state called {name!r}, but {where} does")
        try:
            array = value._data if isinstance(value, Tensor) else np.asarray(value)
        except (TypeError, ValueError, RuntimeError):  # ragged lists
            array = np.asarray(None)
        if array.shape != parameter.shape or array.dtype.kind not in "fiu":
            operands = {"parameter": parameter, name: array}
            _refuse(operation, f"needs numbers in the shape of the parameter as {where}[{name!r}]", operands)
        arrays[name] = to_device(array, device_of(parameter._data)).astype(parameter.dtype)
    return step, arrays


def _refuse(operation: str, need: str, operands: Mapping[str, Any] | None = None) -> NoReturn:
    fail(StateError, operation, need, operands, "was it saved by an optimiser of this kind for this model?")
