"""DLPack both ways: memory is shared with NumPy and PyTorch, and what cannot be shared says so."""

from __future__ import annotations

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.errors import ArgumentError, DeviceError, DTypeError, ExchangeError, GradientError

DTYPES = [
    "bool",
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
]
VIEWS = {
    "whole": lambda x: x,
    "slice": lambda x: x[:, 1:],
    "transposed": lambda x: x.T,
    "element": lambda x: x[0, 0],
    "empty": lambda x: x[:0],
    "flipped": lambda x: tgl.flip(x),
    "broadcast": lambda x: tgl.broadcast_to(x, (2, 2, 3)),
}


# --- NumPy ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_reads_our_memory_and_we_read_numpys(dtype):
    x = tgl.ones((2, 3), dtype=dtype)
    array = np.from_dlpack(x)
    assert np.shares_memory(array, x._data)
    assert (array.dtype, array.shape) == (x.dtype, x.shape)
    back = tgl.from_dlpack(array.copy())
    assert type(back) is Tensor
    assert back.dtype == dtype
    assert back.tolist() == x.tolist()


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_views_arrive_with_their_values(view):
    x = view(Tensor(np.arange(6.0).reshape(2, 3)))
    assert np.from_dlpack(x).tolist() == x.tolist()
    assert tgl.from_dlpack(x).tolist() == x.tolist()


def test_numpy_may_not_write_to_it():
    x = Tensor([1.0, 2.0])
    assert not np.from_dlpack(x).flags.writeable
    assert x._data.flags.writeable


def test_an_array_that_is_shared_is_shared():
    array = np.array([1.0, 2.0])
    assert np.shares_memory(tgl.from_dlpack(array)._data, array)
    assert np.shares_memory(tgl.from_dlpack(array, copy=False)._data, array)
    assert not np.shares_memory(tgl.from_dlpack(array, copy=True)._data, array)


def test_a_leaf_made_of_shared_memory_moves_to_memory_of_its_own():
    array = np.array([1.0, 2.0])
    x = tgl.from_dlpack(array).requires_grad_()
    with tgl.no_grad():
        x += 1.0
    assert array.tolist() == [1.0, 2.0]


def test_a_tensor_from_a_tensor():
    x = Tensor([1.0, 2.0])
    assert tgl.from_dlpack(x)._data is x._data
    assert not np.shares_memory(tgl.from_dlpack(x, copy=True)._data, x._data)
    leaf = Tensor([1.0, 2.0], requires_grad=True)
    seen = tgl.from_dlpack(leaf.detach())
    with tgl.no_grad():
        leaf += 1.0
    assert seen.tolist() == [1.0, 2.0]


# --- the protocol ---------------------------------------------------------------------------------------


def test_where_the_memory_is():
    assert Tensor([1.0]).__dlpack_device__() == (1, 0)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"stream": None},
        {"max_version": (0, 8)},
        {"max_version": (1, 0)},
        {"max_version": (2, 0)},
        {"dl_device": (1, 0)},
        {"copy": True},
        {"copy": False},
    ],
)
def test_what_a_consumer_may_ask_for(asked):
    assert "dltensor" in repr(Tensor([1.0]).__dlpack__(**asked))


def test_read_only_memory_is_copied_for_those_who_cannot_be_told():
    array = np.array([1.0, 2.0])
    array.flags.writeable = False
    x = tgl.asarray(array)
    assert "dltensor" in repr(x.__dlpack__())
    assert refusal(ExchangeError, lambda: x.__dlpack__(copy=False)) == (
        "__dlpack__ cannot share this memory (copy=False): it is read-only\n  tensor  shape (2,), float64, cpu\n"
        "  hint    leave copy out, so that it copies where it must"
    )


REFUSED = [
    (
        GradientError,
        lambda: Tensor([1.0], requires_grad=True).__dlpack__(),
        (
            "__dlpack__ cannot carry a gradient\n  tensor  shape (1,), float32, cpu\n"
            "  hint    x.detach() says that the gradient ends here"
        ),
    ),
    (
        GradientError,
        lambda: tgl.from_dlpack(Tensor([1.0], requires_grad=True) * 2),
        (
            "from_dlpack cannot carry a gradient\n  x     shape (1,), float32, cpu\n"
            "  hint  x.detach() says that the gradient ends here"
        ),
    ),
    (
        DeviceError,
        lambda: Tensor([1.0]).__dlpack__(dl_device=(2, 0)),
        (
            "__dlpack__ exports to the cpu, (1, 0), but got (2, 0)\n  tensor  shape (1,), float32, cpu\n"
            "  hint    leave dl_device out"
        ),
    ),
    (
        ArgumentError,
        lambda: Tensor([1.0]).__dlpack__(stream=1),
        (
            "__dlpack__ knows no streams on the cpu, but got 1\n  tensor  shape (1,), float32, cpu\n"
            "  hint    leave stream out"
        ),
    ),
    (
        ExchangeError,
        lambda: tgl.flip(Tensor([1.0, 2.0])).__dlpack__(max_version=(1, 0), copy=False),
        (
            "__dlpack__ cannot share this memory (copy=False): its strides are negative\n"
            "  tensor  shape (2,), float32, cpu\n  hint    leave copy out, so that it copies where it must"
        ),
    ),
    (
        DTypeError,
        lambda: tgl.from_dlpack([1.0, 2.0]),
        "from_dlpack needs an array of a library that speaks DLPack\n  x     [1.0, 2.0]\n  hint  use asarray",
    ),
    (
        DeviceError,
        lambda: tgl.from_dlpack(np.ones(2), device="tpu"),
        ('from_dlpack knows the devices "cpu" and "cuda", but got \'tpu\'\n  hint  use device="cpu", or leave it out'),
    ),
    (
        DeviceError,
        lambda: tgl.from_dlpack(OnAnotherGpu()),
        (
            "from_dlpack needs memory of the cpu or of an NVIDIA GPU\n"
            "  x     another GPU's array\n  hint  move it there first"
        ),
    ),
    (
        ExchangeError,
        lambda: tgl.from_dlpack(Locked()),
        "from_dlpack cannot take this: it is locked\n  x   a locked array",
    ),
    (
        ExchangeError,
        lambda: tgl.from_dlpack(Nowhere()),
        "from_dlpack cannot take this: unknown device\n  x   an array without memory",
    ),
]


class OnAnotherGpu:
    def __dlpack__(self, **kwargs):
        raise AssertionError("nobody should ask")

    def __dlpack_device__(self):
        return (10, 0)  # kDLROCM

    def __repr__(self):
        return "another GPU's array"


class Nowhere:
    def __dlpack__(self, **kwargs):
        raise AssertionError("nobody should ask")

    def __dlpack_device__(self):
        raise ValueError("unknown device")

    def __repr__(self):
        return "an array without memory"


class Locked:
    def __dlpack__(self, **kwargs):
        raise BufferError("it is locked.")

    def __dlpack_device__(self):
        return (1, 0)

    def __repr__(self):
        return "a locked array"


@pytest.mark.parametrize(("kind", "call", "text"), REFUSED)
def test_what_cannot_be_exchanged(kind, call, text):
    assert refusal(kind, call) == text


def test_without_grad_mode_a_leaf_is_as_good_as_its_values():
    x = Tensor([1.0, 2.0], requires_grad=True)
    with tgl.no_grad():
        assert np.from_dlpack(x).tolist() == [1.0, 2.0]


# --- PyTorch ------------------------------------------------------------------------------------------------


@pytest.mark.needs("torch")
@pytest.mark.parametrize("dtype", DTYPES)
def test_pytorch_and_we_share_memory_both_ways(dtype):
    import torch

    x = tgl.ones((2, 3), dtype=dtype)
    seen = torch.from_dlpack(x)
    assert seen.data_ptr() == x._data.ctypes.data
    assert (tuple(seen.shape), seen.tolist()) == (x.shape, x.tolist())
    back = tgl.from_dlpack(seen)
    assert back._data.ctypes.data == x._data.ctypes.data
    assert back.dtype == dtype


@pytest.mark.needs("torch")
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_pytorch_gets_the_values_of_views(view):
    """Of a flipped tensor a copy: PyTorch has no negative strides, and ends the process when it meets one."""
    import torch

    x = view(Tensor(np.arange(6.0).reshape(2, 3)))
    assert torch.from_dlpack(x).tolist() == x.tolist()


@pytest.mark.needs("torch")
@pytest.mark.parametrize("view", [lambda t: t, lambda t: t.T, lambda t: t[:, ::2], lambda t: t[:0], lambda t: t[0, 0]])
def test_views_of_pytorch_arrive_with_their_values(view):
    import torch

    t = view(torch.arange(6.0).reshape(2, 3))
    assert tgl.from_dlpack(t).tolist() == t.tolist()
    assert tgl.from_dlpack(t, copy=True).tolist() == t.tolist()


@pytest.mark.needs("torch")
def test_a_gradient_of_pytorch_is_refused_in_its_own_words():
    import torch

    t = torch.ones(2, requires_grad=True)
    text = refusal(ExchangeError, lambda: tgl.from_dlpack(t))
    assert text.startswith("from_dlpack cannot take this: ")
    assert "grad" in text.splitlines()[0]
    with pytest.raises(GradientError, match="cannot carry a gradient"):
        torch.from_dlpack(Tensor([1.0], requires_grad=True))
