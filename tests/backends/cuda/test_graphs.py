"""Recorded work runs again on the same memory, which nothing else uses, whatever has become of its arrays."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import cuda_harness
import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import errors, nn, optim
from tinygrad_lite.backends.cuda import driver, graphs, memory
from tinygrad_lite.backends.cuda.array import CudaArray, empty, from_host, full

FLOAT = np.dtype("f4")
ZEROS = np.zeros(5000, np.float32)


def overwrite() -> list[CudaArray]:
    """New arrays that take whatever memory of this size can be had."""
    return [full((5000,), 77.0, FLOAT) for _ in range(6)]


def test_launches_copies_and_fillings_are_recorded_and_run_in_order() -> None:
    x, out = from_host(np.arange(6.0, dtype=np.float32)), empty((6,), FLOAT)
    out.fill(-1)
    turned = x.view_as((6,), (-1,), 5).copy()  # a kernel is loaded before
    graph = graphs.Graph()
    with graph.recording():
        turned = x.view_as((6,), (-1,), 5).copy()
        turned.view_as((2,), (1,)).fill(0)
        memory.copy(out.address, turned.address, out.nbytes)
    assert out.tolist() == [-1] * 6  # nothing has run yet
    assert graph.nodes == 3
    graph.replay()
    assert out.tolist() == [0, 0, 3, 2, 1, 0]
    nines = from_host(np.full(6, 9, np.float32))
    memory.copy(x.address, nines.address, x.nbytes)
    graph.replay()
    assert out.tolist() == [0, 0, 9, 9, 9, 9]


def test_a_closed_graph_gives_its_memory_to_others() -> None:
    graph = graphs.Graph()
    with graph.memory():
        block = memory.allocate(3_333_333)
    address = block.address
    assert memory.main_pool.owners([address]) == set()
    del block
    graph.close()
    graph.close()
    del graph
    gc.collect()
    assert memory.main_pool.owners([address]) == {address}


def test_memory_of_arrays_that_are_gone_stays_for_the_graph() -> None:
    """Also of those that went while it was recorded."""
    constants = [full((5000,), float(k), FLOAT) for k in range(2)]
    out = empty((5000,), FLOAT)
    graph = graphs.Graph()
    with graph.recording():
        memory.copy(out.address, constants.pop().address, out.nbytes)
        memory.copy(out.address, constants[0].address, out.nbytes // 2)
    constants.clear()
    others = overwrite()
    graph.replay()
    assert (out.get()[:2500] == 0).all()
    assert (out.get()[2500:] == 1).all()
    assert all((other.get() == 77).all() for other in others)
    held = memory.main_pool.held
    graph.close()
    assert memory.main_pool.held == held + 2 * memory.round_up(20_000)


def test_memory_of_another_graph_stays_too() -> None:
    first = graphs.Graph()
    with first.memory():
        made = full((5000,), 5.0, FLOAT)
    out = empty((5000,), FLOAT)
    second = graphs.Graph()
    with second.recording():
        memory.copy(out.address, made.address, out.nbytes)
    del made, first
    gc.collect()
    others = overwrite()
    second.replay()
    assert (out.get() == 5).all()
    del others


class Lender:
    """A library that lends memory through the CUDA array interface."""

    def __init__(self, lent: CudaArray) -> None:
        self.lent = lent
        self.__cuda_array_interface__ = lent.__cuda_array_interface__


def test_borrowed_memory_stays_too() -> None:
    borrowed = tgl.asarray(Lender(full((5000,), 5.0, FLOAT)))
    step = tgl.cuda.capture(lambda x, b=borrowed: x + b)
    for _ in range(3):
        step(ZEROS)
    step.function.__defaults__ = ()
    del borrowed
    gc.collect()
    others = overwrite()
    assert (step(ZEROS).numpy() == 5).all()
    del others


def test_borrowed_memory_that_goes_while_recording_is_returned_with_the_graph() -> None:
    returned: list[int] = []
    lent, out = full((5000,), 5.0, FLOAT), empty((5000,), FLOAT)
    block = memory.Borrowed(lent.address, lent.address + 19_999, lambda: returned.append(1))
    graph = graphs.Graph()
    with graph.recording():
        memory.copy(out.address, block.address, out.nbytes)
        del block
    graph.replay()
    assert (out.get() == 5).all()
    assert not returned
    graph.close()
    assert returned == [1]


def test_recording_starts_with_counters_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_counters", [])
    graph = graphs.Graph()
    with graph.recording():
        address = memory.counters()
    assert memory.main_pool.owners([address]) == {address}
    host = from_host(np.ones(memory.COUNTERS, np.int32))
    memory.copy(host.address, address, host.nbytes)
    assert not host.get().any()


# --- what cannot be recorded --------------------------------------------------------------------------------


def uploads() -> None:
    from_host([1.0])


def downloads(x: CudaArray) -> None:
    x.get()


def waits() -> None:
    driver.current().synchronize()


def test_what_cannot_be_recorded_is_refused_and_the_gpu_goes_on() -> None:
    x = from_host([1.0, 2.0])
    for call, text in (
        (
            uploads,
            "needs numbers from the processor's memory\n  hint  make the tensor before, or pass it to the step",
        ),
        (lambda: downloads(x), "reads a value\n  hint  return the tensor, and read it after the step"),
        (waits, "waits for the GPU\n  hint  wait after the step"),
    ):
        graph = graphs.Graph()
        with pytest.raises(errors.DeviceError) as caught, graph.recording():
            call()
        assert caught.value.need + "\n  hint  " + caught.value.hint == "cannot record a step that " + text
        assert driver.recorder is None
        assert x.tolist() == [1.0, 2.0]


def test_a_kernel_is_not_loaded_while_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinygrad_lite.backends.cuda import compiler

    module = compiler.Module("copy.cu", {"ITEM": "4", "UNUSED": "1"})
    graph = graphs.Graph()
    with pytest.raises(errors.DeviceError) as caught, graph.recording():
        module.function("copy")
    assert caught.value.need == "cannot record a step that uses a kernel for the first time"


def test_memory_is_not_given_back_while_recording() -> None:
    x = empty((5000,), FLOAT)
    graph = graphs.Graph()
    with graph.recording():
        memory.fill_zero(empty((5000,), FLOAT).address, 20_000)
        held = graph.pool.held
        tgl.cuda.empty_cache()
        graph.pool.free_held()
        assert graph.pool.held == held > 0
    graph.replay()
    driver.current().synchronize()
    del x


def test_what_the_driver_refuses_names_its_function() -> None:
    graph = graphs.Graph()

    def twice() -> None:
        with graph.recording(), graphs.Graph().recording():
            pass

    with pytest.raises(errors.LaunchError) as caught:
        twice()
    assert (caught.value.operation, caught.value.need) == (
        "cuda",
        "failed in cuStreamBeginCapture_v2: invalid argument",
    )
    assert driver.recorder is None
    if cuda_harness.installed():
        cuda_harness.reset()
    assert from_host([3.0]).tolist() == [3.0]


# --- steps: what a failed recording leaves ------------------------------------------------------------------

X = np.random.default_rng(0).standard_normal((20, 12)).astype(np.float32)


def test_a_failed_recording_changes_nothing() -> None:
    """Gradients, running statistics, step counts and draws are as after the second step."""
    states = []
    for captured in (False, True):
        tgl.manual_seed(4)
        model = nn.Sequential(nn.Linear(12, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).to("cuda")
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        calls = []

        def step(
            x: Any, model: Any = model, optimizer: Any = optimizer, calls: Any = calls, captured: bool = captured
        ) -> Any:
            optimizer.zero_grad()
            loss = (model(x) ** 2).sum()
            loss.backward()
            optimizer.step()
            calls.append(1)
            if captured and len(calls) == 3:
                loss.item()
            return loss

        run = tgl.cuda.capture(step) if captured else step
        seen = model[0].weight.detach()
        for _ in range(2):
            run(tgl.Tensor(X, device="cuda"))
        if captured:
            with pytest.raises(errors.DeviceError):
                run(X)
        arrays = [*model.state_dict().values(), *(p.grad for p in model.parameters()), seen]
        states.append([tensor.numpy() for tensor in arrays])
        states[-1] += [optimizer.state_dict()["state"][0]["step"], tgl.get_rng_state()["counter"]]
        losses = [run(tgl.Tensor(X, device="cuda")).item() for _ in range(5)]
        states[-1].append(losses)
    for eager, kept in zip(*states, strict=True):
        np.testing.assert_array_equal(eager, kept)


def test_who_looks_at_a_weight_before_the_recording_keeps_its_value() -> None:
    model = nn.Linear(12, 4).to("cuda")
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (model(x) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    run = tgl.cuda.capture(step)
    for _ in range(2):
        run(X)
    seen = model.weight.detach()
    kept = seen.numpy().copy()
    for _ in range(3):
        run(X)
    assert run.recorded
    np.testing.assert_array_equal(seen.numpy(), kept)


def attempts(function: Callable[..., Any], count: int) -> list[Any]:
    run, found = tgl.cuda.capture(function), []
    for _ in range(count):
        try:
            found.append(run(X).item())
        except errors.StateError as error:
            found.append(error.need)
    return found


def test_a_step_inside_another_is_refused_when_recorded() -> None:
    inner = tgl.cuda.capture(lambda x: x.sum())
    text = "cannot be called while another one is recorded"
    assert [x if isinstance(x, str) else 0 for x in attempts(lambda x: inner(x) * 2, 4)] == [0, 0, text, 0]


def test_state_that_is_first_made_while_recording_is_refused() -> None:
    """Replays would make it anew."""
    model = nn.Linear(12, 1).to("cuda")
    optimizer = optim.Adam(model.parameters())
    calls = []

    def step(x: Any) -> Any:
        calls.append(1)
        optimizer.zero_grad()
        loss = (model(x) ** 2).sum()
        loss.backward()
        if len(calls) >= 3:
            optimizer.step()
        return loss

    found = attempts(step, 8)
    assert found[2] == "cannot record a step that makes what later ones go on with"
    assert len({x for x in found[3:] if isinstance(x, float)}) == 5
