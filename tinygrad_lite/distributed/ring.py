"""The ring: every rank talks to its two neighbours only, and every byte crosses each link about twice.

Reduce-scatter: chunk c sets out from rank c+1 and collects every rank's part on its way round to rank c, n-1 rounds.
All-gather: the finished chunks go round once more, n-1 rounds. Together, for S bytes on n ranks,

    2(n-1)·α + 2(n-1)/n·S·β + (n-1)/n·S·γ

seconds with α per message, β per byte moved and γ per byte reduced (Patarasuk and Yuan, "Bandwidth optimal all-reduce
algorithms for clusters of workstations", 2009): no scheme sends fewer bytes. Each element is summed once, in the order
of the ring, and then copied: all ranks hold the same bits.

Chunks travel in segments. While one is reduced, in cache, the next ones are under way; receives are posted ahead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinygrad_lite.distributed.reductions import Array, Reduction
from tinygrad_lite.distributed.statistics import Counts
from tinygrad_lite.distributed.transport import Request, Steps, Transport

#: Bytes per segment: so small that it is still in the second-level cache when it is reduced.
SEGMENT = 256 * 1024

#: Segments per chunk at most: a message costs microseconds of interpreter time however short it is.
MOST_SEGMENTS = 64

#: Sets of buffers for sums on their way; with three, receives are posted a round ahead without waiting for sends.
_SETS = 3


class Ring:
    """The messages of one array's collectives, made once and started at every call.

    Args:
        transport: carries the messages.
        tag: marks them.
        x: this rank's contribution, flat and contiguous.
        out: receives the result; may be ``x``. All of it for allreduce and all-gather, this rank's chunk for
            reduce-scatter.
        cuts: start and stop of every rank's chunk, in elements.
        gather, reduce: which of the two halves to make; both is allreduce.
    """

    def __init__(
        self,
        transport: Transport,
        tag: int,
        x: Array,
        out: Array,
        cuts: Sequence[tuple[int, int]],
        *,
        reduce: bool = True,
        gather: bool = True,
    ) -> None:
        self.rank, self.size = rank, n = transport.rank, transport.size
        longest = max(stop - start for start, stop in cuts)
        step = max(SEGMENT // x.itemsize, -(-longest // MOST_SEGMENTS), 1)
        self.segments = max(1, -(-longest // step))
        right, left = (rank + 1) % n, (rank - 1) % n
        self._x, self._out = x, out

        def pieces(array: Array, start: int, stop: int) -> list[Array]:
            """A chunk in as many segments as every other; the last ones may be empty."""
            return [
                array[min(start + k * step, stop) : min(start + (k + 1) * step, stop)] for k in range(self.segments)
            ]

        mine = cuts[rank]
        own = pieces(out, *mine) if gather else pieces(out, 0, mine[1] - mine[0])
        self.rounds: list[_Round] = []
        self._reduces = n - 1 if reduce else 0
        if reduce:
            # What a round receives and sums is sent on in the next one while its successor's receives are posted.
            scratch = [np.empty((self.segments, min(step, longest)), x.dtype) for _ in range(min(_SETS, n - 1))]
            sent = pieces(x, *cuts[(rank - 1) % n])
            for t in range(n - 1):
                parts = pieces(x, *cuts[(rank - t - 2) % n])
                came = [scratch[t % _SETS][k, : part.size] for k, part in enumerate(parts)]
                sums = own if t == n - 2 else came
                self.rounds.append(_Round(transport, tag, sent, came, right, left, parts, sums))
                sent = sums
        if gather:
            sent = own
            for t in range(n - 1):
                came = pieces(out, *cuts[(rank - t - 1) % n])
                self.rounds.append(_Round(transport, tag, sent, came, right, left))
                sent = came

    def steps(self, reduction: Reduction, counts: Counts) -> Steps:
        """Run the collective; yields what has to be waited for."""
        rounds, reduces = self.rounds, self._reduces
        for request in (*rounds[0].receives, *rounds[0].sends):
            request.Start()
        for t, now in enumerate(rounds):
            counts.rounds += 1
            counts.messages += len(now.sends)
            counts.bytes += now.bytes
            after = rounds[t + 1] if t + 1 < len(rounds) else None
            # What the next receives overwrite must have left: sums of three rounds ago, or a chunk of x itself.
            leaving = None
            if t + 1 < reduces and t >= _SETS - 1:
                leaving = rounds[t - _SETS + 2].sends
            elif 0 < t + 1 == reduces:
                leaving = rounds[0].sends
            for k, receive in enumerate(now.receives):
                if after is not None:
                    if leaving is not None:
                        yield leaving[k]
                    after.receives[k].Start()
                yield receive
                if t < reduces:
                    reduction.ufunc(now.came[k], now.parts[k], out=now.sums[k])
                    if t == reduces - 1:
                        reduction.finish(now.sums[k], self.size)
                if after is not None:
                    after.sends[k].Start()
        for now in rounds:
            yield from now.sends

    def free(self) -> None:
        """Give the requests back to the transport."""
        for now in self.rounds:
            for request in (*now.sends, *now.receives):
                request.Free()


class _Round:
    """What one round sends, receives and, in the first half, sums; a request per segment."""

    __slots__ = ("bytes", "came", "parts", "receives", "sends", "sums")

    def __init__(
        self,
        transport: Transport,
        tag: int,
        sent: Sequence[Array],
        came: Sequence[Array],
        right: int,
        left: int,
        parts: Sequence[Array] = (),
        sums: Sequence[Array] = (),
    ) -> None:
        self.sends: list[Request] = [transport.sender(piece, right, tag) for piece in sent]
        self.receives: list[Request] = [transport.receiver(piece, left, tag) for piece in came]
        self.bytes = sum(piece.nbytes for piece in sent)
        self.came, self.parts, self.sums = came, parts, sums
