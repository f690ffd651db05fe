"""The kernels of the fused rows against the rows' own text in float64: lengths around every boundary, every dtype."""

from __future__ import annotations

import itertools
import math
from typing import Any

import cuda_harness
import numpy as np
import pytest
from operations.rounding import assert_within_rounding
from refusals import refuses

from tinygrad_lite.autograd.rows import Row
from tinygrad_lite.autograd.rules import activations, network
from tinygrad_lite.backends.cpu import namespace as cpu
from tinygrad_lite.backends.cpu.random import keep_mask
from tinygrad_lite.backends.cuda import (
    batch_normalization,
    launching,
    overrides,
    random,
    softmax,
)
from tinygrad_lite.backends.cuda.array import CudaArray, from_host, zeros
from tinygrad_lite.errors import ArgumentError

FLOATS = ["float16", "float32", "float64"]
OVERRIDES = overrides.namespace.overrides


def draw(shape: tuple[int, ...], seed: int = 0, size: float = 3.0) -> np.ndarray[Any, Any]:
    return size * np.random.default_rng((seed, *shape)).standard_normal(shape)


def placed(x: np.ndarray[Any, Any], dtype: Any, skipped: int = 0) -> CudaArray:
    """On the GPU in ``dtype``, ``skipped`` elements behind a multiple of 256 bytes."""
    whole = from_host(np.concatenate([np.full(skipped, np.nan), np.ravel(x)]).astype(dtype))
    return whole.view_as(x.shape, whole.strides, skipped) if x.ndim == 1 else whole.view_as(x.shape, rows(x), skipped)


def rows(x: np.ndarray[Any, Any]) -> tuple[int, ...]:
    return tuple(math.prod(x.shape[k + 1 :]) for k in range(x.ndim))


def exact(x: CudaArray) -> np.ndarray[Any, Any]:
    return x.get().astype(np.float64) if x.dtype.kind == "f" else x.get()


def text(row: Row, *arguments: Any) -> Any:
    """What the row's own forward gives."""
    with np.errstate(all="ignore"):
        return row.forward(cpu, *arguments)  # type: ignore[misc]


def launched(function: Any) -> tuple[Any, int]:
    """What a function returns, and how many kernels it launched."""
    before = launching.launches()
    result = function()
    return result, launching.launches() - before


# --- softmax --------------------------------------------------------------------------------------------

#: (shape, axis): rows shorter and longer than a warp, a block, and what registers hold; columns; the middle.
SHAPES = [
    *(((3, n), 1) for n in (1, 2, 3, 5, 10, 31, 32, 33, 127, 128, 129, 256, 1000, 4097)),
    *(((2, n), 0) for n in (1, 7, 33, 300)),
    ((40, 3), 0),
    ((300, 33), 0),
    ((2, 17, 5), 1),
    ((3, 4, 130), 1),
    ((5,), 0),
    ((0, 4), 1),
    ((4, 3, 0), 1),
    ((200, 10), 1),
    ((1, 33000), 1),
]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
@pytest.mark.parametrize("skipped", [0, 1])
def test_softmax_along_any_axis(name: str, shape: tuple[int, ...], axis: int, skipped: int) -> None:
    row = network.SOFTMAX if name == "softmax" else network.LOG_SOFTMAX
    pair = OVERRIDES[name]
    for dtype in FLOATS if math.prod(shape) < 10000 else ["float32"]:
        x, g = placed(draw(shape), dtype, skipped), placed(draw(shape, 1), dtype, skipped)
        (y, saved), count = launched(lambda x=x: pair.forward((True,), x, axis))
        assert count == (1 if x.size else 0)
        length = shape[axis] + 8
        expected = text(row, exact(x), axis)
        model = {"length": length, "dtype": dtype}
        assert_within_rounding(y.get(), expected, f"{name} in {dtype}", size=10.0 * (name != "softmax"), **model)
        ((gx,), count) = launched(lambda saved=saved, g=g: pair.backward(saved, g, (True,), [None]))
        assert count == (1 if x.size else 0)
        wanted = row.rules["x"].vjp(cpu, exact(g), exact(y), axis)
        assert_within_rounding(gx.get(), wanted, f"the gradient of {name} in {dtype}", size=length, **model)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape", [(6, 5), (6, 40), (6, 4)], ids=str)
@pytest.mark.parametrize("axis", [0, 1])
def test_softmax_of_what_is_not_finite(name: str, shape: tuple[int, int], axis: int) -> None:
    x = draw(shape)
    x[0, 1], x[1, 2], x[2, :], x[3, 0], x[4, :3] = math.inf, math.nan, -math.inf, -math.inf, (math.inf, 1, -math.inf)
    row = network.SOFTMAX if name == "softmax" else network.LOG_SOFTMAX
    for values in (x, x[3:4], 1000 * draw(shape)):
        y, _ = OVERRIDES[name].forward((), placed(values, "float64"), axis)
        assert_within_rounding(y.get(), text(row, values, axis), name, length=20, size=3000.0)


# --- cross-entropy --------------------------------------------------------------------------------------

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def loss_text(x: np.ndarray[Any, Any], target: Any, reduction: str, ignored: int | None) -> Any:
    return text(network.SOFTMAX_CROSS_ENTROPY, x, target, reduction, ignored)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("shape", [(1, 1), (7, 10), (128, 10), (300, 3), (5, 64), (3, 1000), (2, 1027)], ids=str)
@pytest.mark.parametrize("skipped", [0, 1])
def test_cross_entropy(shape: tuple[int, int], reduction: str, skipped: int) -> None:
    pair = OVERRIDES["softmax_cross_entropy"]
    target = np.random.default_rng(0).integers(0, shape[1], shape[0])
    target[: shape[0] // 3] = -7
    for dtype, ignored in itertools.product(FLOATS, (None, -7)):
        classes = np.where(target < 0, 0, target) if ignored is None else target
        x = placed(draw(shape), dtype, skipped)
        at = from_host(classes)
        (loss, saved), count = launched(
            lambda x=x, at=at, ignored=ignored: pair.forward((True, False), x, at, reduction, ignored)
        )
        assert count == 1
        assert (loss.shape, loss.dtype) == (shape[:1] if reduction == "none" else (), dtype)
        assert loss.get().shape == loss.shape
        model = {"length": sum(shape), "dtype": dtype, "size": 20.0}
        assert_within_rounding(loss.get(), loss_text(exact(x), classes, reduction, ignored), f"in {dtype}", **model)
        g = placed(draw(loss.shape, 3), dtype)
        ((gx, nothing), count) = launched(lambda saved=saved, g=g: pair.backward(saved, g, (True, False), [None, None]))
        assert (count, nothing) == (1, None)
        wanted = network.SOFTMAX_CROSS_ENTROPY.rules["logits"].vjp(cpu, exact(g), exact(x), classes, reduction, ignored)
        assert_within_rounding(gx.get(), wanted, f"gradient in {dtype}", **model)


@pytest.mark.parametrize("kind", INTEGERS)
def test_class_numbers_of_every_integer_type_and_stride(kind: str) -> None:
    pair = OVERRIDES["softmax_cross_entropy"]
    target = np.array([3, 0, 2, 1, 3, 2], kind)
    x = placed(draw((3, 4)), "float32")
    held = from_host(target)
    view = held.view_as((3,), (-2,), 5)
    loss, _ = pair.forward((), x, view, "none", None)
    expected = loss_text(exact(x), target[::-2].astype(np.int64), "none", None)
    assert_within_rounding(loss.get(), expected, kind, length=20)


@pytest.mark.parametrize(("bad", "kind"), [(-1, "int8"), (4, "int64"), (2**64 - 1, "uint64"), (200, "uint8")])
def test_a_class_that_does_not_exist_is_an_error_when_the_processor_waits(bad: int, kind: str) -> None:
    pair = OVERRIDES["softmax_cross_entropy"]
    target = from_host(np.array([1, bad, 0], kind))
    loss, _ = pair.forward((), placed(draw((3, 4)), "float32"), target, "sum", None)
    shown = bad - 2**64 if kind == "uint64" else bad
    text = (
        f"cross_entropy needs class numbers from 0 to 3, but met {shown}\n"
        "  hint  the GPU met it some calls ago; TINYGRAD_LITE_CUDA_SYNC=1 raises at the very call"
    )
    refuses(ArgumentError, lambda: loss.get(), text)
    assert np.isfinite(loss.get())


def test_cross_entropy_of_no_samples() -> None:
    pair = OVERRIDES["softmax_cross_entropy"]
    x, target = zeros((0, 4), np.dtype("float32")), zeros((0,), np.dtype("int64"))
    for reduction, shape in (("none", (0,)), ("sum", ())):
        loss, saved = pair.forward((True, False), x, target, reduction, None)
        np.testing.assert_array_equal(loss.get(), np.zeros(shape))
        assert pair.backward(saved, zeros(shape, x.dtype), (True, False), [None, None])[0].shape == (0, 4)


def test_a_mean_over_samples_that_are_all_ignored_is_nan() -> None:
    target = from_host(np.full(5, -100))
    loss, _ = OVERRIDES["softmax_cross_entropy"].forward((), placed(draw((5, 3)), "float32"), target, "mean", -100)
    assert np.isnan(loss.get())


# --- gelu and dropout -----------------------------------------------------------------------------------

SIZES = [0, 1, 7, 8, 9, 31, 255, 257, 1000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("skipped", [0, 1])
def test_gelu(size: int, skipped: int) -> None:
    for dtype in FLOATS:
        x, g = placed(draw((size,)), dtype, skipped), placed(draw((size,), 1), dtype, skipped)
        (y, saved), count = launched(lambda x=x: OVERRIDES["gelu"].forward((True,), x))
        assert count == (1 if size else 0)
        assert_within_rounding(y.get(), text(activations.GELU, exact(x)), dtype, length=8)
        (gx,) = OVERRIDES["gelu"].backward(saved, g, (True,), [None])
        wanted = activations.GELU.rules["x"].vjp(cpu, exact(g), exact(x))
        assert_within_rounding(gx.get(), wanted, dtype, length=16, size=10.0)


def test_gelu_far_from_0() -> None:
    x = placed(np.array([-math.inf, -1e30, -38.0, -9.0, 0.0, 9.0, 1e30, math.inf, math.nan]), "float32")
    y, saved = OVERRIDES["gelu"].forward((True,), x)
    values = y.get()
    np.testing.assert_array_equal(values[[4, 6, 7]], np.array([0, 1e30, math.inf], np.float32))
    assert values[3] == pytest.approx(-9 * 1.1285884059538406e-19, rel=1e-5)  # Phi(-9), where 1 + erf has no digit left
    (gx,) = OVERRIDES["gelu"].backward(saved, placed(np.ones(9), "float32"), (True,), [None])
    np.testing.assert_array_equal(gx.get()[[0, 1, 6, 7]], [0, 0, 1, 1])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("skipped", [0, 3])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.75, 1.0])
def test_dropout_draws_the_cpus_mask(size: int, skipped: int, keep: float) -> None:
    seed, counter = 12345678901234567, 2**63 + 5
    for dtype in FLOATS:
        x, g = placed(draw((size,)), dtype, skipped), placed(draw((size,), 1), dtype, skipped)
        ((y, mask), saved), count = launched(lambda x=x: OVERRIDES["dropout"].forward((True,), x, keep, seed, counter))
        assert count == (1 if size else 0)
        expected = keep_mask(seed, counter, (size,), keep)
        np.testing.assert_array_equal(mask.get(), expected)
        scale = np.dtype(dtype).type(1 / keep) if keep else 0
        np.testing.assert_array_equal(y.get(), np.where(expected, x.get() * scale, 0).astype(dtype))
        (gx,) = OVERRIDES["dropout"].backward(saved, [g, None], (True,), [None])
        np.testing.assert_array_equal(gx.get(), np.where(expected, g.get() * scale, 0).astype(dtype))


def test_a_dropped_inf_is_gone() -> None:
    x = placed(np.array([math.inf, -math.inf, math.nan] * 10), "float32")
    (y, mask), _ = OVERRIDES["dropout"].forward((), x, 0.5, 1, 2)
    dropped = ~mask.get()
    assert dropped.any()
    assert not y.get()[dropped].any()


def test_a_counter_in_device_memory_is_added_to_that_of_the_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    there = from_host(np.array([40], np.uint64))
    monkeypatch.setattr(random, "advance", there.address)
    (_, mask), _ = OVERRIDES["dropout"].forward((), placed(draw((100,)), "float32"), 0.5, 7, 2)
    np.testing.assert_array_equal(mask.get(), keep_mask(7, 42, (100,), 0.5))


# --- batch norm -----------------------------------------------------------------------------------------

IMAGES = [
    (5, 3),
    (1, 4),
    (40, 33),
    (300, 2),
    (2, 3, 4),
    (3, 2, 5, 7),
    (4, 3, 8, 8),
    (2, 64, 1),
    (700, 1),
    (3, 0),
    (9, 8),
]


@pytest.mark.parametrize("shape", IMAGES, ids=str)
@pytest.mark.parametrize("affine", [(True, True), (True, False), (False, True), (False, False)], ids=str)
def test_batch_norm(shape: tuple[int, ...], affine: tuple[bool, bool]) -> None:
    pair, count = OVERRIDES["batch_norm"], math.prod(shape) // max(shape[1], 1)
    for dtype, skipped in itertools.product(FLOATS, (0, 1)):
        x = placed(draw(shape) + 5.0, dtype, skipped)
        weight, bias = (placed(draw(shape[1:2], 5 + k), dtype) if wanted else None for k, wanted in enumerate(affine))
        operands = [None if a is None else exact(a) for a in (x, weight, bias)]
        outputs, saved = pair.forward((True, True, True), x, weight, bias, 1e-3)
        expected = text(network.BATCH_NORM, *operands, 1e-3)
        model = {"length": 2 * count + 10, "size": 40.0, "dtype": dtype}
        for y, wanted in zip(outputs, expected, strict=True):
            assert y.dtype == dtype
            assert_within_rounding(y.get(), wanted, f"{shape} in {dtype}", **model)
        cotangents = [placed(draw(y.shape, 8 + k), dtype) for k, y in enumerate(outputs)]
        exact_g = [exact(g) for g in cotangents]
        for present in [(0, 1, 2), (0,), (1,), (2,)]:
            g = [cotangents[k] if k in present else None for k in range(3)]
            needs = (True, affine[0], affine[1])
            found = pair.backward(saved, g, needs, [None] * 3)
            wanted = network.BATCH_NORM.joint.vjp(
                cpu, [exact_g[k] if k in present else None for k in range(3)], needs, *operands[:2], *expected[1:]
            )
            model["size"] = 100.0 * max(count, 4) / (1.0 if count > 4 else 0.01)
            for gx, right in zip(found, wanted, strict=True):
                assert (gx is None) == (right is None)
                if gx is not None:
                    assert_within_rounding(gx.get(), right, f"gradient, {present} in {dtype}", **model)


def test_batch_norm_of_values_far_from_0_loses_no_digits() -> None:
    x = placed(1e4 + draw((257, 3), size=1.0), "float32")
    (_, mean, rstd), _ = OVERRIDES["batch_norm"].forward((), x, None, None, 0.0)
    reference = exact(x)
    np.testing.assert_allclose(mean.get(), reference.mean(0), rtol=2e-7)
    np.testing.assert_allclose(rstd.get(), 1 / reference.std(0), rtol=2e-4)


def test_few_channels_are_shared_by_several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (600, 2)
    x, g = placed(draw(shape), "float32"), placed(draw(shape, 1), "float32")
    plan = batch_normalization._planned(x.dtype, shape, True)
    assert plan.grid[1] > 1
    outputs, saved = OVERRIDES["batch_norm"].forward((True,) * 3, x, None, None, 1e-5)
    for y, wanted in zip(outputs, text(network.BATCH_NORM, exact(x), None, None, 1e-5), strict=True):
        assert_within_rounding(y.get(), wanted, "shared", length=30, size=10.0)
    (gx, _, _), count = launched(
        lambda: OVERRIDES["batch_norm"].backward(saved, [g, None, None], (True, False, False), [None] * 3)
    )
    assert count == 2
    mean, rstd = (exact(y) for y in outputs[1:])
    wanted = network.BATCH_NORM.joint.vjp(cpu, [exact(g), None, None], (True, False, False), exact(x), None, mean, rstd)
    assert_within_rounding(gx.get(), wanted[0], "shared", length=60, size=10.0)


# --- all ------------------------------------------------------------------------------------------------


def _every_kernel() -> list[np.ndarray[Any, Any]]:
    """Results of calls in which threads and blocks share sums."""
    found: list[CudaArray] = []
    x, g = placed(draw((300, 70)), "float32"), placed(draw((300, 70), 1), "float32")
    for name, axis in itertools.product(("softmax", "log_softmax"), (0, 1)):
        y, saved = OVERRIDES[name].forward((True,), x, axis)
        found += [y, *OVERRIDES[name].backward(saved, g, (True,), [None])]
    target = from_host(np.arange(300) % 70)
    loss, saved = OVERRIDES["softmax_cross_entropy"].forward((True, False), x, target, "mean", 3)
    found += [loss, OVERRIDES["softmax_cross_entropy"].backward(saved, loss, (True, False), [None, None])[0]]
    for shape in ((300, 70), (700, 3, 10)):
        image = x if shape == x.shape else placed(draw(shape), "float32")
        outputs, saved = OVERRIDES["batch_norm"].forward((True,) * 3, image, None, None, 1e-5)
        found += [*outputs, OVERRIDES["batch_norm"].backward(saved, [image, None, None], (True,) * 3, [None] * 3)[0]]
    return [y.get() for y in found]


def test_no_result_depends_on_the_order_in_which_threads_and_blocks_run() -> None:
    reference = _every_kernel()
    schedules = cuda_harness.SCHEDULES if cuda_harness.installed() else ("forward",)
    for order in schedules:
        with cuda_harness.schedule(order):
            for a, b in zip(reference, _every_kernel(), strict=True):
                np.testing.assert_array_equal(a, b)


def test_where_rows_are_many_each_thread_takes_several_packs_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax, "_CROWD", 1)
    softmax._softmax_plan.cache_clear()
    softmax._loss_plan.cache_clear()
    for n, width in ((128, 8), (64, 8), (8, 2), (33, 32), (20, 8), (31, 32)):
        x = placed(draw((9, n)), "float32")
        assert softmax._softmax_plan(x.dtype, x.shape, 1, True, 0)[3][2] == width
        y, _ = OVERRIDES["softmax"].forward((), x, 1)
        assert_within_rounding(y.get(), text(network.SOFTMAX, exact(x), 1), str(n), length=n)
        target = np.arange(9) % n
        loss, _ = OVERRIDES["softmax_cross_entropy"].forward((), x, from_host(target), "none", None)
        assert_within_rounding(loss.get(), loss_text(exact(x), target, "none", None), str(n), length=n)
    softmax._softmax_plan.cache_clear()
    softmax._loss_plan.cache_clear()
