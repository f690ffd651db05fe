"""Fused forward-and-backward pairs for the rows that training spends its time in.

A pair computes what the row's own text computes, with fewer passes over memory: it may save privately and
write in place into arrays of its own. ``create_graph`` and forward mode always use the row's text, and the
test harness compares the two.

``forward(needs, *operands, *statics)`` returns the outputs and what to save privately; ``backward(private, g,
needs, sinks)`` returns a gradient or None per operand. ``sinks`` holds, per operand, memory that the gradient
may be written to (a slice of the arena that the optimiser reads), or None.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.backends.cpu import namespace
from tinygrad_lite.backends.cpu.namespace import Array
from tinygrad_lite.backends.cpu.parallel import for_blocks

#: Elements per block of an element-wise pass: a few arrays of it stay in a core's 1 MiB second-level cache.
BLOCK = 32 * 1024


class _Scratch(threading.local):
    """Work memory of one thread, kept from call to call: fresh pages cost more than the arithmetic on them."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Any], Array] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> Array:
        """An uninitialised array of that shape; the same memory for the same name the next time."""
        size = 1
        for n in shape:
            size *= n
        memory = self._kept.get((name, dtype))
        if memory is None or memory.size < size:
            memory = self._kept[name, dtype] = np.empty(size, dtype)
        return memory[:size].reshape(shape)


_scratch = _Scratch()
_constants: dict[tuple[Any, ...], Array] = {}


def _constant(value: float, shape: tuple[int, ...], dtype: Any) -> Array:
    """A read-only array of one value, kept."""
    key = (value, shape, dtype)
    if key not in _constants:
        if len(_constants) > 64:
            _constants.clear()
        _constants[key] = np.full(shape, value, dtype)
        _constants[key].flags.writeable = False
    return _constants[key]


# --- linear ---------------------------------------------------------------------------------------------


class _Linear(NamedTuple):
    x: Array
    weight: Array
    out: Array
    activation: str | None


def _rows(x: Array) -> Array:
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-1]) if x.size else x.reshape(0, x.shape[-1])


def _linear(
    needs: tuple[bool, ...], x: Array, weight: Array, bias: Array | None, activation: str | None
) -> tuple[Array, _Linear]:
    """The product, then bias and activation in place, block by block while the block is in the cache."""
    out = np.matmul(x, weight.T)
    if bias is not None or activation is not None:
        rows = _rows(out)
        width = max(rows.shape[1], 1)
        step = max(1, BLOCK // width)

        def epilogue(start: int, stop: int) -> None:  # in elements; blocks are whole rows
            z = rows[start // width : stop // width]
            if bias is not None:
                np.add(z, bias, out=z)
            if activation == "relu":
                # Against an array of zeros NumPy's maximum runs four times as fast as against the number 0.
                np.maximum(z, _constant(0.0, (step, width), z.dtype)[: len(z)], out=z)
            elif activation == "tanh":
                np.tanh(z, out=z)
            elif activation == "sigmoid":
                z[...] = namespace.sigmoid(z)

        for_blocks(rows.size, step * width, epilogue)
    return out, _Linear(x, weight, out, activation)


def _linear_backward(saved: _Linear, g: Array, needs: tuple[bool, ...], sinks: list[Array]) -> tuple[Array | None, ...]:
    x, weight, out, activation = saved
    if activation is not None:
        g = _through_activation(activation, g, out)
    rows = _rows(g)
    gx = gw = gb = None
    if needs[1]:
        gw = np.matmul(rows.T, _rows(x), out=sinks[1])
    if needs[2]:  # the sum of the rows as a product: BLAS is twice as fast at it as a reduction
        gb = np.matmul(_constant(1.0, (rows.shape[0],), rows.dtype), rows, out=sinks[2])
    if needs[0]:
        gx = np.matmul(g, weight, out=sinks[0])
    return gx, gw, gb


_SIGNED = {np.dtype(np.float16): np.int16, np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}


def _through_activation(activation: str, g: Array, out: Array) -> Array:
    """The gradient before the activation, from its output, in this thread's scratch memory."""
    result = _scratch.array("slope", out.shape, out.dtype)
    if not g.flags.c_contiguous:
        g = np.ascontiguousarray(g)
    flat_g, flat_out, flat = g.reshape(-1), out.reshape(-1), result.reshape(-1)
    signed = _SIGNED[out.dtype]

    def block(start: int, stop: int) -> None:
        source, a, into = flat_g[start:stop], flat_out[start:stop], flat[start:stop]
        if activation == "relu":
            # relu's output is +0 where it is flat. For any other bit pattern i, i | -i has the sign bit set,
            # so the shift makes a mask of ones: this selects exactly, also beside inf and NaN.
            bits = a.view(signed)
            mask = _scratch.array("mask", bits.shape, signed)
            np.negative(bits, out=mask)
            np.bitwise_or(mask, bits, out=mask)
            np.right_shift(mask, 8 * mask.itemsize - 1, out=mask)
            np.bitwise_and(mask, source.view(signed), out=into.view(signed))
        elif activation == "tanh":  # g (1 - a^2)
            np.multiply(a, a, out=into)
            np.multiply(into, source, out=into)
            np.subtract(source, into, out=into)
        else:  # sigmoid: g a (1 - a)
            np.subtract(_constant(1.0, (BLOCK,), a.dtype)[: stop - start], a, out=into)
            np.multiply(into, a, out=into)
            np.multiply(into, source, out=into)

    for_blocks(flat.size, BLOCK, block)
    return result


# --- softmax cross-entropy ------------------------------------------------------------------------------


class _CrossEntropy(NamedTuple):
    exponentials: Array  # (N, C)
    total: Array  # (N, 1)
    target: Array  # (N,)


def _cross_entropy(needs: tuple[bool, ...], logits: Array, target: Array) -> tuple[Array, _CrossEntropy]:
    """The losses; the exponentials are kept, so that backward needs no second exp."""
    shifted = logits - np.maximum.reduce(logits, 1, keepdims=True)
    picked = shifted[_positions(len(target)), target]
    exponentials = np.exp(shifted, out=shifted)
    total = np.add.reduce(exponentials, 1, keepdims=True)
    return np.log(total[:, 0]) - picked, _CrossEntropy(exponentials, total, target)


def _cross_entropy_backward(
    saved: _CrossEntropy, g: Array, needs: tuple[bool, ...], sinks: list[Array]
) -> tuple[Array | None, ...]:
    """g (softmax(logits) - one_hot(target))"""
    column = g[:, None]
    share = saved.exponentials / saved.total
    share[_positions(len(saved.target)), saved.target] -= 1
    return np.multiply(share, column, out=share), None


def _positions(n: int) -> Array:
    key = ("positions", n)
    if key not in _constants:
        if len(_constants) > 64:
            _constants.clear()
        _constants[key] = np.arange(n)
    return _constants[key]


class Override(NamedTuple):
    """A fused pair; see the head of this file."""

    forward: Any
    backward: Any


namespace.overrides.update(
    linear=Override(_linear, _linear_backward),
    softmax_cross_entropy=Override(_cross_entropy, _cross_entropy_backward),
)
