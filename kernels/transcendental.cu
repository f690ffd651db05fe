// Exponentials, logarithms, powers, trigonometric and hyperbolic functions and their inverses, of elements of one type.
//
// Cost: see elementwise.cuh. Tens of instructions for an element of float, which memory still hides; several tens for
// one of double. Sines of large arguments, beyond 10^5 in float, go a slow way through local memory.
//
// Needs -DTYPE= and -DKIND= FLOATS or COMPLEX (elementwise.cuh).
#include "elementwise.cuh"
#include "complex_trigonometry.cuh"

#if KIND == FLOATS

DEVICE C log_of_sum(C x, C y) {
    const C difference = x - y;
    if (x == y) return x + C(0.693147180559945309417);  // also of two infinities
    if (difference > 0) return x + libm::log1p(libm::exp(-difference));
    return difference <= 0 ? y + libm::log1p(libm::exp(difference)) : difference;
}

DEVICE C log2_of_sum(C x, C y) {
    const C difference = x - y, log2_e = C(1.44269504088896340736);
    if (x == y) return x + 1;
    if (difference > 0) return x + log2_e * libm::log1p(libm::exp2(-difference));
    return difference <= 0 ? y + log2_e * libm::log1p(libm::exp2(difference)) : difference;
}

namespace functions = libm;

UNARY(exp2, T, libm::exp2(x))
UNARY(log2, T, libm::log2(x))
UNARY(log10, T, libm::log10(x))
UNARY(sigmoid, T, 1 / (1 + libm::exp(-x)))
BINARY(pow, T, libm::pow(x, y))
BINARY(hypot, T, libm::hypot(x, y))
BINARY(logaddexp, T, log_of_sum(x, y))
BINARY(logaddexp2, T, log2_of_sum(x, y))
BINARY(atan2, T, libm::atan2(x, y))

#else

typedef decltype(C().real) R;

namespace functions = complex_functions;

UNARY(exp2, T, complex_functions::exp(R(LN_2) * x))
UNARY(log2, T, R(1 / LN_2) * complex_functions::log(x))
UNARY(log10, T, R(1 / LN_10) * complex_functions::log(x))
BINARY(pow, T, complex_functions::pow(x, y))

#endif

UNARY(exp, T, functions::exp(x))
UNARY(expm1, T, functions::expm1(x))
UNARY(log, T, functions::log(x))
UNARY(log1p, T, functions::log1p(x))
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
