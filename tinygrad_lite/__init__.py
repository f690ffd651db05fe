"""An autograd mini-framework: tensors that remember how they were computed, networks and optimisers.

    import tinygrad_lite as tgl

    x = tgl.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    x.grad                    # Tensor([2., 4., 6.])

Functions carry the names of the Python array API standard, ``nn`` and ``optim`` those of PyTorch.
"""

__version__ = "0.1.0"

from tinygrad_lite.autograd import engine as _engine
from tinygrad_lite.autograd import rules as _rules  # noqa: F401  (declares every operation)
from tinygrad_lite.autograd.graph import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from tinygrad_lite.autograd.rows import namespaces as _namespaces
from tinygrad_lite.autograd.transforms import grad, hessian, hvp, jacobian, jvp, vjp
from tinygrad_lite.backends.cpu import namespace as _cpu
from tinygrad_lite.dtypes import (
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    result_type,
    uint8,
    uint16,
    uint32,
    uint64,
)
from tinygrad_lite.functions import namespace as _tensors
from tinygrad_lite.functions import random
from tinygrad_lite.functions.creation import arange, asarray, eye, full, ones, ones_like, zeros, zeros_like
from tinygrad_lite.functions.elementwise import (
    abs,
    add,
    clip,
    cos,
    divide,
    equal,
    exp,
    expm1,
    greater,
    greater_equal,
    isfinite,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    pow,
    relu,
    sigmoid,
    sign,
    sin,
    softplus,
    sqrt,
    square,
    subtract,
    tanh,
    where,
)
from tinygrad_lite.functions.indexing import (
    getitem,
    put_along_axis,
    scatter_add,
    setitem,
    take_along_axis,
    topk,
)
from tinygrad_lite.functions.linalg import cholesky, einsum, inv, matmul, slogdet, solve_triangular
from tinygrad_lite.functions.losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
)
from tinygrad_lite.functions.manipulation import (
    astype,
    broadcast_to,
    concat,
    expand_dims,
    flatten,
    flip,
    matrix_transpose,
    pad,
    permute_dims,
    reshape,
    squeeze,
    stack,
    tril,
)
from tinygrad_lite.functions.network import batch_norm, dropout, linear, log_softmax, softmax
from tinygrad_lite.functions.random import get_rng_state, manual_seed, set_rng_state
from tinygrad_lite.functions.reductions import (
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    cumulative_prod,
    cumulative_sum,
    linear_scan,
    logsumexp,
    max,
    mean,
    min,
    sum,
    sum_to,
    var,
)
from tinygrad_lite.tensor import Tensor

# The three worlds of a rule: NumPy's arrays, other backends' arrays, and tensors.
_namespaces[_cpu.array_type] = _cpu
_engine.tensor_namespace = _tensors

__all__ = [_name for _name in dir() if not _name.startswith("_")]
