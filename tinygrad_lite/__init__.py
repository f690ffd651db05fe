"""An autograd mini-framework: tensors that remember how they were computed, networks and optimisers.

    import tinygrad_lite as tgl

    x = tgl.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    x.grad                    # Tensor([2., 4., 6.])

Functions carry the names of the Python array API standard, ``nn`` and ``optim`` those of PyTorch.
"""

__version__ = "0.1.0"

from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi
from typing import TYPE_CHECKING as _TYPE_CHECKING

from tinygrad_lite import dtypes as dtypes
from tinygrad_lite import errors as errors
from tinygrad_lite import linalg as linalg
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
from tinygrad_lite.functions.activations import *
from tinygrad_lite.functions.classification import *
from tinygrad_lite.functions.closeness import *
from tinygrad_lite.functions.complex_numbers import *
from tinygrad_lite.functions.creation import *
from tinygrad_lite.functions.curves import *
from tinygrad_lite.functions.decompositions import cholesky as cholesky
from tinygrad_lite.functions.einsum import *
from tinygrad_lite.functions.elementwise import *
from tinygrad_lite.functions.gathering import *
from tinygrad_lite.functions.indexing import *
from tinygrad_lite.functions.joining import *
from tinygrad_lite.functions.logic import *
from tinygrad_lite.functions.losses import *
from tinygrad_lite.functions.manipulation import *
from tinygrad_lite.functions.matrices import logdet as logdet
from tinygrad_lite.functions.matrices import slogdet as slogdet
from tinygrad_lite.functions.matrices import trace as trace
from tinygrad_lite.functions.nan_reductions import *
from tinygrad_lite.functions.network import *
from tinygrad_lite.functions.norms import cdist as cdist
from tinygrad_lite.functions.products import *
from tinygrad_lite.functions.random import get_rng_state as get_rng_state
from tinygrad_lite.functions.random import manual_seed as manual_seed
from tinygrad_lite.functions.random import set_rng_state as set_rng_state
from tinygrad_lite.functions.reductions import *
from tinygrad_lite.functions.repeating import *
from tinygrad_lite.functions.rounding import *
from tinygrad_lite.functions.scans import *
from tinygrad_lite.functions.scatter import *
from tinygrad_lite.functions.sequences import *
from tinygrad_lite.functions.sets import *
from tinygrad_lite.functions.similarity import *
from tinygrad_lite.functions.solvers import cholesky_inverse as cholesky_inverse
from tinygrad_lite.functions.solvers import cholesky_solve as cholesky_solve
from tinygrad_lite.functions.solvers import inv as inv
from tinygrad_lite.functions.solvers import solve_triangular as solve_triangular
from tinygrad_lite.functions.sorting import *
from tinygrad_lite.functions.special import *
from tinygrad_lite.functions.statistics import *
from tinygrad_lite.functions.triangles import *
from tinygrad_lite.functions.trigonometry import *
from tinygrad_lite.functions.windows import *
from tinygrad_lite.interop.array_api import VERSION as __array_api_version__  # noqa: F401
from tinygrad_lite.interop.array_api import array_namespace_info as __array_namespace_info__  # noqa: F401
from tinygrad_lite.interop.dlpack import from_dlpack as from_dlpack
from tinygrad_lite.tensor import Tensor as Tensor

bool = dtypes.bool_  #: the standard's name; in ``dtypes`` it would hide Python's
newaxis = None  #: ``x[:, newaxis]`` has a new axis of size one

del globals()["tensor"]  # the submodule; who types tinygrad_lite.tensor(...) means Tensor, and is told so

# The worlds of a rule: the arrays of each backend, and tensors.
_namespaces[_cpu.array_type] = _cpu
_namespaces[Tensor] = _tensors

if _TYPE_CHECKING:
    from tinygrad_lite import cuda as cuda
    from tinygrad_lite import data as data
    from tinygrad_lite import distributed as distributed
    from tinygrad_lite import fft as fft
    from tinygrad_lite import nn as nn
    from tinygrad_lite import optim as optim
    from tinygrad_lite.autograd.tools.anomaly import detect_anomaly as detect_anomaly
    from tinygrad_lite.autograd.tools.checkpoint import checkpoint as checkpoint
    from tinygrad_lite.autograd.tools.checkpoint import checkpoint_sequential as checkpoint_sequential
    from tinygrad_lite.autograd.tools.custom import Joint as Joint
    from tinygrad_lite.autograd.tools.custom import Rule as Rule
    from tinygrad_lite.autograd.tools.custom import operation as operation
    from tinygrad_lite.autograd.tools.gradcheck import gradcheck as gradcheck
    from tinygrad_lite.autograd.tools.memory import memory_report as memory_report
    from tinygrad_lite.autograd.tools.picture import draw_graph as draw_graph
    from tinygrad_lite.nn.saving import load as load
    from tinygrad_lite.nn.saving import save as save

#: What is loaded when it is first used: scripts that need only tensors start in half the time.
_LATER = {
    "Joint": ("tinygrad_lite.autograd.tools.custom", "Joint"),
    "Rule": ("tinygrad_lite.autograd.tools.custom", "Rule"),
    "checkpoint": ("tinygrad_lite.autograd.tools.checkpoint", "checkpoint"),
    "checkpoint_sequential": ("tinygrad_lite.autograd.tools.checkpoint", "checkpoint_sequential"),
    "cuda": ("tinygrad_lite.cuda", ""),
    "data": ("tinygrad_lite.data", ""),
    "detect_anomaly": ("tinygrad_lite.autograd.tools.anomaly", "detect_anomaly"),
    "distributed": ("tinygrad_lite.distributed", ""),
    "draw_graph": ("tinygrad_lite.autograd.tools.picture", "draw_graph"),
    "fft": ("tinygrad_lite.fft", ""),
    "gradcheck": ("tinygrad_lite.autograd.tools.gradcheck", "gradcheck"),
    "load": ("tinygrad_lite.nn.saving", "load"),
    "memory_report": ("tinygrad_lite.autograd.tools.memory", "memory_report"),
    "nn": ("tinygrad_lite.nn", ""),
    "operation": ("tinygrad_lite.autograd.tools.custom", "operation"),
    "optim": ("tinygrad_lite.optim", ""),
    "save": ("tinygrad_lite.nn.saving", "save"),
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
