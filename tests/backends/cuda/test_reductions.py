"""Reductions on the GPU give NumPy's results in every layout, and the same bits under every schedule of threads."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import cuda_harness
import numpy as np
import pytest

from tinygrad_lite.backends.cpu import reductions as cpu
from tinygrad_lite.backends.cuda import reduction_plans, reductions
from tinygrad_lite.backends.cuda.array import CudaArray, from_host
from tinygrad_lite.backends.cuda.types import ALL, FLOATS

_View = Callable[[np.ndarray], np.ndarray]
_EVERY = [axes for n in range(4) for axes in itertools.combinations(range(3), n)]

#: what, shape of the memory, the view of it, axes to reduce
LAYOUTS: list[tuple[str, tuple[int, ...], _View, list[tuple[int, ...]]]] = [
    ("small", (2, 3, 5), lambda x: x, _EVERY),
    ("0-d", (), lambda x: x, [()]),
    ("one", (1, 1), lambda x: x, [(0,), (0, 1), ()]),
    *[(f"{n} in a row", (3, n), lambda x: x, [(1,), (0,), (0, 1)]) for n in (1, 2, 31, 32, 33, 255, 256, 257, 1000)],
    ("misaligned", (5, 1003), lambda x: x[1:, 1:], [(1,), (0,), (0, 1)]),
    ("transposed", (7, 40, 3), lambda x: x.T, _EVERY),
    ("backwards", (6, 70), lambda x: x[::-1, ::-1], [(0,), (1,), (0, 1)]),
    ("with gaps", (6, 70), lambda x: x[::2, ::3], [(0,), (1,), (0, 1)]),
    ("repeated", (4, 1, 5), lambda x: np.broadcast_to(x, (4, 6, 5)), _EVERY),
    ("repeated within a run", (1, 8, 1), lambda x: np.broadcast_to(x, (3, 8, 40)), _EVERY),
    ("images", (5, 4, 6, 8), lambda x: x, [(0, 2, 3), (0, 1), (1,), (2,), (1, 3)]),
    ("tiny images", (5, 4, 3), lambda x: x, [(0, 2)]),
    ("columns", (300, 40), lambda x: x, [(0,)]),
    ("odd columns", (301, 39), lambda x: x, [(0,)]),
    ("middle axis", (3, 90, 20), lambda x: x, [(1,)]),
    ("overlapping", (50,), lambda x: np.lib.stride_tricks.sliding_window_view(x, 20), [(0,), (1,), (0, 1)]),
]
#: These take several blocks to a set, or several sets to a warp.
LARGE: list[tuple[str, tuple[int, ...], _View, list[tuple[int, ...]]]] = [
    ("several blocks for one set", (40_001,), lambda x: x[1:], [(0,)]),
    ("several blocks for each row", (3, 9000), lambda x: x, [(1,), (0, 1)]),
    ("several blocks for columns", (5000, 8), lambda x: x, [(0,)]),
    ("several blocks for odd columns", (5000, 3), lambda x: x, [(0,)]),
    ("several blocks for gaps", (9000, 2), lambda x: x[::2, 0], [(0,)]),
    ("runs shared by blocks", (40, 2, 400), lambda x: x, [(0, 2)]),
    ("long runs", (2, 2, 20_000), lambda x: x, [(0, 2)]),
    ("a warp for each of many rows", (2100, 70), lambda x: x, [(1,)]),
    ("a warp for runs of many rows", (3, 2100, 20), lambda x: x, [(0, 2)]),
]
FEW = [row for row in LAYOUTS if row[0] in ("small", "33 in a row", "misaligned", "transposed", "repeated", "columns")]


def _values(shape: tuple[int, ...], dtype: Any, *, around_one: bool = False) -> np.ndarray:
    """Numbers in which ties, zeros and, for integers, overflows occur."""
    rng = np.random.default_rng(math.prod(shape))
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        drawn = rng.integers(bounds.min, bounds.max, shape, dtype, endpoint=True)
        return np.asarray(np.where(rng.random(shape) < 0.3, 0, drawn), dtype)
    low, high = (0.98, 1.02) if around_one else (-2.0, 2.0)
    values = rng.uniform(low, high, shape)
    if dtype.kind == "c":
        values = values + 1j * rng.uniform(-0.02 if around_one else low, 0.02 if around_one else high, shape)
    if not around_one:
        values = np.where(rng.random(shape) < 0.3, np.round(values), values)
    return np.asarray(values, dtype)


def _up(view: np.ndarray) -> CudaArray:
    """The view of the same kind on the GPU."""
    memory: Any = view
    while memory.base is not None:
        memory = memory.base
    item, first = view.itemsize, view.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    held = from_host(memory.ravel("K"))
    return held.view_as(view.shape, tuple(s // item for s in view.strides), first // item)


def _cases(layouts: Any, dtype: Any, **how: bool) -> Any:
    for what, shape, view, choices in layouts:
        x = view(_values(shape, dtype, **how))
        for axes in choices:
            yield f"{what}, axes {axes}", x, axes


def _layouts(dtype: Any) -> Any:
    return LAYOUTS + LARGE if dtype in (np.float32, np.float16, np.int8) else FEW


def _alike(found: CudaArray, expected: Any, what: str) -> None:
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), what


def _same(found: CudaArray, expected: Any, what: str) -> None:
    _alike(found, expected, what)
    np.testing.assert_array_equal(found.get(), expected, what)


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_sums_are_those_of_float64_within_a_few_units(dtype: Any) -> None:
    for what, x, axes in _cases(_layouts(dtype), dtype):
        for keepdims in (False, True):
            found = reductions.sum(_up(x), axes, keepdims)
            like = np.asarray(cpu.sum(x, axes, keepdims))
            if dtype.kind not in "fc":
                _same(found, like, what)
                continue
            wide = x.astype(np.complex128 if dtype.kind == "c" else np.float64)
            exact, size = np.sum(wide, axes, keepdims=keepdims), np.sum(np.abs(wide), axes, keepdims=keepdims)
            _alike(found, like, what)
            summed = np.float32 if dtype == np.float16 else dtype
            bound = 8 * np.finfo(summed).eps * size + np.finfo(dtype).eps * np.abs(exact)
            assert np.all(np.abs(found.get() - exact) <= bound), what


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_products(dtype: Any) -> None:
    for what, x, axes in _cases(FEW, dtype, around_one=True):
        found, expected = reductions.prod(_up(x), axes, False), np.asarray(cpu.prod(x, axes, False))
        if dtype.kind not in "fc":
            _same(found, expected, what)
            continue
        _alike(found, expected, what)
        exact = np.prod(x.astype(np.complex128 if dtype.kind == "c" else np.float64), axes)
        tolerance = 1e-3 if dtype == np.float16 else 100 * np.finfo(dtype).eps
        np.testing.assert_allclose(found.get(), exact, rtol=tolerance, err_msg=what)


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_means(dtype: Any) -> None:
    for what, x, axes in _cases(FEW, dtype):
        with np.errstate(invalid="ignore"):  # a mean that an integer cannot hold
            expected = np.asarray(cpu.mean(x, axes, False))
        found = reductions.mean(_up(x), axes, False)
        _alike(found, expected, what)
        if dtype.kind in "fc":
            tolerance = 4 * np.finfo(dtype).eps
            np.testing.assert_allclose(found.get(), expected, tolerance, tolerance, err_msg=what)
        else:
            np.testing.assert_allclose(found.get(), expected, 1e-12, err_msg=what)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_variances_far_from_0(dtype: Any) -> None:
    for what, x, axes in _cases(LAYOUTS, dtype):
        x = x + dtype.type(30)
        for correction in (0.0, 1.0, 2.5):
            with np.errstate(divide="ignore", invalid="ignore"):
                expected = np.asarray(cpu.var(x, axes, False, correction))
            found = reductions.var(_up(x), axes, False, correction)
            _alike(found, expected, what)
            tolerance = 100 * np.finfo(dtype).eps
            np.testing.assert_allclose(found.get(), expected, tolerance, tolerance, err_msg=what)


def test_variances_of_integers_are_float64() -> None:
    x = np.arange(24, dtype=np.int16).reshape(4, 6)
    found = reductions.var(from_host(x), (1,), True, 1.0)
    _same(found, cpu.var(x, (1,), True, 1.0), "int16")


def test_complex_numbers_have_no_variance() -> None:
    with pytest.raises(TypeError, match="var is not defined for complex numbers"):
        reductions.var(from_host(np.ones(3, np.complex64)), (0,), False, 0.0)


@pytest.mark.parametrize("dtype", ALL, ids=str)
@pytest.mark.parametrize("name", ["max", "min", "any", "all", "count_nonzero", "nanmax", "nanmin"])
def test_extrema_and_counts_are_exact(name: str, dtype: Any) -> None:
    for what, x, axes in _cases(_layouts(dtype) if name in ("max", "count_nonzero") else FEW, dtype):
        for keepdims in (False, True):
            found = getattr(reductions, name)(_up(x), axes, keepdims)
            _same(found, np.asarray(getattr(cpu, name)(x, axes, keepdims)), what)


@pytest.mark.parametrize("dtype", ALL, ids=str)
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places_are_those_of_the_first_of_equals(name: str, dtype: Any) -> None:
    for what, x, axes in _cases(_layouts(dtype), dtype):
        if len(axes) not in (1, x.ndim) or not axes:
            continue
        axis = None if len(axes) == x.ndim else axes[0]
        for keepdims in (False, True):
            found = getattr(reductions, name)(_up(x), axis, keepdims)
            _same(found, np.asarray(getattr(cpu, name)(x, axis, keepdims)), what)


def _with_nan(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    x = _values(shape, dtype)
    x[np.random.default_rng(0).random(shape) < 0.02] = np.nan
    x[:, 0], x[0, :] = np.nan, np.inf
    return x


@pytest.mark.parametrize("dtype", [d for d in ALL if d.kind in "fc"], ids=str)
@pytest.mark.parametrize("name", ["max", "min", "nanmax", "nanmin", "argmax", "argmin", "any", "all", "count_nonzero"])
def test_nan(name: str, dtype: Any) -> None:
    x = _with_nan((40, 37), dtype)
    for axis in (0, 1):
        axes = axis if name.startswith("arg") else (axis,)
        with np.errstate(invalid="ignore"):
            expected = np.asarray(getattr(cpu, name)(x, axes, False))
        _same(getattr(reductions, name)(from_host(x), axes, False), expected, f"axis {axis}")


@pytest.mark.parametrize("part", [complex(1, np.nan), complex(np.nan, 1), complex(np.nan, -np.inf)], ids=str)
def test_a_complex_number_with_a_nan_in_it_is_nan(part: complex) -> None:
    x = np.array([5 + 1j, part, 7 + 0j, 7 + 2j, 7 - 2j], np.complex64)
    for name in ("max", "min", "nanmax", "nanmin"):
        _same(
            getattr(reductions, name)(from_host(x), (0,), False), np.asarray(getattr(cpu, name)(x, (0,), False)), name
        )
    for name in ("argmax", "argmin"):
        _same(getattr(reductions, name)(from_host(x), 0, False), np.asarray(getattr(cpu, name)(x, 0, False)), name)


@pytest.mark.parametrize(
    "name, nothing", [("sum", 0), ("prod", 1), ("any", False), ("all", True), ("count_nonzero", 0)]
)
@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_of_nothing(name: str, nothing: Any, dtype: Any) -> None:
    x = np.empty((2, 0, 3), dtype)
    for axes in _EVERY:
        found = getattr(reductions, name)(from_host(x), axes, True)
        _same(found, np.asarray(getattr(cpu, name)(x, axes, True)), f"axes {axes}")
        assert np.all(found.get() == nothing)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_moments_of_nothing_are_nan(dtype: Any) -> None:
    x = from_host(np.empty((2, 0), dtype))
    for found in (reductions.mean(x, (1,), False), reductions.var(x, (1,), False, 0.0)):
        assert (found.shape, found.dtype) == ((2,), dtype)
        assert np.isnan(found.get()).all()


@pytest.mark.parametrize(
    "name, text",
    [
        ("max", "zero-size array to reduction operation maximum which has no identity"),
        ("min", "zero-size array to reduction operation minimum which has no identity"),
        ("nanmax", "zero-size array to reduction operation fmax which has no identity"),
        ("nanmin", "zero-size array to reduction operation fmin which has no identity"),
        ("argmax", "attempt to get argmax of an empty sequence"),
        ("argmin", "attempt to get argmin of an empty sequence"),
    ],
)
def test_the_extremum_of_nothing_is_refused_in_numpys_words(name: str, text: str) -> None:
    x = np.empty((2, 0), np.float32)
    for function, array in ((getattr(reductions, name), from_host(x)), (getattr(cpu, name), x)):
        with pytest.raises(ValueError, match=f"^{text}$"):
            function(array, 1 if name.startswith("arg") else (1,), False)
    found = getattr(reductions, name)(from_host(x), 0 if name.startswith("arg") else (0,), False)
    assert found.shape == (0,)


@pytest.mark.parametrize("axes, error, text", [((2,), np.exceptions.AxisError, "axis 2 is out of bounds"),
                                               ((0, 0), ValueError, "duplicate value in 'axis'")])  # fmt: skip
def test_axes_that_are_not_there(axes: tuple[int, ...], error: type[Exception], text: str) -> None:
    x = np.ones((2, 3), np.float32)
    for function, array in ((reductions.sum, from_host(x)), (cpu.sum, x)):
        with pytest.raises(error, match=text):
            function(array, axes, False)


@pytest.mark.parametrize(
    "shape, axes", [((30_000,), (0,)), ((4000, 6), (0,)), ((4000, 8), (0,)), ((20, 5, 300), (0, 2))]
)
@pytest.mark.parametrize("name", ["sum", "max", "var"])
def test_bits_do_not_depend_on_the_schedule(name: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    if not cuda_harness.installed():
        pytest.skip("a GPU has no schedules to choose from")
    x = from_host(_values(shape, np.dtype(np.float32)))
    extra = (0.0,) if name == "var" else ()
    reduce = getattr(reductions, name)
    assert not cuda_harness.differing_schedules(lambda: reduce(x, axes, False, *extra).get())


def test_a_reduction_is_one_launch() -> None:
    for what, x, axes in _cases(LAYOUTS + LARGE, np.dtype(np.float32)):
        held = _up(x)
        planned = reduction_plans.plan(held.shape, held.strides, axes, False, 4, held.address & 15, True, False)
        assert (len(planned.launches), planned.order) == (1, None), what


def test_too_many_axes_for_a_layout_are_copied_first() -> None:
    x = _values((2,) * 18, np.dtype(np.int32))[tuple(slice(None) for _ in range(18))]
    axes = tuple(range(0, 18, 2))
    _same(reductions.sum(from_host(x), axes, False), cpu.sum(x, axes, False), "every other axis")
    shuffled = x.transpose(*range(0, 18, 2), *range(1, 18, 2)).swapaxes(0, 17)
    _same(reductions.sum(_up(shuffled), axes, False), cpu.sum(shuffled, axes, False), "shuffled")


def test_more_elements_than_32_bits_count_are_cut_into_launches() -> None:
    """The plans alone: nobody has the memory."""
    strides = (2**17, 1)
    rows = reduction_plans.plan((2**17, 2**17), strides, (0, 1), False, 1, 0, True, False)
    assert (len(rows.launches), rows.elements) == (1, 2**34)
    columns = reduction_plans.plan((2**17, 2**17), strides, (0,), False, 1, 0, True, False)
    assert (len(columns.launches), columns.sets) == (1, 2**17)
    kept = reduction_plans.plan((2**17, 2**17, 2), (2**18, 2, 1), (2,), False, 1, 0, True, False)
    assert [launch.start for launch in kept.launches] == [k * (2**31 - 1) for k in range(9)]
    assert [launch.first for launch in kept.launches] == [2 * launch.start for launch in kept.launches]
    gaps = reduction_plans.plan((2**32,), (3,), (0,), False, 1, 0, True, False)
    assert (gaps.order, gaps.copied) == ((0,), (2**32,))
