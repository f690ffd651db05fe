"""A program in which the middle one of three ranks misbehaves as the argument says; run by test_failures.py."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np

from tinygrad_lite import distributed as dist

WAY = sys.argv[1]

comm = dist.init(report=0.5, timeout=2.0 if WAY == "never comes" else 8.0)
bad = comm.rank == 1
x, y = np.ones(4), np.ones((2, 3))
comm.allreduce(x)
comm.allreduce(y)
if WAY == "raises" and bad:
    raise ValueError("the loss is not finite")
if WAY == "raises in another communicator":
    part = comm.split(comm.rank % 2)
    if bad:
        raise ValueError("the loss is not finite")
    part.allreduce(x)
if WAY == "is killed" and bad:
    os.kill(os.getpid(), signal.SIGKILL)
if WAY == "ends" and bad:
    sys.exit(0)
if WAY == "never comes" and bad:
    time.sleep(600)
if WAY == "makes another known call":
    comm.barrier()
    if bad:
        comm.barrier()
if WAY == "makes a new call" and bad:
    comm.allreduce(np.ones(5))
comm.allreduce(x)
if WAY == "window":
    shared = comm.empty(10)
    shared[...] = 0.0
    if bad:
        raise KeyError("in a window")
    comm.allreduce(shared, out=shared, algorithm="direct")
print(f"rank {comm.rank} is done", flush=True)
