// Trigonometric and hyperbolic functions and their inverses, of elements of one type.
//
// Cost: see elementwise.cuh. Sines of large arguments, beyond 10^5 in float, go a slow way through local memory.
//
// Needs -DTYPE= and -DKIND= FLOATS or COMPLEX (elementwise.cuh).
#include "elementwise.cuh"
#include "complex_trigonometry.cuh"

#if KIND == FLOATS
namespace functions = libm;
BINARY(atan2, T, libm::atan2(x, y))
#else
namespace functions = complex_functions;
#endif

UNARY(sin, T, functions::sin(x))
UNARY(cos, T, functions::cos(x))
UNARY(tan, T, functions::tan(x))
UNARY(asin, T, functions::asin(x))
UNARY(acos, T, functions::acos(x))
UNARY(atan, T, functions::atan(x))
UNARY(sinh, T, functions::sinh(x))
UNARY(cosh, T, functions::cosh(x))
UNARY(tanh, T, functions::tanh(x))
UNARY(asinh, T, functions::asinh(x))
UNARY(acosh, T, functions::acosh(x))
UNARY(atanh, T, functions::atanh(x))
