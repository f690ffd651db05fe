"""NumPy's functions on tensors: ``np.exp(x)``, ``np.sum(x, axis=0)``, ``array * x``.

NumPy asks a tensor before it runs (``__array_ufunc__``, ``__array_function__``), and the answer has two parts.

1. What is here under the same or another name (the tables of ``numpy_names.py``) runs here and records its gradient.
2. Anything else runs in NumPy on the tensors' arrays, and arrays that come out become tensors; but
   where a tensor requires a gradient it is refused, because the gradient would end there unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_lite.autograd.graph import Tensor, make_tensor, mode
from tinygrad_lite.dialects import called_here
from tinygrad_lite.errors import ArgumentError, DTypeError, GradientError, fail
from tinygrad_lite.functions.manipulation import reshape
from tinygrad_lite.interop.numpy_names import ACCUMULATIONS, FUNCTIONS, REDUCTIONS, UFUNCS, VALUES_ONLY


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, /, *inputs: Any, **kwargs: Any) -> Any:
    """``np.exp(x)``, ``array + x`` and the methods of NumPy's element-wise functions."""
    if method == "__call__" and not kwargs and ufunc in UFUNCS:
        return UFUNCS[ufunc](*inputs)
    name = f"numpy.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    if kwargs.get("out") is not None:
        _refuse_out(name, inputs)
    if method == "at" and isinstance(inputs[0], Tensor):
        fail(ArgumentError, name, "cannot write into a tensor", {"x": inputs[0]}, "use scatter_add, or x[index] = ...")
    # A reduction's axis may be None, which means all of them; of other keywords None is as good as nothing.
    given = {key: value for key, value in kwargs.items() if value is not None or key == "axis"}
    found = _counterpart(ufunc, method, given)
    if found is not None:
        return found(*inputs)
    known = given and (_counterpart(ufunc, method, {}) is not None or (method == "__call__" and ufunc in UFUNCS))
    return _on_arrays(name, getattr(ufunc, method), inputs, kwargs, f"{next(iter(given))}=" if known else "")


def _counterpart(ufunc: np.ufunc, method: str, kwargs: Mapping[str, Any]) -> Callable[..., Any] | None:
    """What of ours means the same as a method of an element-wise function, or None."""
    if method == "outer" and ufunc in UFUNCS and not kwargs:
        return lambda x, y: UFUNCS[ufunc](reshape(x, (*np.shape(x), *[1] * len(np.shape(y)))), y)
    if method == "reduce" and ufunc in REDUCTIONS and kwargs.keys() <= {"axis", "keepdims"}:
        axis, keepdims = kwargs.get("axis", 0), bool(kwargs.get("keepdims", False))
        return lambda x: REDUCTIONS[ufunc](x, axis=axis, keepdims=keepdims)
    if method == "accumulate" and ufunc in ACCUMULATIONS and kwargs.keys() <= {"axis"}:
        return lambda x: ACCUMULATIONS[ufunc](x, axis=kwargs.get("axis", 0))
    return None


def array_function(
    self: Any, function: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``np.sum(x, axis=0)`` and every other function of NumPy that is not element-wise."""
    if not all(issubclass(kind, (Tensor, np.ndarray)) for kind in types):
        return NotImplemented  # somebody else's arrays: they may know what to do
    name = f"{function.__module__}.{function.__name__}"
    given = {key: value for key, value in kwargs.items() if value is not np._NoValue}
    out = given.get("out")
    if isinstance(out, (Tensor, np.ndarray)):
        _refuse_out(name, args)
    counterpart = FUNCTIONS.get(name.removeprefix("numpy."))
    unknown = ""
    if counterpart is not None:
        call, unknown = counterpart(args, given)
        if call is not None:
            try:
                return call()
            except DTypeError:  # an operand that is no number, such as None, is NumPy's business
                if _with_gradient(args, kwargs):
                    raise
    return _on_arrays(name, function, args, kwargs, unknown)


def _on_arrays(
    name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], unknown: str = ""
) -> Any:
    """What NumPy makes of the tensors' values, with the arrays in it as tensors."""
    if name.removeprefix("numpy.") in VALUES_ONLY:
        return function(*_arrays(args), **{key: _arrays(value) for key, value in kwargs.items()})
    graph = _with_gradient(args, kwargs)
    if graph:
        reason = f"tinygrad_lite's has no {unknown}" if unknown else "tinygrad_lite has no such function"
        hint = "x.detach() says that the gradient ends here"
        ours = "" if unknown else called_here(name.removeprefix("numpy."))
        if ours:
            reason, hint = "tinygrad_lite has another way", f"with a gradient it is {ours}"
        fail(GradientError, name, f"cannot carry a gradient: {reason}", {"x": graph[0]}, hint)
    return _wrapped(function(*_arrays(args), **{key: _arrays(value) for key, value in kwargs.items()}))


def _with_gradient(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """The tensors among the arguments whose gradient NumPy would lose."""
    return [x for x in _tensors((*args, *kwargs.values())) if x._node is not None and mode.enabled]


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in an argument of a NumPy function, also in lists of them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)


def _arrays(value: Any) -> Any:
    """An argument with read-only arrays in the place of tensors."""
    if isinstance(value, Tensor):
        return value.detach().numpy()
    if type(value) in (tuple, list):
        return type(value)(_arrays(item) for item in value)
    return value


def _wrapped(result: Any) -> Any:
    """A result of NumPy with tensors in the place of arrays and NumPy's numbers."""
    if isinstance(result, (np.ndarray, np.generic)) and result.dtype.kind in "biufc":
        # A view may look at the memory of a leaf, which is written in place.
        return make_tensor(np.array(result) if result.base is not None else np.asarray(result))
    if type(result) in (tuple, list):
        return type(result)(_wrapped(item) for item in result)
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return type(result)(*map(_wrapped, result))
    return result


def _refuse_out(name: str, inputs: tuple[Any, ...]) -> None:
    operands = {f"x{i}": x for i, x in enumerate(inputs, 1)}
    hint = "write y = y + x, or y += x.detach().numpy() where y is an array"
    fail(ArgumentError, name, "cannot write into out=: a tensor's result is a new tensor", operands, hint)
