"""What the table does not hold of functions that move elements: sharing memory, complex values, and few nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor

X = Tensor(np.arange(6.0).reshape(2, 3))


def _memory(x: Tensor) -> Any:
    return x.detach().numpy()


def test_a_cast_to_the_same_dtype_is_a_new_tensor_unless_no_copy_is_wanted() -> None:
    assert tgl.astype(X, "float64") is not X
    assert tgl.astype(X, "float64", copy=False) is X
    x = Tensor([1.0], requires_grad=True)
    y = tgl.astype(x, "float32")
    assert y is not x
    with tgl.no_grad():
        x += 1
    np.testing.assert_array_equal(_memory(y), [1.0])
    (y * 3).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [3.0])  # type: ignore[union-attr]


def test_reshape_copies_as_it_is_told() -> None:
    assert np.shares_memory(_memory(tgl.reshape(X, (6,), copy=False)), _memory(X))
    assert np.shares_memory(_memory(tgl.reshape(X, (6,))), _memory(X))
    assert not np.shares_memory(_memory(tgl.reshape(X, (6,), copy=True)), _memory(X))


VIEWS: list[tuple[str, Any]] = [
    ("moveaxis", lambda x: tgl.moveaxis(x, 0, 1)),
    ("swapaxes", lambda x: tgl.swapaxes(x, 0, 1)),
    ("unflatten", lambda x: tgl.unflatten(x, 1, (3, 1))),
    ("rot90", tgl.rot90),
    ("flip", tgl.flip),
    ("split", lambda x: tgl.split(x, 3, axis=1)[1]),
    ("unstack", lambda x: tgl.unstack(x)[1]),
    ("unfold", lambda x: tgl.unfold(x, 1, 2)),
    ("diag", tgl.diag),
    ("astype", lambda x: tgl.astype(x, "float64")),
]


@pytest.mark.parametrize("name, view", VIEWS, ids=[name for name, _ in VIEWS])
def test_what_needs_no_copy_makes_none(name: str, view: Any) -> None:
    assert np.shares_memory(_memory(view(X)), _memory(X))


@pytest.mark.parametrize("cut", [tgl.unstack, lambda x: tgl.split(x, 100)])
def test_many_parts_hang_on_one_node(cut: Any) -> None:
    x = tgl.ones(100, requires_grad=True)
    parts = cut(x)
    assert len(parts) == 100
    owners = set()
    for part in parts:
        node = part._node
        while node.plan is None or node.plan.row.name not in ("split", "unstack"):
            node = node.parents[0]
        owners.add(id(node))
    assert len(owners) == 1
    (g,) = tgl.grad(parts[7].sum() * 2, [x])
    np.testing.assert_array_equal(g.numpy(), np.eye(100)[7] * 2)


COMPLEX: list[tuple[str, Any, Any]] = [
    ("roll", lambda x: tgl.roll(x, 1), lambda x: np.roll(x, 1)),
    ("triu", tgl.triu, np.triu),
    ("diag", tgl.diag, np.diag),
    ("repeat", lambda x: tgl.repeat(x, 2), lambda x: np.repeat(x, 2)),
    ("tile", lambda x: tgl.tile(x, (2, 1)), lambda x: np.tile(x, (2, 1))),
    ("pad", lambda x: tgl.pad(x, 1, mode="wrap"), lambda x: np.pad(x, 1, mode="wrap")),
    ("take", lambda x: tgl.take(x, Tensor([1, 1]), axis=0), lambda x: np.take(x, [1, 1], axis=0)),
    ("unstack", lambda x: tgl.unstack(x)[0], lambda x: x[0]),
    (
        "index_add",
        lambda x: tgl.index_add(x, 0, Tensor([1]), x[:1]),
        lambda x: x + np.array([[0 * x[0]], [x[0]]])[:, 0],
    ),
    ("masked_fill", lambda x: tgl.masked_fill(x, x == 1j, 0), lambda x: np.where(x == 1j, 0, x)),
]


@pytest.mark.parametrize("name, ours, numpy", COMPLEX, ids=[name for name, *_ in COMPLEX])
def test_complex_elements_are_moved_too(name: str, ours: Any, numpy: Any) -> None:
    values = np.array([[1j, 2.0], [3.0, 4 - 1j]], np.complex64)
    y = ours(Tensor(values))
    assert y.dtype == "complex64"
    np.testing.assert_array_equal(y.numpy(), numpy(values))


def test_nothing_is_mutated_by_writing_at_places() -> None:
    x = Tensor([1.0, 2.0, 3.0])
    index, src = Tensor([0, 0]), Tensor([5.0, 6.0])
    for write in (
        lambda: tgl.scatter(x, 0, index, src),
        lambda: tgl.scatter_add(x, 0, index, src),
        lambda: tgl.scatter_reduce(x, 0, index, src, "amax"),
        lambda: tgl.index_add(x, 0, index, src),
        lambda: tgl.index_put(x, (index,), src),
        lambda: tgl.index_fill(x, 0, index, 9.0),
        lambda: tgl.put_along_axis(x, index, src),
        lambda: tgl.masked_fill(x, x > 0, 9.0),
        lambda: tgl.masked_scatter(x, x > 0, Tensor([7.0, 8.0, 9.0])),
    ):
        assert not np.array_equal(write().numpy(), [1.0, 2.0, 3.0])
        np.testing.assert_array_equal(x.numpy(), [1.0, 2.0, 3.0])


def test_one_hot_takes_any_dtype() -> None:
    assert tgl.one_hot(Tensor([1]), 2).dtype == "int64"
    y = tgl.one_hot(Tensor([1]), 2, dtype="float16")
    assert y.dtype == "float16"
    np.testing.assert_array_equal(y.numpy(), [[0.0, 1.0]])


def test_at_least_so_many_axes_of_several_tensors() -> None:
    parts = tgl.atleast_2d(1.0, [1, 2], Tensor([[3.0]]))
    assert [part.shape for part in parts] == [(1, 1), (1, 2), (1, 1)]
    assert tgl.atleast_1d() == ()
    x = Tensor([1.0])
    assert tgl.atleast_1d(x) is not x
