"""Arrays of a GPU on their way over the ranks: MPI sees the processor's memory alone, here the page-locked part of it.

A bucket of gradients is copied down while backward goes on and while the bucket before it is being averaged, and up
again as soon as its average is there. Nobody waits for the GPU but ``wait``.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any

import numpy as np

from tinygrad_lite.backends.devices import device_of, namespace_on, on_host, staging
from tinygrad_lite.distributed.reductions import Array

# --- one array ----------------------------------------------------------------------------------------------


def pinned_like(array: Any) -> Array:
    """Page-locked host memory for the elements of an array of a GPU, with undefined content."""
    host: Array = staging().pinned(array.shape, array.dtype)
    return host


def copied_down(array: Any) -> Array:
    """The elements in host memory: the array itself on the CPU, else a copy."""
    if device_of(array) == "cpu":
        return on_host(array)
    host = pinned_like(array)
    staging().copy_down(array, host).wait()
    return host


def room_for(shape: tuple[int, ...], dtype: np.dtype[Any], device: str) -> Array:
    """An array in host memory for a result that goes to a device, with undefined content."""
    if device == "cpu":
        return np.empty(shape, dtype)
    host: Array = staging().pinned(shape, dtype)
    staging().settle(host)
    return host


def copied_up(array: Array, device: str) -> Any:
    """A result in ``room_for`` the device, on the device; does not wait until it is there."""
    if device == "cpu":
        return array
    there = namespace_on(device).empty(array.shape, array.dtype)
    staging().copy_up(array, there)
    return there


# --- buckets ------------------------------------------------------------------------------------------------

_queues: weakref.WeakKeyDictionary[Any, deque[PinnedGradients]] = weakref.WeakKeyDictionary()  # by sender, in order


class PinnedGradients:
    """Gradients of a GPU that are being averaged: to whom sent them, a handle.

    Whoever's handle is asked, averages are started in the order in which their gradients were sent, because that is
    the same on all ranks, and which of the copies have arrived is not.

    Args:
        grads: a contiguous array, replaced by its mean over the ranks.
        host: an array like it from ``pinned``.
        sender: whose ``iallreduce`` averages.
        new: whether to start at once, having waited for the copy. A sender's first call with such an array waits until
            all ranks make it, and must not do so at a point of the program that depends on a rank's copies.
    """

    def __init__(self, grads: Any, host: Array, sender: Any, *, new: bool) -> None:
        self._grads, self._host = grads, host
        self._sender = weakref.proxy(sender)  # or a sender would keep itself alive, by the queue
        self._copy = staging().copy_down(grads, host)
        self._handle: Any = None
        self._done = False
        self._queue = _queues.setdefault(sender, deque())
        self._queue.append(self)
        if new:
            start_all(sender)

    def test(self) -> bool:
        """Do what can be done without waiting; True when the averages are there or on their way up."""
        self._start_arrived()
        if self._handle is None or not self._handle.test():
            return False
        self.wait()
        return True

    def wait(self) -> Any:
        """Wait for the averages, and start to copy them up; later work of the GPU finds them in ``grads``."""
        while self._handle is None:
            self._queue[0]._start()
        self._start_arrived()
        self._handle.wait()
        if not self._done:
            staging().copy_up(self._host, self._grads)
            self._done = True
        return self._grads

    def _start_arrived(self) -> None:
        while self._queue and self._queue[0]._copy.done():
            self._queue[0]._start()

    def _start(self) -> None:
        """Average the first in the queue, as soon as its copy has arrived."""
        self._copy.wait()
        self._handle = self._sender.iallreduce(self._host, "mean", self._host)
        self._queue.popleft()


def start_all(sender: Any) -> None:
    """Start what waits for its copy, so that the collective that comes next does so on all ranks."""
    queue = _queues.get(sender) if _queues else None
    while queue:
        queue[0]._start()
