"""Tensor: the constructor, the operators and the methods, attached to the record of ``autograd/graph.py``.

Operators and methods delegate to the functions of the same name; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd import leaves, transforms
from tinygrad_lite.autograd.graph import HookHandle, Hooks, Leaf, Tensor, make_leaf, make_tensor, mode
from tinygrad_lite.autograd.record import reflected, require_float
from tinygrad_lite.autograd.rows import copied
from tinygrad_lite.dialects import refuse_attribute
from tinygrad_lite.errors import (
    ArgumentError,
    DTypeError,
    GradientError,
    ShapeError,
    fail,
)
from tinygrad_lite.functions import creation, elementwise, indexing, linalg, manipulation, reductions


class Methods:
    """What every tensor can do. (At run time these become attributes of ``Tensor``, which holds the slots.)"""

    __slots__ = ()

    _data: Any
    _node: Any
    _version: Any

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
            device: ``"cpu"`` or None.
            requires_grad: make it a leaf whose gradient is kept in ``grad``.

        Raises:
            ArgumentError, DTypeError: if ``data`` does not hold numbers in a rectangular shape.
            GradientError: if a gradient is asked of anything but floats.

        >>> Tensor([1.0, 2.0], requires_grad=True)
        Tensor([1., 2.], requires_grad=True)
        """
        creation.check_device("Tensor", device)
        self._data = creation.to_array(data, dtype)
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
        """Where the elements are: ``"cpu"``."""
        return "cpu"

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
            fail(GradientError, "requires_grad", "can be set on leaves only", {"tensor": self}, "use detach()")
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
            fail(GradientError, "grad", "can be set on leaves that require a gradient only", {"tensor": self})
        if value is not None and (
            not isinstance(value, Tensor) or value.shape != self.shape or value.dtype != self.dtype
        ):
            operands = {"tensor": self, "grad": value}
            fail(GradientError, "grad", "needs None or a tensor of the same shape and dtype", operands)
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
        text = np.array2string(np.asarray(self._data), separator=", ", prefix="Tensor(")
        dtype = "" if self.dtype in (dtypes.float32, dtypes.bool_) else f", dtype={self.dtype.name}"
        if self.requires_grad:
            dtype += ", requires_grad=True" if self.is_leaf else f", from={_operation(self._node)}"
        return f"Tensor({text}{dtype})"

    def __len__(self: Any) -> int:
        if not self.shape:
            fail(ShapeError, "len", "needs at least one axis", {"tensor": self})
        return self.shape[0]  # type: ignore[no-any-return]

    def __iter__(self: Any) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __getattr__(self, name: str) -> Any:
        refuse_attribute("Tensor", name)

    # --- to Python and NumPy ------------------------------------------------------------------------

    def numpy(self: Any) -> np.ndarray[Any, Any]:
        """The elements as a read-only NumPy array that shares their memory, as it is now.

        Of a leaf or a gradient, which are written in place, ``.copy()`` keeps a snapshot; an optimiser that is
        made later moves the leaf's elements to memory of its own and leaves the array behind.

        Raises:
            GradientError: on a tensor that requires a gradient (which NumPy would not follow).
        """
        if self._node is not None and mode.enabled:
            hint = "x.detach().numpy() says that the gradient ends here"
            fail(GradientError, "numpy", "cannot carry a gradient", {"tensor": self}, hint)
        view: np.ndarray[Any, Any] = self._data.view()
        view.flags.writeable = False
        return view

    def __array__(self: Any, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array: np.ndarray[Any, Any] = self.numpy()
        converts = dtype is not None and array.dtype != dtype
        if copy is False and converts:
            raise ValueError(f"a {array.dtype.name} tensor is a {np.dtype(dtype).name} array only by a copy")
        return np.array(array, dtype=dtype) if copy or converts else array

    def item(self: Any) -> Any:
        """The only element as a Python number.

        Raises:
            ShapeError: if there is not exactly one.

        >>> Tensor([2.5]).item()
        2.5
        """
        if self.size != 1:
            fail(ShapeError, "item", "needs exactly one element", {"tensor": self}, "use tolist()")
        return self._data.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self._data.tolist()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self: Any) -> bool:
        if self.size != 1:
            fail(ShapeError, "bool", "needs exactly one element", {"tensor": self}, "use .any() or .all()")
        return bool(self.item())

    def __format__(self: Any, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __index__(self: Any) -> int:
        if self.dtype.kind not in "iu":
            fail(DTypeError, "index", "needs an integer", {"tensor": self})
        return int(self.item())

    __hash__ = object.__hash__

    def __reduce__(self) -> NoReturn:
        hint = "save weights with tinygrad_lite.save (safetensors)"
        fail(ArgumentError, "pickle", "does not work on tensors", {"tensor": self}, hint)

    def __copy__(self: Any) -> Tensor:
        return self.__deepcopy__({})  # type: ignore[no-any-return]

    def __deepcopy__(self: Any, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            fail(GradientError, "deepcopy", "needs a leaf", {"tensor": self}, "use detach() first")
        twin: Tensor = object.__new__(type(self))
        memo[id(self)] = twin
        twin._data, twin._node, twin._version = copied(self._data), None, None
        if self._node is not None:
            make_leaf(twin)
        return twin

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
            fail(GradientError, "retain_grad", "needs a tensor that requires a gradient", {"tensor": self})
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
            fail(GradientError, "register_hook", "needs a tensor that requires a gradient", {"tensor": self})
        return _hooks(self._node).add(hook)

    def register_post_accumulate_grad_hook(self: Any, hook: Callable[[Tensor], None]) -> HookHandle:
        """Call ``hook(tensor)`` after this leaf's gradient has been added to ``grad``."""
        if type(self._node) is not Leaf:
            need = "needs a leaf that requires a gradient"
            fail(GradientError, "register_post_accumulate_grad_hook", need, {"tensor": self})
        if self._node.after is None:
            self._node.after = Hooks()
        return self._node.after.add(hook)

    # --- values -------------------------------------------------------------------------------------

    def clone(self: Any) -> Tensor:
        """A copy with memory of its own; gradients pass through."""
        from tinygrad_lite.autograd.record import apply
        from tinygrad_lite.autograd.rules.manipulation import CLONE

        return apply(CLONE, (self,))

    def astype(self: Any, dtype: dtypes.DTypeLike) -> Tensor:
        """This tensor with another element type."""
        return manipulation.astype(self, dtype)

    def to(self: Any, target: Any) -> Tensor:
        """This tensor with another dtype, or on another device (``"cpu"``)."""
        if isinstance(target, str) and not dtypes.is_name(target):
            creation.check_device("to", target)
            return self  # type: ignore[no-any-return]
        return manipulation.astype(self, target)

    def __getitem__(self: Any, index: Any) -> Tensor:
        return indexing.getitem(self, index)

    def __setitem__(self: Any, index: Any, value: Any) -> None:
        indexing.assign(self, index, value)

    # --- arithmetic: the functions themselves, so that an operator costs no extra call -----------------

    __add__ = __radd__ = elementwise.add
    __mul__ = __rmul__ = elementwise.multiply
    __sub__, __rsub__ = elementwise.subtract, reflected(elementwise.subtract)
    __truediv__, __rtruediv__ = elementwise.divide, reflected(elementwise.divide)
    __pow__, __rpow__ = elementwise.pow, reflected(elementwise.pow)
    __matmul__, __rmatmul__ = linalg.matmul, reflected(linalg.matmul)
    __neg__ = elementwise.negative
    __abs__ = elementwise.abs
    __lt__, __le__ = elementwise.less, elementwise.less_equal
    __gt__, __ge__ = elementwise.greater, elementwise.greater_equal

    def __and__(self: Any, other: Any) -> Tensor:
        return elementwise.logical_and(*_bools("&", self, other))

    def __or__(self: Any, other: Any) -> Tensor:
        return elementwise.logical_or(*_bools("|", self, other))

    def __invert__(self: Any) -> Tensor:
        return elementwise.logical_not(*_bools("~", self))

    __rand__, __ror__ = __and__, __or__
    __array_ufunc__ = None  # NumPy arrays leave mixed operators to us

    def __eq__(self: Any, other: Any) -> Any:
        # Tensors compare element by element; None and words equal no tensor, so that ``None in [x]`` works.
        return NotImplemented if other is None or isinstance(other, str) else elementwise.equal(self, other)

    def __ne__(self: Any, other: Any) -> Any:
        return NotImplemented if other is None or isinstance(other, str) else elementwise.not_equal(self, other)

    def __pos__(self: Any) -> Any:
        return self

    def __iadd__(self: Any, other: Any) -> Any:
        return _update("add", self, elementwise.add, other)

    def __isub__(self: Any, other: Any) -> Any:
        return _update("subtract", self, elementwise.subtract, other)

    def __imul__(self: Any, other: Any) -> Any:
        return _update("multiply", self, elementwise.multiply, other)

    def __itruediv__(self: Any, other: Any) -> Any:
        return _update("divide", self, elementwise.divide, other)

    def __ipow__(self: Any, other: Any) -> Any:
        return _update("pow", self, elementwise.pow, other)

    def __imatmul__(self: Any, other: Any) -> Any:
        return _update("matmul", self, linalg.matmul, other)

    # --- methods: the functions of the same name -----------------------------------------------------

    exp, log, sqrt, tanh, sigmoid, relu = (
        elementwise.exp,
        elementwise.log,
        elementwise.sqrt,
        elementwise.tanh,
        elementwise.sigmoid,
        elementwise.relu,
    )
    abs, square, clip, pow = elementwise.abs, elementwise.square, elementwise.clip, elementwise.pow
    sum, mean, var = reductions.sum, reductions.mean, reductions.var
    max, min, argmax, argmin = reductions.max, reductions.min, reductions.argmax, reductions.argmin
    any, all = reductions.any, reductions.all
    squeeze, expand_dims, flatten = manipulation.squeeze, manipulation.expand_dims, manipulation.flatten
    matmul = linalg.matmul

    def reshape(self: Any, *shape: Any) -> Tensor:
        """``x.reshape(2, 3)`` or ``x.reshape((2, 3))``: the same elements in another shape."""
        return manipulation.reshape(self, shape[0] if len(shape) == 1 else shape)

    def permute_dims(self: Any, *axes: Any) -> Tensor:
        """``x.permute_dims(1, 0)``: the axes in another order."""
        return manipulation.permute_dims(self, axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes)


def _transposed(x: Any) -> Tensor:
    """``x.T``, which is for matrices only, as in the array API standard."""
    if x.ndim != 2:
        hint = "use .mT for batches of matrices, or permute_dims"
        fail(ShapeError, "T", "needs a matrix", {"tensor": x}, hint)
    return manipulation.matrix_transpose(x)


def _hooks(node: Any) -> Hooks:
    """The hooks of a place in the graph, made when first asked for. (Without an entry they are falsy.)"""
    if node.hooks is None:
        node.hooks = Hooks()
    return node.hooks  # type: ignore[no-any-return]


def _bools(symbol: str, *operands: Any) -> tuple[Any, ...]:
    """The operands of a logical operator, which must be bools: on integers one would expect bit by bit."""
    tensors = tuple(x if isinstance(x, Tensor) else Tensor(x) for x in operands)
    if any(x.dtype != dtypes.bool_ for x in tensors):
        named = {f"x{i}": x for i, x in enumerate(tensors, 1)}
        fail(DTypeError, symbol, "needs bools", named, "compare first, or use logical_and, logical_or, logical_not")
    return tensors


def _operation(node: Any) -> str:
    plan = node.plan or node.parents[0].plan
    return str(plan.row.name)


def _update(name: str, x: Any, function: Callable[[Any, Any], Tensor], other: Any) -> Any:
    """``x += other``: the object x gets the new value, in its own shape and dtype. A leaf is written in place."""
    leaf = type(x._node) is Leaf
    if leaf:
        indexing.refuse_leaf(name, x)
    result = function(x, other)
    if result.shape != x.shape:
        fail(ShapeError, name, f"cannot change the shape in place, to {result.shape}", {"x": x, "other": other})
    if result.dtype != x.dtype:
        if not np.can_cast(result.dtype, x.dtype, "same_kind"):
            need = f"cannot change the dtype in place, to {result.dtype.name}"
            fail(DTypeError, name, need, {"x": x, "other": other}, "write x = x.astype(...) first")
        result = manipulation.astype(result, x.dtype)
    if leaf:
        x._version.raise_count()
        x._data[...] = result._data
    else:
        x._data, x._node, x._version = result._data, result._node, result._version
    return x


for _name, _member in list(vars(Methods).items()):
    if _name not in ("__dict__", "__weakref__", "__slots__", "__doc__", "__module__"):
        setattr(Tensor, _name, _member)
        if getattr(_member, "__qualname__", "").startswith("Methods."):  # which Python's own messages show
            _member.__qualname__ = f"Tensor.{_name}"
Tensor.__module__ = __name__

__all__ = ["Tensor"]
