"""What one sees of an epoch of training: a bar that moves on a terminal, one line anywhere else."""

from __future__ import annotations

import io
import shutil
import sys
import time
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from types import TracebackType
from typing import Any

WIDTH = 110  #: columns of a bar at most: its right end should be near its left


def shown_by(rank: int) -> AbstractContextManager[object]:
    """A ``with`` block whose output is shown on rank 0 alone: all ranks run the same lines."""
    return nullcontext() if rank == 0 else redirect_stdout(io.StringIO())


class Epoch:
    """Adds up errors and right predictions over one epoch, and shows them: use it in a ``with`` statement.

    On a terminal that is a bar with loss, accuracy, images per second and the time left, if tqdm is installed;
    otherwise one line when the epoch is over. Loss and accuracy are means over the images seen so far, each
    judged by the network as it was at that moment.

    Args:
        number: of the epoch, from 1 on.
        epochs: how many there will be.
        images: how many images it goes through.
        bar: whether there may be a bar. mpirun shows its processes a terminal even if its own output is a file.

    Attributes:
        losses: the mean error of each batch.
        validation: mean error and share of right predictions on the validation images, if there are any.
    """

    def __init__(self, number: int, epochs: int, images: int, bar: bool = True) -> None:
        self.title = f"epoch {number:{len(str(epochs))}}/{epochs}"
        self.losses: list[float] = []
        self.validation: tuple[float, float] | None = None
        self._images, self._seen, self._error, self._right = images, 0, 0.0, 0
        self._may_have_bar = bar

    @property
    def loss(self) -> float:
        """Mean error of the images seen so far."""
        return self._error / self._seen

    @property
    def accuracy(self) -> float:
        """Share of them that were predicted right."""
        return self._right / self._seen

    def __enter__(self) -> Epoch:
        self._start = time.perf_counter()
        self._bar = _bar(self.title, self._images) if self._may_have_bar else None
        return self

    def add(self, error: float, right: int, count: int) -> None:
        """Note the mean error and the number of right predictions of a batch of ``count`` images."""
        self.losses.append(error)
        self._error += error * count
        self._right += right
        self._seen += count
        if self._bar is not None:
            self._bar.set_description_str(f"{self.title}: {self._numbers()}", refresh=False)
            self._bar.update(count)  # draws at most ten times a second
        elif self._seen == self._images:
            self._seconds = time.perf_counter() - self._start

    def validate(self, loss: float, accuracy: float) -> None:
        """Note the mean error and the share of right predictions on the validation images."""
        self.validation = loss, accuracy
        if self._bar is not None:
            self._bar.set_description_str(f"{self.title}: {self._numbers()}")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None:
            speed = f"{self._seen / self._seconds:,.0f} images/s, {self._seconds:.1f} s"
            print(f"{self.title}: {self._numbers()}, {speed}", flush=True)

    def _numbers(self) -> str:
        text = f"training loss {self.loss:.4f}, accuracy {100 * self.accuracy:.2f} %"
        if self.validation is not None:
            text += f"; validation loss {self.validation[0]:.4f}, accuracy {100 * self.validation[1]:.2f} %"
        return text


def _bar(title: str, images: int) -> Any:
    """A tqdm bar, or None where there is no terminal or no tqdm."""
    if not sys.stdout.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    columns, lines = shutil.get_terminal_size()
    return tqdm(
        total=images,
        desc=title,
        unit=" images",
        unit_scale=True,
        bar_format="{desc} {percentage:3.0f}% {bar} {rate_fmt}, {elapsed}<{remaining}",
        ncols=min(columns, WIDTH),
        nrows=lines,  # some terminals do not know their size, and tqdm would draw nothing
        file=sys.stdout,
    )
