"""The inspection part of the Python array API standard: what the namespace says about itself."""

from __future__ import annotations

import sys
from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.errors import ArgumentError, fail
from tinygrad_lite.functions import devices

#: The newest version of the standard that is offered in full, and those that it contains.
VERSION = "2025.12"
_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", VERSION)

_NAMED = {
    dtype.name: dtype
    for dtype in (
        dtypes.bool_,
        *(dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64),
        *(dtypes.uint8, dtypes.uint16, dtypes.uint32, dtypes.uint64),
        *(dtypes.float32, dtypes.float64),
        *(dtypes.complex64, dtypes.complex128),
    )
}


def namespace(api_version: str | None = None) -> Any:
    """The module whose functions work on tensors, for libraries that only have a tensor in hand.

    Raises:
        ArgumentError: for a version of the standard that is not offered.
    """
    if api_version is not None and api_version not in _VERSIONS:
        offered = ", ".join(_VERSIONS)
        fail(ArgumentError, "__array_namespace__", f"offers {offered} of the standard, but got {api_version!r}")
    return sys.modules["tinygrad_lite"]


class Info:
    """What ``__array_namespace_info__()`` returns.

    >>> Info().default_device(), Info().default_dtypes()["real floating"]
    ('cpu', dtype('float32'))
    """

    __slots__ = ()
    __module__ = "tinygrad_lite"

    def capabilities(self) -> dict[str, Any]:
        """What the standard leaves to each library: NumPy arrays have at most 64 axes."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """Where new tensors are: ``"cpu"``."""
        return "cpu"

    def devices(self) -> tuple[str, ...]:
        """Every device of this machine that tensors can be on."""
        return ("cpu",)

    def default_dtypes(self, /, *, device: str | None = None) -> dict[str, dtypes.DType]:
        """What Python numbers become, and of which type indices are."""
        devices.check_device("default_dtypes", device)
        return {
            "real floating": dtypes.default_float,
            "complex floating": dtypes.default_complex,
            "integral": dtypes.default_int,
            "indexing": dtypes.default_int,
        }

    def dtypes(self, /, *, device: str | None = None, kind: Any = None) -> dict[str, dtypes.DType]:
        """The standard's dtypes by name, all of them or those of a ``kind`` that ``isdtype`` knows.

        ``float16``, which the standard does not have, is left out.

        >>> sorted(Info().dtypes(kind=("bool", "complex floating")))
        ['bool', 'complex128', 'complex64']
        """
        devices.check_device("dtypes", device)
        return {name: dtype for name, dtype in _NAMED.items() if kind is None or dtypes.isdtype(dtype, kind)}


def array_namespace_info() -> Info:
    """The default device and dtypes, and what else the array API standard lets one ask."""
    return Info()
