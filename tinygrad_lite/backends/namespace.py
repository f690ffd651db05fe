"""The closed list of functions that the rows of operations may use, chapter by chapter.

A backend offers exactly these under these names; the public functions offer, on tensors, those that rules use, so that
one rule text runs in every world. Names and meanings follow the Python array API standard;
``axis`` is a tuple of non-negative ints (one int for scans and the along-axis functions), 0-d results
may be NumPy scalars inside a rule. What the standard lacks is described beside the name. Besides these,
arrays offer ``shape``, ``dtype``, reading by index, arithmetic (+ - * / ** unary -) and comparison operators.
"""

from __future__ import annotations


def _standard(names: str) -> dict[str, str]:
    """Names that need no description, because the array API standard gives it."""
    return dict.fromkeys(names.split(), "")


ELEMENTWISE = {
    **_standard("add subtract multiply divide pow negative abs sign square sqrt exp expm1 log log1p sin cos tanh"),
    **_standard("maximum minimum clip where equal not_equal less less_equal greater greater_equal"),
    **_standard("logical_and logical_or logical_not isfinite isnan"),
}
SPECIAL = {
    "sigmoid": "(x): 1 / (1 + exp(-x)), without overflow",
}
REDUCTIONS = {
    **_standard("sum mean max min argmax argmin any all cumulative_sum cumulative_prod"),
    "linear_scan": "(a, b, axis, reverse): h with h_t = a_t h_(t-1) + b_t along axis",
}
SORTING = {
    "topk": "(x, k, axis, largest): values and int64 indices, in order",
}
MANIPULATION = {
    **_standard("reshape permute_dims broadcast_to expand_dims squeeze flip concat tril astype"),
    "sum_to": "(x, shape): sums what broadcasting from shape had repeated; adjoint of broadcast_to",
    "pad": "(x, pad_width, value): a border of value; pad_width is ((before, after), ...) per axis",
}
# A rule uses zeros_like(x, dtype=..., shape=...) alone of these: what it makes must lie on the device of x.
CREATION = _standard("asarray zeros full zeros_like arange")
INDEXING = {
    "add_at": "(x, index, shape): zeros of shape with x added at index; adjoint of x[index]",
    "setitem": "(x, values, index): a copy of x with values or a number at index; the last of repeated writes wins",
    "take_along_axis": "(x, indices, axis)",
    "add_along_axis": "(x, indices, shape, axis): zeros with x added at indices; adjoint of take_along_axis",
}
LINEAR_ALGEBRA = {
    **_standard("matmul matrix_transpose inv cholesky slogdet"),
    "contract": "(arrays, inputs, output): the einsum; inputs and output are labels, one letter per axis",
    "solve_triangular": "(a, b, upper, transpose): y with op(triangle of a) y = b",
}
RANDOM = {
    "keep_mask": "(seed, counter, shape, keep): bool, each True with probability keep; Philox bits",
}

NAMES = frozenset(
    [*ELEMENTWISE, *SPECIAL, *REDUCTIONS, *SORTING, *MANIPULATION, *CREATION, *INDEXING, *LINEAR_ALGEBRA, *RANDOM]
)

#: What forwards use and rules do not: tensors need not offer these.
FORWARD_ONLY = frozenset(["asarray", "zeros", "full", "arange", *RANDOM])
