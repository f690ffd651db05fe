"""Arenas: where parameters and gradients lie, and who shares them."""

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import optim
from tinygrad_lite.autograd.arena import ALIGNMENT, arenas_of, has_place, spans


def leaves(*shapes, dtype=np.float32):
    rng = np.random.default_rng(0)
    return [tgl.Tensor(rng.normal(size=shape).astype(dtype), requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_slots_are_aligned_in_reverse_order_with_zeros_between(dtype):
    tensors = leaves((3, 5), (), (0, 2), (17,), dtype=dtype)
    before = [t.detach().numpy().copy() for t in tensors]
    (arena,) = arenas_of(tensors)
    assert arena.values.ctypes.data % ALIGNMENT == arena.grads.ctypes.data % ALIGNMENT == 0
    starts = [t._node.slot[1] for t in tensors]
    assert starts == sorted(starts, reverse=True)
    padding = np.ones(arena.values.size, bool)
    for t, value in zip(tensors, before, strict=True):
        _, start, stop = t._node.slot
        assert start * t.dtype.itemsize % ALIGNMENT == 0
        assert np.array_equal(t.detach().numpy(), value)
        assert np.array_equal(arena.values[start:stop].reshape(t.shape), value)
        assert np.shares_memory(t._data, arena.values) or t.size == 0
        padding[start:stop] = False
    assert not arena.values[padding].any()
    assert not arena.grads.any()


def test_backward_writes_into_the_arena():
    x, y = leaves((2, 3), (3,))
    (arena,) = arenas_of([x, y])
    (x * y).sum().backward()
    for t in (x, y):
        _, start, stop = t._node.slot
        assert t._node.grad._data is t._node.buffer
        assert np.array_equal(arena.grads[start:stop], t.grad.numpy().reshape(-1))


def test_a_gradient_moves_along():
    x, y = leaves((2,), (3,))
    (x * 3).sum().backward()
    arenas_of([x, y])
    assert x.grad.tolist() == [3.0, 3.0]
    assert x._node.grad._data is x._node.buffer
    assert y.grad is None
    (x * 2).sum().backward()
    assert x.grad.tolist() == [5.0, 5.0]


def test_a_recorded_gradient_stays_recorded():
    (x,) = leaves((2,))
    (x**3).sum().backward(create_graph=True)
    recorded = x.grad
    arenas_of([x])
    assert x.grad is recorded


def test_who_comes_second_finds_the_arena():
    x, y, z = leaves((2,), (3,), (4,))
    first = arenas_of([x, y])
    assert arenas_of([x, y]) == first
    optim.SGD([y, x, z])
    assert x._node.slot[0] is y._node.slot[0] is first[0]
    assert z._node.slot[0] is not first[0]


def test_each_dtype_has_an_arena():
    tensors = leaves((2,)) + leaves((3,), dtype=np.float64)
    assert [arena.values.dtype for arena in arenas_of(tensors)] == [np.float32, np.float64]


def test_a_replaced_array_is_noticed():
    x, y = leaves((2,), (3,))
    (arena,) = arenas_of([x, y])
    assert has_place(x)
    x._data = x._data.copy()
    assert not has_place(x)
    y._data = y._data.astype(np.float64)
    assert not has_place(y)
    new = arenas_of([x, y])
    assert arena not in new
    assert has_place(x)
    assert has_place(y)
    assert y._node.buffer.dtype == np.float64
    (x.sum() + (y * y).sum()).backward()
    assert y.grad.dtype == np.float64


def test_a_detached_view_keeps_its_values_when_the_arena_is_written():
    (x,) = leaves((2,))
    before = x.detach()
    arenas_of([x])
    after = x.detach()
    with tgl.no_grad():
        x += 1
    assert before.tolist() == after.tolist()
    assert x.tolist() == (before + 1).tolist()


def test_spans_join_what_lies_together():
    a, b, c, d = leaves((2,), (3,), (20,), (5,))
    (arena,) = arenas_of([a, b, c, d])
    of = lambda *tensors: [(s.start, s.stop, len(s.leaves)) for s in spans(t._node for t in tensors)]
    stop = a._node.slot[2]
    assert of(a, b, c, d) == of(d, b, a, c) == [(0, stop, 4)]
    assert of(a, b, d) == [(0, 5, 1), (b._node.slot[1], stop, 2)]
    assert of() == []
    assert spans([a._node])[0].arena is arena
