"""Reductions that leave out NaN: gaps against NumPy, nothing but gaps, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors

nan, inf = float("nan"), float("inf")
GAPS = np.array([[1.5, nan, -0.5, 4.0], [nan, 2.0, nan, nan], [-inf, nan, 0.0, nan]])


@pytest.mark.parametrize("name", ["nansum", "nanmean", "nanmax", "nanmin", "nanvar", "nanstd"])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("rows", [2, 3])
def test_gaps_are_left_out_as_in_numpy(name: str, axis: Any, keepdims: bool, rows: int) -> None:
    if rows == 3 and name in ("nanvar", "nanstd"):
        return  # of infinities there is no variance
    x = GAPS[:rows]
    found = getattr(tgl, name)(Tensor(x), axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(found.numpy(), getattr(np, name)(x, axis=axis, keepdims=keepdims), rtol=1e-14)


@pytest.mark.parametrize("name", ["nanvar", "nanstd"])
def test_the_correction_counts_what_is_there(name: str) -> None:
    x = GAPS[0]
    found = getattr(tgl, name)(Tensor(x), correction=1)
    np.testing.assert_allclose(found.numpy(), getattr(np, name)(x, ddof=1), rtol=1e-14)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ["nanmean", "nanmax", "nanmin", "nanvar", "nanstd"])
def test_of_nothing_but_nan_everything_is_nan(name: str) -> None:
    np.testing.assert_array_equal(getattr(tgl, name)(Tensor([[nan, 1.0], [nan, 1.0]]), axis=0).numpy()[0], nan)


def test_counts_and_sums_do_not_overflow_in_float16() -> None:
    ones = np.ones(4096, "float16")
    assert tgl.nanmean(Tensor(ones)).item() == 1.0
    spread = Tensor(np.concatenate([200 * ones, -200 * ones]))
    assert tgl.nanstd(spread).item() == 200.0
    assert tgl.nanstd(spread).dtype == "float16"


def test_extrema_of_integers_and_bools_keep_their_dtype() -> None:
    assert (tgl.nanmax(Tensor([3, 1])).item(), tgl.nanmax(Tensor([3, 1])).dtype) == (3, "int64")
    assert tgl.nanmin(Tensor([True, False])).item() is False


REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "the largest of nothing",
        lambda: tgl.nanmax(tgl.ones((0, 2)), axis=0),
        errors.ShapeError,
        (
            "nanmax needs at least one element to choose from\n"
            "  x     shape (0, 2), float32, cpu\n"
            "  hint  an axis of size 0 holds nothing: was everything filtered out before?"
        ),
    ),
    (
        "an axis that is not there",
        lambda: tgl.nanmin(tgl.ones(2), axis=1),
        errors.AxisError,
        (
            "nanmin got axis 1, but the array has axes -1 to 0\n"
            "  x     shape (2,), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "a correction that is no number",
        lambda: tgl.nanvar(tgl.ones(2), correction="a"),
        errors.DTypeError,
        (
            "nanvar needs a number as correction\n"
            "  correction  'a'\n"
            "  hint        float(text) reads a number from a text"
        ),
    ),
    (
        "the deviation of complex numbers",
        lambda: tgl.nanstd(Tensor([1j])),
        errors.DTypeError,
        ("nanstd needs real numbers\n  x     shape (1,), complex64, cpu\n  hint  take real(x), imag(x) or abs(x)"),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    refuses(kind, call, text)
