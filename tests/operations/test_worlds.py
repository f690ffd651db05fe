"""Every operation runs on the opaque arrays, with the very results of the CPU: nothing peeks, nothing mixes."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from operations.derivatives import derivatives
from operations.opaque import OpaqueArray, opaque_namespace, reveal
from operations.rounding import assert_within_rounding
from operations.row import Operation, Sample
from operations.running import forward, operands, size_of, tensor, values
from operations.table import case_id, cases
from tinygrad_lite.autograd.rows import rows
from tinygrad_lite.backends import namespace as declared
from tinygrad_lite.backends.cpu import namespace as cpu
from tinygrad_lite.functions import namespace as tensors

FROM_ARRAYS = [(row, one) for row, one in cases() if one.arrays]
SMOOTH = [(row, one) for row, one in FROM_ARRAYS if row.active(one.arrays)]


def _overridden(row: Operation) -> bool:
    return not cpu.overrides.keys().isdisjoint(row.covers)


def _assert_same(row: Operation, one: Sample, what: str, cpu_side: list, opaque_side: list) -> None:
    """Bit for bit, or within rounding where the CPU has an override of its own."""
    assert len(cpu_side) == len(opaque_side)
    exact = [None if x is None else values(x) for x in cpu_side]
    model = {**row.model(one.arrays), "size": size_of([v for v in exact if v is not None], one.arrays)}
    model["size"] *= 8 * row.condition
    for expected, y in zip(exact, opaque_side, strict=True):
        if expected is None or y is None:
            assert expected is None
            assert y is None
            continue
        assert type(y._data) is OpaqueArray, f"{what} of {row.name} left the device"
        got = values(y)
        assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
        if _overridden(row):
            model["dtype"] = expected.dtype
            assert_within_rounding(got, expected, f"{what} of {row.name}", **model)
        else:
            np.testing.assert_array_equal(got, expected, f"{what} of {row.name}")


@pytest.mark.parametrize("row, one", FROM_ARRAYS, ids=case_id)
def test_values_on_opaque_arrays_are_those_of_the_cpu(row: Operation, one: Sample) -> None:
    results = [forward(row, one, operands(row, one.arrays, world)[0]) for world in (np.ndarray, OpaqueArray)]
    _assert_same(row, one, "the value", *results)


@pytest.mark.parametrize("row, one", SMOOTH, ids=case_id)
def test_derivatives_on_opaque_arrays_are_those_of_the_cpu(row: Operation, one: Sample) -> None:
    on_cpu, on_opaque = derivatives(row, one, np.ndarray), derivatives(row, one, OpaqueArray)
    assert on_cpu.keys() == on_opaque.keys()
    for what, expected in on_cpu.items():
        _assert_same(row, one, what, expected, on_opaque[what])


# --- the closed list of names -----------------------------------------------------------------------


def _offered(module: Any) -> set[str]:
    """The public names of a namespace that are not modules, types, or borrowed for annotations."""
    kinds = (type, type(np))
    foreign = {"annotations", "Any", "Array", "Axes", "Callable", "Sequence", "TypeAlias", "WIDE"}
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, kinds) and name not in foreign
    }


def test_the_cpu_namespace_offers_exactly_the_declared_names() -> None:
    callables = {name for name in _offered(cpu) if callable(getattr(cpu, name))}
    assert callables == declared.NAMES
    assert cpu.array_type is np.ndarray
    assert isinstance(cpu.overrides, dict)


def test_the_opaque_namespace_offers_exactly_the_declared_names() -> None:
    assert set(vars(opaque_namespace)) == declared.NAMES | {"array_type", "overrides"}


def test_overrides_are_of_declared_rows() -> None:
    assert cpu.overrides.keys() <= rows.keys()


def test_tensors_offer_every_name_that_a_rule_may_use() -> None:
    offered = {name for name, value in vars(tensors).items() if inspect.isroutine(value)}
    assert offered >= declared.NAMES - declared.FORWARD_ONLY
    assert {"asarray", "zeros", "full", "arange"}.isdisjoint(offered)  # which would be made on the CPU


# --- what an opaque array refuses -------------------------------------------------------------------

ONE = OpaqueArray(np.float64(1.5))
VECTOR = OpaqueArray(np.arange(3.0))
REFUSED = {
    "bool": lambda: bool(ONE),
    "float": lambda: float(ONE),
    "int": lambda: int(ONE),
    "index": lambda: [1, 2][OpaqueArray(np.int64(1))],  # type: ignore[call-overload]
    "len": lambda: len(VECTOR),  # type: ignore[arg-type]
    "iteration": lambda: list(VECTOR),
    "membership": lambda: 1.0 in VECTOR,  # type: ignore[operator]
    "assignment": lambda: VECTOR.__setitem__(0, 1.0),  # type: ignore[attr-defined]
    "attributes": lambda: setattr(VECTOR, "shape", (1,)),
    "to NumPy": lambda: np.asarray(VECTOR),
    "a NumPy function": lambda: np.exp(VECTOR),  # type: ignore[call-overload]
    "a NumPy array on the right": lambda: VECTOR + np.ones(3),  # type: ignore[operator]
    "a NumPy array on the left": lambda: np.ones(3) + VECTOR,  # type: ignore[operator]
    "a NumPy scalar": lambda: VECTOR * np.float64(2.0),  # type: ignore[operator]
    "a NumPy array in a function": lambda: opaque_namespace.add(VECTOR, np.ones(3)),
    "a NumPy index": lambda: VECTOR[(np.array([0, 1]),)],
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_opaque_array_refuses(what: str) -> None:
    with pytest.raises(TypeError, match=r"OpaqueArray|opaque"):
        REFUSED[what]()


def test_addition_in_place_makes_another_opaque_array() -> None:
    total = VECTOR
    total += 1.0
    np.testing.assert_array_equal(reveal(total), [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(reveal(VECTOR), [0.0, 1.0, 2.0])


def test_an_opaque_array_has_no_undeclared_names() -> None:
    for name in ("copy", "sum", "T", "flags", "item", "tolist", "reshape", "__dict__"):
        assert not hasattr(VECTOR, name), name
    assert not hasattr(opaque_namespace, "isclose")


# --- what has no sample of its own ------------------------------------------------------------------


def test_assignment_gives_an_opaque_tensor_a_new_value() -> None:
    x = tensor(np.arange(3.0), OpaqueArray)
    view = x[1:]
    x[1] = 7
    x[::2] = tensor(np.array([5.0, 6.0]), OpaqueArray)
    x += 1
    np.testing.assert_array_equal(values(x), [6.0, 8.0, 7.0])
    np.testing.assert_array_equal(values(view), [1.0, 2.0])


def test_where_of_two_numbers_lies_on_the_device_of_the_condition() -> None:
    y = tgl.where(tensor(np.array([True, False]), OpaqueArray), 1.5, 2)
    assert y.dtype == "float32"
    np.testing.assert_array_equal(values(y), [1.5, 2.0])


def test_operands_on_two_devices_are_refused() -> None:
    x, y = tensor(np.ones(2), OpaqueArray), tensor(np.ones(2))
    named = "  {0}  shape (2,), float64, cpu\n  {1}  shape (2,), float64, cpu"
    for function, name, first, second in (
        (tgl.add, "add", "x1", "x2"),
        (tgl.maximum, "maximum", "x1", "x2"),
        (tgl.matmul, "matmul", "x1", "x2"),
        (lambda a, b: tgl.concat([a, b]), "concat", "arrays[0]", "arrays[1]"),
    ):
        text = f"{name} needs operands on one device\n{named.format(first, second)}"
        for pair in ((x, y), (y, x)):
            refuses(tgl.errors.DeviceError, lambda: function(*pair), text)  # noqa: B023


def test_whole_jacobians_and_hessians_stay_on_the_device() -> None:
    def function(x: Any) -> Any:
        return tgl.tanh(x) * tgl.sum(x)

    for transform in (
        lambda x: tgl.jacobian(function, x),
        lambda x: tgl.jacobian(function, x, strategy="forward-mode"),
        lambda x: tgl.hessian(lambda v: tgl.sum(function(v)), x),
        lambda x: tgl.hvp(lambda v: tgl.sum(function(v)), x, x)[1],
    ):
        found = [transform(tensor(np.array([0.5, -1.5, 2.0]), world)) for world in (np.ndarray, OpaqueArray)]
        assert [type(t._data) for t in found] == [np.ndarray, OpaqueArray]
        np.testing.assert_array_equal(*map(values, found))
