// Where the elements of strided operands lie, for kernels whose threads count the elements of the result.
//
// The launcher has merged axes that lie together and dropped those of size one, so that contiguous operands have
// one axis. It launches at most 2^31 - 1 elements at a time: indices are 32-bit numbers, offsets 64-bit ones.
#pragma once

#include "types.cuh"

constexpr int MOST_AXES = 8;

// Division by a size that is the same for all threads, as a product and a shift (Granlund and Montgomery, "Division by
// invariant integers using multiplication", PLDI 1994): q = (high(n * multiplier) + n) >> shift, for n < 2^31.
struct Axis {
    uint32_t size, multiplier, shift;

    __device__ __forceinline__ uint32_t quotient(uint32_t n) const { return (__umulhi(n, multiplier) + n) >> shift; }
};

// The axes of N operands of one shape; strides count elements, and those of a repeated axis are 0.
template <int N>
struct Layout {
    uint32_t axes;   // how many there are, at least one
    uint32_t count;  // of elements in all
    Axis axis[MOST_AXES];
    int64_t stride[N][MOST_AXES];

    // The offset of element ``index`` (in row-major order) in every operand.
    __device__ __forceinline__ void find(uint32_t index, int64_t (&offset)[N]) const {
#pragma unroll
        for (int k = 0; k < N; k++) offset[k] = 0;
#pragma unroll 1  // few axes: copies of the body would cost more than they save
        for (int d = (int)axes - 1; d > 0; d--) {
            const uint32_t q = axis[d].quotient(index), r = index - q * axis[d].size;
#pragma unroll
            for (int k = 0; k < N; k++) offset[k] += r * stride[k][d];
            index = q;
        }
#pragma unroll
        for (int k = 0; k < N; k++) offset[k] += index * stride[k][0];
    }
};
