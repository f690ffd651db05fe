// Matrix product, rung 5 of the ladder: each thread computes a tile of 8 x 8 elements.
//
// For one k a thread reads 8 elements of A and 8 of B into registers and makes 64 multiply-adds of them: an outer
// product. Reads of shared memory grow with the sides of the tile, arithmetic with its area. A side of 8 takes 64
// registers for sums and 16 for operands; 16 x 8 would leave room for half as many threads.
//
// Cost: 2 m n k flops; with tiles of 128 x 128, 4 m n k (1/128 + 1/128) bytes from global memory, 1/32 byte per flop;
// 16 numbers from shared memory for 64 multiply-adds, half a byte per flop.
//
// Grid: (n / 128, m / 128) rounded up, blocks of 256 threads.
#include "gemm_ladder.cuh"

constexpr int TILE = 128, DEPTH = 8, SIDE = 8, ACROSS = TILE / SIDE, THREADS = ACROSS * ACROSS;

// Brings DEPTH k of TILE rows of an operand to tile[k][row]. Neighbouring threads copy neighbours in memory.
template <bool NEIGHBOURS_IN_K>
DEVICE void load(float (*tile)[TILE + 1], const float* x, int ld, int first, int k, int rows, int depth) {
#pragma unroll
    for (int start = 0; start < TILE * DEPTH; start += THREADS) {
        const int i = start + threadIdx.x;
        const int row = NEIGHBOURS_IN_K ? i / DEPTH : i % TILE, q = NEIGHBOURS_IN_K ? i % DEPTH : i / TILE;
        tile[q][row] = element_or_zero<!NEIGHBOURS_IN_K>(x, ld, first + row, k + q, rows, depth);
    }
}

template <bool TRANSPOSE_A, bool TRANSPOSE_B>
DEVICE void multiply(const Product& p) {
    __shared__ float a[DEPTH][TILE + 1], b[DEPTH][TILE + 1];
    const int top = blockIdx.y * TILE, left = blockIdx.x * TILE;
    const int row = threadIdx.x / ACROSS, column = threadIdx.x % ACROSS;  // its elements lie ACROSS apart
    float sum[SIDE][SIDE] = {};
    for (int k = 0; k < p.k; k += DEPTH) {
        load<!TRANSPOSE_A>(a, p.a, p.lda, top, k, p.m, p.k);
        load<TRANSPOSE_B>(b, p.b, p.ldb, left, k, p.n, p.k);
        __syncthreads();
#pragma unroll
        for (int q = 0; q < DEPTH; q++) {
            float x[SIDE], y[SIDE];
#pragma unroll
            for (int i = 0; i < SIDE; i++) x[i] = a[q][row + i * ACROSS];
#pragma unroll
            for (int j = 0; j < SIDE; j++) y[j] = b[q][column + j * ACROSS];
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
        for (int j = 0; j < SIDE; j++) {
            const int m = top + row + i * ACROSS, n = left + column + j * ACROSS;
            if (m < p.m && n < p.n) p.c[(int64_t)m * p.ldc + n] = sum[i][j];
        }
}

GEMM_KERNELS(THREADS)
