"""One data parallel training step of 784-512-512-10, against one process and against PyTorch's DDP over gloo.

    python tests/distributed/launch.py -n 2 benchmarks/distributed/training_step.py [--batches 256 1024] [--no-ddp]

The global batch is the same on one rank and on n, so that an efficiency of 1 means n times the speed: T(1) / (n T(n)).
float32, SGD with momentum, one thread per rank (the launcher says so to both libraries). In every round each library
trains first on rank 0 alone, while the other ranks sleep, then on all; every step has other images than the one before.
A time is the mean over the steps of a round, the maximum over ranks, and the median over rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite import distributed as dist
from tinygrad_lite import nn, optim
from tinygrad_lite.functions.creation import asarray
from tinygrad_lite.nn import functional as F

Step = Callable[[int], None]  # of the batch with this number

WIDTHS = (784, 512, 512, 10)
BATCHES = (256, 1024, 4096)
GOALS = {256: 0.80, 1024: 0.90, 4096: 0.95}  #: for the efficiency on two ranks
POOL = 4  #: batches to choose from
IMAGES = 16384  #: per round and library, at least two steps


def our_step(x: Any, y: Any, comm: dist.Communicator | None) -> Step:
    """Ours on this part of the batches; without a communicator, of one process that knows nothing of ranks."""
    layers: list[nn.Module] = []
    for i in range(3):
        layers += [nn.Linear(WIDTHS[i], WIDTHS[i + 1]), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    if comm is not None:
        dist.DataParallel(model, comm)
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    batches = [(asarray(a), asarray(b)) for a, b in zip(x, y, strict=True)]

    def step(i: int) -> None:
        images, labels = batches[i % POOL]
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return step


def torch_step(x: Any, y: Any, group: bool) -> Step:
    """PyTorch's on this part of the batches, wrapped in DDP if there is a group."""
    import torch

    layers: list[Any] = []
    for i in range(3):
        layers += [torch.nn.Linear(WIDTHS[i], WIDTHS[i + 1]), torch.nn.ReLU()]
    model: Any = torch.nn.Sequential(*layers[:-1])
    if group:
        model = torch.nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=True)
    loss_of = torch.nn.CrossEntropyLoss()
    batches = [(torch.from_numpy(a), torch.from_numpy(b)) for a, b in zip(x, y, strict=True)]

    def step(i: int) -> None:
        images, labels = batches[i % POOL]
        optimizer.zero_grad()
        loss_of(model(images), labels).backward()
        optimizer.step()

    return step


def wait_asleep(comm: dist.Communicator) -> None:
    """A barrier that takes no core from those who still work."""
    from mpi4py import MPI

    request = MPI.COMM_WORLD.Ibarrier()
    while not request.Test():
        time.sleep(0.002)


def seconds(step: Step, steps: int) -> float:
    """Mean over ``steps`` steps."""
    begin = time.perf_counter()
    for i in range(steps):
        step(i)
    return (time.perf_counter() - begin) / steps


def measure(comm: dist.Communicator, batch: int, ddp: bool, rounds: int) -> dict[str, tuple[float, float]]:
    """Per library the time of a step on rank 0 alone and on all ranks."""
    rng = np.random.default_rng(0)
    x = rng.random((POOL, batch, WIDTHS[0]), dtype=np.float32)
    y = rng.integers(0, WIDTHS[-1], (POOL, batch))
    start, stop = comm.bounds(batch)[comm.rank]
    part_x, part_y = np.ascontiguousarray(x[:, start:stop]), np.ascontiguousarray(y[:, start:stop])
    alone = our_step(x, y, None)
    peers = {
        "tinygrad_lite": (alone, our_step(part_x, part_y, comm)),
        "no averaging": (alone, our_step(part_x, part_y, None)),  # what there is to reach: every rank for itself
    }
    if ddp:
        peers["DDP"] = torch_step(x, y, False), torch_step(part_x, part_y, True)
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in peers}
    steps = max(2, IMAGES // batch)
    for turn in range(rounds + 1):
        for name, (alone, together) in peers.items():
            wait_asleep(comm)
            one = seconds(alone, steps) if comm.rank == 0 else 0.0
            wait_asleep(comm)
            many = float(comm.allreduce(np.array([seconds(together, steps)]), op="max")[0])
            if turn:  # the first round is for what is made once
                found[name][0].append(one)
                found[name][1].append(many)
    return {name: (statistics.median(one), statistics.median(many)) for name, (one, many) in found.items()}


def connect_ddp(comm: dist.Communicator) -> None:
    """PyTorch's process group on the same ranks, which meet in a file."""
    import torch

    torch.set_num_threads(1)
    path = os.path.join(tempfile.gettempdir(), f"training_step_{os.getppid()}_{os.environ.get('PMIX_NAMESPACE', '')}")
    path = path.replace("@", "_")
    torch.distributed.init_process_group("gloo", init_method=f"file://{path}", rank=comm.rank, world_size=comm.size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES, help="images over all ranks")
    parser.add_argument("--rounds", type=int, default=7, help="how often everyone has a turn (default: %(default)s)")
    parser.add_argument("--no-ddp", action="store_true", help="ours only")
    given = parser.parse_args()
    comm = dist.init()
    if comm.size == 1:
        raise SystemExit("training_step.py compares ranks: python tests/distributed/launch.py -n 2 " + __file__)
    if not given.no_ddp:
        connect_ddp(comm)
    if comm.rank == 0:
        print(f"{'-'.join(map(str, WIDTHS))}, {comm.size} ranks, {len(os.sched_getaffinity(0))} cores")
        print(f"{'batch':>6} {'':14} {'1 rank, ms':>11} {f'{comm.size} ranks, ms':>13} {'efficiency':>11}")
    for batch in given.batches:
        times = measure(comm, batch, not given.no_ddp, given.rounds)
        if comm.rank == 0:
            for name, (one, many) in times.items():
                judged = name == "tinygrad_lite" and comm.size == 2 and batch in GOALS
                goal = f"   (goal {GOALS[batch]:.2f})" if judged else ""
                print(f"{batch:6} {name:14} {1e3 * one:11.2f} {1e3 * many:13.2f} {one / many / comm.size:11.2f}{goal}")
            if not given.no_ddp:
                print(
                    f"{'':6} {'DDP / ours':14} {'':11} {times['DDP'][1] / times['tinygrad_lite'][1]:13.2f}", flush=True
                )


if __name__ == "__main__":
    main()
