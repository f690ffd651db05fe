"""What people who come from PyTorch or NumPy type, and what it is called here: the hints of missing attributes."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

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
    "get_device": "x.device",
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
    "msort": "x.sort(0)",
    "mv": "x @ y",
    "ne": "x != y",
    "neg": "-x",
    "nelement": "x.size",
    "numel": "x.size",
    "permute": "x.permute_dims(...)",
    "ravel": "x.reshape(-1)",
    "reshape_as": "x.reshape(y.shape)",
    "sgn": "x.sign()",
    "sub": "x - y",
    "sub_": "x -= y",
    "t": "x.T",
    "transpose": "x.T, x.mT or x.permute_dims(...)",
    "type": "x.astype(dtype)",
    "unbind": "tgl.unstack(x, axis)",
    "unfold": "tgl.unfold(x, axis, size, step)",
    "unsqueeze": "x.expand_dims(axis)",
    "unsqueeze_": "x.expand_dims(axis)",
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
    "aminmax": "min(x) and max(x)",
    "append": "concat",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "array": "Tensor or asarray",
    "array_split": "split",
    "as_tensor": "asarray",
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
    "dist": "linalg.norm(x1 - x2)",
    "div": "divide",
    "double": "float64",
    "dsplit": "split",
    "dstack": "concat",
    "eig": "linalg.eig",
    "eigh": "linalg.eigh",
    "expit": "sigmoid",
    "fix": "trunc",
    "float": "float32",
    "fliplr": "flip",
    "flipud": "flip",
    "from_numpy": "asarray(array, copy=False)",
    "gammaln": "lgamma",
    "half": "float16",
    "hard_swish": "hardswish",
    "histc": "histogram",
    "hsplit": "split",
    "hstack": "concat",
    "identity": "eye",
    "in1d": "isin",
    "index_copy": "index_put",
    "index_select": "take",
    "inference_mode": "no_grad",
    "int": "int32",
    "inverse": "linalg.inv",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "log_sigmoid": "logsigmoid",
    "long": "int64",
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
    "ptp": "max(x) - min(x)",
    "put": "index_put",
    "qr": "linalg.qr",
    "radians": "deg2rad",
    "rand": "random.uniform((3, 4)), with the sizes in brackets",
    "rand_like": "random.uniform(x.shape)",
    "randint": "random.integers(low, high, (3, 4)), with the sizes in brackets",
    "randn": "random.normal((3, 4)), with the sizes in brackets",
    "randn_like": "random.normal(x.shape)",
    "randperm": "random.permutation",
    "ravel": "reshape(x, (-1,))",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
    "seed": "manual_seed",
    "short": "int16",
    "sgn": "sign",
    "shuffle": "random.permutation",
    "sliding_window_view": "unfold",
    "solve": "linalg.solve",
    "std_mean": "std(x) and mean(x)",
    "sub": "subtract",
    "svd": "linalg.svd",
    "tensor": "Tensor or asarray",
    "swapdims": "swapaxes",
    "swish": "silu",
    "take_along_dim": "take_along_axis",
    "tensor_split": "split",
    "transpose": "permute_dims or matrix_transpose",
    "trapz": "trapezoid",
    "triangular_solve": "solve_triangular",
    "true_divide": "divide",
    "unbind": "unstack",
    "unsqueeze": "expand_dims",
    "var_mean": "var(x) and mean(x)",
    "vdot": "vecdot",
    "view": "reshape",
    "vsplit": "split",
    "vstack": "concat",
}

#: functions of ``random``
_RANDOM = {
    "rand": "random.uniform((3, 4)), with the sizes in brackets",
    "randint": "random.integers(low, high, (3, 4)), with the sizes in brackets",
    "randn": "random.normal((3, 4)), with the sizes in brackets",
    "random": "random.uniform(shape)",
    "random_sample": "random.uniform(shape)",
    "randperm": "random.permutation",
    "sample": "random.uniform(shape)",
    "seed": "random.manual_seed",
    "shuffle": "random.permutation",
    "standard_exponential": "random.exponential",
    "standard_gamma": "random.gamma(shape, concentration)",
    "standard_normal": "random.normal(shape)",
}

#: what PyTorch has in ``autograd``
_AUTOGRAD = {
    "Function": "tinygrad_lite.operation",
    "Variable": "tinygrad_lite.Tensor",
    "backward": "y.backward()",
    "detect_anomaly": "tinygrad_lite.detect_anomaly",
    "enable_grad": "tinygrad_lite.enable_grad",
    "functional": "tinygrad_lite.vjp, jvp, jacobian, hessian and hvp",
    "grad": "tinygrad_lite.grad",
    "gradcheck": "tinygrad_lite.gradcheck",
    "no_grad": "tinygrad_lite.no_grad",
    "set_grad_enabled": "tinygrad_lite.set_grad_enabled",
}

_DIALECTS = {
    "Tensor": _TENSOR,
    "tinygrad_lite": _FUNCTIONS,
    "tinygrad_lite.autograd": _AUTOGRAD,
    "tinygrad_lite.data": {
        "MNIST": "data.load_mnist",
        "collate": "data.default_collate",
        "utils": "tinygrad_lite.data itself",
    },
    "tinygrad_lite.linalg": {"inverse": "linalg.inv", "matrix_exponential": "linalg.matrix_exp"},
    "tinygrad_lite.nn.init": {
        "glorot_normal_": "xavier_normal_",
        "glorot_uniform_": "xavier_uniform_",
        "he_normal_": "kaiming_normal_",
        "he_uniform_": "kaiming_uniform_",
        "xavier": "xavier_uniform_",
        "kaiming": "kaiming_uniform_",
    },
    "tinygrad_lite.random": _RANDOM,
}

#: what has no counterpart by another name, and what there is instead
_INSTEAD = {
    "Tensor": {
        "contiguous": "leave it out: every operation takes any layout in memory",
        "grad_fn": "draw_graph(x) shows how x was computed; x.is_leaf is False where it was",
        "is_contiguous": "every operation takes any layout in memory",
        "zero_grad": "x.grad = None drops the gradient; optimizer.zero_grad() does it for all parameters",
    },
    "tinygrad_lite": {
        "FloatTensor": 'Tensor(values, dtype="float32")',
        "DoubleTensor": 'Tensor(values, dtype="float64")',
        "LongTensor": 'Tensor(values, dtype="int64")',
        "default_rng": "manual_seed(0) seeds the one stream that all random numbers come from",
        "is_tensor": "isinstance(x, Tensor) tells",
        "range": "arange(start, stop) leaves out the stop",
        "device": 'devices are named by texts: device="cpu"',
        "set_default_dtype": 'say it where a tensor is made: dtype="float64"',
        "set_default_tensor_type": 'say it where a tensor is made: dtype="float64"',
    },
    "tinygrad_lite.nn": {
        "utils": "clip_grad_norm_ and clip_grad_value_ are in optim: optim.clip_grad_norm_(parameters, max_norm)",
    },
    "tinygrad_lite.random": {
        "default_rng": "manual_seed(0) seeds the one stream that all random numbers come from",
    },
}

#: Where else a name of a module is looked for; "" is the package itself.
_ELSEWHERE = {
    "tinygrad_lite": (
        *("linalg", "fft", "random", "nn", "optim", "data"),
        *("nn.functional", "nn.init", "optim.lr_scheduler"),
    ),
    "tinygrad_lite.data": ("",),
    "tinygrad_lite.fft": ("",),
    "tinygrad_lite.linalg": ("",),
    "tinygrad_lite.nn": ("nn.functional", "optim", "nn.init", "data", ""),
    "tinygrad_lite.nn.functional": ("", "linalg", "random", "nn"),
    "tinygrad_lite.nn.init": ("nn", "random"),
    "tinygrad_lite.optim": ("optim.lr_scheduler", "nn"),
    "tinygrad_lite.optim.lr_scheduler": ("optim",),
    "tinygrad_lite.random": ("",),
}

_STRANGERS = """
    ASGD BatchNorm2d BatchNorm3d Dropout1d Dropout2d Dropout3d LazyBatchNorm1d LinearCrossEntropyLoss NAdam NLLLoss2d
    RAdam Rprop addr bfloat16 bilinear cholesky_ex dropout1d dropout2d dropout3d igamma igammac is_nonzero
    linear_cross_entropy logcumsumexp mvlgamma qint32 qint8 quint8 retains_grad types
"""
#: names of PyTorch that look like a misspelt one of ours and mean something else (NumPy's are asked of NumPy)
_SOMETHING_ELSE = frozenset(_STRANGERS.split())

#: functions of NumPy that are here and keep no gradient either
_WITHOUT_GRADIENT = frozenset(["linspace", "logspace", "save"])

#: the modules that users name
_MODULES = frozenset(
    ["data", "dtypes", "errors", "fft", "functional", "init", "linalg", "lr_scheduler", "nn", "optim", "random"]
)

#: From how alike on a name is taken for a misspelt one: one letter of six is wrong, or two have changed places.
_ALIKE = 0.82


def refuse_attribute(owner: str, name: str) -> NoReturn:
    """Raise the error of an attribute that ``owner`` ("Tensor" or the public name of a module) does not have."""
    if name.startswith("__"):  # a protocol that somebody probes for: the answer must be quick
        raise AttributeError(name)
    meant = _DIALECTS.get(owner, {}).get(name, "")
    hint = f"here it is called {meant}" if meant else _INSTEAD.get(owner, {}).get(name, "") or _alike(owner, name)
    fail(MissingAttributeError, owner, f"has no attribute {name!r}", {}, hint)


def refusing(owner: str) -> Callable[[str], NoReturn]:
    """The ``__getattr__`` of a module whose public name is ``owner``."""

    def __getattr__(name: str) -> NoReturn:
        refuse_attribute(owner, name)

    return __getattr__


def refuse_foreign(owner: str, name: str) -> NoReturn:
    """The same for a package whose modules Python asks for by name as it imports them: other names fail at once."""
    if name in _DIALECTS[owner]:
        refuse_attribute(owner, name)
    raise AttributeError(f"module {owner!r} has no attribute {name!r}")


def called_here(name: str) -> str:
    """What does the same as NumPy's function ``name`` and keeps the gradient, or ""."""
    here = name in _public(_holder("tinygrad_lite")) and name not in _WITHOUT_GRADIENT
    return name if here else _FUNCTIONS.get(name, "")


def _alike(owner: str, name: str) -> str:
    """Where the name is, or which one it is a misspelling of."""
    if name.startswith("_"):
        return ""
    import difflib
    import sys

    for place in _ELSEWHERE.get(owner, ()):
        if name in _public(_holder(f"tinygrad_lite.{place}")):
            where = place or "tinygrad_lite"
            return f"it is in {where.rpartition('.')[2]}: {where}.{name}"
    package = _holder("tinygrad_lite")
    if owner == "Tensor" and name in _public(package) and callable(getattr(package, name)):
        return f"it is a function: tgl.{name}(x, ...)"
    numpy, holder = sys.modules["numpy"], _holder(owner)
    names = _public(holder)
    if name.endswith("_") and name[:-1] in names:
        call = f"x.{name[:-1]}(...)" if owner == "Tensor" else f"{name[:-1]}(x, ...)"
        return f"only assignments write into a tensor: x = {call}"
    if name in _SOMETHING_ELSE or name in dir(numpy) or name in dir(numpy.ndarray):
        return ""
    alike = [known for known in names if known.lower() == name.lower()]
    alike += difflib.get_close_matches(name, names, 3, _ALIKE)
    dtypes = [known for known in alike if isinstance(getattr(holder, known, None), numpy.dtype)]
    alike = [known for known in alike if known not in dtypes or _digits(known) == _digits(name)]
    return f"did you mean {alike[0]}?" if alike else ""


def _digits(name: str) -> str:
    return "".join(letter for letter in name if letter.isdigit())


def _holder(owner: str) -> Any:
    """What a public name stands for."""
    import sys

    found: Any = sys.modules["tinygrad_lite"]
    for part in ("Tensor",) if owner == "Tensor" else owner.split(".")[1:]:
        found = getattr(found, part) if part else found
    return found


def _public(holder: Any) -> list[str]:
    """The names of a class or a module that users are meant to see."""
    names = [name for name in getattr(holder, "__all__", None) or dir(holder) if not name.startswith("_")]
    here = vars(holder)
    return [name for name in names if name in _MODULES or not isinstance(here.get(name), ModuleType)]
