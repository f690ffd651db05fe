"""Custom operations when they run: the results of forward and rules checked, missing halves of rules derived.

A vjp is linear in its cotangent g and a jvp in its tangent dx, and each is the transpose of the other:

    <vjp(g), dx> = <g, jvp(dx)>   for all g and dx,

so jvp(dx) is the gradient of <vjp(g), dx> in g, wherever g is, and the reverse. The given half runs on tensors for
that, cut off from the graph around it; the result may itself be recorded.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.autograd.engine import fit
from tinygrad_lite.autograd.graph import Tensor, enable_grad, make_leaf, make_tensor, sequence
from tinygrad_lite.autograd.rows import copied, namespaces
from tinygrad_lite.autograd.tools.array_functions import array_functions
from tinygrad_lite.autograd.tools.subgraph import Piece
from tinygrad_lite.errors import ArgumentError, GradientError, ShapeError, fail

Function = Callable[..., Any]


class Like(NamedTuple):
    """What an array was like, without the array."""

    shape: tuple[int, ...]
    dtype: Any


class Call:
    """What one call of an operation worked on; travels with it as a last static argument.

    Attributes:
        xp: the namespace of its arrays.
        operands: what each operand was like, None where it was left out.
        outputs: what each output was like.
    """

    __slots__ = ("operands", "outputs", "xp")

    xp: Any
    operands: list[Like | None]
    outputs: list[Like]


def is_array(xp: Any, value: Any) -> bool:
    """Whether ``value`` is an array (or NumPy's number in place of one) of the world of ``xp``."""
    if xp is namespaces[Tensor]:
        return isinstance(value, Tensor)
    return isinstance(value, (xp.array_type, np.generic)) and value.dtype.kind in "biufc"


def written(function: Function, first: str, saves: Sequence[str]) -> Function:
    """``function`` with a signature that says what it wants saved."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = [*first.split(), *saves, "_call"]
    function.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
    return function


# --- forward and rules as they were given -------------------------------------------------------------------------


def checked_forward(
    forward: Function,
    operation: str,
    operands: Sequence[inspect.Parameter] | None,
    statics: Sequence[inspect.Parameter],
    outputs: Sequence[str],
) -> Function:
    """The forward as the row calls it, on arrays that cannot be written; ``operands`` is None for any number."""
    named = [p.name for p in statics if p.kind is inspect.Parameter.KEYWORD_ONLY]

    def run(xp: Any, *values: Any) -> Any:
        *values, call = values  # type: ignore[assignment]
        count = 1 if operands is None else len(operands)
        arrays = values[0] if operands is None else values[:count]
        call.xp = xp
        call.operands = [None if a is None else Like(a.shape, a.dtype) for a in arrays]
        middle = len(values) - len(named)
        by_name = dict(zip(named, values[middle:], strict=True))
        found = forward(array_functions(xp), *map(sealed, arrays), *values[count:middle], **by_name)
        results = list(_outputs(operation, outputs, found))
        for i, (name, y) in enumerate(zip(outputs, results, strict=True)):
            if not is_array(xp, y):
                hint = "compute with xp and NumPy inside forward" if isinstance(y, Tensor) else ""
                hint = _ELSEWHERE if isinstance(y, np.ndarray) else hint
                need = f"needs a forward that returns an array, but {name} is of type {type(y).__name__}"
                fail(ArgumentError, operation, need, {}, hint)
            if isinstance(y, np.generic):
                results[i] = np.asarray(y)
            elif any(_shares(y, a) for a in (*arrays, *results[:i]) if a is not None):
                results[i] = copied(y)  # memory of its own: operands may be written later
        call.outputs = [Like(y.shape, y.dtype) for y in results]
        return tuple(results) if len(outputs) > 1 else results[0]

    return run


def _outputs(operation: str, outputs: Sequence[str], found: Any) -> Sequence[Any]:
    if len(outputs) == 1:
        return [found]
    several = isinstance(found, (tuple, list))
    if not several or len(found) != len(outputs):
        got = f"{len(found)} values" if several else type(found).__name__
        need = f"needs a forward that returns {len(outputs)} arrays ({', '.join(outputs)}), but got {got}"
        fail(ArgumentError, operation, need)
    return found  # type: ignore[no-any-return]


#: a hint about NumPy arrays among those of another device
_ELSEWHERE = "compute with xp and operators: NumPy's arrays lie on the cpu"


def _shares(y: Any, array: Any) -> bool:
    if isinstance(y, np.ndarray) and isinstance(array, np.ndarray):
        return np.may_share_memory(y, array)
    return y is array or getattr(y, "block", None) is getattr(array, "block", 0)  # the GPU's arrays lie in blocks


def checked_vjp(vjp: Function, operation: str, names: Sequence[str], place: int) -> Function:
    """The vjp of the operand at ``place``; refuses results that are no gradients."""

    def run(xp: Any, g: Any, *values: Any) -> Any:
        *saves, call = values
        share = vjp(array_functions(xp), sealed(g), *map(sealed, saves))
        _check_gradient(xp, operation, names[place], share, call.operands[place])
        return share

    return run


def checked_joint_vjp(vjp: Function, operation: str, names: Sequence[str]) -> Function:
    """The vjp of a joint rule; refuses results that are not one gradient per operand."""

    def run(xp: Any, g: Any, needs: tuple[bool, ...], *values: Any) -> Any:
        *saves, call = values
        shares = vjp(array_functions(xp), sealed(g), needs, *map(sealed, saves))
        if not isinstance(shares, (tuple, list)) or len(shares) != len(needs):
            got = f"{len(shares)}" if isinstance(shares, (tuple, list)) else f"a {type(shares).__name__}"
            need = f"needs a vjp that returns {len(needs)} gradients, one per operand, but got {got}"
            fail(GradientError, operation, need)
        for i, (share, need_it) in enumerate(zip(shares, needs, strict=True)):
            if share is not None and need_it:
                name = names[i] if len(names) == len(needs) else f"{names[0]}[{i}]"
                _check_gradient(xp, operation, name, share, call.operands[i])
        return shares

    return run


def checked_jvp(jvp: Function, operation: str, about: str, outputs: Sequence[str]) -> Function:
    """A jvp, of one operand or of a joint rule; refuses results that are no tangents of the outputs."""

    def run(xp: Any, tangents: Any, *values: Any) -> Any:
        *saves, call = values
        found = jvp(array_functions(xp), sealed(tangents), *map(sealed, saves))
        several = len(outputs) > 1
        if several and (not isinstance(found, (tuple, list)) or len(found) != len(outputs)):
            got = f"{len(found)}" if isinstance(found, (tuple, list)) else f"a {type(found).__name__}"
            need = f"needs a jvp{about} that returns {len(outputs)} tangents ({', '.join(outputs)}), but got {got}"
            fail(GradientError, operation, need)
        for name, tangent, like in zip(outputs, found if several else [found], call.outputs, strict=True):
            if several and tangent is None:
                continue
            _check_kind(xp, operation, f"jvp{about}", "tangent", tangent)
            if tangent.shape != like.shape and _broadcast(tangent.shape, like.shape) != like.shape:
                need = f"needs a jvp{about} that returns a tangent in the shape of its output"
                fail(ShapeError, operation, need, {name: like, "returned": tangent})
        return tuple(found) if several else found

    return run


def _check_gradient(xp: Any, operation: str, name: str, share: Any, like: Any) -> None:
    _check_kind(xp, operation, f"vjp for {name}", "gradient", share)
    if share.shape != like.shape and _broadcast(share.shape, like.shape) != share.shape:
        need = f"needs a vjp for {name} that returns a gradient in its shape"
        fail(ShapeError, operation, need, {name: like, "returned": share})


def _check_kind(xp: Any, operation: str, rule: str, what: str, value: Any) -> None:
    if is_array(xp, value) and value.dtype.kind == "f":
        return
    hint = ""
    if isinstance(value, Tensor) and xp is not namespaces[Tensor]:
        hint = "it runs on plain arrays here: compute with xp, operators and methods"
    elif isinstance(value, (np.ndarray, np.generic)) and xp is namespaces[Tensor]:
        hint = "this pass is recorded on tensors, and a NumPy array is not part of the graph: compute with xp"
    elif isinstance(value, np.ndarray) and namespaces[np.ndarray] is not xp:
        hint = _ELSEWHERE
    fail(GradientError, operation, f"needs a {rule} that returns a {what}", {"returned": value}, hint)


def _broadcast(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        return np.broadcast_shapes(first, second)
    except ValueError:
        return None


def sealed(value: Any) -> Any:
    """The same values, in NumPy arrays that cannot be written: gradients and saved values have other users."""
    if type(value) is np.ndarray:
        view = value.view()
        view.flags.writeable = False
        return view
    return type(value)(map(sealed, value)) if type(value) in (tuple, list) else value


# --- halves that were left out ------------------------------------------------------------------------


def jvp_from_vjp(vjp: Function, joint: bool) -> Function:
    """The transpose of a checked vjp, with the same saved values."""

    def jvp(xp: Any, tangents: Any, *values: Any) -> Any:
        call = values[-1]
        symbolic = xp is namespaces[Tensor]
        start = next(sequence)
        with enable_grad():
            cotangents = [_variable(call, like) if like.dtype.kind == "f" else None for like in call.outputs]
            g = cotangents if len(cotangents) > 1 else cotangents[0]
            on_tensors = values if symbolic else map(_on_tensors, values)
            if joint:
                needs = tuple([t is not None for t in tangents])
                shares = vjp(namespaces[Tensor], g, needs, *on_tensors)
                places = [i for i, need in enumerate(needs) if need and shares[i] is not None]
                pairs = [(fit(namespaces[Tensor], shares[i], call.operands[i]), tangents[i]) for i in places]
            else:
                share = vjp(namespaces[Tensor], g, *on_tensors)
                pairs = [(fit(namespaces[Tensor], share, tangents), tangents)]
        found = _pulled(start, pairs, cotangents, symbolic)
        return tuple(found) if len(found) > 1 else _filled(call, found[0], call.outputs[0], symbolic)

    return jvp


def vjp_from_jvp(jvp: Function, place: int) -> Function:
    """The transpose of the checked jvp of the operand at ``place``, with the same saved values."""

    def vjp(xp: Any, g: Any, *values: Any) -> Any:
        call, symbolic = values[-1], xp is namespaces[Tensor]
        (share,) = _transposed_jvp(jvp, call, g, [place], symbolic, values, lambda tangents: tangents[0])
        return _filled(call, share, call.operands[place], symbolic)

    return vjp


def joint_vjp_from_jvp(jvp: Function) -> Function:
    """The transpose of the checked jvp of a joint rule."""

    def vjp(xp: Any, g: Any, needs: tuple[bool, ...], *values: Any) -> Any:
        call, symbolic = values[-1], xp is namespaces[Tensor]
        places = [i for i, need in enumerate(needs) if need]

        def spread(tangents: list[Any]) -> list[Any]:
            at = dict(zip(places, tangents, strict=True))
            return [at.get(i) for i in range(len(needs))]

        shares = _transposed_jvp(jvp, call, g, places, symbolic, values, spread)
        return spread(shares)

    return vjp


def _transposed_jvp(
    jvp: Function,
    call: Call,
    g: Any,
    places: Sequence[int],
    symbolic: bool,
    values: Sequence[Any],
    arrange: Callable[[list[Any]], Any],
) -> list[Any]:
    xp = namespaces[Tensor]
    start = next(sequence)
    with enable_grad():
        tangents = [_variable(call, call.operands[i]) for i in places]  # type: ignore[arg-type]
        pushed = jvp(xp, arrange(list(tangents)), *(values if symbolic else map(_on_tensors, values)))
        several = len(call.outputs) > 1
        pairs = []
        for tangent, weight, like in zip(
            pushed if several else [pushed], g if several else [g], call.outputs, strict=True
        ):
            if tangent is not None and weight is not None:
                tangent = tangent if tangent.shape == like.shape else xp.broadcast_to(tangent, like.shape)
                pairs.append((tangent if tangent.dtype == like.dtype else xp.astype(tangent, like.dtype), weight))
    return _pulled(start, pairs, tangents, symbolic)


def _pulled(start: int, pairs: Sequence[tuple[Tensor, Any]], variables: Sequence[Any], symbolic: bool) -> list[Any]:
    """The gradients of the weighted sum of recorded tensors in the variables."""
    roots: list[Any] = [(y._node, weight) for y, weight in pairs if y._node is not None]
    if not roots:
        return [None] * len(variables)
    piece = Piece(start, [place for place, _ in roots])
    known = [v for v in variables if v is not None]
    found = iter(piece.pull(roots, [v._node for v in known], create_graph=symbolic))
    return [None if v is None else next(found) for v in variables]


def _variable(call: Call, like: Like) -> Tensor:
    """A leaf to differentiate in. Its value does not matter, because everything is linear in it."""
    tensor = make_tensor(call.xp.zeros(like.shape, like.dtype))
    make_leaf(tensor)
    return tensor


def _filled(call: Call, found: Any, like: Any, symbolic: bool) -> Any:
    if found is not None:
        return found
    zeros = call.xp.zeros(like.shape, like.dtype)
    return make_tensor(zeros) if symbolic else zeros


def _on_tensors(value: Any) -> Any:
    """A saved value of the world of numbers as the tensors' rules take it."""
    if isinstance(value, tuple):
        return tuple(map(_on_tensors, value))
    if isinstance(value, np.generic):
        value = np.asarray(value)
    return make_tensor(value) if type(value) in namespaces and not isinstance(value, Tensor) else value
