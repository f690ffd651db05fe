// The softmax cross-entropy of logits (count, n) and class numbers (count,), with its sum or mean, in one launch each way.
//
//   loss_i = log(sum_j exp(x_ij - max_i)) - (x_i[target_i] - max_i)
//   dx_ij  = (exp(x_ij - max_i) / sum_i - [j = target_i]) g_i
//
// Forward keeps the maximum and the sum of each row; the logits stay where they are. Samples whose target is ``ignored``
// cost nothing, get no gradient and do not count in the mean. The sum over the samples has a fixed order: each block adds
// its own, and the block that finishes last adds those of all blocks.
//
//   cross_entropy[_vector]           ``width`` threads for a row (rows.cuh), one sweep with a running maximum
//   cross_entropy_backward[_vector]  the same threads; _vector: 16 bytes at a time, where rows begin at multiples of that
//
// Cost: size bytes forward, 2 x size bytes backward, one exponential per element each way. For ten classes and a batch
// of hundreds it is a launch, and nothing else.
//
// Needs -DTYPE= half, float or double.
#include "fault.cuh"
#include "last_block.cuh"
#include "rows.cuh"

enum Reduction { NONE, SUM, MEAN };

// Packs that a thread has asked for before it computes with the first.
constexpr int UNDER_WAY = 4;

// Class numbers of any integer type; ``type`` is log2 of the bytes, plus 4 for unsigned ones.
struct Targets {
    const void* at;
    int64_t step;     // between neighbours, in elements
    int64_t ignored;  // the number that no class has
    int32_t type, any_ignored;

    __device__ __forceinline__ int64_t operator[](int64_t i) const {
        i *= step;
        switch (type) {
            case 0: return ((const int8_t*)at)[i];
            case 1: return ((const int16_t*)at)[i];
            case 2: return ((const int32_t*)at)[i];
            case 4: return ((const uint8_t*)at)[i];
            case 5: return ((const uint16_t*)at)[i];
            case 6: return ((const uint32_t*)at)[i];
            default: return ((const int64_t*)at)[i];
        }
    }
    __device__ __forceinline__ bool counts(int64_t target) const { return !any_ignored || target != ignored; }
};

template <int V>
DEVICE void forward(const T* x, R* saved, T* losses, R* partial, uint32_t* finished, Fault* fault, uint32_t operation,
                    const Targets& targets, uint32_t count, uint32_t n, uint32_t width, int32_t reduction) {
    const uint64_t row = ((uint64_t)blockIdx.x * blockDim.x + threadIdx.x) / width;
    const uint32_t lane = threadIdx.x % width;
    Exponentials<R> mine;
    if (row < count) {
        const uint32_t step = width * V;
        for (uint32_t at = lane * V; at < n; at += UNDER_WAY * step) {
            R value[UNDER_WAY][V];
#pragma unroll
            for (int k = 0; k < UNDER_WAY; k++)
                if (at + k * step < n) load<V>(x + row * n + at + k * step, value[k]);
#pragma unroll
            for (int k = 0; k < UNDER_WAY; k++) {
                if (at + k * step < n) {
#pragma unroll
                    for (int j = 0; j < V; j++) mine.add(value[k][j]);
                }
            }
        }
    }
    const Exponentials<R> all = combined(mine, Merge(), width);
    R loss = 0, counted = 0;
    if (row < count && lane == 0) {
        saved[row] = all.top;
        saved[count + row] = all.sum;
        const int64_t target = targets[row];
        if (targets.counts(target)) {
            if (target >= 0 && target < n) loss = natural_logarithm(all.sum) - (R(x[row * n + target]) - all.top);
            else report(fault, operation, -1, target, n);
            counted = 1;
        }
        if (reduction == NONE) losses[row] = T(loss);
    }
    if (reduction == NONE) return;

    loss = combined(loss, Add(), blockDim.x);
    counted = combined(counted, Add(), blockDim.x);
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = loss;
        partial[gridDim.x + blockIdx.x] = counted;
    }
    if (!is_last_block(finished, gridDim.x)) return;
    loss = counted = 0;
    for (uint32_t k = threadIdx.x; k < gridDim.x; k += blockDim.x) {
        loss += partial[k];
        counted += partial[gridDim.x + k];
    }
    loss = combined(loss, Add(), blockDim.x);
    counted = combined(counted, Add(), blockDim.x);
    if (threadIdx.x == 0) {
        *losses = T(reduction == MEAN ? loss / counted : loss);
        saved[2 * (uint64_t)count] = reduction == MEAN ? counted : R(1);
    }
}

template <int V>
DEVICE void backward(const T* x, const R* saved, const T* g, T* dx, const Targets& targets, int64_t g_step,
                     uint32_t count, uint32_t n, uint32_t width, int32_t reduction) {
    const uint64_t row = ((uint64_t)blockIdx.x * blockDim.x + threadIdx.x) / width;
    const uint32_t lane = threadIdx.x % width;
    if (row >= count) return;
    const int64_t target = targets[row];
    const R top = saved[row], sum = saved[count + row];
    R gradient = targets.counts(target) ? R(g[row * g_step]) : R(0);
    if (reduction == MEAN) gradient /= saved[2 * (uint64_t)count];
#pragma unroll 2
    for (uint32_t at = lane * V; at < n; at += width * V) {
        R value[V];
        load<V>(x + row * n + at, value);
#pragma unroll
        for (int j = 0; j < V; j++) {
            const R off_target = power_of_e(value[j] - top) / sum - R(at + j == target);
            value[j] = off_target * gradient;
        }
        store<V>(dx + row * n + at, value);
    }
}

extern "C" __global__ void __launch_bounds__(1024, 1)
cross_entropy(const T* __restrict__ x, R* __restrict__ saved, T* __restrict__ losses, R* partial, uint32_t* finished,
              Fault* fault, uint32_t operation, Targets targets, uint32_t count, uint32_t n, uint32_t width,
              int32_t reduction) {
    forward<1>(x, saved, losses, partial, finished, fault, operation, targets, count, n, width, reduction);
}

extern "C" __global__ void __launch_bounds__(1024, 1)
cross_entropy_vector(const T* __restrict__ x, R* __restrict__ saved, T* __restrict__ losses, R* partial,
                     uint32_t* finished, Fault* fault, uint32_t operation, Targets targets, uint32_t count, uint32_t n,
                     uint32_t width, int32_t reduction) {
    forward<LANES>(x, saved, losses, partial, finished, fault, operation, targets, count, n, width, reduction);
}

extern "C" __global__ void __launch_bounds__(1024, 1)
cross_entropy_backward(const T* __restrict__ x, const R* __restrict__ saved, const T* __restrict__ g,
                       T* __restrict__ dx, Targets targets, int64_t g_step, uint32_t count, uint32_t n, uint32_t width,
                       int32_t reduction) {
    backward<1>(x, saved, g, dx, targets, g_step, count, n, width, reduction);
}

extern "C" __global__ void __launch_bounds__(1024, 1)
cross_entropy_backward_vector(const T* __restrict__ x, const R* __restrict__ saved, const T* __restrict__ g,
                              T* __restrict__ dx, Targets targets, int64_t g_step, uint32_t count, uint32_t n,
                              uint32_t width, int32_t reduction) {
    backward<LANES>(x, saved, g, dx, targets, g_step, count, n, width, reduction);
}
