"""What special functions, rounding, logic and bits refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors

F = Tensor([1.0, 2.0])
I = Tensor([1, 2])
B = Tensor([True, False])
C = Tensor([1j, 2.0])
_COMPLEX = "  x     shape (2,), complex64, cpu\n  hint  take real(x), imag(x) or abs(x)"

REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "the bits of floats",
        lambda: tgl.bitwise_and(F, 1),
        errors.DTypeError,
        (
            "bitwise_and does not work on float32\n"
            "  x1    shape (2,), float32, cpu\n"
            "  x2    1\n"
            "  hint  bits are those of integers and bools: x.astype(int), or a comparison such as x > 0"
        ),
    ),
    (
        "a number without bits",
        lambda: tgl.bitwise_left_shift(I, 1.5),
        errors.DTypeError,
        "bitwise_left_shift does not work on int64 and float\n  x1  shape (2,), int64, cpu\n  x2  1.5",
    ),
    (
        "more bits than there are",
        lambda: tgl.bitwise_or(Tensor([1], dtype="uint8"), 300),
        errors.ArgumentError,
        (
            "bitwise_or needs a number that uint8 can hold\n"
            "  x1    shape (1,), uint8, cpu\n"
            "  x2    300\n"
            "  hint  convert the tensor with astype first"
        ),
    ),
    (
        "the positive of a bool",
        lambda: tgl.positive(B),
        errors.DTypeError,
        "positive does not work on bool\n  x     shape (2,), bool, cpu\n  hint  convert with astype first",
    ),
    *(
        (
            f"{function.__name__} of complex numbers",
            lambda function=function: function(C),  # type: ignore[misc]
            errors.DTypeError,
            f"{function.__name__} does not work on complex64\n  x   shape (2,), complex64, cpu",
        )
        for function in (tgl.floor, tgl.ceil, tgl.trunc, tgl.signbit)
    ),
    *(
        (
            f"{function.__name__} of complex numbers",
            lambda function=function: function(C),  # type: ignore[misc]
            errors.DTypeError,
            f"{function.__name__} needs real numbers\n{_COMPLEX}",
        )
        for function in (tgl.sigmoid, tgl.erf, tgl.erfc, tgl.erfcx, tgl.erfinv, tgl.ndtr, tgl.log_ndtr)
        + (tgl.lgamma, tgl.digamma, tgl.sinc)
    ),
    *(
        (
            f"{function.__name__} of complex numbers",
            lambda function=function: function(C, 2.0),  # type: ignore[misc]
            errors.DTypeError,
            f"{function.__name__} does not work on complex64 and float\n  x1  shape (2,), complex64, cpu\n  x2  2.0",
        )
        for function in (tgl.atan2, tgl.copysign, tgl.fmod, tgl.heaviside, tgl.hypot, tgl.logaddexp, tgl.nextafter)
    ),
    (
        "a margin of more than half",
        lambda: tgl.logit(F, eps=0.7),
        errors.ArgumentError,
        "logit needs eps in [0, 0.5], but got 0.7",
    ),
    (
        "a margin that is a word",
        lambda: tgl.logit(F, "a"),  # type: ignore[arg-type]
        errors.DTypeError,
        ("logit needs a number as eps\n  eps   'a'\n  hint  float(text) reads a number from a text"),
    ),
    (
        "a derivative of negative order",
        lambda: tgl.polygamma(-1, F),
        errors.ArgumentError,
        "polygamma needs an n from 0 to 160, but got -1",
    ),
    (
        "a derivative of too high an order",
        lambda: tgl.polygamma(200, F),
        errors.ArgumentError,
        "polygamma needs an n from 0 to 160, but got 200",
    ),
    (
        "a derivative of broken order",
        lambda: tgl.polygamma(1.5, F),  # type: ignore[arg-type]
        errors.DTypeError,
        ("polygamma needs an integer as n\n  n     1.5\n  hint  int(value) cuts off the fraction"),
    ),
    (
        "the polygamma of complex numbers",
        lambda: tgl.polygamma(1, C),
        errors.DTypeError,
        f"polygamma needs real numbers\n{_COMPLEX}",
    ),
    (
        "half a decimal",
        lambda: tgl.round(F, decimals=0.5),  # type: ignore[arg-type]
        errors.DTypeError,
        ("round needs an integer as decimals\n  decimals  0.5\n  hint      int(value) cuts off the fraction"),
    ),
    (
        "a word that is close",
        lambda: tgl.isclose(F, None),
        errors.DTypeError,
        (
            "isclose needs numbers, but got None\n"
            "  x2    None\n"
            "  hint  a function gives None where it does not return anything"
        ),
    ),
    (
        "a tolerance that is a word",
        lambda: tgl.allclose(F, F, rtol="a"),  # type: ignore[arg-type]
        errors.DTypeError,
        ("isclose needs a number as rtol\n  rtol  'a'\n  hint  float(text) reads a number from a text"),
    ),
    (
        "equality with nothing",
        lambda: tgl.array_equal(F, None),
        errors.DTypeError,
        (
            "array_equal needs numbers, but got None\n"
            "  x2    None\n"
            "  hint  a function gives None where it does not return anything"
        ),
    ),
    (
        "a logarithm of a word",
        lambda: tgl.xlogy(F, "a"),
        errors.DTypeError,
        ("xlogy needs numbers, but got 'a'\n  x2    'a'\n  hint  float(text) reads a number from a text"),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    assert refusal(kind, call) == text
