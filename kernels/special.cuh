// The error function's family and the derivatives of sin(pi x) / (pi x), for float and double.
//
// Rational approximations: W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23
// (1969), for erfcx; M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied
// Statistics 37 (1988), for erfinv.
#pragma once

#include "libm.cuh"

// Horner's scheme; the constant coefficient comes first.
template <class R>
DEVICE R polynomial(R, double constant) {
    return R(constant);
}
template <class R, class... Rest>
DEVICE R polynomial(R x, double constant, Rest... rest) {
    return polynomial(x, rest...) * x + R(constant);
}

constexpr double SQRT_HALF = 0.707106781186547524401, ONE_OVER_SQRT_PI = 0.564189583547756286948;

// --- the error function ---------------------------------------------------------------------------------------------

// exp(sign y^2) for y >= 0: a square of few bits is exact, and the rest of it is small (Cody).
template <class R>
DEVICE R gauss(R y, R sign) {
    if (y > 40) y = 40;  // where it is 0 or infinite
    const R coarse = libm::trunc(y * 16) * R(0.0625);
    return libm::exp(sign * coarse * coarse) * libm::exp(sign * (y - coarse) * (y + coarse));
}

// exp(y^2) erfc(y) for y > 0.46875
template <class R>
DEVICE R scaled_erfc(R y) {
    if (y <= 4) {
        return polynomial(y, 1.23033935479799725e3, 2.05107837782607147e3, 1.71204761263407058e3, 8.81952221241769090e2,
                          2.98635138197400131e2, 6.61191906371416295e1, 8.88314979438837594, 5.64188496988670089e-1,
                          2.15311535474403846e-8) /
               polynomial(y, 1.23033935480374942e3, 3.43936767414372164e3, 4.36261909014324716e3, 3.29079923573345963e3,
                          1.62138957456669019e3, 5.37181101862009858e2, 1.17693950891312499e2, 1.57449261107098347e1,
                          1.0);
    }
    const R inverse = 1 / y, t = inverse * inverse;
    const R rest = polynomial(t, 6.58749161529837803e-4, 1.60837851487422766e-2, 1.25781726111229246e-1,
                              3.60344899949804439e-1, 3.05326634961232344e-1, 1.63153871373020978e-2) /
                   polynomial(t, 2.33520497626869185e-3, 6.05183413124413191e-2, 5.27905102951428412e-1,
                              1.87295284992346725, 2.56852019228982242, 1.0);
    return (R(ONE_OVER_SQRT_PI) - t * rest) / y;
}

template <class R>
DEVICE R erfcx(R x) {
    if (is_nan(x)) return x;
    if (libm::fabs(x) <= R(0.46875)) return libm::exp(x * x) * libm::erfc(x);
    return x > 0 ? scaled_erfc(x) : 2 * gauss(-x, R(1)) - scaled_erfc(-x);
}

template <class R>
DEVICE R erfinv(R x) {
    if (libm::fabs(x) <= R(0.85)) {
        const R t = R(0.180625) - R(0.25) * (x * x);
        return R(0.5 * SQRT_HALF) * x *
               (polynomial(t, 3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3,
                           1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                           3.3430575583588128105e4, 2.5090809287301226727e3) /
                polynomial(t, 1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
                           2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
                           5.2264952788528545610e3));
    }
    const R r = libm::sqrt(-libm::log(R(0.5) * (1 - libm::fabs(x))));
    R quantile = r;
    if (r <= 5) {
        const R t = r - R(1.6);
        quantile = polynomial(t, 1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550,
                              3.64784832476320460504, 1.27045825245236838258, 2.41780725177450611770e-1,
                              2.27238449892691845833e-2, 7.74545014278341407640e-4) /
                   polynomial(t, 1.0, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1,
                              1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
                              1.05075007164441684324e-9);
    } else if (!is_infinite(r)) {
        const R t = r - 5;
        quantile = polynomial(t, 6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580,
                              2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                              2.71155556874348757815e-5, 2.01033439929228813265e-7) /
                   polynomial(t, 1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
                              7.86869131245613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
                              2.04426310338993978564e-15);
    }
    return libm::copysign(R(SQRT_HALF) * quantile, x);
}

// The logarithm of the normal distribution function.
template <class R>
DEVICE R log_ndtr(R x) {
    if (!(x < -1)) return libm::log1p(R(-0.5) * libm::erfc(R(SQRT_HALF) * x));
    return libm::log(R(0.5) * erfcx(R(-SQRT_HALF) * x)) - R(0.5) * (x * x);
}

// --- sin(t) / t ------------------------------------------------------------------------------------------------

// d^n/dt^n (sin t / t): near 0 Taylor's series, whose first coefficient is given; beyond it what n derivatives of
// t s(t) = sin t say, which is t s_n + n s_(n-1) = the n-th derivative of sin t.
template <class R>
FUNCTION R sinc_derivative(R t, int n, R first) {
    if (n == 0 && t == 0) return R(1);
    if (n && libm::fabs(t) < n + 1) {
        const int start = (n + 1) / 2;
        R term = first, sum = first;
        for (int k = start; k < start + 13 + n; k++) {  // from t^(2k - n) to t^(2k + 2 - n)
            term *= -(t * t) * R(2 * k + 1) / (R(2 * k + 2 - n) * R(2 * k + 1 - n) * R(2 * k + 3));
            sum += term;
        }
        return n % 2 ? t * sum : sum;
    }
    const R s = libm::sin(t), c = libm::cos(t);
    R value = s / t;
    for (int k = 1; k <= n; k++) {
        const R slope = k % 2 ? c : -s;
        value = ((k - 1) & 2 ? -slope : slope) / t - k * value / t;
    }
    return value;
}
