// Matrix products of every element type, with any strides: rung 5 of the ladder as a template over the type.
//
//   gemm_any      C[m, n] = epilogue(sum over k of A[m, k] B[k, n]), tiles of 64 x 64, 4 x 4 elements per thread
//                 (complex numbers of double precision: 32 x 32 and 2 x 2)
//   gemm_any_end  adds the partial sums that gemm_any leaves where k is split, in the order of k, and completes them
//   gemv_rows, gemv_columns   matrix times vector (gemv.cuh)
//   cross         products of vectors with three elements (cross.cuh)
//
// Transposition is a matter of strides here, and whatever strides an operand has, neighbouring threads read what lies
// closest together. float32 has its own kernels (gemm_warp_tiles.cu, gemm_sliced.cu) and comes here only for vectors.
//
// Cost: 2 m n k flops (8 for complex numbers); size m n k (1/64 + 1/64) bytes from global memory; half a number from
// shared memory per multiply-add.
//
// Needs -DTYPE=, the element type. Integers with a sign count as those without: their low bits are the same.
#include "cross.cuh"
#include "gemm.cuh"
#include "gemv.cuh"
#include "sum_of_products.cuh"

typedef TYPE T;
typedef Sum<T>::type S;

// 4 x 4 sums of 16 bytes would take all registers that a thread can have.
constexpr int SIDE = sizeof(S) > 8 ? 2 : 4;
constexpr int ACROSS = 16, TILE = ACROSS * SIDE, DEPTH = 16, THREADS = ACROSS * ACROSS;

struct AnyGemm {
    const T *a, *b;
    T* c;
    const T *bias, *saved;  // (n,) and (m, n), or null
    S* workspace;           // (matrices, splits, m, n) where k is split
    int64_t a_outer, a_inner, a_row, a_k;  // matrix z is number z / batch_inner of the outer axis of the batch and
    int64_t b_outer, b_inner, b_k, b_column;  // z % batch_inner of the inner; those of C follow each other
    int64_t c_batch;
    int32_t m, n, k, ldc, ld_saved, batch_inner;
    int32_t splits;             // blocks that share the k of a tile: gridDim.y
    int32_t activation, slope;  // numbers of enum Activation; floats alone have any but NONE
    int32_t accumulate;
};

template <class R>
struct IsFloat {
    static constexpr bool value = false;
};
template <>
struct IsFloat<float> {
    static constexpr bool value = true;
};
template <>
struct IsFloat<double> {
    static constexpr bool value = true;
};

DEVICE void complete(const AnyGemm& g, uint32_t z, int row, int column, S value) {
    if (g.bias) add_to(value, (S)g.bias[column]);
    if constexpr (IsFloat<S>::value) {
        value = activated<true>(g.activation, value);
        if (g.slope != NONE) value = through_slope(g.slope, value, (S)g.saved[(int64_t)row * g.ld_saved + column]);
    }
    T* target = g.c + z * g.c_batch + (int64_t)row * g.ldc + column;
    if (g.accumulate) add_to(value, (S)*target);
    *target = (T)value;
}

// Brings `depth` k of TILE rows to tile[k][row], zeros where the operand ends.
DEVICE void load(S (*tile)[TILE + 1], const T* x, int64_t row_stride, int64_t k_stride, int rows, int depth) {
    const bool along_k = (k_stride < 0 ? -k_stride : k_stride) <= (row_stride < 0 ? -row_stride : row_stride);
#pragma unroll 2
    for (int start = 0; start < TILE * DEPTH; start += THREADS) {
        const int i = start + threadIdx.x;
        const int row = along_k ? i / DEPTH : i % TILE, k = along_k ? i % DEPTH : i / TILE;
        tile[k][row] = row < rows && k < depth ? (S)x[row * row_stride + k * k_stride] : S();
    }
}

// Grid: (tiles, splits, matrices), blocks of 256.
extern "C" __global__ void __launch_bounds__(THREADS) gemm_any(const AnyGemm g) {
    __shared__ S a_tile[DEPTH][TILE + 1], b_tile[DEPTH][TILE + 1];
    const uint32_t tiles_across = (g.n + TILE - 1) / TILE;
    const int top = blockIdx.x / tiles_across * TILE, left = blockIdx.x % tiles_across * TILE;
    const int64_t outer = blockIdx.z / g.batch_inner, inner = blockIdx.z % g.batch_inner;
    const T* a = g.a + outer * g.a_outer + inner * g.a_inner + top * g.a_row;
    const T* b = g.b + outer * g.b_outer + inner * g.b_inner + left * g.b_column;
    const int row = threadIdx.x / ACROSS, column = threadIdx.x % ACROSS;  // its elements lie ACROSS apart
    const int steps = (g.k + DEPTH - 1) / DEPTH;
    const int begin = (int)((int64_t)steps * blockIdx.y / g.splits) * DEPTH;
    const int last = (int)((int64_t)steps * (blockIdx.y + 1) / g.splits) * DEPTH, end = last < g.k ? last : g.k;

    S sum[SIDE][SIDE] = {};
    for (int k = begin; k < end; k += DEPTH) {
        load(a_tile, a + k * g.a_k, g.a_row, g.a_k, g.m - top, end - k);
        load(b_tile, b + k * g.b_k, g.b_column, g.b_k, g.n - left, end - k);
        __syncthreads();
#pragma unroll
        for (int q = 0; q < DEPTH; q++) {
            S x[SIDE], y[SIDE];
#pragma unroll
            for (int i = 0; i < SIDE; i++) x[i] = a_tile[q][row + i * ACROSS];
#pragma unroll
            for (int j = 0; j < SIDE; j++) y[j] = b_tile[q][column + j * ACROSS];
#pragma unroll
            for (int i = 0; i < SIDE; i++)
#pragma unroll
                for (int j = 0; j < SIDE; j++) multiply_add(sum[i][j], x[i], y[j]);
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < SIDE; i++)
#pragma unroll
        for (int j = 0; j < SIDE; j++) {
            const int m = top + row + i * ACROSS, n = left + column + j * ACROSS;
            if (m >= g.m || n >= g.n) continue;
            if (g.splits == 1) complete(g, blockIdx.z, m, n, sum[i][j]);
            else g.workspace[(((int64_t)blockIdx.z * g.splits + blockIdx.y) * g.m + m) * g.n + n] = sum[i][j];
        }
}

// Grid: (n / 256 rounded up, m, matrices), blocks of 256: a thread per element of C.
extern "C" __global__ void __launch_bounds__(256) gemm_any_end(const AnyGemm g) {
    const int m = blockIdx.y, n = blockIdx.x * 256 + threadIdx.x;
    if (n >= g.n) return;
    const int64_t step = (int64_t)g.m * g.n;
    const S* at = g.workspace + blockIdx.z * g.splits * step + (int64_t)m * g.n + n;
    S sum = at[0];
    for (int s = 1; s < g.splits; s++) add_to(sum, at[s * step]);
    complete(g, blockIdx.z, m, n, sum);
}

extern "C" __global__ void __launch_bounds__(256) gemv_rows(const Gemv<T> g) { multiply_rows(g); }

extern "C" __global__ void __launch_bounds__(256) gemv_columns(const Gemv<T> g) { multiply_columns(g); }

extern "C" __global__ void __launch_bounds__(256)
cross(const T* a, const T* b, T* c, int64_t a_step, int64_t b_step, int64_t c_step, Layout<3> layout) {
    multiply_vectors(a, b, c, a_step, b_step, c_step, layout);
}
