"""The array namespace on plain NumPy arrays, put together; what each name means stands in ``backends/namespace.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cpu import clipping as clipping
from tinygrad_lite.backends.cpu import updates as updates
from tinygrad_lite.backends.cpu.elementwise import *
from tinygrad_lite.backends.cpu.fourier import *
from tinygrad_lite.backends.cpu.gamma_function import digamma as digamma
from tinygrad_lite.backends.cpu.gamma_function import lgamma as lgamma
from tinygrad_lite.backends.cpu.gamma_function import polygamma as polygamma
from tinygrad_lite.backends.cpu.indexing import *
from tinygrad_lite.backends.cpu.linalg import *
from tinygrad_lite.backends.cpu.manipulation import *
from tinygrad_lite.backends.cpu.matrix_exponential import matrix_exp as matrix_exp
from tinygrad_lite.backends.cpu.random import exponential as exponential
from tinygrad_lite.backends.cpu.random import integers as integers
from tinygrad_lite.backends.cpu.random import keep_mask as keep_mask
from tinygrad_lite.backends.cpu.random import normal as normal
from tinygrad_lite.backends.cpu.random import random_bits as random_bits
from tinygrad_lite.backends.cpu.random import uniform as uniform
from tinygrad_lite.backends.cpu.reductions import *
from tinygrad_lite.backends.cpu.scans import *
from tinygrad_lite.backends.cpu.sorting import *
from tinygrad_lite.backends.cpu.special import *
from tinygrad_lite.backends.devices import to_device as to_device

array_type = np.ndarray
device = "cpu"
default_float = dtypes.default_float
overrides: dict[str, Any] = {}  #: row name -> a fused forward and backward, see overrides.py
