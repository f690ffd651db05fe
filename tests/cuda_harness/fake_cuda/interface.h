// What the emulated driver and a compiled kernel module know of each other.
//
// A module is a shared library made by fake_nvcc.py. It exports `emulated_module` and one `emulated_kernel_<name>` per
// kernel; the driver gives it the table of services below when it loads it, so that a module links against nothing.

#pragma once

#include <stddef.h>
#include <stdint.h>

// Where in the kernel source a thread waits: two barriers pair up only when both fields agree.
struct EmulatedSite {
    const char *file;
    int line;
};

enum EmulatedWait : int { wait_block, wait_block_count, wait_block_and, wait_block_or,
                          wait_warp, wait_shuffle, wait_vote };

// One __shared__ variable of a function: its address holds for the block whose number is `epoch`.
struct EmulatedSharedVariable {
    uint64_t epoch;
    void *address;
};

// The values that the lanes of a warp bring to a shuffle or a vote.
struct EmulatedExchange {
    const uint64_t *values;
    uint32_t lanes;  // a bit for each lane that takes part
    unsigned lane;   // the caller's own
};

struct EmulatedServices {
    int (*block_barrier)(EmulatedWait kind, EmulatedSite site, int predicate);
    EmulatedExchange (*warp_exchange)(EmulatedWait kind, EmulatedSite site, uint32_t mask, uint64_t value);
    void (*place_shared)(EmulatedSharedVariable *variable, size_t bytes, size_t alignment, const char *name, int line);
    void *(*dynamic_shared)(size_t alignment);
    void (*misaligned)(const void *address, size_t alignment, const char *type, EmulatedSite site);
    void (*out_of_bounds)(uint64_t index, const char *type, EmulatedSite site);
    void (*trap)(EmulatedSite site);
};

struct EmulatedKernel {
    void (*run)(const char *parameters);  // runs one thread
    size_t parameter_bytes;
    unsigned max_threads;  // from __launch_bounds__, or 1024
};

struct EmulatedModule {
    unsigned version;
    const EmulatedServices **services;
    uint64_t *epoch;
    unsigned *thread_index, *block_index, *block_dim, *grid_dim;  // three numbers each
};

enum : unsigned { emulated_interface_version = 1 };

// The file that the emulated compiler writes: this header, then the shared library.
struct EmulatedCubin {
    char magic[8];      // "EMUCUBIN"
    uint64_t bytes;     // of the shared library
    uint64_t checksum;  // CRC-32 of it, so that a torn file is refused
    uint32_t arch;      // 90 for sm_90 and sm_90a
    uint32_t reserved;
};
