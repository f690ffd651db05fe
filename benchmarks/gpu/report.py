"""What a run leaves behind: a table, a file with every figure, and a picture of the roofline."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_lite as tgl
from tinygrad_lite.backends.cuda import compiler, driver


@dataclass
class Row:
    """One measurement.

    Attributes:
        seconds, low, high: per call: the median and the quartiles.
        bytes, flops: what a call moves and computes.
        ceiling: what the row is measured against, and ``share`` the part of it that was reached.
        target: the share that is aimed at.
        error, allowed: the largest error found on random inputs, and the largest that passes.
        launches: kernels that a call launches; of a replayed one copies count as well.
        failure: what went wrong.
    """

    group: str
    name: str
    shape: str
    seconds: float | None = None
    low: float | None = None
    high: float | None = None
    bytes: int = 0
    flops: float = 0.0
    ceiling: str | None = None
    share: float | None = None
    target: float | None = None
    error: float | None = None
    allowed: float | None = None
    launches: int | None = None
    failure: str | None = None

    @property
    def correct(self) -> bool:
        return self.failure is None and (self.error is None or self.allowed is None or self.error <= self.allowed)

    @property
    def checked(self) -> bool:
        return self.failure is not None or self.error is not None

    @property
    def met(self) -> bool | None:
        return None if self.target is None or self.share is None else self.share >= self.target

    @property
    def rate(self) -> str:
        if self.seconds is None:
            return ""
        if self.bytes:
            return f"{self.bytes / self.seconds / 1e9:.0f} GB/s"
        return f"{self.flops / self.seconds / 1e12:.2f} TFLOP/s" if self.flops else ""


@dataclass
class Result:
    """A run."""

    quick: bool
    machine: dict[str, Any]
    ceilings: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    @property
    def correct(self) -> bool:
        return all(row.correct for row in self.rows)

    def add(self, row: Row) -> None:
        """Keep a row and print it."""
        if not self.rows or self.rows[-1].group != row.group:
            print(f"\n{row.group}")
        self.rows.append(row)
        print(line(row, self.quick), flush=True)


def line(row: Row, quick: bool) -> str:
    """A row as it is printed; of a quick run only what does not depend on time."""
    if row.failure is not None:
        return f"  {row.name:46s} {row.shape:24s} FAILED: {row.failure}"
    error = "" if row.error is None else f"error {row.error:.2g}" + ("" if row.correct else f" > {row.allowed:g} WRONG")
    count = "" if row.launches is None else f"{row.launches} launch{'es' if row.launches != 1 else ''}"
    if quick or row.seconds is None:
        return f"  {row.name:46s} {row.shape:24s} {error:14s} {count}".rstrip()
    share = "" if row.share is None else f"{row.share:.1%} of {row.ceiling}"
    verdict = {True: "met", False: "MISSED", None: ""}[row.met]
    aim = "" if row.target is None else f"target {row.target:.0%} {verdict}"
    figures = f"{duration(row.seconds):>10s} {row.rate:>14s} {share:>26s} {aim:20s}"
    return f"  {row.name:46s} {row.shape:24s} {figures} {error:14s} {count}".rstrip()


def duration(seconds: float) -> str:
    """Seconds as one reads them.

    >>> duration(0.0000123), duration(0.0123)
    ('12.30 us', '12.30 ms')
    """
    return f"{seconds * 1e6:.2f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


# --- the machine ----------------------------------------------------------------------------------------------


def machine(peer_version: str | None) -> dict[str, Any]:
    """The GPU, its clocks as they are now, and the versions of everything that takes part."""
    device, cuda = driver.current(), driver.load()
    import pycuda

    attributes = cuda.device_attribute
    handle = cuda.Device(device.number)
    nvcc = compiler.nvcc()
    return {
        "device": device.name,
        "compute capability": "{}.{}".format(*device.capability),
        "architecture": device.arch,
        "multiprocessors": device.multiprocessors,
        "memory": device.memory,
        "second-level cache": handle.get_attribute(attributes.L2_CACHE_SIZE),
        "CUDA of the driver": cuda.get_driver_version(),
        "driver and clocks": clocks(device.number),
        "nvcc": None if nvcc is None else output(nvcc, "--version").strip().splitlines()[-1],
        "PyCUDA": pycuda.VERSION_TEXT,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "PyTorch": peer_version,
        "tinygrad_lite": tgl.__version__,
        "revision": output("git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD").strip() or None,
        "system": platform.platform(),
        "cores": os.cpu_count(),
    }


def clocks(number: int) -> dict[str, str]:
    """What nvidia-smi says about driver, clocks, power and temperature at this moment."""
    names = (
        "driver_version",
        "clocks.sm",
        "clocks.max.sm",
        "clocks.mem",
        "power.draw",
        "power.limit",
        "temperature.gpu",
    )
    text = output("nvidia-smi", f"--id={number}", f"--query-gpu={','.join(names)}", "--format=csv,noheader")
    values = [value.strip() for value in text.strip().split(",")]
    return dict(zip(names, values, strict=True)) if len(values) == len(names) else {}


def output(*command: str) -> str:
    """What a program prints; nothing where it is missing or fails."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


# --- files ----------------------------------------------------------------------------------------------------


def file_name(result: Result) -> str:
    """The date, the time and the device: ``2026-01-31T1415-nvidia-h200``."""
    device = "-".join("".join(c if c.isalnum() else " " for c in result.machine["device"].lower()).split())
    return f"{result.machine['date'][:16].replace(':', '')}-{device}"


def write(result: Result, folder: Path, complete: bool) -> Path:
    """Write every figure as JSON, and the picture once the run is complete and Matplotlib is there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{file_name(result)}.json"
    rows = [{**asdict(row), "correct": row.correct, "met": row.met} for row in result.rows]
    content = {"complete": complete, "machine": result.machine, "ceilings": result.ceilings, "rows": rows}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if complete:
        try:
            roofline(result, path.with_suffix(".png"))
        except ImportError:
            print("no picture: Matplotlib is not installed", file=sys.stderr)
    return path


def now() -> str:
    """The date and time, to the second, with the time zone."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def roofline(result: Result, path: Path) -> None:
    """Draw what was reached over the arithmetic per byte, under the ceilings that the same run measured."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    points = [row for row in result.rows if row.seconds and row.flops and row.bytes]
    points += [row for row in result.rows if row.seconds and row.flops and not row.bytes and row.group in PRODUCTS]
    figure, axes = plt.subplots(figsize=(9, 6))
    bandwidth, peak = result.ceilings["copy bytes per second"], result.ceilings.get("cuBLAS flops per second")
    x = np.geomspace(1e-2, 1e4, 200)
    roof = bandwidth * x if peak is None else np.minimum(bandwidth * x, peak)
    axes.loglog(
        x, roof / 1e12, color="black", label="measured: device copy" + ("" if peak is None else ", cuBLAS SGEMM")
    )
    for group in dict.fromkeys(row.group for row in points):
        chosen = [row for row in points if row.group == group]
        intensity = [row.flops / (row.bytes or matrices(row)) for row in chosen]
        axes.loglog(intensity, [row.flops / row.seconds / 1e12 for row in chosen if row.seconds], "o", label=group)
    axes.set_xlabel("flops per byte of memory traffic that cannot be avoided")
    axes.set_ylabel("TFLOP/s reached")
    axes.set_title(f"{result.machine['device']}, {result.machine['date'][:10]}")
    axes.grid(True, which="both", alpha=0.2)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


PRODUCTS = ("matrix products", "products of the training step")


def matrices(row: Row) -> int:
    """Bytes of the three float32 matrices of a product, whose shape is written ``m x n x k``."""
    m, n, k = (int(part) for part in row.shape.split()[0].split("x"))
    return 4 * (m * k + k * n + m * n)
