"""Data and model parallelism together: the ranks as a grid, with communicators for its rows and columns."""

from __future__ import annotations

from tinygrad_lite.calls import CheckedConstructor
from tinygrad_lite.distributed.communicator import Communicator
from tinygrad_lite.distributed.state import check_communicator
from tinygrad_lite.errors import ArgumentError, fail
from tinygrad_lite.functions.arguments import integer

__all__ = ["Grid"]


class Grid(CheckedConstructor):
    """The ranks of ``comm`` in rows that share one model and columns that hold the same part of it.

    Rank r stands in row ``r // model`` and column ``r % model``: the ranks of a row are neighbours, since model
    parallelism sends messages within every layer and data parallelism once per step. Layers are made with
    ``grid.model``, gradients are averaged over ``grid.data``:

        grid = dist.Grid(comm, model=2)
        model = nn.Sequential(dist.ColumnParallelLinear(784, 512, grid.model), nn.ReLU(),
                              dist.RowParallelLinear(512, 10, grid.model))
        dist.DataParallel(model, grid.data)

    Args:
        comm: the ranks.
        data: how many copies of the model there are; by default as many as fit.
        model: over how many ranks each copy is split; by default as many as fit, beside ``data`` copies.

    Attributes:
        data: the communicator of this rank's column: the same part of the model, other samples.
        model: the communicator of this rank's row: the same samples, other parts of the model.
        shape: (rows, columns).

    Raises:
        ArgumentError: on every rank, if the sizes are not positive or their product is not ``comm.size``.
        DTypeError: ``comm`` is no communicator.

    >>> from tinygrad_lite import distributed as dist
    >>> dist.Grid(dist.init()).shape
    (1, 1)
    """

    def __init__(self, comm: Communicator, *, data: int | None = None, model: int | None = None) -> None:
        check_communicator("Grid", comm)
        size = comm.size
        given = [None if n is None else integer("Grid", name, n) for name, n in (("data", data), ("model", model))]
        rows, columns = given
        if all(n is None or n > 0 for n in given):
            if columns is None:
                columns = 1 if rows is None else max(size // rows, 1)
            if rows is None:
                rows = max(size // columns, 1)
        if rows is None or columns is None or min(rows, columns) < 1 or rows * columns != size:
            asked = " and ".join(f"{name}={n}" for name, n in (("data", data), ("model", model)) if n is not None)
            hint = "their product is the number that mpirun -n gives; leave one of them out"
            fail(ArgumentError, "Grid", f"needs data * model == {size}, the number of ranks, but got {asked}", {}, hint)
        self.shape = rows, columns
        self.data = comm.split(comm.rank % columns, key=comm.rank)
        self.model = comm.split(comm.rank // columns, key=comm.rank)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"Grid({rows} x {columns}, row {self.data.rank}, column {self.model.rank})"
