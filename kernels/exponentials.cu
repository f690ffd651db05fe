// Exponentials, logarithms and powers of elements of one type.
//
// Cost: see elementwise.cuh. Tens of instructions for an element of float, which memory still hides; of double several tens,
// half of which the double-precision units do at half the rate.
//
// Needs -DTYPE= and -DKIND= FLOATS or COMPLEX (elementwise.cuh).
#include "elementwise.cuh"
#include "libm.cuh"

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

UNARY(exp, T, libm::exp(x))
UNARY(exp2, T, libm::exp2(x))
UNARY(expm1, T, libm::expm1(x))
UNARY(log, T, libm::log(x))
UNARY(log1p, T, libm::log1p(x))
UNARY(log2, T, libm::log2(x))
UNARY(log10, T, libm::log10(x))
UNARY(sigmoid, T, 1 / (1 + libm::exp(-x)))
BINARY(pow, T, libm::pow(x, y))
BINARY(hypot, T, libm::hypot(x, y))
BINARY(logaddexp, T, log_of_sum(x, y))
BINARY(logaddexp2, T, log2_of_sum(x, y))

#else
#include "complex.cuh"

typedef decltype(C().real) R;

UNARY(exp, T, complex_functions::exp(x))
UNARY(exp2, T, complex_functions::exp(R(LN_2) * x))
UNARY(expm1, T, complex_functions::expm1(x))
UNARY(log, T, complex_functions::log(x))
UNARY(log1p, T, complex_functions::log1p(x))
UNARY(log2, T, R(1 / LN_2) * complex_functions::log(x))
UNARY(log10, T, R(1 / LN_10) * complex_functions::log(x))
BINARY(pow, T, complex_functions::pow(x, y))

#endif
