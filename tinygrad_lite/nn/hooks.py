"""Calling a module that has hooks. Modules without any never come here."""

from __future__ import annotations

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
    uses the same tensor.
    """

    def __init__(self, module: Module, hooks: list[Any]) -> None:
        self.module, self.hooks = module, hooks
        self.grad_output: list[Tensor | None] = []
        self.grad_input: list[Tensor | None] = []
        self.awaited = 0  # how many inputs wait for a gradient

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.grad_input = [None] * len(args)
        marked = []
        for i, x in enumerate(args):
            if isinstance(x, Tensor) and x.requires_grad:
                x = x.clone()
                x.register_hook(lambda g, i=i: self._at_input(i, g))
                self.awaited += 1
            marked.append(x)
        self.waiting = self.awaited
        return tuple(marked)

    def outputs(self, output: Any) -> Any:
        several = isinstance(output, (tuple, list))
        outputs = list(output) if several else [output]
        if not all(isinstance(y, Tensor) for y in outputs):
            need = "with a full backward hook needs a forward that returns a tensor or a tuple of tensors"
            fail(ArgumentError, type(self.module).__name__, need, {"returned": output})
        self.grad_output = [None] * len(outputs)
        for i, y in enumerate(outputs):
            if y.requires_grad:
                outputs[i] = y = y.clone()
                y.register_hook(lambda g, i=i: self._at_output(i, g))
        if several:
            return tuple(outputs) if isinstance(output, tuple) else outputs
        return outputs[0]

    def _at_output(self, i: int, g: Tensor) -> None:
        self.grad_output[i] = g
        if not self.awaited:  # only data came in: there is no later moment
            self._run()

    def _at_input(self, i: int, g: Tensor) -> Tensor | None:
        self.grad_input[i] = g
        self.waiting -= 1
        if self.waiting:
            return None
        self.waiting = self.awaited  # a retained graph may be walked again
        changed = self._run()
        return changed[i] if self.awaited == 1 else None

    def _run(self) -> tuple[Any, ...]:
        grad_input = tuple(self.grad_input)
        for hook in self.hooks:
            changed = hook(self.module, grad_input, tuple(self.grad_output))
            if changed is None:
                continue
            if self.awaited != 1:
                need = "cannot replace grad_input unless exactly one argument requires a gradient"
                fail(ArgumentError, "full backward hook", need, {}, "return None, or use Tensor.register_hook")
            grad_input = changed if isinstance(changed, tuple) else (changed,)
        return grad_input
