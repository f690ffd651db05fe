"""Delays drawn for stragglers: their laws, their seeds, and the lecture's H(n). Nothing here sleeps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from refusals import refuses

from tinygrad_lite import distributed as dist
from tinygrad_lite import random
from tinygrad_lite.distributed import stragglers
from tinygrad_lite.errors import ArgumentError, DTypeError

STEPS = 20_000


def delays(ranks: int, law: str = "exponential", mean: float = 1.0, steps: int = STEPS) -> np.ndarray:
    """What the ranks draw over many steps, as an array (ranks, steps)."""
    late = [dist.Stragglers(rank, mean, law, seed=5) for rank in range(ranks)]
    return np.array([[one.draw() for _ in range(steps)] for one in late])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8])
def test_the_slowest_of_n_exponential_workers_takes_h_of_n(n):
    """E[max] = tau H(n); var[max] = tau^2 (1 + 1/4 + ... + 1/n^2) says how close the mean of the steps has to be."""
    tau = 0.25
    slowest = delays(n, mean=tau).max(axis=0)
    deviation = tau * math.sqrt(sum(1 / k**2 for k in range(1, n + 1)) / STEPS)
    assert abs(slowest.mean() - tau * dist.harmonic(n)) < 4 * deviation


@pytest.mark.parametrize("law", stragglers.LAWS)
def test_every_law_has_the_mean_that_was_asked_for(law):
    drawn = delays(1, law, mean=2.0, steps=100_000)
    spread = drawn.std() / math.sqrt(drawn.size)
    assert abs(drawn.mean() - 2.0) <= 5 * spread
    assert drawn.min() >= 0.0


def test_the_laws_differ_in_their_tails():
    deviations = {law: delays(1, law).std() for law in ("constant", "normal", "shifted exponential", "exponential")}
    assert deviations["constant"] == 0.0
    assert deviations == pytest.approx(
        {"constant": 0.0, "normal": 0.25, "shifted exponential": 0.5, "exponential": 1.0}, rel=0.05
    )
    assert delays(1, "pareto").max() > delays(1, "exponential").max()


def test_one_seed_gives_one_sequence_and_ranks_differ():
    assert np.array_equal(delays(3, steps=10), delays(3, steps=10))
    rows = delays(3, steps=10)
    assert len({row.tobytes() for row in rows}) == 3
    other = dist.Stragglers(0, 1.0, seed=6).draw()
    assert other != rows[0, 0]


def test_the_random_stream_of_the_package_is_left_alone():
    before = random.get_rng_state()
    delays(2, steps=3)
    assert random.get_rng_state() == before


def test_wait_sleeps_what_was_drawn(monkeypatch):
    slept = []
    monkeypatch.setattr(stragglers.time, "sleep", slept.append)
    late, again = (dist.Stragglers(1, 0.5) for _ in range(2))
    returned = [late.wait() for _ in range(3)]
    assert slept == returned == [again.draw() for _ in range(3)]
    assert repr(late) == "Stragglers(exponential, mean 0.5 s)"


def test_harmonic_numbers():
    assert [dist.harmonic(n) for n in range(4)] == [0.0, 1.0, 1.5, pytest.approx(11 / 6, rel=1e-15)]
    euler = 0.5772156649015329
    assert dist.harmonic(1000) == pytest.approx(math.log(1000) + euler + 1 / 2000, abs=1e-7)


@pytest.mark.parametrize(
    "kind, call, text",
    [
        (
            ArgumentError,
            lambda: dist.Stragglers(0, 1.0, "gamma"),
            "Stragglers knows the laws constant, exponential, shifted exponential, normal, pareto, but got 'gamma'",
        ),
        (
            ArgumentError,
            lambda: dist.Stragglers(0, -1.0),
            "Stragglers needs a mean of at least 0, but got -1.0\n  hint  it is a number of seconds: mean=0.001",
        ),
        (
            ArgumentError,
            lambda: dist.Stragglers(0, math.nan),
            "Stragglers needs a mean of at least 0, but got nan\n  hint  it is a number of seconds: mean=0.001",
        ),
        (
            ArgumentError,
            lambda: dist.Stragglers(-1, 1.0, seed=2),
            "Stragglers needs rank and seed of at least 0, but got -1 and 2",
        ),
        (
            DTypeError,
            lambda: dist.Stragglers(0.5, 1.0),
            "Stragglers needs an integer as rank\n  rank  0.5\n  hint  int(value) cuts off the fraction",
        ),
    ],
    ids=["law", "negative mean", "mean that is no number", "rank", "rank that is no integer"],
)
def test_what_is_refused(kind, call, text):
    refuses(kind, call, text)
