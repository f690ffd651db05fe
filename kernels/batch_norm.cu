// Batch normalisation of x (N, C, S), where S stands for all axes behind the channels (1 if there are none).
//
//   y = (x - mean_c) rstd_c weight_c + bias_c,   rstd = 1 / sqrt(variance + eps)
//   dx = rstd weight (g - mean(g) - normal mean(g normal)),   dweight = sum(g normal),   dbias = sum(g)
//
//   batch_norm_statistics[_vector]   mean and rstd of each channel, in one sweep
//   batch_norm_apply[_vector]        y
//   batch_norm_sums[_vector]         dweight, dbias, and per channel the four numbers of
//   batch_norm_backward[_vector]     dx = a g + b + c (x - mean)
//
// A block has (channels, parts) threads. Without axes behind the channels 32 neighbours take 32 channels, so that they read
// side by side; otherwise a block takes one channel. Where channels are few, gridDim.y blocks share each, and
// the one that finishes last combines what all found, in the order of their numbers. Means and variances are combined
// without cancellation (Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample
// variances", 1979).
//
//   _vector: packs of 16 bytes; of one channel where S divides into packs, and in the element-wise kernels else of
//   neighbouring channels, where S is 1.
//
// Cost: 3 x size bytes forward (x is read twice, mostly from the second-level cache where it fits), 5 x size backward.
//
// Needs -DTYPE= half, float or double.
#include "last_block.cuh"
#include "layout.cuh"
#include "rows.cuh"

constexpr int MOST_THREADS = 256;

DEVICE float square_root(float x) { return sqrtf(x); }
DEVICE double square_root(double x) { return sqrt(x); }

struct Sizes {
    Axis inner;         // S
    uint32_t channels;  // C
    uint32_t count;     // N x S, elements of one channel
    int64_t batch;      // C x S, the distance between samples

    __device__ __forceinline__ int64_t offset(uint32_t channel, uint32_t index) const {
        const uint32_t n = inner.quotient(index);
        return n * batch + (int64_t)channel * inner.size + (index - n * inner.size);
    }
};

// Number, mean and sum of squared deviations of some elements.
struct Moments {
    R n = 0, mean = 0, squares = 0;
};

struct Chan {
    __device__ __forceinline__ Moments operator()(const Moments& a, const Moments& b) const {
        if (b.n == R(0)) return a;  // its mean is nobody's, and the gap to it could overflow when squared
        if (a.n == R(0)) return b;
        Moments both;
        both.n = a.n + b.n;
        const R share = b.n / both.n, gap = b.mean - a.mean;
        both.mean = a.mean + gap * share;
        both.squares = a.squares + b.squares + gap * gap * (a.n * share);
        return both;
    }
};

struct Sums {
    R g = 0, g_normal = 0;
};

struct AddSums {
    __device__ __forceinline__ Sums operator()(const Sums& a, const Sums& b) const {
        Sums both;
        both.g = a.g + b.g;
        both.g_normal = a.g_normal + b.g_normal;
        return both;
    }
};

// What the threads of one channel found, combined, for all of them; blockDim.y is a power of two.
template <class X, class F>
DEVICE X down_the_channel(X value, F combine) {
    __shared__ X part[MOST_THREADS];
    const uint32_t here = threadIdx.y * blockDim.x + threadIdx.x;
    part[here] = value;
    for (uint32_t half_way = blockDim.y / 2; half_way; half_way /= 2) {
        __syncthreads();
        if (threadIdx.y < half_way) part[here] = combine(part[here], part[here + half_way * blockDim.x]);
    }
    __syncthreads();
    value = part[threadIdx.x];
    __syncthreads();
    return value;
}

// The same over the blocks that share a channel. True where ``value`` is complete: in one block per channel.
template <class X, class F>
DEVICE bool over_the_blocks(X& value, F combine, X* workspace, uint32_t* finished, uint32_t channel, uint32_t channels) {
    value = down_the_channel(value, combine);
    if (gridDim.y == 1) return true;
    if (threadIdx.y == 0 && channel < channels) workspace[(uint64_t)blockIdx.y * channels + channel] = value;
    __shared__ bool last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0 && threadIdx.y == 0) {
        last = atomicAdd(finished + blockIdx.x, 1u) == gridDim.y - 1;
        if (last) finished[blockIdx.x] = 0;
    }
    __syncthreads();
    if (!last) return false;
    __threadfence();
    value = X();
    if (channel < channels) {
        for (uint32_t k = threadIdx.y; k < gridDim.y; k += blockDim.y) {
            value = combine(value, workspace[(uint64_t)k * channels + channel]);
        }
    }
    value = down_the_channel(value, combine);
    return true;
}

// --- forward --------------------------------------------------------------------------------------------------

template <int V>
DEVICE void statistics(const T* x, R* saved, T* mean, T* rstd, Moments* workspace, uint32_t* finished,
                       const Sizes& sizes, double eps) {
    constexpr int ROWS = V == 1 ? 4 : 1;  // elements are averaged by fours at least, which costs one division
    const uint32_t channel = blockIdx.x * blockDim.x + threadIdx.x;
    const uint32_t step = gridDim.y * blockDim.y * V;
    Moments mine;
    if (channel < sizes.channels) {
        for (uint32_t at = (blockIdx.y * blockDim.y + threadIdx.y) * V; at < sizes.count; at += ROWS * step) {
            R value[ROWS][V];
            Moments pack;
#pragma unroll
            for (int k = 0; k < ROWS; k++) {
                const uint32_t index = at + k * step;
                if (index >= at && index < sizes.count) {
                    load<V>(x + sizes.offset(channel, index), value[k]);
                    pack.n += R(V);
#pragma unroll
                    for (int j = 0; j < V; j++) pack.mean += value[k][j];
                }
            }
            pack.mean /= pack.n;
#pragma unroll
            for (int k = 0; k < ROWS; k++) {
                const uint32_t index = at + k * step;
                if (index >= at && index < sizes.count) {
#pragma unroll
                    for (int j = 0; j < V; j++) {
                        const R d = value[k][j] - pack.mean;
                        pack.squares += d * d;
                    }
                }
            }
            mine = Chan()(mine, pack);
        }
    }
    if (!over_the_blocks(mine, Chan(), workspace, finished, channel, sizes.channels)) return;
    if (threadIdx.y == 0 && channel < sizes.channels) {
        const R inverse = R(1) / square_root(mine.squares / mine.n + R(eps));
        saved[channel] = mine.mean;
        saved[sizes.channels + channel] = inverse;
        mean[channel] = T(mine.mean);
        rstd[channel] = T(inverse);
    }
}

extern "C" __global__ void __launch_bounds__(MOST_THREADS)
batch_norm_statistics(const T* __restrict__ x, R* saved, T* mean, T* rstd, Moments* workspace, uint32_t* finished,
                      double eps, Sizes sizes) {
    statistics<1>(x, saved, mean, rstd, workspace, finished, sizes, eps);
}

extern "C" __global__ void __launch_bounds__(MOST_THREADS)
batch_norm_statistics_vector(const T* __restrict__ x, R* saved, T* mean, T* rstd, Moments* workspace,
                             uint32_t* finished, double eps, Sizes sizes) {
    statistics<LANES>(x, saved, mean, rstd, workspace, finished, sizes, eps);
}

// The channel of element ``index`` of the whole array, and of its neighbours in a pack.
struct Channels {
    Axis inner, channels;

    template <int V>
    __device__ __forceinline__ void find(uint32_t index, uint32_t (&channel)[V]) const {
        const uint32_t row = inner.quotient(index);
        const uint32_t first = row - channels.quotient(row) * channels.size;
#pragma unroll
        for (int j = 0; j < V; j++) channel[j] = inner.size == 1 ? first + j : first;
    }
};

template <int V>
DEVICE void apply(const T* x, T* y, const R* saved, const T* weight, const T* bias, const Channels& channels,
                  uint32_t count) {
    const uint32_t index = (blockIdx.x * blockDim.x + threadIdx.x) * V;
    if (index >= count) return;
    uint32_t channel[V];
    R value[V];
    channels.find(index, channel);
    load<V>(x + index, value);
#pragma unroll
    for (int j = 0; j < V; j++) {
        const uint32_t c = channel[j];
        value[j] = (value[j] - saved[c]) * saved[channels.channels.size + c];
        if (weight) value[j] *= R(weight[c]);
        if (bias) value[j] += R(bias[c]);
    }
    store<V>(y + index, value);
}

extern "C" __global__ void __launch_bounds__(256)
batch_norm_apply(const T* __restrict__ x, T* __restrict__ y, const R* __restrict__ saved, const T* __restrict__ weight,
                 const T* __restrict__ bias, Channels channels, uint32_t count) {
    apply<1>(x, y, saved, weight, bias, channels, count);
}

extern "C" __global__ void __launch_bounds__(256, 4)
batch_norm_apply_vector(const T* __restrict__ x, T* __restrict__ y, const R* __restrict__ saved,
                        const T* __restrict__ weight, const T* __restrict__ bias, Channels channels, uint32_t count) {
    apply<LANES>(x, y, saved, weight, bias, channels, count);
}

// --- backward -------------------------------------------------------------------------------------------------

// What comes back from the loss: g of y, and the cotangents of the results mean and rstd; each may be null.
struct Cotangents {
    const T *g, *mean, *rstd;
};

// Per channel a, b, c and the mean: dx = a g + b + c (x - mean).
template <int V>
DEVICE void sums(const T* x, const R* saved, const T* weight, const Cotangents& cotangents, R* numbers, T* dweight,
                 T* dbias, Sums* workspace, uint32_t* finished, const Sizes& sizes) {
    const uint32_t channel = blockIdx.x * blockDim.x + threadIdx.x;
    const bool valid = channel < sizes.channels;
    const R mean = valid ? saved[channel] : R(0), rstd = valid ? saved[sizes.channels + channel] : R(0);
    Sums mine;
    if (valid && cotangents.g) {
        const uint32_t step = gridDim.y * blockDim.y * V;
#pragma unroll 4
        for (uint32_t at = (blockIdx.y * blockDim.y + threadIdx.y) * V; at < sizes.count; at += step) {
            R value[V], g[V];
            const int64_t offset = sizes.offset(channel, at);
            load<V>(x + offset, value);
            load<V>(cotangents.g + offset, g);
#pragma unroll
            for (int j = 0; j < V; j++) {
                mine.g += g[j];
                mine.g_normal += g[j] * ((value[j] - mean) * rstd);
            }
        }
    }
    if (!over_the_blocks(mine, AddSums(), workspace, finished, channel, sizes.channels)) return;
    if (threadIdx.y || !valid) return;
    if (dweight) dweight[channel] = T(mine.g_normal);
    if (dbias) dbias[channel] = T(mine.g);
    const R share = R(1) / R(sizes.count), slope = weight ? rstd * R(weight[channel]) : rstd;
    R a = 0, b = 0, c = 0;
    if (cotangents.g) {
        a = slope;
        b = -slope * (mine.g * share);
        c = -slope * (mine.g_normal * share);
    }
    if (cotangents.mean) b += R(cotangents.mean[channel]) * share;
    if (cotangents.rstd) c -= R(cotangents.rstd[channel]) * rstd * rstd * share;
    numbers[channel] = a;
    numbers[sizes.channels + channel] = b;
    numbers[2 * sizes.channels + channel] = c * rstd;
    numbers[3 * sizes.channels + channel] = mean;
}

extern "C" __global__ void __launch_bounds__(MOST_THREADS)
batch_norm_sums(const T* __restrict__ x, const R* __restrict__ saved, const T* __restrict__ weight,
                Cotangents cotangents, R* numbers, T* dweight, T* dbias, Sums* workspace, uint32_t* finished,
                Sizes sizes) {
    sums<1>(x, saved, weight, cotangents, numbers, dweight, dbias, workspace, finished, sizes);
}

extern "C" __global__ void __launch_bounds__(MOST_THREADS)
batch_norm_sums_vector(const T* __restrict__ x, const R* __restrict__ saved, const T* __restrict__ weight,
                       Cotangents cotangents, R* numbers, T* dweight, T* dbias, Sums* workspace, uint32_t* finished,
                       Sizes sizes) {
    sums<LANES>(x, saved, weight, cotangents, numbers, dweight, dbias, workspace, finished, sizes);
}

template <int V>
DEVICE void backward(const T* x, const T* g, T* dx, const R* numbers, const Channels& channels, uint32_t count) {
    const uint32_t index = (blockIdx.x * blockDim.x + threadIdx.x) * V;
    if (index >= count) return;
    uint32_t channel[V];
    R value[V], gradient[V];
    channels.find(index, channel);
    load<V>(x + index, value);
    if (g) load<V>(g + index, gradient);
#pragma unroll
    for (int j = 0; j < V; j++) {
        const uint32_t c = channel[j], size = channels.channels.size;
        value[j] = numbers[size + c] + numbers[2 * size + c] * (value[j] - numbers[3 * size + c]);
        if (g) value[j] += numbers[c] * gradient[j];
    }
    store<V>(dx + index, value);
}

extern "C" __global__ void __launch_bounds__(256)
batch_norm_backward(const T* __restrict__ x, const T* __restrict__ g, T* __restrict__ dx,
                    const R* __restrict__ numbers, Channels channels, uint32_t count) {
    backward<1>(x, g, dx, numbers, channels, count);
}

extern "C" __global__ void __launch_bounds__(256)
batch_norm_backward_vector(const T* __restrict__ x, const T* __restrict__ g, T* __restrict__ dx,
                           const R* __restrict__ numbers, Channels channels, uint32_t count) {
    backward<LANES>(x, g, dx, numbers, channels, count);
}
