// Matrix product, rung 2 of the ladder: the naive kernel with rows and columns exchanged between threads.
//
// Neighbouring threads now compute neighbouring columns of C. A warp writes 128 bytes of a row at once, reads 128
// neighbouring bytes of B, and all its threads want the same element of A, which is read once: one or four sectors
// instead of 32. That is all that changes, and it is several times as fast. (With B transposed, gemm_nt, its reads
// are still apart: only shared memory, the next rung, puts them together.)
//
// Cost: 2 m n k flops; per warp and k 4 bytes of A and 128 of B for 64 flops: 2 bytes per flop from the caches.
//
// Grid: (n / 32, m / 8) rounded up, blocks of 32 x 8.
#include "gemm_ladder.cuh"

template <bool TRANSPOSE_A, bool TRANSPOSE_B>
DEVICE void multiply(const Product& p) {
    const int i = blockIdx.y * 8 + threadIdx.y, j = blockIdx.x * 32 + threadIdx.x;
    if (i >= p.m || j >= p.n) return;
    float sum = 0.0f;
    for (int k = 0; k < p.k; k++)
        sum += element<TRANSPOSE_A>(p.a, p.lda, i, k) * element<TRANSPOSE_B>(p.b, p.ldb, k, j);
    p.c[(int64_t)i * p.ldc + j] = sum;
}

GEMM_KERNELS(256)
