// The derivatives of the gamma function's logarithm, for float and double.
//
// Recurrence up to 8, then an asymptotic series, reflection for negative numbers (NIST Digital Library of Mathematical
// Functions, 5.5, 5.7, 5.11, 5.15); Hurwitz's zeta function by Euler-Maclaurin summation (DLMF 25.11).
#pragma once

#include "special.cuh"

constexpr double PI = 3.14159265358979323846;

// The derivative of lgamma.
template <class R>
DEVICE R digamma(R x) {
    R y = x <= 0 ? 1 - x : x, value = 0;
    while (y < 8) {  // digamma(y) = digamma(y + 1) - 1 / y
        value -= 1 / y;
        y += 1;
    }
    const R t = 1 / y;
    // B_2k / (2k) in 1 / y^2
    value += libm::log(y) - R(0.5) * t -
             t * t *
                 polynomial(t * t, 1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12,
                            -3617.0 / 8160);
    if (x > 0 || is_nan(x)) return value;
    const R fraction = x - libm::rint(x);
    if (x == 0) return libm::copysign(Limits<R>::INFINITE, -x);
    if (!(fraction != 0) || is_infinite(x)) return Limits<R>::INFINITE - Limits<R>::INFINITE;
    return value - R(PI) * libm::cospi(fraction) / libm::sinpi(fraction);  // digamma(1 - x) - digamma(x) = pi cot(pi x)
}

// Hurwitz's zeta function, the sum of (q + k)^-s over k >= 0, for q > 0.
FUNCTION double zeta(double s, double q) {
    constexpr int DIRECT = 10;  // terms before the integral: with twelve corrections enough for double
    double total = 0;
    for (int k = 0; k < DIRECT; k++) total += libm::pow(q + k, -s);
    const double a = q + DIRECT, t = 1 / a, t2 = t * t;
    // B_2j / (2j)!, times s (s + 1) ... (s + 2j - 2)
    const double bernoulli[12] = {1.0 / 12,
                                  -1.0 / 720,
                                  1.0 / 30240,
                                  -1.0 / 1209600,
                                  1.0 / 47900160,
                                  -691.0 / 1307674368000,
                                  1.0 / 74724249600,
                                  -3617.0 / 10670622842880000,
                                  43867.0 / 5109094217170944000,
                                  -174611.0 / 802857662698291200000.0,
                                  77683.0 / 14101100039391805440000.0,
                                  -236364091.0 / 1693824136731743669452800000.0};
    double factor = s * t, corrections = 0;
#pragma unroll
    for (int j = 1; j <= 12; j++) {
        corrections += bernoulli[j - 1] * factor;
        factor *= (s + 2 * j - 1) * (s + 2 * j) * t2;
    }
    return total + libm::pow(a, 1 - s) * (1 / (s - 1) + t * (0.5 + corrections));
}

// The n-th derivative of digamma for n >= 1; ``cotangent`` holds the n + 2 coefficients of that of cot t as a
// polynomial in cot t.
FUNCTION double polygamma(double x, int n, double factorial, const double* __restrict__ cotangent) {
    const bool negative = x <= 0;
    double value = factorial * zeta(n + 1, negative ? 1 - x : x);
    if (!negative) return n % 2 ? value : -value;
    const double fraction = x - libm::rint(x);
    const double c = libm::cospi(fraction) / libm::sinpi(fraction);
    double derivative = cotangent[n + 1];
    for (int k = n; k >= 0; k--) derivative = derivative * c + cotangent[k];
    return -value - libm::pow(PI, double(n + 1)) * derivative;
}
