"""The page of error messages: every example on it fails with exactly the words that it shows."""

from __future__ import annotations

import inspect
import linecache
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tinygrad_lite as tgl
from tinygrad_lite import errors

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
TEXT = PAGE.read_text(encoding="utf-8")
_EXAMPLE = re.compile(
    r"^### (?P<title>.+?)\n```python\n(?P<code>.*?)```\n```\n(?P<message>.*?)\n```$", re.DOTALL | re.MULTILINE
)
_IMPORTS = re.compile(r"^```\n(import .*?)```$", re.DOTALL | re.MULTILINE)
_KIND = re.compile(r"^\| `(?P<kind>\w+)` \| (?P<bases>[`\w, ]+) \|", re.MULTILINE)


class Example(NamedTuple):
    title: str
    code: str
    message: str


EXAMPLES = [Example(*found) for found in _EXAMPLE.findall(TEXT)]
IMPORTS = _IMPORTS.findall(TEXT)[0]


def raised(code: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run an example as the file train.py and return what is printed under its traceback."""
    monkeypatch.setitem(linecache.cache, "train.py", (len(code), None, code.splitlines(keepends=True), "train.py"))
    tgl.manual_seed(0)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(IMPORTS, names)
    with pytest.raises(errors.Error) as caught:
        exec(compile(code, "train.py", "exec"), names)
    return f"{type(caught.value).__name__}: {caught.value}"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.title.replace(" ", "-"))
def test_an_example_fails_with_the_words_on_the_page(
    example: Example, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert raised(example.code, monkeypatch) == example.message


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.title.replace(" ", "-"))
def test_a_message_says_where_and_what_to_do(example: Example) -> None:
    rows = example.message.splitlines()[1:]
    at = next(row.split(maxsplit=1)[1] for row in rows if row.startswith("  at "))
    place, number, line = at.split(":", 2)
    assert place == "train.py"
    assert example.code.splitlines()[int(number) - 1].strip() == line.strip()
    assert rows[-1].startswith("  hint ")
    assert rows[-1].split(maxsplit=1)[1]


def test_every_heading_has_an_example_and_a_title_of_its_own() -> None:
    assert len(EXAMPLES) == len(re.findall(r"^### ", TEXT, re.MULTILINE)) >= 60
    assert len({e.title for e in EXAMPLES}) == len({e.code for e in EXAMPLES}) == len(EXAMPLES)


def test_the_table_names_every_kind_of_error_and_what_it_derives_from() -> None:
    kinds = {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and kind.__module__ == errors.__name__
    }
    del kinds["Error"]
    listed = {kind: re.findall(r"\w+", bases) for kind, bases in _KIND.findall(TEXT)}
    assert {k: [b.__name__ for b in kind.__bases__ if b is not errors.Error] for k, kind in kinds.items()} == listed
