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
    **_standard("add subtract multiply divide floor_divide remainder pow negative positive reciprocal abs sign square"),
    **_standard("sqrt hypot exp expm1 log log1p log2 log10 logaddexp sin cos tan asin acos atan atan2"),
    **_standard("sinh cosh tanh asinh acosh atanh floor ceil trunc round maximum minimum copysign nextafter"),
    **_standard("clip where equal not_equal less less_equal greater greater_equal isfinite isinf isnan signbit"),
    **_standard("logical_and logical_or logical_not logical_xor real imag conj"),
    **_standard("bitwise_and bitwise_or bitwise_xor bitwise_invert bitwise_left_shift bitwise_right_shift"),
    "power": "(x, exponent): floats to the power of a Python number",
    "exp2": "(x): 2 to the power x",
    "logaddexp2": "(x1, x2): log2(2^x1 + 2^x2)",
    "fmod": "(x1, x2): the remainder with the sign of x1",
    "heaviside": "(x1, x2): 0 for x1 < 0, x2 for x1 = 0, 1 for x1 > 0",
}
SPECIAL = {
    "sigmoid": "(x): 1 / (1 + exp(-x)), without overflow",
    "relu": "(x): max(x, 0)",
    "erf": "(x): the error function",
    "erfc": "(x): 1 - erf(x)",
    "erfcx": "(x): exp(x^2) erfc(x)",
    "erfinv": "(x): the inverse of erf",
    "log_ndtr": "(x): the logarithm of the standard normal distribution function",
    "lgamma": "(x): log |gamma(x)|",
    "digamma": "(x): the derivative of lgamma",
    "polygamma": "(n, x): the n-th derivative of digamma",
    "sinc_derivative": "(x, order): the derivative of that order of sin(pi x) / (pi x)",
}
REDUCTIONS = {
    **_standard("sum prod mean max min argmax argmin any all count_nonzero"),
    "var": "(x, axis, keepdims, correction): sum((x - mean)^2) / (n - correction)",
    "nanmax": "(x, axis, keepdims): the largest element that is not NaN; NaN if there is none",
    "nanmin": "(x, axis, keepdims): the smallest element that is not NaN; NaN if there is none",
}
SCANS = {
    **_standard("cumulative_sum cumulative_prod"),
    "cumulative_max": "(x, axis): the largest element so far; NaN from the first NaN on",
    "cumulative_min": "(x, axis): the smallest element so far; NaN from the first NaN on",
    "logcumsumexp": "(x, axis): log(exp(x_1) + ... + exp(x_k)), without overflow",
    "linear_scan": "(a, b, axis, reverse): h with h_t = a_t h_(t-1) + b_t along axis",
}
SORTING = {
    "sort": "(x, axis, descending, stable): NaN is the largest",
    "argsort": "(x, axis, descending, stable): int64 indices",
    "topk": "(x, k, axis, largest): values and int64 indices, in order",
    "searchsorted": "(x1, x2, side): int64 places in the sorted 1-d x1 that keep it sorted",
    "bincount": "(x, weights or None, minlength): how often, or with what weight, each integer occurs",
    **_standard("nonzero isin"),
    "unique_all": "(x, axis or None): values, first indices, inverse indices, counts; of slices along axis",
    "unique_counts": "(x): the values and counts of unique_all alone",
}
MANIPULATION = {
    **_standard("reshape permute_dims broadcast_to expand_dims squeeze flip roll concat tril triu astype"),
    "sum_to": "(x, shape): sums what broadcasting from shape had repeated; adjoint of broadcast_to",
    "pad": "(x, pad_width, value): a border of value; pad_width is ((before, after), ...) per axis",
    "to_device": "(x, device): x itself if it is there already, else a copy on the device of that name",
    "repeat": "(x, repeats, axis): each element as often as the int, or in forwards the array of ints, says",
    "unfold": "(x, axis, size, step): windows of size along axis, one every step; what is in them is the new last axis",
    "overlap_add": "(x, axis, length, step): zeros of length along axis with the windows added; adjoint of unfold",
}
# A rule uses zeros_like(x, dtype=..., shape=...) alone of these: what it makes must lie on the device of x.
CREATION = _standard("asarray empty zeros full zeros_like arange")
INDEXING = {
    **_standard("take"),
    "add_at": "(x, index, shape): zeros of shape with x added at index; adjoint of x[index]",
    "setitem": "(x, values, index): a copy of x with values or a number at index; the last of repeated writes wins",
    "take_along_axis": "(x, indices, axis)",
    "scatter_extremum": "(x, src, indices, axis, largest, include_self): x with the extremum of src at indices",
    "add_along_axis": "(x, indices, shape, axis): zeros with x added at indices; adjoint of take_along_axis",
}
LINEAR_ALGEBRA = {
    **_standard("matmul matrix_transpose inv det slogdet cholesky eigh eigvalsh eig eigvals svdvals"),
    "vecdot": "(x1, x2): along the last axis",
    "cross": "(x1, x2, axis): axis counts from the end",
    "solve": "(x1, x2): of matrices alone",
    "pinv": "(x, rtol): rtol is a number or one per matrix",
    "qr": "(x, mode): Q and R",
    "svd": "(x, full_matrices): U, S, Vh",
    "cofactors": "(x): det(x) times the transposed inverse, which singular matrices have too",
    "matrix_exp": "(x): the exponential series of square matrices",
    "contract": "(arrays, inputs, output): the einsum; inputs and output are labels, one letter per axis",
    "solve_triangular": "(a, b, upper, transpose): y with op(triangle of a) y = b",
}
FOURIER = {
    "fft": "(x, n, axis, norm): the transform along one axis, cut or filled with zeros to n points",
    "ifft": "(x, n, axis, norm): its inverse",
    "rfft": "(x, n, axis, norm): the first n // 2 + 1 coefficients of real numbers",
    "irfft": "(x, n, axis, norm): its inverse, of n real numbers",
}
RANDOM = {
    "keep_mask": "(seed, counter, shape, keep): bool, each True with probability keep; Philox bits",
    "uniform": "(seed, counter, shape, dtype): numbers in [0, 1); Philox bits",
    "random_bits": "(seed, counter, shape): the 32-bit words themselves",
    "normal": "(seed, counter, shape, dtype): mean 0 and variance 1, from uniform numbers",
    "exponential": "(seed, counter, shape, dtype): mean 1, from uniform numbers",
    "integers": "(seed, counter, shape, low, high): int64 numbers from low to high - 1",
}

NAMES = frozenset(
    [*ELEMENTWISE, *SPECIAL, *REDUCTIONS, *SCANS, *SORTING]
    + [*MANIPULATION, *CREATION, *INDEXING, *LINEAR_ALGEBRA, *FOURIER, *RANDOM]
)

#: What forwards use and rules do not: tensors need not offer these.
FORWARD_ONLY = frozenset(
    {
        **_standard("asarray zeros full empty arange var scatter_extremum nonzero unique_all unique_counts"),
        **_standard("eig eigvals"),
        **FOURIER,
        **RANDOM,
    }
)
