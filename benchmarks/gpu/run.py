"""Build, check and time every kernel on this machine's GPU, against ceilings measured in the same run.

    python benchmarks/gpu/run.py                          # everything; writes into benchmarks/gpu/results
    python benchmarks/gpu/run.py --only reductions,Adam   # some groups or rows; writes nothing
    python benchmarks/gpu/run.py --quick                  # checks on small arrays, without any timing

Needs NumPy, PyCUDA and nvcc. PyTorch with CUDA adds cuBLAS and PyTorch's training step to compare with, Matplotlib the
picture. README.md beside this file says what the results mean.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import building
import numpy as np
import product_cases
import report
import training
from cases import check, check_whole, on_device, results
from memory_cases import CASES
from peers import Peer
from report import Row
from timing import Clock, Time

import tinygrad_lite as tgl
from tinygrad_lite.backends.cuda import compiler, driver, launching, memory

RESULTS = Path(__file__).resolve().parent / "results"
WITHOUT = "without one, results alone: .venv/bin/python tests/cuda_harness/run.py benchmarks/gpu/run.py --quick"
EMULATED = "Emulated GPU"  #: what the tests' driver calls its device
LEAST_BYTES = 1 << 20  #: of a buffer that is timed
EPOCH_SECONDS = 0.015  #: of GPU time, for an epoch of MNIST


class Bench:
    """A run: its options, its clock, its ceilings, and the rows so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.quick: bool = options.quick
        self.only: list[str] = [name for name in options.only.split(",") if name]
        self.rng = np.random.default_rng()  # fresh inputs in every run
        tgl.zeros((1,), device="cuda")
        free = driver.load().mem_get_info()[0]
        wanted = max(options.gigabytes * 1e9, LEAST_BYTES)
        self.bytes = 1 << 14 if self.quick else int(min(wanted, free / 10)) // 4096 * 4096
        self.small = 3_001 if self.quick else 1_000_003
        self.clock = Clock(seconds=0.3, most=2 if self.quick else 30, ballast=min(self.bytes, 256 << 20))
        self.peer = Peer(wanted=not self.quick)
        self.result = report.Result(self.quick, {"date": report.now(), **report.machine(self.peer.version)})

    def wants(self, group: str, name: str) -> bool:
        return not self.only or any(part in (group, name) for part in self.only)

    @contextmanager
    def row(self, group: str, name: str, shape: str = "") -> Iterator[Row]:
        """A row to be filled; what goes wrong is part of the result, and the next row follows."""
        row = Row(group, name, shape)
        try:
            yield row
        except Exception as error:
            row.failure = f"{type(error).__name__}: {error}"
        self.result.add(row)
        memory.pool.free_held()

    def took(self, row: Row, time: Time | float) -> None:
        row.seconds = time if isinstance(time, float) else time.median
        if isinstance(time, Time):
            row.low, row.high = time.low, time.high

    def against(self, row: Row, ceiling: str, seconds: float | None, target: float | None) -> None:
        """Compare with what the ceiling takes; None where it was not measured."""
        row.ceiling, row.target = ceiling, target
        row.share = None if seconds is None or row.seconds is None else seconds / row.seconds


# --- ceilings -------------------------------------------------------------------------------------------------


def measure_ceilings(bench: Bench) -> None:
    """The device's own copy of a large buffer: bytes read and bytes written."""
    target, source = memory.allocate(bench.bytes), memory.allocate(bench.bytes)
    memory.fill_zero(source.address, bench.bytes)
    words = bench.rng.integers(0, 2**32, min(bench.bytes // 4, 1 << 22), np.uint32)
    for start in range(0, bench.bytes - words.nbytes + 1, words.nbytes):
        memory.upload(source.address + start, words)
    copy = bench.clock.calls(lambda: memory.copy(target.address, source.address, bench.bytes))
    bench.result.ceilings["copy bytes per second"] = 2 * bench.bytes / copy.median
    bench.result.ceilings["buffer bytes"] = bench.bytes


# --- rows that memory bounds ----------------------------------------------------------------------------------


def memory_rows(bench: Bench) -> None:
    copy = bench.result.ceilings["copy bytes per second"]
    for case in CASES:
        if not bench.wants(case.group, case.name):
            continue
        with bench.row(case.group, case.name) as row:
            row.allowed = case.roundings
            row.error = check(case, "cuda", bench.rng, bench.small)
            inputs = case.inputs(bench.rng, bench.bytes // 4)
            row.shape = "x".join(map(str, inputs[0].shape))
            tgl.manual_seed(7)
            call = case.prepare("cuda", *on_device("cuda", inputs))
            found: Any = None
            for _ in range(case.calls):
                found = call()
            row.error = max(row.error, check_whole(case, results(found), inputs, bench.rng) or 0.0)
            del found
            bench.took(row, bench.clock.calls(call))
            row.bytes, row.flops = case.traffic(*inputs), case.operations * inputs[0].size
            row.launches = launched(call)
            bench.against(row, "the copy", row.bytes / copy, case.share)


# --- matrix products ------------------------------------------------------------------------------------------


def product_rows(bench: Bench) -> None:
    group = "matrix products"
    best = 0.0
    for size in (96,) if bench.quick else product_cases.SIZES:
        for layout in product_cases.LAYOUTS:
            rungs = [rung for rung in product_cases.rungs() if bench.wants(group, rung)]
            if not rungs:
                return
            a, b = product_cases.operands(bench.rng, layout, size, size, size)
            theirs = bench.peer.product(a, b, layout, 0.3)
            best = max(best, 2 * size**3 / theirs if theirs else 0.0)
            for rung in rungs:
                name = product_cases.described(rung, layout, size, size, size)
                with bench.row(group, f"{layout} {name}", f"{size}x{size}x{size}") as row:
                    one_product(bench, row, rung, layout, (a, b), bench.clock.calls)
                    aimed = rung == product_cases.CHOSEN and size in product_cases.TARGETED
                    bench.against(row, "cuBLAS", theirs, product_cases.SHARE if aimed else None)
    bench.result.ceilings["cuBLAS flops per second"] = best or None


def skinny_rows(bench: Bench) -> None:
    """The products of a training step, whose operands fit the second-level cache, replayed in a graph."""
    group = "products of the training step"
    for skinny in product_cases.STEP:
        if not bench.wants(group, skinny.name):
            continue
        scale = 8 if bench.quick else 1
        m, n, k = (max(size // scale, 2) for size in (skinny.m, skinny.n, skinny.k))
        a, b = product_cases.operands(bench.rng, skinny.layout, m, n, k)
        kernel = product_cases.described(product_cases.CHOSEN, skinny.layout, m, n, k).removeprefix("chosen ")
        with bench.row(group, f"{skinny.layout} {skinny.name} {kernel}", f"{m}x{n}x{k}") as row:
            one_product(
                *(bench, row, product_cases.CHOSEN, skinny.layout, (a, b)), lambda call: bench.clock.replayed(call).time
            )
            bench.against(row, "cuBLAS", bench.peer.replayed_product(a, b, skinny.layout), None)


def one_product(
    bench: Bench, row: Row, rung: str, layout: str, operands: Any, timed: Callable[[Callable[[], Any]], Time]
) -> None:
    """Check a product on sizes that no tile divides, and on the operands; then time it."""
    row.allowed, row.error = product_cases.ROUNDINGS, 0.0
    for a, b in (product_cases.operands(bench.rng, layout, *product_cases.AWKWARD), operands):
        call = product_cases.product(rung, layout, *on_device("cuda", (a, b)))
        row.error = max(row.error, product_cases.deviation(call(), a, b, layout, bench.rng))
    bench.took(row, timed(call))
    m, n, k = (int(size) for size in row.shape.split("x"))
    row.flops = 2.0 * m * n * k


# --- training -------------------------------------------------------------------------------------------------


def training_rows(bench: Bench) -> None:
    group = "training"
    widths, batch = ((64, 32, 10), 16) if bench.quick else (training.WIDTHS, training.BATCH)
    network = f"{'-'.join(map(str, widths))} batch {batch}"
    for optimizer in ("SGD", "Adam"):
        if not bench.wants(group, optimizer):
            continue
        theirs = bench.peer.step(widths, batch, optimizer)
        with bench.row(group, f"{optimizer} step, eager", network) as row:
            trained(row, optimizer, training.on_one_batch)
            found = training.on_a_batch("cuda", optimizer, widths, batch)
            bench.took(row, bench.clock.wall(found.on_its_batch))
            row.launches = launched(found.on_its_batch)
            bench.against(row, "PyTorch's", theirs and theirs.eager, None)
        found = training.on_a_batch("cuda", optimizer, widths, batch)
        step = tgl.cuda.capture(found.step)
        while not step.recorded:
            step(found.images, found.labels)
        with bench.row(group, f"{optimizer} step, its graph", network) as row:
            trained(row, optimizer, training.on_one_batch, tgl.cuda.capture)
            graph = step._graph  # of the step itself: the copy of its batch is in the next row
            assert graph is not None
            bench.took(row, bench.clock.calls(graph.replay))
            row.launches = step.launches
            bench.against(row, "PyTorch's graph", theirs and theirs.graph, 1.0)
        with bench.row(group, f"{optimizer} step, graph and batch", network) as row:
            trained(row, optimizer, training.on_new_batches, tgl.cuda.capture)
            bench.took(row, bench.clock.wall(partial(step, found.images, found.labels)))
            bench.against(row, "PyTorch's", theirs and theirs.with_its_batch, None)
    if bench.wants(group, "epoch"):
        epoch_rows(bench, group, widths, batch)


def epoch_rows(bench: Bench, group: str, widths: tuple[int, ...], batch: int) -> None:
    """An epoch as one graph, which is the device's part of it; and as its user runs it, replaying a step's graph."""
    images = 40 if bench.quick else training.IMAGES
    shape = f"{'-'.join(map(str, widths))} batch {batch}"
    found = training.on_a_batch("cuda", "SGD", widths, images)
    with bench.row(group, f"epoch of {images} images, on the device", shape) as row:
        trained(row, "SGD", training.whole_epochs)
        replayed = bench.clock.replayed(training.epoch(found, batch, found.step), 1)
        bench.took(row, replayed.time)
        row.launches = replayed.nodes
        bench.against(row, f"{EPOCH_SECONDS * 1e3:.0f} ms", EPOCH_SECONDS, 1.0)
    found = training.on_a_batch("cuda", "SGD", widths, images)
    with bench.row(group, f"epoch of {images} images, by the clock", shape) as row:
        trained(row, "SGD", training.on_new_batches, tgl.cuda.capture)
        bench.took(row, bench.clock.wall(training.epoch(found, batch, tgl.cuda.capture(found.step), drop_last=True), 3))


def trained(row: Row, *how: Any) -> None:
    """Check the way of training that a row times, on a small network."""
    row.error, row.allowed = training.deviation("cuda", *how), training.ROUNDINGS


def launched(call: Callable[[], Any]) -> int:
    """How many kernels a call launches."""
    before = launching.launches()
    call()
    return launching.launches() - before


# --- the whole ------------------------------------------------------------------------------------------------


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="check on small arrays; no times, nothing is written")
    parser.add_argument(
        *("--only",),
        metavar="NAMES",
        default="",
        help="groups or rows, separated by commas; nothing is written (default: all)",
    )
    parser.add_argument(
        *("--gigabytes",),
        metavar="GB",
        type=float,
        default=1.0,
        help="size of a buffer of the memory-bound rows (default: %(default)s)",
    )
    parser.add_argument(
        *("--results",),
        metavar="FOLDER",
        type=Path,
        default=RESULTS,
        help="where the figures are written (default: benchmarks/gpu/results)",
    )
    options = parser.parse_args()
    groups = named()
    rows = set().union(*groups.values())
    for name in filter(None, options.only.split(",")):
        if name not in groups and name not in rows:
            parser.error(f"argument --only: there is no {name!r}; the groups are {', '.join(groups)}")
    if not options.gigabytes > 0:
        parser.error(f"argument --gigabytes: needs a number greater than 0, not {options.gigabytes:g}")
    return options


def named() -> dict[str, set[str]]:
    """The groups, each with the names of its rows, as ``--only`` takes them."""
    groups: dict[str, set[str]] = {}
    for case in CASES:
        groups.setdefault(case.group, set()).add(case.name)
    groups["matrix products"] = set(product_cases.rungs())
    groups["products of the training step"] = {skinny.name for skinny in product_cases.STEP}
    groups["training"] = {"SGD", "Adam", "epoch"}
    return groups


def missing() -> str | None:
    """What this machine lacks, in words."""
    try:
        driver.load()
    except tgl.errors.Error as error:
        return f"needs an NVIDIA GPU, its driver and PyCUDA ({error.operation} {error.need}); {WITHOUT}"
    if compiler.nvcc() is None:
        return "needs nvcc; sh tools/setup_environment.sh cuda-toolkit installs it into .venv"
    return None


def main() -> int:
    options = arguments()
    lacking = missing()
    if lacking is not None:
        print(f"bench-gpu: {lacking}", file=sys.stderr)
        return 1
    try:
        bench = Bench(options)
    except tgl.errors.Error as error:
        print(error, file=sys.stderr)
        return 1
    machine, written = bench.result.machine, not (bench.quick or bench.only)
    print(f"{machine['device']}, {machine['architecture']}, {machine['date']}")
    if machine["device"] == EMULATED and not bench.quick:
        print("the emulated GPU of the tests has no speed to measure: add --quick", file=sys.stderr)
        return 1
    if bench.quick:
        print("a quick run: small arrays, results checked, nothing timed")
    else:
        built = building.compile_all()
        print(f"{built.modules} modules, {built.compiled} compiled in {built.seconds:.1f} s")
        for failure in built.failures:
            with bench.row("compilation", failure.partition(":")[0]) as row:
                row.failure = failure.partition(": ")[2]
        if bench.peer.missing:
            print(f"{bench.peer.missing}: no cuBLAS and no step of PyTorch's to compare with")
    measure_ceilings(bench)
    if not bench.quick:
        print(f"device copy: {bench.result.ceilings['copy bytes per second'] / 1e9:.0f} GB/s (read and written)")
    for measure in (memory_rows, product_rows, skinny_rows, training_rows):
        try:
            measure(bench)
        except Exception as error:
            with bench.row(measure.__name__, "could not begin") as row:
                row.failure = f"{type(error).__name__}: {error}"
        if written:
            report.write(bench.result, options.results, complete=False)
    machine["driver and clocks at the end"] = report.clocks(driver.current().number)
    summarize(bench.result)
    if written:
        print(f"written: {report.write(bench.result, options.results, complete=True)}")
    return 0 if bench.result.correct else 1


def summarize(result: report.Result) -> None:
    checked = [row for row in result.rows if row.checked]
    timed = len(result.rows) - len(checked)
    only_timed = f"; {timed} {'row is' if timed == 1 else 'rows are'} only timed" if timed else ""
    print(f"\n{sum(row.correct for row in checked)} of {len(checked)} rows are right{only_timed}")
    if result.quick:
        return
    aimed = [row for row in result.rows if row.target is not None]
    print(f"{sum(row.met is True for row in aimed)} of {len(aimed)} targets are met")
    for row in aimed:
        if row.met is None:
            print(f"  not compared: {row.group}, {row.name}, {row.shape}")


if __name__ == "__main__":
    sys.exit(main())
