"""How PyCUDA comes into the environment, and what `make` does where it cannot."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON_TAG = f"cp3{sys.version_info.minor}"


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tools/install_pycuda.py in an empty tree and an environment without PyCUDA, a driver or a toolkit."""
    spec = importlib.util.spec_from_file_location("install_pycuda", ROOT / "tools" / "install_pycuda.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in {
        "ROOT": tmp_path,
        "WHEELS": tmp_path / "build" / "wheels",
        "is_installed": lambda: False,
        "driver_version": lambda: None,
        "header_folders": lambda: iter(()),
    }.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(sys, "argv", ["install_pycuda.py"])
    return module


@pytest.fixture
def commands(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that the tool would run, in order; none is run."""
    found: list[list[str]] = []
    monkeypatch.setattr(tool, "run", lambda *command, cwd=None: found.append([*map(str, command)]))
    return found


def test_nothing_happens_where_pycuda_is_installed(
    tool: ModuleType, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "is_installed", lambda: True)
    tool.main()
    assert commands == []
    assert capsys.readouterr() == ("", "")


def test_a_wheel_that_was_built_before_is_installed(
    tool: ModuleType, commands: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheels = tmp_path / "build" / "wheels"
    wheels.mkdir(parents=True)
    for tag in ("cp30", PYTHON_TAG):
        (wheels / f"pycuda-2026.1-{tag}-{tag}-linux_x86_64.whl").touch()
    tool.main()
    wheel = wheels / f"pycuda-2026.1-{PYTHON_TAG}-{PYTHON_TAG}-linux_x86_64.whl"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    assert commands == [[*pip, "install", "--quiet", str(wheel)]]
    assert capsys.readouterr().out == "setup: installed PyCUDA 2026.1\n"


def test_a_missing_compiler_is_named_before_anything_is_created(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as refusal:
        tool.main()
    assert refusal.value.code == 1
    assert capsys.readouterr() == (
        "",
        "setup: PyCUDA is compiled here, and there is no g++\nsetup: install it:  apt-get install g++\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_missing_headers_of_python_are_named_before_anything_is_created(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: "/nowhere")
    with pytest.raises(SystemExit) as refusal:
        tool.main()
    assert refusal.value.code == 1
    assert capsys.readouterr() == (
        "",
        (
            "setup: PyCUDA is compiled here, and /nowhere/Python.h is missing\n"
            f"setup: install it:  apt-get install python3.{sys.version_info.minor}-dev\n"
        ),
    )
    assert list(tmp_path.iterdir()) == []


def test_a_failing_command_is_shown_with_its_last_lines(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        tool.run(sys.executable, "-c", "for line in range(40): print(line)\nraise SystemExit(3)")
    assert refusal.value.code == 1
    assert capsys.readouterr() == (
        "",
        "".join(f"{line}\n" for line in range(10, 40))
        + "setup: PyCUDA could not be installed; the lines above say why\n"
        "setup: the first installation needs a network; the same command tries again\n",
    )


def test_a_build_that_fails_leaves_nothing_behind(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*command: str | Path, cwd: Path | None = None) -> None:
        if "--stub" in map(str, command):
            Path(command[-1]).mkdir()
            Path(command[-1], "libcuda.so.1").touch()
            raise SystemExit(1)

    monkeypatch.setattr(tool, "require_compiler", lambda: None)
    monkeypatch.setattr(tool, "run", fail)
    with pytest.raises(SystemExit):
        tool.main()
    assert list((tmp_path / "build").iterdir()) == []
    assert capsys.readouterr().out == "setup: building PyCUDA 2026.1, once; this takes a minute or two\n"


# --- Which headers ------------------------------------------------------------------------------------------

PYPI = "PyPI's"


@pytest.mark.parametrize(
    "driver, toolkits, chosen",
    [
        (None, [], PYPI),
        (None, [(13, 0)], 0),
        (None, [(12, 8), (13, 2)], 1),
        (None, [(12, 8)], PYPI),
        ((13, 0), [(13, 0)], 0),
        ((13, 0), [(12, 4)], 0),
        ((13, 0), [(13, 2), (12, 9)], 1),
        ((13, 0), [(13, 2)], PYPI),
        ((12, 8), [(13, 0), (12, 8)], 1),
    ],
)
def test_the_headers_name_only_functions_that_the_driver_has(
    driver: tuple[int, int] | None,
    toolkits: list[tuple[int, int]],
    chosen: int | str,
    tool: ModuleType,
    commands: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folders = []
    for major, minor in toolkits:
        folder = tmp_path / f"cuda-{major}.{minor}" / "include"
        folder.mkdir(parents=True)
        (folder / "cuda.h").write_text(f"#ifndef CUDA\n#define CUDA_VERSION {major * 1000 + minor * 10}\n")
        (folder / "cudaProfiler.h").touch()
        folders.append(folder)
    incomplete = tmp_path / "incomplete"
    incomplete.mkdir()
    (incomplete / "cuda.h").write_text("#define CUDA_VERSION 13000\n")
    monkeypatch.setattr(tool, "header_folders", lambda: iter([tmp_path / "absent", incomplete, *folders]))
    scratch = tmp_path / "scratch"
    found = tool.cuda_headers(driver, scratch)
    packages = [f"nvidia-cuda-{part}==13.0.*" for part in ("runtime", "crt", "profiler-api")]
    if isinstance(chosen, int):
        assert (found, commands) == (folders[chosen], [])
    else:
        assert found == scratch / "nvidia" / "cu13" / "include"
        assert [command[-5:] for command in commands] == [["--target", str(scratch), *packages]]


def test_a_driver_older_than_every_header_is_named(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tool.cuda_headers((12, 4), Path("unused"))
    assert capsys.readouterr().err == (
        "setup: the driver serves CUDA 12.4, and there is no toolkit of that version or an older one\n"
        "setup: install one and name it:  CUDA_HOME=/path/to/cuda\n"
    )


# --- What make does with it ---------------------------------------------------------------------------------

# Stands for .venv/bin/python: PyCUDA cannot be installed, and pytest says with what it was called.
INTERPRETER = """#!/bin/sh
case "$1" in
    tools/install_pycuda.py) exit {status} ;;
    -c) exit 0 ;;
    *)
        echo "ran: device=$TINYGRAD_LITE_TEST_DEVICE order=$FAKE_CUDA_SCHEDULE late=$FAKE_CUDA_ASYNC" \\
            "pool=$TINYGRAD_LITE_CUDA_POOL fma=$FAKE_NVCC_FMA $*" ;;
esac
"""
CUDA_TESTS = "-m pytest tests/backends/cuda tests/gpu tests/operations/test_cuda.py -x"
ORDERS = ("forward", "reverse", "1", "2", "3")


@pytest.mark.skipif(
    shutil.which("make") is None, reason="what the Makefile's targets do (no make; apt-get install make)"
)
@pytest.mark.parametrize(
    "target, status, code, lines",
    [
        (
            "test",
            1,
            0,
            [
                "setup: going on without PyCUDA; the tests that need it are left out",
                "ran: device= order= late= pool= fma= -m pytest -x",
            ],
        ),
        ("test", 0, 0, ["ran: device= order= late= pool= fma= -m pytest -x"]),
        ("test-gpu", 1, 2, []),
        ("test-gpu", 0, 0, [f"ran: device=gpu order= late= pool= fma= {CUDA_TESTS}"]),
        ("nightly", 1, 2, []),
        (
            "nightly",
            0,
            0,
            [f"ran: device= order={order} late= pool= fma= {CUDA_TESTS}" for order in ORDERS]
            + [
                f"ran: device= order= late=1 pool= fma= {CUDA_TESTS}",
                f"ran: device= order= late= pool=0 fma= {CUDA_TESTS}",
                f"ran: device= order= late= pool= fma=1 {CUDA_TESTS}",
            ],
        ),
        ("bench-gpu", 1, 2, []),
        ("bench-gpu", 0, 0, ["ran: device= order= late= pool= fma= benchmarks/gpu/run.py -x"]),
    ],
)
def test_the_targets_about_cuda(target: str, status: int, code: int, lines: list[str], tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "setup_environment.sh").write_text("exit 0\n")
    interpreter = tmp_path / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text(INTERPRETER.format(status=status))
    interpreter.chmod(0o755)
    result = subprocess.run(
        ["make", target, "ARGS=-x"], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert result.returncode == code, result.stderr
    assert [line for line in result.stdout.splitlines() if line.startswith(("setup:", "ran:"))] == lines
