"""Random tensors. Every draw takes the next number of one counter, so one seed gives one sequence of results.

The bits are a pure function of (seed, counter, position), on every device: see ``backends/cpu/random.py``. Parameters
may be tensors, which broadcast to the shape of the draw. No gradient flows through a draw into them;
``mean + std * normal(shape)`` has one. A draw lies on the ``device`` asked for, else where its parameters are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, make_leaf, make_tensor
from tinygrad_lite.backends.cpu import gamma_draws
from tinygrad_lite.dialects import refusing
from tinygrad_lite.errors import ArgumentError, DTypeError, describe, fail
from tinygrad_lite.functions.arguments import checked_keywords, floating, number, shape_tuple
from tinygrad_lite.functions.devices import backend
from tinygrad_lite.functions.discrete import bernoulli as bernoulli
from tinygrad_lite.functions.discrete import categorical as categorical
from tinygrad_lite.functions.discrete import choice as choice
from tinygrad_lite.functions.discrete import has_axes, home_of, host, require_broadcast
from tinygrad_lite.functions.discrete import integers as integers
from tinygrad_lite.functions.discrete import multinomial as multinomial
from tinygrad_lite.functions.discrete import permutation as permutation
from tinygrad_lite.functions.stream import get_rng_state as get_rng_state
from tinygrad_lite.functions.stream import manual_seed as manual_seed
from tinygrad_lite.functions.stream import next_key as next_key
from tinygrad_lite.functions.stream import set_rng_state as set_rng_state

__all__ = [
    "bernoulli",
    "categorical",
    "choice",
    "exponential",
    "gamma",
    "get_rng_state",
    "integers",
    "manual_seed",
    "multinomial",
    "normal",
    "permutation",
    "set_rng_state",
    "uniform",
]


@checked_keywords
def uniform(
    shape: Any,
    low: Any = 0.0,
    high: Any = 1.0,
    *,
    dtype: Any = "float32",
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Independent numbers from U[low, high).

    Args:
        shape: of the result.
        low, high: finite numbers or tensors, low <= high; they and their distance fit into the dtype.
        dtype: float16, float32 or float64.
        device: ``"cpu"``, ``"cuda"`` or None: where a parameter is, or the CPU.
        requires_grad: make the result a leaf.

    Raises:
        ArgumentError: if the bounds are not finite, out of order or too far apart.
        ShapeError: if a bound does not broadcast to shape.

    >>> manual_seed(0)
    >>> x = uniform((2, 3), -1, 1)
    >>> x.shape, bool((x >= -1).all() & (x < 1).all())
    ((2, 3), True)
    """
    sizes, home = _sizes("uniform", shape, low=low, high=high), home_of(device, low, high)
    in_a_row = type(shape) is int and type(low) is int and (type(high), high) == (float, 1.0)
    low, high = _parameter("uniform", "low", low, sizes), _parameter("uniform", "high", high, sizes)
    if not _all((-math.inf < low) & (low <= high) & (high < math.inf)):
        need = "needs finite low <= high" + _found(low, high)
        hint = "exchange the two" if _all(low > high) else ""
        if in_a_row and hint:
            hint = f"the sizes of a shape go in brackets: uniform(({shape}, {low}))"
        fail(ArgumentError, "uniform", need, _tensors(low=low, high=high), hint)
    kind, xp = _float_dtype("uniform", dtype), backend("uniform", home)
    if type(low) is np.ndarray or type(high) is np.ndarray or (low, high) != (0.0, 1.0):
        with np.errstate(over="ignore"):
            first, last = _as(kind, low), _as(kind, high)
            extent = np.subtract(high, low, dtype=np.float64).astype(kind)
        if not _all(np.isfinite(first) & np.isfinite(last) & np.isfinite(extent)):
            need = f"needs bounds whose distance fits into {kind.name}" + _found(low, high)
            fail(ArgumentError, "uniform", need, _tensors(low=low, high=high), 'dtype="float64" reaches further')
        data = xp.uniform(*next_key(), sizes, kind)
        data *= _there(xp, extent)
        data += _there(xp, first)
        data = _at_most(xp, data, np.nextafter(last, first))  # rounding may have reached high, which is excluded
    else:
        data = xp.uniform(*next_key(), sizes, kind)
    return _leaf(data, requires_grad)


@checked_keywords
def normal(
    shape: Any,
    mean: Any = 0.0,
    std: Any = 1.0,
    *,
    dtype: Any = "float32",
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Independent numbers from the normal distribution, by Box and Muller's transform of uniform ones.

    Args:
        shape: of the result.
        mean, std: numbers or tensors; std is finite and at least 0.
        dtype: float16, float32 or float64.
        device: ``"cpu"``, ``"cuda"`` or None: where a parameter is, or the CPU.
        requires_grad: make the result a leaf.

    Raises:
        ArgumentError: if a std is negative or not finite.
        ShapeError: if a parameter does not broadcast to shape.

    >>> manual_seed(0)
    >>> x = normal((1000,), mean=5.0)
    >>> bool(abs(x.mean() - 5.0) < 0.2)
    True
    """
    sizes, home = _sizes("normal", shape, mean=mean, std=std), home_of(device, mean, std)
    mean, std = _parameter("normal", "mean", mean, sizes), _parameter("normal", "std", std, sizes)
    _require_scale("normal", "std", std)
    kind, xp = _float_dtype("normal", dtype), backend("normal", home)
    data = _scaled(xp, xp.normal(*next_key(), sizes, kind), std)
    if type(mean) is np.ndarray or mean != 0.0:
        data += _there(xp, _as(kind, mean))
    return _leaf(data, requires_grad)


@checked_keywords
def exponential(
    shape: Any,
    scale: Any = 1.0,
    *,
    dtype: Any = "float32",
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Independent numbers from the exponential distribution with mean ``scale``: its density is exp(-x/scale)/scale.

    Args:
        shape: of the result.
        scale: a number or tensor, finite and at least 0; one over PyTorch's rate.
        dtype: float16, float32 or float64.
        device: ``"cpu"``, ``"cuda"`` or None: where a parameter is, or the CPU.
        requires_grad: make the result a leaf.

    Raises:
        ArgumentError: if a scale is negative or not finite.
        ShapeError: if it does not broadcast to shape.

    >>> manual_seed(0)
    >>> x = exponential((1000,), 5.0)
    >>> bool((x >= 0).all() & (abs(x.mean() - 5.0) < 1.0))
    True
    """
    sizes, home = _sizes("exponential", shape, scale=scale), home_of(device, scale)
    scale = _parameter("exponential", "scale", scale, sizes)
    _require_scale("exponential", "scale", scale)
    kind, xp = _float_dtype("exponential", dtype), backend("exponential", home)
    return _leaf(_scaled(xp, xp.exponential(*next_key(), sizes, kind), scale), requires_grad)


@checked_keywords
def gamma(
    shape: Any,
    concentration: Any,
    scale: Any = 1.0,
    *,
    dtype: Any = "float32",
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Independent numbers from the gamma distribution, by Marsaglia and Tsang's method.

    Its density is proportional to x^(concentration - 1) exp(-x/scale); the mean is concentration * scale.

    Args:
        shape: of the result.
        concentration: a number or tensor, finite and greater than 0. Below 0.006 most float32 results round
            to 0, and below 0.0009 most float64 ones.
        scale: a number or tensor, finite and at least 0; one over PyTorch's rate.
        dtype: float16, float32 or float64.
        device: ``"cpu"``, ``"cuda"`` or None: where a parameter is, or the CPU.
        requires_grad: make the result a leaf.

    Raises:
        ArgumentError: if a concentration is not positive, or a scale is negative, or one is not finite.
        ShapeError: if a parameter does not broadcast to shape.

    >>> manual_seed(0)
    >>> x = gamma((1000,), 2.0, 3.0)
    >>> bool((x >= 0).all() & (abs(x.mean() - 6.0) < 1.0))
    True
    """
    sizes = _sizes("gamma", shape, concentration=concentration, scale=scale)
    home = home_of(device, concentration, scale)
    concentration = _parameter("gamma", "concentration", concentration, sizes)
    scale = _parameter("gamma", "scale", scale, sizes)
    if not _all((concentration > 0) & (concentration < math.inf)):
        need = "needs a finite concentration greater than 0" + _found(concentration)
        fail(ArgumentError, "gamma", need, _tensors(concentration=concentration))
    _require_scale("gamma", "scale", scale)
    kind, xp = _float_dtype("gamma", dtype), backend("gamma", home)
    data = gamma_draws.gamma(*next_key(), sizes, concentration, kind)  # on the CPU: elements try again one by one
    return _leaf(_scaled(xp, xp.asarray(data), scale), requires_grad)


# --- parameters -----------------------------------------------------------------------------------------


def _sizes(operation: str, shape: Any, **parameters: Any) -> tuple[int, ...]:
    """The shape of a draw; NumPy's order of the arguments, with the shape last, is refused."""
    if not hasattr(shape, "__iter__"):
        before = [shape]
        for name, value in parameters.items():
            if _is_shape(value, shape):
                hint = f"{operation}({', '.join(map(describe, [value, *before]))})"
                fail(ArgumentError, operation, "needs the shape first", {"shape": shape, name: value}, hint)
            before.append(value)
    return shape_tuple(operation, shape)


def _is_shape(value: Any, count: Any) -> bool:
    """Whether a parameter is the shape that was meant: not where it is a list with as many numbers as are drawn."""
    if not isinstance(value, (tuple, list)) or not all(type(n) is int for n in value):
        return False
    return isinstance(value, tuple) or len(value) != count


def _parameter(operation: str, name: str, value: Any, shape: tuple[int, ...]) -> Any:
    """A Python number, or an array that broadcasts to ``shape``."""
    if not has_axes(value):
        return number(operation, name, value)
    values = host(operation, name, floating(operation, value, name))
    require_broadcast(operation, name, values, shape)
    return values


def _all(holds: Any) -> bool:
    """Whether a comparison of numbers or of arrays holds everywhere."""
    return bool(holds.all()) if type(holds) is np.ndarray else bool(holds)


def _found(*values: Any) -> str:
    """What an error adds when the parameters are numbers; tensors are shown with their shapes."""
    numbers = [str(value) for value in values if type(value) is not np.ndarray]
    return f", but got {' and '.join(numbers)}" if len(numbers) == len(values) else ""


def _tensors(**values: Any) -> dict[str, Any]:
    return values if any(type(value) is np.ndarray for value in values.values()) else {}


def _require_scale(operation: str, name: str, value: Any) -> None:
    if not _all((value >= 0) & (value < math.inf)):
        need = f"needs a finite {name} of at least 0" + _found(value)
        hint = "the sign does not matter for a spread: abs(value)" if _all(value < 0) else ""
        fail(ArgumentError, operation, need, _tensors(**{name: value}), hint)


def _as(kind: Any, value: Any) -> Any:
    return value.astype(kind) if type(value) is np.ndarray else kind.type(value)


def _there(xp: Any, value: Any) -> Any:
    """A NumPy array or number as an operand of the draws of a namespace."""
    return xp.asarray(value) if type(value) is np.ndarray else value.item()


def _scaled(xp: Any, data: Any, factor: Any) -> Any:
    """The draw times a parameter: in its own memory, where its device can."""
    if type(factor) is np.ndarray or factor != 1.0:
        data *= _there(xp, _as(data.dtype, factor))
    return data


def _at_most(xp: Any, data: Any, limit: Any) -> Any:
    if type(data) is np.ndarray:
        return np.minimum(data, limit, out=data)
    return xp.minimum(data, _there(xp, limit))


def _float_dtype(operation: str, dtype: Any) -> Any:
    """The dtype of the draw, refused before a key is spent on it."""
    kind = dtypes.as_dtype(dtype)
    if not dtypes.is_float(kind):
        hint = "integers() draws whole numbers"
        fail(DTypeError, operation, f"needs a floating-point dtype, but got {kind.name}", {}, hint)
    return kind


def _leaf(data: Any, requires_grad: bool) -> Tensor:
    tensor = make_tensor(data)
    if requires_grad:
        make_leaf(tensor)
    return tensor


if not TYPE_CHECKING:  # mypy knows every name
    __getattr__ = refusing("tinygrad_lite.random")
