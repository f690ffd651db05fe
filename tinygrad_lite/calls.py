"""Calls with wrong arguments, refused in the words of this package: a function notices only where Python does."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, ParamSpec, TypeVar

from tinygrad_lite.errors import KeywordError, fail

P = ParamSpec("P")
R = TypeVar("R")

#: keywords of other dialects -> ours
_DIALECT = {
    "dim": "axis",
    "dims": "axis",
    "axes": "axis",
    "keepdim": "keepdims",
    "unbiased": "correction",
    "ddof": "correction",
    "input": "x",
    "a": "x",
    "size": "shape",
    "steps": "num",
    "interpolation": "method",
    "reverse": "descending",
    # of layers and optimisers, which have PyTorch's
    "axis": "dim",
    "learning_rate": "lr",
    "l2": "weight_decay",
    "rate": "p",
    "grad": "requires_grad",
    "momentum": "betas",
    "num_workers": "prefetch",
}

#: keyword of another dialect -> ours, and what to say where the one is not simply the other
_OTHERWISE = {
    "lower": ("upper", "say upper=False instead of lower=True, and upper=True instead of lower=False"),
}

#: From how alike on a keyword is taken for a misspelt one: "kepdims" is, "steps" is not "stop".
_ALIKE = 0.75


def checked_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse a wrong number of arguments, and an unknown keyword with the one that is meant: ``dim=`` is ``axis=``."""
    known = _names(function)

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if kwargs and not known.issuperset(kwargs):
            _refuse_keyword(function.__name__, list(inspect.signature(function).parameters), kwargs)
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            if error.__traceback__.tb_next is not None:  # type: ignore[union-attr] # not from the call itself
                raise
        _refuse_count(function.__name__, inspect.signature(function).parameters, args, kwargs)

    return checked


def _names(function: Callable[..., Any]) -> frozenset[str]:
    """The parameters of a function; a signature, which tells more, takes ten times as long, for every import."""
    code = inspect.unwrap(function).__code__
    return frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


class CheckedConstructor:
    """A base whose subclasses in this package refuse wrong arguments of ``__init__`` in the same words.

    For a user's own subclass Python's words are the expected ones.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        construct = vars(cls).get("__init__")
        if cls.__module__.startswith("tinygrad_lite.") and (construct is not None or "forward" in vars(cls)):
            cls.__init__ = checked_constructor(construct or cls.__init__)  # type: ignore[method-assign]


def checked_constructor(construct: Callable[..., None]) -> Callable[..., None]:
    """Refuse wrong arguments of an ``__init__`` in the name of the class."""
    known = _names(construct) - {"self"}

    @functools.wraps(construct)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        if kwargs and not known.issuperset(kwargs):
            _refuse_keyword(type(self).__name__, list(_without_self(construct)), kwargs)
        try:
            construct(self, *args, **kwargs)
        except TypeError as error:
            if error.__traceback__.tb_next is not None:  # type: ignore[union-attr]
                raise
        else:
            return
        hint = ""
        if hasattr(self, "forward") and any(hasattr(value, "_node") for value in args):
            hint = f"make the module first, then call it: {type(self).__name__}()(...)"
        _refuse_count(type(self).__name__, _without_self(construct), args, kwargs, hint)

    return checked


def _without_self(construct: Callable[..., None]) -> dict[str, inspect.Parameter]:
    return dict(list(inspect.signature(construct).parameters.items())[1:])


def refuse_call(function: Callable[..., Any], operation: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise the error of a call that does not fit the parameters of ``function``; do nothing where it fits."""
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **kwargs)
        return
    except TypeError:
        pass
    parameters = signature.parameters
    if not parameters.keys() >= kwargs.keys():
        _refuse_keyword(operation, list(parameters), kwargs)
    _refuse_count(operation, parameters, args, kwargs)


def _refuse_keyword(operation: str, known: list[str], given: Iterable[str]) -> NoReturn:
    from difflib import get_close_matches  # only where it is needed: scripts start without it

    wrong = next(name for name in given if name not in known)
    meant = _DIALECT.get(wrong, "")
    if meant not in known:
        begun = [name for name in known if len(wrong) > 2 and name.startswith(wrong)]
        meant = next(iter(begun or get_close_matches(wrong, known, 1, _ALIKE)), "")
    hint = f"say {meant}= instead of {wrong}=" if meant else ""
    ours, text = _OTHERWISE.get(wrong, ("", ""))
    if ours in known:
        hint = text
    has = f"it has {', '.join(known)}" if known else "it has none"
    fail(KeywordError, operation, f"has no argument {wrong!r}; {has}", {}, hint)


def _refuse_count(
    operation: str,
    parameters: Mapping[str, inspect.Parameter],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    hint: str = "",
) -> NoReturn:
    """Refuse a call with too many or too few arguments, or with one of them twice."""
    places = [name for name, p in parameters.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    has = f"it has {', '.join(parameters)}" if parameters else "it has none"
    for name, p in parameters.items():
        if p.kind is p.POSITIONAL_ONLY and name in kwargs:
            fail(KeywordError, operation, f"takes {name} by its place alone; {has}", {}, f"leave out {name}=")
    if len(args) > len(places):
        named = [name for name in parameters if name not in places]
        if named and not hint:
            hint = f"{named[0]} is given by its name: {named[0]}=..."
        fail(KeywordError, operation, f"got {len(args)} arguments in a row; {has}", {}, hint)
    missing = [n for n in places[len(args) :] if n not in kwargs and parameters[n].default is inspect.Parameter.empty]
    if missing:
        required = [n for n, p in parameters.items() if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
        hint = hint or f"{operation}({', '.join(required)})"
        fail(KeywordError, operation, f"needs {' and '.join(missing)}; {has}", {}, hint)
    twice = next((name for name in places[: len(args)] if name in kwargs), "an argument")
    fail(KeywordError, operation, f"got {twice} twice, by its place and by its name; {has}", {}, hint)
