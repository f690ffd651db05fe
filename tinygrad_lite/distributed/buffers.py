"""A drop-in for an mpi4py communicator's buffer collectives, carried out by ours.

    world = Buffers(comm)
    world.Allreduce(MPI.IN_PLACE, x)

Every argument that mpi4py takes is understood. What our algorithms do not offer (derived datatypes, user-made
operations, gaps between blocks), and every other method, goes to mpi4py's own communicator. So all ranks describe their
buffers in the same way: a NumPy array on one rank and a ``bytearray`` on another do not meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_lite.distributed.communicator import Communicator
from tinygrad_lite.distributed.reductions import Array
from tinygrad_lite.errors import DependencyError, fail


class Buffers:
    """mpi4py's ``Allreduce``, ``Reduce_scatter``, ``Reduce_scatter_block``, ``Allgather``, ``Allgatherv`` and
    ``Bcast``.

    Making one is collective.

    Args:
        comm: the communicator whose ranks take part.

    Raises:
        DependencyError: ``comm`` has one rank and no MPI.
    """

    def __init__(self, comm: Communicator) -> None:
        link = comm.connection
        if link is None:
            hint = "start the program by mpirun; one rank needs no collectives"
            fail(DependencyError, "Buffers", "needs a communicator over MPI, but got one of a single rank", {}, hint)
        self.communicator = comm
        comm._meet("Buffers")
        self._mpi = mpi = link.mpi
        self._comm = link.comm.Dup()  # messages of the user's must not meet ours
        self._ops = [(mpi.SUM, "sum"), (mpi.PROD, "prod"), (mpi.MAX, "max"), (mpi.MIN, "min")]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._comm, name)

    def Allreduce(self, sendbuf: Any, recvbuf: Any, op: Any = None) -> None:
        """Reduce ``sendbuf``, or with ``MPI.IN_PLACE`` ``recvbuf``, over all ranks into ``recvbuf``."""
        out = self._array(recvbuf)
        x = out if self._in_place(sendbuf) else self._array(sendbuf)
        name = self._op(op, x)
        if x is None or out is None or name is None or x.size != out.size or x.dtype != out.dtype:
            self._comm.Allreduce(sendbuf, recvbuf, self._mpi.SUM if op is None else op)
        else:
            self.communicator.allreduce(x, name, out)

    def Reduce_scatter(self, sendbuf: Any, recvbuf: Any, recvcounts: Any = None, op: Any = None) -> None:
        """Reduce over all ranks; rank r receives ``recvcounts[r]`` elements, by default what its ``recvbuf`` holds."""
        out = self._array(recvbuf)
        x = out if self._in_place(sendbuf) else self._array(sendbuf)
        name = self._op(op, x)
        theirs = self._mpi.SUM if op is None else op
        if x is None or out is None or name is None or x.dtype != out.dtype:
            self._comm.Reduce_scatter(sendbuf, recvbuf, recvcounts, theirs)
            return
        counts = self.communicator.all_gather(np.array([out.size])).tolist() if recvcounts is None else list(recvcounts)
        fits = len(counts) == self.communicator.size and min(counts) >= 0 and sum(counts) == x.size
        if not fits or counts[self.communicator.rank] > out.size:
            self._comm.Reduce_scatter(sendbuf, recvbuf, recvcounts, theirs)
            return
        mine, stops = counts[self.communicator.rank], np.cumsum(counts).tolist()
        cuts = list(zip([0, *stops[:-1]], stops, strict=True))
        out[:mine] = self.communicator.reduce_scatter_cuts(x, name, cuts)

    def Reduce_scatter_block(self, sendbuf: Any, recvbuf: Any, op: Any = None) -> None:
        """Reduce over all ranks; every rank receives an equal block."""
        out = self._array(recvbuf)
        size = self.communicator.size
        x = out if self._in_place(sendbuf) else self._array(sendbuf)
        name = self._op(op, x)
        if x is None or out is None or name is None or x.dtype != out.dtype or x.size % size:
            self._comm.Reduce_scatter_block(sendbuf, recvbuf, self._mpi.SUM if op is None else op)
            return
        block = x.size // size
        cuts = [(rank * block, (rank + 1) * block) for rank in range(size)]
        out[:block] = self.communicator.reduce_scatter_cuts(x, name, cuts)

    def Allgather(self, sendbuf: Any, recvbuf: Any) -> None:
        """Concatenate equal blocks; with ``MPI.IN_PLACE`` this rank's block is in its place already."""
        out = self._array(recvbuf)
        size, rank = self.communicator.size, self.communicator.rank
        if out is None or out.size % size:
            self._comm.Allgather(sendbuf, recvbuf)
            return
        block = out.size // size
        x = out[rank * block : (rank + 1) * block] if self._in_place(sendbuf) else self._array(sendbuf)
        if x is None or x.size != block or x.dtype != out.dtype:
            self._comm.Allgather(sendbuf, recvbuf)
        else:
            self.communicator.all_gather(x, out)

    def Allgatherv(self, sendbuf: Any, recvbuf: Any) -> None:
        """Concatenate blocks of different lengths; ``recvbuf`` is ``[array, counts]``, perhaps with displs and type."""
        out, counts = self._vector(recvbuf)
        if out is None:
            self._comm.Allgatherv(sendbuf, recvbuf)
            return
        start = sum(counts[: self.communicator.rank])
        mine = out[start : start + counts[self.communicator.rank]]
        x = mine if self._in_place(sendbuf) else self._array(sendbuf)
        if x is None or x.size != mine.size or x.dtype != out.dtype:
            self._comm.Allgatherv(sendbuf, recvbuf)
        else:
            self.communicator.all_gather(x, out)

    def Bcast(self, buf: Any, root: int = 0) -> None:
        """Overwrite ``buf`` by that of ``root``."""
        x = self._array(buf)
        if x is None or x.dtype.kind not in "biufc":
            self._comm.Bcast(buf, root)
        else:
            self.communicator.broadcast(x, root, x)

    # --- mpi4py's ways of naming a buffer ---------------------------------------------------------------------

    def _in_place(self, buffer: Any) -> bool:
        return buffer is self._mpi.IN_PLACE or (
            type(buffer) is type(self._mpi.IN_PLACE) and buffer == self._mpi.IN_PLACE
        )

    def _op(self, op: Any, x: Array | None) -> str | None:
        """Our name of an operation; None if it is another one, or one that the elements do not have."""
        name = "sum" if op is None else next((ours for theirs, ours in self._ops if theirs == op), None)
        if x is None or (x.dtype.kind == "b" or (x.dtype.kind == "c" and name in ("max", "min"))):
            return None
        return name

    def _array(self, buffer: Any) -> Array | None:
        """The flat array behind ``x``, ``[x, count]``, ``[x, type]`` or ``[x, count, type]``; else None."""
        count = None
        if isinstance(buffer, (list, tuple)):
            buffer, *rest = buffer
            for entry in rest:
                if isinstance(entry, (int, np.integer)) and count is None:
                    count = int(entry)
                elif entry is not None and not self._is_type_of(entry, buffer):
                    return None
        if type(buffer) is not np.ndarray or not buffer.flags.c_contiguous or buffer.dtype.kind not in "biufc":
            return None
        flat = buffer.reshape(-1)
        return flat if count is None else flat[:count] if 0 <= count <= flat.size else None

    def _vector(self, buffer: Any) -> tuple[Array | None, Sequence[int]]:
        """The array and the counts of ``[x, counts]`` and its longer forms, if there are no gaps between the blocks."""
        nothing: tuple[None, Sequence[int]] = (None, ())
        if not isinstance(buffer, (list, tuple)) or len(buffer) < 2:
            return nothing
        x, counts, *rest = buffer
        if isinstance(counts, tuple):  # to mpi4py it is always this pair
            if len(counts) != 2:
                return nothing
            counts, starts = counts
            rest = [starts, *rest]
        array = self._array(x)
        if array is None or counts is None or isinstance(counts, (str, int)) or not hasattr(counts, "__len__"):
            return nothing
        lengths = [int(count) for count in counts]
        if len(lengths) != self.communicator.size or min(lengths) < 0:
            return nothing
        starts = [sum(lengths[:k]) for k in range(len(lengths))]
        for entry in rest:
            if hasattr(entry, "__len__") and not isinstance(entry, str):
                if [int(start) for start in entry] != starts:
                    return nothing
            elif entry is not None and not self._is_type_of(entry, x):
                return nothing
        return (array[: sum(lengths)], lengths) if sum(lengths) <= array.size else nothing

    def _is_type_of(self, datatype: Any, x: Any) -> bool:
        """Whether an MPI datatype, or its letter, is that of an array's own elements."""
        if type(x) is not np.ndarray:
            return False
        if isinstance(datatype, str):
            return bool(datatype == x.dtype.char)
        same: bool = datatype == self._mpi.Datatype.fromcode(x.dtype.char)
        return same
