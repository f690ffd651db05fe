"""Comparisons, logic, bits and predicates: results without a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import PAIRS, SHAPES, integers, operation, real, sample
from operations.rows.elementwise import unary

_NONE: dict[str, Any] = {"differentiable": (), "returns": ("bool",), "integers": "bool"}


def _comparison(name: str, numpy: Any, torch: str) -> None:
    ties = np.array([1.0, 2.0, -0.5, 0.0])
    samples = [sample(real(*s1), real(*s2)) for s1, s2 in PAIRS]
    samples.append(sample(ties, ties[::-1].copy() * [1, 1, 1, 0], label="ties"))
    operation(name, getattr(tgl, name), numpy, lambda t, a, b: getattr(t, torch)(a, b), samples, **_NONE)


_comparison("equal", np.equal, "eq")
_comparison("not_equal", np.not_equal, "ne")
_comparison("less", np.less, "lt")
_comparison("less_equal", np.less_equal, "le")
_comparison("greater", np.greater, "gt")
_comparison("greater_equal", np.greater_equal, "ge")
_comparison("logical_and", np.logical_and, "logical_and")
_comparison("logical_or", np.logical_or, "logical_or")
_comparison("logical_xor", np.logical_xor, "logical_xor")
_SPECIAL = [sample(np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0]), label="special")]
for _name, _torch in (
    *(("logical_not", "logical_not"), ("isfinite", "isfinite"), ("isinf", "isinf"), ("isnan", "isnan")),
    *(("isposinf", "isposinf"), ("isneginf", "isneginf"), ("signbit", "signbit")),
):
    _covers = ("equal",) if _torch in ("isposinf", "isneginf") else (_name,)
    _call = lambda t, x, torch=_torch: getattr(t, torch)(x)
    unary(_name, getattr(np, _name), torch=_call, extra=_SPECIAL, covers=_covers, **_NONE)

operation(
    "nextafter",
    tgl.nextafter,
    lambda a, b: a,  # in float64; the step itself is the smallest there is
    lambda t, a, b: t.nextafter(a, b),
    [sample(real(*s1), real(*s2)) for s1, s2 in PAIRS if s1 == np.broadcast_shapes(s1, s2)],
    differentiable=(),
    integers="float32",
)

# --- bits -------------------------------------------------------------------------------------------


def _bits(name: str, numpy: Any, torch: str, below: int = 64) -> None:
    samples = [sample(integers(*s1, below=64), integers(*s2, below=below)) for s1, s2 in PAIRS]
    samples += [sample(integers(3, below=2) > 0, integers(3, below=2) > 0)] if below == 64 else []
    call = lambda t, a, b: getattr(t, torch)(a, b)
    operation(name, getattr(tgl, name), numpy, call, samples, differentiable=(), returns=("option",))


_bits("bitwise_and", np.bitwise_and, "bitwise_and")
_bits("bitwise_or", np.bitwise_or, "bitwise_or")
_bits("bitwise_xor", np.bitwise_xor, "bitwise_xor")
_bits("bitwise_left_shift", np.left_shift, "bitwise_left_shift", below=8)
_bits("bitwise_right_shift", np.right_shift, "bitwise_right_shift", below=8)
operation(
    "bitwise_invert",
    tgl.bitwise_invert,
    np.invert,
    lambda t, x: t.bitwise_not(x),
    [*(sample(integers(*shape, below=9) - 4) for shape in SHAPES), sample(np.array([True, False]))],
    differentiable=(),
    returns=("option",),
)

# --- closeness --------------------------------------------------------------------------------------

_NEAR = np.array([1.0, 2.0, np.nan, np.inf, -np.inf, 0.0])
_MOVED = np.array([1.0 + 1e-6, 2.1, np.nan, np.inf, np.inf, 1e-9])


def _close(name: str, torch: Any, covers: tuple[str, ...]) -> None:
    samples = [sample(real(*s1), real(*s2)) for s1, s2 in PAIRS]
    samples += [sample(_NEAR, _MOVED), sample(_NEAR, _MOVED, equal_nan=True), sample(_NEAR, _NEAR, equal_nan=True)]
    samples += [sample(_NEAR, _MOVED, rtol=0.5, atol=0.0)] if name != "array_equal" else []

    def reference(a: Any, b: Any, **options: Any) -> Any:
        return np.asarray(getattr(np, name)(a, b, **options))

    operation(
        name, getattr(tgl, name), reference, torch, samples, covers=covers, dtypes=("float32", "float64"), **_NONE
    )


def _torch_equal(t: Any, a: Any, b: Any, equal_nan: bool = False) -> Any:
    if a.shape != b.shape:
        return t.tensor(False)
    return ((a == b) | (a.isnan() & b.isnan() & equal_nan)).all()


_close(
    "isclose",
    lambda t, a, b, **options: t.isclose(a, b, **options),
    ("less_equal", "isfinite", "logical_or", "logical_and"),
)
_close("allclose", lambda t, a, b, **options: t.isclose(a, b, **options).all(), ("all",))
_close("array_equal", _torch_equal, ("equal", "all"))
