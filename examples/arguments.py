"""What the options of the examples accept; a bad value ends the program with a sentence before any work begins."""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

PICTURES = (".png", ".pdf", ".svg")


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"knows {', '.join(names)}, but got {text!r}")
        return text

    return convert


def integer(low: int, high: int | None = None) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
            bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
            raise argparse.ArgumentTypeError(f"needs an integer {bounds}, but got {text!r}")
        return int(text)

    return convert


def number(low: float, below: float, meaning: str) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value < below:
            raise argparse.ArgumentTypeError(f"needs {meaning}, but got {text!r}")
        return value

    return convert


def device(text: str) -> str:
    """The name of a device; whether it is there is found out when it is first used."""
    if not re.fullmatch(r"cpu|cuda(:[0-9]+)?", text):
        raise argparse.ArgumentTypeError(f"needs cpu, cuda or cuda:N, but got {text!r}")
    return text


def output_file(*suffixes: str) -> Callable[[str], Path]:
    """A file that can be written: found out now, and not after the training."""

    def convert(text: str) -> Path:
        path = Path(os.path.expanduser(text))
        if not text or text.endswith(os.sep):
            raise argparse.ArgumentTypeError(f"needs the name of a file, but got {text!r}")
        if suffixes and path.suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(f"needs a name that ends in {' or '.join(suffixes)}, but got {text!r}")
        if problem := why_not_writable(path):
            raise argparse.ArgumentTypeError(problem)
        return path

    return convert


def why_not_writable(path: Path) -> str:
    """Why a file cannot be written there, or nothing. What counts is the file behind symbolic links."""
    real = os.path.realpath(path)
    folder = os.path.dirname(real) if os.path.islink(path) else str(path.parent)
    if not os.path.isdir(folder):
        return f"needs a folder that exists, but there is no {folder!r}"
    if not os.access(folder, os.W_OK):
        return f"needs a folder that can be written, but {folder!r} cannot"
    try:
        regular = stat.S_ISREG(os.stat(real).st_mode)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"needs a file that can be written, but got {str(path)!r}: {error.strerror}"
    return "" if regular else f"needs the name of a file, but got {str(path)!r}"


def add_device(parser: argparse._ActionsContainer) -> None:
    """The option ``--device NAME``."""
    text = "where to compute: cpu, cuda, or cuda:1 for the second GPU (default: %(default)s)"
    parser.add_argument("--device", default="cpu", metavar="NAME", type=device, help=text)


def add_plot(parser: argparse._ActionsContainer, text: str) -> None:
    """The option ``--plot FILE``."""
    parser.add_argument("--plot", metavar="FILE", type=output_file(*PICTURES), help=f"{text} (needs matplotlib)")


def check_matplotlib(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse ``--plot`` where matplotlib is missing."""
    if options.plot and importlib.util.find_spec("matplotlib") is None:
        parser.error("argument --plot: needs matplotlib: pip install tinygrad_lite[examples]")
