"""Who holds the memory of the GPU, for the message when there is no more and for ``cuda.memory_summary``."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import Any

from tinygrad_lite.autograd.arena import Arena
from tinygrad_lite.autograd.graph import Leaf, Node, Tensor
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.autograd.tools.holdings import held_arrays
from tinygrad_lite.backends.cuda.memory import readable


def held_by() -> dict[str, int]:
    """Bytes of the GPU's memory by what they are for, the largest first; every block is counted once.

    Kinds are tried in this order: parameters, gradients, the state of optimisers, saved values (by operation), other
    tensors, and what is left: arrays that nothing of these holds.
    """
    objects = gc.get_objects()
    leaves = [x for x in objects if type(x) is Leaf]
    arenas = [x for x in objects if type(x) is Arena]
    nodes = [x for x in objects if issubclass(type(x), Node)]
    tensors = [x for x in objects if issubclass(type(x), Tensor) and hasattr(x, "_data")]
    counted: set[int] = set()
    found: dict[str, int] = {}

    def count(kind: str, arrays: Iterable[Any]) -> None:
        for array in arrays:
            block = array.block if _is_on_gpu(array) else None
            if block is not None and id(block) not in counted:
                counted.add(id(block))
                found[kind] = found.get(kind, 0) + block.size

    count("parameters", [arena.values for arena in arenas])
    count("parameters", [t._data for t in tensors if type(t._node) is Leaf])
    count("gradients", [arena.grads for arena in arenas])
    count("gradients", [leaf.grad._data for leaf in leaves if leaf.grad is not None])
    for optimizer in (x for x in objects if hasattr(type(x), "_flat_array")):
        for state in getattr(optimizer, "_flat", {}).values():  # by arena: state has the layout of the parameters
            count("optimizer state", state.values())
    for node in nodes:
        if node.plan is not None:
            count(f"saved by {node.plan.row.name}", [array for _, array in held_arrays(node)])
    count("tensors", [t._data for t in tensors])
    count("other arrays", [x for x in objects if _is_on_gpu(x) and hasattr(x, "block")])
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _is_on_gpu(value: Any) -> bool:
    return getattr(namespaces.get(type(value)), "device", "") == "cuda"


def largest() -> str:
    """The five kinds that hold most, in one line."""
    return ", ".join(f"{kind} {readable(nbytes)}" for kind, nbytes in list(held_by().items())[:5])
