"""Optimiser updates over flat arrays, in place: what ``optim`` calls for each run of parameters.

Each update is a chain of ufuncs over blocks that stay in cache, with every result written to an operand or to
a scratch block of the thread: nothing the size of the model is allocated, and the gradient is only
read. The cost is memory traffic: each array is read, and all but the gradient written, once per step.

``p`` is the parameters, ``g`` their gradient, all arrays are 1-D and of one float dtype and length. Scalars are
computed in double precision, as far as they can be folded, and rounded once to the dtype.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from tinygrad_lite.backends.cpu.parallel import BLOCK, for_blocks, scratch

Array: TypeAlias = Any  #: np.ndarray


def sgd(
    p: Array,
    g: Array,
    buffer: Array | None,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """``buffer = momentum buffer + (1 - dampening) g;  p -= lr buffer``; without a buffer ``p -= lr g``.

    ``first``: the buffer holds nothing yet and becomes the gradient itself.
    """

    def block(start: int, stop: int) -> None:
        x, u = p[start:stop], scratch("u", (stop - start,), p.dtype)
        d = _direction(x, g[start:stop], weight_decay, maximize)
        if buffer is not None:
            b = buffer[start:stop]
            if first:
                np.copyto(b, d)
            else:
                np.multiply(b, momentum, b)
                np.add(b, d if dampening == 0 else np.multiply(d, 1 - dampening, u), b)
            d = np.add(d, np.multiply(b, momentum, u), u) if nesterov else b
        np.subtract(x, np.multiply(d, lr, u), x)

    for_blocks(p.size, BLOCK, block)


def adagrad(p: Array, g: Array, total: Array, *, lr: float, eps: float, weight_decay: float, maximize: bool) -> None:
    """``total += g^2;  p -= lr g / (sqrt(total) + eps)``."""
    divide = _division(p.dtype, eps)

    def block(start: int, stop: int) -> None:
        x, s, u = p[start:stop], total[start:stop], scratch("u", (stop - start,), p.dtype)
        d = _direction(x, g[start:stop], weight_decay, maximize)
        np.add(s, np.square(d, u), s)
        divide(d, np.add(np.sqrt(s, u), eps, u))
        np.subtract(x, np.multiply(u, lr, u), x)

    for_blocks(p.size, BLOCK, block)


def rmsprop(
    p: Array,
    g: Array,
    square_avg: Array,
    grad_avg: Array | None,
    buffer: Array | None,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """``v = alpha v + (1 - alpha) g^2;  p -= lr g / (sqrt(v) + eps)``.

    With ``grad_avg`` (a running mean of g) the root is of ``v - grad_avg^2``; with ``buffer`` the quotient goes
    through ``buffer = momentum buffer + quotient``.
    """
    divide = _division(p.dtype, eps)

    def block(start: int, stop: int) -> None:
        x, v, u = p[start:stop], square_avg[start:stop], scratch("u", (stop - start,), p.dtype)
        d = _direction(x, g[start:stop], weight_decay, maximize)
        _average(v, np.square(d, u), alpha, u)
        if grad_avg is None:
            np.sqrt(v, u)
        else:
            m = grad_avg[start:stop]
            _average(m, d, alpha, u)
            np.subtract(v, np.square(m, u), u)
            # A steady gradient has no variance: rounding must not make it negative.
            np.sqrt(np.maximum(u, 0, out=u), u)
        divide(d, np.add(u, eps, u))
        if buffer is not None:
            b = buffer[start:stop]
            np.multiply(b, momentum, b)
            np.multiply(np.add(b, u, b), lr, u)
        else:
            np.multiply(u, lr, u)
        np.subtract(x, u, x)

    for_blocks(p.size, BLOCK, block)


def adam(
    p: Array,
    g: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    *,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """``m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= lr m~ / (sqrt(v~) + eps)``.

    ``m~ = m / (1 - b1^step)`` and ``v~ = v / (1 - b2^step)`` are folded into two scalars: with
    ``c = sqrt(1 - b2^step)`` the step is ``lr c / (1 - b1^step)`` times ``m / (sqrt(v) + c eps)``.
    ``decoupled`` weight decay scales p by ``1 - lr weight_decay`` instead of joining the gradient.
    """
    beta1, beta2 = betas
    c = math.sqrt(1 - beta2**step)
    rate, small = lr * c / (1 - beta1**step), c * eps
    divide = _division(p.dtype, small)
    joined = 0.0 if decoupled else weight_decay
    shrink = 1 - lr * weight_decay if decoupled else 1.0

    def block(start: int, stop: int) -> None:
        x, m, v = p[start:stop], exp_avg[start:stop], exp_avg_sq[start:stop]
        u = scratch("u", (stop - start,), p.dtype)
        d = _direction(x, g[start:stop], joined, maximize)
        if shrink != 1:
            np.multiply(x, shrink, x)
        _average(m, d, beta1, u)
        _average(v, np.square(d, u), beta2, u)
        divide(m, np.add(np.sqrt(v, u), small, u))
        np.subtract(x, np.multiply(u, rate, u), x)

    for_blocks(p.size, BLOCK, block)


# --- the arrays themselves ------------------------------------------------------------------------------

ALIGNMENT = 64  #: bytes; a cache line, and the widest vector register


def flat_zeros(dtype: Any, size: int) -> Array:
    """A flat array of zeros that begins at a multiple of ``ALIGNMENT`` bytes."""
    dtype = np.dtype(dtype)
    raw = np.zeros(size * dtype.itemsize + ALIGNMENT, np.uint8)
    offset = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[offset : offset + size * dtype.itemsize].view(dtype)


def address(array: Array) -> int | None:
    """Where a contiguous array begins; None of one that is not."""
    return array.__array_interface__["data"][0] if array.flags.c_contiguous else None


# --- what the updates share -----------------------------------------------------------------------------


def _direction(x: Array, g: Array, weight_decay: float, maximize: bool) -> Array:
    """The gradient to follow: ``g + weight_decay x``, with -g to maximize; g itself, or a scratch block."""
    if weight_decay == 0 and not maximize:
        return g
    t = scratch("t", g.shape, g.dtype)
    if weight_decay != 0:
        np.multiply(x, weight_decay, t)
        return np.subtract(t, g, t) if maximize else np.add(t, g, t)
    return np.negative(g, t)


def _average(mean: Array, new: Array, keep: float, t: Array) -> None:
    """``mean = keep mean + (1 - keep) new``, by way of ``t``."""
    np.multiply(mean, keep, mean)
    np.add(mean, np.multiply(new, 1 - keep, t), mean)


def _division(dtype: Any, eps: float) -> Any:
    """The function ``divide(x, u)`` that writes ``x / u`` to u.

    An eps that is 0, or rounds to it, leaves a divisor of 0 where all gradients were 0: there the quotient
    counts as 0, and the weight stays where it is.
    """
    return _divide if dtype.type(eps) != 0 else _divide_guarded


def _divide(x: Array, u: Array) -> None:
    np.divide(x, u, u)


def _divide_guarded(x: Array, u: Array) -> None:
    np.divide(x, u, out=u, where=u != 0)
