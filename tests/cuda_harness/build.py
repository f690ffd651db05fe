"""Build the emulated CUDA driver ``libcuda.so.1``, or the empty one that PyCUDA is linked against.

    python tests/cuda_harness/build.py                  # the emulated driver; prints its folder
    python tests/cuda_harness/build.py --stub FOLDER    # libcuda.so and .so.1, whose every function is "not supported"

Needs g++ and the standard library of Python, neither the CUDA headers nor PyCUDA.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "fake_cuda"
SONAME = "libcuda.so.1"
# A fault leaves a kernel by siglongjmp, which the fortified C library takes for an error.
FLAGS = ("-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", "-U_FORTIFY_SOURCE", "-D_GNU_SOURCE", "-Wall", "-Wextra")


class BuildError(Exception):
    """The compiler is missing or refuses the sources."""


def imported_symbols() -> list[str]:
    """The names of the driver functions that PyCUDA imports; all must resolve for its import to succeed."""
    lines = (SOURCES / "symbols.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def compiler() -> str:
    """The C++ compiler, from the variable CXX or g++."""
    name = os.environ.get("CXX", "g++")
    path = shutil.which(name)
    if path is None:
        raise BuildError(f"no C++ compiler: {name} is not on PATH; apt-get install g++")
    return path


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def not_supported(names: list[str]) -> str:
    """C++ source of functions that return CUDA_ERROR_NOT_SUPPORTED and touch nothing."""
    return "".join(f'extern "C" int {name}() {{ return 801; }}\n' for name in names)


def build_stub(folder: Path) -> None:
    """Write the link stub: it defines the symbols, so that the linker records NEEDED libcuda.so.1."""
    # PyCUDA builds the text of an exception with this function; without an answer the error path crashes.
    error_string = (
        'extern "C" int cuGetErrorString(int, const char **text)\n'
        '{ *text = "this libcuda.so.1 is only there to link against"; return 0; }\n'
    )
    names = [name for name in imported_symbols() if name != "cuGetErrorString"]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        source = Path(scratch, "stub.cpp")
        source.write_text(error_string + not_supported(names))
        library = Path(scratch, SONAME)
        run([compiler(), "-shared", "-fPIC", f"-Wl,-soname,{SONAME}", "-o", str(library), str(source)])
        os.replace(library, folder / SONAME)
    link = folder / "libcuda.so"
    link.unlink(missing_ok=True)
    link.symlink_to(SONAME)


def sources_hash() -> str:
    """Changes with every source of the emulator and with the compiler."""
    digest = hashlib.sha256()
    for path in sorted([*SOURCES.iterdir(), *HERE.glob("*.h"), HERE / "fake_nvcc.py", HERE / "build.py"]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(subprocess.run([compiler(), "--version"], capture_output=True).stdout)
    return digest.hexdigest()[:16]


def build_driver(parent: Path) -> Path:
    """Make ``parent/<hash>`` with the emulated libcuda.so.1 and nvcc in it, unless it is there; return it.

    The folder appears complete or not at all, so that any number of processes may build at once.
    """
    folder = parent / sources_hash()
    if folder.exists():
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".building-") as scratch:
        fresh = Path(scratch, "fresh")
        fresh.mkdir()
        # Weak definitions: those that a source file implements win.
        weak = Path(scratch, "not_supported.cpp")
        attributes = '__attribute__((weak, visibility("default")))'
        names = [f'extern "C" {attributes} int {name}() {{ return 801; }}\n' for name in imported_symbols()]
        weak.write_text("".join(names))
        sources = [*sorted(SOURCES.glob("*.cpp")), weak]
        objects = [Path(scratch, source.stem + ".o") for source in sources]
        commands = [
            [compiler(), *FLAGS, "-c", str(source), "-o", str(target)]
            for source, target in zip(sources, objects, strict=True)
        ]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(run, commands))
        library = fresh / SONAME
        run([compiler(), "-shared", f"-Wl,-soname,{SONAME}", "-o", str(library), *map(str, objects), "-ldl"])
        nvcc = fresh / "nvcc"
        # Without the modules of the environment Python starts in a few milliseconds.
        nvcc.write_text(f"#!/bin/sh\nexec '{sys.executable}' -IS '{HERE / 'fake_nvcc.py'}' \"$@\"\n")
        nvcc.chmod(0o755)
        try:
            os.rename(fresh, folder)
        except OSError:
            if not folder.exists():  # otherwise another process was faster
                raise
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stub", type=Path, metavar="FOLDER", help="write the library to link PyCUDA against")
    arguments = parser.parse_args()
    try:
        if arguments.stub is not None:
            build_stub(arguments.stub)
        else:
            print(build_driver(HERE.parents[1] / "build" / "cuda_harness"))
    except BuildError as error:
        raise SystemExit(f"tests/cuda_harness/build.py: {error}") from None


if __name__ == "__main__":
    main()
