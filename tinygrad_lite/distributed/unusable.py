"""What a communicator has in the place of its calls when it can make none any more."""

from __future__ import annotations

from typing import NoReturn

from tinygrad_lite.errors import CommunicationError, fail


class Unusable:
    """Refuses whatever is asked for, and says why.

    Args:
        need, hint: of the error.
    """

    def __init__(self, need: str, hint: str) -> None:
        self._need, self._hint = need, hint

    def refuse(self) -> NoReturn:
        fail(CommunicationError, "Communicator", self._need, {}, self._hint)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # not a call, but a tool that looks at the module
            raise AttributeError(name)
        self.refuse()


CLOSED = Unusable(
    "cannot be used after close()",
    "close() a communicator after its last use, or make another one with init() or split()",
)

INTERRUPTED = Unusable(
    "cannot be used after an exception has broken off one of its calls",
    "the other ranks still wait in that call: let the exception end the program",
)
