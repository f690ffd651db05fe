// Which elements an index names: from index arrays and masks to numbers of places.
//
//   places        the places of up to four index arrays together: the row-major number of each named element
//   places_along  the same of one array that names a place on each line along an axis
//   last_writes   for every place the number of the last write to it
//   count_true    how many elements of a mask are true, per block
//   sum_counts    turns counts per block into the number of elements before each, and says how many there are in all
//   list_true     the places of the true elements of a mask, in order
//   repeat_places the number of the segment that each element lies in, from where the segments end
//
// Cost: places reads and writes 8 bytes per index; a mask is read twice, with 16-byte loads, and 8 bytes are written
// per true element; last_writes is bound by its 4-byte atomics, repeat_places by a binary search per element.
#include "block_scan.cuh"
#include "index.cuh"

constexpr int MOST_ARRAYS = 4;

struct Indices {
    Index index[MOST_ARRAYS];
    uint32_t arrays;
    uint32_t accumulate;  // whether the target holds the places of further arrays, to which these are added
};

// Places of which one index is out of range become `beyond`.
template <class P>
DEVICE void find_places(P* __restrict__ target, Fault* fault, const Indices& indices,
                        const Layout<MOST_ARRAYS>& layout, P beyond, uint32_t operation) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= layout.count) return;
    int64_t at[MOST_ARRAYS];
    layout.find(i, at);
    bool found = true;
    P place = 0;
    if (indices.accumulate) {
        place = target[i];
        found = place != beyond;
    }
#pragma unroll
    for (int k = 0; k < MOST_ARRAYS; k++)
        if (k < indices.arrays) place += (P)indices.index[k].place(at[k], fault, operation, found);
    target[i] = found ? place : beyond;
}

extern "C" __global__ void __launch_bounds__(256)
places(uint32_t* __restrict__ target, Fault* fault, Indices indices, Layout<MOST_ARRAYS> layout, uint32_t beyond,
       uint32_t operation) {
    find_places(target, fault, indices, layout, beyond, operation);
}

// Offsets of elements in memory, which may be negative; those out of range become 0.
extern "C" __global__ void __launch_bounds__(256)
offsets(int64_t* __restrict__ target, Fault* fault, Indices indices, Layout<MOST_ARRAYS> layout, int64_t beyond,
        uint32_t operation) {
    find_places(target, fault, indices, layout, beyond, operation);
}

// Operands of the layout: the index array, and what the other axes add to a place.
extern "C" __global__ void __launch_bounds__(256)
places_along(uint32_t* __restrict__ target, Fault* fault, Index index, Layout<2> layout, uint32_t beyond,
             uint32_t operation) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= layout.count) return;
    int64_t at[2];
    layout.find(i, at);
    bool found = true;
    const uint32_t place = index.place(at[0], fault, operation, found) + at[1];
    target[i] = found ? place : beyond;
}

extern "C" __global__ void __launch_bounds__(256)
last_writes(uint32_t* __restrict__ last, const uint32_t* __restrict__ places, uint32_t count, uint32_t beyond) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count && places[i] < beyond) atomicMax(last + places[i], i + 1);
}

// --- masks ---------------------------------------------------------------------------------------------

constexpr int THREADS = 256, EACH = 16, TILE = THREADS * EACH;

// EACH elements of the mask, one per byte; those after the end are false.
DEVICE uint4 load_mask(const uint8_t* __restrict__ mask, uint32_t start, uint32_t count) {
    if (start + EACH <= count && (uintptr_t)mask % EACH == 0) return *reinterpret_cast<const uint4*>(mask + start);
    uint32_t word[4] = {0, 0, 0, 0};
#pragma unroll
    for (int k = 0; k < EACH; k++)
        if (start + k < count && mask[start + k]) word[k / 4] |= 1u << (k % 4 * 8);
    return make_uint4(word[0], word[1], word[2], word[3]);
}

DEVICE uint32_t count_bytes(uint4 bytes) {  // of which each is 0 or 1
    return __popc(bytes.x) + __popc(bytes.y) + __popc(bytes.z) + __popc(bytes.w);
}

extern "C" __global__ void __launch_bounds__(THREADS)
count_true(const uint8_t* __restrict__ mask, uint32_t* __restrict__ counts, uint32_t count) {
    uint32_t total;
    const uint32_t start = blockIdx.x * TILE + threadIdx.x * EACH;
    sum_before<THREADS>(start < count ? count_bytes(load_mask(mask, start, count)) : 0, total);
    if (threadIdx.x == 0) counts[blockIdx.x] = total;
}

// One block.
extern "C" __global__ void __launch_bounds__(1024)
sum_counts(uint32_t* __restrict__ counts, int64_t* __restrict__ all, uint32_t blocks) {
    uint32_t before = 0, total;
    for (uint32_t first = 0; first < blocks; first += 1024) {
        const uint32_t i = first + threadIdx.x;
        const uint32_t sum = sum_before<1024>(i < blocks ? counts[i] : 0, total);
        if (i < blocks) counts[i] = before + sum;
        before += total;
    }
    if (threadIdx.x == 0) *all = before;
}

extern "C" __global__ void __launch_bounds__(THREADS)
list_true(const uint8_t* __restrict__ mask, const uint32_t* __restrict__ before, int64_t* __restrict__ target,
          uint32_t count) {
    __shared__ uint16_t found[TILE];  // counted from the block's first element: so they are written side by side
    const uint32_t first = blockIdx.x * TILE, start = first + threadIdx.x * EACH;
    const uint4 bytes = start < count ? load_mask(mask, start, count) : make_uint4(0, 0, 0, 0);
    uint32_t total, at = sum_before<THREADS>(count_bytes(bytes), total);
    const uint32_t word[4] = {bytes.x, bytes.y, bytes.z, bytes.w};
#pragma unroll
    for (int k = 0; k < EACH; k++)
        if (word[k / 4] >> (k % 4 * 8) & 1) found[at++] = threadIdx.x * EACH + k;
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < total; i += THREADS) target[before[blockIdx.x] + i] = first + found[i];
}

// --- segments ------------------------------------------------------------------------------------------

extern "C" __global__ void __launch_bounds__(256)
repeat_places(const int64_t* __restrict__ ends, int64_t* __restrict__ target, uint32_t segments, uint32_t count) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    uint32_t low = 0, high = segments - 1;  // the first segment that ends after i
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (ends[middle] > i) high = middle;
        else low = middle + 1;
    }
    target[i] = low;
}
