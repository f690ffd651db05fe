"""The one random stream: every random number is a pure function of (seed, operation counter, element index).

The generator is Philox4x64-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC 2011), which turns a 128-bit key and a 256-bit counter into 256 random bits, a *block*, without a state:

    key     = (seed, operation counter)   two 64-bit words; each random operation has a counter of its own
    block b = Philox(key, (b, 0, 0, 0))   four 64-bit words, which are eight 32-bit words, low half first

    32-bit word i = half i % 8 of block i // 8        element i of bits, masks, float16 and float32 uses it
    64-bit word i = word i % 4 of block i // 4        element i of float64, integers and permutations does

Gamma draws, which may need several attempts, number them in the second word of the counter: see ``gamma_draws.py``.

Every function takes ``start``, the global index of its first element in C order, so that a rank or a thread
draws its own slice and gets the bits that it would find there in the whole. ``kernels/philox.cuh`` is the
same function for GPUs.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tinygrad_lite.errors import ArgumentError, DTypeError, fail

if TYPE_CHECKING:  # an import that would take as long as a third of this package
    from numpy.typing import DTypeLike, NDArray

__all__ = [
    *("exponential", "integers", "keep_mask", "keep_threshold", "normal", "permutation", "random_bits"),
    "uniform",
]

Shape: TypeAlias = int | Sequence[int]

_LIMIT = 2**64  # seeds, counters and element indices are unsigned 64-bit numbers
_NORMALS_AT_ONCE = 1 << 15  # even: pairs stay whole; the float64 work arrays, about 1 MiB, stay in the cache


def random_bits(seed: int, counter: int, shape: Shape, *, start: int = 0) -> NDArray[np.uint32]:
    """Uniformly distributed 32-bit words.

    Args:
        seed: 0 to 2**64 - 1.
        counter: the number of this random operation, 0 to 2**64 - 1.
        shape: shape of the result.
        start: index of the result's first element in the whole array.

    Returns:
        The uint32 words ``start``, ``start + 1``, ... of the stream in C order; about 1.4 ns each.

    Raises:
        ArgumentError: a seed, counter, start or length out of range.
        DTypeError: one of them is not an integer.

    Example:
        >>> random_bits(0, 0, 4)
        array([3392549196,  374689182, 1731006428, 3676372637], dtype=uint32)
        >>> random_bits(0, 0, (), start=3)
        array(3676372637, dtype=uint32)
    """
    seed, counter, lengths, start = checked_stream("random_bits", seed, counter, shape, start)
    return _words32(seed, counter, start, math.prod(lengths)).reshape(lengths)


def uniform(seed: int, counter: int, shape: Shape, dtype: DTypeLike = np.float32, *, start: int = 0) -> NDArray[Any]:
    """Numbers in [0, 1), as fine as the dtype's significand allows and equally spaced.

    float16 and float32 take the upper 11 and 24 bits of the element's 32-bit word, float64 the upper 53 of
    its 64-bit word: ``(word >> 8) * 2**-24`` for float32. All is exact, hence the same on every device.

    Args:
        seed, counter, shape, start: as in :func:`random_bits`.
        dtype: float16, float32 or float64.

    Returns:
        An array of that shape and dtype.

    Raises:
        ArgumentError: a seed, counter, start or length out of range.
        DTypeError: a dtype that is not one of the three, or an argument that is not an integer.

    Example:
        >>> uniform(7, 0, 3, "float16")
        array([0.6963, 0.9004, 0.1284], dtype=float16)
    """
    dtype = checked_dtype("uniform", dtype)
    seed, counter, lengths, start = checked_stream("uniform", seed, counter, shape, start)
    return _uniform(seed, counter, start, math.prod(lengths), dtype).reshape(lengths)


def normal(seed: int, counter: int, shape: Shape, dtype: DTypeLike = np.float32, *, start: int = 0) -> NDArray[Any]:
    """Normally distributed numbers with mean 0 and variance 1, by the transform of Box and Muller (1958).

    Elements 2p and 2p + 1 come from elements 2p and 2p + 1 of ``uniform`` with the same seed, counter and
    dtype (float32 for float16), called a and b here:

        r = sqrt(-2 log(1 - a))       normal 2p     = r cos(2 pi b)
                                      normal 2p + 1 = r sin(2 pi b)

    ``1 - a`` is exact and lies in (0, 1], so r is finite: at most 5.77 from 24 bits and 8.57 from 53. The
    functions are evaluated in float64 and rounded once, so that processors with other vector instructions,
    whose float64 logarithm and cosine differ in the last bit, draw the same float32 (all but about one in
    10**8); a device that works in float32 agrees within rounding.

    Args:
        seed, counter, shape, start: as in :func:`random_bits`.
        dtype: float16, float32 or float64.

    Returns:
        An array of that shape and dtype.

    Raises:
        ArgumentError: a seed, counter, start or length out of range.
        DTypeError: a dtype that is not one of the three, or an argument that is not an integer.

    Example:
        >>> normal(7, 0, 3, "float64").round(4)
        array([ 0.3691, -2.1176,  2.078 ])
    """
    dtype = checked_dtype("normal", dtype)
    seed, counter, lengths, start = checked_stream("normal", seed, counter, shape, start)
    size = math.prod(lengths)
    skipped = start % 2  # an odd start needs the first half of a pair too
    result = np.empty(skipped + size, dtype)
    for first in range(0, result.size, _NORMALS_AT_ONCE):
        part = result[first : first + _NORMALS_AT_ONCE]
        pairs = (part.size + 1) // 2
        source = np.dtype(np.float64 if dtype == np.float64 else np.float32)
        ab = _uniform(seed, counter, start - skipped + first, 2 * pairs, source)
        ab = ab.astype(np.float64, copy=False)
        radius = 1.0 - ab[0::2]
        np.log(radius, out=radius)
        radius *= -2.0
        np.sqrt(radius, out=radius)
        angle = ab[1::2] * (2.0 * math.pi)
        part[0::2] = radius * np.cos(angle)
        part[1::2] = (radius * np.sin(angle))[: part.size // 2]
    return result[skipped:].reshape(lengths)


def exponential(
    seed: int, counter: int, shape: Shape, dtype: DTypeLike = np.float32, *, start: int = 0
) -> NDArray[Any]:
    """Exponentially distributed numbers with mean 1: -log(1 - a), with element i of ``uniform`` as a.

    Evaluated in float64 and rounded once; float16 takes the uniforms of float32. The largest are 16.6 from 24 bits
    and 36.7 from 53.

    Args:
        seed, counter, shape, start: as in :func:`random_bits`.
        dtype: float16, float32 or float64.

    Returns:
        An array of that shape and dtype.

    Raises:
        ArgumentError: a seed, counter, start or length out of range.
        DTypeError: a dtype that is not one of the three, or an argument that is not an integer.

    Example:
        >>> exponential(7, 0, 3, "float64").round(4)
        array([2.3102, 1.5027, 3.3387])
    """
    dtype = checked_dtype("exponential", dtype)
    seed, counter, lengths, start = checked_stream("exponential", seed, counter, shape, start)
    result = np.empty(math.prod(lengths), dtype)
    source = np.dtype(np.float64 if dtype == np.float64 else np.float32)
    for first in range(0, result.size, _NORMALS_AT_ONCE):
        part = result[first : first + _NORMALS_AT_ONCE]
        a = _uniform(seed, counter, start + first, part.size, source).astype(np.float64, copy=False)
        part[...] = -np.log1p(-a)
    return result.reshape(lengths)


def keep_mask(seed: int, counter: int, shape: Shape, keep_probability: float, *, start: int = 0) -> NDArray[np.bool_]:
    """True with the given probability: ``random_bits < keep_threshold(keep_probability)``, exact integers.

    Args:
        seed, counter, shape, start: as in :func:`random_bits`.
        keep_probability: 0 to 1; both bounds are exact (never, always).

    Returns:
        A bool array of that shape.

    Raises:
        ArgumentError: a probability outside [0, 1]; a seed, counter, start or length out of range.
        DTypeError: an argument of the wrong kind.

    Example:
        >>> keep_mask(0, 0, 6, 0.5)
        array([False,  True,  True, False, False, False])
    """
    threshold = keep_threshold(keep_probability)
    seed, counter, lengths, start = checked_stream("keep_mask", seed, counter, shape, start)
    if threshold == 2**32:
        return np.ones(lengths, np.bool_)  # 2**32 is no uint32 to compare with
    return np.less(_words32(seed, counter, start, math.prod(lengths)), np.uint32(threshold)).reshape(lengths)


def keep_threshold(keep_probability: float) -> int:
    """The number of 32-bit words, out of 2**32, that mean "keep": the probability to the nearest 2**-32.

    Args:
        keep_probability: 0 to 1.

    Returns:
        ``round(keep_probability * 2**32)``, from 0 to 2**32 inclusive; kernels receive this integer.

    Raises:
        ArgumentError: a probability outside [0, 1].
        DTypeError: not a real number.

    Example:
        >>> keep_threshold(0.75)
        3221225472
    """
    if not isinstance(keep_probability, numbers.Real):
        fail(DTypeError, "keep_mask", f"needs a real number, but keep_probability = {keep_probability!r}")
    probability = float(keep_probability)
    if not 0.0 <= probability <= 1.0:  # so written that NaN is refused too
        need = f"needs 0 <= keep_probability <= 1, but keep_probability = {probability}"
        hint = "what is meant is the share that stays, 1 - p of a dropout"
        fail(ArgumentError, "keep_mask", need, hint=hint)
    return round(probability * 2**32)


def integers(seed: int, counter: int, shape: Shape, low: int, high: int, *, start: int = 0) -> NDArray[np.int64]:
    """Integers from low to high - 1, practically equally likely.

    Element i is ``low + floor(word * (high - low) / 2**64)`` with 64-bit word i: the upper half of a 128-bit
    product (``__umul64hi``). Each probability is within 2**-64 of 1 / (high - low), a relative bias of at
    most 2**-32; to see it takes some 2**64 draws.

    Args:
        seed, counter, shape, start: as in :func:`random_bits`.
        low: smallest value.
        high: one more than the largest value; at most low + 2**32.

    Returns:
        An int64 array of that shape.

    Raises:
        ArgumentError: low >= high, more than 2**32 values, values beyond int64; a seed, counter, start or
            length out of range.
        DTypeError: an argument that is not an integer.

    Example:
        >>> integers(1, 0, 8, -3, 3)
        array([ 1,  0,  2, -2, -2,  2, -3, -3])
    """
    low, values = checked_bounds(low, high)
    seed, counter, lengths, start = checked_stream("integers", seed, counter, shape, start)
    # NumPy has no 128-bit product: two 64-bit ones do, because values fits into 33 bits.
    lower = _words64(seed, counter, start, math.prod(lengths))
    upper = lower >> np.uint64(32)
    lower &= np.uint64(2**32 - 1)
    lower *= np.uint64(values)
    lower >>= np.uint64(32)
    upper *= np.uint64(values)
    upper += lower
    upper >>= np.uint64(32)
    result = upper.view(np.int64)
    result += low
    return result.reshape(lengths)


def permutation(seed: int, counter: int, n: int) -> NDArray[np.int64]:
    """A random order of 0, 1, ..., n - 1: the indices that sort the first n 64-bit words.

    Equal words, which occur once in 37 million permutations of a million elements, keep their order (the sort
    is stable), so the bits alone define the result.

    Args:
        seed, counter: as in :func:`random_bits`.
        n: number of elements.

    Returns:
        An int64 array of shape (n,).

    Raises:
        ArgumentError: n < 0; a seed or counter out of range.
        DTypeError: an argument that is not an integer.

    Example:
        >>> permutation(0, 0, 6)
        array([4, 0, 5, 3, 2, 1])
    """
    n = _integer("permutation", "n", n)
    if n < 0:
        fail(ArgumentError, "permutation", f"needs n >= 0, but n = {n}")
    seed, counter, _, _ = checked_stream("permutation", seed, counter, (), 0)
    return _words64(seed, counter, 0, n).argsort(kind="stable").astype(np.int64, copy=False)


# --- words and unchecked draws ------------------------------------------------------------------------------


def _words64(seed: int, counter: int, start: int, count: int) -> NDArray[np.uint64]:
    """The 64-bit words ``start`` to ``start + count - 1``, in an array that the caller may overwrite."""
    block, skipped = divmod(start, 4)
    # NumPy adds 1 to the 256-bit counter before it makes a block, so its counter starts one block early.
    # Words go in as uint64 arrays: Python integers on both sides of 2**63 in one list would become float64.
    # And np.random is loaded by its first use here, which keeps 11 ms out of the import of this package.
    before = np.full(4, _LIMIT - 1, np.uint64) if block == 0 else np.array([block - 1, 0, 0, 0], np.uint64)
    generator = np.random.Philox(key=np.array([seed, counter], np.uint64), counter=before)
    words: NDArray[np.uint64] = generator.random_raw(skipped + count)
    return words[skipped:]


def _words32(seed: int, counter: int, start: int, count: int) -> NDArray[np.uint32]:
    """The 32-bit words ``start`` to ``start + count - 1``, in an array that the caller may overwrite."""
    skipped = start % 2
    words = _words64(seed, counter, start // 2, (skipped + count + 1) // 2)
    halves = words.astype("<u8", copy=False).view("<u4")  # low half first on a big-endian machine too
    return halves[skipped : skipped + count].astype(np.uint32, copy=False)


def _uniform(seed: int, counter: int, start: int, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """``uniform`` without the checks, as a flat array."""
    digits = np.finfo(dtype).nmant + 1  # 11, 24 or 53: what a significand holds exactly
    words: NDArray[Any]
    if dtype == np.float64:
        words = _words64(seed, counter, start, count)
        words >>= np.uint64(64 - digits)
    else:
        words = _words32(seed, counter, start, count)
        words >>= np.uint32(32 - digits)
    result = words.astype(dtype)
    result *= dtype.type(0.5**digits)
    return result


# --- checks -------------------------------------------------------------------------------------------------


def _integer(operation: str, name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        fail(DTypeError, operation, f"needs an integer {name}, but {name} = {value!r}")


def checked_stream(
    operation: str, seed: int, counter: int, shape: Shape, start: int
) -> tuple[int, int, tuple[int, ...], int]:
    """The same as Python integers, the shape as a tuple, once the stream is known to be defined for them."""
    words = []
    for name, value in (("seed", seed), ("counter", counter), ("start", start)):
        words.append(_integer(operation, name, value))
        if not 0 <= words[-1] < _LIMIT:
            fail(ArgumentError, operation, f"needs 0 <= {name} < 2**64, but {name} = {value}")
    lengths = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    lengths = tuple(_integer(operation, "shape", length) for length in lengths)
    if any(length < 0 for length in lengths):
        fail(ArgumentError, operation, f"needs lengths >= 0, but shape = {lengths}")
    return words[0], words[1], lengths, words[2]


def checked_dtype(operation: str, dtype: DTypeLike) -> np.dtype[Any]:
    try:
        known = None if dtype is None else np.dtype(dtype)  # NumPy reads None as float64
    except TypeError:
        known = None
    if known not in (np.float16, np.float32, np.float64):
        name = repr(dtype) if known is None else known.name
        fail(DTypeError, operation, f"needs dtype float16, float32 or float64, but dtype = {name}")
    return known


def checked_bounds(low: int, high: int) -> tuple[int, int]:
    """The lowest of the integers and how many there are, once it is known that they can be drawn."""
    low, high = _integer("integers", "low", low), _integer("integers", "high", high)
    if low >= high:
        hint = "high itself is never drawn: low = 0 and high = 10 give 0 to 9"
        fail(ArgumentError, "integers", f"needs low < high, but low = {low} and high = {high}", hint=hint)
    if low < -(2**63) or high > 2**63:
        need = f"needs -2**63 <= low and high <= 2**63, but low = {low} and high = {high}"
        fail(ArgumentError, "integers", need)
    values = high - low
    if values > 2**32:
        fail(ArgumentError, "integers", f"needs high - low <= 2**32, but high - low = {values}")
    return low, values
