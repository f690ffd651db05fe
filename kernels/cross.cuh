// Vector products: c = a x b for vectors of three elements, a thread each.
//
// Cost: 9 elements of memory traffic for 9 operations.
#pragma once

#include "layout.cuh"
#include "sum_of_products.cuh"

// The layout finds the first elements of the vectors in a, b and c; the others lie a_step, b_step and c_step further
// each.
template <class T>
DEVICE void multiply_vectors(const T* a, const T* b, T* c, int64_t a_step, int64_t b_step, int64_t c_step,
                             const Layout<3>& layout) {
    typedef typename Sum<T>::type S;
    const uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= layout.count) return;
    int64_t at[3];
    layout.find(index, at);
    S x[3], y[3];
#pragma unroll
    for (int i = 0; i < 3; i++) {
        x[i] = (S)a[at[0] + i * a_step];
        y[i] = (S)b[at[1] + i * b_step];
    }
#pragma unroll
    for (int i = 0; i < 3; i++) {
        const int j = (i + 1) % 3, k = (i + 2) % 3;
        S z = S();
        multiply_add(z, x[j], y[k]);
        multiply_add(z, x[k], negative(y[j]));
        c[at[2] + i * c_step] = (T)z;
    }
}
