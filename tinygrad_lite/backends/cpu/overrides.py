"""Fused forward-and-backward pairs for the rows that training spends its time in.

A pair computes what the row's own text computes, with fewer passes over memory: it may save privately and
write in place into arrays of its own. ``create_graph`` and forward mode always use the row's text, and the
test harness compares the two.

``backends/override.py`` says what the functions of a pair take and return.
"""

from __future__ import annotations

import math
import sys
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.backends.cpu import namespace
from tinygrad_lite.backends.cpu.arrays import Array
from tinygrad_lite.backends.cpu.parallel import for_blocks, scratch
from tinygrad_lite.backends.cpu.selection import SIGNED, selected
from tinygrad_lite.backends.override import Override

#: Elements per block of an element-wise pass: a few arrays of it stay in a core's 1 MiB second-level cache.
BLOCK = 32 * 1024

#: Activations with more elements give their memory to their gradient; for smaller ones it costs more than it saves.
RECYCLED_ABOVE = BLOCK

_constants: dict[tuple[Any, ...], Array] = {}


def _constant(value: float, shape: tuple[int, ...], dtype: Any) -> Array:
    """A read-only array of one value, kept."""
    key = (value, shape, dtype)
    constant = _constants.get(key)
    if constant is None:
        constant = np.full(shape, value, dtype)
        _keep(key, constant)
    return constant


def _keep(key: tuple[Any, ...], constant: Array) -> None:
    """Remember a read-only array; threads may do so at once, and at worst one makes it again."""
    constant.flags.writeable = False
    if len(_constants) > 64:
        _constants.clear()
    _constants[key] = constant


# --- linear ---------------------------------------------------------------------------------------------


class _Linear(NamedTuple):
    x: Array
    weight: Array
    out: Array
    activation: str | None
    passed: Array | None  # relu: one bit per element of out, set where the gradient passes


def _rows(x: Array) -> Array:
    """All axes but the last as one."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _linear(
    needs: tuple[bool, ...], x: Array, weight: Array, bias: Array | None, activation: str | None
) -> tuple[Array, _Linear]:
    """The product, then bias and activation in place, block by block while the block is in the cache."""
    rows = np.matmul(_rows(x), weight.T)  # of a matrix the product is contiguous, whatever the strides of x
    passed = None
    if bias is not None or activation is not None:
        width = max(rows.shape[1], 1)
        height = max(8, BLOCK // width // 8 * 8)  # rows per block; eights, so that the bits of a block are whole bytes
        if activation == "relu" and needs and rows.size > RECYCLED_ABOVE:
            passed = np.empty(-(-rows.size // 8), np.uint8)

        def epilogue(start: int, stop: int) -> None:  # in elements; blocks are whole rows
            z = rows[start // width : stop // width]
            if bias is not None:
                np.add(z, bias, out=z)
            if activation == "relu":
                if passed is not None:  # "not <= 0" lets a NaN pass, as the row's text does
                    stopped = np.less_equal(z, 0, out=scratch("stopped", z.shape, np.bool_))
                    np.bitwise_not(np.packbits(stopped), out=passed[start // 8 : -(-stop // 8)])
                # Against an array of zeros NumPy's maximum runs four times as fast as against the number 0.
                zeros = _constant(0.0, (height, width), z.dtype)[: len(z)] if height * width <= 2 * BLOCK else 0
                np.maximum(z, zeros, out=z)
            elif activation == "tanh":
                np.tanh(z, out=z)
            elif activation == "sigmoid":
                z[...] = namespace.sigmoid(z)

        if rows.size <= height * width:
            epilogue(0, rows.size)
        else:
            for_blocks(rows.size, height * width, epilogue)
    out = rows if x.ndim == 2 else rows.reshape(*x.shape[:-1], weight.shape[0])
    return out, _Linear(x, weight, out, activation, passed)


def _linear_backward(saved: _Linear, g: Array, needs: tuple[bool, ...], sinks: list[Array]) -> tuple[Array | None, ...]:
    weight = saved.weight
    if saved.activation is not None:
        g = _through_activation(saved, g)
    rows = _rows(g)
    gx = gw = gb = None
    if needs[1]:
        # A weight that a layer computed may be lent, too, but nothing here knows who else looks at it.
        gw = np.matmul(rows.T, _rows(saved.x), out=None if sinks[1] is weight else sinks[1])
    if needs[2]:  # the sum of the rows as a product: BLAS is twice as fast at it as a reduction
        gb = np.matmul(_constant(1.0, (rows.shape[0],), rows.dtype), rows, out=sinks[2])
    if needs[0]:
        gx = np.matmul(rows, weight, out=_recycled(saved, sinks) if sinks[0] is not None else None)
        gx = gx if saved.x.ndim == 2 else gx.reshape(saved.x.shape)
    return gx, gw, gb


def _lend(saved: _Linear) -> Array | None:
    """The output, if backward can do without it: relu has kept its bits.

    Only an array that owns its memory: views that a user takes count as references to the owner.
    """
    spare = saved.activation is None or saved.passed is not None
    return saved.out if spare and saved.out.ndim == 2 and saved.out.base is None else None


#: References to an activation that only the graph holds: two of its producer (saved and private), two of the layer
#: that used it, the list of sinks, and the call that counts. A user's tensor or view, or another node, is one more.
_GRAPH_ONLY = 6


def _recycled(saved: _Linear, sinks: list[Array]) -> Array | None:
    """The memory of ``x``, now that its weight gradient is computed and nobody else can see it, for its gradient."""
    if sinks[0] is saved.x and sys.getrefcount(saved.x) <= _GRAPH_ONLY and saved.x.flags.c_contiguous:
        return sinks[0]
    return None


def _through_activation(saved: _Linear, g: Array) -> Array:
    """The gradient before the activation: in place if ``g`` lies in our own recycled output, else in scratch."""
    out, activation, passed = saved.out, saved.activation, saved.passed
    if activation == "relu" and passed is None:
        return selected(np.logical_not(out <= 0), g)
    result = g if g is out else scratch("slope", out.shape, out.dtype)
    if not g.flags.c_contiguous:
        g = np.ascontiguousarray(g)
    flat_g, flat_out, flat = g.reshape(-1), out.reshape(-1), result.reshape(-1)
    signed = SIGNED[out.dtype]

    def block(start: int, stop: int) -> None:
        source, a, into = flat_g[start:stop], flat_out[start:stop], flat[start:stop]
        if passed is not None:
            # 0 or 1 becomes a mask of no or all bits: this selects exactly, also beside inf and NaN.
            ones = np.unpackbits(passed[start // 8 : -(-stop // 8)], count=stop - start).view(np.int8)
            mask = np.negative(ones, out=scratch("mask", ones.shape, signed), casting="unsafe")
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
    reduction: str
    counts: Array | None  # (N,): which samples count; None for all


def _cross_entropy(
    needs: tuple[bool, ...], logits: Array, target: Array, reduction: str, ignored: int | None
) -> tuple[Array, _CrossEntropy]:
    """The losses; the exponentials are kept, so that backward needs no second exp."""
    counts = None if ignored is None else target != ignored
    if counts is not None:
        target = np.where(counts, target, 0)
    shifted = logits - np.maximum.reduce(logits, 1, keepdims=True)
    picked = shifted[_positions(len(target)), target]
    exponentials = np.exp(shifted, out=shifted)
    total = np.add.reduce(exponentials, 1, keepdims=True)
    losses = np.log(total[:, 0]) - picked
    if counts is not None:
        losses[~counts] = 0
    if reduction == "mean" and counts is not None:
        losses = namespace.sum(losses, (0,), False) / losses.dtype.type(np.count_nonzero(counts))
    elif reduction == "mean" and losses.dtype != np.float16:
        losses = np.add.reduce(losses) / len(target)
    elif reduction != "none":
        losses = (namespace.mean if reduction == "mean" else namespace.sum)(losses, (0,), False)
    return losses, _CrossEntropy(exponentials, total, target, reduction, counts)


def _cross_entropy_backward(
    saved: _CrossEntropy, g: Array, needs: tuple[bool, ...], sinks: list[Array]
) -> tuple[Array | None, ...]:
    """g (softmax(logits) - one_hot(target)), where g is that of each sample"""
    count = len(saved.target)
    if saved.reduction == "none":
        g = g[:, None]
    elif saved.reduction == "mean":
        g = g / (count if saved.counts is None else g.dtype.type(np.count_nonzero(saved.counts)))
    share = saved.exponentials / saved.total
    share[_positions(count), saved.target] -= 1
    if saved.counts is not None:
        g = np.where(saved.counts[:, None], g, g.dtype.type(0))
    return np.multiply(share, g, out=share), None


def _positions(n: int) -> Array:
    key = ("positions", n)
    positions = _constants.get(key)
    if positions is None:
        positions = np.arange(n)
        _keep(key, positions)
    return positions


# --- gelu -----------------------------------------------------------------------------------------------


class _Gelu(NamedTuple):
    x: Array
    distribution: Array | None  # Phi(x), the costly part


def _gelu(needs: tuple[bool, ...], x: Array) -> tuple[Array, _Gelu]:
    """x Phi(x); Phi is kept, so that backward needs no second erf."""
    out = np.empty(x.shape, x.dtype)
    phi = np.empty_like(out) if True in needs else None
    flat, flat_out = x.reshape(-1), out.reshape(-1)
    kept = None if phi is None else phi.reshape(-1)

    def block(start: int, stop: int) -> None:
        source, into = flat[start:stop], flat_out[start:stop]
        distribution = namespace.erf(source * math.sqrt(0.5))
        distribution *= 0.5
        distribution += 0.5
        if kept is not None:
            kept[start:stop] = distribution
        np.multiply(source, distribution, out=into)

    for_blocks(flat.size, BLOCK, block)
    return out, _Gelu(x, phi)


def _gelu_backward(saved: _Gelu, g: Array, needs: tuple[bool, ...], sinks: list[Array]) -> tuple[Array | None, ...]:
    """g (Phi(x) + x phi(x))"""
    assert saved.distribution is not None
    result = np.empty(g.shape, g.dtype)
    flat, flat_g, distribution, flat_result = (a.reshape(-1) for a in (saved.x, g, saved.distribution, result))

    def block(start: int, stop: int) -> None:
        x = np.clip(flat[start:stop], -40.0, 40.0)  # where the density is 0 in every precision: no square overflows
        into = flat_result[start:stop]
        np.multiply(x, x, out=into)
        np.multiply(into, -0.5, out=into)
        np.exp(into, out=into)
        np.multiply(into, 1 / math.sqrt(2 * math.pi), out=into)
        np.multiply(into, x, out=into)
        np.add(into, distribution[start:stop], out=into)
        np.multiply(into, flat_g[start:stop], out=into)

    for_blocks(flat.size, BLOCK, block)
    return (result,)


namespace.overrides.update(
    gelu=Override(_gelu, _gelu_backward),
    linear=Override(_linear, _linear_backward, _lend),
    softmax_cross_entropy=Override(_cross_entropy, _cross_entropy_backward),
)
