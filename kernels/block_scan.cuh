// Running sums across the threads of a block.
#pragma once

#include "types.cuh"

// The sum of the values of all threads before this one; `total` becomes that of all.
template <int COUNT>
DEVICE uint32_t sum_before(uint32_t value, uint32_t& total) {
    __shared__ uint32_t warp_sums[COUNT / 32];
    const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    uint32_t sum = value;
#pragma unroll
    for (int d = 1; d < 32; d *= 2) {
        const uint32_t below = __shfl_up_sync(0xffffffffu, sum, d);
        if (lane >= d) sum += below;
    }
    __syncthreads();  // the sums of the last call have been read
    if (lane == 31) warp_sums[warp] = sum;
    __syncthreads();
    uint32_t before = 0;
    total = 0;
#pragma unroll
    for (int w = 0; w < COUNT / 32; w++) {
        if (w == warp) before = total;
        total += warp_sums[w];
    }
    return before + sum - value;
}
