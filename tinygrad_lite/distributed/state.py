"""What all ranks have in common before they train together: compared first, then sent from one rank to the others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.backends.devices import on_host
from tinygrad_lite.distributed.communicator import Communicator
from tinygrad_lite.errors import DTypeError, Error, StateError, fail
from tinygrad_lite.functions.stream import get_rng_state, set_rng_state
from tinygrad_lite.nn.module import Module
from tinygrad_lite.nn.parameter import write
from tinygrad_lite.optim.optimizer import Optimizer

__all__ = ["broadcast_state", "check_communicator", "require_equal", "separate_streams"]

#: An odd number near 2^64 / golden ratio: multiples of it are far apart modulo 2^64 (Knuth, TAOCP 3, section 6.4).
_GOLDEN = 0x9E3779B97F4A7C15


def broadcast_state(comm: Communicator, model: Module, optimizer: Optimizer | None = None, root: int = 0) -> None:
    """Give every rank the state of one: parameters, buffers, the state of the optimiser, and the random stream.

    ``DataParallel`` does it for the model by itself; call it after one rank has loaded a checkpoint.

    Args:
        comm: the ranks; all of them call.
        model: of the same structure on all ranks.
        optimizer: of the same kind for the same parameters on all ranks, or None.
        root: the rank whose state it is.

    Raises:
        StateError: on every rank, if the models or optimisers differ in structure, or each rank has another part of a
            split layer; nothing was changed then.
        DTypeError: ``comm`` is no communicator.

    >>> from tinygrad_lite import distributed as dist, nn
    >>> broadcast_state(dist.init(), nn.Linear(3, 2))
    """
    check_communicator("broadcast_state", comm)
    require_equal(comm, StateError, "broadcast_state", "one model on all ranks", _layout(model))
    hint = "they are for model parallelism among these ranks; dist.Grid makes others, over which gradients are averaged"
    require_equal(comm, StateError, "broadcast_state", "the same part of split layers", _parts(model), hint)
    if optimizer is not None:
        lines = [f"{type(optimizer).__name__} of {len(g['params'])} parameters" for g in optimizer.param_groups]
        require_equal(comm, StateError, "broadcast_state", "one optimizer on all ranks", lines)
    for _, parameter in model.named_parameters():
        write(parameter, _sent(comm, on_host(parameter._data), root))
    for module in model.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if name in module.__dict__:
                setattr(module, name, Tensor(_sent(comm, on_host(buffer._data), root), device=buffer.device))
    if optimizer is not None:
        state = _send_optimizer(comm, optimizer, root)
        if comm.rank != root:
            optimizer.load_state_dict(state)
    stream = get_rng_state()
    seed, counter = _sent(comm, np.array([stream["seed"], stream["counter"]], np.uint64), root).tolist()
    set_rng_state({"seed": seed, "counter": counter})


def separate_streams(number: int) -> None:
    """Let this rank draw other random numbers than the others from here on: dropout masks of its own, for instance.

    Args:
        number: whose stream; number 0 goes on with the common one, as a single process would.
    """
    stream = get_rng_state()
    set_rng_state({"seed": (stream["seed"] + number * _GOLDEN) % 2**64, "counter": stream["counter"]})


def check_communicator(operation: str, comm: Any) -> None:
    """Refuse what has no collectives of ours, such as mpi4py's communicators."""
    if not isinstance(comm, Communicator):
        need = f"needs a communicator as comm, but got {type(comm).__name__}"
        fail(DTypeError, operation, need, {}, "dist.init() makes one")


def require_equal(
    comm: Communicator, kind: type[Error], operation: str, what: str, lines: Iterable[str], hint: str = ""
) -> None:
    """Raise ``kind`` on every rank, in the same words, unless all ranks describe ``what`` in the same lines."""
    text = np.frombuffer("\n".join(lines).encode(), np.uint8)
    lengths = comm.all_gather(np.array([len(text)])).tolist()
    every = comm.all_gather(text)
    stops = np.cumsum(lengths).tolist()
    told = [every[stop - n : stop].tobytes().decode().split("\n") for stop, n in zip(stops, lengths, strict=True)]
    for rank, other in enumerate(told):
        if other != told[0]:
            count = max(len(other), len(told[0]))
            ends = [*told[0], *["nothing more"] * count], [*other, *["nothing more"] * count]
            ours, theirs = next((a, b) for a, b in zip(*ends, strict=False) if a != b)
            fail(kind, operation, f"needs {what}, but rank 0 has {ours} and rank {rank} has {theirs}", hint=hint)


def _layout(model: Module) -> list[str]:
    """One line per parameter and buffer: what has to be the same for their values to be sent."""
    entries: list[tuple[str, Tensor]] = [*model.named_parameters(), *model.named_buffers()]
    trained = {True: ", trained", False: ""}
    return [f"{name}: {t.dtype.name}{list(t.shape)}{trained[t.requires_grad]}" for name, t in entries]


def _parts(model: Module) -> list[str]:
    """One line per layer that is split over some ranks: which part this rank has."""
    split = [(name, module) for name, module in model.named_modules() if getattr(module, "splits", None)]
    return [
        f"{f'layer {name!r}' if name else 'the model'} in part {module.comm.rank} of {module.comm.size}"
        for name, module in split
    ]


def _sent(comm: Communicator, array: NDArray[Any], root: int) -> NDArray[Any]:
    """The array of ``root``, sent as bytes: MPI does not know every dtype."""
    result: NDArray[Any] = comm.broadcast(np.ascontiguousarray(array).reshape(-1).view(np.uint8), root=root)
    return result.view(array.dtype).reshape(array.shape)


def _send_optimizer(comm: Communicator, optimizer: Optimizer, root: int) -> Mapping[str, Any]:
    """The state dictionary of ``root``'s optimiser: its numbers as JSON, then its arrays end to end."""
    head, arrays = b"", b""
    if comm.rank == root:
        state = optimizer.state_dict()
        parts = [(index, name, value) for index, entry in state["state"].items() for name, value in entry.items()]
        tensors = [(i, name, on_host(value._data)) for i, name, value in parts if isinstance(value, Tensor)]
        numbers = [(i, name, value) for i, name, value in parts if not isinstance(value, Tensor)]
        places = [(i, name, array.dtype.str, array.shape) for i, name, array in tensors]
        found = {"groups": state["param_groups"], "numbers": numbers, "arrays": places}
        head = json.dumps(found, default=np.generic.item).encode()
        arrays = b"".join(array.tobytes() for _, _, array in tensors)
    sizes = _sent(comm, np.array([len(head), len(arrays)]), root).tolist()
    head, arrays = (
        _sent(comm, np.frombuffer(part, np.uint8) if comm.rank == root else np.empty(size, np.uint8), root).tobytes()
        for part, size in zip((head, arrays), sizes, strict=True)
    )
    told = json.loads(head)
    state = {"state": {}, "param_groups": told["groups"]}
    for i, name, value in told["numbers"]:
        state["state"].setdefault(i, {})[name] = value
    start = 0
    for i, name, dtype, shape in told["arrays"]:
        array = np.frombuffer(arrays, dtype, count=int(np.prod(shape)), offset=start).reshape(shape)
        start += array.nbytes
        state["state"].setdefault(i, {})[name] = Tensor(array)
    return state
