"""The bundled digits: the right ones, split as written, and a record that cannot be changed by accident."""

import hashlib
from importlib import resources

import numpy as np
import pytest

from tinygrad_lite import errors
from tinygrad_lite.data import idx, load_digits


def test_the_split_is_the_documented_one():
    digits = load_digits()
    assert digits.train_images.shape == (1437, 8, 8)
    assert digits.test_images.shape == (360, 8, 8)
    assert np.bincount(digits.test_labels).tolist() == [36, 36, 36, 36, 37, 36, 36, 36, 35, 36]
    folder = resources.files("tinygrad_lite.data") / "uci_digits"
    with resources.as_file(folder / "labels-idx1-ubyte.gz") as path:
        labels = idx.read(path)
    test = sorted(np.argsort(labels, kind="stable")[::5])
    assert digits.test_labels.tolist() == labels[test].tolist()
    assert digits.train_labels.tolist() == np.delete(labels, test).tolist()


def test_the_images_are_the_published_ones():
    """The sum over the images and labels as they stand in the text table of the original, row by row."""
    digest = hashlib.sha256()
    folder = resources.files("tinygrad_lite.data") / "uci_digits"
    with resources.as_file(folder / "images-idx3-ubyte.gz") as path:
        images = idx.read(path)
    with resources.as_file(folder / "labels-idx1-ubyte.gz") as path:
        labels = idx.read(path)
    for image, label in zip(images, labels, strict=True):
        digest.update((",".join(map(str, [*image.ravel(), label])) + "\n").encode())
    assert digest.hexdigest() == "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"


def test_no_image_is_in_both_parts():
    digits = load_digits()
    train = {image.tobytes() for image in digits.train_images}
    assert not any(image.tobytes() in train for image in digits.test_images)


def test_the_attribution_lies_beside_the_data():
    text = (resources.files("tinygrad_lite.data") / "uci_digits" / "ATTRIBUTION.txt").read_text("utf-8")
    for needed in ("E. Alpaydin and C. Kaynak", "https://doi.org/10.24432/C50P49", "CC BY 4.0", "Changes:"):
        assert needed in text


def test_the_record_says_what_it_holds():
    digits = load_digits()
    assert digits.name == "UCI digits"
    assert digits.substituted is False
    assert digits.source == (
        "UCI optical digits: 1437 training and 360 test images of 8 x 8 pixels, bundled with tinygrad_lite"
    )


@pytest.mark.parametrize("part", ["train_images", "train_labels", "test_images", "test_labels"])
def test_the_arrays_are_read_only(part):
    with pytest.raises(ValueError, match="read-only"):
        getattr(load_digits(), part)[0] = 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32, "float64"])
def test_flat_scales_to_the_unit_interval(dtype):
    digits = load_digits()
    for rows, images in zip(digits.flat(dtype), (digits.train_images, digits.test_images), strict=True):
        assert rows.dtype == dtype
        assert np.array_equal(rows, images.reshape(len(images), 64) / 16)
        assert rows.flags.writeable


def test_flat_refuses_integers(message):
    digits = load_digits()
    with pytest.raises(errors.DTypeError) as caught:
        digits.flat("uint8")
    assert message(caught) == (
        "DigitData.flat needs a float dtype for the range 0 to 1, but got uint8\n"
        '  at    test_digits.py:N: digits.flat("uint8")\n'
        '  hint  dtype="float32" is the default; the images themselves are integers from 0 to 255'
    )
