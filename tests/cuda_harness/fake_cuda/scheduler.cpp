// The threads of a block, in an order of the tests' choosing.
//
// A thread runs until it waits at a barrier or ends. One that ends leaves its fiber to the next that has not begun, so a
// kernel without barriers costs a call per thread. The schedule decides who is next: in order, in reverse, or at random
// by seed; a race shows as a result that depends on it.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "machine.h"

Machine machine;

uint64_t random_number() {  // splitmix64 (Steele, Lea, Flood 2014)
    uint64_t z = machine.random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// --- Errors -------------------------------------------------------------------------------------------------

static std::string name_of(unsigned thread) {
    char text[64];
    const unsigned *c = &machine.coordinates[3 * thread];
    snprintf(text, sizeof text, "thread (%u, %u, %u)", c[0], c[1], c[2]);
    return text;
}

static std::string name_of(EmulatedSite site) {
    const char *slash = strrchr(site.file, '/');
    return std::string(slash ? slash + 1 : site.file) + ":" + std::to_string(site.line);
}

std::string name_of_block() {
    const unsigned *b = machine.module->block_index;
    char text[64];
    snprintf(text, sizeof text, "block (%u, %u, %u)", b[0], b[1], b[2]);
    return text;
}

std::string here() { return name_of_block() + ", " + name_of(machine.current); }

static const char *name_of(EmulatedWait kind) {
    switch (kind) {
    case wait_block: return "__syncthreads";
    case wait_block_count: return "__syncthreads_count";
    case wait_block_and: return "__syncthreads_and";
    case wait_block_or: return "__syncthreads_or";
    case wait_warp: return "__syncwarp";
    case wait_shuffle: return "a shuffle";
    default: return "a vote";
    }
}

static std::string waiting_place(unsigned thread) {
    const Thread &t = machine.threads[thread];
    return name_of(thread) + " at " + name_of(t.kind) + " in " + name_of(t.site);
}

// End the launch; the threads that still wait are never continued.
[[noreturn]] static void give_up(Result code, const std::string &text) {
    machine.result.code = code;
    machine.result.text = text;
    Fiber *from = machine.fiber;
    machine.fiber = &machine.launcher;
    switch_fiber(*from, machine.launcher);
    abort();
}

[[noreturn]] static void report_deadlock() {
    std::string text = "threads wait for each other: ";
    unsigned shown = 0;
    EmulatedSite last = {"", 0};
    for (unsigned i = 0; i < machine.threads_per_block && shown < 3; i++) {
        const Thread &t = machine.threads[i];
        if (t.waiting != Waiting::block && t.waiting != Waiting::warp)
            continue;
        if (shown && last.line == t.site.line && !strcmp(last.file, t.site.file))
            continue;
        text += (shown++ ? "; " : "") + waiting_place(i);
        last = t.site;
    }
    give_up(LAUNCH_FAILED, text);
}

// --- Who is next --------------------------------------------------------------------------------------------

void make_ready(unsigned thread) {
    unsigned n = machine.threads_per_block;
    unsigned slot = machine.ready_head + machine.ready_count++;
    machine.ready[slot < n ? slot : slot - n] = thread;
}

unsigned take_next() {
    Machine &m = machine;
    if (m.ready_count == 0)
        return nobody;
    unsigned n = m.threads_per_block;
    if (m.order == Order::random) {
        unsigned slot = m.ready_head + unsigned(random_number() % m.ready_count);
        std::swap(m.ready[slot < n ? slot : slot - n], m.ready[m.ready_head]);
    }
    unsigned thread = m.ready[m.ready_head];
    m.ready_head = m.ready_head + 1 == n ? 0 : m.ready_head + 1;
    m.ready_count--;
    return thread;
}

// Let the threads [begin, end) that wait as `what` go on.
static void release(unsigned begin, unsigned end, Waiting what) {
    auto free_one = [&](unsigned i) {
        if (machine.threads[i].waiting == what) {
            machine.threads[i].waiting = Waiting::no;
            make_ready(i);
        }
    };
    if (machine.order == Order::reverse)
        for (unsigned i = end; i-- > begin;)
            free_one(i);
    else
        for (unsigned i = begin; i < end; i++)
            free_one(i);
}

static void release_block_if_complete() {
    Block &b = machine.block;
    if (b.arrived == 0 || b.arrived != b.alive)
        return;
    b.voters[b.parity] = b.arrived;
    b.arrived = 0;
    b.parity ^= 1;
    b.true_predicates[b.parity] = 0;
    release(0, machine.threads_per_block, Waiting::block);
}

static void release_warp_if_complete(unsigned index) {
    Warp &w = machine.warps[index];
    if (w.arrived == 0 || w.arrived != w.alive)
        return;
    w.arrived = 0;
    w.parity ^= 1;
    w.lanes[w.parity] = 0;
    unsigned begin = index * warp_size;
    release(begin, std::min(begin + warp_size, machine.threads_per_block), Waiting::warp);
}

// --- Running ------------------------------------------------------------------------------------------------

static void show_indices(unsigned thread) {
    memcpy(machine.module->thread_index, &machine.coordinates[3 * thread], 3 * sizeof(unsigned));
}

void go_to(Fiber *fiber) {
    Fiber *from = machine.fiber;
    machine.fiber = fiber;
    switch_fiber(*from, *fiber);
}

Fiber *idle_fiber() {
    Machine &m = machine;
    if (m.idle.empty()) {
        m.fibers.push_back(std::make_unique<Fiber>());
        Fiber *fiber = m.fibers.back().get();
        if (!prepare_fiber(*fiber, fiber_main)) {
            m.fibers.pop_back();
            give_up(LAUNCH_OUT_OF_RESOURCES, "no memory for the stack of a thread");
        }
        return fiber;
    }
    Fiber *fiber = m.idle.back();
    m.idle.pop_back();
    return fiber;
}

// Continue with another thread, begun or not; `machine.current` is the caller again when this returns.
static void run_instead(unsigned next) {
    unsigned self = machine.current;
    if (next != self) {
        Fiber *fiber = machine.threads[next].fiber;
        if (!fiber)
            fiber = idle_fiber();
        machine.current = next;
        go_to(fiber);
        machine.current = self;
    }
    show_indices(self);
}

void fiber_main() {
    Machine &m = machine;
    for (;;) {
        unsigned self = m.current;
        m.threads[self].fiber = m.fiber;
        show_indices(self);
        m.kernel->run(m.parameters);

        m.threads[self].waiting = Waiting::ended;
        m.block.alive--;
        m.warps[self / warp_size].alive--;
        release_warp_if_complete(self / warp_size);
        release_block_if_complete();
        unsigned next = take_next();
        if (next == nobody) {
            if (m.block.alive)
                report_deadlock();
            m.idle.push_back(m.fiber);
            go_to(&m.launcher);  // continues here when the fiber is used again
            continue;
        }
        m.current = next;
        if (Fiber *waiting = m.threads[next].fiber) {
            m.idle.push_back(m.fiber);
            go_to(waiting);
        }
    }
}

// Wait for the others of a meeting, which `complete` looks after.
template <class Complete>
static void meet(Meeting &meeting, Waiting waiting, EmulatedWait kind, EmulatedSite site, Complete complete) {
    Machine &m = machine;
    Thread &self = m.threads[m.current];
    self.kind = kind;
    self.site = site;
    if (meeting.arrived++ == 0) {
        meeting.first = m.current;
    } else {
        const Thread &other = m.threads[meeting.first];
        if (other.kind != kind || other.site.line != site.line ||
            (other.site.file != site.file && strcmp(other.site.file, site.file)))
            give_up(LAUNCH_FAILED, "threads wait at different barriers: " + waiting_place(meeting.first) + "; " +
                                       waiting_place(m.current));
    }
    self.waiting = waiting;
    complete();
    unsigned next = take_next();
    if (next == nobody)
        report_deadlock();
    run_instead(next);
}

// --- What kernels call --------------------------------------------------------------------------------------

static int block_barrier(EmulatedWait kind, EmulatedSite site, int predicate) {
    Block &b = machine.block;
    unsigned parity = b.parity;
    b.true_predicates[parity] += predicate != 0;
    meet(b, Waiting::block, kind, site, release_block_if_complete);
    unsigned yes = b.true_predicates[parity];
    switch (kind) {
    case wait_block_count: return int(yes);
    case wait_block_and: return yes == b.voters[parity];
    case wait_block_or: return yes != 0;
    default: return 0;
    }
}

static EmulatedExchange warp_exchange(EmulatedWait kind, EmulatedSite site, uint32_t mask, uint64_t value) {
    unsigned index = machine.current / warp_size, lane = machine.current % warp_size;
    if (mask != 0xffffffffu)
        give_up(LAUNCH_FAILED, here() + ": " + name_of(kind) + " in " + name_of(site) + " with a partial mask");
    Warp &w = machine.warps[index];
    unsigned parity = w.parity;
    w.values[parity][lane] = value;
    w.lanes[parity] |= 1u << lane;
    meet(w, Waiting::warp, kind, site, [index] { release_warp_if_complete(index); });
    return {w.values[parity], w.lanes[parity], lane};
}

static void place_shared(EmulatedSharedVariable *variable, size_t bytes, size_t alignment, const char *name, int line) {
    if (!machine.shared.place(variable, bytes, alignment, name))
        give_up(LAUNCH_OUT_OF_RESOURCES, "line " + std::to_string(line) + ": with " + name + " the block has " +
                                             std::to_string(machine.shared.static_bytes()) +
                                             " bytes of static shared memory, allowed are " +
                                             std::to_string(default_shared_bytes));
}

static void *dynamic_shared(size_t alignment) { return machine.shared.dynamic(alignment); }

static void misaligned(const void *address, size_t alignment, const char *type, EmulatedSite site) {
    char text[256];
    snprintf(text, sizeof text, ": address %p is misaligned for %s, which needs %zu bytes, in ", address, type, alignment);
    give_up(MISALIGNED_ADDRESS, here() + text + name_of(site));
}

static void out_of_bounds(uint64_t index, const char *type, EmulatedSite site) {
    char text[256];
    snprintf(text, sizeof text, ": index %lld is out of the bounds of %s in ", static_cast<long long>(index), type);
    give_up(ILLEGAL_ADDRESS, here() + text + name_of(site));
}

static void trap(EmulatedSite site) { give_up(LAUNCH_FAILED, here() + ": __trap in " + name_of(site)); }

static const EmulatedServices table = {block_barrier, warp_exchange, place_shared, dynamic_shared,
                                misaligned,    out_of_bounds, trap};

const EmulatedServices *services() { return &table; }

// --- The order ----------------------------------------------------------------------------------------------

void set_schedule(const char *text) {
    if (!strcmp(text, "forward"))
        machine.order = Order::forward;
    else if (!strcmp(text, "reverse"))
        machine.order = Order::reverse;
    else
        machine.order = Order::random;
    machine.seed = strtoull(text, nullptr, 10);
    machine.random_state = machine.seed;
}
