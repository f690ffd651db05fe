"""Directions: vectors scaled to length one, and the cosine of the angle between two."""

from __future__ import annotations

from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.errors import ArgumentError, fail
from tinygrad_lite.functions.arguments import axis_number, checked_keywords, floating, number
from tinygrad_lite.functions.elementwise import clip, divide, multiply
from tinygrad_lite.functions.gathering import common_shape
from tinygrad_lite.functions.manipulation import broadcast_to, cast
from tinygrad_lite.functions.norms import vector_norm
from tinygrad_lite.functions.reductions import sum

__all__ = ["cosine_similarity", "normalize"]


@checked_keywords
def normalize(x: Any, /, ord: float = 2, axis: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(norm of x, eps) along ``axis``: vectors of length one, and zeros where x is zero.

    Args:
        x: any shape with such an axis; integers become float32.
        ord: of the norm, as for ``linalg.vector_norm``.
        axis: along which the vectors lie.
        eps: the least number to divide by; vectors that are shorter stay shorter than one.

    >>> normalize(Tensor([[3.0, 4.0], [0.0, 0.0]]))
    Tensor([[0.6, 0.8],
            [0. , 0. ]])
    """
    x = floating("normalize", x)
    place = axis_number("normalize", axis, x._data.ndim, x)
    return cast(_directed(_wide(x), ord, place, _least("normalize", eps)), x._data.dtype)


@checked_keywords
def cosine_similarity(x1: Any, x2: Any, /, axis: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along ``axis``: the cosine of the angle, 0 if a vector is zero.

    Args:
        x1, x2: they broadcast and promote; integers become float32.
        axis: along which the vectors lie, of the shape that both broadcast to; it is summed over.
        eps: the least number to divide by.

    >>> cosine_similarity(Tensor([[1.0, 0.0], [1.0, 1.0]]), Tensor([[2.0, 0.0], [1.0, -1.0]]))
    Tensor([1., 0.])
    """
    operation = "cosine_similarity"
    x1, x2 = floating(operation, x1, "x1"), floating(operation, x2, "x2")
    shape = common_shape(operation, {"x1": x1, "x2": x2})
    x1, x2 = broadcast_to(x1, shape), broadcast_to(x2, shape)
    place, least = axis_number(operation, axis, len(shape), x1), _least(operation, eps)
    # Each is divided before they are multiplied, so that no product of lengths can underflow.
    cosine = sum(multiply(*(_directed(_wide(x), 2, place, least) for x in (x1, x2))), place)
    return cast(cosine, dtypes.promote(x1._data.dtype, x2._data.dtype))


def _directed(x: Tensor, ord: float, axis: int, least: float) -> Tensor:
    return divide(x, clip(vector_norm(x, axis=axis, keepdims=True, ord=ord), least))


def _wide(x: Tensor) -> Tensor:
    """float16 as float32, which can hold ``eps``."""
    return cast(x, dtypes.default_float) if x._data.dtype.itemsize < 4 else x


def _least(operation: str, eps: Any) -> float:
    least = number(operation, "eps", eps)
    if not least >= 0:
        fail(ArgumentError, operation, f"needs eps >= 0, but got {eps}", {}, "it is the least number to divide by")
    return float(least)
