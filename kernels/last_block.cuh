// Work that several blocks share without waiting for each other: the one that finishes last sees what the others wrote.
//
// Who is last changes from run to run; what it computes must not. It adds in the order of the blocks' numbers.
#pragma once

#include <stdint.h>

// True, for all threads, in the last of `blocks` blocks that call this with the same counter, which begins and ends
// as 0.
static __device__ __forceinline__ bool is_last_block(uint32_t* counter, int blocks) {
    __shared__ bool last;
    __threadfence();  // what this thread has written comes before the count
    __syncthreads();
    if (threadIdx.x == 0) {
        last = atomicAdd(counter, 1u) == (uint32_t)blocks - 1;
        if (last) *counter = 0;
    }
    __syncthreads();
    if (last) __threadfence();  // and what the others have written comes before what is read now
    return last;
}
