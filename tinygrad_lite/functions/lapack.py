"""What matrix decompositions and solvers have in common: the matrices that LAPACK works on, and its refusals."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply, promoted
from tinygrad_lite.autograd.refusals import broadcast_clash
from tinygrad_lite.autograd.rows import Row
from tinygrad_lite.autograd.rules.elementwise import ASTYPE
from tinygrad_lite.errors import ArgumentError, DTypeError, Error, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor
from tinygrad_lite.functions.elementwise import holding

NOT_SINGULAR = "needs matrices that are not singular"
CONVERGES = "did not converge: it needs finite numbers"
DEFINITE = "needs positive definite matrices"

_HINTS = {
    NOT_SINGULAR: "linalg.pinv accepts them; adding 1e-6 * eye(n) moves a matrix away from such ones",
    CONVERGES: "isfinite(x).all() is False where there are NaN or inf",
    DEFINITE: "if only rounding is to blame, add a little to the diagonal: x + 1e-6 * eye(n)",
}
_OTHERS = "the last two axes are the rows and columns of a matrix"
_SQUARE = {
    "inv": "linalg.pinv(x) is for matrices of any shape",
    "solve": "linalg.lstsq(x1, x2) is for systems of any shape",
    "eig": "linalg.svd(x) is for matrices of any shape",
    "eigh": "linalg.svd(x) is for matrices of any shape",
}


def matrices(operation: str, x: Any, name: str = "x") -> Tensor:
    """Matrices of a dtype that LAPACK works on; integers become float32."""
    tensor = as_tensor(operation, x, name)
    dtype = tensor._data.dtype
    if dtype.kind in "biu":
        tensor = apply(ASTYPE, (tensor,), (dtypes.default_float,))
    elif dtype.itemsize < 4:
        fail(DTypeError, operation, "needs float32 or float64", {name: tensor}, f'{name}.astype("float32")')
    if tensor._data.ndim < 2:
        hint = f"a row is {name}.reshape(1, -1), a column {name}.reshape(-1, 1)"
        fail(ShapeError, operation, "needs matrices (..., m, n)", {name: tensor}, hint)
    return tensor


def square(operation: str, x: Any, name: str = "x") -> Tensor:
    """Square matrices of a dtype that LAPACK works on."""
    tensor = as_tensor(operation, x, name)
    shape = tensor._data.shape
    if len(shape) < 2 or shape[-1] != shape[-2]:
        hint = _SQUARE.get(operation, _OTHERS)
        fail(ShapeError, operation, "needs square matrices (..., n, n)", {name: tensor}, hint)
    return matrices(operation, tensor, name)


def pair(declared: Row, x1: Any, x2: Any, floating: bool = False) -> tuple[Tensor, Tensor]:
    """Two operands of one dtype; ``floating``: integers become float32."""
    first, second = declared.operands
    x1, x2 = as_tensor(declared.name, x1, first), as_tensor(declared.name, x2, second)
    dtype = x1._data.dtype
    if dtype is not x2._data.dtype or (floating and dtype.kind in "biu"):
        _, _, a, b = promoted(declared, x1, x2, floating)
        x1, x2 = holding(x1, a), holding(x2, b)
    return x1, x2


def check_batches(operation: str, operands: dict[str, Tensor]) -> None:
    """Refuse matrices whose leading axes do not broadcast."""
    batches = [t._data.shape[:-2] for t in operands.values()]
    if broadcast_clash(batches):
        need = f"needs leading axes that broadcast, but {' and '.join(map(str, batches))} do not"
        fail(ShapeError, operation, need, operands, "leading axes are batches of matrices, of equal sizes or 1")


def decomposed(
    declared: Row,
    operands: dict[str, Any],
    statics: tuple[Any, ...],
    need: str,
    operation: str = "",
    shown: dict[str, Any] | None = None,
) -> Any:
    """The row's result; what LAPACK refuses is refused in words about the matrix.

    ``operation`` and ``shown`` are the function and the operands that the user knows, where they are not the row's.
    """
    try:
        return apply(declared, tuple(operands.values()), statics)
    except Error as error:
        if isinstance(error.__context__, np.linalg.LinAlgError):
            name = operation or declared.name
            fail(ArgumentError, name, need, operands if shown is None else shown, _HINTS.get(need, ""))
        raise
