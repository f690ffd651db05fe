"""Who is where: a table that the ranks of one host share, and what is done about ranks that are late, gone or astray.

Every rank notes each call it makes in its own row, a few stores to memory. At the end of a call the rows must agree on
what was called, which finds ranks that make different calls without sending anything. A thread looks at the table a few
times a second while its rank waits, and speaks when the others cannot come.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from tinygrad_lite import errors

#: Calls that a row remembers; a rank that runs ahead of the others by more is not compared.
HISTORY = 64

#: Seconds between two looks at the table.
INTERVAL = 0.25

#: Seconds of waiting after which ranks are taken to stay where they are: a message takes microseconds.
SETTLED = 0.5

_STATE, _CALL, _TIME = HISTORY, HISTORY + 1, HISTORY + 2  #: the words after the history
_COMPUTING, _WAITING, _ENDED, _FAILED = range(4)
_TEXTS = 1024  #: where the descriptions of calls begin: the last so many, each after the fingerprint of its call
_TEXT, _KEPT = 200, 256
_ROW = _TEXTS + _KEPT * _TEXT

_BITS = 40  #: of a call's fingerprint in a word of the history; its number is above them


def fingerprint(text: str) -> int:
    """A number for a description, the same in every process."""
    data = text.encode()
    return (zlib.crc32(data) << 8 | zlib.adler32(data) & 0xFF) & (1 << _BITS) - 1


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
    """

    def __init__(self, mpi: Any, host: Any, ranks: Sequence[int], report: float, timeout: float) -> None:
        self._mpi, self._ranks, self._report, self._timeout = mpi, list(ranks), report, timeout
        me = host.Get_rank()
        self.rank: int = ranks[me]
        self._window = mpi.Win.Allocate_shared(_ROW, 1, mpi.INFO_NULL, host)
        rows = [memoryview(self._window.Shared_query(r)[0]).cast("B") for r in range(len(ranks))]
        rows[me][:] = bytes(_ROW)
        self._bytes = rows
        self._words = [row[:_TEXTS].cast("q") for row in rows]
        self._times = [row[:_TEXTS].cast("d") for row in rows]
        self._mine, self._clock, self._text = self._words[me], self._times[me], rows[me]
        self._others = [words for r, words in enumerate(self._words) if r != me]
        self._number = self._described = 0
        self._reported = -1
        host.Barrier()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_around, name="tinygrad_lite-watch", daemon=True)
        self._thread.start()

    @property
    def calls(self) -> int:
        """How many calls this rank has made."""
        return self._number

    # --- what every call does ---------------------------------------------------------------------------------

    def describe(self, mark: int, text: str) -> None:
        """Let the others read what calls with this fingerprint are."""
        start = _TEXTS + self._described % _KEPT * _TEXT
        self._described += 1
        self._text[start : start + _TEXT] = mark.to_bytes(8, "little") + text.encode()[: _TEXT - 8].ljust(
            _TEXT - 8, b"\0"
        )

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
        for start in range(_TEXTS, _ROW, _TEXT):
            if self._bytes[row][start : start + 8] == mark:
                return bytes(self._bytes[row][start + 8 : start + _TEXT]).rstrip(b"\0").decode(errors="replace")
        return "a call made long ago"

    # --- what the thread does ---------------------------------------------------------------------------------

    def _look_around(self) -> None:
        while not self._stop.wait(INTERVAL):
            waited = time.monotonic() - self._clock[_TIME]
            entry = self._mine[_CALL]
            if self._mine[_STATE] != _WAITING or waited < 2 * SETTLED:  # by then a rank that can raise has raised
                continue
            try:
                self.compare(entry)
            except errors.CommunicationError as error:
                error.line = ""
                self._give_up(f"{type(error).__name__}: {error}")
            gone = [row for row, words in enumerate(self._words) if words[_STATE] == _ENDED]
            # A rank may end right after the call that this one is just coming back from.
            if gone and not self._stop.wait(SETTLED) and self._waits_in(entry):
                self._give_up(f"{ranks_named(self._ranks[row] for row in gone)} ended too early\n{self.report(entry)}")
            if waited > self._timeout:
                self._give_up(f"no progress for {self._timeout:g} s\n{self.report(entry)}")
            if waited > self._report and self._reported != entry and self._speaks():
                self._reported = entry
                say(f"tinygrad_lite.distributed: {self.report(entry)}")

    def _waits_in(self, entry: int) -> bool:
        return bool(self._mine[_STATE] == _WAITING and self._mine[_CALL] == entry)

    def _speaks(self) -> bool:
        """Whether this is the first of the ranks that wait: one report is enough."""
        waiting = [r for words, r in zip(self._words, self._ranks, strict=True) if words[_STATE] == _WAITING]
        first: int = min(waiting, default=self.rank)
        return first == self.rank

    def report(self, entry: int) -> str:
        """Which ranks the call of this entry waits for, and what they are doing."""
        now, number = time.monotonic(), entry >> _BITS
        me = self._ranks.index(self.rank)
        waited = now - self._clock[_TIME]
        lines = [f"rank {self.rank} has waited {waited:.0f} s in call {number}, {self._call_text(me, entry)}"]
        for row, words in enumerate(self._words):
            theirs, state = words[_CALL], words[_STATE]
            if row == me or (state in (_WAITING, _FAILED) and theirs >> _BITS == number):
                continue
            since = f"{now - self._times[row][_TIME]:.0f} s"
            last = f"call {theirs >> _BITS}, {self._call_text(row, theirs)}" if theirs else "no call so far"
            doing = {
                _COMPUTING: f"computes since its last one began {since} ago: {last}"
                if theirs
                else "has made no call so far",
                _WAITING: f"waits since {since} in {last}",
                _ENDED: f"has ended; its last one was {last}",
                _FAILED: f"has failed; its last one was {last}",
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
            waiting = any(words[_STATE] == _WAITING for words in self._words)
            if time.monotonic() - begin > (8 if waiting else 2) * SETTLED:
                break
            time.sleep(0.01)

    def fail(self) -> None:
        """Note that this rank has raised."""
        self._mine[_STATE] = _FAILED

    def end(self) -> None:
        """Note that this rank's program is over, and stop looking."""
        if self._mine[_STATE] != _FAILED:
            self._mine[_STATE] = _ENDED
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()


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
