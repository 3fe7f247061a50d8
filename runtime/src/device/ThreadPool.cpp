// The pool behind quartet_parallel_for. One 64-bit ticket holds the number of
// the loop and the chunks left, so that claiming a chunk and checking that it
// belongs to the loop one has just read about is a single compare-and-swap.
#include "runtime/src/device/ThreadPool.h"
#include "runtime/src/device/Cpus.h"
#include <algorithm>
#include <system_error>

namespace quartet::rt {

namespace {
/// More chunks than threads even out cores of different speed; few enough that
/// claiming them costs nothing.
constexpr int64_t chunksPerThread = 4;
/// How long a thread spins before it sleeps. A sleep and its wake-up cost about
/// as much, and the serial gaps between the loops of a step are shorter.
constexpr std::chrono::microseconds spinTime(40);
constexpr uint64_t chunkMask = 0xffffffffu;

std::atomic<ThreadPool *> installedPool{nullptr};

} // namespace

ThreadPool::ThreadPool(unsigned threads) {
  if (threads > 1)
    workers.reserve(threads - 1);
  for (unsigned i = 1; i < threads; ++i) {
    // Creating a thread is the one thing here that reports by an exception; a
    // smaller pool is the right answer to it.
    try {
      workers.emplace_back([this] { workerMain(); });
    } catch (const std::system_error &) {
      break;
    }
  }
}

ThreadPool::~ThreadPool() {
  ThreadPool *self = this;
  installedPool.compare_exchange_strong(self, nullptr);
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping.store(true);
  }
  workArrived.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadPool::install() { installedPool.store(this); }

/// Claims and runs one chunk; \returns false when there is none to claim.
bool ThreadPool::runChunk() {
  uint64_t seen = ticket.load(std::memory_order_acquire);
  while (seen & chunkMask) {
    // These are the fields of the loop in `seen` if the exchange succeeds: they
    // are only rewritten after the last of its chunks was claimed and done.
    quartet_range_fn runBody = body.load(std::memory_order_relaxed);
    void *runContext = context.load(std::memory_order_relaxed);
    int64_t iterations = count.load(std::memory_order_relaxed);
    int64_t chunks = chunkCount.load(std::memory_order_relaxed);
    if (!ticket.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel,
                                      std::memory_order_acquire))
      continue;
    int64_t index = chunks - int64_t(seen & chunkMask);
    int64_t size = iterations / chunks, larger = iterations % chunks;
    int64_t begin = index * size + std::min(index, larger);
    int64_t end = begin + size + (index < larger ? 1 : 0);
    runBody(runContext, begin, end);
    // Sequentially consistent with `callerSleeps`: either the caller sees this
    // chunk done before it sleeps, or we see that it sleeps.
    if (chunksDone.fetch_add(1) + 1 == chunks && callerSleeps.load()) {
      std::lock_guard<std::mutex> lock(mutex);
      loopDone.notify_all();
    }
    return true;
  }
  return false;
}

void ThreadPool::workerMain() {
  auto hasWork = [this] {
    return (ticket.load() & chunkMask) != 0 || stopping.load();
  };
  while (true) {
    while (runChunk()) {
    }
    if (stopping.load())
      return;
    if (spinUntil(hasWork, spinTime))
      continue;
    std::unique_lock<std::mutex> lock(mutex);
    sleepers.fetch_add(1);
    workArrived.wait(lock, hasWork);
    sleepers.fetch_sub(1);
  }
}

void ThreadPool::wakeWorkers(unsigned wanted) {
  // Sequentially consistent with the store of the ticket: a worker that goes to
  // sleep counts itself first and looks at the ticket afterwards.
  unsigned asleep = sleepers.load();
  if (asleep == 0)
    return;
  // Nobody can be between its look at the ticket and its wait while we hold it.
  { std::lock_guard<std::mutex> lock(mutex); }
  if (wanted >= asleep)
    return workArrived.notify_all();
  for (unsigned i = 0; i != wanted; ++i)
    workArrived.notify_one();
}

void ThreadPool::waitUntilDone(int64_t chunks) {
  auto done = [&] { return chunksDone.load() == chunks; };
  if (spinUntil(done, spinTime))
    return;
  std::unique_lock<std::mutex> lock(mutex);
  callerSleeps.store(true);
  loopDone.wait(lock, done);
  callerSleeps.store(false);
}

void ThreadPool::parallelFor(quartet_range_fn loopBody, void *loopContext,
                             int64_t iterations, int64_t grain) {
  if (iterations <= 0)
    return;
  grain = std::max<int64_t>(grain, 1);
  int64_t chunks = std::min(iterations / grain, chunksPerThread * threads());
  if (workers.empty() || chunks <= 1 || iterations <= grain ||
      busy.exchange(true, std::memory_order_acquire))
    return loopBody(loopContext, 0, iterations);

  body.store(loopBody, std::memory_order_relaxed);
  context.store(loopContext, std::memory_order_relaxed);
  count.store(iterations, std::memory_order_relaxed);
  chunkCount.store(chunks, std::memory_order_relaxed);
  chunksDone.store(0, std::memory_order_relaxed);
  uint64_t loop = (ticket.load(std::memory_order_relaxed) >> 32) + 1;
  ticket.store(loop << 32 | uint64_t(chunks));
  wakeWorkers(unsigned(chunks - 1));
  while (runChunk()) {
  }
  waitUntilDone(chunks);
  busy.store(false, std::memory_order_release);
}

} // namespace quartet::rt

extern "C" void quartet_parallel_for(quartet_range_fn body, void *context,
                                     int64_t count, int64_t grain) {
  if (count <= 0)
    return;
  if (quartet::rt::ThreadPool *pool = quartet::rt::installedPool.load())
    return pool->parallelFor(body, context, count, grain);
  body(context, 0, count);
}
