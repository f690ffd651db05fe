"""Derivatives by differences of a function's values, each with a bound on its error; ``gradcheck`` stands on them.

A ``Function`` is the function under test on plain arrays; ``differences`` follows it along one direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_lite.autograd.graph import Tensor, no_grad
from tinygrad_lite.autograd.transforms import jvp, vjp

Vector: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

#: One evaluation of ``func`` is trusted to this many unit round-offs of its value and of its condition.
_EVALUATION = 8.0
#: A derivative by rules is trusted to this many unit round-offs of the products that are summed up in it.
_RULES = 64.0
#: How many steps, each a quarter of the one before, compete for the smallest error bound; and how many are tried
#: to get inside the function's domain.
_STEPS, _MOST_STEPS = 5, 20


class Function:
    """A function of its differentiable inputs: as arrays, as derivatives by rules, with names for all."""

    def __init__(
        self,
        name: str,
        call: Callable[..., tuple[Tensor, ...]],
        names: Sequence[str],
        arrays: Sequence[Vector],
    ) -> None:
        self.name, self.call, self.names, self.arrays = name, call, list(names), list(arrays)
        self.level = 1
        #: Magnitudes that cancel inside the function without showing in its value, such as 1 in 1 - tanh(x)^2.
        self.hidden = 0.0
        outputs = self.outputs(self.arrays)
        self.output_names = ["output"] if len(outputs) == 1 else [f"outputs[{j}]" for j in range(len(outputs))]
        self.like = [y.detach().numpy() for y in outputs]
        self.unit = max(float(np.finfo(a.dtype).eps) / 2 for a in (*self.arrays, *self.like))

    def outputs(self, arrays: Sequence[Vector]) -> tuple[Tensor, ...]:
        with no_grad():
            return self.call(*[Tensor(a) for a in arrays])

    def values(self, arrays: Sequence[Vector]) -> Vector:
        """All outputs in one float64 vector."""
        return flat([y.numpy() for y in self.outputs(arrays)])

    def reverse(self, v: Vector) -> list[Vector]:
        """J^T v, per input, by the rules."""
        _, found = vjp(self.call, self._tensors(self.arrays), self._tensors(split(v, self.like)))
        for name, x, g in zip(self.names, self.arrays, found, strict=True):
            if g.shape != x.shape or g.dtype != x.dtype:
                raise Misfit(f"the gradient in {name} has shape {g.shape} and dtype {g.dtype.name}")
        return [g.numpy() for g in found]

    def forward(self, k: int, u: Vector) -> Vector:
        """J u for a change of the k-th input alone, by the rules."""
        us = [u if i == k else np.zeros_like(x) for i, x in enumerate(self.arrays)]
        _, found = jvp(self.call, self._tensors(self.arrays), self._tensors(us))
        for name, y, t in zip(self.output_names, self.like, found, strict=True):
            if t.shape != y.shape or t.dtype != y.dtype:
                raise Misfit(f"the tangent of {name} has shape {t.shape} and dtype {t.dtype.name}")
        return flat([t.numpy() for t in found])

    @staticmethod
    def _tensors(arrays: Sequence[Vector]) -> tuple[Tensor, ...]:
        return tuple(Tensor(a) for a in arrays)

    def derivative(self, k: int) -> str:
        """``d/dx``, at the second order ``d2/dx``."""
        return f"d{self.level if self.level > 1 else ''}/d{self.names[k]}"


class Misfit(Exception):
    """A derivative that is not even of the right kind."""


# --- along one direction ----------------------------------------------------------------------


class Line(NamedTuple):
    """Derivatives along a line, per row of weights: values, error bounds, and one-sided values at kinks."""

    value: Vector
    allowed: Vector
    kink: Vector
    low: Vector
    high: Vector


def differences(
    function: Function, k: int, u: Vector, eps: float | None, weights: Vector | None, gradient: Any
) -> Line:
    """Differences along ``u``, of each output (``weights`` None) or of weighted sums, at the best of a few steps."""
    arrays, unit = function.arrays, function.unit
    x = arrays[k].astype(np.float64)
    scale = float(np.sqrt(np.mean(x * x))) or 1.0
    h = eps if eps is not None else unit ** (1 / 3) * scale
    centre = function.values(arrays)
    magnitude = np.abs(centre) + function.hidden
    magnitude = magnitude if weights is None else np.abs(weights) @ magnitude
    usable = weights is not None and not isinstance(gradient, str) and bool(np.all(np.isfinite(gradient)))
    reach = 1.0 if weights is None else float(np.abs(weights).sum())

    def at(t: float) -> Vector:
        moved = [(x + t * u).astype(a.dtype) if i == k else a for i, a in enumerate(arrays)]
        return function.values(moved) - centre

    best: Line | None = None
    previous: Any = 0.0
    steps = 0
    for _ in range(1 if eps is not None else _MOST_STEPS):
        with np.errstate(all="ignore"):
            right, left, near_right, near_left = at(h), -at(-h), at(h / 2), -at(-h / 2)
            truncation = np.abs((near_right + near_left) / h - (right + left) / (2 * h))
            if weights is not None:
                truncation = np.abs(weights) @ truncation
                right, left, near_right, near_left = (weights @ d for d in (right, left, near_right, near_left))
            wide, narrow = (right + left) / (2 * h), (near_right + near_left) / h
            value = (4 * narrow - wide) / 3
            # How much a relative change of one unit round-off in every input element changes the result.
            condition = np.abs(value) * float(np.abs(x).max(initial=0.0)) / max(float(np.abs(u).max()), 1e-300)
            if usable:
                condition = condition + float(np.sum(np.abs(gradient) * np.abs(x)))
            noise = _EVALUATION * unit * (magnitude + condition) / h
            # A rule such as 1 - tanh(x)^2 loses what is small against 1.
            terms = np.abs(value) + reach * float(np.abs(u).max())
            if usable:
                terms = terms + float(np.sum(np.abs(gradient) * np.abs(u)))
            # The difference may vanish by chance, but not from a step to its quarter, where it falls to 1/16.
            allowed = np.maximum(truncation, previous / 64) + 3 * noise + _RULES * unit * terms
            # Second derivatives make the sides differ by an amount that halves with h; kinks by one that stays.
            gap, near_gap = (right - left) / h, 2 * (near_right - near_left) / h
            jump = (np.abs(narrow) > 1.5 * np.abs(wide)) & (np.abs(narrow - wide) > 16 * noise)
            jump |= (np.abs(near_gap) > 1.5 * np.abs(gap)) & (np.abs(near_gap - gap) > 16 * noise)
            kink = (np.abs(near_gap) > 0.75 * np.abs(gap)) & (np.abs(near_gap) > 16 * noise) | jump
            sides = 2 * near_right / h, 2 * near_left / h
            low = np.where(jump, -np.inf, np.minimum(*sides) - allowed)
            high = np.where(jump, np.inf, np.maximum(*sides) + allowed)
        line = Line(value, allowed, kink, low, high)
        h /= 4
        if not np.all(np.isfinite(value)):
            best = best or line
            continue
        previous, steps = truncation, steps + 1
        if steps == 1 or allowed.sum() < best.allowed.sum():  # type: ignore[union-attr]
            best = line
        if steps == _STEPS:
            break
    assert best is not None
    return best


# --- vectors ------------------------------------------------------------------------------------------


def normal(rng: np.random.Generator, like: Vector) -> Vector:
    """Standard normal numbers in the shape and dtype of ``like``."""
    drawn: Any = rng.standard_normal(like.shape)
    return np.asarray(drawn, like.dtype)


def flat(arrays: Sequence[Vector]) -> Vector:
    """All elements in one float64 vector."""
    joined: Vector = np.concatenate([a.astype(np.float64).ravel() for a in arrays])
    return joined


def split(v: Vector, like: Sequence[Vector]) -> list[Vector]:
    """The inverse of ``flat``, in the shapes and dtypes of ``like``."""
    parts, start = [], 0
    for y in like:
        parts.append(v[start : start + y.size].reshape(y.shape).astype(y.dtype))
        start += y.size
    return parts


def dot(a: Vector, b: Vector) -> float:
    """The sum of the products, in float64."""
    return float(np.sum(a.astype(np.float64) * b.astype(np.float64)))
