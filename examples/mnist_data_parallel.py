"""The network of mnist_mlp.py, trained by many ranks: each has the whole network and a part of every batch of images.

    mpirun -n 4 python examples/mnist_data_parallel.py
    python examples/mnist_data_parallel.py

The weights are those of one process, up to rounding, on any number of ranks (without dropout, whose masks the ranks
draw for themselves). What is new beside mnist_mlp.py: a communicator, a loader that divides each batch, and an object
that averages the gradients while they are computed.
"""

from __future__ import annotations

import sys

import cores
import ending
import numpy as np
import plots
from mnist_mlp import (
    ACTIVATIONS,
    LEARNING_RATES,
    OPTIMIZERS,
    SIGMOID_LEARNING_RATES,
    build_network,
    check_finite,
    count_right,
    load_digits,
    test,
)
from mnist_options import Options, parse_options
from numpy.typing import NDArray
from progress import Epoch, shown_by

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, data, nn, optim
from tinygrad_lite import distributed as dist
from tinygrad_lite.nn import functional as F

COMMAND = "mpirun -n 4 python examples/mnist_data_parallel.py"
DESCRIPTION = """The network of mnist_mlp.py, trained by many ranks: each has the whole network and a part of every
batch of images. Without mpirun there is one rank."""


def train(
    model: nn.Module,
    train_set: data.TensorDataset,
    validation_set: data.TensorDataset | None,
    options: Options,
    comm: dist.Communicator,
) -> list[Epoch]:
    """Gradient descent on J: the loop of mnist_mlp.py, on this rank's part of every batch."""
    loader = dist.ShardedLoader(train_set, options.batch_size, comm, shuffle=True, seed=options.seed)
    parallel = dist.DataParallel(model, comm)  # the weights of rank 0 for all
    optimizer = OPTIMIZERS[options.optimizer](model.parameters(), lr=options.lr)
    schedule = optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=options.epochs * len(loader))
    history = []
    for number in range(1, options.epochs + 1):
        model.train()
        with Epoch(number, options.epochs, len(train_set), bar=comm.size == 1) as epoch:
            for x, y in loader:
                x, y = x.to(options.device), y.to(options.device)
                z = model(x)
                # The sum, and not the mean, over this rank's images: in the last batch it may have none.
                error = F.cross_entropy(z, y, reduction="sum")
                J = error + nn.l2_penalty(model.parameters(), options.l2 * len(y)) if options.l2 else error

                optimizer.zero_grad()
                parallel.backward(J, count=len(y), reduction="sum")  # the gradient of the mean over all ranks' images

                optimizer.step()  # the same on all ranks, from the same gradient
                schedule.step()
                total, right, count = comm.allreduce(np.array([error.item(), count_right(z, y), len(y)])).tolist()
                epoch.add(total / count, int(right), int(count))
            if validation_set is not None:
                epoch.validate(*test(model, *validation_set.arrays, options.device)[:2])
        history.append(epoch)
        ending.from_rank_0(comm, lambda: check_finite("loss", epoch.loss, options))
    return history


def test_together(
    model: nn.Module, x: NDArray[np.float32], y: NDArray[np.int64], device: str, comm: dist.Communicator
) -> tuple[float, float, NDArray[np.float32]]:
    """What ``test`` of mnist_mlp.py returns: every rank judges its share of the images, and each is judged once."""
    start, stop = comm.bounds(len(y))[comm.rank]
    model.eval()
    with tgl.no_grad():
        z, labels = model(Tensor(x[start:stop], device=device)), Tensor(y[start:stop], device=device)
        error, right = F.cross_entropy(z, labels, reduction="sum").item(), count_right(z, labels)
    error, right = (comm.allreduce(np.array([error, right])) / len(y)).tolist()
    return error, right, comm.all_gather(tgl.softmax(z).numpy())


def main() -> None:
    comm = dist.init()
    with shown_by(comm.rank):  # rank 0 alone
        options, digits = ending.from_rank_0(comm, lambda: prepared(comm.size))
        run(comm, options, digits)


def prepared(ranks: int) -> tuple[Options, data.DigitData]:
    """The command line and the data, or the end of the program if something does not fit."""
    options = parse_options(DESCRIPTION, list(ACTIVATIONS), LEARNING_RATES, SIGMOID_LEARNING_RATES, COMMAND)
    tgl.zeros(0, device=options.device)  # refuses a device that is not there
    digits = load_digits(options)
    options = options.completed(len(digits.train_images))
    if options.batch_size < ranks:
        options.refuse(
            f"argument --batch-size: {ranks} ranks need {ranks} images or more, but got {options.batch_size}"
        )
    options.refuse = sys.exit  # the parser cannot be sent to the other ranks
    return options, digits


def run(comm: dist.Communicator, options: Options, digits: data.DigitData) -> None:
    """Network, training and test, on every rank."""
    cores.advise(comm)
    print(digits.source)
    x, test_x = digits.flat()
    y, test_y = digits.train_labels, digits.test_labels
    kept = len(x) - options.validation
    mean, spread = float(x[:kept].mean()), float(x[:kept].std())
    x, test_x = ((part - mean) / spread for part in (x, test_x))
    train_set = data.TensorDataset(x[:kept], y[:kept])
    validation_set = data.TensorDataset(x[kept:], y[kept:]) if options.validation else None

    tgl.manual_seed(options.seed)
    model = build_network(x.shape[1], options.hidden, options.activation, options.dropout)
    model.to(options.device)
    ranks = f"{comm.size} rank{'s' * (comm.size > 1)}"
    print(f"\n{nn.summary(model, (options.batch_size, x.shape[1]))}\n\n{ranks}, {options.training()}")
    _, share = comm.bounds(options.batch_size)[0]
    several = f"rank 0 takes {share} of the {options.batch_size} images"
    print(several if comm.size > 1 else f"start several ranks with  {COMMAND}", end="\n\n")

    with np.errstate(all="ignore"):  # numbers that overflow are told of in one sentence, by check_finite
        history = train(model, train_set, validation_set, options, comm)
        error, accuracy, probabilities = test_together(model, test_x, test_y, options.device, comm)
    ending.from_rank_0(comm, lambda: check_finite("error on the test images", error, options))

    if comm.rank == 0 and options.save:
        nn.save(model, options.save, metadata=options.metadata(mean, spread))
        print(f"weights: {options.save}")
    if comm.rank == 0 and options.plot:
        plots.draw_curves(history, options.plot)
        plots.draw_mistakes(digits.test_images, test_y, probabilities, options.mistakes)
        print(f"curves: {options.plot}\nmistakes: {options.mistakes}")
    print(f"test accuracy {100 * accuracy:.2f} %")


if __name__ == "__main__":
    ending.run(main)
