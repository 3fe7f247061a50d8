// The pool runs every index of a loop exactly once, in ranges of at least the
// grain, whatever the sizes, the callers and the number of threads.
#include "runtime/src/device/ThreadPool.h"
#include <gtest/gtest.h>
#include <mutex>

using namespace quartet::rt;

namespace {
/// Counts how often each index ran and remembers the ranges.
struct Recorder {
  explicit Recorder(int64_t count) : hits(size_t(count)) {}
  static void body(void *context, int64_t begin, int64_t end) {
    auto *self = static_cast<Recorder *>(context);
    for (int64_t i = begin; i != end; ++i)
      self->hits[size_t(i)].fetch_add(1, std::memory_order_relaxed);
    self->smallest.store(std::min(self->smallest.load(), end - begin));
    self->ranges.fetch_add(1);
  }
  bool onceEach() const {
    for (const auto &hit : hits)
      if (hit.load() != 1)
        return false;
    return true;
  }
  std::vector<std::atomic<int>> hits;
  std::atomic<int64_t> smallest{INT64_MAX};
  std::atomic<int64_t> ranges{0};
};

TEST(ThreadPool, RunsEveryIndexOnce) {
  ThreadPool pool(5);
  for (int64_t count : {1, 2, 3, 7, 19, 20, 21, 64, 1000, 4097})
    for (int64_t grain : {0, 1, 2, 3, 16, 1000, 100000}) {
      Recorder recorder(count);
      pool.parallelFor(Recorder::body, &recorder, count, grain);
      EXPECT_TRUE(recorder.onceEach()) << count << " by " << grain;
      if (recorder.ranges > 1) {
        EXPECT_GE(recorder.smallest, grain) << count << " by " << grain;
      }
    }
}

TEST(ThreadPool, CutsIntoAFewChunksPerThread) {
  ThreadPool pool(3);
  Recorder recorder(100000);
  pool.parallelFor(Recorder::body, &recorder, 100000, 1);
  EXPECT_EQ(recorder.ranges, 4 * pool.threads());
}

TEST(ThreadPool, RunsInlineUpToTheGrain) {
  ThreadPool pool(4);
  std::thread::id caller = std::this_thread::get_id(), ran;
  auto body = [](void *context, int64_t, int64_t) {
    *static_cast<std::thread::id *>(context) = std::this_thread::get_id();
  };
  pool.parallelFor(body, &ran, 8, 8);
  EXPECT_EQ(ran, caller);
}

TEST(ThreadPool, DoesNothingForEmptyLoops) {
  ThreadPool pool(2);
  Recorder recorder(1);
  pool.parallelFor(Recorder::body, &recorder, 0, 1);
  pool.parallelFor(Recorder::body, &recorder, -5, 1);
  quartet_parallel_for(Recorder::body, &recorder, 0, 1);
  EXPECT_EQ(recorder.ranges, 0);
}

TEST(ThreadPool, UsesItsWorkers) {
  ThreadPool pool(4);
  struct Seen {
    std::mutex mutex;
    std::vector<std::thread::id> ids;
  } seen;
  auto body = [](void *context, int64_t, int64_t) {
    auto *seen = static_cast<Seen *>(context);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::lock_guard<std::mutex> lock(seen->mutex);
    std::thread::id id = std::this_thread::get_id();
    if (std::find(seen->ids.begin(), seen->ids.end(), id) == seen->ids.end())
      seen->ids.push_back(id);
  };
  pool.parallelFor(body, &seen, 16, 1);
  EXPECT_EQ(seen.ids.size(), 4u);
}

// Loops of one chunk more or less, back to back and after pauses in which the
// workers fall asleep: no wake-up is lost and no chunk of an old loop runs.
TEST(ThreadPool, ManyLoops) {
  ThreadPool pool(4);
  for (int round = 0; round != 20000; ++round) {
    int64_t count = 2 + round % 37;
    Recorder recorder(count);
    pool.parallelFor(Recorder::body, &recorder, count, 1);
    ASSERT_TRUE(recorder.onceEach()) << "round " << round;
    if (round % 500 == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

TEST(ThreadPool, ConcurrentAndNestedCallersRunInline) {
  ThreadPool pool(3);
  pool.install();
  std::vector<std::thread> callers;
  std::atomic<int> failures{0};
  for (int c = 0; c != 4; ++c)
    callers.emplace_back([&] {
      for (int round = 0; round != 500; ++round) {
        Recorder recorder(100);
        quartet_parallel_for(Recorder::body, &recorder, 100, 1);
        failures += !recorder.onceEach();
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(failures, 0);

  Recorder inner(50 * 10);
  struct Nested {
    Recorder *inner;
    static void body(void *context, int64_t begin, int64_t end) {
      for (int64_t i = begin; i != end; ++i) {
        auto row = [](void *context, int64_t begin, int64_t end) {
          auto *pair = static_cast<std::pair<Recorder *, int64_t> *>(context);
          Recorder::body(pair->first, pair->second + begin, pair->second + end);
        };
        std::pair<Recorder *, int64_t> argument(
            static_cast<Nested *>(context)->inner, i * 10);
        quartet_parallel_for(row, &argument, 10, 1);
      }
    }
  } nested{&inner};
  quartet_parallel_for(Nested::body, &nested, 50, 1);
  EXPECT_TRUE(inner.onceEach());
}

TEST(ThreadPool, StartsAndStopsWithoutWork) {
  for (int i = 0; i != 50; ++i) {
    ThreadPool pool(unsigned(i % 5));
    EXPECT_EQ(pool.threads(), unsigned(std::max(1, i % 5)));
    if (i % 2) {
      Recorder recorder(64);
      pool.parallelFor(Recorder::body, &recorder, 64, 1);
      EXPECT_TRUE(recorder.onceEach());
    }
  }
}

TEST(ThreadPool, WithoutAPoolLoopsRunInline) {
  {
    ThreadPool pool(2), other(2);
    pool.install();
  }
  Recorder recorder(10);
  quartet_parallel_for(Recorder::body, &recorder, 10, 1);
  EXPECT_EQ(recorder.ranges, 1);
  EXPECT_TRUE(recorder.onceEach());
}

} // namespace
