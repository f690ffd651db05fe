"""Running an operation and recording it: what happens between a public function and the graph.

``unary`` and ``binary`` make the element-wise functions, whose overhead matters most; ``apply`` runs every
other row. All three call the forward of the operands' own kind of array, and, when an operand
requires a gradient, hang a ``Node`` on the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import (
    Array,
    Node,
    Number,
    Projection,
    Tensor,
    Version,
    mode,
    sequence,
)
from tinygrad_lite.autograd.refusals import by_name, named_operands, refuse, refuse_devices
from tinygrad_lite.autograd.rows import Row, World, namespaces
from tinygrad_lite.errors import (
    ArgumentError,
    DTypeError,
    Error,
    GradientError,
    fail,
)

_new = object.__new__


_NUMBER = Number(0)  # for numbers whose value is already in hand: neither node nor version

# --- element-wise operations ----------------------------------------------------------------------


def unary(row: Row, floating: bool = True, real: bool = False) -> Callable[[Any], Tensor]:
    """The public function of a row with one operand.

    ``floating``: integers become float32 first; ``real``: besides, complex numbers are refused.
    """
    worlds = row.worlds
    discrete = not row.rules  # comparisons: bool results, nothing to record

    def function(x: Any, /) -> Tensor:
        try:
            a = x._data
        except AttributeError:
            x = tensor_of(row.name, x, row.operands[0])
            a = x._data
        if floating and a.dtype.kind != "f":
            if a.dtype.kind != "c":
                a = namespaces[type(a)].astype(a, dtypes.default_float)
            elif real:
                name = row.operands[0]
                hint = f"take real({name}), imag({name}) or abs({name})"
                fail(DTypeError, row.name, "needs real numbers", {name: x}, hint)
        world = worlds[type(a)]
        try:
            out = world.forward(a)
        except (ValueError, TypeError) as error:
            refuse(row, (x,), error)
        if type(out) is not world.array_type:
            out = world.xp.asarray(out)
        tensor = _new(Tensor)
        tensor._data = out
        tensor._version = None
        parent = x._node
        if parent is None or discrete or not mode.enabled:
            tensor._node = None
            return tensor
        plan = world.by_mask[1]
        node = _new(Node)
        node.seq = next(sequence)
        node.plan = plan
        node.parents = (parent,)
        node.saved = () if plan.keep is None else plan.keep((a, out))
        version = x._version
        node.versions = ((0, version, version.count),) if version is not None and plan.versioned else None
        node.shape = out.shape
        node.dtype = out.dtype
        node.hooks = None
        tensor._node = node
        return tensor

    return function


def binary(row: Row, floating: bool = False, ordering: bool = False) -> Callable[[Any, Any], Tensor]:
    """The public function of a row with two operands that broadcast and promote.

    ``floating``: integers become float32 first; ``ordering``: a number may lie beyond what the dtype can hold.
    """
    worlds = row.worlds
    discrete = not row.rules

    def function(x1: Any, x2: Any, /) -> Tensor:
        kind = type(x2)
        try:
            a = x1._data
            if kind is float or kind is int:
                world = None
                if a.dtype.kind == "f":
                    world = worlds[type(a)]
                    x2, b = _NUMBER, x2
            elif type(x1) is Number:
                b = x2._data
                world = worlds[type(b)] if b.dtype.kind == "f" else None
            else:
                b = x2._data
                dtype = a.dtype
                fits = dtype is b.dtype and type(a) is type(b) and not (floating and dtype.kind != "f")
                world = worlds[type(a)] if fits else None
        except AttributeError:
            world = None
        if world is None:
            x1, x2, a, b = promoted(row, x1, x2, floating, ordering)
            world = worlds[type(a)]
        try:
            out = world.forward(a, b)
        except (ValueError, TypeError, OverflowError) as error:  # 10**400 is no float
            refuse(row, (x1, Number(b) if x2 is _NUMBER else x2), error)
        if type(out) is not world.array_type:
            out = world.xp.asarray(out)
        tensor = _new(Tensor)
        tensor._data = out
        tensor._version = None
        n1, n2 = x1._node, x2._node
        if (n1 is None and n2 is None) or discrete or not mode.enabled:
            tensor._node = None
            return tensor
        plan = world.by_mask[(n1 is not None) + 2 * (n2 is not None)]
        node = _new(Node)
        node.seq = next(sequence)
        node.plan = plan
        node.parents = (n1, n2)
        node.saved = () if plan.keep is None else plan.keep((a, b, out))
        if x1._version is None and x2._version is None:
            node.versions = None
        else:
            node.versions = _versions(plan.versioned, (x1, x2))
        node.shape = out.shape
        node.dtype = out.dtype
        node.hooks = None
        tensor._node = node
        return tensor

    return function


def reflected(function: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
    """The operator with its operands exchanged: ``2 - x`` for ``subtract``."""

    def exchanged(x2: Any, x1: Any, /) -> Tensor:
        return function(Number(x1) if type(x1) is float or type(x1) is int else x1, x2)

    return exchanged


def operand(operation: str, value: Any, name: str) -> Tensor | Number:
    """A tensor or number for ``value``; arrays and nested lists become tensors without a gradient."""
    if isinstance(value, (Tensor, Number)):
        return value
    if type(value) in (float, int, bool, complex):
        return Number(value)
    return tensor_of(operation, value, name)


def tensor_of(operation: str, value: Any, name: str) -> Tensor:
    """``value`` itself if it is a tensor, else a new one; refused in the words of the operation, not of ``Tensor``."""
    if isinstance(value, Tensor):
        return value
    value = value._data if isinstance(value, Number) else value
    refused = None
    try:
        tensor = Tensor(value)
    except Error as error:
        refused = error
    if refused is not None:  # out of the handler, so that no traceback shows two errors
        fail(type(refused), operation, refused.need, {name: value}, refused.hint)
    return tensor


def promoted(
    row: Row, x1: Any, x2: Any, floating: bool = False, ordering: bool = False
) -> tuple[Any, Any, Array, Array]:
    """The operands with arrays of one dtype and one device; numbers stay weak."""
    *_, first, second = row.operands  # of ``where`` the last two
    given = (x1, x2)
    x1, x2 = operand(row.name, x1, first), operand(row.name, x2, second)
    a, b = x1._data, x2._data
    if isinstance(x1, Number) and isinstance(x2, Number):
        x1 = tensor_of(row.name, x1, first)
        a = x1._data
    if isinstance(x2, Number):
        dtype = dtypes.with_number(a.dtype, b)
    elif isinstance(x1, Number):
        dtype = dtypes.with_number(b.dtype, a)
    else:
        if type(a) is not type(b):
            if isinstance(given[0], np.generic):  # such as np.sqrt(2) is
                a = namespaces[type(b)].full((), a.item(), a.dtype)
            elif isinstance(given[1], np.generic):
                b = namespaces[type(a)].full((), b.item(), b.dtype)
            else:
                refuse_devices(row.name, by_name((first, second), (x1, x2)))
        dtype = dtypes.promote(a.dtype, b.dtype)
    if floating and dtype.kind in "biu":
        dtype = dtypes.default_float
    recording = mode.enabled and (x1._node is not None or x2._node is not None)
    if dtype.kind == "c" and recording and (row.rules or row.joint):
        need = "cannot carry a gradient: complex tensors have none"
        fail(GradientError, row.name, need, by_name((first, second), (x1, x2)), "detach() the real operand first")
    xp = namespaces[type(b) if isinstance(x1, Number) else type(a)]
    # The node remembers the operands' own dtypes: the engine casts what reaches them.
    try:
        a = xp.full((), a, dtype) if isinstance(x1, Number) else xp.astype(a, dtype)
        b = xp.full((), b, dtype) if isinstance(x2, Number) and type(b) is not float else b
    except OverflowError:
        if ordering:  # among integers it stands where infinity does
            x1, x2 = (Number(inf if x._data.real > 0 else -inf) if isinstance(x, Number) else x for x in (x1, x2))
            return promoted(row, x1, x2, floating)
        need = f"needs a number that {dtype.name} can hold"
        fail(ArgumentError, row.name, need, by_name((first, second), (x1, x2)), "convert the tensor with astype first")
    b = b if isinstance(x2, Number) else xp.astype(b, dtype)
    return x1, x2, a, b


# --- every other operation ------------------------------------------------------------------------


def _apply(row: Row, operands: Sequence[Any], statics: tuple[Any, ...] = ()) -> Any:
    """Run a row on tensors (``None`` for an operand that is left out) and record it.

    Args:
        row: the operation.
        operands: a Tensor, Number or None per operand of the row, already of fitting dtypes.
        statics: the static arguments in the order of the row's signature.

    Returns:
        A Tensor, or a tuple of Tensors for a row with several outputs.
    """
    if len(operands) == 1 and not row.variadic:
        x = operands[0]
        arrays: tuple[Any, ...] = (x._data,)
        world = row.worlds[type(x._data)]
        recording = x._node is not None and mode.enabled
        needs: tuple[bool, ...] = (True,) if recording else ()
    else:
        arrays = tuple([None if x is None else x._data for x in operands])
        world = _world(row, arrays, operands)
        needs = tuple([x is not None and x._node is not None for x in operands])
        recording = True in needs and mode.enabled
    private = None
    try:
        if world.override is not None:
            outputs, private = world.override.forward(needs, *arrays, *statics)
        elif row.variadic:
            outputs = world.forward(arrays, *statics)
        else:
            outputs = world.forward(*arrays, *statics)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        refuse(row, operands, error)
    if not row.several:
        tensor = _new(Tensor)
        tensor._data = outputs if type(outputs) in namespaces else world.xp.asarray(outputs)
        tensor._node = tensor._version = None
        if row.view and operands[0]._version is not None:
            operands[0]._version.share_with(tensor)
        if recording:
            _record(row, world, needs, operands, arrays, (tensor,), statics, private)
        return tensor
    tensors = []
    for out in outputs:
        tensor = _new(Tensor)
        tensor._data = out if type(out) is world.array_type else world.xp.asarray(out)
        tensor._node = tensor._version = None
        tensors.append(tensor)
    if recording:
        _record(row, world, needs, operands, arrays, tensors, statics, private)
    return tuple(tensors)


apply: Callable[..., Tensor] = _apply  #: for rows with one output
apply_several: Callable[..., tuple[Any, ...]] = _apply  #: for rows with several


def _world(row: Row, arrays: tuple[Any, ...], operands: Sequence[Any]) -> World:
    """The row on the kind of array that the operands are; all must be on one device."""
    first = type(arrays[0])
    for array in arrays:
        kind = type(array)
        if kind is not first and array is not None and kind not in (float, int, bool):
            if first in namespaces:
                refuse_devices(row.name, named_operands(row, operands))
            first = kind
    return row.worlds[first]


def _record(
    row: Row,
    world: World,
    needs: tuple[bool, ...],
    operands: Sequence[Any],
    arrays: tuple[Any, ...],
    tensors: Sequence[Tensor],
    statics: tuple[Any, ...],
    private: Any,
) -> None:
    """Hang the node of this call on its floating-point outputs."""
    if tensors[0]._data.dtype.kind != "f" and not any(t._data.dtype.kind == "f" for t in tensors):
        return
    plan = world.plans[needs]
    node = _new(Node)
    node.seq = next(sequence)
    node.plan = plan
    node.parents = tuple([None if x is None else x._node for x in operands])
    if plan.keep is None:
        node.saved = ()
    else:
        values = (*arrays, *[t._data for t in tensors], *statics)
        if row.variadic or plan.uses_shapes:
            shapes = tuple([None if a is None else getattr(a, "shape", ()) for a in arrays])
            values += (arrays, shapes) if row.variadic else shapes
        node.saved = plan.keep(values)
    node.private = private
    node.versions = _versions(plan.versioned, operands)
    node.shape = tensors[0]._data.shape
    node.dtype = tensors[0]._data.dtype
    node.hooks = None
    if len(tensors) == 1:
        tensors[0]._node = node
        return
    for index, tensor in enumerate(tensors):
        if tensor._data.dtype.kind == "f":
            tensor._node = Projection(node, index, tensor._data.shape, tensor._data.dtype)


def _versions(kept: tuple[int, ...], operands: Sequence[Any]) -> tuple[tuple[int, Version, int], ...] | None:
    """The buffers behind the saved operands, with their counts of writes so far."""
    found = []
    for i in kept:
        x = operands[i]
        if x is not None and x._version is not None:
            found.append((i, x._version, x._version.count))
    return tuple(found) or None
