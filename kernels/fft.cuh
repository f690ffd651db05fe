// The parts of a discrete Fourier transform: where its input comes from and its output goes, roots of unity, butterflies.
//
// Only the transform X_k = sum_j x_j exp(-2 pi i j k / n) is computed. The other sign is the same with the real and the
// imaginary part exchanged on the way in and on the way out.
#pragma once

#include "complex.cuh"

typedef complex<REAL> Complex;

DEVICE Complex exchanged(Complex z) { return Complex(z.imag, z.real); }

// Rows of input, which are read as n complex numbers.
struct Input {
    enum Form { COMPLEX, REAL_NUMBERS, HALF };  // HALF: the others are conjugates of the first n / 2 + 1

    int64_t row;     // numbers of type REAL from one row to the next
    uint32_t n;      // elements that are wanted
    uint32_t count;  // elements there are: zeros follow them
    int32_t form, exchange;

    __device__ __forceinline__ Complex at(const REAL* data, int64_t r, uint32_t k) const {
        const REAL* begin = data + r * row;
        if (form == REAL_NUMBERS) {
            const REAL x = k < count ? begin[k] : REAL(0);
            return exchange ? Complex(REAL(0), x) : Complex(x, REAL(0));
        }
        const bool mirror = form == HALF && k > n / 2;
        const uint32_t source = mirror ? n - k : k;
        Complex z = source < count ? reinterpret_cast<const Complex*>(begin)[source] : Complex(REAL(0), REAL(0));
        if (mirror) z.imag = -z.imag;
        if (form == HALF && (k == 0 || 2 * k == n)) z.imag = REAL(0);  // they are their own conjugates
        return exchange ? exchanged(z) : z;
    }
};

// Rows of output, one behind the other: the first `kept` elements, or their real parts, times a factor.
struct Output {
    uint32_t kept;
    int16_t real, exchange;
    REAL scale;

    __device__ __forceinline__ void put(REAL* data, int64_t r, uint32_t k, Complex z) const {
        if (k >= kept) return;
        if (exchange) z = exchanged(z);
        const int64_t at = r * kept + k;
        if (real) data[at] = z.real * scale;
        else reinterpret_cast<Complex*>(data)[at] = Complex(z.real * scale, z.imag * scale);
    }
};

// exp(-2 pi i k / n) to the last bit: symmetry leaves angles of at most an eighth of a turn, computed in float64.
DEVICE Complex root_of_unity(uint32_t k, uint32_t n) {
    const uint64_t fourfold = 4 * (uint64_t)k;
    const uint32_t quadrant = (uint32_t)(fourfold / n), rest = (uint32_t)(fourfold % n);
    const bool upper = rest > n - rest;
    double sine, cosine;
    sincospi((double)(upper ? n - rest : rest) / (2.0 * n), &sine, &cosine);
    const double c = upper ? sine : cosine, s = upper ? cosine : sine;
    const double real = quadrant == 0 ? c : quadrant == 1 ? -s : quadrant == 2 ? -c : s;
    const double imag = quadrant == 0 ? s : quadrant == 1 ? c : quadrant == 2 ? -s : -c;
    return Complex((REAL)real, (REAL)-imag);
}

// --- butterflies: transforms of R points in registers ------------------------------------------------------

DEVICE Complex turned(Complex z) { return Complex(z.imag, -z.real); }  // times -i

DEVICE void butterfly(Complex (&z)[2]) {
    const Complex a = z[0];
    z[0] = a + z[1];
    z[1] = a - z[1];
}

DEVICE void butterfly(Complex (&z)[3]) {
    const REAL sine = REAL(0.86602540378443864676);  // of a third of a turn
    const Complex sum = z[1] + z[2], difference = turned(sine * (z[1] - z[2]));
    const Complex middle = z[0] - REAL(0.5) * sum;
    z[0] = z[0] + sum;
    z[1] = middle + difference;
    z[2] = middle - difference;
}

DEVICE void butterfly(Complex (&z)[4]) {
    const Complex a = z[0] + z[2], b = z[0] - z[2], c = z[1] + z[3], d = turned(z[1] - z[3]);
    z[0] = a + c;
    z[1] = b + d;
    z[2] = a - c;
    z[3] = b - d;
}

DEVICE void butterfly(Complex (&z)[5]) {
    // Cosines and sines of one and two fifths of a turn.
    const REAL c1 = REAL(0.30901699437494742410), c2 = REAL(-0.80901699437494742410);
    const REAL s1 = REAL(0.95105651629515357212), s2 = REAL(0.58778525229247312917);
    const Complex p = z[1] + z[4], q = z[2] + z[3], u = turned(z[1] - z[4]), v = turned(z[2] - z[3]);
    const Complex a = z[0] + (c1 * p + c2 * q), b = z[0] + (c2 * p + c1 * q);
    const Complex c = s1 * u + s2 * v, d = s2 * u - s1 * v;
    z[0] = z[0] + (p + q);
    z[1] = a + c;
    z[2] = b + d;
    z[3] = b - d;
    z[4] = a - c;
}

// Butterfly j of a pass that makes transforms of R * done points from R transforms of `done` points (Stockham's order:
// Govindaraju, Lloyd, Dotsenko, Smith, Manferdelli, "High performance discrete Fourier transforms on graphics
// processors", SC 2008). read(k) and write(k, z) are element k before and after the pass; roots are those of n * finer.
template <int R, class Read, class Write>
DEVICE void pass(uint32_t j, uint32_t n, uint32_t done, const Complex* __restrict__ roots, uint32_t finer,
                 const Read& read, const Write& write) {
    const uint32_t inside = j % done, step = n / (done * R) * finer;
    Complex z[R];
#pragma unroll
    for (int r = 0; r < R; r++) {
        z[r] = read(j + r * (n / R));
        if (r > 0 && done > 1) z[r] = roots[r * inside * step] * z[r];
    }
    butterfly(z);
#pragma unroll
    for (int r = 0; r < R; r++) write((j - inside) * R + inside + r * done, z[r]);
}

template <class Read, class Write>
DEVICE void pass_of(uint32_t radix, uint32_t j, uint32_t n, uint32_t done, const Complex* __restrict__ roots,
                    uint32_t finer, const Read& read, const Write& write) {
    if (radix == 4) pass<4>(j, n, done, roots, finer, read, write);
    else if (radix == 2) pass<2>(j, n, done, roots, finer, read, write);
    else if (radix == 3) pass<3>(j, n, done, roots, finer, read, write);
    else pass<5>(j, n, done, roots, finer, read, write);
}

// Transform `own` lines of n elements in shared memory; returns where they are then, `before` or `after`. The radices of the
// passes are the digits of plan, four bits each, the first pass lowest.
DEVICE Complex* transform_in_shared(Complex* before, Complex* after, uint32_t n, uint32_t own, uint64_t plan,
                                    const Complex* __restrict__ roots, uint32_t finer) {
    for (uint32_t done = 1; plan; plan >>= 4) {
        const uint32_t radix = plan & 15, butterflies = n / radix;
        __syncthreads();
        for (uint32_t i = threadIdx.x; i < own * butterflies; i += blockDim.x) {
            const uint32_t line = i / butterflies, base = line * n;
            const auto read = [&](uint32_t k) { return before[base + k]; };
            const auto write = [&](uint32_t k, Complex z) { after[base + k] = z; };
            pass_of(radix, i - line * butterflies, n, done, roots, finer, read, write);
        }
        Complex* const swap = before;
        before = after;
        after = swap;
        done *= radix;
    }
    __syncthreads();
    return before;
}
