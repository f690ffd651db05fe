"""Random tensors. Every draw takes the next number of one counter, so one seed gives one sequence of results.

The bits are a pure function of (seed, counter, position): see ``backends/cpu/random.py``.
"""

from __future__ import annotations

import math
import threading
from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, make_leaf, make_tensor
from tinygrad_lite.backends.cpu import random as bits
from tinygrad_lite.errors import ArgumentError, DTypeError, fail
from tinygrad_lite.functions.arguments import checked_keywords, integer, number, shape_tuple

__all__ = [
    "get_rng_state",
    "integers",
    "manual_seed",
    "normal",
    "permutation",
    "set_rng_state",
    "uniform",
]

_LIMIT = 2**64  # seeds and counters are unsigned 64-bit numbers
_lock = threading.Lock()
_state = {"seed": 0, "counter": 0}


def manual_seed(seed: int) -> None:
    """Start the random stream afresh: the same seed gives the same numbers, bit for bit.

    Args:
        seed: 0 to 2^64 - 1. A process starts with seed 0.

    >>> manual_seed(7)
    >>> first = uniform((2,))
    >>> manual_seed(7)
    >>> bool((uniform((2,)) == first).all())
    True
    """
    start = integer("manual_seed", "seed", seed)
    if not 0 <= start < _LIMIT:
        fail(ArgumentError, "manual_seed", f"needs a seed from 0 to 2^64 - 1, but got {start}")
    with _lock:
        _state.update(seed=start, counter=0)


def get_rng_state() -> dict[str, int]:
    """The seed and the number of draws so far; ``set_rng_state`` continues from there.

    >>> manual_seed(3)
    >>> get_rng_state()
    {'seed': 3, 'counter': 0}
    """
    with _lock:
        return dict(_state)


def set_rng_state(state: dict[str, int]) -> None:
    """Continue the random stream from a state of ``get_rng_state``.

    >>> manual_seed(3)
    >>> state = get_rng_state()
    >>> first = uniform(())
    >>> set_rng_state(state)
    >>> bool(uniform(()) == first)
    True
    """
    known = isinstance(state, dict) and set(state) == {"seed", "counter"}
    if not known or not all(isinstance(v, int) and 0 <= v < _LIMIT for v in state.values()):
        fail(ArgumentError, "set_rng_state", "needs a state from get_rng_state", {"state": state})
    with _lock:
        _state.update(state)


def next_key() -> tuple[int, int]:
    """The (seed, counter) of the next draw, which no other draw gets."""
    with _lock:
        key = _state["seed"], _state["counter"]
        _state["counter"] += 1
        return key


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


@checked_keywords
def uniform(
    shape: Any, low: float = 0.0, high: float = 1.0, *, dtype: Any = "float32", requires_grad: bool = False
) -> Tensor:
    """Independent numbers from U[low, high).

    >>> manual_seed(0)
    >>> x = uniform((2, 3), -1, 1)
    >>> x.shape, bool((x >= -1).all() & (x < 1).all())
    ((2, 3), True)
    """
    sizes = shape_tuple("uniform", shape)
    low, high = number("uniform", "low", low), number("uniform", "high", high)
    if not -math.inf < low <= high < math.inf:
        fail(ArgumentError, "uniform", f"needs finite low <= high, but got {low} and {high}")
    kind = _float_dtype("uniform", dtype)
    data = bits.uniform(*next_key(), sizes, kind)
    if (low, high) != (0.0, 1.0):
        data *= kind.type(high - low)
        data += kind.type(low)
    return _leaf(data, requires_grad)


@checked_keywords
def normal(
    shape: Any, mean: float = 0.0, std: float = 1.0, *, dtype: Any = "float32", requires_grad: bool = False
) -> Tensor:
    """Independent numbers from the normal distribution, by Box and Muller's transform of uniform ones.

    >>> manual_seed(0)
    >>> x = normal((1000,), mean=5.0)
    >>> bool(abs(x.mean() - 5.0) < 0.2)
    True
    """
    sizes = shape_tuple("normal", shape)
    mean, std = number("normal", "mean", mean), number("normal", "std", std)
    if not 0 <= std < math.inf:
        fail(ArgumentError, "normal", f"needs a finite std of at least 0, but got {std}")
    kind = _float_dtype("normal", dtype)
    data = bits.normal(*next_key(), sizes, kind)
    if std != 1.0:
        data *= kind.type(std)
    if mean != 0.0:
        data += kind.type(mean)
    return _leaf(data, requires_grad)


@checked_keywords
def integers(low: int, high: int, shape: Any = ()) -> Tensor:
    """Independent int64 numbers, each of low, ..., high - 1 equally likely.

    >>> manual_seed(0)
    >>> x = integers(0, 10, (100,))
    >>> bool((x >= 0).all() & (x < 10).all())
    True
    """
    sizes = shape_tuple("integers", shape)
    low, high = integer("integers", "low", low), integer("integers", "high", high)
    bits.integers(0, 0, 0, low, high)  # a draw of nothing: refuses bad bounds before a key is spent
    return make_tensor(bits.integers(*next_key(), sizes, low, high).astype("int64", copy=False))


def permutation(n: int) -> Tensor:
    """The numbers 0, ..., n - 1 in random order, as int64.

    >>> manual_seed(0)
    >>> sorted(permutation(4).tolist())
    [0, 1, 2, 3]
    """
    count = integer("permutation", "n", n)
    if count < 0:
        fail(ArgumentError, "permutation", f"needs n of at least 0, but got {count}")
    return make_tensor(bits.permutation(*next_key(), count))
