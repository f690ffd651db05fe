"""Collation: many samples of one structure become one batch of the same structure, as Tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lite import errors
from tinygrad_lite.calls import checked_keywords
from tinygrad_lite.functions.creation import asarray

__all__ = ["default_collate", "stack", "to_tensors"]


@checked_keywords
def default_collate(samples: Sequence[Any]) -> Any:
    """Stack samples along a new first axis, keeping their structure.

    Arrays, Tensors and numbers become one Tensor with a leading axis of length ``len(samples)``; of
    tuples, named tuples, lists and mappings each entry is stacked by itself; strings and ``None`` are
    collected in a list. Python floats make float32, Python integers int64; arrays keep their dtype.

    Args:
        samples: at least one sample; all have the same structure, and corresponding arrays the same shape.

    Returns:
        The batch, in the structure of one sample.

    Raises:
        ArgumentError: there is no sample, or the samples differ in structure.
        ShapeError: corresponding arrays differ in shape.
        DTypeError: a sample holds an object that cannot be stacked.

    Example:
        >>> images, labels = default_collate([(np.zeros((2, 2)), 7), (np.ones((2, 2)), 1)])
        >>> images.shape, labels.shape
        ((2, 2, 2), (2,))
    """
    return to_tensors(stack(samples))


def stack(samples: Sequence[Any]) -> Any:
    """Do the part of ``default_collate`` that needs no Tensors: the leaves are NumPy arrays."""
    if len(samples) == 0:
        hint = "leave empty batches out"
        errors.fail(errors.ArgumentError, "default_collate", "needs at least one sample, but got none", {}, hint)
    return _stack("sample", samples)


def to_tensors(batch: Any) -> Any:
    """Wrap every NumPy array in a nested structure as a Tensor that shares its memory."""
    if isinstance(batch, np.ndarray):
        return asarray(batch, copy=False)
    if isinstance(batch, Mapping):
        return {key: to_tensors(value) for key, value in batch.items()}
    if isinstance(batch, tuple):
        return _rebuild(batch, [to_tensors(part) for part in batch])
    return [to_tensors(part) for part in batch] if isinstance(batch, list) else batch


def _stack(place: str, samples: Sequence[Any]) -> Any:
    """Stack what lies at one place of the structure, such as ``sample[0]['image']``, in every sample."""
    first = samples[0]
    if first is None or isinstance(first, str | bytes):
        return list(samples)
    if isinstance(first, Mapping):
        _same(place, samples, lambda s: sorted(map(repr, s)) if isinstance(s, Mapping) else type(s).__name__)
        return {key: _stack(f"{place}[{key!r}]", [sample[key] for sample in samples]) for key in first}
    if isinstance(first, tuple | list):
        _same(
            place,
            samples,
            lambda s: f"{type(s).__name__} of {len(s)}" if isinstance(s, tuple | list) else type(s).__name__,
        )
        return _rebuild(first, [_stack(f"{place}[{i}]", part) for i, part in enumerate(zip(*samples, strict=True))])
    return _stack_arrays(place, samples)


def _stack_arrays(place: str, samples: Sequence[Any]) -> Any:
    arrays = [np.asarray(sample) for sample in samples]
    for i, array in enumerate(arrays):
        if array.dtype.kind not in "biuf":
            errors.fail(
                errors.DTypeError,
                "default_collate",
                f"needs arrays, numbers or strings, but {place} is a {type(samples[i]).__name__} in sample {i}",
                hint="pass collate_fn to form the batches yourself",
            )
        if array.shape != arrays[0].shape:
            errors.fail(
                errors.ShapeError,
                "default_collate",
                f"needs one shape for {place}, but got {arrays[0].shape} in sample 0 and {array.shape} in sample {i}",
                hint="pad the samples to one shape, or pass collate_fn to form the batches yourself",
            )
    batch = np.stack(arrays)
    python = batch.dtype == np.float64 and all(type(sample) in (float, int, bool) for sample in samples)
    return batch.astype(np.float32) if python else batch


def _same(place: str, samples: Sequence[Any], structure: Any) -> None:
    first = structure(samples[0])
    for i, sample in enumerate(samples):
        if structure(sample) != first:
            errors.fail(
                errors.ArgumentError,
                "default_collate",
                f"needs one structure for {place}, but got {first} in sample 0 and {structure(sample)} in sample {i}",
                hint="give every sample the same parts, or pass collate_fn to form the batches yourself",
            )


def _rebuild(like: Any, parts: list[Any]) -> Any:
    """A tuple, named tuple or list of the type of ``like`` with other entries."""
    return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)
