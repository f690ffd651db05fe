// What the first six rungs of the ladder share: float32, one matrix, C = op(A) op(B), row-major.
//
// Every rung is a template over the layout, written once, and has three kernels: gemm_nn (A[m][k] and B[k][n] as they
// are), gemm_nt (B lies as [n][k]) and gemm_tn (A lies as [k][m]).
#pragma once

#include "types.cuh"

struct Product {
    const float *a, *b;
    float* c;
    int32_t m, n, k;
    int32_t lda, ldb, ldc;  // elements from one row to the next
};

// Element (i, k) of op(A) and (k, j) of op(B).
template <bool TRANSPOSE>
DEVICE float element(const float* x, int ld, int row, int column) {
    return TRANSPOSE ? x[(int64_t)column * ld + row] : x[(int64_t)row * ld + column];
}

// Element (row, column) of an operand, or zero where the operand ends.
template <bool TRANSPOSE>
DEVICE float element_or_zero(const float* x, int ld, int row, int column, int rows, int columns) {
    return row < rows && column < columns ? element<TRANSPOSE>(x, ld, row, column) : 0.0f;
}

// The three kernels of a rung, from a function template multiply<TRANSPOSE_A, TRANSPOSE_B>(Product).
#define GEMM_KERNELS(THREADS)                                                              \
    extern "C" __global__ void __launch_bounds__(THREADS) gemm_nn(const Product p) {       \
        multiply<false, false>(p);                                                         \
    }                                                                                      \
    extern "C" __global__ void __launch_bounds__(THREADS) gemm_nt(const Product p) {       \
        multiply<false, true>(p);                                                          \
    }                                                                                      \
    extern "C" __global__ void __launch_bounds__(THREADS) gemm_tn(const Product p) {       \
        multiply<true, false>(p);                                                          \
    }
