"""Sorting, searching and counting on the GPU give what the CPU gives, for every dtype and awkward sizes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from tinygrad_lite.backends.cpu import sorting as cpu
from tinygrad_lite.backends.cuda import fallback, launching, sets
from tinygrad_lite.backends.cuda import sorting as gpu
from tinygrad_lite.backends.cuda.array import CudaArray, from_host

DTYPES = [
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
]
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def made(shape: Any, name: str, seed: int = 0) -> np.ndarray:
    """Many equal elements, the smallest and the largest there are, NaN of both signs, both zeros and infinities."""
    rng, dtype = np.random.default_rng(seed), np.dtype(name)
    if dtype.kind == "f":
        x = rng.integers(-9, 9, shape).astype(dtype) / dtype.type(4)
        special = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 0.0], dtype)
        return np.where(rng.random(shape) < 0.2, rng.choice(special, shape), x)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    bounds = np.iinfo(dtype)
    x = rng.integers(bounds.min, bounds.max, shape, dtype=dtype, endpoint=True)
    return np.where(rng.random(shape) < 0.5, x % dtype.type(7), x).astype(dtype)


def same(found: CudaArray, expected: np.ndarray) -> None:
    assert found.contiguous
    np.testing.assert_array_equal(found.get(), expected, strict=True)


# --- order ------------------------------------------------------------------------------------------------

SHAPES = [(0,), (1,), (3, 0), (5,), (8,), (9,), (33,), (7, 31), (3, 100), (40, 3), (2, 257), (2, 5, 6), (2049,)]


@each_dtype
@pytest.mark.parametrize("descending", [False, True])
def test_rows_that_fit_a_block_are_sorted(dtype: str, descending: bool) -> None:
    for shape in SHAPES:
        x = made(shape, dtype)
        there = from_host(x)
        for axis in range(x.ndim):
            same(gpu.sort(there, axis, descending, True), cpu.sort(x, axis, descending, True))
            same(gpu.argsort(there, axis, descending, True), cpu.argsort(x, axis, descending, True))


@each_dtype
@pytest.mark.parametrize("shape", [(4097,), (3, 4100), (20_000,)])
def test_longer_rows_are_merged_from_sorted_tiles(dtype: str, shape: tuple[int, ...]) -> None:
    x = made(shape, dtype)
    axis = x.ndim - 1
    same(gpu.argsort(from_host(x), axis, False, True), cpu.argsort(x, axis, False, True))
    same(gpu.sort(from_host(x), axis, True, True), cpu.sort(x, axis, True, True))


@each_dtype
def test_even_longer_rows_are_sorted_by_their_digits(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_RADIX_FROM", 4097)
    x = made((4097,), dtype)
    same(gpu.argsort(from_host(x), 0, False, True), cpu.argsort(x, 0, False, True))
    for found, expected in zip(gpu.topk(from_host(x), 70, 0, True), cpu.topk(x, 70, 0, True), strict=True):
        same(found, np.ascontiguousarray(expected))


def test_of_several_such_rows_each_is_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_RADIX_FROM", 4097)
    x = made((2, 4100), "int16")
    same(gpu.sort(from_host(x), 1, True, True), cpu.sort(x, 1, True, True))
    same(gpu.sort(from_host(x.T.copy()), 0, False, True), cpu.sort(x.T, 0, False, True))


@pytest.mark.parametrize("size", [2048, 2049, 4096])
def test_the_longest_rows_of_a_block_take_one_launch_on_the_gpu_alone(size: int) -> None:
    x = from_host(made((size,), "int32"))
    before, fallen = launching.launches(), fallback.counts.copy()
    gpu.sort(x, 0, False, False)
    assert launching.launches() == before + 1
    assert fallback.counts == fallen


@each_dtype
@pytest.mark.parametrize("largest", [False, True])
def test_topk_is_the_beginning_of_a_stable_sort(dtype: str, largest: bool) -> None:
    for shape, axis in [((9,), 0), ((4, 33), 1), ((33, 4), 0), ((2, 2050), 1), ((4100,), 0)]:
        x = made(shape, dtype)
        for k in (0, 1, 5, x.shape[axis]):
            for found, expected in zip(gpu.topk(from_host(x), k, axis, largest), cpu.topk(x, k, axis, largest)):
                same(found, np.ascontiguousarray(expected))


def test_operands_may_lie_in_any_way() -> None:
    x = made((6, 10), "float32")
    there = from_host(x)
    for view, expected in [
        (there.view_as((10, 6), (1, 10)), x.T),
        (there.view_as((6, 5), (10, 2)), x[:, ::2]),
        (there.view_as((6, 10), (-10, -1), 59), x[::-1, ::-1]),
        (there.view_as((4, 10), (0, 1)), np.broadcast_to(x[0], (4, 10))),
    ]:
        for axis in (0, 1):
            same(gpu.argsort(view, axis, False, True), cpu.argsort(expected, axis, False, True))
    np.testing.assert_array_equal(there.get(), x)


def test_values_keep_their_bits() -> None:
    x = np.array([0.0, np.nan, -0.0, -np.nan, 0.0], np.float64)
    x.view(np.uint64)[1] |= 77
    found = gpu.sort(from_host(x), 0, False, True).get()
    assert found.view(np.uint64).tolist() == x[[0, 2, 4, 1, 3]].view(np.uint64).tolist()


def test_two_runs_and_all_orders_of_threads_give_the_same_bits() -> None:
    import os

    import cuda_harness

    if os.environ.get("TINYGRAD_LITE_TEST_DEVICE") == "gpu":
        pytest.skip("running the CUDA kernels (no NVIDIA GPU)")
    x, weights = made((9000,), "float32"), np.random.default_rng(1).random(9000)
    bins = np.random.default_rng(2).integers(0, 50, 9000)
    runs = []
    for order in ("forward", "reverse", "1"):
        with cuda_harness.schedule(order):
            places = gpu.argsort(from_host(x), 0, False, True).get()
            sums = gpu.bincount(from_host(bins), from_host(weights), 0).get()
            counts = gpu.bincount(from_host(bins), None, 0).get()
        runs.append(places.tobytes() + sums.tobytes() + counts.tobytes())
    assert runs[0] == runs[1] == runs[2]


@pytest.mark.parametrize(
    "name, arguments", [("sort", (1, True, True)), ("argsort", (0, False, True)), ("topk", (2, 1, True))]
)
def test_complex_numbers_are_sorted_by_the_cpu(name: str, arguments: Any) -> None:
    x = np.array([[1 + 2j, 1 - 2j, 0, 1], [2, 2j, -1, 0]], np.complex64)
    before = fallback.counts[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = getattr(gpu, name)(from_host(x), *arguments)
    expected = getattr(cpu, name)(x, *arguments)
    for a, b in zip(*((r if isinstance(r, tuple) else (r,)) for r in (found, expected)), strict=True):
        np.testing.assert_array_equal(a.get(), b, strict=True)
    assert fallback.counts[name] == before + 1


# --- search -----------------------------------------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("size", [0, 1, 2, 100])
def test_searchsorted_finds_the_places_of_numpy(dtype: str, side: str, size: int) -> None:
    x1 = np.sort(made((size,), dtype))
    for shape in [(), (0,), (7, 40)]:
        x2 = np.asarray(made(shape, dtype, 1))
        same(gpu.searchsorted(from_host(x1), from_host(x2), side), cpu.searchsorted(x1, x2, side))


def test_operands_of_two_dtypes_are_promoted() -> None:
    x1, x2 = np.array([1, 2, 3], np.int32), np.array([1.5, 3.0], np.float32)
    same(gpu.searchsorted(from_host(x1), from_host(x2), "left"), np.array([1, 2]))
    same(sets.isin(from_host(x2), from_host(x1), False), np.array([False, True]))


@each_dtype
@pytest.mark.parametrize("invert", [False, True])
def test_isin_knows_what_is_there_and_nan_is_nowhere(dtype: str, invert: bool) -> None:
    for shape in [(0,), (1,), (3, 11), ()]:
        x1, x2 = made((7, 9), dtype), np.asarray(made(shape, dtype, 1))
        same(sets.isin(from_host(x1), from_host(x2), invert), cpu.isin(x1, x2, invert))


# --- counting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*DTYPES, "complex64", "complex128"])
def test_nonzero_gives_the_indices_in_row_major_order(dtype: str) -> None:
    rng = np.random.default_rng(3)
    for shape in [(0,), (1,), (7,), (2049,), (3, 5, 7), (2, 0), (4, 1, 600), (1, 2, 1, 2, 1, 2, 1, 2, 3)]:
        x = rng.integers(-1, 2, shape).astype(dtype)
        if x.size > 3 and x.dtype.kind == "f":
            x.flat[:3] = [-0.0, np.nan, 0.0]
        found = gpu.nonzero(from_host(x))
        assert len(found) == x.ndim
        for indices, expected in zip(found, np.nonzero(x), strict=True):
            same(indices, expected)


def test_nonzero_of_views_and_of_a_number() -> None:
    x = np.array([[0, 1, 2], [3, 0, 0]], np.int16)
    for indices, expected in zip(gpu.nonzero(from_host(x).view_as((3, 2), (1, 3))), np.nonzero(x.T), strict=True):
        same(indices, expected)
    with pytest.raises(ValueError, match=r"^Calling nonzero on 0d arrays is not allowed\.$"):
        gpu.nonzero(from_host(np.float32(1)))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "uint64"])
@pytest.mark.parametrize("size, highest", [(0, 1), (1, 1), (1000, 2), (3000, 200), (300, 5000)])
def test_bincount_counts(dtype: str, size: int, highest: int) -> None:
    x = (np.random.default_rng(4).integers(0, highest, size) % min(highest, 250)).astype(dtype)
    x = x if highest < 5000 or dtype in ("bool", "uint8") else x * x.dtype.type(20)  # more than shared memory holds
    for minlength in (0, 3, 6000):
        same(gpu.bincount(from_host(x), None, minlength), cpu.bincount(x, None, minlength))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_weights_are_added_in_float64_and_rounded_once(dtype: str) -> None:
    rng = np.random.default_rng(5)
    x, weights = rng.integers(0, 40, 3000), rng.random(3000).astype(dtype)
    for minlength in (0, 50):
        found, expected = gpu.bincount(from_host(x), from_host(weights), minlength), cpu.bincount(x, weights, minlength)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found.get(), expected, rtol=np.finfo(dtype).eps if dtype != "float64" else 1e-14)
    none = np.empty(0, np.int64)
    same(gpu.bincount(from_host(none), from_host(weights[:0]), 2), np.zeros(2, dtype))
    same(gpu.bincount(from_host(none), None, 0), none)


def test_negative_integers_are_refused_as_numpy_does() -> None:
    with pytest.raises(ValueError, match=r"^'list' argument must have no negative elements$"):
        gpu.bincount(from_host(np.array([1, -2, 3])), None, 0)


# --- sets -------------------------------------------------------------------------------------------------


@each_dtype
@pytest.mark.parametrize("shape", [(0,), (1,), (2, 3), (40, 30)])
def test_unique_values_their_places_and_counts(dtype: str, shape: tuple[int, ...]) -> None:
    x, fallen = made(shape, dtype), fallback.counts.copy()
    there = from_host(x)
    for found, expected in zip(sets.unique_all(there, None), cpu.unique_all(x, None), strict=True):
        same(found, expected)
    for found, expected in zip(sets.unique_counts(there), cpu.unique_counts(x), strict=True):
        same(found, expected)
    assert fallback.counts == fallen


@pytest.mark.parametrize("dtype, axis", [("float32", 0), ("float32", 1), ("complex64", None)])
def test_slices_and_complex_numbers_are_compared_by_the_cpu(dtype: str, axis: int | None) -> None:
    x = np.array([[3, 1], [3, 1], [0, 1]], dtype)
    before = fallback.counts["unique_all"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = sets.unique_all(from_host(x), axis)
        isin = sets.isin(from_host(x), from_host(x[0]), False)
        counted = sets.unique_counts(from_host(x))
    for a, b in zip(found, cpu.unique_all(x, axis), strict=True):
        np.testing.assert_array_equal(a.get(), b, strict=True)
    np.testing.assert_array_equal(isin.get(), cpu.isin(x, x[0], False))
    for a, b in zip(counted, cpu.unique_counts(x), strict=True):
        np.testing.assert_array_equal(a.get(), b, strict=True)
    assert fallback.counts["unique_all"] == before + 1
