"""Random tensors. Every draw takes the next number of one counter, so one seed gives one sequence of results.

The bits are a pure function of (seed, counter, position): see ``backends/cpu/random.py``.
"""

from __future__ import annotations

import threading
from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, make_leaf, make_tensor
from tinygrad_lite.backends.cpu import random as bits
from tinygrad_lite.errors import ArgumentError, fail
from tinygrad_lite.functions.arguments import checked_keywords, shape_tuple

__all__ = [
    "get_rng_state",
    "integers",
    "manual_seed",
    "normal",
    "permutation",
    "set_rng_state",
    "uniform",
]

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
    if not isinstance(seed, int) or not 0 <= seed < 2**64:
        fail(ArgumentError, "manual_seed", f"needs an integer from 0 to 2^64 - 1, but got {seed!r}")
    with _lock:
        _state.update(seed=seed, counter=0)


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
    if set(state) != {"seed", "counter"} or not all(isinstance(v, int) and v >= 0 for v in state.values()):
        fail(ArgumentError, "set_rng_state", f"needs a state from get_rng_state, but got {state!r}")
    with _lock:
        _state.update(state)


def next_key() -> tuple[int, int]:
    """The (seed, counter) of the next draw, which no other draw gets."""
    with _lock:
        key = _state["seed"], _state["counter"]
        _state["counter"] += 1
        return key


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
    if not low <= high:
        fail(ArgumentError, "uniform", f"needs low <= high, but got {low} and {high}")
    kind = dtypes.as_dtype(dtype)
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
    if not std >= 0:
        fail(ArgumentError, "normal", f"needs std >= 0, but got {std}")
    kind = dtypes.as_dtype(dtype)
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
    seed, counter = next_key()
    return make_tensor(bits.integers(seed, counter, sizes, low, high).astype("int64", copy=False))


def permutation(n: int) -> Tensor:
    """The numbers 0, ..., n - 1 in random order, as int64.

    >>> manual_seed(0)
    >>> sorted(permutation(4).tolist())
    [0, 1, 2, 3]
    """
    return make_tensor(bits.permutation(*next_key(), n))
