"""The README's Python blocks run as they stand, and print what their comments promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tinygrad_lite as tgl
from tinygrad_lite import data

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_first_block_is_eight_lines_that_print_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    block = BLOCKS[0]
    exec(compile(block, "README.md", "exec"), {})
    promised = re.findall(r"^print\(.*\)  # (.*)$", block, flags=re.MULTILINE)
    assert len(block.splitlines()) == 8
    assert capsys.readouterr().out.splitlines() == promised


def test_the_second_block_is_fifteen_lines_that_learn_digits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "load_mnist", data.load_digits)
    tgl.manual_seed(0)
    block = BLOCKS[1]
    exec(compile(block, "README.md", "exec"), {})
    assert len([line for line in block.splitlines() if line]) == 15
    found = re.fullmatch(r"test accuracy (\d+\.\d\d) %\n", capsys.readouterr().out)
    assert found is not None
    assert float(found[1]) > 90
