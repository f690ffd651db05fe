// Kernel launches: the checks that the hardware makes before it starts, and what becomes of a launch that fails.

#include <cstring>

#include "driver.h"

static Result find_function(Context *context, Function *function) {
    if (context->functions.count(function))
        return SUCCESS;
    return fail(INVALID_HANDLE, "there is no such function in this context; its module may have been unloaded");
}

static std::string configuration(const Launch &l) {
    char text[256];
    snprintf(text, sizeof text, "%s<<<(%u, %u, %u), (%u, %u, %u), %zu bytes>>>", l.function->name.c_str(), l.grid[0],
             l.grid[1], l.grid[2], l.block[0], l.block[1], l.block[2], l.shared);
    return text;
}

static Result check(const Launch &l) {
    const EmulatedKernel &kernel = *l.function->kernel;
    std::string what = configuration(l);
    size_t given = l.parameters.size(), expected = kernel.parameter_bytes;
    if (given != expected)
        return fail(INVALID_VALUE, "%s: %zu bytes of parameters given, the kernel takes %zu", what.c_str(), given, expected);
    for (int i = 0; i < 3; i++) {
        if (l.grid[i] == 0 || l.grid[i] > max_grid_dim[i])
            return fail(INVALID_VALUE, "%s: grid dimension %d is %u, allowed are 1 to %u", what.c_str(), i, l.grid[i],
                        max_grid_dim[i]);
        if (l.block[i] == 0 || l.block[i] > max_block_dim[i])
            return fail(INVALID_VALUE, "%s: block dimension %d is %u, allowed are 1 to %u", what.c_str(), i, l.block[i],
                        max_block_dim[i]);
    }
    size_t threads = size_t(l.block[0]) * l.block[1] * l.block[2];
    if (threads > max_threads_per_block)
        return fail(INVALID_VALUE, "%s: %zu threads in a block, allowed are %u", what.c_str(), threads,
                    max_threads_per_block);
    if (threads > kernel.max_threads)
        return fail(LAUNCH_OUT_OF_RESOURCES, "%s: %zu threads in a block, its __launch_bounds__ allow %u", what.c_str(),
                    threads, kernel.max_threads);
    if (l.shared > l.function->max_dynamic_shared)
        return fail(INVALID_VALUE, "%s: %zu bytes of dynamic shared memory, allowed are %zu", what.c_str(), l.shared,
                    l.function->max_dynamic_shared);
    return SUCCESS;
}

Result execute(const Launch &l) {
    Context *context = l.module->context;
    if (l.module->unloaded)
        return context->sticky = fail(ILLEGAL_ADDRESS, "a kernel was replayed whose module has been unloaded");
    // A copy with the alignment of the widest parameter, which ends where the parameters end.
    std::vector<unsigned long long> aligned((l.parameters.size() + 15) / 8);
    memcpy(aligned.data(), l.parameters.data(), l.parameters.size());
    ScheduleResult result = run_grid(*l.function->kernel, *l.module->face, l.grid, l.block, l.shared,
                                     reinterpret_cast<const char *>(aligned.data()));
    l.function->static_shared = std::max(l.function->static_shared, result.static_shared);
    if (result.code == SUCCESS)
        return SUCCESS;
    return context->sticky = fail(result.code, "%s: %s", configuration(l).c_str(), result.text.c_str());
}

EXPORT Result cuLaunchKernel(Function *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                             unsigned block_y, unsigned block_z, unsigned shared, void *handle, void **parameters,
                             void **extra) {
    DRIVER_CALL(context);
    Stream *stream;
    if (Result bad = find_stream(call.current, handle, &stream))
        return bad;
    if (Result bad = find_function(call.current, function))
        return bad;
    if (parameters)
        return fail(NOT_SUPPORTED, "cuLaunchKernel: kernelParams are not emulated, pass one packed buffer");

    auto launch = std::make_shared<Launch>();
    launch->module = call.current->modules[function->module];
    launch->function = function;
    unsigned grid[3] = {grid_x, grid_y, grid_z}, block[3] = {block_x, block_y, block_z};
    memcpy(launch->grid, grid, sizeof grid);
    memcpy(launch->block, block, sizeof block);
    launch->shared = shared;
    const char *buffer = nullptr;
    size_t bytes = 0;
    for (void **item = extra; item && *item; item += 2) {
        uintptr_t tag = reinterpret_cast<uintptr_t>(*item);
        if (tag == 1)
            buffer = static_cast<const char *>(item[1]);
        else if (tag == 2)
            bytes = *static_cast<size_t *>(item[1]);
        else
            return fail(INVALID_VALUE, "cuLaunchKernel: unknown entry in extra");
    }
    if (buffer)
        launch->parameters.assign(buffer, buffer + bytes);
    if (Result bad = check(*launch))
        return bad;
    if (!stream->capture) {
        state().counters.launches++;
        state().launches_by_name[function->name]++;
    }
    return submit(stream, "kernel", [launch] { return execute(*launch); });
}

// --- Functions ----------------------------------------------------------------------------------------------

enum FunctionAttribute { max_threads_attribute = 0, static_shared = 1, constants = 2, local_bytes = 3, registers = 4,
                         ptx_version = 5, binary_version = 6, cache_mode = 7, max_dynamic_shared = 8, carveout = 9 };

EXPORT Result cuFuncGetAttribute(int *value, int attribute, Function *function) {
    DRIVER_CALL(context);
    if (Result bad = find_function(call.current, function))
        return bad;
    switch (attribute) {
    case max_threads_attribute: *value = int(function->kernel->max_threads); break;
    case static_shared: *value = int(function->static_shared); break;
    case registers: *value = 32; break;
    case ptx_version: case binary_version: *value = 90; break;
    case max_dynamic_shared: *value = int(function->max_dynamic_shared); break;
    case constants: case local_bytes: case cache_mode: *value = 0; break;
    case carveout: *value = -1; break;
    default: return fail(INVALID_VALUE, "cuFuncGetAttribute: attribute %d", attribute);
    }
    return SUCCESS;
}

EXPORT Result cuFuncSetAttribute(Function *function, int attribute, int value) {
    DRIVER_CALL(context);
    if (Result bad = find_function(call.current, function))
        return bad;
    if (attribute == carveout)
        return SUCCESS;
    if (attribute != max_dynamic_shared)
        return fail(INVALID_VALUE, "cuFuncSetAttribute: attribute %d cannot be set", attribute);
    if (value < 0 || size_t(value) > opt_in_shared_bytes)
        return fail(INVALID_VALUE, "cuFuncSetAttribute: %d bytes of dynamic shared memory, allowed are %zu", value,
                    opt_in_shared_bytes);
    function->max_dynamic_shared = size_t(value);
    return SUCCESS;
}

// PyCUDA's prepared calls set the block shape apart from the launch, which repeats it.
EXPORT Result cuFuncSetBlockShape(Function *function, int, int, int) {
    DRIVER_CALL(context);
    return find_function(call.current, function);
}

EXPORT Result cuFuncSetCacheConfig(Function *function, int) {
    DRIVER_CALL(context);
    return find_function(call.current, function);
}
