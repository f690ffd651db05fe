// The largest or smallest of the values that index arrays bring to each place, NaN before all: as keys (order.cuh), whose
// maximum atomic operations find in any order with the same result.
//
//   encode_keys  the keys of what stands there
//   forget_keys  the smallest key at every named place: what stands there shall not count
//   raise_keys   the maximum of the key there and that of each value
//   decode_keys  the elements that the keys stand for; where the key is that of what stood there, that very element
//
// Cost: encode_keys and decode_keys move size x (ITEM + 4 or 8) bytes each; raise_keys is bound by one 4- or 8-byte atomic per value.
//
// Needs -DITEM=1, 2, 4 or 8: the bytes of an element. What the bits mean is an argument.
#include "index.cuh"
#include "order.cuh"

#if ITEM == 8
typedef unsigned long long Key;
#else
typedef unsigned int Key;
#endif

// With `largest` the keys of larger elements are larger, else those of smaller ones.
DEVICE Key ordered_key(Item bits, int kind, bool largest) {
    const Item key = key_of(bits, kind);
    return largest || is_nan(bits, kind) ? key : (Item)~key;
}

DEVICE Item element_of(Key ordered, int kind, bool largest) {
    if (kind == FLOAT && ordered == LARGEST) return (Item)(INFINITE | INFINITE >> 1);  // a NaN
    const Item key = largest ? (Item)ordered : (Item)~(Item)ordered;
    if (kind == UNSIGNED) return key;
    if (kind == SIGNED) return (Item)(key ^ SIGN);
    return key & SIGN ? (Item)(key ^ SIGN) : (Item)~key;
}

extern "C" __global__ void __launch_bounds__(256)
encode_keys(const Item* __restrict__ x, Key* __restrict__ keys, uint32_t count, int kind, bool largest) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) keys[i] = ordered_key(x[i], kind, largest);
}

// Operands of the layout: the index array, and the keys on the axes that it does not name.
extern "C" __global__ void __launch_bounds__(256)
forget_keys(Key* __restrict__ keys, Fault* fault, Index index, Layout<2> layout, uint32_t operation) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= layout.count) return;
    int64_t at[2];
    layout.find(i, at);
    bool found = true;
    const int64_t place = index.place(at[0], fault, operation, found);
    if (found) keys[place + at[1]] = 0;  // all who write here write the same
}

// Operands of the layout: the index array, the values, and the keys on the axes that are not named.
extern "C" __global__ void __launch_bounds__(256)
raise_keys(const Item* __restrict__ values, Key* __restrict__ keys, Fault* fault, Index index, Layout<3> layout,
      uint32_t operation, int kind, bool largest) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= layout.count) return;
    int64_t at[3];
    layout.find(i, at);
    bool found = true;
    const int64_t place = index.place(at[0], fault, operation, found);
    if (found) atomicMax(keys + place + at[2], ordered_key(values[at[1]], kind, largest));
}

extern "C" __global__ void __launch_bounds__(256)
decode_keys(const Item* __restrict__ x, const Key* __restrict__ keys, Item* __restrict__ target, uint32_t count, int kind,
       bool largest) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const Item own = x[i];
    const Key key = keys[i];
    target[i] = key == ordered_key(own, kind, largest) ? own : element_of(key, kind, largest);
}
