// Fibers: the stack on which one CUDA thread runs while others wait.

#pragma once

#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

struct Fiber {
#if defined(__x86_64__)
    void *stack_pointer = nullptr;
#else
    ucontext_t context;
#endif
    char *stack = nullptr;  // its lowest usable byte, above inaccessible pages; null for the launcher's own stack
};

constexpr size_t fiber_stack_bytes = 128 * 1024;
constexpr size_t fiber_guard_bytes = 1024 * 1024;  // a large array must not reach over it

// Give a fiber a stack if it has none, and let its first resumption call entry(), which never returns.
bool prepare_fiber(Fiber &fiber, void (*entry)());

// Continue on another fiber; returns when something switches back.
void switch_fiber(Fiber &from, Fiber &to);
