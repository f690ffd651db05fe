"""Parameter: a tensor that a module owns and an optimiser changes, and how its values are replaced."""

from __future__ import annotations

from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Leaf, Tensor, make_leaf, make_tensor
from tinygrad_lite.autograd.refusals import require_float
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.backends.devices import to_device

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A leaf tensor that a ``Module`` finds by itself when it is assigned to one of its attributes.

    Args:
        data: a tensor, a NumPy array, a number or nested lists; copied.
        requires_grad: whether gradients are computed for it; can be switched later.

    Raises:
        GradientError: if a gradient is asked of anything but floats.

    >>> Parameter([1.0, 2.0])
    Parameter([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data)
        if requires_grad:
            require_float("Parameter", self)
            self.requires_grad = True

    def __repr__(self) -> str:
        longer = len("Parameter") - len("Tensor")
        return super().__repr__().replace("Tensor", "Parameter", 1).replace("\n", "\n" + " " * longer)


def write(tensor: Tensor, values: Any) -> None:
    """Give ``tensor`` new values of its own shape, outside the graph: a number, or an array of any device and dtype.

    A leaf is written in place, because optimisers and communicators look at its memory, with its version
    raised; any other tensor gets an array of its own, because others may look at its memory.
    """
    xp = namespaces[type(tensor._data)]
    if hasattr(values, "shape"):
        values = xp.astype(to_device(values, tensor.device), tensor.dtype)
    if type(tensor._node) is Leaf and tensor._version is not None:
        tensor._version.raise_count()
        tensor._data[...] = values
    else:
        replaced = xp.empty(tensor._data.shape, tensor._data.dtype)
        replaced[...] = values
        tensor._data, tensor._version = replaced, None


def convert(tensor: Tensor, dtype: dtypes.DType, device: str) -> None:
    """Change dtype and device of a leaf and of its gradient; hooks stay, a place in an optimiser's arena does not."""
    leaf, grad = tensor._node, tensor.grad
    tensor._data, tensor._version = changed(tensor, dtype, device), None
    if type(leaf) is Leaf:
        renewed = make_leaf(tensor)
        renewed.hooks, renewed.after = leaf.hooks, leaf.after
        if grad is not None:
            tensor.grad = make_tensor(changed(grad, dtype, device))


def changed(tensor: Tensor, dtype: dtypes.DType, device: str) -> Any:
    """The array of ``tensor`` in another dtype and on another device, as memory of its own."""
    there = to_device(tensor._data, device)
    xp = namespaces[type(there)]
    if there.dtype != dtype:
        return xp.astype(there, dtype)
    return xp.asarray(there, copy=True) if there is tensor._data else there
