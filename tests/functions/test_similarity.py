"""Directions of vectors: dtypes, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors

X = tgl.ones((3, 2))
AXES = "axes are counted from 0, or from the end: -1 is the last"
REAL = "take real({0}), imag({0}) or abs({0})"
EPS = "needs eps >= 0, but got {}\n  hint  it is the least number to divide by"

REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "a single vector without an axis",
        lambda: tgl.normalize(tgl.ones(3)),
        errors.AxisError,
        f"normalize got axis 1, but the array has axes -1 to 0\n  x     shape (3,), float32, cpu\n  hint  {AXES}",
    ),
    ("a negative eps", lambda: tgl.normalize(X, eps=-1), errors.ArgumentError, "normalize " + EPS.format(-1)),
    (
        "an eps of NaN",
        lambda: tgl.cosine_similarity(X, X, eps=float("nan")),
        errors.ArgumentError,
        "cosine_similarity " + EPS.format("nan"),
    ),
    (
        "PyTorch's keyword",
        lambda: tgl.normalize(X, dim=1),
        errors.KeywordError,
        "normalize has no argument 'dim'; it has x, ord, axis, eps\n  hint  say axis= instead of dim=",
    ),
    (
        "complex vectors",
        lambda: tgl.normalize(Tensor([[1j]])),
        errors.DTypeError,
        f"normalize needs real numbers\n  x     shape (1, 1), complex64, cpu\n  hint  {REAL.format('x')}",
    ),
    (
        "a complex vector",
        lambda: tgl.cosine_similarity(X, Tensor([[1j]])),
        errors.DTypeError,
        f"cosine_similarity needs real numbers\n  x2    shape (1, 1), complex64, cpu\n  hint  {REAL.format('x2')}",
    ),
    (
        "shapes that do not broadcast",
        lambda: tgl.cosine_similarity(X, tgl.ones((3, 4))),
        errors.ShapeError,
        (
            "cosine_similarity needs shapes that broadcast together, but axis -1 is 2 and 4\n"
            "  x1    shape (3, 2), float32, cpu\n"
            "  x2    shape (3, 4), float32, cpu\n"
            "  hint  sizes are compared from the last axis on, and must be equal or 1"
        ),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    refuses(kind, call, text)


def test_eps_holds_in_float16_which_has_no_such_number() -> None:
    zero = Tensor(np.zeros((1, 2), "float16"))
    assert tgl.normalize(zero).tolist() == [[0.0, 0.0]]
    assert tgl.cosine_similarity(zero, zero).tolist() == [0.0]
    assert tgl.normalize(zero).dtype == tgl.cosine_similarity(zero, zero).dtype == "float16"


def test_two_dtypes_promote() -> None:
    x = Tensor(np.ones((1, 2), "float32"))
    assert tgl.cosine_similarity(x, Tensor(np.ones((1, 2)))).dtype == "float64"
    assert tgl.cosine_similarity(x, Tensor(np.ones((1, 2), "float16"))).dtype == "float32"
