"""Borders around a tensor, and windows that slide over it."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import operation, real, sample
from tinygrad_lite.functions import namespace as primitives


def _padded(x: Any, pad_width: Any, value: float = 0.0, mode: str = "constant") -> Any:
    if mode == "constant":
        return np.pad(x, pad_width, constant_values=value) if x.ndim else x
    return np.pad(x, pad_width, mode=mode) if x.ndim else x


def _torch_pad(t: Any, x: Any, pad_width: Any, value: float = 0.0, mode: str = "constant") -> Any:
    widths = ((pad_width, pad_width),) * x.ndim if isinstance(pad_width, int) else pad_width
    if mode == "constant":
        return t.nn.functional.pad(x, [n for pair in reversed(widths) for n in pair], value=value)
    for axis, pair in enumerate(widths):  # PyTorch pads the last axes of a batch alone, and never by more than x has
        source = np.pad(np.arange(x.shape[axis]), pair, mode=mode)
        x = t.index_select(x, axis, t.from_numpy(source))
    return x


operation(
    "pad",
    tgl.pad,
    _padded,
    _torch_pad,
    [
        *(sample(real(3), pad_width=((1, 2),)), sample(real(2, 3), pad_width=((0, 1), (2, 0)), value=1.5)),
        *(sample(real(2, 3), pad_width=1), sample(real(0, 2), pad_width=((1, 0), (0, 0)))),
        *(sample(real(2), pad_width=((0, 0),)), sample(real(1), pad_width=2), sample(real(), pad_width=())),
        *(sample(real(3), pad_width=((2, 1),), mode=mode) for mode in ("reflect", "edge", "wrap")),
        *(sample(real(2, 3), pad_width=((0, 1), (4, 5)), mode=mode) for mode in ("reflect", "edge", "wrap")),
        *(sample(real(1, 2), pad_width=((3, 2), (0, 0)), mode=mode) for mode in ("reflect", "edge", "wrap")),
        *(sample(real(0, 2), pad_width=((0, 0), (1, 1)), mode="wrap"), sample(real(), pad_width=(), mode="edge")),
    ],
    covers=("pad", "take", "concat"),
    length=8,
    integers="same",
)


def _windows(x: Any, axis: int, size: int, step: int = 1) -> Any:
    axis %= x.ndim
    found = np.lib.stride_tricks.sliding_window_view(x, size, axis) if size else np.zeros((*_longer(x, axis), 0))
    return found[(slice(None),) * axis + (slice(None, None, step),)].astype(x.dtype)


def _longer(x: Any, axis: int) -> tuple[int, ...]:
    return (*x.shape[:axis], x.shape[axis] + 1, *x.shape[axis + 1 :])


operation(
    "unfold",
    tgl.unfold,
    _windows,
    lambda t, x, axis, size, step=1: x.unfold(axis, size, step),
    [
        *(sample(real(5), axis=0, size=3), sample(real(7), axis=0, size=3, step=2), sample(real(2, 6), axis=1, size=2)),
        *(
            sample(real(6, 2), axis=-2, size=2, step=3),
            sample(real(4), axis=0, size=4),
            sample(real(1), axis=0, size=1),
        ),
        *(sample(real(2, 0), axis=0, size=1), sample(real(3), axis=0, size=0), sample(real(5), axis=0, size=2, step=9)),
    ],
    length=8,
    integers="same",
)


def _added(x: Any, axis: int, length: int, step: int) -> Any:
    windows = np.moveaxis(x, axis, 0)
    out = np.zeros((length, *windows.shape[1:-1]), x.dtype)
    for i, window in enumerate(windows):
        for k in range(x.shape[-1]):
            out[i * step + k] += window[..., k]
    return np.moveaxis(out, 0, axis)


def _torch_added(t: Any, x: Any, axis: int, length: int, step: int) -> Any:
    places = t.from_numpy(np.add.outer(np.arange(x.shape[axis]) * step, np.arange(x.shape[-1])).reshape(-1))
    windows = x.movedim(axis, -2).flatten(-2)
    return t.zeros(*windows.shape[:-1], length, dtype=x.dtype).index_add(-1, places, windows).movedim(-1, axis)


operation(
    "overlap_add",
    lambda x, axis, length, step: primitives.overlap_add(x, axis, length, step),
    _added,
    _torch_added,
    [
        *(sample(real(3, 3), axis=0, length=5, step=1), sample(real(2, 3, 2), axis=1, length=7, step=2)),
        *(sample(real(3, 0, 2), axis=0, length=4, step=1), sample(real(1, 1), axis=0, length=1, step=3)),
    ],
    length=8,
    integers="same",
)
