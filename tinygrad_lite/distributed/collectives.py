"""Collectives on tensors, with derivatives: what model parallel networks are made of.

A value is either *replicated* (one value, of which every rank holds the same copy) or *local* (every rank has its
own). The objective is one number that depends on all of them. The convention of this module:

    the cotangent of a replicated value is replicated: the derivative of the objective in that one value;
    the cotangent of a local value is local: the derivative of the objective in this rank's value.

Every collective is linear, and its adjoint under this convention is another of them, so that the five are closed under
differentiation of any order. The names are those of Megatron-LM (Shoeybi et al. 2019, its f and g), read as "of the
replicated region":

    copy_to      replicated -> local        the same values             adjoint: reduce_from
    reduce_from  local -> replicated        the sum over the ranks      adjoint: copy_to (no message)
    scatter_to   replicated -> local        this rank's part            adjoint: gather_from
    gather_from  local -> replicated        the parts end to end        adjoint: scatter_to (no message)
    allreduce    local -> local             the sum over the ranks      adjoint: itself

``allreduce`` and ``reduce_from`` compute the same numbers and differ in what follows. After ``reduce_from`` all ranks
do the same with the one sum (a loss that every rank computes from it counts once). After ``allreduce`` each rank does
something of its own with its copy, and the objective is the sum over the ranks of what comes out.

All ranks of the communicator call a collective, and later its derivative, in the same order: backward visits the
younger operation first, which is one order wherever the programs are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rows import Row, Rule, RuleFunction
from tinygrad_lite.errors import ArgumentError, AxisError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor, checked_keywords
from tinygrad_lite.functions.elementwise import divide

if TYPE_CHECKING:
    from tinygrad_lite.distributed.communicator import Communicator

__all__ = ["allreduce", "copy_to", "gather_from", "reduce_from", "scatter_to"]


class _Over(NamedTuple):
    """Among whom, and along which axis the parts of all ranks lie end to end."""

    comm: Communicator
    axis: int = 0
    bounds: tuple[tuple[int, int], ...] = ()  # per rank where its part begins and ends


# --- the five maps on arrays ------------------------------------------------------------------------------


def _same(xp: Any, x: Any, over: _Over) -> Any:
    return x


def _sum(xp: Any, x: Any, over: _Over) -> Any:
    x = xp.asarray(x)
    return over.comm.allreduce(x) if isinstance(x, np.ndarray) else over.comm.allreduce(make_tensor(x))._data


def _part(xp: Any, x: Any, over: _Over) -> Any:
    start, stop = over.bounds[over.comm.rank]
    return x[(*(slice(None),) * over.axis, slice(start, stop))]


def _parts(xp: Any, x: Any, over: _Over) -> Any:
    order = (over.axis, *(i for i in range(x.ndim) if i != over.axis))
    back = tuple(order.index(i) for i in range(x.ndim))
    x = xp.asarray(xp.permute_dims(x, order), copy=True)  # communicators send contiguous memory
    gathered = over.comm.all_gather(x) if isinstance(x, np.ndarray) else over.comm.all_gather(make_tensor(x))._data
    return xp.permute_dims(gathered, back)


# --- their derivatives: forward mode is the map itself, reverse mode its adjoint -----------------------------


def _rule(name: str) -> RuleFunction:
    """The map ``name`` as a rule: on arrays it runs, on tensors it is recorded."""

    def rule(xp: Any, g: Any, over: _Over) -> Any:
        return apply(_ROWS[name], (g,), (over,)) if isinstance(g, Tensor) else _MAPS[name][0](xp, g, over)

    return rule


_MAPS = {
    "copy_to": (_same, "reduce_from"),
    "reduce_from": (_sum, "copy_to"),
    "scatter_to": (_part, "gather_from"),
    "gather_from": (_parts, "scatter_to"),
    "allreduce": (_sum, "allreduce"),
}
_ROWS = {
    name: Row(name, "x | over", forward, None, forward in (_same, _part), {"x": Rule(_rule(adjoint), _rule(name))})
    for name, (forward, adjoint) in _MAPS.items()
}


# --- the public functions -----------------------------------------------------------------------------------


@checked_keywords
def copy_to(x: Any, comm: Communicator) -> Tensor:
    """A replicated value, for each rank to go on with in its own way (Megatron-LM's f).

    Args:
        x: a tensor of any shape, the same on all ranks.
        comm: the ranks.

    Returns:
        The same values. The gradient is the sum of the ranks' gradients; where x needs none, backward sends nothing.

    >>> from tinygrad_lite import distributed as dist
    >>> dist.copy_to(Tensor([1.0, 2.0]), dist.init())
    Tensor([1., 2.])
    """
    x = _operand("copy_to", x, comm)
    return apply(_ROWS["copy_to"], (x,), (_Over(comm),))


@checked_keywords
def reduce_from(x: Any, comm: Communicator) -> Tensor:
    """The sum over the ranks, as one replicated value (Megatron-LM's g).

    Args:
        x: a tensor, of the same shape and dtype on all ranks.
        comm: the ranks.

    Returns:
        The sum, bit for bit the same on all ranks. Its gradient is already replicated: backward sends nothing.

    >>> from tinygrad_lite import distributed as dist
    >>> dist.reduce_from(Tensor([1.0, 2.0]), dist.init())
    Tensor([1., 2.])
    """
    x = _operand("reduce_from", x, comm)
    return apply(_ROWS["reduce_from"], (x,), (_Over(comm),))


@checked_keywords
def scatter_to(x: Any, comm: Communicator, axis: int = -1) -> Tensor:
    """This rank's part of a replicated value.

    Args:
        x: a tensor, the same on all ranks, of any size along ``axis``: the first ranks' parts are longer by one if it
            cannot be divided, and some are empty if there are more ranks.
        comm: the ranks; rank r takes the elements ``comm.bounds(x.shape[axis])[r]``.
        axis: the axis to split.

    Returns:
        The part. In backward the gradients of the parts are put end to end on all ranks.

    Raises:
        AxisError: if x has no such axis.

    >>> from tinygrad_lite import distributed as dist
    >>> dist.scatter_to(Tensor([[1.0, 2.0]]), dist.init())
    Tensor([[1., 2.]])
    """
    x = _operand("scatter_to", x, comm)
    axis = _axis("scatter_to", x, axis)
    return apply(_ROWS["scatter_to"], (x,), (_Over(comm, axis, tuple(comm.bounds(x.shape[axis]))),))


@checked_keywords
def gather_from(x: Any, comm: Communicator, axis: int = -1) -> Tensor:
    """The ranks' tensors end to end, as one replicated value.

    Args:
        x: a tensor, of the same shape on all ranks but for the size along ``axis``.
        comm: the ranks.
        axis: along which the parts are put in the order of the ranks.

    Returns:
        The whole. Its gradient is already replicated: this rank takes its part of it, and backward sends nothing.

    Raises:
        AxisError: if x has no such axis.
        ShapeError: on every rank, if the shapes differ in more than that axis.

    >>> from tinygrad_lite import distributed as dist
    >>> dist.gather_from(Tensor([[1.0, 2.0]]), dist.init())
    Tensor([[1., 2.]])
    """
    x = _operand("gather_from", x, comm)
    axis = _axis("gather_from", x, axis)
    shapes = comm.all_gather(np.array([[x.ndim, axis, *x.shape, *(0,) * (_MOST_AXES - x.ndim)]])).tolist()
    if any(
        shape[:2] != shapes[0][:2] or _without(axis, shape[2:]) != _without(axis, shapes[0][2:]) for shape in shapes
    ):
        found = "; ".join(f"rank {rank} has {tuple(shape[2 : 2 + shape[0]])}" for rank, shape in enumerate(shapes))
        fail(ShapeError, "gather_from", f"needs shapes that differ along axis {axis} only, but {found}", {"x": x})
    return gathered(x, comm, axis, [shape[2 + axis] for shape in shapes])


@checked_keywords
def allreduce(x: Any, comm: Communicator, op: str = "sum") -> Tensor:
    """The sum or the mean over the ranks, for each rank to go on with in its own way.

    Args:
        x: a tensor, of the same shape and dtype on all ranks.
        comm: the ranks.
        op: ``"sum"`` or ``"mean"``.

    Returns:
        The sum or mean. Its gradient is the sum or mean of the ranks' gradients.

    Raises:
        ArgumentError: for another op.

    >>> from tinygrad_lite import distributed as dist
    >>> dist.allreduce(Tensor([1.0, 2.0]), dist.init(), op="mean")
    Tensor([1., 2.])
    """
    x = _operand("allreduce", x, comm)
    if op not in ("sum", "mean"):
        hint = "comm.allreduce(x, op=...) has others, without a derivative"
        fail(ArgumentError, "allreduce", f'needs "sum" or "mean" as op, but got {op!r}', {}, hint)
    total = apply(_ROWS["allreduce"], (x,), (_Over(comm),))
    return total if op == "sum" else divide(total, comm.size)


def gathered(x: Tensor, comm: Communicator, axis: int, lengths: list[int]) -> Tensor:
    """``gather_from`` where every rank knows the sizes of all parts already."""
    stops = np.cumsum(lengths).tolist()
    bounds = tuple((stop - length, stop) for stop, length in zip(stops, lengths))
    return apply(_ROWS["gather_from"], (x,), (_Over(comm, axis, bounds),))


_MOST_AXES = 64  # NumPy's limit


def _without(axis: int, shape: list[int]) -> list[int]:
    return shape[:axis] + shape[axis + 1 :]


def _operand(operation: str, x: Any, comm: Any) -> Tensor:
    tensor = as_tensor(operation, x)
    if not hasattr(comm, "allreduce") or not hasattr(comm, "bounds"):
        hint = "comm = tinygrad_lite.distributed.init() makes one"
        fail(DTypeError, operation, "needs a communicator", {"x": tensor, "comm": comm}, hint)
    return tensor


def _axis(operation: str, x: Tensor, axis: int) -> int:
    if not -x.ndim <= axis < x.ndim:
        fail(AxisError, operation, f"needs an axis of x, but got {axis}", {"x": x})
    return axis % x.ndim
