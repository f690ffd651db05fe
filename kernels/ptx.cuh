// All inline PTX of the project, each piece beside a C++ twin that does the same where no GPU is.
#pragma once

#include <stdint.h>

// --- half precision ------------------------------------------------------------------------------------

// The nearest half (ties to even) of a float, as bits.
static __device__ __forceinline__ uint16_t float_to_half_bits(float x) {
#if defined(__CUDACC__)
    uint16_t bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
#else
    _Float16 rounded = (_Float16)x;
    uint16_t bits;
    __builtin_memcpy(&bits, &rounded, 2);
    return bits;
#endif
}

// The nearest half of a double: by way of a float it would be rounded twice.
static __device__ __forceinline__ uint16_t double_to_half_bits(double x) {
#if defined(__CUDACC__)
    uint16_t bits;
    asm("cvt.rn.f16.f64 %0, %1;" : "=h"(bits) : "d"(x));
    return bits;
#else
    _Float16 rounded = (_Float16)x;
    uint16_t bits;
    __builtin_memcpy(&bits, &rounded, 2);
    return bits;
#endif
}

// The float with the value of a half, which is exact.
static __device__ __forceinline__ float half_bits_to_float(uint16_t bits) {
#if defined(__CUDACC__)
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
    return x;
#else
    _Float16 held;
    __builtin_memcpy(&held, &bits, 2);
    return (float)held;
#endif
}

// --- copies from global to shared memory that run while the thread computes --------------------------------

// cp.async: the bytes go from global to shared memory without passing through registers.
//
//   copy<BYTES>(target, source, valid)  starts copying 4 or 16 aligned bytes; where valid is false it reads nothing and
//                                       writes zeros
//   commit()                            makes one group of the copies since the last commit
//   wait<N>()                           returns when at most the N latest groups of this thread are unfinished; other
//                                       threads see what was copied after a barrier behind the wait
//
// The twin copies when it is waited for and spoils the target until then: a missing wait or barrier changes the result.
class AsyncCopies {
#if defined(__CUDACC__)
public:
    template <int BYTES>
    __device__ __forceinline__ void copy(void* target, const void* source, bool valid = true) {
        const uint32_t at = (uint32_t)__cvta_generic_to_shared(target);
        const int size = valid ? BYTES : 0;
        if constexpr (BYTES == 16) {  // past the first-level cache: a tile is read once
            asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(source), "r"(size) : "memory");
        } else {
            asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(at), "l"(source), "r"(size) : "memory");
        }
    }
    __device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
    template <int N>
    __device__ __forceinline__ void wait() {
        asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
    }
#else
    struct Pending {
        void* target;
        const void* source;
        int bytes, group;
        bool valid;
    };
    template <int BYTES>
    struct alignas(BYTES) Aligned {
        uint8_t byte[BYTES];
    };
    static constexpr int MOST = 256;
    Pending pending[MOST];
    int count = 0, group = 0;

public:
    template <int BYTES>
    void copy(void* target, const void* source, bool valid = true) {
        if (count == MOST) __builtin_trap();
        pending[count++] = {target, source, BYTES, group, valid};
        Aligned<BYTES> spoilt;
        __builtin_memset(&spoilt, 0xFF, BYTES);
        *reinterpret_cast<Aligned<BYTES>*>(target) = spoilt;
    }
    void commit() { group++; }
    template <int N>
    void wait() {
        int kept = 0;
        for (int i = 0; i < count; i++) {
            const Pending p = pending[i];
            if (p.group >= group - N) pending[kept++] = p;
            else if (!p.valid) __builtin_memset(p.target, 0, p.bytes);
            else if (p.bytes == 16) *(Aligned<16>*)p.target = *(const Aligned<16>*)p.source;
            else *(Aligned<4>*)p.target = *(const Aligned<4>*)p.source;
        }
        count = kept;
    }
#endif
};
