"""What recording and differentiating one tiny operation costs, against PyTorch eager on the same arrays.

Arrays of 8 floats: the arithmetic is free, so the time is overhead. Chains of 100 operations give the forward +
backward cost of one; a single call under no_grad gives the cost of a call that records nothing.

    python benchmarks/operation_overhead.py
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from compare import heading, pair, report

import tinygrad_lite as tgl

LENGTH = 100  # operations in a chain


def chain(step: Callable[[Any, Any], Any], x: Any, b: Any) -> Callable[[], None]:
    """One forward and backward pass through ``LENGTH`` applications of ``step``."""

    def run() -> None:
        y = x
        for _ in range(LENGTH):
            y = step(y, b)
        y.sum().backward()

    return run


def main() -> None:
    torch.set_num_threads(2)
    rng = np.random.default_rng(0)
    a = rng.uniform(0.5, 1.0, 8).astype(np.float32)
    b = rng.uniform(0.5, 1.0, 8).astype(np.float32)
    m = (rng.normal(size=(8, 8)) / 3).astype(np.float32)
    ours, theirs = tgl.Tensor(a, requires_grad=True), torch.tensor(a, requires_grad=True)
    our_b, their_b, our_m, their_m = tgl.Tensor(b), torch.tensor(b), tgl.Tensor(m), torch.tensor(m)

    steps: list[tuple[str, Callable[..., Any], Callable[..., Any], bool]] = [
        ("x + b", lambda x, b: x + b, lambda x, b: x + b, False),
        ("x * b", lambda x, b: x * b, lambda x, b: x * b, False),
        ("x / b", lambda x, b: x / b, lambda x, b: x / b, False),
        ("x * 0.99", lambda x, b: x * 0.99, lambda x, b: x * 0.99, False),
        ("1 - x", lambda x, b: 1 - x, lambda x, b: 1 - x, False),
        ("tanh(x)", lambda x, b: tgl.tanh(x), lambda x, b: torch.tanh(x), False),
        ("relu(x)", lambda x, b: tgl.relu(x), lambda x, b: torch.relu(x), False),
        ("exp(-x)", lambda x, b: tgl.exp(-x), lambda x, b: torch.exp(-x), False),
        ("x @ m (8 x 8)", lambda x, m: x @ m, lambda x, m: x @ m, True),
        ("tanh(x * b) + x", lambda x, b: (x * b).tanh() + x, lambda x, b: (x * b).tanh() + x, False),
    ]
    heading("forward + backward, per step of a chain", "us")
    ratios = []
    for name, our_step, their_step, matrix in steps:
        result = pair(
            chain(our_step, ours, our_m if matrix else our_b),
            chain(their_step, theirs, their_m if matrix else their_b),
            seconds=0.1,
        )
        ratios.append(result.ratio)
        report(name, result, 1e6 / LENGTH)
    overall = statistics.geometric_mean(ratios)
    print(f"geometric mean of the ratios {overall:.3f}   <= 0.70 {'met' if overall <= 0.7 else 'MISSED'}")

    heading("forward under no_grad, per step", "us")
    ratios = []
    with tgl.no_grad(), torch.no_grad():
        for name, our_step, their_step, matrix in steps:
            second, other = (our_m, their_m) if matrix else (our_b, their_b)
            result = pair(
                lambda step=our_step, second=second: step(ours, second),  # type: ignore[misc]
                lambda step=their_step, other=other: step(theirs, other),  # type: ignore[misc]
                seconds=0.05,
            )
            ratios.append(result.ratio)
            report(name, result, 1e6)
    overall = statistics.geometric_mean(ratios)
    print(f"geometric mean of the ratios {overall:.3f}   <= 0.80 {'met' if overall <= 0.8 else 'MISSED'}")


if __name__ == "__main__":
    main()
