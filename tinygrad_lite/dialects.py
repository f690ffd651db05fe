"""What people who come from PyTorch or NumPy type, and what it is called here: the hints of missing attributes."""

from __future__ import annotations

from typing import NoReturn

from tinygrad_lite.errors import MissingAttributeError, fail

#: methods and attributes of tensors
_TENSOR = {
    "H": "x.conj().mT",
    "absolute": "x.abs()",
    "add": "x + y",
    "add_": "x += y",
    "bmm": "x @ y",
    "bool": 'x.astype("bool")',
    "chunk": "x.split(sections, axis)",
    "clamp": "x.clip(min, max)",
    "copy": "x.clone()",
    "copy_": "x[...] = y, under no_grad",
    "cpu": 'x.to("cpu")',
    "cuda": 'x.to("cuda")',
    "cummax": "x.cumulative_max(axis)",
    "cummin": "x.cumulative_min(axis)",
    "cumprod": "x.cumulative_prod(axis)",
    "cumsum": "x.cumulative_sum(axis)",
    "data": "x.detach()",
    "det": "tgl.linalg.det(x)",
    "dim": "x.ndim",
    "div": "x / y",
    "div_": "x /= y",
    "double": 'x.astype("float64")',
    "eq": "x == y",
    "expand": "x.broadcast_to(shape)",
    "fill_": "x[...] = value, under no_grad",
    "float": 'x.astype("float32")',
    "ge": "x >= y",
    "gt": "x > y",
    "half": 'x.astype("float16")',
    "index_select": "x.take(indices, axis)",
    "int": 'x.astype("int32")',
    "inverse": "tgl.linalg.inv(x)",
    "le": "x <= y",
    "long": 'x.astype("int64")',
    "lt": "x < y",
    "mm": "x @ y",
    "mul": "x * y",
    "mul_": "x *= y",
    "mv": "x @ y",
    "ne": "x != y",
    "neg": "-x",
    "nelement": "x.size",
    "numel": "x.size",
    "permute": "x.permute_dims(...)",
    "ravel": "x.reshape(-1)",
    "sub": "x - y",
    "sub_": "x -= y",
    "t": "x.T",
    "transpose": "x.T, x.mT or x.permute_dims(...)",
    "type": "x.astype(dtype)",
    "unsqueeze": "x.expand_dims(axis)",
    "view": "x.reshape(...)",
    "view_as": "x.reshape(y.shape)",
    "where": "tgl.where(mask, x, y)",
    "zero_": "x[...] = 0, under no_grad",
}

#: functions
_FUNCTIONS = {
    "Function": "operation",
    "absolute": "abs",
    "addmm": "c + a @ b",
    "aminmax": "min or max",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "array": "Tensor or asarray",
    "array_split": "split",
    "baddbmm": "c + a @ b",
    "bernoulli": "random.bernoulli",
    "bitwise_not": "bitwise_invert",
    "bmm": "matmul",
    "broadcast_tensors": "broadcast_arrays",
    "bucketize": "searchsorted",
    "cat": "concat",
    "chain_matmul": "linalg.multi_dot",
    "chunk": "split",
    "clamp": "clip",
    "column_stack": "concat",
    "concatenate": "concat",
    "cond": "linalg.cond",
    "conjugate": "conj",
    "cummax": "cumulative_max",
    "cummin": "cumulative_min",
    "cumprod": "cumulative_prod",
    "cumsum": "cumulative_sum",
    "degrees": "rad2deg",
    "det": "linalg.det",
    "diagflat": "diag",
    "diagonal": "linalg.diagonal",
    "digitize": "searchsorted",
    "div": "divide",
    "dsplit": "split",
    "dstack": "concat",
    "eig": "linalg.eig",
    "eigh": "linalg.eigh",
    "expit": "sigmoid",
    "fix": "trunc",
    "fliplr": "flip",
    "flipud": "flip",
    "from_numpy": "asarray(array, copy=False)",
    "gammaln": "lgamma",
    "hard_swish": "hardswish",
    "histc": "histogram",
    "hsplit": "split",
    "hstack": "concat",
    "identity": "eye",
    "in1d": "isin",
    "index_copy": "index_put",
    "index_select": "take",
    "inference_mode": "no_grad",
    "inverse": "linalg.inv",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "log_sigmoid": "logsigmoid",
    "lstsq": "linalg.lstsq",
    "matrix_exp": "linalg.matrix_exp",
    "matrix_power": "linalg.matrix_power",
    "mm": "matmul",
    "mod": "remainder",
    "movedim": "moveaxis",
    "msort": "sort",
    "mul": "multiply",
    "multinomial": "random.multinomial",
    "mv": "matmul",
    "narrow": "x[start:stop]",
    "neg": "negative",
    "norm": "linalg.norm",
    "percentile": "quantile(x, p / 100)",
    "permute": "permute_dims",
    "pinv": "linalg.pinv",
    "pinverse": "linalg.pinv",
    "power": "pow",
    "psi": "digamma",
    "ptp": "max or min",
    "put": "index_put",
    "qr": "linalg.qr",
    "radians": "deg2rad",
    "rand": "random.uniform",
    "randint": "random.integers",
    "randn": "random.normal",
    "randperm": "random.permutation",
    "ravel": "reshape(x, (-1,))",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
    "seed": "manual_seed",
    "shuffle": "random.permutation",
    "sliding_window_view": "unfold",
    "solve": "linalg.solve",
    "std_mean": "std or mean",
    "sub": "subtract",
    "svd": "linalg.svd",
    "tensor": "Tensor or asarray",
    "swapdims": "swapaxes",
    "swish": "silu",
    "tensor_split": "split",
    "transpose": "permute_dims or matrix_transpose",
    "trapz": "trapezoid",
    "triangular_solve": "solve_triangular",
    "true_divide": "divide",
    "unbind": "unstack",
    "unsqueeze": "expand_dims",
    "var_mean": "var or mean",
    "vdot": "vecdot",
    "view": "reshape",
    "vsplit": "split",
    "vstack": "concat",
}


_DIALECTS = {"Tensor": _TENSOR, "tinygrad_lite": _FUNCTIONS}

#: where else a name of a module is looked for
_ELSEWHERE = {
    "tinygrad_lite": ("linalg", "random"),
    "tinygrad_lite.nn": ("functional",),
    "tinygrad_lite.optim": ("lr_scheduler",),
}


def refuse_attribute(owner: str, name: str) -> NoReturn:
    """Raise the error of an attribute that ``owner`` ("Tensor" or the name of a module) does not have."""
    if name.startswith("__"):  # a protocol that somebody probes for: the answer must be quick
        raise AttributeError(name)
    meant = _DIALECTS.get(owner, {}).get(name, "")
    hint = f"here it is called {meant}" if meant else _alike(owner, name)
    fail(MissingAttributeError, owner, f"has no attribute {name!r}", {}, hint)


def _alike(owner: str, name: str) -> str:
    """The name that a misspelt one comes close to."""
    if name.startswith("_"):
        return ""
    import difflib
    import sys

    holder = sys.modules["tinygrad_lite"].Tensor if owner == "Tensor" else sys.modules[owner]
    for inner in _ELSEWHERE.get(owner, ()):
        module = getattr(holder, inner)
        if name in getattr(module, "__all__", dir(module)):
            return f"it is in {inner}: {'.'.join((*owner.split('.')[1:], inner, name))}"
    names = [known for known in dir(holder) if not known.startswith("_")]
    alike = [known for known in names if known.lower() == name.lower()] or difflib.get_close_matches(
        name, names, 1, 0.75
    )
    return f"did you mean {alike[0]}?" if alike else ""
