"""The driver's errors in our words, the one thread, forked processes, and the end in any order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cuda_harness
import pytest
from refusals import refuses

from tinygrad_lite import errors
from tinygrad_lite.backends.cuda import driver
from tinygrad_lite.backends.cuda.array import from_host

ROOT = Path(__file__).resolve().parents[3]
emulated = pytest.mark.skipif(os.environ.get("TINYGRAD_LITE_TEST_DEVICE") == "gpu", reason="breaks the GPU's context")


def run(program: str, status: int = 0, **environment: str) -> str:
    """What a program prints, its complaints included, in a process of its own on the emulated GPU."""
    lines = ["import cuda_harness; cuda_harness.install()", *(line[8:] for line in program.strip("\n").split("\n"))]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **environment}
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, env=env)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "capability, arch",
    [((8, 0), "sm_80"), ((8, 9), "sm_89"), ((9, 0), "sm_90a"), ((10, 0), "sm_100"), ((12, 1), "sm_121")],
)
def test_only_hopper_has_a_target_of_its_own(
    capability: tuple[int, int], arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = SimpleNamespace(push=lambda: None, pop=lambda: None, detach=lambda: None)
    described = SimpleNamespace(
        name=lambda: "a GPU",
        compute_capability=lambda: capability,
        get_attribute=lambda _: 4,
        total_memory=lambda: 1 << 30,
        retain_primary_context=lambda: context,
    )
    cuda = SimpleNamespace(
        Device=lambda _: described,
        Stream=lambda _: SimpleNamespace(handle=17),
        device_attribute=SimpleNamespace(MULTIPROCESSOR_COUNT=1),
    )
    monkeypatch.setattr(driver.atexit, "register", lambda _: None)
    made = driver.Device(cuda, 0)
    assert (made.arch, made.multiprocessors, made.memory, made.handle) == (arch, 4, 1 << 30, 17)


def test_a_context_without_a_stream_is_left_again() -> None:
    calls: list[str] = []
    context = SimpleNamespace(**{name: lambda name=name: calls.append(name) for name in ("push", "pop", "detach")})

    def refuse(_: Any) -> None:
        raise RuntimeError("no stream")

    described = SimpleNamespace(
        name=str,
        compute_capability=lambda: (9, 0),
        get_attribute=lambda _: 4,
        total_memory=int,
        retain_primary_context=lambda: context,
    )
    attributes = SimpleNamespace(MULTIPROCESSOR_COUNT=1)
    cuda = SimpleNamespace(Device=lambda _: described, Stream=refuse, device_attribute=attributes)
    with pytest.raises(RuntimeError, match="no stream"):
        driver.Device(cuda, 0)
    assert calls == ["push", "pop", "detach"]


def test_what_the_driver_refuses_is_told_in_our_words() -> None:
    import pycuda.driver as cuda

    @driver.reported
    def too_much(size: int) -> None:
        cuda.mem_alloc(size)

    driver.current()
    refuses(errors.LaunchError, lambda: too_much(1 << 60), "cuda cannot go on: out of memory")

    @driver.reported
    def ours() -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        ours()


@pytest.mark.parametrize(
    "said, reason",
    [
        ("cuInit failed: no CUDA-capable device is detected", "no CUDA-capable device is detected"),
        ("cuModuleLoadDataEx failed: device kernel image is invalid - ", "device kernel image is invalid"),
        ("cuModuleLoadDataEx failed: device kernel image is invalid - a log", "device kernel image is invalid - a log"),
        ("something else", "something else"),
    ],
)
def test_a_reason_is_what_the_driver_says_without_its_own_names(said: str, reason: str) -> None:
    assert driver.reason(RuntimeError(said)) == reason


def test_what_is_missing_is_told_without_the_search_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would print the exception of the search, and "during the handling of" it the one that matters."""
    import pycuda.driver as cuda

    driver.current()

    def absent(*_: Any, **__: Any) -> None:
        raise OSError("libcuda.so.1: cannot open shared object file")

    def refuse(*_: Any) -> None:
        raise cuda.RuntimeError("cuInit failed: no CUDA-capable device is detected")

    def attempt(call: Any) -> errors.Error:
        with pytest.raises(errors.Error) as caught:
            call()
        assert caught.value.__context__ is None
        return caught.value

    with monkeypatch.context() as changed:
        changed.setattr(driver.ctypes, "CDLL", absent)
        assert attempt(driver.load).need == "needs NVIDIA's driver, and there is none on this machine"
    with monkeypatch.context() as changed:
        changed.setattr(cuda, "init", refuse)
        need = "needs a GPU, but the driver says: no CUDA-capable device is detected"
        assert attempt(driver.load).need == need
    with monkeypatch.context() as changed:
        changed.setattr(driver, "_device", None)
        changed.setattr(driver, "Device", refuse)
        assert attempt(driver.current).need == "cannot use GPU 0: no CUDA-capable device is detected"
    with monkeypatch.context() as changed:
        changed.setitem(sys.modules, "pycuda.driver", None)
        changed.delattr(sys.modules["pycuda"], "driver")
        assert attempt(driver.load).need.startswith("needs PyCUDA, which does not load here")


def test_a_name_of_a_gpu_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    driver.current()
    monkeypatch.setattr(driver, "_device", None)
    monkeypatch.setenv("TINYGRAD_LITE_CUDA_DEVICE", "first")
    refuses(
        errors.DeviceError,
        driver_current,
        "cuda needs the number of a GPU in TINYGRAD_LITE_CUDA_DEVICE, but it is 'first'",
    )
    monkeypatch.setenv("TINYGRAD_LITE_CUDA_DEVICE", "5")
    refuses(
        errors.DeviceError,
        driver_current,
        "cuda needs GPU 5, but this machine has 1 GPU\n"
        "  hint  they are counted from 0; CUDA_VISIBLE_DEVICES may hide some",
    )
    monkeypatch.setattr(driver, "_closed", True)
    refuses(errors.DeviceError, driver_current, "cuda was given back, because the process is ending")


def driver_current() -> None:
    driver.current()


def test_without_pycuda_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import pycuda

    driver.current()
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    monkeypatch.delattr(pycuda, "driver")
    refuses(
        errors.DependencyError,
        lambda: driver.load(),
        "cuda needs PyCUDA, which does not load here (import of pycuda.driver halted; None in sys.modules)\n"
        "  hint  pip install 'tinygrad_lite[cuda]'; device=\"cpu\" computes the same",
    )


@emulated
def test_a_broken_context_says_so_at_every_call_and_where_the_process_must_begin_anew() -> None:
    from tinygrad_lite.backends.cuda import array, memory

    x = from_host([1.0, 2.0])
    cuda_harness.set_asynchronous(True)
    array.copied(array.over(None, 64, (5, 9), (17, 3), x.dtype))
    text = (
        "cuda cannot go on: an illegal memory access was encountered\n"
        "  hint  a kernel has failed, and the GPU's context with it: the process must be started anew"
    )
    for call in (lambda: driver.current().synchronize(), lambda: x.get(), lambda: memory.fill_zero(x.address, 4)):
        refuses(errors.LaunchError, call, text)
    cuda_harness.reset()
    cuda_harness.set_asynchronous(False)


@emulated
def test_processes_end_quietly_whatever_went_wrong() -> None:
    """A forked process, one whose first use is on a thread, and tensors that outlive everything."""
    program = """
        import os, sys, threading, warnings; warnings.simplefilter("ignore")
        import tinygrad_lite as tgl
        thread = threading.Thread(target=lambda: tgl.cuda.is_available())
        thread.start()
        thread.join()
        x = tgl.zeros(3, device="cuda")
        step = tgl.cuda.capture(lambda v: v + 1)
        for _ in range(3):
            y = step(x)
        sys.stdout.flush()
        if os.fork() == 0:
            try:
                x + 1
            except tgl.errors.DeviceError as error:
                print(error)
            del x, y, step
            sys.exit(0)
        print(os.wait()[1], y.tolist())
        class Late:
            def __del__(self, tensor=y, module=tgl):
                try:
                    tensor + 1
                except module.errors.Error as error:
                    print(error.need)
        late = Late()
    """
    assert run(program).splitlines() == [
        "cuda cannot be used by a process that was forked from one that uses it",
        "  at    <string>:14",
        '  hint  start processes with multiprocessing.get_context("spawn")',
        "0 [1.0, 1.0, 1.0]",
        "was given back, because the process is ending",
    ]


@emulated
def test_without_pooling_all_works_and_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    program = """
        import threading
        import tinygrad_lite as tgl
        x = tgl.ones(1000, device="cuda")
        y = [x * 2, x + 3]
        thread = threading.Thread(target=y.clear)
        thread.start()
        thread.join()
        step = tgl.cuda.capture(lambda v: (v * 2).sum())
        print([step(x + float(k)).item() for k in range(5)])
        del step
        print((x + 1).sum().item())
    """
    report = tmp_path / "report"
    printed = run(program, TINYGRAD_LITE_CUDA_POOL="0", FAKE_CUDA_ASYNC="1", FAKE_CUDA_REPORT=str(report))
    assert printed == "[2000.0, 4000.0, 6000.0, 8000.0, 10000.0]\n2000.0\n"
    lines = report.read_text().splitlines()
    left = [line for line in lines if line.startswith(("late", "live"))]
    assert left
    assert all(line.endswith(" 0") for line in left), left
