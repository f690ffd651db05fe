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
from collections.abc import Callable
from typing import Any

from tinygrad_lite.autograd.graph import Tensor, make_tensor, mode
from tinygrad_lite.backends.cuda import driver, graphs
from tinygrad_lite.backends.cuda.array import CudaArray, copied, copy_into
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.cuda.replays import Output, State
from tinygrad_lite.errors import ArgumentError, DTypeError, GradientError, ShapeError, StateError, fail
from tinygrad_lite.functions.creation import to_array
from tinygrad_lite.functions.devices import backend

__all__ = ["CapturedStep", "capture"]

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
        self._state = State()

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
            StateError: something else is not, or this is called while another step is recorded; nothing was computed
                then.
        """
        if driver.recorder is not None:
            hint = "call step.function(...) there: it becomes a part of the other"
            fail(StateError, "captured step", "cannot be called while another one is recorded", hint=hint)
        given = [_on_gpu(f"arguments[{i}]", argument) for i, argument in enumerate(arguments)]
        self._calls += 1
        if self._graph is None:
            return self._first(given)
        self._check(given, arguments)
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
            self._outputs = _detached(returned)
            del returned
            gc.collect()  # what is left now stays
            left = graph.pool.living() - kept
            self._state.end(left, _each(self._outputs))
        except BaseException:
            self._state.undo()
            self._calls, self._inputs, self._outputs, self._state = 0, [], None, State()
            raise
        self._graph = graph
        self._state.prepare()
        graph.replay()
        self._state.finish()
        return _viewed(self._outputs)

    def _check(self, given: list[CudaArray], arguments: tuple[Any, ...]) -> None:
        operands = {f"arguments[{i}]": value for i, value in enumerate(arguments)}
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
            return Output(value._data)
        return value

    return _mapped(detach, returned)


def _viewed(outputs: Any) -> Any:
    return _mapped(lambda value: value.view() if isinstance(value, Output) else value, outputs)


def _each(outputs: Any) -> list[Output]:
    found: list[Output] = []
    _mapped(lambda value: found.append(value) if isinstance(value, Output) else None, outputs)
    return found
