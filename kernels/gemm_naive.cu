// Matrix product, rung 1 of the ladder: a thread per element of C, which reads a row of A and a column of B.
//
// Neighbouring threads compute neighbouring rows. So the 32 threads of a warp read A in 32 different places and write
// C in 32 different places: every access moves 32 sectors of 32 bytes, of which 4 bytes each are wanted. (Where A
// lies transposed, gemm_tn, its reads happen to be neighbours.)
//
// Cost: 2 m n k flops and 8 m n k bytes of loads: 4 bytes per flop, where an H200 has 0.07 bytes of memory bandwidth
// per flop. The caches turn some of it away, and wasted sectors bring much of it back.
//
// Grid: (m / 32, n / 8) rounded up, blocks of 32 x 8.
#include "gemm_ladder.cuh"

template <bool TRANSPOSE_A, bool TRANSPOSE_B>
DEVICE void multiply(const Product& p) {
    const int i = blockIdx.x * 32 + threadIdx.x, j = blockIdx.y * 8 + threadIdx.y;
    if (i >= p.m || j >= p.n) return;
    float sum = 0.0f;
    for (int k = 0; k < p.k; k++)
        sum += element<TRANSPOSE_A>(p.a, p.lda, i, k) * element<TRANSPOSE_B>(p.b, p.ldb, k, j);
    p.c[(int64_t)i * p.ldc + j] = sum;
}

GEMM_KERNELS(256)
