"""Sorting integers on the GPU is stable, whatever their size and number."""

from __future__ import annotations

import cuda_harness
import numpy as np
import pytest

from tinygrad_lite.backends.cuda import layout, radix
from tinygrad_lite.backends.cuda.array import from_host

LARGEST = {"uint32": 2**32 - 1, "uint64": 2**64 - 1}
#: keys from 0 to this number
RANGES = [("few", 3), ("one digit", 255), ("two digits", 40_000), ("all", None)]


@pytest.mark.parametrize("count", [0, 1, 33, 256, 1000, 2048, 2049, 3073, 6500])
@pytest.mark.parametrize("dtype", LARGEST)
@pytest.mark.parametrize("what, most", RANGES, ids=[what for what, _ in RANGES])
def test_keys_are_sorted_and_equal_ones_keep_their_order(what: str, most: int | None, dtype: str, count: int) -> None:
    bits = most.bit_length() if most else None
    keys = np.random.default_rng(count).integers(0, most or LARGEST[dtype], count, dtype, endpoint=True)
    values, order = radix.sort_pairs(from_host(keys), bits)
    expected = np.argsort(keys, kind="stable")
    assert (values.dtype, order.dtype) == (keys.dtype, np.int32)
    np.testing.assert_array_equal(order.get(), expected)
    np.testing.assert_array_equal(values.get(), keys[expected])


@pytest.mark.parametrize("dtype", LARGEST)
def test_the_largest_key_is_not_mistaken_for_what_fills_a_block(dtype: str) -> None:
    for count in (5, 4000):
        keys = np.full(count, LARGEST[dtype], dtype)
        keys[1::3] -= 1
        np.testing.assert_array_equal(radix.argsort_keys(from_host(keys)).get(), np.argsort(keys, kind="stable"))


@pytest.mark.parametrize("schedule", ["forward", "reverse", "2"])
def test_the_order_does_not_depend_on_the_schedule(schedule: str) -> None:
    if not cuda_harness.installed():
        pytest.skip("schedules are the emulator's")
    keys = np.random.default_rng(1).integers(0, 300, 5000, np.uint32)
    with cuda_harness.schedule(schedule):
        np.testing.assert_array_equal(radix.argsort_keys(from_host(keys), 9).get(), np.argsort(keys, kind="stable"))


def test_too_many_keys_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MOST_ELEMENTS", 10)
    with pytest.raises(ValueError, match=r"^11 keys are more than one launch can count$"):
        radix.argsort_keys(from_host(np.zeros(11, np.uint32)))
