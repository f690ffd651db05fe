// The mathematical functions of CUDA C++, each under one name for float and double.
#pragma once

#include "types.cuh"

// A function that is called and not pasted, because it is long and occurs in several kernels.
#define FUNCTION static __device__ __noinline__

#define OF_ONE(name)                                  \
    DEVICE float name(float x) { return ::name##f(x); } \
    DEVICE double name(double x) { return ::name(x); }
#define OF_TWO(name)                                                \
    DEVICE float name(float x, float y) { return ::name##f(x, y); } \
    DEVICE double name(double x, double y) { return ::name(x, y); }

namespace libm {

OF_ONE(fabs)
OF_ONE(floor)
OF_ONE(ceil)
OF_ONE(trunc)
OF_ONE(rint)
OF_ONE(sqrt)
OF_ONE(exp)
OF_ONE(exp2)
OF_ONE(expm1)
OF_ONE(log)
OF_ONE(log1p)
OF_ONE(log2)
OF_ONE(log10)
OF_ONE(sin)
OF_ONE(cos)
OF_ONE(tan)
OF_ONE(asin)
OF_ONE(acos)
OF_ONE(atan)
OF_ONE(sinh)
OF_ONE(cosh)
OF_ONE(tanh)
OF_ONE(asinh)
OF_ONE(acosh)
OF_ONE(atanh)
OF_ONE(erf)
OF_ONE(erfc)
OF_ONE(lgamma)
OF_ONE(sinpi)
OF_ONE(cospi)
OF_TWO(fmod)
OF_TWO(copysign)
OF_TWO(nextafter)
OF_TWO(pow)
OF_TWO(hypot)
OF_TWO(atan2)

}  // namespace libm

#undef OF_ONE
#undef OF_TWO

// The limits of a floating-point type.
template <class R>
struct Limits;
template <>
struct Limits<float> {
    static constexpr float INFINITE = __builtin_huge_valf(), LARGEST = 3.40282347e38f, TINY = 1.17549435e-38f;
    static constexpr float LOG_LARGEST = 88.7f, EPSILON = 1.1920929e-7f;
};
template <>
struct Limits<double> {
    static constexpr double INFINITE = __builtin_huge_val(), LARGEST = 1.7976931348623157e308;
    static constexpr double TINY = 2.2250738585072014e-308, LOG_LARGEST = 709.7, EPSILON = 2.220446049250313e-16;
};

template <class R>
DEVICE bool is_nan(R x) {
    return x != x;
}
template <class R>
DEVICE bool is_infinite(R x) {
    return libm::fabs(x) == Limits<R>::INFINITE;
}
template <class R>
DEVICE bool is_finite(R x) {
    return libm::fabs(x) < Limits<R>::INFINITE;
}
template <class R>
DEVICE bool sign_bit(R x) {
    return libm::copysign(R(1), x) < 0;
}
