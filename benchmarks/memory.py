"""Live array bytes of one training step, 784-512-512-10 at batch 1024 with Adam, against PyTorch eager.

Counted by the allocators' own books, not by the process size: ``tracemalloc``, to which NumPy reports every array,
and the memory events of PyTorch's profiler. The figure is the peak during a step above what is alive between
steps (weights, optimiser state), and that resting figure beside it.

    python benchmarks/memory.py
"""

from __future__ import annotations

import tracemalloc

import numpy as np
from torch.profiler import ProfilerActivity, profile
from training_step import our_step, torch_step

WIDTHS, BATCH, OPTIMIZER = (784, 512, 512, 10), 1024, "Adam"


def our_peak(x: np.ndarray, y: np.ndarray) -> tuple[int, int]:
    tracemalloc.start()
    step = our_step(WIDTHS, OPTIMIZER, x, y)
    for _ in range(3):
        step()
    resting = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return resting, peak - resting


def torch_peak(x: np.ndarray, y: np.ndarray) -> tuple[int, int]:
    def events(run: object) -> tuple[int, int]:
        """Net and highest sum of the allocator's events while ``run`` runs."""
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
            kept = run()  # type: ignore[operator]
        live = highest = 0
        for event in recorded.profiler.kineto_results.events():
            if event.name() == "[memory]":
                live += event.nbytes()
                highest = max(highest, live)
        del kept
        return live, highest

    holder: list[object] = []

    def build() -> object:
        step = torch_step(WIDTHS, OPTIMIZER, x, y)
        for _ in range(3):
            step()
        holder.append(step)
        return step

    resting, _ = events(build)
    _, above = events(holder[0])
    return resting, above


def main() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((BATCH, WIDTHS[0]), dtype=np.float32)
    y = rng.integers(0, 10, BATCH)
    (our_rest, ours), (their_rest, theirs) = our_peak(x, y), torch_peak(x, y)
    mib = 2.0**20
    print(f"{'':32s} {'ours MiB':>10s} {'PyTorch MiB':>12s} {'ratio':>7s}")
    print(f"{'peak of a step above its start':32s} {ours / mib:10.2f} {theirs / mib:12.2f} {ours / theirs:7.3f}")
    total, their_total = our_rest + ours, their_rest + theirs
    verdict = "met" if total <= their_total else "MISSED"
    print(
        f"{'peak of a step in all':32s} {total / mib:10.2f} {their_total / mib:12.2f}"
        f" {total / their_total:7.3f}   <= 1.00 {verdict}"
    )


if __name__ == "__main__":
    main()
