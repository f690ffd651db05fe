// Matrix product, rung 4 of the ladder: each thread computes a column of 8 elements.
//
// The rung before reads two numbers from shared memory for each multiply-add. Here a thread keeps 8 sums in
// registers: for one k it reads one element of B, uses it 8 times, and 8 elements of A, which all threads of its warp
// want at the same time, so that one read serves 32 of them.
//
// Cost: 2 m n k flops; with tiles of 64 x 64, 4 m n k (1/64 + 1/64) bytes from global memory, 1/16 byte per flop; 9
// numbers from shared memory for 8 multiply-adds instead of 16, 2.25 bytes per flop.
//
// Grid: (n / 64, m / 64) rounded up, blocks of 512 threads.
#include "gemm_ladder.cuh"

constexpr int TILE = 64, DEPTH = 8, ROWS = 8, THREADS = TILE * TILE / ROWS;

template <bool TRANSPOSE_A, bool TRANSPOSE_B>
DEVICE void multiply(const Product& p) {
    __shared__ float a[DEPTH][TILE + 1], b[DEPTH][TILE + 1];  // a[k][row], b[k][column]
    const int thread = threadIdx.x, top = blockIdx.y * TILE, left = blockIdx.x * TILE;
    const int column = thread % TILE, row = thread / TILE * ROWS;  // of the thread's first element
    // Threads that are neighbours copy neighbours in memory: 8 k of a row, or 64 rows of one k.
    const int k_along = thread % DEPTH, across = thread / DEPTH, along = thread % TILE, k_across = thread / TILE;
    float sum[ROWS] = {};
    for (int k = 0; k < p.k; k += DEPTH) {
        if (TRANSPOSE_A) a[k_across][along] = element_or_zero<true>(p.a, p.lda, top + along, k + k_across, p.m, p.k);
        else a[k_along][across] = element_or_zero<false>(p.a, p.lda, top + across, k + k_along, p.m, p.k);
        if (TRANSPOSE_B) b[k_along][across] = element_or_zero<true>(p.b, p.ldb, k + k_along, left + across, p.k, p.n);
        else b[k_across][along] = element_or_zero<false>(p.b, p.ldb, k + k_across, left + along, p.k, p.n);
        __syncthreads();
#pragma unroll
        for (int q = 0; q < DEPTH; q++) {
            const float right = b[q][column];
#pragma unroll
            for (int i = 0; i < ROWS; i++) sum[i] += a[q][row + i] * right;
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < ROWS; i++)
        if (top + row + i < p.m && left + column < p.n) p.c[(int64_t)(top + row + i) * p.ldc + left + column] = sum[i];
}

GEMM_KERNELS(THREADS)
