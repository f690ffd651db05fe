"""Losses: every option against PyTorch, values and gradients; and what they refuse."""

import itertools

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors, nn

REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(6, 4), (4,), (3, 4, 5), (2, 4, 3, 2)]
rng = np.random.default_rng(0)


def compare(torch, ours, theirs, inputs, targets, tolerance=1e-12):
    """Values, and gradients of a weighted sum with respect to ``inputs`` (and to float targets)."""
    x = Tensor(inputs, requires_grad=True)
    tx = torch.tensor(inputs, requires_grad=True)
    soft = targets.dtype.kind == "f"
    t = Tensor(targets, requires_grad=soft)
    tt = torch.tensor(targets, requires_grad=soft)
    y, ty = ours(x, t), theirs(tx, tt)
    np.testing.assert_allclose(y.detach().numpy(), ty.detach().numpy(), rtol=tolerance, atol=tolerance)
    assert y.shape == tuple(ty.shape)
    weights = np.random.default_rng(1).normal(size=y.shape)
    y.backward(Tensor(weights))
    ty.backward(torch.tensor(weights))
    np.testing.assert_allclose(x.grad.numpy(), tx.grad.numpy(), rtol=tolerance, atol=tolerance)
    if soft:
        np.testing.assert_allclose(t.grad.numpy(), tt.grad.numpy(), rtol=tolerance, atol=tolerance)


def classes_for(shape):
    return np.asarray(rng.integers(0, 4, shape[:1] + shape[2:] if len(shape) > 1 else ()))


@pytest.mark.needs("torch")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy_with_class_numbers(torch, shape, reduction):
    logits, target = 3 * rng.normal(size=shape), classes_for(shape)
    for weighted, ignored, smoothing in itertools.product([False, True], [-100, 2, 77], [0.0, 0.1, 1.0]):
        weight = np.array([0.5, 1.0, 2.0, 0.25]) if weighted else None
        target[...] = np.where(target == 3, 1, target)
        if ignored == 77 and target.ndim:
            target.reshape(-1)[0] = 77
        elif ignored == 2 and target.ndim == 0:
            target[...] = 0
        options = {"ignore_index": ignored, "reduction": reduction, "label_smoothing": smoothing}
        compare(
            torch,
            nn.CrossEntropyLoss(None if weight is None else Tensor(weight), **options),
            torch.nn.CrossEntropyLoss(None if weight is None else torch.tensor(weight), **options),
            logits,
            target,
        )
        target[target == 77] = 0


@pytest.mark.needs("torch")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy_with_probabilities(torch, shape, reduction):
    logits, raw = 3 * rng.normal(size=shape), rng.random(shape)
    target = raw / raw.sum(1 if len(shape) > 1 else 0, keepdims=True)
    for weighted, smoothing in itertools.product([False, True], [0.0, 0.3]):
        weight = np.array([0.5, 1.0, 2.0, 0.25]) if weighted else None
        options = {"reduction": reduction, "label_smoothing": smoothing}
        compare(
            torch,
            nn.CrossEntropyLoss(None if weight is None else Tensor(weight), **options),
            torch.nn.CrossEntropyLoss(None if weight is None else torch.tensor(weight), **options),
            logits,
            target,
        )


@pytest.mark.needs("torch")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignored", [-100, 1])
def test_nll(torch, shape, reduction, weighted, ignored):
    target = classes_for(shape)
    if target.ndim == 0:
        target[...] = 2
    weight = np.array([0.5, 1.0, 2.0, 0.25]) if weighted else None
    compare(
        torch,
        nn.NLLLoss(None if weight is None else Tensor(weight), ignore_index=ignored, reduction=reduction),
        torch.nn.NLLLoss(None if weight is None else torch.tensor(weight), ignore_index=ignored, reduction=reduction),
        rng.normal(size=shape),
        target,
    )


@pytest.mark.needs("torch")
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(6,), (3, 4), ()])
@pytest.mark.parametrize(
    "name, options",
    [
        *(("MSELoss", {}), ("L1Loss", {}), ("HuberLoss", {}), ("HuberLoss", {"delta": 0.3})),
        *(("SmoothL1Loss", {}), ("SmoothL1Loss", {"beta": 0.3}), ("SmoothL1Loss", {"beta": 0.0})),
    ],
)
def test_regression(torch, name, options, shape, reduction):
    x = np.asarray(2 * rng.normal(size=shape))
    t = np.asarray(2 * rng.normal(size=shape))
    if shape:
        t.reshape(-1)[:2] = x.reshape(-1)[:2] + (0.0, 0.3)  # the kinks of |d| and of Huber's and the smooth loss
    ours = getattr(nn, name)(reduction=reduction, **options)
    compare(torch, ours, getattr(torch.nn, name)(reduction=reduction, **options), x, t)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("positive", [False, True])
def test_binary_cross_entropy(torch, reduction, weighted, positive):
    x = np.array([[0.0, 1.0, -30.0], [800.0, -800.0, 2.0]])
    t = np.array([[0.2, 1.0, 0.0], [1.0, 0.0, 0.0]])
    weight = np.array([[1.0], [2.0]]) if weighted else None
    pos_weight = np.array([1.0, 3.0, 0.5]) if positive else None
    compare(
        torch,
        nn.BCEWithLogitsLoss(
            None if weight is None else Tensor(weight),
            pos_weight=None if pos_weight is None else Tensor(pos_weight),
            reduction=reduction,
        ),
        torch.nn.BCEWithLogitsLoss(
            None if weight is None else torch.tensor(weight),
            pos_weight=None if pos_weight is None else torch.tensor(pos_weight),
            reduction=reduction,
        ),
        x,
        t,
    )


@pytest.mark.needs("torch")
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_binary_cross_entropy_of_probabilities(torch, reduction, weighted):
    p = np.array([[0.2, 1.0, 0.0], [1e-30, 0.5, 1 - 1e-9]])
    t = np.array([[0.2, 1.0, 0.0], [1e-30, 0.3, 0.0]])
    weight = np.array([[1.0], [2.0]]) if weighted else None
    ours = nn.BCELoss(None if weight is None else Tensor(weight), reduction=reduction)
    theirs = torch.nn.BCELoss(None if weight is None else torch.tensor(weight), reduction=reduction)
    compare_at_the_ends(torch, ours, theirs, p, t)


def compare_at_the_ends(torch, ours, theirs, p, t):
    """As ``compare``, without the gradients of targets, which are infinite at 0 and 1."""
    x, tx = Tensor(p, requires_grad=True), torch.tensor(p, requires_grad=True)
    y, ty = ours(x, Tensor(t)), theirs(tx, torch.tensor(t))
    np.testing.assert_allclose(y.detach().numpy(), ty.detach().numpy(), rtol=1e-12)
    y.sum().backward()
    ty.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), tx.grad.numpy(), rtol=1e-6)  # PyTorch divides by a rounded 1e-12


@pytest.mark.needs("torch")
def test_certain_and_wrong_predictions(torch):
    p, t = np.array([0.0, 1.0, 1e-50, 1.0]), np.array([1.0, 0.0, 1.0, 1.0])
    compare_at_the_ends(torch, nn.BCELoss(reduction="none"), torch.nn.BCELoss(reduction="none"), p, t)
    assert nn.BCELoss(reduction="none")(Tensor(p), Tensor(t)).tolist() == [100.0, 100.0, 100.0, 0.0]


@pytest.mark.needs("torch")
@pytest.mark.parametrize("reduction", ["batchmean", "sum", "none"])
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 2)])
def test_divergences(torch, reduction, log_target, shape):
    x = rng.normal(size=shape)
    t = rng.normal(size=shape) if log_target else rng.uniform(0.1, 1.0, shape)
    options = {"reduction": reduction, "log_target": log_target}
    compare(torch, nn.KLDivLoss(**options), torch.nn.KLDivLoss(**options), x, t)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("options", [{}, {"dim": 0}, {"dim": -1, "eps": 10.0}])
def test_cosine_similarities(torch, options):
    x, t = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    if "eps" in options:  # where PyTorch's gradient is that of another function
        ours, theirs = nn.CosineSimilarity(**options), torch.nn.CosineSimilarity(**options)
        found, expected = ours(Tensor(x), Tensor(t)), theirs(torch.tensor(x), torch.tensor(t))
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12)
    else:
        compare(torch, nn.CosineSimilarity(**options), torch.nn.CosineSimilarity(**options), x, t)


def test_the_mean_of_divergences_is_over_all_elements():
    x, t = tgl.zeros((2, 3)), tgl.ones((2, 3)) * 2
    total = nn.KLDivLoss(reduction="sum")(x, t).item()
    assert nn.KLDivLoss()(x, t).item() == pytest.approx(total / 6)
    assert nn.KLDivLoss(reduction="batchmean")(x, t).item() == pytest.approx(total / 2)


def test_a_probability_of_float16_keeps_its_bounds():
    p = Tensor(np.array([0.0, 1.0], "float16"), requires_grad=True)
    loss = nn.BCELoss(reduction="none")(p, Tensor([0.0, 0.0]))
    assert (loss.tolist(), loss.dtype) == ([0.0, 100.0], "float16")
    loss[0].backward()
    assert p.grad.tolist() == [0.0, 0.0]


@pytest.mark.needs("torch")
def test_extreme_logits(torch):
    logits = np.array([[1e4, 0.0], [-1e4, 0.0], [1e30, 1e30], [np.inf, 0.0]])
    compare(torch, nn.CrossEntropyLoss(reduction="none"), torch.nn.CrossEntropyLoss(reduction="none"), logits[:3],
            np.array([0, 1, 1]))  # fmt: skip


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", "uint64"])
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"weight": [1.0, 2.0, 3.0]}])
def test_class_numbers_of_any_integer_type(dtype, options):
    logits = tgl.random.normal((5, 3))
    target = np.array([0, 2, 1, 1, 0])
    expected = tgl.cross_entropy(logits, target, **options).item()
    assert tgl.cross_entropy(logits, target.astype(dtype), **options).item() == expected


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"weight": [1.0, 2.0, 3.0]}])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_loss_has_the_dtype_of_the_logits(dtype, options):
    x = Tensor(np.ones((2, 3), dtype), requires_grad=True)
    loss = tgl.cross_entropy(x, [0, 1], **options)
    loss.backward()
    assert loss.dtype == x.grad.dtype == np.dtype(dtype)


def test_weights_of_classes_are_part_of_the_state():
    loss = nn.CrossEntropyLoss(Tensor([1.0, 2.0]))
    assert list(loss.state_dict()) == ["weight"]
    assert list(loss.parameters()) == []
    assert nn.CrossEntropyLoss().state_dict() == {}
    assert list(nn.BCELoss(Tensor([1.0])).state_dict()) == ["weight"]
    assert list(nn.BCEWithLogitsLoss(pos_weight=Tensor([1.0])).state_dict()) == ["pos_weight"]


# Refusals -------------------------------------------------------------------------------------------------

CE = nn.CrossEntropyLoss()
NAMED = "  input   shape {}, float32, cpu\n  target  shape {}, {}, cpu\n  in      {}"
INSIDE = "crossentropyloss: CrossEntropyLoss()"
REFUSED = {
    "reduction": (
        lambda: nn.MSELoss(reduction="avg"),
        errors.ArgumentError,
        (
            'MSELoss needs reduction "mean", "sum" or "none", but got \'avg\'\n'
            '  hint  "mean" averages over the batch, "sum" adds up, "none" gives the loss of every sample'
        ),
    ),
    "delta": (
        lambda: nn.HuberLoss(delta=0.0),
        errors.ArgumentError,
        (
            "HuberLoss needs delta > 0, but got 0.0\n"
            "  hint  it is the distance at which squares turn into absolute values, such as 1.0"
        ),
    ),
    "beta": (
        lambda: nn.SmoothL1Loss(beta=-1.0),
        errors.ArgumentError,
        (
            "SmoothL1Loss needs beta >= 0, but got -1.0\n"
            "  hint  it is the distance at which squares turn into absolute values, such as 1.0"
        ),
    ),
    "reduction of divergences": (
        lambda: nn.KLDivLoss(reduction="avg"),
        errors.ArgumentError,
        (
            'KLDivLoss needs reduction "batchmean", "mean", "sum" or "none", but got \'avg\'\n'
            '  hint  "batchmean" is the mean of the divergences, one per row'
        ),
    ),
    "reduction by rows": (
        lambda: nn.BCELoss(reduction="batchmean"),
        errors.ArgumentError,
        (
            'BCELoss needs reduction "mean", "sum" or "none", but got \'batchmean\'\n'
            '  hint  "mean" averages over the batch, "sum" adds up, "none" gives the loss of every sample'
        ),
    ),
    "smoothing": (
        lambda: nn.CrossEntropyLoss(label_smoothing=1.5),
        errors.ArgumentError,
        (
            "CrossEntropyLoss needs label_smoothing from 0 to 1, but got 1.5\n"
            "  hint  it is the share of the target that goes to all classes, such as 0.1"
        ),
    ),
    "weights of a list": (
        lambda: nn.CrossEntropyLoss([1.0]),
        errors.DTypeError,
        ("register_buffer needs a tensor or None\n  tensor  [1.0]\n  hint    wrap it: Tensor(value)"),
    ),
    "class too large": (
        lambda: CE(tgl.ones((2, 3)), Tensor([0, 3])),
        errors.ArgumentError,
        "cross_entropy needs class numbers from 0 to 2, but got 3\n"
        + NAMED.format("(2, 3)", "(2,)", "int64", INSIDE)
        + "\n  hint    classes are counted from 0, and the last layer needs as many outputs as there are classes",
    ),
    "class negative": (
        lambda: CE(tgl.ones((2, 3)), Tensor([0, -1])),
        errors.ArgumentError,
        "cross_entropy needs class numbers from 0 to 2, but got -1\n"
        + NAMED.format("(2, 3)", "(2,)", "int64", INSIDE)
        + "\n  hint    classes are counted from 0, and the last layer needs as many outputs as there are classes",
    ),
    "one-hot": (
        lambda: CE(tgl.ones((2, 3)), Tensor([[0, 1, 0], [1, 0, 0]])),
        errors.ShapeError,
        "cross_entropy needs a target of shape (2,)\n"
        + NAMED.format("(2, 3)", "(2, 3)", "int64", INSIDE)
        + "\n  hint    labels are one-hot; pass class numbers: target.argmax(1)",
    ),
    "batch sizes": (
        lambda: CE(tgl.ones((2, 3)), Tensor([0, 1, 2])),
        errors.ShapeError,
        "cross_entropy needs a target of shape (2,)\n"
        + NAMED.format("(2, 3)", "(3,)", "int64", INSIDE)
        + "\n  hint    there are 2 rows of logits, and each needs one class number",
    ),
    "float class numbers": (
        lambda: CE(tgl.ones((2, 3)), Tensor([0.0, 1.0])),
        errors.ShapeError,
        "cross_entropy needs probabilities in the shape of the logits\n"
        + NAMED.format("(2, 3)", "(2,)", "float32", INSIDE)
        + "\n  hint    class numbers must be integers: target.astype(int)",
    ),
    "NaN labels": (
        lambda: CE(tgl.ones((1, 2)), Tensor([[float("nan"), 1.0]])),
        errors.ArgumentError,
        "cross_entropy needs numbers as targets, but the target holds NaN\n"
        + NAMED.format("(1, 2)", "(1, 2)", "float32", INSIDE)
        + "\n  hint    fill or leave out the gaps of the data: tgl.isnan(target) finds them",
    ),
    "bool labels": (
        lambda: CE(tgl.ones((1, 2)), Tensor([True])),
        errors.DTypeError,
        "cross_entropy needs integer class numbers\n"
        + NAMED.format("(1, 2)", "(1,)", "bool", INSIDE)
        + "\n  hint    labels are class numbers: target.astype(int)",
    ),
    "empty batch": (
        lambda: CE(tgl.ones((0, 3)), tgl.zeros(0, "int64")),
        errors.ArgumentError,
        "cross_entropy needs at least one sample to take the mean of\n"
        + NAMED.format("(0, 3)", "(0,)", "int64", INSIDE)
        + '\n  hint    leave out empty batches, or take reduction="sum", which is 0 for them',
    ),
    "all samples ignored": (
        lambda: CE(tgl.ones((2, 3)), Tensor([-100, -100])),
        errors.ArgumentError,
        "cross_entropy needs a sample that is not ignored to take the mean of\n"
        + NAMED.format("(2, 3)", "(2,)", "int64", INSIDE)
        + '\n  hint    leave such batches out, or take reduction="sum"; ignored is class -100',
    ),
    "no classes": (
        lambda: CE(tgl.ones((2, 0)), Tensor([0, 1])),
        errors.ShapeError,
        "cross_entropy needs logits in the shape (N, C) or (N, C, ...)\n"
        + NAMED.format("(2, 0)", "(2,)", "int64", INSIDE)
        + "\n  hint    one row of scores per sample, one column per class",
    ),
    "weights": (
        lambda: nn.CrossEntropyLoss(tgl.ones(2))(tgl.ones((2, 3)), Tensor([0, 1])),
        errors.ShapeError,
        (
            "cross_entropy needs one weight per class, shape (3,)\n"
            "  weight  shape (2,), float32, cpu\n"
            "  in      crossentropyloss: CrossEntropyLoss()\n"
            '  hint    weights of single samples are multiplied with the losses of reduction="none"'
        ),
    ),
    "broadcasting predictions": (
        lambda: nn.MSELoss()(tgl.ones((2, 1)), tgl.ones(2)),
        errors.ShapeError,
        "mse_loss needs input and target of one shape\n"
        + NAMED.format("(2, 1)", "(2,)", "float32", "mseloss: MSELoss()")
        + "\n  hint    they differ in axes of size 1 only: target.reshape((2, 1))",
    ),
    "nothing to average": (
        lambda: nn.L1Loss()(tgl.ones(0), tgl.ones(0)),
        errors.ArgumentError,
        "l1_loss needs at least one element to take the mean of\n"
        + NAMED.format("(0,)", "(0,)", "float32", "l1loss: L1Loss()")
        + '\n  hint    leave out empty batches, or take reduction="sum", which is 0 for them',
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    act, kind, text = REFUSED[case]
    refuses(kind, act, text)
