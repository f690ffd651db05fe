"""Parts of complex numbers. Complex tensors carry no gradients; a real one is its own real part and conjugate."""

from __future__ import annotations

from tinygrad_lite.autograd.graph import Tensor as Tensor
from tinygrad_lite.autograd.rules import elementwise as rules
from tinygrad_lite.functions.from_rows import unary

__all__ = ["conj", "imag", "real"]

real = unary(
    rules.REAL,
    """The real part; of complex64 a float32, of complex128 a float64.

    >>> real(Tensor([1 + 2j, 3 - 1j]))
    Tensor([1., 3.])
    """,
    floating=False,
)
imag = unary(
    rules.IMAG,
    """The imaginary part, which of a real number is 0.

    >>> imag(Tensor([1 + 2j, 3 - 1j]))
    Tensor([ 2., -1.])
    """,
    floating=False,
)
conj = unary(
    rules.CONJ,
    """The conjugate: the imaginary part changes its sign.

    >>> conj(Tensor([1 + 2j]))
    Tensor([1.-2.j], dtype=complex64)
    """,
    floating=False,
)
