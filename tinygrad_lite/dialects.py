"""What people who come from PyTorch or NumPy type, and what it is called here: the hints of missing attributes."""

from __future__ import annotations

from typing import NoReturn

from tinygrad_lite.errors import MissingAttributeError, fail

#: methods and attributes of tensors
_TENSOR = {
    "add_": "x += y",
    "cpu": 'x.to("cpu")',
    "cuda": 'x.to("cuda")',
    "cumprod": "tgl.cumulative_prod(x, axis)",
    "cumsum": "tgl.cumulative_sum(x, axis)",
    "data": "x.detach()",
    "dim": "x.ndim",
    "double": 'x.astype("float64")',
    "float": 'x.astype("float32")',
    "half": 'x.astype("float16")',
    "long": 'x.astype("int64")',
    "log_softmax": "tgl.log_softmax(x)",
    "masked_fill": "tgl.where(mask, value, x)",
    "numel": "x.size",
    "permute": "x.permute_dims(...)",
    "ravel": "x.reshape(-1)",
    "softmax": "tgl.softmax(x)",
    "std": "tgl.sqrt(x.var(...))",
    "t": "x.T",
    "transpose": "x.T, x.mT or x.permute_dims(...)",
    "type": "x.astype(dtype)",
    "unsqueeze": "x.expand_dims(axis)",
    "view": "x.reshape(...)",
    "zero_": "x[...] = 0, under no_grad",
}

#: functions
_FUNCTIONS = {
    "absolute": "abs",
    "array": "Tensor or asarray",
    "cat": "concat",
    "clamp": "clip",
    "concatenate": "concat",
    "cumprod": "cumulative_prod",
    "cumsum": "cumulative_sum",
    "div": "divide",
    "from_numpy": "asarray(array, copy=False)",
    "inference_mode": "no_grad",
    "mul": "multiply",
    "neg": "negative",
    "permute": "permute_dims",
    "power": "pow",
    "rand": "random.uniform",
    "randint": "random.integers",
    "randn": "random.normal",
    "randperm": "random.permutation",
    "seed": "manual_seed",
    "sub": "subtract",
    "transpose": "permute_dims or matrix_transpose",
    "unsqueeze": "expand_dims",
    "view": "reshape",
}


def refuse_attribute(owner: str, name: str) -> NoReturn:
    """Raise the error of an attribute that ``owner`` ("Tensor" or "tinygrad_lite") does not have."""
    if name.startswith("__"):  # a protocol that somebody probes for: the answer must be quick
        raise AttributeError(name)
    meant = (_TENSOR if owner == "Tensor" else _FUNCTIONS).get(name, "")
    fail(MissingAttributeError, owner, f"has no attribute {name!r}", {}, f"here it is called {meant}" if meant else "")
