"""From a file in kernels/ to machine code: modules, their sources, and the cache of what was compiled.

A module is one ``.cu`` file with its ``-D`` macros. It is compiled when one of its kernels is first launched, through
``pycuda.compiler.SourceModule``, and kept on disk, so that the next process only reads it. The cache is safe under
many processes, because a file appears there whole or not at all and is verified when read, and where it is
full no nvcc is needed.

``TINYGRAD_LITE_CUDA_CACHE`` names its folder; else it is ``tinygrad_lite`` in the user's cache folder.
"""

from __future__ import annotations

import functools
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import uuid
import warnings
from pathlib import Path
from typing import Any, NoReturn

from tinygrad_lite.backends.cuda import driver
from tinygrad_lite.errors import CompileError, LaunchError, fail, warn

FOLDER = Path(__file__).resolve().parents[2] / "kernels"
# The driver layer preprocesses every text that includes something, in a process of its own: nothing is left to include.
OPTIONS = ("-std=c++17", "-O3", "-lineinfo", "-include", "stdint.h")
_MAGIC = b"tinygrad_lite cubin 1\n"
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"[^\n]*$', re.MULTILINE)
_DONE = re.compile(r"^[ \t]*#[ \t]*(?:pragma[ \t]+once|include[ \t]*<stdint\.h>)[^\n]*$", re.MULTILINE)

modules: dict[str, Module] = {}  #: every module that the backend may ask for, by name
counts = {"compilations": 0, "loads": 0}  #: how many modules this process compiled, and took from the cache


class Module:
    """One file of kernels with its macros.

    Attributes:
        name: such as ``"copy ITEM=4"``.
        file: in kernels/.
        defines: macro -> value.
    """

    def __init__(self, file: str, defines: dict[str, str]) -> None:
        self.file, self.defines = file, defines
        self.name = " ".join([file.removesuffix(".cu"), *(f"{k}={v}" for k, v in defines.items())])
        self._loaded: Any = None

    @property
    def text(self) -> str:
        """The source with its own headers in place and its macros in front: what nvcc gets."""
        macros = "".join(f"#define {name} {value}\n" for name, value in self.defines.items())
        return macros + flattened(self.file)

    def function(self, name: str) -> Any:
        """The driver's handle of a kernel; compiles or reads the module if that has not happened yet."""
        if self._loaded is None:
            self._loaded = _load(self)
            _loaded.append(self)
        return self._loaded.get_function(name)

    def unload(self) -> None:
        """Forget the driver's handle, which must not outlive the context."""
        self._loaded = None


_loaded: list[Module] = []


@driver.at_close
def _unload() -> None:
    for module in _loaded:
        driver.let_go(module._loaded)
        module.unload()
    _loaded.clear()


def module(file: str, **defines: object) -> Module:
    """Register a module, or find it if it is registered already.

    >>> module("copy.cu", ITEM=4).name
    'copy ITEM=4'
    """
    made = Module(file, {name: str(value) for name, value in defines.items()})
    return modules.setdefault(made.name, made)


@functools.cache
def flattened(file: str) -> str:
    """A source file with the text of each header of ours in place of its first ``#include``.

    ``#line`` keeps the compiler's messages in terms of the files.
    """
    return _flattened(file, set())


def _flattened(file: str, seen: set[str]) -> str:
    seen.add(file)
    text = _DONE.sub("", (FOLDER / file).read_text(encoding="utf-8"))

    def include(match: re.Match[str]) -> str:
        after = text.count("\n", 0, match.start()) + 2
        header = os.path.normpath(os.path.join(os.path.dirname(file), match[1])).replace(os.sep, "/")
        body = "" if header in seen else _flattened(header, seen)
        return f'{body}\n#line {after} "{file}"'

    return f'#line 1 "{file}"\n' + _INCLUDE.sub(include, text)


# --- the compiler -------------------------------------------------------------------------------------------


def nvcc() -> str | None:
    """The path of nvcc: on PATH, in CUDA_HOME, in the usual place, or from the package nvidia-cuda-nvcc."""
    return _nvcc(os.environ.get("PATH", ""), os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or "")


@functools.cache
def _nvcc(path: str, home: str) -> str | None:
    places = [shutil.which("nvcc", path=path) or ""]
    places += [os.path.join(home, "bin", "nvcc")] if home else []
    places += ["/usr/local/cuda/bin/nvcc"]
    places += sorted(glob.glob(os.path.join(sysconfig.get_path("purelib"), "nvidia", "cu*", "bin", "nvcc")))
    return next((place for place in places if place and os.access(place, os.X_OK)), None)


@functools.cache
def toolchain(path: str) -> str:
    """What tells this nvcc's output from another's.

    Raises:
        CompileError: it does not run.
    """
    return hashlib.sha256(_presented(path).encode()).hexdigest()[:12]


def version(path: str) -> str:
    """The version of an nvcc, such as ``"13.0.48"``; empty if it does not say."""
    found = re.search(r"\bV(\d[\d.]*)", _presented(path))
    return found[1] if found else ""


@functools.cache
def _presented(path: str) -> str:
    presented = None
    try:
        presented = subprocess.run([path, "--version"], check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        said = f"{getattr(error, 'stderr', None) or error}".strip()
    if presented is None:
        fail(CompileError, "cuda", f"cannot run {path}: {said}")
    return presented


# --- the cache ----------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Where compiled modules are kept."""
    named = os.environ.get("TINYGRAD_LITE_CUDA_CACHE")
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "tinygrad_lite" / "cubins"


def key(text: str, arch: str) -> str:
    """What a compiled module is found by, besides the compiler that made it."""
    return hashlib.sha256("\0".join([text, arch, *OPTIONS]).encode()).hexdigest()[:32]


def stored(folder: Path, found_key: str, tool: str | None) -> bytes | None:
    """The machine code under a key: this compiler's, or where there is none any compiler's; None if absent or torn."""
    names = [folder / f"{found_key}-{tool}.cubin"] if tool else sorted(folder.glob(f"{found_key}-*.cubin"))
    for name in names:
        try:
            content = name.read_bytes()
        except OSError:
            continue
        head = len(_MAGIC) + 32
        if content.startswith(_MAGIC) and hashlib.sha256(content[head:]).digest() == content[len(_MAGIC) : head]:
            return content[head:]
    return None


def store(folder: Path, found_key: str, tool: str, cubin: bytes) -> None:
    """Put machine code into the cache; a folder that cannot be written only costs the next process its time."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{found_key}-{uuid.uuid4().hex}.part"
        try:
            temporary.write_bytes(_MAGIC + hashlib.sha256(cubin).digest() + cubin)
            os.replace(temporary, folder / f"{found_key}-{tool}.cubin")
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        warn(f"compiled kernels cannot be kept in {folder}: {error.strerror}")


@driver.reported
def _load(wanted: Module) -> Any:
    import pycuda.driver as cuda

    device = driver.current()
    # The driver may have to wait for the GPU, which it cannot while a graph is recorded.
    driver.refuse_recording("uses a kernel for the first time", "let it take the same way in every call")
    path, refused = nvcc(), None
    try:
        loaded = _stored_or_compiled(wanted, device.arch, path)
    except cuda.Error as error:
        refused = error
    if refused is not None:
        if driver.hint_after_failure():  # then it is not the module's fault
            raise refused
        said, maker = driver.reason(refused), f"nvcc {version(path)}" if path else "another machine's nvcc"
        need = f"cannot load module {wanted.name}, compiled by {maker} for {device.arch}: {said}"
        remedy = "use an nvcc of that version or an older one, or a newer driver"
        hint = f"the driver serves CUDA {driver.version()}; {remedy}" if "image" in said else ""
        fail(LaunchError, "cuda", need, hint=hint)
    return loaded


def _stored_or_compiled(wanted: Module, arch: str, path: str | None) -> Any:
    import pycuda.driver as cuda

    text, folder = wanted.text, cache_folder()
    found_key, tool = key(text, arch), toolchain(path) if path else None
    cubin = stored(folder, found_key, tool)
    if cubin is not None:
        loaded = cuda.module_from_buffer(cubin)
        counts["loads"] += 1
        return loaded
    if path is None or tool is None:
        hint = "put nvcc on PATH, name its toolkit in CUDA_HOME, or pip install 'tinygrad_lite[cuda-toolkit]'"
        fail(CompileError, "cuda", f"needs nvcc to compile the kernels of {wanted.name}, and there is none", hint=hint)
    compiled, cubin = compile_module(wanted, arch, path)
    counts["compilations"] += 1
    store(folder, found_key, tool, cubin)
    return compiled


def compile_module(wanted: Module, arch: str, path: str) -> tuple[Any, bytes]:
    """The loaded module and its machine code.

    Raises:
        CompileError: with the lines of source that nvcc complains about.
    """
    import pycuda.driver as cuda
    from pycuda.compiler import SourceModule

    text, messages = wanted.text, None
    with tempfile.TemporaryDirectory(prefix="tinygrad_lite-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks of the assembler, and the check of the target's name
        try:
            compiled = SourceModule(
                text, nvcc=path, options=list(OPTIONS), arch=arch, no_extern_c=True, cache_dir=folder
            )
        except cuda.CompileError as error:
            messages = f"{error.stdout or ''}{error.stderr or ''}"
        else:
            (cubin,) = (file.read_bytes() for file in Path(folder).glob("*.cubin"))
    if messages is not None:
        refuse_source(wanted, messages, text)
    return compiled, cubin


def refuse_source(wanted: Module, messages: str, text: str) -> NoReturn:
    """Raise the compiler's complaints with the numbered source around each."""
    sources = _by_file(text)
    shown, parts = set(), []
    for match in re.finditer(r"^(?:.*/)?([^/\s():]+)[(:](\d+)\)?:.*error.*$", messages, re.MULTILINE | re.IGNORECASE):
        parts.append(match[0].strip())
        lines, line = sources.get(match[1], {}), int(match[2])
        for k in range(line - 2, line + 3):
            if k in lines and (match[1], k) not in shown:
                shown.add((match[1], k))
                parts.append(f"{'>' if k == line else ' '} {match[1]}:{k:<4} {lines[k]}")
    said = "\n".join(parts) or messages.strip()
    fail(CompileError, "cuda", f"cannot compile {wanted.name}:\n{said}")


def _by_file(text: str) -> dict[str, dict[int, str]]:
    """The numbered lines of every file that a flattened source is made of."""
    files: dict[str, dict[int, str]] = {}
    lines, number = files.setdefault("kernel.cu", {}), 1
    for line in text.split("\n"):
        mark = re.match(r'#line (\d+) "([^"]+)"', line)
        if mark:
            lines, number = files.setdefault(os.path.basename(mark[2]), {}), int(mark[1])
        else:
            lines[number] = line
            number += 1
    return files
