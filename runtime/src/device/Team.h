// The threads that run a step program: all of them run the same function at
// once, claim its tasks themselves and wait for each other with quartet_wait.
// A start costs a store when they spin, which they do for a moment between
// steps, so that generation token by token never waits for the system.
#ifndef QUARTET_RUNTIME_DEVICE_TEAM_H
#define QUARTET_RUNTIME_DEVICE_TEAM_H
#include "quartet/abi.h"
#include <atomic>
#include <thread>
#include <vector>

namespace quartet::rt {

class Team {
public:
  using Work = void (*)(void *context, int64_t worker, int64_t workers);

  /// \p threads counts the thread that calls run, which is worker 0; 0 counts
  /// as 1. Starts fewer where the system refuses more. With \p pin, and when
  /// there are as many workers as CPUs that the calling thread may use, each
  /// worker is bound to one of them; the calling thread, too, until the
  /// team's end.
  explicit Team(unsigned threads, bool pin = true);
  /// Joins the threads. The same thread must call it as the constructor.
  ~Team();
  Team(const Team &) = delete;
  Team &operator=(const Team &) = delete;

  int64_t workers() const { return int64_t(threads.size()) + 1; }
  bool pinned() const { return !restored.empty(); }

  /// Runs \p work(context, worker, workers()) on every worker at once and
  /// returns when all have returned. One call at a time; not from a worker.
  void run(Work work, void *context);

private:
  void workerMain(int64_t worker);
  bool waitForWork(uint32_t seen);

  // What to run; written before `generation` says that there is something.
  Work work = nullptr;
  void *context = nullptr;
  int64_t count = 1;

  /// Counts calls of run; workers sleep on it as a futex.
  alignas(64) std::atomic<uint32_t> generation{0};
  alignas(64) std::atomic<uint32_t> finished{0};
  alignas(64) std::atomic<uint32_t> sleepers{0};
  std::atomic<bool> stopping{false};
  bool crowded = false;      ///< more workers than CPUs: spinning does harm
  std::vector<int> restored; ///< CPUs of the caller, when it was pinned
  std::vector<std::thread> threads;
};

} // namespace quartet::rt
#endif
