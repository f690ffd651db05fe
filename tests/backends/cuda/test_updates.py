"""The optimisers' kernels against the CPU's updates, from arguments and from a clock in device memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import cuda_harness
import numpy as np
import pytest

from tinygrad_lite.backends.cpu import updates as cpu
from tinygrad_lite.backends.cuda import launching, updates
from tinygrad_lite.backends.cuda.array import CudaArray, from_host

FLOATS = ["float16", "float32", "float64"]
SIZES = [0, 1, 3, 8, 31, 257, 1000]

#: name -> the settings, and the number of state arrays; None is one that is left out.
SGD = {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False}
ADAGRAD = {"lr": 0.1, "eps": 1e-10, "weight_decay": 0.0, "maximize": False}
RMSPROP = {"lr": 0.01, "alpha": 0.9, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0, "maximize": False}
ADAM = {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.0, "decoupled": False, "maximize": False}

CASES: dict[str, tuple[str, tuple[bool, ...], dict[str, Any]]] = {
    "sgd": ("sgd", (False,), SGD),
    "sgd, decay": ("sgd", (False,), {**SGD, "weight_decay": 0.1, "maximize": True}),
    "sgd, momentum": ("sgd", (True,), {**SGD, "momentum": 0.9}),
    "sgd, momentum and all": ("sgd", (True,), {**SGD, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1}),
    "sgd, nesterov": ("sgd", (True,), {**SGD, "momentum": 0.9, "nesterov": True, "maximize": True}),
    "adagrad": ("adagrad", (True,), ADAGRAD),
    "adagrad, decay": ("adagrad", (True,), {**ADAGRAD, "weight_decay": 0.1, "maximize": True, "eps": 0.0}),
    "rmsprop": ("rmsprop", (True, False, False), RMSPROP),
    "rmsprop, centered": ("rmsprop", (True, True, False), {**RMSPROP, "weight_decay": 0.1}),
    "rmsprop, momentum": ("rmsprop", (True, False, True), {**RMSPROP, "momentum": 0.9, "maximize": True}),
    "rmsprop, all": ("rmsprop", (True, True, True), {**RMSPROP, "momentum": 0.9, "eps": 0.0}),
    "adam": ("adam", (True, True), ADAM),
    "adam, decay": ("adam", (True, True), {**ADAM, "weight_decay": 0.1, "maximize": True}),
    "adamw": ("adam", (True, True), {**ADAM, "weight_decay": 0.1, "decoupled": True}),
    "adam, eps 0": ("adam", (True, True), {**ADAM, "eps": 0.0}),
}


def draw(size: int, seed: int, dtype: str) -> np.ndarray[Any, Any]:
    values = np.random.default_rng((seed, size)).standard_normal(size)
    values[::7] = 0
    return values.astype(dtype)


def placed(x: np.ndarray[Any, Any], skipped: int = 0) -> CudaArray:
    whole = from_host(np.concatenate([np.full(skipped, np.nan, x.dtype), x]))
    return whole.view_as(x.shape, whole.strides, skipped)


def extra(name: str, step: int) -> dict[str, Any]:
    return {"first": step == 1} if name == "sgd" else {"step": step} if name == "adam" else {}


def run(case: str, size: int, dtype: str, skipped: int, steps: int = 3) -> None:
    """A few steps on both devices; what they hold must be the same but for rounding."""
    name, kept, settings = CASES[case]
    p, gradients = draw(size, 0, dtype), [draw(size, 1 + k, dtype) for k in range(steps)]
    state = [np.zeros(size, dtype) if keep else None for keep in kept]
    there = placed(p, skipped)
    states = [None if s is None else placed(s, skipped) for s in state]
    for step, g in enumerate(gradients, 1):
        with np.errstate(all="ignore"):
            getattr(cpu, name)(p, g, *state, **settings, **extra(name, step))
            before = launching.launches()
            getattr(updates, name)(there, placed(g, skipped), *states, **settings, **extra(name, step))
        assert launching.launches() - before == (1 if size else 0)
    tolerance = 40 * float(np.finfo(dtype).eps)
    for mine, theirs in zip((there, *states), (p, *state), strict=True):
        if mine is not None:
            found, expected = mine.get().astype(np.float64), np.asarray(theirs, np.float64)
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, err_msg=case)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("skipped", [0, 1])
def test_an_update_is_the_cpus(case: str, skipped: int) -> None:
    for size, dtype in itertools.product(SIZES, FLOATS):
        run(case, size, dtype, skipped)


@pytest.mark.parametrize("case", [c for c in CASES if "eps 0" in c or c in ("adam", "adagrad")])
def test_a_weight_without_gradients_stays_where_it_is(case: str) -> None:
    name, kept, settings = CASES[case]
    settings = {**settings, "eps": 0.0, "weight_decay": 0.0}
    p, g = placed(np.ones(9, np.float32)), placed(np.zeros(9, np.float32))
    getattr(updates, name)(p, g, *[placed(np.zeros(9, np.float32)) for _ in kept], **settings, **extra(name, 1))
    np.testing.assert_array_equal(p.get(), 1)


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_steady_gradient_has_no_negative_variance(dtype: str) -> None:
    c = np.full(9, 0.3, dtype)
    below = np.nextafter(c * c, np.zeros_like(c))
    p = placed(np.zeros(9, dtype))
    settings = {**RMSPROP, "alpha": 1.0, "eps": 1.0}
    updates.rmsprop(p, placed(c), placed(below), placed(c), None, **settings)
    np.testing.assert_allclose(p.get(), -0.01 * c, rtol=1e-2)


def test_no_element_outside_is_touched() -> None:
    whole = from_host(np.full(100, 7, np.float32))
    p = whole.view_as((37,), (1,), 16)
    updates.sgd(p, placed(np.ones(37, np.float32)), None, **SGD, first=False)
    changed = whole.get() != 7
    np.testing.assert_array_equal(np.flatnonzero(changed), np.arange(16, 53))


def test_a_weight_at_infinity_survives_no_decay() -> None:
    p = placed(np.full(4, np.inf, np.float32))
    updates.sgd(p, placed(np.ones(4, np.float32)), None, **SGD, first=False)
    np.testing.assert_array_equal(p.get(), np.inf)


@pytest.mark.parametrize("case", ["sgd, momentum", "adagrad", "rmsprop", "adam"])
def test_large_arrays_are_updated_in_pieces(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "_PIECE", 64)
    name, kept, settings = CASES[case]
    p, g = draw(200, 0, "float32"), draw(200, 1, "float32")
    states = [placed(np.zeros(200, np.float32)) for _ in kept if _]
    states += [None] * (len(kept) - len(states))
    there = placed(p)
    before = launching.launches()
    getattr(updates, name)(there, placed(g), *states, **settings, **extra(name, 1))
    assert launching.launches() - before == 4
    state = [None if s is None else np.zeros(200, np.float32) for s in states]
    getattr(cpu, name)(p, g, *state, **settings, **extra(name, 1))
    np.testing.assert_allclose(there.get(), p, rtol=1e-5, atol=1e-6)


# --- from a clock -----------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Iterator[Any]:
    """Registers a clock for the parameters of a call."""

    def register(p: CudaArray, lr: float, decay: float, steps: int) -> CudaArray:
        made = from_host(np.frombuffer(updates.CLOCK.pack(lr, decay, steps, 0, 0), np.uint8))
        updates.clocks[p.address] = made.address
        return made

    yield register
    updates.clocks.clear()


def steps_of(clock: CudaArray) -> tuple[int, int]:
    """How many steps it counted, and the counter of blocks."""
    _, _, steps, finished, _ = updates.CLOCK.unpack(clock.get().tobytes())
    return steps, finished


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", [5, 1000, 3000])
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_clock_gives_the_same_steps_as_arguments(case: str, size: int, dtype: str, clock: Any) -> None:
    name, kept, settings = CASES[case]
    lr, decay = settings["lr"], 0.5 if name == "adagrad" else 0.0
    by_argument, by_clock = (
        [placed(draw(size, 0, dtype)), *[placed(np.zeros(size, dtype)) if keep else None for keep in kept]]
        for _ in range(2)
    )
    ticking = clock(by_clock[0], lr, decay, 4)
    for step in (5, 6, 7):
        g = placed(draw(size, step, dtype))
        right = {**settings, **extra(name, step), "lr": lr / (1 + (step - 1) * decay)}
        frozen = {**settings, **extra(name, 5), "lr": 1e3}  # what a captured launch would repeat
        if name == "sgd":
            right["first"] = frozen["first"] = False
        getattr(updates, name)(by_argument[0], g, *by_argument[1:], **right)
        getattr(updates, name)(by_clock[0], g, *by_clock[1:], **({**frozen, "step": 1} if name == "adam" else frozen))
        assert steps_of(ticking) == (step, 0)
    for mine, theirs in zip(by_clock, by_argument, strict=True):
        if mine is not None:
            tolerance = 4 * float(np.finfo(dtype).eps)
            np.testing.assert_allclose(
                mine.get().astype(float), theirs.get().astype(float), rtol=tolerance, atol=tolerance, err_msg=case
            )


def test_a_clock_counts_once_for_an_update_in_pieces(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "_PIECE", 64)
    p = placed(draw(200, 0, "float32"))
    ticking = clock(p, 0.1, 0.0, 0)
    updates.sgd(p, placed(draw(200, 1, "float32")), None, **SGD, first=False)
    assert steps_of(ticking) == (1, 0)


def test_no_update_depends_on_the_order_in_which_threads_run(clock: Any) -> None:
    if not cuda_harness.installed():
        pytest.skip("a GPU has one order, its own")
    found = []
    for order in cuda_harness.SCHEDULES:
        with cuda_harness.schedule(order):
            p, m, v = placed(draw(2000, 0, "float32")), *(placed(np.zeros(2000, np.float32)) for _ in range(2))
            ticking = clock(p, 0.1, 0.0, 0)
            updates.adam(p, placed(draw(2000, 1, "float32")), m, v, **ADAM, step=1)
            assert steps_of(ticking) == (1, 0)
            found.append(p.get())
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)
