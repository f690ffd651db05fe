// The state of the launch that is running, shared by grid.cpp, which leads it, and scheduler.cpp, which its threads call.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "driver.h"
#include "fibers.h"
#include "shared_memory.h"

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

extern Machine machine;

uint64_t random_number();

// Who is next.
void make_ready(unsigned thread);
unsigned take_next();

// Fibers: one to begin on, the loop that each runs, and the way from one to another.
Fiber *idle_fiber();
void fiber_main();
void go_to(Fiber *fiber);

// For the texts of errors: the running block, and with it the running thread.
std::string name_of_block();
std::string here();
