"""Public functions made from rows: the element-wise ones, whose call overhead matters most, need nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

from tinygrad_lite.autograd import record
from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.rows import Row

Unary: TypeAlias = Callable[[Any], Tensor]
Binary: TypeAlias = Callable[[Any, Any], Tensor]


def unary(declared: Row, doc: str, floating: bool = True, real: bool = False) -> Unary:
    """The public function of a row with one operand.

    ``floating``: integers become float32 first; ``real``: besides, complex numbers are refused.
    """
    made: Unary = documented(record.unary(declared, floating, real), declared.name, doc)
    return made


def binary(declared: Row, doc: str, floating: bool = False, ordering: bool = False) -> Binary:
    """The public function of a row with two operands, which broadcast and promote.

    ``floating``: integers become float32 first; ``ordering``: a number may lie beyond what the dtype can hold.
    """
    made: Binary = documented(record.binary(declared, floating, ordering), declared.name, doc)
    return made


def documented(function: Any, name: str, doc: str) -> Any:
    """``function`` under its public name, as if it were written out in the module that makes it."""
    caller = sys._getframe(1)
    while caller.f_globals["__name__"] == __name__:
        caller = caller.f_back  # type: ignore[assignment]
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    function.__module__ = caller.f_globals["__name__"]
    return function
