// What kernels may touch, and what has to be written before it is read.
#include "test/runtime/emulator/Harness.h"

using namespace quartet::emu;

namespace {
const int kTable[4] = {1, 2, 3, 4};

TEST(EmulatorMemory, PassesWhatIsAllowed) {
  std::vector<uint32_t> weights(64, 3), results(64), scratch(64);
  Device device(small());
  ASSERT_TRUE(device.addRegion(weights.data(), 256, "w", RegionKind::ReadOnly));
  ASSERT_TRUE(
      device.addRegion(results.data(), 256, "r", RegionKind::ReadWrite));
  ASSERT_TRUE(device.addRegion(scratch.data(), 256, "s", RegionKind::Scratch));
  for (int launch = 0; launch < 2; ++launch)
    ASSERT_TRUE(device.run([&] {
      int64_t t = thread();
      uint32_t sum =
          load(&results[size_t(t)]); // a state: defined from the start
      store(&scratch[size_t(t)], load(&weights[size_t(t)]));
      store(shared() + t, uint32_t(t));
      quartet_emu_barrier("b");
      sum += load(&scratch[size_t(63 - t)]) + load(shared() + (63 - t)) +
             uint32_t(load(&kTable[t % 4]));
      store(&results[size_t(t)], sum);
    }));
  EXPECT_CLEAN(device);
  for (uint32_t t = 0; t < 64; ++t)
    EXPECT_EQ(results[t], 2 * (3 + 63 - t + 1 + t % 4));
}

TEST(EmulatorMemory, RefusesBadRegions) {
  char bytes[64];
  Device device(small());
  EXPECT_FALSE(device.addRegion(bytes, 0, "empty", RegionKind::ReadOnly));
  EXPECT_TRUE(device.addRegion(bytes + 16, 16, "x", RegionKind::ReadOnly));
  EXPECT_FALSE(device.addRegion(bytes, 17, "y", RegionKind::ReadOnly));
  EXPECT_FALSE(device.addRegion(bytes + 31, 1, "y", RegionKind::ReadOnly));
  EXPECT_TRUE(device.addRegion(bytes, 16, "y", RegionKind::ReadOnly));
  EXPECT_TRUE(device.addRegion(bytes + 32, 16, "z", RegionKind::ReadOnly));
  device.removeRegion(bytes + 16);
  EXPECT_TRUE(device.addRegion(bytes + 16, 16, "x", RegionKind::ReadOnly));
}

TEST(EmulatorMemory, ReportsOutOfBounds) {
  alignas(16) static uint32_t data[68];
  // What lies behind the region, and an access that begins in it.
  for (int64_t bytes : {4, 16}) {
    Device device(small(0, 1));
    device.addRegion(data, 256, "scores", RegionKind::ReadWrite);
    uint32_t *at = bytes == 4 ? data + 64 : data + 62;
    EXPECT_FALSE(device.run([&] {
      quartet_emu_write(at, bytes, 1, "layer 3 / store");
      ADD_FAILURE() << "goes on behind an access out of bounds";
    }));
    EXPECT_REPORT(device, ReportKind::OutOfBounds, "'layer 3 / store'");
    EXPECT_NE(device.text().find(bytes == 4 ? "byte 256 of scores"
                                            : "byte 248 of scores"),
              std::string::npos)
        << device.text();
  }
  // A null pointer, another block's shared memory, what the launch hasn't got.
  Device device(small(0, 1, 2));
  EXPECT_FALSE(device.run([&] { load((const int *)nullptr); }));
  EXPECT_FALSE(device.run([&] { load(shared() + 1024); }));
  EXPECT_EQ(device.reports().size(), 1u) << device.text(); // of the same site
  device.clearReports();
  static uint32_t *other;
  EXPECT_FALSE(device.run([&] {
    if (block() == 0)
      other = shared();
    else
      store(other, 1u);
  }));
  EXPECT_REPORT(device, ReportKind::OutOfBounds, "shared memory of block 0");
  device.clearReports();
  EXPECT_FALSE(device.run([&] { quartet_emu_read(shared(), -4, 1, "s"); }));
  EXPECT_TRUE(device.has(ReportKind::OutOfBounds));
}

TEST(EmulatorMemory, ReportsWritesOfWhatIsReadOnly) {
  uint32_t weights[4] = {};
  Device device(small(0, 1));
  device.addRegion(weights, 16, "w", RegionKind::ReadOnly);
  EXPECT_FALSE(device.run([&] { store(&weights[1], 1u); }));
  EXPECT_REPORT(device, ReportKind::OutOfBounds, "read-only");
  EXPECT_EQ(weights[1], 0u);
}

// By what the access was promised, not by its size: code generators split
// accesses that may lie anywhere.
TEST(EmulatorMemory, ReportsAddressesThatAreNotAligned) {
  alignas(16) static uint32_t weights[8], results[8];
  struct Access {
    const char *part; ///< of the report; null: none
    std::function<void()> kernel;
  };
  const Access accesses[] = {
      {nullptr, [] { quartet_emu_read(weights + 4, 16, 16, "s"); }},
      {nullptr, [] { quartet_emu_read(weights + 1, 16, 4, "s"); }},
      {nullptr, [] { quartet_emu_write(results + 2, 8, 8, "s"); }},
      {"reads 16 bytes at 0x",
       [] { quartet_emu_read(weights + 1, 16, 16, "s"); }},
      {"byte 8 of weights", [] { quartet_emu_read(weights + 2, 16, 16, "s"); }},
      {"writes 8 bytes at 0x",
       [] { quartet_emu_write(results + 1, 8, 8, "s"); }},
      {"byte 2 of shared memory of block 0",
       [] { quartet_emu_write(shared<char>(2), 4, 4, "s"); }},
      {"expected a multiple of 2",
       [] { quartet_emu_write(shared<char>(1), 2, 2, "s"); }}};
  for (const Access &access : accesses) {
    Device device(small(0, 1));
    device.addRegion(weights, 32, "weights", RegionKind::ReadOnly);
    device.addRegion(results, 32, "results", RegionKind::ReadWrite);
    EXPECT_EQ(device.run(access.kernel), !access.part) << device.text();
    if (access.part)
      EXPECT_REPORT(device, ReportKind::BadInstruction, access.part);
    else
      EXPECT_CLEAN(device);
  }
}

TEST(EmulatorMemory, ReportsUnwrittenScratch) {
  uint32_t scratch[4];
  Device device(small(0, 1));
  device.addRegion(scratch, 16, "scratch", RegionKind::Scratch);
  device.run([&] { store(&scratch[1], 1u, "first"); });
  EXPECT_CLEAN(device);
  device.run([&] { load(&scratch[1]); }); // the same step
  EXPECT_CLEAN(device);
  device.run([&] { load(&scratch[2], "early"); });
  EXPECT_REPORT(device, ReportKind::Unwritten, "byte 8 of scratch at 'early'");
  device.clearReports();
  device.beginStep();
  device.run([&] { load(&scratch[1]); });
  EXPECT_REPORT(device, ReportKind::Unwritten, "byte 4 of scratch");
}

TEST(EmulatorMemory, ReportsUnwrittenBytes) {
  alignas(4) uint8_t scratch[8];
  Device device(small(0, 1));
  device.addRegion(scratch, 8, "scratch", RegionKind::Scratch);
  device.run([&] {
    for (int i = 0; i < 7; ++i)
      store(&scratch[i], uint8_t(i));
    quartet_emu_read(scratch, 4, 1, "whole word");
    quartet_emu_read(scratch + 5, 2, 1, "bytes");
  });
  EXPECT_CLEAN(device);
  device.run([&] { quartet_emu_read(scratch, 8, 1, "too much"); });
  EXPECT_REPORT(device, ReportKind::Unwritten, "byte 7 of scratch");
  device.run([&] { quartet_emu_read(scratch, 8, 1, "and again"); });
  EXPECT_EQ(device.reports().size(), 2u) << device.text();
}

TEST(EmulatorMemory, SharedMemoryIsUnwrittenInEachLaunch) {
  Device device(small(0, 1));
  device.run([&] {
    store(shared(), 1u);
    load(shared());
  });
  EXPECT_CLEAN(device);
  device.run([&] { EXPECT_EQ(load(shared()), 0xffffffff); });
  EXPECT_REPORT(device, ReportKind::Unwritten, "shared memory of block 0");
}

TEST(EmulatorMemory, ReportsFaults) {
  Device device(small(0, 32));
  static volatile int *nowhere = nullptr;
  EXPECT_FALSE(device.run([&] {
    quartet_emu_warp_barrier(~uint64_t(0), "just before");
    *nowhere = 1;
  }));
  EXPECT_REPORT(device, ReportKind::Fault, "just before");
}

int recurse(int depth) {
  volatile char frame[512];
  frame[0] = char(depth);
  int below = depth ? recurse(depth - 1) : 0;
  return below + frame[0];
}

__attribute__((noinline)) void voteFromAfar() {
  volatile char frame[150000];
  asm volatile("" : : "r"(frame) : "memory"); // needs all of it
  quartet_emu_ballot(1, "vote");
  asm volatile("" : : "r"(frame) : "memory");
}

TEST(EmulatorMemory, ReportsStackOverflows) {
  Device device(small(0, 32));
  EXPECT_FALSE(device.run([&] { recurse(100000); }));
  EXPECT_REPORT(device, ReportKind::StackOverflow, "more than 65536 bytes");
  device.clearReports();
  // A frame larger than the stack and what lies between the stacks.
  EXPECT_FALSE(device.run([&] {
    if (thread() == 31)
      voteFromAfar();
    else
      quartet_emu_ballot(1, "vote");
  }));
  EXPECT_REPORT(device, ReportKind::StackOverflow, "thread 31 of block 0");
  device.clearReports();
  EXPECT_TRUE(device.run([&] { recurse(10); })); // and goes on after it
  EXPECT_CLEAN(device);
}

TEST(EmulatorMemory, ReportsBadLaunches) {
  Options options = small();
  options.lanes = 48;
  Device odd(options);
  EXPECT_FALSE(odd.run([] {}));
  EXPECT_REPORT(odd, ReportKind::BadLaunch, "warps of 48");
  Device device(small());
  EXPECT_FALSE(device.run([] {}, 300 << 10));
  EXPECT_REPORT(device, ReportKind::BadLaunch, "307200 bytes of shared memory");
  device.clearReports();
  EXPECT_FALSE(device.launch({}));
  EXPECT_REPORT(device, ReportKind::BadLaunch, "no host function");
}

TEST(EmulatorMemory, CountsRepetitionsAndDropsTheRest) {
  uint32_t scratch[64];
  Options options = small();
  options.maxReports = 2;
  Device device(options);
  device.addRegion(scratch, 256, "scratch", RegionKind::Scratch);
  device.run([&] {
    load(&scratch[thread()], "a");
    load(&scratch[thread()], "b");
    load(&scratch[thread()], "c");
  });
  ASSERT_EQ(device.reports().size(), 2u);
  EXPECT_EQ(device.reports()[0].times, 64u);
  EXPECT_EQ(device.dropped(), 64u);
}
} // namespace
