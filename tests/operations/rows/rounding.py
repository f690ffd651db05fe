"""Rounding and remainders, away from the steps."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import SHAPES, operation, real, sample
from operations.rows.elementwise import binary, unary

unary("floor", np.floor, integers="same", flat=True)
unary("ceil", np.ceil, integers="same", flat=True)
unary("trunc", np.trunc, integers="same", flat=True)
unary("frac", lambda x: x - np.trunc(x), torch=lambda t, x: x - t.trunc(x), covers=("trunc",), integers="same")
operation(
    "round",
    tgl.round,
    np.round,
    lambda t, x, **options: t.round(x, **options),
    [
        *(sample(real(*shape)) for shape in SHAPES),
        sample(np.array([0.5, 1.5, -0.5, 2.5]), label="halves"),
        sample(real(5), decimals=1),
        sample(real(5, low=-500.0, high=500.0), decimals=-2),
    ],
    flat=True,
    differences=False,
)


def _dividend(*shape: int) -> np.ndarray:
    """Numbers from (2.25, 2.75), whose quotients by those below stay away from whole ones."""
    return real(*shape, low=2.25, high=2.75)


def _divisor(*shape: int) -> np.ndarray:
    """Numbers from (1, 1.05) and their negatives."""
    x = real(*shape, low=1.0, high=1.05)
    return np.where(np.arange(x.size).reshape(shape) % 2, -x, x)


def _quotients(name: str, numpy: Any, torch: Any = None, **fields: Any) -> None:
    binary(name, numpy, _dividend, _divisor, torch, numbers=(2, 0.7, 3.5, 2.5, 0.5), condition=4, **fields)


def _floor_divide(t: Any, a: Any, b: Any) -> Any:
    return t.floor(a / b)  # their own has no derivative


_quotients("floor_divide", np.floor_divide, _floor_divide, flat=True)
_quotients("remainder", np.remainder)
_quotients("fmod", np.fmod)
