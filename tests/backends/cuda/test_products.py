"""Products in the array namespace agree with NumPy's in every dtype, shape and stride."""

from __future__ import annotations

from typing import Any

import cuda_harness
import numpy as np
import pytest
from refusals import refuses

from tinygrad_lite.backends.cuda import gemm_plan, launching, products
from tinygrad_lite.backends.cuda.array import CudaArray, from_host
from tinygrad_lite.backends.cuda.gemm import dots, transposed
from tinygrad_lite.backends.cuda.types import ALL
from tinygrad_lite.errors import DTypeError, ShapeError

DTYPES = [dtype.name for dtype in ALL]
Array = np.ndarray[Any, Any]


def draw(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Array:
    """Random elements; integers fill their type, so that products of them wrap around."""
    r, t = np.random.default_rng([seed, *shape]), np.dtype(dtype)
    if t.kind == "b":
        return r.random(shape) < 0.2
    if t.kind in "iu":
        info = np.iinfo(t)
        return r.integers(info.min, info.max, shape, dtype=t, endpoint=True)
    if t.kind == "c":
        return (r.standard_normal(shape) + 1j * r.standard_normal(shape)).astype(t)
    return r.standard_normal(shape).astype(t)


def agrees(found: CudaArray, expected: Any, size: Any, k: int) -> None:
    """Equal for integers; else within the rounding of sums of k products whose absolute values add up to ``size``."""
    expected = np.asarray(expected)
    result = found.get()
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    if expected.dtype.kind in "biu":
        np.testing.assert_array_equal(result, expected)
        return
    eps = float(np.finfo(expected.dtype).eps)
    sums = 2.0**-23 if expected.dtype == np.float16 else eps  # what they are computed in; NumPy's own have errors, too
    bound = 4 * (k + 2) * sums * np.asarray(size) + eps * np.abs(expected.astype(np.complex128))
    assert (np.abs(result.astype(np.complex128) - expected.astype(np.complex128)) <= bound).all()


def magnitude(x: Array) -> Array:
    """Absolute values in double precision; nothing for integers, which are exact."""
    return np.abs(x.astype(np.complex128 if x.dtype.kind == "c" else np.float64))


MATMUL = [
    ((3, 4), (4, 5)),
    ((65, 17), (17, 63)),
    ((33, 40), (40, 1)),
    ((1, 40), (40, 33)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((300,), (300,)),
    ((7,), (2, 7, 3)),
    ((2, 3, 7), (7,)),
    ((2, 1, 3, 4), (5, 4, 2)),
    ((2, 3, 1, 5), (2, 1, 5, 1)),
    ((5, 3, 4), (4, 7)),
    ((2, 3, 2, 3, 4), (2, 1, 2, 4, 3)),
    ((0, 4), (4, 5)),
    ((3, 0), (0, 5)),
    ((0,), (0,)),
    ((2, 0, 3, 4), (4, 5)),
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_matmul_agrees_with_numpy(dtype: str) -> None:
    for left, right in MATMUL:
        a, b = draw(left, dtype), draw(right, dtype, 1)
        with np.errstate(all="ignore"):
            expected, size = np.matmul(a, b), np.matmul(magnitude(a), magnitude(b))
        k = left[-1]
        agrees(products.matmul(from_host(a), from_host(b)), expected, size, k)
        if len(left) > 1 and len(right) > 1:
            turned = (transposed(from_host(np.swapaxes(x, -1, -2))) for x in (a, b))
            agrees(products.matmul(*turned), expected, size, k)
        agrees(products.matmul(spread(a), spread(b)), expected, size, k)


def spread(x: Array) -> CudaArray:
    """``x`` as every second element of an array, from the last to the first."""
    held = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
    every_second = tuple(slice(None, None, -2) for _ in x.shape)
    held[every_second] = x
    view = held[every_second]
    first = (view.__array_interface__["data"][0] - held.__array_interface__["data"][0]) // x.itemsize if x.ndim else 0
    return from_host(held).view_as(x.shape, tuple(s // x.itemsize for s in np.asarray(view).strides), first)


def test_operands_of_two_dtypes_are_promoted() -> None:
    for left, right in [("float32", "float64"), ("int8", "int32"), ("float32", "complex64"), ("bool", "int16")]:
        a, b = draw((3, 4), left), draw((4, 2), right)
        expected = np.matmul(a, b)
        agrees(products.matmul(from_host(a), from_host(b)), expected, np.matmul(magnitude(a), magnitude(b)), 4)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "complex64", "bool"])
def test_long_and_short_sums_of_vectors(dtype: str) -> None:
    """By a warp, by a block and by several blocks; by rows and by columns; in packs and one by one."""
    for rows in (1, 3, 40):
        for k in (1, 31, 33, 2047, 20000):
            if rows * k > 100_000:
                continue
            a, x = draw((rows, k), dtype), draw((k,), dtype, 1)
            a[:, ::3] = x[::3] = 0  # fewer terms: half-precision sums stay finite, logical ones open
            expected, size = np.matmul(a, x), np.matmul(magnitude(a), magnitude(x))
            for matrix in (from_host(a), transposed(from_host(np.ascontiguousarray(a.T)))):
                agrees(products.matmul(matrix, from_host(x)), expected, size, k)
                agrees(products.matmul(from_host(x), transposed(matrix)), expected, size, k)
            shifted = from_host(np.concatenate([x[:1], x])).view_as((k,), (1,), 1)
            agrees(products.matmul(from_host(a), shifted), expected, size, k)


@pytest.mark.parametrize("dtype", DTYPES)
def test_vecdot_agrees_with_numpy(dtype: str) -> None:
    for left, right in [((4,), (4,)), ((3, 1, 70), (5, 70)), ((0,), (0,)), ((3, 0), (0,)), ((2, 3, 2, 9), (3, 1, 9))]:
        a, b = draw(left, dtype), draw(right, dtype, 1)
        expected, size = np.vecdot(a, b), np.vecdot(magnitude(a), magnitude(b))
        agrees(products.vecdot(from_host(a), from_host(b)), expected, size, left[-1])
        agrees(products.vecdot(spread(a), spread(b)), expected, size, left[-1])
    if dtype.startswith("complex"):
        a, b = draw((3, 40), dtype), draw((3, 40), dtype, 1)
        size = np.vecdot(magnitude(a), magnitude(b))
        agrees(dots(from_host(a), from_host(b), conjugated=False), (a * b).sum(-1), size, 40)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "bool"])
def test_cross_agrees_with_numpy(dtype: str) -> None:
    for left, right, axis in [((3,), (3,), -1), ((5, 3), (3,), -1), ((4, 3, 1), (3, 6), -2), ((0, 3), (0, 3), -1)]:
        a, b = draw(left, dtype), draw(right, dtype, 1)
        shape = np.broadcast_shapes(left, right)
        wide = [np.broadcast_to(x, shape) for x in (a, b)]
        expected = np.cross(*wide, axis=axis)
        size = np.full(shape, np.max(magnitude(a), initial=0) * np.max(magnitude(b), initial=0) * 2)
        agrees(products.cross(from_host(a), from_host(b), axis), expected, size, 8 if dtype != "float16" else 2**13)
        agrees(products.cross(spread(a), spread(b), axis), expected, size, 8 if dtype != "float16" else 2**13)


def test_cross_of_bools_is_refused() -> None:
    x = from_host(np.ones(3, np.bool_))
    refuses(
        DTypeError,
        lambda: products.cross(x, x, -1),
        "cross needs numbers, which can be subtracted\n  x1  shape (3,), bool, cuda\n  x2  shape (3,), bool, cuda",
    )


def test_vecdot_along_an_axis_of_2_to_the_31_is_refused() -> None:
    x = from_host(np.ones(1, np.float32)).view_as((2**31,), (0,))
    refuses(
        ShapeError,
        lambda: products.vecdot(x, x),
        "vecdot needs axes of at most 2147483392 elements, but got 2147483648",
    )


# --- einsum -------------------------------------------------------------------------------------------------

SIZES = dict(zip("abcdefgijk", (2, 3, 4, 5, 2, 3, 2, 6, 7, 8), strict=True))
EINSUM = [
    "ij,jk->ik",
    "ij,jk->ki",
    "ji,jk->ik",
    "ji,kj->ik",
    "ij,j->i",
    "i,ij->j",
    "i,i->",
    "i,j->ij",
    "ij,ij->",
    "ij,ij->ij",
    "ij,ij->j",
    "ij,ij->i",
    "aij,ajk->aik",
    "aij,akj->aki",
    "abij,cbjk->iack",
    "abij,abjk->abik",
    "abij,bajk->abik",
    "abci,iabd->cd",
    "ai,bi,ci->abc",
    "ij,jk,kd->id",
    "ab,c,d->abcd",
    "ia,ib->ab",
    "ij,k->i",
    "ij,kab->jb",
    "ij->ji",
    "ij->i",
    "ij->",
    "abc->ca",
    ",i->i",
    ",->",
]


@pytest.mark.parametrize("subscripts", EINSUM)
def test_contract_agrees_with_numpy(subscripts: str) -> None:
    left, _, output = subscripts.partition("->")
    inputs = left.split(",")
    for dtype in ("float32", "float64", "int8", "bool", "complex64"):
        arrays = [draw(tuple(SIZES[c] for c in labels), dtype, i) for i, labels in enumerate(inputs)]
        expected = np.einsum(subscripts, *arrays)
        size = np.einsum(subscripts, *map(magnitude, arrays))
        agrees(products.contract([from_host(x) for x in arrays], inputs, output), expected, size, 100)
        agrees(products.contract([spread(x) for x in arrays], inputs, output), expected, size, 100)


@pytest.mark.parametrize(
    "subscripts, shapes",
    [
        ("ij,jk->ik", [(3, 1), (4, 5)]),
        ("ij,jk->ik", [(3, 4), (1, 5)]),
        ("ij,jk->ik", [(1, 1), (1, 1)]),
        ("aij,ajk->aik", [(1, 2, 3), (4, 3, 2)]),
        ("ij,ij->ij", [(3, 1), (1, 4)]),
        ("ij,jk->ik", [(3, 0), (0, 5)]),
        ("ij,jk->ik", [(0, 4), (4, 5)]),
        ("ii->i", [(4, 4)]),
        ("ii->", [(4, 4)]),
        ("iji->j", [(4, 3, 4)]),
        ("ii,ij->j", [(3, 3), (3, 2)]),
    ],
)
def test_contract_broadcasts_sizes_of_one_and_takes_diagonals(subscripts: str, shapes: list[tuple[int, ...]]) -> None:
    left, _, output = subscripts.partition("->")
    arrays = [draw(shape, "float32", i) for i, shape in enumerate(shapes)]
    expected, size = np.einsum(subscripts, *arrays), np.einsum(subscripts, *map(magnitude, arrays))
    agrees(products.contract([from_host(x) for x in arrays], left.split(","), output), expected, size, 10)


def test_contract_of_one_array_is_a_copy() -> None:
    x = from_host(draw((3, 4), "float32"))
    assert products.contract([x], ["ij"], "ij").block is not x.block


def test_a_contraction_of_matrices_copies_nothing() -> None:
    """Attention's scores, out of (batch, time, heads, size), are one launch."""
    q, k = (from_host(draw((2, 5, 3, 8), "float32", i)) for i in range(2))
    before = launching.launches()
    products.contract([q, k], ["aibd", "ajbd"], "abij")
    assert launching.launches() - before == 1


# --- the same bits every time -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float64", "complex128", "int16"])
def test_every_schedule_gives_the_same_bits(dtype: str) -> None:
    a, b, v = draw((70, 300), dtype), draw((300, 70), dtype, 1), draw((300,), dtype, 2)

    def results() -> list[bytes]:
        x, y, z = map(from_host, (a, b, v))
        found = [products.matmul(x, y), products.matmul(x, z), products.matmul(z, y), products.vecdot(x, z)]
        return [r.get().tobytes() for r in found]

    expected = results()
    assert results() == expected
    if cuda_harness.installed():
        for schedule in cuda_harness.SCHEDULES:
            with cuda_harness.schedule(schedule):
                assert results() == expected, schedule


def test_many_matrices_times_vectors_take_several_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemm_plan, "_MOST_MATRICES", 3)
    for cache in (gemm_plan.batches, gemm_plan.planned, gemm_plan.vectors):
        cache.cache_clear()
    a, b = draw((7, 2, 4), "float64"), draw((7, 4, 1), "float64")
    agrees(products.matmul(from_host(a), from_host(b)), np.matmul(a, b), np.matmul(magnitude(a), magnitude(b)), 4)
    a, b = draw((2, 5, 3, 4), "int64"), draw((2, 1, 4, 3), "int64")
    agrees(products.matmul(from_host(a), from_host(b)), np.matmul(a, b), 0, 4)
    for cache in (gemm_plan.batches, gemm_plan.planned, gemm_plan.vectors):
        cache.cache_clear()
