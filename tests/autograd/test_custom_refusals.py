"""What is refused about operations of a user: declarations, calls, and what forward and rules return."""

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Joint, Rule, Tensor, operation
from tinygrad_lite.errors import (
    ArgumentError,
    DTypeError,
    GradientError,
    KeywordError,
    MissingAttributeError,
    ShapeError,
)

X = Tensor([0.3, -1.2, 2.0], dtype="float64")


def swish_rule(xp, g, x, beta):
    s = xp.sigmoid(beta * x)
    return g * (s + beta * x * s * (1 - s))


@operation(x=Rule.diagonal(swish_rule))
def swish(xp, x, /, beta=1.0):
    return x * xp.sigmoid(beta * x)


def product(**rules):
    def product(xp, x, y):
        return x * y

    return operation(product, **rules)


def both(**options):
    def both(xp, x, y):
        return x + y, x * y

    return operation(both, outputs="s p", **options)


def norms(**options):
    def norms(xp, *xs, power=2):
        total = 0.0
        for x in xs:
            total = total + xp.sum(x**power, (), False) if x.ndim == 0 else total + x**power
        return total

    return operation(norms, **options)


def norms_vjp(xp, g, needs, xs, power):
    return [g * power * x ** (power - 1) if need else None for x, need in zip(xs, needs, strict=True)]


def cosine(**options):
    return operation(lambda xp, x: np.cos(x), name="cosine", **options)


# --- refused declarations ------------------------------------------------------------------------------------------


def one(xp, x, /, beta=1.0):
    return x


DECLARATIONS = [
    (lambda: operation(3), "operation needs a function as forward\n  forward  3"),
    (lambda: operation(one, z=swish_rule), "operation one has a rule for 'z', but its operands are x"),
    (
        lambda: operation(one, beta=swish_rule),
        (
            "operation one has a rule for 'beta', but its operands are x\n"
            "  hint  operands stand before a / in forward's parameters, static arguments behind it"
        ),
    ),
    (
        lambda: operation(one, nondifferentiable="w"),
        "operation one has the non-differentiable operand 'w', but its operands are x",
    ),
    (
        lambda: operation(one, x=lambda xp, g, alpha: g),
        "operation one has a vjp in its rule of x that asks for 'alpha', but there is only ans, beta, x, x_shape",
    ),
    (
        lambda: operation(one, x=Rule(jvp=lambda dx: dx)),
        "operation one needs a jvp(xp, dx, ...) in its rule of x, but it takes (dx)",
    ),
    (
        lambda: operation(one, joint=lambda xp, g, x: g),
        "operation one needs a vjp(xp, g, needs, ...) in its joint rule, but it takes (xp, g, x)",
    ),
    (
        lambda: operation(one, x=lambda xp, g, *, ans: g * ans),
        "operation one needs a vjp in its rule of x that takes ans by position, but a * is before it",
    ),
    (lambda: operation(one, x=Rule()), "operation one has a rule of x without vjp and jvp"),
    (lambda: operation(one, x=3), "operation one needs a function as vjp of its rule of x, but got 3"),
    (lambda: operation(one, x=Joint(one)), "operation one has a rule of x that is a Joint instead of a Rule"),
    (
        lambda: operation(one, x=swish_rule, joint=swish_rule),
        "operation one needs either a joint rule or one rule per operand, but has both",
    ),
    (
        lambda: operation(one, outputs="y x"),
        "operation one needs different names for everything, but 'x' is there twice",
    ),
    (lambda: operation(lambda xp: 1), "operation operation needs a forward with at least one operand: forward(xp, x)"),
    (
        lambda: operation(lambda xp, x, **rest: x, name="loose"),
        "operation loose needs a forward whose static arguments have names, but it has **keywords",
    ),
    (
        lambda: operation(lambda xp, x, *xs: x, name="more"),
        "operation more needs *xs as its only operand, but others stand before it",
    ),
    (
        lambda: operation(lambda xp, *xs: xs[0], name="many", xs=lambda xp, g: g),
        "operation many takes any number of operands and needs a joint rule, but has one for 'xs'",
    ),
]


@pytest.mark.parametrize(("call", "text"), DECLARATIONS)
def test_a_declaration_that_cannot_work_is_refused(call, text):
    refuses(ArgumentError, call, text)


# --- refused calls -------------------------------------------------------------------------------------------------


def leaf():
    return Tensor([1.0, 2.0], requires_grad=True)


def backward_of(vjp):
    made = operation(lambda xp, x: 2 * x, name="made", x=vjp)
    return lambda: made(leaf()).sum().backward()


def recorded_backward_of(vjp):
    made = operation(lambda xp, x: 2 * x, name="made", x=vjp)
    return lambda: made(leaf()).sum().backward(create_graph=True)


def forward_of(function, **options):
    made = operation(function, name="made", x=lambda xp, g: g, **options)
    return lambda: made(leaf())


def writes(xp, x):
    x += 1
    return x


CALLS = [
    (KeywordError, lambda: swish(X, gamma=2), "swish has no argument 'gamma'; it has x, beta"),
    (
        KeywordError,
        lambda: swish(),
        "swish cannot be called like this: missing a required argument: 'x'; its arguments are (x, /, beta=1.0)",
    ),
    (
        DTypeError,
        lambda: swish(X, beta=Tensor(1.0)),
        (
            "swish needs a number or the like as beta, which is a static argument\n"
            "  beta  shape (), float32, cpu\n"
            "  hint  put beta before a / in forward's parameters, among the operands"
        ),
    ),
    (
        GradientError,
        lambda: product(x=lambda xp, g, y: g * y)(leaf(), leaf()),
        (
            "product has no rule for y, which requires a gradient\n"
            "  y     shape (2,), float32, cpu\n"
            '  hint  give it a rule, or name it in nondifferentiable="y" if it is a constant'
        ),
    ),
    (ArgumentError, lambda: norms(joint=norms_vjp)(), "norms needs at least one of xs"),
    (
        ArgumentError,
        lambda: product(x=lambda xp, g, y: g * y)([1.0, 2.0], [1.0, 2.0, 3.0]),
        (
            "product cannot work on these operands: operands could not be broadcast together with shapes (2,) (3,)\n"
            "  x   shape (2,), float32, cpu\n"
            "  y   shape (3,), float32, cpu"
        ),
    ),
    (
        ArgumentError,
        forward_of(lambda xp, x: None),
        "made needs a forward that returns an array, but ans is of type NoneType",
    ),
    (
        ArgumentError,
        forward_of(lambda xp, x: tgl.exp(Tensor(x))),
        (
            "made needs a forward that returns an array, but ans is of type Tensor\n"
            "  hint  compute with xp and NumPy inside forward"
        ),
    ),
    (
        ArgumentError,
        forward_of(lambda xp, x: (x, x), outputs="a b c"),
        "made needs a forward that returns 3 arrays (a, b, c), but got 2 values",
    ),
    (
        ArgumentError,
        forward_of(writes),
        "made cannot work on these operands: output array is read-only\n  x   shape (2,), float32, cpu",
    ),
    (
        ShapeError,
        backward_of(lambda xp, g: g[:1]),
        (
            "made needs a vjp for x that returns a gradient in its shape\n"
            "  x         shape (2,), float32, cpu\n"
            "  returned  shape (1,), float32, cpu"
        ),
    ),
    (
        GradientError,
        backward_of(lambda xp, g: None),
        "made needs a vjp for x that returns a gradient\n  returned  None",
    ),
    (
        GradientError,
        backward_of(lambda xp, g: Tensor(g)),
        (
            "made needs a vjp for x that returns a gradient\n"
            "  returned  shape (2,), float32, cpu\n"
            "  hint      it runs on plain arrays here: compute with xp, operators and methods"
        ),
    ),
    (
        GradientError,
        recorded_backward_of(lambda xp, g: np.asarray([2.0, 2.0])),
        (
            "made needs a vjp for x that returns a gradient\n"
            "  returned  shape (2,), float64, cpu\n"
            "  hint      this pass is recorded on tensors, and a NumPy array is not part of the graph: compute with xp"
        ),
    ),
    (
        GradientError,
        lambda: both(joint=lambda xp, g, needs: g[0])(leaf(), leaf())[0].sum().backward(),
        "both needs a vjp that returns 2 gradients, one per operand, but got a ndarray",
    ),
    (
        GradientError,
        lambda: tgl.jvp(both(x=Rule(jvp=lambda xp, dx: (dx,))), (leaf(), Tensor([1.0, 2.0])), (X[:2], X[:2])),
        (
            "both has no rule for y, which requires a gradient\n"
            "  y     shape (2,), float32, cpu\n"
            '  hint  give it a rule, or name it in nondifferentiable="y" if it is a constant'
        ),
    ),
    (
        GradientError,
        lambda: tgl.jvp(lambda x: both(x=Rule(jvp=lambda xp, dx: (dx,)))(x, 1.0), leaf(), X[:2]),
        "both needs a jvp for x that returns 2 tangents (s, p), but got 1",
    ),
    (
        ShapeError,
        lambda: tgl.jvp(cosine(x=Rule(jvp=lambda xp, dx: xp.concat([dx, dx], 0))), leaf(), X[:2]),
        (
            "cosine needs a jvp for x that returns a tangent in the shape of its output\n"
            "  ans       shape (2,), float32, cpu\n"
            "  returned  shape (4,), float32, cpu"
        ),
    ),
    (
        GradientError,
        lambda: both(x=lambda xp, g: g[0] + g[1]).check(X, X),
        (
            "both has no rule for y, which requires a gradient\n"
            "  y     shape (3,), float64, cpu\n"
            '  hint  give it a rule, or name it in nondifferentiable="y" if it is a constant'
        ),
    ),
    (
        MissingAttributeError,
        lambda: operation(lambda xp, x: xp.sine(x), name="made")(X),
        (
            "xp has no function 'sine'\n"
            "  hint  it has element-wise functions, reductions, products, indexing and more, under the names of"
            " tinygrad_lite"
        ),
    ),
    (
        DTypeError,
        lambda: operation(lambda xp, x: xp.add(x, X[:2]), name="made")(X),
        (
            "add works on plain arrays here, but got a tensor\n"
            "  tensor  shape (2,), float64, cpu\n"
            "  hint    make it an operand of your own operation, or take its numpy() if it is a constant"
        ),
    ),
]


@pytest.mark.parametrize(("kind", "call", "text"), CALLS)
def test_a_call_that_cannot_work_is_refused(kind, call, text):
    refuses(kind, call, text)


def test_a_rule_that_writes_into_a_gradient_or_a_saved_value_is_stopped():
    def scaled(xp, g, x):
        g *= x
        return g

    y = operation(lambda xp, x: x * x, name="square", x=scaled)(leaf()).sum()
    with pytest.raises(ValueError, match="read-only"):
        y.backward()
