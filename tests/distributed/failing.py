"""A program in which the middle one of three ranks misbehaves as the argument says; run by test_failures.py."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np

from distributed.hosts import on_hosts_of
from tinygrad_lite import distributed as dist
from tinygrad_lite.distributed import watch

WAY = sys.argv[1]


def goes_wrong() -> None:
    """Note the moment, on a clock that all processes of this machine share."""
    print(f"goes wrong at {time.monotonic()}", flush=True)


comm = dist.init(report=0.5, timeout=2.0 if "never" in WAY else 8.0)
bad = comm.rank == 1
x, y = np.ones(4), np.ones((2, 3))
comm.allreduce(x)
comm.allreduce(y)
if WAY == "raises" and bad:
    goes_wrong()
    raise ValueError("the loss is not finite")
if WAY == "raises in another communicator":
    part = comm.split(comm.rank % 2)
    if bad:
        goes_wrong()
        raise ValueError("the loss is not finite")
    part.allreduce(x)
if WAY == "is killed" and bad:
    goes_wrong()
    os.kill(os.getpid(), signal.SIGKILL)
if WAY == "ends" and bad:
    goes_wrong()
    sys.exit(0)
if WAY.endswith("on three hosts"):
    comm = on_hosts_of(1, comm)
    comm.allreduce(x)
    comm.broadcast(x)
if WAY == "never comes, on two hosts":
    comm = on_hosts_of(2, comm, report=0.5, timeout=2.0)
if WAY.startswith("never comes") and "poll" not in WAY and "waits" not in WAY and bad:
    time.sleep(600)
if WAY.startswith("sums what others multiply"):
    counts = np.arange(3)
    for op in ("sum", "prod"):
        comm.allreduce(counts, op)
    comm.allreduce(counts, "sum" if bad else "prod")
    print("one has wrong numbers", flush=True)
if WAY.startswith("makes another known call"):
    comm.barrier()
    if bad:
        comm.barrier()
if WAY == "never comes, but waits elsewhere":
    other = comm.split(0)
    if bad:
        other.allreduce(x)
if WAY.startswith("makes a new call") and bad:
    comm.allreduce(np.ones(5))
if WAY in ("ends while others poll", "never comes to those who poll"):
    comm.iallreduce(x).wait()
    if bad and WAY.startswith("ends"):
        goes_wrong()
        sys.exit(0)
    if bad:
        time.sleep(600)
    handle = comm.iallreduce(x)
    while not handle.test():
        time.sleep(0.01)
if WAY == "tests between computations":
    handle, watch.PAUSE = comm.iallreduce(x), 0.2
    if bad:
        handle.wait()
    comm.iallreduce(x).wait()
    time.sleep(3 * bad)
    handle = comm.iallreduce(x)
    while not handle.test():
        time.sleep(0.5)
if WAY == "ends without waiting for what it started":
    handle = comm.iallreduce(np.ones(300_000), algorithm="ring")
    if bad:
        goes_wrong()
        sys.exit(0)
    handle.wait()
comm.allreduce(x)
if WAY == "window":
    shared = comm.empty(10)
    shared[...] = 0.0
    if bad:
        goes_wrong()
        raise KeyError("in a window")
    comm.allreduce(shared, out=shared, algorithm="direct")
print(f"rank {comm.rank} is done", flush=True)
