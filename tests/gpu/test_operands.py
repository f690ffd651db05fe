"""What goes together on the GPU and what does not: numbers, NumPy's numbers and arrays, tensors of both devices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors, nn

pytestmark = [pytest.mark.needs("cuda"), pytest.mark.usefixtures("gpu")]

VALUES = np.arange(1.0, 7.0, dtype=np.float32).reshape(2, 3)


def here(dtype: str = "float32") -> Tensor:
    return Tensor(VALUES.astype(dtype))


def there(dtype: str = "float32") -> Tensor:
    return here(dtype).to("cuda")


# --- numbers ------------------------------------------------------------------------------------------------

WITH_NUMBERS: dict[str, Any] = {
    "a NumPy number behind": lambda x: x * np.float32(2),
    "a NumPy number before": lambda x: np.float64(2) * x,
    "a root of NumPy": lambda x: x / np.sqrt(2),
    "a comparison": lambda x: x > np.int64(2),
    "a power": lambda x: x ** np.float64(2),
    "a bool": lambda x: (x > 2) & np.bool_(True),
    "in place": lambda x: x.__iadd__(np.float32(1)),
    "clip": lambda x: tgl.clip(x, np.float32(2), np.float64(3)),
    "where of numbers": lambda x: tgl.where(x > 2, np.float32(1), np.float32(0)),
    "where of a bool": lambda x: tgl.where(True, x, x + 1),
    "where of 0": lambda x: tgl.where(0, x, 1.5),
    "lerp to a number": lambda x: tgl.lerp(x, 1.0, 0.25),
    "lerp from a number": lambda x: tgl.lerp(1.0, x, 0.25),
    "lerp by a NumPy number": lambda x: tgl.lerp(x, x + 1, np.float32(0.5)),
    "prelu": lambda x: tgl.prelu(x - 3, 0.5),
    "interp": lambda x: tgl.interp(1.5, x[0], x[1]),
    "a weight of samples": lambda x: nn.functional.binary_cross_entropy_with_logits(x, x / 8, weight=0.5),
    "a weight of classes": lambda x: nn.functional.cross_entropy(x, (x[:, 0] / 2).astype(int), weight=[1.0, 2.0, 3.0]),
    "a mask in a list": lambda x: tgl.masked_fill(x, [True, False, True], np.float32(9)),
}


@pytest.mark.parametrize("call", WITH_NUMBERS.values(), ids=WITH_NUMBERS)
def test_numbers_go_with_any_device(call: Any) -> None:
    expected, found = call(here()), call(there())
    assert (found.device, found.dtype) == ("cuda", expected.dtype)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6)


def test_numbers_go_with_operations_of_ones_own() -> None:
    @tgl.operation(a=lambda xp, g, a, b: g * b, b=lambda xp, g, a, b: g * a)
    def product(xp: Any, a: Any, b: Any, /) -> Any:
        return a * b

    assert product(there(), 2.0).device == "cuda"
    np.testing.assert_array_equal(product(2, there()).numpy(), 2 * VALUES)


# --- devices that do not go together -------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, str]] = {
    "an index of the GPU on the CPU": (
        lambda: here()[Tensor([0], device="cuda")],
        (
            "getitem needs operands on one device\n  x      shape (2, 3), float32, cpu\n"
            '  index  shape (1,), int64, cuda\n  hint   x.to("cuda") copies x there'
        ),
    ),
    "masked_select": (
        lambda: tgl.masked_select(there(), here() > 2),
        (
            "masked_select needs operands on one device\n  x     shape (2, 3), float32, cuda\n"
            '  mask  shape (2, 3), bool, cpu\n  hint  mask.to("cuda") copies mask there'
        ),
    ),
    "masked_scatter": (
        lambda: tgl.masked_scatter(here(), there() > 2, here()),
        (
            "masked_scatter needs operands on one device\n  x     shape (2, 3), float32, cpu\n"
            '  mask  shape (2, 3), bool, cuda\n  hint  x.to("cuda") copies x there'
        ),
    ),
    "index_add": (
        lambda: tgl.index_add(there(), 0, Tensor([0, 1], device="cuda"), here()),
        (
            "index_add needs operands on one device\n  x     shape (2, 3), float32, cuda\n"
            '  src   shape (2, 3), float32, cpu\n  hint  src.to("cuda") copies src there'
        ),
    ),
    "put_along_axis": (
        lambda: tgl.put_along_axis(there(), Tensor([[0], [1]]), 1.0),
        (
            "put_along_axis needs operands on one device\n  x        shape (2, 3), float32, cuda\n"
            '  indices  shape (2, 1), int64, cpu\n  hint     indices.to("cuda") copies indices there'
        ),
    ),
    "repeat": (
        lambda: tgl.repeat(here(), Tensor([1, 2], device="cuda"), axis=0),
        (
            "repeat needs operands on one device\n  x        shape (2, 3), float32, cpu\n"
            '  repeats  shape (2,), int64, cuda\n  hint     x.to("cuda") copies x there'
        ),
    ),
    "interp": (
        lambda: tgl.interp(there(), there()[0], here()[0]),
        (
            "interp needs operands on one device\n  xp    shape (3,), float32, cuda\n"
            '  fp    shape (3,), float32, cpu\n  hint  fp.to("cuda") copies fp there'
        ),
    ),
    "a loss": (
        lambda: nn.functional.mse_loss(there(), VALUES),
        (
            "mse_loss needs operands on one device\n  input   shape (2, 3), float32, cuda\n"
            '  target  shape (2, 3), float32, cpu\n  hint    target.to("cuda") copies target there'
        ),
    ),
    "labels": (
        lambda: nn.functional.cross_entropy(there(), [0, 1]),
        (
            "softmax_cross_entropy needs operands on one device\n  logits  shape (2, 3), float32, cuda\n"
            '  target  shape (2,), int64, cpu\n  hint    target.to("cuda") copies target there'
        ),
    ),
    "weights of classes": (
        lambda: nn.functional.cross_entropy(there(), Tensor([0, 1], device="cuda"), Tensor([1.0, 1.0, 1.0])),
        (
            "cross_entropy needs operands on one device\n  input   shape (2, 3), float32, cuda\n"
            '  weight  shape (3,), float32, cpu\n  hint    weight.to("cuda") copies weight there'
        ),
    ),
    "the cotangent of backward": (
        lambda: (there().requires_grad_() * 2).backward(here()),
        (
            "backward needs operands on one device\n  output    shape (2, 3), float32, cuda\n"
            '  gradient  shape (2, 3), float32, cpu\n  hint      gradient.to("cuda") copies gradient there'
        ),
    ),
    "the direction of jvp": (
        lambda: tgl.jvp(tgl.exp, there(), here()),
        (
            "jvp needs operands on one device\n  input  shape (2, 3), float32, cuda\n"
            '  v      shape (2, 3), float32, cpu\n  hint   v.to("cuda") copies v there'
        ),
    ),
    "a gradient that is set": (
        lambda: setattr(there().requires_grad_(), "grad", here()),
        (
            "grad needs operands on one device\n  tensor  shape (2, 3), float32, cuda\n"
            '  grad    shape (2, 3), float32, cpu\n  hint    grad.to("cuda") copies grad there'
        ),
    ),
}


@pytest.mark.parametrize(("call", "text"), REFUSED.values(), ids=REFUSED)
def test_operands_on_two_devices_are_refused_by_name(call: Any, text: str) -> None:
    refuses(errors.DeviceError, call, text)


def test_a_hook_may_not_take_the_gradient_elsewhere() -> None:
    x = there().requires_grad_()
    y = x * 2
    y.register_hook(lambda g: g.to("cpu"))
    text = (
        "hook needs operands on one device\n  gradient  shape (2, 3), float32, cuda\n"
        '  returned  shape (2, 3), float32, cpu\n  hint      returned.to("cuda") copies returned there'
    )
    refuses(errors.DeviceError, lambda: y.sum().backward(), text)


def test_lists_and_arrays_become_directions_on_the_device() -> None:
    x = Tensor([1.0, 2.0], device="cuda", requires_grad=True)
    for v in ([1.0, 3.0], np.array([1.0, 3.0])):
        found = tgl.grad(x * 2, x, v)
        assert (found.device, found.tolist()) == ("cuda", [2.0, 6.0])
        assert tgl.jvp(lambda u: u * 2, x.detach(), v)[1].tolist() == [2.0, 6.0]
    value, tangent = tgl.jvp(lambda u: u * u, Tensor(3.0, device="cuda"))
    assert (value.item(), tangent.item(), tangent.device) == (9.0, 6.0, "cuda")


# --- dtypes and indices -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, "bool") for name in ("negative", "sign", "positive", "subtract")),
        *((name, "complex64") for name in ("floor", "ceil", "trunc")),
    ],
)
def test_a_dtype_that_the_cpu_refuses_is_refused(name: str, dtype: str) -> None:
    function = getattr(tgl, name)
    for x in (here(dtype), there(dtype)):
        with pytest.raises(errors.DTypeError, match=f"^{name} does not work on {dtype}\n"):
            function(x, x) if name == "subtract" else function(x)


def test_conj_keeps_bools() -> None:
    for x in (here("bool"), there("bool")):
        assert tgl.conj(x).dtype == "bool"


@pytest.mark.parametrize("parameters", ["float16", "float32", "float64", "uint8"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_batch_norm_promotes_its_operands(dtype: str, parameters: str) -> None:
    found = []
    for device in ("cpu", "cuda"):
        x = Tensor(VALUES.astype(dtype), device=device, requires_grad=True)
        weight = Tensor(np.array([1, 2, 3], parameters), device=device)
        bias = Tensor(np.array([3.0, 2.0, 1.0]), device=device, requires_grad=True)
        y, mean, rstd = tgl.batch_norm(x, weight, bias)
        (y * y).sum().backward()
        found.append([y.detach(), mean.detach(), rstd.detach(), x.grad, bias.grad])
    for expected, y in zip(*found, strict=True):
        assert y.dtype == expected.dtype
        np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-2, atol=1e-2)


def test_the_counts_of_complex_sums_are_compared_with_zero_alone() -> None:
    index = Tensor([0, 0], device="cuda")
    x, src = Tensor([1j, 2j], device="cuda"), Tensor([3j, 4j], device="cuda")
    found = tgl.scatter_reduce(x, 0, index, src, "sum", include_self=False)
    assert found.tolist() == [7j, 2j]


def test_a_class_below_zero_is_none() -> None:
    log_p = tgl.log_softmax(there(), 1)
    with pytest.raises(errors.IndexingError):
        nn.functional.nll_loss(log_p, Tensor([0, -1], device="cuda")).item()
    assert np.isfinite(nn.functional.nll_loss(log_p, Tensor([0, -100], device="cuda")).item())


@pytest.mark.parametrize(
    ("index", "need"), [(slice(1.5, None), "whole numbers in a slice"), (slice(None, None, 0), "step")]
)
def test_a_slice_that_is_none_is_refused_as_on_the_cpu(index: slice, need: str) -> None:
    for x in (here(), there()):
        with pytest.raises(errors.IndexingError, match=need):
            x[index]


def test_a_view_keeps_its_memory() -> None:
    x = there()
    assert tgl.reshape(x, (3, 2), copy=False)._data.block is x._data.block
    with pytest.raises(errors.ArgumentError, match="cannot keep the memory of x"):
        tgl.reshape(x.T, (6,), copy=False)


def test_what_an_operation_of_ones_own_returns_of_its_operand_is_copied() -> None:
    @tgl.operation(x=lambda xp, g: xp.concat([xp.zeros_like(g[:1]), g]))
    def tail(xp: Any, x: Any) -> Any:
        return x[1:]

    leaf = Tensor([1.0, 2.0, 3.0], device="cuda", requires_grad=True)
    y = tail(leaf)
    with tgl.no_grad():
        leaf[...] = 0.0
    assert y.tolist() == [2.0, 3.0]


def test_numpy_in_an_operation_of_ones_own_is_explained() -> None:
    @tgl.operation(x=lambda xp, g: g)
    def ones(xp: Any, x: Any) -> Any:
        return np.ones(x.shape, np.float32)

    text = (
        "ones needs a forward that returns an array, but ans is of type ndarray\n"
        "  hint  compute with xp and operators: NumPy's arrays lie on the cpu"
    )
    refuses(errors.ArgumentError, lambda: ones(there()), text)
