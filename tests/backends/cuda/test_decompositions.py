"""Decompositions and solvers go to the CPU and back, which is counted and said once; their errors come through."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tinygrad_lite.backends.cpu import namespace as cpu
from tinygrad_lite.backends.cuda import decompositions as gpu
from tinygrad_lite.backends.cuda import fallback
from tinygrad_lite.backends.cuda.array import CudaArray, from_host

RNG = np.random.default_rng(8)
SQUARE = RNG.standard_normal((2, 4, 4))
SYMMETRIC = SQUARE + SQUARE.swapaxes(-1, -2)
POSITIVE = SQUARE @ SQUARE.swapaxes(-1, -2) + np.eye(4)
TALL = RNG.standard_normal((5, 3))
SIDES = RNG.standard_normal((2, 4, 3))

CALLS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "cholesky": ("cholesky", (POSITIVE,)),
    "cofactors": ("cofactors", (SQUARE,)),
    "det": ("det", (SQUARE,)),
    "eig": ("eig", (SQUARE,)),
    "eigh": ("eigh", (SYMMETRIC,)),
    "eigvals": ("eigvals", (SQUARE,)),
    "eigvalsh": ("eigvalsh", (SYMMETRIC,)),
    "inv": ("inv", (SQUARE,)),
    "pinv": ("pinv", (TALL, 1e-6)),
    "pinv with a bound per matrix": ("pinv", (SQUARE, np.array([1e-6, 0.5]))),
    "qr": ("qr", (TALL, "reduced")),
    "slogdet": ("slogdet", (SQUARE,)),
    "solve": ("solve", (SQUARE, SIDES)),
    "solve_triangular": ("solve_triangular", (SQUARE, SIDES, True, False)),
    "svd": ("svd", (TALL, False)),
    "svdvals": ("svdvals", (TALL,)),
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def there(value: Any) -> Any:
    return from_host(value) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("name, arguments", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_results_are_those_of_the_cpu(name: str, arguments: tuple[Any, ...], dtype: str) -> None:
    given = [a.astype(dtype) if isinstance(a, np.ndarray) and a.ndim > 1 else a for a in arguments]
    before = fallback.counts[name]
    found, expected = getattr(gpu, name)(*map(there, given)), getattr(cpu, name)(*given)
    assert fallback.counts[name] == before + 1
    pairs = zip(*(r if isinstance(r, tuple) else (r,) for r in (found, expected)), strict=True)
    for a, b in pairs:
        assert type(a) is CudaArray
        np.testing.assert_array_equal(a.get(), b, strict=True)


def test_the_first_time_a_warning_names_the_function() -> None:
    fallback.counts.pop("det", None)
    text = r"^det is computed on the CPU: arrays go there and back, and the GPU waits$"
    with pytest.warns(RuntimeWarning, match=text) as caught:
        gpu.det(from_host(SQUARE))
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gpu.det(from_host(SQUARE))


def test_what_has_no_solution_raises_as_on_the_cpu() -> None:
    for name, arguments in [("inv", ()), ("solve", (np.ones((2, 1)),)), ("cholesky", ())]:
        with pytest.raises(np.linalg.LinAlgError):
            getattr(gpu, name)(from_host(np.zeros((2, 2))), *map(from_host, arguments))
    with pytest.raises(np.linalg.LinAlgError, match=r"^Array must not contain infs or NaNs$"):
        gpu.eigh(from_host(np.full((2, 2), np.nan)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("shape", [(4, 4), (3, 4, 4), (2, 1, 1), (0, 3, 3), (2, 0, 0)])
def test_the_exponential_of_matrices_solves_on_the_cpu_and_multiplies_on_the_gpu(dtype: str, shape: Any) -> None:
    x = (
        RNG.standard_normal(shape).astype(dtype)
        if shape[0] != 3
        else np.array([1, 0.01, 40])[:, None, None] * SQUARE[0]
    )
    x = x.astype(dtype)
    before = fallback.counts.copy()
    found, expected = gpu.matrix_exp(from_host(x)), cpu.matrix_exp(x)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    scale = np.abs(expected).max((-1, -2), keepdims=True, initial=0)
    eps = np.finfo(dtype).eps
    assert (np.abs(found.get() - expected) <= 2000 * eps * scale).all()
    assert fallback.counts - before == ({"solve": 1} if x.size else {})


def test_the_exponential_of_what_is_not_finite_is_nan() -> None:
    x = np.array([[[0.0, 1.0], [-1.0, 0.0]], [[np.inf, 0.0], [0.0, 1.0]]])
    found = gpu.matrix_exp(from_host(x)).get()
    np.testing.assert_allclose(found[0], [[np.cos(1), np.sin(1)], [-np.sin(1), np.cos(1)]], rtol=1e-14)
    assert np.isnan(found[1]).any()
