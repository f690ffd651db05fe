// Matrix times vector, and dot products: each element of the matrix is used once, so that reading it is all there is
// to do.
//
//   gemv_rows     y[i] = sum over k of A[i][k] x[k], where neighbours in memory follow k: a warp, or all warps of a
//                 block, per row. With a vector per row these are dot products.
//   gemv_columns  y[j] = sum over k of x[k] B[k][j], where neighbours in memory follow j: a thread per column. Without
//                 x these are sums of columns, the gradient of a bias.
//
// Cost: 2 flops per element of the matrix and one read of it; the ceiling is memory bandwidth. Few long rows or
// columns are shared by several blocks; the last to finish adds their sums in the order of k.
#pragma once

#include "sum_of_products.cuh"
#include "last_block.cuh"

template <class T>
struct Gemv {
    typedef typename Sum<T>::type S;
    const T *a, *x;       // x may be null in gemv_columns
    T* y;
    S* workspace;         // a number per split and element of y, where k is split
    uint32_t* counters;   // one per block of the first split, zero before and after
    // Matrix z is number z / batch_inner of the outer and z % batch_inner of the inner axis of the batch. a_row is the
    // distance from one element of y to the next, a_k along the sum.
    int64_t a_outer, a_inner, a_row, a_k;
    int64_t x_outer, x_inner, x_row, x_k;
    int32_t rows, k, batch_inner;  // rows: elements of y per matrix
    int32_t splits;                // blocks that share the k of a row: gridDim.y
    int32_t warps;                 // gemv_rows: warps that share the k of a row, 1 or 8
    int32_t conjugated;            // gemv_rows: whether A's conjugate is meant
    int32_t accumulate;            // whether the old y is added
    int32_t unused;
};

constexpr int GEMV_WARPS = 8;

template <class T>
DEVICE void store_element(const Gemv<T>& g, int64_t index, typename Sum<T>::type sum) {
    if (g.accumulate) add_to(sum, (typename Sum<T>::type)g.y[index]);
    g.y[index] = (T)sum;
}

// Grid: (rows * warps / 8 rounded up, splits, matrices), blocks of 256.
template <class T>
DEVICE void multiply_rows(const Gemv<T>& g) {
    typedef typename Gemv<T>::S S;
    constexpr int WIDTH = 16 / sizeof(T);
    typedef Vector<T, WIDTH> Pack;
    __shared__ S shared[GEMV_WARPS];

    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int row = g.warps == 1 ? blockIdx.x * GEMV_WARPS + warp : blockIdx.x;
    const int part = g.warps == 1 ? blockIdx.y : blockIdx.y * GEMV_WARPS + warp;
    const int64_t outer = blockIdx.z / g.batch_inner, inner = blockIdx.z % g.batch_inner;
    const int64_t element = (int64_t)blockIdx.z * g.rows + row;
    S sum = S();
    if (row < g.rows) {
        const T* a = g.a + outer * g.a_outer + inner * g.a_inner + row * g.a_row;
        const T* x = g.x + outer * g.x_outer + inner * g.x_inner + row * g.x_row;
        // Whole packs for every lane, except in the last part.
        const int64_t packs = ((int64_t)g.k + 32 * WIDTH - 1) / (32 * WIDTH);
        const int64_t parts = (int64_t)g.splits * g.warps, each = (packs + parts - 1) / parts * (32 * WIDTH);
        const int64_t begin = part * each, end = begin + each < g.k ? begin + each : g.k;
        int64_t k = begin;
        if (g.a_k == 1 && g.x_k == 1 && (uintptr_t)a % 16 == 0 && (uintptr_t)x % 16 == 0) {
            S sums[WIDTH] = {};
#pragma unroll 4
            for (k += lane * WIDTH; k + WIDTH <= end; k += 32 * WIDTH) {
                const Pack left = *reinterpret_cast<const Pack*>(a + k), right = *reinterpret_cast<const Pack*>(x + k);
#pragma unroll
                for (int i = 0; i < WIDTH; i++) {
                    const S factor = (S)left.item[i];
                    multiply_add(sums[i], g.conjugated ? conjugate(factor) : factor, (S)right.item[i]);
                }
            }
#pragma unroll
            for (int i = 0; i < WIDTH; i++) add_to(sum, sums[i]);
            // At most one pack is cut off by the end, and one lane finds it there.
            for (; k < end; k++) {
                const S factor = (S)a[k];
                multiply_add(sum, g.conjugated ? conjugate(factor) : factor, (S)x[k]);
            }
        } else {
#pragma unroll 4
            for (k += lane; k < end; k += 32) {
                const S factor = (S)a[k * g.a_k];
                multiply_add(sum, g.conjugated ? conjugate(factor) : factor, (S)x[k * g.x_k]);
            }
        }
    }
    sum = warp_sum(sum);
    if (g.warps > 1) {
        if (lane == 0) shared[warp] = sum;
        __syncthreads();
        sum = shared[0];
#pragma unroll
        for (int w = 1; w < GEMV_WARPS; w++) add_to(sum, shared[w]);
    }
    const bool writes = row < g.rows && (g.warps == 1 ? lane == 0 : threadIdx.x == 0);
    if (g.splits == 1) {
        if (writes) store_element(g, element, sum);
        return;
    }
    if (writes) g.workspace[element * g.splits + blockIdx.y] = sum;
    if (!is_last_block(g.counters + (uint64_t)blockIdx.z * gridDim.x + blockIdx.x, g.splits)) return;
    if (writes) {
        sum = g.workspace[element * g.splits];
        for (int s = 1; s < g.splits; s++) add_to(sum, g.workspace[element * g.splits + s]);
        store_element(g, element, sum);
    }
}

// Grid: (rows / 32 rounded up, splits, matrices), blocks of 256. Each warp takes every eighth k.
template <class T>
DEVICE void multiply_columns(const Gemv<T>& g) {
    typedef typename Gemv<T>::S S;
    __shared__ S shared[GEMV_WARPS][32];

    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int column = blockIdx.x * 32 + lane;
    const int64_t outer = blockIdx.z / g.batch_inner, inner = blockIdx.z % g.batch_inner;
    const int begin = (int)((int64_t)g.k * blockIdx.y / g.splits);
    const int end = (int)((int64_t)g.k * (blockIdx.y + 1) / g.splits);
    S sum = S();
    if (column < g.rows) {
        const T* a = g.a + outer * g.a_outer + inner * g.a_inner + column * g.a_row;
        if (g.x) {
            const T* x = g.x + outer * g.x_outer + inner * g.x_inner;
#pragma unroll 8
            for (int k = begin + warp; k < end; k += GEMV_WARPS) multiply_add(sum, (S)x[k * g.x_k], (S)a[k * g.a_k]);
        } else {
#pragma unroll 8
            for (int k = begin + warp; k < end; k += GEMV_WARPS) add_to(sum, (S)a[k * g.a_k]);
        }
    }
    shared[warp][lane] = sum;
    __syncthreads();
    const bool writes = warp == 0 && column < g.rows;
    const int64_t element = (int64_t)blockIdx.z * g.rows + column;
    if (writes)
#pragma unroll
        for (int w = 1; w < GEMV_WARPS; w++) add_to(sum, shared[w][lane]);
    if (g.splits == 1) {
        if (writes) store_element(g, element, sum);
        return;
    }
    if (writes) g.workspace[element * g.splits + blockIdx.y] = sum;
    if (!is_last_block(g.counters + (uint64_t)blockIdx.z * gridDim.x + blockIdx.x, g.splits)) return;
    if (writes) {
        sum = g.workspace[element * g.splits];
        for (int s = 1; s < g.splits; s++) add_to(sum, g.workspace[element * g.splits + s]);
        store_element(g, element, sum);
    }
}
