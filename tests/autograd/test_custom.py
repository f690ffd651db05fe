"""Operations of a user: rules in the form of the package's rows, derived halves, and what is refused."""

import inspect

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Joint, Rule, Tensor, operation
from tinygrad_lite.autograd.rows import rows
from tinygrad_lite.errors import GradientError


def swish_rule(xp, g, x, beta):
    s = xp.sigmoid(beta * x)
    return g * (s + beta * x * s * (1 - s))


@operation(x=Rule.diagonal(swish_rule))
def swish(xp, x, /, beta=1.0):
    """x sigmoid(beta x)."""
    return x * xp.sigmoid(beta * x)


X = Tensor([0.3, -1.2, 2.0], dtype="float64")
Y = Tensor([[1.5, 0.4, -0.7], [0.2, 1.0, 3.0]], dtype="float64")

# --- declarations, each with the inputs to try it on -------------------------------------------------------


def product(**rules):
    def product(xp, x, y):
        return x * y

    return operation(product, **rules)


def both(**options):
    def both(xp, x, y):
        return x + y, x * y

    return operation(both, outputs="s p", **options)


def plus(first, second):
    return second if first is None else first if second is None else first + second


def both_vjp(xp, g, needs, x, y):
    s, p = g
    return plus(s, None if p is None else p * y), plus(s, None if p is None else p * x)


def both_jvp(xp, tangents, x, y):
    dx, dy = tangents
    products = plus(None if dx is None else dx * y, None if dy is None else dy * x)
    return plus(dx, dy), products


def norms(**options):
    def norms(xp, *xs, power=2):
        total = 0.0
        for x in xs:
            total = total + xp.sum(x**power, (), False) if x.ndim == 0 else total + x**power
        return total

    return operation(norms, **options)


def norms_vjp(xp, g, needs, xs, power):
    return [g * power * x ** (power - 1) if need else None for x, need in zip(xs, needs, strict=True)]


def norms_jvp(xp, tangents, xs, power):
    total = None
    for x, t in zip(xs, tangents, strict=True):
        total = total if t is None else plus(total, t * power * x ** (power - 1))
    return total


def cosine(**options):
    return operation(lambda xp, x: np.cos(x), name="cosine", **options)


def running_sum(**options):
    def running_sum(xp, x, /, axis):
        return xp.cumulative_sum(x, axis)

    return operation(running_sum, **options)


OPERATIONS = {
    "diagonal": (swish, (X,), {"beta": 2.0}),
    "a function alone is a vjp": (operation(swish._forward, x=swish_rule), (X,), {}),
    "both halves": (
        product(x=Rule(lambda xp, g, y: g * y, lambda xp, dx, y: dx * y), y=lambda xp, g, x: g * x),
        (X, Y),
        {},
    ),
    "jvp alone": (product(x=Rule(jvp=lambda xp, dx, y: dx * y), y=Rule(jvp=lambda xp, dy, x: dy * x)), (X, Y), {}),
    "joint": (both(joint=Joint(both_vjp, both_jvp)), (X, X + 1), {}),
    "joint vjp alone": (both(joint=both_vjp), (X, X + 1), {}),
    "joint jvp alone": (both(joint=Joint(jvp=both_jvp)), (X, X + 1), {}),
    "any number of operands": (norms(joint=Joint(norms_vjp, norms_jvp)), (X, X + 1, X + 2), {"power": 3}),
    "any number, vjp alone": (norms(joint=norms_vjp), (X, X + 1), {}),
    "any number, jvp alone": (norms(joint=Joint(jvp=norms_jvp)), (X, X + 1), {}),
    "several outputs, one rule per operand": (
        both(
            x=lambda xp, g, y: plus(g[0], None if g[1] is None else g[1] * y),
            y=Rule(jvp=lambda xp, dy, x: (dy, dy * x)),
        ),
        (X, X + 1),
        {},
    ),
    "not diagonal": (
        running_sum(x=lambda xp, g, axis: xp.flip(xp.cumulative_sum(xp.flip(g, (axis,)), axis), (axis,))),
        (Y,),
        {"axis": 1},
    ),
    "NumPy in forward": (cosine(x=lambda xp, g, x: -g * xp.sin(x)), (X,), {}),
    "NumPy in forward and rules": (cosine(x=lambda xp, g, x: -g * np.sin(x)), (X,), {}),
    "saves its output": (
        operation(lambda xp, x: xp.exp(x), name="exponential", x=Rule(lambda xp, g, ans: g * ans)),
        (X,),
        {},
    ),
    "linear": (operation(lambda xp, x: 3 * x, name="triple", x=lambda xp, g: 3 * g), (X,), {}),
    "uses a shape": (
        operation(
            lambda xp, x: xp.sum(x, (0,), False), name="total", x=lambda xp, g, x_shape: xp.broadcast_to(g, x_shape)
        ),
        (Y,),
        {},
    ),
    "left out": (
        operation(
            lambda xp, x, y=None, /: x if y is None else x * y,
            name="maybe",
            x=lambda xp, g, y: g if y is None else g * y,
            y=lambda xp, g, x: g * x,
        ),
        (X,),
        {},
    ),
}


@pytest.mark.parametrize("case", OPERATIONS)
def test_derivatives_in_both_modes_to_third_order(case):
    declared, inputs, statics = OPERATIONS[case]
    assert declared.check(*inputs, order=3, **statics)


@pytest.mark.parametrize("case", OPERATIONS)
def test_values_are_those_of_the_forward_in_every_way_to_call(case):
    declared, inputs, statics = OPERATIONS[case]
    arrays = [x.numpy() for x in inputs]
    found, again = declared(*inputs, **statics), declared(*arrays, **statics)
    for y, z in zip(*[r if isinstance(r, tuple) else (r,) for r in (found, again)], strict=True):
        assert isinstance(y, Tensor)
        assert y.tolist() == z.tolist()
        assert y.dtype == np.float64


def test_gradcheck_takes_the_operation_itself():
    assert tgl.gradcheck(swish, X)


def test_a_derived_half_gives_the_numbers_of_a_written_one():
    written = product(x=Rule.diagonal(lambda xp, g, y: g * y), y=Rule.diagonal(lambda xp, g, x: g * x))
    derived = product(x=lambda xp, g, y: g * y, y=Rule(jvp=lambda xp, dy, x: dy * x))
    direction = (X * 2, Y * 3)
    for transform in (tgl.jvp, tgl.vjp):
        v = direction if transform is tgl.jvp else Y
        one, other = transform(written, (X, Y), v), transform(derived, (X, Y), v)
        assert str(one) == str(other)


def test_mixed_with_other_operations_and_checkpoints():
    def function(x):
        return tgl.checkpoint(lambda u: swish(u * u) * u, tgl.sin(x)).sum()

    assert tgl.gradcheck(function, X)
    assert tgl.hessian(function, X).shape == (3, 3)


# --- the function it makes -----------------------------------------------------------------------------------


def test_name_signature_and_docstring_are_those_of_the_forward():
    assert swish.__name__ == "swish"
    assert str(inspect.signature(swish)) == "(x, /, beta=1.0)"
    assert inspect.getdoc(swish) == "x sigmoid(beta x)."
    assert repr(swish) == "<operation swish(x, /, beta=1.0)>"


def test_static_arguments_by_position_and_keyword():
    assert swish(X, 2.0).tolist() == swish(X, beta=2.0).tolist() != swish(X).tolist()


def test_a_parameter_with_a_default_is_static_unless_a_slash_says_otherwise():
    def total(xp, x, weight=None, axis=-1):
        return xp.sum(x if weight is None else x * weight, axis=axis)

    declared = operation(total, nondifferentiable="x weight")
    assert declared(Y).tolist() == tgl.sum(Y, axis=-1).tolist()
    assert declared(Y, Y, 0).tolist() == tgl.sum(Y * Y, axis=0).tolist()

    def scaled(xp, x, by=2.0, /):
        return x * by

    x = Tensor([1.0, 2.0], requires_grad=True)
    assert tgl.grad(operation(scaled, by=lambda xp, g, x: g * x)(3.0, x).sum(), x).tolist() == [3.0, 3.0]


def test_numbers_and_integers_become_floats_as_elsewhere():
    times = product(x=lambda xp, g, y: g * y, y=lambda xp, g, x: g * x)
    assert swish(1).dtype == np.float32
    assert swish([1, 2]).dtype == np.float32
    assert times(X, 2).dtype == np.float64
    assert times(Tensor([1, 2]), Tensor([0.5, 0.5])).dtype == np.float32


def test_a_broadcast_and_promoted_operand_gets_its_own_shape_and_dtype():
    times = product(x=lambda xp, g, y: g * y, y=lambda xp, g, x: g * x)
    x = Tensor([[1.0], [2.0]], dtype="float32", requires_grad=True)
    times(x, X).sum().backward()
    assert x.grad.shape == (2, 1)
    assert x.grad.dtype == np.float32


def test_a_constant_operand_keeps_its_dtype_and_gets_no_gradient():
    pick = operation(
        lambda xp, x, mask: xp.where(mask, x, 0.0),
        name="pick",
        x=Rule.diagonal(lambda xp, g, mask: xp.where(mask, g, 0.0)),
        nondifferentiable="mask",
    )
    x = Tensor([1.0, 2.0], requires_grad=True)
    pick(x, [True, False]).sum().backward()
    assert x.grad.tolist() == [1.0, 0.0]
    weights = product(x=lambda xp, g, y: g * y, nondifferentiable=("y",))
    y = Tensor([3.0, 4.0], requires_grad=True)
    weights(x, y).sum().backward()
    assert y.grad is None
    assert weights.check(x, y)


def test_the_table_of_the_package_stays_as_it_is_and_names_may_repeat():
    before = dict(rows)
    first = operation(lambda xp, x: 2 * x, name="linear", x=lambda xp, g: 2 * g)
    second = operation(lambda xp, x: 3 * x, name="linear", x=lambda xp, g: 3 * g)
    assert rows == before
    assert first.check(X)
    assert second.check(X)
    assert tgl.grad(second(x := Tensor(1.0, requires_grad=True)), x).item() == 3


def test_an_output_has_memory_of_its_own():
    same = operation(lambda xp, x: x, name="same", x=lambda xp, g: g)
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = same(x)
    with tgl.no_grad():
        x[...] = 7.0
    assert y.tolist() == [1.0, 2.0]


def test_a_saved_operand_that_is_changed_before_backward_is_refused():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = swish(x).sum()
    with tgl.no_grad():
        x += 1
    with pytest.raises(GradientError, match="needs the value of x that swish saved, but it was changed in place"):
        y.backward()


STANDARDISED = {
    "axes and defaults as everywhere": lambda xp, x: (x - xp.mean(x, axis=-1, keepdims=True)) / xp.std(x),
    "reductions over everything": lambda xp, x: x * xp.sum(x),
    "compositions": lambda xp, x: x - xp.logsumexp(x, axis=-1, keepdims=True),
    "lists of arrays": lambda xp, x: xp.stack([x, xp.exp(x)], axis=0) * 2,
    "strings": lambda xp, x: xp.einsum("ij,kj->ik", x, x),
    "several results": lambda xp, x: xp.topk(x, 2)[0],
    "NumPy's own in between": lambda xp, x: xp.maximum(np.round(x), x.sum(-1, keepdims=True)),
}


@pytest.mark.parametrize("forward", STANDARDISED.values(), ids=STANDARDISED)
def test_xp_has_the_functions_of_the_package_on_arrays(forward):
    declared = operation(forward, name="declared", nondifferentiable="x")
    assert declared(Y).tolist() == forward(tgl, Y.numpy() if "round" in forward.__code__.co_names else Y).tolist()


def test_a_rule_in_public_signatures_runs_on_arrays_and_on_tensors():
    def centred(xp, x):
        return x - xp.mean(x, axis=-1, keepdims=True)

    assert operation(centred, x=Rule.diagonal(lambda xp, g: centred(xp, g))).check(Y)


def test_check_compares_numbers_and_integers_in_float64():
    cube = operation(lambda xp, x: x**3, name="cube", x=lambda xp, g, x: 3 * g * x * x)
    for x in (2.0, 2, np.asarray([1, 2])):
        assert all(check.allowed < 1e-6 for check in cube.check(x).checks)


def test_under_no_grad_nothing_is_recorded_or_refused():
    bare = operation(lambda xp, x: np.floor(x), name="bare")
    x = Tensor([1.5], requires_grad=True)
    with tgl.no_grad():
        assert bare(x).tolist() == [1.0]


# --- a wrong rule is found, and named ---------------------------------------------------------------------------

WRONG = {
    "the vjp for x": (
        product(x=Rule(lambda xp, g, y: -g * y, lambda xp, dx, y: dx * y), y=lambda xp, g, x: g * x),
        (X, X + 1),
    ),
    "the jvp for y": (
        product(x=lambda xp, g, y: g * y, y=Rule(lambda xp, g, x: g * x, lambda xp, dy, x: dy)),
        (X, X + 1),
    ),
    "the vjp for x (its jvp is derived from that)": (cosine(x=lambda xp, g, x: g * xp.sin(x)), (X,)),
    "the jvp for x (its vjp is derived from that)": (cosine(x=Rule(jvp=lambda xp, g, x: g * xp.sin(x))), (X,)),
    "the rule for x, or the forward that it belongs to": (cosine(x=Rule.diagonal(lambda xp, g, x: g)), (X,)),
}


@pytest.mark.parametrize("blame", WRONG)
def test_a_wrong_rule_is_named(blame):
    declared, inputs = WRONG[blame]
    text = refusal(GradientError, lambda: declared.check(*inputs))
    assert text.splitlines()[0] == f"{declared.__name__} has a wrong rule: {blame}"
    assert not declared.check(*inputs, raise_exception=False)


def test_a_rule_that_hides_what_it_depends_on_is_found_at_second_order():
    seen = []

    def square(xp, x):
        seen.append(x)
        return x * x

    declared = operation(square, x=Rule.diagonal(lambda xp, g: 2 * g * seen[-1]))
    text = refusal(GradientError, lambda: declared.check(X))
    assert text.splitlines()[0] == (
        "square has a wrong rule: right in numbers but not when it is differentiated again, as if it depended on"
        " something that it does not save"
    )


def test_a_rule_that_cannot_run_on_tensors_is_found_at_second_order():
    declared = operation(lambda xp, x: x * x, name="square", x=Rule.diagonal(lambda xp, g, x: 2 * g * np.asarray(x)))
    text = refusal(GradientError, lambda: declared.check(X))
    assert text.splitlines()[0] == (
        "square has a wrong rule: right in numbers but not when it is differentiated again, where it runs on tensors"
    )
