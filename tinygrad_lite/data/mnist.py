"""MNIST: found on this machine, else downloaded, else replaced by the digits that come with the package,
which is said aloud.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from tinygrad_lite import errors
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.data import idx
from tinygrad_lite.data.digits import DigitData, load_digits

__all__ = ["MIRRORS", "VARIABLE", "cache_folder", "download_mnist", "load_mnist"]

VARIABLE = "TINYGRAD_LITE_DATA"
"""Environment variable with the folder of the data, consulted when ``data_dir`` is not given."""

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
"""Addresses under which the four files lie as ``NAME.gz``, in the order in which they are asked.

The site of origin, yann.lecun.com, has refused downloads since 2024."""

TIMEOUT = 5.0
"""Seconds until a mirror must have answered, and then between two pieces of its answer."""


class _File(NamedTuple):
    name: str
    sha256: str  # of the uncompressed bytes, so that any compression of the same content passes
    size: int  # uncompressed


FILES = (
    _File(
        "train-images-idx3-ubyte",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        47_040_016,
    ),
    _File(
        "train-labels-idx1-ubyte",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        60_008,
    ),
    _File(
        "t10k-images-idx3-ubyte",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        7_840_016,
    ),
    _File(
        "t10k-labels-idx1-ubyte",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        10_008,
    ),
)

_GZIP_OVERHEAD = 1024  # by which a compressed file may exceed its content
_FOLDERS = ("", "mnist", "MNIST", "MNIST/raw")  # where to look in the folder that the user names
_BY_HAND = f"put {', '.join(file.name for file in FILES)} (each plain or .gz) into one folder and name it"


@checked_keywords
def load_mnist(
    data_dir: str | os.PathLike[str] | None = None,
    *,
    download: bool = True,
    fallback: bool = True,
    verify: bool = True,
) -> DigitData:
    """Load MNIST: 70,000 handwritten digits of 28 x 28 pixels (LeCun, Cortes and Burges, 1998).

    The first of these that applies decides: ``data_dir``; the environment variable ``TINYGRAD_LITE_DATA``;
    the user's cache, ``$XDG_CACHE_HOME/tinygrad_lite/mnist`` or ``~/.cache/tinygrad_lite/mnist``; a download
    into that cache (11 MB); the digits of ``load_digits``, after a warning on stderr. A folder that was named
    and does not hold the files is an error: only the last two steps replace one another.

    Args:
        data_dir: the folder with the four IDX files, each plain or ``.gz``, or its parent: the folder itself
            and ``mnist``, ``MNIST`` and ``MNIST/raw`` in it are tried.
        download: whether the network may be used.
        fallback: whether the bundled digits may stand in when there is no MNIST to be had.
        verify: whether the files must be MNIST byte for byte (SHA-256). ``False`` accepts other data in
            the same format, such as Fashion-MNIST or a part of MNIST, from the first three places.

    Returns:
        60,000 training and 10,000 test images, uint8, with labels, int64. ``source`` says what was loaded
        from where, and ``substituted`` whether it is the bundled digits.

    Raises:
        DataNotFoundError: the named folder does not hold the files; or, with ``fallback=False``, they are
            nowhere to be had.
        DataError: a file is damaged, fails its checksum, or the four do not belong together.

    Example:
        >>> data = load_mnist(download=False)  # MNIST if it is on this machine, else the bundled digits
        >>> data.train_images.dtype, data.train_labels.dtype, data.substituted == (data.white == 16)
        (dtype('uint8'), dtype('int64'), True)
    """
    if data_dir is not None:
        return _load(_locate("data_dir", Path(data_dir)), verify)
    if variable := os.environ.get(VARIABLE):
        return _load(_locate(VARIABLE, Path(variable)), verify)

    folder = cache_folder() / "mnist"
    failure = ""
    if _missing(folder):
        failure = _download(folder, MIRRORS, TIMEOUT) if download else "a download was not allowed"
    if not failure:
        return _load(folder, verify)
    if not fallback:
        _not_found("load_mnist", f"needs the four MNIST files, but they are not in {folder} and {failure}")
    return _substitute(f"the MNIST files are not in {folder} and {failure}")


@checked_keywords
def download_mnist(
    folder: str | os.PathLike[str], *, mirrors: Sequence[str] = MIRRORS, timeout: float = TIMEOUT
) -> None:
    """Download those of the four MNIST files that ``folder`` does not hold, as ``.gz``, 11 MB in all.

    Each mirror is asked once, the next one for what the ones before it did not deliver; a failure that
    means that there is no network at all ends the search. A file appears in ``folder`` only when
    its uncompressed content has the known SHA-256.

    Args:
        folder: where to put the files; it is created.
        mirrors: addresses under which the files lie as ``NAME.gz``.
        timeout: seconds until a mirror must have answered, and then between two pieces of its answer.

    Raises:
        DataNotFoundError: no mirror delivered, or the folder cannot be written.
    """
    if failure := _download(Path(folder), mirrors, timeout):
        _not_found("download_mnist", f"needs to put the four MNIST files into {folder}, but {failure}")


def cache_folder() -> Path:
    """Where the package keeps what it downloads: ``$XDG_CACHE_HOME/tinygrad_lite``, else in ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # the XDG specification has relative paths ignored
        base = os.path.expanduser("~/.cache")
    return Path(base) / "tinygrad_lite"


# Finding ----------------------------------------------------------------------------------------------


def _path(folder: Path, file: _File) -> Path | None:
    """The file in ``folder``, plain or compressed."""
    candidates = (folder / file.name, folder / f"{file.name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _missing(folder: Path) -> list[_File]:
    return [file for file in FILES if _path(folder, file) is None]


def _locate(origin: str, named: Path) -> Path:
    """The folder with the four files, which is ``named`` or lies in it."""
    tried = []
    named = Path(os.path.expanduser(named))  # Path.expanduser raises an error of its own for ~ of an unknown user
    if named.is_file():
        need = f"needs the folder with the four MNIST files in {origin}, but {named} is a file"
        errors.fail(errors.DataNotFoundError, "load_mnist", need, hint=f"name its folder: {named.parent}")
    for below in _FOLDERS:
        folder = named / below
        missing = _missing(folder)
        if not missing:
            return folder
        some = len(missing) < len(FILES)
        without = f" (without {', '.join(file.name for file in missing)})" if some else ""
        tried.append(f"{folder}{without}")
    need = f"needs the four MNIST files in the folder given by {origin}, but they are not in {', '.join(tried)}"
    return _not_found("load_mnist", need)


def _not_found(operation: str, need: str) -> NoReturn:
    errors.fail(errors.DataNotFoundError, operation, need, hint=f"{_BY_HAND} with data_dir or the variable {VARIABLE}")


# Downloading ------------------------------------------------------------------------------------------


def _download(folder: Path, mirrors: Sequence[str], timeout: float) -> str:
    """Download what is missing in ``folder``; return why that failed, or ``""``. No empty folder is left behind."""
    made = [path for path in (folder, *folder.parents) if not os.path.exists(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _download_into(folder, mirrors, timeout)
    except OSError as error:
        return f"the folder cannot be made: {error.strerror}"
    finally:
        for path in made:
            with contextlib.suppress(OSError):  # it has something in it, as after a success, or was never made
                path.rmdir()


def _download_into(folder: Path, mirrors: Sequence[str], timeout: float) -> str:
    from tinygrad_lite.data import download as net  # 15 ms of imports that only a download needs

    waiting = _missing(folder)
    failures = []
    for mirror in mirrors:
        try:
            while waiting:
                _fetch(mirror, waiting[0], folder, timeout)
                waiting.pop(0)
            return ""
        except net.FAILURES as error:
            failures.append(f"{mirror} ({net.reason(error)})")
            if net.means_no_network(error):
                break
    return f"no mirror delivered them: {'; '.join(failures)}"


def _fetch(mirror: str, file: _File, folder: Path, timeout: float) -> None:
    from tinygrad_lite.data import download as net

    url = f"{mirror.rstrip('/')}/{file.name}.gz"
    limit = file.size + _GZIP_OVERHEAD
    print(f"tinygrad_lite: downloading {url} into {folder}", file=sys.stderr)
    net.fetch(
        url,
        folder / f"{file.name}.gz",
        lambda path: _verified(file, path, limit),
        limit=limit,
        timeout=timeout,
    )


# Loading ----------------------------------------------------------------------------------------------


def _load(folder: Path, verify: bool) -> DigitData:
    arrays = []
    for file in FILES:
        path = _path(folder, file)
        if path is None:  # removed since it was seen
            _not_found("load_mnist", f"needs the four MNIST files, but {file.name} is not in {folder}")
        arrays.append(_verified(file, path) if verify else idx.read(path))
    train_images, train_labels, test_images, test_labels = arrays
    _check_pair(folder, "train", train_images, train_labels)
    _check_pair(folder, "t10k", test_images, test_labels)
    if train_images.shape[1:] != test_images.shape[1:]:
        _mismatch(folder, f"images of one size, but train has {train_images.shape} and t10k {test_images.shape}")

    name = "MNIST" if verify else "unverified data in MNIST's format"
    height, width = train_images.shape[1:]
    return DigitData(
        train_images=train_images,
        train_labels=train_labels.astype(np.int64),
        test_images=test_images,
        test_labels=test_labels.astype(np.int64),
        name=name,
        source=f"{name}: {len(train_images)} training and {len(test_images)} test images "
        f"of {height} x {width} pixels, from {folder}",
    )


def _verified(file: _File, path: Path, limit: int = idx.LIMIT) -> NDArray[Any]:
    """Read a file and insist that it is the one of MNIST."""
    digest = hashlib.sha256()
    array = idx.read(path, limit=limit, digest=digest)
    if digest.hexdigest() != file.sha256:
        errors.fail(
            errors.DataError,
            "load_mnist",
            f"needs {path} to be MNIST's {file.name} with SHA-256 {file.sha256} (uncompressed), "
            f"but found {digest.hexdigest()}",
            hint="remove the file and get it again, or pass verify=False for another data set in this format",
        )
    return array


def _check_pair(folder: Path, part: str, images: NDArray[Any], labels: NDArray[Any]) -> None:
    if images.dtype != np.uint8 or images.ndim != 3 or labels.dtype != np.uint8 or labels.ndim != 1:
        _mismatch(
            folder,
            f"uint8 {part} images (n, height, width) and labels (n,), "
            f"but got {images.dtype} {images.shape} and {labels.dtype} {labels.shape}",
        )
    if len(images) != len(labels):
        _mismatch(folder, f"as many {part} images as labels, but got {len(images)} and {len(labels)}")
    if images.size == 0:
        _mismatch(folder, f"at least one {part} image with pixels, but got shape {images.shape}")
    if labels.max() > 9:
        _mismatch(folder, f"{part} labels from 0 to 9, but found {labels.max()} at {int(labels.argmax())}")


def _mismatch(folder: Path, need: str) -> NoReturn:
    errors.fail(
        errors.DataError,
        "load_mnist",
        f"needs {need} in {folder}",
        hint="data.idx.read reads any single IDX file as an array",
    )


def _substitute(failure: str) -> DigitData:
    digits = load_digits()
    source = (
        f"NOT MNIST, but a substitute: {len(digits.train_images)} training and {len(digits.test_images)} "
        "test images of 8 x 8 pixels (UCI digits, bundled); accuracies cannot be compared with MNIST's"
    )
    print(
        f"WARNING: {source}.\n  why       {failure}.\n  instead   {_BY_HAND} with data_dir or the variable {VARIABLE}.",
        file=sys.stderr,
    )
    return replace(digits, source=source, substituted=True)
