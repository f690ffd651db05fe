"""``save`` and ``load``: whole training runs, nested dictionaries of tensors and plain values, in one safetensors file.

The tensors lie in the file under the keys that lead to them, joined by dots (``model.0.weight``), so that every reader
of the format finds them. What is no tensor, and how all of it hangs together, is JSON in the file's metadata, under
``STRUCTURE``: objects, lists, texts and numbers as they are, and objects of one key for the rest::

    {"model": {"0.weight": {"$tensor": "model.0.weight"}}, "epoch": 3, "betas": {"$tuple": [0.9, 0.999]}}

A flat dictionary of tensors needs none of that.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.errors import ArgumentError, DTypeError, fail
from tinygrad_lite.nn.module import Module
from tinygrad_lite.nn.serialization import PathLike, checked_metadata, read_file, refuse_file, save_file

__all__ = ["save", "load"]

STRUCTURE = "tinygrad_lite.structure"  #: the name of the structure among the metadata
_MAX_DEPTH = 100  # far below Python's limit on recursion; what is deeper holds itself
_LARGE = 2**63  # integers from here on are written in hexadecimal, which has no limit on its digits


@checked_keywords
def save(obj: Module | Mapping[Any, Any], path: PathLike, metadata: Mapping[str, str] | None = None) -> None:
    """Write a module's ``state_dict()``, or a dictionary such as a whole training run, to a safetensors file.

    Args:
        obj: a module, or a dictionary of tensors, NumPy arrays, numbers, texts, bools, ``None``, and of dictionaries,
            lists and tuples of them. Keys are texts or integers. A scalar of NumPy becomes Python's number.
        path: the file; it appears complete or not at all.
        metadata: strings by name that go with it.

    Raises:
        DTypeError: for a key or a value of another kind, and for complex128.
        ArgumentError: if the keys lead to two tensors of one name, if it is nested too deeply, and for a path that
            cannot be written. Nothing was written then.
        OSError: if the disk is full or fails.

    >>> import tempfile
    >>> from tinygrad_lite import nn
    >>> model = nn.Linear(3, 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save({"model": model.state_dict(), "epoch": 3}, folder + "/run.safetensors")
    ...     run = load(folder + "/run.safetensors")
    >>> model.load_state_dict(run["model"]), run["epoch"]
    (IncompatibleKeys(missing_keys=[], unexpected_keys=[]), 3)
    """
    if isinstance(obj, Module):
        obj = obj.state_dict()
    if not isinstance(obj, Mapping) or all(isinstance(k, str) and _is_tensor(v) for k, v in obj.items()):
        save_file(obj, path, metadata)
        return
    strings = {} if metadata is None else checked_metadata(metadata)
    if STRUCTURE in strings:
        need = f"keeps the name {STRUCTURE!r} in the metadata for itself"
        fail(ArgumentError, "save", need, {}, "choose another name")
    tensors: dict[str, Any] = {}
    strings[STRUCTURE] = json.dumps(_encoded(obj, (), tensors), separators=(",", ":"), allow_nan=False)
    save_file(tensors, path, strings)


@checked_keywords
def load(path: PathLike) -> dict[Any, Any]:
    """What ``save`` wrote, in the same structure; of any other safetensors file the tensors by name.

    Args:
        path: the file.

    Raises:
        DataNotFoundError: if there is no such file.
        DataError: if it is damaged, not in the format, or holds a type that NumPy lacks, such as BF16.
    """
    tensors, metadata = read_file("load", path)
    if STRUCTURE not in metadata:
        return dict(tensors)
    left = dict(tensors)
    try:
        structure = _decoded(json.loads(metadata[STRUCTURE]), left)
        if left or not isinstance(structure, dict):
            raise ValueError("tensors without a place, or no dictionary")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        hint = "load_file reads the tensors alone, by their names"
        refuse_file("load", path, "its structure does not fit its tensors", hint)
    return structure


# --- from values to JSON ------------------------------------------------------------------------------


def _is_tensor(value: Any) -> bool:
    return isinstance(value, (Tensor, np.ndarray))


def _encoded(value: Any, keys: tuple[Any, ...], tensors: dict[str, Any]) -> Any:
    """What stands for ``value`` in the JSON; its tensors are added to ``tensors``."""
    place = ".".join(map(str, keys))
    if len(keys) > _MAX_DEPTH:
        need = f"needs at most {_MAX_DEPTH} levels of dictionaries and lists, but there are more in {keys[0]!r}"
        fail(ArgumentError, "save", need, {}, "does a dictionary or a list hold itself?")
    if _is_tensor(value):
        if place in tensors:
            hint = "a tensor's name is all keys that lead to it, joined by dots: rename one of them"
            fail(ArgumentError, "save", f"needs different names, but two tensors are {place!r}", {}, hint)
        tensors[place] = value
        return {"$tensor": place}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value) if abs(value) < _LARGE else {"$int": hex(value)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, (str, int)) or isinstance(key, bool):
                where = f" of {place!r}" if keys else ""
                need = f"needs texts or integers as keys{where}, but got {key!r}"
                fail(DTypeError, "save", need, {}, "str(key) makes a text")
        pairs = [(key, _encoded(item, (*keys, key), tensors)) for key, item in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key, _ in pairs):
            return dict(pairs)
        return {"$dict": [[_encoded(key, keys, tensors), item] for key, item in pairs]}
    if not isinstance(value, (list, tuple)):
        _refuse_value(value, place)
    items = [_encoded(item, (*keys, i), tensors) for i, item in enumerate(value)]
    return items if isinstance(value, list) else {"$tuple": items}


def _refuse_value(value: Any, place: str) -> NoReturn:
    hint = "tensors, numbers, texts, bools, None, and dictionaries, lists and tuples of them can be stored"
    if callable(getattr(value, "state_dict", None)):
        hint = f"what it consists of can be stored: {type(value).__name__}.state_dict()"
    elif isinstance(value, (set, frozenset)):
        hint = "make a list of it: sorted(value)"
    elif isinstance(value, (bytes, bytearray)):
        hint = "make an array of it: numpy.frombuffer(value, 'uint8')"
    elif isinstance(value, complex):
        hint = "make a tensor of it: Tensor(value)"
    fail(DTypeError, "save", f"cannot store a {type(value).__name__}, which {place!r} is", {"value": value}, hint)


# --- and back -----------------------------------------------------------------------------------------


def _decoded(node: Any, tensors: dict[str, Tensor]) -> Any:
    """The value that a part of the JSON stands for; takes its tensors out of ``tensors``."""
    kind: str
    content: Any
    if isinstance(node, list):
        return [_decoded(item, tensors) for item in node]
    if not isinstance(node, dict):
        return node
    kind, content = next(iter(node.items()), ("", None))
    if not kind.startswith("$"):
        return {key: _decoded(item, tensors) for key, item in node.items()}
    if len(node) > 1:
        raise ValueError("a kind and something else")
    if kind == "$tensor":
        return tensors.pop(content)
    if kind == "$tuple":
        return tuple(_decoded(item, tensors) for item in content)
    if kind == "$dict":
        return {_decoded(key, tensors): _decoded(item, tensors) for key, item in content}
    if kind == "$int":
        return int(content, 16)
    if kind == "$float":
        return float(content)
    raise ValueError("no such kind")
