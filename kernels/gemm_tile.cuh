// The parts from which tiled float32 products are put together: which tile is a block's, how its operands come to
// shared memory, what a thread multiplies, and how partial tiles become one.
//
// In shared memory both operands lie k by k: tile[k][row of A or column of B]. Then one k of a thread's operands is a
// few 16-byte reads. A tile has PAD more columns than rows of its operand: a power of two as the distance between
// rows would put all k of one row of A into one memory bank.
#pragma once

#include "gemm.cuh"
#include "last_block.cuh"

constexpr int PAD = 4;

// --- which part of the product -------------------------------------------------------------------------

// Blocks that run at the same time compute tiles that lie close together, in bands of 8 rows of tiles: they read the
// same rows and columns, which the second-level cache then holds.
DEVICE void tile_of_block(const Gemm& g, int tile_m, int tile_n, int& row, int& column) {
    const uint32_t rows = (g.m + tile_m - 1) / tile_m, columns = (g.n + tile_n - 1) / tile_n;
    const uint32_t band = blockIdx.x / (8 * columns), within = blockIdx.x - band * 8 * columns;
    const uint32_t height = rows - band * 8 < 8 ? rows - band * 8 : 8;
    row = (int)(band * 8 + within % height) * tile_m;
    column = (int)(within / height) * tile_n;
}

// The k of one of `parts` workers, counted in tiles of `depth`. What does not fill a tile comes first, so that a loop
// over the following tiles need not ask whether they are full.
struct Slice {
    int tiles;  // how many
    int begin;  // the first k of the first
    int first;  // how many k the first has; the others have depth

    __device__ __forceinline__ Slice(int k, int depth, int part, int parts) {
        const int all = (k + depth - 1) / depth, rest = k - (all - 1) * depth;
        const int from = (int)((int64_t)all * part / parts), to = (int)((int64_t)all * (part + 1) / parts);
        tiles = to - from;
        begin = from == 0 ? 0 : rest + (from - 1) * depth;
        first = from == 0 ? rest : depth;
    }
};

// --- from global to shared memory ----------------------------------------------------------------------

// Tiles of an operand whose neighbours in memory are neighbours in k (A, and B transposed). A warp copies 8 k of 4
// rows: full 32-byte sectors of global memory, and 32 different banks of shared memory. Rows beyond the last are
// copies of it, whose products are not stored.
template <int ROWS, int DEPTH, int THREADS, bool TRANSPOSE>
struct Source {
    static constexpr int STEP = THREADS / 8;     // rows that the threads copy at once
    static constexpr int PARTS = ROWS / STEP;
    static_assert(THREADS % 8 == 0 && ROWS % STEP == 0 && DEPTH % 8 == 0, "whole rows of threads");

    const float* at;  // in the thread's first row; the others are STEP rows further each, up to number `last`
    int ld, row, k, last;

    __device__ __forceinline__ Source(const float* operand, int ld, int rows, int first_row, int begin, int thread)
        : ld(ld), row(thread / 8), k(thread % 8) {
        const int first = first_row + row < rows ? first_row + row : rows - 1;
        at = operand + (int64_t)first * ld + begin + k;
        last = (rows - 1 - first) / STEP;
    }

    // Start copying the next `depth` k, a whole tile unless it is the first; the rest of the tile becomes zero.
    template <bool WHOLE>
    __device__ __forceinline__ void copy(AsyncCopies& copies, float (*tile)[ROWS + PAD], int depth) {
        const float* from = at;
#pragma unroll
        for (int i = 0; i < PARTS; i++) {
#pragma unroll
            for (int j = 0; j < DEPTH; j += 8)
                copies.copy<4>(&tile[j + k][row + i * STEP], from + j, WHOLE || j + k < depth);
            if (i < last) from += (int64_t)ld * STEP;
        }
        at += WHOLE ? DEPTH : depth;
    }
};

// Tiles of an operand whose neighbours in memory are neighbouring rows of the tile (A transposed, and B): 16 bytes at a
// time where the operand's place and shape allow that, else 4.
template <int ROWS, int DEPTH, int THREADS>
struct Source<ROWS, DEPTH, THREADS, true> {
    const float* at;
    int ld, thread;
    bool wide;

    __device__ __forceinline__ Source(const float* operand, int ld, int rows, int first_row, int begin, int thread)
        : ld(ld), thread(thread) {
        wide = rows % 4 == 0 && ld % 4 == 0 && (uintptr_t)operand % 16 == 0;
        const int lanes = wide ? ROWS / 4 : ROWS, width = wide ? 4 : 1;  // the threads that copy one k
        const int row = first_row + thread % lanes * width, last = rows - width;
        at = operand + (int64_t)(begin + thread / lanes) * ld + (row < last ? row : last);
    }

    template <bool WHOLE>
    __device__ __forceinline__ void copy(AsyncCopies& copies, float (*tile)[ROWS + PAD], int depth) {
        if (wide) copy_by<4, WHOLE>(copies, tile, depth);
        else copy_by<1, WHOLE>(copies, tile, depth);
        at += (int64_t)(WHOLE ? DEPTH : depth) * ld;
    }

    template <int WIDTH, bool WHOLE>
    __device__ __forceinline__ void copy_by(AsyncCopies& copies, float (*tile)[ROWS + PAD], int depth) {
        constexpr int LANES = ROWS / WIDTH, STEP = THREADS / LANES;
        static_assert(THREADS % LANES == 0 && DEPTH % STEP == 0, "the same number of copies for every thread");
        // The narrow loop stays a loop: the addresses of all its copies at once would take the registers of the sums.
        constexpr int UNROLLED = WIDTH == 1 ? 1 : DEPTH / STEP;
        const int k = thread / LANES, row = thread % LANES * WIDTH;
#pragma unroll UNROLLED
        for (int i = 0; i < DEPTH; i += STEP)
            copies.copy<4 * WIDTH>(&tile[k + i][row], at + (int64_t)i * ld, WHOLE || k + i < depth);
    }
};

// --- the arithmetic -------------------------------------------------------------------------------------

// The elements of a warp's tile that one lane computes: blocks of 4 rows and 4 columns, the neighbouring block
// belonging to the neighbouring lane. LANES_M lanes lie below each other, 32 / LANES_M side by side.
template <int ROWS, int COLUMNS, int LANES_M>
struct Share {
    static constexpr int LANES_N = 32 / LANES_M;
    static constexpr int PIECES = ROWS * COLUMNS / 4;

    float sum[ROWS][COLUMNS];
    int row, column;  // of the lane's first element in the block's tile

    __device__ __forceinline__ Share(int warp_row, int warp_column, int lane)
        : row(warp_row + lane / LANES_N * 4), column(warp_column + lane % LANES_N * 4) {
#pragma unroll
        for (int i = 0; i < ROWS; i++)
#pragma unroll
            for (int j = 0; j < COLUMNS; j++) sum[i][j] = 0.0f;
    }

    // Adds A tile times B tile: ROWS + COLUMNS numbers from shared memory for ROWS * COLUMNS multiply-adds.
    template <int DEPTH, int STRIDE_A, int STRIDE_B>
    __device__ __forceinline__ void multiply(const float (*a)[STRIDE_A], const float (*b)[STRIDE_B]) {
#pragma unroll
        for (int k = 0; k < DEPTH; k++) {
            alignas(16) float left[ROWS], right[COLUMNS];
#pragma unroll
            for (int i = 0; i < ROWS; i += 4)
                *reinterpret_cast<float4*>(left + i) = *reinterpret_cast<const float4*>(&a[k][row + i * LANES_M]);
#pragma unroll
            for (int j = 0; j < COLUMNS; j += 4)
                *reinterpret_cast<float4*>(right + j) = *reinterpret_cast<const float4*>(&b[k][column + j * LANES_N]);
#pragma unroll
            for (int i = 0; i < ROWS; i++)
#pragma unroll
                for (int j = 0; j < COLUMNS; j++) sum[i][j] += left[i] * right[j];
        }
    }

    // Four neighbours of a row, piece p of PIECES, and where they lie in the block's tile.
    __device__ __forceinline__ float4 piece(int p) const {
        const int i = p / (COLUMNS / 4), j = p % (COLUMNS / 4) * 4;
        return make_float4(sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]);
    }
    __device__ __forceinline__ int piece_row(int p) const {
        const int i = p / (COLUMNS / 4);
        return row + i / 4 * 4 * LANES_M + i % 4;
    }
    __device__ __forceinline__ int piece_column(int p) const { return column + p % (COLUMNS / 4) * 4 * LANES_N; }
};

// --- split k -------------------------------------------------------------------------------------------

// Partial tiles of several blocks become one in the block that finishes last. It adds them in the order of the
// splits, not in that of arrival, so that every run gives the same bits. A piece (four elements) is read by the
// thread that has written its namesake.
template <int TILE, int HEIGHT, int THREADS>  // elements and rows of a tile, threads of a block
struct Splits {
    float4* pieces;   // of this block's tile, split by split
    float* sums;      // likewise
    uint32_t* counter;
    int splits;

    __device__ __forceinline__ Splits(const Gemm& g, int tile_row) : splits(g.splits) {
        const uint64_t tile = (uint64_t)blockIdx.z * gridDim.x + blockIdx.x, tiles = (uint64_t)gridDim.z * gridDim.x;
        pieces = reinterpret_cast<float4*>(g.workspace) + tile * splits * (TILE / 4);
        sums = g.workspace + tiles * splits * TILE + (uint64_t)(tile_row / HEIGHT) * splits * HEIGHT;
        counter = g.counters + tile;
    }

    __device__ __forceinline__ void write(int piece, float4 value) {
        pieces[(uint64_t)blockIdx.y * (TILE / 4) + piece * THREADS + threadIdx.x] = value;
    }
    __device__ __forceinline__ void write_sum(int row, float sum) { sums[blockIdx.y * HEIGHT + row] = sum; }

    // Whether all splits of this tile have been written; true in one block.
    __device__ __forceinline__ bool complete() { return is_last_block(counter, splits); }

    // The sums of pieces 0 to PIECES - 1, those of all splits.
    template <int PIECES>
    __device__ __forceinline__ void read(float4 (&total)[PIECES]) const {
        const float4* from = pieces + threadIdx.x;
#pragma unroll
        for (int p = 0; p < PIECES; p++) total[p] = from[p * THREADS];
#pragma unroll 1
        for (int s = 1; s < splits; s++) {
            from += TILE / 4;
#pragma unroll
            for (int p = 0; p < PIECES; p++) add_to(total[p], from[p * THREADS]);
        }
    }
    __device__ __forceinline__ float read_sum(int row) const {
        float total = sums[row];
#pragma unroll 1
        for (int s = 1; s < splits; s++) total += sums[s * HEIGHT + row];
        return total;
    }
};

DEVICE void store_sum(const Gemm& g, int row, float sum) {
    if (row < g.m) g.sums[row] = g.accumulate ? g.sums[row] + sum : sum;
}
