// Device and pinned memory.
//
// Every allocation is a mapping of its own between two inaccessible ranges, filled with 0xFF (NaN as a float, -1 as an
// integer), and its last byte lies as close to the rear range as the alignment allows. Freed memory becomes inaccessible,
// and its addresses are not given out again until many more allocations were freed.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "driver.h"

namespace {

constexpr unsigned char poison = 0xFF;
constexpr size_t quarantine_limit = 512;
constexpr size_t guard = size_t(64) << 20;  // costs addresses alone; an index may be far off
constexpr size_t poison_file_bytes = size_t(64) << 20;

struct Allocation {
    Context *context;
    uintptr_t start;    // what the program was given
    size_t bytes;       // what it asked for
    uintptr_t mapping;  // with the two guards
    size_t mapped;
    bool pinned;
    unsigned flags;
};

struct Memory {
    std::map<uintptr_t, Allocation> live;  // device and pinned, by start
    std::deque<Allocation> freed;
    std::map<uintptr_t, size_t> globals, registered;
    size_t bytes = 0;  // of device memory
};

Memory &memory() {
    static Memory *only = new Memory;
    return *only;
}

size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

// Large mappings are poisoned by private views of one file, so that untouched memory costs nothing.
bool fill_with_poison(uintptr_t address, size_t bytes) {
    if (bytes <= poison_file_bytes) {
        memset(reinterpret_cast<void *>(address), poison, bytes);
        return true;
    }
    static int file = -1;
    if (file < 0) {
        file = memfd_create("poison", MFD_CLOEXEC);
        if (file < 0 || ftruncate(file, off_t(poison_file_bytes)) != 0)
            return false;
        void *view = mmap(nullptr, poison_file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (view == MAP_FAILED)
            return false;
        memset(view, poison, poison_file_bytes);
        munmap(view, poison_file_bytes);
    }
    for (size_t offset = 0; offset < bytes; offset += poison_file_bytes) {
        size_t length = std::min(poison_file_bytes, bytes - offset);
        if (mmap(reinterpret_cast<void *>(address + offset), length, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file, 0) == MAP_FAILED)
            return false;
    }
    return true;
}

bool allocate(Context *context, size_t bytes, bool pinned, unsigned flags, uintptr_t *start) {
    size_t alignment = state().alignment;
    size_t inside = round_up(round_up(bytes, alignment), page);
    void *mapping = mmap(nullptr, inside + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return false;
    uintptr_t base = reinterpret_cast<uintptr_t>(mapping);
    if (mprotect(reinterpret_cast<void *>(base + guard), inside, PROT_READ | PROT_WRITE) != 0 ||
        !fill_with_poison(base + guard, inside)) {
        munmap(mapping, inside + 2 * guard);
        return false;
    }
    *start = base + guard + inside - round_up(bytes, alignment);
    memory().live[*start] = {context, *start, bytes, base, inside + 2 * guard, pinned, flags};
    if (!pinned)
        memory().bytes += bytes;
    return true;
}

bool still_poison(uintptr_t from, uintptr_t to) {
    for (uintptr_t p = from; p < to; p++)
        if (*reinterpret_cast<unsigned char *>(p) != poison)
            return false;
    return true;
}

// Take an allocation away; false if something was written beside it, between its bytes and the guards.
bool release(std::map<uintptr_t, Allocation>::iterator place) {
    Memory &m = memory();
    Allocation a = place->second;
    m.live.erase(place);
    if (!a.pinned)
        m.bytes -= a.bytes;
    bool intact = still_poison(a.mapping + guard, a.start) &&
                  still_poison(a.start + a.bytes, a.mapping + a.mapped - guard);
    mmap(reinterpret_cast<void *>(a.mapping), a.mapped, PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    m.freed.push_back(a);
    if (m.freed.size() > quarantine_limit) {
        munmap(reinterpret_cast<void *>(m.freed.front().mapping), m.freed.front().mapped);
        m.freed.pop_front();
    }
    return intact;
}

// The allocation that starts at or before an address.
const Allocation *before(uintptr_t address) {
    auto place = memory().live.upper_bound(address);
    return place == memory().live.begin() ? nullptr : &std::prev(place)->second;
}

bool lies_in(const std::map<uintptr_t, size_t> &ranges, uintptr_t address, size_t bytes) {
    auto place = ranges.upper_bound(address);
    if (place == ranges.begin())
        return false;
    --place;
    return address + bytes <= place->first + place->second;
}

}  // namespace

// --- What others ask ----------------------------------------------------------------------------------------

bool is_device_range(DevicePointer pointer, size_t bytes) {
    const Allocation *a = before(pointer);
    if (a && pointer + bytes <= a->start + a->bytes)
        return !a->pinned || (a->flags & 2);  // pinned memory only if it was mapped for the device
    return lies_in(memory().globals, pointer, bytes);
}

bool is_pinned(const void *pointer, size_t bytes) {
    uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
    const Allocation *a = before(address);
    if (a && a->pinned && address + bytes <= a->start + a->bytes)
        return true;
    return lies_in(memory().registered, address, bytes);
}

std::string describe_address(uintptr_t address) {
    char text[256];
    auto covers = [&](const Allocation &a) { return address >= a.mapping && address < a.mapping + a.mapped; };
    for (const Allocation &a : memory().freed)
        if (covers(a)) {
            snprintf(text, sizeof text, "address %#zx, inside %zu bytes of %s memory that was freed", address, a.bytes,
                     a.pinned ? "pinned" : "device");
            return text;
        }
    for (const auto &[start, a] : memory().live)
        if (covers(a)) {
            const char *kind = a.pinned ? "pinned" : "device";
            if (address < start)
                snprintf(text, sizeof text, "address %#zx, %zu bytes before an allocation of %zu bytes of %s memory",
                         address, start - address, a.bytes, kind);
            else
                snprintf(text, sizeof text, "address %#zx, byte %zu of an allocation of %zu bytes of %s memory", address,
                         address - start, a.bytes, kind);
            return text;
        }
    snprintf(text, sizeof text, "address %#zx, which is no memory of the device", address);
    return text;
}

void register_global(DevicePointer pointer, size_t bytes) { memory().globals[pointer] = bytes; }

void forget_globals(uintptr_t low, uintptr_t high) {
    auto &globals = memory().globals;
    globals.erase(globals.lower_bound(low), globals.lower_bound(high));
}

void release_memory(Context *context) {
    auto &live = memory().live;
    for (auto place = live.begin(); place != live.end();) {
        auto next = std::next(place);
        if (place->second.context == context)
            release(place);
        place = next;
    }
}

static size_t count(bool pinned) {
    size_t n = 0;
    for (auto &[start, a] : memory().live)
        n += a.pinned == pinned;
    return n;
}

size_t live_allocations() { return count(false); }
size_t live_host_allocations() { return count(true); }
size_t live_bytes() { return memory().bytes; }

// --- Device memory ------------------------------------------------------------------------------------------

EXPORT Result cuMemAlloc_v2(DevicePointer *pointer, size_t bytes) {
    DRIVER_CALL(context);
    if (Result refused = refuse_during_capture("cuMemAlloc"))
        return refused;
    if (bytes == 0)
        return fail(INVALID_VALUE, "cuMemAlloc: zero bytes");
    size_t used = memory().bytes;
    uintptr_t start;
    if (bytes > state().capacity || used > state().capacity - bytes ||
        !allocate(call.current, bytes, false, 0, &start))
        return fail(OUT_OF_MEMORY, "cuMemAlloc: %zu bytes asked for, %zu of %zu in use", bytes, used, state().capacity);
    state().counters.allocations++;
    *pointer = start;
    return SUCCESS;
}

static Result free_memory(Context *context, uintptr_t start, bool pinned, const char *what) {
    auto place = memory().live.find(start);
    if (place == memory().live.end() || place->second.pinned != pinned)
        return fail(INVALID_VALUE, "%s: no allocation starts there: %s", what, describe_address(start).c_str());
    if (Result failed = run_all(context))
        return failed;
    size_t bytes = place->second.bytes;
    if (!release(place))
        return context->sticky = fail(ILLEGAL_ADDRESS, "%s: something was written directly beside these %zu bytes",
                                      what, bytes);
    return SUCCESS;
}

EXPORT Result cuMemFree_v2(DevicePointer pointer) {
    DRIVER_CALL(context);
    if (Result refused = refuse_during_capture("cuMemFree"))
        return refused;
    state().counters.frees++;
    return free_memory(call.current, pointer, false, "cuMemFree");
}

EXPORT Result cuMemGetInfo_v2(size_t *free, size_t *total) {
    DRIVER_CALL(context);
    *total = state().capacity;
    *free = state().capacity - std::min(state().capacity, memory().bytes);
    return SUCCESS;
}

EXPORT Result cuMemGetAddressRange_v2(DevicePointer *start, size_t *bytes, DevicePointer pointer) {
    DRIVER_CALL(context);
    const Allocation *a = before(pointer);
    if (!a || pointer >= a->start + a->bytes)
        return fail(NOT_FOUND, "cuMemGetAddressRange: %s", describe_address(pointer).c_str());
    if (start)
        *start = a->start;
    if (bytes)
        *bytes = a->bytes;
    return SUCCESS;
}

// --- Pinned memory ------------------------------------------------------------------------------------------

EXPORT Result cuMemHostAlloc(void **pointer, size_t bytes, unsigned flags) {
    DRIVER_CALL(context);
    if (Result refused = refuse_during_capture("cuMemHostAlloc"))
        return refused;
    if (bytes == 0)
        return fail(INVALID_VALUE, "cuMemHostAlloc: zero bytes");
    uintptr_t start;
    // Under unified addressing all pinned memory is mapped for the device.
    if (!allocate(call.current, bytes, true, flags | 2, &start))
        return fail(OUT_OF_MEMORY, "cuMemHostAlloc: %zu bytes asked for", bytes);
    state().counters.host_allocations++;
    *pointer = reinterpret_cast<void *>(start);
    return SUCCESS;
}

EXPORT Result cuMemFreeHost(void *pointer) {
    DRIVER_CALL(context);
    if (Result refused = refuse_during_capture("cuMemFreeHost"))
        return refused;
    return free_memory(call.current, reinterpret_cast<uintptr_t>(pointer), true, "cuMemFreeHost");
}

EXPORT Result cuMemHostGetFlags(unsigned *flags, void *pointer) {
    DRIVER_CALL(context);
    if (!is_pinned(pointer, 1))
        return fail(INVALID_VALUE, "cuMemHostGetFlags: the memory is not pinned");
    const Allocation *a = before(reinterpret_cast<uintptr_t>(pointer));
    *flags = a && a->pinned ? a->flags : 2;
    return SUCCESS;
}

EXPORT Result cuMemHostGetDevicePointer_v2(DevicePointer *device, void *pointer, unsigned) {
    DRIVER_CALL(context);
    if (!is_pinned(pointer, 1))
        return fail(INVALID_VALUE, "cuMemHostGetDevicePointer: the memory is not pinned");
    *device = reinterpret_cast<uintptr_t>(pointer);
    return SUCCESS;
}

EXPORT Result cuMemHostRegister_v2(void *pointer, size_t bytes, unsigned) {
    DRIVER_CALL(context);
    if (is_pinned(pointer, 1))
        return fail(HOST_MEMORY_ALREADY_REGISTERED, "cuMemHostRegister: the memory is already pinned");
    memory().registered[reinterpret_cast<uintptr_t>(pointer)] = bytes;
    return SUCCESS;
}

EXPORT Result cuMemHostUnregister(void *pointer) {
    DRIVER_CALL(context);
    if (Result failed = run_all(call.current))
        return failed;
    bool known = memory().registered.erase(reinterpret_cast<uintptr_t>(pointer));
    return known ? SUCCESS : fail(HOST_MEMORY_NOT_REGISTERED, "cuMemHostUnregister: the memory is not registered");
}
