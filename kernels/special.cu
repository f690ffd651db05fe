// Special functions: the families of the error function and of the gamma function, for half, float and double.
//
// Cost: see elementwise.cuh; from fifty to several hundred instructions per element, so that arithmetic decides for
// most. polygamma computes in double whatever the type.
//
// Needs -DTYPE= and -DKIND= FLOATS (elementwise.cuh).
#include "elementwise.cuh"
#include "gamma.cuh"

UNARY(erf, T, libm::erf(x))
UNARY(erfc, T, libm::erfc(x))
UNARY(erfcx, T, erfcx(x))
UNARY(erfinv, T, erfinv(x))
UNARY(log_ndtr, T, log_ndtr(x))
UNARY(lgamma, T, libm::lgamma(x))
UNARY(digamma, T, digamma(x))

// --- with a whole number, the order: one element for each thread, any strides --------------------------------

struct sinc_derivative_function {
    int order;
    C first, scale;  // scale is pi^order

    __device__ __forceinline__ C of(C x) const { return scale * sinc_derivative(C(PI) * x, order, first); }
};
KERNEL sinc_derivative_strided(const T* x, T* out, double first, double scale, int order, uint32_t tail,
                               Layout<2> layout) {
    unary<1>(sinc_derivative_function{order, C(first), C(scale)}, x, out, tail, layout);
}

struct polygamma_function {
    const double* cotangent;
    double factorial;
    int order;

    __device__ __forceinline__ C of(C x) const { return C(polygamma(double(x), order, factorial, cotangent)); }
};
KERNEL polygamma_strided(const T* x, T* out, const double* cotangent, double factorial, int order, uint32_t tail,
                         Layout<2> layout) {
    unary<1>(polygamma_function{cotangent, factorial, order}, x, out, tail, layout);
}
