"""Preparing batches ahead of time in one background thread."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from tinygrad_lite import errors

__all__ = ["Prefetch"]

T = TypeVar("T")


class Prefetch(Generic[T]):
    """Iterate over ``source`` while a thread runs it up to ``depth`` items ahead.

    Items keep their order. An exception of the source is raised where its item would have come. The
    thread ends when the source does, when the iterator is closed, and when it is no longer referenced, as
    after leaving a ``for`` loop early.

    Args:
        source: an iterator, used by the thread alone from now on.
        depth: how many items may wait to be used, at least 1.
    """

    def __init__(self, source: Iterator[T], depth: int) -> None:
        self._channel: _Channel[T] = _Channel(depth)
        # The thread must not reference this iterator, or it could never be collected while the thread runs.
        self.thread = threading.Thread(
            target=_produce, args=(source, self._channel), name="tinygrad_lite-prefetch", daemon=True
        )
        weakref.finalize(self, self._channel.close)
        self.thread.start()

    def __iter__(self) -> Prefetch[T]:
        return self

    def __next__(self) -> T:
        try:
            return self._channel.get()
        except errors.Error as error:
            if error.line.startswith("threading.py:"):  # no user's line on the thread's stack, but one on ours
                error.line = errors.user_line()
            raise

    def close(self) -> None:
        """Stop the thread and wait until it has finished the item that it is working on."""
        self._channel.close()
        self.thread.join()


def _produce(source: Iterator[T], channel: _Channel[T]) -> None:
    try:
        for item in source:
            if not channel.put(item):
                return
    except BaseException as error:
        channel.finish(error)
    else:
        channel.finish(None)


class _Channel(Generic[T]):
    """A bounded queue of one producer and one consumer that either side can end."""

    def __init__(self, depth: int) -> None:
        self._items: deque[T] = deque()
        self._depth = depth
        self._changed = threading.Condition()
        self._ended = False
        self._failure: BaseException | None = None

    def put(self, item: T) -> bool:
        """Wait for room and add an item; False if nobody wants items any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._items) < self._depth)
            if not self._ended:
                self._items.append(item)
                self._changed.notify_all()
            return not self._ended

    def finish(self, failure: BaseException | None) -> None:
        """Say that no item follows, and why if that is an exception."""
        with self._changed:
            self._ended, self._failure = True, failure
            self._changed.notify_all()

    def get(self) -> T:
        """Wait for an item and take it; at the end raise the producer's exception, then StopIteration."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or bool(self._items))
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            failure, self._failure = self._failure, None
        try:
            raise StopIteration if failure is None else failure
        finally:
            del failure  # or the exception and this frame would keep each other alive

    def close(self) -> None:
        """Refuse and forget all items."""
        with self._changed:
            self._ended = True
            self._items.clear()
            self._changed.notify_all()
