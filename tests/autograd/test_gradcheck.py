"""gradcheck: right derivatives pass, and each kind of wrong rule is found and named."""

from __future__ import annotations

import re

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, gradcheck
from tinygrad_lite.autograd import rows
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rows import Rule, diagonal
from tinygrad_lite.errors import ArgumentError, DTypeError, GradientError


def normal(*shape: int, seed: int = 0, dtype: str = "float64") -> Tensor:
    return Tensor(np.random.default_rng(seed).standard_normal(shape), dtype=dtype)


# --- right derivatives ----------------------------------------------------------------------------------

RIGHT = {
    "matmul and tanh": (lambda x, w: tgl.tanh(x @ w), (normal(3, 4), normal(4, 2))),
    "several outputs": (lambda x: tgl.slogdet(x), (normal(4, 4),)),
    "values and positions": (lambda x: tgl.topk(x, 3), (normal(5, 5),)),
    "an index passed on": (lambda x, i: x[i] ** 2, (normal(5, 2), Tensor([0, 0, 3]))),
    "broadcasting": (lambda x, y: x * y + y, (normal(3, 1), normal(1, 4))),
    "ill-conditioned": (lambda x: tgl.inv(x), (normal(6, 6),)),
    "large and small": (lambda x: tgl.exp(x), (Tensor([-30.0, 0.0, 30.0], dtype="float64"),)),
    "close to a pole": (lambda x: tgl.log(x), (Tensor([1e-6, 1.0], dtype="float64"),)),
    "saturated": (lambda x: tgl.tanh(x), (Tensor([-15.0, 3.0, 40.0], dtype="float64"),)),
    "0-d": (lambda x: x * x * x, (Tensor(3.0, dtype="float64"),)),
    "zero at zero": (lambda x: x * x, (Tensor([0.0, 0.0], dtype="float64"),)),
    "constant": (lambda x, y: x * 1.0, (normal(2), normal(2, seed=1))),
    "empty": (lambda x, y: x * y, (normal(0, 3), normal(3))),
    "a cast": (lambda x: tgl.exp(x.astype("float32")), (normal(3),)),
}


@pytest.mark.parametrize("func, inputs", RIGHT.values(), ids=RIGHT)
def test_right_derivatives_are_within_rounding(func, inputs):
    report = gradcheck(func, inputs)
    assert report, str(report)
    assert report.conclusion == "within rounding"


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_random_points_raise_no_false_alarm(scale, dtype):
    for seed in range(10):
        x = Tensor(normal(3, 4, seed=seed).numpy() * scale, dtype=dtype)
        assert gradcheck(lambda x: tgl.softmax(tgl.tanh(x) + x, axis=1), x, seed=seed, raise_exception=False)


def test_the_third_order():
    report = gradcheck(lambda x: tgl.logsumexp(x, axis=1), normal(3, 4), order=3)
    assert [c.derivative for c in report.checks if c.mode == "reverse"] == [
        *("d/dx", "d2/dx", "d2/dcotangent"),
        *("d3/dx", "d3/dcotangent", "d3/dcotangent'"),
    ]


def test_the_report_is_a_table():
    report = gradcheck(lambda x, y: x * y, (Tensor([2.0], dtype=float), Tensor([3.0], dtype=float)), order=1)
    first, head, *lines = str(report).splitlines()
    assert first == "<lambda>: within rounding"
    assert head.split("  ")[0] == "derivative"
    assert [line.split()[:2] for line in lines] == [
        ["d/dx", "reverse"],
        ["d/dx", "forward"],
        ["d/dy", "reverse"],
        ["d/dy", "forward"],
    ]
    assert all(line.endswith("  within rounding") for line in lines)
    assert repr(report) == str(report)


def test_only_the_modes_asked_for_are_checked():
    report = gradcheck(lambda x: x * x, normal(2), modes=("forward",), order=1)
    assert [c.mode for c in report.checks] == ["forward"]


def test_one_seed_gives_one_report():
    def text(seed):
        return str(gradcheck(tgl.exp, normal(3), seed=seed))

    assert text(1) == text(1)
    assert text(1) != text(2)


# --- planted bugs ---------------------------------------------------------------------------------------


@pytest.fixture
def declare():
    """Declares rows that exist for one test only."""
    names = []

    def make(name, *args, **kwargs):
        names.append(name)
        return rows.row(name, *args, **kwargs)

    yield make
    for name in names:
        del rows.rows[name]


def cube(xp, x):
    return x * x * x


def right(xp, g, x):
    return g * (3 * x * x)


def one_element_wrong(xp, g, x):
    return g * (3 * x * x) + g * xp.astype(xp.reshape(xp.arange(6), (2, 3)) == 4, x.dtype)


CUBES = {
    "a wrong factor": (
        Rule(lambda xp, g, x: g * (2 * x * x), right),
        (
            r"a bug: d output\[\d, \d\] / d x\[\d, \d\] is \S+ by reverse mode, but \S+ numerically"
            r" \(6 of 36 entries are wrong, all by the factor 0\.667\)"
        ),
        {("d/dx", "reverse")},
    ),
    "a wrong sign": (
        diagonal(lambda xp, g, x: -g * (3 * x * x)),
        r"a bug: .* by reverse mode, .* \(6 of 36 entries are wrong, all by the factor -1\)",
        {("d/dx", "reverse"), ("d/dx", "forward")},
    ),
    "a missing term": (
        Rule(lambda xp, g, x: g * (3 * x * x - x), right),
        r"a bug: .* by reverse mode, but \S+ numerically \(6 of 36 entries are wrong\)",
        {("d/dx", "reverse")},
    ),
    "one wrong element": (
        Rule(one_element_wrong, right),
        r"a bug: d output\[1, 1\] / d x\[1, 1\] is \S+ by reverse mode, but \S+ numerically",
        {("d/dx", "reverse")},
    ),
    "a gradient of zero": (
        Rule(lambda xp, g, x: g * 0.0, right),
        r"a bug: .* is 0 by reverse mode, but \S+ numerically \(6 of 36 entries are wrong, all by the factor 0\)",
        {("d/dx", "reverse")},
    ),
    "a wrong tangent": (
        Rule(right, lambda xp, dx, x: dx * (3 * x * x * 1.001)),
        r"a bug: .* by forward mode, .* \(6 of 36 entries are wrong, all by the factor 1\)",
        {("d/dx", "forward")},
    ),
    "not linear in the cotangent": (
        Rule(lambda xp, g, x: g * (3 * x * x) + g * g - xp.abs(g), right),
        r"a bug: .* by reverse mode.*",
        {("d/dx", "reverse")},
    ),
    "NaN": (
        Rule(lambda xp, g, x: g * (0.0 * x / 0.0), right),
        r"a bug: .* is nan by reverse mode, but \S+ numerically \(36 of 36 entries are wrong\)",
        {("d/dx", "reverse")},
    ),
    "a transposed gradient": (
        Rule(lambda xp, g, x: xp.permute_dims(g * (3 * x * x), (1, 0)), right),
        r"a bug: reverse mode fails: .* of shape \(3, 2\) cannot have been broadcast from \(2, 3\)",
        {("d/dx", "reverse")},
    ),
    "a gradient in the wrong shape": (
        Rule(lambda xp, g, x: g[0] * (3 * x * x)[0], right),
        r"a bug: reverse mode fails: .*",
        {("d/dx", "reverse")},
    ),
    "a rule that raises": (
        Rule(right, lambda xp, dx, x: xp.no_such_function(dx)),
        r"a bug: forward mode fails: AttributeError: .*no_such_function.*",
        {("d/dx", "forward")},
    ),
}


@pytest.mark.parametrize("rule, verdict, where", CUBES.values(), ids=CUBES)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_planted_bug_is_found_and_named(declare, rule, verdict, where):
    planted = declare("planted_cube", "x", cube, x=rule)
    report = gradcheck(lambda x: apply(planted, (x,)), normal(2, 3), raise_exception=False)
    assert not report
    assert re.fullmatch(verdict, report.conclusion), report.conclusion
    assert {(c.derivative, c.mode) for c in report.checks if c.verdict != "within rounding"} == where


@pytest.mark.parametrize("dtype, factor", [("float64", 1 + 1e-7), ("float32", 1.02)])
def test_small_bugs_are_seen_as_well(declare, dtype, factor):
    planted = declare("planted_cube", "x", cube, x=Rule(lambda xp, g, x: g * (3 * factor * x * x), right))
    x = normal(2, 3, dtype=dtype)
    assert not gradcheck(lambda x: apply(planted, (x,)), x, raise_exception=False)


def test_one_wrong_entry_among_a_million_is_seen(declare):
    def wrong(xp, g, x):
        return g * (3 * x * x) + g * xp.astype(xp.arange(100_000) == 777, x.dtype)

    planted = declare("planted_cube", "x", cube, x=Rule(wrong, right))
    report = gradcheck(lambda x: apply(planted, (x,)), normal(100_000), order=1, raise_exception=False)
    assert report.conclusion == (
        "a bug: d/dx by reverse mode (a Jacobian of 100000 x 100000 entries is too large to localise it, or a kink)"
    )


def test_a_missing_sum_over_the_broadcast_axis_is_found(declare):
    planted = declare(
        "planted_add",
        "x bias",
        lambda xp, x, bias: x + bias,
        x=diagonal(lambda xp, g: g),
        bias=Rule(lambda xp, g: g[0], lambda xp, db: db),
    )
    report = gradcheck(lambda x, b: apply(planted, (x, b)), (normal(3, 2), normal(2)), raise_exception=False)
    assert re.match(r"a bug: d output\[\d, \d\] / d b\[\d\] is 0 by reverse mode, but 1 num", report.conclusion)
    assert {(c.derivative, c.mode) for c in report.checks if c.verdict != "within rounding"} == {("d/db", "reverse")}


def test_a_wrong_second_derivative_alone_is_found(declare):
    """The rule closes over a constant array where the operand belongs, so create_graph cannot see it."""
    planted = declare(
        "planted_square",
        "x | frozen",
        lambda xp, x, frozen: x * x,
        x=diagonal(lambda xp, g, frozen: g * (2 * frozen())),
    )

    def func(x):
        array = x._data
        return apply(planted, (x,), (lambda: Tensor(array) if tgl.is_grad_enabled() else array,))

    assert gradcheck(func, normal(3), order=1)
    report = gradcheck(func, normal(3), raise_exception=False)
    assert re.fullmatch(
        r"a bug: d \(d/dx\)\[\d\] / d x\[\d\] is 0 by reverse mode, but \S+ numerically"
        r" \(3 of 9 entries are wrong, all by the factor 0\)",
        report.conclusion,
    )
    assert {c.derivative for c in report.checks if c.verdict != "within rounding"} == {"d2/dx"}


def test_the_error_carries_the_table_and_the_operands(declare):
    planted = declare("planted_double", "x", lambda xp, x: x + x, x=Rule(lambda xp, g: g, lambda xp, dx: dx + dx))

    def double(x, factor):
        return apply(planted, (x,))

    x = Tensor([2.0], dtype="float64")
    report = gradcheck(double, (x, 3), raise_exception=False)
    table = str(report).replace("\n", "\n    ")
    text = refusal(GradientError, lambda: gradcheck(double, (x, 3)))
    assert text == (
        f"gradcheck found derivatives that are not within rounding\n    {table}\n"
        "  x       shape (1,), float64, cpu\n"
        "  factor  shape (), int64, cpu\n"
        "  hint    compare the rule of each operation in it by a gradcheck of its own"
    )
    assert table.splitlines()[0] == ("double: a bug: d output[0] / d x[0] is 1 by reverse mode, but 2 numerically")


# --- kinks ----------------------------------------------------------------------------------------------


def test_at_a_kink_the_derivative_may_lie_between_the_two_sides():
    report = gradcheck(tgl.relu, Tensor([0.0, 1.0, -1.0], dtype="float64"), order=1)
    assert report
    assert {c.verdict for c in report.checks} == {"within rounding (1 of 9 entries between the two sides of a kink)"}


def test_at_a_kink_the_second_derivative_is_not_judged():
    report = gradcheck(tgl.relu, Tensor([0.0, 1.0, -1.0], dtype="float64"))
    verdict = {c.derivative: c.verdict for c in report.checks}["d2/dx"]
    assert verdict == "within rounding (1 of 9 entries at a jump, not judged)"


def test_a_derivative_outside_the_two_sides_of_a_kink_is_a_bug(declare):
    planted = declare(
        "planted_relu",
        "x",
        lambda xp, x: xp.maximum(x, 0.0),
        x=diagonal(lambda xp, g, x: xp.where(x == 0, -g, xp.where(x < 0, 0.0, g))),
    )
    x = Tensor([0.0, 1.0, -1.0], dtype="float64")
    report = gradcheck(lambda x: apply(planted, (x,)), x, order=1, raise_exception=False)
    assert report.conclusion.startswith("a bug: d output[0] / d x[0] is -1 by reverse mode")


def test_a_kink_close_by_is_dodged_by_smaller_steps():
    x = Tensor([1e-7, 1.0], dtype="float64")
    report = gradcheck(lambda x: tgl.abs(x) * x, x, order=1)
    assert {c.verdict for c in report.checks} == {"within rounding"}
    assert gradcheck(tgl.abs, x, order=1)


# --- what is no function of its inputs --------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, call, text",
    [
        (
            ArgumentError,
            lambda: gradcheck(lambda x: x * next(counter), normal(2)),
            (
                "gradcheck needs a function that gives the same values when called twice\n"
                "  hint  fix the seed inside the function"
            ),
        ),
        (
            ArgumentError,
            lambda: gradcheck(lambda x: x.__iadd__(1.0) * 2.0, normal(2)),
            "gradcheck needs a function that leaves x unmodified",
        ),
        (
            ArgumentError,
            lambda: gradcheck(lambda x: 1.0 / x, Tensor([0.0])),
            "gradcheck needs a function with finite values at these inputs",
        ),
        (
            DTypeError,
            lambda: gradcheck(lambda n: n * 2, Tensor([1, 2])),
            "gradcheck needs a floating-point input\n  n   shape (2,), int64, cpu",
        ),
        (
            DTypeError,
            lambda: gradcheck(lambda x: x > 0, Tensor([1.0])),
            (
                "gradcheck needs a function that returns a floating-point tensor or a tuple of them\n"
                "  returned  shape (1,), bool, cpu"
            ),
        ),
        (
            ArgumentError,
            lambda: gradcheck(tgl.exp, normal(2), modes=("reverse", "backward")),
            "gradcheck needs modes from \"reverse\" and \"forward\", but got ('reverse', 'backward')",
        ),
        (
            ArgumentError,
            lambda: gradcheck(tgl.exp, normal(2), order=0),
            "gradcheck needs order and directions of at least 1, but got 0 and 2",
        ),
        (
            ArgumentError,
            lambda: gradcheck(tgl.exp, normal(2), eps=-1.0),
            "gradcheck needs a step eps > 0, but got -1.0",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_what_gradcheck_refuses(kind, call, text):
    assert refusal(kind, call) == text


counter = iter(range(10_000))


def test_errors_of_the_function_itself_come_out_as_they_are():
    def broken(x):
        raise ZeroDivisionError("from the function")

    with pytest.raises(ZeroDivisionError, match="from the function"):
        gradcheck(broken, normal(2))


def test_inputs_are_left_as_they_were():
    x = Tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    gradcheck(lambda x: x * x, x)
    assert x.tolist() == [1.0, 2.0]
    assert x.grad is None
    assert x._version.count == 0
