// Keys: unsigned integers in the order of the elements, so that everything sorts and searches unsigned integers. Equal
// elements have equal keys, also -0 and 0; NaN has the largest key there is.
//
// Needs -DITEM=1, 2, 4 or 8: the bytes of an element. What the bits mean is an argument.
#pragma once

#include "types.cuh"

#if ITEM == 1
typedef uint8_t Item;
#elif ITEM == 2
typedef uint16_t Item;
#elif ITEM == 4
typedef uint32_t Item;
#else
typedef uint64_t Item;
#endif

enum Kind { UNSIGNED, SIGNED, FLOAT };

constexpr Item LARGEST = (Item)~(Item)0;
constexpr Item SIGN = (Item)((Item)1 << (8 * ITEM - 1));
// The bits of infinity: an exponent of ones, which 10, 23 and 52 bits of significand follow.
constexpr Item INFINITE = ITEM == 2 ? (Item)0x7C00 : ITEM == 4 ? (Item)0x7F800000 : (Item)0x7FF0000000000000;

DEVICE bool is_nan(Item bits, int kind) { return kind == FLOAT && (Item)(bits & (Item)~SIGN) > INFINITE; }

DEVICE Item key_of(Item bits, int kind) {
    if (kind == UNSIGNED) return bits;
    if (kind == SIGNED) return (Item)(bits ^ SIGN);
    if (is_nan(bits, kind)) return LARGEST;
    // Read as integers, positive floats are in their own order, negative ones in the reverse; -0 becomes 0.
    return (bits & SIGN) && bits != SIGN ? (Item)~bits : (Item)(bits | SIGN);
}
