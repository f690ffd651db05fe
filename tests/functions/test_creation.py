"""Making tensors: from buffers, in the image of others, as leaves, and complex ones, which the table does not hold."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors

BUFFERS: list[tuple[Any, str]] = [
    (array.array("d", [1.0, 2.0]), "float64"),
    (array.array("i", [1, 2]), "int32"),
    (memoryview(np.array([[1.0, 2.0]], np.float32)), "float32"),
    (bytearray(b"\x01\x02"), "uint8"),
]


@pytest.mark.parametrize("buffer, dtype", BUFFERS)
def test_a_buffer_keeps_its_dtype_and_its_memory(buffer: Any, dtype: str) -> None:
    shared, copied = tgl.asarray(buffer, copy=False), tgl.asarray(buffer, copy=True)
    assert (shared.dtype, copied.dtype) == (dtype, dtype)
    np.testing.assert_array_equal(shared.numpy(), np.asarray(buffer))
    assert np.shares_memory(shared.numpy(), np.asarray(buffer))
    assert not np.shares_memory(copied.numpy(), np.asarray(buffer))


def test_asarray_of_a_tensor_is_that_tensor_unless_a_copy_is_asked_for() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert tgl.asarray(x) is x
    assert tgl.asarray(x, dtype="float32", copy=False) is x
    twin = tgl.asarray(x, copy=True)
    assert not twin.requires_grad
    assert not np.shares_memory(twin.numpy(), x.detach().numpy())


MAKERS: list[tuple[str, Any]] = [
    ("zeros", lambda **options: tgl.zeros(2, **options)),
    ("ones", lambda **options: tgl.ones(2, **options)),
    ("empty", lambda **options: tgl.empty(2, **options)),
    ("full", lambda **options: tgl.full(2, 0.5, **options)),
    ("eye", lambda **options: tgl.eye(2, **options)),
    ("arange", lambda **options: tgl.arange(2.0, **options)),
    ("linspace", lambda **options: tgl.linspace(0, 1, 2, **options)),
    ("logspace", lambda **options: tgl.logspace(0, 1, 2, **options)),
    ("zeros_like", lambda **options: tgl.zeros_like(Tensor([1, 2]), **{"dtype": "float32", **options})),
    ("ones_like", lambda **options: tgl.ones_like(Tensor([1, 2]), **{"dtype": "float32", **options})),
    ("empty_like", lambda **options: tgl.empty_like(Tensor([1, 2]), **{"dtype": "float32", **options})),
    ("full_like", lambda **options: tgl.full_like(Tensor([1, 2]), 3, **{"dtype": "float32", **options})),
]


@pytest.mark.parametrize("name, make", MAKERS, ids=[name for name, _ in MAKERS])
def test_every_maker_knows_dtype_device_and_requires_grad(name: str, make: Any) -> None:
    assert make().dtype == "float32"
    x = make(dtype="float64", device="cpu", requires_grad=True)
    assert (x.dtype, x.device, x.is_leaf, x.requires_grad) == ("float64", "cpu", True, True)
    (x * 2).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.full(x.shape, 2.0))


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_tensors_are_made(dtype: str) -> None:
    np.testing.assert_array_equal(tgl.full(2, 1j, dtype).numpy(), [1j, 1j])
    np.testing.assert_array_equal(tgl.full_like(tgl.zeros(2, dtype), 1 + 2j).numpy(), [1 + 2j] * 2)
    line = tgl.linspace(0, 2j, 3, dtype=dtype)
    assert line.dtype == dtype
    np.testing.assert_array_equal(line.numpy(), [0, 1j, 2j])
    assert tgl.linspace(0j, 1, 2).dtype == "complex64"


def test_eye_puts_its_ones_on_any_diagonal() -> None:
    for k in range(-4, 5):
        np.testing.assert_array_equal(tgl.eye(2, 3, k=k, dtype="int64").numpy(), np.eye(2, 3, k, np.int64))


def test_linspace_meets_its_end_exactly() -> None:
    line = tgl.linspace(0.1, 0.7, 101, dtype="float64").numpy()
    assert (line[0], line[-1]) == (0.1, 0.7)
    np.testing.assert_array_equal(tgl.linspace(0, 1, 0).numpy(), np.zeros(0, np.float32))


def test_a_fill_value_broadcasts_and_is_copied() -> None:
    value = Tensor([1.0, 2.0], requires_grad=True)
    filled = tgl.full((2, 2), value.detach())
    np.testing.assert_array_equal(filled.numpy(), [[1.0, 2.0]] * 2)
    with tgl.no_grad():
        value += 1
    np.testing.assert_array_equal(filled.numpy(), [[1.0, 2.0]] * 2)


def test_a_fill_value_whose_gradient_would_be_lost_is_refused() -> None:
    value = Tensor([1.0, 2.0], requires_grad=True)
    text = (
        "full makes a new tensor without a gradient\n"
        "  fill_value  shape (2,), float32, cpu\n"
        "  hint        broadcast_to(fill_value, shape) keeps the gradient; detach() says that it ends here"
    )
    refuses(errors.GradientError, lambda: tgl.full((2, 2), value), text)
