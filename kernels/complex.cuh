// Arithmetic, exponentials, logarithms and powers of complex numbers, accurate to a few units in the last place of the
// modulus, with the special values of C's Annex G where that matters.
//
// Products are the plain ones, quotients Smith's (R. L. Smith, "Algorithm 116: complex division", CACM 5, 1962), as
// NumPy's.
#pragma once

#include "libm.cuh"

constexpr double LN_2 = 0.693147180559945309417, LN_10 = 2.30258509299404568402;
constexpr double PI = 3.14159265358979323846;

template <class R>
DEVICE complex<R> operator+(complex<R> a, complex<R> b) {
    return complex<R>(a.real + b.real, a.imag + b.imag);
}
template <class R>
DEVICE complex<R> operator-(complex<R> a, complex<R> b) {
    return complex<R>(a.real - b.real, a.imag - b.imag);
}
template <class R>
DEVICE complex<R> operator-(complex<R> a) {
    return complex<R>(-a.real, -a.imag);
}
template <class R>
DEVICE complex<R> operator*(complex<R> a, complex<R> b) {
    return complex<R>(a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real);
}
template <class R>
DEVICE complex<R> operator*(R a, complex<R> b) {
    return complex<R>(a * b.real, a * b.imag);
}
template <class R>
DEVICE bool operator==(complex<R> a, complex<R> b) {
    return a.real == b.real && a.imag == b.imag;
}

template <class R>
DEVICE complex<R> operator/(complex<R> a, complex<R> b) {
    if (libm::fabs(b.real) >= libm::fabs(b.imag)) {
        if (b.real == 0) return complex<R>(a.real / libm::fabs(b.real), a.imag / libm::fabs(b.real));
        const R ratio = b.imag / b.real, scale = 1 / (b.real + b.imag * ratio);
        return complex<R>((a.real + a.imag * ratio) * scale, (a.imag - a.real * ratio) * scale);
    }
    const R ratio = b.real / b.imag, scale = 1 / (b.imag + b.real * ratio);
    return complex<R>((a.real * ratio + a.imag) * scale, (a.imag * ratio - a.real) * scale);
}

template <class R>
DEVICE complex<R> reciprocal(complex<R> z) {
    if (libm::fabs(z.imag) <= libm::fabs(z.real)) {
        const R ratio = z.imag / z.real, scale = z.real + z.imag * ratio;
        return complex<R>(1 / scale, -ratio / scale);
    }
    const R ratio = z.real / z.imag, scale = z.real * ratio + z.imag;
    return complex<R>(ratio / scale, -1 / scale);
}

template <class R>
DEVICE complex<R> square(complex<R> z) {
    return z * z;
}

template <class R>
DEVICE bool is_nan(complex<R> z) {
    return is_nan(z.real) || is_nan(z.imag);
}
template <class R>
DEVICE bool is_infinite(complex<R> z) {
    return is_infinite(z.real) || is_infinite(z.imag);
}
template <class R>
DEVICE bool is_finite(complex<R> z) {
    return is_finite(z.real) && is_finite(z.imag);
}

template <class R>
DEVICE R modulus(complex<R> z) {
    return libm::hypot(z.real, z.imag);
}

// z / |z|, and 0 for 0.
template <class R>
DEVICE complex<R> direction(complex<R> z) {
    const R size = modulus(z);
    if (size == 0) return complex<R>(0);
    if (!is_infinite(size)) return complex<R>(z.real / size, z.imag / size);
    if (is_infinite(z.real) && is_infinite(z.imag)) return complex<R>(size - size, size - size);
    if (is_infinite(z.real)) return complex<R>(libm::copysign(R(1), z.real), 0);
    return complex<R>(0, libm::copysign(R(1), z.imag));
}

// scale exp(x) (c, s) for the cosine and sine of something, where exp(x) alone may overflow.
template <class R>
DEVICE complex<R> exponential(R x, R scale, R c, R s) {
    if (libm::fabs(x) < Limits<R>::LOG_LARGEST) {
        const R e = scale * libm::exp(x);
        return complex<R>(e * c, e * s);
    }
    const R root = libm::exp(R(0.5) * x);
    return complex<R>((scale * root * c) * root, (scale * root * s) * root);
}

namespace complex_functions {

template <class R>
FUNCTION complex<R> exp(complex<R> z) {
    if (z.imag == 0) return complex<R>(libm::exp(z.real), z.imag);
    if (!is_finite(z.imag)) {
        if (z.real == -Limits<R>::INFINITE) return complex<R>(0, libm::copysign(R(0), z.imag));
        const R undefined = z.imag - z.imag;
        return complex<R>(z.real == Limits<R>::INFINITE ? z.real : undefined, undefined);
    }
    return exponential(z.real, R(1), libm::cos(z.imag), libm::sin(z.imag));
}

template <class R>
FUNCTION complex<R> expm1(complex<R> z) {
    if (!is_finite(z) || z == complex<R>(0)) return exp(z) - complex<R>(1);
    const R half_sine = libm::sin(R(0.5) * z.imag), c = libm::cos(z.imag), s = libm::sin(z.imag);
    return complex<R>(libm::expm1(z.real) * c - 2 * half_sine * half_sine, libm::exp(z.real) * s);
}

// log |z|, whose digits near |z| = 1 are those of |z|^2 - 1.
template <class R>
DEVICE R log_modulus(R x, R y) {
    x = libm::fabs(x);
    y = libm::fabs(y);
    const R large = x > y ? x : y, small = x > y ? y : x;
    if (large > R(0.5) && large < 2 && small < 1) {
        return R(0.5) * libm::log1p((large - 1) * (large + 1) + small * small);
    }
    if (large > R(0.25) * Limits<R>::LARGEST) return libm::log(libm::hypot(R(0.25) * x, R(0.25) * y)) + R(2 * LN_2);
    return libm::log(libm::hypot(x, y));
}

template <class R>
FUNCTION complex<R> log(complex<R> z) {
    return complex<R>(log_modulus(z.real, z.imag), libm::atan2(z.imag, z.real));
}

template <class R>
FUNCTION complex<R> log1p(complex<R> z) {
    const R size = libm::fabs(z.real) > libm::fabs(z.imag) ? libm::fabs(z.real) : libm::fabs(z.imag);
    const R real = size < R(0.5) ? R(0.5) * libm::log1p(z.real * (2 + z.real) + z.imag * z.imag)
                                 : log_modulus(z.real + 1, z.imag);
    return complex<R>(real, libm::atan2(z.imag, z.real + 1));
}

template <class R>
FUNCTION complex<R> sqrt(complex<R> z) {
    if (z == complex<R>(0)) return complex<R>(0, z.imag);
    if (is_infinite(z.imag)) return complex<R>(Limits<R>::INFINITE, z.imag);
    if (is_infinite(z.real)) {
        const R zero = z.imag - z.imag;
        return z.real > 0 ? complex<R>(z.real, libm::copysign(zero, z.imag))
                          : complex<R>(libm::fabs(zero), libm::copysign(z.real, z.imag));
    }
    // A power of 4, so that neither the sum overflows nor its terms lose bits.
    const R size = libm::fabs(z.real) > libm::fabs(z.imag) ? libm::fabs(z.real) : libm::fabs(z.imag);
    const bool huge = size > R(0.125) * Limits<R>::LARGEST, tiny = size < 16 * Limits<R>::TINY;
    const R scale = huge ? R(0.0625) : tiny ? R(1 << 30) : R(1), back = huge ? R(4) : tiny ? R(1) / (1 << 15) : R(1);
    const R x = scale * z.real, y = scale * z.imag;
    const R t = libm::sqrt(R(0.5) * (libm::fabs(x) + libm::hypot(x, y)));
    const R other = libm::fabs(y) / (2 * t);
    return x >= 0 ? complex<R>(back * t, libm::copysign(back * other, y))
                  : complex<R>(back * other, libm::copysign(back * t, y));
}

template <class R>
FUNCTION complex<R> pow(complex<R> z, complex<R> w) {
    if (w == complex<R>(0)) return complex<R>(1);
    if (z == complex<R>(0)) {
        const R undefined = w.real > 0 && w.imag == 0 ? R(0) : Limits<R>::INFINITE - Limits<R>::INFINITE;
        return complex<R>(undefined, undefined);
    }
    if (w.imag == 0 && w.real == libm::rint(w.real) && libm::fabs(w.real) < 100) {
        complex<R> power = z, result(1);
        for (int rest = int(libm::fabs(w.real)); rest; rest >>= 1) {
            if (rest & 1) result = result * power;
            power = power * power;
        }
        return w.real < 0 ? reciprocal(result) : result;
    }
    return exp(w * log(z));
}

}  // namespace complex_functions
