"""Modules made of modules: a chain, a list and a dictionary."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from tinygrad_lite.errors import DTypeError, Error, IndexingError, fail
from tinygrad_lite.functions.network import linear
from tinygrad_lite.nn.activations import ReLU, Sigmoid, Tanh
from tinygrad_lite.nn.layers import Linear
from tinygrad_lite.nn.module import Module

__all__ = ["Sequential", "ModuleList", "ModuleDict"]

#: activations that ``linear`` computes in its own pass
_FUSED: dict[type, str] = {ReLU: "relu", Tanh: "tanh", Sigmoid: "sigmoid"}


class _Ordered(Module):
    """Children under the names "0", "1", ...: what Sequential and ModuleList share."""

    def _list(self) -> list[Module]:
        return [value for value in self.__dict__.values() if isinstance(value, Module)]

    def _name(self, index: Any) -> str:
        names = [name for name, value in self.__dict__.items() if isinstance(value, Module)]
        try:
            number = operator.index(index)
        except TypeError:
            hint = "modules by name are found with getattr(model, name) or get_submodule(path)"
            need = f"needs an integer or a slice as index, but got {index!r}"
            fail(DTypeError, type(self).__name__, need, {}, hint)
        if not -len(names) <= number < len(names):
            hint = f"indices go from 0 to {len(names) - 1}, -1 is the last" if names else "append(module) adds one"
            fail(IndexingError, type(self).__name__, f"has {len(names)} modules, but got index {number}", {}, hint)
        return names[number]

    def __len__(self) -> int:
        return len(self._list())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._list())

    def __getitem__(self, index: Any) -> Any:
        """One module, or for a slice a container of the same kind that shares its modules."""
        if isinstance(index, slice):
            part = type(self)()
            named = [(name, value) for name, value in self.__dict__.items() if isinstance(value, Module)]
            for name, module in named[index]:
                part.add_module(name if isinstance(self, Sequential) else str(len(part)), module)
            return part
        return self.__dict__[self._name(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        _require_module(self, module)
        setattr(self, self._name(index), module)

    def __delitem__(self, index: int | slice) -> None:
        """Take modules out; the numbered ones behind them move up."""
        named = [(name, value) for name, value in self.__dict__.items() if isinstance(value, Module)]
        names = [name for name, _ in named]
        gone = set(names[index]) if isinstance(index, slice) else {self._name(index)}
        for name in names:
            delattr(self, name)
        for name, module in named:
            if name not in gone:
                self.add_module(str(len(self)) if name.isdecimal() else name, module)

    def append(self, module: Module) -> Any:
        """Add a module at the end and return the container."""
        _require_module(self, module)
        number = len(self)
        while str(number) in self.__dict__:  # a slice keeps the names of its modules
            number += 1
        self.add_module(str(number), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add several modules at the end and return the container."""
        added = list(modules)
        for module in added:
            _require_module(self, module)
        for module in added:
            self.append(module)
        return self


class Sequential(_Ordered):
    """Modules in a row, each applied to the output of the one before.

    Args:
        modules: the modules, or one dictionary of them by name.

    Where a ``Linear`` is directly followed by ``ReLU``, ``Tanh`` or ``Sigmoid``, both run as one operation: the
    activation's gradient follows from its output, so the pre-activation is never stored. The numbers are
    the same up to rounding. Subclasses of these, and modules with hooks, are called one by one.

    >>> from tinygrad_lite import nn, ones
    >>> model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    >>> model(ones((64, 784))).shape, len(model), model[-1]
    ((64, 10), 3, Linear(128 -> 10))
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                _require_module(self, module)
                self.add_module(name, module)
        else:
            self.extend(modules)  # type: ignore[arg-type]

    def forward(self, x: Any) -> Any:
        """The last module's output."""
        modules = self._list()
        i, count = 0, len(modules)
        while i < count:
            module = modules[i]
            i += 1
            if type(module) is Linear and i < count and not module._hooks:
                activation = _FUSED.get(type(modules[i]))
                if activation is not None and not modules[i]._hooks:
                    i += 1
                    try:
                        x = linear(x, module.weight, module.bias, activation=activation)
                    except Error as error:
                        module._locate(error)
                        raise
                    continue
            x = module(x)
        return x


class ModuleList(_Ordered):
    """A list of modules that ``parameters()`` finds; what calls them is up to its owner.

    >>> from tinygrad_lite import nn
    >>> layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
    >>> len(layers), layers[1], len(list(layers.parameters()))
    (3, Linear(4 -> 4), 6)
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        if isinstance(modules, Module) or not isinstance(modules, Iterable):
            _require_list(self, modules)
        self.extend(modules)

    def insert(self, index: int, module: Module) -> None:
        """Put a module before the one at ``index``."""
        _require_module(self, module)
        modules = self._list()
        modules.insert(index, module)
        for i, m in enumerate(modules):
            setattr(self, str(i), m)


class ModuleDict(Module):
    """A dictionary of modules that ``parameters()`` finds, in the order of insertion.

    >>> from tinygrad_lite import nn
    >>> heads = nn.ModuleDict({"digit": nn.Linear(8, 10), "parity": nn.Linear(8, 2)})
    >>> heads["parity"], list(heads)
    (Linear(8 -> 2), ['digit', 'parity'])
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        super().__init__()
        self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, or replace those of the same names."""
        try:
            added = dict(modules)
        except (TypeError, ValueError):
            added = {}
            _require_pairs(self, modules)
        for module in added.values():
            _require_module(self, module)
        for name, module in added.items():
            self.add_module(name, module)

    def __getitem__(self, name: str) -> Module:
        found = self.__dict__.get(name)
        if not isinstance(found, Module):
            import difflib  # only where it is needed: scripts start without it

            alike = difflib.get_close_matches(str(name), list(self), 1)
            hint = f"did you mean {alike[0]!r}?" if alike else "modules[name] = module adds one"
            has = f"it has {', '.join(self)}" if len(self) else "it is empty"
            fail(IndexingError, "ModuleDict", f"has no module {name!r}; {has}", {}, hint)
        return found

    def __setitem__(self, name: str, module: Module) -> None:
        self.update({name: module})

    def __delitem__(self, name: str) -> None:
        self[name]
        delattr(self, name)

    def __contains__(self, name: object) -> bool:
        return isinstance(self.__dict__.get(name), Module)  # type: ignore[call-overload]

    def __len__(self) -> int:
        return len(list(self.values()))

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, value in self.__dict__.items() if isinstance(value, Module)])

    def keys(self) -> Iterable[str]:
        """The names."""
        return list(self)

    def values(self) -> Iterable[Module]:
        """The modules."""
        return [self[name] for name in self]

    def items(self) -> Iterable[tuple[str, Module]]:
        """Pairs of name and module."""
        return [(name, self[name]) for name in self]


def _require_list(owner: Module, module: Any) -> NoReturn:
    hint = f"put it into one: {type(owner).__name__}([module])" if isinstance(module, Module) else ""
    fail(DTypeError, type(owner).__name__, "needs a list of modules", {"modules": module}, hint)


def _require_pairs(owner: Module, modules: Any) -> NoReturn:
    hint = 'a dictionary gives them their names: {"head": nn.Linear(8, 2)}'
    fail(DTypeError, type(owner).__name__, "needs modules by name", {"modules": modules}, hint)


def _require_module(owner: Module, module: Any) -> None:
    if not isinstance(module, Module):
        name = getattr(module, "__name__", "")
        if isinstance(module, type):
            hint = f"{name} is a class; with parentheses it makes a module: {name}(...)"
        elif isinstance(module, (list, tuple)):
            hint = "pass the modules one by one; a star takes them out of a list: Sequential(*layers)"
        elif callable(module):
            hint = "functions have modules of their own, such as nn.ReLU() for relu; or call it in your forward"
        else:
            hint = "layers and activations are modules, such as nn.Linear(8, 2) and nn.ReLU()"
        fail(DTypeError, type(owner).__name__, "needs modules", {"module": module}, hint)
