// The optimisers' updates over flat arenas: every parameter, gradient and state array is read once and the results are
// written once, in place.
//
//   sgd      b = momentum b + (1 - dampening) d;  p -= lr b    (nesterov: lr (d + momentum b))
//   adagrad  s = s + d^2;                         p -= lr d / (sqrt(s) + eps)
//   rmsprop  v = alpha v + (1 - alpha) d^2;       p -= lr d / (sqrt(v) + eps); centered: of v - m^2; with momentum
//   adam     m = b1 m + (1 - b1) d;  v = b2 v + (1 - b2) d^2;  p -= rate m / (sqrt(v) + eps)
//
// d is the gradient to follow: g + weight_decay p, with -g to maximize. What is divided by a divisor of 0 (eps 0 and
// no gradient ever) counts as 0. State is rounded to its type before it is used, as on the CPU.
//
// The scalars are arguments, computed on the host in double. In a replayed graph they come from a ``Clock`` in device
// memory instead: one thread of each block computes them in double, and the block that finishes last counts the step.
//
// A thread takes 16 bytes of every array; the elements that are left over get a thread each.
//
// Cost, in elements per parameter: sgd 3, with momentum 5; adagrad 5; rmsprop 5, 7 or 9; adam 7 (28 bytes in float).
// All arrays stream: the ceiling is the bandwidth of a device-to-device copy.
//
// Needs -DTYPE= half, float or double.
#include "last_block.cuh"
#include "types.cuh"

typedef TYPE T;
typedef Compute<T>::type R;
constexpr int LANES = 16 / sizeof(T);

DEVICE float square_root(float x) { return sqrtf(x); }
DEVICE double square_root(double x) { return sqrt(x); }

// What changes from step to step when a captured step is replayed; 32 bytes.
struct Clock {
    double lr, lr_decay;
    int64_t steps;      // that were made before this one
    uint32_t finished;  // blocks of the launch; 0 before and after
    uint32_t unused;
};

// The gradient to follow.
struct Direction {
    R weight_decay;
    int32_t maximize;

    __device__ __forceinline__ R of(R p, R g) const {
        const R up = maximize ? -g : g;
        return weight_decay == R(0) ? up : weight_decay * p + up;  // 0 times inf would be NaN
    }
};

// A number as an element of its array holds it.
DEVICE R kept(R x) { return R(T(x)); }

DEVICE R quotient(R x, R divisor) { return divisor == R(0) ? R(0) : x / divisor; }

// One update for V neighbours: rule(p, g, state) changes p and the state, of which null arrays are left out.
template <int V, int N, class Rule>
DEVICE void update(const Rule& rule, T* p, const T* g, T* const (&state)[N], uint64_t at) {
    typedef Vector<T, V> Pack;
    Pack value = *reinterpret_cast<const Pack*>(p + at), held[N];
    const Pack gradient = *reinterpret_cast<const Pack*>(g + at);
#pragma unroll
    for (int k = 0; k < N; k++)
        if (state[k]) held[k] = *reinterpret_cast<const Pack*>(state[k] + at);
#pragma unroll
    for (int j = 0; j < V; j++) {
        R x = R(value.item[j]), s[N];
#pragma unroll
        for (int k = 0; k < N; k++) s[k] = state[k] ? R(held[k].item[j]) : R(0);
        rule(x, R(gradient.item[j]), s);
        value.item[j] = T(x);
#pragma unroll
        for (int k = 0; k < N; k++) held[k].item[j] = T(s[k]);
    }
    *reinterpret_cast<Pack*>(p + at) = value;
#pragma unroll
    for (int k = 0; k < N; k++)
        if (state[k]) *reinterpret_cast<Pack*>(state[k] + at) = held[k];
}

template <int N, class Rule>
DEVICE void update_all(const Rule& rule, T* p, const T* g, T* const (&state)[N], uint32_t vectors, uint32_t count) {
    const uint32_t thread = blockIdx.x * blockDim.x + threadIdx.x;
    if (thread < vectors) update<LANES>(rule, p, g, state, (uint64_t)thread * LANES);
    else if (thread - vectors < count - vectors * LANES) {
        update<1>(rule, p, g, state, (uint64_t)vectors * LANES + (thread - vectors));
    }
}

// A scalar that one thread computes for its block.
template <class F>
DEVICE R by_one_thread(F compute) {
    __shared__ R value;
    if (threadIdx.x == 0) value = compute();
    __syncthreads();
    return value;
}

// ``last``: the launch is the last of the step, or the only one.
DEVICE void count_step(Clock* clock, int32_t last) {
    if (clock && last && is_last_block(&clock->finished, gridDim.x) && threadIdx.x == 0) clock->steps++;
}

// --- sgd ------------------------------------------------------------------------------------------------------

struct Sgd {
    R lr, momentum, fresh;  // fresh = 1 - dampening
    Direction direction;
    int32_t nesterov, first;
    bool buffered;

    __device__ __forceinline__ void operator()(R& p, R g, R (&buffer)[1]) const {
        const R d = direction.of(p, g);
        R step = d;
        if (buffered) {
            buffer[0] = kept(first ? d : momentum * buffer[0] + fresh * d);
            step = nesterov ? d + momentum * buffer[0] : buffer[0];
        }
        p -= lr * step;
    }
};

extern "C" __global__ void __launch_bounds__(256)
sgd(T* __restrict__ p, const T* __restrict__ g, T* __restrict__ buffer, Clock* clock, uint32_t vectors, uint32_t count,
    R lr, R momentum, R fresh, R weight_decay, int32_t nesterov, int32_t maximize, int32_t first, int32_t last) {
    T* const state[1] = {buffer};
    if (clock) lr = kept(R(clock->lr));
    const Sgd rule = {lr, momentum, fresh, {weight_decay, maximize}, nesterov, first, buffer != nullptr};
    update_all(rule, p, g, state, vectors, count);
    count_step(clock, last);
}

// --- adagrad --------------------------------------------------------------------------------------------------

struct Adagrad {
    R lr, eps;
    Direction direction;

    __device__ __forceinline__ void operator()(R& p, R g, R (&total)[1]) const {
        const R d = direction.of(p, g);
        total[0] = kept(total[0] + d * d);
        p -= lr * quotient(d, square_root(total[0]) + eps);
    }
};

extern "C" __global__ void __launch_bounds__(256)
adagrad(T* __restrict__ p, const T* __restrict__ g, T* __restrict__ total, Clock* clock, uint32_t vectors,
        uint32_t count, R lr, R eps, R weight_decay, int32_t maximize, int32_t last) {
    T* const state[1] = {total};
    if (clock) lr = by_one_thread([&] { return kept(R(clock->lr / (1 + clock->steps * clock->lr_decay))); });
    const Adagrad rule = {lr, eps, {weight_decay, maximize}};
    update_all(rule, p, g, state, vectors, count);
    count_step(clock, last);
}

// --- rmsprop --------------------------------------------------------------------------------------------------

struct RmsProp {
    R lr, alpha, fresh, eps, momentum;  // fresh = 1 - alpha
    Direction direction;
    bool centered, buffered;

    __device__ __forceinline__ void operator()(R& p, R g, R (&state)[3]) const {
        const R d = direction.of(p, g);
        state[0] = kept(alpha * state[0] + fresh * (d * d));
        R spread = state[0];
        if (centered) {
            state[1] = kept(alpha * state[1] + fresh * d);
            spread = kept(spread - kept(state[1] * state[1]));
            spread = spread < R(0) ? R(0) : spread;  // a steady gradient has no variance
        }
        R step = quotient(d, square_root(spread) + eps);
        if (buffered) step = state[2] = kept(momentum * state[2] + step);
        p -= lr * step;
    }
};

extern "C" __global__ void __launch_bounds__(256)
rmsprop(T* __restrict__ p, const T* __restrict__ g, T* __restrict__ square_avg, T* __restrict__ grad_avg,
        T* __restrict__ buffer, Clock* clock, uint32_t vectors, uint32_t count, R lr, R alpha, R fresh, R eps,
        R weight_decay, R momentum, int32_t maximize, int32_t last) {
    T* const state[3] = {square_avg, grad_avg, buffer};
    if (clock) lr = kept(R(clock->lr));
    const RmsProp rule = {lr, alpha, fresh, eps, momentum, {weight_decay, maximize}, grad_avg != nullptr,
                          buffer != nullptr};
    update_all(rule, p, g, state, vectors, count);
    count_step(clock, last);
}

// --- adam -----------------------------------------------------------------------------------------------------

struct Adam {
    R rate, eps, keep1, fresh1, keep2, fresh2, shrink;
    Direction direction;

    __device__ __forceinline__ void operator()(R& p, R g, R (&state)[2]) const {
        const R d = direction.of(p, g);
        if (shrink != R(1)) p *= shrink;
        state[0] = kept(keep1 * state[0] + fresh1 * d);
        state[1] = kept(keep2 * state[1] + fresh2 * (d * d));
        p -= rate * quotient(state[0], square_root(state[1]) + eps);
    }
};

// What the bias corrections 1 - beta^step make of the learning rate and eps; see adam() in backends/cpu/updates.py.
struct AdamScalars {
    R rate, eps, shrink;
};

extern "C" __global__ void __launch_bounds__(256)
adam(T* __restrict__ p, const T* __restrict__ g, T* __restrict__ exp_avg, T* __restrict__ exp_avg_sq, Clock* clock,
     double beta1, double beta2, double epsilon, double decay, uint32_t vectors, uint32_t count, R rate, R eps, R keep1,
     R fresh1, R keep2, R fresh2, R shrink, R weight_decay, int32_t maximize, int32_t last) {
    T* const state[2] = {exp_avg, exp_avg_sq};
    if (clock) {
        __shared__ AdamScalars scalars;
        if (threadIdx.x == 0) {
            const double step = (double)(clock->steps + 1), root = sqrt(1 - pow(beta2, step));
            scalars.rate = kept(R(clock->lr * root / (1 - pow(beta1, step))));
            scalars.eps = kept(R(root * epsilon));
            scalars.shrink = kept(R(1 - clock->lr * decay));
        }
        __syncthreads();
        rate = scalars.rate;
        eps = scalars.eps;
        shrink = scalars.shrink;
    }
    const Adam rule = {rate, eps, keep1, fresh1, keep2, fresh2, shrink, {weight_decay, maximize}};
    update_all(rule, p, g, state, vectors, count);
    count_step(clock, last);
}
