"""The table of public operations, from which every test of this folder is derived: the chapters put together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from operations.row import Operation, Sample
from operations.row import operations as operations
from operations.rows import activations as activations
from operations.rows import complex_numbers as complex_numbers
from operations.rows import creation as creation
from operations.rows import decompositions as decompositions
from operations.rows import elementwise as elementwise
from operations.rows import fourier as fourier
from operations.rows import gathering as gathering
from operations.rows import indexing as indexing
from operations.rows import joining as joining
from operations.rows import linalg as linalg
from operations.rows import logic as logic
from operations.rows import losses as losses
from operations.rows import manipulation as manipulation
from operations.rows import network as network
from operations.rows import products as products
from operations.rows import reductions as reductions
from operations.rows import repeating as repeating
from operations.rows import rounding as rounding
from operations.rows import scans as scans
from operations.rows import scatter as scatter
from operations.rows import similarity as similarity
from operations.rows import sorting as sorting
from operations.rows import special as special
from operations.rows import statistics as statistics
from operations.rows import triangles as triangles
from operations.rows import trigonometry as trigonometry
from operations.rows import windows as windows


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
