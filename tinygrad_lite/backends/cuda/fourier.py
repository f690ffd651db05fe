"""Discrete Fourier transforms along one axis: kernels/fft.cu.

Lengths whose prime factors are 2, 3 and 5 are transformed in shared memory where a row fits there, else in two steps
as the columns and the rows of a matrix, and only the longest pass by pass through global memory. All other lengths
become a convolution with a power of two as its length.
"""

from __future__ import annotations

import functools
import math
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeAlias

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cuda import compiler, driver, launching
from tinygrad_lite.backends.cuda.array import CudaArray, contiguous, empty
from tinygrad_lite.backends.cuda.elementwise import astype
from tinygrad_lite.backends.cuda.types import C_NAMES

__all__ = ["fft", "ifft", "irfft", "rfft"]

_COMPLEX, _REAL, _HALF = 0, 1, 2  # Input::Form in kernels/fft.cuh
_LONGEST = {dtypes.float32: 4096, dtypes.float64: 2048}  # rows whose two buffers fill 64 KiB of shared memory
_AT_ONCE = 1024  # elements of a block that transforms several rows
_MOST_ROWS = 65535  # of a grid, along y
_SPECTRUM: dict[Any, Any] = {dtypes.float32: dtypes.complex64, dtypes.float64: dtypes.complex128}
_REAL_OF = {dtypes.complex64: dtypes.float32, dtypes.complex128: dtypes.float64}

# Input and Output of kernels/fft.cuh; one end of a transform is an address and the bytes of one of them.
End: TypeAlias = "tuple[int, bytes]"
_INPUT = struct.Struct("qIIii")
_OUTPUT = {dtypes.float32: struct.Struct("Ihhf"), dtypes.float64: struct.Struct("Ihhd")}

_KERNELS: dict[Any, dict[str, Any]] = {}
for _real in _SPECTRUM:
    _module = compiler.module("fft.cu", REAL=C_NAMES[_real])
    _in, _out = f"{_INPUT.size}s", f"{_OUTPUT[_real].size}s"
    _KERNELS[_real] = {
        name: launching.Kernel(_module, name, parameters)
        for name, parameters in {
            "make_roots": "PI",
            "fft_rows": f"PPP{_in}{_out}QII",
            "fft_columns": f"PPP{_in}QIIII",
            "fft_matrix_rows": f"PPP{_out}QIIII",
            "fft_pass": f"PPP{_in}{_out}III",
            "make_chirp": "PPII",
            "chirp_in": f"PPP{_in}II",
            "multiply": "PPII",
            "chirp_out": f"PPP{_out}III",
        }.items()
    }


def fft(x: CudaArray, n: int, axis: int, norm: str) -> CudaArray:
    """The transform along one axis, cut or filled with zeros to n points.

    Raises:
        ValueError: n is 0.
    """
    return _transformed(x, n, axis, _form(x), False, n, _factor(norm, n, False))


def ifft(x: CudaArray, n: int, axis: int, norm: str) -> CudaArray:
    """The inverse of ``fft``."""
    return _transformed(x, n, axis, _form(x), True, n, _factor(norm, n, True))


def rfft(x: CudaArray, n: int, axis: int, norm: str) -> CudaArray:
    """The first n // 2 + 1 coefficients of real numbers."""
    return _transformed(x, n, axis, _REAL, False, n // 2 + 1, _factor(norm, n, False))


def irfft(x: CudaArray, n: int, axis: int, norm: str) -> CudaArray:
    """The inverse of ``rfft``, of n real numbers."""
    if x.dtype.kind != "c":
        x = astype(x, _SPECTRUM[x.dtype])
    return _transformed(x, n, axis, _HALF, True, n, _factor(norm, n, True), real=True)


def _form(x: CudaArray) -> int:
    return _COMPLEX if x.dtype.kind == "c" else _REAL


def _factor(norm: str, n: int, inverse: bool) -> float:
    """The factor of a transform, of which ``norm`` says where it stands."""
    if n < 1:
        raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
    if norm == "ortho":
        return float(n**-0.5)
    return 1.0 / n if inverse == (norm == "backward") else 1.0


def _transformed(
    x: CudaArray, n: int, axis: int, form: int, inverse: bool, kept: int, scale: float, real: bool = False
) -> CudaArray:
    """Transform along an axis, which goes to the end for it and back."""
    kind = _REAL_OF.get(x.dtype, x.dtype)
    last = axis == x.ndim - 1
    source = contiguous(x if last else _reordered(x, (*(k for k in range(x.ndim) if k != axis), axis)))
    count = source.shape[-1]
    result = empty((*source.shape[:-1], kept), kind if real else _SPECTRUM[kind])
    rows = result.size // kept
    if rows:
        numbers = count if form == _REAL else 2 * count
        given = source.address, _INPUT.pack(numbers, n, count, form, inverse)
        _transform(kind, rows, n, given, (result.address, _OUTPUT[kind].pack(kept, real, inverse, scale)))
    if last:
        return result
    return contiguous(_reordered(result, (*range(axis), x.ndim - 1, *range(axis, x.ndim - 1))))


def _reordered(x: CudaArray, order: tuple[int, ...]) -> CudaArray:
    return x.view_as(tuple(x.shape[k] for k in order), tuple(x.strides[k] for k in order))


# --- rows of n points ---------------------------------------------------------------------------------------


@functools.lru_cache(1024)
def radices(n: int) -> tuple[int, ...] | None:
    """The radices of the passes, whose product is n; None if it has a prime factor above 5.

    >>> radices(120), radices(7)
    ((4, 2, 3, 5), None)
    """
    found = []
    for radix in (4, 2, 3, 5):
        while n % radix == 0:
            found.append(radix)
            n //= radix
    return tuple(found) if n == 1 else None


def _transform(kind: Any, rows: int, n: int, given: End, wanted: End) -> None:
    """Transform rows of n points."""
    plan = radices(n)
    if plan is None:
        _convolved(kind, rows, n, given, wanted)
    elif n <= _LONGEST[kind]:
        together = max(_AT_ONCE // n, 1)
        threads = launching.block_size(min(rows, together) * n // 4)
        roots = _roots(kind, n)
        addresses, ends = (given[0], wanted[0], roots.address), (given[1], wanted[1])
        grid, shared = (launching.blocks(rows, together), 1, 1), _two_buffers(kind, together, n)
        numbers = (_digits(plan), rows, together)
        _KERNELS[kind]["fft_rows"](grid, (threads, 1, 1), *addresses, *ends, *numbers, shared=shared)
    elif max(split := _split(n)) <= _LONGEST[kind]:
        _two_steps(kind, rows, n, split, given, wanted)
    else:
        _passes(kind, rows, n, plan, given, wanted)


def _digits(plan: tuple[int, ...] | None) -> int:
    """Radices as the kernels take them: four bits each."""
    return sum(radix << 4 * k for k, radix in enumerate(plan or ()))


def _two_buffers(kind: Any, together: int, n: int) -> int:
    """Bytes of shared memory in which a block transforms rows of n points."""
    return 2 * together * n * int(_SPECTRUM[kind].itemsize)


@functools.lru_cache(1024)
def _split(n: int) -> tuple[int, int]:
    """The sides of the matrix of n elements that is closest to a square, the shorter one first."""
    shorter = next(side for side in range(math.isqrt(n), 0, -1) if n % side == 0)
    return shorter, n // shorter


def _two_steps(kind: Any, rows: int, n: int, split: tuple[int, int], given: End, wanted: End) -> None:
    """Rows as matrices of a rows and b columns: transform the columns, then the rows."""
    a, b = split
    held, roots = empty((rows, n), _SPECTRUM[kind]), _roots(kind, n)
    for first in range(0, rows, _MOST_ROWS):
        some = min(rows - first, _MOST_ROWS)
        for name, source, target, end, size, lines in (
            ("fft_columns", given[0], held.address, given[1], a, b),
            ("fft_matrix_rows", held.address, wanted[0], wanted[1], b, a),
        ):
            together = _LONGEST[kind] // size  # neighbours in memory: at least four of them where n is at most 2^20
            numbers = (_digits(radices(size)), a, b, together, first)
            grid, shared = (launching.blocks(lines, together), some, 1), _two_buffers(kind, together, size)
            _KERNELS[kind][name](grid, (256, 1, 1), source, target, roots.address, end, *numbers, shared=shared)


def _passes(kind: Any, rows: int, n: int, plan: tuple[int, ...], given: End, wanted: End) -> None:
    """Pass by pass, from one buffer in global memory to another."""
    buffers = [empty((rows, n), _SPECTRUM[kind]) for _ in range(min(2, len(plan) - 1))]
    done, kernel, roots = 1, _KERNELS[kind]["fft_pass"], _roots(kind, n)
    for k, radix in enumerate(plan):
        last = k == len(plan) - 1
        target = wanted if last else _plain_output(kind, buffers[k % 2], n)
        for first in range(0, rows, _MOST_ROWS):
            grid = (launching.blocks(n // radix, 256), min(rows - first, _MOST_ROWS), 1)
            addresses = (given[0], target[0], roots.address)
            kernel(grid, (256, 1, 1), *addresses, given[1], target[1], radix, done, first)
        if not last:
            given = _plain_input(buffers[k % 2], n)
        done *= radix


def _convolved(kind: Any, rows: int, n: int, given: End, wanted: End) -> None:
    """Any n: a convolution with a chirp, by transforms whose length is a power of two."""
    m = _power(n)
    roots, factor = _roots(kind, 2 * n), _chirp(kind, n)
    held, other = empty((rows, m), _SPECTRUM[kind]), empty((rows, m), _SPECTRUM[kind])
    kernels, block = _KERNELS[kind], (256, 1, 1)
    parts = [(first, min(rows - first, _MOST_ROWS)) for first in range(0, rows, _MOST_ROWS)]
    for first, some in parts:
        grid = (launching.blocks(m, 256), some, 1)
        kernels["chirp_in"](grid, block, given[0], held.address, roots.address, given[1], m, first)
    _transform(kind, rows, m, _plain_input(held, m), _plain_output(kind, other, m))
    for first, some in parts:
        kernels["multiply"]((launching.blocks(m, 256), some, 1), block, other.address, factor.address, m, first)
    _transform(kind, rows, m, _plain_input(other, m), _plain_output(kind, held, m))
    for first, some in parts:
        grid = (launching.blocks(n, 256), some, 1)
        kernels["chirp_out"](grid, block, held.address, wanted[0], roots.address, wanted[1], n, m, first)


def _power(n: int) -> int:
    """The length of a convolution that leaves n points untouched by the others."""
    return 1 << (2 * n - 2).bit_length()


def _plain_input(rows: CudaArray, n: int) -> End:
    return rows.address, _INPUT.pack(2 * n, n, n, _COMPLEX, False)


def _plain_output(kind: Any, rows: CudaArray, n: int, scale: float = 1.0) -> End:
    return rows.address, _OUTPUT[kind].pack(n, False, False, scale)


# --- what depends on n alone --------------------------------------------------------------------------------

_kept: OrderedDict[tuple[Any, Any, int], CudaArray] = OrderedDict()
_MOST_KEPT = 32


def _once(make: Callable[[Any, int], CudaArray]) -> Callable[[Any, int], CudaArray]:
    """Keep the latest results; but what a graph makes has its values only when it is replayed."""

    @functools.wraps(make)
    def made(kind: Any, n: int) -> CudaArray:
        key = (make, kind, n)
        found = _kept.get(key)
        if found is None:
            found = make(kind, n)
            if driver.recorder is None:
                _kept[key] = found
                if len(_kept) > _MOST_KEPT:
                    _kept.popitem(last=False)
        return found

    return made


@_once
def _roots(kind: Any, n: int) -> CudaArray:
    """The n-th roots of unity."""
    roots = empty(n, _SPECTRUM[kind])
    _KERNELS[kind]["make_roots"]((launching.blocks(n, 256), 1, 1), (256, 1, 1), roots.address, n)
    return roots


@_once
def _chirp(kind: Any, n: int) -> CudaArray:
    """The transform of the chirp with which rows of n points are convolved, divided by its length."""
    m = _power(n)
    chirp, result = empty(m, _SPECTRUM[kind]), empty(m, _SPECTRUM[kind])
    block, grid = (256, 1, 1), (launching.blocks(m, 256), 1, 1)
    roots = _roots(kind, 2 * n)
    _KERNELS[kind]["make_chirp"](grid, block, chirp.address, roots.address, n, m)
    _transform(kind, 1, m, _plain_input(chirp, m), _plain_output(kind, result, m, 1.0 / m))
    return result
