// A small matmul that uses all ways of meeting: clean as it is, and without any
// one of its barriers, waits and orders it is found out, in every order of its
// threads.
#include "test/runtime/emulator/Harness.h"

using namespace quartet::emu;

namespace {
constexpr int kThreads = 64, kBlocks = 2, kRows = 8, kColumns = 8, kDepth = 64;
constexpr int kTile = 16; ///< of kDepth in shared memory at once, two of them

/// What can be left out.
enum Part {
  BarrierBeforeGrid,
  ReleaseOfGrid,
  AcquireOfGrid,
  BarrierBehindGrid,
  WaitForTile,
  BarrierBehindTile,
  BarrierBeforeNextTile,
  WarpBarrier,
  BarrierBeforeSum,
  Nothing
};

struct Memory {
  alignas(64) uint32_t counter;
  alignas(16) int32_t a[kRows][kDepth];
  alignas(16) int32_t b[kColumns][kDepth];
  alignas(16) int32_t doubled[kRows][kDepth]; ///< scratch: 2 A
  alignas(16) int32_t c[kRows][kColumns];     ///< 2 A B^T
};

/// Blocks double half of A each, meet, and compute half of the columns of C
/// each. Two threads share an element, the same lane of both warps: each has
/// half of the depth of every tile. Their sums go through shared memory twice,
/// in their warp and in their block.
void matmul(Memory &memory, Part without) {
  int64_t t = thread(), block = quartet::emu::block();
  // Phase 1.
  for (int64_t i = t; i < kRows * kDepth / kBlocks; i += kThreads) {
    int64_t at = block * kRows * kDepth / kBlocks + i;
    store(&memory.doubled[0][0] + at, 2 * load(&memory.a[0][0] + at), "double");
  }
  if (without != BarrierBeforeGrid)
    quartet_emu_barrier("before grid");
  if (t == 0) {
    quartet_emu_atomic_add(&memory.counter, 1, without == ReleaseOfGrid ? 0 : 2,
                           "arrive");
    while (quartet_emu_atomic_load(&memory.counter,
                                   without == AcquireOfGrid ? 0 : 1,
                                   "wait") < kBlocks)
      ;
  }
  if (without != BarrierBehindGrid)
    quartet_emu_barrier("behind grid");

  // Phase 2. Tiles: 8 rows of doubled A of 16 words, then 4 of B.
  constexpr int64_t rows = kRows + kColumns / kBlocks;
  constexpr int64_t tileBytes = rows * kTile * 4;
  auto fetch = [&](int64_t tile) {
    for (int64_t piece = t; piece < rows * kTile / 4; piece += kThreads) {
      int64_t row = piece / 4, column = tile * kTile + piece % 4 * 4;
      const int32_t *from =
          row < kRows
              ? &memory.doubled[row][column]
              : &memory.b[block * kColumns / kBlocks + row - kRows][column];
      quartet_emu_copy_async(shared(tile % 2 * tileBytes + piece * 16), from,
                             16, 16, "tile");
    }
    quartet_emu_commit_group();
  };
  // The element of the block's 8 x 4, and the half.
  int64_t lane = t % 32, half = t / 32, row = lane / 4, column = lane % 4;
  int32_t sum = 0;
  fetch(0);
  for (int64_t tile = 0; tile < kDepth / kTile; ++tile) {
    bool last = tile + 1 == kDepth / kTile;
    if (!last)
      fetch(tile + 1);
    if (without != WaitForTile)
      quartet_emu_wait_group(last ? 0 : 1);
    if (without != BarrierBehindTile)
      quartet_emu_barrier("behind tile");
    const int32_t *from = shared<int32_t>(tile % 2 * tileBytes);
    for (int64_t k = half * kTile / 2; k < (half + 1) * kTile / 2; ++k)
      sum += load(from + row * kTile + k, "multiply") *
             load(from + (kRows + column) * kTile + k, "multiply");
    if (without != BarrierBeforeNextTile)
      quartet_emu_barrier("before next tile");
  }
  if (without == WaitForTile)
    quartet_emu_wait_group(0);

  // The warps' sums change places within the warp, then the warps' add up.
  int32_t *sums = shared<int32_t>(2 * tileBytes);
  store(sums + t, sum, "exchange");
  if (without != WarpBarrier)
    quartet_emu_warp_barrier(0xffffffff, "exchange");
  int32_t other = load(sums + (t ^ 1), "exchange");
  int32_t *others = sums + kThreads;
  store(others + (t ^ 1), other, "sum");
  if (without != BarrierBeforeSum)
    quartet_emu_barrier("before sum");
  if (t < 32)
    store(&memory.c[row][block * kColumns / kBlocks + column],
          load(others + t, "sum") + load(others + t + 32, "sum"), "result");
}

std::string run(uint64_t seed, Part without, Memory &memory) {
  memory.counter = 0;
  for (int row = 0; row < kRows; ++row)
    for (int k = 0; k < kDepth; ++k) {
      memory.a[row][k] = row * 31 + k * 7 - 100;
      memory.b[row][k] = k * 13 - row * 17 + 5;
    }
  Device device(small(seed, kThreads, kBlocks));
  auto add = [&](auto &part, const char *name, RegionKind kind) {
    EXPECT_TRUE(device.addRegion(&part, sizeof part, name, kind));
  };
  add(memory.counter, "counter", RegionKind::ReadWrite);
  add(memory.a, "a", RegionKind::ReadOnly);
  add(memory.b, "b", RegionKind::ReadOnly);
  add(memory.doubled, "scratch", RegionKind::Scratch);
  add(memory.c, "c", RegionKind::ReadWrite);
  device.run([&] { matmul(memory, without); });
  return device.text();
}

TEST(EmulatorMatmul, IsClean) {
  static Memory memory;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    EXPECT_EQ(run(seed, Nothing, memory), "");
    for (int row = 0; row < kRows; ++row)
      for (int column = 0; column < kColumns; ++column) {
        int32_t sum = 0;
        for (int k = 0; k < kDepth; ++k)
          sum += 2 * memory.a[row][k] * memory.b[column][k];
        ASSERT_EQ(memory.c[row][column], sum);
      }
  }
}

TEST(EmulatorMatmul, EveryPartIsNeeded) {
  static Memory memory;
  for (uint64_t seed = 0; seed < 8; ++seed)
    for (int part = 0; part < Nothing; ++part)
      EXPECT_NE(run(seed, Part(part), memory), "")
          << "part " << part << ", seed " << seed;
}
} // namespace
