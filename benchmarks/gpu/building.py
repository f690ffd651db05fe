"""Every registered module, compiled before anything is measured, as many at once as there are cores."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tinygrad_lite.backends.cuda import compiler, driver, launching


class Built(NamedTuple):
    """How many modules there are, how many had to be compiled, how long that took, and what nvcc refused."""

    modules: int
    compiled: int
    seconds: float
    failures: list[str]


def compile_all() -> Built:
    """Fill the compile cache and load every kernel once."""
    arch, path, folder = driver.current().arch, compiler.nvcc(), compiler.cache_folder()
    tool = compiler.toolchain(path) if path else None
    modules = list(compiler.modules.values())
    wanted = [module for module in modules if compiler.stored(folder, compiler.key(module.text, arch), tool) is None]
    start, failures = time.perf_counter(), []
    if path is not None and tool is not None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            cubins = list(pool.map(lambda module: _compiled(module, arch, path), wanted))
        for module, cubin in zip(wanted, cubins, strict=True):
            if isinstance(cubin, bytes):
                compiler.store(folder, compiler.key(module.text, arch), tool, cubin)
            else:
                failures.append(f"{module.name}: {cubin}")
    for kernel in launching.kernels:
        try:
            kernel.module.function(kernel.name)
        except Exception as error:
            failures.append(f"{kernel.name} of {kernel.module.name}: {error}")
    return Built(len(modules), len(wanted), time.perf_counter() - start, failures)


def _compiled(module: compiler.Module, arch: str, path: str) -> bytes | str:
    """The machine code, or what nvcc says; in a folder of its own, because file names are nvcc's choice."""
    with tempfile.TemporaryDirectory(prefix="tinygrad_lite-") as folder:
        source, target = Path(folder, "kernel.cu"), Path(folder, "kernel.cubin")
        source.write_text(module.text, encoding="utf-8")
        command = [path, "--cubin", *compiler.OPTIONS, "-arch", arch, "-o", str(target), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return target.read_bytes() if done.returncode == 0 else done.stderr.strip()
