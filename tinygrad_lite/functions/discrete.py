"""Random integers, choices and orders; ``random.py`` offers them with the continuous distributions.

Parameters may be tensors. No gradient flows through a draw into the parameters of its distribution. Classes, choices
and orders are drawn on the CPU and then moved.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.backends.cpu import random as bits
from tinygrad_lite.backends.devices import DEVICES, device_of, on_host
from tinygrad_lite.errors import ArgumentError, DeviceError, ShapeError, describe, fail
from tinygrad_lite.functions.arguments import (
    as_tensor,
    axis_number,
    checked_keywords,
    floating,
    integer,
    number,
    shape_tuple,
)
from tinygrad_lite.functions.creation import created
from tinygrad_lite.functions.devices import backend, to_device
from tinygrad_lite.functions.indexing import getitem
from tinygrad_lite.functions.stream import next_key

__all__ = ["bernoulli", "categorical", "choice", "integers", "multinomial", "permutation"]


@checked_keywords
def integers(low: int, high: int, shape: Any = (), *, device: str | None = None) -> Tensor:
    """Independent int64 numbers on ``device``, each of low, ..., high - 1 equally likely.

    >>> from tinygrad_lite import manual_seed
    >>> manual_seed(0)
    >>> x = integers(0, 10, (100,))
    >>> bool((x >= 0).all() & (x < 10).all())
    True
    """
    if isinstance(low, (tuple, list)):
        need, given = "needs the shape last", {"low": low, "high": high, "shape": shape}
        fail(ArgumentError, "integers", need, given, f"integers({describe(high)}, {describe(shape)}, {describe(low)})")
    sizes = shape_tuple("integers", shape)
    low, high = integer("integers", "low", low), integer("integers", "high", high)
    bits.checked_bounds(low, high)  # before a key is spent
    xp = backend("integers", device)
    return make_tensor(xp.integers(*next_key(), sizes, low, high))


@checked_keywords
def bernoulli(p: Any, shape: Any = None, *, dtype: Any = None, device: str | None = None) -> Tensor:
    """Ones with probability ``p`` and zeros otherwise, independent of each other.

    Args:
        p: a number from 0 to 1, or a tensor of such numbers. It is rounded to the nearest 2^-32; 0 and 1 are exact.
        shape: of the result; p must broadcast to it. None takes the shape of p.
        dtype: of the result, any; None takes that of p, float32 for a number.
        device: ``"cpu"``, ``"cuda"`` or None: where p is, or the CPU.

    Raises:
        ArgumentError: if a probability is not from 0 to 1.
        ShapeError: if p does not broadcast to shape.

    >>> bernoulli(Tensor([0.0, 1.0, 1.0]))
    Tensor([0., 1., 1.])
    >>> bernoulli(0.5, (2, 3), dtype="bool").shape
    (2, 3)
    """
    given = floating("bernoulli", p, "p") if has_axes(p) or isinstance(p, Tensor) else None
    values: Any = number("bernoulli", "p", p) if given is None else host("bernoulli", "p", given)
    kind = dtypes.as_dtype(dtype) if dtype is not None else dtypes.default_float if given is None else given._data.dtype
    sizes = np.shape(values) if shape is None else shape_tuple("bernoulli", shape)
    require_broadcast("bernoulli", "p", values, sizes)
    if not np.all((values >= 0) & (values <= 1)):
        need = "needs probabilities from 0 to 1" + (f", but got p={p}" if given is None else "")
        hint = "sigmoid(x) makes probabilities of any numbers"
        fail(ArgumentError, "bernoulli", need, {} if given is None else {"p": given}, hint)
    xp = backend("bernoulli", home_of(device, given))
    if given is None:
        return make_tensor(xp.astype(xp.keep_mask(*next_key(), sizes, values), kind))
    limits = np.rint(values.astype(np.float64) * 2.0**32)  # the rounding of ``keep_threshold``
    drawn = xp.less(xp.random_bits(*next_key(), sizes), xp.asarray(limits))
    return make_tensor(xp.astype(drawn, kind))


@checked_keywords
def categorical(
    probs: Any = None, logits: Any = None, shape: Any = (), axis: int = -1, *, device: str | None = None
) -> Tensor:
    """Independent class numbers, class k with a probability proportional to probs[k] or to exp(logits[k]).

    Args:
        probs: (..., K): non-negative and finite along ``axis``, not all 0; they need not add up to 1.
        logits: the same as logarithms, in place of probs; -inf is a class that is never drawn.
        shape: how many draws of each distribution: axes that are put in front.
        axis: where the K classes are.
        device: ``"cpu"``, ``"cuda"`` or None: where probs or logits are.

    Returns:
        int64 numbers of shape ``shape`` followed by that of probs without ``axis``.

    Raises:
        ArgumentError: if not exactly one of probs and logits is given, or they are no distribution.
        AxisError, ShapeError: if there is no such axis, or no class along it.

    >>> categorical([0.0, 1.0, 0.0], shape=3)
    Tensor([1, 1, 1], dtype=int64)
    >>> categorical(logits=Tensor([[0.0, 1.0], [2.0, 3.0]])).shape
    (2,)
    """
    if (probs is None) == (logits is None):
        hint = "logits may be any numbers, probs are shares of 0 and more"
        fail(ArgumentError, "categorical", "needs either probs or logits", {}, hint)
    name = "logits" if probs is None else "probs"
    given = floating("categorical", logits if probs is None else probs, name)
    place = axis_number("categorical", axis, given._data.ndim, given)
    sizes = shape_tuple("categorical", shape)
    weights = _weights("categorical", name, given, place)
    return created("categorical", _classes(weights, sizes + weights.shape[:-1]), home_of(device, given))


@checked_keywords
def multinomial(probs: Any, num_samples: int, replacement: bool = False, *, device: str | None = None) -> Tensor:
    """``num_samples`` class numbers from each distribution along the last axis, without repetition by default.

    Without replacement the next class is always drawn from those that are left, with their own proportions.
    (Efraimidis and Spirakis 2006.)

    Args:
        probs: (..., K): non-negative and finite along the last axis, not all 0; they need not add up to 1.
        num_samples: how many; without replacement at most the number of classes that are not impossible.
        replacement: whether a class may be drawn again.
        device: ``"cpu"``, ``"cuda"`` or None: where probs are.

    Returns:
        int64 numbers of shape (..., num_samples).

    Raises:
        ArgumentError: if probs are no distribution, or there are too few classes.

    >>> sorted(multinomial([0.5, 0.0, 0.2, 0.3], 3).tolist())
    [0, 2, 3]
    """
    given, count = floating("multinomial", probs, "probs"), integer("multinomial", "num_samples", num_samples)
    place = axis_number("multinomial", -1, given._data.ndim, given)
    if count < 0:
        fail(ArgumentError, "multinomial", f"needs num_samples of at least 0, but got {count}")
    weights = _weights("multinomial", "probs", given, place)
    if replacement:
        drawn = _classes(weights[..., None, :], (*weights.shape[:-1], count))
        return created("multinomial", drawn, home_of(device, given))
    least = int(np.count_nonzero(weights, axis=-1).min(initial=weights.shape[-1]))
    if count > least:
        need = f"needs at least {count} classes that are not impossible, but there are {least}"
        fail(ArgumentError, "multinomial", need, {"probs": given}, "replacement=True draws a class again")
    return created("multinomial", _distinct(weights, count), home_of(device, given))


@checked_keywords
def choice(
    x: Any, /, shape: Any = (), replace: bool = True, p: Any = None, axis: int = 0, *, device: str | None = None
) -> Tensor:
    """Elements of ``x`` at random, as NumPy's ``Generator.choice``.

    Args:
        x: a tensor, of which slices along ``axis`` are taken (their gradient flows back), or an integer n for
            the numbers 0, ..., n - 1.
        shape: of the draw, which stands in the place of ``axis``.
        replace: whether a slice may be drawn again.
        p: (n,), in which proportion the slices are drawn; None means equally likely.
        axis: the axis to take from.
        device: ``"cpu"``, ``"cuda"`` or None: where x is, or the CPU.

    Raises:
        ArgumentError: if there are too few slices, or p is no distribution.
        ShapeError: if p has not one number per slice.

    >>> choice(Tensor([5.0, 6.0]), (2, 3)).shape
    (2, 3)
    >>> sorted(choice(4, 4, replace=False).tolist())
    [0, 1, 2, 3]
    """
    tensor = as_tensor("choice", x) if has_axes(x) else None
    place = 0 if tensor is None else axis_number("choice", axis, tensor._data.ndim, tensor)
    n = integer("choice", "x", x) if tensor is None else tensor._data.shape[place]
    sizes = shape_tuple("choice", shape)
    count, weights, available, given = math.prod(sizes), None, n, None
    if n < 0:
        fail(ArgumentError, "choice", f"needs x of at least 0, but got {n}")
    if p is not None:
        given = floating("choice", p, "p")
        if given._data.shape != (n,):
            fail(ShapeError, "choice", f"needs p of shape ({n},): one number per element", {"p": given})
        weights = _weights("choice", "p", given, 0) if n else None
        available = n if weights is None else int(np.count_nonzero(weights))
    if (count > 0 and not available) if replace else count > available:
        need = "needs at least one element to draw from"
        if not replace:
            need = f"needs at least {count} elements for as many draws without replacement, but there are {available}"
        fail(ArgumentError, "choice", need, {"x": x})
    if n > 2**32:
        fail(ArgumentError, "choice", f"needs x of at most 2^32, but got {n}")
    if weights is not None:
        found = _classes(weights, sizes) if replace else _distinct(weights, count).reshape(sizes)
    elif replace:
        found = bits.integers(*next_key(), sizes, 0, max(n, 1))
    else:
        found = bits.permutation(*next_key(), n)[:count].reshape(sizes)
    if tensor is None:
        return created("choice", found, home_of(device, given))
    return to_device(_taken(tensor, found, place), device)


@checked_keywords
def permutation(x: Any, /, axis: int = 0, *, device: str | None = None) -> Tensor:
    """``x`` in random order along ``axis``; of an integer n, the numbers 0, ..., n - 1 as int64.

    It lies on ``device``, else where x is.

    The gradient of a tensor goes back to where its elements were.

    >>> from tinygrad_lite import manual_seed
    >>> manual_seed(0)
    >>> sorted(permutation(4).tolist())
    [0, 1, 2, 3]
    >>> permutation(Tensor([[1, 2], [3, 4]])).sum(0)
    Tensor([4, 6], dtype=int64)
    """
    if has_axes(x):
        tensor = as_tensor("permutation", x)
        place = axis_number("permutation", axis, tensor._data.ndim, tensor)
        return to_device(_taken(tensor, bits.permutation(*next_key(), tensor._data.shape[place]), place), device)
    count = integer("permutation", "n", x)
    if count < 0:
        hint = "it is the number of elements"
        fail(ArgumentError, "permutation", f"needs n of at least 0, but got {count}", {}, hint)
    return created("permutation", bits.permutation(*next_key(), count), device)


def _taken(x: Tensor, indices: np.ndarray, place: int) -> Tensor:
    """Slices of ``x`` along an axis; the indices go to its device."""
    there = make_tensor(namespaces[type(x._data)].asarray(indices))
    return getitem(x, (slice(None),) * place + (there,))


# --- distributions over classes -------------------------------------------------------------------------


def _weights(operation: str, name: str, given: Tensor, place: int) -> np.ndarray:
    """Probabilities up to a factor, in float64, with the classes on the last axis."""
    values: np.ndarray = np.moveaxis(host(operation, name, given), place, -1).astype(np.float64)
    if values.shape[-1] == 0:
        fail(ShapeError, operation, f"needs at least one class along axis {place}", {name: given})
    if name == "logits":
        largest = values.max(axis=-1, keepdims=True)
        if not np.all(np.isfinite(largest)):  # NaN and +inf carry over, and -inf is the largest where all are
            fail(ArgumentError, operation, "needs logits that are finite or -inf, but not all -inf", {name: given})
        values = np.exp(values - largest)
    largest = values.max(axis=-1, keepdims=True)
    if not (np.all(values >= 0) and np.all(np.isfinite(largest)) and np.all(largest > 0)):
        need = f"needs non-negative and finite {name}, not all 0"
        hint = "softmax(x) makes them of any numbers"
        if operation == "categorical":
            hint = "pass scores of any sign as logits="
        fail(ArgumentError, operation, need, {name: given}, hint)
    # A power of two is exact; the sum can then not overflow, nor a part of it be lost below the smallest number.
    scaled: np.ndarray = np.ldexp(values, -np.frexp(largest)[1])
    return scaled


def _classes(weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Class numbers by inversion: the first class whose cumulative weight exceeds a uniform part of the total."""
    cumulative = np.cumsum(weights, axis=-1)
    rows = cumulative.reshape(-1, cumulative.shape[-1])
    which = np.broadcast_to(np.arange(len(rows)).reshape(cumulative.shape[:-1]), shape)
    part = bits.uniform(*next_key(), shape, "float64") * np.broadcast_to(cumulative[..., -1], shape)
    # Every step halves what is left, for all draws at once.
    low, high = np.zeros(shape, np.int64), np.full(shape, rows.shape[1] - 1)
    for _ in range((rows.shape[1] - 1).bit_length()):
        middle = (low + high) // 2
        beyond = rows[which, middle] > part
        high = np.where(beyond, middle, high)
        low = np.where(beyond, low, np.minimum(middle + 1, high))
    return low


def _distinct(weights: np.ndarray, count: int) -> np.ndarray:
    """Different class numbers, in the order in which they would be drawn one after another.

    Exponential waiting times with the weights as rates: the shortest is class k with probability w_k / sum(w).
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        waiting = bits.exponential(*next_key(), weights.shape, "float64") / weights
    waiting = np.minimum(waiting, np.finfo(np.float64).max)  # a class that is hardly possible is not impossible
    waiting[weights == 0] = math.inf
    order: np.ndarray = np.argsort(waiting, axis=-1, kind="stable")[..., :count]
    return order.astype(np.int64, copy=False)


# --- parameters -----------------------------------------------------------------------------------------


def has_axes(x: Any) -> bool:
    """Whether ``x`` is a tensor, an array or a list: not a number, nor an array with no axis."""
    return isinstance(x, (list, tuple)) or getattr(x, "ndim", 0) > 0


def home_of(device: str | None, *parameters: Any) -> str:
    """The device of a draw: the one asked for, else that of the first parameter which is a tensor elsewhere."""
    if device is not None:
        return device
    homes = (device_of(value._data) for value in parameters if isinstance(value, Tensor))
    return next((home for home in homes if home != "cpu"), "cpu")


def host(operation: str, name: str, x: Tensor) -> np.ndarray:
    """The values of a parameter, which are looked at before anything is drawn; those of a GPU are copied."""
    data = x._data
    if type(data) is not np.ndarray and device_of(data) not in DEVICES[1:]:
        fail(DeviceError, operation, f"needs {name} on the CPU, where it draws", {name: x})
    return on_host(data)


def require_broadcast(operation: str, name: str, values: Any, shape: tuple[int, ...]) -> None:
    """Refuse a parameter that does not broadcast to the shape of the draw."""
    found = np.shape(values)
    fits = len(found) <= len(shape) and all(a in (1, b) for a, b in zip(found[::-1], shape[::-1], strict=False))
    if not fits:
        fail(ShapeError, operation, f"needs {name} to broadcast to shape {shape}, but it has shape {found}")
