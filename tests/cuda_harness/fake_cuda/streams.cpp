// Streams and events.
//
// Synchronous mode executes every operation when it is submitted. Asynchronous mode keeps it in the queue of its stream
// until something waits for it, so that a program that forgets to wait sees old data. The default stream and the blocking
// streams of a context wait for each other, as CUDA's legacy default stream demands.

#include <chrono>

#include "driver.h"

namespace {

using Pointer = std::shared_ptr<Operation>;

Result run_one(Pointer operation);

// Execute a stream's queue up to and including an operation.
Result run_through(const Pointer &target) {
    while (!target->done) {
        auto &queue = target->stream->queue;
        if (queue.empty())
            return SUCCESS;  // dropped by fake_cuda_reset()
        Pointer first = queue.front();
        if (Result failed = run_one(first))
            return failed;
    }
    return SUCCESS;
}

// By value: the queue lets go of the operation before it is done.
Result run_one(Pointer operation) {
    for (auto &other : operation->after)
        if (Result failed = run_through(other))
            return failed;
    if (operation->done)
        return SUCCESS;
    auto &queue = operation->stream->queue;
    if (!queue.empty() && queue.front() == operation)
        queue.pop_front();
    operation->done = true;
    operation->after.clear();
    std::function<Result()> work = std::move(operation->work);
    return work ? work() : SUCCESS;
}

Result run_stream(Stream *stream) {
    while (!stream->queue.empty())
        if (Result failed = run_one(stream->queue.front()))
            return failed;
    return SUCCESS;
}

void depend(Operation &operation, const Pointer &on) {
    if (on && !on->done)
        operation.after.push_back(on);
}

double now() {
    using namespace std::chrono;
    return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

Result enqueue(Stream *stream, std::function<Result()> work, Pointer *made, const Pointer &also_after = nullptr) {
    Context *context = stream->context;
    Pointer operation = std::make_shared<Operation>();
    operation->work = std::move(work);
    operation->stream = stream;
    depend(*operation, also_after);
    if (stream->is_default) {
        for (Stream *other : context->streams)
            if (other->blocking())
                depend(*operation, other->last);
    } else if (stream->blocking()) {
        depend(*operation, context->default_stream->last);
    }
    stream->queue.push_back(operation);
    stream->last = operation;
    if (made)
        *made = operation;
    return state().asynchronous ? SUCCESS : run_stream(stream);
}

// A capturing blocking stream and the default stream would have to wait for each other.
Result refuse_implicit_dependency(Stream *stream) {
    if (!stream->is_default)
        return SUCCESS;
    for (Stream *other : stream->context->streams)
        if (other->blocking() && other->capture) {
            other->capture->invalidated = true;
            return fail(CAPTURE_IMPLICIT, "work in the default stream while a blocking stream is capturing");
        }
    return SUCCESS;
}

}  // namespace

Result submit(Stream *stream, const char *kind, std::function<Result()> work, bool wait) {
    if (stream->capture) {
        Capture &capture = *stream->capture;
        if (capture.invalidated)
            return fail(CAPTURE_INVALIDATED, "%s: the capture was invalidated before", kind);
        capture.graph->nodes.push_back({kind, std::move(work)});
        capture.last_node[stream] = capture.graph->nodes.size();
        return SUCCESS;
    }
    if (Result refused = refuse_implicit_dependency(stream))
        return refused;
    Pointer operation;
    if (Result failed = enqueue(stream, std::move(work), &operation))
        return failed;
    return wait ? run_through(operation) : SUCCESS;
}

Result run_all(Context *context) {
    if (Result failed = run_stream(context->default_stream.get()))
        return failed;
    for (Stream *stream : context->streams)
        if (Result failed = run_stream(stream))
            return failed;
    return context->sticky;
}

void release_streams(Context *context) {
    for (Stream *stream : context->streams)
        delete stream;
    for (Event *event : context->events)
        delete event;
    context->streams.clear();
    context->events.clear();
}

// Handles 0 and 1 are the legacy default stream; 2, the per-thread one, is emulated by the same.
Result find_stream(Context *context, void *handle, Stream **stream) {
    if (reinterpret_cast<uintptr_t>(handle) <= 2) {
        *stream = context->default_stream.get();
        return SUCCESS;
    }
    *stream = static_cast<Stream *>(handle);
    bool known = context->streams.count(*stream);
    return known ? SUCCESS : fail(INVALID_HANDLE, "there is no such stream in the current context");
}

static Result find_event(Context *context, Event *event) {
    return context->events.count(event) ? SUCCESS : fail(INVALID_HANDLE, "there is no such event in this context");
}

// --- Streams ------------------------------------------------------------------------------------------------

EXPORT Result cuStreamCreate(void **handle, unsigned flags) {
    DRIVER_CALL(context);
    if (flags > 1)
        return fail(INVALID_VALUE, "cuStreamCreate: flags %u", flags);
    Stream *stream = new Stream;
    stream->context = call.current;
    stream->flags = flags;
    call.current->streams.insert(stream);
    *handle = stream;
    return SUCCESS;
}

EXPORT Result cuStreamDestroy_v2(void *handle) {
    DRIVER_CALL(context);
    Stream *stream;
    if (Result bad = find_stream(call.current, handle, &stream))
        return bad;
    if (stream->is_default)
        return fail(INVALID_HANDLE, "cuStreamDestroy: the default stream");
    Result result = run_stream(stream);
    for (auto &left : stream->queue)  // after an error
        left->done = true;
    if (stream->capture)
        stream->capture->invalidated = true;
    call.current->streams.erase(stream);
    delete stream;
    return result;
}

EXPORT Result cuStreamSynchronize(void *handle) {
    DRIVER_CALL(context);
    Stream *stream;
    if (Result bad = find_stream(call.current, handle, &stream))
        return bad;
    if (stream->capture) {
        stream->capture->invalidated = true;
        return fail(CAPTURE_UNSUPPORTED, "cuStreamSynchronize: the stream is capturing");
    }
    if (Result refused = refuse_implicit_dependency(stream))
        return refused;
    state().counters.synchronisations++;
    if (stream->is_default)
        for (Stream *other : call.current->streams)
            if (other->blocking())
                if (Result failed = run_stream(other))
                    return failed;
    return run_stream(stream);
}

// A program that polls makes progress by one operation a poll.
EXPORT Result cuStreamQuery(void *handle) {
    DRIVER_CALL(context);
    Stream *stream;
    if (Result bad = find_stream(call.current, handle, &stream))
        return bad;
    if (stream->capture) {
        stream->capture->invalidated = true;
        return fail(CAPTURE_UNSUPPORTED, "cuStreamQuery: the stream is capturing");
    }
    if (stream->queue.empty())
        return SUCCESS;
    Result failed = run_one(stream->queue.front());
    return failed ? failed : NOT_READY;
}

EXPORT Result cuStreamWaitEvent(void *handle, Event *event, unsigned) {
    DRIVER_CALL(context);
    Stream *stream;
    if (Result bad = find_stream(call.current, handle, &stream))
        return bad;
    if (Result bad = find_event(call.current, event))
        return bad;
    if (event->capture) {
        if (stream->capture && stream->capture != event->capture)
            return fail(CAPTURE_ISOLATION, "cuStreamWaitEvent: the event belongs to another capture");
        if (!stream->capture && stream->is_default)
            return fail(CAPTURE_IMPLICIT, "cuStreamWaitEvent: the default stream cannot capture");
        stream->capture = event->capture;
        Capture &capture = *stream->capture;
        size_t &joined = capture.joined[event->captured_on];
        joined = std::max(joined, event->captured_at);
        return SUCCESS;
    }
    if (stream->capture) {
        if (!event->recorded)
            return SUCCESS;
        stream->capture->invalidated = true;
        return fail(CAPTURE_ISOLATION, "cuStreamWaitEvent: the event was recorded outside the capture");
    }
    return enqueue(stream, nullptr, nullptr, event->operation);
}

EXPORT Result cuStreamAttachMemAsync(void *, DevicePointer, size_t, unsigned) {
    DRIVER_CALL(context);
    return fail(NOT_SUPPORTED, "cuStreamAttachMemAsync: managed memory is not emulated");
}

// --- Events -------------------------------------------------------------------------------------------------

constexpr unsigned disable_timing = 2;

EXPORT Result cuEventCreate(Event **handle, unsigned flags) {
    DRIVER_CALL(context);
    Event *event = new Event;
    event->context = call.current;
    event->flags = flags;
    call.current->events.insert(event);
    *handle = event;
    return SUCCESS;
}

EXPORT Result cuEventDestroy_v2(Event *event) {
    DRIVER_CALL(context);
    if (Result bad = find_event(call.current, event))
        return bad;
    call.current->events.erase(event);
    delete event;
    return SUCCESS;
}

EXPORT Result cuEventRecord(Event *event, void *handle) {
    DRIVER_CALL(context);
    Stream *stream;
    if (Result bad = find_event(call.current, event))
        return bad;
    if (Result bad = find_stream(call.current, handle, &stream))
        return bad;
    event->recorded = true;
    if (stream->capture) {
        event->capture = stream->capture;
        event->captured_on = stream;
        event->captured_at = stream->capture->last_node[stream];
        return SUCCESS;
    }
    if (Result refused = refuse_implicit_dependency(stream))
        return refused;
    event->capture.reset();
    auto milliseconds = std::make_shared<double>(0);
    event->milliseconds = milliseconds;
    return enqueue(stream, [milliseconds]() -> Result { *milliseconds = now(); return SUCCESS; }, &event->operation);
}

static Result refuse_captured(const char *what, Event *event) {
    if (!event->capture || !state().captures.count(event->capture))
        return SUCCESS;
    event->capture->invalidated = true;
    return fail(CAPTURED_EVENT, "%s: the event was recorded in a stream that is capturing", what);
}

EXPORT Result cuEventQuery(Event *event) {
    DRIVER_CALL(context);
    if (Result bad = find_event(call.current, event))
        return bad;
    if (Result refused = refuse_captured("cuEventQuery", event))
        return refused;
    if (!event->operation || event->operation->done || event->operation->stream->queue.empty())
        return SUCCESS;
    Result failed = run_one(event->operation->stream->queue.front());
    return failed ? failed : NOT_READY;
}

EXPORT Result cuEventSynchronize(Event *event) {
    DRIVER_CALL(context);
    if (Result bad = find_event(call.current, event))
        return bad;
    if (Result refused = refuse_captured("cuEventSynchronize", event))
        return refused;
    state().counters.synchronisations++;
    return event->operation ? run_through(event->operation) : SUCCESS;
}

EXPORT Result cuEventElapsedTime_v2(float *milliseconds, Event *start, Event *end) {
    DRIVER_CALL(context);
    for (Event *event : {start, end}) {
        if (Result bad = find_event(call.current, event))
            return bad;
        if ((event->flags & disable_timing) || !event->recorded || event->capture)
            return fail(INVALID_HANDLE, "cuEventElapsedTime: the event has no time");
        if (!event->operation->done)
            return fail(NOT_READY, "cuEventElapsedTime: the event has not happened yet");
    }
    *milliseconds = float(*end->milliseconds - *start->milliseconds);
    return SUCCESS;
}
