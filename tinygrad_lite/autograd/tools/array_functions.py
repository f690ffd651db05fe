"""The functions of tensors on plain arrays: the ``xp`` that the forward and the rules of a custom operation receive.

The package's own rows are written in the strict convention of the backends: ``axis`` is a tuple, and nothing is left
out. A user writes ``xp.sum(x, axis=-1)`` as everywhere else. So every name is the function of that name on tensors,
the very one that a rule finds under ``create_graph``, called on the arrays.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tinygrad_lite.autograd.graph import Tensor, make_tensor, recording
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.errors import DTypeError, MissingAttributeError, fail

_CHAPTERS = "it has element-wise functions, reductions, products, indexing and more, under the names of tinygrad_lite"


class ArrayFunctions:
    """Array in, array out; what tensors have not (creation) is the backend's own."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        function = getattr(namespaces[Tensor], name, None)
        if not callable(function):
            found = getattr(self._backend, name, None)
            if found is None or name.startswith("_"):
                fail(MissingAttributeError, "xp", f"has no function {name!r}", {}, _CHAPTERS)
            return found

        @functools.wraps(function)
        def on_arrays(*args: Any, **kwargs: Any) -> Any:
            given = [_as_tensor(name, x) for x in args]
            named = {key: _as_tensor(name, x) for key, x in kwargs.items()}
            with recording(False):
                return _as_array(function(*given, **named))

        setattr(self, name, on_arrays)  # found at once from now on
        return on_arrays


@functools.cache
def array_functions(xp: Any) -> Any:
    """``xp`` as the code of users takes it: the tensors' namespace as it is, a backend's with the same functions."""
    return xp if xp is namespaces[Tensor] else ArrayFunctions(xp)


def _as_tensor(operation: str, value: Any) -> Any:
    if isinstance(value, Tensor):
        hint = "make it an operand of your own operation, or take its numpy() if it is a constant"
        fail(DTypeError, operation, "works on plain arrays here, but got a tensor", {"tensor": value}, hint)
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if type(value) in (tuple, list):
        return type(value)([_as_tensor(operation, x) for x in value])
    return make_tensor(value) if type(value) in namespaces else value


def _as_array(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_as_array, value))
    return value._data if isinstance(value, Tensor) else value
