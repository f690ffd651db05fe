// CUDA's mathematical and integer functions, through the C library and the compiler's built-in functions.

#pragma once

// --- The C library's functions, with an overload for float under the name for double ------------------------

extern "C" {
#define EMULATED_1(name) double name(double) noexcept; float name##f(float) noexcept;
#define EMULATED_2(name) double name(double, double) noexcept; float name##f(float, float) noexcept;
#define EMULATED_FUNCTIONS_1 \
    F(sqrt) F(cbrt) F(exp) F(exp2) F(exp10) F(expm1) F(log) F(log2) F(log10) F(log1p) F(sin) F(cos) F(tan) F(asin) \
    F(acos) F(atan) F(sinh) F(cosh) F(tanh) F(asinh) F(acosh) F(atanh) F(erf) F(erfc) F(lgamma) F(tgamma) F(floor) \
    F(ceil) F(trunc) F(round) F(rint) F(nearbyint) F(fabs) F(logb) F(j0) F(j1) F(y0) F(y1)
#define EMULATED_FUNCTIONS_2 \
    F(pow) F(atan2) F(hypot) F(fmod) F(remainder) F(copysign) F(nextafter) F(fdim) F(fmin) F(fmax)
#define F EMULATED_1
EMULATED_FUNCTIONS_1
#undef F
#define F EMULATED_2
EMULATED_FUNCTIONS_2
#undef F
double fma(double, double, double) noexcept;
float fmaf(float, float, float) noexcept;
double ldexp(double, int) noexcept;
float ldexpf(float, int) noexcept;
double scalbn(double, int) noexcept;
float scalbnf(float, int) noexcept;
double frexp(double, int *) noexcept;
float frexpf(float, int *) noexcept;
double modf(double, double *) noexcept;
float modff(float, float *) noexcept;
double remquo(double, double, int *) noexcept;
float remquof(float, float, int *) noexcept;
int ilogb(double) noexcept;
int ilogbf(float) noexcept;
long lrint(double) noexcept;
long lrintf(float) noexcept;
long long llrint(double) noexcept;
long long llrintf(float) noexcept;
long lround(double) noexcept;
long lroundf(float) noexcept;
long long llround(double) noexcept;
long long llroundf(float) noexcept;
void sincos(double, double *, double *) noexcept;
void sincosf(float, float *, float *) noexcept;
int abs(int) noexcept;
long labs(long) noexcept;
long long llabs(long long) noexcept;
}

#define F(name) static inline float name(float x) { return name##f(x); }
EMULATED_FUNCTIONS_1
#undef F
#define F(name) static inline float name(float x, float y) { return name##f(x, y); }
EMULATED_FUNCTIONS_2
#undef F
#undef EMULATED_FUNCTIONS_1
#undef EMULATED_FUNCTIONS_2
#undef EMULATED_1
#undef EMULATED_2
static inline float fma(float x, float y, float z) { return fmaf(x, y, z); }
static inline float ldexp(float x, int n) { return ldexpf(x, n); }
static inline float scalbn(float x, int n) { return scalbnf(x, n); }
static inline float frexp(float x, int *n) { return frexpf(x, n); }
static inline float modf(float x, float *n) { return modff(x, n); }
static inline int ilogb(float x) { return ilogbf(x); }
static inline long long abs(long long x) { return llabs(x); }
static inline long abs(long x) { return labs(x); }
static inline float abs(float x) { return fabsf(x); }
static inline double abs(double x) { return fabs(x); }

static inline bool isnan(float x) { return __builtin_isnan(x); }
static inline bool isnan(double x) { return __builtin_isnan(x); }
static inline bool isinf(float x) { return __builtin_isinf(x); }
static inline bool isinf(double x) { return __builtin_isinf(x); }
static inline bool isfinite(float x) { return __builtin_isfinite(x); }
static inline bool isfinite(double x) { return __builtin_isfinite(x); }
static inline bool signbit(float x) { return __builtin_signbitf(x); }
static inline bool signbit(double x) { return __builtin_signbit(x); }

// --- Functions that only CUDA has ---------------------------------------------------------------------------

static inline float rsqrtf(float x) { return float(1.0 / sqrt(double(x))); }
static inline double rsqrt(double x) { return 1.0 / sqrt(x); }
static inline float rsqrt(float x) { return rsqrtf(x); }
static inline float rcbrtf(float x) { return float(1.0 / cbrt(double(x))); }
static inline double rcbrt(double x) { return 1.0 / cbrt(x); }

// The argument is reduced before it is multiplied by pi, so that integers and halves come out exact.
static inline double sinpi(double x) {
    double r = remainder(x, 2.0);
    if (fabs(r) > 0.5)
        r = copysign(1.0, r) - r;
    return r == 0.0 ? copysign(0.0, x) : sin(M_PI * r);
}
static inline double cospi(double x) {
    double r = fabs(remainder(x, 2.0));
    return r <= 0.25 ? cos(M_PI * r) : r < 0.75 ? sin(M_PI * (0.5 - r)) : -cos(M_PI * (1.0 - r));
}
static inline float sinpif(float x) { return float(sinpi(double(x))); }
static inline float cospif(float x) { return float(cospi(double(x))); }
static inline void sincospi(double x, double *s, double *c) { *s = sinpi(x), *c = cospi(x); }
static inline void sincospif(float x, float *s, float *c) { *s = sinpif(x), *c = cospif(x); }
static inline double normcdf(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }
static inline float normcdff(float x) { return float(normcdf(double(x))); }
static inline float __saturatef(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }
static inline float fdividef(float x, float y) { return x / y; }

// --- Minimum and maximum: for floats as fmin and fmax, for mixed signs unsigned -------------------------------

#define EMULATED_MINMAX(R, A, B)                                             \
    static inline R min(A a, B b) { return (R)a < (R)b ? (R)a : (R)b; }      \
    static inline R max(A a, B b) { return (R)a < (R)b ? (R)b : (R)a; }
EMULATED_MINMAX(int, int, int)
EMULATED_MINMAX(unsigned, unsigned, unsigned)
EMULATED_MINMAX(unsigned, int, unsigned)
EMULATED_MINMAX(unsigned, unsigned, int)
EMULATED_MINMAX(long, long, long)
EMULATED_MINMAX(unsigned long, unsigned long, unsigned long)
EMULATED_MINMAX(unsigned long, long, unsigned long)
EMULATED_MINMAX(unsigned long, unsigned long, long)
EMULATED_MINMAX(long long, long long, long long)
EMULATED_MINMAX(unsigned long long, unsigned long long, unsigned long long)
EMULATED_MINMAX(unsigned long long, long long, unsigned long long)
EMULATED_MINMAX(unsigned long long, unsigned long long, long long)
#undef EMULATED_MINMAX
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }
static inline double min(float a, double b) { return fmin(double(a), b); }
static inline double max(float a, double b) { return fmax(double(a), b); }
static inline double min(double a, float b) { return fmin(a, double(b)); }
static inline double max(double a, float b) { return fmax(a, double(b)); }

// --- Operations with a stated rounding ----------------------------------------------------------------------

static inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
static inline float __fadd_rn(float x, float y) { return x + y; }
static inline float __fsub_rn(float x, float y) { return x - y; }
static inline float __fmul_rn(float x, float y) { return x * y; }
static inline float __fdiv_rn(float x, float y) { return x / y; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __frcp_rn(float x) { return 1.0f / x; }
static inline double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
static inline double __dadd_rn(double x, double y) { return x + y; }
static inline double __dsub_rn(double x, double y) { return x - y; }
static inline double __dmul_rn(double x, double y) { return x * y; }
static inline double __ddiv_rn(double x, double y) { return x / y; }
static inline double __dsqrt_rn(double x) { return sqrt(x); }
static inline double __drcp_rn(double x) { return 1.0 / x; }

// Conversions from floating point saturate and turn NaN into 0; from integers they round to nearest.
template <class I> static inline I emulated_saturate(double rounded) {
    constexpr bool is_signed = I(-1) < I(0);
    constexpr int bits = 8 * sizeof(I) - is_signed;
    constexpr I most = I(~uint64_t(0) >> (64 - bits)), least = is_signed ? I(-most - 1) : I(0);
    if (!(rounded == rounded))
        return 0;
    double limit = ldexp(1.0, bits);
    return rounded >= limit ? most : rounded < double(least) ? least : I(rounded);
}
#define EMULATED_CONVERSIONS(source, F, target, I)                                                              \
    static inline I __##source##2##target##_rn(F x) { return emulated_saturate<I>(nearbyint(double(x))); }      \
    static inline I __##source##2##target##_rz(F x) { return emulated_saturate<I>(trunc(double(x))); }          \
    static inline I __##source##2##target##_rd(F x) { return emulated_saturate<I>(floor(double(x))); }          \
    static inline I __##source##2##target##_ru(F x) { return emulated_saturate<I>(ceil(double(x))); }           \
    static inline F __##target##2##source##_rn(I x) { return F(x); }
EMULATED_CONVERSIONS(float, float, int, int)
EMULATED_CONVERSIONS(float, float, uint, unsigned)
EMULATED_CONVERSIONS(float, float, ll, long long)
EMULATED_CONVERSIONS(float, float, ull, unsigned long long)
EMULATED_CONVERSIONS(double, double, int, int)
EMULATED_CONVERSIONS(double, double, uint, unsigned)
EMULATED_CONVERSIONS(double, double, ll, long long)
EMULATED_CONVERSIONS(double, double, ull, unsigned long long)
#undef EMULATED_CONVERSIONS
static inline float __double2float_rn(double x) { return float(x); }

// --- Bits ---------------------------------------------------------------------------------------------------

#define EMULATED_CAST(name, From, To)                                     \
    static inline To name(From x) {                                       \
        To y;                                                             \
        __builtin_memcpy(&y, &x, sizeof y);                               \
        return y;                                                         \
    }
EMULATED_CAST(__float_as_int, float, int)
EMULATED_CAST(__float_as_uint, float, unsigned)
EMULATED_CAST(__int_as_float, int, float)
EMULATED_CAST(__uint_as_float, unsigned, float)
EMULATED_CAST(__double_as_longlong, double, long long)
EMULATED_CAST(__longlong_as_double, long long, double)
#undef EMULATED_CAST
static inline int __double2hiint(double x) { return int(__double_as_longlong(x) >> 32); }
static inline int __double2loint(double x) { return int(__double_as_longlong(x)); }
static inline double __hiloint2double(int high, int low) {
    return __longlong_as_double((long long)((unsigned long long)(unsigned)high << 32 | (unsigned)low));
}

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
static inline unsigned __brev(unsigned x) {
    unsigned y = 0;
    for (int i = 0; i < 32; i++)
        y |= (x >> i & 1) << (31 - i);
    return y;
}
static inline unsigned long long __brevll(unsigned long long x) {
    return (unsigned long long)__brev(unsigned(x)) << 32 | __brev(unsigned(x >> 32));
}
static inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
    uint64_t bytes = uint64_t(y) << 32 | x;
    unsigned result = 0;
    for (int i = 0; i < 4; i++) {
        unsigned pick = selector >> (4 * i);
        unsigned byte = unsigned(bytes >> (8 * (pick & 7))) & 0xff;
        if (pick & 8)  // replicate the sign
            byte = byte & 0x80 ? 0xff : 0;
        result |= byte << (8 * i);
    }
    return result;
}
static inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned n) {
    return unsigned((uint64_t(high) << 32 | low) << (n & 31) >> 32);
}
static inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned n) {
    return unsigned((uint64_t(high) << 32 | low) >> (n & 31));
}
static inline int __mulhi(int x, int y) { return int(int64_t(x) * y >> 32); }
static inline unsigned __umulhi(unsigned x, unsigned y) { return unsigned(uint64_t(x) * y >> 32); }
static inline long long __mul64hi(long long x, long long y) { return (long long)((__int128)x * y >> 64); }
static inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    return (unsigned long long)((unsigned __int128)x * y >> 64);
}
