"""The reductions of a communicator: what NumPy, MPI and the user call them, and which element types they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.errors import ArgumentError, DTypeError, fail

Array = np.ndarray[Any, Any]

#: Bool, integers, floats and complex numbers: the kinds of elements that MPI computes with.
KINDS = "biufc"


class Reduction(NamedTuple):
    """How two arrays become one, and what happens to the total."""

    name: str
    ufunc: np.ufunc
    mpi: str | None  #: the name of MPI's operation, None where its results are not NumPy's
    mean: bool = False

    def combine(self, own: Array, others: Sequence[Array], total: Array, size: int) -> None:
        """Reduce ``own`` and the other ranks' numbers into ``total``, which may be ``own``."""
        ufunc = self.ufunc
        for other in others:
            ufunc(own, other, out=total)
            own = total
        if self.mean:
            self.finish(total, size)

    def finish(self, total: Array, size: int) -> None:
        """Turn the sum over ``size`` ranks into what was asked for, in place."""
        if not self.mean:
            return
        if size & (size - 1) == 0 and total.dtype.kind == "f":
            np.multiply(total, 1.0 / size, out=total)  # the same bits by a power of two, and several times faster
        else:
            np.true_divide(total, size, out=total)


#: For collectives that move elements and reduce none.
NOTHING = Reduction("nothing", np.add, None)

_SUM = Reduction("sum", np.add, "SUM")
_NUMBERS = {
    "sum": _SUM,
    "mean": _SUM._replace(name="mean", mean=True),
    "prod": Reduction("prod", np.multiply, "PROD"),
    "max": Reduction("max", np.maximum, "MAX"),
    "min": Reduction("min", np.minimum, "MIN"),
}
_BOOLS = {
    "prod": Reduction("prod", np.logical_and, "LAND"),
    "max": Reduction("max", np.logical_or, "LOR"),
    "min": Reduction("min", np.logical_and, "LAND"),
}


def reduction(operation: str, op: str, dtype: np.dtype[Any]) -> Reduction:
    """The reduction called ``op`` for elements of ``dtype``, or the reason why there is none."""
    if op not in _NUMBERS:
        need = f"needs op to be one of {', '.join(map(repr, _NUMBERS))}, but got {op!r}"
        fail(ArgumentError, operation, need)
    check_elements(operation, dtype)
    kind = dtype.kind
    if kind == "b":
        if op not in _BOOLS:
            fail(
                DTypeError,
                operation,
                f"has no {op} of bool",
                hint="ask for 'max' (any) or 'min' (all), or convert first",
            )
        return _BOOLS[op]
    if op == "mean" and kind in "iu":
        fail(DTypeError, operation, f"has no mean of {dtype}", hint="convert to a float first, or ask for the 'sum'")
    if op in ("max", "min") and kind == "c":
        fail(DTypeError, operation, f"has no {op} of {dtype}: complex numbers are not ordered")
    found = _NUMBERS[op]
    # Not every MPI knows 16-bit floats; and what MPI_MAX makes of a NaN is open, where NumPy's maximum keeps it.
    ours = dtype.itemsize == 2 if kind in "fc" and op in ("sum", "mean", "prod") else kind == "f"
    return found._replace(mpi=None) if ours else found


def check_elements(operation: str, dtype: np.dtype[Any]) -> None:
    """Refuse elements that MPI cannot send as numbers."""
    if dtype.kind not in KINDS or not dtype.isnative:
        need = f"needs numbers or bools in this machine's byte order, but got {dtype.str}"
        fail(
            DTypeError,
            operation,
            need,
            hint="x.astype(x.dtype.newbyteorder('=')) reorders the bytes" if dtype.kind in KINDS else "",
        )


def bounds(length: int, size: int) -> list[tuple[int, int]]:
    """Cut ``length`` elements for ``size`` ranks: chunks as equal as can be, the longer ones first.

    >>> bounds(7, 3)
    [(0, 3), (3, 5), (5, 7)]
    """
    each, longer = divmod(length, size)
    stops = [(r + 1) * each + min(r + 1, longer) for r in range(size)]
    return list(zip([0, *stops[:-1]], stops))
