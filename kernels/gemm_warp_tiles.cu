// Matrix product, rung 7 of the ladder: a tile per warp, and copies that run while the warps multiply.
//
// A block's tile is cut into tiles of warps, and those into blocks of 4 x 4 per lane. The lanes of a warp lie 8 x 4,
// so that for one k a warp reads 64 different rows and 32 different columns, most of them by several lanes at once:
// one read of shared memory serves all lanes that want the same address. The operands of the next tile arrive by
// cp.async in a second buffer while this one is multiplied, so that a tile costs one barrier and no registers wait
// for memory.
//
// Cost: 2 m n k flops. Global memory: each tile of C reads its rows of A and columns of B once, 4 m n k (1 / tile_m +
// 1 / tile_n) bytes, 1/32 byte per flop for 128 x 128, mostly from the second-level cache; at least
// 4 (m k + k n + m n) from memory. Shared memory: half a byte per flop with 8 x 8 elements per thread, 3/4 with 8 x 4.
//
//   kernel         tile of block   threads   tile of warp   elements per thread   shared memory
//   gemm_128x128   128 x 128       256       64 x 32         8 x 8                33 KiB
//   gemm_64x64     64 x 64         128       32 x 32         8 x 4                17 KiB
//
// Needs -DTRANSPOSE_A= and -DTRANSPOSE_B= 0 or 1; takes -DSMOOTH=1 (gemm.cuh).
// Grid: (tiles, splits, matrices); gemm_128x128, which is for large matrices, does not split k.
#include "gemm_tile.cuh"

template <int TILE_M, int TILE_N, int DEPTH, int WARP_M, int WARP_N, int ROWS, int COLUMNS, bool MAY_SPLIT>
DEVICE void multiply(const Gemm& g) {
    constexpr int THREADS = TILE_M / WARP_M * (TILE_N / WARP_N) * 32;
    constexpr bool SUMS = TRANSPOSE_A && !TRANSPOSE_B;
    __shared__ alignas(16) float a_tiles[2][DEPTH][TILE_M + PAD], b_tiles[2][DEPTH][TILE_N + PAD];

    const int thread = threadIdx.x, warp = thread / 32;
    int first_row, first_column;
    tile_of_block(g, TILE_M, TILE_N, first_row, first_column);
    const int64_t outer = blockIdx.z / g.batch_inner, inner = blockIdx.z % g.batch_inner;
    const Slice slice(g.k, DEPTH, MAY_SPLIT ? blockIdx.y : 0, MAY_SPLIT ? g.splits : 1);
    const float* a_matrix = g.a + outer * g.a_outer + inner * g.a_inner;
    const float* b_matrix = g.b + outer * g.b_outer + inner * g.b_inner;
    Source<TILE_M, DEPTH, THREADS, TRANSPOSE_A> a(a_matrix, g.lda, g.m, first_row, slice.begin, thread);
    Source<TILE_N, DEPTH, THREADS, !TRANSPOSE_B> b(b_matrix, g.ldb, g.n, first_column, slice.begin, thread);
    Share<ROWS, COLUMNS, WARP_M / ROWS> share(warp / (TILE_N / WARP_N) * WARP_M, warp % (TILE_N / WARP_N) * WARP_N,
                                              thread % 32);
    const bool sums = SUMS && g.sums && first_column == 0 && thread < TILE_M;
    float sum = 0.0f;

    AsyncCopies copies;
    if (slice.tiles > 0) {
        a.template copy<false>(copies, a_tiles[0], slice.first);
        b.template copy<false>(copies, b_tiles[0], slice.first);
    }
    copies.commit();
    for (int t = 0; t < slice.tiles; t++) {
        copies.wait<0>();
        __syncthreads();  // all copies of this tile are there, and nobody reads the other buffer any more
        if (t + 1 < slice.tiles) {
            a.template copy<true>(copies, a_tiles[(t + 1) % 2], DEPTH);
            b.template copy<true>(copies, b_tiles[(t + 1) % 2], DEPTH);
            copies.commit();
        }
        share.template multiply<DEPTH>(a_tiles[t % 2], b_tiles[t % 2]);
        if (sums)
#pragma unroll 4
            for (int k = 0; k < DEPTH; k++) sum += a_tiles[t % 2][k][thread];
    }

    const Output output(g, blockIdx.z);
    if (!MAY_SPLIT || g.splits == 1) {
#pragma unroll
        for (int p = 0; p < share.PIECES; p++)
            output.store(first_row + share.piece_row(p), first_column + share.piece_column(p), share.piece(p));
        if (sums) store_sum(g, first_row + thread, sum);
        return;
    }
    Splits<TILE_M * TILE_N, TILE_M, THREADS> partial(g, first_row);
#pragma unroll
    for (int p = 0; p < share.PIECES; p++) partial.write(p, share.piece(p));
    if (sums) partial.write_sum(thread, sum);
    if (!partial.complete()) return;
    float4 total[share.PIECES];
    partial.read(total);
#pragma unroll
    for (int p = 0; p < share.PIECES; p++)
        output.store(first_row + share.piece_row(p), first_column + share.piece_column(p), total[p]);
    if (sums) store_sum(g, first_row + thread, partial.read_sum(thread));
}

extern "C" __global__ void __launch_bounds__(256, 2) gemm_128x128(const Gemm g) {
    multiply<128, 128, 16, 64, 32, 8, 8, false>(g);
}

extern "C" __global__ void __launch_bounds__(128, 4) gemm_64x64(const Gemm g) {
    multiply<64, 64, 16, 32, 32, 8, 4, true>(g);
}
