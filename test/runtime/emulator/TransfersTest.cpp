// Bulk copies: when they arrive, who may look at what they bring, and what
// their barriers refuse.
#include "test/runtime/emulator/Harness.h"

using namespace quartet::emu;

namespace {
constexpr int64_t kBarrier = 1024; ///< its offset in shared memory

struct EmulatorTransfers : testing::Test {
  alignas(16) uint32_t weights[256];

  EmulatorTransfers() {
    for (uint32_t i = 0; i < 256; ++i)
      weights[i] = i;
  }
  void addTo(Device &device) {
    device.addRegion(weights, sizeof weights, "weights", RegionKind::ReadOnly);
  }
  /// Runs \p kernel with seeds; the report must be of \p kind with \p part.
  void expect(std::function<void()> kernel, ReportKind kind, const char *part) {
    for (uint64_t seed : {0, 1, 2}) {
      Device device(small(seed));
      addTo(device);
      device.run(kernel);
      EXPECT_TRUE(device.has(kind)) << device.text();
      EXPECT_NE(device.text().find(part), std::string::npos) << device.text();
    }
  }
  static void *barrier() { return shared(kBarrier); }
  static void begin(int32_t arrivals) {
    if (thread() == 0)
      quartet_emu_transfer_begin(barrier(), arrivals, "begin");
    quartet_emu_group_fence();
    quartet_emu_barrier("begun");
  }
  /// The first \p threads threads ask for 64 bytes each.
  void copy(int64_t threads, int64_t to = 0) {
    if (thread() >= threads)
      return;
    quartet_emu_transfer_expect(barrier(), 64, "expect");
    quartet_emu_transfer_copy(shared(to + thread() * 64),
                              weights + thread() * 16, barrier(), 64, "copy");
  }
  static void wait(int32_t parity) {
    quartet_emu_transfer_wait(barrier(), parity, "wait");
  }
};
} // namespace

TEST_F(EmulatorTransfers, Arrive) {
  for (uint64_t seed : {0, 1, 2}) {
    Device device(small(seed));
    addTo(device);
    EXPECT_TRUE(device.run([&] {
      begin(4);
      // With the barrier's two parities, which is why nobody may be two turns
      // ahead; the wait may come before the threads that arrive.
      for (int32_t turn = 0; turn < 2; ++turn) {
        copy(4, turn * 256);
        wait(turn);
        EXPECT_EQ(load(shared(turn * 256 + thread() * 4)), thread());
        quartet_emu_barrier("turn");
      }
      if (thread() == 0)
        quartet_emu_transfer_end(barrier(), "end");
      quartet_emu_barrier("ended");
      begin(1); // a new one at the same place
    }));
    EXPECT_CLEAN(device);
  }
}

// What one thread has waited for, all see behind a barrier.
TEST_F(EmulatorTransfers, OneWaitsForAll) {
  Device device(small());
  addTo(device);
  EXPECT_TRUE(device.run([&] {
    begin(4);
    copy(4);
    if (thread() == 40)
      wait(0);
    quartet_emu_barrier("waited");
    EXPECT_EQ(load(shared(thread() * 4)), thread());
  }));
  EXPECT_CLEAN(device);
}

TEST_F(EmulatorTransfers, ReportsMissingWaits) {
  expect(
      [&] {
        begin(4);
        copy(4);
        quartet_emu_barrier("all have arrived");
        load(shared(thread() * 4));
      },
      ReportKind::MissingWait, "has not arrived");
}

// Another thread's wait is not one's own.
TEST_F(EmulatorTransfers, ReportsWaitsOfOthers) {
  Device device(small());
  addTo(device);
  device.run([&] {
    begin(4);
    copy(4);
    quartet_emu_barrier("all have arrived");
    if (thread() == 0)
      wait(0);
    if (thread() == 40)
      load(shared(64));
  });
  EXPECT_REPORT(device, ReportKind::Race, "a bulk copy wrote");
}

// Who waits for what nobody asks for waits for ever.
TEST_F(EmulatorTransfers, ReportsMissingArrivals) {
  expect(
      [&] {
        begin(5);
        copy(4);
        wait(0);
      },
      ReportKind::Deadlock, "no thread can go on");
}

TEST_F(EmulatorTransfers, ReportsWhatIsReadOrWrittenTooLate) {
  // The rows are read while the next ones come.
  expect(
      [&] {
        begin(4);
        copy(4);
        wait(0);
        load(shared(thread() * 4));
        copy(4);
        wait(1);
      },
      ReportKind::Race, "no barrier is between them");
}

// What threads have written is not written over by a copy that may be earlier,
// unless each of them fences it.
TEST_F(EmulatorTransfers, ReportsUnfencedWrites) {
  auto rows = [&](int64_t fences, int64_t alsoWrites) {
    return [=] {
      begin(4);
      store(shared(thread() * 4), 0u, "rows");
      if (thread() < fences)
        quartet_emu_group_fence();
      if (thread() < alsoWrites) // elsewhere, behind the fence
        store(shared(512 + thread() * 4), 0u, "others");
      quartet_emu_barrier("written");
      copy(4);
      wait(0);
    };
  };
  for (int64_t alsoWrites : {0, 64}) {
    Device device(small());
    addTo(device);
    EXPECT_TRUE(device.run(rows(64, alsoWrites)));
    EXPECT_CLEAN(device);
    expect(rows(63, alsoWrites), ReportKind::MissingWait,
           "thread 63 of block 0 wrote at 'rows' without a fence");
  }
  // What copies have brought needs no fence, nor does what lies elsewhere.
  Device device(small());
  addTo(device);
  EXPECT_TRUE(device.run([&] {
    begin(4);
    for (int32_t turn = 0; turn < 2; ++turn) {
      store(shared(512 + thread() * 4), 0u, "elsewhere");
      copy(4);
      wait(turn);
      quartet_emu_barrier("turn");
    }
  }));
  EXPECT_CLEAN(device);
  // Asynchronous copies are as writes.
  expect(
      [&] {
        begin(4);
        if (thread() < 4) {
          quartet_emu_copy_async(shared(thread() * 64), weights, 16, 16, "old");
          quartet_emu_commit_group();
          quartet_emu_wait_group(0);
        }
        copy(4);
        wait(0);
      },
      ReportKind::MissingWait, "wrote at 'old' without a fence");
}

TEST_F(EmulatorTransfers, ReportsBadBarriers) {
  expect([&] { copy(1); }, ReportKind::BadInstruction, "has not begun");
  expect(
      [&] {
        quartet_emu_transfer_begin(barrier(), 1, "begin");
        quartet_emu_barrier("begun");
      },
      ReportKind::Race, "no barrier is between them");
  expect(
      [&] {
        if (thread() == 0)
          quartet_emu_transfer_begin(barrier(), 1, "begin");
        quartet_emu_barrier("begun");
        copy(1);
      },
      ReportKind::MissingWait, "without a fence");
  expect(
      [&] {
        begin(1);
        begin(1);
      },
      ReportKind::BadInstruction, "has not been ended");
  expect(
      [&] {
        begin(1);
        copy(1);
        quartet_emu_barrier("asked");
        if (thread() == 0)
          quartet_emu_transfer_end(barrier(), "end");
      },
      ReportKind::BadInstruction, "in use");
  expect(
      [&] {
        begin(1);
        if (thread() == 0)
          quartet_emu_transfer_expect(barrier(), 128, "expect");
        wait(0);
      },
      ReportKind::BadInstruction, "waits for 128 bytes, but 0 are copied");
  expect([&] { quartet_emu_transfer_begin(shared(1025), 1, "begin"); },
         ReportKind::BadInstruction, "multiple of 8");
  expect([&] { quartet_emu_transfer_begin(barrier(), 0, "begin"); },
         ReportKind::BadInstruction, "0 arrivals");
}

TEST_F(EmulatorTransfers, ReportsBadCopies) {
  auto one = [&](int64_t to, const void *from, int32_t bytes) {
    return [=] {
      begin(1);
      if (thread() == 0)
        quartet_emu_transfer_copy(shared(to), from, barrier(), bytes, "copy");
    };
  };
  expect(one(0, weights, 24), ReportKind::BadInstruction, "multiple of 16");
  expect(one(8, weights, 16), ReportKind::BadInstruction, "multiple of 16");
  expect(one(0, weights + 1, 16), ReportKind::BadInstruction, "multiple of 16");
  expect(one(4080, weights, 32), ReportKind::OutOfBounds, "shared memory");
  expect(one(0, weights + 252, 32), ReportKind::OutOfBounds, "weights");
}
