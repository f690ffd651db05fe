"""What a captured step's graph does not know: who is written, which updates are made, what is drawn.

A graph works on addresses. Before each replay it is looked at whether these are still what Python means by a model, its
gradients, buffers and optimisers, and afterwards Python is told what the graph has done.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np

from tinygrad_lite.autograd import leaves
from tinygrad_lite.autograd.graph import Leaf, Tensor, Version, make_tensor, mode
from tinygrad_lite.backends.cuda import graphs, memory, updates
from tinygrad_lite.backends.cuda import random as draws
from tinygrad_lite.backends.cuda.array import CudaArray, copy_into, zeros
from tinygrad_lite.errors import ArgumentError, StateError, fail
from tinygrad_lite.functions import stream

_MOST_UPDATES = 256  # groups of parameters, over all optimisers of a step


class Output:
    """A place that each replay writes, and the version by which results that are still looked at keep their values."""

    def __init__(self, data: CudaArray) -> None:
        self.data = data
        self.version = Version()

    def view(self) -> Tensor:
        result = make_tensor(self.data)
        self.version.share_with(result)
        return result


class Update:
    """One update of an optimiser in the graph, and what its clock on the GPU shows."""

    def __init__(self, optimizer: Any, run: Any, clock: int) -> None:
        self.optimizer, self.run, self.clock = optimizer, run, clock
        self.settings = {key: value for key, value in run.group.items() if key not in ("params", "lr")}
        self._shown: tuple[float, int] | None = None

    def advance(self) -> None:
        """Count the step that is about to be replayed; the clock, which counts too, is set only where it is wrong."""
        now = (self.run.group["lr"], self.run.step)
        if now != self._shown:
            decay = self.run.group.get("lr_decay", 0.0)
            clock = updates.CLOCK.pack(now[0], decay, now[1], 0, 0)
            memory.upload(self.clock, np.frombuffer(clock, np.uint8))
        self.run.step += 1
        self._shown = (now[0], now[1] + 1)


class Gradient:
    """The gradient of a leaf: whether there was one before the step, and where the step leaves it.

    Attributes:
        memory: where the graph writes it, or None.
        tensor: what the leaf had as its gradient when the step was recorded.
    """

    def __init__(self, leaf: Leaf) -> None:
        self._leaf = weakref.ref(leaf)
        self._absent = leaf.grad is None
        self._before = None if leaf.grad is None else leaf.grad._data
        self._in_arena = False
        self.memory: Any = None
        self.tensor: Tensor | None = None

    def carry_over(self) -> None:
        """Write a gradient that was there before, and has new memory now, to the old: the next step adds to that."""
        leaf = self._leaf()
        grad = None if leaf is None else leaf.grad
        if grad is not None and type(self._before) is CudaArray and grad._data is not self._before:
            copy_into(self._before, grad._data)
            grad._data, grad._version = self._before, None

    def undo(self) -> None:
        """Give the leaf the gradient that it had before."""
        leaf = self._leaf()
        if leaf is None:
            return
        if self._absent:
            leaf.grad = None
        elif leaf.grad is None or leaf.grad._data is not self._before:
            leaf.grad = leaves.in_buffer(leaf) if self._before is leaf.buffer else make_tensor(self._before)

    def recorded(self, used: set[int]) -> bool:
        """Note where the recorded step leaves it; whether it has to do with the step, which works on these blocks."""
        leaf = self._leaf()
        if leaf is None:
            return False
        self.tensor = leaf.grad
        self.memory = None if leaf.grad is None else leaf.grad._data
        self._in_arena = self.memory is not None and self.memory is leaf.buffer
        held = (leaf.buffer, self.memory)
        return any(type(array) is CudaArray and array.block.address in used for array in held)

    def check(self) -> None:
        """Refuse a gradient that appeared, vanished, or has another place."""
        leaf = self._leaf()
        if leaf is None:
            return
        if (leaf.grad is None) != self._absent:
            was, now = ("None", "there") if self._absent else ("there", "None")
            need = f"was recorded when the gradient was {was}, but now it is {now}"
            hint = "call zero_grad() inside the step"
            fail(StateError, "captured step", need, {"tensor": leaf.tensor()}, hint)
        if self._in_arena and leaf.buffer is not self.memory:
            hint = "capture the step again after making an optimiser for its parameters"
            fail(StateError, "captured step", "works on a gradient that was moved", {"tensor": leaf.tensor()}, hint)

    def prepare(self) -> None:
        """Bring a gradient that a call without the graph has put elsewhere to where the graph works on it."""
        leaf = self._leaf()
        grad = None if leaf is None else leaf.grad
        if grad is not None and self.memory is not None and grad._data is not self.memory:
            copy_into(self.memory, grad._data)

    def finish(self) -> None:
        """Give the leaf the gradient that the graph has left."""
        leaf = self._leaf()
        if leaf is None or (leaf.grad is not None and leaf.grad._data is self.memory):
            return
        if self.memory is None:
            leaves.release_grad(leaf)
        elif self._in_arena:
            leaf.grad = leaves.in_buffer(leaf)
        else:
            assert self.tensor is not None
            self.tensor._data, self.tensor._version = self.memory, None
            leaf.grad = self.tensor


# --- what a replay must find and leave behind ---------------------------------------------------------------


class State:
    """What Python knows of a step and a graph does not: who was written, which updates were made, what was drawn."""

    def __init__(self) -> None:
        self.graph = graphs.Graph()
        self._seed = self._first_draw = self._draws = 0
        self._advance: CudaArray | None = None
        self._tensors: list[tuple[weakref.ref[Tensor], CudaArray]] = []
        self._buffers: list[tuple[Any, str, Tensor]] = []
        self._gradients: list[Gradient] = []
        self._places: list[tuple[weakref.ref[Tensor], int]] = []
        self._versions: list[Version] = []
        self._counts: dict[Version, int] = {}
        self._updates: list[Update] = []
        self._clocks: Any = None
        self._outputs: list[Output] = []

    # --- recording --------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Note how things stand before the recording."""
        self._advance = zeros((1,), np.dtype(np.uint64))
        self._clocks = zeros((_MOST_UPDATES * updates.CLOCK.size,), np.dtype(np.uint8))
        self._seed, self._first_draw = stream.skip(0)
        objects = gc.get_objects()
        self._counts = {version: version.count for version in objects if type(version) is Version}
        for version in self._counts:  # a copy that is made while recording would be made again by every replay
            version.part()
        tensors = [x for x in objects if issubclass(type(x), Tensor)]
        self._tensors = [(weakref.ref(x), x._data) for x in tensors if type(getattr(x, "_data", None)) is CudaArray]
        self._gradients = [Gradient(x) for x in objects if type(x) is Leaf and x.tensor() is not None]
        for owner in objects:
            named = getattr(type(owner), "named_buffers", None)
            if named is not None and "_buffers" in getattr(owner, "__dict__", {}):
                buffers = owner.named_buffers(recurse=False)
                self._buffers += [(owner, name, b) for name, b in buffers if type(b._data) is CudaArray]

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Have draws and updates take from the GPU's memory what changes from step to step."""
        assert self._advance is not None
        draws.advance, mode.capture = self._advance.address, self
        try:
            yield
        finally:
            draws.advance, mode.capture = 0, None
            updates.clocks.clear()

    def updating(self, optimizer: Any, run: Any) -> None:
        """An optimiser is about to update ``run``, whose step count includes this update already.

        The kernel takes learning rate and step count from the GPU, and counts the step there.
        """
        if run.step == 1:
            _refuse_state()
        place = len(self._updates)
        if place == _MOST_UPDATES:
            fail(ArgumentError, "capture", f"can record at most {_MOST_UPDATES} updates of optimisers in a step")
        update = Update(optimizer, run, self._clocks.address + place * updates.CLOCK.size)
        self._updates.append(update)
        updates.clocks[run.values.address] = update.clock
        run.step -= 1  # the replay that follows makes this step

    def carry_over(self) -> None:
        """Write what modules keep in new buffers (running statistics) to the old ones, where the next step finds it."""
        for owner, name, old in self._buffers:
            new = owner.__dict__.get(name)
            if new is not old and isinstance(new, Tensor):
                copy_into(old._data, new._data)
                if old._version is None:
                    old._version = Version(old)
                self._counts.setdefault(old._version, -1)
                setattr(owner, name, old)
        for gradient in self._gradients:
            gradient.carry_over()

    def undo(self) -> None:
        """Put everything back that a failed recording has moved to memory which nothing has been written to."""
        stream.skip(self._first_draw - stream.skip(0)[1])
        for owner, name, old in self._buffers:
            setattr(owner, name, old)
        for ref, data in self._tensors:
            tensor = ref()
            if tensor is not None and tensor._data is not data:
                tensor._data = data
        for gradient in self._gradients:
            gradient.undo()

    def end(self, left: set[int], outputs: list[Output]) -> None:
        """Note how things stand after the recording.

        Args:
            left: addresses of the memory that was made while recording and is still in use.
            outputs: the results.
        """
        self._draws = stream.skip(0)[1] - self._first_draw
        stream.skip(-self._draws)  # the replay that follows makes them
        self._outputs = outputs
        objects = gc.get_objects()
        self._versions = [
            version
            for version in objects
            if type(version) is Version and self._counts.get(version, version.count) != version.count
        ]
        used = memory.main_pool.owners(self.graph.used) | self.graph.pool.owners(self.graph.used)
        self._gradients = [gradient for gradient in self._gradients if gradient.recorded(used)]
        known = {output.data.block.address for output in self._outputs}
        known |= {gradient.memory.block.address for gradient in self._gradients if gradient.memory is not None}
        grads = {id(gradient.tensor) for gradient in self._gradients}
        foreign = left - known
        tensors = [x for x in objects if issubclass(type(x), Tensor) and type(getattr(x, "_data", None)) is CudaArray]
        for tensor in tensors:
            if tensor._data.block.address not in foreign:
                continue
            if tensor._version in self._versions:
                foreign.discard(tensor._data.block.address)
            else:
                hint = "return it: what a step leaves elsewhere is overwritten by the next one without notice"
                fail(StateError, "capture", "cannot record a step that keeps a tensor", {"tensor": tensor}, hint)
        if foreign:
            _refuse_state()
        self._places = [
            (weakref.ref(t), t._data.address)
            for t in tensors
            if (type(t._node) is Leaf or t._version is not None)
            and t._data.block.address in used
            and id(t) not in grads
        ]
        self._tensors = []

    # --- replaying --------------------------------------------------------------------------------------

    def check(self) -> None:
        """Refuse to replay where the graph would work on other memory or other settings than its caller means."""
        if stream.skip(0)[0] != self._seed:
            hint = f"manual_seed({self._seed}) goes on with it; with another seed, capture the step again"
            fail(StateError, "captured step", f"was recorded with the seed {self._seed}", hint=hint)
        for gradient in self._gradients:
            gradient.check()
        for owner, name, old in self._buffers:
            now = owner.__dict__.get(name)
            if not isinstance(now, Tensor) or (now.device, now.shape, now.dtype) != (old.device, old.shape, old.dtype):
                fail(StateError, "captured step", f"was recorded with another {name}", {name: now}, "capture it again")
        for place, address in self._places:
            tensor = place()
            if tensor is not None and (type(tensor._data) is not CudaArray or tensor._data.address != address):
                hint = "capture the step again after moving a model, or making an optimiser for its parameters"
                fail(StateError, "captured step", "works on memory that a tensor has left", {"tensor": tensor}, hint)
        for update in self._updates:
            if not update.optimizer.updates(update.run, update.settings):
                hint = "capture the step again; the learning rate alone may change"
                name = type(update.optimizer).__name__
                fail(
                    StateError, "captured step", f"was recorded with other settings or parameters of {name}", hint=hint
                )

    def prepare(self) -> None:
        """Bring the GPU's counters up to date, and let everyone who looks at what is overwritten keep a copy."""
        for owner, name, old in self._buffers:
            now = owner.__dict__.get(name)
            if now is not old:  # the step was called without the graph, or a state was loaded
                copy_into(old._data, now._data)
                setattr(owner, name, old)
        for version in (*self._versions, *(output.version for output in self._outputs)):
            version.raise_count()
        if self._draws:
            counter = stream.skip(self._draws)[1]
            assert self._advance is not None
            step = np.array([(counter - self._first_draw) % 2**64], np.uint64)
            memory.upload(self._advance.address, step)
        for gradient in self._gradients:
            gradient.prepare()
        for update in self._updates:
            update.advance()

    def finish(self) -> None:
        """Leave gradients as the step leaves them."""
        for gradient in self._gradients:
            gradient.finish()


def _refuse_state() -> NoReturn:
    hint = "an optimiser makes its state in its first step: let it make that in the first call"
    fail(StateError, "capture", "cannot record a step that makes what later ones go on with", hint=hint)
