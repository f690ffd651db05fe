"""Checks of how arrays of a GPU get over the ranks: what is copied when, and that nobody sees what is not there yet.

The job runs on the emulated GPU, whose streams on request do nothing until somebody waits; in pytest one rank takes the
same steps on whatever GPU is tested.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import cuda_harness
import numpy as np

import tinygrad_lite as tgl
from distributed.checking import run_checks
from tinygrad_lite import Tensor, nn, optim
from tinygrad_lite import distributed as dist
from tinygrad_lite.distributed.buckets import Bucket
from tinygrad_lite.distributed.pinned import PinnedGradients, pinned_like

X = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
ONE_EACH = 1e-5  #: MiB, less than any parameter has: a bucket for each


def modes(comm: Any) -> Iterator[str]:
    """On emulated GPUs: streams that work at once, streams that wait for somebody to wait, and each on some ranks."""
    if not cuda_harness.installed():
        yield "as it is"
        return
    try:
        for mode, late in (("at once", False), ("late", True), ("late on even ranks", comm.rank % 2 == 0)):
            cuda_harness.set_asynchronous(late)
            yield mode
    finally:
        cuda_harness.set_asynchronous(os.environ.get("FAKE_CUDA_ASYNC") == "1")


def network(device: str) -> nn.Sequential:
    tgl.manual_seed(4)
    layers = [nn.Linear(5, 300), nn.ReLU(), nn.Linear(300, 70), nn.ReLU(), nn.Linear(70, 3)]
    return nn.Sequential(*layers).to(device)


def step(dp: Any, optimizer: Any, device: str) -> None:
    rows = X[dp.comm.rank :: dp.comm.size]
    optimizer.zero_grad()
    dp.backward((dp.model(Tensor(rows, device=device)) ** 2).mean(), count=len(rows))
    optimizer.step()


def assert_same_weights(model: nn.Module, expected: nn.Module, when: str) -> None:
    for p, other in zip(model.parameters(), expected.parameters(), strict=True):
        found, wanted = (each.detach().to("cpu").numpy() for each in (p, other))
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6, err_msg=when)


def is_pageable(array: np.ndarray) -> bool:
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return isinstance(array, np.ndarray)


@contextmanager
def recorded() -> Iterator[list[Any]]:
    """What happens in the block: copies by their kind, page-locked memory that is made."""
    import pycuda.driver as cuda

    events: list[Any] = []

    def noted(name: str, host: int) -> Any:
        original = getattr(cuda, name)

        def call(*arguments: Any, **options: Any) -> Any:
            pageable = host >= 0 and is_pageable(arguments[host])
            events.append(f"pageable {name}" if pageable else name)
            return original(*arguments, **options)

        return mock.patch.object(cuda, name, call)

    host_memory = {"memcpy_dtoh_async": 0, "memcpy_htod_async": 1, "memcpy_dtoh": 0, "memcpy_htod": 1}
    patches = [noted(name, host) for name, host in {**host_memory, "pagelocked_empty": -1}.items()]
    for patch in patches:
        patch.start()
    try:
        yield events
    finally:
        for patch in patches:
            patch.stop()


class Watched:
    """A sender that writes down what it starts, and for what it is made to wait."""

    def __init__(self, sender: Any, events: list[Any]) -> None:
        self.sender, self.events, self.count = sender, events, 0

    def iallreduce(self, x: Any, op: str, out: Any) -> Any:
        if op != "mean":
            return self.sender.iallreduce(x, op, out)
        number, self.count = self.count, self.count + 1
        self.events.append(f"start {number}")
        return WatchedHandle(self.sender.iallreduce(x, op, out), number, self.events)


class WatchedHandle:
    def __init__(self, handle: Any, number: int, events: list[Any]) -> None:
        self.handle, self.number, self.events, self.done = handle, number, events, False

    def test(self) -> bool:
        self.done = self.handle.test()
        return self.done

    def wait(self) -> Any:
        if not self.done:
            self.events.append(f"wait {self.number}")
        return self.handle.wait()


def check_training_on_a_gpu_equals_training_on_the_cpu(comm: Any) -> None:
    for mode in modes(comm):
        for bucket_mb in (ONE_EACH, 4.0):
            for thread in (False, True):
                trained = []
                for device in ("cpu", "cuda"):
                    model = network(device)
                    dp = dist.DataParallel(model, comm, bucket_mb=bucket_mb, thread=thread)
                    optimizer = optim.SGD(model.parameters(), lr=0.1)
                    for _ in range(3):
                        step(dp, optimizer, device)
                    dp.detach()
                    trained.append(model)
                assert_same_weights(trained[1], trained[0], f"{mode}, {bucket_mb} MiB, thread={thread}")


def check_the_next_bucket_comes_down_while_one_is_averaged(comm: Any) -> None:
    for mode in modes(comm):
        model = network("cuda")
        dp = dist.DataParallel(model, comm, bucket_mb=ONE_EACH)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        loss = (model(Tensor(X, device="cuda")) ** 2).mean()
        loss.backward()  # kernels are compiled, constants are made
        optimizer.zero_grad()
        loss = (model(Tensor(X, device="cuda")) ** 2).mean()
        buckets = len(dp._buckets)
        with recorded() as events:
            dp._sender = Watched(dp.comm, events)
            loss.backward()
        assert not [event for event in events if event.startswith("pageable")], events
        copies = [k for k, event in enumerate(events) if event == "memcpy_dtoh_async"]
        assert len(copies) == buckets == 6, (mode, events)
        starts = [event for event in events if event.startswith("start")]
        assert starts == [f"start {k}" for k in range(buckets)], (mode, events)
        for k in range(buckets):
            assert copies[k] < events.index(f"start {k}"), (mode, k, events)
            waited = events.index(f"wait {k}") if f"wait {k}" in events else len(events)
            assert k == buckets - 1 or copies[k + 1] < waited, (mode, k, events)


def check_sending_a_bucket_does_not_wait_for_the_gpu(comm: Any) -> None:
    if not cuda_harness.installed():  # nobody counts there
        return
    send, waits = Bucket.send, []

    def counted(bucket: Bucket, sender: Any) -> Any:
        before = cuda_harness.counters()["synchronisations"]
        handle = send(bucket, sender)
        waits.append(cuda_harness.counters()["synchronisations"] - before)
        return handle

    for _ in modes(comm):
        model = network("cuda")
        dp = dist.DataParallel(model, comm, bucket_mb=ONE_EACH)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        step(dp, optimizer, "cuda")  # the first time the ranks agree, and wait for it
        with mock.patch.object(Bucket, "send", counted):
            step(dp, optimizer, "cuda")
    assert waits == [0] * 18, waits


def check_page_locked_memory_is_made_once(comm: Any) -> None:
    tgl.manual_seed(4)
    wide = nn.Linear(5000, 4).to("cuda")  # of a size that no other check has
    for _ in modes(comm):
        dp = dist.DataParallel(wide, comm, bucket_mb=ONE_EACH)
        made = []
        x = tgl.ones((2, 5000), device="cuda")
        for _ in range(3):
            wide.zero_grad()
            with recorded() as events:
                dp.backward(wide(x).mean(), count=2)
            made.append(events.count("pagelocked_empty"))
            assert events.count("memcpy_dtoh_async") == len(dp._buckets) == 2, events
            assert events.count("memcpy_htod_async") == 2, events
        dp.detach()
        assert made[1:] == [0, 0], made
        assert made[0] <= 2, made


def check_averages_start_in_the_order_of_sending_whatever_is_waited_for(comm: Any) -> None:
    """Each rank waits for another one first; lengths differ, so that two orders would be noticed."""
    for mode in modes(comm):
        part = comm.split(0, comm.rank)
        for new in (True, False):
            given = [np.full(n, float(n * (comm.rank + 1))) for n in (3, 5, 7)]
            grads = [Tensor(x, device="cuda")._data for x in given]
            handles = [PinnedGradients(array, pinned_like(array), part, new=new) for array in grads]
            for k in (2, 0, 1) if comm.rank % 2 else (1, 2, 0):
                assert handles[k].wait() is grads[k]
            for n, array in zip((3, 5, 7), grads, strict=True):
                np.testing.assert_allclose(array.get(), np.full(n, n * (comm.size + 1) / 2), err_msg=mode)


def check_the_next_copy_down_waits_for_the_copy_up(comm: Any) -> None:
    """The memory of the first is used again while its averages may still be in it."""
    for mode in modes(comm):
        first, second = (tgl.full((900,), x * (comm.rank + 1.0), device="cuda") for x in (1, 10))
        host = pinned_like(first._data)
        for tensor in (first, second):
            PinnedGradients(tensor._data, host, comm, new=True).wait()
        for tensor, x in ((first, 1), (second, 10)):
            np.testing.assert_allclose(tensor._data.get(), np.full(900, x * (comm.size + 1) / 2), err_msg=mode)


class Halves(nn.Module):
    """A layer on the CPU, then one on the GPU, whose gradients are there first; or the other way round."""

    def __init__(self, devices: tuple[str, str]) -> None:
        super().__init__()
        tgl.manual_seed(4)
        self.devices = devices
        # Registered first, because then its buckets are the first, and have left before the others are there.
        self.second = nn.Linear(4, 3).to(devices[1])
        self.first = nn.Linear(5, 4).to(devices[0])

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x.to(self.devices[0])).to(self.devices[1])).to("cpu")


def check_a_model_on_two_devices(comm: Any) -> None:
    for mode in modes(comm):
        for devices in (("cpu", "cuda"), ("cuda", "cpu")):
            trained = []
            for model in (Halves(devices), Halves(("cpu", "cpu"))):
                dp = dist.DataParallel(model, comm, bucket_mb=ONE_EACH)
                optimizer = optim.SGD(model.parameters(), lr=0.1)
                for _ in range(2):
                    step(dp, optimizer, "cpu")
                trained.append(model)
            assert_same_weights(trained[0], trained[1], f"{mode}, {devices}")


# --- plain collectives --------------------------------------------------------------------------------------


def collectives(comm: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    yield "allreduce", lambda x: comm.allreduce(x)
    yield "iallreduce", lambda x: comm.iallreduce(x, "mean").wait()
    yield "reduce_scatter", lambda x: comm.reduce_scatter(x)
    yield "all_gather", lambda x: comm.all_gather(x)
    yield "broadcast", lambda x: comm.broadcast(x)


def check_tensors_go_through_page_locked_memory(comm: Any) -> None:
    for mode in modes(comm):
        for size in (0, 1, 5, 30_000):
            values = np.arange(2.0 * size, dtype=np.float32) * (comm.rank + 1)
            whole = Tensor(values, device="cuda")
            for name, call in collectives(comm):
                for every in (1, 2):
                    x = whole[::every] * 2  # not computed yet where streams are late
                    x = x if every == 1 else whole[::every]
                    with recorded() as events:
                        result = call(x)
                    expected = call(values[::2] if every == 2 else values * 2)
                    assert result.device == "cuda"
                    assert not [event for event in events if event.startswith("pageable")], events
                    assert len([event for event in events if "dtoh" in event]) == (size > 0), events
                    np.testing.assert_array_equal(result.to("cpu").numpy(), expected, err_msg=f"{mode} {name} {size}")


def check_results_in_out_stay_when_memory_is_used_again(comm: Any) -> None:
    for mode in modes(comm):
        outs = [tgl.zeros(3, device="cuda") for _ in range(3)]
        for k, out in enumerate(outs):
            operand: Any = np.full(3, k + 1.0, np.float32)
            assert comm.allreduce(operand, out=out) is out
        for k, out in enumerate(outs):
            assert out.to("cpu").tolist() == [comm.size * (k + 1.0)] * 3, (mode, k)


def check_a_tensor_is_reduced_in_place(comm: Any) -> None:
    for mode in modes(comm):
        x = tgl.full((4,), comm.rank + 1.0, device="cuda")
        assert comm.allreduce(x, out=x) is x
        assert x.to("cpu").tolist() == [comm.size * (comm.size + 1) / 2] * 4, mode


if __name__ == "__main__":
    cuda_harness.install()
    run_checks(globals())
