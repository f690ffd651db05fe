"""NumPy's functions on tensors: those that we have keep the gradient, the others say when they cannot."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.errors import ArgumentError, DTypeError, GradientError
from tinygrad_lite.interop import numpy_names

A = np.array([[0.5, 1.5, 2.5], [3.5, 0.25, 1.25]])
SQUARE = np.array([[2.0, 0.5], [0.5, 3.0]])
V = np.array([0.5, 1.5, 2.5])


def leaf(array) -> Tensor:
    return Tensor(array, requires_grad=True)


# --- element-wise functions -------------------------------------------------------------------------------

#: where a function is defined, if not at 0.5
DOMAIN = {"arccosh": 1.5}
WHOLE = {"bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"}


@pytest.mark.parametrize("ufunc", numpy_names.UFUNCS, ids=lambda ufunc: ufunc.__name__)
def test_an_element_wise_function_of_numpy_is_ours(ufunc):
    if ufunc.__name__ in WHOLE:
        arrays = [np.array([[5, 6], [7, 2]]), np.array([[1, 2], [3, 1]])][: ufunc.nin]
    else:
        value = DOMAIN.get(ufunc.__name__, 0.5)
        arrays = [np.full((2, 2), value), np.array([[0.25, 0.75], [0.5, 0.3]])][: ufunc.nin]
    ours = ufunc(*(Tensor(a) for a in arrays))
    theirs = ufunc(*arrays)
    for mine, other in zip(*((r if isinstance(r, tuple) else (r,)) for r in (ours, theirs)), strict=True):
        assert type(mine) is Tensor
        np.testing.assert_allclose(mine.numpy(), other, rtol=1e-12)
    assert type(ufunc(arrays[0], *(Tensor(a) for a in arrays[1:])) if ufunc.nin > 1 else Tensor(1.0)) is not np.ndarray


ORDERS = {
    "array + tensor": (lambda a, x: a + x, [1.0, 1.0, 1.0]),
    "tensor + array": (lambda a, x: x + a, [1.0, 1.0, 1.0]),
    "array - tensor": (lambda a, x: a - x, [-1.0, -1.0, -1.0]),
    "array * tensor": (lambda a, x: a * x, [0.5, 1.5, 2.5]),
    "array / tensor": (lambda a, x: a / x, [-0.5, -0.375, -2.5]),
    "array ** tensor": (lambda a, x: a**x, (V ** [1.0, 2.0, 1.0] * np.log(V)).tolist()),
    "array @ tensor": (lambda a, x: a @ x, [0.5, 1.5, 2.5]),
    "np.add(array, tensor)": (np.add, [1.0, 1.0, 1.0]),
    "number * tensor": (lambda a, x: np.float64(2.0) * x, [2.0, 2.0, 2.0]),
}


@pytest.mark.parametrize(("function", "gradient"), ORDERS.values(), ids=ORDERS)
def test_an_array_on_either_side_records_the_gradient(function, gradient):
    x = leaf([1.0, 2.0, 1.0])
    y = function(V, x)
    assert type(y) is Tensor
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), gradient, rtol=1e-6)


METHODS = {
    "add.reduce": lambda x: np.add.reduce(x),
    "add.reduce axis": lambda x: np.add.reduce(x, axis=1),
    "add.reduce all": lambda x: np.add.reduce(x, axis=None, keepdims=True),
    "multiply.reduce": lambda x: np.multiply.reduce(x),
    "maximum.reduce": lambda x: np.maximum.reduce(x, axis=1),
    "minimum.reduce": lambda x: np.minimum.reduce(x, axis=(0, 1)),
    "add.accumulate": lambda x: np.add.accumulate(x, axis=1),
    "multiply.accumulate": lambda x: np.multiply.accumulate(x),
    "maximum.accumulate": lambda x: np.maximum.accumulate(x, axis=1),
    "minimum.accumulate": lambda x: np.minimum.accumulate(x, axis=0),
    "multiply.outer": lambda x: np.multiply.outer(x, [1.0, 2.0]),
    "subtract.outer": lambda x: np.subtract.outer([1.0, 2.0], x),
}


@pytest.mark.parametrize("call", METHODS.values(), ids=METHODS)
def test_the_methods_of_element_wise_functions_keep_the_gradient(call):
    x = leaf(A)
    y = call(x)
    assert y.requires_grad
    np.testing.assert_allclose(y.detach().numpy(), call(A))


# --- the other functions ----------------------------------------------------------------------------------

CALLS = {
    "sum": lambda x: np.sum(x, axis=0, keepdims=True),
    "sum by position": lambda x: np.sum(x, 1),
    "prod": lambda x: np.prod(x, axis=1),
    "mean": lambda x: np.mean(x, axis=(0, 1)),
    "std": lambda x: np.std(x, axis=1, ddof=1),
    "var": lambda x: np.var(x),
    "max": lambda x: np.max(x, axis=0),
    "amin": lambda x: np.amin(x),
    "median": lambda x: np.median(x, axis=1),
    "quantile": lambda x: np.quantile(x, 0.3, axis=1),
    "nanmax": lambda x: np.nanmax(x, axis=1),
    "nanmin": lambda x: np.nanmin(x),
    "nanstd": lambda x: np.nanstd(x, axis=0, ddof=1, keepdims=True),
    "nanvar": lambda x: np.nanvar(x),
    "percentile": lambda x: np.percentile(x, 30, axis=1),
    "percentiles": lambda x: np.percentile(x, [20, 60], keepdims=True),
    "ptp": lambda x: np.ptp(x),
    "ptp of an axis": lambda x: np.ptp(x, axis=1, keepdims=True),
    "cov": lambda x: np.cov(x),
    "cov of columns": lambda x: np.cov(x, rowvar=False, bias=True),
    "cov with ddof": lambda x: np.cov(x, None, False, False, 0),
    "cov of one variable": lambda x: np.cov(x[0], rowvar=False),
    "append": lambda x: np.append(x, [1.0]),
    "append along an axis": lambda x: np.append(A, x, axis=1),
    "lstsq": lambda x: np.linalg.lstsq(x.T, np.array([1.0, 0.0, 2.0]))[0],
    "lstsq, what is left over": lambda x: np.linalg.lstsq(x.T, np.eye(3), rcond=None)[1],
    "lstsq, singular values": lambda x: np.linalg.lstsq(x.T, np.eye(3))[3],
    "lstsq of few equations": lambda x: np.linalg.lstsq(x, np.array([1.0, 0.0]))[0],
    "diff": lambda x: np.diff(x, axis=0),
    "cumsum": lambda x: np.cumsum(x),
    "cumsum of an axis": lambda x: np.cumsum(x, 1),
    "cumprod": lambda x: np.cumprod(x, axis=0),
    "sort": lambda x: np.sort(x, axis=0),
    "reshape": lambda x: np.reshape(x, (3, 2)),
    "ravel": lambda x: np.ravel(x),
    "transpose": lambda x: np.transpose(x),
    "transpose of axes": lambda x: np.transpose(x, (0, 1)),
    "expand_dims": lambda x: np.expand_dims(x, 1),
    "squeeze": lambda x: np.squeeze(np.expand_dims(x, 0)),
    "flip": lambda x: np.flip(x, axis=1),
    "fliplr": lambda x: np.fliplr(x),
    "flipud": lambda x: np.flipud(x),
    "fix": lambda x: np.fix(x),
    "copy": lambda x: np.copy(x),
    "atleast_3d": lambda x: np.atleast_3d(x),
    "atleast_2d of several": lambda x: np.atleast_2d(x, V)[0],
    "split": lambda x: np.split(x, 3, axis=1)[1],
    "split at places": lambda x: np.split(x, [1], axis=1)[1],
    "roll": lambda x: np.roll(x, 1, axis=1),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "broadcast_to": lambda x: np.broadcast_to(x, (4, 2, 3)),
    "concatenate": lambda x: np.concatenate([x, A], axis=1),
    "concatenate flat": lambda x: np.concatenate((x, x), axis=None),
    "stack": lambda x: np.stack([A, x], axis=-1),
    "vstack": lambda x: np.vstack([x, V]),
    "hstack": lambda x: np.hstack([x, A]),
    "column_stack": lambda x: np.column_stack([x, [1.0, 2.0]]),
    "tile": lambda x: np.tile(x, 2),
    "repeat": lambda x: np.repeat(x, 2),
    "repeat of an axis": lambda x: np.repeat(x, 2, axis=0),
    "take": lambda x: np.take(x, [0, 4]),
    "take of an axis": lambda x: np.take(x, [0, 0], axis=1),
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[0], [2]]), axis=1),
    "tril": lambda x: np.tril(x, k=1),
    "triu": lambda x: np.triu(x),
    "clip": lambda x: np.clip(x, 0.4, 2.0),
    "where": lambda x: np.where(A > 1.0, x, 0.0),
    "pad": lambda x: np.pad(x, 1),
    "pad unevenly": lambda x: np.pad(x, ((1, 0), (0, 2)), mode="constant", constant_values=3.0),
    "pad by repetition": lambda x: np.pad(x, 1, mode="edge"),
    "trace of axes": lambda x: np.trace(np.broadcast_to(x, (2, 2, 3)), 1, 1, 2),
    "trace of the first axes": lambda x: np.trace(np.stack([x, x])),
    "diagonal": lambda x: np.diagonal(np.stack([x, x]), offset=-1),
    "unique": lambda x: np.unique(x),
    "average": lambda x: np.average(x, axis=1, weights=[1.0, 2.0, 3.0]),
    "nan_to_num": lambda x: np.nan_to_num(x),
    "diag": lambda x: np.diag(x),
    "trace": lambda x: np.trace(x),
    "dot": lambda x: np.dot(x, V),
    "dot of a number": lambda x: np.dot(2.0, x),
    "dot of three axes": lambda x: np.dot(x, np.ones((2, 3, 2))),
    "inner": lambda x: np.inner(x, V),
    "outer": lambda x: np.outer(np.ravel(x), V),
    "tensordot": lambda x: np.tensordot(x, A, axes=([1], [1])),
    "kron": lambda x: np.kron(x, SQUARE),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, A),
    "meshgrid": lambda x: np.meshgrid(np.ravel(x), V)[0],
    "broadcast_arrays": lambda x: np.broadcast_arrays(x, np.ones((4, 2, 3)))[0],
    "linalg.norm": lambda x: np.linalg.norm(x),
    "linalg.norm of an axis": lambda x: np.linalg.norm(x, axis=1),
    "linalg.svdvals": lambda x: np.linalg.svd(x, full_matrices=False)[1],
    "linalg.det": lambda x: np.linalg.det(x[:, :2]),
    "linalg.inv": lambda x: np.linalg.inv(x[:, :2]),
    "linalg.slogdet": lambda x: np.linalg.slogdet(x[:, :2])[1],
    "linalg.solve": lambda x: np.linalg.solve(SQUARE, x),
    "linalg.matrix_power": lambda x: np.linalg.matrix_power(x[:, :2], 2),
    "linalg.pinv": lambda x: np.linalg.pinv(x),
}


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated:DeprecationWarning")  # from NumPy 2.5 on
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_function_of_numpy_that_we_have_keeps_the_gradient(call):
    x = leaf(A)
    y = call(x)
    assert type(y) is Tensor
    assert y.requires_grad
    assert y.dtype == tgl.float64
    np.testing.assert_allclose(y.detach().numpy(), call(A), rtol=1e-9)
    y.sum().backward()
    assert x.grad.shape == A.shape


WITHOUT_GRADIENT = {
    "argmax": lambda x: np.argmax(x, axis=1),
    "argsort": lambda x: np.argsort(x, axis=0),
    "count_nonzero": lambda x: np.count_nonzero(x, axis=0),
    "nonzero": lambda x: np.nonzero(x)[0],
    "where of one": lambda x: np.where(x > 1.0)[1],
    "where of numbers": lambda x: np.where(x)[1],
    "zeros_like": lambda x: np.zeros_like(x),
    "full_like": lambda x: np.full_like(x, 3.0),
    "any": lambda x: np.any(x > 1.0, axis=0),
    "isclose": lambda x: np.isclose(x, A),
    "searchsorted": lambda x: np.searchsorted(x[0], [1.0]),
}


@pytest.mark.parametrize("call", WITHOUT_GRADIENT.values(), ids=WITHOUT_GRADIENT)
def test_results_without_a_gradient_are_tensors_too(call):
    y = call(Tensor(A))
    assert type(y) is Tensor
    assert y.tolist() == call(A).tolist()


def test_where_of_numbers_is_asked_of_a_leaf_too():
    assert [found.tolist() for found in np.where(leaf([0.0, 2.0]))] == [[1]]


@pytest.mark.skipif(not hasattr(np, "astype"), reason="NumPy has it since 2.1")
def test_astype_of_numpy_keeps_the_gradient():
    x = leaf([1.0, 2.0])
    y = np.astype(x, "float64")
    assert y.dtype == tgl.float64
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


# --- what we do not have ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.partition(x, 1),
        lambda x: np.sum(x, where=A > 1.0),
        lambda x: np.max(x, initial=9.0),
        lambda x: np.pad(x, 1, mode="symmetric"),
        lambda x: np.frexp(x)[0],
        lambda x: np.add(x, 1.0, dtype="float32"),
        lambda x: np.add.reduceat(x, [0, 1]),
        lambda x: np.apply_along_axis(np.sum, 0, x),
        lambda x: np.fft.fft(x),
        lambda x: np.fft.irfftn(x, s=(3,), axes=(0,), norm="ortho"),
        lambda x: np.ptp(x),
    ],
)
def test_other_functions_of_numpy_run_on_the_values_where_no_gradient_is_lost(call):
    y = call(Tensor(A))
    assert type(y) is Tensor
    np.testing.assert_allclose(y.numpy(), call(A))
    with tgl.no_grad():
        assert type(call(leaf(A))) is Tensor


def test_what_numpy_makes_of_a_leaf_does_not_change_with_it():
    x = leaf([1.0, 2.0, 3.0, 4.0])
    with tgl.no_grad():
        first, second = np.split(x, 2)
        x += 10.0
    assert (first.tolist(), second.tolist()) == ([1.0, 2.0], [3.0, 4.0])


LOST = {
    "numpy.partition: tinygrad_lite has no such function": lambda: np.partition(leaf([1.0]), 0),
    "numpy.spacing: tinygrad_lite has no such function": lambda: np.spacing(leaf([1.0])),
    "numpy.sum: tinygrad_lite's has no where=": lambda: np.sum(leaf([1.0]), where=[True]),
    "numpy.unique: tinygrad_lite's has no return_index=": lambda: np.unique(leaf([1.0]), return_index=True),
    "numpy.pad: tinygrad_lite's has no mode='symmetric'": lambda: np.pad(leaf([1.0]), 1, mode="symmetric"),
    "numpy.add: tinygrad_lite's has no dtype=": lambda: np.add(leaf([1.0]), 1.0, dtype="float64"),
    "numpy.add.reduce: tinygrad_lite's has no dtype=": lambda: np.add.reduce(leaf([1.0]), dtype="float64"),
}


@pytest.mark.parametrize(("reason", "call"), LOST.items(), ids=LOST)
def test_a_gradient_that_would_be_lost_is_refused(reason, call):
    assert refusal(GradientError, call) == (
        f"{reason.replace(':', ' cannot carry a gradient:')}\n  x     shape (1,), float32, cpu\n"
        "  hint  x.detach() says that the gradient ends here"
    )


def test_what_least_squares_tell_besides_has_numpys_shapes():
    few, many = np.linalg.lstsq(leaf(A), np.eye(2)), np.linalg.lstsq(leaf(A).T, np.eye(3))
    assert [(left.shape, rank, values.shape) for _, left, rank, values in (few, many)] == [
        ((0,), 2, (2,)),
        ((3,), 2, (2,)),
    ]


ANOTHER_WAY = {
    "put: index_put": lambda: np.put(leaf([1.0]), [0], 1.0),
    "dstack: concat": lambda: np.dstack([leaf([1.0])]),
    "vdot: vecdot": lambda: np.vdot(leaf([1.0]), [1.0]),
    "digitize: searchsorted": lambda: np.digitize(leaf([1.0]), [1.0]),
}


@pytest.mark.parametrize(("names", "call"), ANOTHER_WAY.items(), ids=ANOTHER_WAY)
def test_what_has_another_way_here_is_told(names, call):
    theirs, ours = names.split(": ")
    assert refusal(GradientError, call) == (
        f"numpy.{theirs} cannot carry a gradient: tinygrad_lite has another way\n  x     shape (1,), float32, cpu\n"
        f"  hint  with a gradient it is {ours}"
    )


def test_saving_with_a_gradient_is_told_where_the_gradient_ends(tmp_path):
    assert refusal(GradientError, lambda: np.save(tmp_path / "x.npy", leaf([1.0]))) == (
        "numpy.save cannot carry a gradient: tinygrad_lite has no such function\n  x     shape (1,), float32, cpu\n"
        "  hint  x.detach() says that the gradient ends here"
    )


def test_the_users_line_is_found_behind_numpys_own_functions():
    assert refusal(GradientError, lambda: np.mean([leaf([1.0]), leaf([2.0])])) == (
        "numpy cannot carry a gradient\n  tensor  shape (1,), float32, cpu\n"
        "  hint    x.detach().numpy() says that the gradient ends here"
    )


def test_writing_into_an_array_is_refused():
    need = "numpy.add cannot write into out=: a tensor's result is a new tensor"
    hint = "  hint  write y = y + x, or y += x.detach().numpy() where y is an array"
    x, shown = Tensor([1.0]), "shape (1,), float32, cpu"

    def in_place() -> None:
        array = np.ones(1)
        array += x

    text = f"{need}\n  x1    shape (1,), float64, cpu\n  x2    {shown}\n{hint}"
    assert refusal(ArgumentError, in_place) == text
    text = f"{need}\n  x1    {shown}\n  x2    1.0\n{hint}"
    assert refusal(ArgumentError, lambda: np.add(x, 1.0, out=np.ones(1))) == text
    text = f"{need}\n  x1    {shown}\n{hint}".replace("numpy.add", "numpy.sum")
    assert refusal(ArgumentError, lambda: np.sum(x, out=np.ones(()))) == text


def test_writing_into_a_tensor_at_an_index_is_refused():
    assert refusal(ArgumentError, lambda: np.add.at(Tensor([1.0]), [0], 1.0)) == (
        "numpy.add.at cannot write into a tensor\n  x     shape (1,), float32, cpu\n"
        "  hint  use scatter_add, or x[index] = ..."
    )
    array = np.zeros(2)
    np.add.at(array, [0, 0], Tensor([1.0, 2.0]))
    assert array.tolist() == [3.0, 0.0]


# --- what merely looks ------------------------------------------------------------------------------------


def test_questions_about_values_are_answered_even_where_there_is_a_gradient():
    x = leaf(A)
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((2, 3), 2, 6)
    assert np.allclose(x, A)
    assert np.array_equal(x, A)
    assert np.array2string(x) == np.array2string(A)
    assert np.result_type(x, np.float32) == np.float64


def test_numpys_own_assertions_take_tensors():
    x = Tensor(A)
    np.testing.assert_allclose(x, A)
    np.testing.assert_array_equal(A, x)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(x, A + 1.0)


def test_an_array_of_tensors_and_lists_of_tensors_are_arrays_of_numbers():
    x = Tensor([1.0, 2.0])
    assert np.asarray(x).dtype == np.float32
    assert np.array([x, x]).tolist() == [[1.0, 2.0], [1.0, 2.0]]
    assert np.stack([x, x]).tolist() == [[1.0, 2.0], [1.0, 2.0]]
    array = np.zeros((2, 2))
    array[0] = x
    assert array.tolist() == [[1.0, 2.0], [0.0, 0.0]]


def test_operands_that_are_no_numbers_are_numpys_business():
    """Plotting libraries broadcast tensors against None."""
    x, nothing = np.broadcast_arrays(Tensor([1.0, 2.0]), None)
    assert (x.tolist(), nothing.tolist()) == ([1.0, 2.0], [None, None])
    with pytest.raises(DTypeError, match="broadcast_arrays needs numbers, but got None"):
        np.broadcast_arrays(leaf([1.0, 2.0]), None)


def test_another_librarys_arrays_are_asked_for_their_answer():
    class Theirs:
        def __array_function__(self, function, types, args, kwargs):
            return "theirs"

    assert np.concatenate([Tensor([1.0]), Theirs()]) == "theirs"


@pytest.mark.parametrize("name", sorted(numpy_names.FUNCTIONS))
def test_the_names_of_the_table_are_numpys(name):
    owner, _, last = name.rpartition(".")
    module = getattr(np, owner) if owner else np
    if not hasattr(module, last):
        assert last in NEWER
    else:
        assert f"{getattr(module, last).__module__}.{last}".removeprefix("numpy.") == name


#: what NumPy 2.0 does not have yet
NEWER = {"cumulative_sum", "cumulative_prod", "unstack"}


WRITTEN = {
    **numpy_names._TABLE,
    **{f"linalg.{name}": entry for name, entry in numpy_names._LINALG.items()},
    **{f"fft.{name}": entry for name, entry in numpy_names._FFT.items()},
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, (_, text) in WRITTEN.items()], ids=WRITTEN)
def test_the_parameters_of_the_table_stand_in_numpys_order(name, text):
    owner, _, last = name.rpartition(".")
    theirs = getattr(getattr(np, owner) if owner else np, last, None)
    try:
        parameters = inspect.signature(theirs).parameters.values()
    except (TypeError, ValueError):  # newer than this NumPy, or written in C
        assert last in (*NEWER, *IN_C)
        return
    # NumPy 2.0 called the shape of reshape newshape.
    order = [word.partition("=")[0].lstrip("-") for word in text.replace("/", " ").split()]
    positional = [
        p.name.replace("newshape", "shape")
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    assert order[: len(positional)] == positional[: len(order)]


#: what older NumPys do not show the parameters of
IN_C = {"concatenate", "concat", "inner", "bincount", "empty_like"}
