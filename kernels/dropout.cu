// Dropout: the mask is drawn and applied in one kernel. A thread makes one block of the random stream (philox.cuh), which
// is the mask of eight neighbours; the bits are the CPU's.
//
//   y  = keep ? x scale : 0            scale = 1 / probability of keeping
//   dx = keep ? g scale : 0
//
// The mask selects: a dropped inf or NaN is gone.
//
// Cost: (2 x size of an element + 1) bytes per element each way, 28 integer instructions per element forward.
//
// Needs -DTYPE= half, float or double.
#include "random.cuh"
#include "rows.cuh"

constexpr int EIGHT = 8;

// Eight elements from ``at`` on, or as many as there are; loads and stores of 16 bytes where ``wide`` says so.
struct Eight {
    uint64_t at, count;
    bool wide;

    template <class X>
    __device__ __forceinline__ void load(const X* source, X (&value)[EIGHT]) const {
        constexpr int V = sizeof(X) * EIGHT < 16 ? EIGHT : 16 / sizeof(X);
        if (wide) {
#pragma unroll
            for (int k = 0; k < EIGHT; k += V) {
                const Vector<X, V> pack = *reinterpret_cast<const Vector<X, V>*>(source + at + k);
#pragma unroll
                for (int j = 0; j < V; j++) value[k + j] = pack.item[j];
            }
            return;
        }
#pragma unroll
        for (int k = 0; k < EIGHT; k++)
            if (at + k < count) value[k] = source[at + k];
    }

    template <class X>
    __device__ __forceinline__ void store(X* target, const X (&value)[EIGHT]) const {
        constexpr int V = sizeof(X) * EIGHT < 16 ? EIGHT : 16 / sizeof(X);
        if (wide) {
#pragma unroll
            for (int k = 0; k < EIGHT; k += V) {
                Vector<X, V> pack;
#pragma unroll
                for (int j = 0; j < V; j++) pack.item[j] = value[k + j];
                *reinterpret_cast<Vector<X, V>*>(target + at + k) = pack;
            }
            return;
        }
#pragma unroll
        for (int k = 0; k < EIGHT; k++)
            if (at + k < count) target[at + k] = value[k];
    }
};

// ``aligned``: both arrays begin at multiples of 16 bytes.
extern "C" __global__ void __launch_bounds__(256)
dropout(const T* __restrict__ x, T* __restrict__ y, bool* __restrict__ mask, Stream stream, uint64_t threshold, R scale,
        bool aligned) {
    Eight mine = {stream.thread() * EIGHT, stream.count, false};
    if (mine.at >= mine.count) return;
    mine.wide = aligned && mine.at + EIGHT <= mine.count;
    T value[EIGHT];
    mine.load(x, value);
    uint32_t word[EIGHT];
    stream.words(word);
    bool keep[EIGHT];
#pragma unroll
    for (int k = 0; k < EIGHT; k++) {
        keep[k] = word[k] < threshold;
        value[k] = keep[k] ? T(R(value[k]) * scale) : T(R(0));
    }
    mine.store(y, value);
    mine.store(mask, keep);
}

extern "C" __global__ void __launch_bounds__(256)
dropout_backward(const T* __restrict__ g, const bool* __restrict__ mask, T* __restrict__ dx, uint64_t count, R scale,
                 bool aligned) {
    Eight mine = {(blockIdx.x * (uint64_t)blockDim.x + threadIdx.x) * EIGHT, count, false};
    if (mine.at >= count) return;
    mine.wide = aligned && mine.at + EIGHT <= count;
    T value[EIGHT];
    bool keep[EIGHT];
    mine.load(g, value);
    mine.load(mask, keep);
#pragma unroll
    for (int k = 0; k < EIGHT; k++) value[k] = keep[k] ? T(R(value[k]) * scale) : T(R(0));
    mine.store(dx, value);
}
