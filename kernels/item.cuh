// An element whose type does not matter, of -DITEM=1, 2, 4, 8 or 16 bytes: for kernels that only move elements.
#pragma once

#include <stdint.h>

#if ITEM == 1
typedef uint8_t Item;
#elif ITEM == 2
typedef uint16_t Item;
#elif ITEM == 4
typedef uint32_t Item;
#elif ITEM == 8
typedef uint64_t Item;
#else
struct alignas(16) Item {
    uint64_t low, high;
};
#endif
