"""Tensor: the constructor, what a tensor says about itself, and its gradient.

They are attached to the record of ``autograd/graph.py``, and with them the operators (``tensor_operators.py``), the
functions that are methods (``tensor_methods.py``) and the ways out, to numbers, NumPy and other libraries
(``tensor_conversions.py``). Nothing is computed in any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd import leaves, transforms
from tinygrad_lite.autograd.graph import HookHandle, Hooks, Leaf, Tensor, make_leaf, make_tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.refusals import refuse_devices, require_float
from tinygrad_lite.autograd.rows import copied
from tinygrad_lite.autograd.rules.manipulation import CLONE
from tinygrad_lite.backends import devices
from tinygrad_lite.dialects import refuse_attribute
from tinygrad_lite.errors import GradientError, IterationError, ShapeError, fail
from tinygrad_lite.functions import creation, manipulation
from tinygrad_lite.functions.arguments import checked_constructor
from tinygrad_lite.functions.devices import moved
from tinygrad_lite.tensor_conversions import Conversions
from tinygrad_lite.tensor_methods import FunctionMethods
from tinygrad_lite.tensor_operators import Operators


class Methods(Operators, FunctionMethods, Conversions):
    """What every tensor can do. (At run time these become attributes of ``Tensor``, which holds the slots.)"""

    __slots__ = ()

    _data: Any
    _node: Any
    _version: Any

    @checked_constructor
    def __init__(
        self: Any,
        data: Any,
        *,
        dtype: dtypes.DTypeLike = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> None:
        """A tensor that holds a copy of ``data``.

        Args:
            data: a number, nested lists, a NumPy array or a tensor.
            dtype: the element type. None keeps that of an array; Python floats become float32, integers int64.
            device: ``"cpu"``, ``"cuda"`` or None: where a tensor is, and the CPU for everything else.
            requires_grad: make it a leaf whose gradient is kept in ``grad``.

        Raises:
            ArgumentError, DTypeError: if ``data`` does not hold numbers in a rectangular shape.
            GradientError: if a gradient is asked of anything but floats.

        >>> Tensor([1.0, 2.0], requires_grad=True)
        Tensor([1., 2.], requires_grad=True)
        """
        self._data = moved("Tensor", creation.to_array(data, dtype), device)
        self._node = self._version = None
        if requires_grad:
            require_float("Tensor", self)
            make_leaf(self)

    # --- what it is -------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of every axis."""
        return self._data.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> dtypes.DType:
        """The element type, a NumPy dtype."""
        return self._data.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._data.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._data.size  # type: ignore[no-any-return]

    @property
    def device(self) -> str:
        """Where the elements are: ``"cpu"`` or ``"cuda"``."""
        return devices.device_of(self._data)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this tensor."""
        return self._node is None or type(self._node) is Leaf

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded. Settable on leaves."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self: Any, value: bool) -> None:
        if not self.is_leaf:
            hint = "detach() gives a tensor without the graph; no_grad() keeps one from being recorded"
            fail(GradientError, "requires_grad", "can be set on leaves only", {"tensor": self}, hint)
        if not value:
            self._node = None
        elif self._node is None:
            require_float("requires_grad", self)
            if self._version is None or self._version.owner() is not self:
                self._data = copied(self._data)  # others may look at this memory, and a leaf is written in place
            make_leaf(self)

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have added up in this leaf, or None."""
        leaf = leaves.leaf_of(self)  # type: ignore[arg-type]
        if leaf is not None:
            return leaf.grad
        hooks = None if self._node is None else self._node.hooks
        return None if hooks is None else hooks.retained

    @grad.setter
    def grad(self: Any, value: Tensor | None) -> None:
        leaf = leaves.leaf_of(self)
        if leaf is None:
            hint = "call requires_grad_() on a leaf; of a result take retain_grad() and backward()"
            fail(GradientError, "grad", "can be set on leaves that require a gradient only", {"tensor": self}, hint)
        if value is not None and (
            not isinstance(value, Tensor) or value.shape != self.shape or value.dtype != self.dtype
        ):
            operands = {"tensor": self, "grad": value}
            hint = f'the gradient has one number per element: shape {self.shape}, dtype "{self.dtype.name}"'
            fail(GradientError, "grad", "needs None or a tensor of the same shape and dtype", operands, hint)
        if value is not None and type(value._data) is not type(self._data):
            refuse_devices("grad", {"tensor": self, "grad": value})
        leaves.release_grad(leaf)
        if value is not None:
            leaves.adopt_grad(leaf, value)

    @property
    def T(self) -> Tensor:
        """The matrix transposed."""
        return _transposed(self)

    @property
    def mT(self) -> Tensor:
        """Each matrix of a batch transposed."""
        return manipulation.matrix_transpose(self)

    def __repr__(self: Any) -> str:
        text = np.array2string(devices.on_host(self._data), separator=", ", prefix="Tensor(")
        if (not self.size and self.ndim > 1) or self.size > np.get_printoptions()["threshold"]:
            text += f", shape={self.shape}"  # which the numbers do not show
        dtype = "" if self.dtype in (dtypes.float32, dtypes.bool_) else f", dtype={self.dtype.name}"
        dtype += "" if self.device == "cpu" else f', device="{self.device}"'
        if self.requires_grad:
            dtype += ", requires_grad=True" if self.is_leaf else f", from={_operation(self._node)}"
        return f"Tensor({text}{dtype})"

    def __len__(self: Any) -> int:
        if not self.shape:
            hint = "this tensor is a single number: x.size is 1, and x.reshape(1) has an axis"
            fail(IterationError, "len", "needs at least one axis", {"tensor": self}, hint)
        return self.shape[0]  # type: ignore[no-any-return]

    def __iter__(self: Any) -> Iterator[Tensor]:
        if not self.shape:
            hint = "this tensor is a single number: x.item() is its value, and x.reshape(1) has an axis"
            fail(IterationError, "iter", "needs at least one axis", {"tensor": self}, hint)
        return (self[i] for i in range(self.shape[0]))

    def __getattr__(self, name: str) -> Any:
        refuse_attribute("Tensor", name)

    # --- gradients ----------------------------------------------------------------------------------

    def backward(
        self: Any,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Tensor | Sequence[Tensor] | None = None,
    ) -> None:
        """Add the derivative of this tensor to the ``grad`` of every leaf that it was computed from.

        Threads may do this at the same time for graphs without a common leaf; for the others there is
        ``tinygrad_lite.grad``, which writes to nobody's ``grad``.

        Args:
            gradient: the cotangent: a weight for every element, in this tensor's shape. A tensor with one
                element takes 1.
            retain_graph: keep the saved values for another backward pass; None means as ``create_graph``.
            create_graph: record the backward pass as well, so that gradients can be differentiated.
            inputs: the leaves to add to; None means all.

        Raises:
            GradientError: if nothing was recorded, ``gradient`` is missing or does not fit, the graph was
                freed, or a saved value was changed in place.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        Tensor([2., 4.])
        """
        transforms.backward([self], [gradient], retain_graph, create_graph, inputs)

    def clone(self: Any) -> Tensor:
        """A copy with memory of its own; gradients pass through."""
        return apply(CLONE, (self,))

    def detach(self: Any) -> Tensor:
        """The same values without the graph: no gradient flows through the result."""
        detached = make_tensor(self._data)
        if self._version is not None:
            self._version.share_with(detached)
        return detached

    def requires_grad_(self: Any, requires_grad: bool = True) -> Any:
        """Set ``requires_grad`` and return the tensor itself."""
        self.requires_grad = requires_grad
        return self

    def retain_grad(self: Any) -> None:
        """Keep the gradient of this intermediate result in ``grad`` at the next backward pass."""
        require_float("retain_grad", self)
        if self._node is None:
            need = "needs a tensor that requires a gradient"
            fail(GradientError, "retain_grad", need, {"tensor": self}, _RECORD_FIRST)
        if type(self._node) is not Leaf:
            _hooks(self._node).retain = True

    def register_hook(self: Any, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Call ``hook(gradient)`` when this tensor's gradient is known; what it returns replaces it.

        Returns:
            A handle whose ``remove()`` takes the hook away.

        Raises:
            GradientError: if the tensor does not require a gradient.

        >>> x = Tensor(3.0, requires_grad=True)
        >>> handle = x.register_hook(lambda g: g * 10)
        >>> (x * x).backward()
        >>> x.grad
        Tensor(60.)
        """
        if self._node is None:
            need = "needs a tensor that requires a gradient"
            fail(GradientError, "register_hook", need, {"tensor": self}, _RECORD_FIRST)
        return _hooks(self._node).add(hook)

    def register_post_accumulate_grad_hook(self: Any, hook: Callable[[Tensor], None]) -> HookHandle:
        """Call ``hook(tensor)`` after this leaf's gradient has been added to ``grad``."""
        if type(self._node) is not Leaf:
            need = "needs a leaf that requires a gradient"
            hint = "call requires_grad_() on a leaf first; results of operations have register_hook"
            fail(GradientError, "register_post_accumulate_grad_hook", need, {"tensor": self}, hint)
        if self._node.after is None:
            self._node.after = Hooks()
        return self._node.after.add(hook)


_RECORD_FIRST = "call requires_grad_() on it, or on what it is computed from, first"


def _transposed(x: Any) -> Tensor:
    """``x.T``, which is for matrices only, as in the array API standard."""
    if x.ndim != 2:
        hint = "use .mT for batches of matrices, or permute_dims"
        if x.ndim < 2:
            hint = "a row is x.reshape(1, -1), a column x.reshape(-1, 1)"
        fail(ShapeError, "T", "needs a matrix", {"tensor": x}, hint)
    return manipulation.matrix_transpose(x)


def _hooks(node: Any) -> Hooks:
    """The hooks of a place in the graph, made when first asked for. (Without an entry they are falsy.)"""
    if node.hooks is None:
        node.hooks = Hooks()
    return node.hooks  # type: ignore[no-any-return]


def _operation(node: Any) -> str:
    plan = node.plan or node.parents[0].plan
    return str(plan.row.name)


_PRIVATE = ("__dict__", "__weakref__", "__slots__", "__doc__", "__module__", "__annotations__")

for _part in reversed(Methods.__mro__[:-1]):
    for _name, _member in vars(_part).items():
        if _name not in _PRIVATE:
            setattr(Tensor, _name, _member)
            if getattr(_member, "__qualname__", "").startswith(f"{_part.__name__}."):  # Python's own messages show it
                _member.__qualname__ = f"Tensor.{_name}"
Tensor.__module__ = __name__

__all__ = ["Tensor"]
