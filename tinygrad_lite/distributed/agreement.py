"""Asking all ranks whether they are about to make the same call, before data of different meaning meets in one sum.

The question costs one small all-gather. It is asked when a rank makes a call of this description for the first time;
after that the shared table of ``watch`` notices, without a message, if the ranks of one host get out of step.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from tinygrad_lite.distributed.watch import SETTLED, WIDTH, Watch, described, disagreement

#: Polls before sleeping between them.
_EAGER = 1000


def agree(comm: Any, watch: Watch, entry: int, text: str) -> None:
    """Return if every rank of ``comm`` calls this with the same ``text``.

    Raises:
        CommunicationError: they do not; every rank raises it, with the same message.
    """
    mine = np.frombuffer(described(text), np.uint8)
    texts = np.empty((comm.Get_size(), WIDTH), np.uint8)
    request = comm.Iallgather(mine, texts)
    polls, begin = 0, time.monotonic()
    while not request.Test():
        polls += 1
        for handle in list(watch.open.values()):  # another rank may wait for these before it makes this call
            if handle.progress():
                watch.wait(entry, begin)  # when a handle ended, this rank was taken to compute
        if polls < _EAGER:
            os.sched_yield()
        else:
            time.sleep(0.001)
            if time.monotonic() - begin > SETTLED:
                watch.compare(entry)  # a rank that makes a known call never comes here
    if (texts != mine).any():
        said = {rank: bytes(row).rstrip(b"\0").decode(errors="replace") for rank, row in enumerate(texts)}
        raise disagreement(watch.number(entry), said)
