"""What a call is: its description, by which ranks agree and errors speak, and the steps of the algorithm that carries
it out.

Both depend on the operation, the elements, the shape and the memory alone, so they are worked out once per kind of
call.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.distributed import choice, doubling, windows
from tinygrad_lite.distributed.connection import Connection
from tinygrad_lite.distributed.reductions import NOTHING, Array, Reduction, bounds, reduction
from tinygrad_lite.distributed.ring import Ring
from tinygrad_lite.distributed.staged import Staged
from tinygrad_lite.distributed.statistics import Counts, Statistics
from tinygrad_lite.distributed.transport import Steps
from tinygrad_lite.distributed.watch import fingerprint
from tinygrad_lite.distributed.windows import Direct, Resident, Window
from tinygrad_lite.errors import ArgumentError, fail

MakeSteps = Callable[[Array, Array], Steps]

#: From this many bytes on MPI's non-blocking collectives, which run trees, are slower than the ring.
SMALL = 64 * 1024

#: Arrays in windows whose place is remembered: to ask NumPy for an address costs half a microsecond.
_MOST_PLACES = 256


class Call:
    """What calls of one operation with the same elements, shape and memory have in common.

    Attributes:
        text, mark: the description and its fingerprint.
        agreed: whether all ranks have said that they make this call.
        blocking: carries it out at once, where MPI does.
        steps: carries it out in steps.
    """

    __slots__ = ("agreed", "algorithm", "blocking", "counts", "mark", "steps", "text")

    def __init__(self, text: str, algorithm: str, counts: Counts, steps: MakeSteps) -> None:
        self.text, self.algorithm, self.counts, self.steps = text, algorithm, counts, steps
        self.mark = fingerprint(text)
        self.agreed = False
        self.blocking: Callable[[Array, Array], None] | None = None


class Calls:
    """The calls that a communicator has made so far, and how new ones are described.

    Args:
        link: what connects the ranks; None for one rank.
        table: which algorithm for which size.
        stats: where calls are counted.
    """

    def __init__(self, link: Connection | None, table: choice.Table, stats: Statistics) -> None:
        self._link, self._table, self._stats = link, table, stats
        self.agreed: set[str] = set()  # what all ranks have said to call once, by its description
        self._known: dict[Hashable, Call] = {}
        self._windows: dict[int, tuple[int, Window]] = {}  # by the identity of the array that owns this rank's part
        self._places: dict[
            int, tuple[Array, tuple[int, int]]
        ] = {}  # by the identity of the array, which is kept for that

    def add_window(self, window: Window) -> None:
        """Find arrays in this window from now on."""
        self._windows[id(window.memory[window.rank].base)] = (len(self._windows), window)

    # --- one kind of call each --------------------------------------------------------------------------------

    def allreduce(self, send: Array, recv: Array, op: str, algorithm: str, waits: bool) -> Call:
        """The allreduce of ``send`` into ``recv``; ``waits``: whether the caller does."""
        x = out = None
        if self._windows:
            x = self.place(send)
            out = x if recv is send else self.place(recv)
        key = (op, send.dtype, send.shape, x, out, algorithm, waits)
        return self._known.get(key) or self._add(key, self._new_allreduce(send, recv, *key))

    def _new_allreduce(
        self,
        send: Array,
        recv: Array,
        op: str,
        dtype: np.dtype[Any],
        shape: Any,
        x: Any,
        out: Any,
        algorithm: str,
        waits: bool,
    ) -> Call:
        reduced, link = reduction("allreduce", op, dtype), self._link
        place = "window" if x is not None and out is not None else "private"
        algorithm = self._algorithm("allreduce", place, send.nbytes, algorithm, waits, reduced)
        counts = self._stats["allreduce"]
        where = f", in window {x[0]} at {x[1]}" if place == "window" else ""
        if where and out != x:
            where += f", into window {out[0]} at {out[1]}"
        name = "allreduce" if waits or algorithm != "mpi" else "iallreduce"  # to MPI these are two operations
        text = f"{name}({op}) of {dtype}, shape {shape}, by {algorithm}{where}"
        if link is None:
            return Call(text, algorithm, counts, single)
        residents = (self._resident(send, x), self._resident(recv, out)) if place == "window" else None
        call = Call(text, algorithm, counts, _allreduce_steps(link, algorithm, reduced, counts, residents))
        if algorithm == "mpi":
            call.blocking = link.own.allreduce(reduced, counts, send.nbytes)
        return call

    def reduce_scatter(self, send: Array, op: str, algorithm: str, cuts: Sequence[tuple[int, int]]) -> Call:
        """The reduce-scatter of ``send`` into chunks ``cuts``."""
        place = self.place(send)
        key = ("reduce_scatter", op, send.dtype, send.shape, place, algorithm, tuple(cuts))
        return self._known.get(key) or self._add(key, self._new_reduce_scatter(send, op, algorithm, place, cuts))

    def _new_reduce_scatter(
        self, send: Array, op: str, algorithm: str, place: Any, cuts: Sequence[tuple[int, int]]
    ) -> Call:
        reduced, link = reduction("reduce_scatter", op, send.dtype), self._link
        lies = "window" if place is not None else "private"
        algorithm = self._algorithm("reduce_scatter", lies, send.nbytes, algorithm, True, reduced)
        counts = self._stats["reduce_scatter"]
        text = f"reduce_scatter({op}) of {send.dtype}, length {send.size}, by {algorithm}"
        if list(cuts) != bounds(send.size, len(cuts)):
            text += f", in chunks of {', '.join(str(stop - start) for start, stop in cuts)}"
        if link is None:
            return Call(text, algorithm, counts, single)
        steps: MakeSteps
        if algorithm == "mpi":
            steps = lambda send, recv: link.own.ireduce_scatter(send, recv, cuts, reduced, counts)
        elif algorithm == "direct":
            text += f", in window {place[0]} at {place[1]}"
            resident = self._resident(send, place)
            steps = lambda send, recv: windows.direct_reduce_scatter(resident, recv, cuts, reduced, counts)
        else:
            steps = lambda send, recv: _once(link, send, recv, cuts, reduced, counts, gather=False)
        return Call(text, algorithm, counts, steps)

    def all_gather(self, send: Array, lengths: Sequence[int], place: tuple[int, int] | None, algorithm: str) -> Call:
        """The all-gather of ``send`` from ranks that bring ``lengths`` rows; ``place``: in a window, all the same."""
        row = int(np.prod(send.shape[1:], dtype=np.int64))
        stops = [row * sum(lengths[: r + 1]) for r in range(len(lengths))]
        cuts = list(zip([0, *stops[:-1]], stops))
        key = ("all_gather", send.dtype, tuple(cuts), place, algorithm)
        return self._known.get(key) or self._add(key, self._new_all_gather(send, cuts, place, algorithm))

    def _new_all_gather(self, send: Array, cuts: Sequence[tuple[int, int]], place: Any, algorithm: str) -> Call:
        link, counts = self._link, self._stats["all_gather"]
        total = cuts[-1][1] * send.itemsize
        lies = "window" if place is not None else "private"
        algorithm = self._algorithm("all_gather", lies, total, algorithm, True, None)
        text = f"all_gather of {send.dtype}, shape {('*', *send.shape[1:])}, {total} bytes, by {algorithm}".replace(
            "'", ""
        )
        if link is None:
            return Call(text, algorithm, counts, single)
        steps: MakeSteps
        if algorithm == "mpi":
            steps = lambda send, recv: link.own.iall_gather(send, recv, cuts, counts)
        elif algorithm == "direct":
            text += f", in window {place[0]} at {place[1]}"
            resident = self._resident(send, place)
            steps = lambda send, recv: windows.direct_all_gather(resident, recv.reshape(-1), counts)
        else:
            steps = lambda send, recv: _gather_once(link, send.reshape(-1), recv.reshape(-1), cuts, counts)
        return Call(text, algorithm, counts, steps)

    def lengths(self, send: Array) -> Call:
        """The exchange of lengths that comes before an all-gather."""
        text = f"all_gather of {send.dtype}, shape {('*', *send.shape[1:])}".replace("'", "")
        return self._simple(("lengths", send.dtype, send.shape[1:]), text, "all_gather", single)

    def broadcast(self, send: Array, root: int) -> Call:
        """The broadcast of an array like ``send`` from ``root``."""
        link, counts = self._link, self._stats["broadcast"]

        def steps(send: Array, recv: Array) -> Steps:
            if recv is not send and (link is None or root == link.rank):
                recv[...] = send
            return iter(()) if link is None else link.own.ibroadcast(recv, root, counts)

        text = f"broadcast(root={root}) of {send.dtype}, shape {send.shape}"
        return self._simple(("broadcast", root, send.dtype, send.shape), text, "broadcast", steps)

    def barrier(self, text: str = "barrier") -> Call:
        """A barrier, alone or as the beginning of what ``text`` describes."""
        link, counts = self._link, self._stats["barrier"]
        steps: MakeSteps = single if link is None else lambda send, recv: link.own.ibarrier(counts)
        return self._simple(text, text, "barrier", steps)

    # --- what they share --------------------------------------------------------------------------------------

    def _simple(self, key: Hashable, text: str, operation: str, steps: MakeSteps) -> Call:
        """A call that MPI alone carries out."""
        algorithm = "single" if self._link is None else "mpi"
        return self._known.get(key) or self._add(key, Call(text, algorithm, self._stats[operation], steps))

    def _add(self, key: Hashable, call: Call) -> Call:
        self._known[key] = call
        return call

    def place(self, array: Array) -> tuple[int, int] | None:
        """In which window an array lies and at which byte, if in any."""
        base = array.base
        found = None if base is None else self._windows.get(id(base))
        if found is None:
            return None
        known = self._places.get(id(array))
        if known is not None and known[0] is array:
            return known[1]
        number, window = found
        place = number, array.__array_interface__["data"][0] - window.address
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()
        self._places[id(array)] = array, place
        return place

    def _resident(self, array: Array, place: tuple[int, int]) -> Resident:
        window = next(window for number, window in self._windows.values() if number == place[0])
        return Resident(window, place[1], array.dtype, array.size)

    def _algorithm(
        self, operation: str, place: str, nbytes: int, asked: str, waits: bool, reduced: Reduction | None
    ) -> str:
        """The algorithm that carries out what was asked for."""
        link = self._link
        offered = choice.ALGORITHMS[operation, "window" if link is None else place]
        if link is None:
            offered += ("staged",)
        if asked != "auto" and asked not in offered:
            names = ", ".join(map(repr, ("auto", *offered)))
            lies = "in a window" if place == "window" else "outside of windows"
            fail(
                ArgumentError, operation, f"needs algorithm to be one of {names} for an array {lies}, but got {asked!r}"
            )
        if link is None:
            return "single"
        found = choice.choose(self._table, operation, place, nbytes) if asked == "auto" else asked
        if asked == "auto" and not waits and place == "private" and found != "ring":
            found = "mpi" if nbytes < SMALL else "ring"
        if found == "mpi" and reduced is not None and reduced.mpi is None:
            found = "doubling" if operation == "allreduce" and nbytes < SMALL else "ring"
        if found == "staged" and (not waits or not link.can_stage):  # there is one stage, in use until a call is done
            found = "ring"
        return found


def _allreduce_steps(
    link: Connection, algorithm: str, reduced: Reduction, counts: Counts, residents: tuple[Resident, Resident] | None
) -> MakeSteps:
    """The steps of an allreduce; the ``residents`` are the operand and the result where both lie in windows."""
    if algorithm == "mpi":
        return lambda send, recv: link.own.iallreduce(send, recv, reduced, counts)
    if algorithm == "doubling":
        return lambda send, recv: doubling.allreduce(
            link.transport, link.next_tag(), send.reshape(-1), recv.reshape(-1), reduced, counts
        )
    if algorithm == "staged":
        return _staged_steps(link, reduced, counts)
    if residents is None:
        return lambda send, recv: _once(
            link, send.reshape(-1), recv.reshape(-1), bounds(send.size, link.size), reduced, counts
        )
    x, out = residents
    if algorithm == "direct":
        direct = Direct(x, out)
        return lambda send, recv: direct.steps(reduced, counts)
    if algorithm == "window_ring":
        return lambda send, recv: windows.ring_allreduce(x, out, reduced, counts)
    cuts = bounds(x.mine.size, link.size)
    kept: list[Ring] = []  # its requests serve every call; its tag is taken once the ranks have agreed on the first

    def steps(send: Array, recv: Array) -> Steps:
        if not kept:
            kept.append(link.keep(Ring(link.transport, link.next_tag(), x.mine, out.mine, cuts)))
        return kept[0].steps(reduced, counts)

    return steps


def _staged_steps(link: Connection, reduced: Reduction, counts: Counts) -> MakeSteps:
    kept: list[Staged] = []  # the window is made once the ranks have agreed on the first call

    def steps(send: Array, recv: Array) -> Steps:
        if not kept:
            kept.append(Staged(link.stage(), send.dtype, send.size))
        x = send.reshape(-1)
        return kept[0].steps(x, x if recv is send else recv.reshape(-1), reduced, counts)

    return steps


def _once(
    link: Connection,
    x: Array,
    out: Array,
    cuts: Sequence[tuple[int, int]],
    reduced: Reduction,
    counts: Counts,
    *,
    reduce: bool = True,
    gather: bool = True,
) -> Steps:
    """A ring for arrays that may never come again."""
    ring = Ring(link.transport, link.next_tag(), x, out, cuts, reduce=reduce, gather=gather)
    yield from ring.steps(reduced, counts)
    ring.free()


def _gather_once(link: Connection, x: Array, out: Array, cuts: Sequence[tuple[int, int]], counts: Counts) -> Steps:
    start, stop = cuts[link.rank]
    out[start:stop] = x
    yield from _once(link, x, out, cuts, NOTHING, counts, reduce=False)


def single(x: Array, out: Array) -> Steps:
    """Every collective of one rank: the result is what it brought."""
    if out is not x:
        out[...] = x
    return iter(())
