"""The float32 matrix products: every rung of the ladder, and what the backend's kernels can do besides multiplying."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import cuda_harness
import numpy as np
import pytest
from refusals import refuses

from tinygrad_lite.backends.cuda import gemm_ladder, gemm_plan, gemm_table, launching, memory
from tinygrad_lite.backends.cuda.array import CudaArray, empty, from_host
from tinygrad_lite.backends.cuda.gemm import column_sums, gemm, transposed
from tinygrad_lite.errors import ShapeError

EPS = float(np.finfo(np.float32).eps)
LAYOUTS = ("NN", "NT", "TN")
#: One element, one tile and a little more or less of every kernel, and skinny shapes: m, n, k.
SHAPES = [(2, 2, 1), (31, 33, 8), (32, 32, 32), (33, 31, 17), (64, 68, 100), (129, 127, 15), (4, 132, 41), (130, 3, 65)]


def draw(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(list(shape)).standard_normal(shape).astype(np.float32)


def laid_out(x: np.ndarray[Any, Any], letter: str, gap: int = 0) -> CudaArray:
    """``x`` in device memory by rows, or for "T" by columns, each beginning ``gap`` unreadable elements later."""
    lines = np.swapaxes(x, -1, -2) if letter == "T" else x
    memory = np.full((*lines.shape[:-1], lines.shape[-1] + gap), np.nan, np.float32)
    memory[..., gap:] = lines
    held = from_host(memory)
    view = held.view_as(lines.shape, held.strides, gap)
    return transposed(view) if letter == "T" else view


def agrees(found: np.ndarray[Any, Any], a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], more: int = 0) -> None:
    """The product is right up to the rounding of a sum of k products in any order, and of ``more`` operations."""
    exact = a.astype(np.float64) @ b.astype(np.float64)
    bound = (a.shape[-1] + 1 + more) * EPS * (np.abs(a).astype(np.float64) @ np.abs(b) + more)
    wrong = ~(np.abs(found - exact) <= bound)
    assert not wrong.any(), f"first wrong element {np.argwhere(wrong)[0]} of {wrong.sum()}"


def launched() -> Counter[str]:
    """How often each kernel was launched so far."""
    found: Counter[str] = Counter()
    for kernel in launching.kernels:
        found[kernel.name] += kernel.count
    return found


CHOICES = [(name, splits) for name, tile in gemm_table.TILES.items() for splits in (1, 3) if tile.wanted or splits == 1]


@pytest.fixture(params=CHOICES, ids="{0[0]} / {0[1]}".format)
def tile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Every kernel that the table can choose, with and without split k, whatever the shapes."""
    monkeypatch.setattr(gemm_table, "choose", lambda *shape: request.param)
    gemm_plan.planned.cache_clear()
    yield request.param[0]
    gemm_plan.planned.cache_clear()


# --- the ladder ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rung", [*gemm_ladder.RUNGS, *gemm_table.TILES])
def test_every_rung_multiplies(rung: str, layout: str) -> None:
    for m, n, k in [(1, 1, 1), *SHAPES]:
        a, b = draw(m, k), draw(k, n)
        for gap in (0, 1, 4):
            found = gemm_ladder.multiply(rung, laid_out(a, layout[0], gap), laid_out(b, layout[1], gap))
            agrees(found.get(), a, b)


def test_the_rungs_give_zeros_for_an_empty_k() -> None:
    for rung in (*gemm_ladder.RUNGS, *gemm_table.TILES):
        assert not gemm_ladder.multiply(rung, empty((3, 0), np.dtype("f")), empty((0, 5), np.dtype("f"))).get().any()


@pytest.mark.parametrize("name", gemm_table.TILES)
def test_a_kernel_at_the_top_is_launched_by_name_whatever_the_table_says(name: str) -> None:
    for m, n, k in [(130, 131, 67), (1, 40, 33)]:
        a, b = draw(m, k), draw(k, n)
        before = launched()
        found = gemm_ladder.multiply(name, from_host(a), from_host(b))
        assert launched() - before == {name: 1}
        agrees(found.get(), a, b)


# --- the backend's kernels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_tile_multiplies(tile: str, layout: str) -> None:
    for m, n, k in SHAPES:
        a, b = draw(m, k), draw(k, n)
        for gap in (0, 1, 4):
            found = gemm(laid_out(a, layout[0], gap), laid_out(b, layout[1], gap))
            agrees(found.get(), a, b)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_that_begin_between_multiples_of_16_bytes(tile: str, layout: str) -> None:
    for shift in (1, 2, 3):
        held, parts = [], []
        for (rows, columns), letter in zip([(36, 40), (40, 68)], layout, strict=True):
            whole = draw(rows + 4, columns + 4)
            part = whole[shift : rows + shift, :columns] if letter == "T" else whole[:rows, shift : columns + shift]
            parts.append(part)
            memory = laid_out(whole, letter)
            held.append(memory.view_as(part.shape, memory.strides, shift))
        out = from_host(draw(36 * 68 + shift)).view_as((36, 68), (68, 1), shift)
        agrees(gemm(*held, out).get(), *parts)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_tile_multiplies_batches(tile: str, layout: str) -> None:
    for left, right in [((3,), (3,)), ((3,), (1,)), ((2, 1), (3,)), ((2, 3), (2, 3)), ((1, 2), (3, 1))]:
        a, b = draw(*left, 5, 9), draw(*right, 9, 6)
        found = gemm(laid_out(a, layout[0]), laid_out(b, layout[1]))
        agrees(found.get(), a, b)


def test_batches_of_permuted_axes_are_read_where_they_lie() -> None:
    """Attention's heads: (batch, time, heads, size) as (batch, heads, time, size)."""
    q, k = draw(2, 7, 3, 8), draw(2, 5, 3, 8)
    views = [x.view_as(*permuted(x, (0, 2, 1, 3))) for x in (from_host(q), from_host(k))]
    before, asked = launched(), memory.pool.active
    scores = gemm(views[0], transposed(views[1]))
    assert launched() - before == {"gemm_sliced": 1}
    assert memory.pool.active - asked == memory.round_up(scores.nbytes)
    agrees(scores.get(), q.transpose(0, 2, 1, 3), k.transpose(0, 2, 3, 1))


def permuted(x: CudaArray, axes: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(x.shape[i] for i in axes), tuple(x.strides[i] for i in axes)


def test_a_batch_of_rows_and_one_matrix_are_one_product() -> None:
    x, w = draw(3, 4, 6), draw(5, 6)
    before = launched()
    y = gemm(from_host(x), transposed(from_host(w)))
    assert launched() - before == {"gemm_sliced": 1}
    agrees(y.get(), x, w.T)


def test_more_matrices_than_a_grid_has_take_several_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemm_plan, "_MOST_MATRICES", 3)
    gemm_plan.batches.cache_clear()
    gemm_plan.planned.cache_clear()
    for left, right in [((7,), (7,)), ((4, 2), (1, 2)), ((2, 4), (2, 1)), ((2, 2, 2), (2, 1, 2))]:
        a, b = draw(*left, 2, 3), draw(*right, 3, 2)
        agrees(gemm(from_host(a), from_host(b)).get(), a, b)
    gemm_plan.batches.cache_clear()
    gemm_plan.planned.cache_clear()


def test_operands_without_neighbours_are_copied_first() -> None:
    a, b = draw(9, 14), draw(14, 11)
    for first, second in [
        ((1, 2), (1, 1)),
        ((1, 1), (2, 2)),
        ((2, 2), (1, 2)),
        ((-1, -1), (1, -1)),
        ((-1, 1), (-2, 1)),
    ]:
        left, right = a[:: first[0], :: first[1]], b[:: second[0], :: second[1]]
        k = min(left.shape[1], right.shape[0])
        left, right = left[:, :k], right[:k]
        agrees(gemm(strided(a, left), strided(b, right)).get(), left, right)


def strided(whole: np.ndarray[Any, Any], view: np.ndarray[Any, Any]) -> CudaArray:
    """The view that NumPy has of ``whole``, of its copy in device memory."""
    first = (view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]) // whole.itemsize
    return from_host(whole).view_as(view.shape, tuple(s // view.itemsize for s in view.strides), first)


def test_both_operands_by_columns() -> None:
    a, b = draw(6, 40), draw(40, 9)
    agrees(gemm(laid_out(a, "T"), laid_out(b, "T")).get(), a, b)


def test_repeated_rows_and_columns_are_read_where_they_lie() -> None:
    row, matrix = draw(9), draw(9, 6)
    repeated = from_host(row).view_as((5, 9), (0, 1))
    agrees(gemm(repeated, from_host(matrix)).get(), np.broadcast_to(row, (5, 9)), matrix)
    agrees(gemm(from_host(matrix.T), transposed(repeated)).get(), matrix.T, np.broadcast_to(row, (5, 9)).T)


def test_the_result_goes_where_it_shall() -> None:
    a, b, old = draw(5, 7), draw(7, 6), draw(5, 6)
    for accumulate in (False, True):
        target = from_host(old)
        assert gemm(from_host(a), from_host(b), target, accumulate=accumulate) is target
        agrees(target.get() - old * accumulate, a, b, more=8)
        held = from_host(np.repeat(old, 2, axis=1))
        apart = held.view_as((5, 6), (12, 2))
        assert gemm(from_host(a), from_host(b), apart, accumulate=accumulate) is apart
        agrees(apart.get() - old * accumulate, a, b, more=8)
        np.testing.assert_array_equal(held.get()[:, 1::2], old)


def test_an_axis_of_2_to_the_31_is_refused() -> None:
    a, b = from_host(draw(1)).view_as((2, 2**31), (0, 0)), from_host(draw(1)).view_as((2**31, 2), (0, 0))
    refuses(
        ShapeError,
        lambda: gemm(a, b),
        "matmul needs axes of at most 2147483392 elements\n"
        "  x1    shape (2, 2147483648), float32, cuda\n"
        "  x2    shape (2147483648, 2), float32, cuda\n"
        "  hint  multiply in parts",
    )


# --- the epilogue -------------------------------------------------------------------------------------------

ACTIVATED = {
    None: lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
}
SLOPES = {
    "relu": lambda g, y: np.where(y <= 0, 0, g),
    "tanh": lambda g, y: g * (1 - y * y),
    "sigmoid": lambda g, y: g * (y * (1 - y)),
}


@pytest.mark.parametrize("activation", ACTIVATED)
def test_bias_and_activation_of_a_linear_layer(tile: str, activation: str | None) -> None:
    for m, n, k in [(33, 31, 17), (5, 8, 0), (3, 1, 40), (1, 5, 40), (66, 68, 9)]:
        x, w, bias = draw(m, k), draw(n, k), draw(n)
        found = gemm(from_host(x), transposed(from_host(w)), bias=from_host(bias), activation=activation)
        expected = ACTIVATED[activation](x.astype(np.float64) @ w.T + bias)
        np.testing.assert_allclose(found.get(), expected, rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize("slope", SLOPES)
def test_the_slope_of_a_saved_activation(tile: str, slope: str) -> None:
    for m, n, k in [(33, 31, 17), (5, 8, 0), (3, 1, 40), (66, 68, 9)]:
        dy, w, y = draw(m, k), draw(k, n), draw(m, n)
        found = gemm(from_host(dy), from_host(w), slope=slope, saved=from_host(y))
        np.testing.assert_allclose(found.get(), SLOPES[slope](dy.astype(np.float64) @ w, y), rtol=1e-5, atol=1e-5)


def test_epilogues_in_layouts_that_they_were_not_made_for() -> None:
    x, w, y = draw(6, 9), draw(9, 5), draw(6, 5)
    for a, b in [("N", "N"), ("T", "N"), ("T", "T")]:
        found = gemm(laid_out(x, a), laid_out(w, b), activation="tanh").get()
        np.testing.assert_allclose(found, np.tanh(x.astype(np.float64) @ w), rtol=1e-5, atol=1e-6)
        found = gemm(laid_out(x, a), laid_out(w, b), slope="relu", saved=laid_out(y, "T")).get()
        np.testing.assert_allclose(found, np.where(y <= 0, 0, x.astype(np.float64) @ w), rtol=1e-5, atol=1e-5)


def test_relu_lets_nan_pass_and_its_slope_stops_infinities() -> None:
    x, w = np.array([[np.nan, 1], [-1, 0]], np.float32), np.eye(2, dtype=np.float32)
    found = gemm(from_host(x), transposed(from_host(w)), activation="relu").get()
    np.testing.assert_array_equal(found, [[np.nan, np.nan], [0, 0]])
    g, y = np.full((2, 2), np.inf, np.float32), np.array([[-1, 0], [1, np.nan]], np.float32)
    found = gemm(from_host(g), from_host(np.ones((2, 2), np.float32)), slope="relu", saved=from_host(y)).get()
    np.testing.assert_array_equal(found, [[0, 0], [np.inf, np.inf]])


def test_sigmoid_keeps_its_tails() -> None:
    z = np.array([[-1000, -90, -50, 0, 50, 1000]], np.float32).T
    one = from_host(np.ones((1, 1), np.float32))
    found = gemm(from_host(z), transposed(one), activation="sigmoid", bias=from_host(np.zeros(1, np.float32))).get()
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(found, 1 / (1 + np.exp(-z.astype(np.float64))), rtol=1e-6, atol=1e-44)


@pytest.mark.parametrize("accumulate", [False, True])
def test_the_weight_gradient_brings_that_of_the_bias_along(tile: str, accumulate: bool) -> None:
    for batch, out, into in [(17, 33, 31), (40, 66, 130), (0, 3, 2), (65, 130, 5)]:
        dy, x, old, old_sums = draw(batch, out), draw(batch, into), draw(out, into), draw(out)
        gradient, sums = from_host(old), from_host(old_sums)
        before = launched()
        gemm(transposed(from_host(dy)), from_host(x), gradient, sums=sums, accumulate=accumulate)
        assert launched() - before == {tile: 1}
        agrees(gradient.get() - old * accumulate, dy.T, x, more=8)
        exact = dy.sum(0, dtype=np.float64) + old_sums * accumulate
        bound = (batch + 2) * EPS * (np.abs(dy).sum(0) + np.abs(old_sums))
        assert (np.abs(sums.get() - exact) <= bound).all()


def test_sums_come_also_where_the_kernel_has_none() -> None:
    for shape, other in [((7, 1), (7, 5)), ((7, 5), (7, 1)), ((7, 4), (7, 0))]:
        dy, x = draw(*shape), draw(*other)
        sums = empty((shape[1],), np.dtype(np.float32))
        gemm(transposed(from_host(dy)), from_host(x), sums=sums)
        np.testing.assert_allclose(sums.get(), dy.sum(0, dtype=np.float64), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "complex64"])
def test_sums_of_columns(dtype: str) -> None:
    for m, n in [(0, 3), (1, 1), (700, 33), (5, 0), (31, 257)]:
        x = (draw(m, n) * 10).astype(dtype)
        exact = x.astype(np.complex128).sum(0)
        old = np.ones(n, dtype)
        tolerance = 0.1 * np.sqrt(m) if dtype == "float16" else 1e-3
        if dtype == "int8":
            exact, tolerance = x.sum(0, dtype="int8").astype("int64"), 0
        for held in (from_host(x), transposed(from_host(np.ascontiguousarray(x.T)))):
            np.testing.assert_allclose(column_sums(held).get(), exact, rtol=1e-3, atol=tolerance)
            target = column_sums(held, from_host(old), accumulate=True)
            np.testing.assert_allclose(target.get().astype(exact.dtype), exact + 1, rtol=1e-3, atol=tolerance)


# --- the same bits every time -------------------------------------------------------------------------------


def test_every_schedule_gives_the_same_bits(tile: str) -> None:
    dy, x, w = draw(70, 66), draw(70, 40), draw(66, 40)
    sums = empty((66,), np.dtype(np.float32))

    def results() -> list[bytes]:
        y = gemm(from_host(x), transposed(from_host(w)), activation="tanh")
        dw = gemm(transposed(from_host(dy)), from_host(x), sums=sums)
        dx = gemm(from_host(dy), from_host(w), slope="relu", saved=from_host(x))
        return [a.get().tobytes() for a in (y, dw, sums, dx)]

    expected = results()
    assert results() == expected
    if cuda_harness.installed():
        for schedule in cuda_harness.SCHEDULES:
            with cuda_harness.schedule(schedule):
                assert results() == expected, schedule


def test_a_product_leaves_no_trace_in_the_next(tile: str) -> None:
    """The counters with which blocks find the last of them are zero again after every product."""
    a, b = draw(40, 90), draw(90, 40)
    first = gemm(from_host(a), from_host(b)).get()
    for _ in range(3):
        np.testing.assert_array_equal(gemm(from_host(a), from_host(b)).get(), first)


# --- the table ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape, chosen",
    [
        (("NN", 4096, 4096, 4096, 1), ("gemm_128x128", 1)),
        (("TN", 512, 784, 128, 1), ("gemm_64x64", 1)),
        (("NT", 128, 512, 784, 1), ("gemm_sliced", 4)),
        (("NT", 128, 10, 512, 1), ("gemm_sliced", 8)),
        (("TN", 10, 512, 128, 1), ("gemm_sliced", 2)),
        (("NN", 128, 512, 10, 1), ("gemm_sliced", 1)),
        (("NN", 64, 64, 64, 66), ("gemm_64x64", 2)),
        (("NN", 2, 2, 0, 1), ("gemm_sliced", 1)),
    ],
    ids=str,
)
def test_the_table_chooses(shape: tuple[Any, ...], chosen: tuple[str, int]) -> None:
    assert gemm_table.choose(*shape) == chosen


def test_products_that_are_split_have_few_enough_tiles_for_the_counters() -> None:
    assert max(tile.wanted for tile in gemm_table.TILES.values()) <= memory.COUNTERS
    assert all(any(row.layout == name and row.tiles == 0 for row in gemm_table.TABLE) for name in LAYOUTS)
