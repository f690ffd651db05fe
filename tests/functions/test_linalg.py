"""The ``linalg`` namespace: its names, complex matrices, singular matrices, named results and tolerances."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from operations.table import operations

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.autograd.rules import norms

#: The extension of the array API standard, version 2025.12.
STANDARD = """
    cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power matrix_rank
    matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm
"""
OTHERS = "cholesky_inverse cholesky_solve cond logdet lstsq matrix_exp multi_dot norm solve_triangular"


def _public() -> list[str]:
    return sorted(name for name in vars(tgl.linalg) if not name.startswith("_"))


def test_the_namespace_has_the_names_of_the_standard_and_nothing_but_functions() -> None:
    assert _public() == sorted((STANDARD + OTHERS).split())
    assert all(callable(getattr(tgl.linalg, name)) for name in _public())


def test_every_function_has_a_row_in_the_table() -> None:
    rows = {name.removeprefix("linalg.") for name in operations}
    assert [name for name in _public() if name not in rows] == []


def test_the_main_namespace_has_the_standards_four_and_what_it_had_before() -> None:
    for name in [
        "matmul",
        "matrix_transpose",
        "tensordot",
        "vecdot",
        "inv",
        "cholesky",
        "slogdet",
        "solve_triangular",
        "outer",
        "trace",
        "cross",
    ]:
        assert getattr(tgl, name) is getattr(tgl.linalg, name)


@pytest.mark.parametrize(
    "result, names",
    [
        (tgl.linalg.eigh(tgl.eye(2)), ("eigenvalues", "eigenvectors")),
        (tgl.linalg.eig(tgl.eye(2)), ("eigenvalues", "eigenvectors")),
        (tgl.linalg.qr(tgl.eye(2)), ("Q", "R")),
        (tgl.linalg.slogdet(tgl.eye(2)), ("sign", "logabsdet")),
        (tgl.linalg.svd(tgl.eye(2)), ("U", "S", "Vh")),
        (tgl.linalg.lstsq(tgl.eye(2), tgl.eye(2)), ("solution", "residuals")),
    ],
    ids=["eigh", "eig", "qr", "slogdet", "svd", "lstsq"],
)
def test_several_results_have_the_names_of_the_standard(result: Any, names: tuple[str, ...]) -> None:
    assert result._fields == names


# --- complex matrices: values without derivatives ---------------------------------------------------------

Z = np.array([[2.0 + 1.0j, 0.5j], [1.0, 3.0 - 1.0j]])
HERMITIAN = np.array([[3.0, 1.0 - 1.0j], [1.0 + 1.0j, 4.0]])
TALL = np.array([[1.0 + 2.0j, 0.5], [0.25j, 1.0], [2.0, -1.0j]])
B = np.array([[1.0 + 1.0j, 2.0], [0.5j, -1.0]])
COMPLEX: list[tuple[str, Any, Any]] = [
    ("matmul", lambda n: n.matmul(Z, B), None),
    ("vecdot", lambda n: n.vecdot(Z, B), None),
    ("vecdot along axis 0", lambda n: n.vecdot(Z, B, axis=0), None),
    ("outer", lambda n: n.outer(Z[0], B[1]), None),
    ("tensordot", lambda n: n.tensordot(Z, B, axes=1), lambda n: n.tensordot(Z, B, axes=1)),
    ("trace", lambda n: n.trace(Z), None),
    ("diagonal", lambda n: n.diagonal(Z, offset=1), None),
    ("det", lambda n: n.det(Z), None),
    ("slogdet", lambda n: n.slogdet(Z), None),
    ("inv", lambda n: n.inv(Z), None),
    ("solve", lambda n: n.solve(Z, B), None),
    ("pinv", lambda n: n.pinv(TALL), None),
    ("matrix_power", lambda n: n.matrix_power(Z, -2), None),
    ("matrix_rank", lambda n: n.matrix_rank(TALL), None),
    ("cholesky", lambda n: n.cholesky(HERMITIAN), None),
    ("cholesky of the upper triangle", lambda n: n.cholesky(HERMITIAN, upper=True), None),
    ("eigh", lambda n: n.eigh(HERMITIAN).eigenvalues, None),
    ("eigvalsh", lambda n: n.eigvalsh(HERMITIAN), None),
    ("eigvals", lambda n: n.eigvals(Z), None),
    ("svdvals", lambda n: n.svdvals(TALL), None),
    ("vector_norm", lambda n: n.vector_norm(TALL, axis=0), None),
    ("vector_norm of order 3", lambda n: n.vector_norm(TALL, ord=3), None),
    ("matrix_norm", lambda n: n.matrix_norm(TALL), None),
    ("matrix_norm of order 1", lambda n: n.matrix_norm(TALL, ord=1), None),
    ("nuclear norm", lambda n: n.matrix_norm(TALL, ord="nuc"), None),
    ("cross", lambda n: n.cross(TALL[:, 0], TALL[:, 1]), None),
]


@pytest.mark.parametrize("call, numpy", [case[1:] for case in COMPLEX], ids=[case[0] for case in COMPLEX])
def test_complex_values_are_those_of_numpy(call: Any, numpy: Any) -> None:
    ours, expected = call(tgl.linalg), call(np.linalg)
    pairs = zip(ours, expected, strict=True) if isinstance(ours, tuple) else [(ours, expected)]
    for y, reference in pairs:
        assert y.dtype == np.asarray(reference).dtype
        np.testing.assert_allclose(y.numpy(), reference, rtol=1e-12, atol=1e-12)


def test_complex_factors_multiply_to_their_matrix() -> None:
    q, r = (y.numpy() for y in tgl.linalg.qr(TALL))
    u, s, vh = (y.numpy() for y in tgl.linalg.svd(TALL, full_matrices=False))
    w, v = (y.numpy() for y in tgl.linalg.eigh(HERMITIAN))
    e, x = (y.numpy() for y in tgl.linalg.eig(Z))
    np.testing.assert_allclose(q @ r, TALL, atol=1e-12)
    np.testing.assert_allclose((u * s) @ vh, TALL, atol=1e-12)
    np.testing.assert_allclose((v * w) @ v.conj().T, HERMITIAN, atol=1e-12)
    np.testing.assert_allclose(Z @ x, x * e, atol=1e-12)


@pytest.mark.parametrize("a", [Z, TALL, TALL.T], ids=["square", "tall", "wide"])
def test_a_complex_fit_has_the_smallest_residual(a: np.ndarray) -> None:
    b = np.array([1.0 + 2.0j, -1.0j, 0.5])[: len(a)]
    y, residual = tgl.linalg.lstsq(Tensor(a), Tensor(b))
    expected = np.linalg.pinv(a) @ b
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(residual.numpy(), (np.abs(a @ expected - b) ** 2).sum(), atol=1e-12)
    assert residual.dtype == np.float64


@pytest.mark.parametrize("upper", [False, True])
def test_a_complex_factor_solves_by_its_conjugate_transpose(upper: bool) -> None:
    factor = tgl.linalg.cholesky(Tensor(HERMITIAN), upper=upper)
    y = tgl.linalg.cholesky_solve(Tensor(B), factor, upper=upper)
    np.testing.assert_allclose(y.numpy(), np.linalg.solve(HERMITIAN, B), atol=1e-12)
    inverse = tgl.linalg.cholesky_inverse(factor, upper=upper)
    np.testing.assert_allclose(inverse.numpy(), np.linalg.inv(HERMITIAN), atol=1e-12)


def test_the_logarithm_of_a_complex_determinant_is_complex() -> None:
    np.testing.assert_allclose(np.exp(tgl.linalg.logdet(Tensor(Z)).numpy()), np.linalg.det(Z), rtol=1e-12)


@pytest.mark.parametrize(
    "dtype, expected", [("float32", "complex64"), ("float64", "complex128"), ("int64", "complex64")]
)
def test_eigenvalues_are_complex_whatever_their_values_are(dtype: str, expected: str) -> None:
    for x in (np.eye(2), np.array([[0, 1], [-1, 0]])):
        assert tgl.linalg.eigvals(Tensor(x.astype(dtype))).dtype == expected
        assert {y.dtype.name for y in tgl.linalg.eig(Tensor(x.astype(dtype)))} == {expected}


@pytest.mark.parametrize("name", ["solve", "solve_triangular", "vecdot", "cross", "matmul", "tensordot"])
def test_a_gradient_does_not_get_lost_in_complex_numbers(name: str) -> None:
    x, z = Tensor(np.eye(3), requires_grad=True), Tensor(np.eye(3) * 1j)
    for operands in ((x, z), (z, x)):
        with pytest.raises(tgl.errors.GradientError, match="complex tensors have none"):
            getattr(tgl.linalg, name)(*operands)


# --- dtypes and arguments -----------------------------------------------------------------------------------


def test_integers_become_float32_where_a_float_is_needed() -> None:
    x = Tensor([[2, 1], [1, 3]])
    for name in ["cholesky", "det", "eigvalsh", "inv", "matrix_norm", "pinv", "svdvals", "vector_norm", "matrix_exp"]:
        assert getattr(tgl.linalg, name)(x).dtype == "float32", name
    assert tgl.linalg.solve(x, Tensor([1, 2])).dtype == "float32"
    assert tgl.linalg.matrix_power(x, 3).dtype == "int64"


def test_dtypes_mix_in_systems() -> None:
    a, b = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0], "float32")
    x = Tensor(b, requires_grad=True)
    y = tgl.linalg.solve(Tensor(a), x)
    assert y.dtype == "float64"
    assert tgl.grad(y.sum(), x).dtype == "float32"


def test_a_trace_sums_in_the_dtype_it_is_told() -> None:
    x = Tensor(np.array([[100, 0], [0, 100]], "int8"))
    assert tgl.trace(x).dtype == "int64"
    assert tgl.trace(x, dtype="float64").dtype == "float64"
    assert tgl.trace(x).item() == 200


def test_a_tolerance_may_differ_from_matrix_to_matrix() -> None:
    x = np.stack([np.diag([1.0, 0.1, 0.01])] * 3)
    rtol = np.array([0.5, 0.05, 0.005])
    np.testing.assert_array_equal(tgl.linalg.matrix_rank(Tensor(x), rtol=Tensor(rtol)).numpy(), [1, 2, 3])
    found = tgl.linalg.pinv(Tensor(x), rtol=Tensor(rtol)).numpy()
    np.testing.assert_allclose(found, np.linalg.pinv(x, rtol=rtol), atol=1e-12)


def test_a_matrix_without_elements_has_rank_0() -> None:
    assert tgl.linalg.matrix_rank(tgl.zeros((2, 0))).item() == 0
    assert tgl.linalg.matrix_rank(tgl.zeros((3, 0, 2))).shape == (3,)


def test_solve_takes_a_vector_only_if_it_has_one_axis() -> None:
    a = np.stack([np.eye(2), 2 * np.eye(2)])
    assert tgl.linalg.solve(Tensor(a), Tensor([1.0, 2.0])).shape == (2, 2)
    assert tgl.linalg.solve(Tensor(a), Tensor([[1.0, 0.0], [0.0, 1.0]])).shape == (2, 2, 2)


def test_only_one_triangle_is_read() -> None:
    x = np.array([[4.0, 1.0], [1.0, 3.0]])
    lower, upper = np.tril(x), np.triu(x)
    np.testing.assert_allclose(tgl.cholesky(lower).numpy(), np.linalg.cholesky(x))
    np.testing.assert_allclose(tgl.cholesky(upper, upper=True).numpy(), np.linalg.cholesky(x).T)
    np.testing.assert_allclose(tgl.linalg.eigvalsh(lower).numpy(), np.linalg.eigvalsh(x))


@pytest.mark.parametrize("name", ["eigh", "eigvalsh", "cholesky"])
def test_the_gradient_of_a_symmetric_matrix_is_symmetric(name: str) -> None:
    x = Tensor([[4.0, 0.0], [1.0, 2.0]], requires_grad=True)
    y = getattr(tgl.linalg, name)(x)
    values = tgl.square(y.eigenvectors)[0, 0] + y.eigenvalues[1] if name == "eigh" else y[1]
    g = tgl.grad(values.sum(), x).numpy()
    np.testing.assert_allclose(g, g.T, rtol=1e-6)
    assert g[0, 1] != 0


def test_the_zeroth_power_has_a_gradient_of_zero() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = tgl.linalg.matrix_power(x, 0)
    np.testing.assert_array_equal(y.detach().numpy(), np.eye(2))
    np.testing.assert_array_equal(tgl.grad(y.sum(), x).numpy(), np.zeros((2, 2)))


# --- singular matrices --------------------------------------------------------------------------------------

SINGULAR = {
    "rank 2 of 3": np.array([[1.0, 2.0, 1.0], [0.5, 1.0, 2.0], [2.0, 4.0, -1.0]]),
    "rank 1 of 3": np.outer([1.0, 2.0, 3.0], [1.0, -1.0, 2.0]),
    "rank 0 of 3": np.zeros((3, 3)),
    "rank 0 of 2": np.zeros((2, 2)),
    "rank 3 of 3, with equal singular values": np.eye(3),
    "one element": np.zeros((1, 1)),
    "rank 2 of 4": np.diag([1.0, 2.0, 0.0, 0.0]),
}


@pytest.mark.parametrize("x", SINGULAR.values(), ids=SINGULAR)
def test_the_derivatives_of_a_determinant_are_right_for_every_rank(x: np.ndarray) -> None:
    """A determinant is linear in each row: its derivatives are differences, with any step, but for rounding."""
    n = len(x)
    leaf = Tensor(x, requires_grad=True)
    first = tgl.grad(tgl.linalg.det(leaf), leaf, create_graph=True)
    weights = np.arange(1.0, n * n + 1).reshape(n, n)
    second = tgl.grad((first * Tensor(weights)).sum(), leaf).numpy()

    def slope(f: Any, i: int, j: int) -> Any:
        step = np.zeros((n, n))
        step[i, j] = 1.0
        return (f(x + step) - f(x - step)) / 2

    def gradient(at: np.ndarray) -> float:
        moved = Tensor(at, requires_grad=True)
        return float((tgl.grad(tgl.linalg.det(moved), moved).numpy() * weights).sum())

    for i in range(n):
        for j in range(n):
            np.testing.assert_allclose(first.detach().numpy()[i, j], slope(np.linalg.det, i, j), atol=1e-12)
            np.testing.assert_allclose(second[i, j], slope(gradient, i, j), atol=1e-10)


def test_a_batch_may_hold_singular_matrices_among_others() -> None:
    x = np.stack([SINGULAR["rank 2 of 3"], np.eye(3)])
    leaf = Tensor(x, requires_grad=True)
    g = tgl.grad(tgl.linalg.det(leaf).sum(), leaf).numpy()
    np.testing.assert_allclose(g[1], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(g[0], [[-9.0, 4.5, 0.0], [6.0, -3.0, 0.0], [3.0, -1.5, 0.0]], atol=1e-12)


def test_a_fit_without_full_rank_is_what_the_pseudo_inverse_is_for() -> None:
    a, b = np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([2.0, 4.0])
    with pytest.raises(tgl.errors.ArgumentError, match="full rank"):
        tgl.linalg.lstsq(Tensor(np.zeros((2, 2))), Tensor(b))
    np.testing.assert_allclose((tgl.linalg.pinv(Tensor(a)) @ Tensor(b)).numpy(), np.linalg.lstsq(a, b)[0])


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("rows, columns", [(5, 3), (3, 5), (4, 4)])
def test_a_fit_is_refused_where_only_rounding_gives_full_rank(rows: int, columns: int, dtype: str) -> None:
    numbers = np.random.default_rng(3)
    a = (numbers.normal(size=(rows, 2)) @ numbers.normal(size=(2, columns))).astype(dtype)
    with pytest.raises(tgl.errors.ArgumentError, match="full rank"):
        tgl.linalg.lstsq(Tensor(a), Tensor(np.ones(rows, dtype)))


def test_a_norm_of_float16_is_found_in_float32() -> None:
    x = Tensor(np.array([[300.0, 400.0], [1e-4, 0.0]], "float16"), requires_grad=True)
    y = tgl.linalg.vector_norm(x, axis=1)
    assert (y.dtype, y[0].item()) == (np.float16, 500.0)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [[0.6, 0.8], [1.0, 0.0]], rtol=1e-3)


def test_an_exponential_of_numbers_far_apart_is_scaled_per_matrix() -> None:
    x = np.array([[[1e-3, 0.0], [0.0, 2.0]], [[50.0, 0.0], [0.0, -50.0]]])
    found = tgl.linalg.matrix_exp(Tensor(x)).numpy()
    np.testing.assert_allclose(np.diagonal(found, axis1=1, axis2=2), np.exp([[1e-3, 2.0], [50.0, -50.0]]), rtol=1e-12)


def test_a_chain_is_multiplied_in_the_cheapest_order() -> None:
    x = Tensor(np.ones((100, 1)), requires_grad=True)
    y = tgl.linalg.multi_dot([x, Tensor(np.ones((1, 100))), Tensor(np.ones((100, 1)))])
    assert y._node is not None
    assert [parent.shape for parent in y._node.parents if parent is not None] == [(100, 1)]  # and no (100, 100)


# --- distances ------------------------------------------------------------------------------------------


def test_distances_form_a_few_differences_at_a_time() -> None:
    x = Tensor(np.random.default_rng(0).normal(size=(200, 400)).astype("float32"), requires_grad=True)
    tracemalloc.start()
    tgl.cdist(x, x).sum().backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 * 200 * 400 * 4 / 10  # a tenth of all differences


@pytest.mark.parametrize("p", [2, 2.5])
@pytest.mark.parametrize("shapes", [((5, 3), (4, 3)), ((2, 1, 5, 3), (3, 4, 3)), ((0, 3), (4, 3)), ((5, 3), (0, 3))])
def test_distances_found_in_blocks_are_the_norms_of_the_differences(
    shapes: Any, p: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(norms, "_TOGETHER", 24)  # two rows of five
    rng = np.random.default_rng(1)
    x, y = (Tensor(rng.normal(size=shape), requires_grad=True) for shape in shapes)
    found, plain = lambda x, y: tgl.cdist(x, y, p), lambda x, y: _norms_of_differences(x, y, p)
    np.testing.assert_allclose(found(x, y).detach().numpy(), plain(x, y).detach().numpy(), rtol=1e-14)
    slopes = []
    for function in (found, plain):
        out = function(x, y)
        weights = Tensor(np.linspace(-1, 2, out.size).reshape(out.shape))
        first = tgl.grad((out * weights).sum(), (x, y), create_graph=True)
        second = tgl.grad(sum((g**2).sum() for g in first), (x, y))
        forward = tgl.jvp(function, (x, y), (Tensor(np.cos(x.detach())), Tensor(np.sin(y.detach()))))[1]
        slopes.append([t.detach().numpy() for t in (*first, *second, forward)])
    for one, other in zip(*slopes, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


def _norms_of_differences(x: Tensor, y: Tensor, p: float) -> Tensor:
    return tgl.linalg.vector_norm(tgl.expand_dims(x, -2) - tgl.expand_dims(y, -3), axis=-1, ord=p)


def test_distances_of_two_dtypes_have_the_larger_and_gradients_their_own() -> None:
    x, y = Tensor(np.ones((2, 3), "float32"), requires_grad=True), Tensor(np.zeros((4, 3)), requires_grad=True)
    z = tgl.cdist(x, y)
    assert z.dtype == "float64"
    assert [g.dtype for g in tgl.grad(z.sum(), (x, y))] == ["float32", "float64"]
    assert tgl.cdist(Tensor(np.full((1, 2), 300, "float16")), Tensor(np.zeros((1, 2), "float16"))).dtype == "float16"
