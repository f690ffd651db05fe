"""What a communicator did: calls, rounds, messages, bytes and seconds, per operation."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Counts:
    """The counters of one operation on this rank.

    Attributes:
        calls: how often it was called.
        rounds: how often a rank had to wait for others before it could go on; the ring has 2(n-1) per allreduce.
        messages: sent by this rank. A call that MPI carries out counts as one, whatever MPI makes of it.
        bytes: sent by this rank, or read from the memory of others; for MPI's own, what was handed to it.
        seconds: from the call to its result, waiting for slower ranks included.
        algorithm: what carried out the last call.
    """

    calls: int = 0
    rounds: int = 0
    messages: int = 0
    bytes: int = 0
    seconds: float = 0.0
    algorithm: str = ""


class Statistics(dict[str, Counts]):
    """Counters by the operation's name, and their totals as attributes.

    >>> stats = Statistics()
    >>> stats["allreduce"].messages += 6
    >>> stats["all_gather"].messages += 3
    >>> stats.messages
    9
    """

    def __missing__(self, operation: str) -> Counts:
        counts = self[operation] = Counts()
        return counts

    def __getattr__(self, name: str) -> float:
        if name not in _TOTALS:
            raise AttributeError(f"statistics have no {name!r}")
        total: float = sum(getattr(counts, name) for counts in self.values())
        return total

    def reset(self) -> None:
        """Set every counter to zero; whoever holds a ``Counts`` sees that too."""
        for counts in self.values():
            counts.calls = counts.rounds = counts.messages = counts.bytes = 0
            counts.seconds, counts.algorithm = 0.0, ""


_TOTALS = tuple(field.name for field in fields(Counts) if field.name != "algorithm")
