"""Every name of the array API standard is here, with the standard's parameters."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
from refusals import refusal

import tinygrad_lite as tgl
from tinygrad_lite import Tensor
from tinygrad_lite.errors import ArgumentError, DeviceError, DTypeError

# One function per line: its positional-only operands, then after the stroke what may be given by keyword.
MAIN = """
arange start | stop step dtype device
asarray obj | dtype device copy
empty | shape dtype device
empty_like x | dtype device
eye n_rows n_cols | k dtype device
from_dlpack x | device copy
full | shape fill_value dtype device
full_like x | fill_value dtype device
linspace start stop | num dtype device endpoint
meshgrid *arrays | indexing
ones | shape dtype device
ones_like x | dtype device
tril x | k
triu x | k
zeros | shape dtype device
zeros_like x | dtype device
astype x dtype | copy device
can_cast from_ to
finfo type
iinfo type
isdtype | dtype kind
result_type *arrays_and_dtypes
abs x
acos x
acosh x
add x1 x2
asin x
asinh x
atan x
atan2 x1 x2
atanh x
bitwise_and x1 x2
bitwise_invert x
bitwise_left_shift x1 x2
bitwise_or x1 x2
bitwise_right_shift x1 x2
bitwise_xor x1 x2
ceil x
clip x | min max
conj x
copysign x1 x2
cos x
cosh x
divide x1 x2
equal x1 x2
exp x
expm1 x
floor x
floor_divide x1 x2
greater x1 x2
greater_equal x1 x2
hypot x1 x2
imag x
isfinite x
isinf x
isnan x
less x1 x2
less_equal x1 x2
log x
log10 x
log1p x
log2 x
logaddexp x1 x2
logical_and x1 x2
logical_not x
logical_or x1 x2
logical_xor x1 x2
maximum x1 x2
minimum x1 x2
multiply x1 x2
negative x
nextafter x1 x2
not_equal x1 x2
positive x
pow x1 x2
real x
reciprocal x
remainder x1 x2
round x
sign x
signbit x
sin x
sinh x
sqrt x
square x
subtract x1 x2
tan x
tanh x
trunc x
take x indices | axis
take_along_axis x indices | axis
matmul x1 x2
matrix_transpose x
tensordot x1 x2 | axes
vecdot x1 x2 | axis
broadcast_arrays *arrays
broadcast_shapes *shapes
broadcast_to x | shape
concat arrays | axis
expand_dims x | axis
flip x | axis
moveaxis x source destination
permute_dims x | axes
repeat x repeats | axis
reshape x | shape copy
roll x | shift axis
squeeze x | axis
stack arrays | axis
tile x repetitions
unstack x | axis
argmax x | axis keepdims
argmin x | axis keepdims
count_nonzero x | axis keepdims
nonzero x
searchsorted x1 x2 | side sorter
where condition x1 x2
unique_all x
unique_counts x
unique_inverse x
unique_values x
isin x1 x2 | invert
argsort x | axis descending stable
sort x | axis descending stable
cumulative_prod x | axis dtype include_initial
cumulative_sum x | axis dtype include_initial
max x | axis keepdims
mean x | axis keepdims
min x | axis keepdims
prod x | axis dtype keepdims
std x | axis correction keepdims
sum x | axis dtype keepdims
var x | axis correction keepdims
all x | axis keepdims
any x | axis keepdims
diff x | axis n prepend append
"""
LINALG = """
cholesky x | upper
cross x1 x2 | axis
det x
diagonal x | offset
eig x
eigh x
eigvals x
eigvalsh x
inv x
matmul x1 x2
matrix_norm x | keepdims ord
matrix_power x n
matrix_rank x | rtol
matrix_transpose x
outer x1 x2
pinv x | rtol
qr x | mode
slogdet x
solve x1 x2
svd x | full_matrices
svdvals x
tensordot x1 x2 | axes
trace x | offset dtype
vecdot x1 x2 | axis
vector_norm x | axis keepdims ord
"""
FFT = """
fft x | n axis norm
ifft x | n axis norm
fftn x | s axes norm
ifftn x | s axes norm
rfft x | n axis norm
irfft x | n axis norm
rfftn x | s axes norm
irfftn x | s axes norm
hfft x | n axis norm
ihfft x | n axis norm
fftfreq n | d dtype device
rfftfreq n | d dtype device
fftshift x | axes
ifftshift x | axes
"""
CHAPTERS = {"": MAIN, "linalg": LINALG, "fft": FFT}
LINES = [(owner and f"{owner}.", line) for owner, lines in CHAPTERS.items() for line in lines.split("\n") if line]


@pytest.mark.parametrize(("owner", "line"), LINES, ids=[owner + line.split()[0] for owner, line in LINES])
def test_a_function_of_the_standard_is_here_with_its_parameters(owner, line):
    head, _, keywords = line.partition("|")
    name, *operands = head.split()
    function = getattr(getattr(tgl, owner.rstrip(".")) if owner else tgl, name)
    parameters = list(inspect.signature(function).parameters.values())
    positional = [p for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    if operands and operands[0].startswith("*"):
        assert positional[0].kind is inspect.Parameter.VAR_POSITIONAL
    else:
        assert len(positional) >= len(operands)
        assert all(p.kind is not inspect.Parameter.VAR_POSITIONAL for p in positional[: len(operands)])
    by_keyword = {p.name for p in parameters if p.kind is not inspect.Parameter.POSITIONAL_ONLY}
    assert set(keywords.split()) <= by_keyword


ARRAY = """
__abs__ __add__ __and__ __array_namespace__ __bool__ __complex__ __dlpack__ __dlpack_device__ __eq__ __float__
__floordiv__ __ge__ __getitem__ __gt__ __index__ __int__ __invert__ __le__ __lshift__ __lt__ __matmul__ __mod__ __mul__
__ne__ __neg__ __or__ __pos__ __pow__ __rshift__ __setitem__ __sub__ __truediv__ __xor__
__radd__ __rand__ __rfloordiv__ __rlshift__ __rmatmul__ __rmod__ __rmul__ __ror__ __rpow__ __rrshift__ __rsub__
__rtruediv__ __rxor__
__iadd__ __iand__ __ifloordiv__ __ilshift__ __imatmul__ __imod__ __imul__ __ior__ __ipow__ __irshift__ __isub__
__itruediv__ __ixor__
to_device
"""


@pytest.mark.parametrize("name", ARRAY.split())
def test_a_method_of_the_standards_arrays_is_here(name):
    assert callable(vars(Tensor)[name])


def test_the_attributes_of_the_standards_arrays_are_here():
    x = Tensor([[1.0, 2.0, 3.0]])
    assert (x.dtype, x.device, x.ndim, x.shape, x.size) == (tgl.float32, "cpu", 2, (1, 3), 3)
    assert x.T.tolist() == x.mT.tolist() == [[1.0], [2.0], [3.0]]


def test_the_namespace_says_which_version_of_the_standard_it_is():
    x = Tensor([1.0])
    assert tgl.__array_api_version__ == "2025.12"
    for version in (None, "2021.12", "2022.12", "2023.12", "2024.12", "2025.12"):
        assert x.__array_namespace__(api_version=version) is tgl
    assert refusal(ArgumentError, lambda: x.__array_namespace__(api_version="1999.12")) == (
        "__array_namespace__ offers 2021.12, 2022.12, 2023.12, 2024.12, 2025.12 of the standard, but got '1999.12'"
    )


def test_constants():
    assert (tgl.e, tgl.pi, tgl.inf, tgl.newaxis) == (math.e, math.pi, math.inf, None)
    assert math.isnan(tgl.nan)
    assert Tensor([1.0, 2.0])[:, tgl.newaxis].shape == (2, 1)


# --- inspection -----------------------------------------------------------------------------------------


def test_what_the_namespace_says_about_itself():
    info = tgl.__array_namespace_info__()
    assert info.devices() == (info.default_device(),) == ("cpu",)
    assert info.capabilities() == {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}
    assert info.default_dtypes(device="cpu") == {
        "real floating": tgl.float32,
        "complex floating": tgl.complex64,
        "integral": tgl.int64,
        "indexing": tgl.int64,
    }


def test_the_most_axes_are_as_many_as_it_says():
    most = tgl.__array_namespace_info__().capabilities()["max dimensions"]
    assert tgl.zeros((1,) * most).ndim == most
    with pytest.raises(ValueError, match="64"):
        tgl.zeros((1,) * (most + 1))


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("bool", ["bool"]),
        ("signed integer", ["int8", "int16", "int32", "int64"]),
        ("unsigned integer", ["uint8", "uint16", "uint32", "uint64"]),
        ("real floating", ["float32", "float64"]),
        (("real floating", "complex floating"), ["float32", "float64", "complex64", "complex128"]),
    ],
)
def test_dtypes_by_kind(kind, names):
    found = tgl.__array_namespace_info__().dtypes(kind=kind)
    assert list(found) == names
    assert all(found[name] == getattr(tgl, name) for name in names)


def test_another_device_is_refused_by_the_inspection_functions():
    info = tgl.__array_namespace_info__()
    text = 'dtypes knows the devices "cpu" and "cuda", but got \'tpu\'\n  hint  use device="cpu", or leave it out'
    assert refusal(DeviceError, lambda: info.dtypes(device="tpu")) == text
    assert len(info.dtypes()) == 13


# --- dtypes -----------------------------------------------------------------------------------------------


def test_the_default_dtypes_are_what_python_numbers_become():
    assert [Tensor(number).dtype for number in (1.0, 1, True, 1j)] == [
        tgl.float32,
        tgl.int64,
        tgl.bool,
        tgl.complex64,
    ]


@pytest.mark.parametrize(
    ("operands", "dtype"),
    [
        ((tgl.int8, tgl.uint8), "int16"),
        ((Tensor([1], dtype="int8"), "int32"), "int32"),
        ((Tensor([1.0]), 2.5, 3), "float32"),
        ((np.zeros(1), Tensor([1.0])), "float64"),
        ((tgl.int32, 2.5), "float32"),
        ((tgl.float64, 1j), "complex128"),
        ((tgl.bool, 1, 1.0, True), "float32"),
        ((1, 2.0), "float32"),
        ((True,), "bool"),
        ((float, tgl.int8), "float32"),
    ],
)
def test_result_type(operands, dtype):
    assert tgl.result_type(*operands) == dtype
    assert tgl.result_type(*reversed(operands)) == dtype


def test_result_type_of_nothing_is_refused():
    text = "result_type needs at least one array, dtype or number"
    assert refusal(ArgumentError, lambda: tgl.result_type()) == text


@pytest.mark.parametrize(
    ("from_", "to", "can"),
    [
        ("int8", "int16", True),
        ("int16", "int8", False),
        ("uint8", "int16", True),
        ("uint8", "int8", False),
        ("bool", "int8", True),
        ("float32", "float64", True),
        ("float64", "float32", False),
        ("float64", "complex64", False),
        ("float32", "complex64", True),
        ("int64", "float32", True),
        ("float32", "int64", False),
        (Tensor([1.0]), tgl.float64, True),
    ],
)
def test_can_cast_follows_promotion(from_, to, can):
    assert tgl.can_cast(from_, to) is can


@pytest.mark.parametrize("name", ["float16", "float32", "float64", "complex64", "complex128"])
def test_finfo_agrees_with_numpy(name):
    ours, theirs = tgl.finfo(getattr(tgl, name)), np.finfo(name)
    assert (ours.eps, ours.max, ours.min) == (theirs.eps, theirs.max, theirs.min)
    assert (ours.smallest_normal, ours.bits, ours.dtype) == (theirs.smallest_normal, theirs.bits, theirs.dtype)
    assert type(ours.eps) is type(ours.max) is float
    assert tgl.finfo(tgl.zeros(2, dtype=name)) == ours


@pytest.mark.parametrize("name", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_iinfo_agrees_with_numpy(name):
    ours, theirs = tgl.iinfo(name), np.iinfo(name)
    assert (ours.max, ours.min, ours.bits, ours.dtype) == (theirs.max, theirs.min, theirs.bits, theirs.dtype)
    assert type(ours.max) is int


def test_limits_of_other_kinds_are_refused():
    assert refusal(DTypeError, lambda: tgl.finfo(tgl.int32)) == (
        "finfo needs a floating-point dtype, but got int32\n  hint  iinfo is for integers"
    )
    assert refusal(DTypeError, lambda: tgl.iinfo(tgl.bool)) == (
        "iinfo needs an integer dtype, but got bool\n  hint  finfo is for floats"
    )


@pytest.mark.parametrize(
    ("dtype", "kind", "is_it"),
    [
        (tgl.float16, "real floating", True),
        (tgl.float32, "numeric", True),
        (tgl.complex64, "numeric", True),
        (tgl.complex64, "real floating", False),
        (tgl.bool, "bool", True),
        (tgl.bool, "integral", False),
        (tgl.uint8, "integral", True),
        (tgl.uint8, "signed integer", False),
        (tgl.int8, tgl.int8, True),
        (tgl.int8, "int8", True),
        (tgl.int8, tgl.int16, False),
        (tgl.int8, (tgl.int16, "bool"), False),
        (tgl.int8, (tgl.int16, ("bool", "integral")), True),
    ],
)
def test_isdtype(dtype, kind, is_it):
    assert tgl.isdtype(dtype, kind) is is_it


def test_a_kind_that_is_none_is_refused():
    assert refusal(ArgumentError, lambda: tgl.isdtype(tgl.int8, "whole")) == (
        "isdtype knows the kinds bool, signed integer, unsigned integer, integral, real floating, complex floating,"
        " numeric, but got 'whole'"
    )
