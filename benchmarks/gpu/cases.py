"""What a row of the benchmark is: inputs, a call through the public functions, what it must give, what it must move.

A case is checked before it is timed. Results that involve rounding are compared with the same formula in float64,
element by element, in units of float32's unit roundoff times a scale that the formula's error is proportional to (for a
sum, the sum of the magnitudes); results that do not round must have the very bits that the CPU backend gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

import tinygrad_lite as tgl
from tinygrad_lite.backends import devices

Array: TypeAlias = "np.ndarray[Any, Any]"
Arrays: TypeAlias = "tuple[Array, ...]"
Call: TypeAlias = Callable[[], Any]

ROUNDOFF = 2.0**-24  #: of float32


class Expected(NamedTuple):
    """A result in float64 and, element by element, what its error is measured by; the value's own size by default."""

    value: Array
    scale: Array | None = None


@dataclass(frozen=True)
class Case:
    """One row.

    Attributes:
        group, name: the headings under which it is listed.
        inputs: (rng, elements) -> fresh NumPy arrays of about so many elements.
        prepare: (device, *tensors) -> the call that is checked and timed; it returns one result or a tuple of them.
        reference: (*float64 inputs) -> what the call gives; None: the very bits of the CPU backend.
        traffic: bytes that the call cannot avoid to move, from the inputs.
        roundings: the error that is allowed, in units of the roundoff times the scale.
        share: the part of the device's copy bandwidth that is aimed at; None where there is no target.
        operations: arithmetic per element of the first input, for the roofline; 0 where none is meant.
        calls: how often the call runs before its results are compared with the reference.
        whole: how results of the size that is timed are checked: all of them, a sample of their rows (each of which
            depends on the inputs' rows of the same number alone), or not.
    """

    group: str
    name: str
    inputs: Callable[[np.random.Generator, int], Arrays]
    prepare: Callable[..., Call]
    traffic: Callable[..., int]
    reference: Callable[..., Any] | None = None
    roundings: float = 8
    share: float | None = None
    operations: float = 0
    calls: int = 1
    whole: Literal["all", "sample", "no"] = "sample"


def of(function: Callable[..., Any]) -> Callable[..., Call]:
    """The ``prepare`` of a case that is a function of its tensors."""
    return lambda device, *tensors: lambda: function(*tensors)


def on_device(device: str, arrays: Arrays) -> list[Any]:
    """The inputs as tensors on a device."""
    return [tgl.asarray(array, device=device) for array in arrays]


def results(found: Any) -> list[Array]:
    """What a call returned, as NumPy arrays."""
    several = found if isinstance(found, (tuple, list)) else (found,)
    return [x.detach().numpy() if isinstance(x, tgl.Tensor) else devices.on_host(x) for x in several]


def deviation(case: Case, found: list[Array], inputs: Arrays, rows: Array | None = None) -> float:
    """The largest error in roundings; of bits that must agree 0 or infinity. ``rows``: compare these alone."""
    if rows is not None:
        found = [x[rows] for x in found]
        inputs = tuple(x[rows] for x in inputs)
    if case.reference is None:
        expected = results(_called(case, "cpu", inputs))
        same = all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(found, expected, strict=True))
        return 0.0 if same else float("inf")
    wanted = case.reference(*(x.astype(np.float64) if x.dtype.kind == "f" else x for x in inputs))
    wanted = wanted if isinstance(wanted, list) else [wanted]
    return max(_error(x, y) for x, y in zip(found, wanted, strict=True))


def check(case: Case, device: str, rng: np.random.Generator, elements: int) -> float:
    """The largest error on fresh inputs, in roundings."""
    inputs = case.inputs(rng, elements)
    return deviation(case, results(_called(case, device, inputs)), inputs)


def check_whole(case: Case, found: list[Array], inputs: Arrays, rng: np.random.Generator) -> float | None:
    """The error of results of the size that is timed."""
    if case.whole == "no":
        return None
    if case.whole == "all":
        return deviation(case, found, inputs)
    count = len(inputs[0])
    ends = np.array([0, count - 1])
    rows = np.unique(
        np.concatenate([ends, rng.integers(0, count, min(count, 100_000 if inputs[0].ndim == 1 else 256))])
    )
    return deviation(case, found, inputs, rows)


def _called(case: Case, device: str, inputs: Arrays) -> Any:
    tgl.manual_seed(7)
    call = case.prepare(device, *on_device(device, inputs))
    for _ in range(case.calls - 1):
        call()
    return call()


def _error(found: Array, wanted: Any) -> float:
    expected = wanted if isinstance(wanted, Expected) else Expected(wanted)
    value = np.asarray(expected.value, np.float64)
    if found.shape != value.shape:
        return float("inf")
    if not value.size:
        return 0.0
    scale = np.abs(value) if expected.scale is None else expected.scale
    # Below the smallest normal number an error of one unit is no error of the formula.
    return float(np.max(np.abs(found - value) / (ROUNDOFF * np.maximum(scale, 2.0**-126))))
