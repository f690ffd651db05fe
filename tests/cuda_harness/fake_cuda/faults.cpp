// Wild pointers: while a kernel or a copy runs, the signals that they raise lead back to the driver.

#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "driver.h"

namespace {

constexpr int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGVTALRM};
constexpr size_t signal_stack_bytes = 64 * 1024;

sigjmp_buf way_out;
volatile bool armed = false;
pthread_t runner;
Fault caught;

void handle(int signal, siginfo_t *information, void *) {
    if (!armed || !pthread_equal(pthread_self(), runner)) {
        if (armed && signal == SIGVTALRM)
            pthread_kill(runner, signal);  // any thread may get the timer's
        else
            std::signal(signal, SIG_DFL);  // not a kernel's fault: it happens again, and ends the process as it should
        return;
    }
    armed = false;
    caught.signal = signal;
    caught.address = reinterpret_cast<uintptr_t>(information->si_addr);
    siglongjmp(way_out, 1);
}

long time_limit_in_seconds() {
    static long limit = [] {
        const char *text = getenv("FAKE_CUDA_TIMEOUT");
        return text && *text ? atol(text) : 60;
    }();
    return limit;
}

// A kernel that never ends is stopped by the processor time it has used.
void set_timer(long seconds) {
    itimerval timer = {};
    timer.it_value.tv_sec = seconds;
    setitimer(ITIMER_VIRTUAL, &timer, nullptr);
}

}  // namespace

bool run_guarded(void (*body)(void *), void *argument, Fault *fault) {
    static char *signal_stack = static_cast<char *>(
        mmap(nullptr, signal_stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    stack_t ours = {}, theirs = {};
    ours.ss_sp = signal_stack;
    ours.ss_size = signal_stack_bytes;
    sigaltstack(&ours, &theirs);
    struct sigaction action = {}, before[sizeof signals / sizeof *signals];
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, &before[i]);
    set_timer(time_limit_in_seconds());

    bool survived = sigsetjmp(way_out, 0) == 0;
    if (survived) {
        runner = pthread_self();
        armed = true;
        body(argument);
        armed = false;
    } else {
        *fault = caught;
    }

    set_timer(0);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &before[i], nullptr);
    sigaltstack(&theirs, nullptr);
    return survived;
}
