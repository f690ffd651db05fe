"""What the random functions refuse, in the whole of its words."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors, random

X = Tensor(np.zeros((2, 3), "float32"))

REFUSALS: list[tuple[Callable[[], Any], type[errors.Error], str]] = [
    (
        lambda: random.uniform((2, 3), Tensor([1.0, 2.0])),
        errors.ShapeError,
        "uniform needs low to broadcast to shape (2, 3), but it has shape (2,)",
    ),
    (
        lambda: random.uniform((2, 3), Tensor([0.0, 0.0, 2.0]), 1),
        errors.ArgumentError,
        ("uniform needs finite low <= high\n  low   shape (3,), float32, cpu\n  high  1"),
    ),
    (
        lambda: random.uniform(3, -3e38, 3e38),
        errors.ArgumentError,
        (
            "uniform needs bounds whose distance fits into float32, but got -3e+38 and 3e+38\n"
            '  hint  dtype="float64" reaches further'
        ),
    ),
    (
        lambda: random.choice(2**33, 3),
        errors.ArgumentError,
        "choice needs x of at most 2^32, but got 8589934592",
    ),
    (
        lambda: random.uniform(3, [0, "a"]),
        errors.DTypeError,
        ("uniform needs numbers, but got 'a'\n  low   [0, 'a']\n  hint  float(text) reads a number from a text"),
    ),
    (
        lambda: random.normal(3, std=Tensor([1.0, -1.0, 1.0])),
        errors.ArgumentError,
        ("normal needs a finite std of at least 0\n  std  shape (3,), float32, cpu"),
    ),
    (
        lambda: random.normal((), mean=Tensor([1.0])),
        errors.ShapeError,
        "normal needs mean to broadcast to shape (), but it has shape (1,)",
    ),
    (
        lambda: random.normal(2, mean=Tensor([1j, 0])),
        errors.DTypeError,
        (
            "normal needs real numbers\n"
            "  mean  shape (2,), complex64, cpu\n"
            "  hint  take real(mean), imag(mean) or abs(mean)"
        ),
    ),
    (
        lambda: random.exponential(3, -1),
        errors.ArgumentError,
        (
            "exponential needs a finite scale of at least 0, but got -1\n"
            "  hint  the sign does not matter for a spread: abs(value)"
        ),
    ),
    (
        lambda: random.exponential(3, Tensor([1.0, inf, 1.0])),
        errors.ArgumentError,
        ("exponential needs a finite scale of at least 0\n  scale  shape (3,), float32, cpu"),
    ),
    (
        lambda: random.exponential(-1),
        errors.ShapeError,
        (
            "exponential needs sizes of at least 0, but got shape (-1,)\n"
            "  hint  -1 stands for what is left in reshape only"
        ),
    ),
    (
        lambda: random.exponential(3, dtype="int32"),
        errors.DTypeError,
        ("exponential needs a floating-point dtype, but got int32\n  hint  integers() draws whole numbers"),
    ),
    (
        lambda: random.exponential(3, rate=2),
        errors.KeywordError,
        "exponential has no argument 'rate'; it has shape, scale, dtype, device, requires_grad",
    ),
    (
        lambda: random.gamma(3, 0),
        errors.ArgumentError,
        "gamma needs a finite concentration greater than 0, but got 0",
    ),
    (
        lambda: random.gamma(3, inf),
        errors.ArgumentError,
        "gamma needs a finite concentration greater than 0, but got inf",
    ),
    (
        lambda: random.gamma(3, 1.0, -1),
        errors.ArgumentError,
        (
            "gamma needs a finite scale of at least 0, but got -1\n"
            "  hint  the sign does not matter for a spread: abs(value)"
        ),
    ),
    (
        lambda: random.gamma(3, Tensor([1.0, 0.0, 1.0])),
        errors.ArgumentError,
        ("gamma needs a finite concentration greater than 0\n  concentration  shape (3,), float32, cpu"),
    ),
    (
        lambda: random.gamma(3, "a"),
        errors.DTypeError,
        (
            "gamma needs a number as concentration\n"
            "  concentration  'a'\n"
            "  hint           float(text) reads a number from a text"
        ),
    ),
    (
        lambda: random.gamma(3, 1.0, dtype="bool"),
        errors.DTypeError,
        ("gamma needs a floating-point dtype, but got bool\n  hint  integers() draws whole numbers"),
    ),
    (
        lambda: random.bernoulli(1.5),
        errors.ArgumentError,
        (
            "bernoulli needs probabilities from 0 to 1, but got p=1.5\n"
            "  hint  sigmoid(x) makes probabilities of any numbers"
        ),
    ),
    (
        lambda: random.bernoulli(nan, 3),
        errors.ArgumentError,
        (
            "bernoulli needs probabilities from 0 to 1, but got p=nan\n"
            "  hint  sigmoid(x) makes probabilities of any numbers"
        ),
    ),
    (
        lambda: random.bernoulli("a"),
        errors.DTypeError,
        ("bernoulli needs a number as p\n  p     'a'\n  hint  float(text) reads a number from a text"),
    ),
    (
        lambda: random.bernoulli(Tensor([0.5, -0.1])),
        errors.ArgumentError,
        (
            "bernoulli needs probabilities from 0 to 1\n"
            "  p     shape (2,), float32, cpu\n"
            "  hint  sigmoid(x) makes probabilities of any numbers"
        ),
    ),
    (
        lambda: random.bernoulli(Tensor([0.5, 0.1]), (2, 3)),
        errors.ShapeError,
        "bernoulli needs p to broadcast to shape (2, 3), but it has shape (2,)",
    ),
    (
        lambda: random.categorical(),
        errors.ArgumentError,
        ("categorical needs either probs or logits\n  hint  logits may be any numbers, probs are shares of 0 and more"),
    ),
    (
        lambda: random.categorical([1.0], logits=[1.0]),
        errors.ArgumentError,
        ("categorical needs either probs or logits\n  hint  logits may be any numbers, probs are shares of 0 and more"),
    ),
    (
        lambda: random.categorical([1.0, -1.0]),
        errors.ArgumentError,
        (
            "categorical needs non-negative and finite probs, not all 0\n"
            "  probs  shape (2,), float32, cpu\n"
            "  hint   pass scores of any sign as logits="
        ),
    ),
    (
        lambda: random.categorical([0.0, 0.0]),
        errors.ArgumentError,
        (
            "categorical needs non-negative and finite probs, not all 0\n"
            "  probs  shape (2,), float32, cpu\n"
            "  hint   pass scores of any sign as logits="
        ),
    ),
    (
        lambda: random.categorical([nan, 1.0]),
        errors.ArgumentError,
        (
            "categorical needs non-negative and finite probs, not all 0\n"
            "  probs  shape (2,), float32, cpu\n"
            "  hint   pass scores of any sign as logits="
        ),
    ),
    (
        lambda: random.categorical(logits=[nan, 1.0]),
        errors.ArgumentError,
        ("categorical needs logits that are finite or -inf, but not all -inf\n  logits  shape (2,), float32, cpu"),
    ),
    (
        lambda: random.categorical(logits=[inf, 1.0]),
        errors.ArgumentError,
        ("categorical needs logits that are finite or -inf, but not all -inf\n  logits  shape (2,), float32, cpu"),
    ),
    (
        lambda: random.categorical(logits=[[0.0, 1.0], [-inf, -inf]]),
        errors.ArgumentError,
        ("categorical needs logits that are finite or -inf, but not all -inf\n  logits  shape (2, 2), float32, cpu"),
    ),
    (
        lambda: random.categorical(1.0),
        errors.AxisError,
        (
            "categorical got axis -1, but the array has no axes (it is 0-d)\n"
            "  x     shape (), float32, cpu\n"
            "  hint  x.reshape(1) has one axis"
        ),
    ),
    (
        lambda: random.categorical(Tensor(np.zeros((2, 0)))),
        errors.ShapeError,
        ("categorical needs at least one class along axis 1\n  probs  shape (2, 0), float64, cpu"),
    ),
    (
        lambda: random.categorical([1.0], axis=1),
        errors.AxisError,
        (
            "categorical got axis 1, but the array has axes -1 to 0\n"
            "  x     shape (1,), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        lambda: random.categorical([1.0], shape=-1),
        errors.ShapeError,
        (
            "categorical needs sizes of at least 0, but got shape (-1,)\n"
            "  hint  -1 stands for what is left in reshape only"
        ),
    ),
    (
        lambda: random.multinomial([0.5, 0.5, 0.0], 3),
        errors.ArgumentError,
        (
            "multinomial needs at least 3 classes that are not impossible, but there are 2\n"
            "  probs  shape (3,), float32, cpu\n"
            "  hint   replacement=True draws a class again"
        ),
    ),
    (
        lambda: random.multinomial([0.5, 0.5], -1),
        errors.ArgumentError,
        "multinomial needs num_samples of at least 0, but got -1",
    ),
    (
        lambda: random.multinomial([0.5, 0.5], 1.5),
        errors.DTypeError,
        (
            "multinomial needs an integer as num_samples\n"
            "  num_samples  1.5\n"
            "  hint         int(value) cuts off the fraction"
        ),
    ),
    (
        lambda: random.multinomial([0.0], 1),
        errors.ArgumentError,
        (
            "multinomial needs non-negative and finite probs, not all 0\n"
            "  probs  shape (1,), float32, cpu\n"
            "  hint   softmax(x) makes them of any numbers"
        ),
    ),
    (
        lambda: random.choice(-1),
        errors.ArgumentError,
        "choice needs x of at least 0, but got -1",
    ),
    (
        lambda: random.choice(0, 2),
        errors.ArgumentError,
        ("choice needs at least one element to draw from\n  x   0"),
    ),
    (
        lambda: random.choice(3, 4, replace=False),
        errors.ArgumentError,
        ("choice needs at least 4 elements for as many draws without replacement, but there are 3\n  x   3"),
    ),
    (
        lambda: random.choice(3, 2, replace=False, p=[1.0, 0.0, 0.0]),
        errors.ArgumentError,
        ("choice needs at least 2 elements for as many draws without replacement, but there are 1\n  x   3"),
    ),
    (
        lambda: random.choice(3, p=[0.5, 0.5]),
        errors.ShapeError,
        ("choice needs p of shape (3,): one number per element\n  p   shape (2,), float32, cpu"),
    ),
    (
        lambda: random.choice(3, p=[0.5, 0.5, -1.0]),
        errors.ArgumentError,
        (
            "choice needs non-negative and finite p, not all 0\n"
            "  p     shape (3,), float32, cpu\n"
            "  hint  softmax(x) makes them of any numbers"
        ),
    ),
    (
        lambda: random.choice(1.5),
        errors.DTypeError,
        ("choice needs an integer as x\n  x     1.5\n  hint  int(value) cuts off the fraction"),
    ),
    (
        lambda: random.choice(X, axis=2),
        errors.AxisError,
        (
            "choice got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        lambda: random.permutation(X, axis=2),
        errors.AxisError,
        (
            "permutation got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
]


@pytest.mark.parametrize("call, kind, text", REFUSALS, ids=[text.partition("\n")[0] for *_, text in REFUSALS])
def test_a_refusal_in_all_its_words(call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    before = tgl.get_rng_state()
    assert refusal(kind, call) == text
    assert tgl.get_rng_state() == before
