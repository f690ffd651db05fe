"""The table of public operations, from which every test of this folder is derived: the chapters put together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from operations.row import Operation, Sample
from operations.row import operations as operations
from operations.rows import elementwise as elementwise
from operations.rows import indexing as indexing
from operations.rows import linalg as linalg
from operations.rows import losses as losses
from operations.rows import manipulation as manipulation
from operations.rows import network as network
from operations.rows import reductions as reductions


def cases() -> Iterator[tuple[Operation, Sample]]:
    """Every sample of every row."""
    for row in operations.values():
        for one in row.samples:
            yield row, one


def case_id(value: Any) -> str | None:
    """How a test's name shows a row or a sample."""
    if isinstance(value, Operation):
        return value.name
    return value.label if isinstance(value, Sample) else None
