// Norms of gradients as one long vector, and limiting them, without the processor waiting for a number.
//
//   norm_part     the sum of |x / scale|^p, or the largest |x|, of one array, in double; the last block of the launch that
//                 ``finishes`` adds what all blocks of all launches found, in order, and takes the root
//   limit_norm    y = x min(1, most / (norm + 1e-6)); where the factor is at least 1 and y is x, nothing is read
//   limit_values  y = x between -bound and bound; NaN stays
//
// The scale is the largest element where powers could overflow: of double, and for p other than 1 and 2.
//
// Cost: size bytes for a norm (twice that with a scale), 2 x size bytes to limit.
//
// Needs -DTYPE= half, float or double.
#include "last_block.cuh"
#include "rows.cuh"

enum Power { LARGEST, FIRST, SECOND, ANY };

// The larger number; NaN, if one is.
struct Largest {
    __device__ __forceinline__ double operator()(double a, double b) const { return b > a || b != b ? b : a; }
};

struct Norm {
    double *partial, *result;    // one number per block of all launches; the norm
    const double* scale;         // where the largest element stands, or null
    uint32_t* finished;
    double p;
    uint64_t count, vectors;     // of elements; of packs of 16 bytes, 0 where the array does not begin at one
    uint32_t first, blocks;      // of the blocks of this launch; of all, in the last launch, else 0
    int32_t power;

    __device__ __forceinline__ double of(double sum, double x, double divisor) const {
        x = fabs(x);
        if (power == LARGEST) return Largest()(sum, x);
        if (scale) x /= divisor;
        return sum + (power == FIRST ? x : power == SECOND ? x * x : pow(x, p));
    }
    __device__ __forceinline__ double in_block(double value) const {
        return power == LARGEST ? combined(value, Largest(), blockDim.x) : combined(value, Add(), blockDim.x);
    }
};

extern "C" __global__ void __launch_bounds__(256) norm_part(const T* __restrict__ x, Norm norm) {
    const double scale = norm.scale ? *norm.scale : 1.0;
    const uint64_t thread = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x, step = (uint64_t)gridDim.x * blockDim.x;
    double found = 0;
#pragma unroll 4
    for (uint64_t at = thread; at < norm.vectors; at += step) {
        R value[LANES];
        load<LANES>(x + at * LANES, value);
#pragma unroll
        for (int j = 0; j < LANES; j++) found = norm.of(found, double(value[j]), scale);
    }
    for (uint64_t at = norm.vectors * LANES + thread; at < norm.count; at += step) {
        found = norm.of(found, double(R(x[at])), scale);
    }
    found = norm.in_block(found);
    if (threadIdx.x == 0) norm.partial[norm.first + blockIdx.x] = found;
    if (norm.blocks == 0 || !is_last_block(norm.finished, gridDim.x)) return;
    found = 0;
    for (uint32_t k = threadIdx.x; k < norm.blocks; k += blockDim.x) {
        found = norm.power == LARGEST ? Largest()(found, norm.partial[k]) : found + norm.partial[k];
    }
    found = norm.in_block(found);
    if (threadIdx.x) return;
    if (norm.power == SECOND) found = sqrt(found);
    if (norm.power == ANY) found = pow(found, 1 / norm.p);
    // 0, inf and NaN are what they are, and nothing can be divided by them.
    *norm.result = norm.scale ? (scale > 0 && scale < INFINITY ? scale * found : scale) : found;
}

template <int V>
DEVICE void limit_values_of(const T* x, T* y, R bound) {
    R value[V];
    load<V>(x, value);
#pragma unroll
    for (int j = 0; j < V; j++) value[j] = value[j] < -bound ? -bound : value[j] > bound ? bound : value[j];
    store<V>(y, value);
}

template <int V>
DEVICE void scale_values(const T* x, T* y, R factor) {
    R value[V];
    load<V>(x, value);
#pragma unroll
    for (int j = 0; j < V; j++) value[j] *= factor;
    store<V>(y, value);
}

// ``y`` may be ``x``.
extern "C" __global__ void __launch_bounds__(256)
limit_norm(const T* x, T* y, const double* __restrict__ norm, double most, uint64_t vectors, uint64_t count) {
    __shared__ R factor;
    __shared__ bool skips;
    if (threadIdx.x == 0) {
        const double wanted = most / (*norm + 1e-6);
        skips = wanted >= 1 && x == y;
        factor = wanted >= 1 ? R(1) : R(T(R(wanted)));
    }
    __syncthreads();
    if (skips) return;
    const uint64_t thread = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x, rest = vectors * (LANES - 1) + thread;
    if (thread < vectors) scale_values<LANES>(x + thread * LANES, y + thread * LANES, factor);
    else if (rest < count) scale_values<1>(x + rest, y + rest, factor);
}

extern "C" __global__ void __launch_bounds__(256)
limit_values(const T* x, T* y, R bound, uint64_t vectors, uint64_t count) {
    const uint64_t thread = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x, rest = vectors * (LANES - 1) + thread;
    if (thread < vectors) limit_values_of<LANES>(x + thread * LANES, y + thread * LANES, bound);
    else if (rest < count) limit_values_of<1>(x + rest, y + rest, bound);
}
