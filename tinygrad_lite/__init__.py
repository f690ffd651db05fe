"""An autograd mini-framework: tensors that remember how they were computed, networks and optimisers.

    import tinygrad_lite as tgl

    x = tgl.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    x.grad                    # Tensor([2., 4., 6.])

Functions carry the names of the Python array API standard, ``nn`` and ``optim`` those of PyTorch.
"""

__version__ = "0.1.0"

from typing import TYPE_CHECKING as _TYPE_CHECKING

from tinygrad_lite import dtypes as dtypes
from tinygrad_lite import errors as errors
from tinygrad_lite.autograd import rules as _rules  # noqa: F401  (declares every operation)
from tinygrad_lite.autograd.graph import enable_grad as enable_grad
from tinygrad_lite.autograd.graph import is_grad_enabled as is_grad_enabled
from tinygrad_lite.autograd.graph import no_grad as no_grad
from tinygrad_lite.autograd.graph import set_grad_enabled as set_grad_enabled
from tinygrad_lite.autograd.rows import namespaces as _namespaces
from tinygrad_lite.autograd.transforms import *
from tinygrad_lite.backends.cpu import namespace as _cpu
from tinygrad_lite.backends.cpu import overrides as _overrides  # noqa: F401  (adds the fused rows)
from tinygrad_lite.dtypes import *
from tinygrad_lite.functions import namespace as _tensors
from tinygrad_lite.functions import random as random
from tinygrad_lite.functions.creation import *
from tinygrad_lite.functions.elementwise import *
from tinygrad_lite.functions.indexing import *
from tinygrad_lite.functions.linalg import *
from tinygrad_lite.functions.losses import *
from tinygrad_lite.functions.manipulation import *
from tinygrad_lite.functions.network import *
from tinygrad_lite.functions.random import get_rng_state as get_rng_state
from tinygrad_lite.functions.random import manual_seed as manual_seed
from tinygrad_lite.functions.random import set_rng_state as set_rng_state
from tinygrad_lite.functions.reductions import *
from tinygrad_lite.tensor import Tensor as Tensor

# The worlds of a rule: the arrays of each backend, and tensors.
_namespaces[_cpu.array_type] = _cpu
_namespaces[Tensor] = _tensors

if _TYPE_CHECKING:
    from tinygrad_lite import data as data
    from tinygrad_lite import nn as nn
    from tinygrad_lite import optim as optim
    from tinygrad_lite.autograd.gradcheck import gradcheck as gradcheck
    from tinygrad_lite.nn.serialization import load as load
    from tinygrad_lite.nn.serialization import save as save

#: What is loaded when it is first used: scripts that need only tensors start in half the time.
_LATER = {
    "data": ("tinygrad_lite.data", ""),
    "gradcheck": ("tinygrad_lite.autograd.gradcheck", "gradcheck"),
    "load": ("tinygrad_lite.nn.serialization", "load"),
    "nn": ("tinygrad_lite.nn", ""),
    "optim": ("tinygrad_lite.optim", ""),
    "save": ("tinygrad_lite.nn.serialization", "save"),
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        from tinygrad_lite.dialects import refuse_attribute

        refuse_attribute("tinygrad_lite", name)
    from importlib import import_module

    module, attribute = _LATER[name]
    found: object = import_module(module)
    if attribute:
        found = globals()[name] = getattr(found, attribute)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
