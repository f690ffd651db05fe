// Copies in which an element's place decides what becomes of it: borders, rotations, triangles, counting.
//
//   pad       the source with a border of one value
//   roll      every element moved along the axes; what leaves at one end enters at the other
//   triangle  what lies on one side of a diagonal of matrices is kept, the rest becomes zero
//   count_up  0, 1, 2, ...
//
// Cost: pad and roll move 2 x size bytes in one pass, with one division per axis and element; triangle reads only what it
// keeps; count_up writes 8 x size bytes. The ceiling is the bandwidth of memory.
//
// Needs -DITEM=1, 2, 4, 8 or 16: the bytes of an element; its type does not matter.
#include "item.cuh"
#include "layout.cuh"

// The axes of the target, and where each of its coordinates comes from in the source.
struct Shifted {
    uint32_t axes, count;
    Axis axis[MOST_AXES];
    int32_t before[MOST_AXES];  // what a coordinate of the target is greater by
    uint32_t size[MOST_AXES];   // of the source
    int64_t stride[MOST_AXES];  // of the source

    // The source's offset of one element of the target, or false where it has none.
    template <bool AROUND>
    __device__ __forceinline__ bool find(uint32_t index, int64_t& offset) const {
        bool inside = true;
        offset = 0;
        for (int d = (int)axes - 1; d >= 0; d--) {
            const uint32_t q = d ? axis[d].quotient(index) : 0;
            int32_t at = (int32_t)(index - q * axis[d].size) - before[d];
            if (AROUND) {
                at += at < 0 ? (int32_t)size[d] : 0;
            } else {
                inside = inside && (uint32_t)at < size[d];
            }
            offset += at * stride[d];
            index = q;
        }
        return inside;
    }
};

extern "C" __global__ void __launch_bounds__(256)
pad(const Item* __restrict__ source, Item* __restrict__ target, Shifted from, Item value) {
    const uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= from.count) return;
    int64_t at;
    target[index] = from.find<false>(index, at) ? source[at] : value;
}

extern "C" __global__ void __launch_bounds__(256)
roll(const Item* __restrict__ source, Item* __restrict__ target, Shifted from) {
    const uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= from.count) return;
    int64_t at;
    from.find<true>(index, at);
    target[index] = source[at];
}

// Matrices of `rows` by `columns` elements, one after the other, of which column - row <= diagonal is kept, or with
// `upper` column - row >= diagonal.
extern "C" __global__ void __launch_bounds__(256)
triangle(const Item* __restrict__ source, Item* __restrict__ target, Axis rows, Axis columns, uint32_t count,
         int32_t diagonal, int32_t upper) {
    const uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= count) return;
    const uint32_t line = columns.quotient(index);
    const int32_t column = index - line * columns.size, row = line - rows.quotient(line) * rows.size;
    const bool kept = upper ? column - row >= diagonal : column - row <= diagonal;
    target[index] = kept ? source[index] : Item();
}

#if ITEM == 8
extern "C" __global__ void __launch_bounds__(256) count_up(Item* __restrict__ target, uint64_t first, uint32_t count) {
    const uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index < count) target[index] = first + index;
}
#endif
