// CUDA's functions under the names that kernels use.

#define UNARY(name, T, expression)                                         \
    extern "C" __global__ void name(const T* x, T* out, int n) {           \
        const int i = threadIdx.x;                                         \
        if (i < n) out[i] = expression;                                    \
    }
#define BOTH(name) UNARY(name##_32, float, name##f(x[i])) UNARY(name##_64, double, name(x[i])) \
    UNARY(name##_overload, float, name(x[i]))
BOTH(exp)
BOTH(exp2)
BOTH(exp10)
BOTH(expm1)
BOTH(log)
BOTH(log2)
BOTH(log10)
BOTH(log1p)
BOTH(sin)
BOTH(cos)
BOTH(tan)
BOTH(asin)
BOTH(acos)
BOTH(atan)
BOTH(sinh)
BOTH(cosh)
BOTH(tanh)
BOTH(asinh)
BOTH(acosh)
BOTH(atanh)
BOTH(sqrt)
BOTH(cbrt)
BOTH(floor)
BOTH(ceil)
BOTH(trunc)
BOTH(rint)
BOTH(fabs)
BOTH(erf)
BOTH(erfc)
BOTH(lgamma)
BOTH(tgamma)
UNARY(rsqrt_32, float, rsqrtf(x[i]))
UNARY(rsqrt_64, double, rsqrt(x[i]))
UNARY(sinpi_32, float, sinpif(x[i]))
UNARY(sinpi_64, double, sinpi(x[i]))
UNARY(cospi_32, float, cospif(x[i]))
UNARY(cospi_64, double, cospi(x[i]))
UNARY(normcdf_32, float, normcdff(x[i]))
UNARY(normcdf_64, double, normcdf(x[i]))

extern "C" __global__ void integers(const unsigned* x, const unsigned* y, long long* out) {
    const int i = threadIdx.x;
    const unsigned a = x[i], b = y[i];
    const unsigned long long wide = (unsigned long long)a << 32 | b;
    long long* mine = out + 20 * i;
    mine[0] = __popc(a);
    mine[1] = __popcll(wide);
    mine[2] = __clz(int(a));
    mine[3] = __clzll((long long)wide);
    mine[4] = __ffs(int(a));
    mine[5] = __ffsll((long long)wide);
    mine[6] = __brev(a);
    mine[7] = (long long)__brevll(wide);
    mine[8] = __umulhi(a, b);
    mine[9] = __mulhi(int(a), int(b));
    mine[10] = (long long)__umul64hi(wide, wide);
    mine[11] = __mul64hi((long long)wide, (long long)wide);
    mine[12] = __funnelshift_l(a, b, 9);
    mine[13] = __funnelshift_r(a, b, 9);
    mine[14] = __byte_perm(a, b, 0x5142);
    mine[15] = __float_as_uint(__uint_as_float(a & 0x7f7fffffu));
    mine[16] = __double_as_longlong(__hiloint2double(int(a & 0x7fefffffu), int(b)));
    mine[17] = min(a, b);
    mine[18] = max(int(a), int(b));
    mine[19] = max(a, int(b));
}

// Conversions saturate.
extern "C" __global__ void conversions(const float* x, int* out) {
    const int i = threadIdx.x;
    int* mine = out + 5 * i;
    mine[0] = __float2int_rn(x[i]);
    mine[1] = __float2int_rz(x[i]);
    mine[2] = __float2int_rd(x[i]);
    mine[3] = __float2int_ru(x[i]);
    mine[4] = int(__float2uint_rz(x[i]));
}

// One rounding in an fma; two in a product and a sum.
extern "C" __global__ void fused(const float* x, float* out) {
    out[0] = fmaf(x[0], x[1], x[2]);
    out[1] = x[0] * x[1] + x[2];
    out[2] = __fmaf_rn(x[0], x[1], x[2]);
    out[3] = __fadd_rn(__fmul_rn(x[0], x[1]), x[2]);
    out[4] = fminf(x[3], 1.0f);
    out[5] = max(x[3], 1.0f);
    out[6] = isnan(x[3]) && isfinite(x[0]) && isinf(INFINITY) && signbit(-x[0]);
}

extern "C" __global__ void atomics(int* i, unsigned* u, unsigned long long* w) {
    atomicAdd(&i[0], 2);
    atomicSub(&i[1], 3);
    atomicMax(&i[2], int(threadIdx.x));
    atomicMin(&i[3], -int(threadIdx.x));
    atomicExch(&i[4], 77);
    atomicAnd(&u[0], ~(1u << threadIdx.x));
    atomicOr(&u[1], 1u << threadIdx.x);
    atomicXor(&u[2], 1u << threadIdx.x);
    atomicInc(&u[3], 9u);
    atomicCAS(&u[4], threadIdx.x, threadIdx.x + 1);
    atomicAdd(&w[0], 1ull << 40);
    atomicMax(&w[1], (unsigned long long)threadIdx.x << 33);
}

extern "C" __global__ void vectors(const float4* x, double2* y, uchar4* z, int* sizes) {
    const float4 a = __ldg(&x[threadIdx.x]);
    __stcs(&y[threadIdx.x], make_double2(a.x + a.y, a.z + a.w));
    z[threadIdx.x] = make_uchar4(1, 2, 3, threadIdx.x);
    if (threadIdx.x == 0) {
        const int found[] = {sizeof(float3), alignof(float3), sizeof(float4),  alignof(float4), sizeof(double2),
                             alignof(double2), sizeof(int2),  alignof(int2),   sizeof(short4),  alignof(short4),
                             sizeof(uchar4), alignof(uchar4), sizeof(longlong2), alignof(longlong2)};
        for (int k = 0; k < 14; k++) sizes[k] = found[k];
    }
}
