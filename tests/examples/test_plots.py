"""examples/plots.py: the axes of the curves can be read, and the picture of the mistakes is full, however many."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygrad_lite import data

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def plots(monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("plots")


@pytest.mark.parametrize("mistakes, shown", [(0, 0), (1, 1), (3, 3), (17, 17), (40, 40), (60, 40)])
def test_the_places_for_mistakes_fit_their_number(
    plots: Any, monkeypatch: pytest.MonkeyPatch, mistakes: int, shown: int
) -> None:
    from matplotlib.figure import Figure

    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *args, **keywords: figures.append(figure))
    digits = data.load_digits()
    probabilities = 0.9 * np.eye(10)[digits.test_labels] + 0.01
    probabilities[:mistakes] = np.roll(probabilities[:mistakes], 1, axis=1)
    plots.draw_mistakes(digits.test_images, digits.test_labels, probabilities, Path("mistakes.png"))
    left, _ = figures[0].subfigs
    assert left.get_suptitle().startswith(f"{mistakes} of 360 test images misclassified")
    assert sum(bool(axes.images) for axes in left.axes) == shown
    assert len(left.axes) <= max(1, 1.5 * shown)


@pytest.mark.parametrize(
    "lowest, labels",
    [
        (1.5, {"1.6", "1.8", "2.0", "2.2", "2.4"}),
        (0.3, {"0.5", "1.0", "2.0"}),
        (0.06, {"0.05", "0.10", "0.20", "0.50", "1.00", "2.00"}),
        (0.0024, {"10^{-2}", "10^{-1}", "10^{0}"}),
    ],
)
def test_a_narrow_range_of_losses_is_labelled_with_plain_numbers(
    plots: Any, monkeypatch: pytest.MonkeyPatch, lowest: float, labels: set[str]
) -> None:
    from matplotlib.figure import Figure

    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *args, **keywords: figures.append(figure))
    progress = importlib.import_module("progress")
    history = [progress.Epoch(number, 5, 20) for number in range(1, 6)]
    for epoch, losses in zip(history, np.geomspace(2.4, lowest, 100).reshape(5, 20), strict=True):
        epoch._bar = None
        epoch._start = 0.0
        for loss in losses:
            epoch.add(loss, 0, 1)
    plots.draw_curves(history, Path("curves.png"))
    left, _ = figures[0].axes
    figures[0].draw_without_rendering()
    low, high = left.get_ylim()
    axis = left.yaxis
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    shown = {tick.label1.get_text() for tick in ticks if low <= tick.get_loc() <= high} - {""}
    assert {text.removeprefix("$\\mathdefault{").removesuffix("}$") for text in shown} == labels
