"""What ``state_dict`` lists, and loading it: checked as a whole before anything changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.autograd.rows import copied
from tinygrad_lite.backends.devices import to_device
from tinygrad_lite.errors import DTypeError, StateError, fail
from tinygrad_lite.nn.parameter import Parameter, write

if TYPE_CHECKING:
    from tinygrad_lite.nn.module import Module

_SHOWN = 5  # names of each kind that an error lists


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(strict=False)`` left alone."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def entries(module: Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and persistent buffers by dotted name, in PyTorch's order: module by module."""
    for path, owner in module.named_modules(remove_duplicate=False):
        own = owner.__dict__.items()
        parameters = [(name, value) for name, value in own if isinstance(value, Parameter)]
        buffers = [(name, owner.__dict__[name]) for name, persistent in owner._buffers.items() if persistent]
        for name, value in (*parameters, *buffers):
            if value is not None:
                yield (f"{path}.{name}" if path else name), value


def load(module: Module, state: Mapping[str, Any], strict: bool) -> IncompatibleKeys:
    """See ``Module.load_state_dict``."""
    if not isinstance(state, Mapping):
        hint = "tensors have names in a dictionary, such as load(path) and model.state_dict() return"
        fail(DTypeError, "load_state_dict", "needs a mapping of names to tensors", {"state_dict": state}, hint)
    targets = dict(entries(module))
    missing = [name for name in targets if name not in state]
    unexpected = [name for name in state if name not in targets]
    values = {name: _array(name, state[name]) for name in targets if name in state}
    differing = []
    for name, value in values.items():
        if value.shape != targets[name].shape or value.dtype != targets[name].dtype:
            differing.append(name)
    if differing or (strict and (missing or unexpected)):
        _refuse(module, state, targets, missing if strict else [], unexpected if strict else [], differing)
    for name, value in values.items():
        path, _, attribute = name.rpartition(".")
        if isinstance(targets[name], Parameter):
            write(targets[name], value)
        else:  # whoever holds the old buffer keeps its value
            there = to_device(value, targets[name].device)
            own = copied(there) if there is value else there
            setattr(module.get_submodule(path), attribute, make_tensor(own))
    return IncompatibleKeys(missing, unexpected)


def _array(name: str, value: Any) -> Any:
    """The array behind one value; a copy if it may change while others are written."""
    if isinstance(value, Tensor):
        return value._data if value._version is None else copied(value._data)
    if not hasattr(value, "__array__"):
        hint = "make it one: Tensor(value)"
        fail(DTypeError, "load_state_dict", f"needs tensors, but {name!r} is none", {"value": value}, hint)
    return Tensor(value)._data


def _refuse(
    module: Module,
    state: Mapping[str, Any],
    targets: Mapping[str, Tensor],
    missing: list[str],
    unexpected: list[str],
    differing: list[str],
) -> None:
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape or dtype": differing}
    found = "; ".join(f"{kind}: {_listed(names)}" for kind, names in kinds.items() if names)
    operands: dict[str, Any] = {}
    for name in differing[:_SHOWN]:
        operands[name] = targets[name]
        operands[f"state_dict[{name!r}]"] = state[name]
    hint = ""
    if differing and all(tuple(state[name].shape) == targets[name].shape for name in differing):
        hint = f'convert the module first: module.to("{Tensor(state[differing[0]]).dtype.name}")'
    elif differing:
        hint = "make the model with the sizes that it had when it was saved"
        if all(tuple(state[name].shape) == targets[name].shape[::-1] for name in differing):
            hint = "the saved matrices are transposed: Linear.weight is (out_features, in_features)"
    elif missing and unexpected:
        hint = "was it saved from another model, or under a prefix?"
    else:
        hint = "strict=False loads the entries that both have, and returns the names of the others"
    fail(
        StateError,
        "load_state_dict",
        f"needs the state of this {type(module).__name__}, but found {found}",
        operands,
        hint,
    )


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(map(str, names[:_SHOWN])) + (f" and {more} more" if more > 0 else "")
