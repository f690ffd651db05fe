"""Every operation on the GPU: the values of NumPy, the derivatives of the CPU, and the same bits at every run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from operations.derivatives import derivatives
from operations.on_gpu import gpu_world
from operations.rounding import assert_within_rounding
from operations.row import Operation, Sample
from operations.running import cast, forward, operands, results, size_of, strided, values
from operations.table import case_id, cases

pytestmark = [
    pytest.mark.needs("cuda"),
    pytest.mark.usefixtures("gpu"),
    pytest.mark.filterwarnings("ignore:.* is computed on the CPU:RuntimeWarning"),
]

CASES = [(row, one) for row, one in cases() if one.arrays]
SMOOTH = [(row, one) for row, one in CASES if row.active(one.arrays)]


@pytest.mark.parametrize("row, one", CASES, ids=case_id)
def test_values_on_the_gpu_are_those_of_numpy_and_always_the_same(row: Operation, one: Sample) -> None:
    world = gpu_world()
    for dtype in row.dtypes:
        arrays = cast(one.arrays, dtype)
        reference = results(row.numpy(*cast(arrays, "float64"), **one.options))
        found = []
        for layout in (np.asarray, strided):
            given = operands(row, [layout(a) for a in arrays], world)[0]
            ys = forward(row, one, given)
            assert len(ys) == len(reference)
            for y, expected in zip(ys, reference, strict=True):
                assert type(y._data) is world, f"{row.name} left the device"
                model = row.model(arrays, dtype)
                assert_within_rounding(values(y), expected, f"{row.name} in {dtype}", **model)
            for x, a in zip(given, arrays, strict=True):
                np.testing.assert_array_equal(values(x), a, "the operation changed its operand")
            found.append([values(y) for y in ys])
        again = forward(row, one, operands(row, [strided(a) for a in arrays], world)[0])
        for first, y in zip(found[1], again, strict=True):
            np.testing.assert_array_equal(first, values(y), f"{row.name} in {dtype} gave other bits")


@pytest.mark.parametrize("row, one", SMOOTH, ids=case_id)
def test_derivatives_on_the_gpu_are_those_of_the_cpu(row: Operation, one: Sample) -> None:
    world = gpu_world()
    on_cpu, on_gpu = derivatives(row, one, np.ndarray), derivatives(row, one, world)
    assert on_cpu.keys() == on_gpu.keys()
    for what, expected in on_cpu.items():
        _assert_close(row, one, f"{what} of {row.name}", expected, on_gpu[what], world)


def _assert_close(row: Operation, one: Sample, what: str, expected: list, found: list, world: Any) -> None:
    assert len(expected) == len(found)
    exact = [None if x is None else values(x) for x in expected]
    model = {**row.model(one.arrays), "size": size_of([v for v in exact if v is not None], one.arrays)}
    model["size"] *= 8 * row.condition
    model["length"] *= 4
    for reference, y in zip(exact, found, strict=True):
        if reference is None or y is None:
            assert reference is None
            assert y is None
            continue
        assert type(y._data) is world, f"{what} left the device"
        assert (y.shape, y.dtype) == (reference.shape, reference.dtype)
        model["dtype"] = reference.dtype
        assert_within_rounding(values(y), reference, what, **model)
