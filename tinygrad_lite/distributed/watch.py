"""Who is where: a table that the ranks of one host share, and what is done about ranks that are late, gone or astray.

Every rank notes each call it makes in its own row, a few stores to memory. At the end of a call the rows must agree on
what was called, which finds ranks that make different calls without sending anything. A thread of ``failure.Process``
looks at the table a few times a second, and while its rank waits, speaks when the others cannot come.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from tinygrad_lite import errors

if TYPE_CHECKING:
    from tinygrad_lite.distributed.handles import Handle

#: Calls that a row remembers; a rank that runs ahead of the others by more is not compared.
HISTORY = 64

#: Seconds between two looks at the table.
INTERVAL = 0.25

#: Seconds of waiting after which ranks are taken to stay where they are: a message takes microseconds.
SETTLED = 0.5

#: Seconds after a test of a handle in which the rank counts as waiting; one that comes back later has computed.
PAUSE = 2.0

_STATE, _CALL, _TIME, _TESTED, _LEFT, _ELSEWHERE = range(HISTORY, HISTORY + 6)  #: the words after the history
_COMPUTING, _WAITING, _POLLING, _ENDED, _FAILED = range(5)
_TEXTS = 1024  #: where the descriptions of calls begin: the last so many, each after the fingerprint of its call
WIDTH = 192  #: bytes of a description
_TEXT, _KEPT = 8 + WIDTH, 256
ROW = _TEXTS + _KEPT * _TEXT  #: bytes of a row

_BITS = 40  #: of a call's fingerprint in a word of the history; its number is above them


def fingerprint(text: str) -> int:
    """A number for a description, the same in every process."""
    data = text.encode()
    return (zlib.crc32(data) << 8 | zlib.adler32(data) & 0xFF) & (1 << _BITS) - 1


def described(text: str) -> bytes:
    """A description in ``WIDTH`` bytes; of a longer one the end is a number that tells it from others."""
    data = text.encode()
    if len(data) > WIDTH:
        end = f"... {fingerprint(text):010x}".encode()
        data = data[: WIDTH - len(end)] + end
    return data.ljust(WIDTH, b"\0")


def ranks_named(ranks: Iterable[int]) -> str:
    """``rank 1`` or ``ranks 0, 2``."""
    names = [str(rank) for rank in ranks]
    return f"rank{'s' * (len(names) > 1)} {', '.join(names)}"


def disagreement(number: int, said: Mapping[int, str]) -> errors.CommunicationError:
    """The error of ranks that made different calls, the same on every rank.

    Args:
        number: of the call, counted on this communicator.
        said: what every rank called.
    """
    rows: dict[str, list[int]] = {}
    for rank, text in sorted(said.items()):
        rows.setdefault(text, []).append(rank)
    operands = tuple(
        (f"rank{'s' * (len(ranks) > 1)} {', '.join(map(str, ranks))}", text) for text, ranks in rows.items()
    )
    need = f"needs the same calls in the same order on every rank, but call {number} differs"
    hint = "does every rank have the same model, the same sizes and the same number of steps?"
    return errors.CommunicationError("Communicator", need, operands, hint, errors.user_line())


class Watch:
    """This rank's row of the table, and its view of the others on its host.

    Args:
        mpi, host: mpi4py's module, and the communicator of the ranks on this host.
        ranks: what those ranks are called in the watched communicator.
        report: seconds of waiting after which to name the late ranks.
        timeout: seconds of waiting after which to end the job.

    Attributes:
        open: the handles that are under way, by their entries.
    """

    def __init__(self, mpi: Any, host: Any, ranks: Sequence[int], report: float, timeout: float) -> None:
        self._mpi, self._ranks, self._report, self._timeout = mpi, list(ranks), report, timeout
        self.open: dict[int, Handle] = {}
        me = self._row = host.Get_rank()
        self.rank: int = ranks[me]
        self._window = mpi.Win.Allocate_shared(ROW, 1, mpi.INFO_NULL, host)
        rows = [memoryview(self._window.Shared_query(r)[0]).cast("B") for r in range(len(ranks))]
        rows[me][:] = bytes(ROW)
        self._bytes = rows
        self._words = [row[:_TEXTS].cast("q") for row in rows]
        self._times = [row[:_TEXTS].cast("d") for row in rows]
        self._mine, self._clock, self._text = self._words[me], self._times[me], rows[me]
        self._others = [words for r, words in enumerate(self._words) if r != me]
        self._number = self._described = 0
        self._reported = -1
        self._gone: tuple[int, float] = (-1, 0.0)  # the entry that waits for a rank that is no more, and since when
        host.Barrier()

    @property
    def calls(self) -> int:
        """How many calls this rank has made."""
        return self._number

    # --- what every call does ---------------------------------------------------------------------------------

    def describe(self, mark: int, text: str) -> None:
        """Let the others read what calls with this fingerprint are."""
        start = _TEXTS + self._described % _KEPT * _TEXT
        self._described += 1
        self._text[start : start + _TEXT] = mark.to_bytes(8, "little") + described(text)

    def start(self, mark: int, now: float) -> int:
        """Note that a call begins, and that this rank waits for the others; returns the call's entry in the history."""
        number = self._number = self._number + 1
        # The words are signed: after 2^23 calls the number begins again, which the history's length divides.
        mine, entry = self._mine, (number & (1 << 63 - _BITS) - 1) << _BITS | mark
        mine[number % HISTORY] = mine[_CALL] = entry
        self._clock[_TIME] = now
        mine[_STATE] = _WAITING
        return entry

    @staticmethod
    def number(entry: int) -> int:
        """How many calls this was on its communicator."""
        return entry >> _BITS

    def wait(self, entry: int, now: float) -> None:
        """Note that this rank waits for the others from ``now`` on."""
        self._clock[_TIME] = now
        self._mine[_CALL] = entry
        self._mine[_STATE] = _WAITING

    def poll(self, entry: int) -> None:
        """Note that this rank asked in vain whether a call is done; it waits as long as it goes on asking."""
        now, mine, clock = time.monotonic(), self._mine, self._clock
        if mine[_STATE] != _POLLING or now - clock[_TESTED] > PAUSE:
            mine[_CALL] = entry
            clock[_TIME] = now
        clock[_TESTED] = now
        mine[_STATE] = _POLLING

    def compute(self) -> None:
        """Note that this rank goes on with other work."""
        self._mine[_STATE] = _COMPUTING

    def finish(self, entry: int) -> None:
        """Note that a call is done, and see that the others made the same.

        Raises:
            CommunicationError: they did not.
        """
        self._mine[_STATE] = _COMPUTING
        place = (entry >> _BITS) % HISTORY
        for words in self._others:
            if words[place] != entry:
                self.compare(entry)
                break

    def compare(self, entry: int) -> None:
        """Raise ``CommunicationError`` if another rank of this host made another call with the number of ``entry``."""
        if len(set(self._said(entry).values())) > 1:
            limit = time.monotonic() + SETTLED
            while len(said := self._said(entry)) < len(self._words) and time.monotonic() < limit:
                time.sleep(0.001)  # the late ones belong into the message too
            raise disagreement(entry >> _BITS, {self._ranks[row]: self._call_text(row, e) for row, e in said.items()})

    def explain(self, entry: int, error: Exception) -> NoReturn:
        """Raise MPI's error, or why MPI stumbled if ranks made different calls."""
        self.compute()
        try:
            self.compare(entry)
        except errors.CommunicationError as reason:
            raise reason from None
        raise error

    def _said(self, entry: int) -> dict[int, int]:
        """What each row calls number so-and-so; rows that are not there yet, or far ahead, are left out."""
        number = entry >> _BITS
        entries = {row: words[number % HISTORY] for row, words in enumerate(self._words)}
        return {row: found for row, found in entries.items() if found >> _BITS == number}

    def _call_text(self, row: int, entry: int) -> str:
        mark = (entry & (1 << _BITS) - 1).to_bytes(8, "little")
        for start in range(_TEXTS, ROW, _TEXT):
            if self._bytes[row][start : start + 8] == mark:
                return bytes(self._bytes[row][start + 8 : start + _TEXT]).rstrip(b"\0").decode(errors="replace")
        return "a call made long ago"

    # --- what the thread does ---------------------------------------------------------------------------------

    def waits(self) -> bool:
        """Whether this rank waits in a call."""
        return self._stands(self._row, time.monotonic()) in (_WAITING, _POLLING)

    def note_elsewhere(self, waits: bool) -> None:
        """Let the others read whether this rank waits in a call on another communicator."""
        self._mine[_ELSEWHERE] = waits

    def look(self) -> None:
        """Compare, report or end the job, if this rank waits for ranks that cannot come."""
        now, since = time.monotonic(), self._clock[_TIME]
        state, entry = self._stands(self._row, now), self._mine[_CALL]
        seen = self._clock[_TESTED] if state == _POLLING else now  # when the call was last known not to be done
        waited = seen - since
        if state not in (_WAITING, _POLLING) or self._clock[_TIME] != since:
            return
        if waited < 2 * SETTLED:  # by then a rank that can raise has raised
            return
        try:
            self.compare(entry)
        except errors.CommunicationError as error:
            error.line = ""
            self._give_up(f"{type(error).__name__}: {error}")
        gone = [self._ranks[row] for row in range(len(self._words)) if self._never_comes(row, entry)]
        if gone and self._gone[0] != entry:
            self._gone = entry, now  # it may have ended right after the call that this one is just coming back from
        elif gone and seen - self._gone[1] >= SETTLED:
            self._give_up(f"{ranks_named(gone)} ended too early\n{self.report(entry)}{_main_line()}")
        if waited > self._timeout:
            self._give_up(f"no progress for {self._timeout:g} s\n{self.report(entry)}{_main_line()}")
        if waited > self._report and self._reported != entry and self._speaks(now):
            self._reported = entry
            say(f"tinygrad_lite.distributed: {self.report(entry)}{_main_line()}")

    def _stands(self, row: int, now: float) -> int:
        """What a rank does; one that has not tested its handles for a while computes."""
        state = self._words[row][_STATE]
        return _COMPUTING if state == _POLLING and now - self._times[row][_TESTED] > PAUSE else state

    def _never_comes(self, row: int, entry: int) -> bool:
        """Whether a rank ended before this call, or without waiting for what it had started."""
        words, number = self._words[row], entry >> _BITS
        behind = (number - (words[number % HISTORY] >> _BITS)) % (1 << 63 - _BITS)  # 0, or a multiple of HISTORY
        return words[_STATE] == _ENDED and (0 < behind < 1 << 62 - _BITS or words[_LEFT] > 0)

    def _speaks(self, now: float) -> bool:
        """Whether this is the first of the ranks that wait: one report is enough."""
        states = [self._stands(row, now) for row in range(len(self._words))]
        waiting = [rank for rank, state in zip(self._ranks, states, strict=True) if state in (_WAITING, _POLLING)]
        first: int = min(waiting, default=self.rank)
        return first == self.rank

    def report(self, entry: int) -> str:
        """Which ranks the call of this entry waits for, and what they are doing."""
        now, number = time.monotonic(), entry >> _BITS
        waited, how = now - self._clock[_TIME], "polled" if self._mine[_STATE] == _POLLING else "waited"
        lines = [f"rank {self.rank} has {how} {waited:.0f} s in call {number}, {self._call_text(self._row, entry)}"]
        for row, words in enumerate(self._words):
            theirs, state = words[_CALL], self._stands(row, now)
            if row == self._row or (state in (_WAITING, _POLLING, _FAILED) and theirs >> _BITS == number):
                continue
            since = f"{now - self._times[row][_TIME]:.0f} s"
            last = f"call {theirs >> _BITS}, {self._call_text(row, theirs)}"
            before = f"its last one was {last}" if theirs else "it made no call"
            busy = f"computes since its last one began {since} ago: {last}" if theirs else "has made no call so far"
            if words[_ELSEWHERE]:
                busy = f"waits in a call on another communicator; on this one {before}"
            doing = {
                _COMPUTING: busy,
                _WAITING: f"waits since {since} in {last}",
                _POLLING: f"polls since {since} in {last}",
                _ENDED: f"has ended; {before}",
                _FAILED: f"has failed; {before}",
            }[state]
            lines.append(f"  late: rank {self._ranks[row]} {doing}")
        return "\n".join(lines)

    # --- ends -------------------------------------------------------------------------------------------------

    def _give_up(self, text: str) -> NoReturn:
        """End the job from the thread: the main one may sit in MPI for ever."""
        self._mine[_STATE] = _FAILED
        say(f"tinygrad_lite.distributed, rank {self.rank}: {text}")
        self.let_others_speak()
        abort(self._mpi)

    def let_others_speak(self) -> None:
        """Wait a moment until every rank of this host has failed or ended too: none is cut off in its message.

        Those that wait in a call are about to find out, and get more time than those that compute.
        """
        begin = time.monotonic()
        while any(words[_STATE] < _ENDED for words in self._words):
            waiting = any(words[_STATE] in (_WAITING, _POLLING) for words in self._words)
            if time.monotonic() - begin > (8 if waiting else 2) * SETTLED:
                break
            time.sleep(0.01)

    def fail(self) -> None:
        """Note that this rank has raised."""
        self._mine[_STATE] = _FAILED

    def end(self) -> None:
        """Note that this rank's program is over."""
        self._mine[_LEFT] = len(self.open)
        if self._mine[_STATE] != _FAILED:
            self._mine[_STATE] = _ENDED

    def free(self) -> None:
        """Give the table back, which nobody may look at any more. Collective."""
        views: list[Any] = [*self._words, *self._times, *self._bytes]
        for view in views:
            view.release()
        self._window.Free()


def _main_line() -> str:
    """Where the user's program is, as a last line of a report."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    line = errors.user_line(frame) if frame is not None else ""
    return f"\n  at    {line}" if line else ""


def say(text: str) -> None:
    """Write to the error output in one piece, so that several ranks' lines do not mix."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def abort(mpi: Any) -> NoReturn:
    """End every process of the job, this one last."""
    sys.stdout.flush()
    sys.stderr.flush()
    mpi.COMM_WORLD.Abort(1)
    os._exit(1)
