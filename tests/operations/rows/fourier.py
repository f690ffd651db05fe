"""Fourier transforms, whose complex results are compared part by part; frequencies, and their order."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_lite as tgl
from operations.row import SHAPES, Sample, operation, real, sample

_NORMS = ("backward", "ortho", "forward")


def _parts(y: Any) -> Any:
    """The real and imaginary parts of a complex result of NumPy or PyTorch; real ones are whole."""
    if isinstance(y, np.ndarray):
        return (y.real, y.imag) if y.dtype.kind == "c" else y
    return (y.real, y.imag.resolve_neg()) if y.is_complex() else y


def _our_parts(y: tgl.Tensor) -> Any:
    return (tgl.real(y), tgl.imag(y)) if y.dtype.kind == "c" else y


def _transform(name: str, complex_: bool, returns: tuple[str, ...], samples: list[Sample]) -> None:
    """The row of one transform; of complex numbers the two operands are the parts."""
    ours, numpy = getattr(tgl.fft, name), getattr(np.fft, name)

    def call(*parts: Any, **options: Any) -> Any:
        return _our_parts(ours(parts[0] + 1j * parts[1] if complex_ else parts[0], **options))

    def reference(*parts: Any, **options: Any) -> Any:
        return _parts(numpy(parts[0] + 1j * parts[1] if complex_ else parts[0], **options))

    def torch(t: Any, *parts: Any, **options: Any) -> Any:
        x = t.complex(*parts) if complex_ else parts[0]
        words = {"axis": "dim", "axes": "dim"}
        if not x.numel():  # some builds of PyTorch refuse an empty batch
            empty = reference(*(p.numpy() for p in parts), **options)
            return tuple(map(t.tensor, empty)) if isinstance(empty, tuple) else t.tensor(empty)
        return _parts(getattr(t.fft, name)(x, **{words.get(key, key): value for key, value in options.items()}))

    operation(
        f"fft.{name}",
        call,
        reference,
        torch,
        samples,
        length=8,  # an element is a sum of at most as many products along an axis
        differentiable=(),
        dtypes=("float32", "float64"),
        returns=returns,
        integers="float32",
        covers=(name,) if name in ("fft", "ifft", "rfft", "irfft") else (),
    )


def _samples(operands: int, several: bool) -> list[Sample]:
    """Arrays with the parts of complex numbers, or real ones, along one axis or several."""

    def of(*shape: int, **options: Any) -> Sample:
        return sample(*(real(*shape) for _ in range(operands)), **options)

    found = [of(8), of(5), of(2, 3)]
    if several:
        found += [of(0, 3, axes=(1,)), of(1, s=(2,), axes=(0,)), *(of(4, 3, norm=norm) for norm in _NORMS)]
        found += [of(4, 3, 2, axes=(1, 0)), of(4, 3, 2, axes=(-2,)), of(4, 3, s=(3, 5), axes=(0, 1)), of(2, 3, 4)]
        return found
    found += [of(0, 3), of(1, n=2), *(of(4, 3, axis=axis, norm=norm) for axis in (0, 1) for norm in _NORMS)]
    return [*found, of(2, 5, n=3), of(2, 5, n=7, axis=0), of(2, 5, n=8, norm="ortho"), of(3, 2, 4, axis=-2)]


for _name in ("fft", "ifft"):
    _transform(_name, True, ("same", "same"), _samples(2, False))
    _transform(f"{_name}n", True, ("same", "same"), _samples(2, True))
_transform("rfft", False, ("same", "same"), _samples(1, False))
_transform("ihfft", False, ("same", "same"), _samples(1, False))
_transform("rfftn", False, ("same", "same"), _samples(1, True))
_transform("irfft", True, ("same",), _samples(2, False))
_transform("hfft", True, ("same",), _samples(2, False))
_transform("irfftn", True, ("same",), _samples(2, True))

for _name in ("fftfreq", "rfftfreq"):
    operation(
        f"fft.{_name}",
        lambda n, name=_name, **options: getattr(tgl.fft, name)(n, **options),
        lambda n, d, dtype, name=_name: getattr(np.fft, name)(n, d),
        lambda t, n, d, dtype, name=_name: getattr(t.fft, name)(n, d, dtype=getattr(t, dtype)),
        [
            sample(label=f"n={n} d={d}", n=n, d=d, dtype=dtype)
            for n, d, dtype in ((1, 1.0, "float32"), (8, 0.5, "float32"), (7, 3, "float64"))
        ],
        differentiable=(),
        covers=(),
        returns=("option",),
    )
for _name in ("fftshift", "ifftshift"):
    operation(
        f"fft.{_name}",
        getattr(tgl.fft, _name),
        lambda x, axes=None, name=_name: getattr(np.fft, name)(x, axes) if x.ndim else x,
        lambda t, x, axes=None, name=_name: getattr(t.fft, name)(x, axes) if x.ndim and axes != () else x.clone(),
        [
            *(sample(real(*shape)) for shape in SHAPES),
            *(sample(real(4, 3), axes=axes) for axes in (0, -1, (1, 0), ())),
        ],
        length=None,
        integers="same",
        covers=("roll",),
    )
