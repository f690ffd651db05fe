"""no_grad and enable_grad: nesting, decorators, exceptions, threads."""

from __future__ import annotations

import threading

import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors


def recorded() -> bool:
    return (Tensor(2.0, requires_grad=True) * 2.0).requires_grad


def test_nesting_restores_what_was_before():
    assert recorded()
    with tgl.no_grad():
        assert not recorded()
        with tgl.enable_grad():
            assert recorded()
            with tgl.set_grad_enabled(False):
                assert not recorded()
            assert recorded()
        assert not recorded()
        assert not tgl.is_grad_enabled()
    assert recorded()


def test_one_context_manager_may_be_entered_inside_itself():
    mode = tgl.no_grad()
    with mode:
        with tgl.enable_grad(), mode:
            assert not recorded()
        assert not recorded()
    assert recorded()


@pytest.mark.parametrize("mode", [tgl.no_grad, lambda: tgl.no_grad, lambda: tgl.set_grad_enabled(False)])
def test_as_decorators_they_cover_every_call_and_keep_the_name(mode):
    @mode()
    def evaluate(depth: int) -> bool:
        """Whether something is recorded inside."""
        return recorded() or (depth > 0 and evaluate(depth - 1))

    assert not evaluate(2)
    assert not evaluate(0)
    assert recorded()
    assert evaluate.__name__ == "evaluate"
    assert evaluate.__doc__ == "Whether something is recorded inside."


def test_enable_grad_as_a_decorator():
    with tgl.no_grad():
        assert tgl.enable_grad()(recorded)()
        assert not recorded()


def test_a_statement_switches_at_once_and_until_the_next():
    try:
        tgl.set_grad_enabled(False)
        assert not recorded()
        with tgl.enable_grad():
            assert recorded()
        assert not recorded()
    finally:
        tgl.set_grad_enabled(True)
    assert recorded()


def test_a_switch_that_becomes_a_block_or_a_decorator_ends_with_it():
    switch = tgl.set_grad_enabled(False)
    assert not recorded()
    with switch:
        assert not recorded()
    assert recorded()
    decorate = tgl.set_grad_enabled(False)
    assert decorate(recorded)() is False
    assert recorded()


def test_no_grad_is_a_decorator_without_parentheses_too():
    @tgl.no_grad
    def evaluate(x: int) -> tuple[int, bool]:
        """Nothing is recorded."""
        return x, recorded()

    assert evaluate(3) == (3, False)
    assert evaluate.__doc__ == "Nothing is recorded."
    with tgl.no_grad():
        assert tgl.enable_grad(recorded)()


@pytest.mark.parametrize("name", ["no_grad", "enable_grad"])
def test_what_is_no_function_is_refused(name):
    refuses(
        errors.ArgumentError,
        lambda: getattr(tgl, name)(False),
        f"{name} needs a function, or nothing\n  function  False\n  hint      set_grad_enabled(enabled) takes a value",
    )


def test_an_exception_restores_the_mode():
    with pytest.raises(ZeroDivisionError), tgl.no_grad():
        raise ZeroDivisionError
    assert recorded()

    @tgl.no_grad()
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert recorded()


def test_a_tensor_made_under_no_grad_requires_what_it_is_told():
    with tgl.no_grad():
        x = Tensor(1.0, requires_grad=True)
        y = x * 2.0
    assert x.requires_grad
    assert not y.requires_grad
    assert y.is_leaf


def in_threads(*functions):
    """Run the functions at the same time and raise what any of them raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(functions))

    def guarded(function):
        try:
            start.wait()
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_the_mode_belongs_to_the_thread():
    inside = threading.Barrier(2)
    seen: dict[str, bool] = {}

    def off() -> None:
        with tgl.no_grad():
            inside.wait()
            seen["off"] = recorded()
            inside.wait()

    def on() -> None:
        inside.wait()
        seen["on"] = recorded()
        inside.wait()

    in_threads(off, on)
    assert seen == {"off": False, "on": True}


def test_threads_may_differentiate_graphs_of_their_own():
    results = {}

    def work(k: int):
        def run() -> None:
            x = Tensor([float(k)], dtype="float64", requires_grad=True)
            for _ in range(50):
                y = x
                for _ in range(20):
                    y = y * 1.0 + x
                y.sum().backward()
            results[k] = x.grad.item()

        return run

    in_threads(*[work(k) for k in range(4)])
    assert results == dict.fromkeys(range(4), 50 * 21.0)


def test_threads_may_share_leaves_when_they_use_grad():
    x = Tensor([3.0], dtype="float64", requires_grad=True)
    found = []

    def run() -> None:
        for _ in range(50):
            y = x
            for _ in range(10):
                y = y * x
            found.append(tgl.grad(y, x).item())

    in_threads(run, run, run)
    assert found == [11 * 3.0**10] * 150
    assert x.grad is None
