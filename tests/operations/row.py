"""What a row of the table of operations is, and how the chapters in ``rows/`` add theirs.

A row names the operation, its references in NumPy and PyTorch, and samples over awkward shapes.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np


class Sample(NamedTuple):
    """One call: arrays (floats in float64, indices and masks as they are) and options."""

    arrays: tuple[np.ndarray, ...]
    options: dict[str, Any]
    label: str


def sample(*arrays: Any, label: str = "", **options: Any) -> Sample:
    """A sample whose label shows its shapes and options."""
    held = tuple(np.asarray(a) for a in arrays)
    shapes = ",".join("x".join(map(str, a.shape)) or "0d" for a in held)
    words = [shapes, label] if label else [shapes, *(f"{k}={_short(v)}" for k, v in options.items())]
    return Sample(held, options, " ".join(w for w in words if w))


def _short(value: Any) -> str:
    return f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else str(value)


@dataclasses.dataclass(frozen=True)
class Operation:
    """One row.

    Attributes:
        name: the exported name.
        call: the operation on tensors, ``call(*tensors, **options)``.
        numpy: the same on NumPy arrays.
        torch: the same in PyTorch, ``torch(torch, *tensors, **options)``; None where it has no counterpart.
        samples: the calls to make; away from kinks, whose conventions stand in docs/gradients.md.
        covers: the declared rows that these calls exercise.
        length: operations per element of the result; None: as many as the largest operand has elements.
        condition: how much larger than the operands the numbers inside get.
        differentiable: positions of the operands with a gradient; None: all floating-point ones.
        dtypes: the floating-point types that it works on.
        returns: the dtype of each result: "same" as the operands, or a name.
        integers: the dtype that int32 operands give ("same", a name), or None where there is nothing to say.
        flat: whether the gradient is zero everywhere.
        differences: whether finite differences in float64 can see the gradient.
    """

    name: str
    call: Callable[..., Any]
    numpy: Callable[..., Any]
    torch: Callable[..., Any] | None
    samples: tuple[Sample, ...]
    covers: tuple[str, ...]
    length: float | None = 1
    condition: float = 1.0
    differentiable: tuple[int, ...] | None = None
    dtypes: tuple[str, ...] = ("float16", "float32", "float64")
    returns: tuple[str, ...] = ("same",)
    integers: str | None = None
    flat: bool = False
    differences: bool = True

    def active(self, arrays: Iterable[np.ndarray]) -> tuple[int, ...]:
        """Which operands of a call have a gradient."""
        floats = tuple(i for i, a in enumerate(arrays) if a.dtype.kind == "f")
        return floats if self.differentiable is None else self.differentiable

    def model(self, arrays: Iterable[np.ndarray], dtype: Any = "float64") -> dict[str, Any]:
        """What the rounding model has to know of a call."""
        arrays = [np.asarray(a) for a in arrays]
        largest = max((a.size for a in arrays), default=1)
        size = max((float(np.abs(a).max(initial=0.0)) for a in arrays if a.dtype.kind == "f"), default=0.0)
        length = largest if self.length is None else self.length
        return {"length": length, "size": self.condition * max(size, 1.0), "dtype": dtype}


operations: dict[str, Operation] = {}


def operation(name: str, call: Any, numpy: Any, torch: Any, samples: Iterable[Sample], **fields: Any) -> None:
    """Add a row to the table."""
    assert name not in operations, f"{name} has two rows"
    fields.setdefault("covers", (name,))
    operations[name] = Operation(name, call, numpy, torch, tuple(samples), **fields)


def also_called(alias: str, name: str) -> None:
    """A second exported name of one operation."""
    operations[alias] = dataclasses.replace(operations[name], name=alias)


# --- sample values ----------------------------------------------------------------------------------

_random = np.random.default_rng(7)
_offsets = itertools.cycle((0.37, 0.21, 0.29, 0.43))


def real(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Numbers from (low, high) in random order, all apart from each other and from the middle: no ties, no kinks."""
    count = int(np.prod(shape))
    places = _random.permutation(count) + next(_offsets)
    return (low + (high - low) * places / max(count, 1)).reshape(shape)


def positive(*shape: int) -> np.ndarray:
    """Numbers from (0.5, 2.5)."""
    return real(*shape, low=0.5, high=2.5)


def integers(*shape: int, below: int) -> np.ndarray:
    """Indices, some of them more than once."""
    return _random.integers(0, below, shape)


SHAPES = ((), (0,), (1,), (5,), (2, 3), (3, 0, 2), (2, 1, 3))
PAIRS = (
    *(((), ()), ((3,), ()), ((), (2, 2)), ((2, 3), (3,)), ((2, 1, 3), (4, 1)), ((1,), (0,))),
    *(((2, 3), (2, 3)), ((0, 3), (1, 3)), ((2, 3), (1, 1))),
)
