"""Element-wise functions on arrays of the GPU: arithmetic, exponentials, trigonometry, comparisons, logic, casts.

What they compute stands in kernels/arithmetic.cu and transcendental.cu, one line for each; here stands which dtypes
they have, and what needs no kernel of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite import dtypes
from tinygrad_lite.backends.cuda import compiler, layout, loops, types
from tinygrad_lite.backends.cuda.array import CudaArray, copied, empty, full, over, zeros
from tinygrad_lite.backends.cuda.loops import Loop, Operation, operand, promoted

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "add_into",
    "asin",
    "asinh",
    "astype",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "ceil",
    "clip",
    "conj",
    "copysign",
    "cos",
    "cosh",
    "divide",
    "equal",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "floor_divide",
    "fmod",
    "greater",
    "greater_equal",
    "heaviside",
    "hypot",
    "imag",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "nextafter",
    "not_equal",
    "positive",
    "pow",
    "power",
    "real",
    "reciprocal",
    "remainder",
    "round",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "trunc",
    "where",
]

ARITHMETIC = loops.modules("arithmetic.cu", types.ALL)
TRANSCENDENTAL = loops.modules("transcendental.cu", types.FLOATS + types.COMPLEX)

# --- casts --------------------------------------------------------------------------------------------------

_casts: dict[tuple[Any, Any], Loop] = {}
_SOURCES = {"b": "BOOLS", "i": "SIGNED", "u": "UNSIGNED", "f": "FLOATS", "c": "COMPLEX"}
_CASTS = {kind: compiler.module("cast.cu", SOURCES=sources) for kind, sources in _SOURCES.items()}


def astype(x: Any, dtype: Any) -> CudaArray:
    """The elements in another dtype, as C casts them; of a complex number the real part. The same dtype is no copy."""
    source = loops.array(x)
    if source.dtype is dtype:
        return source
    dtype = dtypes.as_dtype(dtype)
    if source.dtype == dtype:
        return source
    out = empty(source.shape, dtype)
    if out.size:
        loops.launch(_cast(source.dtype, dtype), out, (), source)
    return out


def _cast(source: Any, target: Any) -> Loop:
    found = _casts.get((source, target))
    if found is None:
        name = f"{source.name}_to_{target.name}"
        found = _casts[source, target] = Loop(_CASTS[source.kind], name, 1, source, target)
    return found


# --- from the tables of kernels -----------------------------------------------------------------------------


def unary(name: str, modules: dict[Any, compiler.Module], kinds: str, result: str = "same", refused: str = "") -> Any:
    """The function of one array whose kernels in these modules have this name; of the dtypes of some kinds."""
    operation = Operation(name, modules, 1, kinds, result, refused=refused)

    def function(x: Any) -> CudaArray:
        return loops.unary(operation, x, astype)

    function.__name__ = function.__qualname__ = name
    return function


def binary(name: str, modules: dict[Any, compiler.Module], kinds: str, result: str = "same", refused: str = "") -> Any:
    """The same of two arrays, or of one and a number."""
    operation = Operation(name, modules, 2, kinds, result, refused=refused)

    def function(x1: Any, x2: Any) -> CudaArray:
        return loops.binary(operation, x1, x2, astype)

    function.__name__ = function.__qualname__ = name
    return function


add = binary("add", ARITHMETIC, "biufc")
subtract = binary("subtract", ARITHMETIC, "iufc", refused="b")
multiply = binary("multiply", ARITHMETIC, "biufc")
divide = binary("divide", ARITHMETIC, "fc")
floor_divide = binary("floor_divide", ARITHMETIC, "iuf")
remainder = binary("remainder", ARITHMETIC, "iuf")
fmod = binary("fmod", ARITHMETIC, "iuf")
maximum = binary("maximum", ARITHMETIC, "biuf")
minimum = binary("minimum", ARITHMETIC, "biuf")
copysign = binary("copysign", ARITHMETIC, "f")
nextafter = binary("nextafter", ARITHMETIC, "f")
heaviside = binary("heaviside", ARITHMETIC, "f")
bitwise_and = binary("bitwise_and", ARITHMETIC, "biu")
bitwise_or = binary("bitwise_or", ARITHMETIC, "biu")
bitwise_xor = binary("bitwise_xor", ARITHMETIC, "biu")
bitwise_left_shift = binary("bitwise_left_shift", ARITHMETIC, "iu")
bitwise_right_shift = binary("bitwise_right_shift", ARITHMETIC, "iu")
logical_and = binary("logical_and", ARITHMETIC, "biufc", "bool")
logical_or = binary("logical_or", ARITHMETIC, "biufc", "bool")
logical_xor = binary("logical_xor", ARITHMETIC, "biufc", "bool")

logical_not = unary("logical_not", ARITHMETIC, "biufc", "bool")
bitwise_invert = unary("bitwise_invert", ARITHMETIC, "biu")
negative = unary("negative", ARITHMETIC, "iufc", refused="b")
reciprocal = unary("reciprocal", ARITHMETIC, "iufc")
sign = unary("sign", ARITHMETIC, "iufc", refused="b")
square = unary("square", ARITHMETIC, "iufc")
sqrt = unary("sqrt", ARITHMETIC, "fc")
signbit = unary("signbit", ARITHMETIC, "f", "bool")
_cube = unary("cube", ARITHMETIC, "fc")

exp = unary("exp", TRANSCENDENTAL, "fc")
exp2 = unary("exp2", TRANSCENDENTAL, "fc")
expm1 = unary("expm1", TRANSCENDENTAL, "fc")
log = unary("log", TRANSCENDENTAL, "fc")
log1p = unary("log1p", TRANSCENDENTAL, "fc")
log2 = unary("log2", TRANSCENDENTAL, "fc")
log10 = unary("log10", TRANSCENDENTAL, "fc")
logaddexp = binary("logaddexp", TRANSCENDENTAL, "f")
logaddexp2 = binary("logaddexp2", TRANSCENDENTAL, "f")
hypot = binary("hypot", TRANSCENDENTAL, "f")

sin = unary("sin", TRANSCENDENTAL, "fc")
cos = unary("cos", TRANSCENDENTAL, "fc")
tan = unary("tan", TRANSCENDENTAL, "fc")
asin = unary("asin", TRANSCENDENTAL, "fc")
acos = unary("acos", TRANSCENDENTAL, "fc")
atan = unary("atan", TRANSCENDENTAL, "fc")
atan2 = binary("atan2", TRANSCENDENTAL, "f")
sinh = unary("sinh", TRANSCENDENTAL, "fc")
cosh = unary("cosh", TRANSCENDENTAL, "fc")
tanh = unary("tanh", TRANSCENDENTAL, "fc")
asinh = unary("asinh", TRANSCENDENTAL, "fc")
acosh = unary("acosh", TRANSCENDENTAL, "fc")
atanh = unary("atanh", TRANSCENDENTAL, "fc")


def add_into(target: CudaArray, source: Any) -> None:
    """target += source, broadcast, in the memory and the dtype of ``target``."""
    loop = _ADD.loop(target.dtype)
    if not target.size:
        return
    if type(source) is not CudaArray:
        loops.launch(loop, target, loops.BLANK[target.dtype] + loop.number(source), target, None)
        return
    source = astype(source, target.dtype)
    if source.shape != target.shape and layout.broadcast_shapes(source.shape, target.shape) != target.shape:
        raise ValueError(f"shape {source.shape} does not broadcast to {target.shape}")
    if source.block is target.block and (source.address, source.strides) != (target.address, target.strides):
        source = copied(source)  # it may overlap the target, whose elements change in no order
    loops.launch(loop, target, loops.ZEROS[target.dtype], target, source)


_ADD = Operation("add", ARITHMETIC, 2, "biufc")

# --- powers -------------------------------------------------------------------------------------------------

_POW = {**TRANSCENDENTAL, **{dtype: ARITHMETIC[dtype] for dtype in types.INTEGERS}}
_pow = binary("pow", _POW, "iufc")


def pow(x1: Any, x2: Any) -> CudaArray:
    """x1 to the power x2.

    Raises:
        ValueError: an integer to the power of a negative integer.
    """
    if _integral(x1) and _integral(x2) and _any_negative(x2):
        raise ValueError("Integers to negative integer powers are not allowed.")
    return _pow(x1, x2)  # type: ignore[no-any-return]


def _integral(x: Any) -> bool:
    return type(x) is int or (type(x) is CudaArray and x.dtype.kind in "biu")


def _any_negative(x: Any) -> bool:
    if type(x) is int:
        return x < 0
    # Whether to refuse is for the processor to say, which therefore waits; such exponents are rare, and few.
    return x.dtype.kind == "i" and bool((x.get() < 0).any())


def power(x: CudaArray, exponent: float) -> CudaArray:
    """Floats to the power of a Python number."""
    special = _POWERS.get(exponent)
    return special(x) if special is not None else _pow(x, exponent)  # type: ignore[no-any-return]


_POWERS: dict[float, Any] = {2: square, 3: _cube, 1: copied, -1: reciprocal, 0.5: sqrt}

# --- comparisons --------------------------------------------------------------------------------------------

_BOUNDS = {dtype: (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)) for dtype in types.INTEGERS}


def _comparison(name: str, kinds: str) -> Any:
    operation = Operation(name, ARITHMETIC, 2, kinds, "bool")
    compare = getattr(np, name)

    def function(x1: Any, x2: Any) -> CudaArray:
        if type(x2) is int and type(x1) is CudaArray and x1.dtype.kind in "iu":
            low, high = _BOUNDS[x1.dtype]
            if not low <= x2 <= high:  # then every element compares alike
                return full(x1.shape, bool(compare(0, -1 if x2 < low else 1)), dtypes.bool_)
        elif type(x1) is int and type(x2) is CudaArray and x2.dtype.kind in "iu":
            low, high = _BOUNDS[x2.dtype]
            if not low <= x1 <= high:
                return full(x2.shape, bool(compare(-1 if x1 < low else 1, 0)), dtypes.bool_)
        return loops.binary(operation, x1, x2, astype)

    function.__name__ = function.__qualname__ = name
    return function


equal = _comparison("equal", "biufc")
not_equal = _comparison("not_equal", "biufc")
less = _comparison("less", "biuf")
less_equal = _comparison("less_equal", "biuf")


def greater(x1: Any, x2: Any) -> CudaArray:
    """x1 > x2."""
    return less(x2, x1)  # type: ignore[no-any-return]


def greater_equal(x1: Any, x2: Any) -> CudaArray:
    """x1 >= x2."""
    return less_equal(x2, x1)  # type: ignore[no-any-return]


# --- choices ------------------------------------------------------------------------------------------------

_WHERE = Operation("where", ARITHMETIC, 3, "biufc")
_CLIP = Operation("clip", ARITHMETIC, 3, "biuf")


def where(condition: Any, x1: Any, x2: Any) -> CudaArray:
    """x1 where the condition holds, else x2."""
    condition = astype(condition, dtypes.bool_)
    x1, x2 = operand(x1), operand(x2)
    return loops.ternary(_WHERE.loop(promoted[_type(x1), _type(x2)]), condition, x1, x2, astype)


def clip(x: Any, low: Any, high: Any) -> CudaArray:
    """min(max(x, low), high); None is no bound."""
    if low is None or high is None:
        if low is None and high is None:
            return copied(x)
        return minimum(x, high) if low is None else maximum(x, low)  # type: ignore[no-any-return]
    x, low, high = loops.array(x), operand(low), operand(high)
    loop = _CLIP.loop(promoted[promoted[x.dtype, _type(low)], _type(high)])
    return loops.ternary(loop, astype(x, loop.dtype), low, high, astype)


def _type(x: Any) -> Any:
    return x.dtype if type(x) is CudaArray else type(x)


# --- what integers and real numbers need no kernel for ----------------------------------------------------------


def _else_copied(name: str, kinds: str, exact: str = "biu") -> Any:
    function = unary(name, ARITHMETIC, kinds)

    def rounded(x: Any) -> CudaArray:
        x = loops.array(x)
        return copied(x) if x.dtype.kind in exact else function(x)

    rounded.__name__ = rounded.__qualname__ = name
    return rounded


floor = _else_copied("floor", "f")
ceil = _else_copied("ceil", "f")
trunc = _else_copied("trunc", "f")
round = _else_copied("round", "fc")
conj = _else_copied("conj", "c", exact="biuf")
_magnitude = unary("abs", ARITHMETIC, "iufc", "real")


def abs(x: Any) -> CudaArray:
    """The absolute value, of a complex number the modulus."""
    x = loops.array(x)
    return copied(x) if x.dtype.kind in "bu" else _magnitude(x)


def positive(x: CudaArray) -> CudaArray:
    """A copy, of numbers."""
    if x.dtype.kind == "b":
        raise TypeError("positive has no meaning for bool")
    return copied(x)


def _else_constant(name: str, value: bool) -> Any:
    function = unary(name, ARITHMETIC, "fc", "bool")

    def judged(x: Any) -> CudaArray:
        x = loops.array(x)
        return function(x) if x.dtype.kind in "fc" else full(x.shape, value, dtypes.bool_)

    judged.__name__ = judged.__qualname__ = name
    return judged


isfinite = _else_constant("isfinite", True)
isinf = _else_constant("isinf", False)
isnan = _else_constant("isnan", False)


def real(x: CudaArray) -> CudaArray:
    """A copy of the real parts."""
    return copied(_parts(x, 0) if x.dtype.kind == "c" else x)


def imag(x: CudaArray) -> CudaArray:
    """A copy of the imaginary parts, which are zeros for real numbers."""
    return copied(_parts(x, 1)) if x.dtype.kind == "c" else zeros(x.shape, x.dtype)


def _parts(x: CudaArray, which: int) -> CudaArray:
    """The real (0) or imaginary (1) parts where they lie."""
    part = dtypes.float32 if x.dtype == dtypes.complex64 else dtypes.float64
    return over(x.block, x.address + which * part.itemsize, x.shape, tuple(2 * s for s in x.strides), part)
