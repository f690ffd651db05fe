// Largest and smallest elements and their places, along any axes.
//
//   max, min        NaN wins; of complex numbers the real parts decide, then the imaginary ones
//   nanmax, nanmin  NaN loses
//   argmax, argmin  the place, in its set, of the first of the largest or smallest; of the first NaN if there is one
//
// Cost: each element is read once, 16 bytes at a time where they lie side by side, and a few instructions are spent on
// it; the ceiling is the bandwidth of reading memory. See reduce.cuh for the shapes.
//
// Needs -DTYPE= and -DKIND= (reduce.cuh).
#include "reduce.cuh"

template <bool LARGEST>
struct Extremum : Plain {
    typedef C State;
    typedef C Leaf;
    using Plain::Plain;
    static __device__ __forceinline__ State none() { return LARGEST ? Limits<C>::lowest() : Limits<C>::highest(); }
    __device__ __forceinline__ State of(T x, int64_t) const { return C(x); }
    static __device__ __forceinline__ State join(State a, State b) { return extremum<LARGEST>(a, b); }
    __device__ __forceinline__ void put(const Operands& o, int64_t set, State s) const {
        reinterpret_cast<T*>(o.out)[set] = T(s);
    }
};
REDUCTION(max, Extremum<true>)
REDUCTION(min, Extremum<false>)

struct Candidate {
    C value;
    int64_t index;  // negative where there is none
};

template <bool LARGEST>
struct Place : Plain {
    typedef Candidate State;
    typedef Candidate Leaf;
    using Plain::Plain;
    static __device__ __forceinline__ State none() { return {C(0), -1}; }
    __device__ __forceinline__ State of(T x, int64_t index) const { return {C(x), index}; }
    static __device__ __forceinline__ State join(State a, State b) {
        const bool wins = is_nan(a.value) || (LARGEST ? at_least(a.value, b.value) : at_least(b.value, a.value));
        const bool loses = is_nan(b.value) || (LARGEST ? at_least(b.value, a.value) : at_least(a.value, b.value));
        const bool first = b.index < 0 || (a.index >= 0 && (wins && loses ? a.index < b.index : wins));
        return {first ? a.value : b.value, first ? a.index : b.index};
    }
    __device__ __forceinline__ void put(const Operands& o, int64_t set, State s) const {
        reinterpret_cast<int64_t*>(o.out)[set] = s.index;
    }
};
REDUCTION_OF_ROWS(argmax, Place<true>, 3)
REDUCTION_OF_ROWS(argmin, Place<false>, 3)
REDUCTION_OF_COLUMNS(argmax_strided, Place<true>, 1, 3)
REDUCTION_OF_COLUMNS(argmin_strided, Place<false>, 1, 3)

#if KIND == FLOATS || KIND == COMPLEX
template <bool LARGEST>
struct NumberExtremum : Extremum<LARGEST> {
    using Extremum<LARGEST>::Extremum;
    static __device__ __forceinline__ C none() { return C(NAN); }
    static __device__ __forceinline__ C join(C a, C b) { return extremum_of_numbers<LARGEST>(a, b); }
};
REDUCTION(nanmax, NumberExtremum<true>)
REDUCTION(nanmin, NumberExtremum<false>)
#endif

