// Copies between layouts, and filling: what reshaping, transposing, slicing and broadcasting come down to.
//
//   copy            any layout to any layout; inner axes of stride 0 or 1 on the source, 1 on the target: 16 bytes a time
//   copy_strided    the same, element by element
//   copy_transposed swaps two axes through a tile in shared memory, so that both reading and writing are coalesced
//   fill            one value everywhere
//
// Cost: 2 x size bytes, no arithmetic; the ceiling is the bandwidth of a device-to-device copy. copy_strided reads a
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
// the elements of one of its columns into different banks.
extern "C" __global__ void __launch_bounds__(256)
copy_transposed(const Item* __restrict__ source, Item* __restrict__ target, uint32_t rows, uint32_t columns,
                int64_t source_row, int64_t target_row, int64_t source_batch, int64_t target_batch) {
    __shared__ Item tile[32][33];
    source += blockIdx.z * source_batch;
    target += blockIdx.z * target_batch;
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
