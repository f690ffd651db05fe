// Barriers, warps and shared memory as a correct kernel uses them.

#define TILE 16

extern "C" __global__ void __launch_bounds__(TILE* TILE) matmul(const float* __restrict__ a, const float* __restrict__ b,
                                                                float* c, int m, int n, int k) {
    __shared__ float a_tile[TILE][TILE + 1], b_tile[TILE][TILE];
    const int row = blockIdx.y * TILE + threadIdx.y, column = blockIdx.x * TILE + threadIdx.x;
    float sum = 0;
    for (int start = 0; start < k; start += TILE) {
        const int i = start + threadIdx.x, j = start + threadIdx.y;
        a_tile[threadIdx.y][threadIdx.x] = row < m && i < k ? a[row * k + i] : 0.0f;
        b_tile[threadIdx.y][threadIdx.x] = column < n && j < k ? b[j * n + column] : 0.0f;
        __syncthreads();
        for (int t = 0; t < TILE; t++) sum += a_tile[threadIdx.y][t] * b_tile[t][threadIdx.x];
        __syncthreads();
    }
    if (row < m && column < n) c[row * n + column] = sum;
}

template <class T>
static __device__ T warp_sum(T x) {
#pragma unroll
    for (int distance = 16; distance; distance /= 2) x += __shfl_xor_sync(0xffffffffu, x, distance);
    return x;
}

// One block a row: shuffles, then one slot of dynamic shared memory per warp.
extern "C" __global__ void row_sums(const float* x, float* sums, int n) {
    extern __shared__ __align__(16) float of_warp[];
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) sum += x[blockIdx.x * n + i];
    sum = warp_sum(sum);
    if (threadIdx.x % warpSize == 0) of_warp[threadIdx.x / warpSize] = sum;
    __syncthreads();
    if (threadIdx.x < warpSize) {
        sum = warp_sum(threadIdx.x < blockDim.x / warpSize ? of_warp[threadIdx.x] : 0.0f);
        if (threadIdx.x == 0) sums[blockIdx.x] = sum;
    }
}

// All blocks in one launch: the last to finish adds the sums of all, in a fixed order.
extern "C" __global__ void total(const float* x, float* sums, unsigned* finished, float* result, int n) {
    __shared__ bool is_last;
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    const float sum = warp_sum(i < n ? x[i] : 0.0f);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = sum;
        __threadfence();
        is_last = atomicAdd(finished, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (is_last && threadIdx.x == 0) {
        float all = 0;
        for (int b = 0; b < gridDim.x; b++) all += sums[b];
        *result = all;
    }
}

extern "C" __global__ void indices(int* out) {
    const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    const int threads = blockDim.x * blockDim.y * blockDim.z;
    out[block * threads + thread] = 100 * block + thread;
}

// Threads beyond n leave before the barrier that the others meet.
extern "C" __global__ void reverse(int* out, int n) {
    __shared__ int kept[64];
    const int i = threadIdx.x;
    if (i >= n) return;
    kept[i] = i;
    __syncthreads();
    out[i] = kept[n - 1 - i];
}

extern "C" __global__ void block_votes(const int* x, int* out) {
    const int yes = x[threadIdx.x];
    const int count = __syncthreads_count(yes), all = __syncthreads_and(yes), any = __syncthreads_or(yes);
    if (threadIdx.x == 0) {
        out[0] = count;
        out[1] = all;
        out[2] = any;
    }
}

extern "C" __global__ void warp_votes(const int* x, unsigned* out) {
    const int yes = x[threadIdx.x];
    const unsigned ballot = __ballot_sync(0xffffffffu, yes);
    const int any = __any_sync(0xffffffffu, yes), all = __all_sync(0xffffffffu, yes);
    if (threadIdx.x % 32 == 0) {
        unsigned* mine = out + threadIdx.x / 32 * 3;
        mine[0] = ballot;
        mine[1] = any;
        mine[2] = all;
    }
}

template <class T>
static __device__ void shuffle_all(T* out) {
    const int lane = threadIdx.x;
    const T x = T(lane) + T(1000);
    out[lane] = __shfl_sync(0xffffffffu, x, lane + 5);
    out[32 + lane] = __shfl_sync(0xffffffffu, x, 3, 8);
    out[64 + lane] = __shfl_up_sync(0xffffffffu, x, 3);
    out[96 + lane] = __shfl_up_sync(0xffffffffu, x, 3, 8);
    out[128 + lane] = __shfl_down_sync(0xffffffffu, x, 3);
    out[160 + lane] = __shfl_down_sync(0xffffffffu, x, 3, 8);
    out[192 + lane] = __shfl_xor_sync(0xffffffffu, x, 5);
    out[224 + lane] = __shfl_xor_sync(0xffffffffu, x, 1, 4);
}
#define SHUFFLES(T, name) \
    extern "C" __global__ void name(T* out) { shuffle_all(out); }
SHUFFLES(int, shuffle_int32)
SHUFFLES(unsigned, shuffle_uint32)
SHUFFLES(long long, shuffle_int64)
SHUFFLES(unsigned long long, shuffle_uint64)
SHUFFLES(float, shuffle_float32)
SHUFFLES(double, shuffle_float64)

// Each instance of a template has a shared variable of its own, as each function has.
template <int which>
static __device__ int& place() {
    __shared__ int kept;
    return kept;
}
extern "C" __global__ void apart(int* out) {
    if (threadIdx.x == 0) {
        place<0>() = 10;
        place<1>() = 20;
    }
    __syncthreads();
    out[threadIdx.x] = place<0>() + place<1>();
}

// What dynamic shared memory is declared as decides its alignment.
struct alignas(128) Line {
    int item[32];
};
extern "C" __global__ void aligned_line(int* out) {
    extern __shared__ Line lines[];
    lines[0].item[threadIdx.x] = int((unsigned long long)&lines[0] % 128);
    __syncthreads();
    out[threadIdx.x] = lines[0].item[31 - threadIdx.x];
}

extern "C" __global__ void declared(int* out) {
    __shared__ alignas(16) int a[4], b[2][4];
    static volatile __shared__ int c;
    __align__(8) __shared__ short d[4];
    const int i = threadIdx.x;
    a[i] = int((unsigned long long)a % 16);
    b[1][i] = int((unsigned long long)b % 16);
    if (i == 0) c = 7;
    d[i] = short((unsigned long long)d % 8);
    __syncthreads();
    out[i] = a[3 - i] + b[1][3 - i] + c + d[3 - i];
}
