"""What a newcomer reads when a system lacks something: the refusals of the set-up, and the tests left out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Stand-ins for interpreters: each answers the questions that the set-up asks with `python -c`.
WORKING = "#!/bin/sh\nexit 0\n"
OLD = """#!/bin/sh
case "$2" in
    *"sys.exit(sys.version_info < (3, 10))"*) exit 1 ;;
    *version_info*) echo 3.9 ;;
esac
"""
WITHOUT_VENV = """#!/bin/sh
case "$2" in
    *ensurepip*) exit 1 ;;
    *"print("*) echo 3.11 ;;
esac
"""
APT = "apt-get install python3 python3-venv"

REFUSALS = {
    "no Python": (
        {},
        "python3",
        "there is no working 'python3' on this machine; tinygrad_lite needs Python 3.10 or newer",
        f"install it:     {APT}",
        "or name yours:  make <target> PYTHON=/path/to/python3",
    ),
    "an old Python": (
        {"python3": OLD},
        "python3",
        "'python3' is Python 3.9; tinygrad_lite needs 3.10 or newer",
        f"install a newer one:  {APT}  (Debian 12 or Ubuntu 22.04, or later)",
        "or name yours:        make <target> PYTHON=/path/to/python3",
    ),
    "an old Python beside a new one": (
        {"python3": OLD, "python3.12": WORKING},
        "python3",
        "'python3' is Python 3.9; tinygrad_lite needs 3.10 or newer",
        "this machine has one:  make <target> PYTHON=python3.12",
    ),
    "no venv": (
        {"python3": WITHOUT_VENV},
        "python3",
        "'python3' (Python 3.11) cannot make virtual environments",
        "install what is missing:  apt-get install python3-venv",
    ),
    "no venv of a Python named": (
        {"python3.11": WITHOUT_VENV},
        "python3.11",
        "'python3.11' (Python 3.11) cannot make virtual environments",
        "install what is missing:  apt-get install python3.11-venv",
    ),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """As much of the tree as the set-up reads, in a path with a space."""
    folder = tmp_path / "a tree"
    (folder / "tools").mkdir(parents=True)
    for name in ("tools/setup_environment.sh", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def set_up(tree: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(tree / "tools" / "setup_environment.sh"), "test"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("interpreters, python, lines", [(r[0], r[1], r[2:]) for r in REFUSALS.values()], ids=REFUSALS)
def test_what_is_missing_is_named_before_anything_is_created(
    interpreters: dict[str, str], python: str, lines: tuple[str, ...], tree: Path, tmp_path: Path
) -> None:
    system = tmp_path / "bin"
    system.mkdir()
    for tool in ("basename", "dirname"):
        (system / tool).symlink_to(str(shutil.which(tool)))
    for name, text in interpreters.items():
        (system / name).write_text(text)
        (system / name).chmod(0o755)
    before = sorted(tree.rglob("*"))
    result = set_up(tree, PATH=str(system), PYTHON=python)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "".join(f"setup: {line}\n" for line in lines)
    assert sorted(tree.rglob("*")) == before


def test_a_half_made_environment_is_made_anew_and_a_failed_installation_is_not_taken_for_done(
    tree: Path,
) -> None:
    (tree / ".venv" / "bin").mkdir(parents=True)
    (tree / ".venv" / "half-made").touch()
    result = set_up(tree, PATH=os.environ["PATH"], PYTHON=sys.executable, PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    assert result.returncode == 1
    assert result.stdout == (
        "setup: .venv is incomplete or belongs to another Python; making it anew\n"
        f"setup: making .venv with Python {sys.version_info.major}.{sys.version_info.minor}\n"
        "setup: installing tinygrad_lite[test] into .venv\n"
    )
    assert "No matching distribution found for setuptools" in result.stderr
    assert result.stderr.endswith(
        "setup: pip could not install the packages; its lines above say why\n"
        "setup: the first set-up needs a network; the same command goes on where this one stopped\n"
    )
    assert (tree / ".venv" / "bin" / "python").exists()
    assert not (tree / ".venv" / "half-made").exists()
    assert not list((tree / ".venv").glob("installed-*"))


MNIST_REMEDY = "set TINYGRAD_LITE_DATA to the folder with its four files"
TORCH_REMEDY = "torch is not installed; put the CPU build of torch 2.13.0 into .venv"
SKIPPING = """
import pytest

def test_runs(): pass

@pytest.mark.needs("mnist")
def test_on_mnist(): pass

@pytest.mark.needs("mnist")
def test_on_mnist_too(): pass

def test_against_an_absent_package():
    pytest.importorskip("torch")

@pytest.mark.skip(reason="a reason of its own")
def test_of_another_kind(): pass
"""


NOT_RUN = [
    f"not run: training on real MNIST ({MNIST_REMEDY}): 2 tests",
    f"not run: comparison with PyTorch ({TORCH_REMEDY}): 1 test",
    "not run: a reason of its own: 1 test",
]


@pytest.mark.parametrize(
    "options, closing, lines",
    [
        ([], "1 passed, 4 skipped", NOT_RUN),
        (["--no-skips"], "1 failed, 1 passed, 3 errors", ["nothing was left out"]),
        (["-k", "test_runs"], "1 passed, 4 deselected", ["nothing was left out"]),
    ],
    ids=["as users run it", "as CI runs it", "a selection"],
)
def test_the_report_says_what_was_not_run_and_why(
    options: list[str], closing: str, lines: list[str], tmp_path: Path
) -> None:
    (tmp_path / "tests").mkdir()
    for name in ("setup.cfg", "tests/conftest.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "tests" / "cuda_harness", tmp_path / "tests" / "cuda_harness")
    (tmp_path / "tests" / "test_it.py").write_text(SKIPPING)
    # In front of an installed PyTorch, as the folder in which Python is started.
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(name='torch')")
    environment = {name: value for name, value in os.environ.items() if name != "TINYGRAD_LITE_DATA"}
    command = [sys.executable, "-m", "pytest", "tests", *options]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    output = result.stdout.splitlines()
    start = next(i for i, line in enumerate(output, 1) if "what was not run on this machine" in line)
    assert list(takewhile(lambda line: line and line[0] != "=", output[start:])) == lines
    assert f" {closing} in " in output[-1]


# --- the targets for a GPU ----------------------------------------------------------------------------------

# Loaded by pytest before tests/conftest.py asks.
WITHOUT_GPU = """
from tinygrad_lite import errors
from tinygrad_lite.backends.cuda import driver

def load():
    errors.fail(errors.DeviceError, "cuda", "needs a GPU, and there is none", hint="do without")

driver.load = load
"""
EMULATED = "make test runs the same tests on an emulated one"
WITHOUT_NVCC = """
from tinygrad_lite.backends.cuda import compiler, driver

driver.load = compiler.nvcc = lambda: None
"""


@pytest.mark.parametrize(
    "machine, reason",
    [
        (WITHOUT_GPU, f"an NVIDIA GPU, its driver and PyCUDA: cuda needs a GPU, and there is none; {EMULATED}"),
        (WITHOUT_NVCC, "nvcc: sh tools/setup_environment.sh cuda-toolkit installs it into .venv"),
    ],
    ids=["no GPU", "no nvcc"],
)
def test_the_tests_on_a_gpu_do_not_begin_without_one(machine: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "machine.py").write_text(machine)
    environment = {
        **os.environ,
        "TINYGRAD_LITE_TEST_DEVICE": "gpu",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
    }
    command = [sys.executable, "-m", "pytest", "-p", "machine", "-p", "no:cacheprovider", "tests/gpu"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"Exit: make test-gpu needs {reason}\n")


# Stands in for .venv/bin/python: whether nvcc is missing is asked with -c.
PYTHON_OF_THE_ENVIRONMENT = """#!/bin/sh
case "$1" in
    -c) "$REAL_PYTHON" -c "$2" ;;
    *) echo "python $1 $2" ;;
esac
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="the targets of the Makefile (no make)")
@pytest.mark.parametrize("available", [True, False], ids=["a GPU", "no GPU"])
@pytest.mark.parametrize("nvcc", ["/bin/nvcc", None], ids=["nvcc", "no nvcc"])
@pytest.mark.parametrize(
    "target, last", [("test-gpu", "python -m pytest"), ("bench-gpu", "python benchmarks/gpu/run.py ")]
)
def test_nvcc_is_installed_where_there_is_a_gpu_without_it(
    target: str, last: str, nvcc: str | None, available: bool, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    scripts = {"tools/setup_environment.sh": 'echo "set up: $1"\n', ".venv/bin/python": PYTHON_OF_THE_ENVIRONMENT}
    for name, text in scripts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o755)
    (tmp_path / "sitecustomize.py").write_text(
        "from tinygrad_lite import cuda\nfrom tinygrad_lite.backends.cuda import compiler\n"
        f"cuda.is_available = lambda: {available}\ncompiler.nvcc = lambda: {nvcc!r}\n"
    )
    # What make passes down when it runs these tests is not meant for the make that they run.
    own = {name: value for name, value in os.environ.items() if name not in ("ARGS", "MAKEFLAGS", "MAKEOVERRIDES")}
    environment = {**own, "REAL_PYTHON": sys.executable, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = ["make", "--no-print-directory", target]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    printed = [line for line in result.stdout.splitlines() if line.startswith(("set up", "python"))]
    begin = ["set up: examples,test", "python tools/install_pycuda.py "]
    installed = ["set up: cuda-toolkit"] if available and nvcc is None else []
    assert (result.returncode, result.stderr) == (0, "")
    assert printed == [*begin, *installed, last]
