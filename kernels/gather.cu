// Reading and writing elements at places that index arrays name: x[index], x[index] = values.
//
//   gather        target[i] = source[place of i + offset of i]; the place comes from an index array, checked on the way
//   gather_packs  the same, 16 bytes at a time, where rows allow that
//   write         target[place of i + offset of i] = values[i], of repeated places the last
//   write_packs   the same, 16 bytes at a time
//   write_where   target[i] = values[i] where a mask is true
//
// Cost: gather reads and writes size bytes, and 1 to 8 bytes per index, which the threads of a row share through the
// cache; where rows are shorter than 32 bytes it reads a sector of 32 bytes per element. write is the same the other way.
//
// Needs -DITEM=1, 2, 4, 8 or 16: the bytes of an element; its type does not matter.
#include "item.cuh"
#include "index.cuh"

constexpr int LANES = 16 / ITEM;
typedef Vector<Item, LANES> Pack;

// Operands of the layout: the index array, and the source on the axes that the array does not name.
extern "C" __global__ void __launch_bounds__(256)
gather(const Item* __restrict__ source, Item* __restrict__ target, Fault* fault, Index index, Layout<2> layout,
       uint32_t operation) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= layout.count) return;
    int64_t at[2];
    layout.find(i, at);
    bool found = true;
    const int64_t place = index.place(at[0], fault, operation, found);
    target[i] = source[found ? place + at[1] : at[1]];
}

// The innermost axis of the layout counts packs; the target begins at a multiple of 16 bytes, and so does every pack.
extern "C" __global__ void __launch_bounds__(256)
gather_packs(const Item* __restrict__ source, Pack* __restrict__ target, Fault* fault, Index index, Layout<2> layout,
             uint32_t operation) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= layout.count) return;
    int64_t at[2];
    layout.find(i, at);
    bool found = true;
    const int64_t place = index.place(at[0], fault, operation, found);
    target[i] = *reinterpret_cast<const Pack*>(source + (found ? place + at[1] : at[1]));
}

// Where elements are written: places count the elements of the axes that are named, in row-major order, and `table`
// says where those lie. Places beyond the last are those of indices out of range.
struct Table {
    const uint32_t* places;  // one per index
    const uint32_t* last;    // for every place the number of the last write to it, from 1 on; or null: no repeats
    int64_t first;           // the number of the layout's first index
    Layout<1> axes;

    __device__ __forceinline__ bool find(int64_t number, int64_t& offset) const {
        number += first;
        const uint32_t place = places[number];
        if (place >= axes.count || (last && last[place] != (uint32_t)number + 1)) return false;
        int64_t at[1];
        axes.find(place, at);
        offset = at[0];
        return true;
    }
};

// Operands of the layout: the places, the values, and the target on the axes that are not named.
extern "C" __global__ void __launch_bounds__(256)
write(const Item* __restrict__ values, Item* __restrict__ target, Table table, Layout<3> layout) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= layout.count) return;
    int64_t at[3], offset;
    layout.find(i, at);
    if (table.find(at[0], offset)) target[offset + at[2]] = values[at[1]];
}

extern "C" __global__ void __launch_bounds__(256)
write_packs(const Item* __restrict__ values, Item* __restrict__ target, Table table, Layout<3> layout) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= layout.count) return;
    int64_t at[3], offset;
    layout.find(i, at);
    if (table.find(at[0], offset))
        *reinterpret_cast<Pack*>(target + offset + at[2]) = *reinterpret_cast<const Pack*>(values + at[1]);
}

// Operands of the layout: target, mask, values.
extern "C" __global__ void __launch_bounds__(256)
write_where(Item* __restrict__ target, const bool* __restrict__ mask, const Item* __restrict__ values,
            Layout<3> layout) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= layout.count) return;
    int64_t at[3];
    layout.find(i, at);
    if (mask[at[1]]) target[at[0]] = values[at[2]];
}
