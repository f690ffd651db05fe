"""Philox4x64-10 in Python integers: what the tests of the random stream compare with."""

from __future__ import annotations

from collections.abc import Sequence

WORD = 2**64 - 1


def philox(key: Sequence[int], counter: Sequence[int]) -> list[int]:
    """One block in Python integers, written down from the paper and independent of NumPy's generator."""
    x0, x1, x2, x3 = counter
    for step in range(10):
        product0, product1 = 0xD2E7470EE14C6C93 * x0, 0xCA5A826395121157 * x2
        key0 = (key[0] + step * 0x9E3779B97F4A7C15) & WORD
        key1 = (key[1] + step * 0xBB67AE8584CAA73B) & WORD
        x0, x1 = (product1 >> 64) ^ x1 ^ key0, product1 & WORD
        x2, x3 = (product0 >> 64) ^ x3 ^ key1, product0 & WORD
    return [x0, x1, x2, x3]
