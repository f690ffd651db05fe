"""Datasets: anything with a length and samples by number. The loader turns them into batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NoReturn, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tinygrad_lite import errors
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.data.collate import stack
from tinygrad_lite.data.samplers import check_count, check_numbers

__all__ = ["Dataset", "Subset", "TensorDataset", "gather", "random_split"]

Sample = TypeVar("Sample", covariant=True)


class Dataset(Protocol[Sample]):
    """A set of samples, numbered from 0: a list, a NumPy array, or any class with these two methods.

    A dataset may also have ``get_batch(indices)``, which returns what stacking ``self[i] for i in indices``
    would give; a loader then gathers each batch with one call.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


def gather(dataset: Dataset[Any], indices: Sequence[int]) -> Any:
    """Return the samples with these numbers, stacked, their leaves being NumPy arrays."""
    get_batch = getattr(dataset, "get_batch", None)
    return get_batch(indices) if get_batch else stack([dataset[i] for i in indices])


class TensorDataset:
    """Arrays of equal length, whose i-th rows make up sample i.

    The rows are NumPy arrays; they become Tensors when the loader forms a batch. Contiguous arrays in
    the byte order of the machine are shared, not copied.

    Args:
        *arrays: NumPy arrays or Tensors of shape (n, ...), at least one.

    Raises:
        ArgumentError: no array is given.
        DTypeError: an argument is neither a NumPy array nor a Tensor.
        ShapeError: an array has no axis, or the lengths differ.

    Example:
        >>> dataset = TensorDataset(np.arange(6.0).reshape(3, 2), np.array([7, 8, 9]))
        >>> len(dataset), dataset[1]
        (3, (array([2., 3.]), np.int64(8)))
    """

    def __init__(self, *arrays: Any) -> None:
        named = {f"array {i}": array for i, array in enumerate(arrays)}
        if not arrays:
            hint = "pass inputs and targets: TensorDataset(x, y)"
            errors.fail(errors.ArgumentError, "TensorDataset", "needs at least one array, but got none", {}, hint)
        self.arrays = tuple(_as_numpy(name, array) for name, array in named.items())
        if any(array.ndim == 0 for array in self.arrays):
            need, hint = "needs arrays with rows, but one has shape ()", "a sample is a row: x.reshape(1, -1) has one"
            errors.fail(errors.ShapeError, "TensorDataset", need, named, hint)
        lengths = [len(array) for array in self.arrays]
        if len(set(lengths)) > 1:
            errors.fail(
                errors.ShapeError,
                "TensorDataset",
                f"needs arrays of equal length, but got {' != '.join(map(str, lengths))}",
                named,
                "the first axis counts the samples, of which every array has one row each",
            )

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        try:
            sample = tuple(array[index] for array in self.arrays)
        except IndexError:  # NumPy's words depend on its version
            sample = ()
        if not sample:
            _refuse_sample(len(self), index)
        return sample

    def get_batch(self, indices: Sequence[int]) -> tuple[NDArray[Any], ...]:
        """Return the samples with these numbers, stacked: one gather per array."""
        return tuple(array.take(indices, axis=0) for array in self.arrays)


def _refuse_sample(count: int, index: Any) -> NoReturn:
    hint = f"samples are counted from 0 to {count - 1}, or from the end: -1 is the last"
    errors.fail(errors.IndexingError, "TensorDataset", f"has {count} samples, but got index {index!r}", {}, hint)


def _as_numpy(name: str, array: Any) -> NDArray[Any]:
    if not isinstance(array, np.ndarray):
        if not callable(getattr(array, "numpy", None)):
            errors.fail(
                errors.DTypeError,
                "TensorDataset",
                f"needs NumPy arrays or Tensors, but {name} is a {type(array).__name__}",
                {name: array},
                "make it an array first: np.asarray(...)",
            )
        array = array.numpy()
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    # ndarray.take copies a whole array that is not contiguous, at every call.
    return array if array.ndim == 0 else np.ascontiguousarray(array)


class Subset:
    """Some samples of a dataset, in a given order.

    Args:
        dataset: where the samples come from.
        indices: their numbers, 0 to ``len(dataset) - 1``; repeats are allowed.

    Raises:
        IndexingError: a number is not in that range, or not an integer.

    Example:
        >>> subset = Subset(["a", "b", "c"], [2, 0])
        >>> len(subset), subset[0]
        (2, 'c')
    """

    def __init__(self, dataset: Dataset[Any], indices: Sequence[int] | NDArray[np.integer[Any]]) -> None:
        self.dataset = dataset
        need, hint = "needs integers as indices, but got", "of a mask take np.flatnonzero(mask)"
        self.indices = check_numbers("Subset", need, indices, hint)
        for i in self.indices:
            if not 0 <= i < len(dataset):
                errors.fail(
                    errors.IndexingError,
                    "Subset",
                    f"needs indices from 0 to {len(dataset) - 1}, but got {i}",
                    hint=f"counted from the end: {i + len(dataset)}" if -len(dataset) <= i < 0 else "",
                )

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]

    def get_batch(self, indices: Sequence[int]) -> Any:
        """Return the samples with these numbers of the subset, stacked."""
        return gather(self.dataset, [self.indices[i] for i in indices])


@checked_keywords
def random_split(dataset: Dataset[Any], lengths: Sequence[float], *, seed: int = 0) -> list[Subset]:
    """Split a dataset at random into parts that do not overlap.

    Args:
        dataset: what to split.
        lengths: the sizes of the parts, whose sum is ``len(dataset)``; or fractions whose sum is 1, which are
            rounded down, the samples left over going to the parts in turn, one each.
        seed: decides the split, together with ``len(dataset)`` and ``lengths`` alone.

    Returns:
        One ``Subset`` for each length.

    Raises:
        ArgumentError: the lengths do not add up, one is negative, or the seed is negative.

    Example:
        >>> train, val = random_split(range(10), [0.8, 0.2], seed=1)
        >>> len(train), len(val), sorted([*train.indices, *val.indices]) == list(range(10))
        (8, 2, True)
    """
    if not hasattr(lengths, "__iter__") or not all(isinstance(n, (int, float, np.number)) for n in lengths):
        need, hint = "needs a list of sizes or fractions", f"pass both parts: [{lengths!r}, ...]"
        errors.fail(errors.DTypeError, "random_split", need, {"lengths": lengths}, hint)
    total = len(dataset)
    sizes = [size for size in lengths if isinstance(size, int | np.integer) and size >= 0]
    if len(sizes) < len(lengths) and min(lengths) >= 0 and math.isclose(sum(lengths), 1):
        sizes = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(sizes)):
            sizes[i % len(sizes)] += 1
    if len(sizes) < len(lengths) or sum(sizes) != total:
        errors.fail(
            errors.ArgumentError,
            "random_split",
            f"needs sizes that add up to {total} or fractions that add up to 1, but got {list(lengths)}",
            hint=f"the last size may be computed: [n, {total} - n]",
        )
    order = np.random.default_rng(check_count("random_split", "seed", seed, 0)).permutation(total)
    ends = np.cumsum([0, *sizes])
    return [Subset(dataset, order[start:end]) for start, end in pairwise(ends)]
