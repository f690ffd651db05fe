"""The page of error messages: every example on it fails with exactly the words that it shows."""

from __future__ import annotations

import linecache
import re
from pathlib import Path
from typing import NamedTuple

import pytest

import tinygrad_lite as tgl

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
_EXAMPLE = re.compile(
    r"^### (?P<title>.+?)\n\n```python\n(?P<code>.*?)```\n\n```\n(?P<message>.*?)\n```$", re.DOTALL | re.MULTILINE
)


class Example(NamedTuple):
    title: str
    code: str
    message: str


EXAMPLES = [Example(*found) for found in _EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))]


def raised(code: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run an example as the file train.py and return what is printed under its traceback."""
    lines = code.splitlines(keepends=True)
    monkeypatch.setitem(linecache.cache, "train.py", (len(code), None, lines, "train.py"))
    tgl.manual_seed(0)
    with pytest.raises(tgl.errors.Error) as caught:
        exec(compile(code, "train.py", "exec"), {"__name__": "__main__"})
    return f"{type(caught.value).__name__}: {caught.value}"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.title.replace(" ", "-"))
def test_an_example_fails_with_the_words_on_the_page(
    example: Example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert raised(example.code, monkeypatch) == example.message


def test_every_heading_has_an_example() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(EXAMPLES) == len(re.findall(r"^### ", text, re.MULTILINE)) >= 60


def test_every_message_says_where_and_most_give_a_hint() -> None:
    assert all("\n  at " in e.message for e in EXAMPLES)
    assert sum("\n  hint " in e.message for e in EXAMPLES) >= 0.7 * len(EXAMPLES)
