// Arithmetic, rounding, comparisons, choices, logic and bits of elements of one type; NumPy's results, bit for bit, but
// for the last bits of complex products and quotients, where the compiler makes one rounding of a product and a sum.
//
// Cost: see elementwise.cuh; a few instructions per element, so that memory decides (the quotients of 64-bit integers
// and the remainders of double excepted, which take tens of instructions).
//
// Needs -DTYPE= and -DKIND= (elementwise.cuh).
#include "elementwise.cuh"
#include "libm.cuh"

// --- every type ---------------------------------------------------------------------------------------------

TERNARY(where, bool, x ? y : z)

#if KIND != COMPLEX
BINARY(equal, bool, x == y)
BINARY(not_equal, bool, x != y)
BINARY(less, bool, x < y)
BINARY(less_equal, bool, x <= y)
BINARY(logical_and, bool, bool(x) && bool(y))
BINARY(logical_or, bool, bool(x) || bool(y))
BINARY(logical_xor, bool, bool(x) != bool(y))
UNARY(logical_not, bool, !bool(x))
#endif

// --- bools ----------------------------------------------------------------------------------------------------

#if KIND == BOOLS

DEVICE bool clipped(bool x, bool low, bool high) { return (x || low) && high; }

BINARY(add, bool, x || y)
BINARY(multiply, bool, x && y)
BINARY(maximum, bool, x || y)
BINARY(minimum, bool, x && y)
BINARY(bitwise_and, bool, x && y)
BINARY(bitwise_or, bool, x || y)
BINARY(bitwise_xor, bool, x != y)
UNARY(bitwise_invert, bool, !x)
TERNARY(clip, bool, clipped(x, y, z))

// --- integers ---------------------------------------------------------------------------------------------------

#elif KIND == INTEGERS

template <int BYTES>
struct Unsigned {
    typedef uint32_t type;
};
template <>
struct Unsigned<8> {
    typedef uint64_t type;
};
typedef Unsigned<sizeof(T)>::type U;  // sums and products wrap around in it; those of signed types are undefined

constexpr bool SIGNED = T(-1) < T(0);
constexpr int BITS = 8 * sizeof(T);

DEVICE bool below_zero(T x) { return SIGNED && int64_t(x) < 0; }

// The quotient and the remainder of the smallest number and -1 do not exist in C++.
DEVICE bool divides_oddly(T y) { return y == 0 || (SIGNED && y == T(-1)); }

DEVICE T floor_quotient(T x, T y) {
    if (divides_oddly(y)) return y == 0 ? T(0) : T(U(0) - U(x));
    const T q = x / y;
    return SIGNED && T(x - q * y) != 0 && below_zero(x) != below_zero(y) ? q - 1 : q;
}

DEVICE T truncated_remainder(T x, T y) { return divides_oddly(y) ? T(0) : T(x % y); }

DEVICE T floor_remainder(T x, T y) {
    const T r = truncated_remainder(x, y);
    return SIGNED && r != 0 && below_zero(r) != below_zero(y) ? r + y : r;
}

DEVICE T power(T x, T y) {
    U base = U(x), result = 1;
    for (U rest = below_zero(y) ? 0 : U(y); rest; rest >>= 1) {
        if (rest & 1) result *= base;
        base *= base;
    }
    return T(result);
}

DEVICE T shifted_left(T x, T y) { return U(y) < BITS ? T(U(x) << y) : T(0); }
DEVICE T shifted_right(T x, T y) { return U(y) < BITS ? T(x >> y) : below_zero(x) ? T(-1) : T(0); }
DEVICE T larger(T x, T y) { return x > y ? x : y; }
DEVICE T smaller(T x, T y) { return x < y ? x : y; }

BINARY(add, T, U(x) + U(y))
BINARY(subtract, T, U(x) - U(y))
BINARY(multiply, T, U(x) * U(y))
BINARY(floor_divide, T, floor_quotient(x, y))
BINARY(remainder, T, floor_remainder(x, y))
BINARY(fmod, T, truncated_remainder(x, y))
BINARY(pow, T, power(x, y))
BINARY(maximum, T, larger(x, y))
BINARY(minimum, T, smaller(x, y))
BINARY(bitwise_and, T, x & y)
BINARY(bitwise_or, T, x | y)
BINARY(bitwise_xor, T, x ^ y)
BINARY(bitwise_left_shift, T, shifted_left(x, y))
BINARY(bitwise_right_shift, T, shifted_right(x, y))
UNARY(bitwise_invert, T, ~x)
UNARY(negative, T, U(0) - U(x))
UNARY(abs, T, below_zero(x) ? U(0) - U(x) : U(x))
UNARY(sign, T, x > 0 ? 1 : below_zero(x) ? -1 : 0)
UNARY(square, T, U(x) * U(x))
UNARY(reciprocal, T, x == 1 || (SIGNED && x == T(-1)) ? x : T(0))
TERNARY(clip, T, smaller(larger(x, y), z))

// --- floats -----------------------------------------------------------------------------------------------------

#elif KIND == FLOATS

// NumPy's floor_divide, but where an operand is infinite the floor of the quotient, as the array API standard asks.
DEVICE C floor_quotient(C x, C y) {
    const C quotient = x / y;
    if (y == 0 || is_infinite(x) || is_infinite(y)) return y == 0 ? quotient : libm::floor(quotient);
    const C mod = libm::fmod(x, y);
    C div = (x - mod) / y;
    if (mod != 0 && (y < 0) != (mod < 0)) div -= 1;
    if (div == 0) return libm::copysign(C(0), quotient);
    const C whole = libm::floor(div);
    return div - whole > C(0.5) ? whole + 1 : whole;
}

DEVICE C floor_remainder(C x, C y) {
    const C mod = libm::fmod(x, y);
    if (y == 0) return mod;
    if (mod == 0) return libm::copysign(mod, y);
    return (y < 0) != (mod < 0) ? mod + y : mod;
}

// The next number from x on towards y: halves of one sign are ordered as their bits are.
template <class R>
DEVICE R neighbour(R x, R y) {
    if constexpr (sizeof(R) == sizeof(half)) {
        const float from = x, to = y;
        if (is_nan(from) || is_nan(to)) return R(from + to);
        if (from == to) return y;
        if (from == 0) x.bits = (y.bits & 0x8000) | 1;
        else x.bits += (from < to) == (from > 0) ? 1 : -1;
        return x;
    } else {
        return libm::nextafter(x, y);
    }
}

// NaN wins.
DEVICE C larger(C x, C y) { return x >= y || x != x ? x : y; }
DEVICE C smaller(C x, C y) { return x <= y || x != x ? x : y; }


BINARY(add, T, x + y)
BINARY(subtract, T, x - y)
BINARY(multiply, T, x * y)
BINARY(divide, T, x / y)
BINARY(floor_divide, T, floor_quotient(x, y))
BINARY(remainder, T, floor_remainder(x, y))
BINARY(fmod, T, libm::fmod(x, y))
BINARY(maximum, T, larger(x, y))
BINARY(minimum, T, smaller(x, y))
BINARY(copysign, T, libm::copysign(x, y))
BINARY(nextafter, T, neighbour(T(x), T(y)))
BINARY(heaviside, T, x == 0 ? y : x < 0 ? C(0) : x > 0 ? C(1) : x)
UNARY(negative, T, -x)
UNARY(reciprocal, T, 1 / x)
UNARY(abs, T, libm::fabs(x))
UNARY(sign, T, x > 0 ? C(1) : x < 0 ? C(-1) : x == 0 ? C(0) : x)
UNARY(square, T, x * x)
UNARY(cube, T, x * x * x)
UNARY(sqrt, T, libm::sqrt(x))
UNARY(relu, T, larger(x, 0))
UNARY(floor, T, libm::floor(x))
UNARY(ceil, T, libm::ceil(x))
UNARY(trunc, T, libm::trunc(x))
UNARY(round, T, libm::rint(x))
UNARY(isfinite, bool, is_finite(x))
UNARY(isinf, bool, is_infinite(x))
UNARY(isnan, bool, is_nan(x))
UNARY(signbit, bool, sign_bit(x))
TERNARY(clip, T, T(smaller(larger(x, y), z)))

// --- complex numbers ----------------------------------------------------------------------------------------------

#else
#include "complex.cuh"

typedef decltype(C().real) R;

DEVICE bool nonzero(C z) { return z.real != 0 || z.imag != 0; }

BINARY(equal, bool, x == y)
BINARY(not_equal, bool, !(x == y))
BINARY(logical_and, bool, nonzero(x) && nonzero(y))
BINARY(logical_or, bool, nonzero(x) || nonzero(y))
BINARY(logical_xor, bool, nonzero(x) != nonzero(y))
BINARY(add, T, x + y)
BINARY(subtract, T, x - y)
BINARY(multiply, T, x * y)
BINARY(divide, T, x / y)
UNARY(logical_not, bool, !nonzero(x))
UNARY(negative, T, -x)
UNARY(reciprocal, T, reciprocal(x))
UNARY(abs, R, modulus(x))
UNARY(sign, T, direction(x))
UNARY(square, T, x * x)
UNARY(cube, T, x * x * x)
UNARY(sqrt, T, complex_functions::sqrt(x))
UNARY(conj, T, C(x.real, -x.imag))
UNARY(round, T, C(libm::rint(x.real), libm::rint(x.imag)))
UNARY(isfinite, bool, is_finite(x))
UNARY(isinf, bool, is_infinite(x))
UNARY(isnan, bool, is_nan(x))

#endif
