// Adding where places repeat, always in the same order: what becomes of the gradient of reading by index.
//
// No two threads add to one element, so no atomic additions are needed and two runs give the same bits.
//
//   add_lines    few indices: every element of the result looks through all of them, in order
//   add_chunks   many: places were sorted, equal ones stand together in runs. Every thread adds a chunk of sorted rows, in
//                one column; sums of whole runs go to the result, those of runs that cross the border of a chunk aside
//   add_ends     puts together the runs that crossed
//   overlap_add  windows that overlap: every element of the result gathers what they bring it
//
// Cost: add_lines writes the result once and reads all indices per element, through the cache: result x indices
// comparisons. add_chunks reads every row once, 16 bytes at a time where rows allow that, and 8 bytes of place and order
// per row and thread; partial sums are 2 x rows / chunk rows. overlap_add reads and writes every element once.
//
// half is summed in float, integers modulo 2^64, so that signed ones have the bits of unsigned ones.
//
// Needs -DTYPE=, that of the elements: bool, uint8_t ... uint64_t, half, float, double, complex<float>, complex<double>.
#include "associative.cuh"
#include "index.cuh"

template <class X>
struct Sum {  // of integers
    using type = uint64_t;
    static __device__ __forceinline__ uint64_t of(X x) { return (uint64_t)x; }
    static __device__ __forceinline__ X rounded(uint64_t sum) { return (X)sum; }
};
template <class X>
struct Floats {
    using type = X;
    static __device__ __forceinline__ X of(X x) { return x; }
    static __device__ __forceinline__ X rounded(X sum) { return sum; }
};
template <>
struct Sum<float> : Floats<float> {};
template <>
struct Sum<double> : Floats<double> {};
template <class R>
struct Sum<complex<R>> : Floats<complex<R>> {};
template <>
struct Sum<half> {
    using type = float;
    static __device__ __forceinline__ float of(half x) { return x; }
    static __device__ __forceinline__ half rounded(float sum) { return half(sum); }
};

typedef TYPE T;
typedef Sum<T>::type S;
constexpr int LANES = 16 / sizeof(T);
constexpr int AHEAD = 4;  // rows that a thread reads at a time

// Where four blocks at a time are asked for, that leaves every thread 64 registers.

// --- few indices ---------------------------------------------------------------------------------------

// The elements of the result lie on lines along the named axes, and so do the values and the indices that concern them.
// Operands of the layout: the values' line, the indices' line, the number of the element's place on its line, the result;
// the layout's first element has `first_index` and `first_place`.
extern "C" __global__ void __launch_bounds__(256, 4)
add_lines(const T* __restrict__ values, T* __restrict__ target, Fault* fault, Index index, Layout<4> layout,
          int64_t first_index, int64_t first_place, int64_t value_step, int64_t index_step, uint32_t length,
          uint32_t operation) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= layout.count) return;
    int64_t at[4];
    layout.find(i, at);
    at[1] += first_index;
    at[2] += first_place;
    S sum = S(0);
    for (uint32_t k = 0; k < length; k++) {
        bool found = true;
        const int64_t place = index.place(at[1] + k * index_step, fault, operation, found);
        if (found && place == at[2]) sum = plus(sum, Sum<T>::of(values[at[0] + k * value_step]));
    }
    target[at[3]] = Sum<T>::rounded(sum);
}

// --- many, sorted --------------------------------------------------------------------------------------

// Rows of `columns` vectors of V elements; `order` says which row is the k-th, `places` where it is added, in rising order.
// Rows of places beyond the last are left out.
struct Runs {
    const uint32_t* places;
    const int32_t* order;
    S* heads;  // for every chunk, the sum of the rows at its begin that continue a run of the chunk before
    S* tails;  // and of those at its end whose run began in this chunk and goes on
    uint32_t rows, chunk, chunks, beyond;
    Axis columns;
};

template <int V>
DEVICE void add_chunk(const T* __restrict__ values, T* __restrict__ target, const Runs& runs) {
    const uint32_t thread = blockIdx.x * blockDim.x + threadIdx.x;
    const uint32_t chunk = runs.columns.quotient(thread), column = thread - chunk * runs.columns.size;
    if (chunk >= runs.chunks) return;
    const uint64_t width = (uint64_t)runs.columns.size * V;
    const uint32_t first = chunk * runs.chunk;
    const uint32_t last = first + runs.chunk < runs.rows ? first + runs.chunk : runs.rows;
    uint32_t place = runs.places[first];
    bool whole = first == 0 || runs.places[first - 1] != place;  // whether the run begins in this chunk
    S sum[V];
#pragma unroll
    for (int v = 0; v < V; v++) sum[v] = S(0);
    const uint64_t partial = chunk * width + column * V;
    for (uint32_t start = first; start < last; start += AHEAD) {
        Vector<T, V> row[AHEAD];  // on the way at the same time
#pragma unroll
        for (int j = 0; j < AHEAD; j++) {
            const uint32_t k = start + j < last ? start + j : last - 1;
            row[j] = *reinterpret_cast<const Vector<T, V>*>(values + (uint64_t)runs.order[k] * width + column * V);
        }
#pragma unroll
        for (int j = 0; j < AHEAD; j++) {
            const uint32_t k = start + j;
            if (k >= last) break;
#pragma unroll
            for (int v = 0; v < V; v++) sum[v] = plus(sum[v], Sum<T>::of(row[j].item[v]));
            const uint32_t next = k + 1 < runs.rows ? runs.places[k + 1] : runs.beyond + 1;
            if (next == place && k + 1 < last) continue;
            if (place < runs.beyond) {
                if (whole && next != place) {
                    Vector<T, V> total;
#pragma unroll
                    for (int v = 0; v < V; v++) total.item[v] = Sum<T>::rounded(sum[v]);
                    *reinterpret_cast<Vector<T, V>*>(target + place * width + column * V) = total;
                } else {
                    S* const to = (whole ? runs.tails : runs.heads) + partial;
#pragma unroll
                    for (int v = 0; v < V; v++) to[v] = sum[v];
                }
            }
            place = next;
            whole = true;
#pragma unroll
            for (int v = 0; v < V; v++) sum[v] = S(0);
        }
    }
}

extern "C" __global__ void __launch_bounds__(256, 4)
add_chunks(const T* __restrict__ values, T* __restrict__ target, Runs runs) {
    add_chunk<1>(values, target, runs);
}

extern "C" __global__ void __launch_bounds__(256, sizeof(S) * LANES > 32 ? 1 : 4)
add_chunks_of_vectors(const T* __restrict__ values, T* __restrict__ target, Runs runs) {
    add_chunk<LANES>(values, target, runs);
}

// The last chunk in which a run goes on that crosses the end of this one; 0 if none does, or if it began before.
DEVICE uint32_t last_of_run(const Runs& runs, uint32_t chunk, uint32_t& place) {
    const uint32_t first = chunk * runs.chunk, end = first + runs.chunk;
    if (end >= runs.rows) return 0;
    place = runs.places[end - 1];
    if (place >= runs.beyond || runs.places[end] != place || (first > 0 && runs.places[first - 1] == place)) return 0;
    uint32_t low = end, high = runs.rows - 1;  // the last row of the run
    while (low < high) {
        const uint32_t middle = low + (high - low + 1) / 2;
        if (runs.places[middle] == place) low = middle;
        else high = middle - 1;
    }
    return low / runs.chunk;
}

// A warp has 32 columns of the run that crosses the end of a chunk, and adds its parts one after the other.
extern "C" __global__ void __launch_bounds__(256) add_ends(T* __restrict__ target, Runs runs) {
    const uint32_t thread = blockIdx.x * blockDim.x + threadIdx.x;
    const uint32_t chunk = runs.columns.quotient(thread), column = thread - chunk * runs.columns.size;
    if (chunk >= runs.chunks) return;
    const uint64_t width = runs.columns.size;
    uint32_t place;
    const uint32_t last = last_of_run(runs, chunk, place);
    if (last == 0) return;
    S sum = runs.tails[chunk * width + column];
#pragma unroll 4
    for (uint32_t q = chunk + 1; q <= last; q++) sum = plus(sum, runs.heads[q * width + column]);
    target[place * width + column] = Sum<T>::rounded(sum);
}

// The same for narrow rows: a warp has one column, and its lanes every 32nd part each.
extern "C" __global__ void __launch_bounds__(256) add_ends_of_narrow(T* __restrict__ target, Runs runs) {
    __shared__ S sums[8][32];
    const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const uint32_t line = blockIdx.x * 8 + warp;
    const uint32_t chunk = runs.columns.quotient(line), column = line - chunk * runs.columns.size;
    if (chunk >= runs.chunks) return;
    const uint64_t width = runs.columns.size;
    uint32_t place;
    const uint32_t last = last_of_run(runs, chunk, place);
    if (last == 0) return;  // all lanes of the warp alike
    S sum = lane == 0 ? runs.tails[chunk * width + column] : S(0);
#pragma unroll 4
    for (uint32_t q = chunk + 1 + lane; q <= last; q += 32) sum = plus(sum, runs.heads[q * width + column]);
    sums[warp][lane] = sum;
    __syncwarp();
    if (lane != 0) return;
    S total = sum;
    for (int k = 1; k < 32; k++) total = plus(total, sums[warp][k]);
    target[place * width + column] = Sum<T>::rounded(total);
}

// --- windows -------------------------------------------------------------------------------------------

// Window w has `size` elements, `element` apart, which are added to the result from its place w * step on; windows begin
// `window` elements apart in memory. Operands of the layout: the values without the windows, the result, and the
// place, counted from `begin`.
extern "C" __global__ void __launch_bounds__(256)
overlap_add(const T* __restrict__ values, T* __restrict__ target, Layout<3> layout, int64_t window, int64_t element,
            uint32_t windows, uint32_t size, uint32_t step, int64_t begin) {
    const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= layout.count) return;
    int64_t at[3];
    layout.find(i, at);
    const int64_t place = begin + at[2];
    S sum = S(0);
    // Windows that begin at or before the place and end behind it, the latest first: its first elements come first.
    const int64_t latest = place / step < windows ? place / step : (int64_t)windows - 1;
    for (int64_t w = latest; w >= 0 && place - w * step < size; w--)
        sum = plus(sum, Sum<T>::of(values[at[0] + w * window + (place - w * step) * element]));
    target[at[1]] = Sum<T>::rounded(sum);
}
