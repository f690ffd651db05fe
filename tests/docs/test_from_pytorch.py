"""The page for people who come from PyTorch and NumPy: every line of its tables holds on both sides."""

from __future__ import annotations

import builtins
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor

PAGE = Path(__file__).parents[2] / "docs" / "from_pytorch.md"
TEXT = PAGE.read_text(encoding="utf-8")
_OPERAND = re.compile(r"^(\w) = (\[.*\])$", re.MULTILINE)
OPERANDS = {name: np.array(eval(value)) for name, value in _OPERAND.findall(TEXT)}
OPERANDS = {name: v.astype("float32") if v.dtype.kind == "f" else v.astype("int64") for name, v in OPERANDS.items()}


class Called(NamedTuple):
    """A line of the first table: one thing under up to three names."""

    torch: str
    numpy: str
    ours: str

    def __str__(self) -> str:
        return self.ours


class Behaves(NamedTuple):
    """A line of the second table: an expression there and here, and ours that gives what theirs does."""

    theirs: str
    gives: str
    ours: str
    ours_gives: str
    instead: str

    def __str__(self) -> str:
        return self.theirs

    @property
    def of_numpy(self) -> bool:
        return self.theirs.startswith("np.")


def _table(head: str) -> list[list[str]]:
    _, _, table = TEXT.partition(head + "\n")
    lines = table.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


CALLED = [Called(*cells) for cells in _table("| PyTorch | NumPy | here |")]
BEHAVES = [Behaves(*cells) for cells in _table("| there | gives | here | gives | so write |")]


def _here(expression: str) -> Any:
    operands = {name: Tensor(value, requires_grad=name == "w") for name, value in OPERANDS.items()}
    return _plain(eval(expression, {"tgl": tgl, **operands}))


def _numpy(expression: str) -> Any:
    return _plain(eval(expression, {"np": np, **OPERANDS}))


def _torch(expression: str) -> Any:
    import torch

    operands = {name: torch.tensor(value, requires_grad=name == "w") for name, value in OPERANDS.items()}
    return _plain(eval(expression, {"torch": torch, "F": torch.nn.functional, **operands}))


def _plain(result: Any) -> Any:
    """Nested lists of numbers for an array, tuples of them for several, the name for a dtype."""
    if isinstance(result, (tuple, list)):
        return tuple(map(_plain, result))
    if hasattr(result, "detach"):
        result = result.detach()
    if hasattr(result, "tolist"):
        return result.tolist()
    return result if isinstance(result, (bool, int, float)) else str(result)


def _same(found: Any, expected: Any) -> bool:
    """Equal but for rounding, in the same shape."""
    if isinstance(expected, (tuple, list)):
        return type(found) is type(expected) and len(found) == len(expected) and all(map(_same, found, expected))
    return bool(found == pytest.approx(expected, rel=1e-6)) if isinstance(expected, float) else bool(found == expected)


def _assert_gives(evaluate: Any, expression: str, cell: str) -> None:
    if cell.endswith("Error"):
        with pytest.raises(getattr(tgl.errors, cell, None) or getattr(builtins, cell)):
            evaluate(expression)
    else:
        assert _same(evaluate(expression), eval(cell)), evaluate(expression)


@pytest.mark.parametrize("line", [line for line in CALLED if line.numpy], ids=str)
def test_ours_gives_what_numpy_gives(line: Called) -> None:
    assert _same(_here(line.ours), _numpy(line.numpy))


@pytest.mark.needs("torch")
@pytest.mark.parametrize("line", CALLED, ids=str)
def test_ours_gives_what_pytorch_gives(line: Called) -> None:
    assert _same(_here(line.ours), _torch(line.torch))


@pytest.mark.parametrize("line", BEHAVES, ids=str)
def test_ours_gives_what_the_page_says_and_the_advice_gives_theirs(line: Behaves) -> None:
    assert line.gives != line.ours_gives
    _assert_gives(_here, line.ours, line.ours_gives)
    if line.instead:
        _assert_gives(_here, line.instead, line.gives)


@pytest.mark.parametrize("line", [line for line in BEHAVES if line.of_numpy], ids=str)
def test_numpy_gives_what_the_page_says(line: Behaves) -> None:
    _assert_gives(_numpy, line.theirs, line.gives)


@pytest.mark.needs("torch")
@pytest.mark.filterwarnings("ignore:.*meshgrid:UserWarning")
@pytest.mark.parametrize("line", [line for line in BEHAVES if not line.of_numpy], ids=str)
def test_pytorch_gives_what_the_page_says(line: Behaves) -> None:
    _assert_gives(_torch, line.theirs, line.gives)


def test_both_tables_are_there() -> None:
    assert len(CALLED) >= 25
    assert len(BEHAVES) >= 20
    assert all(line.torch for line in CALLED)
