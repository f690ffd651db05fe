"""All-reduce against the synchronous parameter server: time per training step on the ranks at hand.

    mpirun -n 4 python examples/ring_vs_parameter_server.py
    mpirun -n 4 python examples/ring_vs_parameter_server.py --network 100,100 --plot comparison.png

The lecture on optimisation for machine learning argues from stragglers to the ring. This program measures its two
arguments one by one. With more ranks the server's link carries n times the gradient where the ring's carry it twice, so
the server falls behind. With stragglers both wait for the slowest rank, H(n) times the mean delay if delays are
exponential: no synchronous scheme is free of that, and neither is the ring.

On one host messages cost next to nothing; with --network every rank sends through a slower card, simulated by a
thread that sleeps.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ending
import numpy as np
from arguments import add_plot, check_matplotlib, integer, one_of
from cores import advise, cores_of_host
from progress import shown_by

import tinygrad_lite as tgl
from tinygrad_lite import distributed as dist
from tinygrad_lite import nn, optim
from tinygrad_lite.distributed.stragglers import LAWS

#: What carries the gradients; nothing else differs. By default DataParallel takes shared memory on one host.
KINDS: dict[str, Callable[[nn.Module, dist.Communicator], Any]] = {
    "ring": lambda model, comm: dist.DataParallel(model, comm.using("ring")),
    "server": lambda model, comm: dist.ParameterServer(model, comm),
    "default": lambda model, comm: dist.DataParallel(model, comm),
}

COMMAND = "mpirun -n 4 python examples/ring_vs_parameter_server.py"

EXPONENTIAL = "exponential"  # the law of delays under which the slowest of n ranks is H(n) means late

WARM_UP = 3  # steps that are not timed: the first ones set up memory and messages
NAP = 0.005  # seconds between two looks of a rank that has nothing to do, so that it leaves its core to the others


class Point(NamedTuple):
    """One thing to measure."""

    ranks: int
    weights: int
    jitter: float  # mean delay of a rank per step, in milliseconds


class Step(NamedTuple):
    """What was measured, in milliseconds."""

    time: float  # of a step
    delay: float  # of the slowest rank, mean over the steps


Results = dict[str, list[tuple[Point, dict[str, Step]]]]  #: what was varied -> each point with the steps of every kind


# --- One measurement ----------------------------------------------------------------------------------------


def step_of(kind: str, point: Point, comm: dist.Communicator, options: argparse.Namespace) -> Step:
    """Train on all ranks of ``comm``; a step takes the mean delay of its slowest rank, and the median of the rest."""
    tgl.manual_seed(options.seed)
    width = math.isqrt(point.weights)
    model = nn.Linear(width, width, bias=False)
    parallel = KINDS[kind](model, comm)
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    late = dist.Stragglers(comm.rank, 1e-3 * point.jitter, options.law, seed=options.seed)
    x = tgl.ones((1, width))  # one sample: the step is as little computing as there can be for so many weights
    seconds, delays = [], []
    comm.barrier()
    for _ in range(WARM_UP + options.steps):
        start = time.perf_counter()
        delays.append(late.wait() if point.jitter else 0.0)
        optimizer.zero_grad()
        parallel.backward((model(x) ** 2).mean(), count=1)
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    parallel.detach()
    slowest, latest = 1e3 * comm.allreduce(np.array([seconds, delays])[:, WARM_UP:], op="max")
    return Step(float(np.median(slowest - latest) + latest.mean()), float(latest.mean()))


def measured(point: Point, comm: dist.Communicator, options: argparse.Namespace) -> dict[str, Step]:
    """All kinds on the first ``point.ranks`` ranks; the others sleep meanwhile."""
    among = comm.split(comm.rank < point.ranks, comm.rank)
    if options.network:
        latency, speed = options.network
        among = among.delayed(1e-6 * latency, 1e-6 / speed)
    found = dict.fromkeys(KINDS, Step(math.nan, math.nan))  # of a rank that does not take part
    if comm.rank < point.ranks:
        found = {kind: step_of(kind, point, among, options) for kind in KINDS}
    done = comm.iallreduce(np.zeros(1))
    while not done.test():
        time.sleep(NAP)
    return found


# --- The sweeps ---------------------------------------------------------------------------------------------


def sweeps(ranks: int, options: argparse.Namespace) -> dict[str, list[Point]]:
    """What is varied, one thing at a time."""
    weights = options.weights[len(options.weights) // 2]
    return {
        "ranks": [Point(n, weights, 0.0) for n in range(1, ranks + 1)],
        "weights": [Point(ranks, d, 0.0) for d in options.weights],
        "jitter": [Point(ranks, weights, j) for j in options.jitter],
    }


def report(comm: dist.Communicator, options: argparse.Namespace) -> Results:
    """Measure everything, and print it as one table."""
    cores = cores_of_host(comm)
    shared = ", fewer than ranks" if comm.local_size > cores else ""
    print(
        f"{_count(comm.size, 'rank')}; {_count(cores, 'core')} per host{shared}; {_count(options.steps, 'step')} each"
    )
    advise(comm)
    choice = "which over this network is the ring" if options.network else "shared memory on one host"
    print(f"ring: ring-allreduce by messages; server: rank 0; default: DataParallel's choice, {choice}")
    if options.network:
        print("network: each rank sends one message after the other, {:g} us and {:g} MB/s".format(*options.network))
    print(f"jitter: mean {options.law} delay of each rank; all times in milliseconds per step, of the slowest rank\n")
    print("varied     ranks    weights  jitter     ring   server  default  server/ring  slowest delay  jitter x H(n)")
    results: Results = {}
    for varied, points in sweeps(comm.size, options).items():
        results[varied] = []
        for point in points:
            found = measured(point, comm, options)
            results[varied].append((point, found))
            times = " ".join(f"{step.time:8.3f}" for step in found.values())
            ratio = found["server"].time / found["ring"].time
            expected = f"{point.jitter * dist.harmonic(point.ranks):.3f}" if options.law == EXPONENTIAL else "-"
            delays = f"{found['ring'].delay:14.3f} {expected:>14s}"
            numbers = f"{point.ranks:5d} {point.weights:10,d} {point.jitter:7g} {times} {ratio:12.2f} {delays}"
            print(f"{varied:10s} {numbers}", flush=True)
    if comm.size == 1:
        print(f"\none rank sends nothing: start several with  {COMMAND}")
    return results


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def draw(results: Results, law: str, file: Path) -> None:
    """Time per step against ranks, weights and jitter."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.5), layout="constrained")
    titles = {"ranks": "ranks", "weights": "weights", "jitter": f"mean delay of a rank in ms ({law})"}
    for axes, (varied, rows) in zip(figure.subplots(1, 3), results.items()):
        places = [getattr(point, varied) for point, _ in rows]
        for kind, marker in zip(KINDS, ("o-", "s-", "^--")):
            axes.plot(places, [found[kind].time for _, found in rows], marker, label=kind)
        if varied == "jitter" and law == EXPONENTIAL:
            expected = [point.jitter * dist.harmonic(point.ranks) for point, _ in rows]
            axes.plot(places, expected, "k:", label="delay x H(n), for the slowest rank")
        fixed = [_count(getattr(rows[0][0], name + "s"), name) for name in ("rank", "weight") if name + "s" != varied]
        axes.set(xlabel=titles[varied], ylabel="ms per step", title=", ".join(fixed))
        axes.grid(alpha=0.3)
        if varied == "weights":
            axes.set(xscale="log", yscale="log")
        else:
            axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
        if varied == "ranks":
            axes.set_xticks(places)
    # Below the panels, where it covers no point; the last panel has every line.
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(KINDS) + 1)
    figure.savefig(file, dpi=150)


# --- All together -------------------------------------------------------------------------------------------


def several(low: float, what: str, count: int = 0, high: float = 1e9) -> Callable[[str], list[float]]:
    """An option that takes numbers from ``low`` to ``high``, with commas, and ``count`` of them unless that is 0."""

    def convert(text: str) -> list[float]:
        try:
            values = [float(word) for word in text.split(",")]
        except ValueError:
            values = [math.nan]
        if not all(low <= value <= high for value in values) or count not in (0, len(values)):
            raise argparse.ArgumentTypeError(f"needs {what}, but got {text!r}")
        return values

    return convert


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        usage=f"{COMMAND} [options]",
        description="All-reduce against the synchronous parameter server: time per training step on the ranks at hand.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--weights", default="1e4,1e5,1e6", metavar="LIST", type=several(1, "numbers from 1 to 1e9 such as 1e4,1e6"),
        help="how many weights the network has; ranks and jitter are varied at the middle one (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--jitter", default="0,1,2,4", metavar="LIST", type=several(0, "numbers of at least 0 such as 0,1,2"),
        help="mean delay of each rank per step, in milliseconds (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--network", metavar="US,MB/S", type=several(1e-3, "a latency and a speed such as 100,100", count=2),
        help="put a slower network between the ranks: microseconds per message, megabytes per second",
    )  # fmt: skip
    parser.add_argument(
        "--law", default=EXPONENTIAL, metavar="LAW", type=one_of(list(LAWS)),
        help=f"of the delays: {', '.join(LAWS)} (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--steps", default=30, metavar="N", type=integer(1), help="steps to time (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", default=0, metavar="N", type=integer(0, 2**64 - 1), help="decides the delays (default: %(default)s)"
    )
    add_plot(parser, "draw time per step against ranks, weights and jitter to FILE, such as comparison.png")
    options = parser.parse_args()
    check_matplotlib(parser, options)
    options.weights = [int(value) for value in options.weights]
    return options


def main() -> None:
    comm = dist.init()
    with shown_by(comm.rank):
        options = ending.from_rank_0(comm, parse_options)
        results = report(comm, options)
    if options.plot and comm.rank == 0:
        draw(results, options.law, options.plot)
        print(f"\npicture: {options.plot}")


if __name__ == "__main__":
    ending.run(main)
