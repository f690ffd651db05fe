"""Device memory: a pool of blocks, and the copies between the two memories.

Freeing device memory makes the driver wait for the device, so freed blocks are kept and handed out again. That is safe
without any waiting because everything runs in the order of one stream. The pool owns the memory and blocks only borrow
it: at exit it can all be given back, whoever still holds an array.

Python may end a block between any two steps of a pool's work, and on any thread, when the garbage collector runs there.
Ending one therefore only appends to lists, and nothing here walks over a dictionary that such an end could change.

``TINYGRAD_LITE_CUDA_POOL=0`` returns every block to the driver at once, so that a use after the end is an error
and not a surprise (slow).
"""

from __future__ import annotations

import bisect
import functools
import gc
import os
import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np

from tinygrad_lite.backends.cuda import driver
from tinygrad_lite.errors import OutOfMemoryError, fail

SMALLEST = 512  #: bytes; what the smallest block holds, and what all sizes are multiples of
POOLING = os.environ.get("TINYGRAD_LITE_CUDA_POOL", "1") != "0"

_holders: list[Callable[[], str]] = []


def describe_holders(function: Callable[[], str]) -> None:
    """Have ``function`` say who holds device memory, when there is no more; arrays do not know what they are for."""
    _holders[:] = [function]


class Block:
    """Device memory that is borrowed from a pool for as long as this object lives."""

    __slots__ = ("_pool", "address", "size")

    def __init__(self, pool: Pool, address: int, size: int) -> None:
        self._pool, self.address, self.size = pool, address, size

    @property
    def nbytes(self) -> int:
        return self.size

    def __copy__(self) -> NoReturn:
        raise TypeError("memory of the GPU has one owner: copy the array")

    def __reduce__(self) -> NoReturn:
        raise TypeError("memory of the GPU cannot be pickled: get() copies an array to the processor")

    def __del__(self) -> None:
        self._pool.take_back(self.address, self.size)


class Borrowed:
    """Memory of another library's, given back when the last array over it is gone.

    Args:
        first: address of the first byte in use.
        last: address of the last one.
        give_back: called when nothing here works with the memory any more.
    """

    size = nbytes = 0  # it is not counted as ours

    def __init__(self, first: int, last: int, give_back: Callable[[], object]) -> None:
        self._first, self._last, self._give_back = first, last, give_back
        borrowed.add(self)

    @property
    def address(self) -> int:
        return self._first

    def holds(self, addresses: Iterable[int]) -> bool:
        """Whether one of the addresses lies in it."""
        return any(self._first <= address <= self._last for address in addresses)

    def __del__(self) -> None:
        if driver.recorder is not None:
            driver.recorder.owed.append(self._give_back)
            return
        driver.finish()  # its owner may use it again at once, and not in our stream's order
        self._give_back()


borrowed: weakref.WeakSet[Borrowed] = weakref.WeakSet()  #: all that there are


class Usage:
    """What all pools have lent out, in bytes.

    Attributes:
        active: in blocks that are in use.
        peak: the largest ``active`` so far.
    """

    def __init__(self) -> None:
        self.active = self.peak = 0


usage = Usage()


class Pool:
    """Blocks by size; see the head of this file.

    Attributes:
        allocations: how often the driver was asked for memory.
    """

    def __init__(self, pooling: bool = POOLING) -> None:
        self.allocations = 0
        self._pooling, self._closed = pooling, False
        self._free: dict[int, list[int]] = {}
        self._owned: dict[int, tuple[Any, int]] = {}  # address -> the driver's allocation, and its bytes
        self._pins: Counter[int] = Counter()  # address -> how many graphs use it
        self._waiting: set[int] = set()  # pinned memory that no array uses any more
        pools.add(self)

    def allocate(self, nbytes: int) -> Block:
        """A block of at least ``nbytes``, at a multiple of 256 bytes, with undefined content.

        Raises:
            OutOfMemoryError: there is none, although the pools gave back what they could.
        """
        if not self._pooling:  # exact, so that what lies behind the last element is nobody's
            size = max(nbytes, 1)
        else:
            size = SMALLEST if nbytes <= SMALLEST else round_up(nbytes)
        free = self._free.get(size)
        address = free.pop() if free else self._ask(size, nbytes)
        active = usage.active = usage.active + size
        if active > usage.peak:
            usage.peak = active
        return Block(self, address, size)

    def take_back(self, address: int, size: int) -> None:
        """The block is not used any more."""
        if self._closed:
            return
        usage.active -= size
        if address in self._pins:
            self._waiting.add(address)
        elif self._pooling or not driver.is_ours() or driver.recorder is not None:
            self._free[size].append(address)
        else:
            self._owned.pop(address)[0].free()

    @property
    def held(self) -> int:
        """Bytes that wait to be used again."""
        return sum(size * len(addresses) for size, addresses in list(self._free.items()))

    @property
    def active(self) -> int:
        """Bytes in blocks that are in use, by arrays or by graphs."""
        return sum(size for _, size in list(self._owned.values())) - self.held

    def free_held(self) -> None:
        """Give the driver back all memory that is not in use; not while a graph is recorded, when none may be freed."""
        if driver.recorder is not None:
            return
        for addresses in list(self._free.values()):
            while addresses:
                self._owned.pop(addresses.pop())[0].free()

    def close(self) -> None:
        """Give everything back, also what is in use."""
        self._closed = True
        self._free.clear()
        for allocation, _ in list(self._owned.values()):
            driver.let_go(allocation)
        self._owned.clear()

    def __del__(self) -> None:
        # Its graph is gone. The driver can only be asked on the GPU's thread; the order of the stream makes this safe.
        if not self._closed and self._owned:
            main_pool.adopt(self._owned, self._free)

    def adopt(self, owned: dict[int, tuple[Any, int]], free: dict[int, list[int]]) -> None:
        """Take over the memory of a pool of which nothing is in use."""
        self._owned.update(owned)
        for size, addresses in free.items():
            self._free.setdefault(size, []).extend(addresses)

    # --- for graphs, which know addresses alone ---------------------------------------------------------

    def living(self) -> set[int]:
        """The addresses of all blocks in use."""
        return set(self._owned) - {address for addresses in list(self._free.values()) for address in addresses}

    def owners(self, addresses: Iterable[int]) -> set[int]:
        """The blocks of this pool in which the addresses lie."""
        starts = sorted(self._owned)
        found = set()
        for address in addresses:
            place = bisect.bisect_right(starts, address) - 1
            if place >= 0 and address < starts[place] + self._owned[starts[place]][1]:
                found.add(starts[place])
        return found

    def pin(self, addresses: Iterable[int]) -> None:
        """Keep blocks from being used again until ``unpin``, even if their arrays go or are gone already."""
        for address in addresses:
            self._pins[address] += 1
            size = self._owned[address][1]
            if address in self._free[size]:
                self._free[size].remove(address)
                self._waiting.add(address)

    def unpin(self, addresses: Iterable[int]) -> None:
        """The graph that needed them is gone."""
        for address in addresses:
            self._pins[address] -= 1
            if not self._pins[address]:
                del self._pins[address]
                if address in self._waiting:
                    self._waiting.discard(address)
                    self._free[self._owned[address][1]].append(address)

    @driver.reported
    def _ask(self, size: int, wanted: int) -> int:
        """New memory of the driver's; when there is none, first what nobody can reach, then what the pool holds."""
        driver.current()
        import pycuda.driver as cuda

        for relieve in (None, gc.collect, main_pool.free_held):
            if relieve is not None:
                relieve()
                free = self._free.get(size)
                if free:  # the collector has found a block of this very size
                    return free.pop()
            try:
                allocation = cuda.mem_alloc(size)
            except (cuda.MemoryError, OverflowError):  # of the address space, the latter
                continue
            self.allocations += 1
            address = int(allocation)
            self._owned[address] = (allocation, size)
            self._free.setdefault(size, [])
            return address
        return _refuse(wanted)


@functools.lru_cache(4096)
def round_up(nbytes: int) -> int:
    """The size of the block for ``nbytes``: at most an eighth more, so that similar sizes share blocks.

    >>> round_up(1000), round_up(100_000)
    (1024, 106496)
    """
    step = max(SMALLEST, 1 << max((nbytes - 1).bit_length() - 4, 0))
    return -(-nbytes // step) * step


def _refuse(wanted: int) -> NoReturn:
    import pycuda.driver as cuda

    free, total = cuda.mem_get_info()
    lines = [f"has {readable(free)} free of {readable(total)}, but {readable(wanted)} are needed"]
    lines.append(f"this process holds {readable(usage.active)} in arrays and {readable(held())} for new ones")
    lines += [text for text in (describe() for describe in _holders) if text]
    hint = "smaller batches, no_grad() where no gradient is needed, or checkpoint() take less"
    fail(OutOfMemoryError, "cuda", "; ".join(lines), hint=hint)


def readable(nbytes: int) -> str:
    """A number of bytes as one reads it.

    >>> readable(512), readable(3 << 20)
    ('512 B', '3.0 MiB')
    """
    size, unit = float(nbytes), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{nbytes} B" if unit == "B" else f"{size:.1f} {unit}"


pools: weakref.WeakSet[Pool] = weakref.WeakSet()  #: all that there are


@driver.at_close
def _close_pools() -> None:
    for each in list(pools):
        each.close()


main_pool = Pool()  #: where arrays live, but for those of graphs
pool = main_pool  #: where new arrays get their memory; a capture puts one of its own here for a while


def held() -> int:
    """Bytes that are kept for new arrays; what only a graph may use counts too."""
    return sum(each.held for each in list(pools))


def allocate(nbytes: int) -> Block:
    """A block of the current pool."""
    return pool.allocate(nbytes)


COUNTERS = 1024  #: how many there are; a launch uses those that it needs

_counters: list[Block] = []


def counters() -> int:
    """The address of counters that are zero before and after every launch: blocks count there who is finished."""
    if not _counters:
        block = main_pool.allocate(4 * COUNTERS)
        fill_zero(block.address, 4 * COUNTERS)
        _counters.append(block)
    return _counters[0].address


@driver.at_close
def _forget_counters() -> None:
    _counters.clear()


# --- copies ---------------------------------------------------------------------------------------------

#: Bytes of one of the two page-locked buffers through which larger copies go: the device reads and writes those alone
#: without a detour. While it works on one, the processor fills or empties the other.
STAGE = 4 << 20
_DIRECT = 64 << 10  # bytes, up to which the driver has read the source when an asynchronous copy returns


class _Stage:
    """A page-locked buffer, and the event after which it may be used again."""

    def __init__(self) -> None:
        import pycuda.driver as cuda

        self.buffer: Any = cuda.pagelocked_empty(STAGE, np.uint8)
        self.event: Any = cuda.Event(cuda.event_flags.DISABLE_TIMING)
        self.busy = False

    def wait(self) -> None:
        if self.busy:
            self.event.synchronize()
            self.busy = False


_stages: list[_Stage] = []


@driver.at_close
def _forget_stages() -> None:
    for stage in _stages:
        driver.let_go(stage.buffer)
        driver.let_go(stage.event)
    _stages.clear()


def _stage(turn: int) -> _Stage:
    while len(_stages) < 2:
        _stages.append(_Stage())
    return _stages[turn % 2]


@driver.reported
def upload(address: int, source: np.ndarray[Any, Any]) -> None:
    """Copy a contiguous NumPy array to device memory, in the order of the stream; the source may change afterwards."""
    import pycuda.driver as cuda

    stream = driver.current().stream
    driver.refuse_recording(
        "needs numbers from the processor's memory", "make the tensor before, or pass it to the step"
    )
    if source.nbytes <= _DIRECT and _is_pageable(source):
        cuda.memcpy_htod_async(address, source, stream)
        return
    flat = source.reshape(-1).view(np.uint8)
    for turn, start in enumerate(range(0, flat.size, STAGE)):
        stage, piece = _stage(turn), flat[start : start + STAGE]
        stage.wait()
        stage.buffer[: piece.size] = piece
        cuda.memcpy_htod_async(address + start, stage.buffer[: piece.size], stream)
        stage.event.record(stream)
        stage.busy = True


def _is_pageable(array: np.ndarray[Any, Any]) -> bool:
    """Whether NumPy has made the memory. Other memory may be page-locked, and the driver reads that later, not now."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.base is None


@driver.reported
def download(target: np.ndarray[Any, Any], address: int) -> None:
    """Copy device memory into a contiguous NumPy array, after everything that was launched before."""
    import pycuda.driver as cuda

    stream = driver.current().stream
    driver.refuse_recording("reads a value", "return the tensor, and read it after the step")
    flat = target.reshape(-1).view(np.uint8)
    pieces = [(start, flat[start : start + STAGE]) for start in range(0, flat.size, STAGE)]
    for turn in range(len(pieces) + 1):
        if turn < len(pieces):
            start, piece = pieces[turn]
            stage = _stage(turn)
            stage.wait()
            cuda.memcpy_dtoh_async(stage.buffer[: piece.size], address + start, stream)
            stage.event.record(stream)
            stage.busy = True
        if turn:
            _, piece = pieces[turn - 1]
            stage = _stage(turn - 1)
            stage.wait()
            piece[...] = stage.buffer[: piece.size]
    for check in driver.checks:
        check()


@driver.reported
def copy(target: int, source: int, nbytes: int) -> None:
    """Copy within device memory."""
    import pycuda.driver as cuda

    if driver.recorder is not None:
        driver.recorder.note((target, source))
    cuda.memcpy_dtod_async(target, source, nbytes, driver.current().stream)


def fill_zero(address: int, nbytes: int) -> None:
    """Write zero bytes."""
    fill(address, nbytes, b"\0")


@driver.reported
def fill(address: int, count: int, element: bytes) -> None:
    """Write one element of 1, 2 or 4 bytes ``count`` times."""
    import pycuda.driver as cuda

    if driver.recorder is not None:
        driver.recorder.note((address,))
    write = {1: cuda.memset_d8_async, 2: cuda.memset_d16_async, 4: cuda.memset_d32_async}[len(element)]
    write(address, int.from_bytes(element, "little"), count, driver.current().stream)
