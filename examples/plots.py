"""The two pictures of mnist_mlp.py, drawn with matplotlib: how the training went, and what was mistaken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from progress import Epoch

ROWS, COLUMNS = 5, 8  # at most, of the picture of the mistakes

TRAINING, VALIDATION = "tab:blue", "tab:orange"


def draw_curves(history: Sequence[Epoch], path: Path) -> None:
    """Draw loss and accuracy over the epochs, on the training images and on the validation images if any.

    Args:
        history: the epochs in order.
        path: the file, whose suffix says the format.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    losses = np.concatenate([epoch.losses for epoch in history])
    steps = (np.arange(len(losses)) + 1) * len(history) / len(losses)
    numbers = np.arange(1, len(history) + 1)
    left.plot(steps, losses, color=TRAINING, alpha=0.5, linewidth=0.7, label="single batches")
    left.plot(numbers, [epoch.loss for epoch in history], "o-", color=TRAINING, label="training, mean of the epoch")
    right.plot(numbers, [100 * epoch.accuracy for epoch in history], "o-", color=TRAINING, label="training")
    validation = np.array([epoch.validation for epoch in history if epoch.validation is not None])
    if len(validation):
        left.plot(numbers, validation[:, 0], "s-", color=VALIDATION, label="validation")
        right.plot(numbers, 100 * validation[:, 1], "s-", color=VALIDATION, label="validation")
    left.set(ylabel="cross-entropy", yscale="log", title="Loss")
    low, high = left.get_ylim()
    if high < 100 * low:  # too few powers of ten to label the axis with: 0.5 instead of 5 x 10^-1
        if high > 5 * low:
            left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        left.yaxis.set_major_formatter(ScalarFormatter())
        left.yaxis.set_minor_formatter(NullFormatter() if high > 5 * low else ScalarFormatter())
    right.set(ylabel="right predictions in %", title="Accuracy")
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.set_xlim(0, len(history) + 0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=150)


def draw_mistakes(images: NDArray[Any], labels: NDArray[Any], probabilities: NDArray[Any], path: Path) -> None:
    """Draw the misclassified images, those first of which the network was most sure, and what was taken for what.

    Args:
        images: (N, height, width).
        labels: (N,), the true digits.
        probabilities: (N, 10), what the network takes each image for.
        path: the file, whose suffix says the format.
    """
    from matplotlib.figure import Figure

    predicted, sureness = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-sureness[wrong], kind="stable")]
    figure = Figure(figsize=(16, 8), layout="constrained")
    parts: Any = figure.subfigures(1, 2, width_ratios=(1.2, 1))
    left, right = parts

    shown = wrong[: ROWS * COLUMNS]
    which = "" if len(shown) == len(wrong) else f"; the {len(shown)} of which the network was most sure"
    left.suptitle(f"{len(wrong)} of {len(labels)} test images misclassified{which}")
    places = max(1, len(shown))
    columns = min(places, math.ceil(math.sqrt(places * COLUMNS / ROWS)))  # few mistakes fill the picture as well
    rows = math.ceil(places / columns)
    grid = left.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    size = min(12, 7.5 * COLUMNS / columns)
    for axes, i in zip(grid, shown):
        axes.imshow(images[i], cmap="gray_r")
        axes.set_title(
            f"{labels[i]} taken for {predicted[i]}\n{min(100 * sureness[i], 99.9):.1f} % sure", fontsize=size
        )

    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (labels, predicted), 1)
    confused = np.where(np.eye(10, dtype=bool), 0, confusion)
    axes = right.subplots()
    axes.imshow(confused, cmap="Oranges", vmax=max(2 * confused.max(), 1))  # not so dark that numbers are lost
    for true, guess in np.argwhere(confusion):
        color = "tab:gray" if true == guess else "black"
        axes.text(guess, true, confusion[true, guess], ha="center", va="center", color=color)
    axes.set(xlabel="predicted digit", ylabel="true digit", xticks=range(10), yticks=range(10))
    axes.set_title("how many of each digit were taken for which")
    figure.savefig(path, dpi=120)
