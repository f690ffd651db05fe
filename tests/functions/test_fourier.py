"""Fourier transforms: dtypes, inverses, defaults, and what they refuse. Values stand in the table of operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors, fft

SIGNAL = np.random.default_rng(3).normal(size=(4, 6))
Z = SIGNAL + 1j * SIGNAL[::-1]


@pytest.mark.parametrize(
    ("given", "spectrum", "real"),
    [
        ("float32", "complex64", "float32"),
        ("float64", "complex128", "float64"),
        ("int64", "complex64", "float32"),
        ("bool", "complex64", "float32"),
    ],
)
def test_spectra_have_the_precision_of_the_signal(given: str, spectrum: str, real: str) -> None:
    x = Tensor(SIGNAL).astype(given)
    for name in ("fft", "ifft", "fftn", "ifftn", "rfft", "rfftn", "ihfft"):
        assert getattr(fft, name)(x).dtype == spectrum, name
    for name in ("irfft", "irfftn", "hfft"):
        assert getattr(fft, name)(x).dtype == getattr(fft, name)(x.astype(spectrum)).dtype == real, name
    assert fft.fft(x.astype(spectrum)).dtype == spectrum


@pytest.mark.parametrize("name", ["fft", "ifft", "fftn", "ifftn", "irfft", "irfftn", "hfft"])
def test_real_numbers_stand_for_complex_ones(name: str) -> None:
    ours, numpy = getattr(fft, name), getattr(np.fft, name)
    np.testing.assert_allclose(ours(Tensor(SIGNAL)).numpy(), numpy(SIGNAL), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward", None])
@pytest.mark.parametrize(
    ("there", "back", "x", "sizes"),
    [
        ("fft", "ifft", Z, {}),
        ("fftn", "ifftn", Z, {}),
        ("rfft", "irfft", SIGNAL[:, :5], {"n": 5}),
        ("rfftn", "irfftn", SIGNAL[:, :5], {"s": (-1, 5)}),
        ("ihfft", "hfft", SIGNAL, {}),
    ],
)
def test_the_inverse_gives_the_signal_back(there: str, back: str, x: Any, sizes: Any, norm: Any) -> None:
    spectrum = getattr(fft, there)(x, norm=norm)
    np.testing.assert_allclose(getattr(fft, back)(spectrum, norm=norm, **sizes).numpy(), x, rtol=1e-12, atol=1e-12)


def test_sizes_without_axes_are_of_the_last_ones() -> None:
    x = Tensor(SIGNAL)
    assert fft.fftn(x, s=(3,)).tolist() == fft.fft(x, n=3).tolist()
    assert fft.rfftn(x, s=(-1, 4)).tolist() == fft.rfftn(x, s=(4, 4), axes=(0, 1)).tolist()


def test_frequencies_are_float32_unless_said_otherwise() -> None:
    assert fft.fftfreq(5).dtype == fft.rfftfreq(5).dtype == "float32"
    assert fft.fftfreq(5, dtype="float64").tolist() == np.fft.fftfreq(5).tolist()


def test_shifts_keep_complex_numbers() -> None:
    assert fft.ifftshift(fft.fftshift(Tensor(Z[:3, :5]))).tolist() == Z[:3, :5].tolist()


def test_numpys_functions_are_ours() -> None:
    x = Tensor(SIGNAL.astype("float32"))
    assert np.fft.rfft(x, 4, 0).tolist() == fft.rfft(x, n=4, axis=0).tolist()
    assert np.fft.fftshift(x, axes=1).tolist() == fft.fftshift(x, axes=1).tolist()
    assert type(np.fft.fftn(x, s=(2, 2), axes=(0, 1), norm="ortho")) is Tensor
    leaf = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert np.fft.fftshift(leaf).requires_grad


def test_a_leaf_is_transformed_where_nothing_is_recorded() -> None:
    leaf = Tensor([1.0, 2.0], requires_grad=True)
    with tgl.no_grad():
        assert fft.fft(leaf).tolist() == [3.0, -1.0]


X = tgl.zeros((2, 3))
LEAF = Tensor([1.0, 2.0], requires_grad=True)
REFUSALS: list[tuple[str, Callable[[], Any], type[errors.Error], str]] = [
    (
        "a gradient",
        lambda: fft.rfft(LEAF),
        errors.GradientError,
        (
            "rfft cannot carry a gradient: complex tensors have none\n"
            "  x     shape (2,), float32, cpu\n"
            "  hint  detach() it first"
        ),
    ),
    (
        "no axis",
        lambda: fft.fft(Tensor(1.0)),
        errors.AxisError,
        (
            "fft got axis -1, but the array has no axes (it is 0-d)\n"
            "  x     shape (), float32, cpu\n"
            "  hint  x.reshape(1) has one axis"
        ),
    ),
    (
        "no axes",
        lambda: fft.fftn(Tensor(1.0)),
        errors.AxisError,
        ("fftn needs at least one axis to transform\n  x   shape (), float32, cpu"),
    ),
    (
        "an axis that is not there",
        lambda: fft.fft(X, axis=2),
        errors.AxisError,
        (
            "fft got axis 2, but the array has axes -2 to 1\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  axes are counted from 0, or from the end: -1 is the last"
        ),
    ),
    (
        "an axis that is no integer",
        lambda: fft.fft(X, axis=(0, 1)),
        errors.DTypeError,
        (
            "fft needs an integer as axis\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  axis  (0, 1)\n"
            "  hint  axes are whole numbers: 0 is the first, -1 the last"
        ),
    ),
    (
        "an axis named twice",
        lambda: fft.fftn(X, axes=(0, -2)),
        errors.AxisError,
        ("fftn got axes (0, -2), which name an axis twice\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "no points",
        lambda: fft.fft(X, n=0),
        errors.ArgumentError,
        ("fft needs at least 1 point along axis 1, but got 0\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "nothing to transform",
        lambda: fft.fft(tgl.zeros((2, 0))),
        errors.ArgumentError,
        ("fft needs at least 1 point along axis 1, but got 0\n  x   shape (2, 0), float32, cpu"),
    ),
    (
        "one coefficient of no points",
        lambda: fft.irfft(X[:, :1]),
        errors.ArgumentError,
        ("irfft needs at least 1 point along axis 1, but got 0\n  x   shape (2, 1), float32, cpu"),
    ),
    (
        "points that are no integer",
        lambda: fft.fft(X, n=2.5),
        errors.DTypeError,
        ("fft needs an integer as n\n  n     2.5\n  hint  int(value) cuts off the fraction"),
    ),
    (
        "a negative size",
        lambda: fft.fftn(X, s=(2, -3), axes=(0, 1)),
        errors.ArgumentError,
        ("fftn needs at least 1 point along axis 1, but got -3\n  x   shape (2, 3), float32, cpu"),
    ),
    (
        "sizes that do not fit the axes",
        lambda: fft.fftn(X, s=(2,), axes=(0, 1)),
        errors.ArgumentError,
        (
            "fftn needs a size in s for each of 2 axes, but got (2,)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  -1 takes the size of the axis"
        ),
    ),
    (
        "more sizes than axes",
        lambda: fft.fftn(X, s=(2, 2, 2)),
        errors.ArgumentError,
        (
            "fftn needs a size in s for each of 2 axes, but got (2, 2, 2)\n"
            "  x     shape (2, 3), float32, cpu\n"
            "  hint  -1 takes the size of the axis"
        ),
    ),
    (
        "sizes that are no integers",
        lambda: fft.fftn(X, s=(2.0, 2.0)),
        errors.DTypeError,
        (
            "fftn needs integers as s\n"
            "  s     (2.0, 2.0)\n"
            "  hint  n // 2 is a whole number, n / 2 is none; int(n) makes one"
        ),
    ),
    (
        "complex numbers where real ones are needed",
        lambda: fft.rfft(X + 1j),
        errors.DTypeError,
        (
            "rfft needs real numbers\n"
            "  x     shape (2, 3), complex64, cpu\n"
            "  hint  fft.fft and fft.ifft are for complex ones"
        ),
    ),
    (
        "half floats",
        lambda: fft.fft(X.astype("float16")),
        errors.DTypeError,
        ('fft needs float32 or float64\n  x     shape (2, 3), float16, cpu\n  hint  x.astype("float32")'),
    ),
    (
        "frequencies of no points",
        lambda: fft.fftfreq(0),
        errors.ArgumentError,
        ("fftfreq needs at least 1 point, but got 0"),
    ),
    (
        "frequencies of integers",
        lambda: fft.rfftfreq(4, dtype="int64"),
        errors.DTypeError,
        ("rfftfreq needs a floating-point dtype, but got int64"),
    ),
    (
        "points without a distance",
        lambda: fft.fftfreq(4, d=0.0),
        errors.ArgumentError,
        ("fftfreq needs a finite distance other than 0 as d, but got 0.0"),
    ),
    (
        "another device",
        lambda: fft.fftfreq(4, device="tpu"),
        errors.DeviceError,
        ('fftfreq knows the devices "cpu" and "cuda", but got \'tpu\'\n  hint  use device="cpu", or leave it out'),
    ),
    (
        "a shift along an axis named twice",
        lambda: fft.fftshift(X, axes=(0, 0)),
        errors.AxisError,
        ("fftshift got axis (0, 0), which names an axis twice\n  x     shape (2, 3), float32, cpu\n  hint  axis=(0,)"),
    ),
]


@pytest.mark.parametrize("what, call, kind, text", REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_in_all_its_words(what: str, call: Callable[[], Any], kind: type[errors.Error], text: str) -> None:
    assert refusal(kind, call) == text


TRANSFORMS = ["fft", "ifft", "fftn", "ifftn", "rfft", "rfftn", "irfft", "irfftn", "hfft", "ihfft"]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_gradient_is_refused_by_every_transform(name: str) -> None:
    text = refusal(errors.GradientError, lambda: getattr(fft, name)(LEAF))
    assert text.startswith(f"{name} cannot carry a gradient: complex tensors have none\n")


@pytest.mark.parametrize("name", TRANSFORMS)
def test_an_unknown_norm_is_refused_by_every_transform(name: str) -> None:
    text = f"{name} needs a norm of backward, ortho, forward, but got 'unitary'"
    assert refusal(errors.ArgumentError, lambda: getattr(fft, name)(X, norm="unitary")) == text
