// Casts from one type to each other one, as C does them: towards zero to integers, not equal to zero to bools, the
// real part of complex numbers. What an integer type cannot hold wraps around, as far as 32 (unsigned: 64) bits hold
// it.
//
// Cost: one read and one write of each element (elementwise.cuh).
//
// Needs -DSOURCES= BOOLS, SIGNED, UNSIGNED, FLOATS or COMPLEX: the types that are cast here.
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
template <>
struct Cast<uint64_t, float> {
    static __device__ __forceinline__ uint64_t of(float x) { return x < 0 ? uint64_t(int64_t(x)) : uint64_t(x); }
};
template <>
struct Cast<uint64_t, double> {
    static __device__ __forceinline__ uint64_t of(double x) { return x < 0 ? uint64_t(int64_t(x)) : uint64_t(x); }
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

template <class S, class R>
struct CastFunction {
    static __device__ __forceinline__ R of(S x) { return cast<R>(x); }
};

#define CAST(name, S, R)                                                                       \
    KERNEL name##_vector(const S* x, R* out, uint32_t tail, Layout<2> layout) {                \
        unary<LANES<S, R>>(CastFunction<S, R>(), x, out, tail, layout);                        \
    }                                                                                          \
    KERNEL name##_strided(const S* x, R* out, uint32_t tail, Layout<2> layout) {               \
        unary<1>(CastFunction<S, R>(), x, out, tail, layout);                                  \
    }
#define CASTS(name, S)                           \
    CAST(name##_to_bool, S, bool)                \
    CAST(name##_to_int8, S, int8_t)              \
    CAST(name##_to_int16, S, int16_t)            \
    CAST(name##_to_int32, S, int32_t)            \
    CAST(name##_to_int64, S, int64_t)            \
    CAST(name##_to_uint8, S, uint8_t)            \
    CAST(name##_to_uint16, S, uint16_t)          \
    CAST(name##_to_uint32, S, uint32_t)          \
    CAST(name##_to_uint64, S, uint64_t)          \
    CAST(name##_to_float16, S, half)             \
    CAST(name##_to_float32, S, float)            \
    CAST(name##_to_float64, S, double)           \
    CAST(name##_to_complex64, S, complex<float>) \
    CAST(name##_to_complex128, S, complex<double>)

#define SIGNED 10
#define UNSIGNED 11

#if SOURCES == BOOLS
CASTS(bool, bool)
#elif SOURCES == SIGNED
CASTS(int8, int8_t)
CASTS(int16, int16_t)
CASTS(int32, int32_t)
CASTS(int64, int64_t)
#elif SOURCES == UNSIGNED
CASTS(uint8, uint8_t)
CASTS(uint16, uint16_t)
CASTS(uint32, uint32_t)
CASTS(uint64, uint64_t)
#elif SOURCES == FLOATS
CASTS(float16, half)
CASTS(float32, float)
CASTS(float64, double)
#else
CASTS(complex64, complex<float>)
CASTS(complex128, complex<double>)
#endif
