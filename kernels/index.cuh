// Arrays of integers that name places along an axis, as kernels read them.
#pragma once

#include "fault.cuh"
#include "layout.cuh"

enum IndexType { INT64, INT32, INT16, INT8, UINT64, UINT32, UINT16, UINT8, PLACES, NUMBERS };

struct Index {
    const void* elements;
    int64_t stride;  // what one step along the axis adds to a place
    int64_t size;    // of the axis
    int32_t type;    // an IndexType; PLACES are 64-bit offsets that are right already, NUMBERS 32-bit ones up to `size`,
                     // which stands for an index out of range that has been reported
    int32_t axis;    // its number, for the error

    __device__ __forceinline__ int64_t read(int64_t at) const {
        switch (type) {
            case INT32: return ((const int32_t*)elements)[at];
            case INT16: return ((const int16_t*)elements)[at];
            case INT8: return ((const int8_t*)elements)[at];
            case UINT32:
            case NUMBERS: return ((const uint32_t*)elements)[at];
            case UINT16: return ((const uint16_t*)elements)[at];
            case UINT8: return ((const uint8_t*)elements)[at];
            case UINT64: {
                const uint64_t value = ((const uint64_t*)elements)[at];
                return value >> 63 ? INT64_MAX : (int64_t)value;  // out of range, not counted from the end
            }
            default: return ((const int64_t*)elements)[at];
        }
    }

    // What element `at` adds to a place. Out of range, it is reported and `found` becomes false.
    __device__ __forceinline__ int64_t place(int64_t at, Fault* fault, uint32_t operation, bool& found) const {
        const int64_t index = read(at);
        if (type == PLACES) return index * stride;
        if (type == NUMBERS) {
            found = found && index < size;
            return index * stride;
        }
        const int64_t counted = checked(fault, operation, axis, index, size);
        if (counted < 0) {
            found = false;
            return 0;
        }
        return counted * stride;
    }
};
