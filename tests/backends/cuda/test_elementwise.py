"""Element-wise functions of the GPU are those of the CPU, bit for bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from backends.cuda.placed import close, layouts, on_gpu, ordinary, same, values

from tinygrad_lite.backends.cpu import namespace as cpu
from tinygrad_lite.backends.cuda import compiler, elementwise, launching, loops, types
from tinygrad_lite.backends.cuda.array import from_host
from tinygrad_lite.backends.namespace import ELEMENTWISE

nan, inf = float("nan"), float("inf")
DTYPES = [dtype.name for dtype in types.ALL]
FLOATS = ["float16", "float32", "float64"]
COMPLEX = ["complex64", "complex128"]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


# --- bit for bit --------------------------------------------------------------------------------------------

UNARY = {
    **dict.fromkeys(["isfinite", "isinf", "isnan", "logical_not", "real", "imag"], "biufc"),
    **dict.fromkeys(["negative", "positive", "conj"], "iufc"),
    **dict.fromkeys(["abs", "floor", "ceil", "trunc", "round"], "biuf"),
    **dict.fromkeys(["sign", "square"], "iuf"),
    **dict.fromkeys(["reciprocal", "sqrt", "signbit"], "f"),
    "bitwise_invert": "biu",
}
BINARY = {
    **dict.fromkeys(["add", "multiply"], "biuf"),
    **dict.fromkeys(["subtract", "floor_divide", "remainder", "fmod"], "iuf"),
    **dict.fromkeys(["divide", "copysign", "nextafter", "heaviside"], "f"),
    **dict.fromkeys(["maximum", "minimum", "less", "less_equal", "greater", "greater_equal"], "biuf"),
    **dict.fromkeys(["equal", "not_equal", "logical_and", "logical_or", "logical_xor"], "biufc"),
    **dict.fromkeys(["bitwise_and", "bitwise_or", "bitwise_xor"], "biu"),
    **dict.fromkeys(["bitwise_left_shift", "bitwise_right_shift"], "iu"),
}


def cases(table: dict[str, str]) -> list[Any]:
    return [(name, dtype) for name, kinds in table.items() for dtype in DTYPES if np.dtype(dtype).kind in kinds]


@pytest.mark.parametrize("name, dtype", cases(UNARY))
def test_a_function_of_one_array(name: str, dtype: str) -> None:
    x = values(dtype)
    same(getattr(elementwise, name)(from_host(x)), getattr(cpu, name)(x))


@pytest.mark.parametrize("name, dtype", cases(BINARY))
def test_a_function_of_two_arrays(name: str, dtype: str) -> None:
    x, y = values(dtype, seed=1), values(dtype, seed=2)
    if name in ("floor_divide", "remainder", "fmod") and dtype in FLOATS:
        tiny = np.abs(y) < 1e-3  # the quotient by a subnormal number is as large as it is meaningless
        y = np.where(tiny & (y != 0), np.array(0.25, dtype), y)
    same(getattr(elementwise, name)(from_host(x), from_host(y)), getattr(cpu, name)(x, y))


@pytest.mark.parametrize("dtype", ["float32", "int8", "complex128", "bool"])
def test_every_layout_of_one_array(dtype: str) -> None:
    for x in layouts(values(dtype)).values():
        same(elementwise.logical_not(on_gpu(x)), np.logical_not(x))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "complex128"])
def test_every_layout_of_two_arrays(dtype: str) -> None:
    first, second = layouts(ordinary(dtype, 400, 3)), layouts(ordinary(dtype, 400, 4))
    for label, x in first.items():
        same(elementwise.add(on_gpu(x), on_gpu(second[label])), x + second[label])
        flat = np.ascontiguousarray(x).reshape(x.shape)
        same(elementwise.subtract(on_gpu(flat), on_gpu(second[label])), flat - second[label])
        same(elementwise.subtract(on_gpu(x), on_gpu(flat)), x - flat)


PAIRS = [
    ((3, 4), (4,)),
    ((3, 1), (1, 4)),
    ((8, 16), (16,)),
    ((8, 16), (8, 1)),
    ((2, 3, 32), (3, 1)),
    ((2, 1, 4), (5, 1)),
    ((), (3,)),
    ((1,), (0,)),
    ((33,), ()),
    ((1, 1), (3, 2)),
]


@pytest.mark.parametrize("first, second", PAIRS)
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_two_arrays_broadcast(first: Any, second: Any, dtype: str) -> None:
    x, y = (ordinary(dtype, int(np.prod(s)), k, -50, 50).reshape(s) for k, s in enumerate((first, second)))
    same(elementwise.subtract(from_host(x), from_host(y)), x - y)
    same(elementwise.less(from_host(y), from_host(x)), y < x)


def test_shapes_that_do_not_broadcast_are_refused() -> None:
    x, y = from_host(np.ones((2, 3))), from_host(np.ones(2))
    with pytest.raises(ValueError, match=r"^shapes \(2, 3\), \(2,\) do not broadcast together$"):
        elementwise.add(x, y)


# --- promotion and numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", DTYPES)
def test_two_dtypes_promote_as_numpys(first: str) -> None:
    for second in DTYPES:
        x, y = np.array([1, 0, 1], first), np.array([1, 1, 0], second)
        same(elementwise.add(from_host(x), from_host(y)), x + y)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", [True, 2, 0.5, 1 + 2j])
def test_python_numbers_are_weak(dtype: str, number: Any) -> None:
    x = np.array([0, 1, 1, 0, 1], dtype)
    same(elementwise.multiply(from_host(x), number), x * number)
    same(elementwise.multiply(number, from_host(x)), number * x)
    same(elementwise.equal(from_host(x), number), x == number)


def test_numpys_scalars_are_not_weak() -> None:
    x = np.ones(3, "float32")
    same(elementwise.add(from_host(x), np.float64(2)), x + np.float64(2))


def test_a_number_that_its_dtype_rounds_or_cannot_hold() -> None:
    half = np.array([1, 2], "float16")
    for number in (0.1, 65519.0, 65520.0, 1e300, -inf, nan):
        same(elementwise.multiply(from_host(half), number), half * np.float16(number))
    single = np.array([1, 2], "float32")
    for number in (0.1, 3.4028235e38, 1e39, 3.4028235677973366e38):
        same(elementwise.multiply(from_host(single), number), single * np.float32(number))
    for number in (300, -1):
        with pytest.raises(OverflowError, match=f"^Python integer {number} out of bounds for uint8$"):
            elementwise.add(from_host(np.array([1], "uint8")), number)


def test_integers_compare_with_numbers_that_they_cannot_hold() -> None:
    x = np.array([0, 255], "uint8")
    for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
        function, expected = getattr(elementwise, name), getattr(np, name)
        for number in (-1, 256, 10**30):
            same(function(from_host(x), number), expected(x, number))
            same(function(number, from_host(x)), expected(number, x))


def test_what_has_no_meaning_is_refused() -> None:
    x = from_host(np.ones(2))
    with pytest.raises(TypeError, match=r"^cannot compute with str$"):
        elementwise.add(x, "1")
    with pytest.raises(TypeError, match=r"^bitwise_and has no meaning for float64$"):
        elementwise.bitwise_and(x, x)
    with pytest.raises(TypeError, match=r"^less has no meaning for complex128$"):
        elementwise.less(x, 1j)


def test_integers_become_floats_where_the_function_is_of_floats() -> None:
    for dtype in ("int8", "uint16", "int32", "bool"):
        x = np.array([1, 0, 1], dtype)
        same(elementwise.sqrt(from_host(x)), np.sqrt(x))
        y = np.array([2, 1, 4], dtype)
        expected = np.divide(x, y, dtype=np.sqrt(x).dtype)
        same(elementwise.divide(from_host(x), from_host(y)), expected)


# --- casts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", DTYPES)
def test_casts_are_numpys(source: str) -> None:
    x = values(source) if np.dtype(source).kind in "biu" else ordinary(source, 300, 5, -100, 100)
    if np.dtype(source).kind not in "biu":
        x[:4] = [0, 1, 2.5, -0.75]
    for target in DTYPES:
        y = np.abs(x) if np.dtype(target).kind == "u" and np.dtype(source).kind in "fc" else x
        if np.dtype(source).kind == "c":
            y = y.astype(source)
        expected = (y.real if np.dtype(target).kind not in "cb" else y).astype(target)
        same(elementwise.astype(from_host(y), target), expected)


def test_a_cast_to_half_rounds_once() -> None:
    x = np.array([1 + 2**-11 + 2**-40, 1 + 2**-11, 65519.99999, 65520.0, 2**-25 * (1 + 2**-40), nan, inf])
    same(elementwise.astype(from_host(x), "float16"), x.astype("float16"))


def test_a_cast_to_the_same_dtype_is_no_copy_and_others_read_any_layout() -> None:
    x = from_host(np.ones(3, "float32"))
    assert elementwise.astype(x, "float32") is x
    for view in layouts(values("int16")).values():
        same(elementwise.astype(on_gpu(view), "float64"), view.astype("float64"))
        same(elementwise.astype(on_gpu(view), "int8"), view.astype("int8"))


@pytest.mark.parametrize("dtype", COMPLEX)
def test_the_parts_of_complex_numbers_are_copies(dtype: str) -> None:
    for z in layouts(values(dtype)).values():
        placed = on_gpu(z)
        for part, expected in ((elementwise.real(placed), z.real), (elementwise.imag(placed), z.imag)):
            same(part, expected)
            assert part.contiguous
            assert part.block is not placed.block
        same(elementwise.conj(placed), z.conj())


# --- choices --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_where_chooses_bit_for_bit(dtype: str) -> None:
    condition, x, y = values("bool"), values(dtype, seed=1), values(dtype, seed=2)
    same(elementwise.where(from_host(condition), from_host(x), from_host(y)), np.where(condition, x, y))
    same(elementwise.where(from_host(condition), from_host(x), True), np.where(condition, x, True))
    same(elementwise.where(from_host(condition), True, from_host(x)), np.where(condition, True, x))


def test_where_broadcasts_promotes_and_takes_numbers_and_any_layout() -> None:
    c, x = values("bool", 12).reshape(3, 4), ordinary("float32", 4, 1)
    same(elementwise.where(from_host(c), from_host(x), 0.0), np.where(c, x, 0.0))
    same(elementwise.where(from_host(c[0]), 1.0, from_host(x[:1])), np.where(c[0], 1.0, x[:1]))
    same(elementwise.where(from_host(c[:, :1]), from_host(x), np.float64(2)), np.where(c[:, :1], x, np.float64(2)))
    same(elementwise.where(from_host(c), 1, 2), np.where(c, 1, 2))
    same(elementwise.where(from_host(x), 1.5, 2), np.where(x, 1.5, 2))
    first, second = layouts(values("float64", seed=1)), layouts(values("float64", seed=2))
    for label, condition in layouts(values("bool")).items():
        expected = np.where(condition, first[label], second[label])
        same(elementwise.where(on_gpu(condition), on_gpu(first[label]), on_gpu(second[label])), expected)


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name not in COMPLEX])
def test_clip_is_numpys(dtype: str) -> None:
    x, low, high = (values(dtype, seed=k) for k in range(3))
    a, b, c = map(from_host, (x, low, high))
    same(elementwise.clip(a, b, c), np.clip(x, low, high))
    same(elementwise.clip(a, b, None), np.clip(x, low, None))
    same(elementwise.clip(a, None, c), np.clip(x, None, high))
    same(elementwise.clip(a, None, None), x)
    if dtype != "bool":
        same(elementwise.clip(a, 1, 3), np.clip(x, 1, 3))
        same(elementwise.clip(a, 0.5, c), np.clip(x, 0.5, high))


# --- powers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_powers_of_integers_wrap_around(dtype: str) -> None:
    x, y = values(dtype, seed=1), np.abs(values(dtype, seed=2)) % np.array(7, dtype)
    same(elementwise.pow(from_host(x), from_host(y)), x**y)
    same(elementwise.pow(from_host(x), 3), x**3)
    same(elementwise.pow(2, from_host(y)), 2**y)


def test_an_integer_to_a_negative_power_is_refused() -> None:
    x = np.array([1, 2])
    for exponent in (-1, from_host(np.array([1, -1]))):
        with pytest.raises(ValueError, match=r"^Integers to negative integer powers are not allowed\.$"):
            elementwise.pow(from_host(x), exponent)


@pytest.mark.parametrize("dtype", FLOATS)
def test_power_by_a_number(dtype: str) -> None:
    x = ordinary(dtype, 100)
    for exponent in (-2, -1, 0, 1, 2, 3, 4, 0.5, 2.0, -0.5, 1.7):
        close(elementwise.power(from_host(x), exponent), cpu.power(x, exponent), 8)


# --- in place -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["float32", "float16", "int32", "complex64", "bool"])
def test_add_into_keeps_memory_and_dtype(target: str) -> None:
    for source in ("float64", "int8"):
        if target == "bool" and source == "float64":
            continue
        x, y = ordinary(target, 40, 1).reshape(5, 8), ordinary(source, 8, 2)
        placed = from_host(x)
        address = placed.address
        elementwise.add_into(placed, from_host(y))
        assert placed.address == address
        same(placed, x + y.astype(target))


def test_add_into_writes_views_and_takes_numbers() -> None:
    for label, view in layouts(ordinary("float32", 400)).items():
        if "repeated" in label or "nine axes" in label:
            continue  # elements that are there more than once
        placed, other = on_gpu(view), ordinary("float32", view.size, 2).reshape(view.shape)
        expected = view + other + np.float32(2.5)
        elementwise.add_into(placed, from_host(other))
        elementwise.add_into(placed, 2.5)
        same(placed, expected)


def test_add_into_reads_an_overlapping_source_first() -> None:
    x = np.arange(1000, dtype="float32")
    whole = from_host(x)
    elementwise.add_into(whole.view_as((999,), (1,), 1), whole.view_as((999,), (1,)))
    x[1:] += x[:-1].copy()
    same(whole, x)


def test_add_into_refuses_a_source_that_does_not_fit() -> None:
    placed = from_host(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"^shape \(2, 2, 3\) does not broadcast to \(2, 3\)$"):
        elementwise.add_into(placed, from_host(np.ones((2, 2, 3))))
    with pytest.raises(ValueError, match=r"^shapes \(3, 2\), \(2, 3\) do not broadcast together$"):
        elementwise.add_into(placed, from_host(np.ones((3, 2))))
    same(placed, np.zeros((2, 3)))


# --- launches and modules -------------------------------------------------------------------------------------


def test_one_launch_and_no_upload_for_arrays_of_one_dtype_and_a_number() -> None:
    x = from_host(np.ones(1000, "float32"))
    elementwise.add(x, x)
    before = launching.launches()
    elementwise.add(x, x), elementwise.multiply(x, 2.5), elementwise.where(elementwise.less(x, 1), x, 0.0)
    assert launching.launches() - before == 4


def test_aligned_rows_are_read_by_packs() -> None:
    loop = loops.Operation("add", elementwise.ARITHMETIC, 2, "f").loop(np.dtype("float32"))
    assert loop.lanes == 4
    for shape, strides, packs in [
        ((1000,), ((1,), (1,), (1,)), True),
        ((1001,), ((1,), (1,), (1,)), True),
        ((3,), ((1,), (1,), (1,)), False),
        ((8, 16), ((16, 1), (0, 1), (16, 1)), True),
        ((8, 16), ((16, 1), (1, 0), (16, 1)), True),
        ((8, 10), ((10, 1), (0, 1), (10, 1)), False),
        ((8, 16), ((1, 8), (16, 1), (16, 1)), False),
    ]:
        ((vector, *_),) = loops._plan(4, shape, *strides)
        assert vector is packs, (shape, strides)


@pytest.mark.parametrize("size", [2**31, 2**33 + 1, 2**33 + 4])
def test_more_elements_than_a_kernel_counts_take_several_launches(size: int) -> None:
    done = 0
    for vector, (grid, _, _), (threads, _, _), tail, packed, firsts in loops._plan(4, (size,), (0,), (1,), (1,)):
        packs = int.from_bytes(packed[4:8], "little")
        assert vector
        assert packs < 2**31
        assert 0 <= grid * threads - packs < threads
        assert firsts == ((0, done, done) if done else None)
        done += 4 * packs - (4 - tail)
    assert done == size


def test_every_name_is_there() -> None:
    assert set(ELEMENTWISE) <= set(elementwise.__all__)
    for name in elementwise.__all__:
        assert callable(getattr(elementwise, name))


def test_the_operations_of_one_dtype_share_a_module() -> None:
    files = Counter(module.file for module in compiler.modules.values())
    mine = {"arithmetic.cu": 14, "transcendental.cu": 5, "cast.cu": 5}
    assert {file: files[file] for file in mine} == mine
