"""A whole training step, recorded once as a CUDA graph and replayed with one call.

    @tgl.cuda.capture
    def step(x, y):
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for x, y in batches:
        loss = step(x, y)

A small network's step consists of a dozen launches of a few microseconds each, and Python takes longer to ask for them
than the GPU to run them. A replay asks once. What changes from step to step lies on the GPU: the step count and the
learning rate of each update, and the counter of random draws. Everything else that Python decided while the step was
recorded is fixed, and where that can be noticed a change is an error.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_lite.autograd import leaves
from tinygrad_lite.autograd.graph import Leaf, Tensor, Version, make_tensor, mode
from tinygrad_lite.backends.cuda import graphs, memory, updates
from tinygrad_lite.backends.cuda import random as draws
from tinygrad_lite.backends.cuda.array import CudaArray, copied, copy_into, zeros
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.errors import ArgumentError, DTypeError, GradientError, ShapeError, StateError, fail
from tinygrad_lite.functions import stream
from tinygrad_lite.functions.creation import to_array
from tinygrad_lite.functions.devices import backend

__all__ = ["CapturedStep", "capture"]

_MOST_UPDATES = 256  # groups of parameters, over all optimisers of a step
_EAGER = 2  # calls before the recording: kernels are compiled, and optimisers make their state, in the first


@checked_keywords
def capture(function: Callable[..., Any]) -> CapturedStep:
    """A training step that is recorded at its third call and replayed from then on; also a decorator.

    Args:
        function: takes tensors, and does one whole step on the GPU: forward, backward, update. It returns tensors (or
            tuples, lists and dictionaries of them) or None. It must not read values (``item()``, ``print``), make
            tensors of numbers on the CPU, or use functions that are computed there; schedules stay outside.

    Returns:
        A ``CapturedStep``, which is called like ``function`` and trains one step per call. Tensors of the CPU and NumPy
        arrays are copied to the GPU first.

    Raises:
        ArgumentError, DTypeError: ``function`` is no function.

    What is recorded: launches, with the memory that they work on. Calls with other shapes or dtypes, another seed,
    settings of an optimiser other than its learning rate, parameters or gradients that were moved or set to None or to
    something in between, and dropout or batch norm switched between training and evaluation are refused or noticed;
    other tensors that ``function`` takes from around it are those that it saw when it was recorded.

    >>> import tinygrad_lite as tgl
    >>> step = tgl.cuda.capture(lambda x: x * 2)
    >>> step.recorded
    False
    """
    if not callable(function):
        fail(DTypeError, "capture", "needs a function", {"function": function}, "def step(x, y): ...")
    return CapturedStep(function)


class CapturedStep:
    """What ``capture`` returns.

    Attributes:
        function: the step itself, which can be called as well.
        recorded: whether calls are replays.
        launches: how many launches, copies and fillings a replay consists of; 0 before the recording.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._calls = 0
        self._graph: graphs.Graph | None = None
        self._inputs: list[Tensor] = []
        self._outputs: Any = None
        self._state = _State()

    @property
    def recorded(self) -> bool:
        return self._graph is not None

    @property
    def launches(self) -> int:
        return 0 if self._graph is None else self._graph.nodes

    def __call__(self, *arguments: Any) -> Any:
        """One step.

        Raises:
            ShapeError, DTypeError: an argument is not what it was when the step was recorded.
            StateError: something else is not; nothing was computed then.
        """
        given = [_on_gpu(f"arguments[{i}]", argument) for i, argument in enumerate(arguments)]
        self._calls += 1
        if self._graph is None:
            return self._first(given)
        self._check(given)
        self._state.check()
        for place, value in zip(self._inputs, given, strict=True):
            copy_into(place._data, value)
        self._state.prepare()
        self._graph.replay()
        self._state.finish()
        return _viewed(self._outputs)

    # --- the first calls --------------------------------------------------------------------------------

    def _first(self, given: list[CudaArray]) -> Any:
        """Run the step as it is, or record it."""
        graph = self._state.graph
        if self._calls <= _EAGER:
            with graph.memory():
                return self.function(*map(make_tensor, given))
        with graph.memory():
            self._inputs = [make_tensor(copied(value)) for value in given]
            self._state.begin()
        kept = graph.pool.living()
        try:
            with graph.recording(), self._state.noting():
                returned = self.function(*self._inputs)
                self._state.carry_over()
        except BaseException:
            self._calls = 0
            self._state = _State()
            raise
        self._outputs = _detached(returned)
        left = graph.pool.living() - kept
        self._state.end(left, self._outputs)
        self._graph = graph
        self._state.prepare()
        graph.replay()
        self._state.finish()
        return _viewed(self._outputs)

    def _check(self, given: list[CudaArray]) -> None:
        operands = {f"arguments[{i}]": value for i, value in enumerate(given)}
        if len(given) != len(self._inputs):
            need = f"needs {len(self._inputs)} arguments, as when it was recorded, but got {len(given)}"
            fail(ArgumentError, "captured step", need, operands)
        for i, (place, value) in enumerate(zip(self._inputs, given, strict=True)):
            if place.shape != value.shape:
                hint = "step.function(...) runs other shapes; DataLoader(drop_last=True) leaves a smaller batch out"
                need = f"needs shape {place.shape} as arguments[{i}], as when it was recorded, but got {value.shape}"
                fail(ShapeError, "captured step", need, operands, hint)
            if place.dtype != value.dtype:
                need = f"needs {place.dtype.name} as arguments[{i}], as when it was recorded, but got {value.dtype}"
                fail(DTypeError, "captured step", need, operands)


def _on_gpu(name: str, value: Any) -> CudaArray:
    """An argument as an array of the GPU."""
    if isinstance(value, Tensor) and value._node is not None and mode.enabled:
        hint = "detach() it: a captured step holds a whole graph, from forward to backward"
        fail(GradientError, "captured step", "cannot carry a gradient to its arguments", {name: value}, hint)
    data = value._data if isinstance(value, Tensor) else to_array(value)
    found: CudaArray = data if type(data) is CudaArray else backend("capture", "cuda").asarray(data)
    return found


# --- results ------------------------------------------------------------------------------------------------


class _Output:
    """A place that each replay writes, and the version by which results that are still looked at keep their values."""

    def __init__(self, data: CudaArray) -> None:
        self.data = data
        self.version = Version()

    def view(self) -> Tensor:
        result = make_tensor(self.data)
        self.version.share_with(result)
        return result


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """The same structure with ``function`` applied to what is in it."""
    if isinstance(value, dict):
        return {key: _mapped(function, item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        items = [_mapped(function, item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return function(value)


def _detached(returned: Any) -> Any:
    def detach(value: Any) -> Any:
        if isinstance(value, Tensor):
            if type(value._data) is not CudaArray:
                fail(ArgumentError, "captured step", "needs results on the GPU", {"result": value})
            return _Output(value._data)
        return value

    return _mapped(detach, returned)


def _viewed(outputs: Any) -> Any:
    return _mapped(lambda value: value.view() if isinstance(value, _Output) else value, outputs)


def _each(outputs: Any) -> Iterator[_Output]:
    found: list[_Output] = []
    _mapped(lambda value: found.append(value) if isinstance(value, _Output) else None, outputs)
    return iter(found)


class _Update:
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


class _Gradient:
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


class _State:
    """What Python knows of a step and a graph does not: who was written, which updates were made, what was drawn."""

    def __init__(self) -> None:
        self.graph = graphs.Graph()
        self._seed = self._first_draw = self._draws = 0
        self._advance: CudaArray | None = None
        self._buffers: list[tuple[Any, str, Tensor]] = []
        self._gradients: list[_Gradient] = []
        self._places: list[tuple[weakref.ref[Tensor], int]] = []
        self._versions: list[Version] = []
        self._counts: dict[Version, int] = {}
        self._updates: list[_Update] = []
        self._clocks: Any = None
        self._outputs: list[_Output] = []

    # --- recording --------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Note how things stand before the recording."""
        self._advance = zeros((1,), np.dtype(np.uint64))
        self._clocks = zeros((_MOST_UPDATES * updates.CLOCK.size,), np.dtype(np.uint8))
        self._seed, self._first_draw = stream.skip(0)
        objects = gc.get_objects()
        self._counts = {version: version.count for version in objects if type(version) is Version}
        self._gradients = [_Gradient(x) for x in objects if type(x) is Leaf and x.tensor() is not None]
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
        place = len(self._updates)
        if place == _MOST_UPDATES:
            fail(ArgumentError, "capture", f"can record at most {_MOST_UPDATES} updates of optimisers in a step")
        update = _Update(optimizer, run, self._clocks.address + place * updates.CLOCK.size)
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

    def end(self, left: set[int], outputs: Any) -> None:
        """Note how things stand after the recording.

        Args:
            left: addresses of the memory that was made while recording and is still in use.
            outputs: the results.
        """
        self._draws = stream.skip(0)[1] - self._first_draw
        stream.skip(-self._draws)  # the replay that follows makes them
        self._outputs = list(_each(outputs))
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
            if tensor._data.block.address in foreign and tensor._version not in self._versions:
                hint = "return it: what a step leaves elsewhere is overwritten by the next one without notice"
                fail(StateError, "capture", "cannot record a step that keeps a tensor", {"tensor": tensor}, hint)
        self._places = [
            (weakref.ref(t), t._data.address)
            for t in tensors
            if (type(t._node) is Leaf or t._version is not None)
            and t._data.block.address in used
            and id(t) not in grads
        ]

    # --- replaying --------------------------------------------------------------------------------------

    def check(self) -> None:
        """Refuse to replay where the graph would work on other memory or other settings than its caller means."""
        if stream.skip(0)[0] != self._seed:
            hint = "set the seed before the step is recorded"
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
