"""A fused forward and backward that a backend offers for a row of operations."""

from __future__ import annotations

from typing import Any, NamedTuple


class Override(NamedTuple):
    """A pair that computes what the row's own text computes, in fewer passes over memory.

    Attributes:
        forward: ``forward(needs, *operands, *statics)`` returns the outputs and what to save privately; ``needs`` says
            which operands need a gradient, and is empty if none does.
        backward: ``backward(private, g, needs, sinks)`` returns a gradient or None per operand. ``sinks`` holds, per
            operand, memory that the gradient may be written to, or None: a leaf's slice of the arena, or what the pair
            that made the operand lends of its own.
        lend: ``lend(private)`` returns what the pair offers to the operation that uses its output, if nothing else will
            look at it: something that this backend's pairs know, or None.
    """

    forward: Any
    backward: Any
    lend: Any = None
