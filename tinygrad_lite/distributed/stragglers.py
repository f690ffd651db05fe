"""Workers that are late now and then, on purpose: a delay per rank and step, drawn from a law with a seed.

A synchronous step lasts as long as its slowest rank. If each of n ranks takes an exponential time of mean tau, the step
takes tau H(n) = tau (1 + 1/2 + ... + 1/n), about tau log n, on average (the lecture on optimisation for machine
learning, "straggler effect"), whatever carries the gradients: the ring waits as the parameter server does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from tinygrad_lite.calls import CheckedConstructor
from tinygrad_lite.errors import ArgumentError, fail
from tinygrad_lite.functions.arguments import checked_keywords, integer, number

__all__ = ["Stragglers", "harmonic"]

#: The exponent of the Pareto law: a tail heavy enough that single delays of ten times the mean occur, with a variance.
PARETO_EXPONENT = 2.5

#: law -> how to draw one delay of mean 1
LAWS: dict[str, Callable[[np.random.Generator], float]] = {
    "constant": lambda draws: 1.0,
    "exponential": lambda draws: draws.exponential(),
    "shifted exponential": lambda draws: 0.5 + 0.5 * draws.exponential(),
    "normal": lambda draws: max(draws.normal(1.0, 0.25), 0.0),
    "pareto": lambda draws: (1.0 + draws.pareto(PARETO_EXPONENT)) * (PARETO_EXPONENT - 1.0) / PARETO_EXPONENT,
}


class Stragglers(CheckedConstructor):
    """Delays one rank at random, by a law that all ranks share; each rank draws its own numbers.

    The package's random stream, from which weights and masks come, is left alone.

    Args:
        rank: which of the ranks this is.
        mean: of the delays, in seconds.
        law: ``"constant"``, ``"exponential"`` (the lecture's), ``"shifted exponential"`` (half of the mean is certain),
            ``"normal"`` (of standard deviation mean / 4, cut off at 0) or ``"pareto"`` (exponent 2.5: a heavy tail).
        seed: one seed, one sequence of delays per rank.

    Raises:
        ArgumentError: for an unknown law, a rank or seed below 0, or a mean that is not a finite number of at least 0.

    >>> late = Stragglers(rank=0, mean=0.001, seed=1)
    >>> late.draw() == Stragglers(rank=0, mean=0.001, seed=1).draw()
    True
    >>> Stragglers(rank=0, mean=0.001, law="constant").wait()
    0.001
    """

    def __init__(self, rank: int, mean: float, law: str = "exponential", *, seed: int = 0) -> None:
        rank, seed = integer("Stragglers", "rank", rank), integer("Stragglers", "seed", seed)
        mean = number("Stragglers", "mean", mean)
        if rank < 0 or seed < 0:
            fail(ArgumentError, "Stragglers", f"needs rank and seed of at least 0, but got {rank} and {seed}")
        if not 0.0 <= mean < math.inf:
            hint = "it is a number of seconds: mean=0.001"
            fail(ArgumentError, "Stragglers", f"needs a mean of at least 0, but got {mean}", {}, hint)
        if law not in LAWS:
            fail(ArgumentError, "Stragglers", f"knows the laws {', '.join(LAWS)}, but got {law!r}")
        self.mean, self.law = float(mean), law
        self._draws = np.random.default_rng([seed, rank])

    def draw(self) -> float:
        """The next delay in seconds, without waiting."""
        return self.mean * float(LAWS[self.law](self._draws))

    def wait(self) -> float:
        """Sleep for the next delay, and return it."""
        delay = self.draw()
        time.sleep(delay)
        return delay

    def __repr__(self) -> str:
        return f"Stragglers({self.law}, mean {self.mean:g} s)"


@checked_keywords
def harmonic(n: int) -> float:
    """H(n) = 1 + 1/2 + ... + 1/n: how long the slowest of n exponential times of mean 1 takes on average.

    The waits between the first, second, ... arrivals are exponential with the rates n, n - 1, ..., 1.

    Args:
        n: how many, at least 0.

    >>> harmonic(4)
    2.0833333333333335
    """
    return math.fsum(1.0 / k for k in range(1, integer("harmonic", "n", n) + 1))
