"""Names, keywords and orders of arguments of other libraries: what is said of each, in the whole of its words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, nn, random
from tinygrad_lite.errors import ArgumentError, DTypeError, KeywordError, MissingAttributeError

BRACKETS = "with the sizes in brackets"
X = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])

#: the owner as users write it, the name, and the hint
NAMES = [
    # what PyTorch and NumPy call otherwise
    ("tgl", "ptp", "here it is called max(x) - min(x)"),
    ("tgl", "aminmax", "here it is called min(x) and max(x)"),
    ("tgl", "float", "here it is called float32"),
    ("tgl", "double", "here it is called float64"),
    ("tgl", "half", "here it is called float16"),
    ("tgl", "int", "here it is called int32"),
    ("tgl", "long", "here it is called int64"),
    ("tgl", "as_tensor", "here it is called asarray"),
    ("tgl", "dist", "here it is called linalg.norm(x1 - x2)"),
    ("tgl", "is_tensor", "isinstance(x, Tensor) tells"),
    ("tgl", "range", "arange(start, stop) leaves out the stop"),
    ("tgl", "rand", f"here it is called random.uniform((3, 4)), {BRACKETS}"),
    ("tgl", "randn", f"here it is called random.normal((3, 4)), {BRACKETS}"),
    ("tgl", "randint", f"here it is called random.integers(low, high, (3, 4)), {BRACKETS}"),
    ("tgl.random", "rand", f"here it is called random.uniform((3, 4)), {BRACKETS}"),
    ("tgl.random", "randn", f"here it is called random.normal((3, 4)), {BRACKETS}"),
    ("tgl.random", "shuffle", "here it is called random.permutation"),
    ("tgl.linalg", "inverse", "here it is called linalg.inv"),
    ("tgl.autograd", "grad", "here it is called tinygrad_lite.grad"),
    ("tgl.autograd", "Function", "here it is called tinygrad_lite.operation"),
    ("tgl.autograd", "functional", "here it is called tinygrad_lite.vjp, jvp, jacobian, hessian and hvp"),
    ("tgl.data", "MNIST", "here it is called data.load_mnist"),
    ("tgl.nn.init", "he_normal_", "here it is called kaiming_normal_"),
    ("Tensor", "unbind", "here it is called tgl.unstack(x, axis)"),
    ("Tensor", "unfold", "here it is called tgl.unfold(x, axis, size, step)"),
    ("Tensor", "unsqueeze_", "here it is called x.expand_dims(axis)"),
    # what is done in another way
    ("tgl", "device", 'devices are named by texts: device="cpu"'),
    ("tgl", "set_default_dtype", 'say it where a tensor is made: dtype="float64"'),
    ("tgl", "LongTensor", 'Tensor(values, dtype="int64")'),
    (
        "tgl.nn",
        "utils",
        "clip_grad_norm_ and clip_grad_value_ are in optim: optim.clip_grad_norm_(parameters, max_norm)",
    ),
    ("tgl.random", "default_rng", "manual_seed(0) seeds the one stream that all random numbers come from"),
    ("Tensor", "contiguous", "leave it out: every operation takes any layout in memory"),
    ("Tensor", "grad_fn", "draw_graph(x) shows how x was computed; x.is_leaf is False where it was"),
    ("Tensor", "zero_grad", "x.grad = None drops the gradient; optimizer.zero_grad() does it for all parameters"),
    ("Tensor", "exp_", "only assignments write into a tensor: x = x.exp(...)"),
    ("tgl", "relu_", "only assignments write into a tensor: x = relu(x, ...)"),
    # what is elsewhere
    ("tgl", "load_mnist", "it is in data: data.load_mnist"),
    ("tgl", "Linear", "it is in nn: nn.Linear"),
    ("tgl", "SGD", "it is in optim: optim.SGD"),
    ("tgl", "StepLR", "it is in lr_scheduler: optim.lr_scheduler.StepLR"),
    ("tgl", "xavier_uniform_", "it is in init: nn.init.xavier_uniform_"),
    ("tgl.nn", "SGD", "it is in optim: optim.SGD"),
    ("tgl.nn", "Tensor", "it is in tinygrad_lite: tinygrad_lite.Tensor"),
    ("tgl.nn.functional", "one_hot", "it is in tinygrad_lite: tinygrad_lite.one_hot"),
    ("tgl.nn.functional", "Linear", "it is in nn: nn.Linear"),
    ("tgl.optim.lr_scheduler", "Adam", "it is in optim: optim.Adam"),
    ("tgl.linalg", "einsum", "it is in tinygrad_lite: tinygrad_lite.einsum"),
    ("Tensor", "erfc", "it is a function: tgl.erfc(x, ...)"),
    # what is misspelt
    ("tgl", "flaot32", "did you mean float32?"),
    ("tgl", "linlag", "did you mean linalg?"),
    ("tgl.nn.functional", "sofmax", "did you mean softmax?"),
    ("tgl.nn.init", "xavier_normal", "did you mean xavier_normal_?"),
    ("tgl.linalg", "logdett", "did you mean logdet?"),
    ("tgl.random", "unifrom", "did you mean uniform?"),
    ("tgl.data", "Dataloader", "did you mean DataLoader?"),
    ("tgl.optim", "Sgd", "did you mean SGD?"),
    ("tgl.optim.lr_scheduler", "StepLr", "did you mean StepLR?"),
]

#: What looks like one of ours and is something else: nothing is better than a wrong hint.
STRANGERS = """
    tgl.compile tgl.fromfunction tgl.bfloat16 tgl.igamma tgl.bilinear tgl.types tgl.functionss tgl.nanmedian
    tgl.nn.Conv2d tgl.nn.BatchNorm2d tgl.nn.Dropout2d tgl.nn.functional.dropout2d tgl.nn.functional.conv2d
    tgl.optim.NAdam tgl.optim.RAdam tgl.optim.ASGD tgl.optim.Rprop tgl.optim.LBFGS tgl.optim.lr_scheduler.OneCycleLR
    tgl.linalg.cholesky_ex tgl.random.laplace tgl.data.ConcatDataset tgl.nn.init.dirac_ Tensor.is_nonzero
"""


def missing(owner: str, name: str) -> str:
    """The text of the error for a name that a tensor, or a module, does not have."""
    holder: Any = X if owner == "Tensor" else tgl
    for part in owner.split(".")[1:]:
        holder = getattr(holder, part)
    return refusal(MissingAttributeError, lambda: getattr(holder, name))


@pytest.mark.parametrize(("owner", "name", "hint"), NAMES)
def test_a_name_of_another_library_is_answered_with_ours(owner: str, name: str, hint: str) -> None:
    shown = owner.replace("tgl", "tinygrad_lite")
    assert missing(owner, name) == f"{shown} has no attribute {name!r}\n  hint  {hint}"


@pytest.mark.parametrize("path", STRANGERS.split())
def test_nothing_else_is_suggested_for_what_is_not_here(path: str) -> None:
    owner, _, name = path.rpartition(".")
    assert missing(owner, name) == f"{owner.replace('tgl', 'tinygrad_lite')} has no attribute {name!r}"


def test_a_name_that_autograd_does_not_have_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'tinygrad_lite\.autograd' has no attribute 'nothing'$"):
        _ = tgl.autograd.nothing  # type: ignore[attr-defined]


# --- calls ----------------------------------------------------------------------------------------------------


def square(x: Tensor) -> Tensor:
    return (x * x).sum()


CALLS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    # keywords
    (
        lambda: tgl.linspace(0, 1, steps=3),  # type: ignore[call-arg]
        KeywordError,
        (
            "linspace has no argument 'steps'; it has start, stop, num, dtype, device, endpoint, requires_grad\n"
            "  hint  say num= instead of steps="
        ),
    ),
    (
        lambda: tgl.solve_triangular(X, X, lower=True),  # type: ignore[call-arg]
        KeywordError,
        (
            "solve_triangular has no argument 'lower'; it has a, b, upper, transpose\n"
            "  hint  say upper=False instead of lower=True, and upper=True instead of lower=False"
        ),
    ),
    (
        lambda: tgl.mean(X, steps=3),  # type: ignore[call-arg]
        KeywordError,
        "mean has no argument 'steps'; it has x, axis, keepdims",
    ),
    # the number of arguments
    (
        lambda: tgl.where(X > 0),  # type: ignore[call-arg]
        KeywordError,
        "where needs x1 and x2; it has condition, x1, x2\n  hint  where(condition, x1, x2)",
    ),
    (
        lambda: tgl.grad(square),  # type: ignore[call-arg]
        KeywordError,
        (
            "grad needs inputs; it has outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused\n"
            "  hint  grad(outputs, inputs)"
        ),
    ),
    (
        lambda: tgl.hessian(square),  # type: ignore[call-arg]
        KeywordError,
        "hessian needs inputs; it has func, inputs, create_graph\n  hint  hessian(func, inputs)",
    ),
    (
        lambda: tgl.round(X, 1, 2),  # type: ignore[call-arg]
        KeywordError,
        "round got 3 arguments in a row; it has x, decimals",
    ),
    (
        lambda: nn.summary(nn.Linear(3, 2)),  # type: ignore[call-arg]
        KeywordError,
        "summary needs input_shape; it has model, input_shape, dtype\n  hint  summary(model, input_shape)",
    ),
    (
        lambda: nn.init.zeros_(),  # type: ignore[call-arg]
        KeywordError,
        "zeros_ needs tensor; it has tensor\n  hint  zeros_(tensor)",
    ),
    (
        lambda: nn.Linear(3, 2)(X, X),
        KeywordError,
        "Linear.forward got 2 arguments in a row; it has x\n  in  linear: Linear(3 -> 2)",
    ),
    (
        lambda: nn.Sequential(nn.ReLU(), nn.Linear(3, 2))(),
        KeywordError,
        ("Sequential.forward needs x; it has x\n  in    sequential: Sequential()\n  hint  Sequential.forward(x)"),
    ),
    (
        lambda: nn.Linear(3, 2)(input=X),
        KeywordError,
        (
            "Linear.forward has no argument 'input'; it has x\n"
            "  in    linear: Linear(3 -> 2)\n"
            "  hint  say x= instead of input="
        ),
    ),
    # the order of arguments
    (
        lambda: random.normal(0, 1, (3, 4)),
        ArgumentError,
        "normal needs the shape first\n  shape  0\n  std    (3, 4)\n  hint   normal((3, 4), 0, 1)",
    ),
    (
        lambda: random.uniform(0.0, 1.0, (3,)),
        ArgumentError,
        "uniform needs the shape first\n  shape  0.0\n  high   (3,)\n  hint   uniform((3,), 0.0, 1.0)",
    ),
    (
        lambda: random.normal(0, 1, [3, 4]),
        ArgumentError,
        "normal needs the shape first\n  shape  0\n  std    [3, 4]\n  hint   normal([3, 4], 0, 1)",
    ),
    (
        lambda: random.exponential(1.0, (3,)),
        ArgumentError,
        "exponential needs the shape first\n  shape  1.0\n  scale  (3,)\n  hint   exponential((3,), 1.0)",
    ),
    (
        lambda: random.gamma(2.0, 1.0, (3,)),
        ArgumentError,
        "gamma needs the shape first\n  shape  2.0\n  scale  (3,)\n  hint   gamma((3,), 2.0, 1.0)",
    ),
    (
        lambda: random.integers((3,), 0, 10),  # type: ignore[arg-type]
        ArgumentError,
        ("integers needs the shape last\n  low    (3,)\n  high   0\n  shape  10\n  hint   integers(0, 10, (3,))"),
    ),
    (
        lambda: random.uniform(3, 4),
        ArgumentError,
        (
            "uniform needs finite low <= high, but got 4 and 1.0\n"
            "  hint  the sizes of a shape go in brackets: uniform((3, 4))"
        ),
    ),
    (
        lambda: random.uniform(3, 4, 1),
        ArgumentError,
        "uniform needs finite low <= high, but got 4 and 1\n  hint  exchange the two",
    ),
    # what PyTorch takes in another form
    (
        lambda: tgl.memory_report(nn.Linear(3, 2)),  # type: ignore[arg-type]
        DTypeError,
        (
            "memory_report needs tensors as outputs\n"
            "  output  Linear(3 -> 2)\n"
            "  hint    pass what was computed, such as the loss, and the module by its name: model=..."
        ),
    ),
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_a_call_in_another_dialect_is_answered_with_ours(number: int) -> None:
    call, kind, text = CALLS[number]
    assert refusal(kind, call) == text


def test_parameters_in_lists_are_no_shapes_where_they_fit_the_draw() -> None:
    assert random.normal(2, [0, 100], 0).tolist() == [0.0, 100.0]
    assert random.uniform(2, (1.5, 2.5), (1.5, 2.5)).tolist() == [1.5, 2.5]


def test_a_wrong_call_of_a_module_with_hooks_is_refused_in_the_same_words() -> None:
    layer = nn.Linear(3, 2)
    layer.register_forward_hook(lambda module, args, output: None)
    text = "Linear.forward got 2 arguments in a row; it has x\n  in  linear: Linear(3 -> 2)"
    assert refusal(KeywordError, lambda: layer(X, X)) == text


def test_a_wrong_hook_is_not_taken_for_a_wrong_call_of_forward() -> None:
    layer = nn.Linear(3, 2)
    layer.register_forward_hook(lambda: None)  # type: ignore[arg-type, misc]
    with pytest.raises(TypeError, match="takes 0 positional arguments but 3 were given") as caught:
        layer(X)
    assert type(caught.value) is TypeError


def test_a_type_error_inside_a_forward_stays_what_it_is() -> None:
    class Own(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$") as caught:
        Own()(X)
    assert type(caught.value) is TypeError


def test_a_wrong_call_of_an_inner_module_is_located() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.head(x, x)
            return result

    model = Outer()
    text = "Linear.forward got 2 arguments in a row; it has x\n  in  outer.head: Linear(3 -> 2)"
    assert refusal(KeywordError, lambda: model(X)) == text
