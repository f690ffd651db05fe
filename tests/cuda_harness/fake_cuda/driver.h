// The emulated driver's own types: error codes with the numbers of CUDA, objects behind handles, and the state they share.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "interface.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

using Result = int;
using DevicePointer = unsigned long long;

enum : Result {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    NO_BINARY_FOR_GPU = 209,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    NOT_READY = 600,
    ILLEGAL_ADDRESS = 700,
    LAUNCH_OUT_OF_RESOURCES = 701,
    LAUNCH_TIMEOUT = 702,
    CONTEXT_IS_DESTROYED = 709,
    HOST_MEMORY_ALREADY_REGISTERED = 712,
    HOST_MEMORY_NOT_REGISTERED = 713,
    MISALIGNED_ADDRESS = 716,
    LAUNCH_FAILED = 719,
    NOT_SUPPORTED = 801,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_INVALIDATED = 901,
    CAPTURE_UNMATCHED = 903,
    CAPTURE_UNJOINED = 904,
    CAPTURE_ISOLATION = 905,
    CAPTURE_IMPLICIT = 906,
    CAPTURED_EVENT = 907,
};

// The limits of compute capability 9.0.
constexpr unsigned warp_size = 32;
constexpr unsigned max_threads_per_block = 1024;
constexpr unsigned max_block_dim[3] = {1024, 1024, 64};
constexpr unsigned max_grid_dim[3] = {2147483647u, 65535, 65535};
constexpr size_t default_shared_bytes = 48 * 1024;
constexpr size_t opt_in_shared_bytes = 227 * 1024;
constexpr int multiprocessors = 132;
constexpr size_t page = 4096;

struct Context;
struct Stream;
struct Capture;

// --- Work that a stream executes ----------------------------------------------------------------------------

struct Operation {
    std::function<Result()> work;
    Stream *stream = nullptr;
    std::vector<std::shared_ptr<Operation>> after;  // what other streams must have done before
    bool done = false;
};

struct Node {
    std::string kind;  // "kernel", "memcpy", "memset", "empty"
    std::function<Result()> work;
};

struct Graph {
    std::vector<Node> nodes;
};

// One capture, shared by the stream it began on and the streams that joined through events.
struct Capture {
    uint64_t id = 0;
    Stream *origin = nullptr;
    int mode = 0;  // 0 global, 1 thread-local, 2 relaxed
    bool invalidated = false;
    std::shared_ptr<Graph> graph = std::make_shared<Graph>();
    std::map<Stream *, size_t> last_node, joined;  // node counts, per stream that takes part
};

struct Stream {
    Context *context = nullptr;
    unsigned flags = 0;
    bool is_default = false;
    std::deque<std::shared_ptr<Operation>> queue;
    std::shared_ptr<Operation> last;
    std::shared_ptr<Capture> capture;
    bool blocking() const { return !is_default && (flags & 1) == 0; }
};

struct Event {
    Context *context = nullptr;
    unsigned flags = 0;
    bool recorded = false;
    std::shared_ptr<Operation> operation;  // the latest record
    std::shared_ptr<double> milliseconds;  // written when the record is executed
    std::shared_ptr<Capture> capture;      // set when it was recorded inside a capture
    Stream *captured_on = nullptr;
    size_t captured_at = 0;
};

// --- Modules and functions ----------------------------------------------------------------------------------

struct Module;

struct Function {
    Module *module = nullptr;
    std::string name;
    const EmulatedKernel *kernel = nullptr;
    size_t max_dynamic_shared = default_shared_bytes;
    size_t static_shared = 0;  // the most that a launch has used so far
};

struct Module {
    Context *context = nullptr;
    void *library = nullptr;
    const EmulatedModule *face = nullptr;
    bool unloaded = false;
    std::map<std::string, std::unique_ptr<Function>> functions;
    ~Module();
};

struct Context {
    bool primary = false;
    unsigned flags = 0;
    int uses = 0;
    Result sticky = SUCCESS;
    std::unique_ptr<Stream> default_stream;
    std::set<Stream *> streams;
    std::set<Event *> events;
    std::map<Module *, std::shared_ptr<Module>> modules;
    std::set<Function *> functions;
};

struct Launch {
    std::shared_ptr<Module> module;
    Function *function = nullptr;
    unsigned grid[3], block[3];
    size_t shared = 0;
    std::vector<char> parameters;
};

// --- The state of the process -------------------------------------------------------------------------------

struct Counters {
    uint64_t launches = 0, threads = 0, module_loads = 0, allocations = 0, frees = 0, host_allocations = 0,
             bytes_htod = 0, bytes_dtoh = 0, bytes_dtod = 0, synchronisations = 0, graph_launches = 0, graph_nodes = 0,
             captures = 0, calls = 0;
};

struct State {
    std::recursive_mutex mutex;
    bool initialised = false;
    bool context_was_destroyed = false;
    bool asynchronous = false;
    size_t capacity = 0;
    size_t alignment = 16;
    int devices = 1;
    std::set<Context *> contexts;
    Context *primary = nullptr;
    std::set<std::shared_ptr<Graph> *> graphs, executables;
    std::set<std::shared_ptr<Capture>> captures;
    std::string error_text;
    std::vector<std::string> late_calls;
    std::map<std::string, uint64_t> launches_by_name;
    Counters counters;
};

State &state();
std::vector<Context *> &context_stack();  // of the calling thread

// Remember why something failed, for fake_cuda_last_error().
Result fail(Result code, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Held by every driver function while it runs. `refusal` is what the function must return at once, or SUCCESS.
class Call {
  public:
    enum Need { nothing, initialised, context };
    Call(const char *name, Need need);
    Result refusal = SUCCESS;
    Context *current = nullptr;

  private:
    std::lock_guard<std::recursive_mutex> lock;
};

#define DRIVER_CALL(need)               \
    Call call(__func__, Call::need);    \
    if (call.refusal != SUCCESS)        \
        return call.refusal

// --- memory.cpp ---------------------------------------------------------------------------------------------

// What is known about an address: for the texts of faults.
std::string describe_address(uintptr_t address);
bool is_device_range(DevicePointer pointer, size_t bytes);
bool is_pinned(const void *pointer, size_t bytes);
void register_global(DevicePointer pointer, size_t bytes);
void forget_globals(uintptr_t low, uintptr_t high);
void release_memory(Context *context);
size_t live_allocations();
size_t live_bytes();
size_t live_host_allocations();

// --- streams.cpp --------------------------------------------------------------------------------------------

Result find_stream(Context *context, void *handle, Stream **stream);
Result submit(Stream *stream, const char *kind, std::function<Result()> work, bool wait = false);
Result run_all(Context *context);
Result refuse_during_capture(const char *what);  // for calls that a capture does not allow
void invalidate_captures();
void release_streams(Context *context);

// --- launch.cpp, scheduler.cpp, faults.cpp -------------------------------------------------------------------

Result execute(const Launch &launch);

struct Fault {
    int signal = 0;
    uintptr_t address = 0;
};

// Call body(argument); false if it ended in a fault (a wild pointer, a stack overflow, the time limit).
bool run_guarded(void (*body)(void *), void *argument, Fault *fault);

const EmulatedServices *services();
void set_schedule(const char *text);

struct ScheduleResult {
    Result code = SUCCESS;
    std::string text;
    size_t static_shared = 0;
};

// Run every thread of every block; `module` names the variables that hold the indices.
ScheduleResult run_grid(const EmulatedKernel &kernel, const EmulatedModule &module, const unsigned grid[3],
                        const unsigned block[3], size_t dynamic_shared, const char *parameters);
