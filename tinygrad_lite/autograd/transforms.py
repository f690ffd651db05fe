"""Derivatives for users: ``backward`` and ``grad`` of results, and transforms of whole functions.

Each is a thin shell over the two walks of ``engine.py``: cotangents from outputs to inputs (reverse mode, J^T v)
and tangents from inputs to outputs (forward mode, J v).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_lite.autograd import engine, forward_mode, leaves
from tinygrad_lite.autograd.graph import Leaf, Tensor, enable_grad, make_leaf, make_tensor, mode
from tinygrad_lite.autograd.refusals import refuse_devices, require_float
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.errors import ArgumentError, DTypeError, GradientError, ShapeError, fail

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "vjp"]

# --- gradients of results -------------------------------------------------------------------------


def backward(
    outputs: Sequence[Tensor],
    gradients: Sequence[Any],
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """What ``Tensor.backward`` does, for several outputs at once; see there.

    A hook of a leaf may add to ``mode.endings[-1]`` what has to happen once, after the last of all hooks.
    """
    ending: list[Callable[[], None]] = []
    mode.endings.append(ending)
    try:
        _send(outputs, gradients, retain_graph, create_graph, inputs)
        for function in ending:
            function()
    finally:
        mode.endings.pop()


def _send(
    outputs: Sequence[Tensor],
    gradients: Sequence[Any],
    retain_graph: bool | None,
    create_graph: bool,
    inputs: Tensor | Sequence[Tensor] | None,
) -> None:
    """Take the cotangents of ``outputs`` to the leaves."""
    roots = [_root("backward", y, g) for y, g in zip(outputs, gradients, strict=True)]
    retain = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        engine.backward_pass(roots, retain_graph=retain, create_graph=create_graph)
        return
    targets: list[Leaf] = []
    for x in [inputs] if isinstance(inputs, Tensor) else inputs:
        if not isinstance(x, Tensor) or type(x._node) is not Leaf:
            hint = "grad(output, inputs) gives the gradients of intermediate results"
            fail(GradientError, "backward", "needs leaves that require a gradient as inputs", {"input": x}, hint)
        targets.append(x._node)
    found = engine.backward_pass(roots, retain_graph=retain, create_graph=create_graph, inputs=targets)
    for leaf, g in zip(targets, found, strict=True):
        if g is not None:
            leaves.deposit(leaf, g, create_graph)


@checked_keywords
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> Any:
    """The gradient of ``outputs`` in ``inputs``, without touching anyone's ``grad``.

    Args:
        outputs: one tensor or several, whose weighted sum is differentiated.
        inputs: tensors that the outputs were computed from; leaves or intermediate results.
        grad_outputs: the weights (cotangents), in the outputs' shapes; None is 1 for one-element outputs.
        retain_graph: keep the saved values for another pass; None means as ``create_graph``.
        create_graph: record the pass, so that the result can be differentiated again.
        allow_unused: give None, not an error, for inputs that the outputs do not depend on.

    Returns:
        One tensor per input in a tuple, or the tensor itself if ``inputs`` is a tensor.

    Raises:
        GradientError: if there is no graph, it was freed, or an input was not used.

    >>> import tinygrad_lite as tgl
    >>> x = tgl.Tensor(3.0, requires_grad=True)
    >>> first = grad(x**3, x, create_graph=True)
    >>> first, grad(first, x)
    (Tensor(27., from=multiply), Tensor(18.))
    """
    ys, xs = _several(outputs), _several(inputs)
    weights = [grad_outputs] if grad_outputs is None or isinstance(outputs, Tensor) else list(grad_outputs)
    if grad_outputs is None:
        weights = [None] * len(ys)
    if len(weights) != len(ys):
        need = f"needs one cotangent per output, but got {len(weights)} for {len(ys)}"
        fail(ArgumentError, "grad", need, {}, "pass a list with a weight, or None, for each output")
    for i, x in enumerate(xs):
        if not isinstance(x, Tensor) or x._node is None:
            fail(
                GradientError,
                "grad",
                f"needs inputs that require a gradient, but inputs[{i}] does not",
                {f"inputs[{i}]": x},
                "call requires_grad_() on it before the outputs are computed",
            )
    roots = [_root("grad", y, g) for y, g in zip(ys, weights, strict=True)]
    retain = create_graph if retain_graph is None else retain_graph
    places = [x._node for x in xs]
    found = engine.backward_pass(roots, retain_graph=retain, create_graph=create_graph, inputs=places)
    results: list[Tensor | None] = []
    for i, (x, g) in enumerate(zip(xs, found, strict=True)):
        if g is None and not allow_unused:
            hint = "pass allow_unused=True to get None for it"
            fail(
                GradientError,
                "grad",
                f"found that the outputs do not depend on inputs[{i}]",
                {f"inputs[{i}]": x},
                hint,
            )
        results.append(g if g is None or create_graph else make_tensor(leaves.as_array(g)))
    return results[0] if isinstance(inputs, Tensor) else tuple(results)


def _several(tensors: Any) -> list[Any]:
    """A list of one tensor or of several, such as ``model.parameters()``."""
    return [tensors] if isinstance(tensors, Tensor) or not hasattr(tensors, "__iter__") else list(tensors)


def _root(operation: str, y: Any, gradient: Any) -> tuple[Any, Any]:
    """A place in the graph with the cotangent that enters there."""
    if not isinstance(y, Tensor):
        hint = "what was computed with Python numbers or NumPy has no graph: compute it with tensors"
        if callable(y):
            hint = "of functions take vjp, jacobian or hessian"
        fail(GradientError, operation, "needs a tensor", {"output": y}, hint)
    if y._node is None:
        hint = "did you compute it under no_grad(), or from tensors without requires_grad=True?"
        fail(
            GradientError,
            operation,
            "needs a tensor that was computed from one that requires a gradient",
            {"output": y},
            hint,
        )
    if gradient is None:
        if y._data.size != 1:
            hint = "reduce it first, with .sum() or .mean(), or pass gradient="
            fail(
                GradientError,
                operation,
                "needs a gradient for an output with more than one element",
                {"output": y},
                hint,
            )
        xp = namespaces[type(y._data)]
        return y._node, xp.full(y._data.shape, 1, y._data.dtype)
    if getattr(getattr(gradient, "dtype", None), "kind", "") == "c":
        fail(DTypeError, operation, "needs a real gradient", {"output": y, "gradient": gradient}, "real(gradient)")
    gradient = _there(operation, gradient, y, "output", "gradient")
    if gradient._data.shape != y._data.shape:
        fail(
            ShapeError,
            operation,
            "needs a gradient in the output's shape",
            {"output": y, "gradient": gradient},
            "it is a weight for every element of the output; of an output with one element it may be left out",
        )
    return y._node, namespaces[Tensor].astype(_steady(gradient), y._data.dtype)


def _there(operation: str, v: Any, like: Tensor, what: str, name: str) -> Tensor:
    """``v`` as a tensor, which must be on the device of ``like``; what is no tensor is copied there."""
    if not isinstance(v, Tensor):
        return Tensor(v, dtype=like.dtype, device=like.device)
    if type(v._data) is not type(like._data):
        refuse_devices(operation, {what: like, name: v})
    return v


def _steady(v: Tensor) -> Tensor:
    """``v`` in memory that is never written in place: a gradient may be the cotangent itself."""
    return v if v._version is None else v.clone()


# --- transforms of functions --------------------------------------------------------------------------


def _call(
    operation: str, func: Callable[..., Any], inputs: Any, create_graph: bool
) -> tuple[list[Tensor], list[Tensor], bool, bool]:
    """Run ``func`` on inputs that start a graph of their own (or, under create_graph, continue the given one)."""
    _require_function(operation, func)
    single = isinstance(inputs, Tensor) or not isinstance(inputs, (tuple, list))
    given = [x if isinstance(x, Tensor) else Tensor(x) for x in ([inputs] if single else inputs)]
    fresh = []
    for x in given:
        require_float(operation, x)
        if create_graph and x._node is not None:
            fresh.append(x.clone())  # a node of its own, on the way to the caller's
        else:
            # Memory of its own: what func writes into its arguments must not reach the caller's tensors.
            fresh.append(make_tensor(namespaces[type(x._data)].asarray(x._data, copy=True)))
            make_leaf(fresh[-1])
    with enable_grad():
        outputs = func(*fresh)
    alone = isinstance(outputs, Tensor)
    ys = [outputs] if alone else list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    for y in ys:
        if not isinstance(y, Tensor):
            fail(
                GradientError,
                operation,
                "needs a function that returns a tensor or a tuple of them",
                {"returned": y},
                "does it end with a return, and compute with tensors from its arguments to its result?",
            )
    return fresh, ys, single, alone


def _require_function(operation: str, func: Any) -> None:
    if not callable(func):
        hint = f"pass the function itself, not its result: {operation}(f, x)"
        fail(DTypeError, operation, "needs a function", {"func": func}, hint)


def _directions(operation: str, v: Any, like: Sequence[Tensor], what: str) -> list[Tensor]:
    """One direction per tensor, in its shape; None is 1 for a single one-element tensor."""
    if v is None:
        if len(like) != 1 or like[0]._data.size != 1:
            hint = f"pass v, in the shape of the {what}"
            if what == "output":
                hint += ", or let the function return one number: its sum or mean"
            fail(GradientError, operation, f"needs v: a direction in the shape of the {what}", {what: like[0]}, hint)
        return [_ones(like[0])]
    several = isinstance(v, (tuple, list)) and (len(like) != 1 or any(isinstance(d, Tensor) for d in v))
    vs = list(v) if several else [v]
    if len(vs) != len(like):
        need = f"needs one direction per {what}, but got {len(vs)} for {len(like)}"
        fail(ArgumentError, operation, need, {}, f"pass v as a tuple of {len(like)}")
    vs = [_there(operation, d, x, what, "v") for d, x in zip(vs, like, strict=True)]
    for d, x in zip(vs, like, strict=True):
        if d.shape != x.shape:
            hint = f"v has one number for every element of the {what}"
            fail(ShapeError, operation, f"needs directions in the shapes of the {what}s", {what: x, "v": d}, hint)
    return [_steady(d).astype(x.dtype) for d, x in zip(vs, like, strict=True)]


def _result(values: Sequence[Any], single: bool) -> Any:
    return values[0] if single else tuple(values)


def _pull(ys: Sequence[Tensor], xs: Sequence[Tensor], vs: Sequence[Any], retain: bool, create: bool) -> list[Tensor]:
    """J^T v for recorded ys; zeros where an output does not depend on an input."""
    roots = [(y._node, v if create else v._data) for y, v in zip(ys, vs, strict=True) if y._node is not None]
    places = [x._node for x in xs]
    found: Sequence[Any] = [None] * len(places)
    if roots:
        found = engine.backward_pass(roots, retain_graph=retain, create_graph=create, inputs=places)  # type: ignore[arg-type]
    return [_or_zeros(g, x) for x, g in zip(xs, found, strict=True)]


def _push(ys: Sequence[Tensor], xs: Sequence[Tensor], vs: Sequence[Tensor], create: bool) -> list[Tensor]:
    """J v for recorded ys; zeros where an output does not depend on an input."""
    seeds: list[Any] = [(x._node, v if create else v._data) for x, v in zip(xs, vs, strict=True)]
    places: list[Any] = [y._node for y in ys if y._node is not None]
    pushed = iter(forward_mode.forward_pass(places, seeds, create_graph=create))
    return [_or_zeros(next(pushed) if y._node is not None else None, y) for y in ys]


def _or_zeros(value: Any, like: Tensor) -> Tensor:
    """A gradient or tangent as a tensor; None, which means zero, in the shape of ``like``."""
    if value is None:
        return make_tensor(namespaces[type(like._data)].zeros_like(like._data))
    return value if isinstance(value, Tensor) else make_tensor(leaves.as_array(value))


@checked_keywords
def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, *, create_graph: bool = False) -> tuple[Any, Any]:
    """The value of ``func`` and the product of a vector with its Jacobian, v^T J (reverse mode).

    Args:
        func: takes the inputs, returns a tensor or a tuple of them.
        inputs: a tensor or a tuple of them.
        v: the cotangent in the output's shape (a tuple for several outputs); None for a one-element output.
        create_graph: let the result be differentiated again.

    Returns:
        ``(outputs, v^T J)``, the second in the form of ``inputs``.

    >>> from tinygrad_lite import Tensor
    >>> vjp(lambda x: x * x, Tensor([1.0, 2.0]), Tensor([1.0, 10.0]))
    (Tensor([1., 4.]), Tensor([ 2., 40.]))
    """
    xs, ys, single, alone = _call("vjp", func, inputs, create_graph)
    vs = _directions("vjp", v, ys, "output")
    found = _pull(ys, xs, vs, create_graph, create_graph)
    outputs = ys if create_graph else [y.detach() for y in ys]
    return _result(outputs, alone), _result(found, single)


@checked_keywords
def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, *, create_graph: bool = False) -> tuple[Any, Any]:
    """The value of ``func`` and its derivative along a direction, J v (forward mode over the same graph).

    Args:
        func: takes the inputs, returns a tensor or a tuple of them.
        inputs: a tensor or a tuple of them.
        v: the tangent in the input's shape (a tuple for several inputs); None for a one-element input.
        create_graph: let the result be differentiated again.

    Returns:
        ``(outputs, J v)``, both in the form that ``func`` returns.

    >>> from tinygrad_lite import Tensor
    >>> jvp(lambda x: x * x, Tensor([1.0, 2.0]), Tensor([1.0, 10.0]))
    (Tensor([1., 4.]), Tensor([ 2., 40.]))
    """
    return _jvp("jvp", func, inputs, v, create_graph)


def _jvp(operation: str, func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool) -> tuple[Any, Any]:
    xs, ys, _, alone = _call(operation, func, inputs, create_graph)
    vs = _directions(operation, v, xs, "input")
    tangents = _push(ys, xs, vs, create_graph)
    outputs = ys if create_graph else [y.detach() for y in ys]
    return _result(outputs, alone), _result(tangents, alone)


@checked_keywords
def jacobian(
    func: Callable[..., Any], inputs: Any, *, create_graph: bool = False, strategy: str = "reverse-mode"
) -> Any:
    """All partial derivatives dy_i / dx_j of ``func``.

    Args:
        func: takes the inputs, returns one tensor.
        inputs: a tensor or a tuple of them.
        create_graph: let the result be differentiated again.
        strategy: ``"reverse-mode"`` (one pass per output element) or ``"forward-mode"`` (one per input element).

    Returns:
        A tensor of shape ``y.shape + x.shape``, or a tuple of one per input.

    >>> from tinygrad_lite import Tensor
    >>> jacobian(lambda x: x * x, Tensor([1.0, 2.0]))
    Tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        need = f'needs strategy "reverse-mode" or "forward-mode", but got {strategy!r}'
        fail(ArgumentError, "jacobian", need)
    xs, ys, single, alone = _call("jacobian", func, inputs, create_graph)
    if not alone:
        hint = "take the Jacobian of each output: jacobian(lambda x: f(x)[0], x)"
        fail(GradientError, "jacobian", "needs a function that returns one tensor", {}, hint)
    y = ys[0]
    if strategy == "forward-mode":
        return _result([_by_columns(y, x, create_graph) for x in xs], single)
    return _result(_by_rows(y, xs, create_graph), single)


def _unit(like: Tensor, i: int) -> Tensor:
    """The i-th unit vector in the shape of ``like``."""
    xp = namespaces[type(like._data)]
    flat = xp.astype(xp.arange(like._data.size) == i, like._data.dtype)
    return make_tensor(xp.reshape(flat, like._data.shape))


def _by_rows(y: Tensor, xs: Sequence[Tensor], create_graph: bool) -> list[Tensor]:
    """The Jacobians of y in each of xs by reverse mode: one pass per element of y."""
    rows = [_pull([y], xs, [_unit(y, i)], True, create_graph) for i in range(y._data.size)]
    return [_assembled([row[k] for row in rows], y, x) for k, x in enumerate(xs)]


def _by_columns(y: Tensor, x: Tensor, create_graph: bool) -> Tensor:
    """The Jacobian of y in x by forward mode: one pass per element of x."""
    columns = [_push([y], [x], [_unit(x, j)], create_graph)[0] for j in range(x._data.size)]
    turned = _assembled(columns, x, y)  # x.shape + y.shape
    front = len(x.shape)
    axes = (*range(front, len(turned.shape)), *range(front))
    found: Tensor = namespaces[Tensor].permute_dims(turned, axes)
    return found


def _assembled(parts: Sequence[Tensor], outer: Tensor, inner: Tensor) -> Tensor:
    """Parts in the shape of ``inner``, one per element of ``outer``, as one tensor."""
    shape = (*outer._data.shape, *inner._data.shape)
    if not parts:
        return make_tensor(namespaces[type(inner._data)].zeros(shape, inner._data.dtype))
    xp = namespaces[Tensor]
    found: Tensor = xp.reshape(xp.concat([xp.expand_dims(part, 0) for part in parts], 0), shape)
    return found


@checked_keywords
def hessian(func: Callable[..., Any], inputs: Any, *, create_graph: bool = False) -> Any:
    """All second derivatives d^2 y / dx_i dx_j of a function with one output element.

    Args:
        func: takes the inputs, returns a tensor with one element.
        inputs: a tensor or a tuple of them.
        create_graph: let the result be differentiated again.

    Returns:
        A tensor of shape ``x.shape + x.shape``, or a tuple of tuples of them.

    >>> from tinygrad_lite import Tensor
    >>> hessian(lambda x: (x**3).sum(), Tensor([1.0, 2.0]))
    Tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    xs, gradients, single, _ = _call("hessian", _gradient("hessian", func, []), inputs, create_graph)
    rows = [_by_rows(g, xs, create_graph) for g in gradients]
    return rows[0][0] if single else tuple(tuple(row) for row in rows)


def _gradient(operation: str, func: Callable[..., Any], values: list[Tensor]) -> Callable[..., tuple[Tensor, ...]]:
    """The function that computes the recorded gradient of ``func`` (and appends its value to ``values``)."""
    _require_function(operation, func)

    def gradient(*xs: Tensor) -> tuple[Tensor, ...]:
        y = func(*xs)
        if not isinstance(y, Tensor) or y._data.size != 1:
            hint = "sum or average what it returns, or use jacobian for a function with many outputs"
            fail(GradientError, operation, "needs a function with one output element", {"returned": y}, hint)
        values.append(y)
        return tuple(_pull([y], xs, [_ones(y)], True, True))

    return gradient


def _ones(y: Tensor) -> Tensor:
    xp = namespaces[type(y._data)]
    return make_tensor(xp.full(y._data.shape, 1, y._data.dtype))


@checked_keywords
def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, *, create_graph: bool = False) -> tuple[Any, Any]:
    """The value of ``func`` and the product of its Hessian with a vector, without forming the Hessian.

    Forward mode over the recorded reverse pass: about the cost of four evaluations of ``func``.

    Args:
        func: takes the inputs, returns a tensor with one element.
        inputs: a tensor or a tuple of them.
        v: the vector, in the form of ``inputs``.
        create_graph: let the result be differentiated again.

    Returns:
        ``(output, H v)``.

    >>> from tinygrad_lite import Tensor
    >>> hvp(lambda x: (x**3).sum(), Tensor([1.0, 2.0]), Tensor([1.0, 1.0]))
    (Tensor(9.), Tensor([ 6., 12.]))
    """
    single = isinstance(inputs, Tensor) or not isinstance(inputs, (tuple, list))
    values: list[Tensor] = []
    _, products = _jvp("hvp", _gradient("hvp", func, values), inputs, v, create_graph)
    return values[0] if create_graph else values[0].detach(), products[0] if single else products
