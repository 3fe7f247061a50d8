// Workers wait for the next call on a generation number: spinning first, then
// asleep in a futex.
#include "runtime/src/device/Team.h"
#include "runtime/src/device/Cpus.h"
#include <climits>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace quartet::rt {

namespace {
/// Between two steps the caller samples and prints; a wake-up costs 50 us.
constexpr std::chrono::microseconds idleSpin(100);

/// How often a wait looks before it offers its CPU to others: about 50 us. On a
/// team with more workers than CPUs the awaited one may be waiting for this
/// CPU.
constexpr uint32_t waitSpins = 2000, crowdedWaitSpins = 20;
std::atomic<uint32_t> currentWaitSpins{waitSpins};

void futexWait(std::atomic<uint32_t> &word, uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void futexWakeAll(std::atomic<uint32_t> &word) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

template <typename Ready> void waitUntil(Ready ready) {
  uint32_t spins = currentWaitSpins.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i != spins; ++i) {
    if (ready())
      return;
    pauseCpu();
  }
  while (!ready())
    sched_yield();
}
} // namespace

Team::Team(unsigned wanted, bool pin) {
  std::vector<int> cpus = allowedCpus();
  crowded = !cpus.empty() && wanted > cpus.size();
  pin = pin && cpus.size() > 1 && wanted == cpus.size();
  currentWaitSpins.store(crowded ? crowdedWaitSpins : waitSpins);
  if (wanted > 1)
    threads.reserve(wanted - 1);
  for (unsigned i = 1; i < wanted; ++i) {
    // Creating a thread is the one thing here that reports by an exception; a
    // smaller team is the right answer to it.
    try {
      int cpu = pin ? cpus[i] : -1;
      threads.emplace_back([this, i, cpu] {
        if (cpu >= 0)
          (void)pinToCpu(cpu);
        workerMain(i);
      });
    } catch (const std::system_error &) {
      break;
    }
  }
  count = workers();
  if (pin && pinToCpu(cpus[0]))
    restored = cpus;
}

Team::~Team() {
  stopping.store(true);
  generation.fetch_add(1);
  futexWakeAll(generation);
  for (std::thread &thread : threads)
    thread.join();
  if (!restored.empty())
    allowCpus(restored);
}

/// \returns false when the team ends.
bool Team::waitForWork(uint32_t seen) {
  auto called = [&] {
    return generation.load(std::memory_order_acquire) != seen;
  };
  if (crowded ? called() : spinUntil(called, idleSpin))
    return !stopping.load();
  while (!called()) {
    // Sequentially consistent with run(): either it sees this sleeper, or the
    // futex sees its new generation.
    sleepers.fetch_add(1);
    futexWait(generation, seen);
    sleepers.fetch_sub(1);
  }
  return !stopping.load();
}

void Team::workerMain(int64_t worker) {
  for (uint32_t seen = 0; waitForWork(seen); ++seen) {
    work(context, worker, count);
    finished.fetch_add(1, std::memory_order_release);
  }
}

void Team::run(Work newWork, void *newContext) {
  if (threads.empty())
    return newWork(newContext, 0, 1);
  work = newWork;
  context = newContext;
  finished.store(0, std::memory_order_relaxed);
  generation.fetch_add(1);
  if (sleepers.load() != 0)
    futexWakeAll(generation);
  newWork(newContext, 0, count);
  uint32_t others = uint32_t(threads.size());
  waitUntil([&] { return finished.load(std::memory_order_acquire) == others; });
}

} // namespace quartet::rt

extern "C" void quartet_wait(const uint32_t *counter, uint32_t value) {
  quartet::rt::waitUntil(
      [&] { return __atomic_load_n(counter, __ATOMIC_ACQUIRE) >= value; });
}
