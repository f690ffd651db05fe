// Initialisation, the one emulated device, and contexts.

#include <cstring>

#include "driver.h"

constexpr int driver_version = 13000;

static const char *meaning(Result code) {
    switch (code) {
    case SUCCESS: return "no error";
    case INVALID_VALUE: return "invalid argument";
    case OUT_OF_MEMORY: return "out of memory";
    case NOT_INITIALIZED: return "initialization error";
    case NO_DEVICE: return "no CUDA-capable device is detected";
    case INVALID_DEVICE: return "invalid device ordinal";
    case INVALID_IMAGE: return "device kernel image is invalid";
    case INVALID_CONTEXT: return "invalid device context";
    case NO_BINARY_FOR_GPU: return "no kernel image is available for execution on the device";
    case INVALID_HANDLE: return "invalid resource handle";
    case NOT_FOUND: return "named symbol not found";
    case NOT_READY: return "device not ready";
    case ILLEGAL_ADDRESS: return "an illegal memory access was encountered";
    case LAUNCH_OUT_OF_RESOURCES: return "too many resources requested for launch";
    case LAUNCH_TIMEOUT: return "the launch timed out and was terminated";
    case CONTEXT_IS_DESTROYED: return "context is destroyed";
    case HOST_MEMORY_ALREADY_REGISTERED: return "part or all of the requested memory range is already mapped";
    case HOST_MEMORY_NOT_REGISTERED: return "pointer does not correspond to a registered memory region";
    case MISALIGNED_ADDRESS: return "misaligned address";
    case LAUNCH_FAILED: return "unspecified launch failure";
    case NOT_SUPPORTED: return "operation not supported";
    case CAPTURE_UNSUPPORTED: return "operation not permitted when stream is capturing";
    case CAPTURE_INVALIDATED: return "operation failed due to a previous error during capture";
    case CAPTURE_UNMATCHED: return "capture was not initiated in this stream";
    case CAPTURE_UNJOINED: return "capturing stream has unjoined work";
    case CAPTURE_ISOLATION: return "dependency created on uncaptured work in another stream";
    case CAPTURE_IMPLICIT: return "operation would make the legacy stream depend on a capturing blocking stream";
    case CAPTURED_EVENT: return "operation not permitted on an event last recorded in a capturing stream";
    default: return "unknown error";
    }
}

EXPORT Result cuGetErrorString(Result code, const char **text) {
    *text = meaning(code);
    return SUCCESS;
}

EXPORT Result cuInit(unsigned flags) {
    DRIVER_CALL(nothing);
    if (flags != 0)
        return fail(INVALID_VALUE, "cuInit: flags must be 0");
    if (state().devices == 0)
        return fail(NO_DEVICE, "cuInit: FAKE_CUDA_DEVICES is 0");
    state().initialised = true;
    return SUCCESS;
}

EXPORT Result cuDriverGetVersion(int *version) {
    *version = driver_version;
    return SUCCESS;
}

// --- The device ---------------------------------------------------------------------------------------------

static Result check_device(int device) {
    bool known = device >= 0 && device < state().devices;
    return known ? SUCCESS : fail(INVALID_DEVICE, "there is no device %d", device);
}

EXPORT Result cuDeviceGetCount(int *count) {
    DRIVER_CALL(initialised);
    *count = state().devices;
    return SUCCESS;
}

EXPORT Result cuDeviceGet(int *device, int ordinal) {
    DRIVER_CALL(initialised);
    *device = ordinal;
    return check_device(ordinal);
}

EXPORT Result cuDeviceGetName(char *name, int length, int device) {
    DRIVER_CALL(initialised);
    strncpy(name, "Emulated GPU", size_t(length));
    return check_device(device);
}

EXPORT Result cuDeviceTotalMem_v2(size_t *bytes, int device) {
    DRIVER_CALL(initialised);
    *bytes = state().capacity;
    return check_device(device);
}

EXPORT Result cuDeviceComputeCapability(int *major, int *minor, int device) {
    DRIVER_CALL(initialised);
    *major = 9;
    *minor = 0;
    return check_device(device);
}

EXPORT Result cuDeviceGetPCIBusId(char *name, int length, int device) {
    DRIVER_CALL(initialised);
    strncpy(name, "0000:00:00.0", size_t(length));
    return check_device(device);
}

EXPORT Result cuDeviceGetAttribute(int *value, int attribute, int device) {
    DRIVER_CALL(initialised);
    if (Result bad = check_device(device))
        return bad;
    switch (attribute) {
    case 1: *value = int(max_threads_per_block); break;
    case 2: case 3: case 4: *value = int(max_block_dim[attribute - 2]); break;
    case 5: case 6: case 7: *value = int(max_grid_dim[attribute - 5]); break;
    case 8: *value = int(default_shared_bytes); break;
    case 9: *value = 65536; break;              // constant memory
    case 10: *value = int(warp_size); break;
    case 11: *value = 2147483647; break;        // largest pitch
    case 12: *value = 65536; break;             // registers per block
    case 13: *value = 1980000; break;           // clock in kHz
    case 14: *value = 512; break;               // texture alignment
    case 15: *value = 1; break;                 // copies overlap with kernels
    case 16: *value = multiprocessors; break;
    case 19: *value = 1; break;                 // can map host memory
    case 31: *value = 1; break;                 // concurrent kernels
    case 36: *value = 3201000; break;           // memory clock in kHz
    case 37: *value = 6144; break;              // width of the memory bus
    case 38: *value = 60 * 1024 * 1024; break;  // L2 cache
    case 39: *value = 2048; break;              // threads per multiprocessor
    case 40: *value = 3; break;                 // copy engines
    case 41: *value = 1; break;                 // unified addressing
    case 75: *value = 9; break;
    case 76: *value = 0; break;
    case 78: *value = 1; break;                 // stream priorities
    case 81: *value = 228 * 1024; break;        // shared memory per multiprocessor
    case 82: *value = 65536; break;             // registers per multiprocessor
    case 97: *value = int(opt_in_shared_bytes); break;
    case 106: *value = 32; break;               // blocks per multiprocessor
    case 111: *value = 1024; break;             // shared memory reserved per block
    default: *value = 0;
    }
    return SUCCESS;
}

// --- Contexts -----------------------------------------------------------------------------------------------

static Context *make_context(bool primary, unsigned flags) {
    Context *context = new Context;
    context->primary = primary;
    context->flags = flags;
    context->uses = 1;
    context->default_stream = std::make_unique<Stream>();
    context->default_stream->context = context;
    context->default_stream->is_default = true;
    state().contexts.insert(context);
    return context;
}

// The object itself stays: a thread may still have it on its stack, and must be told that it is gone.
static void destroy_context(Context *context) {
    State &s = state();
    if (context->sticky == SUCCESS)
        run_all(context);
    release_streams(context);
    context->modules.clear();
    release_memory(context);
    s.contexts.erase(context);
    s.context_was_destroyed = true;
    if (s.primary == context)
        s.primary = nullptr;
}

static Result check_context(Context *context) {
    if (!context)
        return fail(INVALID_CONTEXT, "there is no context");
    bool alive = state().contexts.count(context);
    return alive ? SUCCESS : fail(CONTEXT_IS_DESTROYED, "the context was destroyed");
}

EXPORT Result cuDevicePrimaryCtxRetain(Context **context, int device) {
    DRIVER_CALL(initialised);
    if (Result bad = check_device(device))
        return bad;
    Context *&primary = state().primary;
    if (primary)
        primary->uses++;
    else
        primary = make_context(true, 0);
    *context = primary;
    return SUCCESS;
}

EXPORT Result cuDevicePrimaryCtxRelease_v2(int device) {
    DRIVER_CALL(initialised);
    if (Result bad = check_device(device))
        return bad;
    Context *primary = state().primary;
    if (!primary)
        return fail(INVALID_CONTEXT, "cuDevicePrimaryCtxRelease: the primary context is not retained");
    if (--primary->uses == 0)
        destroy_context(primary);
    return SUCCESS;
}

EXPORT Result cuCtxCreate_v4(Context **context, void *, unsigned flags, int device) {
    DRIVER_CALL(initialised);
    if (Result bad = check_device(device))
        return bad;
    *context = make_context(false, flags);
    context_stack().push_back(*context);
    return SUCCESS;
}

EXPORT Result cuCtxAttach(Context **context, unsigned) {
    DRIVER_CALL(context);
    *context = call.current;
    call.current->uses++;
    return SUCCESS;
}

// Released through here, as PyCUDA does when a primary context is dropped without detach(), it stays retained.
EXPORT Result cuCtxDetach(Context *context) {
    DRIVER_CALL(initialised);
    if (Result bad = check_context(context))
        return bad;
    auto &stack = context_stack();
    if (stack.empty() || stack.back() != context)
        return fail(INVALID_CONTEXT, "cuCtxDetach: the context is not current to this thread");
    if (context->primary)
        return SUCCESS;
    stack.pop_back();
    if (--context->uses == 0)
        destroy_context(context);
    return SUCCESS;
}

EXPORT Result cuCtxDestroy_v2(Context *context) {
    DRIVER_CALL(initialised);
    if (Result bad = check_context(context))
        return bad;
    auto &stack = context_stack();
    if (!stack.empty() && stack.back() == context)
        stack.pop_back();
    destroy_context(context);
    return SUCCESS;
}

EXPORT Result cuCtxPushCurrent_v2(Context *context) {
    DRIVER_CALL(initialised);
    if (Result bad = check_context(context))
        return bad;
    context_stack().push_back(context);
    return SUCCESS;
}

EXPORT Result cuCtxPopCurrent_v2(Context **context) {
    DRIVER_CALL(initialised);
    auto &stack = context_stack();
    if (stack.empty())
        return fail(INVALID_CONTEXT, "cuCtxPopCurrent: this thread has no current context");
    if (context)
        *context = stack.back();
    stack.pop_back();
    return SUCCESS;
}

EXPORT Result cuCtxGetCurrent(Context **context) {
    DRIVER_CALL(initialised);
    *context = context_stack().empty() ? nullptr : context_stack().back();
    return SUCCESS;
}

EXPORT Result cuCtxSetCurrent(Context *context) {
    DRIVER_CALL(initialised);
    auto &stack = context_stack();
    if (!stack.empty())
        stack.pop_back();
    if (!context)
        return SUCCESS;
    if (Result bad = check_context(context))
        return bad;
    stack.push_back(context);
    return SUCCESS;
}

EXPORT Result cuCtxGetDevice(int *device) {
    DRIVER_CALL(initialised);
    if (context_stack().empty())
        return fail(INVALID_CONTEXT, "cuCtxGetDevice: this thread has no current context");
    *device = 0;
    return SUCCESS;
}

EXPORT Result cuCtxGetApiVersion(Context *, unsigned *version) {
    DRIVER_CALL(initialised);
    *version = 3020;
    return SUCCESS;
}

EXPORT Result cuCtxSynchronize() {
    DRIVER_CALL(context);
    if (Result refused = refuse_during_capture("cuCtxSynchronize"))
        return refused;
    state().counters.synchronisations++;
    return run_all(call.current);
}
