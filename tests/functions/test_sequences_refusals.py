"""What making evenly spaced numbers and tensors like others refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors

X = tgl.zeros((2, 3))
I = Tensor([1, 2])

REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "a negative count",
        lambda: tgl.linspace(0, 1, -1),
        errors.ArgumentError,
        ("linspace needs num of at least 0, but got -1\n  hint  it is the number of points"),
    ),
    (
        "a fraction as count",
        lambda: tgl.linspace(0, 1, 2.5),
        errors.DTypeError,
        ("linspace needs an integer as num\n  num   2.5\n  hint  int(value) cuts off the fraction"),
    ),
    (
        "complex ends of real numbers",
        lambda: tgl.linspace(0, 1j, 3, dtype="float32"),
        errors.DTypeError,
        ("linspace cannot put complex numbers into float32"),
    ),
    (
        "a word as base",
        lambda: tgl.logspace(0, 1, 3, base="e"),
        errors.DTypeError,
        ("logspace needs a number as base\n  base  'e'\n  hint  float(text) reads a number from a text"),
    ),
    (
        "a fraction as diagonal",
        lambda: tgl.eye(2, k=0.5),
        errors.DTypeError,
        ("eye needs an integer as k\n  k     0.5\n  hint  int(value) cuts off the fraction"),
    ),
    (
        "a number that does not fit",
        lambda: tgl.full_like(tgl.zeros(2, "uint8"), 256),
        errors.ArgumentError,
        ("full_like needs a number that uint8 can hold\n  fill_value  256"),
    ),
    (
        "a number that the dtype does not hold",
        lambda: tgl.full(2, -1, "uint8"),
        errors.ArgumentError,
        ("full needs a number that uint8 can hold\n  fill_value  -1"),
    ),
    (
        "a vector as value",
        lambda: tgl.full_like(X, I),
        errors.DTypeError,
        ("full_like needs a number as fill_value\n  fill_value  shape (2,), int64, cpu"),
    ),
    (
        "a gradient of integers",
        lambda: tgl.empty_like(I, requires_grad=True),
        errors.GradientError,
        (
            "empty_like needs a floating-point tensor\n"
            "  tensor  shape (2,), int64, cpu\n"
            "  hint    convert with astype first"
        ),
    ),
    (
        "a device that is not there",
        lambda: tgl.ones_like(X, device="tpu"),
        errors.DeviceError,
        ('ones_like knows the devices "cpu" and "cuda", but got \'tpu\'\n  hint  use device="cpu", or leave it out'),
    ),
    (
        "a list to share",
        lambda: tgl.asarray([1.0], copy=False),
        errors.ArgumentError,
        (
            "asarray cannot share memory with this (copy=False)\n"
            "  obj   [1.0]\n"
            "  hint  leave copy out, so that it copies where it must"
        ),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Any, kind: type, text: str) -> None:
    assert refusal(kind, call) == text
