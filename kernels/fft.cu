// Discrete Fourier transforms of rows of any length.
//
//   make_roots   exp(-2 pi i k / n), the factors of all passes
//   fft_rows     rows that fit shared memory, several short ones or one long one in a block; n = 2^a 3^b 5^c
//   fft_pass     one pass over longer rows, from global to global memory
//   make_chirp, chirp_in, multiply, chirp_out
//                any other n (Bluestein, "A linear filtering approach to the computation of discrete Fourier
//                transform", 1970): with jk = (j^2 + k^2 - (k - j)^2) / 2 the transform is a convolution with
//                exp(i pi k^2 / n), and so a product of transforms of m = 2^a >= 2n - 1 points
//
// Cost: fft_rows reads and writes each element once; it does 5 n log2(n) flops, and its traffic in shared memory, two
// times 2 sizeof(REAL) bytes per element and pass, is the limit for all but short rows. fft_pass moves 4 sizeof(REAL) bytes per
// element in each of about log4(n) passes, bound by memory. Bluestein's way takes three such transforms of m points.
//
// Needs -DREAL=float or double.
#include "fft.cuh"

extern "C" __global__ void __launch_bounds__(256) make_roots(Complex* __restrict__ roots, uint32_t n) {
    const uint32_t k = blockIdx.x * 256 + threadIdx.x;
    if (k < n) roots[k] = root_of_unity(k, n);
}

// A block transforms `together` rows in two buffers in shared memory. The radices of the passes are the digits of plan, four
// bits each, the first pass lowest.
extern "C" __global__ void __launch_bounds__(256)
fft_rows(Input input, Output output, const Complex* __restrict__ roots, uint64_t plan, uint32_t rows, uint32_t together) {
    extern __shared__ Complex shared[];
    const uint32_t n = input.n, first = blockIdx.x * together;
    const uint32_t own = rows - first < together ? rows - first : together, size = own * n;
    Complex *before = shared, *after = shared + together * n;
    for (uint32_t i = threadIdx.x; i < size; i += blockDim.x) before[i] = input.at(first + i / n, i % n);
    __syncthreads();
    for (uint32_t done = 1; plan; plan >>= 4) {
        const uint32_t radix = plan & 15, butterflies = n / radix;
        for (uint32_t i = threadIdx.x; i < own * butterflies; i += blockDim.x) {
            const uint32_t row = i / butterflies, base = row * n;
            const auto read = [&](uint32_t k) { return before[base + k]; };
            const auto write = [&](uint32_t k, Complex z) { after[base + k] = z; };
            pass_of(radix, i - row * butterflies, n, done, roots, read, write);
        }
        __syncthreads();
        Complex* const swap = before;
        before = after;
        after = swap;
        done *= radix;
    }
    for (uint32_t i = threadIdx.x; i < size; i += blockDim.x) output.put(first + i / n, i % n, before[i]);
}

// One butterfly per thread; blockIdx.y counts rows from first_row on.
extern "C" __global__ void __launch_bounds__(256)
fft_pass(Input input, Output output, const Complex* __restrict__ roots, uint32_t radix, uint32_t done, uint32_t first_row) {
    const uint32_t n = input.n, j = blockIdx.x * 256 + threadIdx.x;
    const int64_t row = (int64_t)first_row + blockIdx.y;
    if (j >= n / radix) return;
    const auto read = [&](uint32_t k) { return input.at(row, k); };
    const auto write = [&](uint32_t k, Complex z) { output.put(row, k, z); };
    pass_of(radix, j, n, done, roots, read, write);
}

// exp(-i pi k^2 / n), for which roots has the 2n-th roots of unity.
DEVICE Complex chirp(const Complex* __restrict__ roots, uint32_t k, uint32_t n) {
    return roots[(uint32_t)((uint64_t)k * k % (2 * (uint64_t)n))];
}

// What rows are convolved with: exp(i pi k^2 / n) for k from -(n - 1) to n - 1, the negative ones at the end.
extern "C" __global__ void __launch_bounds__(256)
make_chirp(Complex* __restrict__ target, const Complex* __restrict__ roots, uint32_t n, uint32_t m) {
    const uint32_t k = blockIdx.x * 256 + threadIdx.x;
    if (k >= m) return;
    Complex z(REAL(0), REAL(0));
    if (k < n) z = chirp(roots, k, n);
    else if (m - k < n) z = chirp(roots, m - k, n);
    target[k] = Complex(z.real, -z.imag);
}

extern "C" __global__ void __launch_bounds__(256)
chirp_in(Input input, Complex* __restrict__ target, const Complex* __restrict__ roots, uint32_t m, uint32_t first_row) {
    const uint32_t k = blockIdx.x * 256 + threadIdx.x;
    const int64_t row = (int64_t)first_row + blockIdx.y;
    if (k >= m) return;
    target[row * m + k] = k < input.n ? input.at(row, k) * chirp(roots, k, input.n) : Complex(REAL(0), REAL(0));
}

// Rows times one row, and exchanged, as the transform back wants them.
extern "C" __global__ void __launch_bounds__(256)
multiply(Complex* __restrict__ rows, const Complex* __restrict__ factor, uint32_t m, uint32_t first_row) {
    const uint32_t k = blockIdx.x * 256 + threadIdx.x;
    const int64_t row = (int64_t)first_row + blockIdx.y;
    if (k < m) rows[row * m + k] = exchanged(rows[row * m + k] * factor[k]);
}

extern "C" __global__ void __launch_bounds__(256)
chirp_out(const Complex* __restrict__ source, Output output, const Complex* __restrict__ roots, uint32_t n, uint32_t m,
          uint32_t first_row) {
    const uint32_t k = blockIdx.x * 256 + threadIdx.x;
    const int64_t row = (int64_t)first_row + blockIdx.y;
    if (k < n) output.put(row, k, exchanged(source[row * m + k]) * chirp(roots, k, n));
}
