// Threads that share a row or a column of a matrix: how they combine what each has found, and the softmax's sums.
//
// All combining has a fixed shape (a tree over the lanes of a warp, then over the warps of a block), so that two runs
// give the same bits. No thread may leave before it: lanes without work bring a neutral value.
#pragma once

#include "types.cuh"

typedef TYPE T;               // an element in memory
typedef Compute<T>::type R;  // what it is computed in

// A vector's worth of neighbours is 16 bytes: one instruction moves it.
constexpr int LANES = 16 / sizeof(T);

DEVICE float power_of_e(float x) { return expf(x); }
DEVICE double power_of_e(double x) { return exp(x); }
DEVICE float natural_logarithm(float x) { return logf(x); }
DEVICE double natural_logarithm(double x) { return log(x); }
DEVICE float larger(float x, float y) { return fmaxf(x, y); }
DEVICE double larger(double x, double y) { return fmax(x, y); }

template <class X>
DEVICE X minus_infinity() {
    return -X(INFINITY);
}

struct Add {
    template <class X>
    __device__ __forceinline__ X operator()(X a, X b) const {
        return a + b;
    }
};

struct Max {
    template <class X>
    __device__ __forceinline__ X operator()(X a, X b) const {
        return larger(a, b);
    }
};

// The maximum of numbers and the sum of exp(x - maximum), both in one pass ("online softmax": Milakov and Gimelshein,
// "Online normalizer calculation for softmax", arXiv 1805.02867). NaN, +inf, and nothing but -inf make the sum NaN, as
// the subtraction of the maximum does when it is known beforehand.
template <class X>
struct Exponentials {
    X top = minus_infinity<X>(), sum = 0;

    __device__ __forceinline__ void add(X x) {
        if (x > top) {
            sum = sum * power_of_e(top - x) + (X(1) + (x - x));
            top = x;
        } else if (x != minus_infinity<X>()) {
            sum += power_of_e(x - top);
        }
    }
};

struct Merge {
    template <class X>
    __device__ __forceinline__ Exponentials<X> operator()(Exponentials<X> a, Exponentials<X> b) const {
        Exponentials<X> both;
        both.top = larger(a.top, b.top);
        both.sum = both.top == minus_infinity<X>()
                       ? a.sum + b.sum
                       : a.sum * power_of_e(a.top - both.top) + b.sum * power_of_e(b.top - both.top);
        return both;
    }
};

DEVICE float from_lane(float x, int offset) { return __shfl_xor_sync(0xffffffffu, x, offset); }
DEVICE double from_lane(double x, int offset) { return __shfl_xor_sync(0xffffffffu, x, offset); }
template <class X>
DEVICE Exponentials<X> from_lane(Exponentials<X> x, int offset) {
    Exponentials<X> other;
    other.top = from_lane(x.top, offset);
    other.sum = from_lane(x.sum, offset);
    return other;
}

// What the ``width`` threads of a row found, combined, in each of them. width is a power of two: up to 32 threads are
// neighbours in a warp, more are a whole block. Every thread of the block calls it.
template <class X, class F>
DEVICE X combined(X value, F combine, int width) {
    for (int offset = (width < 32 ? width : 32) / 2; offset; offset /= 2) {
        value = combine(value, from_lane(value, offset));
    }
    if (width > 32) {
        __shared__ X part[32];
        const int warps = width / 32;
        if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
        __syncthreads();
        value = part[threadIdx.x % warps];
        for (int offset = warps / 2; offset; offset /= 2) value = combine(value, from_lane(value, offset));
        __syncthreads();  // part is used again by the next call
    }
    return value;
}

// V neighbours as numbers to compute with, and back.
template <int V>
DEVICE void load(const T* source, R (&x)[V]) {
    const Vector<T, V> pack = *reinterpret_cast<const Vector<T, V>*>(source);
#pragma unroll
    for (int k = 0; k < V; k++) x[k] = R(pack.item[k]);
}

template <int V>
DEVICE void store(T* target, const R (&x)[V]) {
    Vector<T, V> pack;
#pragma unroll
    for (int k = 0; k < V; k++) pack.item[k] = T(x[k]);
    *reinterpret_cast<Vector<T, V>*>(target) = pack;
}
