// Element-wise kernels: one template behind all of them, and the macros that make a file a table of operations.
//
//   UNARY(exp, T, libm::exp(x))             one operand x; T is the type of the result
//   BINARY(less, bool, x < y)               two operands x and y
//   TERNARY(where, bool, x ? y : z)         three, of which x has the type named and y, z and the result T
//
// An expression computes with C: float for half, T otherwise; its value is rounded once, when it is stored. Each line
// makes two kernels:
//
//   name_vector   a thread takes LANES neighbours, 16 bytes of the widest operand, in one load and one store. Inner
//                 strides are 1, or 0 for an operand that is repeated, and 1 for the result. The last thread may have
//                 less to do.
//   name_strided  a thread takes one element; any strides, so any broadcasting.
//
// Their parameters: pointers to the operands and the result; of binary and ternary operations the numbers that stand
// for the last two operands where these have no pointer, so that nothing is uploaded for x + 1; ``tail``; a Layout of
// operands and result. In name_vector the innermost axis counts packs of LANES elements, and the last of all has
// ``tail`` elements.
//
// Cost: each operand is read once and the result written once; the ceiling is the bandwidth of a device-to-device copy.
//
// Needs -DTYPE= the element type and -DKIND= BOOLS, INTEGERS, FLOATS or COMPLEX; without a TYPE there are the templates
// alone.
#pragma once

#include "layout.cuh"

#define BOOLS 0
#define INTEGERS 1
#define FLOATS 2
#define COMPLEX 3

#ifdef TYPE
typedef TYPE T;
typedef Compute<T>::type C;
#endif

// How many elements 16 bytes of the wider one of two types are.
template <class X, class R>
constexpr int LANES = 16 / (sizeof(X) > sizeof(R) ? sizeof(X) : sizeof(R));

// Element k of the neighbours that an operand has for a thread; without a pointer the number stands for all of them.
template <class X>
struct Neighbours {
    const X* at;
    X number;
    bool one;  // for all: the stride is 0

    __device__ __forceinline__ Neighbours(const X* x, X number, int64_t offset, int64_t step)
        : at(x ? x + offset : nullptr), number(number), one(step == 0) {}

    __device__ __forceinline__ X operator[](int k) const { return at ? at[one ? 0 : k] : number; }

    // V of them at once
    template <int V>
    __device__ __forceinline__ Vector<X, V> pack() const {
        if (V > 1 && at && !one) return *reinterpret_cast<const Vector<X, V>*>(at);
        const X first = (*this)[0];
        Vector<X, V> same;
#pragma unroll
        for (int k = 0; k < V; k++) same.item[k] = first;
        return same;
    }
};

// Which elements a thread has: where they begin in each operand and the result, how far apart neighbours lie, and how
// many there are.
template <int N, int V>
struct Place {
    int64_t offset[N], step[N];
    int count;

    __device__ __forceinline__ bool find(const Layout<N>& layout, uint32_t tail) {
        const uint32_t index = blockIdx.x * blockDim.x + threadIdx.x;
        if (index >= layout.count) return false;
        count = V > 1 && index + 1 == layout.count ? tail : V;
        layout.find(index, offset);
#pragma unroll
        for (int k = 0; k < N; k++) step[k] = V > 1 ? layout.stride[k][layout.axes - 1] : 0;
        return true;
    }
};

template <int V, class F, class X, class R>
DEVICE void unary(F f, const X* x, R* out, uint32_t tail, const Layout<2>& layout) {
    Place<2, V> place;
    if (!place.find(layout, tail)) return;
    const Neighbours<X> a(x, X(), place.offset[0], place.step[0]);
    out += place.offset[1];
    if (place.count < V) {
#pragma unroll 1
        for (int k = 0; k < place.count; k++) out[k] = R(f.of(a[k]));
        return;
    }
    const Vector<X, V> as = a.template pack<V>();
    Vector<R, V> result;
#pragma unroll
    for (int k = 0; k < V; k++) result.item[k] = R(f.of(as.item[k]));
    *reinterpret_cast<Vector<R, V>*>(out) = result;
}

template <int V, class F, class X, class Y, class R>
DEVICE void binary(F f, const X* x, const Y* y, R* out, X x_number, Y y_number, uint32_t tail,
                   const Layout<3>& layout) {
    Place<3, V> place;
    if (!place.find(layout, tail)) return;
    const Neighbours<X> a(x, x_number, place.offset[0], place.step[0]);
    const Neighbours<Y> b(y, y_number, place.offset[1], place.step[1]);
    out += place.offset[2];
    if (place.count < V) {
#pragma unroll 1
        for (int k = 0; k < place.count; k++) out[k] = R(f.of(a[k], b[k]));
        return;
    }
    const Vector<X, V> as = a.template pack<V>();
    const Vector<Y, V> bs = b.template pack<V>();
    Vector<R, V> result;
#pragma unroll
    for (int k = 0; k < V; k++) result.item[k] = R(f.of(as.item[k], bs.item[k]));
    *reinterpret_cast<Vector<R, V>*>(out) = result;
}

template <int V, class F, class X, class Y, class R>
DEVICE void ternary(F f, const X* x, const Y* y, const Y* z, R* out, Y y_number, Y z_number, uint32_t tail,
                    const Layout<4>& layout) {
    Place<4, V> place;
    if (!place.find(layout, tail)) return;
    const Neighbours<X> a(x, X(), place.offset[0], place.step[0]);
    const Neighbours<Y> b(y, y_number, place.offset[1], place.step[1]);
    const Neighbours<Y> c(z, z_number, place.offset[2], place.step[2]);
    out += place.offset[3];
    if (place.count < V) {
#pragma unroll 1
        for (int k = 0; k < place.count; k++) out[k] = R(f.of(a[k], b[k], c[k]));
        return;
    }
    const Vector<X, V> as = a.template pack<V>();
    const Vector<Y, V> bs = b.template pack<V>();
    const Vector<Y, V> cs = c.template pack<V>();
    Vector<R, V> result;
#pragma unroll
    for (int k = 0; k < V; k++) result.item[k] = R(f.of(as.item[k], bs.item[k], cs.item[k]));
    *reinterpret_cast<Vector<R, V>*>(out) = result;
}

#define KERNEL extern "C" __global__ void __launch_bounds__(256)
#define TWICE(kernel, name, R)                                  \
    kernel(name##_vector, (LANES<T, R>), name##_function, R) \
    kernel(name##_strided, 1, name##_function, R)

#define UNARY_KERNEL(name, V, F, R) \
    KERNEL name(const T* x, R* out, uint32_t tail, Layout<2> layout) { unary<V>(F(), x, out, tail, layout); }
#define BINARY_KERNEL(name, V, F, R)                                                                         \
    KERNEL name(const T* x, const T* y, R* out, T x_number, T y_number, uint32_t tail, Layout<3> layout) {   \
        binary<V>(F(), x, y, out, x_number, y_number, tail, layout);                                           \
    }
#define TERNARY_KERNEL(name, V, F, R)                                                                        \
    KERNEL name(const F::First* x, const T* y, const T* z, R* out, T y_number, T z_number, uint32_t tail,    \
                Layout<4> layout) {                                                                          \
        ternary<V>(F(), x, y, z, out, y_number, z_number, tail, layout);                                       \
    }

#define UNARY(name, R, expression)                                            \
    struct name##_function {                                                  \
        static __device__ __forceinline__ R of(C x) { return R(expression); } \
    };                                                                        \
    TWICE(UNARY_KERNEL, name, R)
#define BINARY(name, R, expression)                                                \
    struct name##_function {                                                       \
        static __device__ __forceinline__ R of(C x, C y) { return R(expression); } \
    };                                                                             \
    TWICE(BINARY_KERNEL, name, R)
#define TERNARY(name, X, expression)                                                    \
    struct name##_function {                                                            \
        typedef X First;                                                                \
        static __device__ __forceinline__ T of(X x, T y, T z) { return T(expression); } \
    };                                                                                  \
    TWICE(TERNARY_KERNEL, name, T)
