"""Assignment and in-place operators: one object changes, no other tensor does, and backward never lies."""

from __future__ import annotations

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.errors import DTypeError, GradientError, IndexingError, ShapeError


def leaf(*values: float) -> Tensor:
    return Tensor(list(values), requires_grad=True)


VIEWS = {
    "reshape": lambda x: x.reshape((1, 2)),
    "slice": lambda x: x[:],
    "flip": lambda x: tgl.flip(x),
    "broadcast": lambda x: tgl.broadcast_to(x, (3, 2)),
    "detach": lambda x: x.detach(),
    "view of a view": lambda x: x.reshape((2, 1))[:, 0].detach(),
    "asarray": lambda x: tgl.asarray(x.detach()),
}
WRITES = {
    "x[0] = 9": lambda x: x.__setitem__(0, 9.0),
    "x += 1": lambda x: x.__iadd__(1.0),
    "x -= 1": lambda x: x.__isub__(1.0),
    "x *= 5": lambda x: x.__imul__(5.0),
    "x /= 5": lambda x: x.__itruediv__(5.0),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("kind", ["plain", "leaf", "leaf made after the view"])
def test_a_write_changes_one_object_and_no_view_of_it(kind, view, write):
    x = Tensor([1.0, 2.0], requires_grad=kind == "leaf")
    y = view(x)
    if kind == "leaf made after the view":
        x.requires_grad_()
    before = y.tolist()
    with tgl.no_grad():
        write(x)
    assert x.tolist() != [1.0, 2.0]
    assert y.tolist() == before


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_write_to_a_view_does_not_change_the_original(view, write):
    x = leaf(1.0, 2.0)
    y = view(x)
    write(y)
    assert x.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_two_writes_to_a_leaf_and_views_from_between_them(write):
    x = leaf(1.0, 2.0)
    with tgl.no_grad():
        write(x)
        between = x.reshape((2, 1))
        kept = between.tolist()
        write(x)
    assert between.tolist() == kept


def test_a_leaf_is_written_into_its_own_memory():
    x = leaf(1.0, 2.0)
    array = x._data
    with tgl.no_grad():
        x[0] = 5.0
        x += 1.0
    assert x._data is array
    assert array.tolist() == [6.0, 3.0]
    assert x.is_leaf


def test_an_overlapping_assignment_reads_before_it_writes():
    x = leaf(1.0, 2.0, 3.0)
    with tgl.no_grad():
        x[1:] = x[:-1]
    assert x.tolist() == [1.0, 1.0, 2.0]


def test_numpy_shows_a_read_only_view():
    array = Tensor([1.0, 2.0]).numpy()
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 5.0
    writable = np.array(Tensor([1.0, 2.0]))
    writable[0] = 5.0


# --- saved values --------------------------------------------------------------------------------------


def test_changing_a_saved_leaf_is_an_error_that_names_the_operation():
    x = leaf(1.0, 2.0)
    y = (Tensor([3.0, 4.0], requires_grad=True) * x).sum()
    with tgl.no_grad():
        x += 1.0
        x[0] = 5.0
    assert refusal(GradientError, lambda: y.backward()) == (
        "backward needs the value of x2 that multiply saved, but it was changed in place since (2 times)\n"
        "  x2    shape (2,), float32, cpu\n"
        "  hint  run backward before the update, or compute the result again after it"
    )


@pytest.mark.parametrize("use", [lambda x: x.reshape((2, 1)), lambda x: x.detach(), lambda x: x[0:2]])
def test_changing_a_leaf_that_was_saved_through_a_view_is_an_error_too(use):
    x, w = leaf(1.0, 2.0), leaf(1.0, 1.0)
    view = use(x)
    y = (w.reshape(view.shape) * view).sum()
    with tgl.no_grad():
        x += 1.0
    with pytest.raises(GradientError, match="changed in place since"):
        y.backward()


def test_changing_a_leaf_that_was_not_saved_is_fine():
    x = leaf(1.0, 2.0)
    y = tgl.exp(x * 2.0).sum() + x.sum()
    with tgl.no_grad():
        x += 100.0
    y.backward()
    assert x.grad.tolist() == pytest.approx(2 * np.exp([2.0, 4.0]) + 1, rel=1e-6)


def test_a_saved_tensor_that_becomes_a_leaf_later_keeps_its_saved_value():
    w, a = leaf(1.0, 1.0), Tensor([1.0, 2.0])
    y = (w * a).sum()
    a.requires_grad_()
    with tgl.no_grad():
        a[0] = 9.0
    y.backward()
    assert w.grad.tolist() == [1.0, 2.0]


def test_rebinding_a_result_does_not_disturb_what_was_saved_of_it():
    x = leaf(2.0)
    y = x * 3.0
    z = y * y
    y += 1.0
    y[0] = 5.0
    z.backward()
    assert x.grad.tolist() == [36.0]


def test_a_numpy_array_or_index_that_changes_after_its_use_does_not_change_the_gradient():
    x, factor, index = leaf(1.0, 2.0, 3.0), np.array([5.0, 5.0], np.float32), np.array([0, 1])
    y = (x[index] * factor).sum()
    factor[:], index[:] = 77.0, 2
    y.backward()
    assert x.grad.tolist() == [5.0, 5.0, 0.0]


# --- gradients through assignment -----------------------------------------------------------------------


def test_assignment_sends_gradients_to_the_new_values_and_away_from_the_old():
    x, values = leaf(1.0, 2.0, 3.0), leaf(10.0)
    y = x * 1.0
    y[1:2] = values
    (y * y).sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 6.0]
    assert values.grad.tolist() == [20.0]


def test_assignment_of_a_broadcast_value_adds_its_gradients_up():
    x, value = leaf(1.0, 2.0, 3.0), Tensor(5.0, requires_grad=True)
    y = x * 1.0
    y[Tensor([True, False, True])] = value
    (y * Tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [0.0, 10.0, 0.0]
    assert value.grad.item() == 101.0


def test_assigning_a_tensor_that_requires_a_gradient_into_a_plain_one_starts_a_graph():
    y, x = Tensor([0.0, 0.0]), leaf(3.0)
    y[0:1] = x
    assert y.requires_grad
    (y * y).sum().backward()
    assert x.grad.tolist() == [6.0]


def test_in_place_arithmetic_is_recorded():
    x, w = leaf(2.0), leaf(5.0)
    y = x * 1.0
    y *= w
    y += x
    y.backward()
    assert (x.grad.tolist(), w.grad.tolist()) == ([6.0], [2.0])


def test_in_place_arithmetic_keeps_the_dtype():
    x = Tensor([1.0], dtype="float32")
    x += np.array([1.0], np.float64)
    assert x.dtype == tgl.float32
    parameter = leaf(1.0)
    with tgl.no_grad():
        parameter -= np.array([0.5], np.float64)
    assert (parameter.dtype, parameter.tolist()) == (tgl.float32, [0.5])


def test_what_writing_refuses_and_that_nothing_changes():
    x, counts = leaf(1.0, 2.0), Tensor([1, 2])
    cases = [
        (
            GradientError,
            lambda: x.__setitem__(0, 9.0),
            (
                "setitem cannot change a leaf that requires a gradient\n"
                "  x     shape (2,), float32, cpu\n"
                "  hint  write under no_grad(), or work on a copy: y = x.clone()"
            ),
        ),
        (
            GradientError,
            lambda: x.__iadd__(1.0),
            (
                "add cannot change a leaf that requires a gradient\n"
                "  x     shape (2,), float32, cpu\n"
                "  hint  write under no_grad(), or work on a copy: y = x.clone()"
            ),
        ),
        (
            ShapeError,
            lambda: counts.__iadd__(Tensor([[1], [2]])),
            (
                "add cannot change the shape in place, to (2, 2)\n"
                "  x      shape (2,), int64, cpu\n"
                "  other  shape (2, 1), int64, cpu\n"
                "  hint   x = x + other gives the name x to a new tensor"
            ),
        ),
        (
            DTypeError,
            lambda: counts.__imul__(1.5),
            (
                "multiply cannot change the dtype in place, to float32\n"
                "  x      shape (2,), int64, cpu\n"
                "  other  1.5\n"
                '  hint   write x = x.astype("float32") first'
            ),
        ),
        (
            DTypeError,
            lambda: counts.__setitem__(0, 1.5),
            (
                "setitem cannot put floats into integers\n"
                "  x       shape (2,), int64, cpu\n"
                "  values  shape (), float32, cpu\n"
                "  hint    make x a float tensor first: x.astype(float)"
            ),
        ),
        (
            ShapeError,
            lambda: counts.__setitem__(slice(None), [1, 2, 3]),
            (
                "setitem needs values that broadcast to the shape (2,) of the indexed part\n"
                "  x       shape (2,), int64, cpu\n"
                "  values  shape (3,), int64, cpu\n"
                "  hint    one number, or 2 in that shape"
            ),
        ),
        (
            IndexingError,
            lambda: counts.__setitem__(5, 1),
            (
                "setitem got index 5, but axis 0 has 2 elements\n"
                "  x      shape (2,), int64, cpu\n"
                "  index  5\n"
                "  hint   indices go from 0 to 1, or from -2 to -1 from the end"
            ),
        ),
    ]
    for kind, call, text in cases:
        assert refusal(kind, call) == text
    with tgl.no_grad():
        for wrong in (lambda: x.__setitem__(5, 1.0), lambda: x.__iadd__([[1.0], [2.0]])):
            with pytest.raises((IndexingError, ShapeError)):
                wrong()
    assert x.tolist() == [1.0, 2.0]
    assert x._version.count == 0
    assert counts.tolist() == [1, 2]


def test_a_kept_gradient_is_that_of_the_latest_value():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * 2.0
    y.retain_grad()
    y *= 3.0
    y[0] = 5.0
    (y * y).sum().backward()
    assert y.grad.tolist() == [10.0, 24.0]
    assert x.grad.tolist() == [0.0, 144.0]


@pytest.mark.parametrize(("dtype", "number"), [("float64", 0.1), ("complex128", 0.1), ("complex128", 0.1 + 0.7j)])
def test_a_number_is_written_with_all_its_digits(dtype, number):
    x = tgl.zeros(2, dtype=dtype)
    x[0] = number
    assert x.tolist() == [number, 0]
