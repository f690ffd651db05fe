"""The page of gradients where there is a choice: every line of its tables holds, here and in PyTorch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor

PAGE = Path(__file__).parents[2] / "docs" / "gradients.md"
NUMBERS = {"nan": float("nan"), "inf": float("inf")}
HEADS = {
    "| expression | at | gradient | in PyTorch | why |": 1,
    "| expression | at | second derivative | in PyTorch | why |": 2,
}
# The sum of infinities, the mean of nothing: NumPy and PyTorch may say so, and it is what is asked here.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:.*degrees of freedom:UserWarning")

#: The numbers on the page have all their digits; a sum on the way may round a few times.
ULPS = 8 * np.finfo("float64").eps


class Line(NamedTuple):
    """One line of a table."""

    order: int  # of the derivative
    ours: str
    at: str
    gradient: str
    theirs: str  # "" where PyTorch has nothing to compare with
    why: str

    @property
    def of_pytorch(self) -> str:
        """The gradient in PyTorch: ours, unless the line says that it differs."""
        differs = re.search(r"PyTorch gives `([^`]*)`", self.why)
        return differs[1] if differs else self.gradient

    @property
    def has_numbers(self) -> bool:
        return self.gradient.startswith("[")


def _lines() -> Iterator[Line]:
    order = 0
    for text in PAGE.read_text(encoding="utf-8").splitlines():
        if not text.startswith("|"):
            order = 0
        elif order == 0:
            order = HEADS[text]
        elif not text.startswith("|---"):
            cells = [cell.strip() for cell in text.strip("|").split("|")]
            ours, at, gradient, theirs = (cell.strip("`") for cell in cells[:4])
            (why,) = cells[4:]
            yield Line(order, ours, at, gradient, theirs, why)


LINES = list(_lines())


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
        np.testing.assert_allclose(found, e.reshape(found.shape), rtol=ULPS, atol=0)


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.ours} at {line.at}")
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
@pytest.mark.parametrize("line", [line for line in LINES if line.theirs], ids=lambda line: f"{line.ours} at {line.at}")
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


@pytest.mark.parametrize(
    "line", [line for line in LINES if line.has_numbers and line.order == 1], ids=lambda line: f"{line.ours} at {line.at}"
)
def test_forward_mode_pushes_ones_to_the_sum_of_the_gradient(line: Line) -> None:
    total = sum(float(g.sum()) for g in _arrays(line.gradient))
    points = _points(line)
    xs = tuple(map(Tensor, points.values()))

    def function(*operands: Tensor) -> Tensor:
        return _result(line, dict(zip(points, operands, strict=True))).sum()

    _, tangent = tgl.jvp(function, xs, tuple(map(tgl.ones_like, xs)))
    np.testing.assert_allclose(tangent._data, total, rtol=ULPS, atol=ULPS)
