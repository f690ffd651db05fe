"""The state of the random stream: a seed, and the number of draws so far. Every draw takes the next number.

The bits are a pure function of (seed, counter, position): see ``backends/cpu/random.py``.
"""

from __future__ import annotations

import threading

from tinygrad_lite.autograd.graph import mode
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.errors import ArgumentError, fail
from tinygrad_lite.functions.arguments import integer

__all__ = ["get_rng_state", "manual_seed", "set_rng_state"]

_LIMIT = 2**64  # seeds and counters are unsigned 64-bit numbers
_lock = threading.Lock()
_state = {"seed": 0, "counter": 0}


@checked_keywords
def manual_seed(seed: int) -> None:
    """Start the random stream afresh: the same seed gives the same numbers, bit for bit.

    Args:
        seed: 0 to 2^64 - 1. A process starts with seed 0.

    >>> from tinygrad_lite import random
    >>> manual_seed(7)
    >>> first = random.uniform((2,))
    >>> manual_seed(7)
    >>> bool((random.uniform((2,)) == first).all())
    True
    """
    start = integer("manual_seed", "seed", seed)
    if not 0 <= start < _LIMIT:
        hint = "any such number will do; the same one gives the same numbers again"
        fail(ArgumentError, "manual_seed", f"needs a seed from 0 to 2^64 - 1, but got {start}", {}, hint)
    if mode.tape is not None and mode.tape.quiet:
        return  # the draws that follow are replayed, and the stream of everyone else goes on
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


@checked_keywords
def set_rng_state(state: dict[str, int]) -> None:
    """Continue the random stream from a state of ``get_rng_state``.

    >>> from tinygrad_lite import random
    >>> manual_seed(3)
    >>> state = get_rng_state()
    >>> first = random.uniform(())
    >>> set_rng_state(state)
    >>> bool(random.uniform(()) == first)
    True
    """
    known = isinstance(state, dict) and set(state) == {"seed", "counter"}
    if not known or not all(isinstance(v, int) and 0 <= v < _LIMIT for v in state.values()):
        fail(ArgumentError, "set_rng_state", "needs a state from get_rng_state", {"state": state})
    if mode.tape is not None and mode.tape.quiet:
        return
    with _lock:
        _state.update(state)


def skip(draws: int) -> tuple[int, int]:
    """Leave out the next draws, which somebody else makes; the (seed, counter) of the first of them."""
    with _lock:
        key = _state["seed"], _state["counter"]
        _state["counter"] += draws
        return key


def next_key() -> tuple[int, int]:
    """The (seed, counter) of the next draw, which no other draw gets (but its repetition in a checkpoint)."""
    return _draw() if mode.tape is None else mode.tape.key(_draw)


def _draw() -> tuple[int, int]:
    with _lock:
        key = _state["seed"], _state["counter"]
        _state["counter"] += 1
        return key
