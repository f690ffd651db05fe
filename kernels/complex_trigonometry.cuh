// Trigonometric and hyperbolic functions of complex numbers, and their inverses.
//
// asin and acos: T. E. Hull, T. F. Fairgrieve, P. T. P. Tang, "Implementing the complex arcsine and arccosine
// functions using exception handling", ACM TOMS 23 (1997). tanh and atanh: W. Kahan, "Branch cuts for complex
// elementary functions", 1987. The others follow by turning the argument by a right angle.
#pragma once

#include "complex.cuh"

namespace complex_functions {

// i z and -i z
template <class R>
DEVICE complex<R> turned(complex<R> z) {
    return complex<R>(-z.imag, z.real);
}
template <class R>
DEVICE complex<R> turned_back(complex<R> z) {
    return complex<R>(z.imag, -z.real);
}

// --- hyperbolic functions ---------------------------------------------------------------------------------------

template <class R>
FUNCTION complex<R> sinh(complex<R> z) {
    const R x = z.real, y = z.imag;
    if (y == 0) return complex<R>(libm::sinh(x), y);
    if (x == 0) return complex<R>(x, libm::sin(y));
    const R c = libm::cos(y), s = libm::sin(y);
    if (libm::fabs(x) < Limits<R>::LOG_LARGEST) return complex<R>(libm::sinh(x) * c, libm::cosh(x) * s);
    return exponential(libm::fabs(x), R(0.5), x < 0 ? -c : c, s);
}

template <class R>
FUNCTION complex<R> cosh(complex<R> z) {
    const R x = z.real, y = z.imag;
    if (y == 0) return complex<R>(libm::cosh(x), libm::copysign(R(1), x) * y);
    if (x == 0) return complex<R>(libm::cos(y), x * libm::copysign(R(1), y));
    const R c = libm::cos(y), s = libm::sin(y);
    if (libm::fabs(x) < Limits<R>::LOG_LARGEST) return complex<R>(libm::cosh(x) * c, libm::sinh(x) * s);
    return exponential(libm::fabs(x), R(0.5), c, x < 0 ? -s : s);
}

template <class R>
FUNCTION complex<R> tanh(complex<R> z) {
    const R x = z.real, y = z.imag;
    if (y == 0) return complex<R>(libm::tanh(x), y);
    if (libm::fabs(x) > R(0.25) * Limits<R>::LOG_LARGEST) {  // where cosh^2 rules
        if (is_infinite(x) && !is_finite(y)) return complex<R>(libm::copysign(R(1), x), libm::copysign(R(0), y));
        const R e = libm::exp(-libm::fabs(x));
        return complex<R>(libm::copysign(R(1), x), 4 * libm::sin(y) * libm::cos(y) * e * e);
    }
    const R t = libm::tan(y), beta = 1 + t * t, s = libm::sinh(x), rho = libm::sqrt(1 + s * s);
    const R below = 1 + beta * s * s;
    return complex<R>(beta * rho * s / below, t / below);
}

template <class R>
DEVICE complex<R> sin(complex<R> z) {
    return turned_back(sinh(turned(z)));
}
template <class R>
DEVICE complex<R> cos(complex<R> z) {
    return cosh(turned(z));
}
template <class R>
DEVICE complex<R> tan(complex<R> z) {
    return turned_back(tanh(turned(z)));
}

// --- their inverses -----------------------------------------------------------------------------------------------

// What asin and acos of x + iy have in common, for x and y >= 0: asin = atan2(x, across) + i height, and
// acos = atan2(across, x) - i height.
template <class R>
struct Arc {
    R across, height;
};

template <class R>
DEVICE Arc<R> arc(R x, R y) {
    if (!(x < 1 / Limits<R>::EPSILON && y < 1 / Limits<R>::EPSILON)) {
        return {y, log_modulus(x, y) + R(LN_2)};  // z^2 - 1 is z^2
    }
    const R r = libm::hypot(x + 1, y), s = libm::hypot(x - 1, y), a = R(0.5) * (r + s);
    // a - 1 and a - x without cancellation
    const R inner = y == 0 ? (x < 1 ? R(0) : x - 1)
                           : R(0.5) * (y * (y / (r + x + 1)) + (x < 1 ? y * (y / (s + (1 - x))) : s + (x - 1)));
    const R across = x <= 1 ? libm::sqrt(R(0.5) * (y * (y / (r + x + 1)) + (s + (1 - x))) * (a + x))
                            : y * libm::sqrt(R(0.5) * (1 / (r + x + 1) + 1 / (s + (x - 1))) * (a + x));
    return {across, libm::log1p(inner + libm::sqrt(inner * (a + 1)))};
}

template <class R>
FUNCTION complex<R> asin(complex<R> z) {
    const R x = libm::fabs(z.real), y = libm::fabs(z.imag);
    if (is_nan(z)) {
        const R sum = x + y;
        if (is_infinite(z)) return complex<R>(sum, libm::copysign(Limits<R>::INFINITE, z.imag));
        return complex<R>(x == 0 ? z.real : sum, sum);
    }
    const Arc<R> found = arc(x, y);
    return complex<R>(libm::copysign(libm::atan2(x, found.across), z.real), libm::copysign(found.height, z.imag));
}

template <class R>
FUNCTION complex<R> acos(complex<R> z) {
    const R x = libm::fabs(z.real), y = libm::fabs(z.imag);
    if (is_nan(z)) {
        const R sum = x + y;
        if (is_infinite(z)) return complex<R>(sum, libm::copysign(Limits<R>::INFINITE, -z.imag));
        return complex<R>(x == 0 ? R(PI / 2) : sum, sum);
    }
    const Arc<R> found = arc(x, y);
    return complex<R>(libm::atan2(found.across, z.real), libm::copysign(found.height, -z.imag));
}

template <class R>
FUNCTION complex<R> atanh(complex<R> z) {
    const R x = libm::fabs(z.real), y = libm::fabs(z.imag);
    if (is_infinite(z) || is_nan(z)) {
        const R right_angle = is_infinite(z.imag) || !is_nan(z) ? R(PI / 2) : x + y;
        return complex<R>(is_infinite(z) ? libm::copysign(R(0), z.real) : x + y, libm::copysign(right_angle, z.imag));
    }
    if (x > 1 / Limits<R>::EPSILON || y > 1 / Limits<R>::EPSILON) {  // 1 / z and a right angle
        const R real = x > y ? 1 / (x + y * (y / x)) : x / y / (y + x * (x / y));
        return complex<R>(libm::copysign(real, z.real), libm::copysign(R(PI / 2), z.imag));
    }
    const R real = R(0.25) * libm::log1p(4 * x / ((1 - x) * (1 - x) + y * y));
    const R imag = R(0.5) * libm::atan2(2 * y, (1 - x) * (1 + x) - y * y);
    return complex<R>(libm::copysign(real, z.real), libm::copysign(imag, z.imag));
}

template <class R>
DEVICE complex<R> atan(complex<R> z) {
    return turned_back(atanh(turned(z)));
}
template <class R>
DEVICE complex<R> asinh(complex<R> z) {
    return turned(asin(turned_back(z)));
}
template <class R>
DEVICE complex<R> acosh(complex<R> z) {
    const complex<R> w = acos(z);
    return sign_bit(z.imag) ? turned_back(w) : turned(w);
}

}  // namespace complex_functions
