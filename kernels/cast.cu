// Casts from one type to each other one, as C does them: towards zero to integers, not equal to zero to bools, the real part
// of complex numbers. What an integer type cannot hold wraps around, as far as 32 (unsigned: 64) bits hold it.
//
// Cost: one read and one write of each element (elementwise.cuh).
//
// Needs -DTYPE=, the type of the source.
#include "elementwise.cuh"

template <class R, class X>
struct Cast {
    static __device__ __forceinline__ R of(X x) { return R(x); }
};

// From a floating-point type to an integer one, by way of a wider one.
template <class R, class X, class Way>
struct ByWay {
    static __device__ __forceinline__ R of(X x) { return R(Way(x)); }
};
template <class X>
struct Cast<int8_t, X> : ByWay<int8_t, X, int32_t> {};
template <class X>
struct Cast<int16_t, X> : ByWay<int16_t, X, int32_t> {};
template <class X>
struct Cast<uint8_t, X> : ByWay<uint8_t, X, int32_t> {};
template <class X>
struct Cast<uint16_t, X> : ByWay<uint16_t, X, int32_t> {};
template <class X>
struct Cast<uint32_t, X> : ByWay<uint32_t, X, int64_t> {};
template <class X>
struct Cast<uint64_t, X> {
    static __device__ __forceinline__ uint64_t of(X x) { return x < 0 ? uint64_t(int64_t(x)) : uint64_t(x); }
};

template <>
struct Cast<half, double> {
    static __device__ __forceinline__ half of(double x) {
        half rounded;
        rounded.bits = double_to_half_bits(x);
        return rounded;
    }
};

// Half is a float to all others, and a complex number its real part, but to complex numbers and bools.
template <class R, class X>
DEVICE R cast(X x) {
    return Cast<R, X>::of(x);
}
template <class R>
DEVICE R cast(half x) {
    return Cast<R, float>::of(float(x));
}
template <class R>
struct FromComplex {
    template <class P>
    static __device__ __forceinline__ R of(complex<P> x) {
        return cast<R>(x.real);
    }
};
template <>
struct FromComplex<bool> {
    template <class P>
    static __device__ __forceinline__ bool of(complex<P> x) {
        return x.real != 0 || x.imag != 0;
    }
};
template <class Q>
struct FromComplex<complex<Q>> {
    template <class P>
    static __device__ __forceinline__ complex<Q> of(complex<P> x) {
        return complex<Q>(Q(x.real), Q(x.imag));
    }
};
template <class R, class P>
DEVICE R cast(complex<P> x) {
    return FromComplex<R>::of(x);
}

#define CAST(name, R)                                                            \
    struct name##_function {                                                     \
        static __device__ __forceinline__ R of(T x) { return cast<R>(x); }       \
    };                                                                           \
    TWICE(UNARY_KERNEL, name, R)

CAST(to_bool, bool)
CAST(to_int8, int8_t)
CAST(to_int16, int16_t)
CAST(to_int32, int32_t)
CAST(to_int64, int64_t)
CAST(to_uint8, uint8_t)
CAST(to_uint16, uint16_t)
CAST(to_uint32, uint32_t)
CAST(to_uint64, uint64_t)
CAST(to_float16, half)
CAST(to_float32, float)
CAST(to_float64, double)
CAST(to_complex64, complex<float>)
CAST(to_complex128, complex<double>)
