"""Recursive doubling: allreduce in log2(n) rounds, each of which exchanges the whole array with another partner.

    log2(n)·(α + S·β + S·γ)

seconds: the fewest rounds, and more bytes than the ring, so the choice for small arrays (Thakur, Rabenseifner and
Gropp, "Optimization of collective communication operations in MPICH", 2005, section 4.5). If n is no power of two, some
ranks hand their part to a neighbour first and receive the result in the end. The operand of the lower ranks always
stands on the left: all ranks compute the same sums, bit for bit.
"""

from __future__ import annotations

import numpy as np

from tinygrad_lite.distributed.reductions import Array, Reduction
from tinygrad_lite.distributed.statistics import Counts
from tinygrad_lite.distributed.transport import Request, Steps, Transport


def allreduce(transport: Transport, tag: int, x: Array, out: Array, reduction: Reduction, counts: Counts) -> Steps:
    """Reduce ``x`` over all ranks into ``out``, which may be ``x``."""
    rank, n = transport.rank, transport.size
    if out is not x:
        out[...] = x
    doubled = 1 << (n.bit_length() - 1)  # how many ranks take part in the doubling
    extra = n - doubled
    # Ranks 0, 2, ... of the first 2·extra hand over to their right neighbours: places in the doubling keep the order of
    # ranks.
    place = rank - extra if rank >= 2 * extra else rank // 2
    came = np.empty_like(out)
    started: list[Request] = []

    def send(peer: int) -> Request:
        counts.messages += 1
        counts.bytes += out.nbytes
        return _started(transport.sender(out, peer, tag))

    def receive(into: Array, peer: int) -> Request:
        return _started(transport.receiver(into, peer, tag))

    def _started(request: Request) -> Request:
        request.Start()
        started.append(request)
        return request

    hands_over = rank < 2 * extra and rank % 2 == 0
    counts.rounds += doubled.bit_length() - 1 + (2 if extra else 0)
    if hands_over:
        yield send(rank + 1)
        yield receive(out, rank + 1)
    else:
        if rank < 2 * extra:
            yield receive(came, rank - 1)
            reduction.ufunc(came, out, out=out)
        distance = 1
        while distance < doubled:
            partner = place ^ distance
            peer = partner + extra if partner >= extra else 2 * partner + 1
            arriving = receive(came, peer)
            yield send(peer)
            yield arriving
            reduction.ufunc(*((came, out) if partner < place else (out, came)), out=out)
            distance *= 2
        reduction.finish(out, n)
        if rank < 2 * extra:
            yield send(rank - 1)
    for request in started:
        request.Free()
