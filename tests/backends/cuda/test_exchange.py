"""Memory from and to other libraries: who keeps what alive, who waits for whom, and what is refused."""

from __future__ import annotations

import ctypes
import gc
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import errors
from tinygrad_lite.backends.cuda import driver, exchange, memory, types
from tinygrad_lite.backends.cuda.array import from_host

VALUES = np.arange(24, dtype=np.float32).reshape(4, 6)


class Library:
    """A library with memory of its own; it notes when it gets it back."""

    def __init__(self, values: Any = VALUES, versioned: bool = True, **changed: Any) -> None:
        self.array, self.versioned, self.changed = from_host(values), versioned, changed
        self.returned = 0
        self.asked: dict[str, Any] = {}

    def __dlpack__(self, *, stream: Any, max_version: Any = None) -> Any:
        if max_version is not None and not self.versioned:
            raise TypeError("unexpected keyword argument 'max_version'")
        self.asked = {"stream": stream, "max_version": max_version}
        capsule = exchange.export(self.array, stream, self.versioned)
        _, managed, *_ = exchange._exported[max(exchange._exported)]
        for name, value in self.changed.items():
            setattr(managed.tensor if hasattr(managed.tensor, name) else managed, name, value)
        return capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, driver.current().number)


@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize("dtype", [dtype.name for dtype in types.ALL])
def test_every_dtype_goes_through_dlpack(dtype: str, versioned: bool) -> None:
    values = np.arange(24).reshape(4, 6).astype(dtype)
    library = Library(values, versioned)
    x = exchange.from_dlpack(library)
    assert library.asked == {"stream": driver.current().handle, "max_version": (1, 0) if versioned else None}
    assert (x.address, x.shape, x.dtype.name) == (library.array.address, (4, 6), dtype)
    np.testing.assert_array_equal(x.get(), values)


@pytest.mark.parametrize("versioned", [True, False])
def test_borrowed_memory_is_returned_once_when_the_last_view_is_gone(versioned: bool) -> None:
    gc.collect()
    library, before = Library(versioned=versioned), len(exchange._exported)
    x = exchange.from_dlpack(library)
    view = x.view_as((6, 4), (1, 6))
    assert len(exchange._exported) == before + 1
    del x
    gc.collect()
    np.testing.assert_array_equal(view.get(), VALUES.T)
    assert len(exchange._exported) == before + 1
    del view
    assert len(exchange._exported) == before
    np.testing.assert_array_equal(library.array.get(), VALUES)


def test_a_used_capsule_keeps_a_name_that_stays() -> None:
    """A capsule holds the address of its name, not a copy."""
    capsules = [exchange.export(from_host(VALUES), -1, versioned) for versioned in (True, False)]

    class Once:
        def __init__(self, capsule: Any) -> None:
            self.capsule = capsule

        def __dlpack__(self, **options: Any) -> Any:
            return self.capsule

    name = ctypes.pythonapi.PyCapsule_GetName
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    for capsule, expected in zip(capsules, (b"used_dltensor_versioned", b"used_dltensor"), strict=True):
        exchange.from_dlpack(Once(capsule))
        junk = [bytes([k % 256]) * len(expected) for k in range(1000)]
        assert name(capsule) == expected
        with pytest.raises(BufferError, match="the capsule was consumed before, or is none of DLPack's"):
            exchange.from_dlpack(Once(capsule))
        del junk


@pytest.mark.parametrize(
    "changed, text",
    [
        ({"device_number": 3}, r"it lies on device \(2, 3\)"),
        ({"device_kind": 13}, r"it lies on device \(13, 0\)"),
        ({"code": 4, "bits": 16}, "elements of kind 4 with 16 bits are unknown"),
        ({"code": 2, "bits": 128}, "elements of kind 2 with 128 bits are unknown"),
        ({"code": 2, "bits": 8}, "elements of kind 2 with 8 bits are unknown"),
        ({"lanes": 4}, "elements of kind 2 with 32 bits are unknown"),
        ({"byte_offset": 2}, "its address 0x[0-9a-f]+ is no multiple of its elements"),
        ({"major": 2}, "it is of version 2 of DLPack, which is unknown"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_returned(changed: dict[str, Any], text: str) -> None:
    gc.collect()
    before = len(exchange._exported)
    with pytest.raises(BufferError, match=text):
        exchange.from_dlpack(Library(**changed))
    gc.collect()
    assert len(exchange._exported) == before


def test_negative_strides_are_copied_as_on_the_cpu() -> None:
    x = tgl.Tensor(VALUES, device="cuda")[::-1]
    for version in (None, (1, 0)):
        capsule = x.__dlpack__(max_version=version)
        exported = exchange._exported[max(exchange._exported)][0]
        assert exported.contiguous
        np.testing.assert_array_equal(exported.get(), VALUES[::-1])
        del capsule
    with pytest.raises(errors.ExchangeError, match="its strides are negative"):
        x.__dlpack__(copy=False)


def test_memory_changes_hands_only_when_the_gpu_has_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither library's stream knows the other's order."""
    waits = []
    monkeypatch.setattr(driver, "finish", lambda: waits.append(1))
    x = exchange.from_dlpack(Library())
    assert not waits
    del x
    assert len(waits) == 2  # of the borrower, and of the lender, which is ourselves too
    x = exchange.from_interface(Interface(from_host(VALUES)))
    waits.clear()
    del x
    assert len(waits) == 1


def test_waiting_for_everything_works_on_any_thread() -> None:
    import threading

    x = from_host(VALUES)
    thread = threading.Thread(target=driver.finish)
    thread.start()
    thread.join()
    driver.finish()
    np.testing.assert_array_equal(x.copy().get(), VALUES)


# --- the CUDA array interface -------------------------------------------------------------------------------


class Interface:
    def __init__(self, array: Any, **changed: Any) -> None:
        self.array = array
        self.__cuda_array_interface__ = {**array.__cuda_array_interface__, **changed}


def test_the_interface_describes_views_and_nothing() -> None:
    x = from_host(VALUES)
    for view in (x, x.view_as((6, 4), (1, 6)), x.view_as((2, 3), (6, -2), 5), x.view_as((3, 6), (0, 1))):
        found = exchange.from_interface(Interface(view))
        assert (found.address, found.shape, found.strides) == (view.address, view.shape, view.strides)
        np.testing.assert_array_equal(found.get(), view.get())
    nothing = exchange.from_interface(Interface(x.view_as((0, 6), (6, 1))))
    assert (nothing.shape, nothing.tolist()) == ((0, 6), [])


def test_its_owner_lives_as_long_as_the_arrays() -> None:
    owner = Interface(from_host(VALUES))
    address = owner.array.address
    x = exchange.from_interface(owner)
    del owner
    gc.collect()
    others = [from_host(np.zeros((4, 6), np.float32)) for _ in range(5)]
    assert x.address == address
    np.testing.assert_array_equal(x.get(), VALUES)
    del others


@pytest.mark.parametrize(
    "changed, text",
    [
        ({"mask": 1}, "it has a mask"),
        ({"strides": (6, 4)}, "its strides are no multiples of its elements"),
        ({"typestr": ">f4"}, "elements of kind >f4 are unknown"),
        ({"typestr": "<M8[s]"}, r"elements of kind <M8\[s\] are unknown"),
        ({"data": (1026, False)}, "its address 0x402 is no multiple of its elements"),
    ],
)
def test_interfaces_that_cannot_be_taken_are_refused(changed: dict[str, Any], text: str) -> None:
    with pytest.raises(BufferError, match=text):
        exchange.from_interface(Interface(from_host(VALUES), **changed))


@pytest.mark.parametrize("stream", [None, 1, 2])
def test_another_stream_is_waited_for(stream: Any) -> None:
    np.testing.assert_array_equal(exchange.from_interface(Interface(from_host(VALUES), stream=stream)).get(), VALUES)


def test_a_borrowed_block_knows_which_bytes_are_used() -> None:
    x = from_host(VALUES)
    turned = exchange.from_interface(Interface(x.view_as((4,), (-6,), 20))).block
    assert isinstance(turned, memory.Borrowed)
    first = x.address + 8
    assert turned.address == first
    for address, held in ((first, True), (first - 1, False), (first + 75, True), (first + 76, False)):
        assert turned.holds([0, address]) is held
    assert turned.nbytes == 0
