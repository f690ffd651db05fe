"""The parts of real numbers; those of complex ones stand in tests/functions/test_complex.py."""

from __future__ import annotations

import numpy as np

from operations.rows.elementwise import unary

unary("real", np.real, integers="same")
unary("conj", np.conj, integers="same")
unary("imag", np.imag, torch=lambda t, x: t.zeros_like(x) * x, integers="same", flat=True)
