// Philox4x64-10, the counter-based generator behind every random number of tinygrad_lite (Salmon, Moraes,
// Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a key of two 64-bit words and a
// counter of four give four random words, a block. There is no state to store, seed or advance.
//
// The stream, with the same bits as the CPU's in tinygrad_lite/backends/cpu/random.py:
//
//   key     = {seed, operation counter}
//   block b = philox::block(key, {b, 0, 0, 0})
//   64-bit word i = word i % 4 of block i / 4
//   32-bit word i = half i % 2, low first, of 64-bit word i / 2
//
//   keep of a dropout mask   (uint64_t)(32-bit word i) < threshold, an integer from 0 to 2^32
//   uniform in [0, 1)        float: (32-bit word i >> 8) * 2^-24; double: (64-bit word i >> 11) * 2^-53
//   normals 2p and 2p + 1    r cos(2 pi b) and r sin(2 pi b) with r = sqrt(-2 log(1 - a)), from uniforms a and b,
//                            which are 2p and 2p + 1; in float64, rounded once
//   exponential              -log(1 - a), from uniform i
//   gamma i                  attempts t = 0, 1, ... until one is accepted, each from a block of its own,
//                            philox::block(key, {i, t, 0, 0}): words 0 and 1 are a and b of a normal
//                            r cospi(2b), word 2 accepts, word 3 boosts a concentration below 1
//                            (tinygrad_lite/backends/cpu/gamma_draws.py); everything else has t = 0
//
// Cost: a block is twenty 64 x 64 -> 128 bit products, in all about 220 integer instructions and 30 registers
// (nvcc 13, sm_80 and sm_90). A thread that takes whole blocks pays about 28 instructions per 32-bit word,
// random_bits_at all 220 for one: a kernel that draws much gives each thread eight neighbouring elements.
//
// Also compiles as plain C++, where __int128 stands in for the GPU's high product.
#pragma once

#include <stdint.h>

#ifdef __CUDACC__
#define PHILOX_FUNCTION static __host__ __device__ __forceinline__
#else
#define PHILOX_FUNCTION static inline
#endif

namespace philox {

struct Key {
    uint64_t word[2];
};

struct Block {
    uint64_t word[4];
};

// The upper 64 bits of a product of 128.
PHILOX_FUNCTION uint64_t multiply_high(uint64_t a, uint64_t b) {
#ifdef __CUDA_ARCH__
    return __umul64hi(a, b);
#else
    return (uint64_t)((unsigned __int128)a * b >> 64);
#endif
}

// Ten rounds: two products mix words 0 and 2, their halves cross over, the key enters by exclusive or.
PHILOX_FUNCTION Block block(Key key, Block counter) {
    const uint64_t multiplier0 = 0xD2E7470EE14C6C93u, multiplier1 = 0xCA5A826395121157u;
    const uint64_t weyl0 = 0x9E3779B97F4A7C15u;  // golden ratio - 1, as a 64-bit fraction
    const uint64_t weyl1 = 0xBB67AE8584CAA73Bu;  // sqrt(3) - 1
    uint64_t x0 = counter.word[0], x1 = counter.word[1], x2 = counter.word[2], x3 = counter.word[3];
    uint64_t key0 = key.word[0], key1 = key.word[1];
    for (int round = 0; round < 10; ++round) {
        const uint64_t high0 = multiply_high(multiplier0, x0), low0 = multiplier0 * x0;
        const uint64_t high1 = multiply_high(multiplier1, x2), low1 = multiplier1 * x2;
        x0 = high1 ^ x1 ^ key0;
        x1 = low1;
        x2 = high0 ^ x3 ^ key1;
        x3 = low0;
        key0 += weyl0;
        key1 += weyl1;
    }
    return {{x0, x1, x2, x3}};
}

// 64-bit word `index` of the stream; selects instead of an array index keep the block in registers.
PHILOX_FUNCTION uint64_t random_word_at(uint64_t seed, uint64_t operation_counter, uint64_t index) {
    const Block b = block({{seed, operation_counter}}, {{index / 4, 0, 0, 0}});
    const uint64_t even = index & 2 ? b.word[2] : b.word[0];
    const uint64_t odd = index & 2 ? b.word[3] : b.word[1];
    return index & 1 ? odd : even;
}

// 32-bit word `index` of the stream: element `index` of random_bits(seed, operation_counter, ...).
PHILOX_FUNCTION uint32_t random_bits_at(uint64_t seed, uint64_t operation_counter, uint64_t index) {
    const uint64_t word = random_word_at(seed, operation_counter, index / 2);
    return (uint32_t)(index & 1 ? word >> 32 : word);
}

}  // namespace philox

#undef PHILOX_FUNCTION
