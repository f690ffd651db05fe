"""Tensors and modules move between devices, their gradients come back, and what does not go together is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import errors, nn, optim

pytestmark = [pytest.mark.needs("cuda"), pytest.mark.usefixtures("gpu")]

VALUES = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def test_there_and_back_nothing_changes() -> None:
    for dtype in ("bool", "int8", "uint64", "float16", "float64", "complex64"):
        x = tgl.Tensor(VALUES.astype(dtype))
        there = x.to("cuda")
        assert (x.device, there.device, there.to("cpu").device) == ("cpu", "cuda", "cpu")
        assert there.dtype == dtype
        np.testing.assert_array_equal(there.to("cpu").numpy(), x.numpy())
    assert there.to("cuda") is there
    assert there.to("cuda:0") is there
    assert x.to("cpu") is x


@pytest.mark.parametrize(
    "make",
    [
        lambda: tgl.Tensor(VALUES, device="cuda"),
        lambda: tgl.asarray(VALUES, device="cuda"),
        lambda: tgl.astype(tgl.Tensor(VALUES), "float32", device="cuda"),
        lambda: tgl.Tensor(VALUES).to_device("cuda"),
        lambda: tgl.Tensor(VALUES).to("cuda", "float32"),
        lambda: tgl.Tensor(VALUES).to(tgl.zeros(1, device="cuda")),
        lambda: tgl.reshape(tgl.arange(6.0, device="cuda"), (2, 3)),
    ],
)
def test_all_ways_lead_there(make: Any) -> None:
    x = make()
    assert (x.device, x.dtype) == ("cuda", "float32")
    np.testing.assert_array_equal(x.numpy(), VALUES)


def test_made_from_nothing() -> None:
    made = {
        "zeros": tgl.zeros((2, 2), device="cuda"),
        "ones": tgl.ones(3, "int16", device="cuda"),
        "full": tgl.full((2,), 7, device="cuda"),
        "eye": tgl.eye(3, device="cuda"),
        "linspace": tgl.linspace(0.0, 1.0, 5, device="cuda"),
        "empty": tgl.empty((2, 0), device="cuda"),
        "ones_like": tgl.ones_like(tgl.zeros(2), device="cuda"),
        "zeros_like": tgl.zeros_like(tgl.zeros(2, device="cuda")),
        "uniform": tgl.random.uniform((4,), device="cuda"),
    }
    assert {name: x.device for name, x in made.items()} == dict.fromkeys(made, "cuda")
    np.testing.assert_array_equal(made["eye"].numpy(), np.eye(3))
    np.testing.assert_array_equal(made["linspace"].numpy(), np.linspace(0, 1, 5, dtype=np.float32))


def test_random_numbers_are_those_of_the_cpu() -> None:
    for draw in (
        lambda device: tgl.random.uniform((257,), device=device),
        lambda device: tgl.random.uniform((33,), -2.0, 3.0, dtype="float64", device=device),
        lambda device: tgl.random.integers(0, 1000, (100,), device=device),
        lambda device: tgl.random.permutation(50, device=device),
        lambda device: tgl.random.bernoulli(tgl.full((100,), 0.25, device=device)),
        lambda device: tgl.dropout(tgl.ones((7, 30), device=device), 0.3),
    ):
        found = []
        for device in ("cpu", "cuda"):
            tgl.manual_seed(9)
            x = draw(device)
            assert x.device == device
            found.append(x.numpy())
        np.testing.assert_array_equal(*found)


def test_a_gradient_goes_back_to_where_the_tensor_came_from() -> None:
    x = tgl.Tensor(VALUES, requires_grad=True)
    (x.to("cuda") * 3).to("cpu").sum().backward()
    assert x.grad.device == "cpu"
    np.testing.assert_array_equal(x.grad.numpy(), np.full((2, 3), 3))
    assert tgl.jvp(lambda v: v.to("cuda") * 2, x.detach(), tgl.ones((2, 3)))[1].device == "cuda"
    second = tgl.grad(tgl.grad((x.to("cuda") ** 3).sum(), x, create_graph=True).sum(), x)
    np.testing.assert_array_equal(second.numpy(), 6 * VALUES)


def test_a_tensor_shows_where_it_is() -> None:
    assert repr(tgl.Tensor([1.0, 2.0], device="cuda")) == 'Tensor([1., 2.], device="cuda")'


def test_indices_from_the_cpu_are_copied_and_checked_at_the_call() -> None:
    x = tgl.Tensor(VALUES, device="cuda")
    assert x[[1, 0], np.array([2, 0])].tolist() == [5.0, 0.0]
    assert x[:, tgl.Tensor([True, False, True])].tolist() == [[0.0, 2.0], [3.0, 5.0]]
    assert tgl.take(x, [2, -1], axis=1).tolist() == [[2.0, 2.0], [5.0, 5.0]]
    text = refusal(errors.IndexingError, lambda: x[[0, 2]])
    assert text.startswith("getitem got index 2"), text
    x[0] = [7.0, 8.0, 9.0]
    assert x[0].tolist() == [7.0, 8.0, 9.0]


def test_an_index_on_the_gpu_that_is_out_of_bounds_is_told_of_when_the_processor_waits() -> None:
    x = tgl.Tensor(VALUES, device="cuda")
    y = tgl.take(x, tgl.Tensor([0, 5], device="cuda"), axis=0)
    with pytest.raises(IndexError):
        y.numpy()
    assert (x + 1).tolist() == (VALUES + 1).tolist()


def test_operands_on_two_devices_are_refused() -> None:
    x, y = tgl.Tensor([1.0]), tgl.Tensor([1.0], device="cuda")
    assert refusal(errors.DeviceError, lambda: x + y) == (
        "add needs operands on one device\n  x1    shape (1,), float32, cpu\n  x2    shape (1,), float32, cuda\n"
        '  hint  x1.to("cuda") copies x1 there'
    )


# --- modules ------------------------------------------------------------------------------------------------


def test_a_module_moves_with_its_buffers_gradients_and_hooks() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    model(tgl.Tensor(VALUES)).sum().backward()
    before = {name: p.detach().numpy().copy() for name, p in model.named_parameters()}
    grads = {name: p.grad.numpy().copy() for name, p in model.named_parameters()}
    assert model.to("cuda") is model
    for name, p in model.named_parameters():
        assert (p.device, p.grad.device, p.is_leaf) == ("cuda", "cuda", True)
        np.testing.assert_array_equal(p.detach().numpy(), before[name])
        np.testing.assert_array_equal(p.grad.numpy(), grads[name])
    assert {b.device for b in model.buffers()} == {"cuda"}
    model.to("cpu", "float64")
    assert {(p.device, p.dtype.name) for p in model.parameters()} == {("cpu", "float64")}


def test_a_checkpoint_made_on_one_device_goes_on_on_the_other(tmp_path: Path) -> None:
    """Weights and Adam's moments, saved on the GPU and loaded on the CPU and on the GPU."""
    found = {}
    for device in ("cpu", "cuda"):
        tgl.manual_seed(1)
        model = nn.Linear(3, 2).to("cuda")
        optimizer = optim.Adam(model.parameters(), lr=0.1)

        def train(model: Any = model, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            x = tgl.Tensor(VALUES, device=model.weight.device)
            (model(x) ** 2).sum().backward()
            optimizer.step()

        train()
        tgl.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "run.safetensors")
        state = tgl.load(tmp_path / "run.safetensors")
        model = nn.Linear(3, 2).to(device)
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        train(model, optimizer)
        assert model.weight.device == device
        found[device] = model.weight.detach().numpy()
    np.testing.assert_allclose(found["cpu"], found["cuda"], rtol=1e-6)


# --- other libraries ----------------------------------------------------------------------------------------


def test_dlpack_shares_memory_both_ways() -> None:
    x = tgl.Tensor(VALUES, device="cuda")
    for view in (x, x.T, x[:, ::2], x[1], x[:0]):
        for version in (None, (1, 0)):

            class Library:
                def __init__(self, capsule: Any) -> None:
                    self.capsule = capsule

                def __dlpack__(self, **options: Any) -> Any:
                    return self.capsule

                def __dlpack_device__(self) -> tuple[int, int]:
                    return view.__dlpack_device__()  # noqa: B023

            back = tgl.from_dlpack(Library(view.__dlpack__(max_version=version)))
            assert back.device == "cuda"
            assert back._data.address == view._data.address
            np.testing.assert_array_equal(back.numpy(), view.numpy())
    assert x.__dlpack_device__() == (2, 0)
    assert tgl.from_dlpack(x, device="cpu").device == "cpu"


def test_an_exported_array_lives_until_its_consumer_is_done() -> None:
    from tinygrad_lite.backends.cuda import exchange

    capsule = tgl.Tensor(VALUES, device="cuda").__dlpack__()
    assert len(exchange._exported) == 1
    del capsule  # nobody consumed it
    assert not exchange._exported


def test_the_cuda_array_interface_shares_memory_both_ways() -> None:
    x = tgl.Tensor(VALUES, device="cuda")
    described = x.__cuda_array_interface__
    assert (described["shape"], described["typestr"], described["strides"]) == ((2, 3), "<f4", None)
    assert x.T.__cuda_array_interface__["strides"] == (4, 12)

    class Foreign:
        __cuda_array_interface__ = described

    shared = tgl.asarray(Foreign())
    assert shared._data.address == x._data.address
    assert tgl.Tensor(Foreign())._data.address != x._data.address
    np.testing.assert_array_equal(shared.numpy(), VALUES)
    assert not hasattr(tgl.Tensor(VALUES), "__cuda_array_interface__")


def test_numpy_functions_compute_on_the_gpu() -> None:
    x = tgl.Tensor(VALUES, device="cuda")
    y = np.exp(x)
    assert y.device == "cuda"
    np.testing.assert_allclose(np.asarray(y), np.exp(VALUES), rtol=1e-6)
