"""The fused linear layer writes gradients into activations that nobody needs any more, and only into those."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.backends.cpu import overrides

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 6)).astype(np.float32)


@pytest.fixture
def parameters() -> list[Tensor]:
    shapes = [(8, 6), (8,), (5, 8), (5,), (3, 5)]
    return [Tensor(RNG.standard_normal(s).astype(np.float32), requires_grad=True) for s in shapes]


@pytest.fixture(autouse=True)
def small_activations_are_recycled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overrides, "RECYCLED_ABOVE", 0)


@pytest.fixture
def recycled(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each layer, from the last to the first that asks, took over its input's memory."""
    found: list[bool] = []
    plain = overrides._recycled

    def counted(saved: overrides._Linear, sinks: list[np.ndarray]) -> np.ndarray | None:
        # One reference less than in the product: the product's caller holds ``saved.x`` for us here.
        result = plain(saved, sinks)
        found.append(result is not None)
        return result

    monkeypatch.setattr(overrides, "_recycled", counted)
    return found


def layers(p: list[Tensor], activation: str | None = "relu") -> tuple[Tensor, Tensor, Tensor]:
    first = tgl.linear(Tensor(X), p[0], p[1], activation=activation)
    second = tgl.linear(first, p[2], p[3], activation=activation)
    return first, second, tgl.linear(second, p[4])


def reference(p: list[Tensor], activation: str | None) -> list[Tensor]:
    """The gradients by the row's own text."""
    found: list[Tensor] = tgl.grad((layers(p, activation)[2] ** 2).sum(), p, create_graph=True)
    return found


def assert_gradients(p: list[Tensor], expected: list[Tensor]) -> None:
    for parameter, g in zip(p, expected, strict=True):
        np.testing.assert_allclose(parameter.grad.numpy(), g.detach().numpy(), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("activation", "taken"), [("relu", [True, True]), (None, [True, True]), ("tanh", [])])
def test_activations_that_only_the_graph_holds_are_recycled(
    parameters: list[Tensor], recycled: list[bool], activation: str | None, taken: list[bool]
) -> None:
    expected = reference(parameters, activation)
    (layers(parameters, activation)[2] ** 2).sum().backward()
    assert recycled == taken
    assert_gradients(parameters, expected)


HOLDERS: dict[str, Callable[[Tensor], object]] = {
    "the tensor": lambda h: h,
    "a detached tensor": lambda h: h.detach(),
    "a NumPy view": lambda h: h.detach().numpy(),
    "a row": lambda h: h.detach()[3],
    "a reshaped tensor": lambda h: h.reshape(-1),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_an_activation_that_somebody_can_see_keeps_its_value(
    parameters: list[Tensor], recycled: list[bool], holder: str
) -> None:
    expected = reference(parameters, "relu")
    first, second, out = layers(parameters)
    held = HOLDERS[holder](second)
    before = np.array(held.detach().numpy() if isinstance(held, Tensor) else held)
    del first, second
    (out**2).sum().backward()
    now = held.detach().numpy() if isinstance(held, Tensor) else held
    assert np.array_equal(now, before)
    assert recycled == [False, True]
    assert_gradients(parameters, expected)


def test_an_activation_with_two_consumers_keeps_its_value_for_both(parameters: list[Tensor]) -> None:
    def loss() -> Tensor:
        first, second, out = layers(parameters)
        return (out**2).sum() + (tgl.linear(second, parameters[4]) ** 3).mean() + (first * first).sum()

    expected = tgl.grad(loss(), parameters, create_graph=True)
    loss().backward()
    assert_gradients(parameters, expected)


def test_a_retained_graph_gives_the_same_gradients_twice(parameters: list[Tensor], recycled: list[bool]) -> None:
    loss = (layers(parameters)[2] ** 2).sum()
    loss.backward(retain_graph=True)
    once = [p.grad.numpy().copy() for p in parameters]
    loss.backward()
    assert recycled == [True, True]  # by the second pass only: the first was not even offered the memory
    for p, g in zip(parameters, once, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), 2 * g, rtol=1e-6)


def test_a_retained_gradient_of_an_activation_is_not_overwritten(parameters: list[Tensor]) -> None:
    _, second, out = layers(parameters)
    expected = tgl.grad((layers(parameters)[2] ** 2).sum(), parameters[4])  # only to have run once before
    second.retain_grad()
    (out**2).sum().backward()
    by_hand = (2 * out.detach()) @ parameters[4].detach()
    np.testing.assert_allclose(second.grad.numpy(), by_hand.numpy(), rtol=1e-5)
    np.testing.assert_allclose(parameters[4].grad.numpy(), expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_fused_relu_selects_exactly_beside_values_that_are_not_finite(value: float) -> None:
    x = Tensor(np.array([[value, -1.0, 2.0, -0.0]], np.float32).T, requires_grad=True)
    w = Tensor(np.ones((1, 1), np.float32), requires_grad=True)
    g = Tensor(np.array([[1.0], [np.inf], [3.0], [np.nan]], np.float32))
    fused = tgl.grad(tgl.linear(x, w, activation="relu"), x, g)
    text = tgl.grad(tgl.relu(x @ w), x, g)
    assert np.array_equal(fused.numpy(), text.numpy(), equal_nan=True)
