// Matrix product for skinny shapes, whose C has fewer tiles than the GPU has multiprocessors: k is sliced.
//
// A network's layers are such products: with 128 samples and 512 units C has four tiles of 128 x 128. Here tiles are
// small, and the warps of a block share one tile, each multiplying a slice of k of its own: a warp waits for nobody
// but itself until, at the end, the warps' tiles are added in the order of the slices. Where that is still too little
// work for all multiprocessors, blocks share a tile in the same way (gemm_tile.cuh). Each warp has three small tiles
// of its slice under way at any time, because what such a product waits for is the first byte and not the last.
//
// Cost: 2 m n k flops; 4 m n k (1/32 + 1/32) bytes from the second-level cache, an eighth of a byte per flop, and at
// least 4 (m k + k n + m n) from memory. Split k adds 8 m n bytes per split, in the second-level cache.
//
//   kernel         tile of block   threads   tile of warp     elements per thread   shared memory
//   gemm_sliced    32 x 32         128       32 x 32, k / 4    4 x 8                36 KiB
//
// Needs -DTRANSPOSE_A= and -DTRANSPOSE_B= 0 or 1; takes -DSMOOTH=1 (gemm.cuh).
// Grid: (tiles, splits, matrices).
#include "gemm_tile.cuh"

constexpr int TILE = 32, DEPTH = 8, WARPS = 4, STAGES = 4, THREADS = 32 * WARPS;
constexpr int ROWS = 4, COLUMNS = 8, LANES_M = TILE / ROWS;  // of a lane's elements

typedef float Operand[STAGES][DEPTH][TILE + PAD];
typedef Share<ROWS, COLUMNS, LANES_M> LaneShare;

struct Shared {
    union {
        struct {
            Operand a, b;
        } operands[WARPS];
        float4 pieces[WARPS][LaneShare::PIECES][32];
    };
    float sums[WARPS][TILE];
};

extern "C" __global__ void __launch_bounds__(THREADS, 5) gemm_sliced(const Gemm g) {
    __shared__ alignas(16) Shared shared;
    constexpr bool SUMS = TRANSPOSE_A && !TRANSPOSE_B;

    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int first_row, first_column;
    tile_of_block(g, TILE, TILE, first_row, first_column);
    const int64_t outer = blockIdx.z / g.batch_inner, inner = blockIdx.z % g.batch_inner;
    const Slice slice(g.k, DEPTH, blockIdx.y * WARPS + warp, g.splits * WARPS);
    const float* a_matrix = g.a + outer * g.a_outer + inner * g.a_inner;
    const float* b_matrix = g.b + outer * g.b_outer + inner * g.b_inner;
    Source<TILE, DEPTH, 32, TRANSPOSE_A> a(a_matrix, g.lda, g.m, first_row, slice.begin, lane);
    Source<TILE, DEPTH, 32, !TRANSPOSE_B> b(b_matrix, g.ldb, g.n, first_column, slice.begin, lane);
    Operand &a_tiles = shared.operands[warp].a, &b_tiles = shared.operands[warp].b;
    LaneShare share(0, 0, lane);
    const bool sums = SUMS && g.sums && first_column == 0;
    float sum = 0.0f;

    AsyncCopies copies;
    if (slice.tiles > 0) {
        a.template copy<false>(copies, a_tiles[0], slice.first);
        b.template copy<false>(copies, b_tiles[0], slice.first);
    }
    copies.commit();
#pragma unroll
    for (int t = 1; t < STAGES - 1; t++) {
        if (t < slice.tiles) {
            a.template copy<true>(copies, a_tiles[t], DEPTH);
            b.template copy<true>(copies, b_tiles[t], DEPTH);
        }
        copies.commit();
    }
    for (int t = 0; t < slice.tiles; t++) {
        copies.wait<STAGES - 2>();
        __syncwarp();  // all lanes' copies of this tile are there, and none reads the tile before it any more
        const int next = t + STAGES - 1;
        if (next < slice.tiles) {
            a.template copy<true>(copies, a_tiles[next % STAGES], DEPTH);
            b.template copy<true>(copies, b_tiles[next % STAGES], DEPTH);
        }
        copies.commit();
        share.template multiply<DEPTH>(a_tiles[t % STAGES], b_tiles[t % STAGES]);
        if (sums)
#pragma unroll
            for (int k = 0; k < DEPTH; k++) sum += a_tiles[t % STAGES][k][lane];
    }

    // The warps' tiles become one: thread t takes the pieces t, t + THREADS, ... of all of them.
    __syncthreads();  // the pieces lie where the operands of all warps were
#pragma unroll
    for (int p = 0; p < LaneShare::PIECES; p++) shared.pieces[warp][p][lane] = share.piece(p);
    shared.sums[warp][lane] = sum;
    __syncthreads();
    constexpr int MINE = LaneShare::PIECES / WARPS;
    float4 total[MINE];
#pragma unroll
    for (int i = 0; i < MINE; i++) {
        total[i] = shared.pieces[0][i * WARPS + warp][lane];
#pragma unroll
        for (int w = 1; w < WARPS; w++) add_to(total[i], shared.pieces[w][i * WARPS + warp][lane]);
    }
    const bool sums_mine = sums && warp == 0;
    if (sums_mine)
#pragma unroll
        for (int w = 1; w < WARPS; w++) sum += shared.sums[w][lane];

    const Output output(g, blockIdx.z);
    if (g.splits == 1) {
#pragma unroll
        for (int i = 0; i < MINE; i++)
            output.store(first_row + share.piece_row(i * WARPS + warp),
                         first_column + share.piece_column(i * WARPS + warp), total[i]);
        if (sums_mine) store_sum(g, first_row + lane, sum);
        return;
    }
    Splits<TILE * TILE, TILE, THREADS> partial(g, first_row);
#pragma unroll
    for (int i = 0; i < MINE; i++) partial.write(i, total[i]);
    if (sums_mine) partial.write_sum(lane, sum);
    if (!partial.complete()) return;
    partial.read(total);
#pragma unroll
    for (int i = 0; i < MINE; i++)
        output.store(first_row + share.piece_row(i * WARPS + warp),
                     first_column + share.piece_column(i * WARPS + warp), total[i]);
    if (sums_mine) store_sum(g, first_row + lane, partial.read_sum(lane));
}
