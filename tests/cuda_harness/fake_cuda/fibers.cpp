// Switching between stacks: ten instructions on x86-64, the C library's contexts elsewhere.

#include "fibers.h"

#include <sys/mman.h>

static bool give_stack(Fiber &fiber) {
    if (fiber.stack)
        return true;
    void *memory = mmap(nullptr, fiber_guard_bytes + fiber_stack_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, fiber_guard_bytes, PROT_NONE) != 0)
        return false;
    fiber.stack = static_cast<char *>(memory) + fiber_guard_bytes;
    return true;
}

#if defined(__x86_64__)

extern "C" void emulated_switch(void **save, void *load);

// The registers that a called function must preserve, and the stack pointer.
asm(R"(
    .text
    .hidden emulated_switch
    .globl emulated_switch
    .type emulated_switch, @function
emulated_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size emulated_switch, . - emulated_switch
)");

bool prepare_fiber(Fiber &fiber, void (*entry)()) {
    if (!give_stack(fiber))
        return false;
    // As the switch expects it: six registers, the address to return to; then the place of entry's own return address.
    void **top = reinterpret_cast<void **>(fiber.stack + fiber_stack_bytes);
    *--top = nullptr;
    *--top = reinterpret_cast<void *>(entry);
    for (int i = 0; i < 6; i++)
        *--top = nullptr;
    fiber.stack_pointer = top;
    return true;
}

void switch_fiber(Fiber &from, Fiber &to) { emulated_switch(&from.stack_pointer, to.stack_pointer); }

#else

bool prepare_fiber(Fiber &fiber, void (*entry)()) {
    if (!give_stack(fiber) || getcontext(&fiber.context) != 0)
        return false;
    fiber.context.uc_stack.ss_sp = fiber.stack;
    fiber.context.uc_stack.ss_size = fiber_stack_bytes;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, entry, 0);
    return true;
}

void switch_fiber(Fiber &from, Fiber &to) { swapcontext(&from.context, &to.context); }

#endif
