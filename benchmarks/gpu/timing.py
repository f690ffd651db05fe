"""Time on the device, by the device's own clock.

Long calls are timed one by one, between events that the device records. Before them the device is kept busy copying,
so that it never waits for Python: what lies between two events is the call's kernels alone. Short calls are captured
many times into one graph, whose replay costs the device no launch from Python either.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_lite.backends.cuda import driver, graphs, memory

Call = Callable[[], Any]


class Time(NamedTuple):
    """Seconds per call: the median, the quartiles, and how many times it was taken."""

    median: float
    low: float
    high: float
    repeats: int


class Replayed(NamedTuple):
    """The time of a call that was replayed, and how many launches and copies it consists of."""

    time: Time
    nodes: int


def summary(seconds: list[float]) -> Time:
    """The median and the quartiles."""
    ordered = sorted(seconds)
    quarter = len(ordered) // 4
    return Time(statistics.median(ordered), ordered[quarter], ordered[-1 - quarter], len(ordered))


def recorded(call: Call, copies: int = 1) -> graphs.Graph:
    """A graph of so many calls; nothing runs before it is replayed."""
    graph = graphs.Graph()
    with graph.recording():
        for _ in range(copies):
            call()
    return graph


class Clock:
    """Times calls on the current GPU.

    Args:
        seconds: about how long one call is repeated.
        most: the largest number of repetitions.
        ballast: bytes of the copies that keep the device busy while calls are queued.
    """

    def __init__(self, seconds: float, most: int, ballast: int) -> None:
        self.device = driver.current()
        self.cuda = driver.load()
        self._seconds, self._most, self._bytes = seconds, most, ballast
        self._ballast = [memory.allocate(ballast) for _ in range(2)]

    def event(self) -> Any:
        """An event, recorded now in the order of the compute stream."""
        found = self.cuda.Event()
        found.record(self.device.stream)
        return found

    def _keep_busy(self, copies: int) -> None:
        target, source = self._ballast
        for _ in range(copies):
            memory.copy(target.address, source.address, self._bytes)

    def _between(self, call: Call, repeats: int) -> list[float]:
        """Seconds of each of ``repeats`` calls, queued while the device is busy."""
        self._keep_busy(min(4 * repeats, 64))
        events = [self.event()]
        for _ in range(repeats):
            call()
            events.append(self.event())
        events[-1].synchronize()
        return [first.time_till(second) * 1e-3 for first, second in itertools.pairwise(events)]

    def calls(self, call: Call) -> Time:
        """The time of one call that keeps the device busy for longer than Python takes to launch it."""
        call()
        [estimate] = self._between(call, 1)
        repeats = min(max(int(self._seconds / max(estimate, 1e-6)), 3), self._most)
        return summary(self._between(call, repeats))

    def replayed(self, call: Call, copies: int = 50) -> Replayed:
        """The time of one call within a graph of many, whose operands are therefore in the second-level cache."""
        copies = min(copies, self._most)
        call()
        graph = recorded(call, copies)
        graph.replay()
        times = self._between(graph.replay, min(self._most, 20))
        return Replayed(summary([t / copies for t in times]), graph.nodes // copies)

    def wall(self, call: Call, most: int = 20) -> Time:
        """The time of one call as Python sees it, the device included."""
        call()
        repeats = min(self._most, most)
        times = []
        for _ in range(repeats):
            self.device.synchronize()
            start = time.perf_counter()
            for _ in range(repeats):
                call()
            self.device.synchronize()
            times.append((time.perf_counter() - start) / repeats)
        return summary(times)
