"""What element-wise functions and reductions refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors

X = tgl.zeros((2, 3))
M = tgl.eye(2)
B = Tensor([True, False])
I = Tensor([1, 2])
C = Tensor([1j, 2.0])
LEAF = Tensor([1.0, 2.0], requires_grad=True)

REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "a word",
        lambda: tgl.exp("abc"),
        errors.DTypeError,
        ("exp needs numbers, but got 'abc'\n  x     'abc'\n  hint  float(text) reads a number from a text"),
    ),
    (
        "nothing",
        lambda: X + None,
        errors.DTypeError,
        (
            "add needs numbers, but got None\n"
            "  x2    None\n"
            "  hint  a function gives None where it does not return anything"
        ),
    ),
    (
        "a word among numbers",
        lambda: tgl.sqrt([1.0, "a"]),
        errors.DTypeError,
        ("sqrt needs numbers, but got 'a'\n  x     [1.0, 'a']\n  hint  float(text) reads a number from a text"),
    ),
    (
        "an array of objects",
        lambda: tgl.exp(np.array([object(), 1], object)),
        errors.DTypeError,
        (
            "exp needs numbers, but got an array of object\n"
            "  x     shape (2,), object, cpu\n"
            "  hint  array.astype(float) makes numbers of what can be read so"
        ),
    ),
    (
        "arrays of unequal shapes in a list",
        lambda: Tensor([np.zeros((2, 2)), np.zeros((2, 3))]),
        errors.ArgumentError,
        (
            "Tensor needs nested lists of equal lengths\n"
            "  value  [array([[0., 0.],\n"
            "       [0., 0.]]), array([[0., 0., 0.],...\n"
            "  hint   what stands at one depth must have one length"
        ),
    ),
    (
        "lists of unequal lengths",
        lambda: tgl.add([[1, 2], [3]], 1),
        errors.ArgumentError,
        (
            "add needs nested lists of equal lengths\n"
            "  x1    [[1, 2], [3]]\n"
            "  hint  what stands at one depth must have one length"
        ),
    ),
    (
        "the difference of bools",
        lambda: B - B,
        errors.DTypeError,
        (
            "subtract does not work on bool\n"
            "  x1    shape (2,), bool, cpu\n"
            "  x2    shape (2,), bool, cpu\n"
            "  hint  convert with astype first"
        ),
    ),
    (
        "a bool with a minus sign",
        lambda: -B,
        errors.DTypeError,
        ("negative does not work on bool\n  x     shape (2,), bool, cpu\n  hint  convert with astype first"),
    ),
    (
        "the sign of a bool",
        lambda: tgl.sign(B),
        errors.DTypeError,
        ("sign does not work on bool\n  x     shape (2,), bool, cpu\n  hint  convert with astype first"),
    ),
    (
        "integers to a negative power",
        lambda: tgl.pow(I, Tensor([-1, -1])),
        errors.ArgumentError,
        (
            "pow cannot work on these operands: Integers to negative integer powers are not allowed\n"
            "  x1    shape (2,), int64, cpu\n"
            "  x2    shape (2,), int64, cpu\n"
            "  hint  convert with astype first"
        ),
    ),
    (
        "integers to a negative number",
        lambda: I**-1,
        errors.ArgumentError,
        (
            "pow cannot work on these operands: Integers to negative integer powers are not allowed\n"
            "  x1    shape (2,), int64, cpu\n"
            "  x2    -1\n"
            "  hint  convert with astype first"
        ),
    ),
    (
        "a number that the tensor cannot hold",
        lambda: Tensor([1], dtype="int8") + 300,
        errors.ArgumentError,
        (
            "add needs a number that int8 can hold\n"
            "  x1    shape (1,), int8, cpu\n"
            "  x2    300\n"
            "  hint  convert the tensor with astype first"
        ),
    ),
    (
        "shapes that do not broadcast",
        lambda: X + Tensor([1.0, 2.0]),
        errors.ShapeError,
        (
            "add needs shapes that broadcast together, but axis -1 is 3 and 2\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (2,), float32, cpu\n"
            "  hint  expand_dims(x2, -1) lines x2 up with the first axis of x1"
        ),
    ),
    (
        "a number is a scalar, a list is not",
        lambda: X * [1.0, 2.0],
        errors.ShapeError,
        (
            "multiply needs shapes that broadcast together, but axis -1 is 3 and 2\n"
            "  x1    shape (2, 3), float32, cpu\n"
            "  x2    shape (2,), float32, cpu\n"
            "  hint  expand_dims(x2, -1) lines x2 up with the first axis of x1"
        ),
    ),
    (
        "a gradient with a complex factor",
        lambda: LEAF * C,
        errors.GradientError,
        (
            "multiply cannot carry a gradient: complex tensors have none\n"
            "  x1    shape (2,), float32, cpu\n"
            "  x2    shape (2,), complex64, cpu\n"
            "  hint  detach() the real operand first"
        ),
    ),
    (
        "a gradient with a complex number",
        lambda: LEAF * 1j,
        errors.GradientError,
        (
            "multiply cannot carry a gradient: complex tensors have none\n"
            "  x1    shape (2,), float32, cpu\n"
            "  x2    1j\n"
            "  hint  detach() the real operand first"
        ),
    ),
    (
        "a product with gradient and complex numbers",
        lambda: LEAF @ C,
        errors.GradientError,
        (
            "matmul cannot carry a gradient: complex tensors have none\n"
            "  x1    shape (2,), float32, cpu\n"
            "  x2    shape (2,), complex64, cpu\n"
            "  hint  detach() the real operand first"
        ),
    ),
    (
        "a choice with a gradient and complex numbers",
        lambda: tgl.where(B, LEAF, C),
        errors.GradientError,
        (
            "where cannot carry a gradient: complex tensors have none\n"
            "  x1    shape (2,), float32, cpu\n"
            "  x2    shape (2,), complex64, cpu\n"
            "  hint  detach() the real operand first"
        ),
    ),
    (
        "a bound that is a word",
        lambda: tgl.clip(X, "a"),
        errors.DTypeError,
        ("clip needs numbers, but got 'a'\n  min   'a'\n  hint  float(text) reads a number from a text"),
    ),
    (
        "a bound that does not broadcast",
        lambda: tgl.clip(X, max=tgl.zeros(2)),
        errors.ShapeError,
        (
            "clip needs shapes that broadcast together, but axis -1 is 3 and 2\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  max   shape (2,), float32, cpu\n"
            "  hint  expand_dims(max, -1) lines max up with the first axis of x"
        ),
    ),
    (
        "a bound that the integers cannot hold",
        lambda: tgl.clip(Tensor([1], dtype="int8"), 0, 300),
        errors.ArgumentError,
        (
            "clip needs numbers that int8 can hold, but got 300\n"
            "  x     shape (1,), int8, cpu\n"
            "  hint  convert x with astype first"
        ),
    ),
    (
        "complex numbers between bounds",
        lambda: tgl.clip(C, 0, 1),
        errors.DTypeError,
        (
            "clip needs real numbers\n"
            "  x     shape (2,), complex64, cpu\n"
            "  min   0\n"
            "  max   1\n"
            "  hint  complex numbers have no order: clip abs(x)"
        ),
    ),
    (
        "numbers for complex infinities",
        lambda: tgl.nan_to_num(C),
        errors.DTypeError,
        ("nan_to_num needs real numbers\n  x     shape (2,), complex64, cpu\n  hint  take real(x), imag(x) or abs(x)"),
    ),
    (
        "a word for NaN",
        lambda: tgl.nan_to_num(LEAF, nan="a"),  # type: ignore[arg-type]
        errors.DTypeError,
        ("nan_to_num needs a number as nan\n  nan   'a'\n  hint  float(text) reads a number from a text"),
    ),
    (
        "conditions that do not broadcast",
        lambda: tgl.where(Tensor([True, False, True]), X, tgl.zeros(4)),
        errors.ShapeError,
        (
            "where needs shapes that broadcast together, but axis -1 is 3 and 4\n"
            "  condition  shape (3,), bool, cpu\n"
            "  x1         shape (2, 3), float32, cpu\n"
            "  x2         shape (4,), float32, cpu\n"
            "  hint       sizes are compared from the last axis on, and must be equal or 1"
        ),
    ),
    (
        "a condition that does not fit",
        lambda: tgl.where(B, X, X),
        errors.ShapeError,
        (
            "where needs shapes that broadcast together, but axis -1 is 2 and 3\n"
            "  condition  shape (2,), bool, cpu\n"
            "  x1         shape (2, 3), float32, cpu\n"
            "  x2         shape (2, 3), float32, cpu\n"
            "  hint       sizes are compared from the last axis on, and must be equal or 1"
        ),
    ),
    (
        "a choice of nothing",
        lambda: tgl.where(B, None, 1.0),
        errors.DTypeError,
        (
            "where needs numbers, but got None\n"
            "  x1    None\n"
            "  hint  a function gives None where it does not return anything"
        ),
    ),
    (
        "an axis that is not there",
        lambda: tgl.sum(X, 2),
        errors.AxisError,
        (
            "sum got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "an axis of a number",
        lambda: tgl.sum(Tensor(1.0), 0),
        errors.AxisError,
        (
            "sum got axis 0, but the array has no axes (it is 0-d)\n"
            "  x     shape (), float32, cpu\n"
            "  hint  x.reshape(1) has one axis"
        ),
    ),
    (
        "an axis between axes",
        lambda: tgl.sum(X, 1.0),
        errors.DTypeError,
        (
            "sum needs an integer as axis\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  axis  1.0\n"
            "  hint  axes are whole numbers: 0 is the first, -1 the last"
        ),
    ),
    (
        "an axis twice",
        lambda: tgl.mean(X, (0, -2)),
        errors.AxisError,
        ("mean got axis (0, -2), which names an axis twice\n  x     shape (2, 3), float32, cpu\n  hint  axis=(0,)"),
    ),
    (
        "the largest of none",
        lambda: tgl.max(tgl.zeros((0, 2))),
        errors.ShapeError,
        (
            "max needs at least one element to choose from\n"
            "  x     shape (0, 2), float32, cpu\n"
            "  hint  an axis of size 0 holds nothing: was everything filtered out before?"
        ),
    ),
    (
        "the smallest of none",
        lambda: tgl.min(tgl.zeros((0, 2)), 0),
        errors.ShapeError,
        (
            "min needs at least one element to choose from\n"
            "  x     shape (0, 2), float32, cpu\n"
            "  hint  an axis of size 0 holds nothing: was everything filtered out before?"
        ),
    ),
    (
        "the place of the largest of none",
        lambda: tgl.argmax(tgl.zeros(0)),
        errors.ShapeError,
        (
            "argmax needs at least one element to choose from\n"
            "  x     shape (0,), float32, cpu\n"
            "  hint  an axis of size 0 holds nothing: was everything filtered out before?"
        ),
    ),
    (
        "several axes where one is possible",
        lambda: tgl.argmin(X, (0, 1)),
        errors.DTypeError,
        (
            "argmin needs an integer as axis\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  axis  (0, 1)\n"
            "  hint  axes are whole numbers: 0 is the first, -1 the last"
        ),
    ),
    (
        "the logarithm of an empty sum",
        lambda: tgl.logsumexp(tgl.zeros(0)),
        errors.ShapeError,
        (
            "logsumexp needs at least one element to choose from\n"
            "  x     shape (0,), float32, cpu\n"
            "  hint  an axis of size 0 holds nothing: was everything filtered out before?"
        ),
    ),
    (
        "a correction that is no number",
        lambda: tgl.var(X, correction="a"),
        errors.DTypeError,
        ("var needs a number as correction\n  correction  'a'\n  hint        float(text) reads a number from a text"),
    ),
    (
        "a running sum without an axis",
        lambda: tgl.cumulative_sum(X),
        errors.ShapeError,
        (
            "cumulative_sum needs an axis when the tensor is not 1-d\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  say which one: axis=-1"
        ),
    ),
    (
        "a running product along no axis",
        lambda: tgl.cumulative_prod(X, 2),
        errors.AxisError,
        (
            "cumulative_prod got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "a recurrence of two shapes",
        lambda: tgl.linear_scan(X, M),
        errors.ShapeError,
        (
            "linear_scan needs a and b of one shape and dtype\n"
            "  a   shape (2, 3), float32, cpu\n"
            "  b   shape (2, 2), float32, cpu"
        ),
    ),
    (
        "an int that is no float",
        lambda: X + 10**400,
        errors.ArgumentError,
        (
            "add cannot work on these operands: int too large to convert to float\n"
            "  x1  shape (2, 3), float32, cpu\n"
            "  x2  100000000000000000000000000000000000000000000000000000000..."
        ),
    ),
    (
        "an int that is no float, beside a condition",
        lambda: tgl.where(X > 0, X, 10**400),
        errors.ArgumentError,
        (
            "where cannot work on these operands: int too large to convert to float\n"
            "  condition  shape (2, 3), bool, cpu\n"
            "  x1         shape (2, 3), float32, cpu\n"
            "  x2         100000000000000000000000000000000000000000000000000000000..."
        ),
    ),
    (
        "two ints of which one is no int64",
        lambda: tgl.add(2**70, 1),
        errors.DTypeError,
        (
            "add needs numbers, but got 1180591620717411303424\n"
            "  x1    1180591620717411303424\n"
            "  hint  integers go from -2^63 to 2^64 - 1; a float can hold larger numbers"
        ),
    ),
    (
        "a comparison with an int that is no float",
        lambda: tgl.isclose(X, 10**400),
        errors.ArgumentError,
        (
            "isclose needs a number that float32 can hold\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  number  100000000000000000000000000000000000000000000000000000000...\n"
            "  hint    convert the tensor with astype first"
        ),
    ),
    (
        "an edge that the dtype cannot hold",
        lambda: tgl.diff(Tensor([1, 2], dtype="uint8"), prepend=300),
        errors.ArgumentError,
        (
            "diff needs a number that uint8 can hold\n"
            "  x       shape (2,), uint8, cpu\n"
            "  number  300\n"
            "  hint    convert the tensor with astype first"
        ),
    ),
    (
        "digits that no float has",
        lambda: tgl.round(X, 400),
        errors.ArgumentError,
        "round needs decimals from -308 to 308, but got 400",
    ),
    (
        "a recurrence of two types",
        lambda: tgl.linear_scan(X, X.astype("float64")),
        errors.ShapeError,
        (
            "linear_scan needs a and b of one shape and dtype\n"
            "  a   shape (2, 3), float32, cpu\n"
            "  b   shape (2, 3), float64, cpu"
        ),
    ),
    (
        "a recurrence without time",
        lambda: tgl.linear_scan(Tensor(1.0), Tensor(1.0)),
        errors.AxisError,
        (
            "linear_scan got axis -1, but the array has no axes (it is 0-d)\n"
            "  x     shape (), float32, cpu\n"
            "  hint  x.reshape(1) has one axis"
        ),
    ),
    (
        "a sum to a shape that does not broadcast",
        lambda: tgl.sum_to(X, (2, 2)),
        errors.ShapeError,
        ("sum_to needs a shape that broadcasts to that of x, but got (2, 2)\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "a sum to a longer shape",
        lambda: tgl.sum_to(X, (1, 2, 3)),
        errors.ShapeError,
        ("sum_to needs a shape that broadcasts to that of x, but got (1, 2, 3)\n  x   shape (2, 3), float32, cpu"),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    before = tgl.get_rng_state()
    assert refusal(kind, call) == text
    assert tgl.get_rng_state() == before  # no random number is drawn for a call that fails
