// Matrix product, rung 6 of the ladder: 16 bytes per instruction.
//
// The arithmetic is that of the rung before. Instructions that are not multiply-adds take their place in the
// pipeline, so there shall be few: four elements are read from global memory, from shared memory, and written to C at
// a time. For that a thread's elements lie in groups of four, and an operand whose neighbours in memory follow k is
// turned round on its way: read as four k of a row, written to shared memory as four rows.
//
// Where an operand does not begin at a multiple of 16 bytes, or its rows do not, four single reads take the place of
// one.
//
// Cost: as rung 5, with a quarter of its load and store instructions: 4 reads of shared memory for 64 multiply-adds.
//
// Grid: (n / 128, m / 128) rounded up, blocks of 256 threads.
#include "gemm_ladder.cuh"

constexpr int TILE = 128, DEPTH = 8, SIDE = 8, ACROSS = TILE / SIDE, THREADS = ACROSS * ACROSS;
constexpr int PAD = 4;  // keeps rows of a tile at multiples of 16 bytes, and the columns out of one bank
static_assert(TILE * DEPTH == 4 * THREADS, "each thread copies four elements of each operand");

DEVICE bool may_be_wide(const float* x, int ld) { return ld % 4 == 0 && (uintptr_t)x % 16 == 0; }

// Elements (row, column ... column + 3) of a matrix in memory, zero where it ends.
DEVICE float4 four(const float* x, int ld, int row, int column, int rows, int columns, bool wide) {
    if (row >= rows) return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    const float* at = x + (int64_t)row * ld + column;
    if (wide && column + 4 <= columns) return *reinterpret_cast<const float4*>(at);
    float4 v;
    v.x = column < columns ? at[0] : 0.0f;
    v.y = column + 1 < columns ? at[1] : 0.0f;
    v.z = column + 2 < columns ? at[2] : 0.0f;
    v.w = column + 3 < columns ? at[3] : 0.0f;
    return v;
}

template <bool NEIGHBOURS_IN_K>
DEVICE void load(float (*tile)[TILE + PAD], const float* x, int ld, int first, int k, int rows, int depth, bool wide) {
    if (NEIGHBOURS_IN_K) {
        const int row = threadIdx.x / (DEPTH / 4), q = threadIdx.x % (DEPTH / 4) * 4;
        const float4 v = four(x, ld, first + row, k + q, rows, depth, wide);
        tile[q][row] = v.x;
        tile[q + 1][row] = v.y;
        tile[q + 2][row] = v.z;
        tile[q + 3][row] = v.w;
    } else {
        const int q = threadIdx.x / (TILE / 4), row = threadIdx.x % (TILE / 4) * 4;
        *reinterpret_cast<float4*>(&tile[q][row]) = four(x, ld, k + q, first + row, depth, rows, wide);
    }
}

template <bool TRANSPOSE_A, bool TRANSPOSE_B>
DEVICE void multiply(const Product& p) {
    __shared__ alignas(16) float a[DEPTH][TILE + PAD], b[DEPTH][TILE + PAD];
    const int top = blockIdx.y * TILE, left = blockIdx.x * TILE;
    const int row = threadIdx.x / ACROSS * 4, column = threadIdx.x % ACROSS * 4;  // and again half a tile further
    const bool wide_a = may_be_wide(p.a, p.lda), wide_b = may_be_wide(p.b, p.ldb), wide_c = may_be_wide(p.c, p.ldc);
    float sum[SIDE][SIDE] = {};
    for (int k = 0; k < p.k; k += DEPTH) {
        load<!TRANSPOSE_A>(a, p.a, p.lda, top, k, p.m, p.k, wide_a);
        load<TRANSPOSE_B>(b, p.b, p.ldb, left, k, p.n, p.k, wide_b);
        __syncthreads();
#pragma unroll
        for (int q = 0; q < DEPTH; q++) {
            alignas(16) float x[SIDE], y[SIDE];
#pragma unroll
            for (int part = 0; part < 2; part++) {
                *reinterpret_cast<float4*>(x + part * 4) = *reinterpret_cast<float4*>(&a[q][row + part * TILE / 2]);
                *reinterpret_cast<float4*>(y + part * 4) = *reinterpret_cast<float4*>(&b[q][column + part * TILE / 2]);
            }
#pragma unroll
            for (int i = 0; i < SIDE; i++)
#pragma unroll
                for (int j = 0; j < SIDE; j++) sum[i][j] += x[i] * y[j];
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < SIDE; i++)
#pragma unroll
        for (int part = 0; part < 2; part++) {
            const int m = top + row + i / 4 * (TILE / 2) + i % 4, n = left + column + part * TILE / 2;
            if (m >= p.m) continue;
            float* at = p.c + (int64_t)m * p.ldc + n;
            const float* s = sum[i] + part * 4;
            if (wide_c && n + 4 <= p.n) {
                *reinterpret_cast<float4*>(at) = make_float4(s[0], s[1], s[2], s[3]);
            } else {
#pragma unroll
                for (int j = 0; j < 4; j++)
                    if (n + j < p.n) at[j] = s[j];
            }
        }
}

GEMM_KERNELS(THREADS)
