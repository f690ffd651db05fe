"""The command line of mnist_mlp.py and mnist_data_parallel.py: every option with its default, checked at once."""

from __future__ import annotations

import argparse
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from arguments import (
    add_device,
    add_plot,
    check_matplotlib,
    integer,
    number,
    one_of,
    output_file,
    why_not_writable,
)

#: epochs, if not given: few images take more passes until the weights have settled
EPOCHS, EPOCHS_FOR_FEW = 10, 40
FEW = 10_000

DROPOUT = 0.2  # if neither that nor another regularisation is asked for


class Options(argparse.Namespace):
    """What the command line says, with the defaults that depend on other options filled in."""

    data: str
    data_dir: Path | None
    validation: int
    hidden: list[int]
    activation: str
    dropout: float
    l2: float
    optimizer: str
    lr: float
    epochs: int
    batch_size: int
    seed: int
    device: str
    save: Path | None
    plot: Path | None
    refuse: Callable[[str], NoReturn]  # ends the program with a message

    def completed(self, images: int) -> Options:
        """Fill in what depends on the number of training images, once they are known."""
        if self.validation >= images:
            self.refuse(f"argument --validation: leaves none of the {images} images to train on")
        if self.epochs is None:
            self.epochs = EPOCHS if images >= FEW else EPOCHS_FOR_FEW
        self.batch_size = min(self.batch_size, images - self.validation)
        return self

    @property
    def mistakes(self) -> Path:
        """Where the picture of the mistakes goes: beside the curves."""
        assert self.plot is not None
        return self.plot.with_name(f"{self.plot.stem}-mistakes{self.plot.suffix}")

    def training(self, gpu: str = "") -> str:
        """How the network will be trained, in one sentence; with the name of the GPU if it is trained on one."""
        penalty = f" + {self.l2:g}/2 ||p||^2" if self.l2 else ""
        place = f", on {gpu} ({self.device})" if gpu else ""
        return (
            f"{self.epochs} epoch{'s' * (self.epochs > 1)} of {self.optimizer} on cross-entropy{penalty}, "
            f"learning rate {self.lr:g} falling to 0, {self.batch_size} images per step, seed {self.seed}{place}"
        )

    def metadata(self, mean: float, spread: float) -> dict[str, str]:
        """What it takes to use saved weights: the network, and how its inputs were scaled."""
        return {
            "mean": repr(mean),
            "spread": repr(spread),
            "hidden": ",".join(map(str, self.hidden)),
            "activation": self.activation,
            "dropout": f"{self.dropout:g}",
        }


def parse_options(
    description: str,
    activations: Sequence[str],
    learning_rates: Mapping[str, float],
    sigmoid_learning_rates: Mapping[str, float],
    command: str = "python examples/mnist_mlp.py",
) -> Options:
    """Read the command line; a value that cannot be right ends the program with a message.

    Args:
        description: what the program does, for --help.
        activations: the names that --activation takes; the first is the default.
        learning_rates: the names that --optimizer takes, each with its default of --lr.
        sigmoid_learning_rates: those that have another default with --activation sigmoid.
        command: how the program is started.
    """
    parser = argparse.ArgumentParser(
        prog=os.path.basename(command),
        usage=f"{command} [options]",
        description=description,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    rates, sigmoid_rates = (
        ", ".join(f"{name} {rate:g}" for name, rate in given.items())
        for given in (learning_rates, sigmoid_learning_rates)
    )

    group = parser.add_argument_group("data")
    group.add_argument(
        "--data", default="auto", metavar="NAME", type=one_of(["auto", "mnist", "digits"]),
        help="auto: MNIST, found or downloaded, else the 1797 small digits that come with the package; "
        "mnist: MNIST or nothing; digits: the small digits (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--data-dir", metavar="FOLDER", type=Path,
        help="the folder with the four MNIST files, or its parent (default: the variable TINYGRAD_LITE_DATA, "
        "then the user's cache, then a download)",
    )  # fmt: skip
    group.add_argument(
        "--validation", default=0, metavar="N", type=integer(0),
        help="do not train on the last N training images and say after every epoch how well the network does on "
        "them (default: %(default)s)",
    )  # fmt: skip

    group = parser.add_argument_group("network")
    group.add_argument(
        "--hidden", default="512,256", metavar="WIDTHS", type=_widths,
        help="units of each hidden layer, from the input on: 100 or 512,256 (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--activation", default=activations[0], metavar="NAME", type=one_of(activations),
        help=f"{', '.join(activations)} (default: %(default)s)",
    )  # fmt: skip

    group = parser.add_argument_group("regularisation")
    group.add_argument(
        "--l2", default=0.0, metavar="LAMBDA", type=number(0, math.inf, "a number of at least 0"),
        help="lambda in lambda/2 ||p||^2 (default: %(default)g)",
    )  # fmt: skip
    group.add_argument(
        "--dropout", metavar="P", type=number(0, 1, "a number from 0 on and below 1"),
        help="share of a hidden layer's units that is left out at random in each step "
        f"(default: {DROPOUT:g}; 0 with --l2)",
    )  # fmt: skip

    group = parser.add_argument_group("gradient descent")
    group.add_argument(
        "--optimizer", default="adam", metavar="NAME", type=one_of(list(learning_rates)),
        help=f"{', '.join(learning_rates)} (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--lr", metavar="ALPHA", type=number(math.ulp(0), math.inf, "a number above 0"),
        help=f"learning rate of the first step, from where it falls to 0 "
        f"(default: {rates}; with sigmoid {sigmoid_rates})",
    )  # fmt: skip
    group.add_argument(
        "--epochs", metavar="N", type=integer(1),
        help=f"how often to go through the training images (default: {EPOCHS}; {EPOCHS_FOR_FEW} if there are fewer "
        f"than {FEW})",
    )  # fmt: skip
    group.add_argument(
        "--batch-size", default=64, metavar="N", type=integer(1), help="images per step (default: %(default)s)"
    )
    group.add_argument(
        "--seed", default=0, metavar="N", type=integer(0, 2**64 - 1),
        help="decides the first weights, the order of the images and what is dropped (default: %(default)s)",
    )  # fmt: skip
    add_device(group)

    group = parser.add_argument_group("results")
    group.add_argument(
        "--save",
        metavar="FILE",
        type=output_file(),
        help="write the trained weights to FILE, in the safetensors format",
    )
    what = (
        "draw the learning curves to FILE, such as curves.png, and the misclassified test images to curves-mistakes.png"
    )
    add_plot(group, what)

    options = parser.parse_args(namespace=Options())
    if options.data == "digits" and options.data_dir:
        parser.error("argument --data-dir: is where MNIST lies, but --data digits asks for the digits of the package")
    check_matplotlib(parser, options)
    if options.plot:
        if problem := why_not_writable(options.mistakes):
            parser.error(f"argument --plot: {problem}")
        if options.save and os.path.realpath(options.save) in map(os.path.realpath, (options.plot, options.mistakes)):
            parser.error(f"argument --save: needs another file than those of --plot, but got {str(options.save)!r}")
    if options.lr is None:
        if options.activation == "sigmoid":
            learning_rates = {**learning_rates, **sigmoid_learning_rates}
        options.lr = learning_rates[options.optimizer]
    if options.dropout is None:
        options.dropout = 0.0 if options.l2 else DROPOUT
    options.refuse = parser.error
    return options


def _widths(text: str) -> list[int]:
    words = text.split(",")
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise argparse.ArgumentTypeError(f"needs widths such as 100 or 512,256, but got {text!r}")
    return [int(word) for word in words]


class _Help(argparse.HelpFormatter):
    """Help as wide as the terminal, up to 100 columns, the texts in one column."""

    def __init__(self, prog: str, **settings: object) -> None:
        width = min(100, shutil.get_terminal_size().columns)
        super().__init__(prog, max_help_position=24, width=width)
