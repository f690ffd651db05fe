// What the backend's float32 matrix products share: their operands, and the epilogue that completes an element on its
// way to memory.
//
//   C[m, n] = epilogue(sum over k of op(A)[m, k] op(B)[k, n]), row-major, for every matrix of a batch
//
// Layouts: op(A) is A[m][k], or with -DTRANSPOSE_A=1 the transpose of A[k][m]; op(B) is B[k][n], or with
// -DTRANSPOSE_B=1 the transpose of B[n][k]. Rows lie lda, ldb and ldc elements apart, any number of them; within a row
// elements are neighbours. 0 as the distance between matrices repeats one of them.
//
// Epilogue, in this order: the bias of the column is added; an activation is applied; the slope of an activation,
// computed from what it once returned, multiplies; the old C is added. Which of them, the kernel is told when it is
// launched; but tanh and sigmoid as activations are many instructions for each element and take -DSMOOTH=1.
#pragma once

#include "types.cuh"

enum Activation { NONE, RELU, TANH, SIGMOID };

#ifndef SMOOTH
#define SMOOTH 0
#endif

struct Gemm {
    const float *a, *b;
    float* c;
    const float* bias;    // (n,) or null
    const float* saved;   // (m, n), rows ld_saved apart: outputs of the activation whose slope is meant, or null
    float* sums;          // (m,): the sums of op(A) over k, or null; layout TN alone
    float* workspace;     // a tile per block, and per split a row of sums, where k is split; else null
    uint32_t* counters;   // one per tile, zero before and after
    int64_t a_outer, a_inner, b_outer, b_inner;  // matrix z is number z / batch_inner of the outer, z % batch_inner of
    int64_t c_batch;                             // the inner axis of the batch; those of C follow each other
    int32_t m, n, k;
    int32_t lda, ldb, ldc, ld_saved;
    int32_t batch_inner;
    int32_t splits;      // the blocks that share the k of a tile: gridDim.y
    int32_t accumulate;  // whether the old C, and the old sums, are added
    int32_t activation;  // numbers of enum Activation
    int32_t slope;
};

// --- the epilogue --------------------------------------------------------------------------------------

DEVICE float power_of_e(float x) { return expf(x); }
DEVICE double power_of_e(double x) { return exp(x); }
DEVICE float hyperbolic_tangent(float x) { return tanhf(x); }
DEVICE double hyperbolic_tangent(double x) { return tanh(x); }

template <bool IS_SMOOTH, class R>
DEVICE R activated(int activation, R z) {
    if (activation == RELU) return z <= R(0) ? R(0) : z;  // NaN stays NaN
    if (IS_SMOOTH && activation == TANH) return hyperbolic_tangent(z);
    if (IS_SMOOTH && activation == SIGMOID) {
        const R e = power_of_e(z < R(0) ? z : -z);  // at most 1: no overflow
        return (z < R(0) ? e : R(1)) / (R(1) + e);
    }
    return z;
}

// g times the slope at the place where the activation returned y.
template <class R>
DEVICE R through_slope(int activation, R g, R y) {
    if (activation == RELU) return y <= R(0) ? R(0) : g;  // selects: inf times 0 would be NaN
    if (activation == TANH) return g * (R(1) - y * y);
    if (activation == SIGMOID) return g * (y * (R(1) - y));
    return g;
}

// The first `count` of four neighbours in memory, in one access if all four are there and lie at a multiple of 16
// bytes.
DEVICE float4 load_four(const float* from, int count, bool aligned) {
    if (aligned && count == 4) return *reinterpret_cast<const float4*>(from);
    return make_float4(from[0], count > 1 ? from[1] : 0.0f, count > 2 ? from[2] : 0.0f, count > 3 ? from[3] : 0.0f);
}

DEVICE void store_four(float* to, float4 v, int count, bool aligned) {
    if (aligned && count == 4) {
        *reinterpret_cast<float4*>(to) = v;
        return;
    }
    to[0] = v.x;
    if (count > 1) to[1] = v.y;
    if (count > 2) to[2] = v.z;
    if (count > 3) to[3] = v.w;
}

DEVICE void add_to(float4& sum, float4 x) {
    sum.x += x.x;
    sum.y += x.y;
    sum.z += x.z;
    sum.w += x.w;
}

// Completes four neighbours of a row of C and writes them.
struct Output {
    const Gemm& g;
    float* c;
    bool aligned_c, aligned_saved, aligned_bias;

    __device__ __forceinline__ Output(const Gemm& gemm, uint32_t z) : g(gemm), c(gemm.c + z * gemm.c_batch) {
        aligned_c = g.ldc % 4 == 0 && (uintptr_t)c % 16 == 0;
        aligned_saved = g.ld_saved % 4 == 0 && (uintptr_t)g.saved % 16 == 0;
        aligned_bias = (uintptr_t)g.bias % 16 == 0;
    }

    __device__ __forceinline__ void store(int row, int column, float4 v) const {
        if (row >= g.m || column >= g.n) return;
        const int count = g.n - column < 4 ? g.n - column : 4;
        float* target = c + (int64_t)row * g.ldc + column;
        if (g.bias) add_to(v, load_four(g.bias + column, count, aligned_bias));
        if (g.activation != NONE) {
            // This code stands in the kernel once for every piece of a thread's tile: what is long stays a loop, in
            // which the elements take turns at x.
            constexpr int UNROLLED = SMOOTH ? 1 : 4;
#pragma unroll UNROLLED
            for (int j = 0; j < 4; j++) v = make_float4(v.y, v.z, v.w, activated<SMOOTH>(g.activation, v.x));
        }
        if (g.slope != NONE) {
            const float4 y = load_four(g.saved + (int64_t)row * g.ld_saved + column, count, aligned_saved);
            v = make_float4(through_slope(g.slope, v.x, y.x), through_slope(g.slope, v.y, y.y),
                            through_slope(g.slope, v.z, y.z), through_slope(g.slope, v.w, y.w));
        }
        if (g.accumulate) add_to(v, load_four(target, count, aligned_c));
        store_four(target, v, count, aligned_c);
    }
};
