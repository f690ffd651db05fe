"""Several tensors as one, and one as several."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import operation, real, sample


def _concat(f: Any) -> Any:
    return lambda *xs, axis=0: f(xs, axis)


operation(
    "concat",
    _concat(tgl.concat),
    _concat(np.concatenate),
    lambda t, *xs, axis=0: t.cat([x.reshape(-1) for x in xs] if axis is None else xs, axis or 0),
    [
        *(sample(real(2), real(3)), sample(real(2, 1), real(2, 3), axis=1), sample(real(2, 3), real(0, 3))),
        *(sample(real(2, 3), real(2, 1), axis=-1), sample(real(4)), sample(real(1), real(1), real(1))),
        sample(real(2, 2), real(3), axis=None),
    ],
    integers="same",
)
operation(
    "stack",
    _concat(tgl.stack),
    _concat(np.stack),
    lambda t, *xs, axis=0: t.stack(xs, axis),
    [
        *(sample(real(), real()), sample(real(2), real(2), axis=1), sample(real(2, 3), real(2, 3), axis=-1)),
        *(sample(real(0), real(0)), sample(real(3))),
    ],
    covers=("concat", "expand_dims"),
    integers="same",
)


def _cut(f: Any) -> Any:
    return lambda x, sections, axis=0: tuple(f(x, sections, axis))


operation(
    "split",
    _cut(tgl.split),
    _cut(np.split),
    lambda t, x, sections, axis=0: t.tensor_split(x, sections, axis),
    [
        *(sample(real(4), sections=2), sample(real(2, 6), sections=3, axis=-1), sample(real(3), sections=1)),
        *(sample(real(5), sections=[1, 3]), sample(real(5), sections=[-2]), sample(real(3, 2), sections=[0, 2, 2])),
        *(sample(real(0, 2), sections=2), sample(real(1), sections=[1]), sample(real(3), sections=[])),
        sample(real(2), sections=[1, 7]),
    ],
    covers=("split",),
    returns=("same",) * 4,
    integers="same",
)
operation(
    "unstack",
    lambda x, axis=0: tgl.unstack(x, axis=axis),
    lambda x, axis=0: tuple(np.moveaxis(x, axis, 0)),
    lambda t, x, axis=0: t.unbind(x, axis),
    [
        *(sample(real(3)), sample(real(2, 3)), sample(real(2, 3), axis=-1), sample(real(2, 0))),
        *(sample(real(1)), sample(real(1, 2)), sample(real(2, 2, 2), axis=1)),
    ],
    covers=("unstack",),
    returns=("same",) * 3,
    integers="same",
)
