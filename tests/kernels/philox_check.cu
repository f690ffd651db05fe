// A program around kernels/philox.cuh: g++ compiles it for the CPU and prints words for the tests to compare,
// nvcc compiles the kernels, which use the header the way the product does.
//
//   philox_check block KEY0 KEY1 COUNTER0 COUNTER1 COUNTER2 COUNTER3     the four words of one block
//   philox_check bits SEED OPERATION START COUNT                         32-bit words of the stream
//   philox_check words SEED OPERATION START COUNT                        64-bit words of the stream
#include "philox.cuh"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __CUDACC__
extern "C" __global__ void one_word_per_thread(uint32_t* out, uint64_t seed, uint64_t operation,
                                               uint64_t count) {
    const uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) out[i] = philox::random_bits_at(seed, operation, i);
}

extern "C" __global__ void one_block_per_thread(uint64_t* out, uint64_t seed, uint64_t operation,
                                                uint64_t blocks) {
    const uint64_t b = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (b >= blocks) return;
    const philox::Block block = philox::block({{seed, operation}}, {{b, 0, 0, 0}});
    for (int j = 0; j < 4; ++j) out[4 * b + j] = block.word[j];
}
#endif

int main(int count, char** arguments) {
    uint64_t n[6] = {0};
    for (int i = 2; i < count && i < 8; ++i) n[i - 2] = strtoull(arguments[i], nullptr, 0);
    if (count == 8 && strcmp(arguments[1], "block") == 0) {
        const philox::Block block = philox::block({{n[0], n[1]}}, {{n[2], n[3], n[4], n[5]}});
        for (int j = 0; j < 4; ++j) printf("%" PRIu64 "\n", block.word[j]);
        return 0;
    }
    if (count == 6 && strcmp(arguments[1], "bits") == 0) {
        for (uint64_t i = n[2]; i < n[2] + n[3]; ++i) {
            printf("%" PRIu32 "\n", philox::random_bits_at(n[0], n[1], i));
        }
        return 0;
    }
    if (count == 6 && strcmp(arguments[1], "words") == 0) {
        for (uint64_t i = n[2]; i < n[2] + n[3]; ++i) {
            printf("%" PRIu64 "\n", philox::random_word_at(n[0], n[1], i));
        }
        return 0;
    }
    return 2;
}
