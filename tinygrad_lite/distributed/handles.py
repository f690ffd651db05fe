"""The result of a collective that was started and is not waited for yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_lite.distributed.transport import Pending, Steps
from tinygrad_lite.distributed.unusable import INTERRUPTED
from tinygrad_lite.errors import CommunicationError


class Handle:
    """A collective under way. It moves on when MPI is called, so test it now and then while computing.

    The arrays that were passed may neither be read nor written until it is done. A rank that does nothing but test
    counts as one that waits: late ranks are reported, and a job that cannot go on ends. Waiting for one handle moves
    on the others of its communicator, not those of another: between communicators all ranks wait in one order.
    """

    def __init__(
        self, steps: Steps, finish: Callable[[], Any], wait: Callable[[Handle], None], poll: Callable[[], None]
    ) -> None:
        self._steps, self._finish, self._wait, self._poll = steps, finish, wait, poll
        self._result: Any = None
        self._pending: Pending | None = None
        self._failure: BaseException | None = None  # with its traceback, and so the arrays that MPI may write into
        self.done = False
        self.advance()

    def advance(self) -> None:
        """Go on to the next thing to wait for, now that the last one is there."""
        try:
            self._pending = next(self._steps, None)
            if self._pending is None:
                self._result = self._finish()
                self.done = True
        except BaseException as error:
            self._failure = error
            raise

    def test(self) -> bool:
        """Do what can be done without waiting; True when the result is there."""
        if self.progress():
            return True
        self._poll()
        return False

    def progress(self) -> bool:
        """Like ``test``, for a rank that is known to wait."""
        self._refuse_if_broken_off()
        while self._pending is not None:
            if not self._pending.Test():
                return False
            self.advance()
        return True

    def wait(self) -> Any:
        """Wait until the collective is done and return its result, the same object every time.

        Raises:
            CommunicationError: the ranks made different calls, or an exception has broken this one off.
        """
        self._refuse_if_broken_off()
        if not self.done:
            self._wait(self)
        return self._result

    def drive(self) -> None:
        """Wait through every step that is left."""
        while self._pending is not None:
            self._pending.Wait()
            self.advance()

    def _refuse_if_broken_off(self) -> None:
        if isinstance(self._failure, CommunicationError):
            raise self._failure
        if self._failure is not None:
            INTERRUPTED.refuse()
