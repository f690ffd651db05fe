"""The array namespace on plain NumPy arrays, put together; what each name means stands in ``backends/namespace.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cpu.elementwise import *
from tinygrad_lite.backends.cpu.fourier import *
from tinygrad_lite.backends.cpu.gamma_function import *
from tinygrad_lite.backends.cpu.indexing import *
from tinygrad_lite.backends.cpu.linalg import *
from tinygrad_lite.backends.cpu.manipulation import *
from tinygrad_lite.backends.cpu.random import keep_mask as keep_mask
from tinygrad_lite.backends.cpu.random import uniform as uniform
from tinygrad_lite.backends.cpu.reductions import *
from tinygrad_lite.backends.cpu.scans import *
from tinygrad_lite.backends.cpu.sorting import *
from tinygrad_lite.backends.cpu.special import *

array_type = np.ndarray
default_float = dtypes.default_float
overrides: dict[str, Any] = {}  #: row name -> a fused forward and backward, see overrides.py
