"""Linear algebra under the names of the array API standard's ``linalg`` extension, NumPy and PyTorch.

    q, r = tgl.linalg.qr(x)

Matrices are the last two axes; the others are batches and broadcast.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from tinygrad_lite.dialects import refusing as _refusing
from tinygrad_lite.functions.decompositions import cholesky as cholesky
from tinygrad_lite.functions.decompositions import eig as eig
from tinygrad_lite.functions.decompositions import eigh as eigh
from tinygrad_lite.functions.decompositions import eigvals as eigvals
from tinygrad_lite.functions.decompositions import eigvalsh as eigvalsh
from tinygrad_lite.functions.decompositions import qr as qr
from tinygrad_lite.functions.decompositions import svd as svd
from tinygrad_lite.functions.decompositions import svdvals as svdvals
from tinygrad_lite.functions.manipulation import matrix_transpose as matrix_transpose
from tinygrad_lite.functions.matrices import det as det
from tinygrad_lite.functions.matrices import diagonal as diagonal
from tinygrad_lite.functions.matrices import logdet as logdet
from tinygrad_lite.functions.matrices import matrix_exp as matrix_exp
from tinygrad_lite.functions.matrices import matrix_power as matrix_power
from tinygrad_lite.functions.matrices import slogdet as slogdet
from tinygrad_lite.functions.matrices import trace as trace
from tinygrad_lite.functions.norms import cond as cond
from tinygrad_lite.functions.norms import matrix_norm as matrix_norm
from tinygrad_lite.functions.norms import matrix_rank as matrix_rank
from tinygrad_lite.functions.norms import norm as norm
from tinygrad_lite.functions.norms import vector_norm as vector_norm
from tinygrad_lite.functions.products import cross as cross
from tinygrad_lite.functions.products import matmul as matmul
from tinygrad_lite.functions.products import multi_dot as multi_dot
from tinygrad_lite.functions.products import outer as outer
from tinygrad_lite.functions.products import tensordot as tensordot
from tinygrad_lite.functions.products import vecdot as vecdot
from tinygrad_lite.functions.solvers import cholesky_inverse as cholesky_inverse
from tinygrad_lite.functions.solvers import cholesky_solve as cholesky_solve
from tinygrad_lite.functions.solvers import inv as inv
from tinygrad_lite.functions.solvers import lstsq as lstsq
from tinygrad_lite.functions.solvers import pinv as pinv
from tinygrad_lite.functions.solvers import solve as solve
from tinygrad_lite.functions.solvers import solve_triangular as solve_triangular

if not _TYPE_CHECKING:  # mypy knows every name
    __getattr__ = _refusing("tinygrad_lite.linalg")
