// Searching sorted elements, by halving; in the order of keys (order.cuh), where NaN is the largest and equal to NaN.
//
//   searchsorted   where each element of x2 would have to be put into the sorted x1
//   contains       whether it is in x1; NaN is in nothing
//
// Cost: reads ITEM and writes 8 bytes (contains: 1 byte) per element of x2, and log2(n) elements of x1, whose first halves
// all threads share and find in the cache. The latency of those reads is the limit.
//
// Needs -DITEM=1, 2, 4 or 8: the bytes of an element.
#include "order.cuh"

// How many of the n sorted elements come before one with this key, or before or equal to it.
DEVICE int64_t rank_of(Item key, const Item* __restrict__ sorted, int64_t n, int kind, bool behind_equals) {
    int64_t low = 0, high = n;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        const Item other = key_of(sorted[middle], kind);
        if (other < key || (behind_equals && other == key)) low = middle + 1;
        else high = middle;
    }
    return low;
}

extern "C" __global__ void __launch_bounds__(256)
searchsorted(const Item* __restrict__ sorted, const Item* __restrict__ x2, int64_t* __restrict__ places, int64_t n,
             int64_t count, int kind, bool right) {
    const int64_t index = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
    if (index >= count) return;
    places[index] = rank_of(key_of(x2[index], kind), sorted, n, kind, right);
}

extern "C" __global__ void __launch_bounds__(256)
contains(const Item* __restrict__ sorted, const Item* __restrict__ x2, bool* __restrict__ found, int64_t n, int64_t count,
         int kind, bool invert) {
    const int64_t index = blockIdx.x * (int64_t)blockDim.x + threadIdx.x;
    if (index >= count) return;
    const Item wanted = x2[index], key = key_of(wanted, kind);
    const int64_t place = rank_of(key, sorted, n, kind, false);
    const bool there = place < n && key_of(sorted[place], kind) == key && !is_nan(wanted, kind);
    found[index] = there != invert;
}
