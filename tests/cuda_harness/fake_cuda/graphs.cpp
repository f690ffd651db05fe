// Stream capture and graphs: the operations of a capturing stream become the nodes of a graph, and a launch of the graph
// executes them in the order in which they were recorded, which respects every dependency.

#include "driver.h"

using GraphHandle = std::shared_ptr<Graph> *;

void invalidate_captures() {
    for (auto &capture : state().captures)
        capture->invalidated = true;
}

// In the global and thread-local modes a call that may wait for the device spoils the capture.
Result refuse_during_capture(const char *what) {
    for (auto &capture : state().captures)
        if (capture->mode != 2) {
            capture->invalidated = true;
            return fail(CAPTURE_UNSUPPORTED, "%s: not permitted while a stream is capturing", what);
        }
    return SUCCESS;
}

static void close(const std::shared_ptr<Capture> &capture) {
    for (Context *context : state().contexts)
        for (Stream *stream : context->streams)
            if (stream->capture == capture)
                stream->capture.reset();
    state().captures.erase(capture);
}

// --- Capture ------------------------------------------------------------------------------------------------

EXPORT Result cuStreamBeginCapture_v2(void *handle, int mode) {
    DRIVER_CALL(context);
    Stream *stream;
    if (Result bad = find_stream(call.current, handle, &stream))
        return bad;
    if (stream->is_default)
        return fail(CAPTURE_UNSUPPORTED, "cuStreamBeginCapture: the default stream cannot capture");
    if (stream->capture || mode < 0 || mode > 2)
        return fail(INVALID_VALUE, "cuStreamBeginCapture: %s", stream->capture ? "already capturing" : "unknown mode");
    static uint64_t ids = 0;
    stream->capture = std::make_shared<Capture>();
    stream->capture->id = ++ids;
    stream->capture->origin = stream;
    stream->capture->mode = mode;
    state().captures.insert(stream->capture);
    state().counters.captures++;
    return SUCCESS;
}

EXPORT Result cuStreamEndCapture(void *handle, GraphHandle *graph) {
    DRIVER_CALL(context);
    Stream *stream;
    if (Result bad = find_stream(call.current, handle, &stream))
        return bad;
    *graph = nullptr;
    std::shared_ptr<Capture> capture = stream->capture;
    if (!capture)
        return fail(INVALID_VALUE, "cuStreamEndCapture: the stream is not capturing");
    if (capture->origin != stream)
        return fail(CAPTURE_UNMATCHED, "cuStreamEndCapture: the capture began in another stream");
    bool unjoined = false;
    for (auto &[other, nodes] : capture->last_node)
        unjoined |= other != stream && capture->joined[other] < nodes;
    close(capture);
    if (capture->invalidated)
        return fail(CAPTURE_INVALIDATED, "cuStreamEndCapture: invalidated by: %s", state().error_text.c_str());
    if (unjoined)
        return fail(CAPTURE_UNJOINED, "cuStreamEndCapture: a stream that joined the capture was not joined back");
    *graph = new std::shared_ptr<Graph>(capture->graph);
    state().graphs.insert(*graph);
    return SUCCESS;
}

EXPORT Result cuStreamIsCapturing(void *handle, int *status) {
    DRIVER_CALL(context);
    Stream *stream;
    if (Result bad = find_stream(call.current, handle, &stream))
        return bad;
    *status = !stream->capture ? 0 : stream->capture->invalidated ? 2 : 1;
    return SUCCESS;
}

EXPORT Result cuStreamGetCaptureInfo_v2(void *handle, int *status, uint64_t *id, GraphHandle *graph, void **, size_t *n) {
    Result result = cuStreamIsCapturing(handle, status);
    if (result != SUCCESS || *status == 0)
        return result;
    if (id)
        *id = static_cast<Stream *>(handle)->capture->id;
    if (graph)
        *graph = nullptr;
    if (n)
        *n = 0;
    return SUCCESS;
}

// --- Graphs -------------------------------------------------------------------------------------------------

static Result find(const std::set<GraphHandle> &known, GraphHandle graph) {
    return known.count(graph) ? SUCCESS : fail(INVALID_HANDLE, "there is no such graph");
}

EXPORT Result cuGraphGetNodes(GraphHandle graph, void **nodes, size_t *count) {
    DRIVER_CALL(context);
    if (Result bad = find(state().graphs, graph))
        return bad;
    size_t n = (*graph)->nodes.size();
    if (nodes)
        for (size_t i = 0; i < n && i < *count; i++)
            nodes[i] = &(*graph)->nodes[i];
    *count = n;
    return SUCCESS;
}

EXPORT Result cuGraphInstantiateWithFlags(GraphHandle *executable, GraphHandle graph, unsigned long long) {
    DRIVER_CALL(context);
    if (Result bad = find(state().graphs, graph))
        return bad;
    *executable = new std::shared_ptr<Graph>(*graph);
    state().executables.insert(*executable);
    return SUCCESS;
}

EXPORT Result cuGraphLaunch(GraphHandle executable, void *handle) {
    DRIVER_CALL(context);
    Stream *stream;
    if (Result bad = find_stream(call.current, handle, &stream))
        return bad;
    if (Result bad = find(state().executables, executable))
        return bad;
    std::shared_ptr<Graph> graph = *executable;
    state().counters.graph_launches++;
    return submit(stream, "graph", [graph]() -> Result {
        for (const Node &node : graph->nodes) {
            state().counters.graph_nodes++;
            if (Result failed = node.work())
                return failed;
        }
        return SUCCESS;
    });
}

EXPORT Result cuGraphUpload(GraphHandle executable, void *) {
    DRIVER_CALL(context);
    return find(state().executables, executable);
}

static Result destroy(std::set<GraphHandle> &known, GraphHandle graph) {
    if (Result bad = find(known, graph))
        return bad;
    known.erase(graph);
    delete graph;
    return SUCCESS;
}

EXPORT Result cuGraphExecDestroy(GraphHandle executable) {
    DRIVER_CALL(initialised);
    return destroy(state().executables, executable);
}

EXPORT Result cuGraphDestroy(GraphHandle graph) {
    DRIVER_CALL(initialised);
    return destroy(state().graphs, graph);
}
