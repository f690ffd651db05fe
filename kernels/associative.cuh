// What reductions and scans are made of: sums, products and extrema of any element type, joined in any grouping.
//
// Elements are computed with as Compute<T>::type: half as float, all others as themselves.
#pragma once

#include "types.cuh"

DEVICE float plus(float a, float b) { return a + b; }
DEVICE double plus(double a, double b) { return a + b; }
DEVICE int32_t plus(int32_t a, int32_t b) { return a + b; }
DEVICE uint64_t plus(uint64_t a, uint64_t b) { return a + b; }  // of signed numbers too: only their overflow is defined
template <class R>
DEVICE complex<R> plus(complex<R> a, complex<R> b) {
    return {a.real + b.real, a.imag + b.imag};
}

DEVICE float times(float a, float b) { return a * b; }
DEVICE double times(double a, double b) { return a * b; }
DEVICE uint64_t times(uint64_t a, uint64_t b) { return a * b; }
template <class R>
DEVICE complex<R> times(complex<R> a, complex<R> b) {
    return {a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real};
}

// --- order: NumPy's, in which complex numbers are compared by their real parts first -------------------------

template <class X>
DEVICE bool is_nan(X x) {
    return x != x;
}
template <class R>
DEVICE bool is_nan(complex<R> x) {
    return x.real != x.real || x.imag != x.imag;
}

template <class X>
DEVICE bool at_least(X a, X b) {
    return a >= b;
}
template <class R>
DEVICE bool at_least(complex<R> a, complex<R> b) {
    return (a.real > b.real && !is_nan(a.imag) && !is_nan(b.imag)) || (a.real == b.real && a.imag >= b.imag);
}

template <class X>
struct Limits {  // of integers and bool
    static __device__ __forceinline__ X lowest() { return X(-1) < X(0) ? X(1ull << (8 * sizeof(X) - 1)) : X(0); }
    static __device__ __forceinline__ X highest() { return X(-1) < X(0) ? X(~lowest()) : X(-1); }
};
template <>
struct Limits<bool> {
    static __device__ __forceinline__ bool lowest() { return false; }
    static __device__ __forceinline__ bool highest() { return true; }
};
template <>
struct Limits<float> {
    static __device__ __forceinline__ float lowest() { return -INFINITY; }
    static __device__ __forceinline__ float highest() { return INFINITY; }
};
template <>
struct Limits<double> {
    static __device__ __forceinline__ double lowest() { return -INFINITY; }
    static __device__ __forceinline__ double highest() { return INFINITY; }
};
template <class R>
struct Limits<complex<R>> {
    static __device__ __forceinline__ complex<R> lowest() { return {Limits<R>::lowest(), Limits<R>::lowest()}; }
    static __device__ __forceinline__ complex<R> highest() { return {Limits<R>::highest(), Limits<R>::highest()}; }
};

// NaN beats everything.
template <bool LARGEST, class X>
DEVICE X extremum(X a, X b) {
    return is_nan(a) || (LARGEST ? at_least(a, b) : at_least(b, a)) ? a : b;
}

// Everything beats NaN.
template <bool LARGEST, class X>
DEVICE X extremum_of_numbers(X a, X b) {
    return is_nan(b) || (LARGEST ? at_least(a, b) : at_least(b, a)) ? a : b;
}

// --- values of other threads of a warp, of any type ----------------------------------------------------------

template <class X>
struct Words {
    static constexpr int COUNT = (sizeof(X) + 3) / 4;
    uint32_t word[COUNT];

    __device__ __forceinline__ Words(const X& x) {
        word[COUNT - 1] = 0;
        memcpy(word, &x, sizeof(X));
    }
    __device__ __forceinline__ X value() const {
        X x;
        memcpy(&x, word, sizeof(X));
        return x;
    }
};

// The value of the lane whose number differs in the bits of ``mask``; every lane of the warp takes part.
template <class X>
DEVICE X from_lane_across(X x, int mask) {
    Words<X> words(x);
#pragma unroll
    for (int k = 0; k < Words<X>::COUNT; k++) words.word[k] = __shfl_xor_sync(0xffffffffu, words.word[k], mask);
    return words.value();
}

// The value of the lane ``distance`` before; the first lanes get their own.
template <class X>
DEVICE X from_lane_before(X x, int distance) {
    Words<X> words(x);
#pragma unroll
    for (int k = 0; k < Words<X>::COUNT; k++) words.word[k] = __shfl_up_sync(0xffffffffu, words.word[k], distance);
    return words.value();
}
