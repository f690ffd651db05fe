"""Every operation gives the values, shapes and dtypes of NumPy and PyTorch, for every layout and precision."""

from __future__ import annotations

import numpy as np
import pytest

from operations.rounding import assert_within_rounding
from operations.row import Operation, Sample
from operations.running import cast, forward, operands, results, strided, tensor, values
from operations.table import case_id, cases, operations

CASES = list(cases())


def _expected_dtype(row: Operation, one: Sample, place: int, same: str) -> str | None:
    named = row.returns[place]
    return one.options.get("dtype") if named == "option" else same if named == "same" else named


@pytest.mark.parametrize("row, one", CASES, ids=case_id)
def test_values_shapes_and_dtypes_are_those_of_numpy(row: Operation, one: Sample) -> None:
    for dtype in row.dtypes:
        arrays = cast(one.arrays, dtype)
        reference = results(row.numpy(*cast(arrays, "float64"), **one.options))
        for layout in (np.asarray, strided):
            given = [layout(a) for a in arrays]
            before = [a.copy() for a in given]
            ys = forward(row, one, operands(row, given)[0])
            assert len(ys) == len(reference)
            for place, (y, expected) in enumerate(zip(ys, reference, strict=True)):
                wanted = _expected_dtype(row, one, place, dtype)
                assert wanted is None or y.dtype == wanted, f"{dtype}: result {place} is {y.dtype}"
                model = row.model(arrays, dtype)
                assert_within_rounding(values(y), expected, f"{row.name} in {dtype}", **model)
            for a, b in zip(given, before, strict=True):
                np.testing.assert_array_equal(a, b, "the operation changed its operand")


@pytest.mark.needs("torch")
@pytest.mark.parametrize("row, one", CASES, ids=case_id)
def test_values_are_those_of_pytorch(row: Operation, one: Sample) -> None:
    import torch

    for dtype in row.dtypes[-2:]:
        arrays = cast(one.arrays, dtype)
        reference = results(row.torch(torch, *map(torch.tensor, arrays), **one.options))
        for y, expected in zip(forward(row, one, operands(row, arrays)[0]), reference, strict=True):
            model = row.model(arrays, dtype)
            model["length"] *= 2  # both sides round
            assert_within_rounding(values(y), expected.numpy(), f"{row.name} in {dtype}", **model)


WITH_INTEGERS = [row for row in operations.values() if row.integers is not None]


@pytest.mark.parametrize("row", WITH_INTEGERS, ids=case_id)
def test_integers_give_the_documented_dtype_and_the_values_of_floats(row: Operation) -> None:
    for one in row.samples:
        fractional = any(isinstance(v, float) for v in one.options.values())
        if fractional or not all(np.isfinite(a).all() for a in one.arrays):
            continue
        arrays = [np.rint(a).astype("int32") if a.dtype.kind == "f" else a for a in one.arrays]
        floats = [a.astype("float64") if a.dtype == "int32" else a for a in arrays]
        with np.errstate(all="ignore"):
            ys = results(row.call(*map(tensor, arrays), **one.options))
            expected = results(row.numpy(*floats, **one.options))
        for place, (y, exact) in enumerate(zip(ys, expected, strict=True)):
            wanted = "int32" if row.integers == "same" else row.integers
            if row.returns[place] != "same":
                wanted = row.returns[place]
            assert y.dtype == wanted
            if y.dtype.kind == "f":
                assert_within_rounding(values(y), exact, row.name, **row.model(floats, y.dtype))
            else:
                np.testing.assert_array_equal(values(y), exact)
