"""A network split over the ranks by its hidden units learns handwritten digits: the course project's model parallelism.

    mpirun -n 4 python examples/mnist_model_parallel.py
    python examples/mnist_model_parallel.py

Every rank sees all images and holds some of the hidden units: rows of W1 and b1, and the columns of W2 that belong to
them. The forward pass ends in one reduction of the ten outputs, and backpropagation needs no message at all. The
program counts both.
"""

from __future__ import annotations

import argparse
import math

import cores
import ending
import numpy as np
from arguments import integer, number, one_of
from mnist_mlp import check_finite, count_right, load_digits, mean_error, test
from progress import Epoch, shown_by

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, data, nn, optim
from tinygrad_lite import distributed as dist

COMMAND = "mpirun -n 4 python examples/mnist_model_parallel.py"

# --- Network: image -> hidden units, split over the ranks -> ten outputs on every rank ----------------------


def build_network(pixels: int, hidden: int, comm: dist.Communicator) -> nn.Sequential:
    """The project's two layers; the weights are those that the serial network would have, whatever ``comm.size``."""
    return nn.Sequential(
        dist.ColumnParallelLinear(pixels, hidden, comm),  # z1 = W1 x + b1 of this rank's units
        nn.Sigmoid(),  # a1 = sigma(z1) of this rank's units
        dist.RowParallelLinear(hidden, 10, comm),  # z2 = sum over the ranks of W2 a1, + b2: the one reduction
    )


def train(
    model: nn.Module, train_set: data.TensorDataset, options: argparse.Namespace, comm: dist.Communicator
) -> None:
    """The serial loop, line for line: all ranks go through the same images in the same order."""
    loader = data.DataLoader(train_set, options.batch_size, shuffle=True, seed=options.seed)
    optimizer = optim.SGD(model.parameters(), lr=options.lr)
    schedule = optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=options.epochs * len(loader))
    for index in range(1, options.epochs + 1):
        model.train()
        with Epoch(index, options.epochs, len(train_set), bar=comm.size == 1) as epoch:
            for x, y in loader:
                z = model(x)
                error = mean_error(z, y)
                optimizer.zero_grad()
                error.backward()
                optimizer.step()
                schedule.step()
                epoch.add(error.item(), count_right(z, y), len(y))
        ending.from_rank_0(comm, lambda: check_finite("loss", epoch.loss, options))


# --- Communication: what one step sends ---------------------------------------------------------------------


def count_messages(model: nn.Module, x: Tensor, y: Tensor, comm: dist.Communicator) -> None:
    """Print what a forward and a backward pass send, from the communicator's counters."""
    comm.stats.reset()
    error = mean_error(model(x), y)
    forward, carrier = counters(comm), comm.stats["allreduce"].algorithm
    comm.stats.reset()
    error.backward()
    backward = counters(comm)
    model.zero_grad()
    print("\nsent by rank 0        collectives    rounds  messages     bytes")
    print(f"  {'forward':20s} {forward}\n  {'backpropagation':20s} {backward}")
    weights = sum(value.size for value in dist.full_state_dict(model).values())
    if comm.size == 1:
        print(f"one rank sends nothing: start several with  {COMMAND}")
    elif carrier == "mpi":
        print("MPI itself carried out the reduction, which counts as one message")
    print(f"data parallelism would reduce the gradient of all {weights:,} weights, {4 * weights:,} bytes\n")


def counters(comm: dist.Communicator) -> str:
    """What was done since the counters were reset: collectives of every kind, rounds, messages and bytes."""
    seen = comm.stats
    return f"{seen.calls:10d}{seen.rounds:10d}{seen.messages:10d}{seen.bytes:10,d}"


# --- All together -------------------------------------------------------------------------------------------


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        usage=f"{COMMAND} [options]",
        description="A network split over the ranks by its hidden units learns handwritten digits.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--data", default="auto", metavar="NAME", type=one_of(["auto", "mnist", "digits"]),
        help="auto: MNIST, else the small digits that come with the package; mnist; digits (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--data-dir", metavar="FOLDER", help="the folder with the four MNIST files, or its parent")
    options = {
        "--hidden": (100, integer(1), "hidden units over all ranks"),
        "--epochs": (5, integer(1), "how often to go through the training images"),
        "--batch-size": (64, integer(1), "images per step"),
        "--lr": (1.0, number(math.ulp(0), math.inf, "a number above 0"), "learning rate of the first step, falls to 0"),
        "--seed": (0, integer(0, 2**64 - 1), "decides the first weights and the order of the images"),
    }
    for name, (default, convert, text) in options.items():
        parser.add_argument(name, default=default, metavar="N", type=convert, help=f"{text} (default: %(default)s)")
    found = parser.parse_args()
    found.l2 = 0.0  # what check_finite asks for
    if found.data == "digits" and found.data_dir:
        parser.error("argument --data-dir: is where MNIST lies, but --data digits asks for the digits of the package")
    return found


def main() -> None:
    comm = dist.init()
    with shown_by(comm.rank):
        options = ending.from_rank_0(comm, parse_options)
        run(comm, options)


def run(comm: dist.Communicator, options: argparse.Namespace) -> None:
    """Data, network, training and test, on every rank."""
    digits = ending.from_rank_0(comm, lambda: load_digits(options))
    cores.advise(comm)
    x, test_x = digits.flat()
    mean, spread = float(x.mean()), float(x.std())
    x, test_x = (x - mean) / spread, (test_x - mean) / spread
    train_set = data.TensorDataset(x, digits.train_labels)

    tgl.manual_seed(options.seed)  # the same on all ranks, which draw the whole matrices and keep their parts
    model = build_network(x.shape[1], options.hidden, comm)
    units = ", ".join(str(stop - start) for start, stop in comm.bounds(options.hidden))
    hidden = f"{options.hidden} hidden unit{'s' * (options.hidden > 1)}"
    print(f"{digits.source}\n{x.shape[1]} pixels -> {hidden} -> 10 digits; units per rank: {units}")
    size = min(options.batch_size, len(x))
    count_messages(model, Tensor(x[:size]), Tensor(digits.train_labels[:size]), comm)

    with np.errstate(all="ignore"):  # numbers that overflow are told of in one sentence, by check_finite
        train(model, train_set, options, comm)
        _, accuracy, _ = test(model, test_x, digits.test_labels, "cpu")
    print(f"test accuracy {100 * accuracy:.2f} %")


if __name__ == "__main__":
    ending.run(main)
