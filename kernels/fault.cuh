// How a kernel says that an index is out of range, without breaking off: the first to meet one writes it down in memory of
// the processor, which raises the error when it next waits (tinygrad_lite/backends/cuda/faults.py). Nothing out of range is
// read or written.
#pragma once

#include "types.cuh"

struct Fault {
    uint32_t claimed;    // 0 until something was written down
    uint32_t operation;  // numbers of faults.py
    int64_t axis, index, size;
};

// Note that `index` is not one of an axis of `size` elements.
DEVICE void report(Fault* fault, uint32_t operation, int64_t axis, int64_t index, int64_t size) {
    if (atomicCAS(&fault->claimed, 0u, 1u) != 0u) return;
    fault->operation = operation;
    fault->axis = axis;
    fault->index = index;
    fault->size = size;
}

// The index counted from the front, or -1 where it is out of range, which has been reported then.
DEVICE int64_t checked(Fault* fault, uint32_t operation, int64_t axis, int64_t index, int64_t size) {
    const int64_t place = index < 0 ? index + size : index;
    if ((uint64_t)place < (uint64_t)size) return place;
    report(fault, operation, axis, index, size);
    return -1;
}
