"""The driver's calls for graphs, which PyCUDA does not offer, by ctypes."""

from __future__ import annotations

import ctypes
from typing import Any

GLOBAL, THREAD_LOCAL, RELAXED = 0, 1, 2
UNSUPPORTED, INVALIDATED, UNMATCHED, UNJOINED = 900, 901, 903, 904
ILLEGAL_ADDRESS = 700


class Graphs:
    """Each method returns the driver's result code; what it makes is kept in ``graph`` and ``executable``."""

    def __init__(self) -> None:
        self.driver = ctypes.CDLL("libcuda.so.1")
        self.graph, self.executable = ctypes.c_void_p(), ctypes.c_void_p()

    def begin(self, stream: Any, mode: int = GLOBAL) -> int:
        return self.driver.cuStreamBeginCapture_v2(_handle(stream), mode)

    def end(self, stream: Any) -> int:
        return self.driver.cuStreamEndCapture(_handle(stream), ctypes.byref(self.graph))

    def status(self, stream: Any) -> int:
        """0: not capturing, 1: capturing, 2: a capture that was invalidated."""
        status = ctypes.c_int(-1)
        assert self.driver.cuStreamIsCapturing(_handle(stream), ctypes.byref(status)) == 0
        return status.value

    def nodes(self) -> int:
        count = ctypes.c_size_t()
        assert self.driver.cuGraphGetNodes(self.graph, None, ctypes.byref(count)) == 0
        return count.value

    def instantiate(self) -> int:
        return self.driver.cuGraphInstantiateWithFlags(ctypes.byref(self.executable), self.graph, ctypes.c_ulonglong(0))

    def launch(self, stream: Any) -> int:
        return self.driver.cuGraphLaunch(self.executable, _handle(stream))

    def destroy(self) -> list[int]:
        return [self.driver.cuGraphExecDestroy(self.executable), self.driver.cuGraphDestroy(self.graph)]

    def capture(self, stream: Any, work: Any) -> None:
        """Capture what ``work()`` submits to the stream, ready to be launched."""
        assert self.begin(stream) == 0
        work()
        assert self.end(stream) == 0
        assert self.instantiate() == 0


def _handle(stream: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(stream.handle)
