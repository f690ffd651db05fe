"""Pictures of graphs: their text word for word, that it is valid DOT, and that drawing changes nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, nn
from tinygrad_lite.autograd.graph import Leaf
from tinygrad_lite.autograd.record import apply_several
from tinygrad_lite.autograd.rows import Row, Rule
from tinygrad_lite.errors import ArgumentError, DependencyError, DTypeError, GradientError

HEAD = """digraph computation {
  rankdir=TB
  node [fontname="Helvetica", fontsize=10, shape=box, style="rounded,filled", fillcolor=white]
  edge [fontname="Helvetica", fontsize=9]
"""
QUOTED = r'"(?:[^"\\\n]|\\.)*"'
VALUE = rf"(?:{QUOTED}|[A-Za-z_][A-Za-z_0-9]*|[0-9]+)"
ATTRIBUTES = rf"\[[a-z]+={VALUE}(?:, [a-z]+={VALUE})*\]"
NAME = r"[a-z]+[0-9]*"
STATEMENT = re.compile(rf"  (?:rankdir={VALUE}|{NAME}(?: -> {NAME})?(?: {ATTRIBUTES})?)")


def leaf(*values: float) -> Tensor:
    return Tensor(list(values), requires_grad=True)


def drawn(*args: Any, **options: Any) -> str:
    """The text without its head, once it is known to be valid: Graphviz reads it where there is one."""
    dot = tgl.draw_graph(*args, **options).dot
    lines = dot.splitlines()
    assert (lines[0], lines[-1]) == ("digraph computation {", "}")
    assert all(STATEMENT.fullmatch(line) for line in lines[1:-1])
    declared = {line.split()[0] for line in lines if re.match(rf"  {NAME} \[", line)}
    used = {name for line in lines if "->" in line for name in re.findall(rf"^  ({NAME}) -> ({NAME})", line)[0]}
    assert used <= declared
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tsvg"], input=dot.encode(), capture_output=True, check=True)
    assert dot.startswith(HEAD)
    return dot.removeprefix(HEAD).removesuffix("}")


def test_a_small_graph_word_for_word():
    x = leaf(1.0, 2.0)
    h = x * 2.0
    y = (h * tgl.exp(h)).sum()
    text = drawn(y, names={"x": x, "h": h})
    assert text == (
        '  leaf1 [label="x\\n(2,) float32", fillcolor="#cfe2ff"]\n'
        '  op1 [label="h = multiply\\n(2,) float32"]\n'
        '  leaf1 -> op1 [label="x1"]\n'
        '  op2 [label="exp\\n(2,) float32"]\n'
        "  op1 -> op2\n"
        '  saved1 [label="ans (2,) float32, 8 bytes", shape=note, style=filled, fillcolor="#fff9c4"]\n'
        "  saved1 -> op2 [style=dashed, dir=none]\n"
        '  op3 [label="multiply\\n(2,) float32"]\n'
        '  op1 -> op3 [label="x1"]\n'
        '  op2 -> op3 [label="x2"]\n'
        '  saved2 [label="x2 (2,) float32, 8 bytes, shared with exp (op2)\\nx1 (2,) float32, 8 bytes",'
        ' shape=note, style=filled, fillcolor="#fff9c4"]\n'
        "  saved2 -> op3 [style=dashed, dir=none]\n"
        '  op4 [label="sum\\n() float32"]\n'
        "  op3 -> op4\n"
        '  output1 [label="output", fillcolor="#d1e7dd"]\n'
        "  op4 -> output1\n"
    )
    assert drawn(y, names={"x": x, "h": h}) == text


def test_saved_values_can_be_left_out_and_constants_shown():
    x = leaf(1.0, 2.0)
    y = x * 2.0 * Tensor([3.0, 4.0])
    text = drawn(y, saved=False, constants=True)
    assert "saved" not in text
    assert '  constant1 [label="x2 = 2.0", fillcolor="#eeeeee"]\n  constant1 -> op1\n' in text
    assert '  constant2 [label="x2\\n(2,) float32", fillcolor="#eeeeee"]\n  constant2 -> op2\n' in text
    assert "constant" not in drawn(y)


def test_the_names_of_a_model_and_its_shared_memory():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    text = drawn(model(Tensor([[1.0, 2.0]])), model=model)
    assert '[label="0.weight\\n(3, 2) float32", fillcolor="#cfe2ff"]' in text
    assert "weight (3, 2) float32, 24 bytes, shared with 0.weight" in text
    assert "private.x" not in text  # the very array that the row saves as x


def test_what_symbol_to_symbol_adds_is_orange():
    x = leaf(3.0)
    text = drawn(x**3, names={"x": x}, backward=True, saved=False)
    plain = drawn(x**3, names={"x": x}, saved=False)
    assert "#ffe0b2" not in plain
    assert '[label="gradient of x", fillcolor="#ffe0b2"]' in text
    before, after = (re.findall(r"^  op\d+ \[.*\]", dot, re.MULTILINE) for dot in (plain, text))
    assert [line for line in after if "#ffe0b2" not in line] == before
    assert len(after) > len(before)


def test_several_outputs_hang_on_their_operation():
    halve = Rule(lambda xp, g: g[0] if g[1] is None else g[1], lambda xp, dx: (dx, dx))
    row = Row("split", "x -> low high", lambda xp, x: (x * 0.5, x * 0.5), None, False, {"x": halve})
    low, high = apply_several(row, [leaf(1.0)])
    text = drawn([low, high])
    assert '  op1 [label="split"]\n' in text
    assert '  op2 [label="low\\n(1,) float32"]\n  op1 -> op2\n' in text
    assert '  op3 [label="high\\n(1,) float32"]\n  op1 -> op3\n' in text
    assert text.endswith(
        '  output1 [label="outputs[0]", fillcolor="#d1e7dd"]\n'
        "  op2 -> output1\n"
        '  output2 [label="outputs[1]", fillcolor="#d1e7dd"]\n'
        "  op3 -> output2\n"
    )


def test_a_leaf_is_a_graph_too():
    x = leaf(1.0)
    assert drawn(x) == (
        '  leaf1 [label="leaf\\n(1,) float32", fillcolor="#cfe2ff"]\n'
        '  output1 [label="output", fillcolor="#d1e7dd"]\n'
        "  leaf1 -> output1\n"
    )


def test_operands_of_variadic_operations_are_numbered():
    text = drawn(tgl.concat([leaf(1.0), leaf(2.0)]), saved=False)
    assert text.count("-> op1 [label=") == 2
    assert "[0]" in text
    assert "[1]" in text


def test_of_a_long_graph_the_youngest_are_drawn():
    x = y = leaf(1.0)
    for _ in range(1000):
        y = y * y
    assert drawn(y, max_nodes=2, saved=False, names={"x": x}) == (
        '  omitted [label="998 older operations not drawn\\nmax_nodes=2", shape=plaintext]\n'
        '  op1 [label="multiply\\n(1,) float32"]\n'
        '  omitted -> op1 [label="x1"]\n'
        '  omitted -> op1 [label="x2"]\n'
        '  op2 [label="multiply\\n(1,) float32"]\n'
        '  op1 -> op2 [label="x1"]\n'
        '  op1 -> op2 [label="x2"]\n'
        '  output1 [label="output", fillcolor="#d1e7dd"]\n'
        "  op2 -> output1\n"
    )


def test_names_are_escaped():
    x = leaf(1.0)
    text = drawn(x * 1.0, names={'a "b"\\n\nc': x})
    assert '[label="a \\"b\\"\\\\n\\nc\\n(1,) float32"' in text


def test_drawing_changes_nothing():
    x = leaf(2.0)
    h = x * x
    seen: list[str] = []
    x.register_hook(lambda g: seen.append("x"))
    h.register_hook(lambda g: seen.append("h"))
    h.retain_grad()
    y = (h * h).sum()
    for backward in (False, True):
        drawn(y, backward=backward)
    assert (seen, x.grad, h.grad) == ([], None, None)
    assert isinstance(x._node, Leaf)
    y.backward()
    assert (seen, x.grad.tolist(), h.grad.tolist()) == (["h", "x"], [32.0], [8.0])


def test_a_freed_graph_is_drawn_as_freed_and_cannot_be_differentiated():
    y = tgl.exp(leaf(1.0))
    y.backward()
    assert '[label="freed by a backward pass", ' in drawn(y)
    with pytest.raises(GradientError, match="freed by the first pass"):
        tgl.draw_graph(y, backward=True)


def test_refusals():
    refuses(
        DTypeError,
        lambda: tgl.draw_graph([1.0]),
        "draw_graph needs a tensor or a sequence of tensors\n  output  1.0",
    )
    refuses(
        GradientError,
        lambda: tgl.draw_graph(Tensor([1.0])),
        "draw_graph needs a result with a graph\n"
        "  output  shape (1,), float32, cpu\n"
        "  hint    was it computed under no_grad(), or from tensors without requires_grad=True?",
    )
    refuses(
        DTypeError,
        lambda: tgl.draw_graph(leaf(1.0), names={"x": 1}),
        "draw_graph needs tensors as the values of names\n  x   1",
    )
    refuses(
        DTypeError,
        lambda: tgl.draw_graph(leaf(1.0), model=3),
        "draw_graph needs a module as model\n  model  3",
    )
    refuses(
        ArgumentError,
        lambda: tgl.draw_graph(leaf(1.0), max_nodes=0),
        "draw_graph needs an integer max_nodes of at least 1, but got 0",
    )
    refuses(
        ArgumentError,
        lambda: tgl.draw_graph(leaf(1.0), max_nodes=2.5),
        "draw_graph needs an integer max_nodes of at least 1, but got 2.5",
    )
    refuses(
        DTypeError,
        lambda: tgl.draw_graph(None),
        "draw_graph needs a tensor or a sequence of tensors\n  output  None",
    )
    refuses(
        DTypeError,
        lambda: tgl.draw_graph(leaf(1.0), names=["x"]),
        "draw_graph needs a dictionary of names and their tensors\n  names  ['x']\n  hint   names={'x': x}",
    )
    refuses(
        ArgumentError,
        lambda: tgl.draw_graph(leaf(1.0)).save("graph.txt"),
        "save needs a file name that ends in one of .dot, .gv, .svg, .png, .pdf\n  path  'graph.txt'",
    )


def test_without_graphviz_there_is_text_and_an_error_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    picture = tgl.draw_graph(leaf(1.0))
    picture.save(tmp_path / "graph.dot")
    assert (tmp_path / "graph.dot").read_text(encoding="utf-8") == picture.dot
    assert picture._repr_svg_() is None
    hint = "install the package graphviz (apt-get, brew, conda); or save the text: picture.save('graph.dot')"
    text = f"needs the program dot of Graphviz, which is not installed\n  hint  {hint}"
    refuses(DependencyError, lambda: picture.svg(), f"svg {text}")
    refuses(DependencyError, lambda: picture.save(tmp_path / "graph.svg"), f"save {text}")
    assert not (tmp_path / "graph.svg").exists()


def test_with_graphviz_the_text_goes_through_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\nread first\necho "<svg>$1 $first</svg>"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.defpath}")
    picture = tgl.draw_graph(leaf(1.0))
    assert picture.svg() == picture._repr_svg_() == "<svg>-Tsvg digraph computation {</svg>\n"
    picture.save(tmp_path / "graph.PDF")
    assert (tmp_path / "graph.PDF").read_bytes() == b"<svg>-Tpdf digraph computation {</svg>\n"


def test_the_picture_of_a_view_counts_the_memory_that_it_keeps():
    x = leaf(*map(float, range(10)))
    y = x[2:4] * Tensor(np.ones(100, np.float32))[:2]
    assert "x2 (2,) float32, 400 bytes" in drawn(y)
