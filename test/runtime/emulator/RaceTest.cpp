// Conflicting accesses of threads of one block and of several blocks.
#include "test/runtime/emulator/Harness.h"

using namespace quartet::emu;

namespace {
/// Runs \p kernel with \p threads and several seeds: in each there must be one
/// race with both sites.
void expectRace(std::function<void()> kernel, const char *site,
                const char *otherSite, int64_t threads = 64) {
  for (uint64_t seed : {0, 1, 2, 3}) {
    Device device(small(seed, threads));
    EXPECT_TRUE(device.run(kernel));
    ASSERT_TRUE(device.has(ReportKind::Race)) << device.text();
    for (const char *each : {site, otherSite})
      EXPECT_NE(device.text().find(std::string("'") + each + "'"),
                std::string::npos)
          << device.text();
  }
}

TEST(EmulatorRace, ReportsReadsAfterWrites) {
  expectRace(
      [] {
        store(shared() + thread(), 1u, "write");
        load(shared() + (thread() ^ 32), "read");
      },
      "write", "read");
}

TEST(EmulatorRace, ReportsWritesAfterReads) {
  expectRace(
      [] {
        store(shared() + thread(), 1u, "fill");
        quartet_emu_barrier("filled");
        load(shared() + 7, "read");
        if (thread() == 40)
          store(shared() + 7, 2u, "write");
      },
      "read", "write");
}

TEST(EmulatorRace, ReportsWritesAfterASingleRead) {
  expectRace(
      [] {
        store(shared() + thread(), 1u, "fill");
        quartet_emu_barrier("filled");
        if (thread() == 3)
          load(shared() + 7, "read");
        quartet_emu_ballot(1, "vote"); // so that it comes first
        if (thread() == 4)
          store(shared() + 7, 2u, "write");
      },
      "read", "write");
}

TEST(EmulatorRace, ReportsWritesAfterWrites) {
  expectRace([] { store(shared() + thread() / 2, 1u, "write"); }, "write",
             "write");
}

TEST(EmulatorRace, LanesNeedAWarpBarrier) {
  auto kernel = [](bool meets) {
    store(shared() + thread(), 1u, "write");
    if (meets)
      quartet_emu_warp_barrier(~uint64_t(0), "meet");
    load(shared() + (thread() ^ 1), "read");
  };
  expectRace([&] { kernel(false); }, "write", "read");
  for (uint64_t seed : {0, 1, 2}) {
    Device device(small(seed));
    EXPECT_TRUE(device.run([&] { kernel(true); }));
    EXPECT_CLEAN(device);
  }
  // And it orders nothing between warps.
  expectRace(
      [] {
        store(shared() + thread(), 1u, "write");
        quartet_emu_warp_barrier(~uint64_t(0), "meet");
        load(shared() + (thread() ^ 32), "read");
      },
      "write", "read");
}

TEST(EmulatorRace, WarpBarriersOrderOnlyTheirWarp) {
  expectRace(
      [] {
        if (thread() == 0)
          store(shared(), 1u, "write");
        for (int i = 0; i < 2; ++i)
          if (thread() < 32)
            quartet_emu_ballot(1, "vote");
          else
            quartet_emu_warp_barrier(~uint64_t(0), "of others");
        if (thread() == 1)
          load(shared(), "read");
      },
      "write", "read");
}

TEST(EmulatorRace, ShufflesOrderNoMemory) {
  expectRace(
      [] {
        store(shared() + thread(), 1u, "write");
        quartet_emu_shuffle_xor(0, 1, "shuffle");
        load(shared() + (thread() ^ 1), "read");
      },
      "write", "read");
}

TEST(EmulatorRace, KnowsBytes) {
  // Neighbouring bytes and halves are no conflict, the same ones are.
  for (uint64_t seed : {0, 1, 2}) {
    Device device(small(seed));
    EXPECT_TRUE(device.run([] {
      for (int round = 0; round < 3; ++round) {
        store(shared<uint8_t>() + thread(), uint8_t(thread()));
        store(shared<uint16_t>(64) + thread(), uint16_t(thread()));
        quartet_emu_barrier("written");
        uint32_t word = load(shared() + thread() % 16);
        EXPECT_EQ(word & 0xff, thread() % 16 * 4);
        EXPECT_EQ(load(shared<uint16_t>(64) + (63 - thread())), 63 - thread());
        load(shared<uint8_t>() + (63 - thread()));
        quartet_emu_barrier("read");
      }
    }));
    EXPECT_CLEAN(device);
  }
  expectRace(
      [] { store(shared<uint8_t>() + thread() / 2, uint8_t(1), "byte"); },
      "byte", "byte");
  expectRace(
      [] {
        store(shared<uint8_t>() + thread(), uint8_t(1), "byte");
        quartet_emu_barrier("b");
        load(shared() + thread() / 4, "word");
        if (thread() == 63)
          store(shared<uint8_t>() + 2, uint8_t(1), "byte again");
      },
      "word", "byte again");
}

TEST(EmulatorRace, BytesOfAWordMayHaveDifferentWriters) {
  // One byte is new; to read the word does not make the others new, too.
  alignas(4) static uint8_t state[256];
  Device device(small());
  device.addRegion(state, 256, "state", RegionKind::ReadWrite);
  EXPECT_TRUE(device.run([] {
    store(&state[thread() * 4], uint8_t(1));
    quartet_emu_read(&state[thread() * 4], 4, 1, "word");
    quartet_emu_ballot(1, "vote"); // all lanes are here
    load(&state[(thread() ^ 1) * 4 + 3], "other byte");
  }));
  EXPECT_CLEAN(device);
}

TEST(EmulatorRace, ReportsRacesInDeviceMemory) {
  static uint32_t scratch[64];
  for (uint64_t seed : {0, 1, 2})
    for (int64_t blocks : {1, 3}) {
      // One block: a barrier orders its threads. Several: nothing does.
      Device device(small(seed, 64, blocks));
      device.addRegion(scratch, 256, "scratch", RegionKind::Scratch);
      EXPECT_TRUE(device.run([&] {
        if (block() == 0)
          store(&scratch[thread()], 1u, "write");
        quartet_emu_barrier("b");
        if (block() == blocks - 1 && (blocks == 1 || seed))
          load(&scratch[63 - thread()], "read");
      }));
      if (blocks == 1) {
        EXPECT_CLEAN(device);
      } else if (seed) {
        EXPECT_TRUE(device.has(ReportKind::Race) ||
                    device.has(ReportKind::Unwritten));
      }
    }
}

TEST(EmulatorRace, ReportsReadersOfSeveralBlocks) {
  // Blocks 0 and 1 read what block 2 writes, which nobody may know.
  static uint32_t state[4];
  for (uint64_t seed : {0, 1, 2, 3}) {
    Device device(small(seed, 1, 3));
    device.addRegion(state, 16, "state", RegionKind::ReadWrite);
    EXPECT_TRUE(device.run([&] {
      if (block() == 2)
        store(&state[0], 1u, "write");
      else
        load(&state[0], "read");
    }));
    EXPECT_TRUE(device.has(ReportKind::Race)) << device.text();
    EXPECT_NE(device.text().find("no release and acquire"), std::string::npos);
    device.clearReports();
    // Readers alone are no conflict, and the next launch is behind this one.
    EXPECT_TRUE(device.run([&] { load(&state[0], "read"); }));
    EXPECT_TRUE(device.run([&] {
      if (block() == 1)
        store(&state[0], 1u, "write");
    }));
    EXPECT_CLEAN(device);
  }
}

TEST(EmulatorRace, ReadersOfSeveralBlocksPerByte) {
  // All blocks read a word and meet; then block 0 reads its first byte while
  // block 1 writes the last one, or the same.
  alignas(4) static uint8_t state[4];
  static uint32_t counter;
  for (bool same : {false, true}) {
    counter = 0;
    Device device(small(0, 1, 3));
    device.addRegion(state, 4, "state", RegionKind::ReadWrite);
    device.addRegion(&counter, 4, "counter", RegionKind::ReadWrite);
    EXPECT_TRUE(device.run([&] {
      quartet_emu_read(state, 4, 1, "word");
      quartet_emu_atomic_add(&counter, 1, 3, "arrive");
      while (quartet_emu_atomic_load(&counter, 1, "wait") < 3)
        ;
      if (block() == 0)
        load(&state[0], "byte");
      if (block() == 1)
        store(&state[same ? 0 : 3], uint8_t(1), "write");
    }));
    if (same)
      EXPECT_REPORT(device, ReportKind::Race, "of state at");
    else
      EXPECT_CLEAN(device);
  }
}

TEST(EmulatorRace, ThreadsMayTouchTheirOwnAgain) {
  static uint32_t state[64];
  Device device(small(0, 64, 2));
  device.addRegion(state, 256, "state", RegionKind::ReadWrite);
  EXPECT_TRUE(device.run([&] {
    if (block())
      return;
    for (uint32_t i = 0; i < 4; ++i)
      store(&state[thread()], load(&state[thread()]) + i);
  }));
  EXPECT_CLEAN(device);
}
} // namespace
