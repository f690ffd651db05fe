"""The array itself: views, copies between layouts, fillings, the ways in and out, compared with NumPy's."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from backends.cuda import placed
from backends.cuda.placed import layouts, on_gpu, same

from tinygrad_lite.backends.cuda import array, launching, types
from tinygrad_lite.backends.cuda.array import CudaArray, from_host

DTYPES = [dtype.name for dtype in types.ALL]
NUMBERS = np.arange(400, dtype=np.float32)


def values(dtype: str, size: int = 400, seed: int = 0) -> Any:
    with np.errstate(invalid="ignore"):
        return placed.values(dtype, size, seed)


# --- in and out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_layout_of_every_dtype_comes_back_as_it_is(dtype: str) -> None:
    for view in layouts(values(dtype)).values():
        x = on_gpu(view)
        assert (x.shape, x.ndim, x.size, x.nbytes, x.itemsize) == (
            view.shape, view.ndim, view.size, view.nbytes, view.itemsize,
        )  # fmt: skip
        assert x.contiguous == view.flags.c_contiguous
        same(x, view)
        assert array.contiguous(x) is x or not x.contiguous
        same(array.copied(x), view)
        assert array.copied(x).contiguous


def test_arrays_of_any_kind_on_the_processor_are_taken() -> None:
    for source in (NUMBERS[::-2], NUMBERS[:60].reshape(4, 15).T, NUMBERS.astype(">f4"), [[1, 2], [3, 4]], 5.0, True):
        expected = np.asarray(source)
        same(from_host(source), expected.astype(expected.dtype.newbyteorder("=")))
    read_only = NUMBERS.copy()
    read_only.flags.writeable = False
    same(from_host(read_only), NUMBERS)


@pytest.mark.parametrize("source", [np.array(["a"]), np.array([None]), np.zeros(2, "M8[s]"), np.zeros(2, "V4")])
def test_elements_that_the_gpu_does_not_know_are_refused(source: Any) -> None:
    with pytest.raises(TypeError, match="the GPU has no elements of dtype"):
        from_host(source)


def test_what_would_read_values_without_saying_so_is_refused() -> None:
    x = from_host(NUMBERS)
    for read in (bool, float, int, complex, iter, np.asarray, lambda a: 3 in a, lambda a: [1, 2][a]):
        with pytest.raises(TypeError, match=r"its values are on the GPU; get\(\) copies them"):
            read(x)
    with pytest.raises(TypeError, match=r"len\(\) of a 0-d array"):
        len(from_host(1.0))
    assert (len(x), from_host(2.5).item(), from_host([[1], [2]]).tolist()) == (400, 2.5, [[1], [2]])
    assert hash(x) != hash(from_host(NUMBERS))


def test_copies_have_memory_of_their_own_and_there_is_no_pickle() -> None:
    x = on_gpu(NUMBERS[:60].reshape(4, 15).T)
    deep, shallow = copy.deepcopy(x), copy.copy(x)
    assert shallow.address == x.address
    assert deep.address != x.address
    x.fill(-1)
    same(deep, NUMBERS[:60].reshape(4, 15).T)
    same(shallow, np.full((15, 4), -1, np.float32))
    with pytest.raises(TypeError, match=r"a CudaArray cannot be pickled: get\(\) copies it to the processor"):
        pickle.dumps(x)
    with pytest.raises(TypeError, match="memory of the GPU cannot be pickled"):
        pickle.dumps(x.block)
    for function in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="memory of the GPU"):
            function(x.block)


# --- views --------------------------------------------------------------------------------------------------

SHAPES = [(24,), (4, 6), (2, 3, 4), (24, 1), (1, 24), (2, 2, 2, 3), (1, 2, 1, 12), (6, -1), (-1, 8, 1), (3, 1, 8)]


def test_reshapes_of_any_layout_are_numpys_and_views_where_numpys_are() -> None:
    base = NUMBERS[:48]
    sources = [
        base[:24],
        base[::2],
        base[23::-1],
        base[:24].reshape(4, 6).T,
        base.reshape(4, 12)[:, :6],
        base.reshape(2, 2, 12)[:, :, ::2],
        np.broadcast_to(base[:6], (4, 6)),
        np.broadcast_to(base[:4, None], (4, 6)),
        base[:24].reshape(2, 3, 4).transpose(1, 0, 2),
    ]
    for source in sources:
        for shape in SHAPES:
            x = on_gpu(source)
            found = x.reshape(*shape)
            same(found, source.reshape(shape))
            assert (found.block is x.block) == np.shares_memory(source.reshape(shape), source)


@pytest.mark.parametrize(
    "shape, wanted", [((6,), (4, 2)), ((6,), (-1, -1)), ((0,), (0, -1)), ((6,), (-1, 4)), ((4,), (-2, -2)), ((6,), ())]
)
def test_reshapes_to_another_size_are_refused(shape: Any, wanted: Any) -> None:
    with pytest.raises(ValueError, match="cannot reshape array of size"):
        array.zeros(shape, np.dtype("f4")).reshape(wanted)


def test_reshapes_of_nothing_and_of_one_element() -> None:
    same(array.zeros((0, 3), np.dtype("f4")).reshape(-1, 5), np.zeros((0, 5), "f4"))
    same(from_host(3.0).reshape(1, 1), np.full((1, 1), 3.0))
    same(from_host([3.0]).reshape(()), np.array(3.0))


# --- copies between layouts ---------------------------------------------------------------------------------


def copied(source: CudaArray, target: CudaArray) -> str:
    """The kernel by which a copy is made, ``""`` for none."""
    before = {kernel: kernel.count for kernel in launching.kernels}
    array.copy_into(target, source)
    return " ".join(k.name for k in launching.kernels if k.count != before.get(k, 0))


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64", "complex128"])
def test_copies_into_every_layout(dtype: str) -> None:
    wanted = values(dtype, 400, seed=1)
    for name, view in layouts(np.zeros(400, dtype)).items():
        if "repeated" in name or name.startswith("nine axes") or not view.size:
            continue
        target = on_gpu(view)
        source = wanted[: view.size].reshape(view.shape)
        around = target.block.size
        array.copy_into(target, from_host(source))
        same(target, source)
        array.copy_into(target, from_host(wanted[3]))  # a 0-d array, repeated
        same(target, np.full(view.shape, wanted[3]))
        assert target.block.size == around


@pytest.mark.parametrize("shape", [(8, 8), (31, 33), (32, 64), (100, 9), (3, 33, 40), (1, 65, 70)])
@pytest.mark.parametrize("dtype", ["int8", "float16", "float32", "int64", "complex128"])
def test_transpositions_go_through_tiles(shape: Any, dtype: str) -> None:
    source = values(dtype, int(np.prod(shape))).reshape(shape)
    x = on_gpu(source.swapaxes(-1, -2))
    target = array.empty(x.shape, x.dtype)
    assert copied(x, target) == "copy_transposed"
    same(target, source.swapaxes(-1, -2))


PERMUTATIONS = [
    ((9, 2, 33), (2, 1, 0)),
    ((3, 9, 33), (2, 0, 1)),
    ((2, 3, 9, 33), (0, 1, 3, 2)),
    ((2, 9, 3, 33), (0, 2, 3, 1)),
    ((2, 9, 3, 33), (0, 3, 2, 1)),
    ((9, 2, 3, 33), (3, 1, 2, 0)),
    ((3, 9, 2, 33), (2, 3, 0, 1)),
]


@pytest.mark.parametrize("shape, axes", PERMUTATIONS)
@pytest.mark.parametrize("dtype", ["int8", "float32", "complex128"])
def test_permutations_that_move_the_last_axis_go_through_tiles(shape: Any, axes: Any, dtype: str) -> None:
    wide = values(dtype, 2 * int(np.prod(shape))).reshape(*shape[:-1], -1)
    for source in (wide[..., : shape[-1]], wide[::-1, ..., 1 : shape[-1]]):  # rows with gaps, and an axis backwards
        x = on_gpu(source.transpose(axes))
        target = array.empty(x.shape, x.dtype)
        assert copied(x, target) == "copy_transposed"
        same(target, source.transpose(axes))


def test_short_axes_are_copied_element_by_element() -> None:
    source = values("float32", 7 * 40).reshape(40, 7)
    for view in (source.T, source[:7, :7].T):
        x, target = on_gpu(view), array.empty(view.shape, view.dtype)
        assert copied(x, target) == "copy_strided"
        same(target, view)


def test_a_batch_that_a_grid_cannot_count_is_copied_element_by_element() -> None:
    source = values("int8", 8 * 8 * 65536).reshape(65536, 8, 8)
    x = on_gpu(source.swapaxes(1, 2))
    target = array.empty(x.shape, x.dtype)
    assert copied(x, target) == "copy_strided"
    same(target, source.swapaxes(1, 2))


def test_the_ways_of_copying() -> None:
    x, wide = from_host(NUMBERS[:256].reshape(16, 16)), array.zeros((16, 32), np.dtype("f4"))
    same_layout = array.empty((16, 16), x.dtype)
    assert copied(x, same_layout) == ""
    assert copied(x, wide.view_as((16, 16), (32, 1), 16)) == "copy"
    assert copied(x, wide.view_as((16, 16), (32, 1), 1)) == "copy_strided"  # not aligned
    assert copied(x, wide.view_as((16, 16), (32, 2), 0)) == "copy_strided"
    assert copied(x.view_as((3, 16), (0, 1)), array.empty((3, 16), x.dtype)) == "copy"
    assert copied(x.view_as((16, 8), (1, 0)), array.empty((16, 8), x.dtype)) == "copy"


def test_a_copy_writes_nothing_beside_its_target() -> None:
    around = from_host(NUMBERS)
    target = around.view_as((5, 8), (20, 1), 16)
    array.copy_into(target, from_host(np.full((5, 8), -1, np.float32)))
    expected = NUMBERS.copy()
    expected[16:116].reshape(5, 20)[:, :8] = -1
    same(around, expected)


# --- filling ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_fillings_of_every_dtype_in_every_layout(dtype: str) -> None:
    for number in (0, 1, True) if dtype == "bool" else (0, 1, 77, 1.5) if np.dtype(dtype).kind in "fc" else (0, 1, 77):
        for view in layouts(np.zeros(400, dtype)).values():
            x = on_gpu(view)
            x.fill(number)
            same(x, np.full(view.shape, number, dtype))
        same(array.full((3, 5), number, np.dtype(dtype)), np.full((3, 5), number, dtype))


def test_a_contiguous_filling_of_repeated_words_launches_nothing() -> None:
    before = launching.launches()
    for dtype, number in (("f4", 3.5), ("i1", 7), ("f2", 1.5), ("i8", -1), ("c16", 0), ("f8", 0.0)):
        x = array.full((1000,), number, np.dtype(dtype))
        same(x, np.full(1000, number, dtype))
    assert launching.launches() == before
    same(array.full((1000,), 2.5, np.dtype("f8")), np.full(1000, 2.5))
    assert launching.launches() == before + 1


def test_integers_that_do_not_fit_are_refused() -> None:
    x = from_host(np.zeros(3, np.int8))
    for number in (128, -129):
        with pytest.raises(OverflowError, match=f"{number} does not fit into int8"):
            x.fill(number)
    same(x, np.zeros(3, np.int8))


def test_a_filling_writes_nothing_beside_its_target() -> None:
    for dtype in ("u1", "f2", "f4", "f8", "c16"):
        around = from_host(np.zeros(100, dtype))
        around.view_as((7,), (1,), 5).fill(3)
        around.view_as((7,), (-2,), 60).fill(4)
        expected = np.zeros(100, dtype)
        expected[5:12] = 3
        expected[60:46:-2] = 4
        same(around, expected)


# --- writing by index, as every other layer does it ---------------------------------------------------------


def test_writes_that_read_the_same_memory_see_the_old_values() -> None:
    from tinygrad_lite.backends.cuda import namespace  # noqa: F401  (attaches the operators)

    for target, source in (
        (slice(1, None), slice(None, -1)),
        (slice(None, -1), slice(1, None)),
        (slice(None), slice(None, None, -1)),
    ):
        x, expected = from_host(NUMBERS), NUMBERS.copy()
        x[target] = x[source]
        expected[target] = expected[source].copy()
        same(x, expected)
    square, expected = from_host(NUMBERS.reshape(20, 20)), NUMBERS.reshape(20, 20).copy()
    square[...] = square.view_as((20, 20), (1, 20))
    same(square, expected.T)
