"""The random functions: one stream per process, which a seed starts and a state continues."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import random

X = tgl.ones((3, 4))
DRAWS: list[tuple[str, Callable[[], Any]]] = [
    ("uniform", lambda: random.uniform((3, 4))),
    ("normal", lambda: random.normal((3, 4))),
    ("integers", lambda: random.integers(0, 1000, (3, 4))),
    ("permutation", lambda: random.permutation(12)),
    ("exponential", lambda: random.exponential((3, 4))),
    ("gamma", lambda: random.gamma((3, 4), 0.5)),
    ("bernoulli", lambda: random.bernoulli(0.5, (3, 4))),
    ("bernoulli of a tensor", lambda: random.bernoulli(X * 0.5)),
    ("categorical", lambda: random.categorical(X, shape=5)),
    ("multinomial", lambda: random.multinomial(tgl.ones((4, 6)), 6)),
    ("multinomial with replacement", lambda: random.multinomial(X, 5, replacement=True)),
    ("choice", lambda: random.choice(1000, 12)),
    ("choice without replacement", lambda: random.choice(1000, 12, replace=False)),
    ("choice by proportion", lambda: random.choice(12, 12, p=tgl.ones(12))),
    ("choice by proportion without replacement", lambda: random.choice(12, 12, replace=False, p=tgl.ones(12))),
    ("permutation of a tensor", lambda: random.permutation(list(range(12)))),
    ("dropout", lambda: tgl.dropout(X, 0.5)),
    ("rrelu", lambda: tgl.rrelu(-X, training=True)),
]


@pytest.fixture(autouse=True)
def own_stream():
    """The stream of the process is put back after every test."""
    state = tgl.get_rng_state()
    tgl.manual_seed(0)
    yield
    tgl.set_rng_state(state)


@pytest.mark.parametrize("name, draw", DRAWS, ids=[name for name, _ in DRAWS])
def test_a_seed_gives_the_same_numbers_and_every_draw_other_ones(name: str, draw: Callable[[], Any]) -> None:
    tgl.manual_seed(7)
    first, second = draw().tolist(), draw().tolist()
    tgl.manual_seed(7)
    assert draw().tolist() == first
    assert draw().tolist() == second
    assert first != second
    tgl.manual_seed(8)
    assert draw().tolist() != first


@pytest.mark.parametrize("name, draw", DRAWS, ids=[name for name, _ in DRAWS])
def test_a_draw_takes_one_number_of_the_counter(name: str, draw: Callable[[], Any]) -> None:
    tgl.manual_seed(5)
    assert tgl.get_rng_state() == {"seed": 5, "counter": 0}
    draw()
    assert tgl.get_rng_state() == {"seed": 5, "counter": 1}


def test_nothing_is_drawn_where_nothing_is_random() -> None:
    for call in (lambda: tgl.dropout(X, 0.5, training=False), lambda: tgl.dropout(X, 0.0)):
        assert call().tolist() == X.tolist()
    assert tgl.get_rng_state() == {"seed": 0, "counter": 0}


@pytest.mark.parametrize("name, draw", DRAWS, ids=[name for name, _ in DRAWS])
def test_a_state_continues_the_stream_where_it_was_taken(name: str, draw: Callable[[], Any]) -> None:
    draw()
    state = tgl.get_rng_state()
    following = [draw().tolist() for _ in range(3)]
    tgl.manual_seed(99)
    tgl.set_rng_state(state)
    assert [draw().tolist() for _ in range(3)] == following


def test_a_state_is_a_copy() -> None:
    state = tgl.get_rng_state()
    state["counter"] = 100
    assert tgl.get_rng_state()["counter"] == 0
    tgl.set_rng_state(state)
    state["counter"] = 200
    assert tgl.get_rng_state()["counter"] == 100


@pytest.mark.parametrize("seed", [0, 2**64 - 1, np.int64(3), np.uint64(2**63), True])
def test_whatever_is_an_integer_is_a_seed(seed: Any) -> None:
    tgl.manual_seed(seed)
    assert tgl.get_rng_state() == {"seed": int(seed), "counter": 0}
    assert random.uniform(()).shape == ()


def test_uniform_numbers_fill_their_interval() -> None:
    x = random.uniform((100_000,), -2, 3).numpy()
    assert x.min() >= -2
    assert x.max() < 3
    assert abs(x.mean() - 0.5) < 5 * np.sqrt(25 / 12 / x.size)  # five standard errors
    assert abs(x.var() - 25 / 12) < 0.05
    assert random.uniform(5, 2.0, 2.0).tolist() == [2.0] * 5


def test_normal_numbers_have_their_mean_and_deviation() -> None:
    x = random.normal((100_000,), mean=4.0, std=0.5, dtype="float64").numpy()
    assert abs(x.mean() - 4.0) < 5 * 0.5 / np.sqrt(x.size)
    assert abs(x.std() - 0.5) < 0.01
    assert abs(np.mean(np.abs(x - 4.0) < 0.5) - 0.6827) < 0.01  # the share within one standard deviation
    assert random.normal(3, 7.0, 0.0).tolist() == [7.0] * 3


def test_integers_reach_every_value_and_no_other() -> None:
    x = random.integers(-3, 4, (10_000,))
    assert x.dtype == tgl.int64
    values, counts = np.unique(x.numpy(), return_counts=True)
    assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert counts.min() > 1200  # of 1429 expected, with a standard deviation of 35
    assert random.integers(5, 6).tolist() == 5


@pytest.mark.parametrize("n", [0, 1, 2, 100])
def test_a_permutation_has_every_number_once(n: int) -> None:
    x = random.permutation(n)
    assert x.dtype == tgl.int64
    assert sorted(x.tolist()) == list(range(n))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("draw", [random.uniform, random.normal])
def test_floats_come_in_the_dtype_and_shape_that_is_asked(draw: Callable[..., Any], dtype: str) -> None:
    for shape, sizes in (((2, 3), (2, 3)), (4, (4,)), ((), ()), ((0, 2), (0, 2))):
        x = draw(shape, dtype=dtype)
        assert x.dtype.name == dtype
        assert x.shape == sizes
        assert not x.requires_grad
    assert draw(2).dtype == tgl.float32


@pytest.mark.parametrize("draw", [random.uniform, random.normal])
def test_a_random_leaf_gets_its_gradient(draw: Callable[..., Any]) -> None:
    x = draw((2, 2), requires_grad=True)
    assert x.is_leaf
    x.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_no_two_threads_get_the_same_key() -> None:
    threads, draws = 8, 2000
    keys: list[list[tuple[int, int]]] = [[] for _ in range(threads)]
    together = threading.Barrier(threads)

    def work(mine: list[tuple[int, int]]) -> None:
        together.wait()
        mine.extend(random.next_key() for _ in range(draws))

    running = [threading.Thread(target=work, args=(mine,)) for mine in keys]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    every = [key for mine in keys for key in mine]
    assert sorted(every) == [(0, i) for i in range(threads * draws)]
    assert all(mine == sorted(mine) for mine in keys)
