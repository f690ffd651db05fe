"""Every registered module compiled by NVIDIA's own compiler, and what its assembler says of each kernel.

    python tests/kernels/machine_code.py        # writes budgets.json anew

A budget is the number of registers that a kernel may take. It stands in the repository so that a change that makes a
kernel heavier, and so lets fewer threads run at a time, is seen when it is made.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

BUDGETS = Path(__file__).with_name("budgets.json")
ARCHITECTURES = ("sm_80", "sm_90a")


class Report(NamedTuple):
    """What became of one module.

    Attributes:
        registers: ``"sm_80 kernel"`` -> registers of a thread.
        spills: bytes that the kernels move between registers and memory for want of registers, by the same names.
        complaints: what the compiler said, if it failed.
        seconds: of the compiler.
    """

    registers: dict[str, int]
    spills: dict[str, int]
    complaints: str
    seconds: float


def registered() -> dict[str, str]:
    """The source of every module that the backend may ask for, by name."""
    from tinygrad_lite.backends.cuda import compiler
    from tinygrad_lite.backends.devices import namespace_on

    namespace_on("cuda")  # its chapters register their modules
    importlib.import_module("tinygrad_lite.backends.cuda.gemm_ladder")  # and the rungs that are only shown
    return {name: module.text for name, module in compiler.modules.items()}


def compiled(nvcc: str, text: str) -> Report:
    """Compile one source for all architectures."""
    from tinygrad_lite.backends.cuda import compiler

    start = time.perf_counter()
    codes = [f"-gencode=arch={arch.replace('sm', 'compute')},code={arch}" for arch in ARCHITECTURES]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernel.cu")
        source.write_text(text, encoding="utf-8")
        command = [nvcc, "--fatbin", *codes, *compiler.OPTIONS, "-Xptxas", "-v", "-o", "out.fatbin", source.name]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    said = done.stdout + done.stderr
    registers, spills, name = {}, {}, ""
    for line in said.splitlines():
        entry = re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line)
        if entry:
            name = f"{entry[2]} {entry[1]}"
        spilled = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line)
        if spilled and name:
            spills[name] = int(spilled[2]) + int(spilled[3])
        used = re.search(r"Used (\d+) registers", line)
        if used and name:
            registers[name] = int(used[1])
    return Report(registers, spills, said if done.returncode else "", time.perf_counter() - start)


@functools.cache
def reports(nvcc: str) -> dict[str, Report]:
    """The report of every registered module; as many compilers at a time as there are processors."""
    sources = registered()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(functools.partial(compiled, nvcc), sources.values())
        return dict(zip(sources, found, strict=True))


def release(nvcc: str) -> str:
    """Which compiler it is, such as ``"13.0"``: another one gives kernels other registers."""
    said = subprocess.run([nvcc, "--version"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"release (\d+\.\d+)", said)
    assert found, said
    return found[1]


def main() -> None:
    from tinygrad_lite.backends.cuda import compiler

    path = compiler.nvcc()
    if path is None:
        sys.exit("there is no nvcc")
    start = time.perf_counter()
    found = reports(path)
    failed = {name: report.complaints for name, report in found.items() if report.complaints}
    for name, complaints in failed.items():
        print(f"{name}:\n{complaints}")
    slowest = sorted(found.items(), key=lambda item: -item[1].seconds)[:10]
    for name, report in slowest:
        print(f"{report.seconds:5.1f} s  {name}")
    for name, report in found.items():
        for kernel, nbytes in report.spills.items():
            if nbytes:
                print(f"spills {nbytes} bytes: {name}: {kernel}")
    budgets = {name: dict(sorted(report.registers.items())) for name, report in sorted(found.items())}
    lines = [f'"nvcc": "{release(path)}"']
    lines += [f"{json.dumps(name)}: {json.dumps(kernels)}" for name, kernels in budgets.items()]
    BUDGETS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(found)} modules in {time.perf_counter() - start:.0f} s; {len(failed)} failed")


if __name__ == "__main__":
    main()
