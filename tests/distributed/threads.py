"""A program whose ranks make shared memory in different orders, in two threads; run by test_lifetimes.py."""

from __future__ import annotations

import threading
import time

import numpy as np

from tinygrad_lite import distributed as dist

world = dist.init()
comms = [world.split(0), world.split(0)]


def reduce(k: int) -> None:
    time.sleep(0.2 * ((world.rank + k) % 2))
    comms[k].allreduce(np.ones(100_000), algorithm="staged")


threads = [threading.Thread(target=reduce, args=(k,)) for k in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"rank {world.rank} is done", flush=True)
