// The signal handler; the flag is the only thing it touches.
#include "runtime/src/app/Interrupt.h"
#include <csignal>

namespace quartet::rt {

static std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free,
              "a signal handler may only store to lock-free atomics");

static void handleInterrupt(int) { interrupted.store(true); }

InterruptGuard::InterruptGuard() {
  interrupted.store(false);
  struct sigaction action = {};
  action.sa_handler = handleInterrupt;
  action.sa_flags = int(SA_RESETHAND) | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
}

InterruptGuard::~InterruptGuard() { signal(SIGINT, SIG_DFL); }

const std::atomic<bool> &InterruptGuard::flag() const { return interrupted; }

} // namespace quartet::rt
