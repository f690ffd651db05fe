"""Module: the base of every layer and model. It finds parameters and submodules among its own attributes.

There are no registries beside the attributes: what is a ``Parameter`` or a ``Module`` in an instance's
``__dict__`` is one of its parameters or children, so reassigning and deleting can never leave the two apart,
and reading one is a plain attribute access. Only buffers are noted by name, since they are ordinary tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import HookHandle, Hooks, Tensor, make_tensor, mode
from tinygrad_lite.calls import CheckedConstructor, refuse_call
from tinygrad_lite.errors import ArgumentError, DTypeError, Error, MissingAttributeError, fail
from tinygrad_lite.functions.creation import zeros_like
from tinygrad_lite.functions.devices import backend
from tinygrad_lite.nn import hooks, state
from tinygrad_lite.nn.parameter import Parameter, changed, convert

__all__ = ["Module"]

M = TypeVar("M", bound="Module")


class Module(CheckedConstructor):
    """The base class of models: assign layers and parameters in ``__init__``, compute in ``forward``.

    The names, the order of parameters and the layout of ``state_dict`` are PyTorch's.

    >>> from tinygrad_lite import nn
    >>> class Residual(nn.Module):
    ...     def __init__(self, size):
    ...         super().__init__()
    ...         self.inner = nn.Linear(size, size)
    ...
    ...     def forward(self, x):
    ...         return x + self.inner(x).relu()
    >>> model = Residual(3)
    >>> [name for name, p in model.named_parameters()]
    ['inner.weight', 'inner.bias']
    >>> model
    Residual(
      (inner): Linear(3 -> 3)
    )
    """

    training: bool
    _buffers: dict[str, bool]  # name -> whether state_dict has it
    _hooks: Hooks  # the hooks of all three kinds, in the order of registration

    def __init__(self) -> None:
        self.__dict__.update(training=True, _buffers={}, _hooks=Hooks())

    # --- calling ------------------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass defines it, users call the module itself."""
        holder = type(self).__name__ in ("ModuleList", "ModuleDict")
        hint = "call the modules in it one by one, or use Sequential" if holder else "define forward(self, x)"
        fail(ArgumentError, type(self).__name__, "has no forward method", {}, hint)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward`` and the hooks; an error on the way names this module."""
        try:
            if mode.tape is not None:
                mode.tape.enter(self)
            if self._hooks:
                return hooks.call(self, self._hooks, args, kwargs)
            return self.forward(*args, **kwargs)
        except Error as error:
            self._locate(error)
            raise
        except TypeError as error:
            trace = error.__traceback__.tb_next  # type: ignore[union-attr]
            if trace is None or (self._hooks and trace.tb_next is None):  # from the call of forward itself
                self._refuse_call(args, kwargs)
            raise

    def _refuse_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise the error of arguments that ``forward`` does not have, if there are any."""
        try:
            refuse_call(self.forward, f"{type(self).__name__}.forward", args, kwargs)
        except Error as error:
            self._locate(error)
            raise error from None

    def _locate(self, error: Error) -> None:
        """Note in ``error`` that it passed through this module, and by which path to the failing one."""
        inner = getattr(error, "_passed", None)
        child = next((name for name, m in self.named_modules() if m is inner), "")
        error.within(type(self).__name__.lower(), self._describe(), child)
        error._passed = self  # type: ignore[attr-defined]

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call ``hook(module, args)`` before ``forward``; what it returns replaces the positional arguments.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._hooks.add((hooks.PRE, hook))  # type: ignore[arg-type]

    def register_forward_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call ``hook(module, args, output)`` after ``forward``; what it returns replaces the output.

        >>> from tinygrad_lite import Tensor, nn
        >>> layer = nn.ReLU()
        >>> handle = layer.register_forward_hook(lambda module, args, output: print(output.shape))
        >>> _ = layer(Tensor([[1.0, 2.0]]))
        (1, 2)
        >>> handle.remove()
        """
        return self._hooks.add((hooks.POST, hook))  # type: ignore[arg-type]

    def register_full_backward_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call ``hook(module, grad_input, grad_output)`` in the backward pass, with tuples of gradients.

        ``grad_input`` has one entry per positional argument, None where no gradient is wanted. Where there is
        one such argument, the tuple that the hook returns replaces ``grad_input``. The hook runs once per
        call, when all gradients have arrived; an input or output without any in this pass keeps it from running.
        """
        return self._hooks.add((hooks.BACKWARD, hook))  # type: ignore[arg-type]

    # --- attributes ---------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, (Parameter, Module)):
            if "_hooks" not in own:
                self._not_initialised()
            _check_name(type(self), name)
            own["_buffers"].pop(name, None)
        elif value is not None and not isinstance(value, Tensor) and name in own.get("_buffers", ()):
            need, hint = "is a buffer and needs a tensor or None", "wrap it: Tensor(value)"
            fail(DTypeError, f"{type(self).__name__}.{name}", need, {"value": value}, hint)
        elif isinstance(value, Tensor) and isinstance(own.get(name), Parameter):
            hint = f"wrap it: Parameter(value); or write into it under no_grad(): module.{name}[...] = value"
            need = "is a parameter and needs a Parameter or None"
            fail(DTypeError, f"{type(self).__name__}.{name}", need, {"value": value}, hint)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._buffers.pop(name, None)

    def __getattr__(self, name: str) -> Any:
        # Only reached for names that do not exist. Python itself asks for some with underscores.
        if name in ("_hooks", "_buffers", "training"):
            self._not_initialised()
        if name.startswith("__"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        import difflib

        alike = difflib.get_close_matches(name, dir(self), 1)
        hint = f"did you mean {alike[0]}?" if alike else ""
        if name in ("cuda", "cpu"):
            hint = f'model.to("{name}")'
        elif not hint:
            hint = f"is it set in __init__, before it is used: self.{name} = ...?"
        fail(MissingAttributeError, type(self).__name__, f"has no attribute {name!r}", {}, hint)

    def _not_initialised(self) -> NoReturn:
        hint = "call super().__init__() first in __init__"
        fail(MissingAttributeError, type(self).__name__, "is not initialised as a Module", {}, hint)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name that need not be a Python identifier."""
        self._check_new(name)
        if param is not None and not isinstance(param, Parameter):
            hint = "wrap it: Parameter(value)"
            fail(DTypeError, "register_parameter", "needs a Parameter or None", {"param": param}, hint)
        setattr(self, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the state but is not trained, such as a running mean.

        Args:
            name: the attribute's name.
            tensor: the value, or None.
            persistent: whether ``state_dict`` contains it.
        """
        if name not in self._buffers:
            self._check_new(name)
        if tensor is not None and not isinstance(tensor, Tensor):
            hint = "wrap it: Tensor(value)"
            fail(DTypeError, "register_buffer", "needs a tensor or None", {"tensor": tensor}, hint)
        self._buffers[name] = bool(persistent)
        setattr(self, name, tensor)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child under a name that need not be a Python identifier."""
        if not isinstance(self.__dict__.get(name), Module):
            self._check_new(name)
        if module is not None and not isinstance(module, Module):
            fail(DTypeError, "add_module", "needs a Module or None", {"module": module})
        setattr(self, name, module)

    def _check_new(self, name: str) -> None:
        if "_hooks" not in self.__dict__:
            self._not_initialised()
        _check_name(type(self), name)
        if name in self.__dict__ and self.__dict__[name] is not None:
            hint = f"choose another name, or assign to it: self.{name} = ..."
            fail(ArgumentError, type(self).__name__, f"has an attribute {name!r} already", {}, hint)

    # --- what it consists of ------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules among the attributes, each once, with their names."""
        seen: set[Module] = set()
        for name, value in self.__dict__.items():
            if isinstance(value, Module) and value not in seen:
                seen.add(value)
                yield name, value

    def children(self) -> Iterator[Module]:
        """The modules among the attributes, each once."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module (called ``""``) and all below it, with dotted names, parents before children.

        Args:
            memo: modules to leave out; those yielded are added.
            prefix: goes in front of the names.
            remove_duplicate: whether a shared module appears once only.
        """
        memo = set() if memo is None else memo
        if remove_duplicate:
            if self in memo:
                return
            memo.add(self)
        yield prefix, self
        for name, value in self.__dict__.items():
            if isinstance(value, Module):
                yield from value.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with dotted names, in the order of assignment, own ones before the children's.

        Args:
            prefix: goes in front of the names.
            recurse: whether to include the children's.
            remove_duplicate: whether a shared parameter appears once only, under its first name.
        """
        return self._named(prefix, recurse, remove_duplicate, lambda m, name, value: isinstance(value, Parameter))

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once: what an optimiser is given."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with dotted names; arguments as for ``named_parameters``."""
        return self._named(
            prefix, recurse, remove_duplicate, lambda m, name, value: name in m._buffers and value is not None
        )

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named(
        self, prefix: str, recurse: bool, remove_duplicate: bool, belongs: Callable[[Module, str, Any], bool]
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        named = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        for path, module in named:
            for name, value in module.__dict__.items():
                if belongs(module, name, value) and not (remove_duplicate and id(value) in seen):
                    seen.add(id(value))
                    yield (f"{path}.{name}" if path else name), value

    def get_submodule(self, target: str) -> Module:
        """The module with a dotted name; ``""`` is this one.

        >>> from tinygrad_lite import nn
        >>> nn.Sequential(nn.Linear(3, 2), nn.ReLU()).get_submodule("0")
        Linear(3 -> 2)
        """
        found: Any = self
        for name in target.split(".") if target else ():
            found = found.__dict__.get(name)
            if not isinstance(found, Module):
                hint = "dict(model.named_modules()) has all of them by name"
                need = f"finds no module {target!r} in {type(self).__name__}"
                fail(ArgumentError, "get_submodule", need, {}, hint)
        return found  # type: ignore[no-any-return]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with a dotted name, such as ``"0.weight"``."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path).__dict__.get(name)
        if not isinstance(found, Parameter):
            hint = "dict(model.named_parameters()) has all of them by name"
            need = f"finds no parameter {target!r} in {type(self).__name__}"
            fail(ArgumentError, "get_parameter", need, {}, hint)
        return found

    # --- changing all of it -------------------------------------------------------------------------

    def apply(self: M, fn: Callable[[Module], None]) -> M:
        """Call ``fn`` with every module, children before parents, and return this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self: M, mode: bool = True) -> M:
        """Set ``training`` here and below: dropout drops, batch norm takes the statistics of the batch."""
        if not isinstance(mode, bool):
            hint = "train() and eval() need no argument; to fit a model, write a loop over the batches"
            fail(ArgumentError, "train", f"needs True or False, but got {mode!r}", {}, hint)
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Set ``training`` to False here and below."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Switch the gradients of all parameters on or off: ``model.features.requires_grad_(False)``."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop all gradients, or with ``set_to_none=False`` fill those that exist with zeros."""
        for parameter in self.parameters():
            grad = parameter.grad
            if grad is not None:
                parameter.grad = None if set_to_none else zeros_like(grad)

    def to(self: M, *targets: Any, dtype: dtypes.DTypeLike = None, device: str | None = None) -> M:
        """Change the dtype of all floating-point parameters, gradients and buffers, or their device, or both.

        Call it before the optimiser is made, which keeps the parameters in memory of one dtype on one device.

        Args:
            targets: a floating-point dtype, a device (``"cpu"``, ``"cuda"``), or a tensor whose dtype and device are
                meant.
            dtype, device: the same by name.

        >>> from tinygrad_lite import nn
        >>> nn.Linear(2, 1).to("cpu", "float64").weight.dtype
        dtype('float64')
        """
        for target in targets:
            if isinstance(target, Tensor):
                dtype, device = target.dtype, target.device
            elif isinstance(target, str) and not dtypes.is_name(target):
                device = target
            else:
                dtype = target
        place = None if device is None else backend("to", device).device
        kind = None if dtype is None else dtypes.as_dtype(dtype)
        if kind is not None and not dtypes.is_float(kind):
            hint = "parameters have gradients, which need floats"
            fail(DTypeError, "to", f"needs a floating-point dtype, but got {kind.name}", {}, hint)
        for parameter in self.parameters():
            goal = (kind or parameter.dtype, place or parameter.device)
            if goal != (parameter.dtype, parameter.device):
                convert(parameter, *goal)
        for module in self.modules():
            for name, buffer in list(module.named_buffers(recurse=False)):
                goal = (kind if kind and dtypes.is_float(buffer.dtype) else buffer.dtype, place or buffer.device)
                if goal != (buffer.dtype, buffer.device):
                    setattr(module, name, make_tensor(changed(buffer, *goal)))
        return self

    def float(self: M) -> M:
        """``to("float32")``"""
        return self.to(dtypes.float32)

    def double(self: M) -> M:
        """``to("float64")``"""
        return self.to(dtypes.float64)

    def half(self: M) -> M:
        """``to("float16")``"""
        return self.to(dtypes.float16)

    # --- state --------------------------------------------------------------------------------------

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """Copies of all parameters and persistent buffers by dotted name; shared ones under each name.

        >>> from tinygrad_lite import nn
        >>> list(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).state_dict())[:4]
        ['0.weight', '0.bias', '1.weight', '1.bias']
        """
        return {prefix + name: Tensor(tensor) for name, tensor in state.entries(self)}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> state.IncompatibleKeys:
        """Copy values by name into the parameters and buffers; all or, if anything does not fit, nothing.

        Args:
            state_dict: tensors or NumPy arrays by dotted name, each in the shape and dtype of its target.
            strict: whether the names must be exactly those of ``state_dict()``.

        Returns:
            ``(missing_keys, unexpected_keys)``, both empty if strict.

        Raises:
            StateError: with all names that are missing, unexpected or of another shape or dtype.
        """
        return state.load(self, state_dict, strict)

    # --- text ---------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands between the parentheses in ``repr`` and in errors: the layer's sizes and options."""
        return ""

    def _describe(self) -> str:
        """The module in one line, without its children: ``Linear(100 -> 10)``."""
        return f"{type(self).__name__}({self.extra_repr()})"

    def __repr__(self) -> str:
        lines = []
        for name, value in self.__dict__.items():
            if isinstance(value, Module):
                lines.append(f"({name}): {value!r}".replace("\n", "\n  "))
        if not lines:
            return self._describe()
        extra = self.extra_repr()
        return f"{type(self).__name__}({extra}\n  " + "\n  ".join(lines) + "\n)"


def _check_name(owner: type[Module], name: Any) -> None:
    """Names become parts of dotted paths, and must not hide what the class can do."""
    kind = owner.__name__
    if not isinstance(name, str):
        hint = f"str({name!r}) makes one of it"
        fail(DTypeError, kind, f"needs a string as attribute name, but got {name!r}", {}, hint)
    if name == "" or "." in name:
        need = f"needs an attribute name that is not empty and has no dot, but got {name!r}"
        fail(ArgumentError, kind, need, {}, "dots stand between the names of modules in a path: use _ instead")
    if callable(getattr(owner, name, None)) or name in ("training", "_buffers", "_hooks"):
        need = f"cannot have an attribute {name!r}, because every {kind} has one"
        fail(ArgumentError, kind, need, {}, "choose another name")
