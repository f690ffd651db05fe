// Copies and fills. A copy between the host and the device through a stream reads pageable host memory at once, and
// pinned host memory only when the stream comes to it; a copy to pageable host memory waits for the stream.

#include <cstring>

#include "driver.h"

namespace {

enum class Kind { htod, dtoh, dtod };

struct Copy {
    Kind kind;
    uintptr_t to, from;
    size_t bytes;
};

struct Block {
    void *to;
    const void *from;
    size_t bytes;
};

void move_block(void *argument) {
    const Block &b = *static_cast<Block *>(argument);
    memmove(b.to, b.from, b.bytes);
}

Result move_bytes(Context *context, const Copy &c) {
    if ((c.kind != Kind::htod && !is_device_range(c.from, c.bytes)) ||
        (c.kind != Kind::dtoh && !is_device_range(c.to, c.bytes)))
        return context->sticky = fail(ILLEGAL_ADDRESS, "copy of %zu bytes to %s from %s", c.bytes,
                                      describe_address(c.to).c_str(), describe_address(c.from).c_str());
    Block block = {reinterpret_cast<void *>(c.to), reinterpret_cast<const void *>(c.from), c.bytes};
    Fault fault;
    if (!run_guarded(move_block, &block, &fault))
        return context->sticky = fail(ILLEGAL_ADDRESS, "copy of %zu bytes: the host memory is not accessible: %s",
                                      c.bytes, describe_address(fault.address).c_str());
    Counters &counters = state().counters;
    (c.kind == Kind::htod ? counters.bytes_htod : c.kind == Kind::dtoh ? counters.bytes_dtoh : counters.bytes_dtod) +=
        c.bytes;
    return SUCCESS;
}

Result check(const char *what, const Copy &c) {
    bool bad_source = c.kind != Kind::htod && !is_device_range(c.from, c.bytes);
    bool bad_target = c.kind != Kind::dtoh && !is_device_range(c.to, c.bytes);
    if (bad_source || bad_target)
        return fail(INVALID_VALUE, "%s: %zu bytes %s %s", what, c.bytes, bad_source ? "from" : "to",
                    describe_address(bad_source ? c.from : c.to).c_str());
    return SUCCESS;
}

Result copy_now(const char *what, Context *context, const Copy &c) {
    if (Result refused = refuse_during_capture(what))
        return refused;
    if (c.bytes == 0)
        return SUCCESS;
    if (Result bad = check(what, c))
        return bad;
    bool waits = c.kind != Kind::dtod;
    state().counters.synchronisations += waits;
    return submit(context->default_stream.get(), "memcpy", [=] { return move_bytes(context, c); }, waits);
}

Result copy_in_stream(const char *what, Context *context, const Copy &c, void *handle) {
    Stream *stream;
    if (Result bad = find_stream(context, handle, &stream))
        return bad;
    if (c.bytes == 0)
        return SUCCESS;
    if (Result bad = check(what, c))
        return bad;
    const void *host = reinterpret_cast<const void *>(c.kind == Kind::htod ? c.from : c.to);
    bool pageable = c.kind != Kind::dtod && !is_pinned(host, c.bytes);
    if (pageable && c.kind == Kind::htod && !stream->capture && state().asynchronous) {
        auto staged = std::make_shared<std::vector<char>>(static_cast<const char *>(host),
                                                          static_cast<const char *>(host) + c.bytes);
        return submit(stream, "memcpy", [=] {
            Copy from_staging = c;
            from_staging.from = reinterpret_cast<uintptr_t>(staged->data());
            return move_bytes(context, from_staging);
        });
    }
    bool waits = pageable && c.kind == Kind::dtoh && !stream->capture;
    state().counters.synchronisations += waits;
    return submit(stream, "memcpy", [=] { return move_bytes(context, c); }, waits);
}

uintptr_t integer(const void *pointer) { return reinterpret_cast<uintptr_t>(pointer); }

}  // namespace

EXPORT Result cuMemcpyHtoD_v2(DevicePointer to, const void *from, size_t bytes) {
    DRIVER_CALL(context);
    return copy_now("cuMemcpyHtoD", call.current, {Kind::htod, to, integer(from), bytes});
}

EXPORT Result cuMemcpyDtoH_v2(void *to, DevicePointer from, size_t bytes) {
    DRIVER_CALL(context);
    return copy_now("cuMemcpyDtoH", call.current, {Kind::dtoh, integer(to), from, bytes});
}

EXPORT Result cuMemcpyDtoD_v2(DevicePointer to, DevicePointer from, size_t bytes) {
    DRIVER_CALL(context);
    return copy_now("cuMemcpyDtoD", call.current, {Kind::dtod, to, from, bytes});
}

EXPORT Result cuMemcpyHtoDAsync_v2(DevicePointer to, const void *from, size_t bytes, void *stream) {
    DRIVER_CALL(context);
    return copy_in_stream("cuMemcpyHtoDAsync", call.current, {Kind::htod, to, integer(from), bytes}, stream);
}

EXPORT Result cuMemcpyDtoHAsync_v2(void *to, DevicePointer from, size_t bytes, void *stream) {
    DRIVER_CALL(context);
    return copy_in_stream("cuMemcpyDtoHAsync", call.current, {Kind::dtoh, integer(to), from, bytes}, stream);
}

EXPORT Result cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, size_t bytes, void *stream) {
    DRIVER_CALL(context);
    return copy_in_stream("cuMemcpyDtoDAsync", call.current, {Kind::dtod, to, from, bytes}, stream);
}

// --- Two and three dimensions -------------------------------------------------------------------------------

namespace {

enum MemoryType : unsigned { host_memory = 1, device_memory = 2, array_memory = 3, unified_memory = 4 };

struct Side {
    size_t x, y, z;
    unsigned type;
    uintptr_t base;
    size_t pitch, height;
    uintptr_t row(size_t j, size_t k) const { return base + ((z + k) * height + y + j) * pitch + x; }
};

struct Box {
    Side from, to;
    size_t width, height, depth;
};

// The layouts of CUDA_MEMCPY2D and CUDA_MEMCPY3D.
struct Face2D {
    size_t x, y;
    unsigned type;
    const void *host;
    DevicePointer device;
    void *array;
    size_t pitch;
};
struct Memcpy2D {
    Face2D from, to;
    size_t width, height;
};
struct Face3D {
    size_t x, y, z, level;
    unsigned type;
    const void *host;
    DevicePointer device;
    void *array, *reserved;
    size_t pitch, height;
};
struct Memcpy3D {
    Face3D from, to;
    size_t width, height, depth;
};

uintptr_t base(unsigned type, const void *host, DevicePointer device) {
    return type == host_memory ? integer(host) : uintptr_t(device);
}

Box box(const Memcpy2D &c) {
    auto side = [](const Face2D &f) { return Side{f.x, f.y, 0, f.type, base(f.type, f.host, f.device), f.pitch, 0}; };
    return {side(c.from), side(c.to), c.width, c.height, 1};
}

Box box(const Memcpy3D &c) {
    auto side = [](const Face3D &f) {
        return Side{f.x, f.y, f.z, f.type, base(f.type, f.host, f.device), f.pitch, f.height};
    };
    return {side(c.from), side(c.to), c.width, c.height, c.depth};
}

Result copy_box(const char *what, Context *context, Box b, bool in_stream, void *handle) {
    for (Side *side : {&b.from, &b.to}) {
        if (side->type == array_memory)
            return fail(NOT_SUPPORTED, "%s: arrays are not emulated", what);
        if (side->pitch == 0)
            side->pitch = b.width;
    }
    bool from_host = b.from.type == host_memory, to_host = b.to.type == host_memory;
    if (from_host && to_host)
        return fail(NOT_SUPPORTED, "%s: from host to host", what);
    Kind kind = from_host ? Kind::htod : to_host ? Kind::dtoh : Kind::dtod;
    for (size_t k = 0; k < b.depth; k++)
        for (size_t j = 0; j < b.height; j++) {
            Copy row = {kind, b.to.row(j, k), b.from.row(j, k), b.width};
            Result result = in_stream ? copy_in_stream(what, context, row, handle) : copy_now(what, context, row);
            if (result != SUCCESS)
                return result;
        }
    return SUCCESS;
}

}  // namespace

EXPORT Result cuMemcpy2D_v2(const Memcpy2D *c) {
    DRIVER_CALL(context);
    return copy_box("cuMemcpy2D", call.current, box(*c), false, nullptr);
}

EXPORT Result cuMemcpy2DUnaligned_v2(const Memcpy2D *c) {
    DRIVER_CALL(context);
    return copy_box("cuMemcpy2DUnaligned", call.current, box(*c), false, nullptr);
}

EXPORT Result cuMemcpy2DAsync_v2(const Memcpy2D *c, void *stream) {
    DRIVER_CALL(context);
    return copy_box("cuMemcpy2DAsync", call.current, box(*c), true, stream);
}

EXPORT Result cuMemcpy3D_v2(const Memcpy3D *c) {
    DRIVER_CALL(context);
    return copy_box("cuMemcpy3D", call.current, box(*c), false, nullptr);
}

EXPORT Result cuMemcpy3DAsync_v2(const Memcpy3D *c, void *stream) {
    DRIVER_CALL(context);
    return copy_box("cuMemcpy3DAsync", call.current, box(*c), true, stream);
}

// --- Fills --------------------------------------------------------------------------------------------------

// Fill `height` rows of `width` elements with a value of `size` bytes.
static Result fill(const char *what, Context *context, DevicePointer to, size_t pitch, uint32_t value, size_t size,
                   size_t width, size_t height, bool in_stream, void *handle) {
    Stream *stream = context->default_stream.get();
    if (in_stream) {
        if (Result bad = find_stream(context, handle, &stream))
            return bad;
    } else if (Result refused = refuse_during_capture(what)) {
        return refused;
    }
    if (width == 0 || height == 0)
        return SUCCESS;
    size_t extent = (height - 1) * pitch + width * size;
    if (to % size || !is_device_range(to, extent))
        return fail(INVALID_VALUE, "%s: %zu elements of %zu bytes at %s", what, width * height, size,
                    describe_address(to).c_str());
    return submit(stream, "memset", [=]() -> Result {
        if (!is_device_range(to, extent))
            return context->sticky = fail(ILLEGAL_ADDRESS, "%s: %s", what, describe_address(to).c_str());
        for (size_t row = 0; row < height; row++) {
            char *start = reinterpret_cast<char *>(to + row * pitch);
            if (size == 1)
                memset(start, int(value), width);
            else
                for (size_t i = 0; i < width; i++)
                    memcpy(start + i * size, &value, size);
        }
        return SUCCESS;
    });
}

#define FILL(name, type, size)                                                                                    \
    EXPORT Result cuMemset##name##_v2(DevicePointer to, type value, size_t n) {                                   \
        DRIVER_CALL(context);                                                                                     \
        return fill("cuMemset" #name, call.current, to, 0, value, size, n, 1, false, nullptr);                    \
    }                                                                                                             \
    EXPORT Result cuMemset##name##Async(DevicePointer to, type value, size_t n, void *stream) {                   \
        DRIVER_CALL(context);                                                                                     \
        return fill("cuMemset" #name "Async", call.current, to, 0, value, size, n, 1, true, stream);              \
    }
FILL(D8, unsigned char, 1)
FILL(D16, unsigned short, 2)
FILL(D32, unsigned, 4)

#define FILL_2D(name, type, size)                                                                                 \
    EXPORT Result cuMemset##name##_v2(DevicePointer to, size_t pitch, type value, size_t width, size_t height) {  \
        DRIVER_CALL(context);                                                                                     \
        return fill("cuMemset" #name, call.current, to, pitch, value, size, width, height, false, nullptr);       \
    }                                                                                                             \
    EXPORT Result cuMemset##name##Async(DevicePointer to, size_t pitch, type value, size_t width, size_t height,  \
                                        void *stream) {                                                           \
        DRIVER_CALL(context);                                                                                     \
        return fill("cuMemset" #name "Async", call.current, to, pitch, value, size, width, height, true, stream); \
    }
FILL_2D(D2D8, unsigned char, 1)
FILL_2D(D2D16, unsigned short, 2)
FILL_2D(D2D32, unsigned, 4)
