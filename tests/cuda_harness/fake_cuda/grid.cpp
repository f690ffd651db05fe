// A launch: its blocks one after another, in the order of the schedule, and what becomes of it when a thread fails.

#include <algorithm>
#include <csignal>
#include <cstring>

#include "machine.h"

namespace {

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
