"""Element-wise passes on several threads: ``for_blocks`` cuts an index range into blocks and shares them out.

NumPy lets go of the interpreter lock inside a ufunc, so Python threads do run at once; a block is small enough
for its operands to stay in a core's cache from one ufunc to the next. The result of an element-wise pass does
not depend on the blocks, hence not on the number of threads or on who takes which block.
"""

from __future__ import annotations

import itertools
import math
import os
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tinygrad_lite.errors import ArgumentError, fail

Pass: TypeAlias = Callable[[int, int], object]  #: works on the elements ``start`` to ``stop``

#: Elements; 256 KiB of float32. With fewer than 32k two threads mostly wait for the interpreter lock: Adam over
#: 670k parameters took 1.3, 0.96, 0.67, 0.43 and 0.44 ms with blocks of 8k, 16k, 32k, 64k and 128k.
BLOCK = 65536
ENOUGH = 2 * BLOCK  #: elements; below, waking a thread (measured: 12 us) costs what it saves


# --- the public functions -----------------------------------------------------------------------------


def for_blocks(total: int, block: int, function: Pass) -> None:
    """Call ``function(start, stop)`` for every block of ``range(total)``, from several threads if it pays.

    The calls come in no particular order. Floating-point warnings are off in helper threads; the caller
    decides for its own.

    Args:
        total: how many elements there are.
        block: elements per call; the last block may have fewer.
        function: must be safe to call from several threads on different blocks.

    Raises:
        BaseException: the first that ``function`` raised, from whichever thread; some blocks are then not done.
    """
    if total >= ENOUGH and total > block:
        threads = min(get_num_threads(), -(-total // block))
        # One job at a time: a pass inside a pass, or in another thread meanwhile, goes alone.
        if threads > 1 and _team.lock.acquire(blocking=False):
            try:
                _team.run(_Job(total, block, function), threads - 1)
            finally:
                _team.lock.release()
            return
    for start in range(0, total, block):
        function(start, min(start + block, total))


def get_num_threads() -> int:
    """How many threads an element-wise pass may use.

    ``set_num_threads``, else the environment variable ``TINYGRAD_LITE_NUM_THREADS``, but at most the cores
    that this process may run on.

    >>> get_num_threads() >= 1
    True
    """
    global _threads
    if _threads is None:
        text = os.environ.get("TINYGRAD_LITE_NUM_THREADS", "").strip()
        if text and not (text.isdecimal() and int(text) >= 1):
            need = f"needs a whole number from 1 on in TINYGRAD_LITE_NUM_THREADS, but found {text!r}"
            fail(ArgumentError, "get_num_threads", need)
        _threads = min(int(text) if text else _cores(), _cores())
    return _threads


def set_num_threads(count: int) -> None:
    """Choose how many threads an element-wise pass may use; the cores of this process are the most.

    Args:
        count: 1 or more. 1 means that no helper thread is ever woken.

    Raises:
        ArgumentError: it is not a whole number from 1 on.

    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    """
    global _threads
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        fail(ArgumentError, "set_num_threads", f"needs a whole number from 1 on, but got {count!r}")
    _threads = min(int(count), _cores())


def _cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_threads: int | None = None  # None: not decided yet


# --- work memory --------------------------------------------------------------------------------------


class _Scratch(threading.local):
    def __init__(self) -> None:
        self.kept: dict[tuple[str, Any], Any] = {}


_scratch = _Scratch()


def scratch(name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    """An uninitialised array of this thread, the same memory for the same name and dtype the next time.

    It is kept from call to call, because fresh pages cost more than the arithmetic on them.
    """
    size = math.prod(shape)
    memory = _scratch.kept.get((name, dtype))
    if memory is None or memory.size < size:
        memory = _scratch.kept[name, dtype] = np.empty(size, dtype)
    return memory[:size].reshape(shape)


# --- the threads --------------------------------------------------------------------------------------


class _Job:
    """The blocks of one pass: whoever is free claims the next one."""

    __slots__ = ("block", "claim", "count", "error", "function", "total")

    def __init__(self, total: int, block: int, function: Pass) -> None:
        self.total, self.block, self.function = total, block, function
        self.count = -(-total // block)
        self.claim = itertools.count().__next__  # atomic under the interpreter lock
        self.error: BaseException | None = None

    def work(self) -> None:
        """Do blocks until none is left or one has failed."""
        function, block, total, count, claim = self.function, self.block, self.total, self.count, self.claim
        try:
            while self.error is None:
                i = claim()
                if i >= count:
                    return
                start = i * block
                function(start, min(start + block, total))
        except BaseException as error:
            self.error = self.error or error


class _Helper:
    """A daemon thread that sleeps on a lock; releasing the lock wakes it to work on ``job``."""

    def __init__(self) -> None:
        self.job: _Job | None = None
        self.wake, self.done = threading.Lock(), threading.Lock()
        self.wake.acquire()
        self.done.acquire()
        threading.Thread(target=self._serve, name="tinygrad_lite-helper", daemon=True).start()

    def _serve(self) -> None:
        with np.errstate(all="ignore"):
            while True:
                self.wake.acquire()
                job, self.job = self.job, None
                if job is not None:
                    job.work()
                del job  # the arrays of a finished pass must not wait here for the next one
                self.done.release()


class _Team:
    """The helpers, started when first needed and then kept."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.helpers: list[_Helper] = []

    def run(self, job: _Job, count: int) -> None:
        """Do a job in this thread and ``count`` helpers."""
        while len(self.helpers) < count:
            self.helpers.append(_Helper())
        woken = self.helpers[:count]
        try:
            for helper in woken:
                helper.job = job
                helper.wake.release()
            job.work()
            for helper in woken:
                # A helper that has not woken up yet is sent back to sleep: all blocks are claimed, why wait?
                if not helper.wake.acquire(blocking=False):
                    helper.done.acquire()
                helper.job = None
        except BaseException as error:  # Ctrl-C between the lines: nobody knows who is awake, so start anew
            job.error = error
            self.helpers = []
            raise
        if job.error is not None:
            raise job.error


_team = _Team()


def _after_fork() -> None:
    """Threads do not survive a fork: a child starts its own."""
    global _team
    _team = _Team()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
