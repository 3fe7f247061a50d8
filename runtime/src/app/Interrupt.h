// Ctrl-C as a flag, so that a run can end its line and print its numbers.
#ifndef QUARTET_RUNTIME_APP_INTERRUPT_H
#define QUARTET_RUNTIME_APP_INTERRUPT_H
#include <atomic>

namespace quartet::rt {

/// While an object lives, the first SIGINT sets the flag; a second one ends the
/// process as usual.
class InterruptGuard {
public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard &) = delete;
  InterruptGuard &operator=(const InterruptGuard &) = delete;

  const std::atomic<bool> &flag() const;
};

} // namespace quartet::rt
#endif
