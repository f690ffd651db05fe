// The state of the emulated driver, the check at the start of every call, and the functions that only tests use.

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "driver.h"

static size_t number_from_environment(const char *name, size_t otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, nullptr, 10) : otherwise;
}

State &state() {
    // Never destroyed: Python may call the driver while the process is exiting.
    static State *only = [] {
        State *s = new State;
        s->capacity = number_from_environment("FAKE_CUDA_MEMORY", size_t(8) << 30);
        s->alignment = number_from_environment("FAKE_CUDA_ALIGN", 16);
        s->devices = int(number_from_environment("FAKE_CUDA_DEVICES", 1));
        s->asynchronous = number_from_environment("FAKE_CUDA_ASYNC", 0) != 0;
        const char *schedule = getenv("FAKE_CUDA_SCHEDULE");
        set_schedule(schedule && *schedule ? schedule : "forward");
        return s;
    }();
    return *only;
}

std::vector<Context *> &context_stack() {
    static thread_local std::vector<Context *> stack;
    return stack;
}

Result fail(Result code, const char *format, ...) {
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    state().error_text = text;
    return code;
}

Call::Call(const char *name, Need need) : lock(state().mutex) {
    State &s = state();
    s.counters.calls++;
    if (need == nothing)
        return;
    if (!s.initialised) {
        refusal = fail(NOT_INITIALIZED, "%s: cuInit was not called", name);
        return;
    }
    if (need == initialised)
        return;
    auto &stack = context_stack();
    Context *top = stack.empty() ? nullptr : stack.back();
    if (!top || !s.contexts.count(top)) {
        if (s.context_was_destroyed)
            s.late_calls.push_back(name);
        refusal = fail(top ? CONTEXT_IS_DESTROYED : INVALID_CONTEXT, "%s: %s", name,
                       top ? "the current context was destroyed" : "this thread has no current context");
        return;
    }
    current = top;
    refusal = top->sticky;  // the text of the error that made the context unusable stays
}

// --- For tests ----------------------------------------------------------------------------------------------

static size_t copy_text(const std::string &text, char *buffer, size_t bytes) {
    if (buffer && bytes) {
        size_t n = text.size() < bytes - 1 ? text.size() : bytes - 1;
        memcpy(buffer, text.data(), n);
        buffer[n] = 0;
    }
    return text.size();
}

EXPORT size_t fake_cuda_last_error(char *buffer, size_t bytes) {
    std::lock_guard<std::recursive_mutex> lock(state().mutex);
    return copy_text(state().error_text, buffer, bytes);
}

// Make a context that an error has made unusable usable again. Real hardware has no such thing.
EXPORT void fake_cuda_reset() {
    State &s = state();
    std::lock_guard<std::recursive_mutex> lock(s.mutex);
    s.error_text.clear();
    invalidate_captures();
    s.captures.clear();
    for (Context *context : s.contexts) {
        if (context->sticky != SUCCESS)
            context->default_stream->queue.clear();
        for (Stream *stream : context->streams) {
            stream->capture.reset();
            if (context->sticky != SUCCESS)
                stream->queue.clear();
        }
        context->sticky = SUCCESS;
    }
}

EXPORT void fake_cuda_set_schedule(const char *text) {
    std::lock_guard<std::recursive_mutex> lock(state().mutex);
    set_schedule(text);
}

EXPORT void fake_cuda_set_asynchronous(int on) {
    State &s = state();
    std::lock_guard<std::recursive_mutex> lock(s.mutex);
    for (Context *context : s.contexts)
        run_all(context);
    s.asynchronous = on != 0;
}

EXPORT void fake_cuda_set_memory(uint64_t bytes) {
    std::lock_guard<std::recursive_mutex> lock(state().mutex);
    state().capacity = bytes;
}

EXPORT void fake_cuda_set_alignment(uint64_t bytes) {
    std::lock_guard<std::recursive_mutex> lock(state().mutex);
    state().alignment = bytes;
}

static std::map<std::string, uint64_t> counters() {
    State &s = state();
    const Counters &c = s.counters;
    size_t streams = 0, events = 0, modules = 0;
    for (Context *context : s.contexts) {
        streams += context->streams.size();
        events += context->events.size();
        modules += context->modules.size();
    }
    return {
        {"launches", c.launches},
        {"threads", c.threads},
        {"module_loads", c.module_loads},
        {"allocations", c.allocations},
        {"frees", c.frees},
        {"host_allocations", c.host_allocations},
        {"bytes_htod", c.bytes_htod},
        {"bytes_dtoh", c.bytes_dtoh},
        {"bytes_dtod", c.bytes_dtod},
        {"synchronisations", c.synchronisations},
        {"captures", c.captures},
        {"graph_launches", c.graph_launches},
        {"graph_nodes", c.graph_nodes},
        {"calls", c.calls},
        {"late_calls", s.late_calls.size()},
        {"live_allocations", live_allocations()},
        {"live_bytes", live_bytes()},
        {"live_host_allocations", live_host_allocations()},
        {"live_contexts", s.contexts.size()},
        {"live_streams", streams},
        {"live_events", events},
        {"live_modules", modules},
        {"live_graphs", s.graphs.size() + s.executables.size()},
    };
}

// Every counter as lines "name value"; then the launches as lines "launch <kernel> value", late calls as "late <name>".
EXPORT size_t fake_cuda_counters(char *buffer, size_t bytes) {
    std::lock_guard<std::recursive_mutex> lock(state().mutex);
    std::string text;
    for (auto &[name, value] : counters())
        text += name + " " + std::to_string(value) + "\n";
    for (auto &[name, value] : state().launches_by_name)
        text += "launch " + name + " " + std::to_string(value) + "\n";
    for (auto &name : state().late_calls)
        text += "late " + name + "\n";
    return copy_text(text, buffer, bytes);
}

EXPORT void fake_cuda_reset_counters() {
    std::lock_guard<std::recursive_mutex> lock(state().mutex);
    state().counters = Counters();
    state().launches_by_name.clear();
    state().late_calls.clear();
}

// With FAKE_CUDA_REPORT=<file>, what was still alive at the end of the process is written there.
__attribute__((destructor)) static void report_at_exit() {
    const char *path = getenv("FAKE_CUDA_REPORT");
    FILE *file = path && *path ? fopen(path, "w") : nullptr;
    if (!file)
        return;
    std::string text(fake_cuda_counters(nullptr, 0) + 1, 0);
    fake_cuda_counters(&text[0], text.size());
    fputs(text.c_str(), file);
    fclose(file);
}
