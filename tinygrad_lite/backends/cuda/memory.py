"""Device memory: a pool of blocks, and the copies between the two memories.

Freeing device memory makes the driver wait for the device, so freed blocks are kept and handed out again. That is safe
without any waiting because everything runs in the order of one stream. The pool owns the memory and blocks only borrow
it: at exit it can all be given back, whoever still holds an array.

``TINYGRAD_LITE_CUDA_POOL=0`` returns every block to the driver at once, so that a use after the end is an error
and not a surprise (slow).
"""

from __future__ import annotations

import bisect
import gc
import os
import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np

from tinygrad_lite.backends.cuda import driver
from tinygrad_lite.errors import DeviceError, OutOfMemoryError, fail

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

    def __del__(self) -> None:
        self._pool.take_back(self)


class Pool:
    """Blocks by size; see the head of this file.

    Attributes:
        active: bytes in blocks that are in use.
        peak: the largest ``active`` so far.
        held: bytes that wait to be used again.
        allocations: how often the driver was asked for memory.
    """

    def __init__(self, pooling: bool = POOLING) -> None:
        self.active = self.peak = self.held = self.allocations = 0
        self._pooling, self._closed = pooling, False
        self._free: dict[int, list[int]] = {}
        self._owned: dict[int, tuple[Any, int]] = {}  # address -> the driver's allocation, and its bytes
        self._pins: Counter[int] = Counter()  # address -> how many graphs use it
        self._waiting: set[int] = set()  # pinned memory that no array uses any more
        _pools.add(self)

    def allocate(self, nbytes: int) -> Block:
        """A block of at least ``nbytes``, at a multiple of 256 bytes, with undefined content.

        Raises:
            OutOfMemoryError: there is none, although the pool gave back what it could.
        """
        size = SMALLEST if nbytes <= SMALLEST else round_up(nbytes)
        free = self._free.get(size)
        if free:
            address = free.pop()
            self.held -= size
        else:
            address = self._ask(size, nbytes)
        self.active += size
        if self.active > self.peak:
            self.peak = self.active
        return Block(self, address, size)

    def take_back(self, block: Block) -> None:
        """The block is not used any more."""
        if self._closed:
            return
        self.active -= block.size
        if block.address in self._pins:
            self._waiting.add(block.address)
        else:
            self._release(block.address, block.size)

    def _release(self, address: int, size: int) -> None:
        # While a graph is recorded the driver frees nothing.
        if self._pooling or driver.recorder is not None:
            self._free.setdefault(size, []).append(address)
            self.held += size
        else:
            self._owned.pop(address)[0].free()

    def free_held(self) -> None:
        """Give the driver back all memory that is not in use."""
        for addresses in self._free.values():
            for address in addresses:
                self._owned.pop(address)[0].free()
        self._free.clear()
        self.held = 0

    def close(self) -> None:
        """Give everything back, also what is in use."""
        self._closed = True
        self._free.clear()
        for allocation, _ in self._owned.values():
            driver.let_go(allocation)
        self._owned.clear()

    # --- for graphs, which know addresses alone ---------------------------------------------------------

    def living(self) -> set[int]:
        """The addresses of all blocks in use."""
        return self._owned.keys() - {address for addresses in self._free.values() for address in addresses}

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
        """Keep blocks from being used again until ``unpin``, even if their arrays go."""
        self._pins.update(addresses)

    def unpin(self, addresses: Iterable[int]) -> None:
        """The graph that needed them is gone."""
        for address in addresses:
            self._pins[address] -= 1
            if not self._pins[address]:
                del self._pins[address]
                if address in self._waiting:
                    self._waiting.discard(address)
                    self._release(address, self._owned[address][1])

    @driver.reported
    def _ask(self, size: int, wanted: int) -> int:
        """New memory of the driver's; when there is none, first what nobody can reach, then what the pool holds."""
        driver.current()
        import pycuda.driver as cuda

        for relieve in (None, gc.collect, pool.free_held):
            if relieve is not None:
                relieve()
                free = self._free.get(size)
                if free:  # the collector has found a block of this very size
                    self.held -= size
                    return free.pop()
            try:
                allocation = cuda.mem_alloc(size)
            except cuda.MemoryError:
                continue
            self.allocations += 1
            address = int(allocation)
            self._owned[address] = (allocation, size)
            return address
        return _refuse(wanted)


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
    lines.append(f"this process holds {readable(pool.active)} in arrays and {readable(pool.held)} for new ones")
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


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


@driver.at_close
def _close_pools() -> None:
    for each in list(_pools):
        each.close()


main_pool = Pool()  #: where arrays live, but for those of graphs
pool = main_pool  #: where new arrays get their memory; a capture puts one of its own here for a while


def allocate(nbytes: int) -> Block:
    """A block of the current pool."""
    return pool.allocate(nbytes)


COUNTERS = 1024  #: how many there are; a launch uses those that it needs

_counters: list[Block] = []


def counters() -> int:
    """The address of counters that are zero before and after every launch: blocks count there who is finished."""
    if not _counters:
        block = allocate(4 * COUNTERS)
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
    _refuse_recording("needs numbers from the processor's memory", "make the tensor before, or pass it to the step")
    if source.nbytes <= _DIRECT:
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


@driver.reported
def download(target: np.ndarray[Any, Any], address: int) -> None:
    """Copy device memory into a contiguous NumPy array, after everything that was launched before."""
    import pycuda.driver as cuda

    stream = driver.current().stream
    _refuse_recording("reads a value", "return the tensor, and read it after the step")
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


def _refuse_recording(what: str, hint: str) -> None:
    if driver.recorder is not None:
        fail(DeviceError, "capture", f"cannot record a step that {what}", hint=hint)


@driver.reported
def copy(target: int, source: int, nbytes: int) -> None:
    """Copy within device memory."""
    import pycuda.driver as cuda

    if driver.recorder is not None:
        driver.recorder.note((target, source))
    cuda.memcpy_dtod_async(target, source, nbytes, driver.current().stream)


@driver.reported
def fill_zero(address: int, nbytes: int) -> None:
    """Write zero bytes."""
    import pycuda.driver as cuda

    if driver.recorder is not None:
        driver.recorder.note((address,))
    cuda.memset_d8_async(address, 0, nbytes, driver.current().stream)
