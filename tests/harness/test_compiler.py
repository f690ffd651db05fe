"""The emulated nvcc: its command line, its messages, what it refuses, and that the kernels of these tests are CUDA."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import cuda_harness
import numpy as np
import pytest

pytestmark = pytest.mark.needs("cuda")

KERNELS = Path(__file__).parent / "kernels"
GOOD = 'extern "C" __global__ void one(int* x) { *x = 1; }\n'


@pytest.fixture
def nvcc_emulated(cuda, tmp_path):
    """Run the emulated nvcc on a text in a folder of its own."""
    path = shutil.which("nvcc")

    def run(*arguments, text=GOOD):
        (tmp_path / "kernel.cu").write_text(text)
        return subprocess.run([path, *arguments], cwd=tmp_path, capture_output=True, text=True)

    return run


def test_the_version_names_the_release_and_a_hash_of_the_emulator(nvcc_emulated):
    said = nvcc_emulated("--version").stdout.splitlines()
    assert said[1] == "Cuda compilation tools, release 13.0, V13.0.88"
    assert re.fullmatch(r"Build emulated\.[0-9a-f]{16}", said[2])


def test_preprocessing(nvcc_emulated):
    done = nvcc_emulated("--preprocess", "-P", "-DN=3", "kernel.cu", text="#define TWICE (2 * N)\nint x = TWICE;\n")
    assert done.stdout.strip() == "int x = (2 * 3);"


ACCEPTED = [
    ("-arch=sm_90a",),
    ("-gencode=arch=compute_90a,code=sm_90a", "-O3", "-lineinfo", "--restrict"),
    ("-arch", "sm_90", "-Xptxas", "-v", "-std=c++17", "-I", ".", "-DX", "-D", "Y=2", "-include", "stdint.h"),
]


@pytest.mark.parametrize("options", ACCEPTED)
@pytest.mark.parametrize("output", [(), ("-o", "out.bin")])
def test_a_cubin_is_written_without_a_word(nvcc_emulated, tmp_path, options, output):
    done = nvcc_emulated("--cubin", *options, "kernel.cu", *output)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / (output[1] if output else "kernel.cubin")).read_bytes().startswith(b"EMUCUBIN")


REFUSED = {
    ("--cubin", "--use_fast_math", "kernel.cu"): "nvcc fatal   : Unknown option '--use_fast_math'",
    ("--cubin", "-arch=sm_9", "kernel.cu"): "nvcc fatal   : Unsupported gpu architecture 'sm_9'",
    ("--cubin",): "nvcc fatal   : No input files specified; use option --help for more information",
    ("kernel.cu",): "nvcc fatal   : the emulated nvcc offers --cubin, --preprocess and --version",
    ("--cubin", "a.cu", "b.cu"): "nvcc fatal   : the emulated nvcc compiles one file at a time",
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_what_nvcc_would_refuse_is_refused(nvcc_emulated, arguments):
    done = nvcc_emulated(*arguments)
    assert (done.returncode, done.stderr.strip()) == (1, REFUSED[arguments])


def test_errors_name_file_and_line_as_those_of_nvcc_do(nvcc_emulated):
    text = '#line 7 "softmax.cu"\nextern "C" __global__ void k(int* x) {\n    *x = absent;\n    *x = missing;\n}\n'
    done = nvcc_emulated("--cubin", "-arch=sm_90a", "kernel.cu", text=text)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "softmax.cu(8): error: 'absent' was not declared in this scope"
    assert [line for line in lines if line.startswith("softmax.cu(9): error: ")]
    assert lines[-1] == '2 errors detected in the compilation of "kernel.cu".'


FORBIDDEN = {
    "a float atomic": "atomicAdd(x, 1.0f);",
    "a double atomic": "atomicAdd(reinterpret_cast<double*>(x), 1.0);",
    "a partial warp's mask": "x[0] = __activemask();",
    "fast mathematics": "x[0] = __expf(x[0]);",
    "a clock": "x[0] = clock64();",
    "printing": 'printf("%f", x[0]);',
    "a shuffle without a mask": "x[0] = __shfl_xor(x[0], 1);",
    "an initialised shared variable": "__shared__ int y = 1;",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_kernels_must_not_use_does_not_compile(nvcc_emulated, what):
    text = f'extern "C" __global__ void k(float* x) {{ {FORBIDDEN[what]} }}\n'
    done = nvcc_emulated("--cubin", "-arch=sm_90a", "kernel.cu", text=text)
    assert done.returncode == 1
    assert done.stderr.startswith("kernel.cu(1): error: ")


def test_every_run_is_written_down(nvcc_emulated, tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setenv("FAKE_NVCC_LOG", str(log))
    nvcc_emulated("--version")
    nvcc_emulated("--cubin", "-arch=sm_90a", "kernel.cu")
    assert log.read_text() == "cubin --cubin -arch=sm_90a kernel.cu\n"


FUSED = 'extern "C" __global__ void k(float* x) { x[0] = x[0] * x[0] - x[1]; }'


@pytest.mark.parametrize("fused", ["0", "1"])
def test_a_product_and_a_sum_are_rounded_once_on_request(nvcc_emulated, cuda, context, tmp_path, monkeypatch, fused):
    monkeypatch.setenv("FAKE_NVCC_FMA", fused)
    done = nvcc_emulated("--cubin", "-arch=sm_90a", "kernel.cu", text=FUSED)
    if "needs a processor" in done.stderr:
        pytest.skip(done.stderr)
    x = np.array([1 + 2**-12, 1 + 2**-11], np.float32)  # the square of the first, rounded, is the second
    memory = cuda.to_device(x)
    cuda.module_from_file(str(tmp_path / "kernel.cubin")).get_function("k")(memory, block=(1, 1, 1), grid=(1, 1))
    assert cuda.from_device(memory, 2, np.float32)[0] == (2**-24 if fused == "1" else 0)


def test_what_is_fused_has_another_version(nvcc_emulated, monkeypatch):
    stated = set()
    for fused in ("0", "1"):
        monkeypatch.setenv("FAKE_NVCC_FMA", fused)
        stated.add(nvcc_emulated("--version").stdout)
    assert len(stated) == 2


def test_pycuda_shows_the_messages(cuda, context, compiled):
    with pytest.raises(cuda.CompileError, match=r"kernel\.cu\(1\): error: 'absent' was not declared in this scope"):
        compiled('extern "C" __global__ void k(int* x) { *x = absent; }')


# --- Loading what was compiled ------------------------------------------------------------------------------


@pytest.fixture
def cubin(nvcc_emulated, tmp_path, context):
    def compile(*options):
        assert nvcc_emulated("--cubin", *options, "kernel.cu").returncode == 0
        return (tmp_path / "kernel.cubin").read_bytes()

    return compile


def test_a_cubin_can_be_loaded_from_memory_and_from_a_file(cuda, cubin, tmp_path, to_host):
    content, out = cubin("-arch=sm_90a"), cuda.mem_alloc(4)
    for module in (cuda.module_from_buffer(content), cuda.module_from_file(str(tmp_path / "kernel.cubin"))):
        cuda.memset_d32(out, 0, 1)
        module.get_function("one")(out, block=(1, 1, 1))
        assert to_host(out, 1, np.int32) == 1


def test_modules_of_the_same_text_do_not_share_their_variables(cuda, compiled, to_host):
    text = "__device__ int kept = 3; " + 'extern "C" __global__ void next(int* x) { *x = ++kept; }'
    from pycuda.compiler import SourceModule

    out, found = cuda.mem_alloc(4), []
    for module in [SourceModule(text, arch="sm_90a", no_extern_c=True) for _ in range(2)]:
        module.get_function("next")(out, block=(1, 1, 1))
        found.append(int(to_host(out, 1, np.int32)[0]))
    assert found == [4, 4]


def test_any_number_of_modules_can_be_loaded_and_each_is_itself(cuda, context, nvcc_emulated, tmp_path, to_host):
    contents = []
    for number in (1, 2):
        text = f'extern "C" __global__ void say{number}(int* x) {{ *x = {number}; }}'
        assert nvcc_emulated("--cubin", "-arch=sm_90a", "kernel.cu", text=text).returncode == 0
        contents.append((tmp_path / "kernel.cubin").read_bytes())
    out, kept = cuda.mem_alloc(4), []
    for turn in range(200):
        number = turn % 2 + 1
        module = cuda.module_from_buffer(contents[turn % 2])
        module.get_function(f"say{number}")(out, block=(1, 1, 1))
        assert to_host(out, 1, np.int32) == number
        if turn % 3:
            kept.append(module)


@pytest.mark.parametrize("damage", ["empty", "torn", "flipped", "other"])
def test_a_damaged_cubin_is_refused(cuda, cubin, damage):
    content = cubin("-arch=sm_90a")
    middle = len(content) // 2
    damaged = {
        "empty": bytes(64),
        "torn": content[:middle],
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "other": b"\x7fELF" + content[4:],
    }[damage]
    with pytest.raises(cuda.LogicError, match=r"^cuModuleLoadDataEx failed: device kernel image is invalid"):
        cuda.module_from_buffer(damaged)


@pytest.mark.parametrize("arch", ["sm_80", "sm_100"])
def test_a_cubin_for_another_architecture_is_refused(cuda, cubin, arch):
    with pytest.raises(cuda.Error, match="no kernel image is available for execution on the device"):
        cuda.module_from_buffer(cubin(f"-arch={arch}"))
    assert cuda_harness.last_error() == f"cuModuleLoadData: compiled for {arch}, the device is sm_90"


# --- The kernels of these tests -----------------------------------------------------------------------------


@pytest.mark.needs("nvcc")
@pytest.mark.parametrize("name", sorted(path.name for path in KERNELS.glob("*.cu")))
def test_the_kernels_of_these_tests_are_cuda(nvcc, tmp_path, name):
    command = [nvcc, "--cubin", "-std=c++17", "-arch=sm_90a", "-w", str(KERNELS / name), "-o", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "")
