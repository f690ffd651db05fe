"""Calling a module that has hooks. Modules without any never come here."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from tinygrad_lite.autograd.graph import Hooks, Tensor, mode
from tinygrad_lite.errors import ArgumentError, fail

if TYPE_CHECKING:
    from tinygrad_lite.nn.module import Module

PRE, POST, BACKWARD = "forward_pre_hook", "forward_hook", "full_backward_hook"  #: the kinds of hooks


def call(module: Module, hooks: Hooks, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``module.forward`` with its hooks around it, each kind in the order of registration."""
    registered: Any = list(hooks.values())
    for kind, hook in registered:
        if kind is PRE:
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    backward = [hook for kind, hook in registered if kind is BACKWARD]
    watch = _Watch(module, backward) if backward and mode.enabled else None
    if watch is not None:
        args = watch.inputs(args)
    output = module.forward(*args, **kwargs)
    for kind, hook in registered:
        if kind is POST:
            changed = hook(module, args, output)
            output = output if changed is None else changed
    return output if watch is None else watch.outputs(output)


class _Watch:
    """One call of a module with backward hooks: collects the gradients that pass its two borders.

    Clones mark the borders, so that a gradient seen there is what this call alone contributes, whoever else
    uses the same tensor. The hooks run when the last gradient has arrived at the inputs, or at the outputs
    where only data came in.
    """

    def __init__(self, module: Module, hooks: list[Any]) -> None:
        self.module, self.hooks = module, hooks
        self.arrived_in: dict[int, Tensor] = {}
        self.arrived_out: dict[int, Tensor] = {}
        self.awaited_in = self.awaited_out = 0  # how many inputs and outputs wait for a gradient
        self.args = self.results = 0

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        marked = []
        for i, x in enumerate(args):
            if isinstance(x, Tensor) and x.requires_grad:
                x = x.clone()
                x.register_hook(functools.partial(self._at_input, i))
                self.awaited_in += 1
            marked.append(x)
        self.args = len(args)
        return tuple(marked)

    def outputs(self, output: Any) -> Any:
        several = isinstance(output, (tuple, list))
        outputs = list(output) if several else [output]
        if not all(isinstance(y, Tensor) for y in outputs):
            need = "with a full backward hook needs a forward that returns a tensor or a tuple of tensors"
            hint = "return the tensors alone, or hook them one by one: y.register_hook(...)"
            fail(ArgumentError, type(self.module).__name__, need, {"returned": output}, hint)
        for i, y in enumerate(outputs):
            if y.requires_grad:
                outputs[i] = y = y.clone()
                y.register_hook(functools.partial(self._at_output, i))
                self.awaited_out += 1
        self.results = len(outputs)
        if several:
            return tuple(outputs) if isinstance(output, tuple) else outputs
        return outputs[0]

    def _at_output(self, i: int, g: Tensor) -> None:
        self.arrived_out[i] = g
        if not self.awaited_in and len(self.arrived_out) == self.awaited_out:
            self._run()

    def _at_input(self, i: int, g: Tensor) -> Tensor | None:
        self.arrived_in[i] = g
        if len(self.arrived_in) < self.awaited_in:
            return None
        grad_input = self._run()
        return grad_input[i] if self.awaited_in == 1 else None

    def _run(self) -> tuple[Any, ...]:
        """Call the hooks, and forget the gradients: a retained graph may be walked again."""
        grad_input: tuple[Any, ...] = tuple(self.arrived_in.get(i) for i in range(self.args))
        grad_output = tuple(self.arrived_out.get(i) for i in range(self.results))
        self.arrived_in, self.arrived_out = {}, {}
        for hook in self.hooks:
            changed = hook(self.module, grad_input, grad_output)
            if changed is None:
                continue
            if self.awaited_in != 1:
                need = "cannot replace grad_input unless exactly one argument requires a gradient"
                fail(ArgumentError, "full backward hook", need, {}, "return None, or use Tensor.register_hook")
            if not isinstance(changed, tuple) or len(changed) != self.args:
                need = f"needs to return None or a tuple of {self.args} like grad_input"
                hint = "return tuple(changed gradients), with None where there is none"
                fail(ArgumentError, "full backward hook", need, {"returned": changed}, hint)
            grad_input = changed
        return grad_input
