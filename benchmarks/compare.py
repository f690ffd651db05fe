"""Timing in pairs: ours and a peer in the same process, in turn, so that a noisy machine disturbs both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Pair(NamedTuple):
    """Medians over the rounds, in seconds per call, and the median of the per-round ratios."""

    ours: float
    peer: float
    ratio: float
    low: float
    high: float


def seconds_per_call(function: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def pair(
    ours: Callable[[], object],
    peer: Callable[[], object],
    *,
    rounds: int = 11,
    seconds: float = 0.2,
    settle: float = 0.0,
) -> Pair:
    """Run both in turn for ``rounds`` rounds of about ``seconds`` each, after a warm-up round.

    The order within a round alternates. The ratio is ours / peer: below 1 we are faster.

    Args:
        settle: seconds to run unmeasured at each turn. The idle threads of OpenBLAS and OpenMP spin for up to 0.1 s
            after their last product and take a core from whoever comes next; with 0.15 each library is measured as
            if it had the process to itself.
    """
    slower = max(seconds_per_call(ours, 3), seconds_per_call(peer, 3))
    calls = max(3, int(seconds / max(slower, 1e-9)))
    times: tuple[list[float], list[float]] = ([], [])
    for round_number in range(rounds + 1):
        taken = [0.0, 0.0]
        for k in (0, 1) if round_number % 2 else (1, 0):
            function = (ours, peer)[k]
            end = time.perf_counter() + settle
            function()
            while time.perf_counter() < end:
                function()
            taken[k] = seconds_per_call(function, calls)
        if round_number:
            times[0].append(taken[0])
            times[1].append(taken[1])
    ratios = sorted(a / b for a, b in zip(*times, strict=True))
    quarter = len(ratios) // 4
    return Pair(
        statistics.median(times[0]),
        statistics.median(times[1]),
        statistics.median(ratios),
        ratios[quarter],
        ratios[-1 - quarter],
    )


def heading(title: str, unit: str, peer: str = "PyTorch") -> None:
    print(f"\n{title}")
    print(f"{'':44s} {'ours ' + unit:>10s} {peer + ' ' + unit:>12s} {'ratio':>7s} {'quartiles':>15s}   target")


def report(name: str, result: Pair, scale: float, target: float | None = None) -> None:
    """One row: both times, the ratio with its quartiles, and whether the target is met."""
    verdict = ""
    if target is not None:
        verdict = f"<= {target:.2f} {'met' if result.ratio <= target else 'MISSED'}"
    print(
        f"{name:44s} {result.ours * scale:10.3f} {result.peer * scale:12.3f} {result.ratio:7.3f}"
        f" {result.low:7.3f}-{result.high:<7.3f}   {verdict}"
    )
