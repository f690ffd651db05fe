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
from typing import Any

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

# Input and Output of kernels/fft.cuh.
_INPUT = struct.Struct("PqIIii")
_OUTPUT = {dtypes.float32: struct.Struct("PIhhf4x"), dtypes.float64: struct.Struct("PIhhd")}

_KERNELS: dict[Any, dict[str, Any]] = {}
for _real in _SPECTRUM:
    _module = compiler.module("fft.cu", REAL=C_NAMES[_real])
    _KERNELS[_real] = {
        name: launching.Kernel(_module, name, parameters)
        for name, parameters in {
            "make_roots": "PI",
            "fft_rows": "32s24sPQII",
            "fft_columns": "32sPPQIIII",
            "fft_matrix_rows": "P24sPQIIII",
            "fft_pass": "32s24sPIII",
            "make_chirp": "PPII",
            "chirp_in": "32sPPII",
            "multiply": "PPII",
            "chirp_out": "P24sPIII",
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
        given = _INPUT.pack(source.address, numbers, n, count, form, inverse)
        _transform(kind, rows, n, given, _OUTPUT[kind].pack(result.address, kept, real, inverse, scale))
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


def _transform(kind: Any, rows: int, n: int, given: bytes, wanted: bytes) -> None:
    """Transform rows; what is given and wanted are an Input and an Output."""
    plan = radices(n)
    if plan is None:
        _convolved(kind, rows, n, given, wanted)
    elif n <= _LONGEST[kind]:
        together = max(_AT_ONCE // n, 1)
        threads = launching.block_size(min(rows, together) * n // 4)
        numbers = (_roots(kind, n).address, _digits(plan), rows, together)
        shared = _two_buffers(kind, together, n)
        grid = (launching.blocks(rows, together), 1, 1)
        _KERNELS[kind]["fft_rows"](grid, (threads, 1, 1), given, wanted, *numbers, shared=shared)
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


def _two_steps(kind: Any, rows: int, n: int, split: tuple[int, int], given: bytes, wanted: bytes) -> None:
    """Rows as matrices of a rows and b columns: transform the columns, then the rows."""
    a, b = split
    held, roots = empty((rows, n), _SPECTRUM[kind]), _roots(kind, n).address
    for first in range(0, rows, _MOST_ROWS):
        some = min(rows - first, _MOST_ROWS)
        for name, ends, size, lines in (
            ("fft_columns", (given, held.address), a, b),
            ("fft_matrix_rows", (held.address, wanted), b, a),
        ):
            together = _LONGEST[kind] // size  # neighbours in memory: at least four of them where n is at most 2^20
            numbers = (roots, _digits(radices(size)), a, b, together, first)
            grid, shared = (launching.blocks(lines, together), some, 1), _two_buffers(kind, together, size)
            _KERNELS[kind][name](grid, (256, 1, 1), *ends, *numbers, shared=shared)


def _passes(kind: Any, rows: int, n: int, plan: tuple[int, ...], given: bytes, wanted: bytes) -> None:
    """Pass by pass, from one buffer in global memory to another."""
    buffers = [empty((rows, n), _SPECTRUM[kind]) for _ in range(min(2, len(plan) - 1))]
    done, kernel, roots = 1, _KERNELS[kind]["fft_pass"], _roots(kind, n).address
    for k, radix in enumerate(plan):
        target = wanted if k == len(plan) - 1 else _plain_output(kind, buffers[k % 2].address, n)
        for first in range(0, rows, _MOST_ROWS):
            grid = (launching.blocks(n // radix, 256), min(rows - first, _MOST_ROWS), 1)
            kernel(grid, (256, 1, 1), given, target, roots, radix, done, first)
        given = _plain_input(buffers[k % 2].address, n) if k < len(plan) - 1 else given
        done *= radix


def _convolved(kind: Any, rows: int, n: int, given: bytes, wanted: bytes) -> None:
    """Any n: a convolution with a chirp, by transforms whose length is a power of two."""
    m = _power(n)
    roots, factor = _roots(kind, 2 * n), _chirp(kind, n)
    held, other = empty((rows, m), _SPECTRUM[kind]), empty((rows, m), _SPECTRUM[kind])
    kernels, block = _KERNELS[kind], (256, 1, 1)
    parts = [(first, min(rows - first, _MOST_ROWS)) for first in range(0, rows, _MOST_ROWS)]
    for first, some in parts:
        kernels["chirp_in"]((launching.blocks(m, 256), some, 1), block, given, held.address, roots.address, m, first)
    _transform(kind, rows, m, _plain_input(held.address, m), _plain_output(kind, other.address, m))
    for first, some in parts:
        kernels["multiply"]((launching.blocks(m, 256), some, 1), block, other.address, factor.address, m, first)
    _transform(kind, rows, m, _plain_input(other.address, m), _plain_output(kind, held.address, m))
    for first, some in parts:
        grid = (launching.blocks(n, 256), some, 1)
        kernels["chirp_out"](grid, block, held.address, wanted, roots.address, n, m, first)


def _power(n: int) -> int:
    """The length of a convolution that leaves n points untouched by the others."""
    return 1 << (2 * n - 2).bit_length()


def _plain_input(address: int, n: int) -> bytes:
    return _INPUT.pack(address, 2 * n, n, n, _COMPLEX, False)


def _plain_output(kind: Any, address: int, n: int) -> bytes:
    return _OUTPUT[kind].pack(address, n, False, False, 1.0)


# --- what depends on n alone --------------------------------------------------------------------------------

_kept: OrderedDict[tuple[Any, Any, int], CudaArray] = OrderedDict()
_MOST_KEPT = 32


def _once(make: Callable[[Any, int], CudaArray]) -> Callable[[Any, int], CudaArray]:
    """Keep the latest results; but what a graph records is made by the graph, which must own what it reads."""

    @functools.wraps(make)
    def made(kind: Any, n: int) -> CudaArray:
        if driver.recorder is not None:
            return make(kind, n)
        key = (make, kind, n)
        found = _kept.get(key)
        if found is None:
            found = _kept[key] = make(kind, n)
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
    _KERNELS[kind]["make_chirp"](grid, block, chirp.address, _roots(kind, 2 * n).address, n, m)
    scaled = _OUTPUT[kind].pack(result.address, m, False, False, 1.0 / m)
    _transform(kind, 1, m, _plain_input(chirp.address, m), scaled)
    return result
