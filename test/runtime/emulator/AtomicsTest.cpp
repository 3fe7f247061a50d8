// What orders blocks: releases and acquires, fences, and the launches.
#include "test/runtime/emulator/Harness.h"

using namespace quartet::emu;

namespace {
struct GridMemory {
  alignas(64) uint32_t counter = 0;
  uint32_t data[4][64] = {};
};

/// How the barrier of all blocks is made; each step can be left out.
struct GridBarrier {
  bool before = true, behind = true; ///< the blocks' own barriers
  int32_t arrive = 2, wait = 1;      ///< orders of the atomics
  bool fences = false;
};

void gridBarrier(GridMemory &memory, const GridBarrier &how) {
  if (how.before)
    quartet_emu_barrier("before");
  if (thread() == 0) {
    if (how.fences)
      quartet_emu_fence("fence");
    quartet_emu_atomic_add(&memory.counter, 1, how.arrive, "arrive");
    while (quartet_emu_atomic_load(&memory.counter, how.wait, "wait") <
           uint32_t(quartet_emu_blocks()))
      ;
    if (how.fences)
      quartet_emu_fence("fence");
  }
  if (how.behind)
    quartet_emu_barrier("behind");
}

std::string runGrid(uint64_t seed, const GridBarrier &how) {
  GridMemory memory;
  Device device(small(seed, 64, 4));
  device.addRegion(&memory.counter, 4, "counter", RegionKind::ReadWrite);
  device.addRegion(memory.data, sizeof memory.data, "data",
                   RegionKind::Scratch);
  EXPECT_TRUE(device.run([&] {
    int64_t b = block(), t = thread();
    store(&memory.data[b][t], uint32_t(b * 64 + t), "write");
    gridBarrier(memory, how);
    for (int64_t other = 0; other < 4; ++other)
      EXPECT_EQ(load(&memory.data[other][63 - t], "read"),
                how.behind && how.before ? other * 64 + 63 - t
                                         : memory.data[other][63 - t]);
  }));
  return device.text();
}

TEST(EmulatorAtomics, GridBarrierOrdersBlocks) {
  for (uint64_t seed : {0, 1, 2, 3, 4}) {
    EXPECT_EQ(runGrid(seed, {}), "");
    GridBarrier fenced;
    fenced.arrive = fenced.wait = 0;
    fenced.fences = true;
    EXPECT_EQ(runGrid(seed, fenced), "");
    GridBarrier both;
    both.arrive = both.wait = 3;
    EXPECT_EQ(runGrid(seed, both), "");
  }
}

TEST(EmulatorAtomics, EachPartOfTheGridBarrierIsNeeded) {
  for (uint64_t seed : {0, 1, 2, 3, 4})
    for (int part = 0; part < 4; ++part) {
      GridBarrier how;
      (part == 0 ? how.before : how.behind) = part > 1;
      how.behind |= part == 0;
      how.before = part != 0;
      if (part == 2)
        how.arrive = 0;
      if (part == 3)
        how.wait = 0;
      std::string text = runGrid(seed, how);
      EXPECT_TRUE(text.find("race") != std::string::npos ||
                  text.find("unwritten") != std::string::npos)
          << "part " << part << ", seed " << seed << ": " << text;
    }
}

TEST(EmulatorAtomics, ReuseAfterAGridBarrier) {
  // All blocks read, meet, and one writes; without the meeting it's a race.
  for (uint64_t seed : {0, 1, 2})
    for (bool meets : {true, false}) {
      GridMemory memory;
      Device device(small(seed, 64, 4));
      device.addRegion(&memory, sizeof memory, "memory", RegionKind::ReadWrite);
      EXPECT_TRUE(device.run([&] {
        load(&memory.data[0][thread()], "read");
        if (meets)
          gridBarrier(memory, {});
        if (block() == 2)
          store(&memory.data[0][63 - thread()], 1u, "write");
      }));
      if (meets)
        EXPECT_CLEAN(device);
      else
        EXPECT_TRUE(device.has(ReportKind::Race));
    }
}

TEST(EmulatorAtomics, ManyRoundsOfReadersAndOneWriter) {
  // Each round one block writes what all read in the next; in the last round
  // one of them may write too early.
  for (uint64_t seed : {0, 1, 2})
    for (bool early : {false, true}) {
      GridMemory memory;
      Device device(small(seed, 64, 4));
      device.addRegion(&memory, sizeof memory, "memory", RegionKind::ReadWrite);
      EXPECT_TRUE(device.run([&] {
        for (uint32_t round = 0; round < 8; ++round) {
          if (block() == round % 4)
            store(&memory.data[0][thread()], round, "write");
          for (bool behind : {false, true}) {
            if (behind && early && round == 7)
              break;
            quartet_emu_barrier("before");
            if (thread() == 0) {
              quartet_emu_atomic_add(&memory.counter, 1, 2, "arrive");
              while (quartet_emu_atomic_load(&memory.counter, 1, "wait") <
                     4 * (2 * round + behind + 1))
                ;
            }
            quartet_emu_barrier("behind");
            if (behind)
              continue;
            uint32_t seen = load(&memory.data[0][63 - thread()], "read");
            EXPECT_TRUE(seen == round || (early && seen == 9)) << seen;
          }
        }
        quartet_emu_barrier("end"); // of the block only
        if (block() == 1)
          store(&memory.data[0][thread()], 9u, "last");
      }));
      EXPECT_EQ(device.has(ReportKind::Race), early) << device.text();
      EXPECT_EQ(device.text().find("no barrier is"), std::string::npos);
    }
}

TEST(EmulatorAtomics, ReleaseTellsWhatIsBeforeIt) {
  // A message from one thread to another without barriers. What the sender
  // writes behind the release is not in it.
  for (bool late : {false, true}) {
    GridMemory memory;
    Device device(small(0, 1, 2));
    device.addRegion(&memory, sizeof memory, "memory", RegionKind::ReadWrite);
    EXPECT_TRUE(device.run([&] {
      if (block() == 0) {
        store(&memory.data[0][0], 7u, "send");
        quartet_emu_atomic_store(&memory.counter, 1, 2, "flag");
        if (late)
          store(&memory.data[0][1], 8u, "send late");
      } else {
        while (!quartet_emu_atomic_load(&memory.counter, 1, "flag"))
          ;
        EXPECT_EQ(load(&memory.data[0][0], "receive"), 7u);
        if (late)
          load(&memory.data[0][1], "receive");
      }
    }));
    if (late)
      EXPECT_REPORT(device, ReportKind::Race, "'send late'");
    else
      EXPECT_CLEAN(device);
  }
}

TEST(EmulatorAtomics, OrderIsTransitive) {
  // Block 0 tells 1, which tells 2.
  GridMemory memory;
  Device device(small(1, 1, 3));
  device.addRegion(&memory, sizeof memory, "memory", RegionKind::ReadWrite);
  EXPECT_TRUE(device.run([&] {
    uint32_t b = uint32_t(block());
    while (quartet_emu_atomic_load(&memory.counter, 1, "wait") < b)
      ;
    store(&memory.data[0][0], load(&memory.data[0][0]) * 10 + b);
    quartet_emu_atomic_store(&memory.counter, b + 1, 2, "tell");
  }));
  EXPECT_CLEAN(device);
  EXPECT_EQ(memory.data[0][0], 12u);
}

TEST(EmulatorAtomics, OrderIsTransitiveAcrossTheThreadsOfABlock) {
  // In block 1 one thread hears of block 0 and, behind a barrier, another one
  // tells block 2.
  GridMemory memory;
  Device device(small(1, 64, 3));
  device.addRegion(&memory, sizeof memory, "memory", RegionKind::ReadWrite);
  EXPECT_TRUE(device.run([&] {
    if (block() == 0 && thread() == 5) {
      store(&memory.data[0][0], 7u, "send");
      quartet_emu_atomic_store(&memory.counter, 1, 2, "tell");
    }
    if (block() == 1) {
      if (thread() == 0)
        while (quartet_emu_atomic_load(&memory.counter, 1, "wait") < 1)
          ;
      quartet_emu_barrier("heard");
      if (thread() == 33)
        quartet_emu_atomic_store(&memory.counter, 2, 2, "tell");
    }
    if (block() == 2 && thread() == 9) {
      while (quartet_emu_atomic_load(&memory.counter, 1, "wait") < 2)
        ;
      EXPECT_EQ(load(&memory.data[0][0], "receive"), 7u);
    }
  }));
  EXPECT_CLEAN(device);
}

TEST(EmulatorAtomics, WarpBarriersCarryTheOrderOfBlocks) {
  // All lanes write, one tells; one hears, and all lanes read.
  for (bool meets : {false, true}) {
    GridMemory memory;
    Device device(small(0, 32, 2));
    device.addRegion(&memory, sizeof memory, "memory", RegionKind::ReadWrite);
    auto meet = [&](const char *site) {
      if (meets)
        quartet_emu_warp_barrier(~uint64_t(0), site);
      else
        quartet_emu_ballot(1, site);
    };
    EXPECT_TRUE(device.run([&] {
      if (block() == 0) {
        store(&memory.data[0][thread()], 7u, "write");
        meet("before");
        if (thread() == 0)
          quartet_emu_atomic_store(&memory.counter, 1, 2, "tell");
      } else {
        if (thread() == 0)
          while (!quartet_emu_atomic_load(&memory.counter, 1, "hear"))
            ;
        meet("behind");
        load(&memory.data[0][31 - thread()], "read");
      }
    }));
    EXPECT_EQ(device.has(ReportKind::Race), !meets) << device.text();
  }
}

TEST(EmulatorAtomics, ReadersAreThoseOfTheirWord) {
  // What blocks 2 and 3 do has nothing to do with the word of 0 and 1, whose
  // readers are forgotten before.
  GridMemory memory;
  uint32_t *flags = memory.data[1];
  Device device(small(0, 1, 4));
  device.addRegion(&memory, sizeof memory, "memory", RegionKind::ReadWrite);
  auto await = [&](int flag, int32_t order) {
    while (!quartet_emu_atomic_load(&flags[flag], order, "await"))
      ;
  };
  auto tell = [&](int flag, int32_t order) {
    quartet_emu_atomic_store(&flags[flag], 1, order, "tell");
  };
  EXPECT_TRUE(device.run([&] {
    switch (block()) {
    case 0:
      load(&memory.data[0][0], "read");
      await(0, 1);
      store(&memory.data[0][0], 1u, "write");
      tell(1, 0); // orders nothing
      break;
    case 1:
      load(&memory.data[0][0], "read");
      tell(0, 2);
      break;
    case 2:
      await(1, 0);
      load(&memory.data[0][1], "read");
      tell(2, 2);
      break;
    case 3:
      await(1, 0);
      load(&memory.data[0][1], "read");
      await(2, 1);
      store(&memory.data[0][1], 1u, "write");
      break;
    }
  }));
  EXPECT_CLEAN(device);
}

TEST(EmulatorAtomics, AtomicsDoNotRaceButPlainAccessesDo) {
  GridMemory memory;
  Device device(small(3, 64, 4));
  device.addRegion(&memory, sizeof memory, "memory", RegionKind::ReadWrite);
  EXPECT_TRUE(device.run([&] {
    quartet_emu_atomic_add(&memory.counter, 2, 0, "add");
    quartet_emu_atomic_load(&memory.counter, 0, "load");
  }));
  EXPECT_CLEAN(device);
  EXPECT_EQ(memory.counter, 512u);
  EXPECT_TRUE(device.run([&] {
    if (block() == 0)
      quartet_emu_atomic_add(&memory.counter, 2, 3, "add");
    if (block() == 1 && thread() == 0)
      load(&memory.counter, "plain");
  }));
  EXPECT_REPORT(device, ReportKind::Race, "'plain'");
}

TEST(EmulatorAtomics, ReportsBadAddresses) {
  GridMemory memory;
  Device device(small(0, 1));
  device.addRegion(&memory, sizeof memory, "memory", RegionKind::ReadWrite);
  auto *odd =
      reinterpret_cast<uint32_t *>(reinterpret_cast<char *>(memory.data) + 2);
  EXPECT_FALSE(device.run([&] { quartet_emu_atomic_add(odd, 1, 0, "add"); }));
  EXPECT_REPORT(device, ReportKind::BadInstruction, "multiple of 4");
}

TEST(EmulatorAtomics, OverlappingLaunchesWait) {
  static uint32_t scratch[64], other[64];
  for (uint64_t seed : {0, 1})
    for (int fault = 0; fault < 6; ++fault) {
      Device device(small(seed));
      device.addRegion(scratch, 256, "scratch", RegionKind::Scratch);
      device.addRegion(other, 256, "other", RegionKind::Scratch);
      EXPECT_TRUE(device.run([&] { store(&other[thread()], 1u, "older"); }));
      EXPECT_TRUE(device.run([&] { store(&scratch[thread()], 1u, "front"); }));
      device.run(
          [&] {
            load(&other[thread()], "before the wait"); // of an older launch
            if (fault == 1)
              load(&scratch[thread()], "too early");
            if (fault == 2)
              store(&other[thread()], 1u, "too early");
            bool one = fault == 3 || fault == 5; // of the block, of a warp
            if (one ? thread() % (fault == 3 ? 64 : 32) == 0 : fault != 4)
              quartet_emu_dependency_wait();
            quartet_emu_dependency_launch();
            if (fault == 3)
              quartet_emu_barrier("b");
            if (fault == 5)
              quartet_emu_warp_barrier(~uint64_t(0), "b");
            if (fault != 4)
              load(&scratch[63 - thread()], "behind the wait");
          },
          4096, true);
      if (fault == 0 || fault == 3 || fault == 5)
        EXPECT_CLEAN(device);
      else
        EXPECT_REPORT(device, ReportKind::MissingWait,
                      fault == 4 ? "no thread waited" : "'too early'");
    }
}

TEST(EmulatorAtomics, StepsAreApart) {
  // The first launch of a step overlaps nothing of the step before.
  static uint32_t state[64];
  for (bool newStep : {false, true}) {
    Device device(small());
    device.addRegion(state, 256, "state", RegionKind::ReadWrite);
    device.run([&] { store(&state[thread()], 1u, "write"); });
    if (newStep)
      device.beginStep();
    device.run(
        [&] {
          load(&state[thread()], "read");
          quartet_emu_dependency_wait();
        },
        0, true);
    EXPECT_EQ(device.has(ReportKind::MissingWait), !newStep) << device.text();
  }
}

TEST(EmulatorAtomics, EarlyStartsReachFurtherBack) {
  // The launch in front let this one start before it had waited itself, so the
  // one in front of that may still run.
  static uint32_t scratch[64];
  for (bool early : {false, true}) {
    Device device(small());
    device.addRegion(scratch, 256, "scratch", RegionKind::Scratch);
    device.run([&] { store(&scratch[thread()], 1u, "write"); });
    device.run(
        [&] {
          if (early)
            quartet_emu_dependency_launch();
          quartet_emu_dependency_wait();
          quartet_emu_dependency_launch();
        },
        0, true);
    device.run(
        [&] {
          load(&scratch[thread()], "read");
          quartet_emu_dependency_wait();
        },
        0, true);
    if (early)
      EXPECT_REPORT(device, ReportKind::MissingWait, "'read'");
    else
      EXPECT_CLEAN(device);
  }
}
} // namespace
