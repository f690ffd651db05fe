// Sums, products, counts and squared distances from means, along any axes.
//
//   sum      of integers in 64 bits, of half in float; divided by `divisor` in the end, so that it is the mean too
//   prod     likewise
//   count    of the elements that are not 0; or whether there is any; or whether all are
//   centred  the sum of (x - mean)^2, divided by `divisor`: the variance, in the second of two passes
//
// Cost: each element is read once, 16 bytes at a time where they lie side by side, and a few instructions are spent on
// it; the ceiling is the bandwidth of reading memory. See reduce.cuh for the shapes.
//
// Needs -DTYPE= and -DKIND= (reduce.cuh).
#include "reduce.cuh"

#if KIND == INTEGERS
typedef uint64_t Total;  // the low 64 bits, which signed and unsigned sums share
template <bool SMALL>
struct SumOfFew {
    typedef int32_t type;  // of the elements of a vector
};
template <>
struct SumOfFew<false> {
    typedef uint64_t type;
};
typedef SumOfFew<sizeof(T) <= 2>::type Few;
DEVICE Total widened(T x) { return Total(int64_t(x)); }
#else
typedef C Total;
typedef C Few;
DEVICE Total widened(T x) { return C(x); }
#if KIND == FLOATS
DEVICE Total divided(Total total, double divisor) { return total / C(divisor); }
#else
typedef decltype(C().real) Part;
DEVICE Total divided(Total total, double divisor) { return {total.real / Part(divisor), total.imag / Part(divisor)}; }
#endif
#endif

// Totals are written as the element type if that is a float, else in 64 bits; half as float if `kind` asks.
DEVICE void put_total(const Operands& operands, int64_t set, Total total) {
#if KIND == INTEGERS
    reinterpret_cast<Total*>(operands.out)[set] = total;
#else
    const Total value = divided(total, operands.divisor);
    if (operands.kind) reinterpret_cast<Total*>(operands.out)[set] = value;
    else reinterpret_cast<T*>(operands.out)[set] = T(value);
#endif
}

struct Sum : Plain {
    typedef Total State;
    typedef Few Leaf;
    using Plain::Plain;
    static __device__ __forceinline__ State none() { return State(-0.0); }  // which leaves the sign of a zero alone
    __device__ __forceinline__ Leaf of(T x, int64_t) const { return Leaf(widened(x)); }
    template <class X>
    static __device__ __forceinline__ X join(X a, X b) {
        return plus(a, b);
    }
    __device__ __forceinline__ void put(const Operands& o, int64_t set, State s) const { put_total(o, set, s); }
};
REDUCTION(sum, Sum)

struct Product : Plain {
    typedef Total State;
    typedef Total Leaf;
    using Plain::Plain;
    static __device__ __forceinline__ State none() { return State(1); }
    __device__ __forceinline__ Leaf of(T x, int64_t) const { return widened(x); }
    static __device__ __forceinline__ State join(State a, State b) { return times(a, b); }
    __device__ __forceinline__ void put(const Operands& o, int64_t set, State s) const { put_total(o, set, s); }
};
REDUCTION(prod, Product)

template <class X>
DEVICE bool is_zero(X x) {
    typedef typename Compute<X>::type Number;
    return Number(x) == Number(0);
}
template <class R>
DEVICE bool is_zero(complex<R> x) {
    return x.real == 0 && x.imag == 0;
}

struct Count : Plain {
    typedef int64_t State;
    typedef int32_t Leaf;
    using Plain::Plain;
    enum { HOW_MANY, ANY, ALL };
    static __device__ __forceinline__ State none() { return 0; }
    __device__ __forceinline__ Leaf of(T x, int64_t) const { return is_zero(x) ? 0 : 1; }
    template <class X>
    static __device__ __forceinline__ X join(X a, X b) {
        return a + b;
    }
    __device__ __forceinline__ void put(const Operands& o, int64_t set, State s) const {
        if (o.kind == HOW_MANY) reinterpret_cast<int64_t*>(o.out)[set] = s;
        else reinterpret_cast<bool*>(o.out)[set] = o.kind == ANY ? s != 0 : s == int64_t(o.divisor);
    }
};
REDUCTION(count, Count)

#if KIND == FLOATS
struct Centred : Sum {
    C mean;
    Centred() = default;
    __device__ __forceinline__ Centred(const Operands& o, int64_t set)
        : mean(reinterpret_cast<const C*>(o.means)[set]) {}
    __device__ __forceinline__ Leaf of(T x, int64_t) const { return (C(x) - mean) * (C(x) - mean); }
};
REDUCTION(centred, Centred)
#endif
