// Stable sorting of rows, the order of the elements along the last, contiguous axis of (rows, n), and searching in what
// is sorted; all in the order of keys (order.cuh), where NaN is the largest and equal to NaN.
//
//   sort_rows    rows of up to 512 x 8 elements: several short rows, or one long row, in a block
//   sort_tiles   the first step for longer rows: pieces of TILE elements, each sorted by itself
//   merge_tiles  one of the further steps: pairs of sorted runs become runs of twice the length
//   make_keys, take_places
//                what comes before and after a radix sort (radix.cu), which long rows take
//   searchsorted where each element of x2 would have to be put into the sorted x1, by halving
//   contains     whether it is in x1; NaN is in nothing
//
// An entry is (key, place in the row). No two are equal, so that every method of sorting is stable: equal elements
// stay in the order of their places. A thread sorts 8 entries in registers by Batcher's network, then runs are merged in
// shared memory. Each thread finds where its 8 entries of the merged run begin by a binary search along a diagonal of the
// merge matrix (Green, McColl, Bader, "GPU merge path: a GPU merging algorithm", ICS 2012), and merges them alone.
//
// Cost: sort_rows reads the elements and writes what is asked for, 8 bytes of place or ITEM bytes of value, once; values
// are read again at their places, from the cache. The arithmetic is n log2(n / 8) / 8 binary searches of up to 12 steps in
// shared memory, which is the limit. merge_tiles reads and writes all entries once, 2 x 8 bytes (2 x 16 for ITEM=8), in each
// of log2(n / TILE) passes. make_keys and take_places move 3 ITEM + 20 bytes per element at most, of which ITEM are read
// anywhere.
//
// searchsorted and contains read ITEM and write 8 bytes (contains: 1 byte) per element of x2, and log2(n) elements of x1,
// whose first halves all threads share and find in the cache. The latency of those reads is the limit.
//
// Needs -DITEM=1, 2, 4 or 8: the bytes of an element, see order.cuh.
#include "order.cuh"

constexpr int EACH = 8;                          // entries of a thread
constexpr int MOST_THREADS = ITEM == 8 ? 256 : 512;  // of a block: 40 KiB of shared memory at most
constexpr int TILE = 256 * EACH;                 // entries of a block of sort_tiles and merge_tiles

#if ITEM == 8
typedef uint64_t Key;  // what the radix sort takes
struct alignas(16) Entry {
    uint64_t key;
    uint64_t place;
};
DEVICE Entry entry(Item key, uint32_t place) { return {key, place}; }
DEVICE uint32_t place_of(Entry e) { return (uint32_t)e.place; }
DEVICE bool before(Entry a, Entry b) { return a.key < b.key || (a.key == b.key && a.place < b.place); }
#else
typedef uint32_t Key;
typedef uint64_t Entry;  // the key in front of the place
DEVICE Entry entry(Item key, uint32_t place) { return (uint64_t)key << 32 | place; }
DEVICE uint32_t place_of(Entry e) { return (uint32_t)e; }
DEVICE bool before(Entry a, Entry b) { return a < b; }
#endif

// Where entry i lies in shared memory: a gap after every 128 bytes puts the i-th entries of the threads, which are
// EACH entries apart, into different banks.
DEVICE uint32_t slot(uint32_t i) { return i + i / (128 / sizeof(Entry)); }

DEVICE void put_in_order(Entry& a, Entry& b) {
    const bool swap = before(b, a);
    const Entry first = swap ? b : a;
    b = swap ? a : b;
    a = first;
}

// Batcher's network of odd-even merges (Knuth, The Art of Computer Programming 3, section 5.2.2): 19 comparisons.
DEVICE void sort_in_registers(Entry (&e)[EACH]) {
#pragma unroll
    for (int k = 0; k < 8; k += 2) put_in_order(e[k], e[k + 1]);
#pragma unroll
    for (int k = 0; k < 8; k += 4) {
        put_in_order(e[k], e[k + 2]);
        put_in_order(e[k + 1], e[k + 3]);
        put_in_order(e[k + 1], e[k + 2]);
    }
#pragma unroll
    for (int k = 0; k < 4; k++) put_in_order(e[k], e[k + 4]);
#pragma unroll
    for (int k = 2; k < 4; k++) put_in_order(e[k], e[k + 2]);
#pragma unroll
    for (int k = 1; k < 7; k += 2) put_in_order(e[k], e[k + 1]);
}

// How many of the first `diagonal` entries of the merged run come from run a; read(i) is entry i of a run.
template <class A, class B>
DEVICE uint32_t split(const A& a, uint32_t size_a, const B& b, uint32_t size_b, uint32_t diagonal) {
    uint32_t low = diagonal > size_b ? diagonal - size_b : 0, high = diagonal < size_a ? diagonal : size_a;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (before(b(diagonal - 1 - middle), a(middle))) high = middle;
        else low = middle + 1;
    }
    return low;
}

// The EACH entries of the merge of shared[begin_a, end_a) and shared[begin_b, end_b) that follow the first `diagonal`.
DEVICE void merge_in_shared(const Entry* shared, uint32_t begin_a, uint32_t end_a, uint32_t begin_b, uint32_t end_b,
                            uint32_t diagonal, Entry (&e)[EACH]) {
    const auto a = [&](uint32_t i) { return shared[slot(begin_a + i)]; };
    const auto b = [&](uint32_t i) { return shared[slot(begin_b + i)]; };
    const uint32_t from_a = split(a, end_a - begin_a, b, end_b - begin_b, diagonal);
    uint32_t i = begin_a + from_a, j = begin_b + (diagonal - from_a);
    Entry next_a = i < end_a ? shared[slot(i)] : Entry{}, next_b = j < end_b ? shared[slot(j)] : Entry{};
#pragma unroll
    for (int k = 0; k < EACH; k++) {
        const bool take_a = j >= end_b || (i < end_a && before(next_a, next_b));
        e[k] = take_a ? next_a : next_b;
        if (take_a) {
            if (++i < end_a) next_a = shared[slot(i)];
        } else {
            if (++j < end_b) next_b = shared[slot(j)];
        }
    }
}

DEVICE void to_shared(Entry* shared, const Entry (&e)[EACH]) {
#pragma unroll
    for (int k = 0; k < EACH; k++) shared[slot(threadIdx.x * EACH + k)] = e[k];
}

// Sort the entries in shared memory in groups of `width` threads, a power of two; they are in shared memory again.
DEVICE void sort_in_shared(Entry* shared, uint32_t width) {
    Entry e[EACH];
    const uint32_t thread = threadIdx.x;
#pragma unroll
    for (int k = 0; k < EACH; k++) e[k] = shared[slot(thread * EACH + k)];
    sort_in_registers(e);
    for (uint32_t run = 1; run < width; run *= 2) {
        __syncthreads();  // everybody has read
        to_shared(shared, e);
        __syncthreads();
        const uint32_t first = (thread & ~(2 * run - 1)) * EACH, middle = first + run * EACH;
        merge_in_shared(shared, first, middle, middle, middle + run * EACH, thread * EACH - first, e);
    }
    __syncthreads();
    to_shared(shared, e);
    __syncthreads();
}

DEVICE Entry loaded(const Item* row, uint32_t place, uint32_t n, int kind, bool descending) {
    // What fills a group up has the largest key and a place behind all others: it stays behind.
    if (place >= n) return entry(LARGEST, place);
    const Item key = key_of(row[place], kind);
    return entry(descending ? (Item)~key : key, place);
}

// Write the value and the place of an entry, each if it is asked for.
DEVICE void write(Entry e, const Item* row, Item* value, int64_t* place) {
    if (place) *place = place_of(e);
    if (value) *value = row[place_of(e)];
}

// The first `kept` of every row in order; a row takes `width` threads of the block, a power of two.
extern "C" __global__ void __launch_bounds__(MOST_THREADS, 3)
sort_rows(const Item* __restrict__ source, Item* __restrict__ values, int64_t* __restrict__ places, uint32_t rows,
          uint32_t n, uint32_t kept, uint32_t width, int kind, bool descending) {
    extern __shared__ Entry shared[];
    const uint32_t first = blockIdx.x * (blockDim.x / width), mask = width * EACH - 1, shift = __popc(mask);
    for (uint32_t i = threadIdx.x; i < blockDim.x * EACH; i += blockDim.x) {
        const uint32_t row = first + (i >> shift);
        shared[slot(i)] = loaded(source + (int64_t)row * n, i & mask, row < rows ? n : 0, kind, descending);
    }
    __syncthreads();
    sort_in_shared(shared, width);
    for (uint32_t i = threadIdx.x; i < blockDim.x * EACH; i += blockDim.x) {
        const uint32_t row = first + (i >> shift), rank = i & mask;
        if (row >= rows || rank >= kept) continue;
        const int64_t at = (int64_t)row * kept + rank;
        write(shared[slot(i)], source + (int64_t)row * n, values ? values + at : nullptr, places ? places + at : nullptr);
    }
}

// Sort pieces of TILE entries; blockIdx.y is the row, and entries are those of a row after the other.
extern "C" __global__ void __launch_bounds__(256)
sort_tiles(const Item* __restrict__ source, Entry* __restrict__ entries, uint32_t n, int kind, bool descending) {
    __shared__ Entry shared[TILE + TILE * sizeof(Entry) / 128];
    const Item* row = source + (int64_t)blockIdx.y * n;
    const uint32_t begin = blockIdx.x * TILE;
    for (uint32_t i = threadIdx.x; i < TILE; i += 256) shared[slot(i)] = loaded(row, begin + i, n, kind, descending);
    __syncthreads();
    sort_in_shared(shared, 256);
    for (uint32_t i = threadIdx.x; i < TILE && begin + i < n; i += 256)
        entries[(int64_t)blockIdx.y * n + begin + i] = shared[slot(i)];
}

// Merge runs of `run` entries, a multiple of TILE, two by two; a block makes TILE entries of the result. The last pass
// writes values and places in place of entries.
extern "C" __global__ void __launch_bounds__(256)
merge_tiles(const Entry* __restrict__ entries, Entry* __restrict__ merged, const Item* __restrict__ source,
            Item* __restrict__ values, int64_t* __restrict__ places, uint32_t n, uint32_t kept, uint32_t run) {
    __shared__ Entry shared[TILE + TILE * sizeof(Entry) / 128];
    __shared__ uint32_t ends[2];
    const Entry* in = entries + (int64_t)blockIdx.y * n;
    const uint32_t begin = blockIdx.x * TILE, first = (uint32_t)(begin / (2 * (uint64_t)run) * (2 * (uint64_t)run));
    const uint32_t size_a = n - first < run ? n - first : run;
    const uint32_t size_b = n - first - size_a < run ? n - first - size_a : run;
    const uint32_t diagonal = begin - first, size = size_a + size_b - diagonal < TILE ? size_a + size_b - diagonal : TILE;
    const Entry *run_a = in + first, *run_b = run_a + size_a;
    const auto a = [&](uint32_t i) { return run_a[i]; };
    const auto b = [&](uint32_t i) { return run_b[i]; };
    if (threadIdx.x < 2) ends[threadIdx.x] = split(a, size_a, b, size_b, diagonal + threadIdx.x * size);
    __syncthreads();
    const uint32_t from_a = ends[0], take_a = ends[1] - from_a, from_b = diagonal - from_a;
    for (uint32_t i = threadIdx.x; i < size; i += 256)
        shared[slot(i)] = i < take_a ? run_a[from_a + i] : run_b[from_b + i - take_a];
    __syncthreads();
    Entry e[EACH];
    const uint32_t mine = threadIdx.x * EACH;
    if (mine < size) merge_in_shared(shared, 0, take_a, take_a, size, mine, e);
    __syncthreads();
    if (mine < size) to_shared(shared, e);
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < size; i += 256) {
        const uint32_t rank = begin + i;
        if (merged) {
            merged[(int64_t)blockIdx.y * n + rank] = shared[slot(i)];
        } else if (rank < kept) {
            const int64_t at = (int64_t)blockIdx.y * kept + rank;
            write(shared[slot(i)], source + (int64_t)blockIdx.y * n, values ? values + at : nullptr,
                  places ? places + at : nullptr);
        }
    }
}

extern "C" __global__ void __launch_bounds__(256)
make_keys(const Item* __restrict__ source, Key* __restrict__ keys, uint32_t n, int kind, bool descending) {
    const uint32_t i = blockIdx.x * 256 + threadIdx.x;
    if (i >= n) return;
    const Item key = key_of(source[i], kind);
    keys[i] = descending ? (Item)~key : key;
}

// The first `kept` elements of a row in the order that the sort has found.
extern "C" __global__ void __launch_bounds__(256)
take_places(const Item* __restrict__ source, const int32_t* __restrict__ order, Item* __restrict__ values,
            int64_t* __restrict__ places, uint32_t kept) {
    const uint32_t i = blockIdx.x * 256 + threadIdx.x;
    if (i >= kept) return;
    const int32_t place = order[i];
    if (places) places[i] = place;
    if (values) values[i] = source[place];
}

// --- searching -------------------------------------------------------------------------------------------

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
