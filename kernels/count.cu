// Counting integers, and what follows from numbers of elements.
//
//   unravel        the indices, axis by axis, of elements that are numbered in row-major order
//   find_bounds    the smallest and the largest of 64-bit integers
//   count_each     how often each of 0, 1, 2, ... occurs
//   sum_each       the sums of weights over runs: element k is the sum over places[starts[k], starts[k + 1])
//
// Cost: unravel reads 8 bytes per element and writes 8 per axis; find_bounds and count_each read 8 bytes per element,
// and counts are added in shared memory first where they fit there; sum_each reads 16 bytes per element, of which 8 lie
// anywhere. Memory is the limit. Sums take an order that depends on the lengths of the runs alone.
#include "layout.cuh"

// Axis by axis the indices of elements that are numbered in row-major order; the axes of layout are those of the array.
extern "C" __global__ void __launch_bounds__(256)
unravel(const int64_t* __restrict__ numbers, int64_t* __restrict__ indices, int64_t count, Layout<1> layout) {
    const int64_t i = blockIdx.x * (int64_t)256 + threadIdx.x;
    if (i >= count) return;
    uint32_t rest = (uint32_t)numbers[i];
    for (int d = (int)layout.axes - 1; d >= 0; d--) {
        const uint32_t q = layout.axis[d].quotient(rest);
        indices[d * count + i] = rest - q * layout.axis[d].size;
        rest = q;
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
