"""The page of gradients where there is a choice: every line of its tables holds, here and in PyTorch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from operations.table import operations

import tinygrad_lite as tgl
from tinygrad_lite import Tensor

PAGE = Path(__file__).parents[2] / "docs" / "gradients.md"
NUMBERS = {"nan": float("nan"), "inf": float("inf")}
HEADS = {
    "| expression | at | gradient | in PyTorch | why |": 1,
    "| expression | at | second derivative | in PyTorch | why |": 2,
    "| expression | at | tangent | why |": 0,
}
# The sum of infinities, the mean of nothing: NumPy and PyTorch may say so, and it is what is asked here.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:.*degrees of freedom:UserWarning")

#: The numbers on the page have all their digits; a sum on the way may round a few times.
ULPS = 32 * np.finfo("float64").eps

#: Functions that move, add, scale or multiply elements: their formula is the derivative at every point.
FREE_OF_CHOICE = """
    add subtract negative deg2rad rad2deg trace diff trapezoid bincount linear_scan
    linalg.diagonal diag diag_embed vecdot dot inner outer kron cross einsum tensordot multi_dot
    take_along_axis getitem concat stack split unstack reshape flatten unflatten permute_dims matrix_transpose
    moveaxis swapaxes flip rot90 roll expand_dims squeeze atleast_1d atleast_2d atleast_3d
    broadcast_to broadcast_arrays broadcast_shapes meshgrid repeat repeat_interleave tile sum_to
"""


class Line(NamedTuple):
    """One line of a table."""

    order: int  # of the derivative; 0 for a tangent
    ours: str
    at: str
    gradient: str
    theirs: str  # "" where PyTorch has nothing to compare with
    why: str

    def __str__(self) -> str:
        return f"{self.ours} at {self.at}"

    @property
    def of_pytorch(self) -> str:
        """The gradient in PyTorch: ours, unless the line says that it differs."""
        differs = re.search(r"PyTorch gives `([^`]*)`", self.why)
        return differs[1] if differs else self.gradient

    @property
    def has_numbers(self) -> bool:
        return self.gradient.startswith("[")


def _lines() -> Iterator[Line]:
    order: int | None = None
    for text in PAGE.read_text(encoding="utf-8").splitlines():
        if not text.startswith("|"):
            order = None
        elif order is None:
            order = HEADS[text]
        elif not text.startswith("|---"):
            *cells, why = (cell.strip() for cell in text.strip("|").split("|"))
            ours, at, gradient, theirs = (cell.strip("`") for cell in [*cells, ""][:4])
            yield Line(order, ours, at, gradient, theirs, why)


LINES = list(_lines())
GRADIENTS = [line for line in LINES if line.order]
TANGENTS = {(line.ours, line.at): line.gradient for line in LINES if line.order == 0}


def _arrays(cell: str) -> list[np.ndarray]:
    return [np.array(eval(part, NUMBERS), "float64") for part in cell.split(";")]


def _points(line: Line) -> dict[str, np.ndarray]:
    """The operands by name."""
    parts = [part.split("=") for part in line.at.split(";")]
    return {name.strip(): np.array(eval(value, NUMBERS), "float64") for name, value in parts}


def _result(line: Line, operands: dict[str, Tensor]) -> Tensor:
    result: Tensor = eval(line.ours, {"tgl": tgl, **NUMBERS, **operands})
    return result


def _derivative(line: Line, result: Any, xs: Sequence[Any], grad: Callable[..., Any]) -> list[Any]:
    """Of the sum of the results; None where there is none."""
    if line.order == 1:
        return list(grad(result.sum(), xs, allow_unused=True))
    slopes = grad(result.sum(), xs, create_graph=True)
    bends = [slope.sum() for slope in slopes if slope.requires_grad]
    return list(grad(bends, xs, allow_unused=True)) if bends else [None] * len(xs)


def _assert_is(got: Sequence[Any], expected: str) -> None:
    for g, e in zip(got, _arrays(expected), strict=True):
        found = np.zeros_like(e) if g is None else np.asarray(g)
        np.testing.assert_allclose(found, e.reshape(found.shape), rtol=ULPS, atol=ULPS)


@pytest.mark.parametrize("line", GRADIENTS, ids=str)
def test_the_gradient_is_the_one_on_the_page(line: Line) -> None:
    operands = {name: Tensor(value, requires_grad=True) for name, value in _points(line).items()}
    xs = list(operands.values())
    if line.gradient == "none":
        assert not _result(line, operands).requires_grad
    elif line.has_numbers:
        _assert_is(_derivative(line, _result(line, operands), xs, tgl.grad), line.gradient)
    else:
        with pytest.raises(getattr(tgl.errors, line.gradient)):
            tgl.grad(_result(line, operands).sum(), xs)


@pytest.mark.needs("torch")
@pytest.mark.parametrize("line", [line for line in LINES if line.theirs], ids=str)
def test_pytorch_has_the_gradient_on_the_page(line: Line) -> None:
    import torch

    operands = {name: torch.tensor(v, dtype=torch.float64, requires_grad=True) for name, v in _points(line).items()}
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # for constants in the expressions
    try:
        result = eval(line.theirs, {"torch": torch, "F": torch.nn.functional, **NUMBERS, **operands})
    finally:
        torch.set_default_dtype(before)
    if line.of_pytorch == "none":
        assert not result.requires_grad
    else:
        xs = list(operands.values())
        found = _derivative(line, result, xs, torch.autograd.grad)
        _assert_is([None if g is None else g.numpy(force=True) for g in found], line.of_pytorch)


@pytest.mark.parametrize("line", [line for line in LINES if line.has_numbers and line.order == 1], ids=str)
def test_forward_mode_pushes_ones_to_the_sum_of_the_gradients(line: Line) -> None:
    points = _points(line)
    xs = tuple(map(Tensor, points.values()))

    def function(*operands: Tensor) -> Tensor:
        return _result(line, dict(zip(points, operands, strict=True))).sum()

    _, tangent = tgl.jvp(function, xs, tuple(map(tgl.ones_like, xs)))
    total = np.float64(sum(g.sum() for g in _arrays(line.gradient)))
    exception = TANGENTS.get((line.ours, line.at))
    if exception is not None:
        assert not np.allclose(tangent._data, total, equal_nan=True), "this is no exception"
        total = eval(exception, NUMBERS)
    np.testing.assert_allclose(tangent._data, total, rtol=ULPS, atol=ULPS)


def test_every_exception_of_forward_mode_stands_in_a_table_of_gradients() -> None:
    assert TANGENTS.keys() <= {(line.ours, line.at) for line in GRADIENTS}


def _exported(name: str) -> bool:
    return hasattr(tgl, name) or hasattr(tgl.linalg, name.removeprefix("linalg."))


def test_every_function_with_a_gradient_is_on_the_page_or_free_of_choice() -> None:
    shown = {name for line in LINES for name in re.findall(r"tgl\.(?:linalg\.)?(\w+)", line.ours)}
    differentiable = {
        name for name, row in operations.items() if _exported(name) and any(row.active(s.arrays) for s in row.samples)
    }
    absent = {name for name in differentiable if name.removeprefix("linalg.") not in shown}
    assert absent == set(FREE_OF_CHOICE.split())
