"""Scans on the GPU give what one step after the other gives, along any axis of any layout."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import cuda_harness
import numpy as np
import pytest

from tinygrad_lite.backends.cpu import scans as cpu
from tinygrad_lite.backends.cuda import scans
from tinygrad_lite.backends.cuda.array import CudaArray, from_host
from tinygrad_lite.backends.cuda.types import ALL, FLOATS

_View = Callable[[np.ndarray], np.ndarray]

#: what, shape of the memory, the view of it
LAYOUTS: list[tuple[str, tuple[int, ...], _View]] = [
    ("one", (1,), lambda x: x),
    *[(f"{n} in a row", (n,), lambda x: x) for n in (2, 31, 32, 33, 255, 256, 257, 1000)],
    ("three axes", (2, 3, 5), lambda x: x),
    ("short rows", (70, 4), lambda x: x),
    ("rows and columns", (40, 33), lambda x: x),
    ("transposed", (33, 40, 2), lambda x: x.T),
    ("backwards", (20, 40), lambda x: x[::-1, ::-1]),
    ("with gaps", (20, 70), lambda x: x[::3, ::2]),
    ("repeated", (1, 20, 1), lambda x: np.broadcast_to(x, (3, 20, 4))),
    ("several tiles", (2, 2500), lambda x: x),
]
LARGE: list[tuple[str, tuple[int, ...], _View]] = [
    ("segments of a row", (9001,), lambda x: x),
    ("segments of rows", (2, 9001), lambda x: x[:, ::-1]),
    ("segments of columns", (200, 520), lambda x: x),
    ("segments of rows with gaps", (9001, 2), lambda x: x),
    ("few columns", (700, 3), lambda x: x),
]
FEW = [row for row in LAYOUTS if row[0] in ("33 in a row", "three axes", "rows and columns", "with gaps")]


def _values(shape: tuple[int, ...], dtype: Any, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    rng = np.random.default_rng(math.prod(shape))
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        return rng.integers(bounds.min, bounds.max, shape, dtype, endpoint=True)
    values = rng.uniform(low, high, shape)
    return np.asarray(values + (0.1j * rng.uniform(-1, 1, shape) if dtype.kind == "c" else 0), dtype)


def _up(view: np.ndarray) -> CudaArray:
    """The view of the same kind on the GPU."""
    memory: Any = view
    while memory.base is not None:
        memory = memory.base
    item, first = view.itemsize, view.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    held = from_host(memory.ravel("K"))
    return held.view_as(view.shape, tuple(s // item for s in view.strides), first // item)


def _cases(dtype: Any, *bounds: float) -> Any:
    for what, shape, view in LAYOUTS + LARGE if dtype in (np.float32, np.int8) else FEW:
        x = view(_values(shape, dtype, *bounds))
        for axis in range(x.ndim):
            yield f"{what}, axis {axis}", x, axis


def _check(found: CudaArray, expected: np.ndarray, exact: np.ndarray, size: np.ndarray | float, what: str) -> None:
    """Dtype and shape as expected, and values as exact within some units in the last place of ``size``."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), what
    if expected.dtype.kind not in "fc":
        np.testing.assert_array_equal(found.get(), expected, what)
    else:
        bound = 64 * np.finfo(expected.dtype).eps * size
        assert np.all(np.abs(found.get() - exact) <= bound), what


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype({"f": np.float64, "c": np.complex128}.get(x.dtype.kind, x.dtype))


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_running_sums(dtype: Any) -> None:
    for what, x, axis in _cases(dtype):
        expected, exact = cpu.cumulative_sum(x, axis), np.cumsum(_wide(x), axis)
        size = np.cumsum(np.abs(_wide(x)), axis) if dtype.kind in "fc" else 0.0
        _check(scans.cumulative_sum(_up(x), axis), expected, exact, size, what)


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_running_products(dtype: Any) -> None:
    for what, x, axis in _cases(dtype, 0.98, 1.02):
        expected, exact = cpu.cumulative_prod(x, axis), np.cumprod(_wide(x), axis)
        _check(scans.cumulative_prod(_up(x), axis), expected, exact, np.abs(exact), what)


@pytest.mark.parametrize("dtype", ALL, ids=str)
@pytest.mark.parametrize("name", ["cumulative_max", "cumulative_min"])
def test_running_extrema_are_exact(name: str, dtype: Any) -> None:
    for what, x, axis in _cases(dtype):
        found, expected = getattr(scans, name)(_up(x), axis), getattr(cpu, name)(x, axis)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), what
        np.testing.assert_array_equal(found.get(), expected, what)


@pytest.mark.parametrize("dtype", [d for d in ALL if d.kind in "fc"], ids=str)
@pytest.mark.parametrize("shape", [(5000,), (600, 20)])
def test_running_extrema_are_nan_from_the_first_nan_on(dtype: Any, shape: tuple[int, ...]) -> None:
    x = _values(shape, dtype)
    x[shape[0] // 2] = np.nan
    x[3] = np.inf
    for name in ("cumulative_max", "cumulative_min"):
        with np.errstate(invalid="ignore"):
            expected = getattr(cpu, name)(x, 0)
        np.testing.assert_array_equal(getattr(scans, name)(from_host(x), 0).get(), expected)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_logcumsumexp(dtype: Any) -> None:
    for what, x, axis in _cases(dtype, -30.0, 30.0):
        expected = cpu.logcumsumexp(x, axis)
        _check(scans.logcumsumexp(_up(x), axis), expected, np.logaddexp.accumulate(_wide(x), axis), 30.0, what)


@pytest.mark.parametrize("x", [[-np.inf, -np.inf, 1.0, -np.inf, 700.0], [np.inf, 1.0, np.inf], [1.0, np.nan, 2.0]])
def test_logcumsumexp_of_infinities(x: list[float]) -> None:
    held = np.array(x * 700)  # several tiles
    with np.errstate(invalid="ignore"):
        expected = cpu.logcumsumexp(held, 0)
    np.testing.assert_allclose(scans.logcumsumexp(from_host(held), 0).get(), expected, 1e-14)


def test_logcumsumexp_of_integers() -> None:
    x = np.arange(5)
    found = scans.logcumsumexp(from_host(x), 0)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.get(), cpu.logcumsumexp(x, 0), 1e-15)
    with pytest.raises(TypeError, match=r"^logcumsumexp is not defined for int8$"):
        scans.logcumsumexp(from_host(x.astype(np.int8)), 0)


def _steps(a: np.ndarray, b: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    """The recurrence as it is written, in the dtype of b."""
    a, b = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    if reverse:
        a, b = a[::-1], b[::-1]
    h = b.copy()
    with np.errstate(over="ignore"):  # integers wrap around
        for t in range(1, len(b)):
            h[t] = (a[t] * h[t - 1] + b[t]).astype(b.dtype)
    return np.moveaxis(h[::-1] if reverse else h, 0, axis)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_the_recurrence(dtype: Any, reverse: bool) -> None:
    for what, b, axis in _cases(dtype):
        a = np.flip(_values(b.shape, dtype, -1.0, 1.0), axis)
        exact = _steps(_wide(a), _wide(b), axis, reverse)
        size = _steps(np.abs(_wide(a)), np.abs(_wide(b)), axis, reverse) if dtype.kind in "fc" else 0.0
        _check(scans.linear_scan(_up(a), _up(b), axis, reverse), exact.astype(dtype), exact, size, what)


def test_the_recurrence_broadcasts_and_promotes() -> None:
    a, b = np.linspace(0.1, 0.9, 12, dtype=np.float32).reshape(1, 12), np.arange(4.0).reshape(4, 1)
    for axis in (0, 1):
        found = scans.linear_scan(from_host(a), from_host(b), axis, False)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found.get(), cpu.linear_scan(a, b, axis, False), 1e-14)


#: Products of the elements in between leave the range of numbers, although no result does.
_EXTREME: list[tuple[str, Callable[[int], np.ndarray], Callable[[int], np.ndarray]]] = [
    ("a explodes while h is 0", lambda n: np.full(n, 1e30), lambda n: np.zeros(n)),
    ("a vanishes", lambda n: np.full(n, 1e-30), lambda n: np.ones(n)),
    ("a explodes after a 0", lambda n: np.where(np.arange(n) % 3 == 2, 0, 1e25), lambda n: np.full(n, 1e-20)),
    ("h overflows and stays", lambda n: np.full(n, 2.0), lambda n: np.ones(n)),
    ("h is inf", lambda n: np.full(n, 0.5), lambda n: np.where(np.arange(n) == n // 3, np.inf, 1)),
    ("h is NaN", lambda n: np.full(n, 0.5), lambda n: np.where(np.arange(n) == n // 3, np.nan, 1)),
    ("the first a does not count", lambda n: np.where(np.arange(n) == 0, np.inf, 0.5), lambda n: np.ones(n)),
]


@pytest.mark.parametrize("what, a, b", _EXTREME, ids=[row[0] for row in _EXTREME])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
@pytest.mark.parametrize("shape", [(100,), (5000,), (200, 520)])
def test_what_explodes_in_between_does_no_harm(what: str, a: Any, b: Any, dtype: Any, shape: tuple[int, ...]) -> None:
    both = [np.broadcast_to(v(shape[0]).reshape(-1, *[1] * (len(shape) - 1)), shape).astype(dtype) for v in (a, b)]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        expected = _steps(*both, 0, False)
    for schedule in ("forward", "reverse"):
        with cuda_harness.schedule(schedule) if cuda_harness.installed() else nullcontext():
            found = scans.linear_scan(*map(from_host, both), 0, False).get()
        np.testing.assert_allclose(found, expected, 1e-5 if dtype == np.float32 else 1e-13, err_msg=what)


@pytest.mark.parametrize("shape", [(100,), (5000,), (200, 520)])
@pytest.mark.parametrize("first, rest", [(0.0, 1e30), (1e-30, 1e10), (1.0, 1e30), (np.nan, 2.0), (np.inf, 0.5)])
def test_products_that_explode_in_between(first: float, rest: float, shape: tuple[int, ...]) -> None:
    x = np.full(shape, rest, np.float32)
    x[0] = first
    x[7] = 1e-30
    with np.errstate(over="ignore", invalid="ignore"):
        expected = cpu.cumulative_prod(x, 0)
    np.testing.assert_allclose(scans.cumulative_prod(from_host(x), 0).get(), expected, 1e-5)


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_of_nothing(dtype: Any) -> None:
    x = np.empty((2, 0, 3), dtype)
    for axis in range(3):
        for name in ("cumulative_sum", "cumulative_prod", "cumulative_max", "cumulative_min"):
            found, expected = getattr(scans, name)(from_host(x), axis), getattr(cpu, name)(x, axis)
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape), name


def test_axes_that_are_not_there() -> None:
    for function, array in ((scans.cumulative_sum, from_host), (cpu.cumulative_sum, np.asarray)):
        with pytest.raises(np.exceptions.AxisError, match="axis 2 is out of bounds"):
            function(array(np.ones((2, 3))), 2)
        with pytest.raises(TypeError, match="cannot accumulate on a scalar"):
            function(array(np.float32(1)), 0)


@pytest.mark.parametrize("shape", [(9000,), (200, 520)])
def test_bits_do_not_depend_on_the_schedule(shape: tuple[int, ...]) -> None:
    if not cuda_harness.installed():
        pytest.skip("a GPU has no schedules to choose from")
    a, b = (from_host(_values(shape, np.dtype(np.float32), -1.0, high)) for high in (0.9, 1.0))
    assert not cuda_harness.differing_schedules(lambda: scans.cumulative_sum(b, 0).get())
    assert not cuda_harness.differing_schedules(lambda: scans.linear_scan(a, b, 0, True).get())
