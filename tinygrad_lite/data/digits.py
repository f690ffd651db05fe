"""Handwritten digits as arrays: the record that every digit data set is returned in, and the small set
that comes with the package, so that examples and tests work on a machine without network.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_lite import errors
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.data import idx

__all__ = ["DigitData", "load_digits"]

_TEST_EVERY = 5


@dataclass(frozen=True, eq=False)
class DigitData:
    """Images of digits with their labels, split into a training and a test part.

    The arrays are read-only.

    Attributes:
        train_images: (n, height, width), uint8, 0 = paper to ``white`` = full ink.
        train_labels: (n,), int64, 0 to 9.
        test_images: (m, height, width), uint8.
        test_labels: (m,), int64.
        name: the name of the data set.
        source: one sentence that says what the data are and where they come from.
        white: the pixel value that is scaled to 1.
        substituted: whether these data stand in for others that were asked for and not found.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    name: str
    source: str
    white: int = 255
    substituted: bool = False

    def __post_init__(self) -> None:
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            array.flags.writeable = False

    def flat(self, dtype: DTypeLike = np.float32) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the training and the test images as rows of numbers from 0 to 1.

        Args:
            dtype: a float type.

        Returns:
            New arrays ``images / white`` of shape (n, height * width) and (m, height * width).

        Raises:
            DTypeError: ``dtype`` is not a float type.

        Example:
            >>> train, test = load_digits().flat()
            >>> train.shape, test.shape, train.dtype.name, float(train.max())
            ((1437, 64), (360, 64), 'float32', 1.0)
        """
        kind = np.dtype(dtype)
        if kind.kind != "f":
            errors.fail(
                errors.DTypeError,
                "DigitData.flat",
                f"needs a float dtype for the range 0 to 1, but got {kind}",
                hint='dtype="float32" is the default; the images themselves are integers from 0 to 255',
            )

        def scaled(images: NDArray[np.uint8]) -> NDArray[Any]:
            return np.divide(images.reshape(len(images), -1), self.white, dtype=kind)

        return scaled(self.train_images), scaled(self.test_images)


@checked_keywords
def load_digits() -> DigitData:
    """Load the 1797 handwritten digits of 8 x 8 pixels that come with the package.

    They are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, UCI
    Machine Learning Repository, 1998, doi:10.24432/C50P49, CC BY 4.0), in the order of the original file.

    The split is fixed: the images are sorted by label, keeping the original order within a label, and
    every fifth one, beginning with the first, is a test image. Both parts thus hold every digit in the same
    proportion, 36 +- 1 of each among the 360 test images, and keep the original order among themselves.

    Returns:
        1437 training and 360 test images, values 0 to ``white`` = 16.

    Raises:
        DataError: the files of the package are damaged.

    Example:
        >>> digits = load_digits()
        >>> digits.train_images.shape, digits.test_images.shape
        ((1437, 8, 8), (360, 8, 8))
        >>> digits.source
        'UCI optical digits: 1437 training and 360 test images of 8 x 8 pixels, bundled with tinygrad_lite'
    """
    folder = resources.files("tinygrad_lite.data") / "uci_digits"
    with resources.as_file(folder / "images-idx3-ubyte.gz") as path:
        images = idx.read(path)
    with resources.as_file(folder / "labels-idx1-ubyte.gz") as path:
        labels = idx.read(path).astype(np.int64)

    in_test = np.zeros(len(labels), bool)
    in_test[np.argsort(labels, kind="stable")[::_TEST_EVERY]] = True
    train, test = ~in_test, in_test
    return DigitData(
        train_images=images[train],
        train_labels=labels[train],
        test_images=images[test],
        test_labels=labels[test],
        name="UCI digits",
        source=f"UCI optical digits: {train.sum()} training and {test.sum()} test images of 8 x 8 pixels, "
        "bundled with tinygrad_lite",
        white=16,
    )
