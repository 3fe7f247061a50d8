// All workers run at once, wait for each other, and can be called again and
// again, also when there are more of them than CPUs.
#include "runtime/src/device/Team.h"
#include "runtime/src/device/Cpus.h"
#include <chrono>
#include <gtest/gtest.h>
#include <thread>

using namespace quartet::rt;

namespace {
TEST(Cpus, SomeThreadIsAvailable) {
  EXPECT_GE(availableThreads(), 1u);
  EXPECT_LE(availableThreads(), std::max<size_t>(allowedCpus().size(), 1));
}

/// A call in which every worker must be there before any may go on.
struct Meeting {
  alignas(64) uint32_t arrived = 0;
  std::vector<int64_t> seen;
};

void meet(void *context, int64_t worker, int64_t workers) {
  auto *meeting = static_cast<Meeting *>(context);
  meeting->seen[size_t(worker)] = workers;
  __atomic_fetch_add(&meeting->arrived, 1, __ATOMIC_RELEASE);
  quartet_wait(&meeting->arrived, uint32_t(workers));
}

void meetOnce(Team &team) {
  Meeting meeting;
  meeting.seen.assign(size_t(team.workers()), -1);
  team.run(meet, &meeting);
  EXPECT_EQ(meeting.arrived, uint32_t(team.workers()));
  EXPECT_EQ(meeting.seen,
            std::vector<int64_t>(size_t(team.workers()), team.workers()));
}

TEST(Team, RunsOnAllWorkersAtOnce) {
  for (unsigned threads : {0u, 1u, 2u, 3u, 8u}) {
    Team team(threads);
    EXPECT_EQ(team.workers(), std::max(int64_t(threads), int64_t(1)));
    meetOnce(team);
  }
}

TEST(Team, TheCallerIsWorkerZero) {
  Team team(2);
  struct {
    std::thread::id ids[2];
  } call;
  team.run(
      [](void *context, int64_t worker, int64_t) {
        static_cast<decltype(call) *>(context)->ids[worker] =
            std::this_thread::get_id();
      },
      &call);
  EXPECT_EQ(call.ids[0], std::this_thread::get_id());
  EXPECT_NE(call.ids[1], std::this_thread::get_id());
}

TEST(Team, CanBeCalledAgain) {
  for (unsigned threads : {2u, 8u}) {
    Team team(threads);
    for (int i = 0; i != 200; ++i)
      meetOnce(team);
  }
}

// Workers sleep between calls that are far apart, and wake up.
TEST(Team, WakesSleepers) {
  Team team(2);
  for (int i = 0; i != 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    meetOnce(team);
  }
}

/// A step of many short phases, each with tasks that workers claim and that the
/// next phase waits for, as compiled programs do it.
struct Phases {
  static constexpr int64_t count = 5000, tasks = 3;
  static constexpr int stride = 16;
  std::vector<uint32_t> sync =
      std::vector<uint32_t>(size_t(2 * count * stride), 0);
  std::vector<int64_t> sums = std::vector<int64_t>(size_t(count + 1), 0);
  std::atomic<int64_t> executed{0};
};

void runPhases(void *context, int64_t, int64_t) {
  auto *phases = static_cast<Phases *>(context);
  for (int64_t phase = 0; phase != Phases::count; ++phase) {
    uint32_t *next = &phases->sync[size_t(2 * phase * Phases::stride)];
    uint32_t *done = next + Phases::stride;
    while (__atomic_fetch_add(next, 1, __ATOMIC_RELAXED) < Phases::tasks) {
      // Every task reads what all tasks of the phase before have written.
      __atomic_fetch_add(&phases->sums[size_t(phase + 1)],
                         phases->sums[size_t(phase)] / Phases::tasks + 1,
                         __ATOMIC_RELAXED);
      phases->executed.fetch_add(1, std::memory_order_relaxed);
      __atomic_fetch_add(done, 1, __ATOMIC_RELEASE);
    }
    quartet_wait(done, Phases::tasks);
  }
}

TEST(Team, KeepsTheOrderOfManyPhases) {
  for (unsigned threads : {1u, 2u, 8u}) { // 8 on two cores: oversubscribed
    Team team(threads);
    Phases phases;
    team.run(runPhases, &phases);
    EXPECT_EQ(phases.executed.load(), Phases::count * Phases::tasks);
    EXPECT_EQ(phases.sums.back(), Phases::count * Phases::tasks);
  }
}

TEST(Team, WaitReturnsAtOnceWhenTheValueIsThere) {
  uint32_t counter = 5;
  quartet_wait(&counter, 5);
  quartet_wait(&counter, 0);
}

// Workers are bound to different CPUs when there is one for each; the caller
// gets its CPUs back.
TEST(Team, PinsWhenThereAreAsManyWorkersAsCpus) {
  std::vector<int> before = allowedCpus();
  if (before.size() < 2)
    GTEST_SKIP() << "one CPU";
  struct Call {
    std::vector<std::vector<int>> cpus;
  } call;
  auto record = [](void *context, int64_t worker, int64_t) {
    static_cast<Call *>(context)->cpus[size_t(worker)] = allowedCpus();
  };
  {
    Team team(unsigned(before.size()));
    ASSERT_TRUE(team.pinned());
    call.cpus.resize(before.size());
    team.run(record, &call);
    for (size_t i = 0; i != before.size(); ++i)
      EXPECT_EQ(call.cpus[i], std::vector<int>{before[i]});
  }
  EXPECT_EQ(allowedCpus(), before);
  for (unsigned threads :
       {unsigned(before.size()) + 1, unsigned(before.size())}) {
    Team team(threads, /*pin=*/threads != before.size());
    EXPECT_FALSE(team.pinned());
    call.cpus.assign(threads, {});
    team.run(record, &call);
    for (size_t i = 0; i != threads; ++i)
      EXPECT_EQ(call.cpus[i], before);
  }
}
} // namespace
