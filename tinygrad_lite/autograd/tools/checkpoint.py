"""Checkpoints: a part of a model that keeps nothing for backward but its inputs, and runs again when backward comes.

The result hangs on the graph by one node. Its parents are the places that the function reached from inside: those of
its arguments and of every parameter or intermediate result that it found elsewhere. So the engine's order, its count
of each leaf's uses, hooks and versions hold as if nothing special had happened. (Chen et al., "Training Deep Nets
with Sublinear Memory Cost", 2016: n layers in sqrt(n) segments keep O(sqrt(n)) values for one more forward pass.)
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from tinygrad_lite.autograd.engine import Place
from tinygrad_lite.autograd.graph import Leaf, Node, Projection, Tensor, enable_grad, make_tensor, mode, sequence
from tinygrad_lite.autograd.rows import Joint, Row, namespaces
from tinygrad_lite.autograd.tools.subgraph import Piece, recorded_since
from tinygrad_lite.backends import devices
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.errors import ArgumentError, GradientError, fail

__all__ = ["checkpoint", "checkpoint_sequential"]


def checkpoint(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """The result of ``function(*args, **kwargs)``, whose intermediate values backward computes again.

    Saves the memory of everything inside ``function`` for the time of one more call of it. The gradients are those
    of a plain call: arguments, parameters of modules and other tensors that the function uses all receive theirs.

    The second call finds the same random numbers (dropout masks are equal), the same ``training`` flags and the same
    buffers: running statistics of batch normalisation move once, not twice. State elsewhere (globals, constants,
    NumPy's random numbers) is not put back; a result that differs by more than rounding is refused.

    Args:
        function: a module or function. It must compute the same when it is called again.
        args: its arguments; tensors may also be in tuples, lists and dicts.
        kwargs: its keyword arguments.

    Returns:
        What ``function`` returns. Tensors in tuples, lists and dicts are checkpointed, anything else passes through.

    Raises:
        GradientError: in backward, if an argument or a tensor used inside was changed in place since, or if the
            second call does something else than the first.
        ArgumentError: for an iterator as an argument, which cannot be read twice.

    Under ``no_grad`` this is a plain call. It works in all modes: ``create_graph``, ``jvp``, checkpoints inside.
    A leaf that is used both inside and outside may get its shares added up in another order: equal up to rounding.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor([1.0, 2.0], requires_grad=True)
    >>> y = checkpoint(lambda x: tgl.exp(tgl.sin(x)), x)
    >>> y.sum().backward()
    >>> x.grad
    Tensor([ 1.2534, -1.0331])
    """
    if not callable(function):
        hint = "pass the function itself and what it is called with: checkpoint(f, x)"
        fail(ArgumentError, "checkpoint", "needs a function", {"function": function}, hint)
    given = {**{f"args[{i}]": x for i, x in enumerate(args)}, **kwargs}
    for name, x in given.items():
        if isinstance(x, Iterator):
            need, hint = "needs arguments that can be read twice, but got an iterator", "pass a list of what it yields"
            fail(ArgumentError, "checkpoint", need, {name: x}, hint)
    if not mode.enabled:
        return function(*args, **kwargs)
    call = _Call(function, args, kwargs)
    result, outputs = call.run(call.tape)
    if outputs:
        nodes, call.places = recorded_since(call.start, outputs)
        call.story, call.digests = _story(nodes), _digests(outputs)
        _hang(call, nodes, _tensors(result))
    return result


@checked_keywords
def checkpoint_sequential(functions: Any, segments: int, x: Any) -> Any:
    """Apply functions one after another in ``segments`` checkpoints of about equal length.

    The last segment is run without one, because backward would need its values at once.

    Args:
        functions: an ``nn.Sequential``, or a list of modules and functions of one argument.
        segments: how many parts; about the square root of the number of functions keeps least.
        x: the input of the first.

    Returns:
        The output of the last.

    Raises:
        ArgumentError: if there are fewer functions than segments, or ``segments`` is not at least 1.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor([0.5], requires_grad=True)
    >>> checkpoint_sequential([tgl.sin, tgl.exp, tgl.tanh, tgl.exp], 2, x).backward()
    >>> x.grad
    Tensor([0.5227])
    """
    count = len(functions)
    if not isinstance(segments, int) or not 1 <= segments <= count:
        need = f"needs from 1 to {count} segments for {count} functions, but got {segments}"
        fail(ArgumentError, "checkpoint_sequential", need)
    bounds = [i * count // segments for i in range(segments + 1)]
    for first, last in itertools.pairwise(bounds):
        part = functions[first:last]
        run = part if callable(part) else functools.partial(_in_turn, list(part))
        x = run(x) if last == count else checkpoint(run, x)
    return x


def _in_turn(functions: Sequence[Callable[[Any], Any]], x: Any) -> Any:
    for function in functions:
        x = function(x)
    return x


# --- the state that a second call has to find again -----------------------------------------------------


class Tape:
    """What a call drew and found besides tensors: random keys, and the state of the modules that it called.

    While a function runs under a tape, ``mode.tape`` is this object; random draws and modules report to it. A tape that
    is made ``again`` from another hands out the keys of that one.
    """

    def __init__(self, again: Tape | None = None) -> None:
        self.keys: list[tuple[int, int]] = []
        self.modules: dict[Any, tuple[bool, dict[str, Tensor | None]]] = {}
        self.replays = self.quiet = again is not None  # quiet: nothing that happens may be seen outside
        self._around: Tape | None = None
        self._rest = iter(again.keys if again is not None else ())
        self._present: list[tuple[Any, bool, dict[str, Tensor | None]]] = []

    def __enter__(self) -> Tape:
        self._around = mode.tape
        self.quiet = self.replays or (self._around is not None and self._around.quiet)
        mode.tape = self
        return self

    def __exit__(self, *error: object) -> None:
        mode.tape = self._around

    def key(self, draw: Callable[[], tuple[int, int]]) -> tuple[int, int]:
        """The key of the next random draw."""
        if self.replays:
            found = next(self._rest, None)
            if found is None:
                _differs("it drew more random numbers")
        else:
            found = draw() if self._around is None else self._around.key(draw)
        self.keys.append(found)
        return found

    def enter(self, module: Any) -> None:
        """Note the state of a module that is about to run, unless it ran before."""
        if module not in self.modules:
            buffers = {name: module.__dict__.get(name) for name in module._buffers}
            self.modules[module] = module.training, {name: _snapshot(b) for name, b in buffers.items()}
            if self.replays:
                self._present.append((module, module.training, buffers))
        if self._around is not None and not self.replays:
            self._around.enter(module)

    def restore(self, again: Tape) -> None:
        """Put the modules into the state that ``again`` noted."""
        for module, (training, buffers) in again.modules.items():
            self.enter(module)
            module.__dict__.update(training=training, **{name: _snapshot(b) for name, b in buffers.items()})

    def put_back(self) -> None:
        """Give the modules the state that they had before they ran under this tape."""
        for module, training, buffers in self._present:
            module.__dict__.update(training=training, **buffers)


# --- a call, and the same call again ----------------------------------------------------------------------


class _Call:
    """A function with its arguments as they were, and what was seen when it ran first."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.function = function
        self.args, self.kwargs = _snapshot(args), _snapshot(kwargs)
        self.tape = Tape()
        self.start = next(sequence)
        self.places: list[Place] = []  # older than the call: where the gradients go
        self.story: tuple[Any, ...] = ()  # what was run inside
        self.digests: list[Any] = []  # of the outputs

    def run(self, tape: Tape) -> tuple[Any, dict[Node, Tensor]]:
        """The function's result, and the recorded tensors in it by their nodes."""
        start = next(sequence)
        with enable_grad(), tape:
            result = self.function(*_snapshot(self.args), **_snapshot(self.kwargs))
        found: dict[Any, Tensor] = {}
        for y in _tensors(result):
            if y._node is not None and y._node.seq > start:
                found.setdefault(y._node, y)
        return result, found

    def again(self) -> tuple[list[Node], Piece]:
        """Run the function a second time: the nodes of its outputs, and the graph that leads to them."""
        start = next(sequence)
        tape = Tape(self.tape)
        try:
            tape.restore(self.tape)
            _, outputs = self.run(tape)
        finally:
            tape.put_back()
        digests = _digests(outputs)
        if [d[:2] for d in digests] != [d[:2] for d in self.digests]:
            _differs(f"it returned {_shapes(digests)} instead of {_shapes(self.digests)}")
        if len(tape.keys) != len(self.tape.keys):
            _differs("it drew fewer random numbers")
        piece = Piece(start, list(outputs))
        if piece.ends != self.places:
            _differs("it used other tensors")
        story = _story(piece.nodes)
        if story != self.story:
            pairs = itertools.zip_longest(self.story, story)
            first, second = next((a, b) for a, b in pairs if a != b)
            _differs(f"it ran {_told(second)} instead of {_told(first)}")
        if not all(map(_agree, self.digests, digests)):
            _differs("it computed other values")
        return list(outputs), piece


def _vjp(xp: Any, g: Any, needs: tuple[bool, ...], call: _Call) -> list[Any]:
    """Run the call again and send its cotangents back through it."""
    outputs, piece = call.again()
    cotangents = g if len(outputs) > 1 else [g]
    roots = [(y, c) for y, c in zip(outputs, cotangents, strict=True) if c is not None]
    wanted = [place for place, need in zip(call.places, needs, strict=True) if need]
    found = iter(piece.pull(roots, wanted, create_graph=xp is namespaces[Tensor]))
    return [next(found) if need else None for need in needs]


def _jvp(xp: Any, tangents: Sequence[Any], call: _Call) -> Any:
    """Run the call again and push the tangents of its places forward through it."""
    outputs, piece = call.again()
    seeds = [(place, t) for place, t in zip(call.places, tangents, strict=True) if t is not None]
    found = piece.push(outputs, seeds, create_graph=xp is namespaces[Tensor])
    if len(outputs) > 1:
        return tuple(found)
    like = next(t for t in tangents if t is not None)
    return xp.zeros_like(like, dtype=outputs[0].dtype, shape=outputs[0].shape) if found[0] is None else found[0]


@functools.cache
def _row(outputs: int) -> Row:
    """The operation "checkpoint" with this many outputs; its forward is never asked for."""
    names = " ".join(f"outputs[{i}]" for i in range(outputs))
    return Row("checkpoint", f"*inputs | call -> {names}", lambda xp: None, Joint(_vjp, _jvp), False, {})


def _hang(call: _Call, recorded: Sequence[Node], tensors: Sequence[Tensor]) -> None:
    """Replace the graph behind the outputs by one node, which also watches every value that the graph watched."""
    tensors = [y for y in tensors if y._node is not None and y._node.seq > call.start]
    outputs: list[Any] = list(dict.fromkeys(y._node for y in tensors))
    node = Node()
    node.seq = next(sequence)
    xp_type = type(tensors[0]._data)
    node.plan = _row(len(outputs)).worlds[xp_type].plans[(True,) * len(call.places)]
    node.parents = tuple(call.places)
    node.saved = (call,)
    node.hooks = None
    node.private = None
    watched: dict[Any, int] = {}
    for _, version, count in (entry for inner in recorded for entry in inner.versions or ()):
        watched.setdefault(version, count)
    own = [place.tensor() if type(place) is Leaf else None for place in call.places]
    versions = []
    for i, tensor in enumerate(own):
        if tensor is not None and tensor._version is not None:
            versions.append((i, tensor._version, watched.pop(tensor._version, tensor._version.count)))
    versions += [(len(own) + i, version, count) for i, (version, count) in enumerate(watched.items())]
    node.versions = tuple(versions) or None
    node.shape, node.dtype = outputs[0].shape, outputs[0].dtype
    new: dict[Any, Node] = dict.fromkeys(outputs, node)
    if len(outputs) > 1:
        new = {place: Projection(node, i, place.shape, place.dtype) for i, place in enumerate(outputs)}
    for y in tensors:
        y._node = new.get(y._node, y._node)  # the same object may be there twice


def _story(nodes: Sequence[Node]) -> tuple[Any, ...]:
    """The operations and shapes of a recorded graph, to compare two runs by."""
    return tuple(
        [(getattr(n.plan.row, "name", "") if n.plan is not None else "an output", n.shape, n.dtype) for n in nodes]
    )


def _digests(outputs: Mapping[Node, Tensor]) -> list[tuple[Any, Any, float, float]]:
    """Shape, dtype, a weighted sum and the sum of magnitudes of each output: a changed result from a rounded one."""
    return [(place.shape, place.dtype, *_sums(y._data)) for place, y in outputs.items()]


def _sums(array: Any) -> tuple[float, float]:
    """The weights tell what plain sums do not: another order, or other probabilities that add up to 1 as well."""
    if devices.device_of(array) != "cpu":
        return _sums_there(array)
    if not isinstance(array, np.ndarray):
        return 0.0, 0.0
    flat = array.reshape(-1).astype(np.result_type(array, np.float32), copy=False)
    side = math.isqrt(flat.size)
    weights = np.cos(np.arange(2 * side + 1)).astype(flat.dtype)
    square, rest = flat[: side * side].reshape(side, side), flat[side * side :]
    with np.errstate(all="ignore"):
        weighted = weights[side : 2 * side] @ (square @ weights[:side]) + weights[: rest.size] @ rest
        return float(weighted), float(np.sum(np.abs(array), dtype=np.float64))


def _sums_there(array: Any) -> tuple[float, float]:
    """The same on another device, so that two numbers come over and not all of them."""
    xp = namespaces[type(array)]
    flat = xp.astype(xp.reshape(array, (-1,)), np.dtype(np.float64))
    weights = xp.cos(xp.astype(xp.arange(flat.size), flat.dtype))
    return float(xp.sum(flat * weights, (0,), False).item()), float(xp.sum(xp.abs(flat), (0,), False).item())


def _agree(first: tuple[Any, Any, float, float], second: tuple[Any, Any, float, float]) -> bool:
    """Whether two digests are those of one result, up to rounding: another number of threads sums in another order."""
    _, dtype, total, size = first
    allowed = 1000 * float(np.finfo(dtype).eps) * size
    return all(
        a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= allowed
        for a, b in zip((total, size), second[2:], strict=True)
    )


def _told(step: Any) -> str:
    return "nothing more" if step is None else f"{step[0]} of shape {step[1]}, {step[2].name}"


def _shapes(digests: Sequence[tuple[Any, ...]]) -> str:
    return ", ".join(f"{dtype.name} {shape}" for shape, dtype, *_ in digests) or "no recorded tensor"


def _differs(what: str) -> NoReturn:
    hint = "take random numbers from tinygrad_lite.random, and pass what changes between the calls as an argument"
    fail(
        GradientError,
        "checkpoint",
        f"needs a function that does the same when it is called again, but {what}",
        {},
        hint,
    )


# --- tensors in arguments and results -----------------------------------------------------------------------


def _snapshot(value: Any) -> Any:
    """The same tensors as objects of their own, so that ``x += 1`` on one side does not reach the other."""
    if isinstance(value, Tensor):
        copy = make_tensor(value._data, value._node)
        if value._version is not None:
            value._version.share_with(copy)
        return copy
    if type(value) in (list, tuple):
        return type(value)([_snapshot(item) for item in value])
    if type(value) is dict:
        return {key: _snapshot(item) for key, item in value.items()}
    return value


def _tensors(value: Any) -> list[Tensor]:
    """The tensors in a result, in order."""
    return list(_found(value))


def _found(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _found(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _found(item)
