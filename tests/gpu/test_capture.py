"""A captured step trains like the step itself, bit for bit, and refuses where its graph would be wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from refusals import refusal, refuses

import tinygrad_lite as tgl
from tinygrad_lite import errors, nn, optim

pytestmark = [pytest.mark.needs("cuda"), pytest.mark.usefixtures("gpu")]

RANDOM = np.random.default_rng(5)
X = RANDOM.standard_normal((7, 20, 12)).astype(np.float32)
Y = RANDOM.integers(0, 4, (7, 20))

OPTIMIZERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.1),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
}


def network() -> nn.Module:
    tgl.manual_seed(3)
    hidden = nn.Linear(12, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Dropout(0.25)
    return nn.Sequential(*hidden, nn.Linear(16, 4)).to("cuda")


def training_step(model: nn.Module, optimizer: optim.Optimizer) -> Callable[..., Any]:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def trained(make: Callable[[Any], optim.Optimizer], captured: bool) -> tuple[list[float], dict[str, Any], Any]:
    """Losses, weights and the optimiser's state after seven steps, with a lower rate from the sixth on."""
    model = network()
    optimizer = make(model.parameters())
    step = training_step(model, optimizer)
    run = tgl.cuda.capture(step) if captured else step
    losses = []
    for i, (x, y) in enumerate(zip(X, Y, strict=True)):
        if i == 5:
            optimizer.param_groups[0]["lr"] /= 10
        losses.append(run(tgl.Tensor(x, device="cuda"), tgl.Tensor(y, device="cuda")))
    assert not captured or run.recorded
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    return [loss.item() for loss in losses], weights, optimizer.state_dict()["state"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_replays_train_bit_for_bit_like_the_step_itself(name: str) -> None:
    eager, captured = (trained(OPTIMIZERS[name], flag) for flag in (False, True))
    assert eager[0] == captured[0]
    assert len(set(eager[0])) == len(X)
    for key, value in eager[1].items():
        np.testing.assert_array_equal(value, captured[1][key], key)
    for index, entry in eager[2].items():
        for key, value in entry.items():
            other = captured[2][index][key]
            same = np.array_equal(value.numpy(), other.numpy()) if isinstance(value, tgl.Tensor) else value == other
            assert same, (index, key)


def test_a_replay_is_one_call_and_says_how_much_it_does() -> None:
    model = network()
    step = tgl.cuda.capture(training_step(model, optim.SGD(model.parameters(), lr=0.1)))
    for x, y in zip(X[:4], Y[:4], strict=True):
        assert step.launches == 0 or step.recorded
        before = tgl.cuda.launches()
        step(x, y)
    assert tgl.cuda.launches() == before
    assert step.launches > 10


def test_results_keep_their_values_when_the_next_step_runs() -> None:
    total = tgl.zeros(3, device="cuda")

    def step(x: Any) -> dict[str, Any]:
        return {"double": x * 2, "pair": (x + 1, None), "number": 3}

    run = tgl.cuda.capture(step)
    results = [run(total + float(i)) for i in range(5)]
    assert [r["double"].tolist() for r in results] == [[2.0 * i] * 3 for i in range(5)]
    assert [r["pair"][0].tolist() for r in results] == [[i + 1.0] * 3 for i in range(5)]
    assert results[4]["pair"][1] is None
    assert results[4]["number"] == 3


def test_gradients_and_what_looks_at_weights_follow() -> None:
    model = nn.Linear(12, 4).to("cuda")
    step = tgl.cuda.capture(training_step(model, optim.SGD(model.parameters(), lr=0.1)))
    for x, y in zip(X[:3], Y[:3], strict=True):
        step(x, y)
    seen, kept = model.weight.detach(), model.weight.detach().numpy()
    step(X[3], Y[3])
    np.testing.assert_array_equal(seen.numpy(), kept)
    assert not np.array_equal(model.weight.detach().numpy(), kept)
    moved = kept - np.float32(0.1) * model.weight.grad.numpy()
    np.testing.assert_allclose(model.weight.detach().numpy(), moved, rtol=1e-6)


def test_data_of_the_cpu_is_taken_too_and_dropout_goes_on() -> None:
    tgl.manual_seed(11)
    step = tgl.cuda.capture(lambda x: tgl.dropout(x, 0.5))
    ones = np.ones(64, np.float32)
    captured = [step(ones).numpy() for _ in range(6)]
    tgl.manual_seed(11)
    expected = [tgl.dropout(tgl.Tensor(ones), 0.5).numpy() for _ in range(6)]
    np.testing.assert_array_equal(captured, expected)
    assert tgl.get_rng_state()["counter"] == 6


def test_memory_of_the_graph_is_not_used_for_anything_else() -> None:
    constant = tgl.Tensor(np.arange(1000.0), device="cuda")
    step = tgl.cuda.capture(lambda x, c=constant: x + c)
    for _ in range(3):
        step(np.zeros(1000))
    del constant
    step.function.__defaults__ = ()
    others = [tgl.full((1000,), 7.0, "float64", device="cuda") for _ in range(5)]
    np.testing.assert_array_equal(step(np.ones(1000)).numpy(), np.arange(1000.0) + 1)
    assert all((other == 7).all() for other in others)


def test_calls_without_the_graph_go_in_between() -> None:
    """A smaller last batch, say: weights, moments, running statistics and draws go on as if nothing was recorded."""
    batches = [(x[: 7 if i in (3, 5) else 20], y[: 7 if i in (3, 5) else 20]) for i, (x, y) in enumerate(zip(X, Y))]
    found = []
    for captured in (False, True):
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        step = tgl.cuda.capture(training_step(model, optimizer))
        losses = []
        for x, y in batches:
            whole = captured and len(x) == 20
            run = step if whole else step.function
            losses.append(run(tgl.Tensor(x, device="cuda"), tgl.Tensor(y, device="cuda")))
        assert step.recorded is captured
        weights = [value.tolist() for value in model.state_dict().values()]
        grads = [p.grad.tolist() for p in model.parameters()]
        found.append(([loss.item() for loss in losses], weights, grads))
    assert found[0] == found[1]


def test_gradients_may_be_kept_and_added_up_without_an_optimiser() -> None:
    w = tgl.Tensor(np.ones(4, np.float32), device="cuda", requires_grad=True)

    def step(x: Any) -> None:
        (w * x).sum().backward()

    run = tgl.cuda.capture(step)
    expected = np.zeros(4, np.float32)
    for i in range(6):
        if i == 4:
            step(tgl.full((4,), 100.0, device="cuda"))
            expected += 100
        run(np.full(4, i, np.float32))
        expected += i
        if i == 0:
            continue
        assert w.grad.tolist() == expected.tolist()


# --- refusals -----------------------------------------------------------------------------------------------


def recorded() -> tuple[Any, nn.Module, optim.Optimizer]:
    model = nn.Linear(12, 4).to("cuda")
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    step = tgl.cuda.capture(training_step(model, optimizer))
    for x, y in zip(X[:3], Y[:3], strict=True):
        step(x, y)
    return step, model, optimizer


def smaller(step: Any, model: Any, optimizer: Any) -> None:
    step(X[0][:5], Y[0][:5])


def wider(step: Any, model: Any, optimizer: Any) -> None:
    step(X[0].astype(np.float64), Y[0])


def fewer(step: Any, model: Any, optimizer: Any) -> None:
    step(X[0])


def another_momentum(step: Any, model: Any, optimizer: Any) -> None:
    optimizer.param_groups[0]["momentum"] = 0.5
    step(X[0], Y[0])


def moved_model(step: Any, model: Any, optimizer: Any) -> None:
    model.to("cpu").to("cuda")
    step(X[0], Y[0])


def gradients_gone(step: Any, model: Any, optimizer: Any) -> None:
    optimizer.zero_grad()
    step(X[0], Y[0])


def another_seed(step: Any, model: Any, optimizer: Any) -> None:
    tgl.manual_seed(1234)
    step(X[0], Y[0])


def test_a_shape_that_changed_is_told_with_the_arguments_as_they_were_passed() -> None:
    step, _, _ = recorded()
    on_gpu = tgl.Tensor(X[0][:3], device="cuda")
    refuses(
        errors.ShapeError,
        lambda: step(on_gpu, Y[0]),
        "captured step needs shape (20, 12) as arguments[0], as when it was recorded, but got (3, 12)\n"
        "  arguments[0]  shape (3, 12), float32, cuda\n"
        "  arguments[1]  shape (20,), int64, cpu\n"
        "  hint          step.function(...) runs other shapes; DataLoader(drop_last=True) leaves a smaller batch out",
    )


def test_another_seed_is_refused_and_the_recorded_one_goes_on() -> None:
    tgl.manual_seed(5)
    step, _, _ = recorded()
    tgl.manual_seed(6)
    refuses(
        errors.StateError,
        lambda: step(X[0], Y[0]),
        "captured step was recorded with the seed 5\n"
        "  hint  manual_seed(5) goes on with it; with another seed, capture the step again",
    )
    tgl.manual_seed(5)
    assert step(X[0], Y[0]).shape == ()


@pytest.mark.parametrize(
    "change, kind, words",
    [
        (smaller, errors.ShapeError, "captured step needs shape (20, 12) as arguments[0], as when it was recorded"),
        (wider, errors.DTypeError, "captured step needs float32 as arguments[0], as when it was recorded"),
        (fewer, errors.ArgumentError, "captured step needs 2 arguments, as when it was recorded, but got 1"),
        (another_momentum, errors.StateError, "captured step was recorded with other settings or parameters of SGD"),
        (moved_model, errors.StateError, "captured step works on memory that a tensor has left"),
        (
            gradients_gone,
            errors.StateError,
            "captured step was recorded when the gradient was there, but now it is None",
        ),
        (another_seed, errors.StateError, "captured step was recorded with the seed 0"),
    ],
)
def test_what_changed_since_the_recording_is_refused_and_nothing_computed(change: Any, kind: Any, words: str) -> None:
    tgl.manual_seed(0)
    step, model, optimizer = recorded()
    before = model.weight.detach().numpy()
    text = refusal(kind, lambda: change(step, model, optimizer))
    assert text.startswith(words), text
    np.testing.assert_array_equal(model.weight.detach().numpy(), before)


def reads(x: Any) -> Any:
    return x * x.sum().item()


def makes(x: Any) -> Any:
    return x + tgl.Tensor([1.0, 2.0], device="cuda")


def waits(x: Any) -> Any:
    tgl.cuda.synchronize()
    return x * 2


def answers_on_the_cpu(x: Any) -> Any:
    return tgl.zeros(3)


KEPT: list[Any] = []


def keeps(x: Any) -> Any:
    KEPT.append(x * 2)
    return x


@pytest.mark.parametrize(
    "function, words",
    [
        (reads, "capture cannot record a step that reads a value"),
        (makes, "capture cannot record a step that needs numbers from the processor's memory"),
        (keeps, "capture cannot record a step that keeps a tensor"),
        (waits, "capture cannot record a step that waits for the GPU"),
        (answers_on_the_cpu, "captured step needs results on the GPU\n  result  shape (3,), float32, cpu"),
    ],
)
def test_what_cannot_be_recorded_is_refused_and_the_gpu_goes_on_working(function: Any, words: str) -> None:
    step = tgl.cuda.capture(function)
    x = tgl.Tensor([3.0, 4.0], device="cuda")
    for _ in range(2):
        step(x)
    with pytest.raises(errors.Error) as caught:
        step(x)
    assert str(caught.value).startswith(words)
    assert (x + 1).tolist() == [4.0, 5.0]
    assert not step.recorded


def test_another_recording_may_follow_one_that_was_refused() -> None:
    step = tgl.cuda.capture(keeps)
    x = tgl.Tensor([3.0, 4.0], device="cuda")
    refused = 0
    for _ in range(6):
        try:
            step(x)
        except errors.StateError:
            refused += 1
    assert refused == 2
    KEPT.clear()


def test_gradients_that_moved_into_an_arena_are_noticed() -> None:
    model = nn.Linear(12, 4).to("cuda")

    def step(x: Any) -> Any:
        loss = (model(x) ** 2).sum()
        loss.backward()
        return loss

    run = tgl.cuda.capture(step)
    for _ in range(4):
        run(X[0])
    optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(errors.StateError, match="works on memory that a tensor has left"):
        run(X[0])


def test_a_step_has_a_bounded_number_of_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinygrad_lite.cuda import replays

    monkeypatch.setattr(replays, "_MOST_UPDATES", 1)
    model = nn.Linear(12, 4).to("cuda")
    groups = [{"params": [p], "lr": 0.1 * (k + 1)} for k, p in enumerate(model.parameters())]
    step = tgl.cuda.capture(training_step(model, optim.SGD(groups, lr=0.1)))
    for _ in range(2):
        step(X[0], Y[0])
    assert refusal(errors.ArgumentError, lambda: step(X[0], Y[0])).startswith(
        "capture can record at most 1 updates of optimisers in a step"
    )


def test_an_argument_with_a_gradient_is_refused() -> None:
    x = tgl.Tensor([3.0], device="cuda", requires_grad=True)
    assert refusal(errors.GradientError, lambda: tgl.cuda.capture(reads)(x)).startswith(
        "captured step cannot carry a gradient to its arguments"
    )


def test_only_functions_can_be_captured() -> None:
    assert refusal(errors.DTypeError, lambda: tgl.cuda.capture(3)) == (
        "capture needs a function\n  function  3\n  hint      def step(x, y): ..."
    )
