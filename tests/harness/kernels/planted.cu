// Kernels with a mistake each. With -DCORRECT most of them are right.

// A tiled product of n x n matrices; BARRIERS says which of the two barriers are there.
#ifdef BARRIERS
extern "C" __global__ void matmul(const float* a, const float* b, float* c, int n) {
    __shared__ float a_tile[8][8], b_tile[8][8];
    const int row = blockIdx.y * 8 + threadIdx.y, column = blockIdx.x * 8 + threadIdx.x;
    float sum = 0;
    for (int start = 0; start < n; start += 8) {
        a_tile[threadIdx.y][threadIdx.x] = a[row * n + start + threadIdx.x];
        b_tile[threadIdx.y][threadIdx.x] = b[(start + threadIdx.y) * n + column];
        if (BARRIERS & 1) __syncthreads();
        for (int t = 0; t < 8; t++) sum += a_tile[threadIdx.y][t] * b_tile[t][threadIdx.x];
        if (BARRIERS & 2) __syncthreads();
    }
    c[row * n + column] = sum;
}
#else

// Every thread writes the same place; which one stays is anybody's guess.
extern "C" __global__ void race(int* out) {
    __shared__ int winner;
    winner = threadIdx.x;
    __syncthreads();
    out[threadIdx.x] = winner;
}

// The last steps of a reduction without synchronisation, as was usual before Volta.
#ifdef CORRECT
#define SYNCWARP() __syncwarp()
#else
#define SYNCWARP()
#endif
extern "C" __global__ void warp_synchronous(const int* x, int* out) {
    __shared__ int kept[32];
    volatile int* sums = kept;
    sums[threadIdx.x] = x[threadIdx.x];
    SYNCWARP();
    for (int distance = 16; distance; distance /= 2) {
        if (threadIdx.x < distance) sums[threadIdx.x] += sums[threadIdx.x + distance];
        SYNCWARP();
    }
    if (threadIdx.x == 0) *out = sums[0];
}

extern "C" __global__ void misaligned(const float* x, float* out, int first) {
    const float4 four = *reinterpret_cast<const float4*>(x + first);
    out[threadIdx.x] = four.x;
}

// A float array may lie anywhere; what is read as float4 must be declared so.
extern "C" __global__ void misaligned_shared(float* out) {
#ifdef CORRECT
    __shared__ __align__(16) float kept[32];
#else
    __shared__ float kept[32];
#endif
    reinterpret_cast<float4*>(kept)[threadIdx.x] = make_float4(1, 2, 3, 4);
    __syncthreads();
    out[threadIdx.x] = kept[threadIdx.x];
}

extern "C" __global__ void copy(const float* x, float* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i];
}

extern "C" __global__ void beyond_shared(int* out, int shift) {
    __shared__ int kept[32];
    kept[int(threadIdx.x) + shift] = 1;  // line: index
    __syncthreads();
    out[threadIdx.x] = kept[threadIdx.x];
}

// Through a pointer the bounds of the array are unknown to the compiler.
extern "C" __global__ void beside_shared(int* out, int shift) {
    __shared__ int kept[32], other[32];
    other[threadIdx.x] = 0;
    int* mine = kept;
    mine[int(threadIdx.x) + shift] = 1;
    __syncthreads();
    out[threadIdx.x] = other[threadIdx.x];
}

extern "C" __global__ void beyond_dynamic(int* out, int shift) {
    extern __shared__ int kept[];
    kept[int(threadIdx.x) + shift] = 1;
    __syncthreads();
    out[threadIdx.x] = 1;
}

extern "C" __global__ void unwritten(float* out) {
    __shared__ float kept[32];
    if (threadIdx.x != 7) kept[threadIdx.x] = 1;
    __syncthreads();
    out[threadIdx.x] = kept[threadIdx.x];
}

extern "C" __global__ void divergent(int* out) {
    if (threadIdx.x < 7)
        __syncthreads();  // line: some
    else
        __syncthreads();  // line: others
    out[threadIdx.x] = 1;
}

extern "C" __global__ void deadlock(int* out) {
    if (threadIdx.x < 7)
        __syncthreads();  // line: block
    else
        __syncwarp();  // line: warp
    out[threadIdx.x] = 1;
}

extern "C" __global__ void divergent_shuffle(int* out) {
    int x = threadIdx.x;
    if (threadIdx.x < 16)
        x = __shfl_xor_sync(0xffffffffu, x, 1);  // line: low half
    else
        x = __shfl_xor_sync(0xffffffffu, x, 2);  // line: high half
    out[threadIdx.x] = x;
}

extern "C" __global__ void partial_mask(int* out) {
    out[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, int(threadIdx.x), 1);  // line: mask
}

extern "C" __global__ void trapped(int* out) {
    if (threadIdx.x == 5) __trap();  // line: trap
    out[threadIdx.x] = 1;
}

extern "C" __global__ void endless(volatile int* flag) {
    while (*flag) {
    }
}

extern "C" __global__ void deep(int* out) {
    volatile int large[100000];
    for (int i = 0; i < 100000; i++) large[i] = i;
    out[threadIdx.x] = large[threadIdx.x];
}
#endif
