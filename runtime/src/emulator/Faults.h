// Faults of the CPU while kernels run: an overflow of a thread's stack, or an
// access that no call announced. They end the launch with a report.
#ifndef QUARTET_RUNTIME_EMULATOR_FAULTS_H
#define QUARTET_RUNTIME_EMULATOR_FAULTS_H
#include <csignal>
#include <memory>

namespace quartet::emu {

/// Handles SIGSEGV and SIGBUS while it lives, in the thread that made it.
class FaultHandler {
public:
  FaultHandler();
  ~FaultHandler();
  FaultHandler(const FaultHandler &) = delete;
  FaultHandler &operator=(const FaultHandler &) = delete;

private:
  std::unique_ptr<char[]> stack;
  stack_t stackBefore;
  struct sigaction before[2];
};

} // namespace quartet::emu
#endif
