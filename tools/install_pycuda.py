"""Installs PyCUDA into the environment of the Python that runs this, on machines with and without a GPU.

PyCUDA comes as source that is compiled against ``cuda.h`` and linked against the driver's library. The header is taken
from the CUDA toolkit of this machine, or from NVIDIA's packages on PyPI. Linked is always against a stand-in that
names itself ``libcuda.so.1``, so that the extension finds the real driver, or the emulated one of the tests, when it is
loaded; the stand-in lives only while PyCUDA is being built. The wheel is kept in build/wheels: another environment of
the same Python installs it in a second.

    .venv/bin/python tools/install_pycuda.py
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
VERSION = "2026.1"
#: what is compiled against where no driver says otherwise; the tests' emulated driver answers this version's calls
CUDA = (13, 0)
HEADERS = ("cuda.h", "cudaProfiler.h")
HEADER_PACKAGES = ("nvidia-cuda-runtime", "nvidia-cuda-crt", "nvidia-cuda-profiler-api")
WHEELS = ROOT / "build" / "wheels"


def say(*lines: str) -> None:
    for line in lines:
        print(f"setup: {line}", flush=True)


def refuse(*lines: str) -> NoReturn:
    for line in lines:
        print(f"setup: {line}", file=sys.stderr)
    sys.exit(1)


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a command that is quiet when it succeeds; its last lines are shown when it does not."""
    result = subprocess.run(
        [*map(str, command)], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    if result.returncode != 0:
        sys.stderr.write("".join(result.stdout.splitlines(keepends=True)[-30:]))
        refuse(
            "PyCUDA could not be installed; the lines above say why",
            "the first installation needs a network; the same command tries again",
        )


def pip(command: str, *arguments: str | Path) -> None:
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", command, "--quiet", *arguments)


def is_installed() -> bool:
    try:
        return importlib.metadata.version("pycuda") == VERSION
    except importlib.metadata.PackageNotFoundError:
        return False


# --- What it is compiled with -------------------------------------------------------------------------------


def require_compiler() -> None:
    """Refuse where the C++ compiler or Python's headers are missing, before anything is downloaded."""
    if shutil.which("g++") is None:
        refuse("PyCUDA is compiled here, and there is no g++", "install it:  apt-get install g++")
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.exists():
        package = f"python3.{sys.version_info.minor}-dev"
        refuse(f"PyCUDA is compiled here, and {header} is missing", f"install it:  apt-get install {package}")


def driver_version() -> tuple[int, int] | None:
    """The newest CUDA that this machine's driver serves; None where there is no driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    version = ctypes.c_int(0)
    if driver.cuDriverGetVersion(ctypes.byref(version)) != 0:
        return None
    return version.value // 1000, version.value % 1000 // 10


def header_folders() -> Iterator[Path]:
    """Where a CUDA toolkit's headers may lie, the user's explicit wish first."""
    for variable in ("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"):
        if os.environ.get(variable):
            yield Path(os.environ[variable], "include")
    nvcc = shutil.which("nvcc")
    if nvcc is not None:
        yield Path(nvcc).resolve().parents[1] / "include"
    yield Path(sysconfig.get_path("purelib"), "nvidia", "cu13", "include")
    yield Path("/usr/local/cuda/include")


def headers_version(folder: Path) -> tuple[int, int] | None:
    """The CUDA version of a folder with the headers that PyCUDA includes; None if one is missing."""
    if not all((folder / name).exists() for name in HEADERS):
        return None
    text = (folder / "cuda.h").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^#define CUDA_VERSION (\d+)", text, re.MULTILINE)
    return (int(found[1]) // 1000, int(found[1]) % 1000 // 10) if found else None


def cuda_headers(driver: tuple[int, int] | None, scratch: Path) -> Path:
    """A folder of headers whose functions the driver has; PyPI's where this machine has none."""
    for folder in header_folders():
        version = headers_version(folder)
        if version is not None and (version <= driver if driver else version[0] == CUDA[0]):
            return folder
    if driver is not None and driver < CUDA:
        refuse(
            "the driver serves CUDA {}.{}, and there is no toolkit of that version or an older one".format(*driver),
            "install one and name it:  CUDA_HOME=/path/to/cuda",
        )
    pip("install", "--no-deps", "--target", scratch, *(f"{name}=={CUDA[0]}.{CUDA[1]}.*" for name in HEADER_PACKAGES))
    return scratch / "nvidia" / f"cu{CUDA[0]}" / "include"


# --- The wheel ----------------------------------------------------------------------------------------------


def find_wheel() -> Path | None:
    """The wheel that an earlier run built for this Python."""
    return next(WHEELS.glob(f"pycuda-{VERSION}-cp3{sys.version_info.minor}-*.whl"), None)


def build_wheel() -> Path:
    """Compile PyCUDA; the wheel appears in WHEELS only when it is complete."""
    require_compiler()
    say(f"building PyCUDA {VERSION}, once; this takes a minute or two")
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pycuda-", dir=ROOT / "build") as name:
        scratch = Path(name)
        headers = cuda_headers(driver_version(), scratch / "headers")
        run(sys.executable, ROOT / "tests" / "cuda_harness" / "build.py", "--stub", scratch / "stub")
        source = f"pycuda=={VERSION}"
        pip("download", "--no-deps", "--no-build-isolation", "--no-binary", "pycuda", "--dest", scratch, source)
        shutil.unpack_archive(scratch / f"pycuda-{VERSION}.tar.gz", scratch)
        tree = scratch / f"pycuda-{VERSION}"
        options = {
            "CUDA_ROOT": str(headers.parent),
            "CUDA_INC_DIR": [str(headers)],
            "CUDADRV_LIB_DIR": [str(scratch / "stub")],
            "CUDA_ENABLE_CURAND": False,
        }
        (tree / "siteconf.py").write_text("".join(f"{key} = {value!r}\n" for key, value in options.items()))
        run(sys.executable, __file__, "--compile", scratch / "wheel", cwd=tree)
        [wheel] = (scratch / "wheel").glob("*.whl")
        WHEELS.mkdir(exist_ok=True)
        return wheel.replace(WHEELS / wheel.name)


def compile_here(destination: str) -> None:
    """Run the setup.py of the current folder with as many compilers at once as there are cores."""
    importlib.import_module("setuptools")  # brings distutils where Python no longer has it
    compiler: Any = importlib.import_module("distutils.ccompiler").CCompiler
    compile_in_turn = compiler.compile

    def compile_at_once(self: Any, sources: list[str], *args: Any, **kwargs: Any) -> list[str]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = pool.map(lambda source: compile_in_turn(self, [source], *args, **kwargs), sources)
            return [name for names in objects for name in names]

    compiler.compile = compile_at_once
    sys.path.insert(0, os.getcwd())
    sys.argv = ["setup.py", "bdist_wheel", "--dist-dir", destination]
    runpy.run_path("setup.py", run_name="__main__")


def main() -> None:
    if sys.argv[1:2] == ["--compile"]:
        compile_here(sys.argv[2])
    elif not is_installed():
        wheel = find_wheel() or build_wheel()
        pip("install", wheel)
        say(f"installed PyCUDA {VERSION}")


if __name__ == "__main__":
    main()
