"""A program that closes the communicator of all ranks, and then goes on for a while; run by test_lifetimes.py."""

from __future__ import annotations

import sys
import threading

import numpy as np

from tinygrad_lite import distributed as dist

comm = dist.init(report=1.0, timeout=5.0)
forgotten = comm.split(0)
for again in (comm, forgotten):
    x = again.empty(100)
    x[...] = 1.0
    again.allreduce(x, out=x)
    again.allreduce(np.ones(100_000))
comm.close()
forgotten.close()
assert [thread.name for thread in threading.enumerate() if "tinygrad_lite" in thread.name] == []
with dist.init() as last:
    assert last.allreduce(np.ones(2)).tolist() == [last.size] * 2
if sys.argv[1] == "raises" and comm.rank == 0:
    raise ValueError("after everything was closed")
print(f"rank {comm.rank} is done", flush=True)
