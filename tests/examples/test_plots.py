"""examples/plots.py: the picture of the mistakes is full, however many there are."""

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
