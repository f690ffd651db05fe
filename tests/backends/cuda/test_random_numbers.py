"""Random numbers made on the GPU are the CPU's: bit for bit where no libm is involved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import random
from tinygrad_lite.backends.cpu import random as cpu
from tinygrad_lite.backends.cuda import random as gpu
from tinygrad_lite.errors import ArgumentError, DTypeError

EXACT: dict[str, tuple[str, tuple[Any, ...]]] = {
    "random_bits": ("random_bits", ()),
    "uniform float16": ("uniform", ("float16",)),
    "uniform float32": ("uniform", ("float32",)),
    "uniform float64": ("uniform", ("float64",)),
    "keep_mask": ("keep_mask", (0.3,)),
    "keep_mask never": ("keep_mask", (0.0,)),
    "keep_mask always": ("keep_mask", (1.0,)),
    "integers": ("integers", (-5, 1000)),
    "integers of 33 bits": ("integers", (2**63 - 2**32, 2**63)),
}


@pytest.mark.parametrize("name, arguments", EXACT.values(), ids=EXACT.keys())
@pytest.mark.parametrize("seed, counter", [(0, 0), (2**64 - 1, 2**63 + 1)])
@pytest.mark.parametrize("start", [0, 5, 8, 2**35 + 3, 2**64 - 1])
def test_bits_are_those_of_the_cpu(name: str, arguments: tuple[Any, ...], seed: int, counter: int, start: int) -> None:
    for shape in (0, 1, 31, 33, (3, 5, 70), ()):
        drawn = getattr(gpu, name)(seed, counter, shape, *arguments, start=start).get()
        expected = getattr(cpu, name)(seed, counter, shape, *arguments, start=start)
        assert drawn.dtype == expected.dtype
        np.testing.assert_array_equal(drawn, expected, strict=True)


@pytest.mark.parametrize("name", ["normal", "exponential"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("start", [0, 1, 6, 2**40 + 3])
def test_continuous_numbers_are_those_of_the_cpu_up_to_the_last_bit(name: str, dtype: str, start: int) -> None:
    for shape in (0, 1, 33, (3, 5, 70)):
        drawn = getattr(gpu, name)(7, 3, shape, dtype, start=start).get()
        expected = getattr(cpu, name)(7, 3, shape, dtype, start=start)
        assert drawn.dtype == expected.dtype
        assert drawn.shape == expected.shape
        # The functions of two libms differ by an ulp of float64; narrower dtypes show it only where they round apart.
        np.testing.assert_allclose(drawn, expected, rtol=4 * np.finfo(dtype).eps, atol=4e-15)
        if dtype != "float64":
            assert (drawn != expected).sum() <= 1


KINDS = "normal needs dtype float16, float32 or float64, but dtype = int8"
BOUNDS = """integers needs low < high, but low = 5 and high = 5
  hint  high itself is never drawn: low = 0 and high = 10 give 0 to 9"""
REFUSED: list[Any] = [
    (ArgumentError, lambda: gpu.random_bits(-1, 0, 3), "random_bits needs 0 <= seed < 2**64, but seed = -1"),
    (DTypeError, lambda: gpu.normal(0, 0, 3, "int8"), KINDS),
    (ArgumentError, lambda: gpu.integers(0, 0, 3, 5, 5), BOUNDS),
]


@pytest.mark.parametrize("kind, call, text", REFUSED)
def test_what_the_cpu_refuses_is_refused_in_the_same_words(kind: Any, call: Any, text: str) -> None:
    refuses(kind, call, text)


# --- the public functions -----------------------------------------------------------------------------------

BOUND = np.array([0.5, 1.0, 2.0, 4.0], np.float32)
DRAWS: dict[str, Any] = {
    "uniform": lambda **on: random.uniform((3, 4), **on),
    "uniform with bounds": lambda **on: random.uniform((3, 4), -1.5, 7, dtype="float64", **on),
    "uniform float16": lambda **on: random.uniform((3, 4), 0.1, 0.2, dtype="float16", **on),
    "uniform with tensors": lambda **on: random.uniform((3, 4), -1, tgl.Tensor(BOUND), **on),
    "integers": lambda **on: random.integers(-3, 12, (3, 4), **on),
    "bernoulli": lambda **on: random.bernoulli(0.3, (3, 4), **on),
    "bernoulli of a tensor": lambda **on: random.bernoulli(tgl.Tensor([0.0, 0.2, 1.0]), (5, 3), dtype="int8", **on),
    "categorical": lambda **on: random.categorical([0.1, 0.4, 0.5], shape=7, **on),
    "multinomial": lambda **on: random.multinomial([0.1, 0.4, 0.5], 2, **on),
    "choice": lambda **on: random.choice(9, (2, 3), **on),
    "permutation": lambda **on: random.permutation(9, **on),
    "gamma": lambda **on: random.gamma((3, 4), 2.0, tgl.Tensor(BOUND), **on),
    "normal": lambda **on: random.normal((3, 4), 2.0, tgl.Tensor(BOUND), **on),
    "exponential": lambda **on: random.exponential((3, 4), 2.0, **on),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_a_draw_on_the_gpu_has_the_values_of_the_cpu(draw: Any) -> None:
    tgl.manual_seed(5)
    expected = draw()
    tgl.manual_seed(5)
    there = draw(device="cuda")
    assert there.device == "cuda"
    assert there.dtype == expected.dtype
    np.testing.assert_allclose(there.numpy(), expected.numpy(), rtol=1e-6, atol=0)
    assert tgl.get_rng_state() == {"seed": 5, "counter": 1}


def test_a_draw_lies_where_its_parameters_are() -> None:
    scale = tgl.Tensor(BOUND, device="cuda")
    draws = [
        random.uniform((3, 4), 0, scale),
        random.normal((3, 4), scale, 1.0),
        random.exponential((3, 4), scale),
        random.gamma((3, 4), scale),
        random.bernoulli(scale / 4),
        random.categorical(scale, shape=3),
        random.multinomial(scale, 2),
    ]
    assert [drawn.device for drawn in draws] == ["cuda"] * len(draws)
    assert random.normal((3, 4), scale, device="cpu").device == "cpu"


def test_a_draw_may_be_a_leaf() -> None:
    x = random.normal((3,), device="cuda", requires_grad=True)
    assert x.requires_grad
    assert x.device == "cuda"
