"""The emulated nvcc: compiles the text of a CUDA kernel for the processor, with g++.

It answers ``--version``, ``--preprocess`` and ``--cubin`` as nvcc does. A kernel file is preprocessed, its
``__global__`` functions get an entry that unpacks their parameters, its ``__shared__`` variables move into the emulated
block's memory, and the shared library that g++ makes of it is written behind a small header, which
fake_cuda/modules.cpp reads.
"""

import hashlib
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = "cuda_on_cpu.h"
SOURCES = ("fake_nvcc.py", HEADER, "cuda_on_cpu_math.h", "fake_cuda/interface.h")
RELEASE = "13.0"

# Options of nvcc that take a value, and what g++ makes of them; None is dropped.
WITH_VALUE = {
    "-D": "-D", "--define-macro": "-D", "-U": "-U", "--undefine-macro": "-U", "-I": "-I", "--include-path": "-I",
    "-include": "-include", "--pre-include": "-include",
    "-o": None, "--output-file": None, "-arch": None, "--gpu-architecture": None, "-gencode": None,
    "--generate-code": None, "-code": None, "--gpu-code": None, "-Xptxas": None, "--ptxas-options": None,
    "-Xcompiler": None, "-ccbin": None, "-std": None, "--std": None, "-diag-suppress": None, "--diag-suppress": None,
    "-maxrregcount": None, "--maxrregcount": None, "-O": None, "--optimize": None, "-default-stream": None,
}  # fmt: skip
FLAGS = {
    "--cubin", "-cubin", "--preprocess", "-E", "-P", "-lineinfo", "--generate-line-info", "--keep", "-w", "-m64",
    "--restrict", "-restrict", "--expt-relaxed-constexpr", "-extra-device-vectorization", "-O0", "-O1", "-O2", "-O3",
}  # fmt: skip

COMPILE = (
    "-x", "c++", "-fpreprocessed", "-std=c++17", "-O1", "-fPIC", "-w", "-pipe",
    # The same results everywhere: a product and a sum stay two roundings unless the kernel says fma, or FAKE_NVCC_FMA.
    "-ffp-contract=off", "-fno-math-errno", "-fno-strict-aliasing", "-fwrapv",
    # A module is its own world: nothing in it is merged with another module's.
    "-fvisibility=hidden", "-fno-gnu-unique", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics",
    "-fno-asynchronous-unwind-tables",
    "-fsanitize=alignment,bounds", "-fno-sanitize-recover=all", "-fno-stack-protector",
)  # fmt: skip
LINK = ("-shared", "-nostdlib", "-Wl,-Bsymbolic", "-Wl,--build-id=none", "-lm", "-lgcc", "-lc")


class Refused(Exception):
    """Ends the program with nvcc's exit status 1; the text goes to stderr."""


def version() -> str:
    """What --version prints; its last line changes with the emulator, so that compile caches notice."""
    digest = hashlib.sha256()
    for name in SOURCES:
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(file.read())
    compiler = subprocess.run([gxx(), "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    digest.update(" ".join([compiler, *machine_flags()]).encode())
    return (
        "nvcc: emulated NVIDIA (R) Cuda compiler driver, compiling for the processor\n"
        f"Cuda compilation tools, release {RELEASE}, V{RELEASE}.88\n"
        f"Build emulated.{digest.hexdigest()[:16]}"
    )


def gxx() -> str:
    return os.environ.get("CXX", "g++")


def machine_flags() -> "list[str]":
    """What depends on the processor and the environment.

    Conversions of half precision take one instruction where the processor has it; the result is the same. With
    FAKE_NVCC_FMA=1 a product and a sum become one rounding, as with nvcc, which tells rounding from mistakes.
    """
    try:
        with open("/proc/cpuinfo") as file:
            features = re.search(r"^flags.*", file.read(), re.MULTILINE)
    except OSError:
        return []
    has = features[0].split() if features else []
    flags = ["-mf16c"] if "f16c" in has else []
    if os.environ.get("FAKE_NVCC_FMA", "0") != "0":
        if "fma" not in has:
            raise Refused("nvcc fatal   : FAKE_NVCC_FMA=1 needs a processor with fused multiply-add")
        flags += ["-mfma", "-ffp-contract=fast", "-fexpensive-optimizations"]  # at -O1 gcc would leave it
    return flags


# --- The command line ---------------------------------------------------------------------------------------


class Options:
    def __init__(self, arguments):
        self.gxx, self.source, self.output, self.arch, self.action = [], None, None, "sm_75", None
        rest = iter(arguments)
        for word in rest:
            name, equals, value = word.partition("=")
            if word in ("--version", "-V"):
                self.action = "version"
            elif word in FLAGS:
                if word in ("--cubin", "-cubin"):
                    self.action = "cubin"
                elif word in ("--preprocess", "-E"):
                    self.action = "preprocess"
            elif name in WITH_VALUE:
                self.option(name, value if equals else next(rest, ""))
            elif word[:2] in ("-D", "-I", "-U", "-o", "-O"):
                self.option(word[:2], word[2:])
            elif word.startswith("-"):
                raise Refused(f"nvcc fatal   : Unknown option '{word}'")
            elif self.source is not None:
                raise Refused("nvcc fatal   : the emulated nvcc compiles one file at a time")
            else:
                self.source = word
        if self.action is None:
            raise Refused("nvcc fatal   : the emulated nvcc offers --cubin, --preprocess and --version")
        if self.source is None and self.action != "version":
            raise Refused("nvcc fatal   : No input files specified; use option --help for more information")

    def option(self, name, value):
        if name in ("-o", "--output-file"):
            self.output = value
        elif name in ("-arch", "--gpu-architecture"):
            self.arch = value
        elif name in ("-gencode", "--generate-code"):
            found = re.search(r"code=\[?(sm_\w+)", value)
            self.arch = found[1] if found else self.arch
        elif WITH_VALUE[name]:
            self.gxx += [WITH_VALUE[name], value]

    def arch_number(self) -> int:
        found = re.fullmatch(r"(?:sm|compute)_(\d+)[af]?", self.arch)
        if not found or int(found[1]) < 75:
            raise Refused(f"nvcc fatal   : Unsupported gpu architecture '{self.arch}'")
        return int(found[1])


# --- From CUDA to C++ ---------------------------------------------------------------------------------------

TOKEN = re.compile(
    r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|\b\d[\w\'.]*'
    r"|\b(?:__global__|__shared__|__launch_bounds__|extern|template)\b|[{};]|^\#.*$",
    re.MULTILINE,
)
WORD = re.compile(r"\s*([A-Za-z_]\w*)\s*")


def closing(text: str, start: int) -> int:
    """The place behind the bracket that closes the one at ``start``."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    depth = 0
    for place in range(start, len(text)):
        if text[place] in pairs:
            depth += 1
        elif text[place] in pairs.values():
            depth -= 1
            if depth == 0:
                return place + 1
    raise Refused("error: a bracket is not closed")


class Kernel:
    def __init__(self, name, bounds):
        self.name, self.bounds = name, bounds


def read_kernel(text: str, place: int):
    """The kernel whose ``__global__`` ends at ``place``, or None for a mere declaration."""
    bounds, name = "", None
    while found := WORD.match(text, place):
        word, place = found[1], found.end()
        if text[place : place + 1] != "(":
            continue
        end = closing(text, place)
        if word == "__launch_bounds__":
            bounds = text[place + 1 : end - 1]
        elif word not in ("__attribute__", "__cluster_dims__", "alignas"):
            name, place = word, end
            break
        place = end
    if name is None:
        return None
    body = re.compile(r"\s*").match(text, place).end()
    return Kernel(name, " ".join(bounds.split())) if text[body : body + 1] == "{" else None


def first_name(declaration: str):
    """Where the first declared name of a declaration lies: the last word before [, = or a comma, outside brackets."""
    angle, found, place = 0, None, 0
    while place < len(declaration):
        character = declaration[place]
        if word := re.compile(r"[A-Za-z_]\w*").match(declaration, place):
            if angle == 0:
                found = word
            place = word.end()
            continue
        if character == "<":
            angle += 1
        elif character == ">":
            angle -= 1
        elif character == "(":
            place = closing(declaration, place)
            continue
        elif angle == 0 and character in "[,=":
            break
        place += 1
    return found


def declarators(text: str):
    """The parts of ``a[2], b, c[f(x, y)]``."""
    parts, start, place = [], 0, 0
    while place < len(text):
        if text[place] in "([{":
            place = closing(text, place)
            continue
        if text[place] == ",":
            parts.append(text[start:place])
            start = place + 1
        place += 1
    return [*parts, text[start:]]


class Translator:
    def __init__(self, text: str):
        self.text, self.kernels, self.edits, self.shared = text, [], [], 0

    def edit(self, start, end, replacement):
        # Lines keep their numbers.
        lost = self.text.count("\n", start, end) - replacement.count("\n")
        self.edits.append((start, end, replacement + "\n" * lost))

    def translate(self) -> str:
        text, braces, statement, linkage_c = self.text, [], 0, False
        skip = 0
        for token in TOKEN.finditer(text):
            word = token[0]
            if token.start() < skip:
                continue
            if word == "extern" and (found := re.compile(r'\s*"C"').match(text, token.end())):
                linkage_c = True
                skip = found.end()
            elif word == "{":
                block_c = linkage_c and text[statement : token.start()].split() == ["extern", '"C"']
                braces.append("C" if block_c else "other")
                statement, linkage_c = token.end(), False
            elif word == "}":
                if braces:
                    braces.pop()
                statement, linkage_c = token.end(), False
            elif word == ";":
                statement, linkage_c = token.end(), False
            elif word.startswith("#"):
                if not text[statement : token.start()].strip():
                    statement = token.end()
            elif word == "__launch_bounds__":
                bracket = text.index("(", token.end())
                self.edit(token.start(), closing(text, bracket), "")
            elif word == "__global__":
                self.edit(token.start(), token.end(), "")
                at_file_scope = all(kind == "C" for kind in braces)
                if at_file_scope and (linkage_c or "C" in braces) and (kernel := read_kernel(text, token.end())):
                    self.kernels.append(kernel)
            elif word == "__shared__":
                skip = self.move_to_shared_memory(statement, token)
                statement = skip
        for start, end, replacement in reversed(self.edits):
            text = text[:start] + replacement + text[end:]
        return text + "".join(f"\n{self.entry(kernel)}" for kernel in self.kernels) + "\n"

    def move_to_shared_memory(self, start, token):
        text = self.text
        end = text.index(";", token.end())
        before, after = text[start : token.start()], text[token.end() : end]
        name = first_name(after)
        if name is None or "=" in after:
            raise Refused(f"{self.where(token.start())}: error: a __shared__ variable has no name, or an initialiser")
        dynamic = re.search(r"\bextern\b", before) is not None
        words = re.sub(r"\b(extern|static)\b", "", before) + after[: name.start()]
        kind = " ".join(re.sub(r"\balignas\b(\s*\()", r"__attribute__((aligned\1", words).split())
        kind = close_aligned(kind)
        pieces = []
        for part in declarators(after[name.start() :]):
            variable = WORD.match(part)
            if variable is None:
                raise Refused(f"{self.where(token.start())}: error: a __shared__ declaration is not understood")
            number, self.shared = self.shared, self.shared + 1
            alias, slot = f"emulated_type_{number}", f"emulated_slot_{number}"
            declared = f"typedef {kind} {alias} {part[variable.end() :].rstrip()};"
            if dynamic:
                memory = f"emulated_dynamic_shared<{alias}>(alignof({alias}))"
                pieces.append(f"{declared} {alias} &{variable[1]} = {memory};")
            else:
                pieces.append(
                    f"{declared} static EmulatedSharedVariable {slot}; {alias} &{variable[1]} = "
                    f'emulated_shared<{alias}>({slot}, alignof({alias}), "{variable[1]}", __builtin_LINE());'
                )
        lead = len(before) - len(before.lstrip())
        self.edit(start + lead, end + 1, " ".join(pieces))
        return end + 1

    def where(self, place) -> str:
        """``file(line)`` of a place in the preprocessed text, by the line marker before it."""
        marks = list(re.finditer(r'^# (\d+) "([^"]*)".*$', self.text[:place], re.MULTILINE))
        if not marks:
            return "kernel.cu(1)"
        last = marks[-1]
        return f"{last[2]}({int(last[1]) + self.text.count(chr(10), last.end(), place) - 1})"

    def entry(self, kernel) -> str:
        return (
            f'extern "C" __attribute__((visibility("default"))) const EmulatedKernel emulated_kernel_{kernel.name} = '
            f"EmulatedEntry<{kernel.name}>::describe(emulated_launch_bounds({kernel.bounds}));"
        )


def close_aligned(kind: str) -> str:
    """Balance ``__attribute__((aligned (16)`` left by the replacement of alignas."""
    place = 0
    while (start := kind.find("__attribute__((aligned", place)) >= 0:
        bracket = kind.index("(", start + len("__attribute__((aligned"))
        end = closing(kind, bracket)
        if not kind[end:].lstrip().startswith("))"):
            kind = kind[:end] + "))" + kind[end:]
        place = end
    return kind


# --- Running g++ --------------------------------------------------------------------------------------------

MESSAGE = re.compile(r"^(\S+?):(\d+):(?:\d+:)? (?:fatal )?error: (.*)$")


def as_nvcc(diagnostics: str, source: str) -> str:
    """The errors of g++ in nvcc's form ``file(line): error: text``, and its closing count."""
    lines, errors = [], 0
    for line in diagnostics.splitlines():
        if found := MESSAGE.match(line):
            errors += 1
            lines.append(f"{found[1]}({found[2]}): error: {found[3]}")
        elif line.startswith("  ") or "note:" in line or "undefined" in line:
            lines.append(line)
    if not errors:
        return diagnostics
    plural = "s" if errors > 1 else ""
    return "\n".join([*lines, "", f'{errors} error{plural} detected in the compilation of "{source}".'])


def run(command, source, text=None):
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise Refused(as_nvcc(done.stderr, source))
    return done.stdout


def preprocess(options, *extra) -> str:
    command = [gxx(), "-E", "-x", "c++", "-std=c++17", "-D__NVCC__", *options.gxx, *extra, options.source]
    return run(command, options.source)


def compile_cubin(options):
    arch = options.arch_number()
    output = options.output or os.path.splitext(os.path.basename(options.source))[0] + ".cubin"
    text = preprocess(options, "-I", HERE, "-include", os.path.join(HERE, HEADER))
    # The header needs no translation: the kernel's own text begins at its first line marker.
    own = text.find(f'# 1 "{options.source}"', text.rfind(HEADER))
    own = max(own, 0)
    translator = Translator(text[own:])
    translated = text[:own] + translator.translate()
    with tempfile.TemporaryDirectory() as scratch:
        library = os.path.join(scratch, "module.so")
        run([gxx(), *COMPILE, *machine_flags(), "-o", library, "-", *LINK], options.source, translated)
        with open(library, "rb") as file:
            payload = file.read()
    temporary = f"{output}.{os.getpid()}"
    with open(temporary, "wb") as file:
        file.write(struct.pack("<8sQQII", b"EMUCUBIN", len(payload), zlib.crc32(payload), arch, 0) + payload)
    os.replace(temporary, output)


def main(arguments) -> int:
    try:
        options = Options(arguments)
        if options.action == "version":
            print(version())
            return 0
        if log := os.environ.get("FAKE_NVCC_LOG"):
            with open(log, "a") as file:
                file.write(f"{options.action} {' '.join(arguments)}\n")
        if options.action == "preprocess":
            print(preprocess(options, "-P"), end="")
        else:
            compile_cubin(options)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
