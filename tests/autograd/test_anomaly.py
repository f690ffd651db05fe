"""Anomaly mode: the first NaN or inf, forward or backward, with the place where its operation was recorded."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from operations.row import Operation, Sample
from operations.running import forward, operands, pull, recorded, values
from operations.table import case_id, cases
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, nn
from tinygrad_lite.autograd import engine, forward_mode, record
from tinygrad_lite.autograd.rows import Joint, Row, Rule, World
from tinygrad_lite.autograd.tools import anomaly
from tinygrad_lite.autograd.tools.anomaly import trace_of
from tinygrad_lite.backends.cpu.overrides import Override
from tinygrad_lite.errors import AnomalyError

MAX = 3.4e38  # nearly the largest float32


def leaf(*values: float) -> Tensor:
    return Tensor(list(values), requires_grad=True)


def anomaly_in(call: Callable[[], Any], **kinds: bool) -> AnomalyError:
    with tgl.detect_anomaly(**kinds), pytest.raises(AnomalyError) as caught:
        call()
    return caught.value


@pytest.fixture(autouse=True)
def _nothing_stays_behind():
    yield
    assert record._new is object.__new__
    assert all(vars(owner)[name] is plain for owner, name, plain, _ in anomaly._EXCHANGED)


# --- forward --------------------------------------------------------------------------------------


def test_the_first_operation_with_a_new_anomaly_is_refused_in_full():
    def call() -> None:
        with tgl.detect_anomaly():
            tgl.log(Tensor([1.0, 0.0, 2.0]))

    refuses(
        AnomalyError,
        call,
        "log made -inf, though no operand has any: 1 of 3 elements, the first at [1], where x is 0.0\n"
        "  x     shape (3,), float32, cpu, from 0 to 2\n"
        "  hint  log is -inf at 0 and NaN below it: keep its operand positive, for example with clip(x, 1e-12)",
    )


FORWARD = [
    ("log", lambda: tgl.log(Tensor([-1.0])), "log made NaN, though no operand has any: its one element, where x is"),
    ("sqrt", lambda: tgl.sqrt(Tensor(-4.0)), "sqrt made NaN, though no operand has any: its one element, where x is"),
    ("divide", lambda: Tensor([[1.0, 3.0]]) / Tensor([[1.0], [0.0]]), "2 of 4 elements, the first at [1, 0], where x1"),
    ("divide", lambda: Tensor([1.0]) / 0.0, "divide made inf, though no operand has any: its one element, where x1 is"),
    ("exp", lambda: tgl.exp(Tensor([1.0, 100.0])), "exp made inf, though no operand has any: 1 of 2 elements, the fir"),
    ("multiply", lambda: Tensor([MAX]) * -2.0, "multiply made -inf, though no operand has any: its one element, wher"),
    ("matmul", lambda: tgl.matmul(Tensor([[1e30]]), Tensor([[1e30]])), "matmul made inf, though no operand has any:"),
    ("sum", lambda: Tensor([MAX, MAX]).sum(), "sum made inf, though no operand has any: its one element"),
    ("subtract", lambda: Tensor([np.inf]) - np.inf, "subtract made NaN, though no operand has any: its one element, "),
]


@pytest.mark.parametrize("operation, call, text", FORWARD, ids=[f"{i}-{row[0]}" for i, row in enumerate(FORWARD)])
@pytest.mark.parametrize("recording", [True, False])
def test_every_operation_is_checked_recorded_or_not(operation, call, text, recording):
    def run() -> None:
        with tgl.set_grad_enabled(recording):
            call()

    error = anomaly_in(run)
    assert error.operation == operation
    assert text in str(error)


def test_an_override_is_checked_and_the_module_path_is_named():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(2, 2), nn.ReLU())

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x)

    net = Net()
    with tgl.no_grad():
        net.layers[0].weight[...] = MAX
    error = anomaly_in(lambda: net(Tensor([[2.0, 2.0]])))
    assert error.operation == "linear"
    assert error.module == "net.layers.0: Linear(2 -> 2)"
    assert error.hint.startswith("the largest float32 is 3.4e+38: a learning rate that is too high")


def test_what_an_operand_had_already_passes():
    masked = Tensor([True, False])
    with tgl.detect_anomaly():
        x = tgl.where(masked, Tensor([1.0, 2.0]), -np.inf)
        assert tgl.softmax(x, axis=0).tolist() == [1.0, 0.0]
        assert np.isnan((Tensor([np.nan, 1.0]) * 2.0).tolist()[0])
        assert (Tensor([np.inf]) + 1.0).tolist() == [np.inf]
        assert tgl.isnan(Tensor([np.nan])).tolist() == [True]


def test_a_row_that_is_masked_throughout_gets_its_own_hint():
    error = anomaly_in(lambda: tgl.softmax(Tensor([[-np.inf, -np.inf]]), axis=1))
    assert error.hint == "a row that is -inf throughout has no softmax: leave one element of it unmasked"


def test_each_kind_can_be_left_out():
    with tgl.detect_anomaly(check_inf=False):
        assert tgl.exp(Tensor([1000.0])).tolist() == [np.inf]
        with pytest.raises(AnomalyError, match=r"^log made NaN"):
            tgl.log(Tensor([-1.0]))
    with tgl.detect_anomaly(check_nan=False):
        assert np.isnan(tgl.log(Tensor(-1.0)).item())
        with pytest.raises(AnomalyError, match=r"^exp made inf"):
            tgl.exp(Tensor([1000.0]))


# --- backward -------------------------------------------------------------------------------------


def test_the_error_of_a_rule_leads_back_to_the_forward_line_and_module():
    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return tgl.sqrt(x)

    model = nn.Sequential(nn.Identity(), Root())
    x = leaf(4.0, 0.0)

    def call() -> None:
        with tgl.detect_anomaly():
            loss = model(x).sum()
            loss.backward()

    with pytest.raises(AnomalyError) as caught:
        call()
    assert re.sub(r"\.py:\d+", ".py:#", str(caught.value)) == (
        "sqrt made a gradient with inf for x, though none arrived: 1 of 2 elements, the first at [1],"
        " where ans is 0.0\n"
        "  x        shape (2,), float32\n"
        "  ans      shape (2,), float32, cpu, from 0 to 2\n"
        "  arrived  shape (2,), float32, cpu, 1\n"
        "  made in  sequential.1: Root()\n"
        "  made at  test_anomaly.py:#: return tgl.sqrt(x)\n"
        "  at       test_anomaly.py:#: loss.backward()\n"
        "  hint     the slope of sqrt is infinite at 0: add a small number under the root, as in sqrt(x + 1e-12)"
    )


def _where_after() -> Tensor:
    x = leaf(0.0, 1.0)
    return tgl.where(Tensor([False, True]), tgl.sqrt(x), 0.0).sum()


def _joint_rule() -> Tensor:
    row = Row("spike", "x y", lambda xp, x, y: x + y, Joint(_spike, _spiked), False, {})
    return record.apply(row, [leaf(1.0), leaf(2.0)])


def _spike(xp, g, needs, x, y):
    return g, g * y / (y - y)


def _spiked(xp, tangents, x, y):
    return x / (x - x)


def _custom_rule() -> Tensor:
    rule = Rule(lambda xp, g, x: g / (x - x), lambda xp, dx, x: dx / (x - x))
    return record.apply(Row("pole", "x", lambda xp, x: x * 1.0, None, False, {"x": rule}), [leaf(1.0)])


BACKWARD = [
    ("the branch that where() left out", _where_after, "sqrt", "made a gradient with NaN for x, though none arrived"),
    ("a joint rule", _joint_rule, "spike", "made a gradient with inf for y, though none arrived"),
    ("a user's rule", _custom_rule, "pole", "made a gradient with inf for x, though none arrived"),
    ("0 to a fractional power", lambda: leaf(0.0) ** 0.5, "power", "made a gradient with inf for x"),
    (
        "shares that add up",
        lambda: (lambda h: (h * MAX * 1e-3).sum() * 600.0 + (h * MAX * 1e-3).sum() * 600.0)(leaf(1e-9) * 1.0),
        "multiply",
        "made, with what other operations added, a gradient with inf for x1, though none arrived",
    ),
]


@pytest.mark.parametrize("output, operation, need", [row[1:] for row in BACKWARD], ids=[row[0] for row in BACKWARD])
@pytest.mark.parametrize("create_graph", [False, True])
def test_the_first_bad_rule_is_named_whether_or_not_the_pass_is_recorded(output, operation, need, create_graph):
    def call() -> None:
        output().sum().backward(create_graph=create_graph)

    error = anomaly_in(call)
    assert error.operation == operation
    assert need in error.need
    assert dict(error.operands)["made at"].startswith("test_anomaly.py:")
    assert error.line.endswith("output().sum().backward(create_graph=create_graph)")


def test_the_operand_is_named_when_two_are_the_same_tensor():
    rule = Rule(lambda xp, g: g, lambda xp, dx: dx)
    bad = Rule(lambda xp, g, a: g / (a - a), lambda xp, dx, a: dx / (a - a))
    row = Row("twice", "a b", lambda xp, a, b: a + b, None, False, {"a": rule, "b": bad})
    x = leaf(1.0)
    error = anomaly_in(lambda: record.apply(row, [x, x]).sum().backward())
    assert error.need.startswith("made a gradient with inf for b")


def test_operations_of_users_are_named_by_their_own_names():
    @tgl.operation(height=tgl.Rule(lambda xp, g, height: g / (height - height)))
    def cliff(xp: Any, height: Any) -> Any:
        return xp.log(height) * 2

    assert str(anomaly_in(lambda: cliff(Tensor([0.0])))).startswith("cliff made -inf, though no operand has any: its")
    error = anomaly_in(lambda: cliff(leaf(1.0)).sum().backward())
    assert (error.operation, error.need) == (
        "cliff",
        "made a gradient with inf for height, though none arrived: its one element",
    )
    assert dict(error.operands)["height"] == "shape (1,), float32, cpu, 1"


def test_what_an_operation_of_a_user_makes_and_drops_inside_is_its_own_affair():
    @tgl.operation(nondifferentiable="x")
    def safe_log(xp: Any, x: Any) -> Any:
        return xp.where(x > 0, xp.log(x), 0.0)

    with tgl.detect_anomaly():
        assert safe_log(Tensor([0.0, 1.0])).tolist() == [0.0, 0.0]


def test_the_hint_for_a_power_fits_what_it_made():
    assert anomaly_in(lambda: Tensor([0.0]) ** -1).hint == (
        "0 to a negative power is inf; besides, the largest float32 is 3.4e+38: a learning rate that is too high,"
        " inputs that are not normalised, or a division by 0 lead here"
    )
    assert anomaly_in(lambda: Tensor([-1.0]) ** 0.5).hint == "a negative number to a fractional power is NaN"


def test_the_safe_way_around_a_kink_is_hinted_at():
    error = anomaly_in(lambda: _where_after().backward())
    assert error.hint == (
        "a slope that is infinite there meets a gradient of 0, and 0 * inf is NaN: choose a safe operand"
        " with where() before the operation, not only its result after it"
    )


def test_an_override_of_a_backend_is_checked():
    def backward(private, g, needs, sinks):
        return (g * np.float32(np.inf),)

    override = Override(lambda needs, x: (x * 2, None), backward)
    row = Row("fused", "x", lambda xp, x: x * 2.0, None, False, {"x": Rule(lambda xp, g: g * 2, lambda xp, dx: dx * 2)})
    world = row.worlds[np.ndarray]
    world.override = override
    world.plans._override = override
    world.plans.clear()
    error = anomaly_in(lambda: record.apply(row, [leaf(1.0)]).sum().backward())
    assert error.need.startswith("made a gradient with inf for x")


def test_no_gradient_changes_in_a_pass_that_fails():
    x, y = leaf(0.0), leaf(3.0)
    y.grad = Tensor([7.0])
    with tgl.detect_anomaly():
        z = (tgl.sqrt(x) + y * 2.0).sum()
        with pytest.raises(AnomalyError):
            z.backward()
    assert x.grad is None
    assert y.grad.tolist() == [7.0]


def test_a_pass_without_anomalies_gives_the_gradients_of_a_plain_one():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer = tgl.optim.SGD(model.parameters(), lr=0.1)
    x, target = Tensor(np.arange(6.0, dtype=np.float32).reshape(2, 3)), Tensor([0, 1])
    seen: list[Any] = []
    for mode in (False, True):
        optimizer.zero_grad()
        handle = model[0].weight.register_hook(lambda g: seen.append(g.shape))
        with tgl.detect_anomaly() if mode else tgl.enable_grad():
            nn.functional.cross_entropy(model(x), target).backward()
        handle.remove()
        grads = [p.grad.numpy().copy() for p in model.parameters()]
        plain = grads if not mode else plain  # noqa: F821
    assert seen == [(4, 3), (4, 3)]
    for expected, got in zip(plain, grads):
        np.testing.assert_array_equal(got, expected)
    h = leaf(2.0)
    with tgl.detect_anomaly():
        first = tgl.grad(h**3, h, create_graph=True)
        second = tgl.grad(first, h)
    assert (first.tolist(), second.tolist()) == ([12.0], [12.0])


def test_a_hook_that_brings_an_anomaly_in_is_named():
    x = leaf(1.0)
    h = x * 2.0
    h.register_hook(lambda g: Tensor([np.nan]))
    error = anomaly_in(lambda: (h * 3.0).sum().backward())
    assert (error.operation, error.need) == ("hook", "returned NaN, though its gradient has none: its one element")
    x.register_hook(lambda g: Tensor([np.inf]))
    error = anomaly_in(lambda: (x * 3.0).sum().backward())
    assert error.need == "returned inf, though its gradient has none: its one element"
    assert x.grad is None


def test_an_operation_inside_a_hook_is_checked_as_any_other():
    x = leaf(1.0)
    x.register_hook(lambda g: tgl.log(g * 0.0))
    assert anomaly_in(lambda: (x * 3.0).sum().backward()).operation == "log"


def test_a_cotangent_that_is_bad_itself_blames_no_operation():
    x = leaf(1.0)
    with tgl.detect_anomaly():
        (x * 2.0).backward(Tensor([np.nan]))
    assert np.isnan(x.grad.item())


def test_operations_from_before_are_checked_without_a_line():
    y = tgl.sqrt(leaf(0.0))
    error = anomaly_in(lambda: y.backward())
    assert dict(error.operands)["made at"] == "not known: it was not recorded inside detect_anomaly()"


def test_a_nan_from_the_forward_pass_is_said_to_be_one():
    y = leaf(1.0) * Tensor([np.nan])
    error = anomaly_in(lambda: y.backward())
    assert error.hint == "an operand has it since the forward pass: run that inside detect_anomaly(), too"
    error = anomaly_in(lambda: (leaf(1.0) * Tensor([np.nan])).backward())
    assert error.hint.startswith("an operand has it since the forward pass: look at the data and the parameters")


def test_an_operation_that_backward_recorded_names_the_one_it_came_from():
    x = leaf(0.0)

    def call() -> None:
        y = x**1.5
        first = tgl.grad(y.sum(), x, create_graph=True)
        first.sum().backward()

    rows = dict(anomaly_in(call).operands)
    assert rows["made at"].endswith("first = tgl.grad(y.sum(), x, create_graph=True)")
    assert re.fullmatch(r"the rule of power at test_anomaly.py:\d+: y = x\*\*1.5", rows["made by"])


def test_tangents_are_checked_in_forward_mode():
    for create_graph in (False, True):
        x, v = Tensor([0.0, 1.0]), Tensor([1.0, 1.0])
        error = anomaly_in(lambda: tgl.jvp(tgl.sqrt, x, v, create_graph=create_graph))  # noqa: B023
        assert error.operation == "sqrt"
        assert error.need.startswith("made a tangent with inf, though no operand's has any: 1 of 2 elements, the first")


def test_an_anomaly_inside_a_checkpoint_is_found_in_it():
    x = leaf(0.0)
    error = anomaly_in(lambda: tgl.checkpoint(lambda x: tgl.sqrt(x) * 2.0, x).sum().backward())
    assert error.operation == "sqrt"
    assert "tgl.checkpoint(lambda x: tgl.sqrt(x)" in dict(error.operands)["made at"]


FIRST = list({row.name: (row, one) for row, one in reversed([*cases()]) if row.active(one.arrays)}.values())


@pytest.mark.parametrize("row, one", FIRST, ids=case_id)
def test_every_operation_has_the_gradients_of_a_plain_pass(row: Operation, one: Sample) -> None:
    found = []
    for mode in (tgl.enable_grad(), tgl.detect_anomaly()):
        with mode:
            xs, active = operands(row, one.arrays, np.ndarray)
            found.append(pull(recorded(forward(row, one, xs)), tuple(active)))
    for plain, checked in zip(*found):
        assert (plain is None) == (checked is None)
        if plain is not None:
            np.testing.assert_array_equal(values(checked), values(plain))


# --- the mode itself ------------------------------------------------------------------------------


def test_it_decorates_functions():
    @tgl.detect_anomaly(check_inf=False)
    def compute(value: float) -> float:
        """Documented."""
        return tgl.log(Tensor(value)).item()

    assert (compute(1.0), compute(0.0), compute.__doc__) == (0.0, -np.inf, "Documented.")
    with pytest.raises(AnomalyError):
        compute(-1.0)


def test_blocks_nest_and_the_innermost_decides():
    with tgl.detect_anomaly():
        with tgl.detect_anomaly(check_inf=False):
            assert tgl.exp(Tensor([1000.0])).tolist() == [np.inf]
        with pytest.raises(AnomalyError):
            tgl.exp(Tensor([1000.0]))
    with np.errstate(all="ignore"):
        assert tgl.exp(Tensor([1000.0])).tolist() == [np.inf]


def test_it_ends_with_its_block_whatever_is_raised():
    for kind in (ValueError, KeyboardInterrupt):
        with pytest.raises(kind), tgl.detect_anomaly():
            raise kind
    with pytest.raises(AnomalyError), tgl.detect_anomaly():
        tgl.sqrt(leaf(0.0)).backward()
    assert trace_of((leaf(1.0) * 2.0)._node) is None


def test_it_holds_in_its_own_thread_alone():
    found: dict[str, Any] = {}

    def work() -> None:
        with np.errstate(all="ignore"):
            y = tgl.sqrt(leaf(0.0))
            y.backward()
            found["inf"] = tgl.exp(Tensor([1000.0])).tolist()
            found["trace"] = trace_of(y._node)
            found["jvp"] = tgl.jvp(tgl.sqrt, Tensor([0.0]), Tensor([1.0]))[1].tolist()

    with tgl.detect_anomaly():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        with pytest.raises(AnomalyError):
            tgl.exp(Tensor([1000.0]))
    assert found == {"inf": [np.inf], "trace": None, "jvp": [np.inf]}


def test_a_block_that_another_thread_has_open_survives_the_end_of_ours():
    opened, closed, found = threading.Event(), threading.Event(), []

    def work() -> None:
        with tgl.detect_anomaly():
            opened.set()
            closed.wait()
            try:
                tgl.log(Tensor([0.0]))
            except AnomalyError as error:
                found.append(error.operation)

    thread = threading.Thread(target=work)
    with tgl.detect_anomaly():
        thread.start()
        opened.wait()
    closed.set()
    thread.join()
    assert found == ["log"]


def test_what_is_first_used_in_a_block_is_plain_after_it():
    row = Row("first", "x", lambda xp, x: x / 0.0, None, False, {})
    override = Override(lambda needs, x: (x / 0.0, None), None)
    with tgl.detect_anomaly():
        world = row.worlds[np.ndarray]
        world.override = override
        with pytest.raises(AnomalyError):
            record.apply(row, [Tensor([1.0])])
    assert world.override is override
    with np.errstate(all="ignore"):
        assert record.apply(row, [Tensor([1.0])]).tolist() == [np.inf]


def test_the_exchanged_names_are_those_that_recording_and_the_walks_look_up():
    names = {(owner, name) for owner, name, _, _ in anomaly._EXCHANGED}
    assert names == {
        (World, "forward"),
        (World, "override"),
        (record, "_new"),
        (engine, "_BackwardPass"),
        (forward_mode, "_push"),
    }


def test_a_trace_names_line_and_module():
    layer = nn.Linear(2, 1)
    with tgl.detect_anomaly(check_nan=False, check_inf=False):
        y = layer(Tensor([[1.0, 2.0]]))
    trace = trace_of(y._node)
    assert trace is not None
    assert trace.module == "linear: Linear(2 -> 1)"
    assert re.fullmatch(r"test_anomaly.py:\d+: y = layer\(Tensor\(\[\[1.0, 2.0\]\]\)\)", trace.line)
