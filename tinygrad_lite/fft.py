"""Discrete Fourier transforms under the names of the array API standard's ``fft`` extension, which are NumPy's too.

spectrum = tgl.fft.rfft(x)
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from tinygrad_lite.dialects import refusing as _refusing
from tinygrad_lite.functions.fourier import fft as fft
from tinygrad_lite.functions.fourier import fftfreq as fftfreq
from tinygrad_lite.functions.fourier import fftn as fftn
from tinygrad_lite.functions.fourier import fftshift as fftshift
from tinygrad_lite.functions.fourier import hfft as hfft
from tinygrad_lite.functions.fourier import ifft as ifft
from tinygrad_lite.functions.fourier import ifftn as ifftn
from tinygrad_lite.functions.fourier import ifftshift as ifftshift
from tinygrad_lite.functions.fourier import ihfft as ihfft
from tinygrad_lite.functions.fourier import irfft as irfft
from tinygrad_lite.functions.fourier import irfftn as irfftn
from tinygrad_lite.functions.fourier import rfft as rfft
from tinygrad_lite.functions.fourier import rfftfreq as rfftfreq
from tinygrad_lite.functions.fourier import rfftn as rfftn

if not _TYPE_CHECKING:  # mypy knows every name
    __getattr__ = _refusing("tinygrad_lite.fft")
