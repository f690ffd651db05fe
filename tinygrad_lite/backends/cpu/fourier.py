"""Discrete Fourier transforms along one axis of NumPy arrays: pocketfft, by way of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.backends.cpu.arrays import Array


def fft(x: Array, n: int, axis: int, norm: Any) -> Array:
    return np.fft.fft(x, n, axis, norm)


def ifft(x: Array, n: int, axis: int, norm: Any) -> Array:
    return np.fft.ifft(x, n, axis, norm)


def rfft(x: Array, n: int, axis: int, norm: Any) -> Array:
    return np.fft.rfft(x, n, axis, norm)


def irfft(x: Array, n: int, axis: int, norm: Any) -> Array:
    return np.fft.irfft(x, n, axis, norm)
