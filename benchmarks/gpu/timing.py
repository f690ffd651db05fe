"""Time on the device, by the device's own clock.

Long calls are timed one by one, between events that the device records. Before them the device is kept busy copying,
so that it never waits for Python: what lies between two events is the call's kernels alone. Short calls are captured
many times into one graph, whose replay costs the device no launch from Python either.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_lite.backends.cuda import driver, memory

Call = Callable[[], Any]
_RELAXED = 2  # CU_STREAM_CAPTURE_MODE_RELAXED: libraries elsewhere in the process may go on allocating


class Time(NamedTuple):
    """Seconds per call: the median, the quartiles, and how many times it was taken."""

    median: float
    low: float
    high: float
    count: int


def summary(seconds: list[float]) -> Time:
    """The median and the quartiles."""
    ordered = sorted(seconds)
    quarter = len(ordered) // 4
    return Time(statistics.median(ordered), ordered[quarter], ordered[-1 - quarter], len(ordered))


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

    def replayed(self, call: Call, copies: int = 50) -> Time:
        """The time of one call within a graph of many, whose operands are therefore in the second-level cache."""
        copies = min(copies, self._most)
        call()
        graph = Graph(call, copies)
        graph.replay()
        times = self._between(graph.replay, min(self._most, 20))
        return summary([t / copies for t in times])

    def wall(self, call: Call) -> Time:
        """The time of one call as Python sees it, the device included."""
        call()
        repeats = min(self._most, 20)
        times = []
        for _ in range(repeats):
            self.device.synchronize()
            start = time.perf_counter()
            for _ in range(repeats):
                call()
            self.device.synchronize()
            times.append((time.perf_counter() - start) / repeats)
        return summary(times)


class Graph:
    """Calls that were recorded once and are launched as a whole; everything they allocate must be in the pool already.

    This is for measuring alone: nothing keeps the memory that the recorded kernels write, so replays have to end
    before anything else is computed.
    """

    def __init__(self, call: Call, copies: int) -> None:
        self._driver = ctypes.CDLL("libcuda.so.1")
        self._stream = ctypes.c_void_p(driver.current().handle)
        self._graph, self._executable = ctypes.c_void_p(), ctypes.c_void_p()
        collecting = gc.isenabled()
        gc.disable()  # an allocation that the collector frees would break the capture off
        try:
            self._do("cuStreamBeginCapture_v2", self._stream, ctypes.c_int(_RELAXED))
            try:
                for _ in range(copies):
                    call()
            finally:
                self._do("cuStreamEndCapture", self._stream, ctypes.byref(self._graph))
        finally:
            if collecting:
                gc.enable()
        flags = ctypes.c_ulonglong(0)
        self._do("cuGraphInstantiateWithFlags", ctypes.byref(self._executable), self._graph, flags)

    def _do(self, name: str, *arguments: Any) -> None:
        status = getattr(self._driver, name)(*arguments)
        if status != 0:
            raise RuntimeError(f"{name} failed with CUDA error {status}")

    def replay(self) -> None:
        """Launch the whole."""
        self._do("cuGraphLaunch", self._executable, self._stream)

    def __del__(self) -> None:
        if self._executable and not driver.is_closed():
            self._driver.cuGraphExecDestroy(self._executable)
            self._driver.cuGraphDestroy(self._graph)
