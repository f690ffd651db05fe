"""What is wrong with an index that the backend refused, in words that do not depend on the backend or its version.

Only looked for when something is wrong: an index that fits costs nothing here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.autograd.refusals import broadcast_clash


def index_fault(shape: tuple[int, ...], parts: tuple[Any, ...]) -> tuple[str, str] | None:
    """The first thing that is wrong with an index into an array of ``shape``, and what to do about it.

    Args:
        shape: of the array.
        parts: the index in its normal form: slices, ints, None, Ellipsis and arrays.

    Returns:
        The need and the hint of the error, or None if nothing is found.

    >>> index_fault((3,), (5,))
    ('got index 5, but axis 0 has 3 elements', 'indices go from 0 to 2, or from -3 to -1 from the end')
    """
    if sum(part is Ellipsis for part in parts) > 1:
        return "needs at most one '...' in an index", "x[..., 0, :] says ':' for every further axis"
    for part in parts:
        if isinstance(part, slice):
            if any(n is not None and not hasattr(n, "__index__") for n in (part.start, part.stop, part.step)):
                return "needs whole numbers in a slice", "n // 2 is a whole number, n / 2 is none; int(n) makes one"
            if part.step == 0:
                return "needs a slice with a step other than 0", "x[::2] takes every second element"
    named = sum(map(_axes_of, parts))
    if named > len(shape):
        if not shape:
            return "got an index, but there are no axes (it is 0-d)", "x.item() is the value of a single number"
        if len(shape) == 1:
            return f"got indices for {named} axes, but there is 1 axis", "1 index reaches a single element"
        need = f"got indices for {named} axes, but there are {len(shape)} axes"
        return need, f"{len(shape)} indices reach a single element"
    place, arrays = 0, []
    for part in parts:
        if part is Ellipsis:
            place += len(shape) - named
            continue
        fault = _misfit(shape, place, part)
        if fault:
            return fault
        if not isinstance(part, slice) and part is not None and _axes_of(part):
            arrays.append(_places(part))
        place += _axes_of(part)
    if broadcast_clash(arrays):
        shapes = " and ".join(str(a) for a in arrays if a)
        hint = "they pick elements one by one; all rows and all columns of a block are x[rows][:, columns]"
        return f"needs indices that broadcast together, but they have shapes {shapes}", hint
    return None


def _axes_of(part: Any) -> int:
    """How many axes a part of an index takes up."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if getattr(getattr(part, "dtype", None), "kind", "") == "b" else 1


def _places(part: Any) -> tuple[int, ...]:
    """The shape of what an integer, an array of integers or a mask picks; a mask picks a vector."""
    if isinstance(part, int):
        return ()
    return (int(np.count_nonzero(part)),) if part.dtype.kind == "b" else part.shape


def _misfit(shape: tuple[int, ...], place: int, part: Any) -> tuple[str, str] | None:
    """What is wrong with one part of an index that begins at axis ``place``."""
    if part is None or isinstance(part, slice):
        return None
    if not isinstance(part, int) and part.dtype.kind == "b":
        wanted = shape[place : place + part.ndim]
        if part.shape == wanted:
            return None
        hint = "a mask has one value per element of what it is for: that of x > 0 fits x"
        return f"needs a mask of shape {wanted}, but it has shape {part.shape}", hint
    size = shape[place]
    values = np.asarray(part) if isinstance(part, (int, np.ndarray)) else np.asarray(())
    wrong = values[(values < -size) | (values >= size)]
    if not wrong.size:
        return None
    elements = "1 element" if size == 1 else f"{size} elements"
    hint = f"indices go from 0 to {size - 1}, or from -{size} to -1 from the end"
    if not size:
        hint = "there is nothing to pick"
    return f"got index {int(wrong.reshape(-1)[0])}, but axis {place} has {elements}", hint
