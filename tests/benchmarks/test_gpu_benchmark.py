"""The GPU benchmark: its references, its errors, its bookkeeping, and a quick run on the emulated driver."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tgl

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu"
MODULES = [path.stem for path in FOLDER.glob("*.py")]


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    """The benchmark's files import each other by name, as they do when one of them is run."""
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))
    for name in MODULES:
        sys.modules.pop(name, None)


def module(name: str) -> ModuleType:
    return importlib.import_module(name)


def all_cases() -> dict[str, Any]:
    sys.path.insert(0, str(FOLDER))
    try:
        return {f"{case.group}: {case.name}": case for case in module("memory_cases").CASES}
    finally:
        sys.path.remove(str(FOLDER))


CASES = all_cases()


@pytest.mark.parametrize("elements", [1, 5000, 20_011])
@pytest.mark.parametrize("name", CASES)
def test_the_cpu_backend_passes_every_check(name: str, elements: int) -> None:
    case = CASES[name]
    error = module("cases").check(case, "cpu", np.random.default_rng(elements), elements)
    assert error <= case.roundings


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.whole != "no"])
def test_the_check_of_large_results_finds_one_wrong_element_of_a_small_one(name: str) -> None:
    case, cases, rng = CASES[name], module("cases"), np.random.default_rng(5)
    inputs = case.inputs(rng, 5000)
    tgl.manual_seed(7)
    call = case.prepare("cpu", *cases.on_device("cpu", inputs))
    found = [call() for _ in range(case.calls)][-1]
    right = [np.array(x) for x in cases.results(found)]
    assert cases.check_whole(case, right, inputs, rng) <= case.roundings
    wrong = right[0].reshape(-1)
    wrong[-1] = not wrong[-1] if wrong.dtype.kind == "b" else wrong[-1] + 3
    assert cases.check_whole(case, right, inputs, rng) > case.roundings


@pytest.mark.parametrize("layout", ["NN", "NT", "TN"])
def test_products_are_judged_by_their_rounding(layout: str) -> None:
    product_cases, rng = module("product_cases"), np.random.default_rng(3)
    a, b = product_cases.operands(rng, layout, 37, 41, 53)
    found = product_cases.product("chosen", layout, tgl.asarray(a), tgl.asarray(b))()
    assert product_cases.deviation(found, a, b, layout, rng) <= product_cases.ROUNDINGS
    assert product_cases.deviation(found + 1e-3, a, b, layout, rng) > product_cases.ROUNDINGS
    assert product_cases.deviation(found[:-1], a, b, layout, rng) == float("inf")


@pytest.mark.parametrize(
    "layout, sizes, name",
    [
        ("NN", (4096, 4096, 4096), "chosen (gemm_128x128)"),
        ("TN", (512, 784, 128), "chosen (gemm_64x64)"),
        ("NT", (130, 131, 67), "chosen (gemm_sliced)"),
    ],
)
def test_a_row_of_the_chosen_kernel_names_it(layout: str, sizes: tuple[int, int, int], name: str) -> None:
    product_cases = module("product_cases")
    assert product_cases.described("chosen", layout, *sizes) == name
    assert product_cases.described("naive", layout, *sizes) == "naive"


def test_every_rung_has_rows() -> None:
    lower = ("naive", "coalesced", "shared tiles", "column tiles", "register tiles", "vectorized")
    assert module("product_cases").rungs() == (*lower, "gemm_64x64", "gemm_128x128", "chosen")


@pytest.mark.parametrize("train", ["on_one_batch", "on_new_batches", "whole_epochs"])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_training_is_compared_with_float64(optimizer: str, train: str) -> None:
    training = module("training")
    assert 0 < training.deviation("cpu", optimizer, getattr(training, train)) < training.ROUNDINGS / 10


def only_first(calls: int) -> Any:
    """A step that leaves out what comes after so many calls, as a graph would that is not replayed."""

    def prepared(step: Any) -> Any:
        left = iter(range(calls))
        return lambda *batch: step(*batch) if next(left, None) is not None else None

    return prepared


def always_the_first_batch(step: Any) -> Any:
    """As a graph into which no new batch is copied."""
    batches: list[Any] = []

    def stale(*batch: Any) -> Any:
        batches.append(batch)
        return step(*batches[0])

    return stale


@pytest.mark.parametrize(
    "train, prepared",
    [
        ("on_one_batch", only_first(3)),
        ("on_new_batches", always_the_first_batch),
        ("whole_epochs", only_first(3)),
        ("whole_epochs", only_first(5)),
    ],
    ids=["a replay left out", "a stale batch", "one epoch of two", "the last, smaller batch left out"],
)
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_a_captured_step_that_trains_otherwise_is_found(optimizer: str, train: str, prepared: Any) -> None:
    training = module("training")
    assert training.deviation("cpu", optimizer, getattr(training, train), prepared) > training.ROUNDINGS


@pytest.mark.parametrize("drop_last, sizes", [(False, [16, 16, 8]), (True, [16, 16])])
def test_an_epoch_takes_every_image_once(drop_last: bool, sizes: list[int]) -> None:
    training = module("training")
    found, seen = training.on_a_batch("cpu", "SGD", (8, 6, 3), 40), []

    def step(images: Any, labels: Any) -> None:
        assert len(images) == len(labels)
        seen.append(images[:, 0].tolist())

    training.epoch(found, 16, step, drop_last=drop_last)()
    assert [len(batch) for batch in seen] == sizes
    pixels = [pixel for batch in seen for pixel in batch]
    assert len(set(pixels)) == sum(sizes)
    assert set(pixels) <= set(found.images[:, 0].tolist())


# --- what is reported ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields, quick, printed",
    [
        ({}, False, "exp 1000"),
        (
            {"seconds": 2e-3, "bytes": 4 * 10**9, "share": 0.912, "target": 0.9, "ceiling": "the copy"},
            False,
            "exp 1000 2.00 ms 2000 GB/s 91.2% of the copy target 90% met",
        ),
        (
            {"seconds": 2e-3, "flops": 1e11, "share": 0.5, "target": 0.9, "ceiling": "cuBLAS"},
            False,
            "exp 1000 2.00 ms 50.00 TFLOP/s 50.0% of cuBLAS target 90% MISSED",
        ),
        ({"seconds": 4.5e-6, "target": 0.9}, False, "exp 1000 4.50 us target 90%"),
        ({"error": 2.25, "allowed": 8}, False, "exp 1000 error 2.2"),
        ({"error": 9.5, "allowed": 8}, False, "exp 1000 error 9.5 > 8 WRONG"),
        ({"seconds": 4.5e-6, "launches": 9}, False, "exp 1000 4.50 us 9 launches"),
        ({"error": 1.0, "allowed": 8, "launches": 1}, True, "exp 1000 error 1 1 launch"),
        ({"seconds": 1.0, "error": 1.0, "allowed": 8, "target": 0.9, "share": 1.0}, True, "exp 1000 error 1"),
        ({"failure": "LaunchError: no"}, False, "exp 1000 FAILED: LaunchError: no"),
    ],
)
def test_a_row_says_what_is_known_of_it(fields: dict[str, Any], quick: bool, printed: str) -> None:
    report = module("report")
    line = report.line(report.Row("element-wise", "exp", "1000", **fields), quick)
    assert " ".join(line.split()) == printed


def finished(report: ModuleType) -> Any:
    machine = {"device": "NVIDIA Example (1)", "date": "2026-01-31T14:15:16+00:00"}
    result = report.Result(False, machine, {"copy bytes per second": 1e12, "cuBLAS flops per second": 1e13})
    result.rows = [
        report.Row(
            "element-wise", "exp", "1000", 1e-3, bytes=10**9, flops=1e8, share=1.0, target=0.9, error=1, allowed=8
        ),
        report.Row("matrix products", "NN chosen", "64x64x64", 1e-3, flops=5e9),
        report.Row("sorting", "sort rows", "1000", 1e-3, bytes=10**9, error=float("inf"), allowed=8),
    ]
    return result


def test_the_file_holds_every_figure_and_the_verdicts(tmp_path: Path) -> None:
    report = module("report")
    result = finished(report)
    path = report.write(result, tmp_path / "new", complete=False)
    assert path == tmp_path / "new" / "2026-01-31T1415-nvidia-example-1.json"
    content = json.loads(path.read_text())
    assert content["complete"] is False
    assert content["machine"] == result.machine
    assert content["ceilings"] == result.ceilings
    assert [(row["name"], row["correct"], row["met"]) for row in content["rows"]] == [
        ("exp", True, True),
        ("NN chosen", True, None),
        ("sort rows", False, None),
    ]
    assert content["rows"][0].items() >= dataclasses.asdict(result.rows[0]).items()
    assert not result.correct


def test_the_picture_is_drawn_when_the_run_is_complete(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = module("report")
    path = report.write(finished(report), tmp_path, complete=True)
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "errors, printed",
    [
        ([1.0, None, 9.0], "1 of 2 rows are right; 1 row is only timed"),
        ([None, None], "0 of 0 rows are right; 2 rows are only timed"),
        ([1.0, 2.0], "2 of 2 rows are right"),
    ],
)
def test_rows_that_were_not_checked_do_not_count_as_right(
    errors: list[float | None], printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = module("report")
    result = report.Result(True, {})
    result.rows = [report.Row("sorting", "sort rows", "1000", error=error, allowed=8) for error in errors]
    module("run").summarize(result)
    assert capsys.readouterr().out == f"\n{printed}\n"


GROUPS = (
    "element-wise, copies, reductions, softmax, fused optimisers, sorting, indexing, random numbers, "
    "matrix products, products of the training step, training"
)


@pytest.mark.parametrize(
    "options, refusal",
    [
        (["--only", "nonsense"], f"argument --only: there is no 'nonsense'; the groups are {GROUPS}"),
        (["--only", "Adam,adam"], f"argument --only: there is no 'adam'; the groups are {GROUPS}"),
        (["--gigabytes", "0"], "argument --gigabytes: needs a number greater than 0, not 0"),
        (["--gigabytes", "-0.5"], "argument --gigabytes: needs a number greater than 0, not -0.5"),
        (["--gigabytes", "nan"], "argument --gigabytes: needs a number greater than 0, not nan"),
    ],
)
def test_options_that_would_measure_nothing_are_refused(
    options: list[str], refusal: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", *options])
    with pytest.raises(SystemExit) as ended:
        module("run").main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"run.py: error: {refusal}"


@pytest.mark.parametrize(
    "only", ["", "reductions,Adam", "matrix products", "gemm_64x64,chosen", "hidden layer", "epoch"]
)
def test_groups_and_rows_can_be_chosen(only: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "--only", only])
    assert module("run").arguments().only == only


def test_the_help_names_values_and_defaults(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "--help"])
    with pytest.raises(SystemExit):
        module("run").main()
    shown = " ".join(capsys.readouterr().out.split())
    assert "--only NAMES groups or rows, separated by commas; nothing is written (default: all)" in shown
    assert "--gigabytes GB size of a buffer of the memory-bound rows (default: 1.0)" in shown
    assert "--results FOLDER where the figures are written (default: benchmarks/gpu/results)" in shown


EMULATED = "without one, results alone: .venv/bin/python tests/cuda_harness/run.py benchmarks/gpu/run.py --quick"


def none(*arguments: Any) -> None:
    tgl.errors.fail(tgl.errors.DeviceError, "cuda", "needs a GPU, and there is none", hint="do without")


@pytest.mark.parametrize(
    "load, printed",
    [
        (none, f"needs an NVIDIA GPU, its driver and PyCUDA (cuda needs a GPU, and there is none); {EMULATED}"),
        (lambda: None, "needs nvcc; sh tools/setup_environment.sh cuda-toolkit installs it into .venv"),
    ],
    ids=["no GPU", "no nvcc"],
)
def test_what_a_machine_lacks_is_said_in_a_line(
    load: Any, printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = module("run")
    monkeypatch.setattr(sys, "argv", ["run.py", "--quick"])
    monkeypatch.setattr(run.driver, "load", load)
    monkeypatch.setattr(run.compiler, "nvcc", lambda: None)
    assert run.main() == 1
    assert capsys.readouterr() == ("", f"bench-gpu: {printed}\n")


def run_emulated(*options: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, because the emulated driver must be there before the real one could be."""
    root = FOLDER.parents[1]
    command = [sys.executable, str(root / "tests" / "cuda_harness" / "run.py"), str(FOLDER / "run.py"), *options]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.needs("cuda")
def test_a_quick_run_finds_every_row_right_and_claims_no_time(tmp_path: Path) -> None:
    done = run_emulated("--quick", "--results", str(tmp_path))
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert [line for line in lines if "FAILED" in line or "WRONG" in line] == []
    names = [re.split(r" {2,}", line.strip())[0] for line in lines]
    for layout in ("NN", "NT", "TN"):
        top = [f"{layout} gemm_64x64", f"{layout} gemm_128x128", f"{layout} chosen (gemm_sliced)"]
        assert [name for name in names if name in top] == top
    rows = len(CASES) + 3 * 9 + 5 + 8  # memory, the ladder in three layouts, a step's products, training
    assert lines[-1] == f"{rows} of {rows} rows are right"
    assert re.findall(r"\d (?:us|ms|GB/s|TFLOP/s)|target|met\b", done.stdout) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.needs("cuda")
def test_the_emulated_gpu_is_not_timed(tmp_path: Path) -> None:
    done = run_emulated("--results", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.endswith("the emulated GPU of the tests has no speed to measure: add --quick\n")
    assert list(tmp_path.iterdir()) == []
