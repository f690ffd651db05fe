// softmax and log_softmax along one axis, and their derivatives; a row is held in registers, so it is read once.
//
//   y  = exp(x - max) / sum exp(x - max)       or with ``logarithm``   y  = x - max - log(sum exp(x - max))
//   dx = y (g - sum g y)                                               dx = g - exp(y) sum g
//
//   softmax_rows[_vector]           rows of neighbours, ``width`` threads each: a part of a warp, or a whole block; at most
//   softmax_rows_backward[_vector]  width x HELD (forward) or width x HELD_TWICE (backward) packs; _vector: packs of 16
//                                   bytes, where rows begin at multiples of 16 bytes, else of one element
//   softmax_columns                 any axis: x is (outer, n, inner); blocks of (columns, parts) threads; also the rows
//   softmax_columns_backward        that are too long for registers. Two sweeps, the second mostly from the caches.
//
// Cost: 2 x size bytes forward, 3 x size backward; one exponential per element forward (columns: two), none or one
// backward. The ceiling is the bandwidth of a device-to-device copy.
//
// Needs -DTYPE= half, float or double.
#include "rows.cuh"

// Packs of a row that one thread holds: at most 32 registers' worth, so that 1024 threads fit. Functions of double need
// more registers of their own.
constexpr int HELD = 8, HELD_TWICE = 4;
constexpr int HELD_VECTORS = sizeof(R) == 8 ? 4 : 32 / LANES, HELD_VECTORS_TWICE = HELD_VECTORS / 2;

template <int V, int HELD>
DEVICE void rows(const T* x, T* y, uint32_t count, uint32_t n, uint32_t width, bool logarithm) {
    const uint64_t thread = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const uint64_t row = thread / width;
    const uint32_t first = threadIdx.x % width * V, step = width * V;
    const bool valid = row < count;
    x += row * n;
    y += row * n;
    R held[HELD][V];
    R top = minus_infinity<R>();
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        const uint32_t at = first + k * step;
        if (valid && at < n) {
            load<V>(x + at, held[k]);
#pragma unroll
            for (int j = 0; j < V; j++) top = larger(top, held[k][j]);
        }
    }
    top = combined(top, Max(), width);
    R sum = 0;
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        if (valid && first + k * step < n) {
#pragma unroll
            for (int j = 0; j < V; j++) {
                const R shifted = held[k][j] - top, e = power_of_e(shifted);
                held[k][j] = logarithm ? shifted : e;
                sum += e;
            }
        }
    }
    sum = combined(sum, Add(), width);
    const R shift = logarithm ? natural_logarithm(sum) : R(0), scale = R(1) / sum;
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        const uint32_t at = first + k * step;
        if (valid && at < n) {
#pragma unroll
            for (int j = 0; j < V; j++) held[k][j] = logarithm ? held[k][j] - shift : held[k][j] * scale;
            store<V>(y + at, held[k]);
        }
    }
}

template <int V, int HELD>
DEVICE void rows_backward(const T* y, const T* g, T* dx, uint32_t count, uint32_t n, uint32_t width, bool logarithm) {
    const uint64_t thread = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const uint64_t row = thread / width;
    const uint32_t first = threadIdx.x % width * V, step = width * V;
    const bool valid = row < count;
    y += row * n;
    g += row * n;
    dx += row * n;
    R ys[HELD][V], gs[HELD][V];
    R sum = 0;
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        const uint32_t at = first + k * step;
        if (valid && at < n) {
            load<V>(y + at, ys[k]);
            load<V>(g + at, gs[k]);
        }
    }
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        if (valid && first + k * step < n) {
#pragma unroll
            for (int j = 0; j < V; j++) sum += logarithm ? gs[k][j] : gs[k][j] * ys[k][j];
        }
    }
    sum = combined(sum, Add(), width);
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        const uint32_t at = first + k * step;
        if (valid && at < n) {
#pragma unroll
            for (int j = 0; j < V; j++) {
                gs[k][j] = logarithm ? gs[k][j] - power_of_e(ys[k][j]) * sum : ys[k][j] * (gs[k][j] - sum);
            }
            store<V>(dx + at, gs[k]);
        }
    }
}

extern "C" __global__ void __launch_bounds__(1024, 1)
softmax_rows(const T* __restrict__ x, T* __restrict__ y, uint32_t count, uint32_t n, uint32_t width, bool logarithm) {
    rows<1, HELD>(x, y, count, n, width, logarithm);
}

extern "C" __global__ void __launch_bounds__(1024, 1)
softmax_rows_vector(const T* __restrict__ x, T* __restrict__ y, uint32_t count, uint32_t n, uint32_t width,
                    bool logarithm) {
    rows<LANES, HELD_VECTORS>(x, y, count, n, width, logarithm);
}

extern "C" __global__ void __launch_bounds__(1024, 1)
softmax_rows_backward(const T* __restrict__ y, const T* __restrict__ g, T* __restrict__ dx, uint32_t count, uint32_t n,
                      uint32_t width, bool logarithm) {
    rows_backward<1, HELD_TWICE>(y, g, dx, count, n, width, logarithm);
}

extern "C" __global__ void __launch_bounds__(1024, 1)
softmax_rows_backward_vector(const T* __restrict__ y, const T* __restrict__ g, T* __restrict__ dx, uint32_t count,
                             uint32_t n, uint32_t width, bool logarithm) {
    rows_backward<LANES, HELD_VECTORS_TWICE>(y, g, dx, count, n, width, logarithm);
}

// --- any axis ------------------------------------------------------------------------------------------------

constexpr int MOST_THREADS = 512;
constexpr int UNDER_WAY = 4;  // elements that a thread has asked for before it computes with the first

// What the threads of one column found, the thread (x, 0) for all; blockDim.y is a power of two.
template <class X, class F>
DEVICE X down_the_column(X value, F combine, X* part) {
    const uint32_t here = threadIdx.y * blockDim.x + threadIdx.x;
    part[here] = value;
    for (uint32_t half_way = blockDim.y / 2; half_way; half_way /= 2) {
        __syncthreads();
        if (threadIdx.y < half_way) part[here] = combine(part[here], part[here + half_way * blockDim.x]);
    }
    __syncthreads();
    return part[threadIdx.x];
}

extern "C" __global__ void __launch_bounds__(MOST_THREADS, 2)
softmax_columns(const T* __restrict__ x, T* __restrict__ y, int64_t n, int64_t inner, uint32_t tiles, bool logarithm) {
    __shared__ Exponentials<R> part[MOST_THREADS];
    const uint32_t outer = blockIdx.x / tiles, tile = blockIdx.x - outer * tiles;
    const int64_t column = (int64_t)tile * blockDim.x + threadIdx.x;
    const bool valid = column < inner;
    x += outer * n * inner + column;
    y += outer * n * inner + column;
    Exponentials<R> mine;
    if (valid) {
        const int64_t step = blockDim.y;
        for (int64_t i = threadIdx.y; i < n; i += UNDER_WAY * step) {
            R value[UNDER_WAY];
#pragma unroll
            for (int k = 0; k < UNDER_WAY; k++)
                if (i + k * step < n) value[k] = R(x[(i + k * step) * inner]);
#pragma unroll
            for (int k = 0; k < UNDER_WAY; k++)
                if (i + k * step < n) mine.add(value[k]);
        }
    }
    const Exponentials<R> all = down_the_column(mine, Merge(), part);
    const R shift = logarithm ? natural_logarithm(all.sum) : R(0), scale = R(1) / all.sum;
    if (!valid) return;
#pragma unroll 4
    for (int64_t i = threadIdx.y; i < n; i += blockDim.y) {
        const R shifted = R(x[i * inner]) - all.top;
        y[i * inner] = T(logarithm ? shifted - shift : power_of_e(shifted) * scale);
    }
}

extern "C" __global__ void __launch_bounds__(MOST_THREADS, 2)
softmax_columns_backward(const T* __restrict__ y, const T* __restrict__ g, T* __restrict__ dx, int64_t n, int64_t inner,
                         uint32_t tiles, bool logarithm) {
    __shared__ R part[MOST_THREADS];
    const uint32_t outer = blockIdx.x / tiles, tile = blockIdx.x - outer * tiles;
    const int64_t column = (int64_t)tile * blockDim.x + threadIdx.x;
    const bool valid = column < inner;
    y += outer * n * inner + column;
    g += outer * n * inner + column;
    dx += outer * n * inner + column;
    R mine = 0;
    if (valid) {
#pragma unroll 4
        for (int64_t i = threadIdx.y; i < n; i += blockDim.y) {
            const R gradient = R(g[i * inner]);
            mine += logarithm ? gradient : gradient * R(y[i * inner]);
        }
    }
    const R sum = down_the_column(mine, Add(), part);
    if (!valid) return;
#pragma unroll 4
    for (int64_t i = threadIdx.y; i < n; i += blockDim.y) {
        const R value = R(y[i * inner]), gradient = R(g[i * inner]);
        dx[i * inner] = T(logarithm ? gradient - power_of_e(value) * sum : value * (gradient - sum));
    }
}
