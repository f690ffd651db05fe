"""Averages buckets in a thread of its own, one after another, while the main thread goes on with backward."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinygrad_lite.distributed.communicator import Communicator


class Background:
    """A thread that owns a communicator and works off a queue: every rank's in the same order.

    Args:
        comm: nobody else may use it.
    """

    def __init__(self, comm: Communicator) -> None:
        self._queue: deque[_Task | None] = deque()
        self._changed = threading.Condition()
        # The thread must not reference this object, or it could never be collected while the thread runs.
        arguments = (comm, self._queue, self._changed)
        self.thread = threading.Thread(target=_work, args=arguments, name="tinygrad_lite-gradients", daemon=True)
        self._finalizer = weakref.finalize(self, _put, self._queue, self._changed, None)
        self.thread.start()

    def iallreduce(self, x: Any, op: str, out: Any = None) -> _Task:
        """What the communicator's ``iallreduce`` does, in the thread."""
        task = _Task(x, op, out)
        _put(self._queue, self._changed, task)
        return task

    def close(self) -> None:
        """End the thread when its queue is empty."""
        self._finalizer()
        self.thread.join()


class _Task:
    """An allreduce that the thread does; to whom asked for it, a handle."""

    def __init__(self, x: Any, op: str, out: Any) -> None:
        self._arguments = x, op, out
        self._result: Any = None
        self._done = threading.Event()
        self._failure: BaseException | None = None

    def run(self, comm: Communicator) -> None:
        x, op, out = self._arguments
        try:
            self._result = comm.iallreduce(x, op, out).wait()  # the same algorithm, and bits, as without a thread
        except BaseException as error:
            self._failure = error
        self._done.set()

    def test(self) -> bool:
        """Whether it is done."""
        return self._done.is_set()

    def wait(self) -> Any:
        """The result, or what went wrong in the thread."""
        self._done.wait()
        if self._failure is not None:
            raise self._failure
        return self._result


def _put(queue: deque[_Task | None], changed: threading.Condition, task: _Task | None) -> None:
    with changed:
        queue.append(task)
        changed.notify()


def _work(comm: Communicator, queue: deque[_Task | None], changed: threading.Condition) -> None:
    while True:
        with changed:
            changed.wait_for(lambda: len(queue) > 0)
            task = queue.popleft()
        if task is None:
            return
        task.run(comm)
        del task
