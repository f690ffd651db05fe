"""What the functions that make tensors refuse: arguments, sizes, element types, random distributions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors


class OfAnotherGraph:
    """What PyTorch's tensors do that require a gradient."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise RuntimeError("call detach() first")

    def __repr__(self) -> str:
        return "a tensor of another library"


REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "a keyword of another dialect",
        lambda: tgl.sum(Tensor([1.0]), dim=0),
        errors.KeywordError,
        ("sum has no argument 'dim'; it has x, axis, keepdims, dtype\n  hint  say axis= instead of dim="),
    ),
    (
        "another keyword of another dialect",
        lambda: tgl.sum(Tensor([1.0]), 0, keepdim=True),
        errors.KeywordError,
        ("sum has no argument 'keepdim'; it has x, axis, keepdims, dtype\n  hint  say keepdims= instead of keepdim="),
    ),
    (
        "size for shape",
        lambda: tgl.random.normal(size=(2,)),
        errors.KeywordError,
        (
            "normal has no argument 'size'; it has shape, mean, std, dtype, device, requires_grad\n"
            "  hint  say shape= instead of size="
        ),
    ),
    (
        "a keyword that nobody has",
        lambda: tgl.zeros(2, colour="red"),
        errors.KeywordError,
        "zeros has no argument 'colour'; it has shape, dtype, device, requires_grad",
    ),
    (
        "a negative size",
        lambda: tgl.zeros((2, -1)),
        errors.ShapeError,
        ("zeros needs sizes of at least 0, but got shape (2, -1)\n  hint  -1 stands for what is left in reshape only"),
    ),
    (
        "a size that is no integer",
        lambda: tgl.zeros(2.0),
        errors.DTypeError,
        (
            "zeros needs integers as shape\n"
            "  shape  2.0\n"
            "  hint   n // 2 is a whole number, n / 2 is none; int(n) makes one"
        ),
    ),
    (
        "no shape",
        lambda: tgl.ones(None),
        errors.DTypeError,
        ("ones needs integers as shape\n  shape  None\n  hint   such as shape=(2, 3)"),
    ),
    (
        "sizes without a tuple",
        lambda: tgl.zeros(2, 3),
        errors.DTypeError,
        ("zeros needs an element type as dtype, but got 3\n  hint  put the sizes into one tuple: zeros((2, 3))"),
    ),
    (
        "an element type that does not exist",
        lambda: tgl.zeros(2, "float33"),
        errors.DTypeError,
        ("dtype needs the name of an element type, but got 'float33'\n  hint  \"float32\""),
    ),
    (
        "an element type that is not supported",
        lambda: tgl.zeros(2, "datetime64"),
        errors.DTypeError,
        (
            "dtype needs one of bool, int8..int64, uint8..uint64, float16..float64, complex64, complex128, "
            "but got datetime64\n"
            '  hint  such as "float32", "int64" or "bool"'
        ),
    ),
    (
        "a gradient of integers",
        lambda: tgl.zeros(2, "int64", requires_grad=True),
        errors.GradientError,
        ("zeros needs a floating-point tensor\n  tensor  shape (2,), int64, cpu\n  hint    convert with astype first"),
    ),
    (
        "a gradient of complex numbers",
        lambda: tgl.zeros(2, "complex64", requires_grad=True),
        errors.GradientError,
        (
            "zeros needs a floating-point tensor\n"
            "  tensor  shape (2,), complex64, cpu\n"
            "  hint    complex tensors have no derivatives"
        ),
    ),
    (
        "another device",
        lambda: tgl.zeros(2, device="tpu"),
        errors.DeviceError,
        ('zeros knows the devices "cpu" and "cuda", but got \'tpu\'\n  hint  use device="cpu", or leave it out'),
    ),
    (
        "a fill value that is no number",
        lambda: tgl.full(2, None),
        errors.DTypeError,
        (
            "full needs numbers, but got None\n"
            "  fill_value  None\n"
            "  hint        a function gives None where it does not return anything"
        ),
    ),
    (
        "an exact number of Python's",
        lambda: Tensor([1.0]) + Fraction(1, 2),
        errors.DTypeError,
        (
            "add needs numbers, but got Fraction(1, 2)\n"
            "  x2    Fraction(1, 2)\n"
            "  hint  float(value) is the nearest number that a tensor can hold"
        ),
    ),
    (
        "masked elements",
        lambda: Tensor([1.0]) + np.ma.array([1.0, 2.0], mask=[False, True]),
        errors.DTypeError,
        (
            "add needs numbers, but some elements are masked\n"
            "  x2    shape (2,), float64, cpu\n"
            "  hint  value.filled(0.0) says what stands in their place"
        ),
    ),
    (
        "integers too large for their dtype",
        lambda: Tensor([1, 300], dtype="uint8"),
        errors.ArgumentError,
        ("Tensor needs numbers that uint8 can hold, but got 300\n  value  [1, 300]\n  hint   it holds 0 to 255"),
    ),
    (
        "integers too small for their dtype",
        lambda: tgl.asarray(-1, dtype="uint8"),
        errors.ArgumentError,
        ("Tensor needs numbers that uint8 can hold, but got -1\n  value  -1\n  hint   it holds 0 to 255"),
    ),
    (
        "another library's gradient",
        lambda: Tensor(OfAnotherGraph()),
        errors.ArgumentError,
        "Tensor cannot make an array of this: call detach() first\n  value  a tensor of another library",
    ),
    (
        "a tensor with a gradient where a number is meant",
        lambda: tgl.pad(Tensor([1.0]), 1, Tensor(2.0, requires_grad=True)),
        errors.GradientError,
        (
            "pad needs a number as value, through which no gradient flows\n"
            "  value  shape (), float32, cpu\n"
            "  hint   value.item() says that the gradient ends here"
        ),
    ),
    (
        "a fill value of another shape",
        lambda: tgl.full((2,), [1, 2, 3]),
        errors.ShapeError,
        (
            "full needs a fill_value that broadcasts to shape (2,)\n"
            "  fill_value  shape (3,), int64, cpu\n"
            "  hint        one number fills any shape"
        ),
    ),
    (
        "zeros like a word",
        lambda: tgl.zeros_like("abc"),
        errors.DTypeError,
        ("zeros_like needs numbers, but got 'abc'\n  x     'abc'\n  hint  float(text) reads a number from a text"),
    ),
    (
        "no step",
        lambda: tgl.arange(0, 5, 0),
        errors.ArgumentError,
        ("arange needs a step other than 0\n  hint  linspace(start, stop, num) takes a number of points"),
    ),
    (
        "a bound that is no number",
        lambda: tgl.arange("a"),
        errors.DTypeError,
        ("arange needs a number as stop\n  stop  'a'\n  hint  float(text) reads a number from a text"),
    ),
    (
        "a bound with several elements",
        lambda: tgl.arange(0, Tensor([1, 2])),
        errors.DTypeError,
        ("arange needs a number as stop\n  stop  shape (2,), int64, cpu"),
    ),
    (
        "an endless range",
        lambda: tgl.arange(float("inf")),
        errors.ArgumentError,
        "arange needs finite numbers, but got 0, inf and 1",
    ),
    (
        "a matrix of negative size",
        lambda: tgl.eye(-1),
        errors.ShapeError,
        ("eye needs sizes of at least 0, but got shape (-1, -1)\n  hint  -1 stands for what is left in reshape only"),
    ),
    (
        "memory that cannot be shared",
        lambda: tgl.asarray([1.0], copy=False),
        errors.ArgumentError,
        (
            "asarray cannot share memory with this (copy=False)\n"
            "  obj   [1.0]\n"
            "  hint  leave copy out, so that it copies where it must"
        ),
    ),
    (
        "a negative seed",
        lambda: tgl.manual_seed(-1),
        errors.ArgumentError,
        (
            "manual_seed needs a seed from 0 to 2^64 - 1, but got -1\n"
            "  hint  any such number will do; the same one gives the same numbers again"
        ),
    ),
    (
        "a seed that is no integer",
        lambda: tgl.manual_seed(1.5),
        errors.DTypeError,
        ("manual_seed needs an integer as seed\n  seed  1.5\n  hint  int(value) cuts off the fraction"),
    ),
    (
        "a state without a counter",
        lambda: tgl.set_rng_state({"seed": 1}),
        errors.ArgumentError,
        ("set_rng_state needs a state from get_rng_state\n  state  {'seed': 1}"),
    ),
    (
        "a state that is none",
        lambda: tgl.set_rng_state(None),
        errors.ArgumentError,
        ("set_rng_state needs a state from get_rng_state\n  state  None"),
    ),
    (
        "a state out of range",
        lambda: tgl.set_rng_state({"seed": 2**64, "counter": 0}),
        errors.ArgumentError,
        ("set_rng_state needs a state from get_rng_state\n  state  {'seed': 18446744073709551616, 'counter': 0}"),
    ),
    (
        "an empty interval",
        lambda: tgl.random.uniform((2,), 2, 1),
        errors.ArgumentError,
        ("uniform needs finite low <= high, but got 2 and 1\n  hint  exchange the two"),
    ),
    (
        "an interval without an end",
        lambda: tgl.random.uniform(2, 0, float("inf")),
        errors.ArgumentError,
        "uniform needs finite low <= high, but got 0 and inf",
    ),
    (
        "an interval from a word",
        lambda: tgl.random.uniform(2, "a"),
        errors.DTypeError,
        ("uniform needs a number as low\n  low   'a'\n  hint  float(text) reads a number from a text"),
    ),
    (
        "uniform integers",
        lambda: tgl.random.uniform(2, dtype="int64"),
        errors.DTypeError,
        ("uniform needs a floating-point dtype, but got int64\n  hint  integers() draws whole numbers"),
    ),
    (
        "a uniform tensor of negative size",
        lambda: tgl.random.uniform(-1),
        errors.ShapeError,
        ("uniform needs sizes of at least 0, but got shape (-1,)\n  hint  -1 stands for what is left in reshape only"),
    ),
    (
        "a negative standard deviation",
        lambda: tgl.random.normal(2, std=-1),
        errors.ArgumentError,
        (
            "normal needs a finite std of at least 0, but got -1\n"
            "  hint  the sign does not matter for a spread: abs(value)"
        ),
    ),
    (
        "a standard deviation that is no number",
        lambda: tgl.random.normal(2, std=float("nan")),
        errors.ArgumentError,
        "normal needs a finite std of at least 0, but got nan",
    ),
    (
        "a mean that is no number",
        lambda: tgl.random.normal(2, "a"),
        errors.DTypeError,
        ("normal needs a number as mean\n  mean  'a'\n  hint  float(text) reads a number from a text"),
    ),
    (
        "normal integers",
        lambda: tgl.random.normal(2, dtype="int32"),
        errors.DTypeError,
        ("normal needs a floating-point dtype, but got int32\n  hint  integers() draws whole numbers"),
    ),
    (
        "an empty range of integers",
        lambda: tgl.random.integers(3, 3),
        errors.ArgumentError,
        (
            "integers needs low < high, but low = 3 and high = 3\n"
            "  hint  high itself is never drawn: low = 0 and high = 10 give 0 to 9"
        ),
    ),
    (
        "a range that ends between integers",
        lambda: tgl.random.integers(0, 1.5),
        errors.DTypeError,
        ("integers needs an integer as high\n  high  1.5\n  hint  int(value) cuts off the fraction"),
    ),
    (
        "a range beyond int64",
        lambda: tgl.random.integers(0, 2**64),
        errors.ArgumentError,
        "integers needs -2**63 <= low and high <= 2**63, but low = 0 and high = 18446744073709551616",
    ),
    (
        "a range wider than the generator",
        lambda: tgl.random.integers(0, 2**33),
        errors.ArgumentError,
        "integers needs high - low <= 2**32, but high - low = 8589934592",
    ),
    (
        "a permutation of fewer than nothing",
        lambda: tgl.random.permutation(-1),
        errors.ArgumentError,
        ("permutation needs n of at least 0, but got -1\n  hint  it is the number of elements"),
    ),
    (
        "a permutation of a fraction",
        lambda: tgl.random.permutation(1.5),
        errors.DTypeError,
        ("permutation needs an integer as n\n  n     1.5\n  hint  int(value) cuts off the fraction"),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    before = tgl.get_rng_state()
    assert refusal(kind, call) == text
    assert tgl.get_rng_state() == before  # no random number is drawn for a call that fails


class Reluctant:
    """What looks like an array but cannot be made one."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise TypeError("not today")

    def __repr__(self) -> str:
        return "Reluctant()"


def test_an_array_that_cannot_be_read_says_why() -> None:
    text = "Tensor cannot make an array of this: not today\n  value  Reluctant()"
    assert refusal(errors.ArgumentError, lambda: Tensor(Reluctant())) == text


def test_a_refused_call_leaves_the_leaf_and_its_gradient_alone() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    version = x._version.count  # type: ignore[union-attr]
    with tgl.no_grad():
        for call in (lambda: x.__setitem__(0, "a"), lambda: x.__setitem__(0, 1j), lambda: x.__iadd__(None)):
            with pytest.raises(errors.DTypeError):
                call()
    assert x.tolist() == [1.0, 2.0]
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 4.0]
    assert x._version.count == version  # type: ignore[union-attr]
