"""Where MNIST is looked for, what is accepted as MNIST, and what is said when there is none."""

import hashlib
import os

import numpy as np
import pytest

from tinygrad_lite import errors
from tinygrad_lite.data import load_digits, load_mnist, mnist

VARIABLE = "the variable TINYGRAD_LITE_DATA"
NAMES = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte"
BY_HAND = f"put {NAMES} (each plain or .gz) into one folder and name it with data_dir or {VARIABLE}"


@pytest.fixture(autouse=True)
def _no_mirrors(monkeypatch):
    monkeypatch.setattr(mnist, "MIRRORS", ())


# Finding ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("below", ["", "mnist", "MNIST", "MNIST/raw"])
def test_data_dir_is_the_folder_or_its_parent(tmp_path, home, tiny, tiny_is_mnist, put, below, compressed):
    put(tmp_path / below, tiny, compressed)
    data = load_mnist(tmp_path)
    assert data.train_images.tobytes() == tiny["train-images-idx3-ubyte"][16:]
    assert data.train_labels.tolist() == list(tiny["train-labels-idx1-ubyte"][8:])
    assert data.test_images.tobytes() == tiny["t10k-images-idx3-ubyte"][16:]
    assert data.test_labels.tolist() == list(tiny["t10k-labels-idx1-ubyte"][8:])
    assert data.source.startswith("MNIST: 12 training and 10 test images of 2 x 3 pixels, from ")
    assert (data.name, data.substituted, data.white) == ("MNIST", False, 255)


def test_the_record_has_the_documented_types(tmp_path, home, tiny, tiny_is_mnist, put):
    data = load_mnist(str(put(tmp_path, tiny)))
    assert data.train_images.dtype == data.test_images.dtype == np.uint8
    assert data.train_labels.dtype == data.test_labels.dtype == np.int64
    arrays = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    assert not any(array.flags.writeable for array in arrays)
    train, _ = data.flat()
    assert train.dtype == np.float32
    assert np.array_equal(train, data.train_images.reshape(12, 6) / np.float32(255))


def test_the_argument_precedes_the_variable_and_the_variable_the_cache(
    tmp_path, home, tiny, tiny_is_mnist, put, monkeypatch
):
    put(home, tiny)
    assert load_mnist().source.endswith(f"from {home}")
    variable = put(tmp_path / "variable", tiny)
    monkeypatch.setenv("TINYGRAD_LITE_DATA", str(variable))
    assert load_mnist().source.endswith(f"from {variable}")
    argument = put(tmp_path / "argument", tiny)
    assert load_mnist(argument).source.endswith(f"from {argument}")


def test_a_home_folder_is_expanded(tmp_path, home, tiny, tiny_is_mnist, put, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    put(tmp_path / "sets", tiny)
    assert load_mnist("~/sets").source.endswith(f"from {tmp_path / 'sets'}")


def test_a_named_folder_without_the_files_is_an_error(tmp_path, home, tiny, put, message):
    del tiny["train-labels-idx1-ubyte"], tiny["t10k-images-idx3-ubyte"]
    put(tmp_path / "mnist", tiny)
    with pytest.raises(errors.DataNotFoundError) as caught:
        load_mnist(tmp_path)
    assert message(caught) == (
        "load_mnist needs the four MNIST files in the folder given by data_dir, but they are not in "
        f"{tmp_path}, {tmp_path}/mnist (without train-labels-idx1-ubyte, t10k-images-idx3-ubyte), "
        f"{tmp_path}/MNIST, {tmp_path}/MNIST/raw\n"
        "  at    test_mnist.py:N: load_mnist(tmp_path)\n"
        f"  hint  {BY_HAND}"
    )


def test_a_file_in_place_of_the_folder(tmp_path, home, tiny, put, message):
    path = put(tmp_path, tiny) / "t10k-labels-idx1-ubyte.gz"
    with pytest.raises(errors.DataNotFoundError) as caught:
        load_mnist(path)
    assert message(caught) == (
        f"load_mnist needs the folder with the four MNIST files in data_dir, but {path} is a file\n"
        "  at    test_mnist.py:N: load_mnist(path)\n"
        f"  hint  name its folder: {tmp_path}"
    )


def test_the_home_of_nobody_is_a_folder_without_the_files(home):
    with pytest.raises(errors.DataNotFoundError, match="but they are not in ~nobody-has-this-name, "):
        load_mnist("~nobody-has-this-name")


def test_a_variable_without_the_files_is_an_error(tmp_path, home, tiny, tiny_is_mnist, put, message, monkeypatch):
    put(home, tiny)
    monkeypatch.setenv("TINYGRAD_LITE_DATA", str(tmp_path))
    with pytest.raises(errors.DataNotFoundError) as caught:
        load_mnist()
    assert message(caught) == (
        "load_mnist needs the four MNIST files in the folder given by TINYGRAD_LITE_DATA, "
        f"but they are not in {tmp_path}, {tmp_path}/mnist, {tmp_path}/MNIST, {tmp_path}/MNIST/raw\n"
        "  at    test_mnist.py:N: load_mnist()\n"
        f"  hint  {BY_HAND}"
    )


CACHES = {
    "XDG": ({"XDG_CACHE_HOME": "/xdg", "HOME": "/people/me"}, "/xdg/tinygrad_lite"),
    "no XDG": ({"HOME": "/people/me"}, "/people/me/.cache/tinygrad_lite"),
    "relative XDG": ({"XDG_CACHE_HOME": "xdg", "HOME": "/people/me"}, "/people/me/.cache/tinygrad_lite"),
}


@pytest.mark.skipif(os.name != "posix", reason="needs a system whose home folder is HOME")
@pytest.mark.parametrize("variables, folder", CACHES.values(), ids=CACHES)
def test_the_cache_folder(monkeypatch, variables, folder):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(mnist.cache_folder()) == folder


# Checking ---------------------------------------------------------------------------------------------


def test_a_found_file_with_another_checksum_is_an_error(tmp_path, home, tiny, put, message):
    put(tmp_path, tiny)
    found = hashlib.sha256(tiny["train-images-idx3-ubyte"]).hexdigest()
    with pytest.raises(errors.DataError) as caught:
        load_mnist(tmp_path)
    assert message(caught) == (
        f"load_mnist needs {tmp_path}/train-images-idx3-ubyte.gz to be MNIST's train-images-idx3-ubyte with "
        "SHA-256 ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db (uncompressed), "
        f"but found {found}\n"
        "  at    test_mnist.py:N: load_mnist(tmp_path)\n"
        "  hint  remove the file and get it again, or pass verify=False for another data set in this format"
    )


def test_other_data_in_the_format_load_without_the_checksum(tmp_path, home, tiny, put):
    data = load_mnist(put(tmp_path, tiny), verify=False)
    assert data.train_images.shape == (12, 2, 3)
    assert data.source == (
        f"unverified data in MNIST's format: 12 training and 10 test images of 2 x 3 pixels, from {tmp_path}"
    )


def images(*shape, dtype="u1"):
    return np.zeros(shape, dtype)


HINT = "data.idx.read reads any single IDX file as an array"
MISFITS = {
    "counts": (
        {"train-labels-idx1-ubyte": images(11)},
        "as many train images as labels, but got 12 and 11",
    ),
    "label": (
        {"t10k-labels-idx1-ubyte": np.array([1, 2, 10, 4, 5, 6, 7, 8, 9, 0], "u1")},
        "t10k labels from 0 to 9, but found 10 at 2",
    ),
    "image dtype": (
        {"train-images-idx3-ubyte": images(12, 2, 3, dtype="f4")},
        "uint8 train images (n, height, width) and labels (n,), but got float32 (12, 2, 3) and uint8 (12,)",
    ),
    "image axes": (
        {"train-images-idx3-ubyte": images(12, 6)},
        "uint8 train images (n, height, width) and labels (n,), but got uint8 (12, 6) and uint8 (12,)",
    ),
    "label axes": (
        {"t10k-labels-idx1-ubyte": images(10, 1)},
        "uint8 t10k images (n, height, width) and labels (n,), but got uint8 (10, 2, 3) and uint8 (10, 1)",
    ),
    "label dtype": (
        {"t10k-labels-idx1-ubyte": images(10, dtype="i4")},
        "uint8 t10k images (n, height, width) and labels (n,), but got uint8 (10, 2, 3) and int32 (10,)",
    ),
    "empty": (
        {"t10k-images-idx3-ubyte": images(0, 2, 3), "t10k-labels-idx1-ubyte": images(0)},
        "at least one t10k image with pixels, but got shape (0, 2, 3)",
    ),
    "sizes": (
        {"t10k-images-idx3-ubyte": images(10, 3, 3)},
        "images of one size, but train has (12, 2, 3) and t10k (10, 3, 3)",
    ),
}


@pytest.mark.parametrize("changed, need", MISFITS.values(), ids=MISFITS)
def test_files_that_do_not_belong_together(tmp_path, home, tiny, put, idx_bytes, message, changed, need):
    put(tmp_path, tiny | {name: idx_bytes(array) for name, array in changed.items()})
    with pytest.raises(errors.DataError) as caught:
        load_mnist(tmp_path, verify=False)
    assert message(caught) == (
        f"load_mnist needs {need} in {tmp_path}\n"
        "  at    test_mnist.py:N: load_mnist(tmp_path, verify=False)\n"
        f"  hint  {HINT}"
    )


def test_a_damaged_file_is_named(tmp_path, home, tiny, put):
    put(tmp_path, tiny | {"t10k-labels-idx1-ubyte": b""})
    with pytest.raises(errors.DataError, match=r"t10k-labels-idx1-ubyte\.gz is not one: it ends after 0 of"):
        load_mnist(tmp_path, verify=False)


# Falling back -----------------------------------------------------------------------------------------

SUBSTITUTE = (
    "NOT MNIST, but a substitute: 1437 training and 360 test images of 8 x 8 pixels (UCI digits, bundled); "
    "accuracies cannot be compared with MNIST's"
)


def test_the_bundled_digits_stand_in_aloud(home, capsys):
    data = load_mnist(download=False)
    assert data.substituted
    assert data.source == SUBSTITUTE
    assert np.array_equal(data.train_images, load_digits().train_images)
    assert capsys.readouterr().err == (
        f"WARNING: {SUBSTITUTE}.\n"
        f"  why       the MNIST files are not in {home} and a download was not allowed.\n"
        f"  instead   {BY_HAND}.\n"
    )
    assert not home.exists()


def test_without_fallback_nothing_stands_in(home, message):
    with pytest.raises(errors.DataNotFoundError) as caught:
        load_mnist(download=False, fallback=False)
    assert message(caught) == (
        f"load_mnist needs the four MNIST files, but they are not in {home} and a download was not allowed\n"
        "  at    test_mnist.py:N: load_mnist(download=False, fallback=False)\n"
        f"  hint  {BY_HAND}"
    )


def test_a_damaged_cache_is_an_error_and_not_a_reason_to_fall_back(home, tiny, tiny_is_mnist, put):
    put(home, tiny | {"t10k-labels-idx1-ubyte": tiny["t10k-labels-idx1-ubyte"][:-1] + b"\0"})
    with pytest.raises(errors.DataError, match=r"t10k-labels-idx1-ubyte\.gz to be MNIST's"):
        load_mnist()


# The real one -----------------------------------------------------------------------------------------


@pytest.mark.needs("mnist")
def test_the_real_mnist():
    data = load_mnist(os.environ["TINYGRAD_LITE_DATA"])
    assert data.train_images.shape == (60000, 28, 28)
    assert data.test_images.shape == (10000, 28, 28)
    assert data.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(data.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.flat()[0].mean() == pytest.approx(0.1307, abs=1e-4)
