// Counting: which elements are not zero, and how often integers occur.
//
//   count_true     the true elements of every piece of PIECE elements
//   sum_pieces     the counts of the pieces become the number of true elements before each; one block
//   write_true     the indices of the true elements in row-major order, axis by axis
//   find_bounds    the smallest and the largest of 64-bit integers
//   count_each     how often each of 0, 1, 2, ... occurs
//   sum_each       the sums of weights over runs: element k is the sum over places[starts[k], starts[k + 1])
//
// Cost: count_true and write_true read each flag once, 2 bytes per element in all, and write 8 bytes per axis and true
// element. find_bounds and count_each read 8 bytes per element; counts are added in shared memory first where they
// fit there. sum_each reads 16 bytes per element, of which 8 lie anywhere. Memory is the limit. Sums take an order
// that depends on the lengths of the runs alone.
#include "layout.cuh"

constexpr int PIECE = 2048;  // flags of a block: eight neighbours per thread

// The number of true flags among the threads of a warp, or of a block of 256, before this one; total counts all.
DEVICE uint32_t count_before(uint32_t mine, uint32_t& total) {
    __shared__ uint32_t sums[8];
    const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    uint32_t sum = mine;
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
        const uint32_t other = __shfl_up_sync(0xffffffffu, sum, step);
        if (lane >= step) sum += other;
    }
    if (lane == 31) sums[warp] = sum;
    __syncthreads();
    uint32_t before = sum - mine;
    total = 0;
#pragma unroll
    for (uint32_t k = 0; k < 8; k++) {
        if (k < warp) before += sums[k];
        total += sums[k];
    }
    __syncthreads();
    return before;
}

// A thread's eight neighbouring flags, in the bits of a number.
DEVICE uint32_t flags_of_thread(const bool* __restrict__ flags, int64_t count) {
    const int64_t first = blockIdx.x * (int64_t)PIECE + threadIdx.x * 8;
    uint32_t bits = 0;
    if (first + 8 <= count) {
        const Vector<uint8_t, 8> pack = *reinterpret_cast<const Vector<uint8_t, 8>*>(flags + first);
#pragma unroll
        for (int k = 0; k < 8; k++) bits |= (pack.item[k] ? 1u : 0u) << k;
    } else {
#pragma unroll
        for (int k = 0; k < 8; k++)
            if (first + k < count && flags[first + k]) bits |= 1u << k;
    }
    return bits;
}

extern "C" __global__ void __launch_bounds__(256)
count_true(const bool* __restrict__ flags, int64_t* __restrict__ counts, int64_t count) {
    uint32_t total;
    count_before(__popc(flags_of_thread(flags, count)), total);
    if (threadIdx.x == 0) counts[blockIdx.x] = total;
}

// counts[k] becomes the sum of those before it, and counts[pieces] that of all.
extern "C" __global__ void __launch_bounds__(256) sum_pieces(int64_t* __restrict__ counts, int64_t pieces) {
    int64_t before = 0;
    for (int64_t first = 0; first < pieces; first += 256) {
        const int64_t piece = first + threadIdx.x;
        const uint32_t mine = piece < pieces ? (uint32_t)counts[piece] : 0;  // at most PIECE, so that 256 fit into 32 bits
        uint32_t total;
        const uint32_t inside = count_before(mine, total);
        if (piece < pieces) counts[piece] = before + inside;
        before += total;
    }
    if (threadIdx.x == 0) counts[pieces] = before;
}

// indices[axis][rank] for every true element; the axes of layout are those of the flags.
extern "C" __global__ void __launch_bounds__(256)
write_true(const bool* __restrict__ flags, const int64_t* __restrict__ before, int64_t* __restrict__ indices,
           int64_t found, int64_t count, Layout<1> layout) {
    const uint32_t bits = flags_of_thread(flags, count);
    uint32_t total;
    int64_t rank = before[blockIdx.x] + count_before(__popc(bits), total);
#pragma unroll
    for (int k = 0; k < 8; k++) {
        if (!(bits >> k & 1)) continue;
        uint32_t rest = blockIdx.x * PIECE + threadIdx.x * 8 + k;
        for (int d = (int)layout.axes - 1; d >= 0; d--) {
            const uint32_t q = layout.axis[d].quotient(rest);
            indices[d * found + rank] = rest - q * layout.axis[d].size;
            rest = q;
        }
        rank++;
    }
}

// bounds[0] and bounds[1] are the largest and the smallest integer before.
extern "C" __global__ void __launch_bounds__(256)
find_bounds(const int64_t* __restrict__ x, long long* __restrict__ bounds, int64_t count) {
    __shared__ long long least[8], largest[8];
    long long low = INT64_MAX, high = INT64_MIN;
    for (int64_t i = blockIdx.x * (int64_t)256 + threadIdx.x; i < count; i += gridDim.x * (int64_t)256) {
        const long long value = x[i];
        low = value < low ? value : low;
        high = value > high ? value : high;
    }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
        const long long other_low = __shfl_xor_sync(0xffffffffu, low, step);
        const long long other_high = __shfl_xor_sync(0xffffffffu, high, step);
        low = other_low < low ? other_low : low;
        high = other_high > high ? other_high : high;
    }
    if (threadIdx.x % 32 == 0) {
        least[threadIdx.x / 32] = low;
        largest[threadIdx.x / 32] = high;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int k = 1; k < 8; k++) {
            low = least[k] < low ? least[k] : low;
            high = largest[k] > high ? largest[k] : high;
        }
        atomicMin(&bounds[0], low);
        atomicMax(&bounds[1], high);
    }
}

constexpr int64_t MOST_IN_SHARED = 4096;  // counts, in 16 KiB

// counts are zero before. A block looks at less than 2^32 elements.
extern "C" __global__ void __launch_bounds__(256)
count_each(const int64_t* __restrict__ x, unsigned long long* __restrict__ counts, int64_t count, int64_t bins) {
    __shared__ uint32_t own[MOST_IN_SHARED];
    const bool in_shared = bins <= MOST_IN_SHARED;
    if (in_shared) {
        for (int k = threadIdx.x; k < bins; k += 256) own[k] = 0;
        __syncthreads();
    }
    for (int64_t i = blockIdx.x * (int64_t)256 + threadIdx.x; i < count; i += gridDim.x * (int64_t)256) {
        if (in_shared) atomicAdd(&own[x[i]], 1u);
        else atomicAdd(&counts[x[i]], 1ull);
    }
    if (!in_shared) return;
    __syncthreads();
    for (int k = threadIdx.x; k < bins; k += 256)
        if (own[k]) atomicAdd(&counts[k], (unsigned long long)own[k]);
}

// A warp adds a run: lane l takes every 32nd from l on, then the sums of the lanes are added two by two.
extern "C" __global__ void __launch_bounds__(256)
sum_each(const double* __restrict__ weights, const int64_t* __restrict__ places, const int64_t* __restrict__ starts,
         double* __restrict__ sums, int64_t runs) {
    const int64_t run = blockIdx.x * (int64_t)8 + threadIdx.x / 32;
    const uint32_t lane = threadIdx.x % 32;
    const int64_t end = run < runs ? starts[run + 1] : 0;
    double sum = 0.0;
    if (run < runs)
        for (int64_t i = starts[run] + lane; i < end; i += 32) sum += weights[places[i]];
#pragma unroll
    for (int step = 16; step > 0; step /= 2) sum += __shfl_down_sync(0xffffffffu, sum, step);
    if (lane == 0 && run < runs) sums[run] = sum;
}
