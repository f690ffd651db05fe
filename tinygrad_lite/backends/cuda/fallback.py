"""The few functions that the GPU backend computes on the CPU: decompositions, solvers, complex order, slices as sets.

Each copies its operands to the processor and the results back, which waits for the GPU. It is counted, and a
warning names it once.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.backends.cpu import namespace as cpu
from tinygrad_lite.backends.cuda.array import CudaArray, from_host
from tinygrad_lite.errors import warn

counts: Counter[str] = Counter()  #: function -> how often it was computed on the CPU


def on_cpu(name: str) -> Callable[..., Any]:
    """The function ``name`` of the CPU's namespace on arrays of the GPU."""
    function = getattr(cpu, name)

    @functools.wraps(function, assigned=("__doc__",), updated=())
    def computed(*args: Any, **kwargs: Any) -> Any:
        note(name)
        results = function(*map(_down, args), **{key: _down(value) for key, value in kwargs.items()})
        return _up(results)

    computed.__name__ = computed.__qualname__ = name
    return computed


def note(name: str) -> None:
    """Count a function that is about to be computed on the CPU, and say so the first time."""
    if not counts[name]:
        warn(f"{name} is computed on the CPU: arrays go there and back, and the GPU waits", RuntimeWarning)
    counts[name] += 1


def _down(value: Any) -> Any:
    if type(value) is CudaArray:
        return value.get()
    return type(value)(map(_down, value)) if type(value) in (tuple, list) else value


def _up(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_up, value))
    return from_host(np.asarray(value))
