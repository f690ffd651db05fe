"""Which function of ours a function of NumPy is: what ``numpy_protocols.py`` looks up.

Functions are told apart by NumPy's names; beside ours stand NumPy's parameters in NumPy's order.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.functions import closeness, creation, fourier, manipulation, repeating
from tinygrad_lite.functions import namespace as functions

Call = Callable[[], Any]
Counterpart = Callable[[tuple[Any, ...], dict[str, Any]], "tuple[Call | None, str]"]

# --- element-wise functions ---------------------------------------------------------------------------

_SAME = """
    add atan2 bitwise_and bitwise_or bitwise_xor ceil copysign cos cosh deg2rad divide equal exp exp2 expm1 floor
    floor_divide fmod greater greater_equal heaviside hypot isfinite isinf isnan less less_equal log log10 log1p
    log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor matmul maximum minimum multiply
    negative nextafter not_equal positive rad2deg reciprocal remainder sign signbit sin sinh sqrt square subtract
    tan tanh trunc vecdot
"""
_OTHER = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "conjugate": "conj",
    "degrees": "rad2deg",
    "fabs": "abs",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "power": "pow",
    "radians": "deg2rad",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
}


def _ours(name: str) -> Any:
    """The public function of that name."""
    owner = next(module for module in (functions, creation, repeating, closeness, fourier) if hasattr(module, name))
    return getattr(owner, name)


_names = {**{name: name for name in _SAME.split()}, **_OTHER}
#: NumPy's element-wise functions -> ours
UFUNCS: dict[np.ufunc, Callable[..., Any]] = {getattr(np, theirs): _ours(ours) for theirs, ours in _names.items()}
UFUNCS[np.divmod] = lambda x1, x2: (functions.floor_divide(x1, x2), functions.remainder(x1, x2))

#: what ``np.add.reduce`` and the like are called
REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: functions.sum,
    np.multiply: functions.prod,
    np.maximum: functions.max,
    np.minimum: functions.min,
    np.logical_and: functions.all,
    np.logical_or: functions.any,
}
#: what ``np.add.accumulate`` and the like are called
ACCUMULATIONS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: functions.cumulative_sum,
    np.multiply: functions.cumulative_prod,
    np.maximum: functions.cumulative_max,
    np.minimum: functions.cumulative_min,
}

# --- every other function -------------------------------------------------------------------------------


def _parameters(function: Callable[..., Any], text: str) -> Counterpart:
    """The counterpart ``function``, whose operands and keywords NumPy calls by the names of ``text``.

    Names before ``/`` are operands, the others keywords in NumPy's order: ``ddof=correction`` where ours is another,
    ``-out`` where we have none. None and False in such a place say nothing.
    """
    operands, _, rest = text.partition("/")
    order = operands.split()
    ours: dict[str, str] = {}
    for word in rest.split():
        theirs, _, name = word.partition("=")
        order.append(theirs.lstrip("-"))
        if not theirs.startswith("-"):
            ours[theirs] = name or theirs
    count = len(operands.split())

    def counterpart(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Call | None, str]:
        given = {**dict(zip(order, args, strict=False)), **kwargs}
        unknown = [name for name in given if name not in ours and name not in order[:count]]
        unknown = [name for name in unknown if not (given[name] is None or given[name] is False)]
        if unknown or len(args) > len(order) or not all(name in given for name in order[:count]):
            return None, f"{unknown[0]}=" if unknown else "such arguments"
        by_name = {ours[name]: value for name, value in given.items() if name in ours}
        return lambda: function(*(given[name] for name in order[:count]), **by_name), ""

    return counterpart


#: NumPy's name -> our name, and NumPy's parameters
_TABLE = {
    # sums and extrema
    "sum": ("sum", "a / axis dtype -out keepdims"),
    "prod": ("prod", "a / axis dtype -out keepdims"),
    "mean": ("mean", "a / axis -dtype -out keepdims"),
    "std": ("std", "a / axis -dtype -out ddof=correction keepdims -where -mean correction"),
    "var": ("var", "a / axis -dtype -out ddof=correction keepdims -where -mean correction"),
    "max": ("max", "a / axis -out keepdims"),
    "min": ("min", "a / axis -out keepdims"),
    "amax": ("max", "a / axis -out keepdims"),
    "amin": ("min", "a / axis -out keepdims"),
    "argmax": ("argmax", "a / axis -out keepdims"),
    "argmin": ("argmin", "a / axis -out keepdims"),
    "all": ("all", "a / axis -out keepdims"),
    "any": ("any", "a / axis -out keepdims"),
    "count_nonzero": ("count_nonzero", "a / axis keepdims"),
    "median": ("median", "a / axis -out -overwrite_input keepdims"),
    "quantile": ("quantile", "a q / axis -out -overwrite_input -method keepdims"),
    "average": ("average", "a / axis weights -returned keepdims"),
    "nanmean": ("nanmean", "a / axis -dtype -out keepdims"),
    "nansum": ("nansum", "a / axis -dtype -out keepdims"),
    "nanmax": ("nanmax", "a / axis -out keepdims"),
    "nanmin": ("nanmin", "a / axis -out keepdims"),
    "nanstd": ("nanstd", "a / axis -dtype -out ddof=correction keepdims"),
    "nanvar": ("nanvar", "a / axis -dtype -out ddof=correction keepdims"),
    "corrcoef": ("corrcoef", "x /"),
    "trapezoid": ("trapezoid", "y / x dx axis"),
    "diff": ("diff", "a / n axis prepend append"),
    "cumulative_sum": ("cumulative_sum", "x / axis dtype -out include_initial"),
    "cumulative_prod": ("cumulative_prod", "x / axis dtype -out include_initial"),
    # sorting and searching
    "sort": ("sort", "a / axis -kind -order stable"),
    "argsort": ("argsort", "a / axis -kind -order stable"),
    "searchsorted": ("searchsorted", "a v / side sorter"),
    "nonzero": ("nonzero", "a /"),
    "isin": ("isin", "element test_elements / -assume_unique invert"),
    "unique_all": ("unique_all", "x /"),
    "unique_counts": ("unique_counts", "x /"),
    "unique_inverse": ("unique_inverse", "x /"),
    "unique_values": ("unique_values", "x /"),
    "unique": ("unique", "ar / -return_index return_inverse return_counts axis"),
    "argwhere": ("argwhere", "a /"),
    "flatnonzero": ("flatnonzero", "a /"),
    "histogram": ("histogram", "a / bins range density weights"),
    "bincount": ("bincount", "x / weights minlength"),
    # shapes
    "reshape": ("reshape", "a shape /"),
    "broadcast_to": ("broadcast_to", "array shape /"),
    "expand_dims": ("expand_dims", "a / axis"),
    "squeeze": ("squeeze", "a / axis"),
    "flip": ("flip", "m / axis"),
    "roll": ("roll", "a shift / axis"),
    "rot90": ("rot90", "m / k axes"),
    "moveaxis": ("moveaxis", "a source destination /"),
    "swapaxes": ("swapaxes", "a axis1 axis2 /"),
    "permute_dims": ("permute_dims", "a axes /"),
    "matrix_transpose": ("matrix_transpose", "x /"),
    "concatenate": ("concat", "arrays / axis -out -dtype"),
    "concat": ("concat", "arrays / axis -out -dtype"),
    "stack": ("stack", "arrays / axis -out -dtype"),
    "unstack": ("unstack", "x / axis"),
    "repeat": ("repeat", "a repeats / axis"),
    "diag": ("diag", "v / k"),
    "tile": ("tile", "A reps /"),
    "tril": ("tril", "m / k"),
    "triu": ("triu", "m / k"),
    "take_along_axis": ("take_along_axis", "arr indices / axis"),
    # element-wise functions that NumPy writes in Python
    "clip": ("clip", "a / a_min=min a_max=max -out min max"),
    "around": ("round", "a / decimals"),
    "isneginf": ("isneginf", "x /"),
    "isposinf": ("isposinf", "x /"),
    "round": ("round", "a / decimals"),
    "real": ("real", "val /"),
    "imag": ("imag", "val /"),
    "isclose": ("isclose", "a b / rtol atol equal_nan"),
    "interp": ("interp", "x xp fp / left right -period"),
    "nan_to_num": ("nan_to_num", "x / -copy nan posinf neginf"),
    "sinc": ("sinc", "x /"),
    "fix": ("trunc", "x / -out"),
    # products
    "inner": ("inner", "a b /"),
    "kron": ("kron", "a b /"),
    "tensordot": ("tensordot", "a b / axes"),
    "cross": ("cross", "a b / -axisa -axisb -axisc axis"),
    # new arrays
    "zeros_like": ("zeros_like", "a / dtype -order -subok shape"),
    "ones_like": ("ones_like", "a / dtype -order -subok -shape"),
    "empty_like": ("empty_like", "prototype / dtype -order -subok -shape"),
    "full_like": ("full_like", "a fill_value / dtype -order -subok -shape"),
}
_LINALG = {
    "cholesky": ("cholesky", "a / upper"),
    "cond": ("cond", "x / p"),
    "cross": ("cross", "x1 x2 / axis"),
    "det": ("det", "a /"),
    "diagonal": ("diagonal", "x / offset"),
    "eig": ("eig", "a /"),
    "eigvals": ("eigvals", "a /"),
    "eigh": ("eigh", "a /"),
    "eigvalsh": ("eigvalsh", "a /"),
    "inv": ("inv", "a /"),
    "matmul": ("matmul", "x1 x2 /"),
    "matrix_norm": ("matrix_norm", "x / keepdims ord"),
    "matrix_power": ("matrix_power", "a n /"),
    "matrix_rank": ("matrix_rank", "A / -tol -hermitian rtol"),
    "matrix_transpose": ("matrix_transpose", "x /"),
    "multi_dot": ("multi_dot", "arrays /"),
    "norm": ("norm", "x / ord axis keepdims"),
    "outer": ("outer", "x1 x2 /"),
    "pinv": ("pinv", "a / -rcond -hermitian rtol"),
    "qr": ("qr", "a / mode"),
    "slogdet": ("slogdet", "a /"),
    "solve": ("solve", "a b /"),
    "svd": ("svd", "a / full_matrices"),
    "svdvals": ("svdvals", "x /"),
    "tensordot": ("tensordot", "x1 x2 / axes"),
    "trace": ("trace", "x / offset"),
    "vecdot": ("vecdot", "x1 x2 / axis"),
    "vector_norm": ("vector_norm", "x / axis keepdims ord"),
}
_FFT = {
    **{name: (name, "a / n axis norm -out") for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
    **{name: (name, "a / s axes norm -out") for name in ("fftn", "ifftn", "rfftn", "irfftn")},
    **{name: (name, "x / axes") for name in ("fftshift", "ifftshift")},
}


# What means something else where an argument is left out, or calls its operands by other rules.


def _transpose(a: Any, axes: Any = None) -> Any:
    return functions.permute_dims(a, tuple(reversed(range(np.ndim(a)))) if axes is None else axes)


def _ravel(a: Any) -> Any:
    return functions.reshape(a, (-1,))


def _where(condition: Any, /, *values: Any) -> Any:
    return functions.where(condition, *values) if values else functions.nonzero(condition)


def _astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    return manipulation.astype(x, dtype, copy=copy, device=device)


def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    return list(functions.split(ary, indices_or_sections, axis))


def _flat_first(function: Callable[..., Any], operands: str = "a") -> Counterpart:
    """Without an axis NumPy flattens the first operand of these."""

    def flat_first(a: Any, /, *others: Any, axis: Any = None, **kwargs: Any) -> Any:
        return function(_ravel(a) if axis is None else a, *others, axis=axis or 0, **kwargs)

    return _parameters(flat_first, f"{operands} / axis")


def _dot(a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return functions.multiply(a, b)
    if np.ndim(b) <= 2:
        return functions.matmul(a, b)
    return functions.tensordot(a, b, axes=((-1,), (-2,)))


def _outer(a: Any, b: Any) -> Any:
    return functions.outer(_ravel(a), _ravel(b))


def _to_the_end(function: Callable[..., Any]) -> Counterpart:
    """NumPy's trace and diagonal are of the first two axes, ours of the last two."""

    def of_axes(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        return function(functions.moveaxis(a, (axis1, axis2), (-2, -1)), offset=offset)

    return _written_out(of_axes)


def _einsum(subscripts: str, /, *operands: Any) -> Any:
    return functions.einsum(subscripts, *operands)


def _meshgrid(*xi: Any, indexing: str = "xy") -> Any:
    return repeating.meshgrid(*xi, indexing=indexing)


def _broadcast_arrays(*args: Any) -> Any:
    return repeating.broadcast_arrays(*args)


def _pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    if np.shape(pad_width) != ():
        pad_width = tuple(map(tuple, np.broadcast_to(pad_width, (np.ndim(array), 2)).tolist()))
    return functions.pad(array, pad_width, constant_values, mode)


def _vstack(tup: Any) -> Any:
    return functions.concat([functions.reshape(x, (1, -1)) if np.ndim(x) < 2 else x for x in tup], axis=0)


def _hstack(tup: Any) -> Any:
    arrays = [functions.reshape(x, (1,)) if np.ndim(x) == 0 else x for x in tup]
    return functions.concat(arrays, axis=0 if np.ndim(arrays[0]) == 1 else 1)


def _column_stack(tup: Any) -> Any:
    return functions.concat([functions.reshape(x, (-1, 1)) if np.ndim(x) < 2 else x for x in tup], axis=1)


def _append(arr: Any, values: Any, axis: Any = None) -> Any:
    return functions.concat([_ravel(arr), _ravel(values)] if axis is None else [arr, values], axis=axis or 0)


def _cov(m: Any, rowvar: bool = True, bias: bool = False, ddof: Any = None) -> Any:
    rows = m if rowvar or np.ndim(m) < 2 else functions.matrix_transpose(m)
    return functions.cov(rows, correction=(0 if bias else 1) if ddof is None else ddof)


def _percentile(a: Any, q: Any, **kwargs: Any) -> Any:
    return functions.quantile(a, (np.asarray(q) / 100).tolist(), **kwargs)


def _ptp(a: Any, **kwargs: Any) -> Any:
    return functions.max(a, **kwargs) - functions.min(a, **kwargs)


def _lstsq(a: Any, b: Any) -> tuple[Any, Any, int, Any]:
    """NumPy tells the rank and the singular values as well, and only of too many equations what is left over."""
    rows, columns = np.shape(a)
    solution, residuals = functions.lstsq(a, b)
    left = functions.reshape(residuals, (-1,)) if rows > columns else functions.flatten(residuals)[:0]
    return solution, left, min(rows, columns), functions.svdvals(a)


def _written_out(function: Callable[..., Any]) -> Counterpart:
    """A counterpart with NumPy's own parameters, as far as we have them."""
    signature = inspect.signature(function)

    def counterpart(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Call | None, str]:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            unknown = [name for name in kwargs if name not in signature.parameters]
            return None, f"{unknown[0]}=" if unknown else "such arguments"
        return lambda: function(*bound.args, **bound.kwargs), ""

    return counterpart


_padded = _written_out(_pad)


def _pad_by_mode(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Call | None, str]:
    mode = args[2] if len(args) > 2 else kwargs.get("mode", "constant")
    return _padded(args, kwargs) if mode in ("constant", "edge", "reflect", "wrap") else (None, f"mode={mode!r}")


FUNCTIONS: dict[str, Counterpart] = {
    **{theirs: _parameters(_ours(ours), text) for theirs, (ours, text) in _TABLE.items()},
    **{f"linalg.{theirs}": _parameters(_ours(ours), text) for theirs, (ours, text) in _LINALG.items()},
    **{f"fft.{theirs}": _parameters(_ours(ours), text) for theirs, (ours, text) in _FFT.items()},
    "append": _written_out(_append),
    "astype": _written_out(_astype),
    "atleast_1d": _written_out(functions.atleast_1d),
    "atleast_2d": _written_out(functions.atleast_2d),
    "atleast_3d": _written_out(functions.atleast_3d),
    "broadcast_arrays": _written_out(_broadcast_arrays),
    "column_stack": _written_out(_column_stack),
    "copy": _written_out(lambda a: a.clone()),
    "cov": _parameters(_cov, "m / -y rowvar bias ddof -fweights -aweights -dtype"),
    "cumprod": _flat_first(functions.cumulative_prod),
    "cumsum": _flat_first(functions.cumulative_sum),
    "diagonal": _to_the_end(functions.diagonal),
    "dot": _written_out(_dot),
    "einsum": _written_out(_einsum),
    "fliplr": _written_out(lambda m: functions.flip(m, axis=1)),
    "flipud": _written_out(lambda m: functions.flip(m, axis=0)),
    "hstack": _written_out(_hstack),
    "linalg.lstsq": _parameters(_lstsq, "a b / -rcond"),
    "meshgrid": _written_out(_meshgrid),
    "outer": _written_out(_outer),
    "pad": _pad_by_mode,
    "percentile": _parameters(_percentile, "a q / axis -out -overwrite_input -method keepdims"),
    "ptp": _parameters(_ptp, "a / axis -out keepdims"),
    "split": _written_out(_split),
    "take": _flat_first(functions.take, "a indices"),
    "ravel": _written_out(_ravel),
    "trace": _to_the_end(functions.trace),
    "transpose": _written_out(_transpose),
    "vstack": _written_out(_vstack),
    # questions that a tensor answers itself, on whatever device it is
    "ndim": _written_out(lambda a: a.ndim),
    "shape": _written_out(lambda a: a.shape),
    "where": _written_out(_where),
}

#: Functions of values alone, whose answers are no arrays: they have no gradient, so none is lost.
_LOOKING = """
    allclose array2string array_equal array_equiv array_repr array_str can_cast common_type iscomplexobj isrealobj
    may_share_memory min_scalar_type result_type shares_memory size
"""
VALUES_ONLY = frozenset(_LOOKING.split())
