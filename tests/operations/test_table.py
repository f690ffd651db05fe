"""The table is complete, and the declared rows keep the contract that makes them right in every world."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import tinygrad_lite as tgl
from operations.row import Operation
from operations.running import cast, forward, operands
from operations.table import case_id, operations
from tinygrad_lite import Tensor
from tinygrad_lite.autograd.rows import Row, rows
from tinygrad_lite.functions import namespace as primitives

#: Exported functions that steer the random stream and compute nothing.
NOT_ON_TENSORS = {"manual_seed", "get_rng_state", "set_rng_state"}

#: Adjoints that rules need and that the public functions offer under other names.
PRIMITIVES = {"add_at", "add_along_axis", "cofactors", "overlap_add"}


def _exported() -> set[str]:
    """The public functions that compute on tensors or make them, of the package, its ``linalg`` and its ``fft``."""

    def functions(module: Any) -> set[str]:
        public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
        return {
            name
            for name, value in public.items()
            if inspect.isroutine(value) and value.__module__.startswith("tinygrad_lite.functions")
        }

    top = functions(tgl)
    inside = {f"{name}.{one}" for name in ("linalg", "fft") for one in functions(getattr(tgl, name)) - top}
    return {*top, *inside} - NOT_ON_TENSORS


def _named(name: str) -> Any:
    """What a row's name stands for: an exported function, such as ``linalg.norm``, a method of Tensor, or a
    primitive that only rules use."""
    head, _, last = name.rpartition(".")
    owner = Tensor if head == "Tensor" else getattr(tgl, head) if head else tgl
    return getattr(primitives, last, None) if last in PRIMITIVES else getattr(owner, last, None)


def test_every_exported_function_has_a_row() -> None:
    assert sorted(_exported() - operations.keys()) == []


def test_every_row_of_the_table_is_exported() -> None:
    assert [name for name in operations if not callable(_named(name))] == []


def test_every_declared_row_is_covered() -> None:
    covered = {name for row in operations.values() for name in row.covers}
    # Moving to another device takes one: tests/gpu/test_devices.py has the values and derivatives of that row.
    assert sorted(rows.keys() - covered) == ["to_device"]


def test_every_covered_row_is_declared() -> None:
    covered = {name for row in operations.values() for name in row.covers}
    assert sorted(covered - rows.keys()) == []


def _recorded_rows(ys: list) -> set[str]:
    """The names of the operations in a graph."""
    found, stack, seen = set(), [y._node for y in ys], set()
    while stack:
        node = stack.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if node.plan is not None:
            found.add(node.plan.row.name)
        stack.extend(node.parents)
    return found


DIFFERENTIABLE = [row for row in operations.values() if any(row.active(one.arrays) for one in row.samples)]


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=case_id)
def test_the_samples_exercise_what_the_row_says_that_they_cover(row: Operation) -> None:
    found: set[str] = set()
    for one in row.samples:
        every, _ = operands(row, cast(one.arrays, row.dtypes[0]))
        found |= _recorded_rows(forward(row, one, every))
    assert set(row.covers) <= found


@pytest.mark.parametrize("row", operations.values(), ids=case_id)
def test_the_samples_are_awkward(row: Operation) -> None:
    """Every row meets an empty array and one with a single element; those of many axes meet more."""
    shapes = [a.shape for one in row.samples for a in one.arrays]
    if not shapes:
        return
    sizes = {a.size for one in row.samples for a in one.arrays}
    assert 1 in sizes or row.name in WITHOUT_SINGLE, "no array with a single element"
    assert 0 in sizes or row.name in WITHOUT_EMPTY, "no empty array"


#: Those whose operands have more elements than one: vectors in space have three, a correlation needs a
#: deviation, and what is halved has two.
WITHOUT_SINGLE = {"corrcoef", "cross", "glu"}

#: Those that refuse to take an empty array, or whose samples must hold something to choose from.
WITHOUT_EMPTY = {"var", "std", "mean"}

# --- the contract of a row --------------------------------------------------------------------------

DIFFERENTIABLE_ROWS = [row for row in rows.values() if row.rules or row.joint]


def _wants(row: Row, function: Any) -> set[str]:
    """The arrays that a rule wants saved; shapes and static arguments cost nothing."""
    parameters = list(inspect.signature(function).parameters)
    skip = 3 if len(parameters) > 2 and parameters[2] == "needs" else 2
    return {name for name in parameters[skip:] if name in (*row.operands, *row.outputs)}


@pytest.mark.parametrize("row", DIFFERENTIABLE_ROWS, ids=lambda row: row.name)
def test_forward_mode_costs_training_nothing(row: Row) -> None:
    """What a rule's jvp reads, its vjp reads too: nothing is kept for forward mode alone."""
    for rule in (*row.rules.values(), *((row.joint,) if row.joint else ())):
        assert _wants(row, rule.jvp) <= _wants(row, rule.vjp)


@pytest.mark.parametrize("row", DIFFERENTIABLE_ROWS, ids=lambda row: row.name)
def test_the_parameters_of_a_rule_are_what_the_row_declares(row: Row) -> None:
    places = row.places(2)
    for rule in (*row.rules.values(), *((row.joint,) if row.joint else ())):
        for function in rule:
            parameters = list(inspect.signature(function).parameters)
            skip = 3 if len(parameters) > 2 and parameters[2] == "needs" else 2
            assert set(parameters[skip:]) <= places.keys()


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=case_id)
def test_a_saved_float_is_an_operand_or_an_output(row: Operation) -> None:
    """Anything else would be a constant to create_graph, and second derivatives silently wrong."""
    for one in row.samples:
        every, _ = operands(row, one.arrays)
        for node in _nodes(forward(row, one, every)):
            for (kind, _), value in zip(node.plan.kept, node.saved, strict=True):
                assert kind in ("operand", "operands", "output", "static")
                if kind == "static":
                    assert not _floats(value), f"{node.plan.row.name} saved a float array that has no edge"


def _nodes(ys: list) -> list:
    found, stack = [], [y._node for y in ys]
    seen: set[int] = set()
    while stack:
        node = stack.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if node.plan is not None:
            found.append(node)
        stack.extend(node.parents)
    return found


def _floats(value: Any) -> bool:
    """Whether a saved value holds a floating-point array."""
    if isinstance(value, (tuple, list)):
        return any(map(_floats, value))
    return getattr(getattr(value, "dtype", None), "kind", "") == "f"
