"""Whole processes on the emulated driver: how they begin and end, what is left alive, and the build of the driver."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import cuda_harness
import pytest
from cuda_harness import build

pytestmark = [pytest.mark.needs("cuda"), pytest.mark.usefixtures("cuda")]

TESTS = Path(__file__).resolve().parents[1]
HARNESS = TESTS / "cuda_harness"

START = """
import cuda_harness
cuda_harness.install()
import numpy as np, pycuda.driver as cuda
from pycuda.compiler import SourceModule
cuda.init()
context = cuda.Device(0).retain_primary_context()
context.push()
"""
END = """
context.pop()
context.detach()
"""


@pytest.fixture
def python(tmp_path):
    """Run a program; its report of what was alive at the end comes with the outcome."""

    def run(text, **environment):
        report = tmp_path / "report"
        settings = {"FAKE_CUDA_SCHEDULE": "forward", "FAKE_CUDA_ASYNC": "0", "FAKE_CUDA_REPORT": str(report)}
        environment = {"PYTHONPATH": str(TESTS), **settings, **environment}
        done = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, env={**os.environ, **environment}
        )
        return done, cuda_harness.Counters(report.read_text()) if report.exists() else None

    return run


def test_a_process_that_ends_in_order_leaves_nothing(python):
    middle = """
stream, event = cuda.Stream(), cuda.Event()
memory, pinned = cuda.mem_alloc(100), cuda.pagelocked_empty(10, np.int32)
module = SourceModule('extern "C" __global__ void one(int* x) { *x = 1; }', arch="sm_90a", no_extern_c=True)
module.get_function("one")(memory, block=(1, 1, 1))
del stream, event, memory, pinned, module
"""
    done, report = python(START + middle + END)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    alive = {name: n for name, n in report.values.items() if name.startswith("live_") and n}
    assert (alive, report.late_calls) == ({}, [])
    assert report.launches == {"one": 1}


def test_what_is_left_alive_is_reported(python):
    middle = """
memory = cuda.mem_alloc(100)
context.pop()
import os, sys
sys.stdout.flush()
import ctypes
ctypes.CDLL(None).exit(0)  # ends the process without letting Python tidy up
"""
    done, report = python(START + middle)
    assert done.returncode == 0
    assert (report["live_contexts"], report["live_allocations"], report["live_bytes"]) == (1, 1, 100)


def test_a_call_after_the_end_of_the_context_is_recorded(python):
    middle = """
import ctypes
stream = cuda.Stream()
"""
    after = "assert ctypes.CDLL('libcuda.so.1').cuMemFree_v2(ctypes.c_uint64(64)) != 0\n"
    done, report = python(START + middle + "del stream\n" + END + after)
    assert (done.returncode, done.stderr) == (0, "")
    assert report.late_calls == ["cuMemFree_v2"]


def test_an_error_in_a_kernel_lets_the_process_end_cleanly(python):
    middle = """
module = SourceModule('extern "C" __global__ void wild(int* x) { x[1 << 20] = 1; }', arch="sm_90a", no_extern_c=True)
memory = cuda.mem_alloc(16)
try:
    module.get_function("wild")(memory, block=(1, 1, 1))
except cuda.LogicError as error:
    print(error)
print(cuda_harness.last_error().partition(": ")[2])
"""
    done, report = python(START + middle + END)
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert first == "cuLaunchKernel failed: an illegal memory access was encountered"
    assert second.startswith("block (0, 0, 0), thread (0, 0, 0): address ")
    assert report["live_contexts"] == 0


def test_a_kernel_that_never_ends_is_stopped(python):
    middle = """
module = SourceModule('extern "C" __global__ void endless(volatile int* x) { while (*x) {} }', arch="sm_90a",
                      no_extern_c=True)
try:
    module.get_function("endless")(cuda.mem_alloc(4), block=(1, 1, 1))
except cuda.Error as error:
    print(error)
print(cuda_harness.last_error())
"""
    done, _ = python(START + middle + END, FAKE_CUDA_TIMEOUT="1")
    assert done.stdout.splitlines() == [
        "cuLaunchKernel failed: the launch timed out and was terminated",
        "endless<<<(1, 1, 1), (1, 1, 1), 0 bytes>>>: block (0, 0, 0), thread (0, 0, 0): the kernel does not end",
    ]


def test_a_crash_outside_of_kernels_stays_a_crash(python):
    done, _ = python(START + "import ctypes\nctypes.string_at(8)\n")
    assert done.returncode == -11


def test_a_machine_without_a_device(python):
    done, _ = python(START, FAKE_CUDA_DEVICES="0")
    assert done.returncode == 1
    assert done.stderr.endswith("cuInit failed: no CUDA-capable device is detected\n")


def test_the_environment_sets_memory_schedule_and_asynchrony(python):
    middle = """
module = SourceModule('''extern "C" __global__ void race(int* x) {
    __shared__ int last; last = threadIdx.x; __syncthreads(); *x = last; }''', arch="sm_90a", no_extern_c=True)
memory, pinned = cuda.mem_alloc(4), cuda.pagelocked_zeros(1, np.int32)
stream = cuda.Stream(1)
module.get_function("race")(memory, block=(32, 1, 1), stream=stream)
cuda.memcpy_dtoh_async(pinned, memory, stream)
before = int(pinned[0])
stream.synchronize()
print(cuda.Device(0).total_memory(), before, pinned[0])
"""
    environment = {"FAKE_CUDA_MEMORY": "1000000", "FAKE_CUDA_SCHEDULE": "reverse", "FAKE_CUDA_ASYNC": "1"}
    done, _ = python(START + middle + END, **environment)
    assert done.stdout.split() == ["1000000", "0", "0"], done.stderr
    done, _ = python(START + middle + END, FAKE_CUDA_SCHEDULE="forward", FAKE_CUDA_ASYNC="0")
    assert done.stdout.split() == [str(8 << 30), "31", "31"], done.stderr


def test_installing_after_the_driver_layer_is_loaded_is_refused(python):
    done, _ = python("import sys; sys.modules['pycuda._driver'] = sys; import cuda_harness; cuda_harness.install()")
    assert done.stderr.endswith("cuda_harness.install() comes too late: pycuda.driver is already imported\n")


def test_a_program_runs_on_the_emulated_gpu(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, neighbour\nimport pycuda.driver as cuda\ncuda.init()\n"
        "print(__name__, sys.argv[1:], neighbour.__name__, cuda.Device(0).name())\n"
    )
    (tmp_path / "neighbour.py").touch()
    command = [sys.executable, str(HARNESS / "run.py"), str(program), "--device", "cuda"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "__main__ ['--device', 'cuda'] neighbour Emulated GPU\n", done.stderr


def test_a_program_that_is_not_there_is_named(tmp_path):
    command = [sys.executable, str(HARNESS / "run.py"), "nosuch.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "run.py: there is no nosuch.py\n")


@pytest.mark.parametrize(
    "name, value, refusal",
    [
        ("FAKE_CUDA_SCHEDULE", "banana", "a schedule is forward, reverse or a number, not 'banana'"),
        ("FAKE_CUDA_ALIGN", "7", "an alignment is a power of two from 16 to 4096, not '7'"),
        ("FAKE_CUDA_ALIGN", "8192", "an alignment is a power of two from 16 to 4096, not '8192'"),
    ],
)
def test_a_mode_that_there_is_not_is_refused_by_name(python, tmp_path, name, value, refusal):
    done, _ = python("import cuda_harness; cuda_harness.install()", **{name: value})
    assert done.stderr.splitlines()[-1] == f"ValueError: {name}: {refusal}"
    (tmp_path / "program.py").touch()
    command = [sys.executable, str(HARNESS / "run.py"), str(tmp_path / "program.py")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, name: value})
    assert (done.returncode, done.stderr) == (1, f"run.py: {name}: {refusal}\n")


def test_a_mode_is_refused_at_run_time(cuda):
    with pytest.raises(ValueError, match=r"^a schedule is forward, reverse or a number, not 'banana'$"):
        cuda_harness.set_schedule("banana")
    with pytest.raises(ValueError, match=r"^an alignment is a power of two from 16 to 4096, not '0'$"):
        cuda_harness.set_alignment(0)


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    expected = "no C++ compiler: no-such-compiler is not on PATH; apt-get install g++"
    assert cuda_harness.available() == expected
    with pytest.raises(build.BuildError, match=f"^{expected}".replace("+", r"\+")):
        build.compiler()
    monkeypatch.delenv("CXX")
    monkeypatch.setattr(cuda_harness.importlib.util, "find_spec", lambda name: None)
    assert cuda_harness.available() == "PyCUDA is not installed; python tools/install_pycuda.py builds it"


# --- The build ----------------------------------------------------------------------------------------------


def test_the_link_stub_defines_everything_and_supports_nothing(tmp_path):
    environment = {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-I", str(HARNESS / "build.py"), "--stub", str(tmp_path)]
    subprocess.run(command, check=True, env=environment)
    assert (tmp_path / "libcuda.so").resolve() == tmp_path / "libcuda.so.1"
    program = (
        "import ctypes, sys\n"
        "stub = ctypes.CDLL(sys.argv[1])\n"
        "text = ctypes.c_char_p()\n"
        "print(stub.cuInit(0), stub.cuGetErrorString(801, ctypes.byref(text)), text.value.decode())\n"
        "print(all(hasattr(stub, name) for name in sys.argv[2:]))\n"
    )
    arguments = [str(tmp_path / "libcuda.so.1"), *build.imported_symbols()]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    assert done.stdout == "801 0 this libcuda.so.1 is only there to link against\nTrue\n"


def test_every_function_that_pycuda_imports_is_listed():
    import pycuda._driver

    imported = subprocess.run(
        ["nm", "-D", "--undefined-only", pycuda._driver.__file__], check=True, capture_output=True, text=True
    ).stdout.split()
    assert set(build.imported_symbols()) == {name for name in imported if name.startswith("cu")}
    driver = ctypes.CDLL("libcuda.so.1")
    assert [name for name in build.imported_symbols() if not hasattr(driver, name)] == []
    not_supported = 801
    assert driver.cuTexRefCreate(None) == not_supported


# Writes what it is asked to write, at once.
COMPILER = '#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" = -o ] && echo made > "$2"; shift; done\n'


def test_processes_that_build_at_once_do_not_disturb_each_other(tmp_path):
    (tmp_path / "compiler").write_text(COMPILER)
    (tmp_path / "compiler").chmod(0o755)
    program = (
        "import sys; from pathlib import Path; from cuda_harness.build import build_driver\n"
        "print(build_driver(Path(sys.argv[1])))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "CXX": str(tmp_path / "compiler")}
    command = [sys.executable, "-c", program, str(tmp_path / "parent")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(4)]
    folders = {process.communicate()[0].strip() for process in running}
    assert len(folders) == 1
    (folder,) = map(Path, folders)
    assert sorted(path.name for path in folder.iterdir()) == ["libcuda.so.1", "nvcc"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "nothing half-built is left"
