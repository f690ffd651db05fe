"""Gradient clipping on the GPU: the CPU's norms, nothing waited for, one launch for each array."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import optim
from tinygrad_lite.backends.cpu import clipping as cpu
from tinygrad_lite.backends.cuda import clipping, launching, memory
from tinygrad_lite.backends.cuda.array import CudaArray, from_host
from tinygrad_lite.errors import ArgumentError, DeviceError

FLOATS = ["float16", "float32", "float64"]
POWERS = [1.0, 2.0, 3.0, 0.5, math.inf]


def draw(size: int, seed: int, dtype: str) -> np.ndarray[Any, Any]:
    return np.random.default_rng((seed, size)).standard_normal(size).astype(dtype)


def placed(x: np.ndarray[Any, Any], skipped: int = 0) -> CudaArray:
    whole = from_host(np.concatenate([np.full(skipped, np.nan, x.dtype), x]))
    return whole.view_as(x.shape, whole.strides, skipped)


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("skipped", [0, 1])
def test_a_norm_is_the_cpus(p: float, skipped: int) -> None:
    for dtype, sizes in itertools.product(FLOATS, [(0,), (1,), (7, 0, 1000), (5000,), (31, 257)]):
        arrays = [draw(size, k, dtype) for k, size in enumerate(sizes)]
        before = launching.launches()
        norm = clipping.norm([placed(a, skipped) for a in arrays], p)
        count = launching.launches() - before
        used = sum(size > 0 for size in sizes)
        assert count == used * (2 if p in (3.0, 0.5) or (p == 2 and dtype == "float64") else 1)
        assert (norm.shape, norm.dtype) == ((), np.float64)
        expected = cpu.norm([a.astype(np.float64) for a in arrays], p)
        assert norm.item() == pytest.approx(float(expected), rel=1e-12)


def test_a_norm_of_arrays_of_several_dtypes() -> None:
    arrays = [draw(100, k, dtype) for k, dtype in enumerate(FLOATS)]
    expected = math.sqrt(sum(float((a.astype(np.float64) ** 2).sum()) for a in arrays))
    assert clipping.norm([placed(a) for a in arrays], 2.0).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize(
    "values",
    [[0.0, 0.0], [1e300, 1e300], [1e-300, 1e-300], [5e-324], [1.0, math.inf], [math.nan, math.inf], [1.0, math.nan]],
)
def test_norms_at_the_ends_of_the_range(p: float, values: list[float]) -> None:
    expected = float(cpu.norm([np.array(values)], p))
    assert clipping.norm([from_host(np.array(values))], p).item() == pytest.approx(expected, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("most", [0.0, 0.7, 1e9])
@pytest.mark.parametrize("size", [0, 1, 7, 257, 1000])
def test_limiting_the_norm(dtype: str, most: float, size: int) -> None:
    x = draw(size, 0, dtype)
    norm = cpu.norm([x], 2.0)
    for skipped, in_place in itertools.product((0, 1), (True, False)):
        there = placed(x, skipped)
        out = there if in_place else placed(np.zeros_like(x), skipped)
        clipping.limiter(from_host(norm), most)(there, out)
        wanted, limit = x.copy(), cpu.limiter(norm, most)
        if limit is not None:
            limit(x, wanted)
        np.testing.assert_array_equal(out.get(), wanted)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("bound", [0.0, 0.7, 1e9])
def test_limiting_the_values(dtype: str, bound: float) -> None:
    x = draw(1001, 0, dtype)
    x[:3] = math.nan, math.inf, -math.inf
    for skipped in (0, 1):
        there, out = placed(x, skipped), placed(np.zeros_like(x))
        with np.errstate(over="ignore"):
            clipping.limiter_of_values(bound)(there, out)
            clipping.limiter_of_values(bound)(there, there)
            wanted = np.empty_like(x)
            cpu.limiter_of_values(bound)(x, wanted)
        np.testing.assert_array_equal(out.get(), wanted)
        np.testing.assert_array_equal(there.get(), wanted)


# --- the public functions -------------------------------------------------------------------------------


def leaves(device: str) -> list[tgl.Tensor]:
    """Parameters, two of them in an arena, with gradients."""
    made = [tgl.Tensor(draw(n, n, "float32"), device=device, requires_grad=True) for n in (5, 40, 9)]
    optim.SGD(made[:2], lr=0.1)
    for k, x in enumerate(made):
        x.grad = tgl.Tensor(draw(x.size, 7 + k, "float32"), device=device)
    return made


@pytest.mark.parametrize("norm_type", POWERS)
@pytest.mark.parametrize("max_norm", [0.5, 1e6, math.inf])
def test_clip_grad_norm_does_what_it_does_on_the_cpu(
    norm_type: float, max_norm: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = leaves("cuda"), leaves("cpu")
    waits: list[int] = []
    monkeypatch.setattr(memory, "download", lambda *args: waits.append(1))
    norm = optim.clip_grad_norm_(ours, max_norm, norm_type)
    monkeypatch.undo()
    assert not waits
    expected = optim.clip_grad_norm_(theirs, max_norm, norm_type)
    assert (norm.device, norm.dtype, norm.shape) == ("cuda", expected.dtype, ())
    assert norm.item() == pytest.approx(expected.item(), rel=2e-6)
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.grad.tolist(), y.grad.tolist(), rtol=1e-6)
    after = optim.get_total_norm([x.grad for x in ours], norm_type)
    assert after.item() == pytest.approx(min(expected.item(), max_norm), rel=1e-5)


def test_clip_grad_value_does_what_it_does_on_the_cpu() -> None:
    ours, theirs = leaves("cuda"), leaves("cpu")
    optim.clip_grad_value_(ours, 0.3)
    optim.clip_grad_value_(theirs, 0.3)
    for x, y in zip(ours, theirs, strict=True):
        assert x.grad.tolist() == y.grad.tolist()


def test_what_a_leaf_in_no_arena_held_before_keeps_its_gradient() -> None:
    x = leaves("cuda")[2]
    before = x.grad.detach()
    values = before.tolist()
    optim.clip_grad_value_([x], 0.1)
    assert before.tolist() == values
    assert max(map(abs, x.grad.tolist())) == np.float32(0.1)


def test_a_norm_that_is_not_finite_is_refused_if_asked_for() -> None:
    x = leaves("cuda")[0]
    x.grad = tgl.Tensor([1.0, 2.0, math.inf, 0.0, 0.0], device="cuda")
    text = (
        "clip_grad_norm_ needs a finite norm with error_if_nonfinite=True, but it is inf\n"
        "  hint  look for the first NaN or inf in the loss, or lower the learning rate"
    )
    refuses(ArgumentError, lambda: optim.clip_grad_norm_([x], 1.0, error_if_nonfinite=True), text)


def test_gradients_on_several_devices_are_refused() -> None:
    both = [leaves("cuda")[0], leaves("cpu")[0]]
    text = (
        "{} needs gradients on one device, but got some on several\n"
        "  hint  clip the parameters of each device by themselves"
    )
    refuses(DeviceError, lambda: optim.clip_grad_norm_(both, 1.0), text.format("clip_grad_norm_"))
    refuses(DeviceError, lambda: optim.clip_grad_value_(both, 1.0), text.format("clip_grad_value_"))
    grads = [x.grad for x in both]
    refuses(DeviceError, lambda: optim.get_total_norm(grads), text.format("get_total_norm"))
