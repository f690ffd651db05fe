// Matrix product, rung 3 of the ladder: tiles in shared memory.
//
// A block of 32 x 32 threads computes a tile of 32 x 32 elements of C. It walks along k in steps of 32: all threads
// together bring a tile of A and one of B to shared memory, wait for each other, and multiply the two from there.
// What one thread has read from global memory, 32 threads use.
//
// Each tile is read along its rows in memory, whichever layout it has, so all layouts are coalesced. The tile that is
// stored with rows and columns exchanged has 33 columns: with 32, a column would lie in one bank of shared memory, and
// the 32 threads that write it would do so one after the other.
//
// Cost: 2 m n k flops; 4 m n k (1/32 + 1/32) bytes from global memory, 1/8 byte per flop. But every multiply-add
// reads 8 bytes from shared memory, and that is now what the kernel waits for: 4 bytes per flop.
//
// Grid: (n / 32, m / 32) rounded up, blocks of 32 x 32.
#include "gemm_ladder.cuh"

constexpr int TILE = 32;

template <bool TRANSPOSE_A, bool TRANSPOSE_B>
DEVICE void multiply(const Product& p) {
    __shared__ float a[TILE][TILE + 1], b[TILE][TILE + 1];  // a[row][k], b[k][column]
    const int x = threadIdx.x, y = threadIdx.y;
    const int top = blockIdx.y * TILE, left = blockIdx.x * TILE;
    float sum = 0.0f;
    for (int k = 0; k < p.k; k += TILE) {
        // Neighbouring threads (x) read neighbours in memory: k of A, or rows of A where it is transposed.
        if (TRANSPOSE_A) a[x][y] = element_or_zero<true>(p.a, p.lda, top + x, k + y, p.m, p.k);
        else a[y][x] = element_or_zero<false>(p.a, p.lda, top + y, k + x, p.m, p.k);
        if (TRANSPOSE_B) b[x][y] = element_or_zero<true>(p.b, p.ldb, k + x, left + y, p.k, p.n);
        else b[y][x] = element_or_zero<false>(p.b, p.ldb, k + y, left + x, p.k, p.n);
        __syncthreads();  // the tiles are there
#pragma unroll
        for (int q = 0; q < TILE; q++) sum += a[y][q] * b[q][x];
        __syncthreads();  // nobody reads them any more
    }
    if (top + y < p.m && left + x < p.n) p.c[(int64_t)(top + y) * p.ldc + left + x] = sum;
}

GEMM_KERNELS(1024)
