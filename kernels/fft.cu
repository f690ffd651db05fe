// Discrete Fourier transforms of rows of any length.
//
//   make_roots   exp(-2 pi i k / n), the factors of all passes
//   fft_rows     rows that fit shared memory, several short ones or one long one in a block; n = 2^i 3^j 5^k
//   fft_columns, fft_matrix_rows
//                longer rows, as matrices whose rows and columns fit (Bailey, "FFTs in external or hierarchical memory",
//                Supercomputing 1989)
//   fft_pass     one pass over even longer rows, from global to global memory
//   make_chirp, chirp_in, multiply, chirp_out
//                any other n (Bluestein, "A linear filtering approach to the computation of discrete Fourier
//                transform", 1970): with jk = (j^2 + k^2 - (k - j)^2) / 2 the transform is a convolution with
//                exp(i pi k^2 / n), and so a product of transforms of m = 2^a >= 2n - 1 points
//
// Cost: fft_rows reads and writes each element once; it does 5 n log2(n) flops, and its traffic in shared memory, two
// times 2 sizeof(REAL) bytes per element and pass, is the limit for all but short rows. Longer rows are read and written
// twice, even longer ones in each of about log4(n) passes: memory is the limit there. Bluestein's way takes two transforms of
// m points and three passes over memory.
//
// Needs -DREAL=float or double.
#include "fft.cuh"

extern "C" __global__ void __launch_bounds__(256) make_roots(Complex* __restrict__ roots, uint32_t n) {
    const uint32_t k = blockIdx.x * 256 + threadIdx.x;
    if (k < n) roots[k] = root_of_unity(k, n);
}

// A block transforms `together` rows in two buffers in shared memory.
extern "C" __global__ void __launch_bounds__(256, 3)
fft_rows(const REAL* __restrict__ source, REAL* __restrict__ target, const Complex* __restrict__ roots, Input input,
         Output output, uint64_t plan, uint32_t rows, uint32_t together) {
    extern __shared__ Complex shared[];
    const uint32_t n = input.n, first = blockIdx.x * together;
    const uint32_t own = rows - first < together ? rows - first : together, size = own * n;
    for (uint32_t i = threadIdx.x; i < size; i += blockDim.x) shared[i] = input.at(source, first + i / n, i % n);
    const Complex* result = transform_in_shared(shared, shared + together * n, n, own, plan, roots, 1);
    for (uint32_t i = threadIdx.x; i < size; i += blockDim.x) output.put(target, first + i / n, i % n, result[i]);
}

// The first of two steps for rows of n = a * b elements, b of them side by side as a matrix has them: the transforms of its
// columns, times the roots of unity that the second step leaves out. A block takes `together` neighbouring columns.
extern "C" __global__ void __launch_bounds__(256, 3)
fft_columns(const REAL* __restrict__ source, Complex* __restrict__ target, const Complex* __restrict__ roots, Input input,
            uint64_t plan, uint32_t a, uint32_t b, uint32_t together, uint32_t first_row) {
    extern __shared__ Complex shared[];
    const uint32_t first = blockIdx.x * together, own = b - first < together ? b - first : together;
    const int64_t row = (int64_t)first_row + blockIdx.y;
    for (uint32_t i = threadIdx.x; i < own * a; i += blockDim.x) {
        const uint32_t k = i / own, column = i - k * own;
        shared[column * a + k] = input.at(source, row, k * b + first + column);
    }
    const Complex* result = transform_in_shared(shared, shared + together * a, a, own, plan, roots, b);
    for (uint32_t i = threadIdx.x; i < own * a; i += blockDim.x) {
        const uint32_t k = i / own, column = i - k * own;
        target[row * input.n + k * b + first + column] = roots[k * (first + column)] * result[column * a + k];
    }
}

// The second step: the transforms of the rows of that matrix. Element k2 of row k1 is element k1 + a * k2 of the whole.
extern "C" __global__ void __launch_bounds__(256, 3)
fft_matrix_rows(const Complex* __restrict__ source, REAL* __restrict__ target, const Complex* __restrict__ roots,
                Output output, uint64_t plan, uint32_t a, uint32_t b, uint32_t together, uint32_t first_row) {
    extern __shared__ Complex shared[];
    const uint32_t first = blockIdx.x * together, own = a - first < together ? a - first : together;
    const int64_t row = (int64_t)first_row + blockIdx.y;
    const Complex* begin = source + row * a * b + (int64_t)first * b;
    for (uint32_t i = threadIdx.x; i < own * b; i += blockDim.x) shared[i] = begin[i];
    const Complex* result = transform_in_shared(shared, shared + together * b, b, own, plan, roots, a);
    for (uint32_t i = threadIdx.x; i < own * b; i += blockDim.x) {
        const uint32_t k = i / own, line = i - k * own;
        output.put(target, row, first + line + a * k, result[line * b + k]);
    }
}

// One butterfly per thread; blockIdx.y counts rows from first_row on.
extern "C" __global__ void __launch_bounds__(256)
fft_pass(const REAL* __restrict__ source, REAL* __restrict__ target, const Complex* __restrict__ roots, Input input,
         Output output, uint32_t radix, uint32_t done, uint32_t first_row) {
    const uint32_t n = input.n, j = blockIdx.x * 256 + threadIdx.x;
    const int64_t row = (int64_t)first_row + blockIdx.y;
    if (j >= n / radix) return;
    const auto read = [&](uint32_t k) { return input.at(source, row, k); };
    const auto write = [&](uint32_t k, Complex z) { output.put(target, row, k, z); };
    pass_of(radix, j, n, done, roots, 1, read, write);
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
chirp_in(const REAL* __restrict__ source, Complex* __restrict__ target, const Complex* __restrict__ roots, Input input,
         uint32_t m, uint32_t first_row) {
    const uint32_t k = blockIdx.x * 256 + threadIdx.x;
    const int64_t row = (int64_t)first_row + blockIdx.y;
    if (k >= m) return;
    target[row * m + k] = k < input.n ? input.at(source, row, k) * chirp(roots, k, input.n) : Complex(REAL(0), REAL(0));
}

// Rows times one row, and exchanged, as the transform back wants them.
extern "C" __global__ void __launch_bounds__(256)
multiply(Complex* __restrict__ rows, const Complex* __restrict__ factor, uint32_t m, uint32_t first_row) {
    const uint32_t k = blockIdx.x * 256 + threadIdx.x;
    const int64_t row = (int64_t)first_row + blockIdx.y;
    if (k < m) rows[row * m + k] = exchanged(rows[row * m + k] * factor[k]);
}

extern "C" __global__ void __launch_bounds__(256)
chirp_out(const Complex* __restrict__ source, REAL* __restrict__ target, const Complex* __restrict__ roots, Output output,
          uint32_t n, uint32_t m, uint32_t first_row) {
    const uint32_t k = blockIdx.x * 256 + threadIdx.x;
    const int64_t row = (int64_t)first_row + blockIdx.y;
    if (k < n) output.put(target, row, k, exchanged(source[row * m + k]) * chirp(roots, k, n));
}
