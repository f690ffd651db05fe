"""A multilayer perceptron learns handwritten digits, in the order of the slides of the course project.

Data, network, error function with regularisation, gradient descent, the sequence forward - backward - update,
test. p stands for all the weights and biases.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import ending
import numpy as np
import plots
from mnist_options import Options, parse_options
from numpy.typing import NDArray
from progress import Epoch

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, data, nn, optim
from tinygrad_lite.nn import functional as F

#: sigma in a = sigma(z); the slides use the sigmoid
ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}

#: gradient descent and its descendants
OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": optim.SGD,
    "momentum": partial(optim.SGD, momentum=0.9),
    "adagrad": optim.Adagrad,
    "rmsprop": optim.RMSprop,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
}

#: their learning rates alpha, chosen on validation images (--validation 10000)
LEARNING_RATES = {"sgd": 0.2, "momentum": 0.05, "adagrad": 0.02, "rmsprop": 2e-3, "adam": 1.5e-3, "adamw": 1.5e-3}
#: the slope of a sigmoid is at most 1/4; the other four make up for that by themselves
SIGMOID_LEARNING_RATES = {"sgd": 1.0, "momentum": 0.1}


# --- Data: images as rows x of numbers from 0 (paper) to 1 (ink), labels y from 0 to 9 ----------------------


def load_digits(options: Options) -> data.DigitData:
    """MNIST or the small digits, as ``--data`` and ``--data-dir`` say."""
    if options.data == "digits":
        return data.load_digits()
    return data.load_mnist(options.data_dir, fallback=options.data == "auto")


# --- Network: every layer is a matrix multiplication and a non-linear function ------------------------------


def build_network(pixels: int, hidden: list[int], activation: str, dropout: float) -> nn.Sequential:
    """The layers from the pixels to z of the ten digits."""
    layers: list[nn.Module] = []
    widths = [pixels, *hidden]
    for inputs, outputs in pairwise(widths):
        layers.append(nn.Linear(inputs, outputs))  # z = W x + b
        layers.append(ACTIVATIONS[activation]())  # a = sigma(z)
        if dropout:
            layers.append(nn.Dropout(dropout))  # in training only: some a = 0, so that no unit relies on another
    layers.append(nn.Linear(widths[-1], 10))  # the last z; its softmax is part of the error function
    return nn.Sequential(*layers)


# --- Error function: J(p) = 1/N sum_i error(y_i, yhat_i) + lambda/2 ||p||^2 ---------------------------------


def mean_error(z: Tensor, y: Tensor) -> Tensor:
    """1/N sum_i error(y_i, yhat_i): error = -log yhat_y, where yhat = softmax(z) are ten probabilities."""
    return F.cross_entropy(z, y)  # softmax and logarithm in one, which large z cannot overflow


# --- Gradient descent: p <- p - alpha grad J(p) -------------------------------------------------------------


def train(
    model: nn.Module, train_set: data.TensorDataset, validation_set: data.TensorDataset | None, options: Options
) -> list[Epoch]:
    """Minimise J over random subsets of the images, each of which gives an estimate J_r of J and an update."""
    loader = data.DataLoader(train_set, options.batch_size, shuffle=True, seed=options.seed)
    optimizer = OPTIMIZERS[options.optimizer](model.parameters(), lr=options.lr)
    # alpha falls to 0 in a straight line: the noise of small subsets dies out, and the last p can be kept.
    schedule = optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=options.epochs * len(loader))
    history = []
    for number in range(1, options.epochs + 1):
        model.train()
        with Epoch(number, options.epochs, len(train_set)) as epoch:
            for x, y in loader:
                x, y = x.to(options.device), y.to(options.device)
                z = model(x)  # forward, left to right: the prediction,
                error = mean_error(z, y)  # compared with the labels
                J = error + nn.l2_penalty(model.parameters(), options.l2) if options.l2 else error

                optimizer.zero_grad()
                J.backward()  # backward, right to left: grad J by the chain rule

                optimizer.step()  # update: p <- p - alpha grad J_r
                schedule.step()
                epoch.add(error.item(), count_right(z, y), len(y))
            if validation_set is not None:
                epoch.validate(*test(model, *validation_set.arrays, options.device)[:2])
        history.append(epoch)
        check_finite("loss", epoch.loss, options)
    return history


def check_finite(name: str, error: float, options: Options) -> None:
    """End the program if gradient descent went uphill until the numbers overflowed."""
    if not math.isfinite(error):
        penalty = f" or an --l2 below {options.l2:g}" if options.l2 else ""
        sys.exit(f"the {name} is {error}: the steps were too long; try an --lr below {options.lr:g}{penalty}")


# --- Test: images that had no part in the training ----------------------------------------------------------


def test(model: nn.Module, x: NDArray[Any], y: NDArray[Any], device: str) -> tuple[float, float, NDArray[Any]]:
    """Mean error, share of right predictions, and the probabilities softmax(z) of every image."""
    model.eval()
    with tgl.no_grad():
        z, labels = model(Tensor(x, device=device)), Tensor(y, device=device)
        return mean_error(z, labels).item(), count_right(z, labels) / len(y), tgl.softmax(z).numpy()


def count_right(z: Tensor, y: Tensor) -> int:
    """For how many images the largest z is that of the label."""
    return int((z.argmax(axis=1) == y).sum())


# --- All together -------------------------------------------------------------------------------------------


def main() -> None:
    options = parse_options(__doc__, list(ACTIVATIONS), LEARNING_RATES, SIGMOID_LEARNING_RATES)
    tgl.zeros(0, device=options.device)  # refuses a device that is not there
    digits = load_digits(options)
    options = options.completed(len(digits.train_images))
    print(digits.source)
    x, test_x = digits.flat()
    y, test_y = digits.train_labels, digits.test_labels
    kept = len(x) - options.validation
    mean, spread = float(x[:kept].mean()), float(x[:kept].std())
    x, test_x = ((part - mean) / spread for part in (x, test_x))  # layers learn best from numbers around 0, of size 1
    train_set = data.TensorDataset(x[:kept], y[:kept])
    validation_set = data.TensorDataset(x[kept:], y[kept:]) if options.validation else None

    tgl.manual_seed(options.seed)
    model = build_network(x.shape[1], options.hidden, options.activation, options.dropout)
    model.to(options.device)
    gpu = "" if options.device == "cpu" else tgl.cuda.device_name()
    print(f"\n{nn.summary(model, (options.batch_size, x.shape[1]))}\n\n{options.training(gpu)}\n")
    if gpu:
        print("the first epoch also compiles the kernels that are not in the cache yet\n")

    with np.errstate(all="ignore"):  # numbers that overflow are told of in one sentence, by check_finite
        history = train(model, train_set, validation_set, options)
        error, accuracy, probabilities = test(model, test_x, test_y, options.device)
    check_finite("error on the test images", error, options)  # the last step of all may have been one too long

    if options.save:
        nn.save(model, options.save, metadata=options.metadata(mean, spread))
        print(f"weights: {options.save}")
    if options.plot:
        plots.draw_curves(history, options.plot)
        plots.draw_mistakes(digits.test_images, test_y, probabilities, options.mistakes)
        print(f"curves: {options.plot}\nmistakes: {options.mistakes}")
    print(f"test accuracy {100 * accuracy:.2f} %")


if __name__ == "__main__":
    ending.run(main)
