// Normal and exponential random numbers from the uniforms of the stream (random.cuh), of one type.
//
//   normals 2p and 2p + 1   r cos(2 pi b) and r sin(2 pi b) with r = sqrt(-2 log(1 - a)), from uniforms 2p and 2p + 1
//                           (Box and Muller, "A note on the generation of random normal deviates", 1958)
//   exponential i           -log(1 - a), from uniform i
//
// As on the CPU everything is computed in float64 and rounded once, from the 24-bit uniforms for half and float: the results
// of the two differ where their logarithms or cosines differ in the last bit of a float64.
//
// Cost: size bytes written, nothing read; a logarithm, a square root, a sine and a cosine in float64 for two
// normals. Arithmetic is the limit.
//
// Needs -DREAL=half, float or double.
#include "random.cuh"

// Uniforms of a block: eight for the narrow types, four for double.
constexpr int COUNT = sizeof(REAL) == 8 ? 4 : 8;

template <class T>
DEVICE T rounded(double x) {
    if constexpr (sizeof(T) == 2) {
        T nearest;
        nearest.bits = double_to_half_bits(x);
        return nearest;
    } else {
        return (T)x;
    }
}

template <int N>
DEVICE void uniforms(const Stream& stream, double (&u)[N]) {
    if constexpr (N == 4) {
        uint64_t word[4];
        stream.words(word);
#pragma unroll
        for (int k = 0; k < 4; k++) u[k] = unit_double(word[k]);
    } else {
        uint32_t word[8];
        stream.words(word);
#pragma unroll
        for (int k = 0; k < 8; k++) u[k] = unit_float(word[k]);
    }
}

extern "C" __global__ void __launch_bounds__(256) normal(REAL* __restrict__ target, Stream stream) {
    double u[COUNT];
    REAL value[COUNT];
    uniforms(stream, u);
    // One pair after the other: the registers of four logarithms at once would leave room for few warps.
#pragma unroll 1
    for (int k = 0; k < COUNT; k += 2) {
        const double radius = sqrt(-2.0 * log(1.0 - u[0]));
        double sine, cosine;
        sincos(u[1] * 6.283185307179586, &sine, &cosine);
        // The arrays move on by a pair, because a loop that is not unrolled cannot choose a register by its index.
#pragma unroll
        for (int j = 0; j + 2 < COUNT; j++) {
            u[j] = u[j + 2];
            value[j] = value[j + 2];
        }
        value[COUNT - 2] = rounded<REAL>(radius * cosine);
        value[COUNT - 1] = rounded<REAL>(radius * sine);
    }
    stream.store(target, value);
}

extern "C" __global__ void __launch_bounds__(256) exponential(REAL* __restrict__ target, Stream stream) {
    double u[COUNT];
    REAL value[COUNT];
    uniforms(stream, u);
#pragma unroll 1
    for (int k = 0; k < COUNT; k++) {
        const double drawn = -log1p(-u[0]);
#pragma unroll
        for (int j = 0; j + 1 < COUNT; j++) {
            u[j] = u[j + 1];
            value[j] = value[j + 1];
        }
        value[COUNT - 1] = rounded<REAL>(drawn);
    }
    stream.store(target, value);
}
