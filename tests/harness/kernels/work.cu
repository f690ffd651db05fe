// Small pieces of work whose order shows in the result.

extern "C" __global__ void scale_add(float* x, float factor, float term, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] = x[i] * factor + term;
}

extern "C" __global__ void count(int* counter) { *counter += 1; }

__constant__ float table[4] = {1, 2, 3, 4};
__device__ int hits;
extern "C" __global__ void look_up(float* out) {
    out[threadIdx.x] = table[threadIdx.x];
    atomicAdd(&hits, 1);
}

struct Shape {
    long long size[2];
    int rank;
};
extern "C" __global__ void parameters(char a, double b, const Shape shape, bool c, float* out) {
    out[0] = a;
    out[1] = float(b);
    out[2] = float(shape.size[0] * 10 + shape.size[1]);
    out[3] = shape.rank;
    out[4] = c;
}

extern "C" __global__ void __launch_bounds__(64, 2) bounded(int* out) { out[threadIdx.x] = 1; }

extern "C" __global__ void shared_words(int* out, int words) {
    extern __shared__ int kept[];
    for (int i = threadIdx.x; i < words; i += blockDim.x) kept[i] = i;
    __syncthreads();
    out[threadIdx.x] = kept[words - 1 - threadIdx.x];
}

extern "C" __global__ void much_shared(int* out) {
    __shared__ int kept[12 * 1024 + 1];
    kept[threadIdx.x] = 1;
    __syncthreads();
    out[threadIdx.x] = kept[threadIdx.x];
}

__global__ void mangled(int* out) { *out = 1; }

template <class T>
__global__ void generic(T* out) {
    *out = 1;
}

extern "C" {
__global__ void in_a_linkage_block(int* out) { *out = 5; }
}
