// The shared memory of the block that is running: static variables between red zones, and the dynamic array.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "interface.h"

class SharedMemory {
  public:
    // Forget the last block; `epoch` numbers the new one.
    void begin_block(size_t dynamic_bytes, uint64_t epoch);

    // Give a static variable its place in this block; false if there is no room.
    bool place(EmulatedSharedVariable *variable, size_t bytes, size_t alignment, const char *name);

    // Where the dynamic array begins, for a declaration with an alignment.
    void *dynamic(size_t alignment);

    // What was written beside a variable or the array, in words; empty if nothing was.
    std::string damage() const;

    // Whether an address lies on the inaccessible page behind the dynamic array.
    bool is_behind_dynamic(uintptr_t address) const;

    size_t static_bytes() const { return static_bytes_; }

  private:
    struct Placed {
        unsigned char *start;
        size_t bytes;
        const char *name;
    };
    unsigned char *static_arena_ = nullptr, *dynamic_arena_ = nullptr;
    unsigned char *static_end_ = nullptr, *dynamic_ = nullptr;
    size_t static_bytes_ = 0, dynamic_bytes_ = 0;
    uint64_t epoch_ = 0;
    std::vector<Placed> placed_;
};
