"""What errors advise: each hint in the situations in which it is given, and others in those in which it would be wrong.

The whole texts are in the files of the single chapters and on docs/errors.md; here are the hints that depend on values.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, data, errors, nn, optim
from tinygrad_lite.functions.arguments import checked_keywords

ones = tgl.ones
X = ones((3, 2))
LEAF = Tensor([1.0, 2.0], requires_grad=True)
LAYER = nn.Linear(4, 3)
RULE = "sizes are compared from the last axis on, and must be equal or 1"
FROM_END = "axes are counted from 0, or from the end: -1 is the last"
WHOLE = "n // 2 is a whole number, n / 2 is none; int(n) makes one"

HINTS: list[tuple[Callable[[], Any], str]] = [
    # shapes that do not broadcast
    (lambda: ones((3, 4)) + ones(3), "expand_dims(x2, -1) lines x2 up with the first axis of x1"),
    (lambda: ones(3) + ones((3, 4)), "expand_dims(x1, -1) lines x1 up with the first axis of x2"),
    (lambda: ones((2, 3, 4)) + ones((2, 3)), "expand_dims(x2, -1) lines x2 up with the first axes of x1"),
    (lambda: ones((3, 4, 5)) + ones(3), "reshape(x2, (3, 1, 1)) lines x2 up with the first axes of x1"),
    (lambda: ones((3, 4)) + ones((4, 3)), "transpose one of them: matrix_transpose(x2)"),
    (lambda: ones((3, 4)) + ones(5), RULE),
    (lambda: ones((3, 4)) + ones((2, 4)), RULE),
    (lambda: tgl.where(ones(3) > 0, ones(2), ones(4)), RULE),
    # linear layers
    (lambda: LAYER(ones((2, 5))), "in_features=5 fits this x"),
    (lambda: LAYER(ones((2, 2, 2))), "flatten the images first: x.flatten(1)"),
    (lambda: LAYER(ones((2, 2))), "a single sample is a batch of one row: x.reshape(1, -1)"),
    (lambda: LAYER(ones((2, 3))), "is the weight transposed? Linear(in_features, out_features) has the inputs first"),
    (lambda: LAYER(ones((4, 5))), "is x transposed? The rows are samples, the columns features"),
    (lambda: LAYER(ones(())), "a single number is a batch of one row: x.reshape(1, 1)"),
    (lambda: tgl.linear(ones(3), ones(3)), "the weight is a matrix with one row per output"),
    # moving and joining
    (lambda: X.reshape(4, 2), "(-1, 2) fits: -1 stands for what is left, 3"),
    (lambda: X.reshape(3, 5), "(3, -1) fits: -1 stands for what is left, 2"),
    (lambda: X.reshape(5), "(-1,) fits: -1 stands for what is left, 6"),
    (lambda: X.reshape(4, 5), "the product of the sizes is the number of elements"),
    (lambda: X.reshape(-1, 4), "the product of the sizes is the number of elements"),
    (lambda: X.reshape(()), "the product of the sizes is the number of elements"),
    (lambda: tgl.concat([X, ones((3, 4))]), "they fit along axis 1: concat(arrays, axis=1)"),
    (lambda: tgl.concat([X, ones((4, 4))], 1), "cut or pad them to equal sizes first"),
    (lambda: tgl.concat([X, ones(2)]), "all need equally many axes: expand_dims(x, 0) makes a row of a vector"),
    (lambda: tgl.stack([X, ones(2)]), "reshape them to one shape first"),
    (lambda: tgl.broadcast_to(X, (2, 3)), "the number of elements is the same: x.reshape((2, 3))"),
    (
        lambda: tgl.broadcast_to(ones(3), (3, 2)),
        "new axes come first: for new ones at the end say expand_dims(x, -1) before",
    ),
    (lambda: tgl.broadcast_to(X, (4, 4)), "only axes of size 1 are stretched, and new ones come first"),
    (lambda: tgl.squeeze(X, 0), "x has no axis of size 1; x[:, 0] takes one column of a matrix"),
    (lambda: tgl.squeeze(ones((3, 1)), 0), "without an axis, squeeze removes all axes of size 1"),
    (
        lambda: tgl.permute_dims(ones((2, 3, 4)), (0,)),
        "all 3 axes are named, also those that stay: (2, 1, 0) turns them round",
    ),
    # products
    (lambda: ones((2, 3)) @ ones((4, 3)), "transpose the second operand: matrix_transpose(x2)"),
    (lambda: ones((4, 2)) @ ones((4, 3)), "transpose the first operand: matrix_transpose(x1)"),
    (lambda: ones((4, 2)) @ ones((3, 4)), "exchange the operands: matmul(x2, x1)"),
    (
        lambda: ones((4, 2)) @ ones((3, 5)),
        "the last axis of x1 is summed with the second to last of x2, or with the only one",
    ),
    (lambda: tgl.cross(ones(4), ones(4)), "say along which axis the vectors lie: axis=0"),
    # axes
    (lambda: tgl.sum(X, 2), FROM_END),
    (lambda: tgl.softmax(ones(())), "x.reshape(1) has one axis"),
    (lambda: tgl.sum(X, (0, 1, -1)), "axis=(0, 1)"),
    (lambda: tgl.max(X, X), "of two tensors, element by element, take maximum(x1, x2)"),
    (lambda: tgl.sum(X, X), "axes are whole numbers: 0 is the first, -1 the last"),
    # sizes and numbers
    (lambda: tgl.zeros((2.5, 1)), WHOLE),
    (lambda: tgl.zeros("a"), "such as shape=(2, 3)"),
    (lambda: tgl.zeros((2, -1)), "-1 stands for what is left in reshape only"),
    (lambda: tgl.zeros(-2), "a size is a number of elements"),
    (lambda: tgl.topk(X, 1.5), "int(value) cuts off the fraction"),
    (lambda: tgl.topk(X, None), "such as k=2"),
    # what is no number
    (lambda: Tensor(None), "a function gives None where it does not return anything"),
    (lambda: Tensor([1.0, "2"]), "float(text) reads a number from a text"),
    (lambda: Tensor({"a": 1}), "make a list of its numbers first"),
    (lambda: Tensor(iter([1])), "make a list of its numbers first"),
    (lambda: tgl.exp(X.sum), "call it first, and pass its result"),
    (lambda: Tensor(10**30), "integers go from -2^63 to 2^64 - 1; a float can hold larger numbers"),
    (lambda: Tensor(np.array(["a"])), "array.astype(float) makes numbers of what can be read so"),
    (lambda: Tensor(object()), ""),
    # element types
    (lambda: X.astype("flaot32"), '"float32"'),
    (lambda: tgl.zeros(3, "cuda:0"), 'devices have a keyword of their own: device="cuda:0"'),
    (lambda: X.astype("string"), 'such as "float32", "int64" or "bool"'),
    (lambda: X.astype(None), 'such as "float32", "int64" or "bool"'),
    # names
    (lambda: X.reshpe(6), "did you mean reshape?"),
    (lambda: tgl.sofmax(X), "did you mean softmax?"),
    (lambda: tgl.tensor([1.0]), "here it is called Tensor or asarray"),
    (lambda: X.nothing_like_this, ""),
    (lambda: nn.Relu, "did you mean ReLU?"),
    (lambda: nn.CrossEntropy, "did you mean CrossEntropyLoss?"),
    (lambda: nn.relu, "it is in functional: nn.functional.relu"),
    (lambda: nn.Conv2dTranspose, ""),
    (lambda: tgl.vector_norm(X), "it is in linalg: linalg.vector_norm"),
    (lambda: tgl.normal(3), "it is in random: random.normal"),
    (lambda: Tensor([1.0], grad=True), "say requires_grad= instead of grad="),
    (lambda: optim.StepLR, "it is in lr_scheduler: optim.lr_scheduler.StepLR"),
    (lambda: LAYER.wieght, "did you mean weight?"),
    (lambda: LAYER.cuda(), 'model.to("cuda")'),
    # assignments
    (lambda: X.clone().__setitem__(0, ones((2, 1))), "the number of elements is right: values.reshape((2,))"),
    (lambda: X.clone().__setitem__(0, ones(3)), "one number, or 2 in that shape"),
    # networks
    (lambda: nn.Sequential(nn.ReLU), "ReLU is a class; with parentheses it makes a module: ReLU(...)"),
    (lambda: nn.Sequential(3), "layers and activations are modules, such as nn.Linear(8, 2) and nn.ReLU()"),
    (lambda: nn.ModuleList(LAYER), "put it into one: ModuleList([module])"),
    (lambda: nn.ModuleList([LAYER])(X), "call the modules in it one by one, or use Sequential"),
    (lambda: nn.ModuleDict({"head": LAYER})["haed"], "did you mean 'head'?"),
    (lambda: nn.ModuleDict(LAYER), 'a dictionary gives them their names: {"head": nn.Linear(8, 2)}'),
    (lambda: nn.ModuleList(3), ""),
    (lambda: data.Subset([1, 2], 0), "pass a list of them"),
    (lambda: data.random_split([1, 2], "ab"), "pass both parts: ['ab', ...]"),
    (lambda: nn.Dropout(20), "20 percent is the probability 0.2"),
    (lambda: nn.Dropout(-1), "p=0.5 drops half of the elements"),
    (lambda: nn.Dropout("half"), "p=0.5 drops half of the elements"),
    (lambda: nn.Linear(3, 2, "relu"), "an activation is a module of its own: nn.Sequential(nn.Linear(...), nn.ReLU())"),
    (lambda: nn.BatchNorm1d(3)(ones((4, 5))), "num_features=5 fits this x"),
    (lambda: nn.BatchNorm1d(3)(ones((4, 5, 3))), "channels are axis 1: x.permute_dims(0, 2, 1)"),
    (lambda: nn.BatchNorm1d(3)(ones(3)), "flatten to (N, 3) first, and back with reshape"),
    (
        lambda: LAYER.load_state_dict({"weight": ones((3, 4))}),
        "strict=False loads the entries that both have, and returns the names of the others",
    ),
    (
        lambda: LAYER.load_state_dict({"weight": ones((3, 5)), "bias": ones(3)}),
        "make the model with the sizes that it had when it was saved",
    ),
    (lambda: optim.SGD(LAYER, lr=0.1), "pass its parameters: model.parameters()"),
    (lambda: optim.SGD({"a": LEAF}, lr=0.1), "pass the tensors alone: list(params.values())"),
    (lambda: optim.SGD([LEAF], lr=Tensor(0.1)), "settings are Python numbers: value.item()"),
    (
        lambda: optim.SGD([LEAF], lr=0.1).step(LEAF.sum()),
        "loss.backward() leaves the gradients where step() finds them: call step() without arguments",
    ),
    # derivatives
    (lambda: tgl.grad(lambda x: x, LEAF), "of functions take vjp, jacobian or hessian"),
    (lambda: tgl.jacobian(LEAF, LEAF), "pass the function itself, not its result: jacobian(f, x)"),
    (lambda: tgl.hessian(LEAF, LEAF), "pass the function itself, not its result: hessian(f, x)"),
    (
        lambda: tgl.save("model.safetensors", LAYER.state_dict()),
        "the tensors come first, then the path: save(model.state_dict(), path)",
    ),
    (
        lambda: tgl.save({}, None),
        "the tensors come first, then the path: save(model.state_dict(), 'model.safetensors')",
    ),
    (lambda: tgl.load(3), "it is a text such as 'model.safetensors', or a pathlib.Path"),
    (lambda: nn.init.xavier_uniform_(X.clone(), "tanh"), "float(text) reads a number from a text"),
    (lambda: tgl.checkpoint(LEAF * 2), "pass the function itself and what it is called with: checkpoint(f, x)"),
]


@pytest.mark.parametrize("number", range(len(HINTS)))
def test_a_hint_fits_the_situation(number: int) -> None:
    act, hint = HINTS[number]
    with pytest.raises(errors.Error) as caught:
        act()
    assert caught.value.hint == hint


# --- indices --------------------------------------------------------------------------------------------------

FAULTS: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: X[3], "got index 3, but axis 0 has 3 elements", "indices go from 0 to 2, or from -3 to -1 from the end"),
    (
        lambda: X[..., -3],
        "got index -3, but axis 1 has 2 elements",
        "indices go from 0 to 1, or from -2 to -1 from the end",
    ),
    (
        lambda: X[None, :, Tensor([0, 5])],
        "got index 5, but axis 1 has 2 elements",
        "indices go from 0 to 1, or from -2 to -1 from the end",
    ),
    (
        lambda: ones(1)[2**70],
        f"got index {2**70}, but axis 0 has 1 element",
        "indices go from 0 to 0, or from -1 to -1 from the end",
    ),
    (lambda: ones(0)[0], "got index 0, but axis 0 has 0 elements", "there is nothing to pick"),
    (lambda: X[0, 0, 0], "got indices for 3 axes, but there are 2 axes", "2 indices reach a single element"),
    (lambda: ones(3)[0, 0], "got indices for 2 axes, but there is 1 axis", "1 index reaches a single element"),
    (lambda: X[X > 0, 0], "got indices for 3 axes, but there are 2 axes", "2 indices reach a single element"),
    (
        lambda: ones(())[0],
        "got an index, but there are no axes (it is 0-d)",
        "x.item() is the value of a single number",
    ),
    (lambda: X[..., ...], "needs at most one '...' in an index", "x[..., 0, :] says ':' for every further axis"),
    (lambda: X[::0], "needs a slice with a step other than 0", "x[::2] takes every second element"),
    (lambda: X[0:1.5], "needs whole numbers in a slice", WHOLE),
    (
        lambda: X[:, Tensor([True, False, True])],
        "needs a mask of shape (2,), but it has shape (3,)",
        "a mask has one value per element of what it is for: that of x > 0 fits x",
    ),
    (
        lambda: X[[0, 1], [0, 1, 1]],
        "needs indices that broadcast together, but they have shapes (2,) and (3,)",
        "they pick elements one by one; all rows and all columns of a block are x[rows][:, columns]",
    ),
]


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_an_index_that_does_not_fit_is_explained(number: int) -> None:
    act, need, hint = FAULTS[number]
    with pytest.raises(errors.IndexingError) as caught:
        act()
    assert (caught.value.operation, caught.value.need, caught.value.hint) == ("getitem", need, hint)


# --- the wrong number of arguments ----------------------------------------------------------------------------

CALLS: list[tuple[Callable[[], Any], str, str]] = [
    (
        lambda: tgl.one_hot(Tensor([0])),
        "one_hot needs num_classes; it has indices, num_classes, dtype",
        "one_hot(indices, num_classes)",
    ),
    (
        lambda: nn.Linear(),
        "Linear needs in_features and out_features; it has in_features, out_features, bias, dtype",
        "Linear(in_features, out_features)",
    ),
    (lambda: tgl.mean(X, 0, True, 5), "mean got 4 arguments in a row; it has x, axis, keepdims", ""),
    (
        lambda: Tensor([1.0], "float64"),
        "Tensor got 2 arguments in a row; it has data, dtype, device, requires_grad",
        "dtype is given by its name: dtype=...",
    ),
    (lambda: nn.ReLU(3), "ReLU got 1 arguments in a row; it has none", ""),
    (
        lambda: tgl.sum(X, 0, axis=1),
        "sum got axis twice, by its place and by its name; it has x, axis, keepdims, dtype",
        "",
    ),
    (lambda: tgl.sum(x=X), "sum takes x by its place alone; it has x, axis, keepdims, dtype", "leave out x="),
    (
        lambda: nn.MSELoss(X, X),
        "MSELoss got 2 arguments in a row; it has reduction",
        "make the module first, then call it: MSELoss()(...)",
    ),
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_a_call_with_the_wrong_number_of_arguments_is_explained(number: int) -> None:
    act, need, hint = CALLS[number]
    with pytest.raises(errors.KeywordError) as caught:
        act()
    assert (f"{caught.value.operation} {caught.value.need}", caught.value.hint) == (need, hint)


def test_a_type_error_inside_a_function_is_not_taken_for_a_wrong_call() -> None:
    @checked_keywords
    def own(x: Any) -> None:
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine") as caught:
        own(1)
    assert not isinstance(caught.value, errors.Error)


# --- the user's line ------------------------------------------------------------------------------------------


def test_the_users_line_is_found_behind_pythons_own_copy() -> None:
    with pytest.raises(errors.GradientError) as caught:
        copy.deepcopy({"y": LEAF * 2})
    assert caught.value.line.startswith("test_hints.py:")
    assert caught.value.line.endswith('copy.deepcopy({"y": LEAF * 2})')


def test_functions_and_classes_are_shown_by_their_names() -> None:
    assert errors.describe(tgl.relu) == "function relu"
    assert errors.describe(nn.ReLU) == "class ReLU"
    assert errors.describe(nn.ReLU()) == "ReLU()"
