"""A table of a model's layers with the shapes of their outputs and the numbers of their parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import HookHandle, Tensor, no_grad
from tinygrad_lite.functions.arguments import checked_keywords, shape_tuple
from tinygrad_lite.functions.creation import zeros
from tinygrad_lite.functions.random import get_rng_state, set_rng_state
from tinygrad_lite.nn.module import Module

__all__ = ["summary"]


@checked_keywords
def summary(model: Module, input_shape: Sequence[int], dtype: dtypes.DTypeLike = None) -> str:
    """What the layers of ``model`` make of an input, as a table.

    Runs the model once on zeros, in evaluation mode without gradients; afterwards everything is as before.

    Args:
        model: any module that takes one tensor.
        input_shape: the shape of that tensor, batch included.
        dtype: its dtype; None takes that of the first parameter.

    Returns:
        One line per layer (a module without children, or with parameters of its own), then the totals.

    >>> from tinygrad_lite import nn
    >>> print(summary(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), (1, 28, 28)))
    layer                 output    parameters
    0  Flatten()          (1, 784)           0
    1  Linear(784 -> 10)  (1, 10)        7,850
    7,850 parameters, all trainable, 30.7 KiB
    """
    shape = shape_tuple("summary", input_shape)
    first = next(iter(model.parameters()), None)
    if dtype is None:
        dtype = dtypes.default_float if first is None else first.dtype
    outputs = _output_shapes(model, zeros(shape, dtype, device=None if first is None else first.device))
    rows = [("layer", "", "output", "parameters")]
    for name, module in model.named_modules():
        own = sum(p.size for p in module.parameters(recurse=False))
        if own or next(module.children(), None) is None:
            rows.append((name, module._describe(), outputs.get(module, "not called"), f"{own:,}"))
    return "\n".join([*_table(rows), _totals(list(model.parameters()))])


def _output_shapes(model: Module, x: Tensor) -> dict[Module, str]:
    """The shape of every module's (last) output in one pass; the model is left as it was."""
    outputs: dict[Module, str] = {}

    def note(module: Module, args: Any, output: Any) -> None:
        outputs[module] = str(output.shape) if isinstance(output, Tensor) else type(output).__name__

    modules = list(model.modules())
    training = [module.training for module in modules]
    state = get_rng_state()
    handles: list[HookHandle] = []
    try:
        handles += [module.register_forward_hook(note) for module in modules]
        model.eval()
        with no_grad():
            model(x)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in zip(modules, training):
            module.training = mode
        set_rng_state(state)
    return outputs


def _table(rows: list[tuple[str, str, str, str]]) -> list[str]:
    """Columns of equal width: names with descriptions, shapes, and numbers flush right."""
    names = max((len(row[0]) for row in rows[1:]), default=0)
    labels = [rows[0][0]] + [f"{name:<{names}}  {text}" if names else text for name, text, _, _ in rows[1:]]
    widths = [max(map(len, labels)), max(len(row[2]) for row in rows), max(len(row[3]) for row in rows)]
    return [f"{label:<{widths[0]}}  {row[2]:<{widths[1]}}  {row[3]:>{widths[2]}}" for label, row in zip(labels, rows)]


def _totals(parameters: list[Any]) -> str:
    count = sum(p.size for p in parameters)
    frozen = sum(p.size for p in parameters if not p.requires_grad)
    memory: float = sum(p.size * p.dtype.itemsize for p in parameters)
    trainable = f"{count - frozen:,} trainable" if frozen else "all trainable"
    power = min(int(math.log(memory, 1024)), 3) if memory else 0
    unit = ("bytes", "KiB", "MiB", "GiB")[power]
    size = f"{memory / 1024**power:.1f}" if power else f"{memory}"
    return f"{count:,} parameters, {trainable}, {size} {unit}"
