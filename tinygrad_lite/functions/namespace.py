"""The third world: the names that rules use, on tensors.

Under ``create_graph`` the engine runs the very same rules with this module as ``xp``, so that the backward pass
is recorded and can be differentiated again.
"""

from tinygrad_lite.functions.creation import asarray as asarray
from tinygrad_lite.functions.creation import full as full
from tinygrad_lite.functions.creation import zeros as zeros
from tinygrad_lite.functions.creation import zeros_like as zeros_like
from tinygrad_lite.functions.elementwise import (
    abs as abs,
    add as add,
    clip as clip,
    cos as cos,
    divide as divide,
    equal as equal,
    exp as exp,
    expm1 as expm1,
    greater as greater,
    greater_equal as greater_equal,
    isfinite as isfinite,
    isnan as isnan,
    less as less,
    less_equal as less_equal,
    log as log,
    log1p as log1p,
    logical_and as logical_and,
    logical_not as logical_not,
    logical_or as logical_or,
    maximum as maximum,
    minimum as minimum,
    multiply as multiply,
    negative as negative,
    not_equal as not_equal,
    pow as pow,
    sigmoid as sigmoid,
    sign as sign,
    sin as sin,
    sqrt as sqrt,
    square as square,
    subtract as subtract,
    tanh as tanh,
    where as where,
)
from tinygrad_lite.functions.creation import arange as arange
from tinygrad_lite.functions.indexing import put_along_axis as put_along_axis
from tinygrad_lite.functions.indexing import scatter_add as scatter_add
from tinygrad_lite.functions.indexing import setitem as setitem
from tinygrad_lite.functions.indexing import take_along_axis as take_along_axis
from tinygrad_lite.functions.indexing import topk as topk
from tinygrad_lite.functions.linalg import (
    cholesky as cholesky,
    contract as contract,
    inv as inv,
    matmul as matmul,
    slogdet as slogdet,
    solve_triangular as solve_triangular,
)
from tinygrad_lite.functions.manipulation import (
    astype as astype,
    broadcast_to as broadcast_to,
    concat as concat,
    expand_dims as expand_dims,
    flip as flip,
    matrix_transpose as matrix_transpose,
    pad as pad,
    permute_dims as permute_dims,
    reshape as reshape,
    squeeze as squeeze,
    tril as tril,
)
from tinygrad_lite.functions.reductions import (
    all as all,
    any as any,
    argmax as argmax,
    argmin as argmin,
    cumulative_prod as cumulative_prod,
    cumulative_sum as cumulative_sum,
    linear_scan as linear_scan,
    max as max,
    mean as mean,
    min as min,
    sum as sum,
    sum_to as sum_to,
)
