// The element types that CUDA C++ lacks, and what sums of each type are kept in.
//
//   half         16 bits of storage; arithmetic happens in float and is rounded once
//   complex<R>   real and imaginary part, as NumPy stores them
//   Vector<T, V> V elements that one instruction loads and stores: 16 bytes at most
//   Accumulator<T>::type  what elements of type T are summed in: float for half, 64-bit integers for integers
#pragma once

#include <stdint.h>

#include "ptx.cuh"

#define DEVICE static __device__ __forceinline__

struct half {
    uint16_t bits;

    half() = default;
    __device__ __forceinline__ half(float x) : bits(float_to_half_bits(x)) {}
    __device__ __forceinline__ operator float() const { return half_bits_to_float(bits); }
};

template <class R>
struct alignas(2 * sizeof(R)) complex {
    R real, imag;

    complex() = default;
    __device__ __forceinline__ complex(R re, R im = R(0)) : real(re), imag(im) {}
};

template <class T, int V>
struct alignas(sizeof(T) * V) Vector {
    T item[V];
};

template <class T>
struct Accumulator {
    using type = T;
};
template <>
struct Accumulator<half> {
    using type = float;
};
template <>
struct Accumulator<bool> {
    using type = int64_t;
};
template <>
struct Accumulator<int8_t> {
    using type = int64_t;
};
template <>
struct Accumulator<int16_t> {
    using type = int64_t;
};
template <>
struct Accumulator<int32_t> {
    using type = int64_t;
};
template <>
struct Accumulator<uint8_t> {
    using type = uint64_t;
};
template <>
struct Accumulator<uint16_t> {
    using type = uint64_t;
};
template <>
struct Accumulator<uint32_t> {
    using type = uint64_t;
};

// What arithmetic on elements of type T is done in, one operation at a time: float for half, T itself otherwise.
template <class T>
struct Compute {
    using type = T;
};
template <>
struct Compute<half> {
    using type = float;
};
