"""The records of a computation graph: tensors, nodes, leaves, and the mode that says whether to record.

A ``Tensor`` is an array and its place in the graph, a ``Node`` is one recorded operation, a ``Leaf`` is
where a gradient ends. Nodes point at the nodes of their operands and never back, so there are no reference
cycles: dropping the result drops the graph.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from tinygrad_lite.autograd.rows import copied
from tinygrad_lite.errors import ArgumentError, fail

if TYPE_CHECKING:
    from tinygrad_lite.autograd.rows import Plan
    from tinygrad_lite.tensor import Methods as _Methods
else:
    _Methods = object

Array: TypeAlias = Any  #: an array of some backend: a NumPy array on the CPU
F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S")

sequence = itertools.count(1)  #: creation numbers: an operation is younger than everything it uses
FREED: Any = ("freed",)  #: stands in ``Node.saved`` once a backward pass has let go of the arrays


class Tensor(_Methods):
    """An n-dimensional array that remembers how it was computed.

    ``tinygrad_lite.tensor`` attaches the constructor, the operators and the methods.
    """

    __slots__ = ("__weakref__", "_data", "_node", "_version")

    _data: Array
    _node: Node | Leaf | None  # None: no derivative will be asked for
    _version: Version | None  # None: no one ever writes into this memory


class Number:
    """A Python number in the place of a tensor: weak in promotion, without a gradient."""

    __slots__ = ("_data",)

    _node = None
    _version = None

    def __init__(self, value: complex) -> None:
        self._data = value


class Node:
    """One recorded operation: which rules differentiate it, what they need, and where gradients go."""

    __slots__ = (
        "dtype",
        "hooks",
        "parents",
        "plan",
        "private",
        "saved",
        "seq",
        "shape",
        "versions",
    )

    seq: int
    plan: Plan | None  # None: a Projection
    parents: tuple[Any, ...]  # per operand its Node, Leaf or Projection, or None
    saved: tuple[Any, ...]
    private: Any  # what a backend's override saved; unset without one
    versions: tuple[tuple[int, Version, int], ...] | None  # (operand, buffer, its count when saved)
    shape: tuple[int, ...]  # of the output
    dtype: Any
    hooks: Hooks | None


class Projection(Node):
    """One output of an operation with several: it hands its gradient to slot ``index`` of ``parents[0]``."""

    __slots__ = ("index",)

    index: int

    def __init__(self, node: Node, index: int, shape: tuple[int, ...], dtype: Any) -> None:
        self.seq = next(sequence)
        self.plan = None
        self.parents = (node,)
        self.saved = ()
        self.versions = None
        self.shape = shape
        self.dtype = dtype
        self.hooks = None
        self.index = index


class Leaf:
    """The end of the graph: a tensor whose gradient is kept.

    Attributes:
        grad: the gradient so far, or None.
        buffer: the memory that the gradient will be written to (a slice of an arena), or None.
        written: the version of that memory, which views and saved values of the gradient share.
        slot: the ``(arena, start, stop)`` that holds value and gradient, or None.
        hooks: run on the gradient once it is final, before it is added to ``grad``.
        after: run after that, with the tensor (a communicator starts its work here).
    """

    __slots__ = ("__weakref__", "after", "buffer", "dtype", "grad", "hooks", "shape", "slot", "tensor", "written")

    seq = 0  # older than every operation
    plan = None
    parents = ()

    def __init__(self, tensor: Tensor) -> None:
        self.shape: tuple[int, ...] = tensor._data.shape
        self.dtype = tensor._data.dtype
        self.tensor = weakref.ref(tensor)
        self.grad: Tensor | None = None
        self.buffer: Array = None
        self.written = Version()
        self.slot: tuple[Any, int, int] | None = None
        self.hooks: Hooks | None = None
        self.after: Hooks | None = None


class Hooks(dict[int, Callable[..., Any]]):
    """Functions to call with a gradient, in the order of registration, each with a key to remove it by."""

    __slots__ = ("retain", "retained")

    def __init__(self) -> None:
        super().__init__()
        self.retain = False  # whether retain_grad() asked to keep the gradient, and the gradient
        self.retained: Tensor | None = None

    def add(self, function: Callable[..., Any]) -> HookHandle:
        """Register ``function`` and return the handle that takes it away again."""
        key = next(sequence)
        self[key] = function
        return HookHandle(self, key)


class HookHandle:
    """Removes a hook: ``handle.remove()``; a second call does nothing."""

    __slots__ = ("_hooks", "_key")

    def __init__(self, hooks: dict[int, Callable[..., Any]], key: int) -> None:
        self._hooks, self._key = hooks, key

    def remove(self) -> None:
        """Take the hook away."""
        self._hooks.pop(self._key, None)

    def is_last(self) -> bool:
        """Whether no hook runs after this one."""
        return next(reversed(self._hooks), None) == self._key


def _nobody() -> None:
    """Whom a gradient's buffer belongs to."""
    return


class Version:
    """A buffer that may be written in place: how often it was, and which tensors look at it.

    Values never change behind a tensor's back: before a write, every living viewer receives a copy of its
    own. Arrays saved by recorded operations cannot be moved, so they note ``count`` instead, and backward
    refuses when it has changed.
    """

    __slots__ = ("count", "leaf", "owner", "viewers")

    def __init__(self, owner: Tensor | None = None) -> None:
        self.count = 0
        self.owner: Callable[[], Tensor | None] = _nobody if owner is None else weakref.ref(owner)
        self.viewers: list[weakref.ref[Tensor]] = []
        self.leaf: Leaf | None = None  # the owner's, which returns when it requires a gradient again

    def share_with(self, viewer: Tensor) -> None:
        """Note that ``viewer`` reads this buffer."""
        viewer._version = self
        viewers = self.viewers
        viewers.append(weakref.ref(viewer))
        if len(viewers) & (len(viewers) - 1) == 0:  # at powers of two: constant cost per entry
            self.viewers = [ref for ref in viewers if ref() is not None]

    def raise_count(self) -> None:
        """Announce a write: give the viewers their own copies and count the write."""
        self.count += 1
        if self.viewers:
            self.part()

    def part(self) -> None:
        """Give the viewers their own copies."""
        for ref in self.viewers:
            viewer = ref()
            if viewer is not None and viewer._version is self:
                viewer._data = copied(viewer._data)
                viewer._version = None
        self.viewers = []


_new = object.__new__


def make_tensor(data: Array, node: Any = None) -> Tensor:
    """Wrap an array that nobody else will write to."""
    tensor = _new(Tensor)
    tensor._data = data
    tensor._node = node
    tensor._version = None
    return tensor


def make_leaf(tensor: Tensor) -> Leaf:
    """Turn ``tensor`` into a leaf: from here on its gradient is kept and it may be written in place.

    A leaf that was frozen for a while is the same leaf again, with its gradient, hooks and place in an arena.
    """
    version = tensor._version
    if version is None or version.owner() is not tensor:
        version = tensor._version = Version(tensor)
    leaf = version.leaf
    if leaf is None or leaf.shape != tensor._data.shape or leaf.dtype != tensor._data.dtype:
        leaf = version.leaf = Leaf(tensor)
    tensor._node = leaf
    return leaf


class _GradMode(threading.local):
    enabled = True
    tape: Any = None  # of the checkpoint that runs: notes random draws and module states, or replays them
    capture: Any = None  # the step that is being recorded for a GPU: notes what optimisers update

    def __init__(self) -> None:
        # Of the backward passes in progress, the innermost last: the leaves that each leads to.
        self.reached: list[Mapping[Leaf, int]] = []
        # Of the calls of ``backward()`` in progress: what is still to be called when all their gradients are there.
        self.endings: list[list[Callable[[], None]]] = []


mode = _GradMode()


class recording:
    """Records operations in this thread, or not, for as long as a block or a decorated function runs."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = bool(enabled)
        self._previous: list[bool] = []

    def __enter__(self) -> None:
        self._previous.append(mode.enabled)
        mode.enabled = self._enabled

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mode.enabled = self._previous.pop()

    def __call__(self, function: F) -> F:
        """Use as a decorator: every call of ``function`` runs in this mode."""
        import functools

        enabled = self._enabled

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with recording(enabled):
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


class set_grad_enabled(recording):
    """Switch the recording of operations on or off in this thread: at once, for a block, or for a function.

    As a statement it holds until the next switch; ``with`` ends it with the block, and as a decorator it holds only
    inside the function.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor(2.0, requires_grad=True)
    >>> with tgl.set_grad_enabled(False):
    ...     (x * x).requires_grad
    False
    """

    def __init__(self, enabled: bool) -> None:
        super().__init__(enabled)
        self._before: bool | None = mode.enabled  # until a block or a function takes over
        mode.enabled = self._enabled

    def __enter__(self) -> None:
        self._undo()
        super().__enter__()

    def __call__(self, function: F) -> F:
        self._undo()
        return super().__call__(function)

    def _undo(self) -> None:
        if self._before is not None:
            mode.enabled, self._before = self._before, None


class _Parameterless(recording):
    """What is a decorator with and without parentheses."""

    _records: bool

    @overload
    def __new__(cls: type[S]) -> S: ...

    @overload
    def __new__(cls, function: F) -> F: ...  # type: ignore[misc]

    def __new__(cls, function: Any = None) -> Any:
        if function is None:
            return super().__new__(cls)
        if not callable(function):
            hint = "set_grad_enabled(enabled) takes a value"
            fail(ArgumentError, cls.__name__, "needs a function, or nothing", {"function": function}, hint)
        return cls()(function)

    def __init__(self) -> None:
        super().__init__(self._records)


class no_grad(_Parameterless):
    """Record nothing in this block: faster, and leaves may be written in place.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor(2.0, requires_grad=True)
    >>> with tgl.no_grad():
    ...     (x * x).requires_grad
    False
    """

    _records = False


class enable_grad(_Parameterless):
    """Record again, inside a ``no_grad`` block.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor(2.0, requires_grad=True)
    >>> with tgl.no_grad(), tgl.enable_grad():
    ...     (x * x).requires_grad
    True
    """

    _records = True


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require a gradient are recorded in this thread.

    >>> import tinygrad_lite as tgl
    >>> tgl.is_grad_enabled()
    True
    """
    return mode.enabled
