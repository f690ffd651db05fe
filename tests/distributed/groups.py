"""A program that ends with shared memory of groups that overlap, and are closed; run by test_lifetimes.py."""

from __future__ import annotations

from tinygrad_lite import distributed as dist

comm = dist.init()
held = []
for count in (3, 1, 2, 3, 3, 3, 2, 3):
    among = comm.split(comm.rank < count, comm.rank)
    if comm.rank < count:
        for _ in range(2):
            part = among.split(0, among.rank)
            held.append(part.empty(100))
            part.close()
print(f"rank {comm.rank} is done", flush=True)
