"""The array namespace on the GPU, put together; what each name means stands in ``backends/namespace.py``."""

from __future__ import annotations

import sys
from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cuda import clipping as clipping
from tinygrad_lite.backends.cuda import operators
from tinygrad_lite.backends.cuda import updates as updates
from tinygrad_lite.backends.cuda.array import CudaArray
from tinygrad_lite.backends.cuda.decompositions import *
from tinygrad_lite.backends.cuda.elementwise import *
from tinygrad_lite.backends.cuda.fourier import *
from tinygrad_lite.backends.cuda.indexing import *
from tinygrad_lite.backends.cuda.manipulation import *
from tinygrad_lite.backends.cuda.memory import describe_holders as describe_holders
from tinygrad_lite.backends.cuda.products import *
from tinygrad_lite.backends.cuda.random import *
from tinygrad_lite.backends.cuda.reductions import *
from tinygrad_lite.backends.cuda.scans import *
from tinygrad_lite.backends.cuda.scatter import *
from tinygrad_lite.backends.cuda.sets import *
from tinygrad_lite.backends.cuda.sorting import *
from tinygrad_lite.backends.cuda.special import *
from tinygrad_lite.backends.devices import to_device as to_device

array_type = CudaArray
device = "cuda"
default_float = dtypes.default_float
overrides: dict[str, Any] = {}  #: row name -> a fused forward and backward, see overrides.py

operators.attach(sys.modules[__name__])
