// Shared memory of a block, filled with 0xFF before it runs and looked over afterwards.

#include "shared_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "driver.h"

namespace {

constexpr unsigned char poison = 0xFF;
constexpr size_t red_zone = 64;
constexpr size_t arena_bytes = 1 << 20;

unsigned char *guarded_arena() {
    void *memory = mmap(nullptr, arena_bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    unsigned char *start = static_cast<unsigned char *>(memory) + page;
    mprotect(start, arena_bytes, PROT_READ | PROT_WRITE);
    return start;
}

bool is_poison(const unsigned char *from, const unsigned char *to) {
    return std::all_of(from, to, [](unsigned char byte) { return byte == poison; });
}

}  // namespace

void SharedMemory::begin_block(size_t dynamic_bytes, uint64_t epoch) {
    if (!static_arena_) {
        static_arena_ = guarded_arena();
        dynamic_arena_ = guarded_arena();
    }
    epoch_ = epoch;
    placed_.clear();
    static_end_ = static_arena_;
    static_bytes_ = 0;
    dynamic_bytes_ = dynamic_bytes;
    unsigned char *end = dynamic_arena_ + arena_bytes;
    dynamic_ = end - (dynamic_bytes + 15) / 16 * 16;
    if (dynamic_bytes)
        memset(dynamic_ - red_zone, poison, size_t(end - dynamic_) + red_zone);
}

bool SharedMemory::place(EmulatedSharedVariable *variable, size_t bytes, size_t alignment, const char *name) {
    static_bytes_ = (static_bytes_ + alignment - 1) / alignment * alignment + bytes;
    if (static_bytes_ > default_shared_bytes)
        return false;
    // An odd multiple of the alignment: no better aligned than the type demands.
    uintptr_t start = reinterpret_cast<uintptr_t>(static_end_) + red_zone;
    start = (start + 2 * alignment - 1) / (2 * alignment) * (2 * alignment) + alignment;
    unsigned char *address = reinterpret_cast<unsigned char *>(start), *end = address + bytes + red_zone;
    memset(static_end_, poison, size_t(end - static_end_));
    static_end_ = end;
    placed_.push_back({address, bytes, name});
    variable->address = address;
    variable->epoch = epoch_;
    return true;
}

void *SharedMemory::dynamic(size_t alignment) {
    unsigned char *aligned = dynamic_ - reinterpret_cast<uintptr_t>(dynamic_) % alignment;
    if (aligned != dynamic_) {  // the first thread of a block that asks; nothing is written yet
        memset(aligned - red_zone, poison, size_t(dynamic_ - aligned));
        dynamic_ = aligned;
    }
    return aligned;
}

// Indices computed from a pointer can leave an array unseen by the compiler's checks.
std::string SharedMemory::damage() const {
    for (const Placed &p : placed_)
        if (!is_poison(p.start - red_zone, p.start) || !is_poison(p.start + p.bytes, p.start + p.bytes + red_zone))
            return std::string("wrote beside the shared variable ") + p.name + " of " + std::to_string(p.bytes) + " bytes";
    const unsigned char *end = dynamic_arena_ + arena_bytes;
    if (dynamic_bytes_ && (!is_poison(dynamic_ - red_zone, dynamic_) || !is_poison(dynamic_ + dynamic_bytes_, end)))
        return "wrote beside its " + std::to_string(dynamic_bytes_) + " bytes of dynamic shared memory";
    return "";
}

bool SharedMemory::is_behind_dynamic(uintptr_t address) const {
    uintptr_t end = reinterpret_cast<uintptr_t>(dynamic_arena_) + arena_bytes;
    return address >= end && address < end + page;
}
