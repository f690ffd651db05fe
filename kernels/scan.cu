// Running sums, products and extrema along an axis, and the linear recurrence.
//
//   cumulative_sum, cumulative_prod   of integers in 64 bits; half in float and double, rounded once
//   cumulative_max, cumulative_min    from the first NaN on NaN
//   logcumsumexp                      log(exp(x_1) + ... + exp(x_k)), from the larger of two and their distance
//   linear_scan                       h_k = a_k h_(k-1) + x_k, as a scan of pairs: (a, x), (b, y) are (b a, b x + y)
//                                     (Blelloch, "Prefix sums and their applications", 1990, section 1.4)
//
// Cost: each element is read once and written once, a few instructions each; the ceiling is the bandwidth of a
// device-to-device copy. Few and long lines are read twice.
//
// Needs -DTYPE= and -DKIND= (scan.cuh).
#include "scan.cuh"

#if KIND == BOOLS || KIND == INTEGERS
typedef uint64_t Total;  // the low 64 bits, which signed and unsigned sums share
typedef uint64_t Factor;
typedef uint64_t Written;
DEVICE uint64_t factor(T x) { return uint64_t(int64_t(x)); }
DEVICE uint64_t total(T x) { return uint64_t(int64_t(x)); }
#elif KIND == FLOATS
typedef C Total;
typedef double Factor;  // whose range is so large that products of some thousand elements mostly stay in it
typedef T Written;
DEVICE Factor factor(T x) { return C(x); }
DEVICE Total total(T x) { return C(x); }
#else
typedef C Total;
typedef complex<double> Factor;
typedef T Written;
DEVICE Factor factor(T x) { return {x.real, x.imag}; }
DEVICE Total total(T x) { return x; }
#endif

// Whether the number is finite where it is kept, which for Factor is in C.
template <class X>
DEVICE bool stays_finite(X x) {
#if KIND == FLOATS
    return fabs(x) <= double(sizeof(C) == 4 ? 3.40282347e38 : 1.7976931348623157e308);
#elif KIND == COMPLEX
    constexpr double MOST = sizeof(C) == 8 ? 3.40282347e38 : 1.7976931348623157e308;
    return fabs(x.real) <= MOST && fabs(x.imag) <= MOST;
#else
    return true;
#endif
}

DEVICE Factor narrowed(Factor x) {
#if KIND == FLOATS
    return C(x);
#elif KIND == COMPLEX
    typedef decltype(C::real) Part;
    return {Part(x.real), Part(x.imag)};
#else
    return x;
#endif
}

// What is written for a Factor.
template <class X>
DEVICE X written(Factor x) {
#if KIND == FLOATS
    return X(C(x));
#elif KIND == COMPLEX
    typedef decltype(C::real) Part;
    return {Part(x.real), Part(x.imag)};
#else
    return X(x);
#endif
}

struct Unary {
    static constexpr int OPERANDS = 1;
    static constexpr bool CHECKED = false;
};

struct Sum : Unary {
    typedef Total State;
    typedef Written Value;
    static __device__ __forceinline__ State none() { return State(-0.0); }  // which leaves the sign of a zero alone
    static __device__ __forceinline__ State element(T x, T, bool) { return total(x); }
    static __device__ __forceinline__ State join(State a, State b) { return plus(a, b); }
    static __device__ __forceinline__ Value value(State s) { return Value(s); }
};
SCAN(cumulative_sum, Sum)

struct Product : Unary {
    static constexpr bool CHECKED = KIND == FLOATS || KIND == COMPLEX;
    typedef Factor State;
    typedef Written Value;
    static __device__ __forceinline__ State none() { return State(1); }
    static __device__ __forceinline__ State element(T x, T, bool) { return factor(x); }
    static __device__ __forceinline__ State join(State a, State b) { return times(a, b); }
    static __device__ __forceinline__ Value value(State s) { return written<Value>(s); }
    static __device__ __forceinline__ bool finite(State s) { return stays_finite(s); }
    static __device__ __forceinline__ bool is_lost(State s) { return is_nan(s); }
    static __device__ __forceinline__ State rounded(State s) { return narrowed(s); }
};
SCAN(cumulative_prod, Product)

template <bool LARGEST>
struct Extremum : Unary {
    typedef C State;
    typedef T Value;
    static __device__ __forceinline__ State none() { return LARGEST ? Limits<C>::lowest() : Limits<C>::highest(); }
    static __device__ __forceinline__ State element(T x, T, bool) { return C(x); }
    static __device__ __forceinline__ State join(State a, State b) { return extremum<LARGEST>(a, b); }
    static __device__ __forceinline__ Value value(State s) { return Value(s); }
};
SCAN(cumulative_max, Extremum<true>)
SCAN(cumulative_min, Extremum<false>)

#if KIND == FLOATS
DEVICE C log_of_sum(C distance) {  // of 1 and exp(-distance)
    if constexpr (sizeof(C) == sizeof(float)) return log1pf(expf(-distance));
    else return log1p(exp(-distance));
}

struct LogSumExp : Unary {
    typedef C State;
    typedef T Value;
    static __device__ __forceinline__ State none() { return -INFINITY; }
    static __device__ __forceinline__ State element(T x, T, bool) { return C(x); }
    static __device__ __forceinline__ State join(State a, State b) {
        if (a == b) return a + C(0.6931471805599453);  // two infinities have no distance
        return a > b ? a + log_of_sum(a - b) : b + log_of_sum(b - a);
    }
    static __device__ __forceinline__ Value value(State s) { return Value(s); }
};
SCAN(logcumsumexp, LogSumExp)
#endif

struct Pair {
    Factor a, x;
};

struct Linear {
    static constexpr int OPERANDS = 2;
    static constexpr bool CHECKED = KIND == FLOATS || KIND == COMPLEX;
    typedef Pair State;
    typedef T Value;
    static __device__ __forceinline__ State none() { return {Factor(1), Factor(0)}; }
    static __device__ __forceinline__ State element(T x, T a, bool is_first) {
        return {is_first ? Factor(0) : factor(a), factor(x)};  // nothing comes before the first
    }
    static __device__ __forceinline__ State join(State first, State then) {
        const Factor x = plus(times(then.a, first.x), then.x);
#if KIND == BOOLS
        return {times(then.a, first.a), x != 0};  // "and" and "or"
#else
        return {times(then.a, first.a), x};
#endif
    }
    static __device__ __forceinline__ Value value(State s) { return written<Value>(s.x); }
    static __device__ __forceinline__ bool finite(State s) { return stays_finite(s.a) && stays_finite(s.x); }
    static __device__ __forceinline__ bool is_lost(State s) { return is_nan(s.x); }
    static __device__ __forceinline__ State rounded(State s) { return {Factor(0), narrowed(s.x)}; }
};
SCAN(linear_scan, Linear)
