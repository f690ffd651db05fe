"""What losses as functions refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors

X = tgl.zeros((2, 3))
M = tgl.eye(2)
B = Tensor([True, False])
I = Tensor([1, 2])
C = Tensor([1j, 2.0])
LEAF = Tensor([1.0, 2.0], requires_grad=True)

REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "an unknown reduction",
        lambda: tgl.cross_entropy(X, I, reduction="avg"),
        errors.ArgumentError,
        (
            'cross_entropy needs reduction "mean", "sum" or "none", but got \'avg\'\n'
            '  hint  "mean" averages over the batch, "sum" adds up, "none" gives the loss of every sample'
        ),
    ),
    (
        "too much smoothing",
        lambda: tgl.cross_entropy(X, I, label_smoothing=2),
        errors.ArgumentError,
        (
            "cross_entropy needs label_smoothing from 0 to 1, but got 2\n"
            "  input   shape (2, 3), float32, cpu\n"
            "  target  shape (2,), int64, cpu\n"
            "  hint    it is the share of the target that goes to all classes, such as 0.1"
        ),
    ),
    (
        "a gap in the targets",
        lambda: tgl.mse_loss(Tensor([0.0, 1.0]), Tensor([float("nan"), 1.0])),
        errors.ArgumentError,
        (
            "mse_loss needs numbers as targets, but the target holds NaN\n"
            "  input   shape (2,), float32, cpu\n"
            "  target  shape (2,), float32, cpu\n"
            "  hint    fill or leave out the gaps of the data: tgl.isnan(target) finds them"
        ),
    ),
    (
        "an ignored class among probabilities",
        lambda: tgl.cross_entropy(X, tgl.softmax(X), ignore_index=1),
        errors.ArgumentError,
        (
            "cross_entropy has an ignore_index for class numbers only, but got 1 with probabilities\n"
            "  input   shape (2, 3), float32, cpu\n"
            "  target  shape (2, 3), float32, cpu\n"
            "  hint    leave it out, or pass class numbers: target.argmax(1)"
        ),
    ),
    (
        "arguments in the wrong order",
        lambda: tgl.cross_entropy(I, X),
        errors.ShapeError,
        (
            "cross_entropy needs probabilities in the shape of the logits\n"
            "  input   shape (2,), int64, cpu\n"
            "  target  shape (2, 3), float32, cpu\n"
            "  hint    the logits come first: cross_entropy(logits, labels)"
        ),
    ),
    (
        "weights with more axes than the input",
        lambda: tgl.binary_cross_entropy_with_logits(Tensor([0.0]), Tensor([0.0]), weight=tgl.ones((2, 1))),
        errors.ShapeError,
        (
            "binary_cross_entropy_with_logits needs a weight that broadcasts to the shape of input\n"
            "  input   shape (1,), float32, cpu\n"
            "  weight  shape (2, 1), float32, cpu\n"
            "  hint    the shape of input is (1,)"
        ),
    ),
    (
        "logits without classes",
        lambda: tgl.cross_entropy(Tensor(1.0), Tensor(0)),
        errors.ShapeError,
        (
            "cross_entropy needs logits in the shape (N, C) or (N, C, ...)\n"
            "  input   shape (), float32, cpu\n"
            "  target  shape (), int64, cpu\n"
            "  hint    one row of scores per sample, one column per class"
        ),
    ),
    (
        "the mean over no samples",
        lambda: tgl.cross_entropy(tgl.zeros((0, 3)), Tensor(np.zeros(0, "int64"))),
        errors.ArgumentError,
        (
            "cross_entropy needs at least one sample to take the mean of\n"
            "  input   shape (0, 3), float32, cpu\n"
            "  target  shape (0,), int64, cpu\n"
            '  hint    leave out empty batches, or take reduction="sum", which is 0 for them'
        ),
    ),
    (
        "class numbers as floats",
        lambda: tgl.cross_entropy(X, Tensor([1.0, 2.0])),
        errors.ShapeError,
        (
            "cross_entropy needs probabilities in the shape of the logits\n"
            "  input   shape (2, 3), float32, cpu\n"
            "  target  shape (2,), float32, cpu\n"
            "  hint    class numbers must be integers: target.astype(int)"
        ),
    ),
    (
        "class numbers as bools",
        lambda: tgl.cross_entropy(X, B),
        errors.DTypeError,
        (
            "cross_entropy needs integer class numbers\n"
            "  input   shape (2, 3), float32, cpu\n"
            "  target  shape (2,), bool, cpu\n"
            "  hint    labels are class numbers: target.astype(int)"
        ),
    ),
    (
        "too many class numbers",
        lambda: tgl.cross_entropy(X, Tensor([1, 2, 0])),
        errors.ShapeError,
        (
            "cross_entropy needs a target of shape (2,)\n"
            "  input   shape (2, 3), float32, cpu\n"
            "  target  shape (3,), int64, cpu\n"
            "  hint    there are 2 rows of logits, and each needs one class number"
        ),
    ),
    (
        "one-hot labels",
        lambda: tgl.cross_entropy(X, Tensor([[1, 0, 0], [0, 1, 0]])),
        errors.ShapeError,
        (
            "cross_entropy needs a target of shape (2,)\n"
            "  input   shape (2, 3), float32, cpu\n"
            "  target  shape (2, 3), int64, cpu\n"
            "  hint    labels are one-hot; pass class numbers: target.argmax(1)"
        ),
    ),
    (
        "a class number out of range",
        lambda: tgl.cross_entropy(X, Tensor([0, 3])),
        errors.ArgumentError,
        (
            "cross_entropy needs class numbers from 0 to 2, but got 3\n"
            "  input   shape (2, 3), float32, cpu\n"
            "  target  shape (2,), int64, cpu\n"
            "  hint    classes are counted from 0, and the last layer needs as many outputs as there are "
            "classes"
        ),
    ),
    (
        "only ignored samples",
        lambda: tgl.cross_entropy(X, Tensor([-100, -100])),
        errors.ArgumentError,
        (
            "cross_entropy needs a sample that is not ignored to take the mean of\n"
            "  input   shape (2, 3), float32, cpu\n"
            "  target  shape (2,), int64, cpu\n"
            '  hint    leave such batches out, or take reduction="sum"; ignored is class -100'
        ),
    ),
    (
        "weights for other classes",
        lambda: tgl.cross_entropy(X, I, Tensor([1.0])),
        errors.ShapeError,
        (
            "cross_entropy needs one weight per class, shape (3,)\n"
            "  weight  shape (1,), float32, cpu\n"
            '  hint    weights of single samples are multiplied with the losses of reduction="none"'
        ),
    ),
    (
        "probabilities that are NaN",
        lambda: tgl.cross_entropy(X, tgl.full((2, 3), float("nan"))),
        errors.ArgumentError,
        (
            "cross_entropy needs numbers as targets, but the target holds NaN\n"
            "  input   shape (2, 3), float32, cpu\n"
            "  target  shape (2, 3), float32, cpu\n"
            "  hint    fill or leave out the gaps of the data: tgl.isnan(target) finds them"
        ),
    ),
    (
        "the mean over no probabilities",
        lambda: tgl.cross_entropy(tgl.zeros((0, 3)), tgl.zeros((0, 3))),
        errors.ArgumentError,
        (
            "cross_entropy needs at least one sample to take the mean of\n"
            "  input   shape (0, 3), float32, cpu\n"
            "  target  shape (0, 3), float32, cpu\n"
            '  hint    leave out empty batches, or take reduction="sum", which is 0 for them'
        ),
    ),
    (
        "complex logits",
        lambda: tgl.cross_entropy(C, I),
        errors.DTypeError,
        (
            "cross_entropy needs real numbers\n"
            "  input  shape (2,), complex64, cpu\n"
            "  hint   take real(input), imag(input) or abs(input)"
        ),
    ),
    (
        "a target that is a word",
        lambda: tgl.cross_entropy(X, "ab"),
        errors.DTypeError,
        ("cross_entropy needs numbers, but got 'ab'\n  target  'ab'\n  hint    float(text) reads a number from a text"),
    ),
    (
        "log-probabilities without classes",
        lambda: tgl.nll_loss(Tensor(1.0), Tensor(0)),
        errors.ShapeError,
        (
            "nll_loss needs input in the shape (N, C) or (N, C, ...)\n"
            "  input   shape (), float32, cpu\n"
            "  target  shape (), int64, cpu\n"
            "  hint    one row of scores per sample, one column per class"
        ),
    ),
    (
        "log-probabilities of no classes",
        lambda: tgl.nll_loss(tgl.zeros((2, 0)), I),
        errors.ShapeError,
        (
            "nll_loss needs input in the shape (N, C) or (N, C, ...)\n"
            "  input   shape (2, 0), float32, cpu\n"
            "  target  shape (2,), int64, cpu\n"
            "  hint    one row of scores per sample, one column per class"
        ),
    ),
    (
        "the mean over no log-probabilities",
        lambda: tgl.nll_loss(tgl.zeros((0, 3)), Tensor(np.zeros(0, "int64"))),
        errors.ArgumentError,
        (
            "nll_loss needs at least one sample to take the mean of\n"
            "  input   shape (0, 3), float32, cpu\n"
            "  target  shape (0,), int64, cpu\n"
            '  hint    leave out empty batches, or take reduction="sum", which is 0 for them'
        ),
    ),
    (
        "targets of another shape",
        lambda: tgl.mse_loss(X, M),
        errors.ShapeError,
        (
            "mse_loss needs input and target of one shape\n"
            "  input   shape (2, 3), float32, cpu\n"
            "  target  shape (2, 2), float32, cpu\n"
            "  hint    each prediction needs a target of its own: broadcast_to makes a target larger"
        ),
    ),
    (
        "targets with an axis less",
        lambda: tgl.mse_loss(tgl.zeros((2, 1)), tgl.zeros(2)),
        errors.ShapeError,
        (
            "mse_loss needs input and target of one shape\n"
            "  input   shape (2, 1), float32, cpu\n"
            "  target  shape (2,), float32, cpu\n"
            "  hint    they differ in axes of size 1 only: target.reshape((2, 1))"
        ),
    ),
    (
        "the mean over no elements",
        lambda: tgl.l1_loss(tgl.zeros(0), tgl.zeros(0)),
        errors.ArgumentError,
        (
            "l1_loss needs at least one element to take the mean of\n"
            "  input   shape (0,), float32, cpu\n"
            "  target  shape (0,), float32, cpu\n"
            '  hint    leave out empty batches, or take reduction="sum", which is 0 for them'
        ),
    ),
    (
        "complex targets",
        lambda: tgl.mse_loss(LEAF, C),
        errors.DTypeError,
        (
            "mse_loss needs real numbers\n"
            "  input   shape (2,), float32, cpu\n"
            "  target  shape (2,), complex64, cpu\n"
            "  hint    take real(target), imag(target) or abs(target)"
        ),
    ),
    (
        "complex predictions",
        lambda: tgl.mse_loss(C, LEAF),
        errors.DTypeError,
        (
            "mse_loss needs real numbers\n"
            "  input  shape (2,), complex64, cpu\n"
            "  hint   take real(input), imag(input) or abs(input)"
        ),
    ),
    (
        "no target",
        lambda: tgl.mse_loss(X, None),
        errors.DTypeError,
        (
            "mse_loss needs numbers, but got None\n"
            "  target  None\n"
            "  hint    a function gives None where it does not return anything"
        ),
    ),
    (
        "a threshold of zero",
        lambda: tgl.huber_loss(X, X, delta=0),
        errors.ArgumentError,
        (
            "huber_loss needs delta > 0, but got 0\n"
            "  input   shape (2, 3), float32, cpu\n"
            "  target  shape (2, 3), float32, cpu\n"
            "  hint    it is the distance at which squares turn into absolute values, such as 1.0"
        ),
    ),
    (
        "a threshold that is a word",
        lambda: tgl.huber_loss(X, X, delta="a"),
        errors.DTypeError,
        ("huber_loss needs a number as delta\n  delta  'a'\n  hint   float(text) reads a number from a text"),
    ),
    (
        "a weight that does not broadcast",
        lambda: tgl.binary_cross_entropy_with_logits(X, X, I),
        errors.ShapeError,
        (
            "binary_cross_entropy_with_logits needs a weight that broadcasts to the shape of input\n"
            "  input   shape (2, 3), float32, cpu\n"
            "  weight  shape (2,), float32, cpu\n"
            "  hint    the shape of input is (2, 3)"
        ),
    ),
    (
        "a positive weight that does not broadcast",
        lambda: tgl.binary_cross_entropy_with_logits(X, X, pos_weight=I),
        errors.ShapeError,
        (
            "binary_cross_entropy_with_logits needs a pos_weight that broadcasts to the shape of input\n"
            "  input       shape (2, 3), float32, cpu\n"
            "  pos_weight  shape (2,), float32, cpu\n"
            "  hint        the shape of input is (2, 3)"
        ),
    ),
    *(
        (
            f"{shown} as a probability",
            lambda p=p: tgl.binary_cross_entropy(Tensor([0.5, p]), Tensor([0.0, 1.0])),
            errors.ArgumentError,
            (
                f"binary_cross_entropy needs probabilities from 0 to 1, but got {shown}\n"
                "  input   shape (2,), float32, cpu\n"
                "  target  shape (2,), float32, cpu\n"
                "  hint    scores become probabilities by sigmoid; "
                "binary_cross_entropy_with_logits takes them as they are"
            ),
        )
        for p, shown in ((-0.25, "-0.25"), (1.5, "1.5"), (float("nan"), "nan"))
    ),
    (
        "an unknown reduction of divergences",
        lambda: tgl.kl_div(X, X, reduction="avg"),
        errors.ArgumentError,
        (
            'kl_div needs reduction "batchmean", "mean", "sum" or "none", but got \'avg\'\n'
            '  hint  "batchmean" is the mean of the divergences, one per row'
        ),
    ),
    (
        "the mean over the rows of a number",
        lambda: tgl.kl_div(Tensor(0.5), Tensor(0.5), reduction="batchmean"),
        errors.ShapeError,
        (
            "kl_div needs rows to take the mean over\n"
            "  input   shape (), float32, cpu\n"
            "  target  shape (), float32, cpu\n"
            '  hint    a single number has no rows: reduction="sum"'
        ),
    ),
    (
        "the mean over no rows",
        lambda: tgl.kl_div(X[:0], X[:0], reduction="batchmean"),
        errors.ArgumentError,
        (
            "kl_div needs at least one element to take the mean of\n"
            "  input   shape (0, 3), float32, cpu\n"
            "  target  shape (0, 3), float32, cpu\n"
            '  hint    leave out empty batches, or take reduction="sum", which is 0 for them'
        ),
    ),
    (
        "a beta below 0",
        lambda: tgl.smooth_l1_loss(X, X, beta=-1),
        errors.ArgumentError,
        (
            "smooth_l1_loss needs beta >= 0, but got -1\n"
            "  input   shape (2, 3), float32, cpu\n"
            "  target  shape (2, 3), float32, cpu\n"
            "  hint    it is the distance at which squares turn into absolute values, such as 1.0"
        ),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    before = tgl.get_rng_state()
    assert refusal(kind, call) == text
    assert tgl.get_rng_state() == before  # no random number is drawn for a call that fails
