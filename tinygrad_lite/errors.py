"""Every error of the package, in one format.

    ShapeError: matmul needs x1.shape[-1] == x2.shape[-2], but 784 != 512
      x1    shape (64, 784), float32, cpu
      x2    shape (512, 10), float32, cpu
      in    mlp.layers.1: Linear(784 -> 10)
      at    train.py:31: logits = h @ w
      hint  transpose the second operand: x1 @ matrix_transpose(x2)

All the work happens here, on the way out: code that succeeds pays nothing for it. The user's line is
found by walking the stack to the first frame outside this package and NumPy; the module path is added by each
``nn.Module`` as the error passes through it.
"""

from __future__ import annotations

import linecache
import os
import sys
import warnings
from collections.abc import Mapping
from types import FrameType, FunctionType
from typing import Any, NoReturn

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep

#: Python's own files that call this package for the user: ``copy.deepcopy(x)`` stands in the user's file, not there.
_BETWEEN = tuple(os.path.join(os.path.dirname(os.path.abspath(os.__file__)), f"{m}.py") for m in ("copy", "pickle"))


class Error(Exception):
    """What the errors of this package have in common: an operation, what it needs, and what it got.

    Attributes:
        operation: the public name of the function or class that refuses.
        need: what it needs and what it got instead, as one sentence without a final full stop.
        operands: ``(name, description)`` of every operand, in the order of the call.
        module: path and description of the module in whose forward the error arose, or ``""``.
        line: file, line number and text of the user's line, or ``""``.
        hint: what to do about it, or ``""``.
    """

    def __init__(
        self,
        operation: str,
        need: str,
        operands: tuple[tuple[str, str], ...] = (),
        hint: str = "",
        line: str = "",
    ) -> None:
        super().__init__(operation, need, operands, hint, line)
        self.operation = operation
        self.need = need
        self.operands = operands
        self.hint = hint
        self.line = line
        self.module = ""
        self._path: tuple[str, ...] = ()

    def within(self, name: str, description: str, child: str = "") -> None:
        """Note that the error passed through a module on its way out.

        The innermost module gives the description, each further one puts the path to its child in front, and
        the outermost one its name.

        Args:
            name: what the module is called if it turns out to be the outermost.
            description: the module with its sizes: ``Linear(100 -> 10)``.
            child: the path from this module to the one before, such as ``layers.1``.
        """
        if not self.module:
            self._description = description
        elif child:
            self._path = (child, *self._path)
        self.module = f"{'.'.join((name, *self._path))}: {self._description}"

    def __str__(self) -> str:
        rows = [*self.operands, ("in", self.module), ("at", self.line), ("hint", self.hint)]
        rows = [(name, text) for name, text in rows if text]
        width = max((len(name) for name, _ in rows), default=0)
        lines = [f"{self.operation} {self.need}"]
        lines += [f"  {name:<{width}}  {text}" for name, text in rows]
        return "\n".join(lines)


class ShapeError(Error, ValueError):
    """Shapes that do not fit together."""


class IterationError(ShapeError, TypeError):
    """The length or the elements of a 0-d array; a TypeError, by which libraries tell single values from many."""


class ArgumentError(Error, ValueError):
    """An argument whose value is not one that the function accepts."""


class AxisError(Error, ValueError, IndexError):
    """An axis that the array does not have, or one that is named twice."""


class MissingAttributeError(Error, AttributeError):
    """A name that an object does not have, such as another library's."""


class KeywordError(Error, TypeError):
    """A keyword that the function does not have, such as ``dim=`` where ``axis=`` is meant."""


class DTypeError(Error, TypeError):
    """An element type, or a kind of object, that the operation cannot work on."""


class DeviceError(Error, RuntimeError):
    """Operands on different devices, or a device that this machine does not offer."""


class OutOfMemoryError(Error, MemoryError):
    """No memory left on the device; the message says who holds it."""


class CompileError(Error, RuntimeError):
    """A kernel that nvcc does not compile, or no nvcc to compile it."""


class LaunchError(Error, RuntimeError):
    """A kernel that did not start or broke off; the message names kernel, grid, block and arguments."""


class GradientError(Error, RuntimeError):
    """A derivative that cannot be taken: no graph, a freed graph, a value changed since it was saved."""


class AnomalyError(Error, FloatingPointError):
    """The operation or the rule that made the first NaN or inf, found under ``detect_anomaly``."""


class ExchangeError(Error, BufferError):
    """Memory that cannot be shared with another library."""


class DependencyError(Error, RuntimeError):
    """A program that this needs and that is not installed."""


class CommunicationError(Error, RuntimeError):
    """Ranks that disagree on what they do, or an MPI that cannot connect them."""


class IndexingError(Error, IndexError):
    """An index out of bounds or of the wrong kind."""


class StateError(Error, KeyError):
    """A state dictionary that does not belong to the object it is loaded into."""

    __str__ = Error.__str__  # KeyError's own would print the repr of its first argument


class DataError(Error, ValueError):
    """A file or a data set that is damaged, incomplete or not what its name says."""


class DataNotFoundError(DataError, FileNotFoundError):
    """A data set that is in none of the places where it may be."""

    __str__ = Error.__str__


def fail(
    kind: type[Error],
    operation: str,
    need: str,
    operands: Mapping[str, Any] | None = None,
    hint: str = "",
) -> NoReturn:
    """Raise ``kind`` with every operand described and the user's line found.

    Args:
        kind: one of the classes above.
        operation: the public name, such as ``"matmul"`` or ``"Linear"``.
        need: what is needed and what was given, read after the name: ``"needs ..., but ..."``.
        operands: the values of the call by their parameter names.
        hint: one sentence that says what to do.
    """
    described = tuple((name, describe(value)) for name, value in (operands or {}).items())
    raise kind(operation, need, described, hint, user_line())


def describe(value: Any) -> str:
    """One operand as an error shows it: shape, dtype and device of an array, a function's name, else a short repr.

    >>> describe([1, 2])
    '[1, 2]'
    """
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and dtype is not None:
        device = getattr(value, "device", "cpu")
        return f"shape {shape}, {getattr(dtype, 'name', dtype)}, {device}"
    if isinstance(value, type):
        return f"class {value.__name__}"
    if isinstance(value, FunctionType):
        return f"function {value.__name__}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def user_line(frame: FrameType | None = None) -> str:
    """``file.py:12: the source line`` of the innermost frame outside this package and NumPy, which calls it.

    Args:
        frame: of another thread, to be told where that is.
    """
    frame, _ = _user_frame(frame)
    if frame is None:
        return ""
    path, number = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(path, number, frame.f_globals).strip()
    return f"{os.path.basename(path)}:{number}: {source}" if source else f"{os.path.basename(path)}:{number}"


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Give a warning that points to the user's line."""
    warnings.warn(text, category, stacklevel=_user_frame()[1])


def _user_frame(frame: FrameType | None = None) -> tuple[FrameType | None, int]:
    """The innermost frame outside this package and NumPy, and its level, counted from 1, the caller of this."""
    numpy = getattr(sys.modules.get("numpy"), "__file__", None)
    between = (_PACKAGE, *_BETWEEN) if numpy is None else (_PACKAGE, *_BETWEEN, os.path.dirname(numpy) + os.sep)
    frame = sys._getframe(1) if frame is None else frame
    level = 1
    while frame is not None and os.path.abspath(frame.f_code.co_filename).startswith(between):
        frame, level = frame.f_back, level + 1
    return frame, level
