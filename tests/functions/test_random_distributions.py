"""The distributions: their moments and shapes, parameters that are tensors, edge cases, and draws from tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, random

inf = math.inf


@pytest.fixture(autouse=True)
def own_stream():
    """The stream of the process is put back after every test."""
    state = tgl.get_rng_state()
    tgl.manual_seed(0)
    yield
    tgl.set_rng_state(state)


def share_error(counts: Any, probabilities: Any) -> float:
    """Pearson's chi-squared statistic over its degrees of freedom: about 1, and beyond 4 hardly by chance."""
    counts, expected = np.asarray(counts), np.asarray(probabilities) / np.sum(probabilities) * np.sum(counts)
    return float(((counts - expected) ** 2 / expected).sum() / (counts.size - 1))


# --- continuous, with numbers and with tensors ------------------------------------------------------------

CONTINUOUS: dict[str, tuple[Callable[..., Tensor], tuple[float, ...], float, float]] = {
    "uniform": (random.uniform, (-2.0, 3.0), 0.5, 25 / 12),
    "normal": (random.normal, (4.0, 0.5), 4.0, 0.25),
    "exponential": (random.exponential, (2.5,), 2.5, 6.25),
    "gamma": (random.gamma, (3.0, 0.5), 1.5, 0.75),
    "gamma below 1": (random.gamma, (0.375, 2.0), 0.75, 1.5),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_mean_and_variance_are_those_of_the_distribution(name: str) -> None:
    draw, parameters, mean, variance = CONTINUOUS[name]
    x = draw((100, 1000), *parameters, dtype="float64").numpy()
    assert abs(x.mean() - mean) < 5 * math.sqrt(variance / x.size)
    assert abs(x.var() - variance) < 0.05 * variance


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_a_tensor_of_one_parameter_draws_what_the_number_draws(name: str, dtype: str) -> None:
    draw, parameters, *_ = CONTINUOUS[name]
    by_number = draw((2, 3), *parameters, dtype=dtype)
    tgl.manual_seed(0)
    by_tensor = draw((2, 3), *(Tensor(np.full(3, p)) for p in parameters), dtype=dtype)
    tgl.manual_seed(0)
    by_list = draw((2, 3), *([[p], [p]] for p in parameters), dtype=dtype)
    assert by_number.dtype == by_tensor.dtype == dtype
    np.testing.assert_array_equal(by_number.numpy(), by_tensor.numpy())
    np.testing.assert_array_equal(by_number.numpy(), by_list.numpy())


@pytest.mark.parametrize(
    "dtype, low, high", [("float16", 1.0, 2.0), ("float32", 1000.0, 1001.0), ("float32", 5.0, 5.0)]
)
def test_uniform_numbers_stay_below_high_after_rounding(dtype: str, low: float, high: float) -> None:
    for a, b in ((low, high), (Tensor(low, dtype=dtype), Tensor([high], dtype=dtype))):
        x = random.uniform((400_000,), a, b, dtype=dtype).numpy()
        assert x.min() >= low
        assert x.max() < high or low == high == x.max()


def test_gamma_numbers_at_the_ends_of_float64_are_drawn_in_silence(recwarn: pytest.WarningsRecorder) -> None:
    assert random.gamma(3, 5e-324, dtype="float64").tolist() == [0.0] * 3
    np.testing.assert_allclose(random.gamma(3, 1e308, dtype="float64").numpy(), 1e308)
    assert not recwarn.list


def test_every_element_has_the_parameters_at_its_place() -> None:
    n = 20000
    x = random.normal((n, 3), mean=Tensor([0.0, 10.0, -10.0]), std=Tensor([1.0, 0.0, 2.0])).numpy()
    np.testing.assert_allclose(x.mean(0), [0, 10, -10], atol=0.08)
    np.testing.assert_allclose(x.std(0), [1, 0, 2], atol=0.05)
    x = random.uniform((n, 2), low=[0, 5], high=Tensor([1, 7])).numpy()
    assert x[:, 0].max() < 1
    assert x[:, 1].min() >= 5
    x = random.gamma((n, 2), [0.5, 8.0], scale=[2.0, 1.0], dtype="float64").numpy()
    np.testing.assert_allclose(x.mean(0), [1, 8], atol=0.1)
    x = random.exponential((n, 2), Tensor([1.0, 0.0])).numpy()
    assert abs(x[:, 0].mean() - 1) < 0.05
    assert (x[:, 1] == 0).all()


@pytest.mark.parametrize("name", ["exponential", "gamma"])
def test_floats_come_in_the_dtype_and_shape_that_is_asked(name: str) -> None:
    draw, parameters, *_ = CONTINUOUS[name]
    for dtype in ("float16", "float32", "float64"):
        for shape, sizes in (((2, 3), (2, 3)), (4, (4,)), ((), ()), ((0, 2), (0, 2))):
            x = draw(shape, *parameters, dtype=dtype)
            assert (x.dtype.name, x.shape, x.requires_grad) == (dtype, sizes, False)
    leaf = draw((2,), *parameters, requires_grad=True)
    leaf.sum().backward()
    assert leaf.grad.tolist() == [1.0, 1.0]


def test_no_gradient_flows_into_the_parameters_of_a_draw() -> None:
    mean = Tensor([1.0, 2.0], requires_grad=True)
    assert not random.normal((2,), mean=mean).requires_grad
    assert not random.bernoulli(tgl.sigmoid(mean)).requires_grad


# --- bernoulli --------------------------------------------------------------------------------------------


def test_bernoulli_numbers_are_one_as_often_as_asked() -> None:
    for p in (0.0, 0.2, 0.5, 1.0):
        x = random.bernoulli(p, (50000,))
        assert x.dtype == tgl.float32
        assert set(x.tolist()) <= {0.0, 1.0}
        assert abs(x.numpy().mean() - p) <= 5 * math.sqrt(p * (1 - p) / 50000)


def test_bernoulli_of_a_tensor_has_its_shape_and_dtype() -> None:
    p = Tensor(np.array([[0.0, 0.3], [0.9, 1.0]]))
    assert (random.bernoulli(p).shape, random.bernoulli(p).dtype.name) == ((2, 2), "float64")
    x = random.bernoulli(p, (20000, 2, 2)).numpy()
    np.testing.assert_allclose(x.mean(0), p.numpy(), atol=0.02)
    assert (x[:, 0, 0] == 0).all()
    assert (x[:, 1, 1] == 1).all()
    assert random.bernoulli(0.5, dtype="bool").dtype == "bool"
    assert random.bernoulli(Tensor(0.5, dtype="float16")).dtype == "float16"
    assert random.bernoulli(Tensor(np.zeros((0, 2)))).shape == (0, 2)
    assert random.bernoulli([1, 0]).tolist() == [1.0, 0.0]


def test_a_probability_draws_the_same_as_a_number_and_in_a_tensor() -> None:
    for p in (0.3, 1 / 3, 2.0**-32, 1 - 2.0**-33):
        tgl.manual_seed(4)
        by_number = random.bernoulli(p, 1000).tolist()
        tgl.manual_seed(4)
        assert random.bernoulli(Tensor(np.full(1000, p)), dtype="float32").tolist() == by_number


# --- categorical and multinomial ----------------------------------------------------------------------------


def test_classes_are_drawn_in_their_proportions() -> None:
    p = [0.1, 0.0, 0.5, 0.05, 0.35]
    x = random.categorical(p, shape=50000)
    assert x.dtype == tgl.int64
    counts = np.bincount(x.numpy(), minlength=5)
    assert counts[1] == 0
    assert share_error(np.delete(counts, 1), np.delete(p, 1)) < 4


def test_only_proportions_matter() -> None:
    p = np.array([0.1, 0.2, 0.7])
    draws = []
    for given in ({"probs": p}, {"probs": 8 * p}, {"logits": np.log(p)}, {"logits": np.log(p) + 1000}):
        tgl.manual_seed(1)
        draws.append(random.categorical(**{k: Tensor(v) for k, v in given.items()}, shape=1000).tolist())
    assert draws[0] == draws[1] == draws[2] == draws[3]


def test_a_logit_of_minus_infinity_is_never_drawn() -> None:
    x = random.categorical(logits=[-inf, 0.0, -inf, 0.0, -inf], shape=1000)
    assert set(x.tolist()) == {1, 3}


def test_every_distribution_of_a_batch_has_its_own_draws() -> None:
    p = np.random.default_rng(0).uniform(size=(2, 3, 4))
    x = random.categorical(Tensor(p), shape=(5000,))
    assert x.shape == (5000, 2, 3)
    for i in range(2):
        for j in range(3):
            assert share_error(np.bincount(x.numpy()[:, i, j], minlength=4), p[i, j]) < 4
    for axis in (0, 1, -3):
        tgl.manual_seed(2)
        along = random.categorical(Tensor(p), axis=axis)
        tgl.manual_seed(2)
        moved = random.categorical(Tensor(np.moveaxis(p, axis, -1)))
        assert along.shape == tuple(np.delete(p.shape, axis))
        assert along.tolist() == moved.tolist()


def test_edge_cases_of_categorical() -> None:
    assert random.categorical([3.0]).tolist() == 0
    assert random.categorical([3.0], shape=(2, 2)).tolist() == [[0, 0], [0, 0]]
    assert random.categorical([0.5, 0.5], shape=(0,)).shape == (0,)
    assert random.categorical(Tensor(np.ones((0, 3)))).shape == (0,)
    assert random.categorical(Tensor(np.ones((0, 3))), shape=2).shape == (2, 0)
    assert set(random.categorical([1, 1], shape=200).tolist()) == {0, 1}


@pytest.mark.parametrize("scale", [5e-324, 1.0, 1.7e308])
def test_the_size_of_weights_does_not_matter(scale: float) -> None:
    assert set(random.categorical(Tensor(np.array([0.0, scale, scale, 0.0])), shape=200).tolist()) == {1, 2}
    assert set(random.categorical(Tensor(np.array([scale, 0.0])), shape=200).tolist()) == {0}


def test_a_class_that_is_hardly_possible_comes_before_an_impossible_one() -> None:
    p = Tensor(np.tile([0.0, 1.0, 1e-310], (50, 1)))
    assert random.multinomial(p, 2).tolist() == [[1, 2]] * 50


@pytest.mark.parametrize("classes", [1, 2, 3, 7, 8, 9, 1000])
def test_every_number_of_classes_is_searched_to_the_end(classes: int) -> None:
    """The class is the first whose cumulative weight exceeds the element's uniform share of the total."""
    from tinygrad_lite.backends.cpu.random import uniform

    p = np.random.default_rng(classes).uniform(size=classes)
    x = random.categorical(Tensor(p), shape=500).numpy()
    total = np.cumsum(p)
    np.testing.assert_array_equal(x, np.searchsorted(total, uniform(0, 0, 500, "float64") * total[-1], side="right"))


def test_multinomial_draws_distinct_classes_in_order_of_their_proportions() -> None:
    p = [0.5, 0.3, 0.2]
    x = random.multinomial(Tensor(np.tile(p, (30000, 1))), 2).numpy()
    assert x.shape == (30000, 2)
    assert (x[:, 0] != x[:, 1]).all()
    pairs = list(permutations(range(3), 2))
    expected = [p[i] * p[j] / (1 - p[i]) for i, j in pairs]
    assert share_error([((x == pair).all(1)).sum() for pair in pairs], expected) < 4


def test_multinomial_leaves_out_what_is_impossible() -> None:
    x = random.multinomial([[0.0, 1.0, 0.0, 1e-30], [1.0, 0.0, 2.0, 0.0]], 2)
    assert [sorted(row) for row in x.tolist()] == [[1, 3], [0, 2]]
    assert random.multinomial([0.5, 0.5], 0).shape == (0,)
    assert random.multinomial(Tensor(np.ones((0, 3))), 2).shape == (0, 2)


def test_multinomial_with_replacement_repeats() -> None:
    x = random.multinomial([[0.2, 0.8], [1.0, 0.0]], 20000, replacement=True)
    assert x.shape == (2, 20000)
    assert share_error(np.bincount(x.numpy()[0]), [0.2, 0.8]) < 8
    assert set(x.numpy()[1].tolist()) == {0}


# --- choices and orders of tensors --------------------------------------------------------------------------

X = Tensor([[0.0, 1.0, 2.0], [10.0, 11.0, 12.0], [20.0, 21.0, 22.0], [30.0, 31.0, 32.0]])


def test_a_choice_takes_slices_along_its_axis() -> None:
    assert random.choice(X).shape == (3,)
    assert random.choice(X, (2, 5)).shape == (2, 5, 3)
    assert random.choice(X, (2, 5), axis=-1).shape == (4, 2, 5)
    rows = random.choice(X, 100)
    assert {tuple(row) for row in rows.tolist()} == {tuple(row) for row in X.tolist()}
    columns = random.choice(X, 3, replace=False, axis=1).numpy()
    np.testing.assert_array_equal(np.sort(columns, axis=1), X.numpy())


def test_a_choice_of_an_integer_is_a_choice_of_numbers() -> None:
    x = random.choice(5, (20000,))
    assert x.dtype == tgl.int64
    assert share_error(np.bincount(x.numpy()), np.ones(5)) < 4
    assert sorted(random.choice(6, 6, replace=False).tolist()) == list(range(6))
    assert len(set(random.choice(100, (5, 5), replace=False).numpy().ravel().tolist())) == 25
    assert random.choice(0, 0).shape == (0,)
    assert random.choice(3, (0, 2)).shape == (0, 2)


def test_a_choice_keeps_its_proportions() -> None:
    p = [0.1, 0.6, 0.0, 0.3]
    counts = np.bincount(random.choice(4, 20000, p=p).numpy(), minlength=4)
    assert counts[2] == 0
    assert share_error(counts[[0, 1, 3]], [0.1, 0.6, 0.3]) < 4
    assert sorted(random.choice(4, 3, replace=False, p=p).tolist()) == [0, 1, 3]


def test_the_gradient_of_a_choice_counts_how_often_an_element_was_drawn() -> None:
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = random.choice(x, 50)
    y.sum().backward()
    assert x.grad.tolist() == [float((y == v).sum().item()) for v in (1.0, 2.0, 3.0)]
    assert x.grad.sum().item() == 50


def test_a_permutation_of_a_tensor_moves_whole_slices() -> None:
    y = random.permutation(X)
    assert y.tolist() != X.tolist()
    assert sorted(y.tolist()) == X.tolist()
    tgl.manual_seed(0)
    assert y.tolist() == X[random.permutation(4)].tolist()
    columns = random.permutation(X, axis=1)
    assert sorted(columns.T.tolist()) == X.T.tolist()
    assert sorted(random.permutation([3, 1, 2]).tolist()) == [1, 2, 3]
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    (random.permutation(x) * x.detach()).sum().backward()
    assert sorted(x.grad.tolist()) == [1.0, 2.0, 3.0]


def test_every_order_is_equally_likely() -> None:
    found = [tuple(random.permutation(3).tolist()) for _ in range(3000)]
    assert share_error([found.count(order) for order in permutations(range(3))], np.ones(6)) < 4


def test_the_module_lists_what_it_offers() -> None:
    assert sorted(random.__all__) == random.__all__
    for name in ("bernoulli", "categorical", "choice", "exponential", "gamma", "multinomial", "permutation"):
        assert name in random.__all__
        assert callable(getattr(random, name))


def test_parameters_on_another_device_are_refused() -> None:
    from operations.opaque import OpaqueArray
    from operations.running import tensor
    from refusals import refuses

    p = tensor(np.array([0.5, 0.5]), OpaqueArray)
    named = "p on the CPU, where it draws\n  p   shape (2,), float64, cpu"
    refuses(tgl.errors.DeviceError, lambda: random.bernoulli(p), f"bernoulli needs {named}")


def test_a_tensor_on_another_device_is_permuted_there() -> None:
    from operations.opaque import OpaqueArray
    from operations.running import tensor, values

    x = tensor(np.arange(12.0).reshape(4, 3), OpaqueArray)
    for draw in (random.permutation, lambda x: random.choice(x, (2, 3), axis=1)):
        tgl.manual_seed(1)
        there = draw(x)
        tgl.manual_seed(1)
        assert type(there._data) is OpaqueArray
        np.testing.assert_array_equal(values(there), draw(Tensor(np.arange(12.0).reshape(4, 3))).numpy())
