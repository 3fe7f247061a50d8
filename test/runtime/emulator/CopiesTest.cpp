// Asynchronous copies: when they arrive, and who may look at what they bring.
#include "test/runtime/emulator/Harness.h"

using namespace quartet::emu;

namespace {
struct EmulatorCopies : testing::Test {
  alignas(16) uint32_t weights[256];
  uint32_t state[256] = {};

  EmulatorCopies() {
    for (uint32_t i = 0; i < 256; ++i)
      weights[i] = i;
  }
  /// Runs \p kernel with seeds; the report must be of \p kind with \p part.
  void expect(std::function<void()> kernel, ReportKind kind, const char *part,
              bool ends = true) {
    for (uint64_t seed : {0, 1, 2}) {
      Device device(small(seed));
      addTo(device);
      EXPECT_EQ(device.run(kernel), ends);
      EXPECT_TRUE(device.has(kind)) << device.text();
      EXPECT_NE(device.text().find(part), std::string::npos) << device.text();
    }
  }
  void addTo(Device &device) {
    device.addRegion(weights, sizeof weights, "weights", RegionKind::ReadOnly);
    device.addRegion(state, sizeof state, "state", RegionKind::ReadWrite);
  }
  /// 16 bytes per thread.
  void copy(const uint32_t *from, int32_t sourceBytes = 16) {
    quartet_emu_copy_async(shared(thread() * 16), from + thread() * 4, 16,
                           sourceBytes, "copy");
  }
};

TEST_F(EmulatorCopies, Arrive) {
  for (uint64_t seed : {0, 1, 2}) {
    Device device(small(seed));
    addTo(device);
    EXPECT_TRUE(device.run([&] {
      copy(weights, thread() == 3 ? 8 : 16);
      quartet_emu_commit_group();
      quartet_emu_wait_group(0);
      EXPECT_EQ(load(shared(thread() * 16 + 4)), thread() * 4 + 1); // its own
      quartet_emu_barrier("arrived");
      int64_t other = 63 - thread();
      EXPECT_EQ(load(shared(other * 16 + 12)), other == 3 ? 0 : other * 4 + 3);
    }));
    EXPECT_CLEAN(device);
  }
}

TEST_F(EmulatorCopies, WaitForGroups) {
  Device device(small());
  addTo(device);
  EXPECT_TRUE(device.run([&] {
    for (int64_t group = 0; group < 3; ++group) {
      quartet_emu_copy_async(shared(group * 1024 + thread() * 4),
                             weights + group * 64 + thread(), 4, 4, "copy");
      quartet_emu_commit_group();
    }
    for (int64_t group = 0; group < 3; ++group) {
      quartet_emu_wait_group(int32_t(2 - group));
      EXPECT_EQ(load(shared(group * 1024 + thread() * 4)),
                group * 64 + thread());
    }
  }));
  EXPECT_CLEAN(device);
}

TEST_F(EmulatorCopies, ReportsMissingWaits) {
  expect(
      [&] {
        store(shared(thread() * 16), 5u); // is gone from the issue on
        copy(weights);
        quartet_emu_commit_group();
        EXPECT_EQ(load(shared(thread() * 16), "too early"), 0xffffffff);
        quartet_emu_wait_group(0);
      },
      ReportKind::MissingWait, "'too early'");
  expect(
      [&] {
        copy(weights);
        quartet_emu_commit_group();
        quartet_emu_wait_group(1); // one may still be in flight
        load(shared(thread() * 16), "too early");
        quartet_emu_wait_group(0);
      },
      ReportKind::MissingWait, "'too early'");
  expect(
      [&] {
        copy(weights);
        quartet_emu_wait_group(0); // of no group: nothing was committed
        load(shared(thread() * 16), "too early");
        quartet_emu_commit_group();
        quartet_emu_wait_group(0);
      },
      ReportKind::MissingWait, "'too early'");
  expect(
      [&] {
        copy(weights);
        quartet_emu_commit_group();
        store(shared(thread() * 16 + 8), 1u, "over it");
        quartet_emu_wait_group(0);
      },
      ReportKind::MissingWait, "'over it'");
  expect([&] { copy(weights); }, ReportKind::MissingWait, "ends before");
}

TEST_F(EmulatorCopies, ReportsMissingBarriers) {
  // Others see it behind a barrier, and it must not come over what they read.
  expect(
      [&] {
        copy(weights);
        quartet_emu_commit_group();
        quartet_emu_barrier("too early");
        quartet_emu_wait_group(0);
        load(shared((thread() ^ 32) * 16), "read");
      },
      ReportKind::Race, "'read'");
  expect(
      [&] {
        store(shared(thread() * 16), 1u, "old");
        quartet_emu_barrier("b");
        load(shared((thread() ^ 32) * 16), "read");
        copy(weights);
        quartet_emu_commit_group();
        quartet_emu_wait_group(0);
      },
      ReportKind::Race, "'copy'");
}

TEST_F(EmulatorCopies, EndWithAnAbandonedLaunch) {
  Device device(small(0, 1));
  addTo(device);
  EXPECT_FALSE(device.run([&] {
    copy(weights);
    load(&weights[256] + 4096, "far away");
  }));
  device.clearReports();
  EXPECT_TRUE(device.run([&] {
    store(shared(), 1u);
    quartet_emu_wait_group(0);
    EXPECT_EQ(load(shared()), 1u);
  }));
  EXPECT_CLEAN(device);
}

TEST_F(EmulatorCopies, ReportsChangedSources) {
  expect(
      [&] {
        copy(state);
        quartet_emu_commit_group();
        store(&state[thread() * 4 + 2], load(&state[thread() * 4 + 2]) + 1);
        quartet_emu_wait_group(0);
      },
      ReportKind::SourceChanged, "'copy'");
}

TEST_F(EmulatorCopies, ReportsBadCopies) {
  auto copyAt = [&](int64_t to, const uint32_t *from, int32_t bytes,
                    int32_t sourceBytes) {
    quartet_emu_copy_async(shared(to), from, bytes, sourceBytes, "copy");
  };
  expect([&] { copyAt(4, weights, 16, 16); }, ReportKind::BadInstruction,
         "multiples", false);
  expect([&] { copyAt(0, weights + 1, 8, 8); }, ReportKind::BadInstruction,
         "multiples", false);
  expect([&] { copyAt(0, weights, 12, 12); }, ReportKind::BadInstruction,
         "12 bytes", false);
  expect([&] { copyAt(0, weights, 16, 32); }, ReportKind::BadInstruction,
         "32 of 16", false);
  expect([&] { copyAt(4096, weights, 16, 16); }, ReportKind::OutOfBounds,
         "shared memory", false);
  expect([&] { copyAt(0, state + 256, 16, 16); }, ReportKind::OutOfBounds,
         "byte 1024 of state", false);
}
} // namespace
