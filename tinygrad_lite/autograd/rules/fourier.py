"""Fourier transforms along one axis. Their spectra are complex: no derivatives."""

from __future__ import annotations

from tinygrad_lite.autograd.rows import row

FFT = row("fft", "x | n axis norm")
IFFT = row("ifft", "x | n axis norm")
RFFT = row("rfft", "x | n axis norm")
IRFFT = row("irfft", "x | n axis norm")
