// Copies: what reshaping, transposing, slicing and broadcasting come down to, and those in which an element's place
// decides what becomes of it.
//
//   copy            any layout to any layout; inner axes of stride 0 or 1 on the source, 1 on the target: 16 bytes a time
//   copy_strided    the same, element by element
//   copy_transposed swaps two axes through a tile in shared memory, so that both reading and writing are coalesced
//   fill            one value everywhere
//   pad             the source with a border of one value
//   roll            every element moved along the axes; what leaves at one end enters at the other
//   triangle        what lies on one side of a diagonal of matrices is kept, the rest becomes zero
//   count_up        0, 1, 2, ...
//
// Cost: 2 x size bytes, no arithmetic, but for pad and roll one division per axis and element; triangle reads only what
// it keeps, fill and count_up read nothing. The ceiling is the bandwidth of a device-to-device copy. copy_strided reads a
// 32-byte sector per element where neighbours in the target are far apart in the source.
//
// Needs -DITEM=1, 2, 4, 8 or 16: the bytes of an element; its type does not matter.
#include "item.cuh"
#include "layout.cuh"

constexpr int LANES = 16 / ITEM;
typedef Vector<Item, LANES> Pack;

// The axes of layout count packs of LANES elements on the innermost axis, whose strides are those of elements.
extern "C" __global__ void __launch_bounds__(256)
copy(const Item* __restrict__ source, Item* __restrict__ target, Layout<2> layout) {
    const uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= layout.count) return;
    int64_t at[2];
    layout.find(index, at);
    Pack pack;
    if (layout.stride[0][layout.axes - 1] == 0) {
#pragma unroll
        for (int k = 0; k < LANES; k++) pack.item[k] = source[at[0]];
    } else {
        pack = *reinterpret_cast<const Pack*>(source + at[0]);
    }
    *reinterpret_cast<Pack*>(target + at[1]) = pack;
}

extern "C" __global__ void __launch_bounds__(256)
copy_strided(const Item* __restrict__ source, Item* __restrict__ target, Layout<2> layout) {
    const uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= layout.count) return;
    int64_t at[2];
    layout.find(index, at);
    target[at[1]] = source[at[0]];
}

// target[b][i][j] = source[b][j][i]: blocks of 32 x 8 threads move tiles of 32 x 32. The column that pads the tile puts
// the elements of one of its columns into different banks. Matrix z is number z / inner of the outer axis of the batch
// and z % inner of the inner axis.
extern "C" __global__ void __launch_bounds__(256)
copy_transposed(const Item* __restrict__ source, Item* __restrict__ target, uint32_t rows, uint32_t columns,
                uint32_t inner, int64_t source_row, int64_t target_row, int64_t source_outer, int64_t target_outer,
                int64_t source_inner, int64_t target_inner) {
    __shared__ Item tile[32][33];
    const uint32_t outer = blockIdx.z / inner, within = blockIdx.z - outer * inner;
    source += outer * source_outer + within * source_inner;
    target += outer * target_outer + within * target_inner;
    const uint32_t left = blockIdx.x * 32, top = blockIdx.y * 32;
#pragma unroll
    for (uint32_t k = threadIdx.y; k < 32; k += 8) {
        const uint32_t i = left + k, j = top + threadIdx.x;  // a row of the source is a column of the target
        if (i < columns && j < rows) tile[k][threadIdx.x] = source[i * source_row + j];
    }
    __syncthreads();
#pragma unroll
    for (uint32_t k = threadIdx.y; k < 32; k += 8) {
        const uint32_t i = top + k, j = left + threadIdx.x;
        if (i < rows && j < columns) target[i * target_row + j] = tile[threadIdx.x][k];
    }
}

extern "C" __global__ void __launch_bounds__(256) fill(Item* __restrict__ target, Item value, Layout<1> layout) {
    const uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= layout.count) return;
    int64_t at[1];
    layout.find(index, at);
    target[at[0]] = value;
}

// --- borders, rotations, triangles, counting -------------------------------------------------------------

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
