"""The closed list of functions that operation rules may use.

A backend offers exactly these under these names; the public functions offer the differentiable ones on
tensors, so that one rule text runs in every world. Names and meanings follow the Python array API standard;
``axis`` is a tuple of non-negative ints (one int for scans and the along-axis functions), 0-d results
may be NumPy scalars inside a rule. What the standard lacks is described beside the name. Besides these,
arrays offer ``shape``, ``dtype``, reading by index, arithmetic (+ - * / ** unary -) and comparison operators.
"""

from __future__ import annotations

ELEMENTWISE = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "pow",
    "negative",
    "abs",
    "sign",
    "square",
    "sqrt",
    "exp",
    "expm1",
    "log",
    "log1p",
    "sin",
    "cos",
    "tanh",
    "maximum",
    "minimum",
    "clip",
    "where",
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_not",
    "isfinite",
    "isnan",
]
SPECIAL = ["sigmoid"]  # 1 / (1 + exp(-x)), without overflow
REDUCTIONS = [
    "sum",
    "mean",
    "max",
    "min",
    "argmax",
    "argmin",
    "any",
    "all",
    "cumulative_sum",
    "cumulative_prod",
]
MANIPULATION = [
    "reshape",
    "permute_dims",
    "broadcast_to",
    "expand_dims",
    "squeeze",
    "flip",
    "concat",
    "tril",
    "matrix_transpose",
    "astype",
]
# A rule uses zeros_like(x, dtype=..., shape=...) alone of these: what it makes must lie on the device of x.
CREATION = ["asarray", "zeros", "full", "zeros_like", "arange"]
LINEAR_ALGEBRA = ["matmul", "inv", "cholesky", "slogdet"]
ADJOINTS = {
    "sum_to": "(x, shape): sums what broadcasting from shape had repeated; adjoint of broadcast_to",
    "pad": "(x, pad_width, value): a border of value; pad_width is ((before, after), ...) per axis",
    "scatter_add": "(x, index, shape): zeros of shape with x added at index; adjoint of x[index]",
    "setitem": "(x, values, index): a copy of x with values or a number at index; the last of repeated writes wins",
    "take_along_axis": "(x, indices, axis)",
    "put_along_axis": "(x, indices, shape, axis): zeros with x added at indices; adjoint of take_along_axis",
    "linear_scan": "(a, b, axis, reverse): h with h_t = a_t h_(t-1) + b_t along axis",
    "contract": "(arrays, inputs, output): the einsum; inputs and output are labels, one letter per axis",
    "solve_triangular": "(a, b, upper, transpose): y with op(triangle of a) y = b",
    "topk": "(x, k, axis, largest): values and int64 indices, in order",
    "keep_mask": "(seed, counter, shape, keep): bool, each True with probability keep; Philox bits",
}

NAMES = frozenset([*ELEMENTWISE, *SPECIAL, *REDUCTIONS, *MANIPULATION, *CREATION, *LINEAR_ALGEBRA, *ADJOINTS])
