// Scans: along an axis, each element joined with all before it, for any operation that may be grouped at will.
//
//   rows     a block takes a line, tile by tile. A thread joins a few neighbours in order, the threads' totals are
//            scanned in the warps, and those of the warps in order; so a long line is a chain over tiles of a tree.
//   columns  a thread takes a line, element by element; its neighbours take the lines beside it.
//
// Where lines are few and long, they are cut into segments and scanned by two launches: the first leaves the total of
// each segment, the second begins each with the totals before it, which it joins in order. Blocks never wait for each
// other.
//
// An operation Op has OPERANDS, a State, none(), join(earlier, later), element(x, a, is_first) and value(state), which
// is written. CHECKED says that joining in a tree can fail where one step after the other does not: products of the
// elements in between may overflow. Then finite(state) tells, and the tile, or the line, is done step by step;
// rounded(state) is what a step leaves, and is_lost(state) that nothing can change what follows.
//
// Needs -DTYPE= the element type and -DKIND= BOOLS, INTEGERS, FLOATS or COMPLEX.
#pragma once

#include "associative.cuh"
#include "layout.cuh"

#define BOOLS 0
#define INTEGERS 1
#define FLOATS 2
#define COMPLEX 3

typedef TYPE T;
typedef Compute<T>::type C;

constexpr int THREADS = 256;
enum { WHOLE, TOTALS, REST };  // the phases: lines in one go; the totals of their segments; the segments, after that

struct Scan {
    const T* x;
    const T* a;  // the second operand, if there is one
    void* out;
    void* totals;
    int64_t phase;
    Layout<3> lines;  // where each begins, in x, in a and in the result
    int64_t step[3];  // from one element to the next
    int64_t length;   // of a line
    int64_t segment;  // elements of a line that one block or thread takes
};

template <class Op>
DEVICE typename Op::State read(const Scan& scan, const int64_t (&begin)[3], int64_t i) {
    const T a = Op::OPERANDS > 1 ? scan.a[begin[1] + i * scan.step[1]] : T(0);
    return Op::element(scan.x[begin[0] + i * scan.step[0]], a, i == 0);
}

template <class Op>
DEVICE void write(const Scan& scan, const int64_t (&begin)[3], int64_t i, typename Op::State s) {
    reinterpret_cast<typename Op::Value*>(scan.out)[begin[2] + i * scan.step[2]] = Op::value(s);
}

template <class Op>
struct Tile {
    typedef typename Op::State State;
    static constexpr int ITEMS = sizeof(State) <= 16 ? 8 : 4;  // of a thread
    State* slots;                                             // ITEMS x threads, and some that are skipped
    State* warps;                                             // the total of each warp

    // Threads read ITEMS neighbours each: without the gaps these would lie in a few banks only.
    static __device__ __forceinline__ uint32_t slot(uint32_t place) { return place + place / 32; }

    // Joins what the threads before this one have, and gives the total of the block. Behind it, a barrier has to come
    // before the next call.
    __device__ __forceinline__ State before(State own, State& total) const {
        const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
        for (int distance = 1; distance < 32; distance *= 2) {
            const State other = from_lane_before(own, distance);
            if (lane >= distance) own = Op::join(other, own);
        }
        if (lane == 31) warps[warp] = own;
        const State previous = from_lane_before(own, 1);
        __syncthreads();
        State sum = Op::none();
        total = Op::none();
        for (uint32_t k = 0; k < blockDim.x / 32; k++) {
            if (k == warp) sum = total;
            total = Op::join(total, warps[k]);
        }
        return lane ? Op::join(sum, previous) : sum;
    }
};

template <class Op>
DEVICE void rows(const Scan& scan) {
    typedef typename Op::State State;
    constexpr int ITEMS = Tile<Op>::ITEMS;
    extern __shared__ uint4 shared[];
    const uint32_t threads = blockDim.x, size = threads * ITEMS;
    Tile<Op> tile;
    tile.warps = reinterpret_cast<State*>(shared);
    tile.slots = tile.warps + THREADS / 32;
    const uint32_t line = blockIdx.x, segments = gridDim.y, own = blockIdx.y;
    int64_t begin[3];
    scan.lines.find(line, begin);
    const int64_t first = own * scan.segment;
    const int64_t end = scan.segment < scan.length - first ? first + scan.segment : scan.length;
    State* totals = reinterpret_cast<State*>(scan.totals) + (int64_t)line * segments;
    State carry = Op::none();
    int64_t from = first;
    if (scan.phase == REST && own) {
        tile.before(threadIdx.x < own ? totals[threadIdx.x] : Op::none(), carry);
        if constexpr (Op::CHECKED) {
            if (!Op::finite(carry)) {  // in all threads alike: then from the beginning of the line
                carry = Op::none();
                from = 0;
            }
        }
    }
    for (; from < end; from += size) {
        const uint32_t count = end - from < size ? end - from : size;
        State s[ITEMS];
#pragma unroll
        for (int k = 0; k < ITEMS; k++) {
            const uint32_t place = k * threads + threadIdx.x;
            tile.slots[tile.slot(place)] = place < count ? read<Op>(scan, begin, from + place) : Op::none();
        }
        __syncthreads();
        State total, sum = Op::none();
#pragma unroll
        for (int k = 0; k < ITEMS; k++) {
            s[k] = tile.slots[tile.slot(threadIdx.x * ITEMS + k)];
            sum = k ? Op::join(sum, s[k]) : s[k];
        }
        const State before = Op::join(carry, tile.before(sum, total));
        sum = before;
        bool fails = false;
#pragma unroll
        for (int k = 0; k < ITEMS; k++) {
            sum = Op::join(sum, s[k]);
            s[k] = sum;
            if constexpr (Op::CHECKED) fails = fails || !Op::finite(sum);
        }
        if constexpr (Op::CHECKED) {
            fails = __syncthreads_or(fails && scan.phase != TOTALS && !Op::is_lost(carry));
        }
        if (fails) {
            if (threadIdx.x == 0) {
                sum = carry;
                for (uint32_t k = 0; k < count; k++) {
                    State& next = tile.slots[tile.slot(k)];
                    if constexpr (Op::CHECKED) next = sum = Op::rounded(Op::join(sum, next));
                }
            }
            __syncthreads();
            carry = tile.slots[tile.slot(count - 1)];
            __syncthreads();  // before the next tile comes there
        } else {
#pragma unroll
            for (int k = 0; k < ITEMS; k++) tile.slots[tile.slot(threadIdx.x * ITEMS + k)] = s[k];
            carry = Op::join(carry, total);
            __syncthreads();
        }
        if (scan.phase != TOTALS && from >= first) {
#pragma unroll
            for (int k = 0; k < ITEMS; k++) {
                const uint32_t place = k * threads + threadIdx.x;
                if (place < count) write<Op>(scan, begin, from + place, tile.slots[tile.slot(place)]);
            }
        }
    }
    if (scan.phase == TOTALS && threadIdx.x == 0) totals[own] = carry;
}

constexpr int AHEAD = 4;  // elements that a thread has on the way at a time

template <class Op>
DEVICE void columns(const Scan& scan) {
    typedef typename Op::State State;
    const uint32_t line = blockIdx.x * blockDim.x + threadIdx.x, lines = scan.lines.count, own = blockIdx.y;
    if (line >= lines) return;
    int64_t begin[3];
    scan.lines.find(line, begin);
    const int64_t first = own * scan.segment;
    const int64_t end = scan.segment < scan.length - first ? first + scan.segment : scan.length;
    State* totals = reinterpret_cast<State*>(scan.totals) + line;
    State s = Op::none();
    int64_t i = first;
    if (scan.phase == REST) {
        for (uint32_t k = 0; k < own; k++) s = Op::join(s, totals[(int64_t)k * lines]);
        if constexpr (Op::CHECKED) {
            if (!Op::finite(s)) {
                s = Op::none();
                for (i = 0; i < first; i++) s = Op::rounded(Op::join(s, read<Op>(scan, begin, i)));
            }
        }
    }
    while (i < end) {
        State next[AHEAD];
#pragma unroll
        for (int k = 0; k < AHEAD; k++) next[k] = i + k < end ? read<Op>(scan, begin, i + k) : Op::none();
#pragma unroll
        for (int k = 0; k < AHEAD; k++) {
            s = Op::join(s, next[k]);
            if (scan.phase != TOTALS) {
                if constexpr (Op::CHECKED) s = Op::rounded(s);
                if (i + k < end) write<Op>(scan, begin, i + k, s);
            }
        }
        i += AHEAD;
    }
    if (scan.phase == TOTALS) totals[(int64_t)own * lines] = s;
}

#define SCAN(name, Op)                                                                             \
    extern "C" __global__ void __launch_bounds__(THREADS) name##_rows(Scan scan) { rows<Op>(scan); } \
    extern "C" __global__ void __launch_bounds__(THREADS) name##_columns(Scan scan) { columns<Op>(scan); }
