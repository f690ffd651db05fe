"""Penalties on parameters that are added to a loss."""

from __future__ import annotations

from collections.abc import Iterable

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.errors import ArgumentError, fail
from tinygrad_lite.functions.arguments import number
from tinygrad_lite.functions.elementwise import square
from tinygrad_lite.functions.reductions import sum

__all__ = ["l2_penalty"]


@checked_keywords
def l2_penalty(parameters: Iterable[Tensor], strength: float) -> Tensor:
    """lambda/2 ||p||^2: half ``strength`` times the squared norm of all parameters, weights and biases alike.

    The second lecture's regulariser, J(p) = mean error + 1/2 lambda ||p||^2. Its gradient is lambda p, so
    ``weight_decay=strength`` of plain SGD takes the same steps without the extra passes.

    Args:
        parameters: tensors, such as ``model.parameters()``.
        strength: lambda, at least 0.

    Returns:
        A 0-d tensor to add to the loss.

    Raises:
        ArgumentError: if there are no parameters (an iterator may be used up) or strength is negative.

    >>> from tinygrad_lite import nn
    >>> p = nn.Parameter([3.0, 4.0])
    >>> loss = l2_penalty([p], 0.1)
    >>> loss.backward()
    >>> loss.item(), p.grad
    (1.25, Tensor([0.3, 0.4]))
    """
    strength = number("l2_penalty", "strength", strength)
    if not strength >= 0:
        hint = "the penalty is added to a loss that becomes smaller"
        fail(ArgumentError, "l2_penalty", f"needs a strength of at least 0, but got {strength}", {}, hint)
    norms = [sum(square(parameter)) for parameter in parameters]
    if not norms:
        hint = "an iterator such as model.parameters() gives its tensors only once: was it used before?"
        fail(ArgumentError, "l2_penalty", "needs at least one parameter", {}, hint)
    total = norms[0]
    for norm in norms[1:]:
        total = total + norm
    return total * (0.5 * strength)
