"""Runs: the pieces in which an optimiser updates its parameters, and what it remembers of each parameter."""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.arena import Arena
from tinygrad_lite.autograd.graph import Array, Tensor
from tinygrad_lite.autograd.rows import namespaces


class Record:
    """One parameter: where its values were last seen, how often it was stepped, which state it has."""

    __slots__ = ("names", "slot", "step", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.slot: Any = None
        self.step = 0
        self.names: tuple[str, ...] = ()


class Run:
    """Parameters of one group, end to end in memory: what one flat update works on.

    Attributes:
        group: the settings.
        values, grads: 1-D, in place; the gradients are not to be written.
        step: how often these parameters were stepped, this time included.
        names: the state arrays that they have so far.
        updates: the formulas on the device where the parameters are.
    """

    __slots__ = (
        "_arena",
        "_arrays",
        "_flat",
        "_slice",
        "grads",
        "group",
        "names",
        "records",
        "step",
        "tensors",
        "updates",
        "values",
    )

    def __init__(
        self, group: dict[str, Any], arena: Arena, where: slice, flat: dict[str, Array], records: list[Record]
    ) -> None:
        self.group, self.records = group, records
        self.values, self.grads = arena.values[where], arena.grads[where]
        self.step, self.names = records[0].step, records[0].names
        self.tensors = [record.tensor for record in records]
        self.updates = namespaces[type(self.values)].updates
        self._arena, self._flat, self._slice = arena, flat, where
        self._arrays: dict[str, Array] = {}

    def state(self, name: str) -> Array:
        """The state array ``name`` of these parameters, 1-D; zeros when first asked for."""
        array = self._arrays.get(name)
        if array is None:
            if name not in self._flat:
                self._flat[name] = self._arena.zeros()
            array = self._arrays[name] = self._flat[name][self._slice]
            if name not in self.names:
                self.names = (*self.names, name)
        return array

    def take_back(self, names: tuple[str, ...]) -> None:
        """Uncount a step that failed, and forget the state that was first asked for in it.

        Args:
            names: the state arrays before it.
        """
        self.step -= 1
        for name in self.names[len(names) :]:
            self._arrays.pop(name).fill(0)
        self.names = names
