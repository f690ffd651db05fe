"""``tgl.cuda``: what it prints and counts, who holds the memory, and what happens where there is no GPU."""

from __future__ import annotations

import linecache
import os
import subprocess
import sys
from pathlib import Path

import cuda_harness
import numpy as np
import pytest
from refusals import refusal, refuses

import tinygrad_lite as tgl
from tinygrad_lite import errors, nn, optim
from tinygrad_lite.autograd.tools.device_memory import held_by
from tinygrad_lite.backends.cuda import compiler, driver, fallback, launching, memory

pytestmark = [pytest.mark.needs("cuda"), pytest.mark.usefixtures("gpu")]
ROOT = Path(__file__).resolve().parents[2]


def mlp_step() -> None:
    tgl.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10)).to("cuda")
    optimizer = optim.Adam(model.parameters())
    rng = np.random.default_rng(0)
    for _ in range(2):
        x = tgl.Tensor(rng.standard_normal((128, 784)).astype(np.float32), device="cuda")
        y = tgl.Tensor(rng.integers(0, 10, 128), device="cuda")
        before = tgl.cuda.launches()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    assert 0 < tgl.cuda.launches() - before <= 12


def test_a_training_step_of_a_small_network_is_at_most_12_launches_all_of_them_on_the_gpu() -> None:
    before = tgl.cuda.fallbacks()
    mlp_step()
    assert tgl.cuda.fallbacks() == before


def test_the_first_training_step_compiles_few_modules_and_the_next_process_none() -> None:
    """What the first step waits for: a module takes nvcc about a second."""
    program = """
        import numpy as np
        import tinygrad_lite as tgl
        from tinygrad_lite import nn, optim
        from tinygrad_lite.backends.cuda import compiler
        model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10)).to("cuda")
        optimizer = optim.Adam(model.parameters())
        x, y = tgl.zeros((128, 784), device="cuda"), tgl.zeros(128, "int64", device="cuda")
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        print(compiler.counts["compilations"], compiler.counts["loads"])
    """
    compiled, loaded = map(int, run(program).split())
    assert 0 < compiled + loaded <= 12
    assert run(program).split() == ["0", str(compiled + loaded)]


def test_a_function_that_is_computed_on_the_cpu_is_counted_and_named_once(tmp_path: Path) -> None:
    program = """
        import warnings
        import tinygrad_lite as tgl
        x = tgl.Tensor([[2.0, 0.0], [0.0, 4.0]], device="cuda")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            print(tgl.inv(x).tolist(), tgl.inv(x).device)
        print([str(w.message) for w in caught])
        print(tgl.cuda.fallbacks())
    """
    assert run(program).splitlines() == [
        "[[0.5, 0.0], [0.0, 0.25]] cuda",
        "['inv is computed on the CPU: arrays go there and back, and the GPU waits']",
        "{'inv': 2}",
    ]


def run(program: str, *, emulated: bool = True, status: int = 0, **environment: str) -> str:
    """What a program prints, its complaints included, in a process of its own."""
    lines = [line[8:] for line in program.strip("\n").split("\n")]
    if emulated:
        lines.insert(0, "import cuda_harness; cuda_harness.install()")
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **environment}
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, env=env)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def test_a_warning_points_to_the_line_of_the_user(recwarn: pytest.WarningsRecorder) -> None:
    fallback.counts.pop("inv", None)
    tgl.linalg.inv(tgl.Tensor([[2.0, 0.0], [0.0, 4.0]], device="cuda"))
    (warning,) = recwarn
    assert warning.category is RuntimeWarning
    assert str(warning.message) == "inv is computed on the CPU: arrays go there and back, and the GPU waits"
    assert (warning.filename, linecache.getline(warning.filename, warning.lineno).strip()) == (
        __file__,
        'tgl.linalg.inv(tgl.Tensor([[2.0, 0.0], [0.0, 4.0]], device="cuda"))',
    )


def test_the_module_lists_what_it_offers() -> None:
    assert dir(tgl.cuda) == sorted(tgl.cuda.__all__)
    assert {"capture", "device_name", "info", "memory_summary"} <= set(dir(tgl.cuda))


def test_the_gpu_has_a_name() -> None:
    assert tgl.cuda.device_name() == driver.current().name != ""


def test_info_prints_device_driver_kernels_cache_and_memory(capsys: pytest.CaptureFixture[str]) -> None:
    tgl.zeros(3, device="cuda")
    tgl.cuda.info()
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert {"device", "driver", "nvcc", "kernels", "cache", "memory"} <= lines.keys()
    assert "compute capability" in lines["device"]
    assert "PyCUDA 2026.1" in lines["driver"]
    assert f"{len(launching.kernels)} in {len(compiler.modules)} modules; " in lines["kernels"]


def test_without_a_driver_everything_says_so_and_the_cpu_goes_on() -> None:
    program = """
        import tinygrad_lite as tgl
        print(tgl.cuda.is_available(), tgl.cuda.device_count())
        try:
            tgl.zeros(3, device="cuda")
        except tgl.errors.DeviceError as error:
            print(error.need)
        tgl.cuda.info()
        from tinygrad_lite.backends.cuda import compiler, launching, namespace, overrides
        print(f"kernels     {len(launching.kernels)} in {len(compiler.modules)} modules; 0 compiled")
        print((tgl.zeros(2) + 1).tolist())
    """
    if os.path.exists("/dev/nvidiactl"):
        pytest.skip(reason="running the CUDA kernels (no NVIDIA GPU)")
    lines = run(program, emulated=False).splitlines()
    assert lines[:3] == [
        "False 0",
        "needs NVIDIA's driver, and there is none on this machine",
        "device      none: cuda needs NVIDIA's driver, and there is none on this machine",
    ]
    (kernels,) = (line for line in lines[:-2] if line.startswith("kernels"))
    assert kernels.startswith(lines[-2])
    assert lines[-1] == "[1.0, 1.0]"


def test_the_gpu_belongs_to_the_main_thread() -> None:
    program = """
        import threading
        import tinygrad_lite as tgl
        def on_a_thread(work):
            def attempt():
                try:
                    work()
                except tgl.errors.DeviceError as error:
                    print(error.need)
            thread = threading.Thread(target=attempt)
            thread.start()
            thread.join()
        on_a_thread(lambda: tgl.zeros(3, device="cuda"))
        x = tgl.zeros(3, device="cuda")
        on_a_thread(lambda: x + 1)
        on_a_thread(lambda: x._data.fill(1))
        print((x + 2).tolist())
    """
    refused = "belongs to the main thread, but was asked for by another"
    assert run(program).splitlines() == [refused, refused, refused, "[2.0, 2.0, 2.0]"]


# --- memory -------------------------------------------------------------------------------------------------


def test_memory_is_counted_and_used_again() -> None:
    before = tgl.cuda.memory_allocated()
    x = tgl.zeros((256, 256), device="cuda")
    assert tgl.cuda.memory_allocated() - before == 256 * 256 * 4
    del x
    assert tgl.cuda.memory_allocated() == before
    assert tgl.cuda.max_memory_allocated() >= before + 256 * 256 * 4


def test_without_memory_the_error_says_who_holds_it_and_the_process_goes_on() -> None:
    program = """
        import tinygrad_lite as tgl
        w = tgl.Tensor(tgl.zeros((1 << 20,)), device="cuda", requires_grad=True)
        y = w.exp()
        try:
            tgl.zeros((1 << 24,), device="cuda")
        except MemoryError as error:
            print(type(error).__name__, error)
        del y
        print((w * 2).sum().item())
    """
    text = run(program, FAKE_CUDA_MEMORY=str(32 << 20))
    assert text.startswith("OutOfMemoryError cuda has "), text
    assert "but 64.0 MiB are needed" in text
    assert "parameters 4.0 MiB" in text
    assert "saved by exp 4.0 MiB" in text
    assert text.endswith("0.0\n")


def test_memory_that_nobody_can_reach_is_found_before_giving_up() -> None:
    program = """
        import tinygrad_lite as tgl
        class Knot: pass
        for _ in range(40):
            knot = Knot()
            knot.self, knot.data = knot, tgl.zeros((1 << 18,), device="cuda")
        print("went on")
    """
    assert run(program, FAKE_CUDA_MEMORY=str(8 << 20)) == "went on\n"


def test_the_summary_names_parameters_and_saved_values() -> None:
    w = tgl.Tensor(np.zeros(1000, np.float32), device="cuda", requires_grad=True)
    y = w.exp()
    text = tgl.cuda.memory_summary()
    assert "parameters: " in text
    assert "saved by exp: " in text
    assert text.splitlines()[-1].startswith("kept for new arrays: ")
    del y


def test_the_summary_names_the_state_of_an_optimiser() -> None:
    layer = nn.Linear(64, 32).to("cuda")
    optimizer = optim.Adam(layer.parameters())
    layer(tgl.ones((2, 64), device="cuda")).sum().backward()
    before = held_by()
    optimizer.step()
    after = held_by()
    arena = 4 * (64 * 32 + 32)
    assert after["optimizer state"] - before.get("optimizer state", 0) >= 2 * arena
    assert after.get("other arrays", 0) == before.get("other arrays", 0)
    assert "optimizer state: " in tgl.cuda.memory_summary()


def test_empty_cache_gives_memory_back() -> None:
    x = tgl.zeros(100_000, device="cuda")
    del x
    tgl.cuda.empty_cache()
    assert memory.pool.held == 0


# --- what goes wrong ----------------------------------------------------------------------------------------


def test_a_failed_launch_names_kernel_grid_block_and_arguments() -> None:
    x = tgl.zeros(8, device="cuda")
    kernel = next(k for k in launching.kernels if k.name == "copy_strided")
    text = refusal(errors.LaunchError, lambda: kernel((1, 1, 1), (2048, 1, 1), x._data.address, 16, b"\0" * 232))
    assert text.startswith("cuda failed to launch copy_strided of copy ITEM=1: "), text
    assert "grid      (1, 1, 1)" in text
    assert "block     (2048, 1, 1)" in text
    assert "0x10, 232 bytes" in text
    assert (x + 1).sum().item() == 8


def test_after_an_illegal_access_every_call_says_so_and_the_process_ends_cleanly() -> None:
    program = """
        import tinygrad_lite as tgl
        from tinygrad_lite.backends.cuda import array, driver
        x = tgl.zeros((4, 8), device="cuda")
        bad = array.over(None, 64, (5, 9), (17, 3), x.dtype)
        for call in (lambda: array.copied(bad), lambda: x + 1, lambda: x.tolist()):
            try:
                call()
                driver.current().synchronize()
            except Exception as error:
                print(type(error).__name__, "illegal" in str(error) or "failed" in str(error))
        print("ends")
    """
    lines = run(program).splitlines()
    assert lines[-1] == "ends", lines
    assert lines[0] == "LaunchError True"


def test_a_process_that_holds_tensors_until_its_end_leaves_nothing_behind() -> None:
    program = """
        import atexit
        import tinygrad_lite as tgl
        atexit.register(lambda: print(cuda_harness.counters().late_calls))
        x = tgl.zeros(3, device="cuda", requires_grad=True)
        y = (x * 2).sum()
        step = tgl.cuda.capture(lambda v: v + 1)
        for _ in range(4):
            kept = step(y.detach())
        raise SystemExit(3)
    """
    assert run(program, status=3) == "[]\n"


def test_another_gpu_than_the_one_in_use() -> None:
    number = driver.current().number
    hint = "\n  hint  choose before the first tensor is made there; CUDA_VISIBLE_DEVICES also chooses"
    refuses(
        errors.ArgumentError,
        lambda: tgl.cuda.set_device(number + 3),
        f"cuda.set_device cannot leave GPU {number}, which is in use{hint}",
    )
    for name, call in (
        ("zeros", lambda: tgl.zeros(3, device=f"cuda:{number + 1}")),
        ("to", lambda: tgl.zeros(3).to(f"cuda:{number + 1}")),
    ):
        text = f"{name} cannot use cuda:{number + 1}: this process uses GPU {number}{hint}"
        refuses(errors.DeviceError, call, text)


def test_choosing_a_gpu_that_is_not_there() -> None:
    assert refusal(errors.ArgumentError, lambda: tgl.cuda.set_device(-1)) == (
        "cuda.set_device needs the number of a GPU, counted from 0, but got -1"
    )
    program = """
        import tinygrad_lite as tgl
        for choose in (lambda: tgl.cuda.set_device(3), lambda: tgl.zeros(1, device="cuda:3")):
            try:
                choose()
            except tgl.errors.DeviceError as error:
                print(error.need)
        print(tgl.zeros(1, device="cuda").device)
    """
    assert run(program) == "needs GPU 3, but this machine has 1 GPU\n" * 2 + "cuda\n"


def test_the_harness_runs_where_these_tests_run() -> None:
    assert cuda_harness.installed() or os.environ.get("TINYGRAD_LITE_TEST_DEVICE") == "gpu"
