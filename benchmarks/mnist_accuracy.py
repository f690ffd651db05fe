"""Test accuracy and wall-clock time of examples/mnist_mlp.py with its defaults, over several seeds, against targets.

Every run is a process of its own, start-up and reading of the data included. The hyperparameters were chosen on
the last 10,000 training images (--validation 10000), never on test images.

    python benchmarks/mnist_accuracy.py --seeds 5
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "mnist_mlp.py"

#: what is run, and the accuracy in % that the median has to reach
CONFIGURATIONS = {
    "default": (["--data", "mnist"], 98.2),
    "hidden-100": (["--data", "mnist", "--hidden", "100"], 97.8),
    "slides": (
        ["--data", "mnist", "--activation", "sigmoid", "--optimizer", "sgd", "--hidden", "100", "--l2", "1e-4"],
        97.5,
    ),
    "digits": (["--data", "digits"], 96.0),
}
SECONDS = 60.0  #: that the default configuration may take, on two cores


def run(arguments: list[str], seed: int) -> tuple[float, float]:
    """Accuracy in % and seconds of one run."""
    start = time.perf_counter()
    command = [sys.executable, str(EXAMPLE), *arguments, "--seed", str(seed)]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return float(lines[-1].removeprefix("test accuracy ").removesuffix(" %")), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(CONFIGURATIONS)} (default: all)")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 0 on (default: %(default)s)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(CONFIGURATIONS):
        parser.error(f"there is no configuration {', '.join(sorted(unknown))}")

    print(f"{'configuration':14s} {'median %':>8s} {'range %':>15s} {'target %':>9s} {'seconds':>8s}   {'target':s}")
    for name in options.names or CONFIGURATIONS:
        arguments, target = CONFIGURATIONS[name]
        results = [run(arguments, seed) for seed in range(options.seeds)]
        accuracies = [accuracy for accuracy, _ in results]
        median, seconds = statistics.median(accuracies), statistics.median(seconds for _, seconds in results)
        met = median >= target and (name != "default" or seconds <= SECONDS)
        spread = f"{min(accuracies):.2f} to {max(accuracies):.2f}"
        print(
            f"{name:14s} {median:8.2f} {spread:>15s} {target:9.1f} {seconds:8.1f}   {'met' if met else 'MISSED'}"
            f"   {' '.join(arguments)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
