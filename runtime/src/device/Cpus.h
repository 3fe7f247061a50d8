// Which processors this process may use, and short waits on them.
#ifndef QUARTET_RUNTIME_DEVICE_CPUS_H
#define QUARTET_RUNTIME_DEVICE_CPUS_H
#include <chrono>
#include <vector>

namespace quartet::rt {

/// Numbers of the CPUs in the affinity mask of the calling thread; empty where
/// the system does not say.
std::vector<int> allowedCpus();

/// Cores that this process may use: its affinity mask, cut to the CPU quota of
/// its control group where there is one. At least 1.
unsigned availableThreads();

/// Lets the calling thread run on \p cpu only; \returns false when it can't.
bool pinToCpu(int cpu);
/// Lets the calling thread run on all of \p cpus again.
void allowCpus(const std::vector<int> &cpus);

/// Tells the core that this is a spinning loop.
inline void pauseCpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Spins until \p ready or until \p longest is over; \returns ready().
template <typename Ready>
bool spinUntil(Ready ready, std::chrono::microseconds longest) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point start = Clock::now();
  do {
    for (int i = 0; i != 64; ++i) {
      if (ready())
        return true;
      pauseCpu();
    }
  } while (Clock::now() - start < longest);
  return ready();
}

} // namespace quartet::rt
#endif
