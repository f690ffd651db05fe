"""Trigonometric and hyperbolic functions and their inverses."""

from __future__ import annotations

from typing import Any

import numpy as np

from operations.row import real, sample
from operations.rows.elementwise import binary, unary


def _inside(*shape: int) -> np.ndarray:
    """Numbers from (-0.9, 0.9)."""
    return real(*shape, low=-0.9, high=0.9)


def _above_one(*shape: int) -> np.ndarray:
    return real(*shape, low=1.25, high=3.25)


_FAR = [sample(np.array([-200.0, 150.0, 3.0]), label="far")]
unary("sin", np.sin, length=4)
unary("cos", np.cos, length=4)
unary("tan", np.tan, _inside, length=4)
unary("asin", np.arcsin, _inside, length=4, condition=4)
unary("acos", np.arccos, _inside, length=4, condition=4)
unary("atan", np.arctan, length=4, extra=_FAR)
binary("atan2", np.arctan2, length=4, condition=8, integers="float32")
unary("sinh", np.sinh, length=4)
unary("cosh", np.cosh, length=4)
unary("tanh", np.tanh, length=4)
unary("asinh", np.arcsinh, length=4, extra=_FAR)
unary("acosh", np.arccosh, _above_one, length=4, condition=4)
unary("atanh", np.arctanh, lambda *shape: 0.8 * _inside(*shape), length=4, condition=8, integers=None)
unary("deg2rad", np.deg2rad, covers=("multiply",))
unary("rad2deg", np.rad2deg, covers=("multiply",))


def _smooth_sinc(t: Any, x: Any) -> Any:
    return t.sin(t.pi * x) / (t.pi * x)  # whose second derivative is right away from 0


unary("sinc", np.sinc, torch=_smooth_sinc, length=8, condition=4)
