// The gradient in front of an activation, from the gradient g behind it and the values y that the activation returned.
//
//   relu     dz = y <= 0 ? 0 : g      selects: inf times 0 would be NaN; a NaN in y lets g pass
//   tanh     dz = g (1 - y^2)
//   sigmoid  dz = g y (1 - y)
//
// A thread takes 16 bytes of each array; the elements that are left over get a thread each.
//
// Cost: 3 x size bytes; the ceiling is the bandwidth of a device-to-device copy.
//
// Needs -DTYPE= half, float or double.
#include "rows.cuh"

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
slope(const T* __restrict__ g, const T* __restrict__ y, T* __restrict__ dz, uint32_t vectors, uint32_t count,
      int32_t activation) {
    const uint32_t thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread < vectors) {
        const uint64_t at = (uint64_t)thread * LANES;
        through<LANES>(g + at, y + at, dz + at, activation);
    } else if (thread - vectors < count - vectors * LANES) {
        const uint64_t at = (uint64_t)vectors * LANES + (thread - vectors);
        through<1>(g + at, y + at, dz + at, activation);
    }
}
