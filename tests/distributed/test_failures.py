"""Ranks that raise, die, stop or go astray: the job ends at once and says who it was; nothing hangs."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from distributed.launch import Finished, launch

pytestmark = pytest.mark.needs("mpi")

SCRIPT = Path(__file__).with_name("failing.py")
TIMED_OUT = 124
WATCHDOG = 45.0  # seconds; three interpreters start in them too, on a machine that may be busy
LIMIT = 10.0  # seconds from a rank's failure to the end of the job

KNOWN = "allreduce(sum) of float64, shape (4,), by mpi"


def fail(way: str) -> Finished:
    """What is left of a job in which rank 1 of 3 misbehaves, which it did not survive for long."""
    done = launch(3, SCRIPT, way, timeout=WATCHDOG)
    gone = time.monotonic()
    assert done.status not in (0, TIMED_OUT), done.stderr
    assert "is done" not in done.stdout
    for moment in re.findall(r"goes wrong at ([\d.]+)", done.stdout):
        assert gone - float(moment) < LIMIT
    return done


def fail_at_once(way: str) -> Finished:
    """The same, of a rank that says when it fails."""
    done = fail(way)
    assert "goes wrong at" in done.stdout
    return done


@pytest.mark.parametrize("way", ("raises", "raises in another communicator"))
def test_a_rank_that_raises_ends_the_job_with_its_number(way: str) -> None:
    done = fail_at_once(way)
    assert re.search(
        r"tinygrad_lite\.distributed: rank 1 of 3 on \S+ raised, which ends the job:\n"
        r"Traceback \(most recent call last\):\n(  .*\n)+ValueError: the loss is not finite\n",
        done.stderr,
    ), done.stderr
    assert done.stderr.count("raised, which ends the job") == 1


def test_a_rank_that_raises_while_others_wait_in_a_window_ends_the_job() -> None:
    done = launch(3, SCRIPT, "window", timeout=WATCHDOG)
    assert done.status not in (0, TIMED_OUT), done.stderr
    assert "rank 1 of 3" in done.stderr
    assert "KeyError: 'in a window'" in done.stderr


def test_a_rank_that_is_killed_ends_the_job_with_its_number() -> None:
    done = fail_at_once("is killed")
    said = done.stdout + done.stderr  # Open MPI's launcher names the rank, MPICH's the process
    assert re.search(r"rank 1\b.*signal 9|PID \d+.*EXIT CODE: 9", said, re.DOTALL), said


def test_a_rank_that_ends_early_is_named_by_those_who_wait_for_it() -> None:
    text = fail_at_once("ends").stderr
    assert "rank 1 ended too early\n" in text
    assert re.search(rf"rank \d has waited \d+ s in call 3, {re.escape(KNOWN)}\n  late: rank 1 has ended", text), text


def test_a_rank_that_ends_is_missed_by_those_who_only_test_their_handles() -> None:
    text = fail_at_once("ends while others poll").stderr
    assert "rank 1 ended too early\n" in text
    assert re.search(rf"rank \d has polled \d+ s in call 4, i{re.escape(KNOWN)}\n  late: rank 1 has ended", text), text


def test_a_rank_that_never_comes_is_late_for_those_who_only_test_their_handles() -> None:
    text = fail("never comes to those who poll").stderr
    report = (
        rf"rank 0 has polled \d+ s in call 4, i{re.escape(KNOWN)}\n"
        r"  late: rank 1 computes since its last one began \d+ s ago: call 3, "
    )
    assert re.search("tinygrad_lite.distributed: " + report, text), text
    assert re.search(r"tinygrad_lite.distributed, rank 0: no progress for 2 s\n" + report, text), text


def test_a_rank_that_tests_between_computations_does_not_count_as_waiting() -> None:
    done = launch(3, SCRIPT, "tests between computations", timeout=WATCHDOG)
    assert done.status == 0, done.stderr
    assert "polled" not in done.stderr
    assert done.stdout.count("is done") == 3


def test_ranks_on_other_hosts_are_named_as_unknown_and_the_job_ends() -> None:
    text = fail("never comes, on two hosts").stderr
    report = (
        rf"rank 0 has waited \d+ s in call 1, {re.escape(KNOWN)}\n"
        r"  late: rank 1 has made no call so far\n"
        r"  unknown: what the ranks on other hosts are doing\n"
    )
    assert re.search("tinygrad_lite.distributed: " + report, text), text
    assert re.search(rf"rank 2 has waited \d+ s in call 1, {re.escape(KNOWN)}\n  unknown: what the ranks", text), text
    assert re.search(r"tinygrad_lite.distributed, rank [02]: no progress for 2 s\n", text), text


def test_a_rank_that_ends_without_waiting_for_what_it_started_is_named() -> None:
    text = fail_at_once("ends without waiting for what it started").stderr
    assert "rank 1 ended too early\n" in text
    assert re.search(r"rank \d has waited \d+ s in call 3, allreduce", text), text


def test_a_rank_that_never_comes_is_reported_and_then_the_job_ends() -> None:
    text = fail("never comes").stderr
    report = (
        rf"rank 0 has waited \d+ s in call 3, {re.escape(KNOWN)}\n"
        r"  late: rank 1 computes since its last one began \d+ s ago: call 2, "
        r"allreduce\(sum\) of float64, shape \(2, 3\), by mpi\n"
    )
    assert re.search("tinygrad_lite.distributed: " + report, text), text
    assert re.search(r"tinygrad_lite.distributed, rank 0: no progress for 2 s\n" + report, text), text


def test_a_rank_that_waits_on_another_communicator_is_told_so_with_the_lines_of_both() -> None:
    text = fail("never comes, but waits elsewhere").stderr
    assert re.search(
        rf"rank 0 has waited \d+ s in call 4, {re.escape(KNOWN)}\n"
        r"  late: rank 1 waits in a call on another communicator; on this one its last one was call 3, split\n"
        r"  at    failing\.py:\d+: comm\.allreduce\(x\)\n",
        text,
    ), text
    assert re.search(
        r"  late: rank 0 waits in a call on another communicator; on this one it made no call\n"
        r"  late: rank 2 waits in a call on another communicator; on this one it made no call\n"
        r"  at    failing\.py:\d+: other\.allreduce\(x\)\n",
        text,
    ), text


@pytest.mark.parametrize(
    "way, number, called",
    [
        ("makes another known call", 4, "barrier"),
        ("makes a new call", 3, "allreduce(sum) of float64, shape (5,), by mpi"),
    ],
)
def test_ranks_that_part_ways_get_one_message(way: str, number: int, called: str) -> None:
    text = fail(way).stderr
    message = (
        "CommunicationError: Communicator needs the same calls in the same order on every rank, "
        f"but call {number} differs\n"
        f"  ranks 0, 2  {KNOWN}\n"
        f"  rank 1      {called}\n"
    )
    assert text.count(message) == 3, text


SUM, PRODUCT = (f"allreduce({op}) of int64, shape (3,), by mpi" for op in ("sum", "prod"))


@pytest.mark.parametrize(
    "way, number, mine, theirs",
    [
        ("makes another known call, on three hosts", 4, KNOWN, "barrier"),
        ("sums what others multiply, on three hosts", 5, PRODUCT, SUM),
    ],
)
def test_ranks_of_different_hosts_get_one_message(way: str, number: int, mine: str, theirs: str) -> None:
    done = fail(way)
    message = (
        "CommunicationError: Communicator needs the same calls in the same order on every rank, "
        f"but call {number} differs\n"
        f"  ranks 0, 2  {mine}\n"
        f"  rank 1      {theirs}\n"
    )
    assert done.stderr.count(message) == 3, done.stderr
    assert "wrong numbers" not in done.stdout


def test_a_new_call_on_another_host_is_an_error_too() -> None:
    text = fail("makes a new call, on three hosts").stderr
    assert "CommunicationError: Communicator needs the same calls in the same order on every rank" in text, text
    assert "allreduce(sum) of float64, shape (5,), by mpi" in text, text
