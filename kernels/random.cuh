// One block of the random stream per thread, and the elements made of it on their way to memory.
#pragma once

#include "philox.cuh"
#include "types.cuh"

DEVICE float unit_float(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }
DEVICE double unit_double(uint64_t word) { return (double)(word >> 11) * 0x1p-53; }

// Which part of the stream a launch draws: elements of a block that lie before `skipped` in the first block, or behind
// `count` in the last, belong to somebody else.
struct Stream {
    const uint64_t* advance;  // what a replayed graph adds to the operation counter, or null
    uint64_t count;           // of elements that are drawn
    uint64_t seed, counter;
    uint64_t first;           // the block of the first element
    uint64_t skipped;         // its place in that block

    __device__ __forceinline__ uint64_t thread() const { return blockIdx.x * (uint64_t)blockDim.x + threadIdx.x; }

    // The four 64-bit words of this thread's block.
    __device__ __forceinline__ void words(uint64_t (&word)[4]) const {
        const uint64_t operation = counter + (advance ? *advance : 0);
        const philox::Block block = philox::block({{seed, operation}}, {{first + thread(), 0, 0, 0}});
#pragma unroll
        for (int k = 0; k < 4; k++) word[k] = block.word[k];
    }

    // The same as eight 32-bit words, low half first.
    __device__ __forceinline__ void words(uint32_t (&word)[8]) const {
        uint64_t both[4];
        words(both);
#pragma unroll
        for (int k = 0; k < 8; k++) word[k] = (uint32_t)(both[k / 2] >> (k % 2 * 32));
    }

    // Write what this thread's block became.
    template <class T, int N>
    __device__ __forceinline__ void store(T* target, const T (&value)[N]) const {
        constexpr int LANES = N * sizeof(T) < 16 ? N : 16 / sizeof(T);
        const uint64_t begin = thread() * N - skipped;  // of the first thread possibly below 0: a very large number
        if (skipped == 0 && begin + N <= count) {
#pragma unroll
            for (int k = 0; k < N; k += LANES) {
                Vector<T, LANES> pack;
#pragma unroll
                for (int j = 0; j < LANES; j++) pack.item[j] = value[k + j];
                *reinterpret_cast<Vector<T, LANES>*>(target + begin + k) = pack;
            }
            return;
        }
#pragma unroll
        for (int k = 0; k < N; k++)
            if (begin + k < count) target[begin + k] = value[k];
    }
};
