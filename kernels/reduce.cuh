// Reductions: one result for each set of elements, whatever axes they lie along and whatever operation joins them.
//
//   rows     sets with runs of neighbours in memory: sums along the last axes. `lanes` threads take a run, 16 bytes a
//            thread at a time; `width` threads have a set, whose runs, if there are several, go to groups of lanes.
//   columns  neighbours in memory belong to different sets: sums along the first axes. A block is `wide` x `high`
//            threads: each has V neighbouring sets, and every high-th element of them.
//
// Where there are few sets, several blocks share each, and the last of them joins what they found. The grouping follows
// from shapes alone, so two runs give the same bits. Sums of n elements are trees over threads over chains: errors grow
// far more slowly than n.
//
// An operation Op has a State; none(), what an empty set has; of(x, index), what one element has, where index counts
// the elements of its set; join(a, b), in any order; and put(...), which writes the result. of() gives a Leaf: a State,
// or something smaller that is enough for the elements of one vector.
//
// Needs -DTYPE= the element type and -DKIND= INTEGERS, FLOATS or COMPLEX. Bools are reduced as uint8_t.
#pragma once

#include "associative.cuh"
#include "last_block.cuh"
#include "layout.cuh"

#define INTEGERS 1
#define FLOATS 2
#define COMPLEX 3

typedef TYPE T;
typedef Compute<T>::type C;

constexpr int THREADS = 256;
constexpr int LANES = 16 / sizeof(T);   // elements of a vector that a run is read by
constexpr int AHEAD = 4;                // vectors that a thread has on the way at a time
constexpr uint32_t MOST_SHARED = 1024;  // sets that several blocks share

// Counts, for each shared set, the blocks that are done; it is 0 between launches.
__device__ uint32_t done[MOST_SHARED];

// What all kernels need besides the shape.
struct Operands {
    const T* x;
    void* out;
    void* partial;      // room for a State per block, if several blocks share a set
    const void* means;  // of each set, for the squared distances from it
    double divisor;     // what sums are divided by, in the end; how many elements all() wants
    int64_t kind;       // which of its results the operation shall write
};

// Operations that treat all sets alike.
struct Plain {
    Plain() = default;
    __device__ __forceinline__ Plain(const Operands&, int64_t) {}
};

struct Rows {
    Layout<1> sets, runs;  // where each set begins, and in it each run
    int64_t total;         // elements of a set
    uint32_t length;       // of a run; the last may be shorter
    uint32_t lanes, width; // powers of two; width is at most 32, or the whole block
    uint32_t share;        // runs of a set that one block takes
};

// What COUNT neighbours of a vector have, from its element FROM on, joined as a tree.
template <class Op, int FROM, int COUNT>
DEVICE typename Op::Leaf joined(const Op& op, const Vector<T, LANES>& pack, int64_t index) {
    if constexpr (COUNT == 1) {
        return op.of(pack.item[FROM], index + FROM);
    } else {
        constexpr int HALF = COUNT / 2;
        return Op::join(joined<Op, FROM, HALF>(op, pack, index), joined<Op, FROM + HALF, HALF>(op, pack, index));
    }
}

// What `lanes` threads find in a run; neighbours in memory go to neighbouring threads.
template <class Op>
DEVICE void read_run(const Op& op, const T* run, uint32_t length, uint32_t lane, uint32_t lanes, int64_t index,
                     typename Op::State (&s)[AHEAD]) {
    typedef typename Op::State State;
    typedef Vector<T, LANES> Pack;
    if (length < 4 * LANES) {
        for (uint32_t i = lane; i < length; i += lanes) s[0] = Op::join(s[0], State(op.of(run[i], index + i)));
        return;
    }
    const uint32_t head = (uint32_t)(-reinterpret_cast<uintptr_t>(run) & 15) / sizeof(T);  // before the first vector
    const uint32_t packs = (length - head) / LANES;
    const Pack* pack = reinterpret_cast<const Pack*>(run + head);
    uint32_t i = lane;
    for (; i + (AHEAD - 1) * lanes < packs; i += AHEAD * lanes) {
        Pack ahead[AHEAD];
#pragma unroll
        for (int k = 0; k < AHEAD; k++) ahead[k] = pack[i + k * lanes];
#pragma unroll
        for (int k = 0; k < AHEAD; k++) {
            const int64_t first = index + head + (int64_t)(i + k * lanes) * LANES;
            s[k] = Op::join(s[k], State(joined<Op, 0, LANES>(op, ahead[k], first)));
        }
    }
    for (; i < packs; i += lanes) {
        const Pack one = pack[i];  // in one load: without the copy of half there would be eight
        s[0] = Op::join(s[0], State(joined<Op, 0, LANES>(op, one, index + head + (int64_t)i * LANES)));
    }
    for (uint32_t k = lane; k < head; k += lanes) s[1] = Op::join(s[1], State(op.of(run[k], index + k)));
    for (uint32_t k = head + packs * LANES + lane; k < length; k += lanes) {
        s[2] = Op::join(s[2], State(op.of(run[k], index + k)));
    }
}

// What the threads of a block found, joined; its first warp gets it.
template <class Op>
DEVICE typename Op::State joined_by_block(typename Op::State s, typename Op::State* slots) {
    slots[threadIdx.x] = s;
    __syncthreads();
    if (threadIdx.x < 32) {
#pragma unroll
        for (int k = 32; k < THREADS; k += 32) s = Op::join(s, slots[threadIdx.x + k]);
#pragma unroll
        for (int mask = 16; mask; mask /= 2) s = Op::join(s, from_lane_across(s, mask));
    }
    return s;
}

template <class Op>
DEVICE void rows(const Operands& operands, const Rows& shape) {
    typedef typename Op::State State;
    const uint32_t width = shape.width, set = blockIdx.x * (blockDim.x / width) + threadIdx.x / width;
    const uint32_t place = threadIdx.x & (width - 1), groups = width / shape.lanes;
    const bool exists = set < shape.sets.count;  // all threads stay, because warps join what they found
    const Op op(operands, exists ? set : 0);
    State s[AHEAD];
#pragma unroll
    for (int k = 0; k < AHEAD; k++) s[k] = Op::none();
    if (exists) {
        int64_t begin[1], offset[1];
        shape.sets.find(set, begin);
        const uint32_t first = blockIdx.y * shape.share, runs = shape.runs.count;
        const uint32_t last = shape.share < runs - first ? first + shape.share : runs;
        for (uint32_t run = first + place / shape.lanes; run < last; run += groups) {
            shape.runs.find(run, offset);
            const int64_t index = (int64_t)run * shape.length, left = shape.total - index;
            const uint32_t length = left < shape.length ? left : shape.length;
            read_run(op, operands.x + begin[0] + offset[0], length, place & (shape.lanes - 1), shape.lanes, index, s);
        }
    }
    State found = Op::join(Op::join(s[0], s[1]), Op::join(s[2], s[3]));
    if (width <= 32) {
        for (int mask = width / 2; mask; mask /= 2) found = Op::join(found, from_lane_across(found, mask));
        if (exists && place == 0) op.put(operands, set, found);
        return;
    }
    __shared__ State slots[THREADS];
    found = joined_by_block<Op>(found, slots);
    const uint32_t blocks = gridDim.y;
    if (blocks > 1) {
        State* partial = reinterpret_cast<State*>(operands.partial) + (int64_t)set * blocks;
        if (threadIdx.x == 0) partial[blockIdx.y] = found;
        if (!is_last_block(&done[set], blocks)) return;
        found = Op::none();
        for (uint32_t k = threadIdx.x; k < blocks; k += THREADS) found = Op::join(found, partial[k]);
        found = joined_by_block<Op>(found, slots);
    }
    if (threadIdx.x == 0) op.put(operands, set, found);
}

struct Columns {
    Layout<1> sets;     // where each begins; the innermost axis counts V sets at a time
    Layout<1> elements; // of a set
    uint32_t wide, high;  // threads of a block; high is a power of two
    uint32_t share;     // elements of a set that one block takes
};

// What the `high` threads of each column found, joined; those of the first row get it.
template <class Op, int V>
DEVICE void joined_by_columns(typename Op::State (&s)[V], typename Op::State* slots, uint32_t wide, uint32_t high) {
#pragma unroll
    for (int k = 0; k < V; k++) slots[k * THREADS + threadIdx.x] = s[k];
    __syncthreads();
    for (uint32_t half = high / 2; half; half /= 2) {
        if (threadIdx.x < half * wide) {
#pragma unroll
            for (int k = 0; k < V; k++) {
                s[k] = Op::join(s[k], slots[k * THREADS + threadIdx.x + half * wide]);
                slots[k * THREADS + threadIdx.x] = s[k];
            }
        }
        __syncthreads();
    }
}

template <class Op, int V>
DEVICE void columns(const Operands& operands, const Columns& shape) {
    typedef typename Op::State State;
    typedef Vector<T, V> Pack;
    const uint32_t wide = shape.wide, high = shape.high;
    const uint32_t row = threadIdx.x / wide, place = blockIdx.x * wide + threadIdx.x % wide;
    const uint32_t sets = shape.sets.count, first = blockIdx.y * shape.share, elements = shape.elements.count;
    const uint32_t last = shape.share < elements - first ? first + shape.share : elements;
    State s[V];
#pragma unroll
    for (int k = 0; k < V; k++) s[k] = Op::none();
    if (place < sets) {
        int64_t begin[1], offset[1];
        shape.sets.find(place, begin);
        const T* x = operands.x + begin[0];
        Vector<Op, V> op;
#pragma unroll
        for (int k = 0; k < V; k++) op.item[k] = Op(operands, (int64_t)place * V + k);
        uint32_t i = first + row;
        for (; i + (AHEAD - 1) * high < last; i += AHEAD * high) {
            Pack ahead[AHEAD];
#pragma unroll
            for (int k = 0; k < AHEAD; k++) {
                shape.elements.find(i + k * high, offset);
                ahead[k] = *reinterpret_cast<const Pack*>(x + offset[0]);
            }
#pragma unroll
            for (int k = 0; k < V; k++) {
                State of[AHEAD];
#pragma unroll
                for (int a = 0; a < AHEAD; a++) of[a] = op.item[k].of(ahead[a].item[k], i + a * high);
                s[k] = Op::join(s[k], Op::join(Op::join(of[0], of[1]), Op::join(of[2], of[3])));
            }
        }
        for (; i < last; i += high) {
            shape.elements.find(i, offset);
            const Pack pack = *reinterpret_cast<const Pack*>(x + offset[0]);
#pragma unroll
            for (int k = 0; k < V; k++) s[k] = Op::join(s[k], State(op.item[k].of(pack.item[k], i)));
        }
    }
    __shared__ State slots[THREADS * V];
    joined_by_columns<Op, V>(s, slots, wide, high);
    const uint32_t blocks = gridDim.y;
    if (blocks > 1) {
        State* partial = reinterpret_cast<State*>(operands.partial);
        if (row == 0 && place < sets) {
#pragma unroll
            for (int k = 0; k < V; k++) partial[((int64_t)blockIdx.y * sets + place) * V + k] = s[k];
        }
        if (!is_last_block(&done[blockIdx.x], blocks)) return;
#pragma unroll
        for (int k = 0; k < V; k++) s[k] = Op::none();
        for (uint32_t block = row; place < sets && block < blocks; block += high) {
#pragma unroll
            for (int k = 0; k < V; k++) s[k] = Op::join(s[k], partial[((int64_t)block * sets + place) * V + k]);
        }
        joined_by_columns<Op, V>(s, slots, wide, high);
    }
    if (row == 0 && place < sets) {
#pragma unroll
        for (int k = 0; k < V; k++) Op(operands, (int64_t)place * V + k).put(operands, (int64_t)place * V + k, s[k]);
    }
}

// The kernels of an operation: rows, columns of several sets per thread, and columns of one, for strides of any kind.
// BLOCKS is how many blocks a multiprocessor shall hold at least, which limits the registers of a thread.
#define REDUCTION_OF_ROWS(name, Op, BLOCKS)                                                                    \
    extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) name##_rows(Operands operands, Rows shape) { \
        rows<Op>(operands, shape);                                                                             \
    }
#define REDUCTION_OF_COLUMNS(name, Op, V, BLOCKS)                                                              \
    extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) name(Operands operands, Columns shape) {     \
        columns<Op, V>(operands, shape);                                                                       \
    }
#define REDUCTION(name, Op)                                              \
    REDUCTION_OF_ROWS(name, Op, 4)                                       \
    REDUCTION_OF_COLUMNS(name##_columns, Op, (LANES < 4 ? LANES : 4), 4) \
    REDUCTION_OF_COLUMNS(name##_strided, Op, 1, 4)
