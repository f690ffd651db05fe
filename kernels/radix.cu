// Sorting unsigned integers together with where they stood, stably: least significant digit first, 8 bits at a time.
//
//   count_digits   how many keys of each block have each digit
//   sum_counts     turns the counts of a digit into the number of its keys in the blocks before each
//   place_digits   moves every key behind those with smaller digits, and those with the same one that stood before it
//   sort_block     all of this for what fits into one block, in one launch
//
// Cost: a pass reads the keys twice and writes them once, and reads and writes 4 bytes of position: 20 bytes per 32-bit
// key, and a pass per 8 bits that the largest key has. Within a block keys are put in order in shared memory first, so that
// those of one digit are written side by side. Ranks are counted by ballots: no atomic operation decides an order.
//
// Needs -DKEY=uint32_t or uint64_t.
#include "block_scan.cuh"

typedef KEY Key;

constexpr int THREADS = 256, WARPS = THREADS / 32, DIGITS = 256;
constexpr int ITEMS = sizeof(Key) == 4 ? 12 : 8, TILE = THREADS * ITEMS;

DEVICE uint32_t digit_of(Key key, uint32_t shift) { return (uint32_t)(key >> shift) % DIGITS; }

extern "C" __global__ void __launch_bounds__(THREADS)
count_digits(const Key* __restrict__ keys, uint32_t* __restrict__ counts, uint32_t count, uint32_t shift) {
    __shared__ uint32_t found[DIGITS];
    found[threadIdx.x] = 0;
    __syncthreads();
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        const uint32_t i = blockIdx.x * TILE + k * THREADS + threadIdx.x;
        if (i < count) atomicAdd(&found[digit_of(keys[i], shift)], 1u);
    }
    __syncthreads();
    counts[threadIdx.x * gridDim.x + blockIdx.x] = found[threadIdx.x];
}

// A block per digit.
extern "C" __global__ void __launch_bounds__(THREADS)
sum_counts(uint32_t* __restrict__ counts, uint32_t* __restrict__ totals, uint32_t blocks) {
    counts += (uint64_t)blockIdx.x * blocks;
    uint32_t before = 0, total;
    for (uint32_t first = 0; first < blocks; first += THREADS) {
        const uint32_t i = first + threadIdx.x;
        const uint32_t sum = sum_before<THREADS>(i < blocks ? counts[i] : 0, total);
        if (i < blocks) counts[i] = before + sum;
        before += total;
    }
    if (threadIdx.x == 0) totals[blockIdx.x] = before;
}

// The keys of a block, while they are sorted by one digit: every warp has 32 times `rounds` consecutive ones.
struct Tile {
    uint32_t counts[WARPS][DIGITS];  // of the keys of a warp with a digit; then how many stand before them
    uint32_t starts[DIGITS];         // how many keys of the block have a smaller digit
    Key keys[TILE];

    __device__ __forceinline__ static uint32_t place(uint32_t rounds, uint32_t k) {
        return (threadIdx.x / 32 * rounds + k) * 32 + threadIdx.x % 32;
    }

    // Where each of the thread's keys goes within the block.
    __device__ __forceinline__ void rank(const Key (&key)[ITEMS], uint32_t (&rank)[ITEMS], uint32_t rounds,
                                         uint32_t shift) {
        const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
        __syncthreads();  // what the last pass left has been read
#pragma unroll
        for (int w = 0; w < WARPS; w++) counts[w][threadIdx.x] = 0;
        __syncthreads();
#pragma unroll
        for (int k = 0; k < ITEMS; k++) {
            if (k >= rounds) break;
            const uint32_t digit = digit_of(key[k], shift);
            uint32_t same = 0xffffffffu;  // the lanes with this digit
#pragma unroll
            for (int bit = 0; bit < 8; bit++) {
                const bool one = digit >> bit & 1;
                const uint32_t ones = __ballot_sync(0xffffffffu, one);
                same &= one ? ones : ~ones;
            }
            const uint32_t before = counts[warp][digit];
            rank[k] = before + __popc(same & ((1u << lane) - 1));
            __syncwarp();
            if (lane == __ffs(same) - 1) counts[warp][digit] = before + __popc(same);
            __syncwarp();
        }
        __syncthreads();
        uint32_t sum = 0, all;
#pragma unroll
        for (int w = 0; w < WARPS; w++) {
            const uint32_t own = counts[w][threadIdx.x];
            counts[w][threadIdx.x] = sum;
            sum += own;
        }
        starts[threadIdx.x] = sum_before<THREADS>(sum, all);
        __syncthreads();
#pragma unroll
        for (int k = 0; k < ITEMS; k++) {
            if (k >= rounds) break;
            const uint32_t digit = digit_of(key[k], shift);
            rank[k] += starts[digit] + counts[warp][digit];
        }
    }
};

// `order` says where the keys once stood; null means that they stand there still.
extern "C" __global__ void __launch_bounds__(THREADS)
place_digits(const Key* __restrict__ keys, const int32_t* __restrict__ order, Key* __restrict__ sorted,
             int32_t* __restrict__ sorted_order, const uint32_t* __restrict__ counts,
             const uint32_t* __restrict__ totals, uint32_t count, uint32_t shift) {
    __shared__ Tile tile;
    __shared__ uint32_t offsets[DIGITS];  // from a place in the block's tile to one in all keys
    const uint32_t first = blockIdx.x * TILE, own = count - first < TILE ? count - first : TILE;
    Key key[ITEMS];
    uint32_t rank[ITEMS], target[ITEMS];
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        const uint32_t i = Tile::place(ITEMS, k);
        key[k] = i < own ? keys[first + i] : ~(Key)0;  // what fills the last tile stays behind all keys
    }
    tile.rank(key, rank, ITEMS, shift);
    uint32_t all;
    const uint32_t smaller = sum_before<THREADS>(totals[threadIdx.x], all);
    offsets[threadIdx.x] = smaller + counts[threadIdx.x * gridDim.x + blockIdx.x] - tile.starts[threadIdx.x];
#pragma unroll
    for (int k = 0; k < ITEMS; k++) tile.keys[rank[k]] = key[k];
    __syncthreads();
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        const uint32_t slot = k * THREADS + threadIdx.x;
        if (slot >= own) continue;
        const Key held = tile.keys[slot];
        target[k] = offsets[digit_of(held, shift)] + slot;
        sorted[target[k]] = held;
    }
    __syncthreads();
    int32_t* const places = reinterpret_cast<int32_t*>(tile.keys);
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        const uint32_t i = Tile::place(ITEMS, k);
        if (i < own) places[rank[k]] = order ? order[first + i] : (int32_t)(first + i);
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        const uint32_t slot = k * THREADS + threadIdx.x;
        if (slot < own) sorted_order[target[k]] = places[slot];
    }
}

// One block: at most TILE keys, by `digits` digits.
extern "C" __global__ void __launch_bounds__(THREADS)
sort_block(const Key* __restrict__ keys, Key* __restrict__ sorted, int32_t* __restrict__ order, uint32_t count,
           uint32_t digits) {
    __shared__ Tile tile;
    __shared__ uint16_t places[TILE];
    const uint32_t rounds = (count + THREADS - 1) / THREADS;
    Key key[ITEMS];
    uint32_t rank[ITEMS];
    uint16_t place[ITEMS];
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        if (k >= rounds) break;
        const uint32_t i = Tile::place(rounds, k);
        key[k] = i < count ? keys[i] : ~(Key)0;
        place[k] = i;
    }
    for (uint32_t digit = 0; digit < digits; digit++) {
        tile.rank(key, rank, rounds, 8 * digit);
#pragma unroll
        for (int k = 0; k < ITEMS; k++) {
            if (k >= rounds) break;
            tile.keys[rank[k]] = key[k];
            places[rank[k]] = place[k];
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < ITEMS; k++) {
            if (k >= rounds) break;
            const uint32_t i = Tile::place(rounds, k);
            key[k] = tile.keys[i];
            place[k] = places[i];
        }
    }
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
        if (k >= rounds) break;
        const uint32_t i = Tile::place(rounds, k);
        if (i < count) {
            sorted[i] = key[k];
            order[i] = place[k];
        }
    }
}
