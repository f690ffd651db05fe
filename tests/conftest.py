"""What holds for every test: what a machine must have for some of them, and a statement of what was not run.

A test says ``@pytest.mark.needs("mnist")``; a module about PyTorch begins with
``torch = pytest.importorskip("torch")``. Either way the reason is shown in the words of NEEDS. With
``--no-skips``, as CI runs it, a test that cannot run fails; only what a GPU takes may be missing.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.register_assert_rewrite("refusals")


class Need(NamedTuple):
    """Something that not every machine has."""

    tests: str  # what the tests that need it are about
    remedy: str  # what is missing, and how to get it
    is_here: Callable[[], bool]
    excused: bool = False  # may be missing under --no-skips too

    @property
    def reason(self) -> str:
        return f"{self.tests} ({self.remedy})"


def _has_mnist() -> bool:
    folder = os.environ.get("TINYGRAD_LITE_DATA")
    name = "train-images-idx3-ubyte*"
    return bool(folder) and any(any(Path(folder).glob(pattern)) for pattern in (name, f"*/{name}"))


NEEDS = {
    "torch": Need(
        "comparison with PyTorch",
        "torch is not installed; put the CPU build of torch 2.13.0 into .venv",
        lambda: importlib.util.find_spec("torch") is not None,
    ),
    "mnist": Need(
        "training on real MNIST",
        "set TINYGRAD_LITE_DATA to the folder with its four files",
        _has_mnist,
    ),
    "nvcc": Need(
        "compiling the CUDA kernels",
        "no nvcc; apt-get install nvidia-cuda-toolkit",
        lambda: shutil.which("nvcc") is not None,
        excused=True,
    ),
    "gpu": Need(
        "running the CUDA kernels",
        "no NVIDIA GPU",
        lambda: os.path.exists("/dev/nvidiactl"),
        excused=True,
    ),
}
EXCUSED = {need.reason for need in NEEDS.values() if need.excused}

try:
    import hypothesis
except ImportError:
    pass
else:
    # A shared machine is slow at times, and a test that fails must fail again.
    hypothesis.settings.register_profile("reproducible", deadline=None, derandomize=True)
    hypothesis.settings.load_profile("reproducible")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a test that cannot run here fails")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if not NEEDS[name].is_here():
                pytest.skip(NEEDS[name].reason)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was skipped; an absent package that NEEDS knows, in its words."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    text = text.removeprefix("Skipped: ")
    absent = re.match(r"could not import '(\w+)", text)
    return NEEDS[absent[1]].reason if absent and absent[1] in NEEDS else text


def _judge(report: pytest.TestReport | pytest.CollectReport, config: pytest.Config) -> None:
    if not report.skipped or hasattr(report, "wasxfail") or not config.getoption("no_skips"):
        return
    reason = _reason(report)
    if reason not in EXCUSED:
        report.outcome = "failed"
        report.longrepr = f"not run, but --no-skips was given: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge(report, item.config)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge(report, collector.config)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    skipped = terminalreporter.getreports("skipped")
    terminalreporter.section("what was not run on this machine")
    kinds = Counter((_reason(r), "file" if isinstance(r, pytest.CollectReport) else "test") for r in skipped)
    for (reason, kind), count in kinds.items():
        terminalreporter.line(f"not run: {reason}: {count} {kind}{'s' if count > 1 else ''}")
    if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        terminalreporter.line("the run itself was broken off; the lines above say why")
    elif not skipped:
        terminalreporter.line("nothing was left out")
