// Barriers, warps, and what happens when not all threads come.
#include "test/runtime/emulator/Harness.h"

using namespace quartet::emu;

namespace {
TEST(EmulatorMeet, BarriersOrderTheBlock) {
  for (uint64_t seed : {0, 1, 2, 3}) {
    Device device(small(seed, 96));
    EXPECT_TRUE(device.run([&] {
      for (uint32_t round = 0; round < 5; ++round) {
        store(shared() + thread(), round * 100 + uint32_t(thread()));
        quartet_emu_barrier("written");
        int64_t other = (thread() * 7 + round) % 96;
        EXPECT_EQ(load(shared() + other), round * 100 + uint32_t(other));
        quartet_emu_barrier("read");
      }
    }));
    EXPECT_CLEAN(device);
  }
}

TEST(EmulatorMeet, ShufflesAndBallots) {
  for (int64_t lanes : {32, 64})
    for (uint64_t seed : {0, 5}) {
      Options options = small(seed, 128);
      options.lanes = lanes;
      Device device(options);
      EXPECT_TRUE(device.run([&] {
        uint32_t t = uint32_t(thread()), lane = t % uint32_t(lanes);
        EXPECT_EQ(quartet_emu_shuffle_xor(t, 5, "x"), t ^ 5);
        EXPECT_EQ(quartet_emu_shuffle_xor(t, int32_t(lanes / 2), "x"),
                  t ^ uint32_t(lanes / 2));
        EXPECT_EQ(quartet_emu_shuffle_index(t, 3, "i"), t - lane + 3);
        EXPECT_EQ(quartet_emu_shuffle_index(t, int32_t(lanes - 1 - lane), "i"),
                  t - lane + uint32_t(lanes) - 1 - lane);
        uint64_t odd = quartet_emu_ballot(lane % 2, "v");
        EXPECT_EQ(odd, lanes == 64 ? 0xaaaaaaaaaaaaaaaa : 0xaaaaaaaa);
        uint32_t sum = t;
        for (int32_t mask = 1; mask < lanes; mask *= 2)
          sum += quartet_emu_shuffle_xor(sum, mask, "sum");
        EXPECT_EQ(sum, (t - lane) * lanes + lanes * (lanes - 1) / 2);
      }));
      EXPECT_CLEAN(device);
    }
}

TEST(EmulatorMeet, ParkedWarpsAndPartialMasks) {
  Device device(small(0, 40)); // the second warp has 8 lanes
  EXPECT_TRUE(device.run([&] {
    uint64_t half = thread() % 2 ? 0xaaaaaaaa : 0x55555555;
    if (thread() < 32)
      quartet_emu_warp_barrier(half, "half");
    quartet_emu_warp_barrier(~uint64_t(0), "all");
    EXPECT_EQ(quartet_emu_ballot(1, "v"), thread() < 32 ? 0xffffffff : 0xff);
  }));
  EXPECT_CLEAN(device);
}

TEST(EmulatorMeet, ReportsBarriersThatEndedThreadsMiss) {
  for (uint64_t seed : {0, 1, 2}) {
    Device device(small(seed));
    EXPECT_FALSE(device.run([] {
      if (thread() != 5)
        quartet_emu_barrier("sum");
    }));
    EXPECT_REPORT(device, ReportKind::Divergence, "'sum'");
    EXPECT_NE(device.text().find("thread 5 ended"), std::string::npos)
        << device.text();
  }
}

TEST(EmulatorMeet, ReportsDifferentBarriers) {
  for (uint64_t seed : {0, 1, 2}) {
    Device device(small(seed));
    EXPECT_FALSE(device.run(
        [] { quartet_emu_barrier(thread() < 32 ? "first" : "second"); }));
    EXPECT_REPORT(device, ReportKind::Divergence, "'first'");
    EXPECT_NE(device.text().find("'second'"), std::string::npos);
  }
}

TEST(EmulatorMeet, ReportsWarpsThatAreApart) {
  struct {
    const char *part;
    std::function<void(bool odd)> kernel;
  } cases[] = {
      {"shuffle at 'x', other lanes of its warp are in a ballot at 'v'",
       [](bool odd) {
         odd ? void(quartet_emu_shuffle_xor(0, 1, "x"))
             : void(quartet_emu_ballot(0, "v"));
       }},
      {"shuffle at 'y', other lanes of its warp are in a shuffle at 'x'",
       [](bool odd) { quartet_emu_shuffle_xor(0, 1, odd ? "y" : "x"); }},
      {"comes to the barrier at 'b', other lanes of its warp wait for it in a "
       "ballot at 'v'",
       [](bool odd) {
         odd ? quartet_emu_barrier("b") : void(quartet_emu_ballot(0, "v"));
       }},
      {"ends, other lanes of its warp wait for it in a warp barrier at 'w'",
       [](bool odd) {
         if (!odd)
           quartet_emu_warp_barrier(~uint64_t(0), "w");
       }},
      {"of lanes that don't include it",
       [](bool odd) { quartet_emu_warp_barrier(0x55555555, "w"); }},
  };
  for (auto &test : cases) {
    Device device(small(0, 32));
    EXPECT_FALSE(device.run([&] { test.kernel(thread() % 2); })) << test.part;
    EXPECT_REPORT(device, ReportKind::Divergence, test.part);
  }
}

TEST(EmulatorMeet, ReportsLanesThatCannotCome) {
  // Lane 31 waits at the block's barrier or has ended before the others come.
  for (bool ends : {false, true}) {
    Device device(small(0, 64));
    EXPECT_FALSE(device.run([&] {
      if (thread() == 0) {
        if (!ends)
          quartet_emu_barrier("b");
        return;
      }
      quartet_emu_ballot(1, "v");
    }));
    EXPECT_REPORT(device, ReportKind::Divergence, "can't reach");
  }
}

TEST(EmulatorMeet, ReportsDeadlocks) {
  alignas(64) uint32_t counter = 0;
  for (uint64_t seed : {0, 1}) {
    Device device(small(seed, 64, 2));
    device.addRegion(&counter, 4, "counter", RegionKind::ReadWrite);
    EXPECT_FALSE(device.run([&] {
      if (thread() == 0)
        while (quartet_emu_atomic_load(&counter, 1, "spin") < 2)
          ;
      quartet_emu_barrier("behind");
    }));
    EXPECT_REPORT(device, ReportKind::Deadlock, "last seen at 'spin'");
    EXPECT_NE(device.text().find("threads 1-63 at the barrier at 'behind'"),
              std::string::npos)
        << device.text();
  }
}

TEST(EmulatorMeet, SeedsChangeTheOrder) {
  auto order = [](uint64_t seed) {
    Device device(small(seed));
    std::vector<int64_t> seen;
    device.run([&] { seen.push_back(thread()); });
    return seen;
  };
  EXPECT_EQ(order(0)[1], 1);
  EXPECT_NE(order(1), order(2));
  EXPECT_EQ(order(1), order(1));
}
} // namespace
