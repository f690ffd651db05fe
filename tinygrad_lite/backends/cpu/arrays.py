"""The names that the chapters of the CPU namespace share."""

from __future__ import annotations

from typing import Any, TypeAlias

Array: TypeAlias = Any  #: np.ndarray; its generic annotation would want a cast in every line
Axes: TypeAlias = "tuple[int, ...]"
