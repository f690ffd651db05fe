"""What reading and writing by index refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors
from tinygrad_lite.functions.indexing import add_along_axis, add_at

X = tgl.zeros((2, 3))
I = Tensor([1, 2])
C = Tensor([1j, 2.0])
LEAF = Tensor([1.0, 2.0], requires_grad=True)

REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "a fraction as index",
        lambda: X[1.0],
        errors.DTypeError,
        (
            "getitem needs integers, bools or slices as index\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  1.0\n"
            "  hint   n // 2 is a whole number, n / 2 is none; int(n) makes one"
        ),
    ),
    (
        "a word as index",
        lambda: X["a"],
        errors.DTypeError,
        (
            "getitem needs integers, bools or slices as index\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  'a'\n"
            "  hint   elements are counted, not named: 0 is the first, -1 the last"
        ),
    ),
    (
        "floats as index",
        lambda: X[X],
        errors.DTypeError,
        (
            "getitem needs integers, bools or slices as index\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  shape (2, 3), float32, cpu\n"
            "  hint   compare or convert with astype to get bools or integers"
        ),
    ),
    (
        "a ragged list as index",
        lambda: X[[[0], [1, 2]]],
        errors.IndexingError,
        (
            "getitem needs lists of equal lengths in an index\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  [[0], [1, 2]]\n"
            "  hint   one list per axis: x[[0, 1], [2, 3]]"
        ),
    ),
    (
        "an index out of bounds",
        lambda: X[5],
        errors.IndexingError,
        (
            "getitem got index 5, but axis 0 has 2 elements\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  5\n"
            "  hint   indices go from 0 to 1, or from -2 to -1 from the end"
        ),
    ),
    (
        "one index too many",
        lambda: X[0, 0, 0],
        errors.IndexingError,
        (
            "getitem got indices for 3 axes, but there are 2 axes\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  (0, 0, 0)\n"
            "  hint   2 indices reach a single element"
        ),
    ),
    (
        "a mask of another shape",
        lambda: X[Tensor([True, False, True])],
        errors.IndexingError,
        (
            "getitem needs a mask of shape (2,), but it has shape (3,)\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  shape (3,), bool, cpu\n"
            "  hint   a mask has one value per element of what it is for: that of x > 0 fits x"
        ),
    ),
    (
        "two ellipses",
        lambda: X[..., ...],
        errors.IndexingError,
        (
            "getitem needs at most one '...' in an index\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  (Ellipsis, Ellipsis)\n"
            "  hint   x[..., 0, :] says ':' for every further axis"
        ),
    ),
    (
        "indices that do not broadcast",
        lambda: X[[0, 1], [0, 1, 2]],
        errors.IndexingError,
        (
            "getitem needs indices that broadcast together, but they have shapes (2,) and (3,)\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  ([0, 1], [0, 1, 2])\n"
            "  hint   they pick elements one by one; all rows and all columns of a block are x[rows][:, "
            "columns]"
        ),
    ),
    (
        "a slice of fractions",
        lambda: X[1.0:2],
        errors.IndexingError,
        (
            "getitem needs whole numbers in a slice\n"
            "  x      shape (2, 3), float32, cpu\n"
            "  index  slice(1.0, 2, None)\n"
            "  hint   n // 2 is a whole number, n / 2 is none; int(n) makes one"
        ),
    ),
    (
        "an element of nothing",
        lambda: tgl.getitem(None, 0),
        errors.DTypeError,
        (
            "getitem needs numbers, but got None\n"
            "  x     None\n"
            "  hint  a function gives None where it does not return anything"
        ),
    ),
    (
        "values that are no numbers",
        lambda: tgl.setitem(X, "a", 0),
        errors.DTypeError,
        ("setitem needs numbers, but got 'a'\n  values  'a'\n  hint    float(text) reads a number from a text"),
    ),
    (
        "complex values among floats",
        lambda: tgl.setitem(X, C, 0),
        errors.DTypeError,
        (
            "setitem cannot put complex numbers into float32\n"
            "  x       shape (2, 3), float32, cpu\n"
            "  values  shape (2,), complex64, cpu\n"
            "  hint    take real(values), imag(values) or abs(values)"
        ),
    ),
    (
        "a value that does not fit",
        lambda: tgl.setitem(Tensor([1, 2], dtype="int8"), 300, 0),
        errors.ArgumentError,
        (
            "setitem needs a number that int8 can hold\n"
            "  x       shape (2,), int8, cpu\n"
            "  values  300\n"
            "  hint    convert x with astype first"
        ),
    ),
    (
        "a leaf that is written while recording",
        lambda: tgl.Tensor.__setitem__(LEAF, 0, 1.0),
        errors.GradientError,
        (
            "setitem cannot change a leaf that requires a gradient\n"
            "  x     shape (2,), float32, cpu\n"
            "  hint  write under no_grad(), or work on a copy: y = x.clone()"
        ),
    ),
    (
        "a leaf that is added to while recording",
        lambda: tgl.Tensor.__iadd__(LEAF, 1.0),
        errors.GradientError,
        (
            "add cannot change a leaf that requires a gradient\n"
            "  x     shape (2,), float32, cpu\n"
            "  hint  write under no_grad(), or work on a copy: y = x.clone()"
        ),
    ),
    (
        "fewer values than places",
        lambda: add_at(Tensor([1.0, 2.0]), Tensor([0, 1, 2]), (3,)),
        errors.ShapeError,
        (
            "add_at needs x in the shape (3,) that the index selects from (3,)\n"
            "  x      shape (2,), float32, cpu\n"
            "  index  shape (3,), int64, cpu"
        ),
    ),
    (
        "a place out of bounds",
        lambda: add_at(Tensor([1.0, 2.0]), Tensor([0, 3]), (3,)),
        errors.IndexingError,
        (
            "add_at got index 3, but axis 0 has 3 elements\n"
            "  x      shape (2,), float32, cpu\n"
            "  index  shape (2,), int64, cpu\n"
            "  hint   indices go from 0 to 2, or from -3 to -1 from the end"
        ),
    ),
    (
        "a negative size to add into",
        lambda: add_at(Tensor([1.0, 2.0]), Tensor([0, 1]), (-3,)),
        errors.ShapeError,
        ("add_at needs sizes of at least 0, but got shape (-3,)\n  hint  a size is a number of elements"),
    ),
    (
        "taking at fractions",
        lambda: tgl.take_along_axis(X, X, 1),
        errors.DTypeError,
        (
            "take_along_axis needs integer indices\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  indices  shape (2, 3), float32, cpu\n"
            '  hint     indices.astype("int64")'
        ),
    ),
    (
        "taking out of bounds",
        lambda: tgl.take_along_axis(X, Tensor([[3]]), 1),
        errors.IndexingError,
        (
            "take_along_axis got index 3, but the axis has 3 elements\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  indices  shape (1, 1), int64, cpu\n"
            "  hint     indices go from 0 to 2, or from -3 to -1 from the end"
        ),
    ),
    (
        "taking before the start",
        lambda: tgl.take_along_axis(X, Tensor([[-4]]), 1),
        errors.IndexingError,
        (
            "take_along_axis got index -4, but the axis has 3 elements\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  indices  shape (1, 1), int64, cpu\n"
            "  hint     indices go from 0 to 2, or from -3 to -1 from the end"
        ),
    ),
    (
        "taking with too few axes",
        lambda: tgl.take_along_axis(X, I, 1),
        errors.ShapeError,
        (
            "take_along_axis needs indices with as many axes as x, 2, but they have 1\n"
            "  x        shape (2, 3), float32, cpu\n"
            "  indices  shape (2,), int64, cpu\n"
            "  hint     expand_dims(indices, axis) for one index per row"
        ),
    ),
    (
        "taking along no axis",
        lambda: tgl.take_along_axis(X, Tensor([[0]]), 2),
        errors.AxisError,
        (
            "take_along_axis got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "putting with too few axes",
        lambda: add_along_axis(Tensor([[1.0]]), Tensor([0]), (2, 2), 1),
        errors.ShapeError,
        (
            "add_along_axis needs indices that fit in shape (2, 2) on every axis but 1\n"
            "  x        shape (1, 1), float32, cpu\n"
            "  indices  shape (1,), int64, cpu"
        ),
    ),
    (
        "putting beside the shape",
        lambda: add_along_axis(tgl.zeros((3, 1)), Tensor([[0], [0], [0]]), (2, 2), 1),
        errors.ShapeError,
        (
            "add_along_axis needs indices that fit in shape (2, 2) on every axis but 1\n"
            "  x        shape (3, 1), float32, cpu\n"
            "  indices  shape (3, 1), int64, cpu"
        ),
    ),
    (
        "putting more values than indices",
        lambda: add_along_axis(tgl.zeros((1, 3)), Tensor([[0]]), (2, 2), 1),
        errors.ShapeError,
        (
            "add_along_axis needs x in the shape of indices\n"
            "  x        shape (1, 3), float32, cpu\n"
            "  indices  shape (1, 1), int64, cpu"
        ),
    ),
    (
        "putting along no axis",
        lambda: add_along_axis(Tensor(1.0), Tensor(0), (), 0),
        errors.AxisError,
        ("add_along_axis got axis 0, but the result has no axes (it is 0-d)\n  hint  x.reshape(1) has one axis"),
    ),
    (
        "more than there are",
        lambda: tgl.topk(X, 4),
        errors.ArgumentError,
        (
            "topk needs k from 0 to 3, the size of axis 1, but got 4\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  min(k, x.shape[1]) takes what there is"
        ),
    ),
    (
        "a fraction of elements",
        lambda: tgl.topk(X, 1.5),
        errors.DTypeError,
        ("topk needs an integer as k\n  k     1.5\n  hint  int(value) cuts off the fraction"),
    ),
    (
        "the largest along no axis",
        lambda: tgl.topk(X, 1, 3),
        errors.AxisError,
        (
            "topk got axis 3, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "the largest of a number",
        lambda: tgl.topk(Tensor(1.0), 1),
        errors.AxisError,
        (
            "topk got axis -1, but the array has no axes (it is 0-d)\n"
            "  x     shape (), float32, cpu\n"
            "  hint  x.reshape(1) has one axis"
        ),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    before = tgl.get_rng_state()
    assert refusal(kind, call) == text
    assert tgl.get_rng_state() == before  # no random number is drawn for a call that fails
