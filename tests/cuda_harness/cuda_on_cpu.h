// CUDA's language and device functions for g++, included before every kernel that the emulated nvcc compiles.
//
// __global__, __shared__ and __launch_bounds__ are not here: fake_nvcc.py reads them in the preprocessed text. What the
// project's kernels may not use (float atomics, partial masks, fast intrinsics, clocks, printf) is left out, so that it
// does not compile. No standard header but <stddef.h> and <stdint.h>: a module is compiled in a fraction of a second.

#pragma once

#include "fake_cuda/interface.h"

#define __device__ __attribute__((visibility("default")))
#define __constant__ __attribute__((visibility("default")))
#define __host__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __inline__ inline
#undef __restrict__
#define __restrict__ __restrict
#define assert(condition) ((void)0)

#define INFINITY (__builtin_inff())
#define NAN (__builtin_nanf(""))
#define HUGE_VAL (__builtin_huge_val())
#define HUGE_VALF (__builtin_huge_valf())
#define M_E 2.7182818284590452354
#define M_LOG2E 1.4426950408889634074
#define M_LOG10E 0.43429448190325182765
#define M_LN2 0.69314718055994530942
#define M_LN10 2.30258509299404568402
#define M_PI 3.14159265358979323846
#define M_PI_2 1.57079632679489661923
#define M_PI_4 0.78539816339744830962
#define M_1_PI 0.31830988618379067154
#define M_2_PI 0.63661977236758134308
#define M_2_SQRTPI 1.12837916709551257390
#define M_SQRT2 1.41421356237309504880
#define M_SQRT1_2 0.70710678118654752440

// --- Vector types -------------------------------------------------------------------------------------------

#define EMULATED_VECTORS(name, T, align2, align4)                                          \
    struct name##1 { T x; };                                                               \
    struct alignas(align2) name##2 { T x, y; };                                            \
    struct name##3 { T x, y, z; };                                                         \
    struct alignas(align4) name##4 { T x, y, z, w; };                                      \
    static inline name##1 make_##name##1(T x) { return {x}; }                              \
    static inline name##2 make_##name##2(T x, T y) { return {x, y}; }                      \
    static inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }              \
    static inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
EMULATED_VECTORS(char, signed char, 2, 4)
EMULATED_VECTORS(uchar, unsigned char, 2, 4)
EMULATED_VECTORS(short, short, 4, 8)
EMULATED_VECTORS(ushort, unsigned short, 4, 8)
EMULATED_VECTORS(int, int, 8, 16)
EMULATED_VECTORS(uint, unsigned, 8, 16)
EMULATED_VECTORS(long, long, 16, 16)
EMULATED_VECTORS(ulong, unsigned long, 16, 16)
EMULATED_VECTORS(longlong, long long, 16, 16)
EMULATED_VECTORS(ulonglong, unsigned long long, 16, 16)
EMULATED_VECTORS(float, float, 8, 16)
EMULATED_VECTORS(double, double, 16, 16)
#undef EMULATED_VECTORS

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// --- Threads and blocks -------------------------------------------------------------------------------------

// The driver writes the indices before it lets a thread continue.
uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
constexpr int warpSize = 32;

const EmulatedServices *emulated_services;
uint64_t emulated_epoch;

extern "C" __attribute__((visibility("default"))) const EmulatedModule emulated_module = {
    emulated_interface_version, &emulated_services, &emulated_epoch, &threadIdx.x, &blockIdx.x, &blockDim.x, &gridDim.x};

// A default argument that stands for the place of the call.
#define EMULATED_HERE EmulatedSite site = {__builtin_FILE(), __builtin_LINE()}

static inline void __syncthreads(EMULATED_HERE) { emulated_services->block_barrier(wait_block, site, 0); }
static inline int __syncthreads_count(int predicate, EMULATED_HERE) {
    return emulated_services->block_barrier(wait_block_count, site, predicate);
}
static inline int __syncthreads_and(int predicate, EMULATED_HERE) {
    return emulated_services->block_barrier(wait_block_and, site, predicate);
}
static inline int __syncthreads_or(int predicate, EMULATED_HERE) {
    return emulated_services->block_barrier(wait_block_or, site, predicate);
}
static inline void __syncwarp(unsigned mask = 0xffffffffu, EMULATED_HERE) {
    emulated_services->warp_exchange(wait_warp, site, mask, 0);
}
static inline void __threadfence() {}
static inline void __threadfence_block() {}
static inline void __threadfence_system() {}
[[noreturn]] static inline void __trap(EMULATED_HERE) {
    emulated_services->trap(site);
    __builtin_unreachable();
}

static inline unsigned __ballot_sync(unsigned mask, int predicate, EMULATED_HERE) {
    EmulatedExchange e = emulated_services->warp_exchange(wait_vote, site, mask, predicate != 0);
    unsigned votes = 0;
    for (unsigned lane = 0; lane < 32; lane++)
        if (e.lanes >> lane & 1)
            votes |= unsigned(e.values[lane]) << lane;
    return votes;
}
static inline int __any_sync(unsigned mask, int predicate, EMULATED_HERE) {
    return __ballot_sync(mask, predicate, site) != 0;
}
static inline int __all_sync(unsigned mask, int predicate, EMULATED_HERE) {
    return __ballot_sync(mask, !predicate, site) == 0;
}

// What lane `source` brought; from a lane that does not take part, bits that are a NaN and -1.
template <class T> static inline T emulated_receive(const EmulatedExchange &e, unsigned source) {
    uint64_t bits = e.lanes >> source & 1 ? e.values[source] : ~uint64_t(0);
    T value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}
template <class T> static inline EmulatedExchange emulated_send(unsigned mask, T value, EmulatedSite site) {
    uint64_t bits = 0;
    __builtin_memcpy(&bits, &value, sizeof value);
    return emulated_services->warp_exchange(wait_shuffle, site, mask, bits);
}

#define EMULATED_SHUFFLES(T)                                                                                        \
    static inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, EMULATED_HERE) {               \
        EmulatedExchange e = emulated_send(mask, value, site);                                                     \
        return emulated_receive<T>(e, (e.lane & ~(width - 1)) | (source & (width - 1)));                           \
    }                                                                                                              \
    static inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, EMULATED_HERE) {        \
        EmulatedExchange e = emulated_send(mask, value, site);                                                     \
        unsigned first = e.lane & ~(width - 1);                                                                    \
        return emulated_receive<T>(e, e.lane >= first + delta ? e.lane - delta : e.lane);                          \
    }                                                                                                              \
    static inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, EMULATED_HERE) {      \
        EmulatedExchange e = emulated_send(mask, value, site);                                                     \
        unsigned last = e.lane | (width - 1);                                                                      \
        return emulated_receive<T>(e, e.lane + delta <= last ? e.lane + delta : e.lane);                           \
    }                                                                                                              \
    static inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, EMULATED_HERE) {            \
        EmulatedExchange e = emulated_send(mask, value, site);                                                     \
        unsigned source = e.lane ^ lanes;                                                                          \
        return emulated_receive<T>(e, source <= (e.lane | (width - 1)) ? source : e.lane);                         \
    }
EMULATED_SHUFFLES(int)
EMULATED_SHUFFLES(unsigned)
EMULATED_SHUFFLES(long)
EMULATED_SHUFFLES(unsigned long)
EMULATED_SHUFFLES(long long)
EMULATED_SHUFFLES(unsigned long long)
EMULATED_SHUFFLES(float)
EMULATED_SHUFFLES(double)
#undef EMULATED_SHUFFLES

// --- Shared memory: what fake_nvcc.py turns the declarations into -------------------------------------------

// The alignment is given apart from the type, because a template argument forgets its attributes.
template <class T>
static inline T &emulated_shared(EmulatedSharedVariable &variable, size_t alignment, const char *name, int line) {
    if (variable.epoch != emulated_epoch)
        emulated_services->place_shared(&variable, sizeof(T), alignment, name, line);
    return *static_cast<T *>(variable.address);
}

template <class T> static inline T &emulated_dynamic_shared(size_t alignment) {
    return *static_cast<T *>(emulated_services->dynamic_shared(alignment));
}

// --- Atomics: on integers, and on addresses only of their own type -------------------------------------------

#define EMULATED_ATOMIC(T, name, expression)                       \
    static inline T name(T *address, T value) {                    \
        T old = *address;                                          \
        *address = expression;                                     \
        return old;                                                \
    }
#define EMULATED_ATOMICS(T)                                        \
    EMULATED_ATOMIC(T, atomicAdd, old + value)                     \
    EMULATED_ATOMIC(T, atomicMax, old < value ? value : old)       \
    EMULATED_ATOMIC(T, atomicMin, old < value ? old : value)       \
    EMULATED_ATOMIC(T, atomicExch, value)                          \
    EMULATED_ATOMIC(T, atomicAnd, old & value)                     \
    EMULATED_ATOMIC(T, atomicOr, old | value)                      \
    EMULATED_ATOMIC(T, atomicXor, old ^ value)                     \
    static inline T atomicCAS(T *address, T compare, T value) {    \
        T old = *address;                                          \
        if (old == compare)                                        \
            *address = value;                                      \
        return old;                                                \
    }
EMULATED_ATOMICS(int)
EMULATED_ATOMICS(unsigned)
EMULATED_ATOMICS(unsigned long long)
EMULATED_ATOMIC(int, atomicSub, old - value)
EMULATED_ATOMIC(unsigned, atomicSub, old - value)
EMULATED_ATOMIC(long long, atomicMax, old < value ? value : old)
EMULATED_ATOMIC(long long, atomicMin, old < value ? old : value)
EMULATED_ATOMIC(unsigned, atomicInc, old >= value ? 0 : old + 1)
EMULATED_ATOMIC(unsigned, atomicDec, old == 0 || old > value ? value : old - 1)
#undef EMULATED_ATOMICS
#undef EMULATED_ATOMIC

// --- Loads and stores with a hint ---------------------------------------------------------------------------

#define EMULATED_LOAD(name) \
    template <class T> static inline T name(const T *address) { return *address; }
EMULATED_LOAD(__ldg)
EMULATED_LOAD(__ldca)
EMULATED_LOAD(__ldcg)
EMULATED_LOAD(__ldcs)
EMULATED_LOAD(__ldcv)
EMULATED_LOAD(__ldlu)
#undef EMULATED_LOAD
template <class T> struct emulated_same { using type = T; };
#define EMULATED_STORE(name) \
    template <class T> static inline void name(T *address, typename emulated_same<T>::type value) { *address = value; }
EMULATED_STORE(__stwb)
EMULATED_STORE(__stcg)
EMULATED_STORE(__stcs)
EMULATED_STORE(__stwt)
#undef EMULATED_STORE

extern "C" {
void *memcpy(void *, const void *, size_t) noexcept;
void *memset(void *, int, size_t) noexcept;
}

#include "cuda_on_cpu_math.h"

// --- The entry of a kernel ----------------------------------------------------------------------------------

// Parameters lie one after another, each at a multiple of its alignment, as the driver interface packs them.
template <class... Arguments> struct EmulatedParameters;

template <> struct EmulatedParameters<> {
    static constexpr size_t end(size_t offset) { return offset; }
    template <auto kernel, class... Done> static void call(const char *, size_t, const Done &...done) { kernel(done...); }
};

template <class First, class... Rest> struct EmulatedParameters<First, Rest...> {
    static constexpr size_t place(size_t offset) { return (offset + alignof(First) - 1) / alignof(First) * alignof(First); }
    static constexpr size_t end(size_t offset) { return EmulatedParameters<Rest...>::end(place(offset) + sizeof(First)); }
    template <auto kernel, class... Done>
    static void call(const char *buffer, size_t offset, const Done &...done) {
        First value;
        __builtin_memcpy(&value, buffer + place(offset), sizeof value);
        EmulatedParameters<Rest...>::template call<kernel>(buffer, place(offset) + sizeof value, done..., value);
    }
};

template <class T> struct emulated_plain { using type = T; };
template <class T> struct emulated_plain<const T> { using type = T; };

template <auto kernel> struct EmulatedEntry;
template <class... Arguments, void (*kernel)(Arguments...)> struct EmulatedEntry<kernel> {
    using Parameters = EmulatedParameters<typename emulated_plain<Arguments>::type...>;
    static void run(const char *buffer) { Parameters::template call<kernel>(buffer, 0); }
    static constexpr EmulatedKernel describe(unsigned max_threads) {
        return {run, Parameters::end(0), max_threads};
    }
};

template <class... Bounds> constexpr unsigned emulated_launch_bounds(int threads, Bounds...) { return unsigned(threads); }
constexpr unsigned emulated_launch_bounds() { return 1024; }

// --- What -fsanitize=alignment,bounds calls (the data layouts are those of GCC's runtime library) ------------

struct EmulatedType {
    uint16_t kind, info;
    char name[1];
};
struct EmulatedMismatch {
    const char *file;
    uint32_t line, column;
    const EmulatedType *type;
    unsigned char log_alignment, access;
};
struct EmulatedBounds {
    const char *file;
    uint32_t line, column;
    const EmulatedType *array, *index;
};

extern "C" __attribute__((noinline)) void __ubsan_handle_type_mismatch_v1_abort(EmulatedMismatch *data, const void *address) {
    emulated_services->misaligned(address, size_t(1) << data->log_alignment, data->type->name, {data->file, int(data->line)});
}
extern "C" __attribute__((noinline)) void __ubsan_handle_out_of_bounds_abort(EmulatedBounds *data, uint64_t index) {
    unsigned bits = 1u << (data->index->info >> 1), is_signed = data->index->info & 1;
    if (is_signed && bits < 64)
        index = uint64_t(int64_t(index << (64 - bits)) >> (64 - bits));
    emulated_services->out_of_bounds(index, data->array->name, {data->file, int(data->line)});
}
