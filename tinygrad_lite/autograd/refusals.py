"""Why an operation refuses its operands, in words that name them: what happens when recording fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from tinygrad_lite.autograd.graph import Number, Tensor
from tinygrad_lite.autograd.rows import Row
from tinygrad_lite.errors import (
    ArgumentError,
    DeviceError,
    DTypeError,
    Error,
    GradientError,
    IndexingError,
    ShapeError,
    fail,
)


def named_operands(row: Row, operands: Sequence[Any]) -> dict[str, Any]:
    """The operands by the names of the row's signature."""
    if row.variadic:
        return {f"{row.operands[0]}[{i}]": _shown(x) for i, x in enumerate(operands)}
    return by_name(row.operands, operands)


def by_name(names: Sequence[str], operands: Sequence[Any]) -> dict[str, Any]:
    return {name: _shown(x) for name, x in zip(names, operands, strict=False) if x is not None}


def _shown(x: Any) -> Any:
    return x._data if isinstance(x, Number) else x


def refuse(row: Row, operands: Sequence[Any], error: Exception) -> NoReturn:
    """Turn what the backend raised into an error that names the operands."""
    if isinstance(error, Error):
        raise error
    tensors = [x for x in operands if isinstance(x, Tensor)]
    clash = broadcast_clash([x._data.shape for x in tensors])
    named = named_operands(row, operands)
    if clash and not row.statics:
        need = f"needs shapes that broadcast together, but {clash}"
        fail(ShapeError, row.name, need, named, broadcast_hint(named))
    types = {x._data.dtype.name: x._data.dtype for x in tensors}
    inexact = [type(x._data).__name__ for x in operands if isinstance(x, Number) and type(x._data) in (float, complex)]
    discrete = not inexact and all(dtype.kind in "biu" for dtype in types.values())
    hint = "convert with astype first" if discrete else ""
    if row.name.startswith("bitwise") and any(d.kind in "fc" for d in types.values()):
        hint = "bits are those of integers and bools: x.astype(int), or a comparison such as x > 0"
    no_statics = not row.statics  # so that it can only be the dtypes
    if isinstance(error, TypeError) and (discrete or no_statics or any(d.itemsize < 4 for d in types.values())):
        fail(DTypeError, row.name, f"does not work on {' and '.join([*types, *inexact])}", named, hint)
    kind = {TypeError: DTypeError, IndexError: IndexingError}.get(type(error), ArgumentError)
    text = str(error).rstrip(". ")
    fail(kind, row.name, f"cannot work on these operands: {text}", named, hint)


def refuse_devices(operation: str, named: Mapping[str, Any]) -> NoReturn:
    """Operands are on several devices: say how one gets from the processor to where the others are."""
    homes = {name: x.device for name, x in named.items() if isinstance(x, Tensor)}
    away = [device for device in homes.values() if device != "cpu"]
    left = next((name for name, device in homes.items() if device == "cpu"), "")
    hint = f'{left}.to("{away[0]}") copies {left} there' if away and left else ""
    fail(DeviceError, operation, "needs operands on one device", named, hint)


def broadcast_clash(shapes: Sequence[tuple[int, ...]]) -> str:
    """What keeps shapes from broadcasting, such as ``"axis -1 is 3 and 4"``; "" when they do.

    >>> broadcast_clash([(2, 3), (4,)])
    'axis -1 is 3 and 4'
    """
    for axis in range(1, max((len(s) for s in shapes), default=0) + 1):
        sizes = {s[-axis]: None for s in shapes if len(s) >= axis and s[-axis] != 1}
        if len(sizes) > 1:
            return f"axis -{axis} is " + " and ".join(map(str, sizes))
    return ""


def broadcast_hint(named: Mapping[str, Any]) -> str:
    """What makes shapes broadcast that do not: two that fit from the front, two that are each other's transpose.

    >>> import numpy as np
    >>> broadcast_hint({"x": np.zeros((3, 4)), "y": np.zeros(3)})
    'expand_dims(y, -1) lines y up with the first axis of x'
    """
    rule = "sizes are compared from the last axis on, and must be equal or 1"
    arrays = {name: x for name, x in named.items() if hasattr(x, "shape")}
    if len(arrays) != 2:
        return rule
    (long, tall), (short, low) = sorted(
        ((name, tuple(x.shape)) for name, x in arrays.items()), key=lambda p: -len(p[1])
    )
    if len(tall) == len(low) == 2 and low[::-1] == tall:
        return f"transpose one of them: matrix_transpose({short})"
    if not 0 < len(low) < len(tall) or broadcast_clash([tall[: len(low)], low]):
        return rule
    if len(tall) - len(low) > 1:
        shape = (*low, *(1,) * (len(tall) - len(low)))
        return f"reshape({short}, {shape}) lines {short} up with the first axes of {long}"
    return f"expand_dims({short}, -1) lines {short} up with the first {'axes' if len(low) > 1 else 'axis'} of {long}"


def require_float(operation: str, x: Tensor) -> None:
    """Refuse to differentiate anything but real floating-point tensors."""
    if x._data.dtype.kind != "f":
        hint = "complex tensors have no derivatives" if x._data.dtype.kind == "c" else "convert with astype first"
        fail(GradientError, operation, "needs a floating-point tensor", {"tensor": x}, hint)
