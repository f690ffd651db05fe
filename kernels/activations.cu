// Activations as kernels of their own: gelu, its derivative, and the slopes of those that matrix products apply.
//
//   gelu           y  = x Phi(x)                  Phi(x) = erfc(-x / sqrt 2) / 2, exact also where Phi is close to 0
//   gelu_backward  dx = g (Phi(x) + x phi(x))     phi(x) = exp(-x^2 / 2) / sqrt(2 pi)
//   slope          the gradient in front of an activation, from g behind it and the values y that it returned:
//                  relu     dz = y <= 0 ? 0 : g   selects: inf times 0 would be NaN; a NaN in y lets g pass
//                  tanh     dz = g (1 - y^2)
//                  sigmoid  dz = g y (1 - y)
//
// Phi, the distribution function of the normal distribution, is computed again by gelu_backward: that costs less than
// writing and reading it.
//
// A thread takes 16 bytes of each array; the elements that are left over get a thread each.
//
// Cost: 2 x size bytes for gelu, 3 x size bytes for the others; the ceiling is the bandwidth of a device-to-device copy.
//
// Needs -DTYPE= half, float or double.
#include "rows.cuh"

DEVICE float complementary_error(float x) { return erfcf(x); }
DEVICE double complementary_error(double x) { return erfc(x); }

DEVICE R distribution(R x) { return R(0.5) * complementary_error(x * R(-0.70710678118654752440)); }

DEVICE R slope_of_gelu(R x) {
    const R bounded = x < R(-40) ? R(-40) : x > R(40) ? R(40) : x;  // where the density is 0: no square overflows
    const R density = power_of_e(R(-0.5) * bounded * bounded) * R(0.39894228040143267794);
    return distribution(bounded) + bounded * density;
}

// The elements of this thread: LANES from ``at`` on, or one, or none.
struct Share {
    uint64_t at;
    int elements;

    __device__ __forceinline__ Share(uint64_t vectors, uint64_t count) {
        const uint64_t thread = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
        at = thread < vectors ? thread * LANES : thread + vectors * (LANES - 1);
        elements = thread < vectors ? LANES : at < count ? 1 : 0;
    }
};

template <int V>
DEVICE void forward(const T* x, T* y) {
    R value[V];
    load<V>(x, value);
#pragma unroll
    for (int j = 0; j < V; j++) value[j] = value[j] * distribution(value[j]);
    store<V>(y, value);
}

template <int V>
DEVICE void backward(const T* x, const T* g, T* dx) {
    R value[V], gradient[V];
    load<V>(x, value);
    load<V>(g, gradient);
#pragma unroll
    for (int j = 0; j < V; j++) value[j] = gradient[j] * slope_of_gelu(value[j]);
    store<V>(dx, value);
}

extern "C" __global__ void __launch_bounds__(256)
gelu(const T* __restrict__ x, T* __restrict__ y, uint64_t vectors, uint64_t count) {
    const Share mine(vectors, count);
    if (mine.elements == LANES) forward<LANES>(x + mine.at, y + mine.at);
    else if (mine.elements) forward<1>(x + mine.at, y + mine.at);
}

extern "C" __global__ void __launch_bounds__(256)
gelu_backward(const T* __restrict__ x, const T* __restrict__ g, T* __restrict__ dx, uint64_t vectors, uint64_t count) {
    const Share mine(vectors, count);
    if (mine.elements == LANES) backward<LANES>(x + mine.at, g + mine.at, dx + mine.at);
    else if (mine.elements) backward<1>(x + mine.at, g + mine.at, dx + mine.at);
}

enum Activation { NONE, RELU, TANH, SIGMOID };

template <int V>
DEVICE void through(const T* g, const T* y, T* dz, int activation) {
    R gradient[V], value[V];
    load<V>(g, gradient);
    load<V>(y, value);
#pragma unroll
    for (int j = 0; j < V; j++) {
        if (activation == RELU) gradient[j] = value[j] <= R(0) ? R(0) : gradient[j];
        else if (activation == TANH) gradient[j] *= R(1) - value[j] * value[j];
        else if (activation == SIGMOID) gradient[j] *= value[j] * (R(1) - value[j]);
    }
    store<V>(dz, gradient);
}

extern "C" __global__ void __launch_bounds__(256)
slope(const T* __restrict__ g, const T* __restrict__ y, T* __restrict__ dz, uint64_t vectors, uint64_t count,
      int32_t activation) {
    const Share mine(vectors, count);
    if (mine.elements == LANES) through<LANES>(g + mine.at, y + mine.at, dz + mine.at, activation);
    else if (mine.elements) through<1>(g + mine.at, y + mine.at, dz + mine.at, activation);
}
