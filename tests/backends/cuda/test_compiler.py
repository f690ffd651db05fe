"""Modules of kernels: their sources, the cache on disk, and what is said when nvcc refuses or is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from refusals import refusal, refuses

from tinygrad_lite import errors
from tinygrad_lite.backends.cuda import compiler, driver

ROOT = Path(__file__).resolve().parents[3]
KERNEL = """#include "number.cuh"

extern "C" __global__ void put(int* target) { *target = number(); }
"""
HEADER = """#pragma once
#include <stdint.h>
static __device__ int number() {
    return NUMBER;
}
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of kernels of our own, an empty cache, and counts that begin at zero."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / "put.cu").write_text(KERNEL)
    (folder / "number.cuh").write_text(HEADER)
    monkeypatch.setattr(compiler, "FOLDER", folder)
    monkeypatch.setattr(compiler, "counts", {"compilations": 0, "loads": 0})
    monkeypatch.setenv("TINYGRAD_LITE_CUDA_CACHE", str(tmp_path / "cache"))
    compiler.flattened.cache_clear()
    yield folder
    compiler.flattened.cache_clear()


def module(number: object = 7) -> compiler.Module:
    """A module that has not been loaded."""
    return compiler.Module("put.cu", {"NUMBER": str(number)})


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").iterdir())


# --- sources ------------------------------------------------------------------------------------------------


def test_a_module_is_registered_once_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "modules", {})
    first = compiler.module("copy.cu", ITEM=4, FAST=True)
    assert compiler.module("copy.cu", ITEM=4, FAST=True) is first
    assert compiler.module("copy.cu", ITEM=8, FAST=True) is not first
    assert list(compiler.modules) == ["copy ITEM=4 FAST=True", "copy ITEM=8 FAST=True"]


def test_headers_stand_in_place_of_their_first_include_with_their_lines(sources: Path) -> None:
    (sources / "put.cu").write_text(
        '#include "number.cuh"\n#include "number.cuh"\n// #include "number.cuh"\nint last;\n'
    )
    assert module().text == (
        '#define NUMBER 7\n#line 1 "put.cu"\n#line 1 "number.cuh"\n\n\n'
        "static __device__ int number() {\n    return NUMBER;\n}\n\n"
        '#line 2 "put.cu"\n\n#line 3 "put.cu"\n// #include "number.cuh"\nint last;\n'
    )


def test_every_kernel_file_is_flattened_without_includes_that_are_left() -> None:
    for file in sorted(compiler.FOLDER.glob("*.cu")):
        text = compiler.flattened(file.name)
        assert not re.search(r"^[ \t]*#[ \t]*(include|pragma once)", text, re.MULTILINE), file
        files = set(re.findall(r'^#line \d+ "([^"]+)"', text, re.MULTILINE))
        assert all((compiler.FOLDER / name).exists() for name in files)
        for line_number, name, line in re.findall(r'^#line (\d+) "([^"]+)"\n([^\n]*)$', text, re.MULTILINE):
            original = (compiler.FOLDER / name).read_text().split("\n")
            if not line.startswith("#line") and line:
                assert original[int(line_number) - 1] == line, (name, line_number)


# --- the cache ----------------------------------------------------------------------------------------------


def test_a_module_is_compiled_once_and_then_read(sources: Path, tmp_path: Path) -> None:
    module().function("put")
    assert compiler.counts == {"compilations": 1, "loads": 0}
    (file,) = cached(tmp_path)
    tool = compiler.toolchain(compiler.nvcc() or "")
    assert file.name == f"{compiler.key(module().text, driver.current().arch)}-{tool}.cubin"
    again = module()
    again.function("put")
    again.function("put")
    assert compiler.counts == {"compilations": 1, "loads": 1}
    module(8).function("put")
    assert compiler.counts == {"compilations": 2, "loads": 1}


def test_the_key_changes_with_text_target_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {compiler.key("text", "sm_80"), compiler.key("text", "sm_90a"), compiler.key("texts", "m_80")}
    monkeypatch.setattr(compiler, "OPTIONS", ("-O1",))
    keys.add(compiler.key("text", "sm_80"))
    assert len(keys) == 4


def halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def another_payload(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("spoil", [halved, another_payload, lambda content: b"", lambda content: b"\x7fELF" + content])
def test_a_spoilt_file_is_compiled_anew(sources: Path, tmp_path: Path, spoil: Any) -> None:
    module().function("put")
    (file,) = cached(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(spoil(whole))
    module().function("put")
    assert compiler.counts == {"compilations": 2, "loads": 0}
    assert cached(tmp_path) == [file]
    module().function("put")
    assert compiler.counts == {"compilations": 2, "loads": 1}


def test_another_compiler_has_a_file_of_its_own_and_none_takes_any(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module().function("put")
    with monkeypatch.context() as changed:
        changed.setattr(compiler, "toolchain", lambda path: "another")
        module().function("put")
        assert compiler.counts == {"compilations": 2, "loads": 0}
    assert len(cached(tmp_path)) == 2
    cached(tmp_path)[0].write_bytes(b"torn")
    monkeypatch.setattr(compiler, "nvcc", lambda: None)
    module().function("put")
    assert compiler.counts == {"compilations": 2, "loads": 1}


def test_a_folder_that_cannot_be_written_is_said_and_work_goes_on(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    monkeypatch.setenv("TINYGRAD_LITE_CUDA_CACHE", str(blocked / "folder"))
    loaded = module()
    text = f"^compiled kernels cannot be kept in {re.escape(str(blocked))}/folder: Not a directory$"
    with pytest.warns(UserWarning, match=text) as caught:
        loaded.function("put")
    assert [warning.filename for warning in caught] == [__file__]
    loaded.function("put")
    assert compiler.counts == {"compilations": 1, "loads": 0}


def test_nothing_is_left_of_a_write_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compiler.os, "replace", full)
    with pytest.warns(UserWarning, match="cannot be kept in .*: No space left on device"):
        compiler.store(tmp_path / "cache", "key", "tool", b"cubin")
    assert cached(tmp_path) == []


def test_files_of_the_cache_can_be_read_by_those_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        compiler.store(tmp_path / "cache", "key", "tool", b"cubin")
    finally:
        os.umask(before)
    (file,) = cached(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o644
    assert compiler.stored(tmp_path / "cache", "key", "tool") == b"cubin"
    assert compiler.stored(tmp_path / "cache", "key", "other") is None
    assert compiler.stored(tmp_path / "cache", "key", None) == b"cubin"


@pytest.mark.skipif(os.environ.get("TINYGRAD_LITE_TEST_DEVICE") == "gpu", reason="eight processes at once")
def test_eight_processes_share_an_empty_folder(tmp_path: Path) -> None:
    program = (
        "import cuda_harness; cuda_harness.install()\n"
        "from tinygrad_lite.backends.cuda import array, compiler\n"
        "import numpy as np\n"
        "x = array.from_host(np.arange(300).reshape(3, 100))\n"
        "assert x.view_as((100, 3), (1, 100)).get()[7, 2] == 207\n"
        "print(sum(compiler.counts.values()))\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
        "TINYGRAD_LITE_CUDA_CACHE": str(tmp_path / "cache"),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    assert [process.communicate() for process in processes] == [("1\n", "")] * 8
    (file,) = cached(tmp_path)
    assert file.suffix == ".cubin"


@pytest.mark.parametrize(
    "environment, expected",
    [
        ({"TINYGRAD_LITE_CUDA_CACHE": "/some/where"}, "/some/where"),
        ({"XDG_CACHE_HOME": "/caches"}, "/caches/tinygrad_lite/cubins"),
        ({"HOME": "/one"}, "/one/.cache/tinygrad_lite/cubins"),
    ],
)
def test_where_the_cache_is(environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TINYGRAD_LITE_CUDA_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert compiler.cache_folder() == Path(expected)


# --- the compiler -------------------------------------------------------------------------------------------


def test_nvcc_is_found_on_the_path_in_the_toolkit_and_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("first", "toolkit/bin"):
        (tmp_path / place).mkdir(parents=True)
        tool = tmp_path / place / "nvcc"
        tool.write_text("#!/bin/sh\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "first"))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "toolkit"))
    assert compiler.nvcc() == str(tmp_path / "first" / "nvcc")
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert compiler.nvcc() == str(tmp_path / "toolkit" / "bin" / "nvcc")
    (tmp_path / "toolkit/bin/nvcc").chmod(0o644)
    monkeypatch.setenv("CUDA_PATH", "")
    compiler._nvcc.cache_clear()
    found = compiler.nvcc()
    assert found is None or not found.startswith(str(tmp_path))
    compiler._nvcc.cache_clear()


def test_without_nvcc_the_error_says_how_to_get_it(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "nvcc", lambda: None)
    refuses(
        errors.CompileError,
        lambda: module().function("put"),
        "cuda needs nvcc to compile the kernels of put NUMBER=7, and there is none\n"
        "  hint  put nvcc on PATH, name its toolkit in CUDA_HOME, or pip install 'tinygrad_lite[cuda-toolkit]'",
    )


def test_an_nvcc_that_does_not_run_says_why(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "nvcc"
    broken.write_text("#!/bin/sh\necho 'no cudafe here' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(compiler, "nvcc", lambda: str(broken))
    assert refusal(errors.CompileError, lambda: module().function("put")) == f"cuda cannot run {broken}: no cudafe here"


def test_errors_show_the_lines_of_the_file_they_are_in_headers_too(sources: Path) -> None:
    text = refusal(errors.CompileError, lambda: module("missing_name").function("put"))
    lines = text.split("\n")
    assert lines[0] == "cuda cannot compile put NUMBER=missing_name:"
    assert "missing_name" in lines[1]
    start = next(i for i, line in enumerate(lines) if "number.cuh:3 " in line)
    assert lines[start - 1 : start + 3] == [
        "  number.cuh:2    ",
        "  number.cuh:3    static __device__ int number() {",
        "> number.cuh:4        return NUMBER;",
        "  number.cuh:5    }",
    ]
    (sources / "put.cu").write_text(KERNEL.replace("*target", "*targets"))
    compiler.flattened.cache_clear()
    text = refusal(errors.CompileError, lambda: module().function("put"))
    assert '> put.cu:3    extern "C" __global__ void put(int* targets) {' not in text
    assert '> put.cu:3    extern "C" __global__ void put(int* target) { *targets = number(); }' in text.split("\n")
    assert compiler.counts == {"compilations": 0, "loads": 0}


@pytest.mark.parametrize(
    "messages, shown",
    [
        ('number.cuh(4): error: identifier "NUMBER" is undefined', ["> number.cuh:4        return NUMBER;"]),
        ("/tmp/x/number.cuh:4:12: error: expected", ["> number.cuh:4        return NUMBER;"]),
        (
            "put.cu(3): error #20: this",
            ['> put.cu:3    extern "C" __global__ void put(int* target) { *target = number(); }'],
        ),
        ("nvcc fatal   : Unsupported gpu architecture 'sm_121'", []),
        ("ptxas /tmp/t.ptx, line 20; error   : Feature 'cp.async' requires .target sm_80 or higher", []),
    ],
)
def test_messages_of_every_compiler_are_understood(sources: Path, messages: str, shown: list[str]) -> None:
    found = module()
    text = refusal(errors.CompileError, lambda: compiler.refuse_source(found, messages, found.text))
    assert text.startswith(f"cuda cannot compile put NUMBER=7:\n{messages}")
    assert [line for line in text.split("\n") if line.startswith(">")] == shown


@pytest.mark.parametrize("nvcc_is_here", [True, False])
def test_a_cubin_that_the_driver_refuses_is_told_with_both_versions(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nvcc_is_here: bool
) -> None:
    path, arch = compiler.nvcc() or "", driver.current().arch
    compiler.store(
        tmp_path / "cache", compiler.key(module().text, arch), compiler.toolchain(path), b"no machine code" * 99
    )
    maker = f"nvcc {compiler.version(path)}"
    if not nvcc_is_here:
        monkeypatch.setattr(compiler, "nvcc", lambda: None)
        maker = "another machine's nvcc"
    refuses(
        errors.LaunchError,
        lambda: module().function("put"),
        f"cuda cannot load module put NUMBER=7, compiled by {maker} for {arch}: device kernel image is invalid\n"
        f"  hint  the driver serves CUDA {driver.version()}; "
        "use an nvcc of that version or an older one, or a newer driver",
    )
    assert compiler.counts == {"compilations": 0, "loads": 0}


@pytest.mark.parametrize("nothing_else", [True, False])
def test_a_module_that_does_not_load_for_another_reason_is_told_without_advice(
    sources: Path, monkeypatch: pytest.MonkeyPatch, nothing_else: bool
) -> None:
    import pycuda.driver as cuda

    def refuse(*_: Any) -> None:
        raise cuda.MemoryError("cuModuleLoadDataEx failed: out of memory - ")

    monkeypatch.setattr(compiler, "compile_module", refuse)
    maker, arch = f"nvcc {compiler.version(compiler.nvcc() or '')}", driver.current().arch
    text = f"cuda cannot load module put NUMBER=7, compiled by {maker} for {arch}: out of memory"
    if not nothing_else:
        monkeypatch.setattr(driver, "hint_after_failure", lambda: "start anew")
        text = "cuda cannot go on: out of memory\n  hint  start anew"
    refuses(errors.LaunchError, lambda: module().function("put"), text)


@pytest.mark.parametrize(
    "said, version",
    [
        ("Cuda compilation tools, release 13.0, V13.0.48\nBuild cuda_13.0.r13.0/compiler.1\n", "13.0.48"),
        ("another compiler\n", ""),
    ],
)
def test_the_version_of_an_nvcc_is_what_it_says(tmp_path: Path, said: str, version: str) -> None:
    tool = tmp_path / "nvcc"
    tool.write_text(f"#!/bin/sh\nprintf '{said}'\n")
    tool.chmod(0o755)
    assert compiler.version(str(tool)) == version
