"""Optimiser updates over flat arrays, in place: one launch each; ``backends/cpu/updates.py`` has their formulas.

Scalars are folded in double precision on the host and rounded once. A captured graph cannot take new ones: where
``clocks`` names a ``Clock`` for the parameters of a call, the kernel computes what depends on the step count and the
learning rate from that, on the GPU, and counts the step there (kernels/optimizers.cu).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cuda import compiler, launching
from tinygrad_lite.backends.cuda.array import CudaArray, zeros
from tinygrad_lite.backends.cuda.pointwise import COMPUTE_LETTERS, at_sixteen, packs
from tinygrad_lite.backends.cuda.types import C_NAMES, FLOATS

#: Address of a run's parameters -> address of its ``Clock``, whose bytes ``CLOCK`` packs: the learning rate, its decay
#: (of Adagrad, else 0), the number of steps made so far, 0, 0.
clocks: dict[int, int] = {}
CLOCK = struct.Struct("ddqII")

_PIECE = 2**30  # elements of one launch

_KERNELS: dict[str, dict[Any, Any]] = {name: {} for name in ("sgd", "adagrad", "rmsprop", "adam")}
for _dtype in FLOATS:
    _module, _r = compiler.module("optimizers.cu", TYPE=C_NAMES[_dtype]), COMPUTE_LETTERS[_dtype]
    for _name, _letters in {
        "sgd": f"PPPPII{4 * _r}iiii",
        "adagrad": f"PPPPII{3 * _r}ii",
        "rmsprop": f"PPPPPPII{6 * _r}ii",
        "adam": f"PPPPPddddII{8 * _r}ii",
    }.items():
        _KERNELS[_name][_dtype] = launching.Kernel(_module, _name, _letters)


def sgd(
    p: CudaArray,
    g: CudaArray,
    buffer: CudaArray | None,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """``buffer = momentum buffer + (1 - dampening) g;  p -= lr buffer``; without a buffer ``p -= lr g``."""
    scalars = _rounded(p.dtype, lr, momentum, 1 - dampening, weight_decay)
    _update("sgd", p, g, (buffer,), (), (*scalars, nesterov, maximize, first))


def adagrad(
    p: CudaArray, g: CudaArray, total: CudaArray, *, lr: float, eps: float, weight_decay: float, maximize: bool
) -> None:
    """``total += g^2;  p -= lr g / (sqrt(total) + eps)``."""
    _update("adagrad", p, g, (total,), (), (*_rounded(p.dtype, lr, eps, weight_decay), maximize))


def rmsprop(
    p: CudaArray,
    g: CudaArray,
    square_avg: CudaArray,
    grad_avg: CudaArray | None,
    buffer: CudaArray | None,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """``v = alpha v + (1 - alpha) g^2;  p -= lr g / (sqrt(v) + eps)``, centred and with momentum if asked for."""
    scalars = _rounded(p.dtype, lr, alpha, 1 - alpha, eps, weight_decay, momentum)
    _update("rmsprop", p, g, (square_avg, grad_avg, buffer), (), (*scalars, maximize))


def adam(
    p: CudaArray,
    g: CudaArray,
    exp_avg: CudaArray,
    exp_avg_sq: CudaArray,
    *,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """``m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= lr m~ / (sqrt(v~) + eps)``."""
    beta1, beta2 = betas
    c = math.sqrt(1 - beta2**step)
    joined, apart = (0.0, weight_decay) if decoupled else (weight_decay, 0.0)
    numbers = (lr * c / (1 - beta1**step), c * eps, beta1, 1 - beta1, beta2, 1 - beta2, 1 - lr * apart, joined)
    exact = (beta1, beta2, eps, apart)
    _update("adam", p, g, (exp_avg, exp_avg_sq), exact, (*_rounded(p.dtype, *numbers), maximize))


def _rounded(dtype: Any, *numbers: float) -> tuple[float, ...]:
    """As the arrays would hold them."""
    if dtype == dtypes.float64:
        return numbers
    kind = dtype.type
    return tuple([float(kind(x)) for x in numbers])


def _update(
    name: str,
    p: CudaArray,
    g: CudaArray,
    state: Sequence[CudaArray | None],
    exact: tuple[float, ...],
    rest: tuple[Any, ...],
) -> None:
    kernel, item = _KERNELS[name][p.dtype], p.dtype.itemsize
    clock = clocks.get(p.address, 0)
    for start in range(0, p.size, _PIECE):
        count, skipped = min(p.size - start, _PIECE), start * item
        addresses = [p.address + skipped, g.address + skipped]
        addresses += [0 if array is None else array.address + skipped for array in state]
        grid, block, vectors = packs(count, 16 // item, at_sixteen(*addresses))
        kernel(grid, block, *addresses, clock, *exact, vectors, count, *rest, start + count == p.size)


# --- the arrays themselves ------------------------------------------------------------------------------


def flat_zeros(dtype: Any, size: int) -> CudaArray:
    """A flat array of zeros that begins at a multiple of 256 bytes."""
    return zeros((size,), dtype)


def address(array: CudaArray) -> int | None:
    """Where a contiguous array begins; None of one that is not."""
    return array.address if array.contiguous else None
