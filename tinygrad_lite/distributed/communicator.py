"""The communicator: what a program on many ranks holds in its hand. Every collective begins here.

One rank takes the same path as many; there is just no one to wait for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType
from typing import Any, TypeVar, cast

import numpy as np

from tinygrad_lite.distributed import choice
from tinygrad_lite.distributed.arrays import incoming, outgoing
from tinygrad_lite.distributed.calls import Calls
from tinygrad_lite.distributed.connection import Connection
from tinygrad_lite.distributed.execution import NONE, Execution
from tinygrad_lite.distributed.handles import Handle
from tinygrad_lite.distributed.operands import apart, check_writable
from tinygrad_lite.distributed.reductions import Array, bounds, check_elements
from tinygrad_lite.distributed.statistics import Statistics
from tinygrad_lite.distributed.unusable import CLOSED
from tinygrad_lite.errors import ArgumentError, ShapeError, fail
from tinygrad_lite.functions.arguments import integer, shape_tuple

X = TypeVar("X")


class Communicator(Execution):
    """The ranks of a job, or some of them, and the collectives between them.

    Make one with ``init`` or ``split``. Collectives must be called by every rank, in the same order, with arrays of the
    same shape and dtype unless said otherwise; ranks that differ get a ``CommunicationError`` that says how. Operands
    are NumPy arrays or Tensors of any shape and device, results are of the same kind; Tensors come back without a
    graph. All ranks receive the same bits. One thread at a time may use a communicator; give each its own by ``split``.

    ``close`` gives back what a communicator holds, as does leaving ``with comm.split(color) as part:``. One that was
    not closed lives until the program ends.

    Attributes:
        rank: this process's number, from 0 to ``size - 1``.
        size: how many processes there are.
        local_rank, local_size: the same among the processes of this host.
        stats: what was done so far; see ``Statistics``.
        table: which algorithm is chosen up to which size; see ``choice``.
        machine: the name under which that table is stored.

    Example:
        >>> from tinygrad_lite import distributed as dist
        >>> comm = dist.init()
        >>> comm.rank, comm.size
        (0, 1)
        >>> comm.allreduce(np.array([1.0, 2.0]), op="mean")
        array([1., 2.])
    """

    def __init__(self, link: Connection | None = None) -> None:
        self._link = link
        self.rank, self.size, self.local_rank, self.local_size = 0, 1, 0, 1
        self.table, self.machine = choice.defaults(1), "one rank"
        if link is not None:
            self.rank, self.size, self.table, self.machine = link.rank, link.size, link.table, link.machine
            self.local_rank, self.local_size = link.host.Get_rank(), link.host.Get_size()
        self.stats = Statistics()
        self._calls = self._new_calls()
        # Kept until they are done: MPI writes into their arrays.
        self._open: dict[int, Handle] = {} if link is None else link.watch.open

    def __deepcopy__(self, memo: dict[int, Any]) -> Communicator:
        """Itself: the copy of a model talks to the same ranks."""
        return self

    def __repr__(self) -> str:
        return f"Communicator(rank={self.rank}, size={self.size})"

    # --- collectives ------------------------------------------------------------------------------------------

    def allreduce(self, x: X, op: str = "sum", out: X | None = None, *, algorithm: str = "auto") -> X:
        """Reduce ``x`` over all ranks, element by element; every rank receives the result.

        Args:
            x: array or Tensor of any shape, the same on all ranks.
            op: ``"sum"``, ``"mean"`` (the sum divided by ``size``; needs a float or complex dtype), ``"max"``,
                ``"min"`` or ``"prod"``. For bool ``"max"`` means any, ``"min"`` and ``"prod"`` mean all.
            out: where to put the result, of the shape and dtype of ``x``; ``out=x`` reduces in place.
            algorithm: ``"auto"``, or one of ``choice.ALGORITHMS`` for measurements.

        Returns:
            ``out`` if given, else a new object of the kind of ``x``.

        Raises:
            ArgumentError: an unknown ``op`` or ``algorithm``.
            DTypeError: an operand without elements that MPI can reduce.
            ShapeError: ``out`` has another shape.
            CommunicationError: another rank made another call.

        >>> Communicator().allreduce(np.arange(3))
        array([0, 1, 2])
        """
        array: Any = x
        if out is x and type(array) is np.ndarray and array.flags.carray:  # small arrays notice every step
            self._run(self._calls.allreduce(array, array, op, algorithm, True), array, array)
            return x
        send = incoming("allreduce", x)
        recv, deliver = outgoing("allreduce", x, out, send.shape, send.dtype)
        if out is not None:
            check_writable("allreduce", out)
            send, recv, deliver = apart(send, recv, deliver)
        call = self._calls.allreduce(send, recv, op, algorithm, True)
        self._run(call, send, recv)
        return deliver(recv)  # type: ignore[no-any-return]

    def iallreduce(self, x: X, op: str = "sum", out: X | None = None, *, algorithm: str = "auto") -> Handle:
        """Start an ``allreduce`` and return its handle."""
        send = incoming("iallreduce", x)
        recv, deliver = outgoing("iallreduce", x, out, send.shape, send.dtype)
        if out is not None:
            check_writable("iallreduce", out)
            send, recv, deliver = apart(send, recv, deliver)
        return self._launch(self._calls.allreduce(send, recv, op, algorithm, False), send, recv, deliver)

    def reduce_scatter(self, x: X, op: str = "sum", out: X | None = None, *, algorithm: str = "auto") -> X:
        """Reduce ``x`` over all ranks and return this rank's chunk of the result, ``bounds(len(x))[rank]``.

        Args:
            x: 1-d array or Tensor, equally long on all ranks.
            op, out, algorithm: as for ``allreduce``; ``out`` has the chunk's length.

        >>> Communicator().reduce_scatter(np.arange(3))
        array([0, 1, 2])
        """
        return self.ireduce_scatter(x, op, out, algorithm=algorithm).wait()  # type: ignore[no-any-return]

    def reduce_scatter_cuts(self, x: Array, op: str, cuts: Sequence[tuple[int, int]]) -> Array:
        """Like ``reduce_scatter`` with chunks of any lengths: rank r gets elements ``cuts[r][0]`` to ``cuts[r][1]``."""
        send = incoming("reduce_scatter", x)
        start, stop = cuts[self.rank]
        recv, deliver = outgoing("reduce_scatter", x, None, (stop - start,), send.dtype)
        self._run(self._calls.reduce_scatter(send, op, "auto", cuts), send, recv)
        result: Array = deliver(recv)
        return result

    def ireduce_scatter(self, x: X, op: str = "sum", out: X | None = None, *, algorithm: str = "auto") -> Handle:
        """Start a ``reduce_scatter`` and return its handle."""
        send = incoming("reduce_scatter", x)
        if send.ndim != 1:
            fail(ShapeError, "reduce_scatter", "needs a 1-d array", {"x": x}, "x.reshape(-1) has one axis")
        cuts = bounds(send.size, self.size)
        start, stop = cuts[self.rank]
        recv, deliver = outgoing("reduce_scatter", x, out, (stop - start,), send.dtype)
        if out is not None:
            check_writable("reduce_scatter", out)
            send, recv, deliver = apart(send, recv, deliver)
        return self._launch(self._calls.reduce_scatter(send, op, algorithm, cuts), send, recv, deliver)

    def all_gather(self, x: X, out: X | None = None, *, algorithm: str = "auto") -> X:
        """Concatenate the ranks' arrays along axis 0, in the order of the ranks; every rank receives all.

        Args:
            x: array or Tensor with at least one axis; the lengths of axis 0 may differ between ranks.
            out: where to put the result.

        >>> Communicator().all_gather(np.arange(3))
        array([0, 1, 2])
        """
        return self.iall_gather(x, out, algorithm=algorithm).wait()  # type: ignore[no-any-return]

    def iall_gather(self, x: X, out: X | None = None, *, algorithm: str = "auto") -> Handle:
        """Start an ``all_gather`` and return its handle. Waits for the other ranks' lengths."""
        send = incoming("all_gather", x)
        if send.ndim == 0:
            fail(ShapeError, "all_gather", "needs at least one axis", {"x": x}, "x.reshape(1) has one")
        check_elements("all_gather", send.dtype)
        check_writable("all_gather", out)
        lengths, place = self._lengths(send)
        recv, deliver = outgoing("all_gather", x, out, (sum(lengths), *send.shape[1:]), send.dtype)
        return self._launch(self._calls.all_gather(send, lengths, place, algorithm), send, recv, deliver)

    def broadcast(self, x: X, root: int = 0, out: X | None = None) -> X:
        """The array of rank ``root``, on every rank.

        Args:
            x: array or Tensor; on ranks other than ``root`` only its shape and dtype count.
            root: the rank that sends.
            out: where to put the result; ``out=x`` overwrites ``x``.

        >>> Communicator().broadcast(np.arange(3))
        array([0, 1, 2])
        """
        return self.ibroadcast(x, root, out).wait()  # type: ignore[no-any-return]

    def ibroadcast(self, x: X, root: int = 0, out: X | None = None) -> Handle:
        """Start a ``broadcast`` and return its handle."""
        send = incoming("broadcast", x)
        check_elements("broadcast", send.dtype)
        root = integer("broadcast", "root", root)
        if not 0 <= root < self.size:
            fail(ArgumentError, "broadcast", f"needs root to be a rank below {self.size}, but got {root}")
        recv, deliver = outgoing("broadcast", x, out, send.shape, send.dtype)
        if out is not x or self.rank != root:
            check_writable("broadcast", out)
        return self._launch(self._calls.broadcast(send, root), send, recv, deliver)

    def barrier(self) -> None:
        """Wait until every rank is here."""
        self._run(self._calls.barrier(), NONE, NONE)

    @property
    def connection(self) -> Connection | None:
        """What is underneath: mpi4py's communicator and more; None for one rank without MPI."""
        if self._is_closed():
            CLOSED.refuse()
        return self._link

    # --- ranks and memory -------------------------------------------------------------------------------------

    def bounds(self, length: int) -> list[tuple[int, int]]:
        """Start and stop of every rank's chunk of ``length`` elements: as equal as can be, the longer ones first.

        >>> Communicator().bounds(7)
        [(0, 7)]
        """
        return bounds(length, self.size)

    def split(self, color: int, key: int = 0) -> Communicator:
        """A communicator of the ranks that give the same ``color``, ordered by ``key``, then by rank. Collective.

        >>> with Communicator().split(0) as part:
        ...     part.size
        1
        """
        color, key = integer("split", "color", color), integer("split", "key", key)
        if color < 0:
            fail(ArgumentError, "split", f"needs a color of at least 0, but got {color}")
        self._meet("split")
        return Communicator(None if self._link is None else self._link.split(color, key))

    def empty(self, shape: int | tuple[int, ...], dtype: Any = np.float32) -> Array:
        """An uninitialised array in memory that the ranks of one host share. Collective.

        Collectives on it, or on contiguous parts of it, move no data between processes and are fastest. The memory is
        the communicator's: do not use it after ``close``. With ranks on several hosts, one rank, or too little shared
        memory it is an ordinary array. A reduction is given the same part of the same array on every rank.

        Args:
            shape, dtype: the same on all ranks.

        Raises:
            DTypeError: a size is not an integer, or the dtype not one of numbers or bools.
            ShapeError: a size is negative.
            CommunicationError: another rank made another call.

        >>> Communicator().empty((2, 3)).shape
        (2, 3)
        """
        wanted, sizes = np.dtype(dtype), shape_tuple("empty", shape)
        check_elements("empty", wanted)
        self._meet(f"empty({sizes}, {wanted})")
        length = math.prod(sizes)
        window = None if self._link is None else self._link.window(length * wanted.itemsize)
        if window is None:
            return np.empty(sizes, wanted)
        self._calls.add_window(window)
        return window.array(self.rank, wanted, 0, length).reshape(sizes)

    def delayed(self, latency: float, seconds_per_byte: float = 0.0) -> Communicator:
        """The same ranks behind a slower network, for experiments. Collective.

        Every message is held back as ``DelayedTransport`` says. Collectives go round the ring, whatever their size; a
        broadcast and a barrier are not delayed.

        Args:
            latency: seconds per message.
            seconds_per_byte: seconds per byte.
        """
        self._meet("delayed")
        if self._link is None:
            return Communicator()
        link = self._link.copy()
        link.slow_down(latency, seconds_per_byte)
        link.use_only("ring")
        return Communicator(link)

    def using(self, algorithm: str) -> Communicator:
        """The same ranks, and one algorithm for all sizes, for measurements. What is split off keeps to it. Collective.

        Args:
            algorithm: ``"ring"`` or ``"mpi"``, which serve arrays in any memory.

        >>> Communicator().using("ring")
        Communicator(rank=0, size=1)
        """
        if algorithm not in ("ring", "mpi"):
            fail(ArgumentError, "using", f"needs 'ring' or 'mpi', but got {algorithm!r}")
        self._meet(f"using({algorithm})")
        if self._link is None:
            return Communicator()
        link = self._link.copy()
        link.use_only(algorithm)
        return Communicator(link)

    # --- the end ----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Wait for all handles, then give back memory, messages and MPI's communicator. Collective; twice is fine.

        Arrays of ``empty`` may not be used any more. So that none is lost under anyone's feet, the memory of those that
        some rank still holds, if only in a variable, stays until the program ends; ``del`` them before.

        Raises:
            CommunicationError: another rank made another call. Of a closed communicator every collective raises it.

        >>> part = Communicator().split(0)
        >>> part.allreduce(np.arange(3))
        array([0, 1, 2])
        >>> part.close()
        """
        if self._is_closed():
            return
        self._meet("close")
        self._calls = cast(Calls, CLOSED)
        if self._link is not None:
            self._link.close()

    def __enter__(self) -> Communicator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it, unless an exception passes: the other ranks may not come here."""
        if kind is None:
            self.close()

    def _is_closed(self) -> bool:
        return cast(Any, self._calls) is CLOSED or (self._link is not None and self._link.closed)

    def _reclaim(self) -> None:
        """Give back the memory of arrays of ``empty`` that no rank holds any more. Collective.

        Calls are forgotten for it, and agreed upon again when they are next made.
        """
        self._meet("reclaim")
        self._calls = self._new_calls()
        if self._link is not None:
            self._link.reclaim()
            for window in self._link.windows:
                self._calls.add_window(window)

    def _new_calls(self) -> Calls:
        return Calls(self._link, self.table, self.stats)
