// Sums of products of any element type, as NumPy's matrix products compute them.
//
// half is summed in float and rounded once. Integers wrap around: their low bits depend neither on the high ones nor on
// whether there is a sign, so small ones are summed in 32 bits, and those with a sign as if they had none, because then
// overflow is defined. bool has "and" and "or".
#pragma once

#include "types.cuh"

template <class T>
struct Sum {
    using type = T;
};
template <>
struct Sum<half> {
    using type = float;
};
template <>
struct Sum<uint8_t> {
    using type = uint32_t;
};
template <>
struct Sum<uint16_t> {
    using type = uint32_t;
};

template <class S>
DEVICE void multiply_add(S& sum, S a, S b) {
    sum += a * b;
}
DEVICE void multiply_add(bool& sum, bool a, bool b) { sum |= a && b; }
template <class R>
DEVICE void multiply_add(complex<R>& sum, complex<R> a, complex<R> b) {
    sum.real += a.real * b.real;
    sum.real -= a.imag * b.imag;
    sum.imag += a.real * b.imag;
    sum.imag += a.imag * b.real;
}

template <class S>
DEVICE void add_to(S& sum, S x) {
    sum += x;
}
DEVICE void add_to(bool& sum, bool x) { sum |= x; }
template <class R>
DEVICE void add_to(complex<R>& sum, complex<R> x) {
    sum.real += x.real;
    sum.imag += x.imag;
}

template <class S>
DEVICE S negative(S x) {
    return S(0) - x;
}
template <class R>
DEVICE complex<R> negative(complex<R> x) {
    return complex<R>(-x.real, -x.imag);
}

template <class S>
DEVICE S conjugate(S x) {
    return x;
}
template <class R>
DEVICE complex<R> conjugate(complex<R> x) {
    return complex<R>(x.real, -x.imag);
}

// The value that the lane whose number differs in the bits of `mask` has.
template <class S>
DEVICE S of_lane(S x, int mask) {
    return __shfl_xor_sync(0xffffffffu, x, mask);
}
DEVICE bool of_lane(bool x, int mask) { return __shfl_xor_sync(0xffffffffu, (uint32_t)x, mask) != 0; }
template <class R>
DEVICE complex<R> of_lane(complex<R> x, int mask) {
    return complex<R>(of_lane(x.real, mask), of_lane(x.imag, mask));
}
DEVICE uint64_t of_lane(uint64_t x, int mask) {
    return (uint64_t)__shfl_xor_sync(0xffffffffu, (unsigned long long)x, mask);
}

// The sum over the lanes of a warp, in all of them.
template <class S>
DEVICE S warp_sum(S x) {
#pragma unroll
    for (int mask = 16; mask > 0; mask /= 2) add_to(x, of_lane(x, mask));
    return x;
}
