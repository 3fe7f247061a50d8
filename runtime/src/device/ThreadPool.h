// Persistent threads that run the parallel loops of compiled code. A step has
// hundreds of short loops, so starting one must cost microseconds: workers spin
// for a moment between loops before they sleep.
#ifndef QUARTET_RUNTIME_DEVICE_THREADPOOL_H
#define QUARTET_RUNTIME_DEVICE_THREADPOOL_H
#include "quartet/abi.h"
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace quartet::rt {

/// A fixed set of threads for parallelFor. The caller of a loop works too, so a
/// pool of N threads starts N - 1 workers.
class ThreadPool {
public:
  /// \p threads counts the caller; 0 counts as 1. Starts fewer where the system
  /// refuses more; threads() says how many there are.
  explicit ThreadPool(unsigned threads);
  /// Joins the workers. No loop may be running. Uninstalls the pool when it is
  /// the one that quartet_parallel_for uses.
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  unsigned threads() const { return unsigned(workers.size()) + 1; }

  /// As quartet_parallel_for. Any thread may call it; while one loop runs, the
  /// loops of other callers (and nested ones) run inline in their own thread.
  void parallelFor(quartet_range_fn body, void *context, int64_t count,
                   int64_t grain);

  /// Makes this pool the one that quartet_parallel_for uses. Without any, loops
  /// run inline.
  void install();

private:
  void workerMain();
  bool runChunk();
  void wakeWorkers(unsigned wanted);
  void waitUntilDone(int64_t chunks);

  // The loop being run. Written by the caller while nothing can be claimed
  // (no chunk is left in `ticket`), read by workers before they claim.
  std::atomic<quartet_range_fn> body{nullptr};
  std::atomic<void *> context{nullptr};
  std::atomic<int64_t> count{0};
  std::atomic<int64_t> chunkCount{0};

  /// High half: number of the loop. Low half: chunks nobody has claimed yet.
  alignas(64) std::atomic<uint64_t> ticket{0};
  alignas(64) std::atomic<int64_t> chunksDone{0};
  alignas(64) std::atomic<bool> busy{false};

  std::mutex mutex; ///< for the two sleeps below only
  std::condition_variable workArrived, loopDone;
  std::atomic<unsigned> sleepers{0};
  std::atomic<bool> callerSleeps{false};
  std::atomic<bool> stopping{false};
  std::vector<std::thread> workers;
};

} // namespace quartet::rt
#endif
