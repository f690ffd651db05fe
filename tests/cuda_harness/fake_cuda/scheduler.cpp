// The threads of a block, in an order of the tests' choosing.
//
// A thread runs until it waits at a barrier or ends. One that ends leaves its fiber to the next that has not begun, so a
// kernel without barriers costs a call per thread. Blocks run one after another. The schedule decides who is next: in
// order, in reverse, or at random by seed; a race shows as a result that depends on it.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "driver.h"
#include "fibers.h"
#include "shared_memory.h"

namespace {

enum class Order { forward, reverse, random };
enum class Waiting : uint8_t { no, block, warp, ended };

struct Thread {
    Fiber *fiber = nullptr;  // null until it begins
    Waiting waiting = Waiting::no;
    EmulatedWait kind;
    EmulatedSite site;
};

// Threads that wait together; all must have come to the same place.
struct Meeting {
    unsigned alive = 0, arrived = 0;
    unsigned first = 0;   // a thread that waits
    unsigned parity = 0;  // results of two meetings in a row are kept apart: some may still read the older
};

struct Warp : Meeting {
    uint64_t values[2][warp_size];
    uint32_t lanes[2];
};

struct Block : Meeting {
    unsigned true_predicates[2];
    unsigned voters[2];
};

constexpr unsigned nobody = ~0u;

struct Machine {
    // The launch.
    const EmulatedKernel *kernel;
    const EmulatedModule *module;
    const char *parameters;
    unsigned grid[3], block_dim[3];
    unsigned threads_per_block = 0;
    size_t dynamic_bytes = 0;

    // The block.
    Block block;
    std::vector<Warp> warps;
    std::vector<Thread> threads;
    std::vector<unsigned> coordinates;  // three for each thread
    std::vector<unsigned> ready;        // a ring of the threads that could go on
    unsigned ready_head = 0, ready_count = 0;

    // Who is running.
    unsigned current = 0;
    Fiber *fiber = nullptr;
    Fiber launcher;
    std::vector<std::unique_ptr<Fiber>> fibers;
    std::vector<Fiber *> idle;

    SharedMemory shared;
    uint64_t epoch = 0;

    Order order = Order::forward;
    uint64_t seed = 0, random_state = 0;
    ScheduleResult result;
};

Machine machine;

uint64_t random_number() {  // splitmix64 (Steele, Lea, Flood 2014)
    uint64_t z = machine.random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// --- Errors -------------------------------------------------------------------------------------------------

std::string name_of(unsigned thread) {
    char text[64];
    const unsigned *c = &machine.coordinates[3 * thread];
    snprintf(text, sizeof text, "thread (%u, %u, %u)", c[0], c[1], c[2]);
    return text;
}

std::string name_of(EmulatedSite site) {
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

const char *name_of(EmulatedWait kind) {
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

std::string waiting_place(unsigned thread) {
    const Thread &t = machine.threads[thread];
    return name_of(thread) + " at " + name_of(t.kind) + " in " + name_of(t.site);
}

// End the launch; the threads that still wait are never continued.
[[noreturn]] void give_up(Result code, const std::string &text) {
    machine.result.code = code;
    machine.result.text = text;
    Fiber *from = machine.fiber;
    machine.fiber = &machine.launcher;
    switch_fiber(*from, machine.launcher);
    abort();
}

[[noreturn]] void report_deadlock() {
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
void release(unsigned begin, unsigned end, Waiting what) {
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

void release_block_if_complete() {
    Block &b = machine.block;
    if (b.arrived == 0 || b.arrived != b.alive)
        return;
    b.voters[b.parity] = b.arrived;
    b.arrived = 0;
    b.parity ^= 1;
    b.true_predicates[b.parity] = 0;
    release(0, machine.threads_per_block, Waiting::block);
}

void release_warp_if_complete(unsigned index) {
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

void show_indices(unsigned thread) {
    memcpy(machine.module->thread_index, &machine.coordinates[3 * thread], 3 * sizeof(unsigned));
}

void fiber_main();

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
void run_instead(unsigned next) {
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
void meet(Meeting &meeting, Waiting waiting, EmulatedWait kind, EmulatedSite site, Complete complete) {
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

int block_barrier(EmulatedWait kind, EmulatedSite site, int predicate) {
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

EmulatedExchange warp_exchange(EmulatedWait kind, EmulatedSite site, uint32_t mask, uint64_t value) {
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

void place_shared(EmulatedSharedVariable *variable, size_t bytes, size_t alignment, const char *name, int line) {
    if (!machine.shared.place(variable, bytes, alignment, name))
        give_up(LAUNCH_OUT_OF_RESOURCES, "line " + std::to_string(line) + ": with " + name + " the block has " +
                                             std::to_string(machine.shared.static_bytes()) +
                                             " bytes of static shared memory, allowed are " +
                                             std::to_string(default_shared_bytes));
}

void *dynamic_shared(size_t alignment) { return machine.shared.dynamic(alignment); }

void misaligned(const void *address, size_t alignment, const char *type, EmulatedSite site) {
    char text[256];
    snprintf(text, sizeof text, ": address %p is misaligned for %s, which needs %zu bytes, in ", address, type, alignment);
    give_up(MISALIGNED_ADDRESS, here() + text + name_of(site));
}

void out_of_bounds(uint64_t index, const char *type, EmulatedSite site) {
    char text[256];
    snprintf(text, sizeof text, ": index %lld is out of the bounds of %s in ", static_cast<long long>(index), type);
    give_up(ILLEGAL_ADDRESS, here() + text + name_of(site));
}

void trap(EmulatedSite site) { give_up(LAUNCH_FAILED, here() + ": __trap in " + name_of(site)); }

const EmulatedServices table = {block_barrier, warp_exchange, place_shared, dynamic_shared,
                                misaligned,    out_of_bounds, trap};

// --- A launch -----------------------------------------------------------------------------------------------

void run_block(unsigned x, unsigned y, unsigned z) {
    Machine &m = machine;
    unsigned n = m.threads_per_block;
    unsigned index[3] = {x, y, z};
    memcpy(m.module->block_index, index, sizeof index);
    *m.module->epoch = ++m.epoch;
    m.shared.begin_block(m.dynamic_bytes, m.epoch);
    m.block = Block();
    m.block.alive = n;
    m.block.true_predicates[0] = 0;
    m.ready_head = m.ready_count = 0;
    for (unsigned i = 0; i < n; i++) {
        m.threads[i].fiber = nullptr;
        m.threads[i].waiting = Waiting::no;
        make_ready(m.order == Order::reverse ? n - 1 - i : i);
    }
    for (unsigned w = 0; w < m.warps.size(); w++) {
        static_cast<Meeting &>(m.warps[w]) = Meeting();
        m.warps[w].alive = std::min(warp_size, n - w * warp_size);
        m.warps[w].lanes[0] = 0;
    }
    m.current = take_next();
    m.fiber = &m.launcher;
    go_to(idle_fiber());
    m.result.static_shared = std::max(m.result.static_shared, m.shared.static_bytes());
    std::string damage = m.result.code == SUCCESS ? m.shared.damage() : "";
    if (!damage.empty()) {
        m.result.code = ILLEGAL_ADDRESS;
        m.result.text = name_of_block() + " " + damage;
    }
}

void run_blocks(void *) {
    Machine &m = machine;
    uint64_t count = uint64_t(m.grid[0]) * m.grid[1] * m.grid[2];
    // i -> (i * step + start) mod count visits every block once if step and count have no common divisor.
    uint64_t start = 0, step = 1;
    if (m.order == Order::reverse) {
        start = count - 1;
        step = count - 1;
    } else if (m.order == Order::random && count > 1) {
        start = random_number() % count;
        do
            step = 1 + random_number() % (count - 1);
        while (std::__gcd(step, count) != 1);
    }
    for (uint64_t i = 0; i < count && m.result.code == SUCCESS; i++) {
        uint64_t b = uint64_t((static_cast<unsigned __int128>(i) * step + start) % count);
        run_block(unsigned(b % m.grid[0]), unsigned(b / m.grid[0] % m.grid[1]), unsigned(b / m.grid[0] / m.grid[1]));
        state().counters.threads += m.threads_per_block;
    }
}

void lay_out_threads(const unsigned block[3]) {
    Machine &m = machine;
    unsigned n = block[0] * block[1] * block[2];
    if (n == m.threads_per_block && !memcmp(m.block_dim, block, sizeof m.block_dim))
        return;
    memcpy(m.block_dim, block, sizeof m.block_dim);
    m.threads_per_block = n;
    m.threads.resize(n);
    m.ready.resize(n);
    m.warps.resize((n + warp_size - 1) / warp_size);
    m.coordinates.clear();
    for (unsigned z = 0; z < block[2]; z++)
        for (unsigned y = 0; y < block[1]; y++)
            for (unsigned x = 0; x < block[0]; x++)
                m.coordinates.insert(m.coordinates.end(), {x, y, z});
}

// After an error the fibers stand somewhere in the middle of a kernel: let all begin anew.
void abandon_fibers() {
    Machine &m = machine;
    m.idle.clear();
    for (auto &fiber : m.fibers) {
        prepare_fiber(*fiber, fiber_main);
        m.idle.push_back(fiber.get());
    }
}

std::string describe(const Fault &fault) {
    for (auto &fiber : machine.fibers)
        if (fault.address >= reinterpret_cast<uintptr_t>(fiber->stack) - fiber_guard_bytes &&
            fault.address < reinterpret_cast<uintptr_t>(fiber->stack))
            return here() + ": the thread needs more than " + std::to_string(fiber_stack_bytes) + " bytes of stack";
    if (fault.signal == SIGFPE)
        return here() + ": an integer was divided by zero, which a GPU does not notice";
    if (machine.shared.is_behind_dynamic(fault.address))
        return here() + ": access behind the " + std::to_string(machine.dynamic_bytes) + " bytes of dynamic shared memory";
    return here() + ": " + describe_address(fault.address);
}

}  // namespace

const EmulatedServices *services() { return &table; }

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

ScheduleResult run_grid(const EmulatedKernel &kernel, const EmulatedModule &module, const unsigned grid[3],
                        const unsigned block[3], size_t dynamic_shared_bytes, const char *parameters) {
    Machine &m = machine;
    m.kernel = &kernel;
    m.module = &module;
    m.parameters = parameters;
    m.dynamic_bytes = dynamic_shared_bytes;
    m.result = ScheduleResult();
    memcpy(m.grid, grid, sizeof m.grid);
    lay_out_threads(block);
    memcpy(module.block_dim, block, sizeof m.block_dim);
    memcpy(module.grid_dim, grid, sizeof m.grid);

    Fault fault;
    if (!run_guarded(run_blocks, nullptr, &fault)) {
        bool endless = fault.signal == SIGVTALRM;
        m.result.code = endless ? LAUNCH_TIMEOUT : ILLEGAL_ADDRESS;
        m.result.text = endless ? here() + ": the kernel does not end" : describe(fault);
    }
    if (m.result.code != SUCCESS)
        abandon_fibers();
    return m.result;
}
