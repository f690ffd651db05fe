// Random numbers whose bits are the CPU's: words, uniforms, dropout masks, integers. The stream stands in philox.cuh.
//
//   random_bits                         32-bit words
//   uniform_half, _float, _double       the upper 11, 24 or 53 bits of a word as a fraction, in [0, 1)
//   keep_mask                           whether the 32-bit word is below a threshold of 0 to 2^32
//   integers                            low + floor(64-bit word * values / 2^64)
//
// A thread makes one block of the stream, so eight neighbouring 32-bit elements or four 64-bit ones, and stores
// them 16 bytes at a time where the first element is the first of a block.
//
// Cost: size bytes written, nothing read. A block is about 220 integer instructions for 8 to 32 bytes, so that
// arithmetic is the limit, not memory.
#include "random.cuh"

extern "C" __global__ void __launch_bounds__(256) random_bits(uint32_t* __restrict__ target, Stream stream) {
    uint32_t value[8];
    stream.words(value);
    stream.store(target, value);
}

extern "C" __global__ void __launch_bounds__(256) uniform_half(half* __restrict__ target, Stream stream) {
    uint32_t word[8];
    half value[8];
    stream.words(word);
#pragma unroll
    for (int k = 0; k < 8; k++) value[k] = half((float)(word[k] >> 21) * 0x1p-11f);
    stream.store(target, value);
}

extern "C" __global__ void __launch_bounds__(256) uniform_float(float* __restrict__ target, Stream stream) {
    uint32_t word[8];
    float value[8];
    stream.words(word);
#pragma unroll
    for (int k = 0; k < 8; k++) value[k] = unit_float(word[k]);
    stream.store(target, value);
}

extern "C" __global__ void __launch_bounds__(256) uniform_double(double* __restrict__ target, Stream stream) {
    uint64_t word[4];
    double value[4];
    stream.words(word);
#pragma unroll
    for (int k = 0; k < 4; k++) value[k] = unit_double(word[k]);
    stream.store(target, value);
}

extern "C" __global__ void __launch_bounds__(256)
keep_mask(bool* __restrict__ target, Stream stream, uint64_t threshold) {
    uint32_t word[8];
    bool value[8];
    stream.words(word);
#pragma unroll
    for (int k = 0; k < 8; k++) value[k] = word[k] < threshold;
    stream.store(target, value);
}

extern "C" __global__ void __launch_bounds__(256)
integers(int64_t* __restrict__ target, Stream stream, uint64_t values, int64_t low) {
    uint64_t word[4];
    int64_t value[4];
    stream.words(word);
#pragma unroll
    for (int k = 0; k < 4; k++) value[k] = low + (int64_t)philox::multiply_high(word[k], values);
    stream.store(target, value);
}
