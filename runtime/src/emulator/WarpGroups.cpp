// wgmma: a warp's part of it, since its rows need nothing of the other warps.
// B is read where the hardware reads it, as the PTX manual describes matrix
// descriptors ("Matrix Descriptor", "Strides", "128B swizzling").
#include "runtime/src/emulator/Meet.h"
#include <algorithm>

using namespace quartet::emu;

namespace {
/// A matrix descriptor whose rows are along K, in the pattern of 128 bytes.
struct Descriptor {
  uint64_t start, eightRows; ///< bytes
  bool known;                ///< no other pattern

  explicit Descriptor(uint64_t bits)
      : start((bits & 0x3fff) << 4), eightRows((bits >> 32 & 0x3fff) << 4),
        known(bits >> 62 == 1 && (bits >> 49 & 7) == 0) {}
};

float fromBf16(const uint8_t *bytes) {
  uint32_t bits = uint32_t(bytes[0]) << 16 | uint32_t(bytes[1]) << 24;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

/// Elements of 32 bytes, as sums have them.
struct Bytes {
  using Sum = uint32_t; // wraps
  static constexpr int perWord = 4;
  static Sum get(const uint8_t *bytes, int i) {
    return uint32_t(int32_t(int8_t(bytes[i])));
  }
};
struct Halves {
  using Sum = float;
  static constexpr int perWord = 2;
  static Sum get(const uint8_t *bytes, int i) {
    return fromBf16(bytes + 2 * i);
  }
};

/// D of 16 rows and \p columns, of \p steps; b: 32 bytes for each column of a
/// step.
template <class Element>
void multiply(const LaneWords *lanes, int columns, int steps,
              const std::vector<uint8_t> &b) {
  constexpr int perWord = Element::perWord, k = 8 * perWord;
  std::vector<typename Element::Sum> d(size_t(16 * columns), 0);
  for (int step = 0; step < steps; ++step) {
    typename Element::Sum a[16][k];
    for (int lane = 0; lane < 32; ++lane)
      for (int word = 0; word < 4; ++word) {
        uint8_t bytes[4];
        std::memcpy(bytes, &lanes[lane].a[4 * step + word], 4);
        for (int i = 0; i < perWord; ++i)
          a[lane / 4 + 8 * (word & 1)]
           [perWord * (lane % 4) + i + k / 2 * (word >> 1)] =
               Element::get(bytes, i);
      }
    for (int column = 0; column < columns; ++column) {
      const uint8_t *bytes = &b[size_t(step * columns + column) * 32];
      for (int i = 0; i < k; ++i) {
        auto factor = Element::get(bytes, i);
        for (int row = 0; row < 16; ++row)
          d[size_t(row * columns + column)] += a[row][i] * factor;
      }
    }
  }
  for (int lane = 0; lane < 32; ++lane)
    for (int word = 0; word < columns / 2; ++word) {
      int row = lane / 4 + 8 * (word >> 1 & 1);
      int column = word / 4 * 8 + 2 * (lane % 4) + (word & 1);
      std::memcpy(&lanes[lane].d[word], &d[size_t(row * columns + column)], 4);
    }
}
} // namespace

/// Reads 32 bytes of each of \p columns rows of shared memory.
static void readRows(Thread &t, uint64_t bits, int columns, uint8_t *to,
                     const char *site) {
  Descriptor from(bits);
  Space &shared = t.block->shared;
  if (!from.known)
    badInstruction(t, site, "instruction",
                   "has a matrix descriptor without the pattern of 128 bytes");
  for (int column = 0; column < columns; ++column)
    for (uint64_t piece = 0; piece < 32; piece += 16, to += 16) {
      // 18 bits are an address in shared memory.
      uint64_t offset = (from.start - shared.base) & 0x3ffff;
      uintptr_t address = shared.base + offset +
                          uint64_t(column / 8) * from.eightRows +
                          uint64_t(column % 8) * 128 + piece;
      address ^= (address >> 7 & 7) << 4;
      if (!shared.holds(address, 16))
        t.machine->outOfBounds(t, address, 16, false, site);
      checkRead(t, shared, address - shared.base, 16, site);
      std::memcpy(to, reinterpret_cast<const void *>(address), 16);
    }
}

/// What threads have changed in shared memory before they last met this one, at
/// a barrier of the block or of the group, has to be fenced.
static void checkFences(const Thread &t, const char *site) {
  const Block &block = *t.block;
  size_t group = size_t(t.machine->options.lanes) * kGroupWarps;
  for (const Thread &other : block.threads) {
    uint32_t met = block.barrierTick;
    if (other.index / group == t.index / group)
      met = std::max(met, t.warp->groupTick);
    if (!other.unfenced || other.unfencedTick >= met)
      continue;
    t.machine->report(ReportKind::MissingWait, site, nullptr,
                      "missing wait: " + nameOf(other) +
                          " has changed shared memory without a fence for the "
                          "matrix instruction at " +
                          quoted(site));
    t.machine->abandon();
  }
}

void quartet_emu_group_multiply(int32_t element, int32_t columns, int32_t steps,
                                const uint64_t *descriptors, const uint32_t *a,
                                uint32_t *d, const char *site) {
  Thread &t = *current;
  if (laneCount(t) != 32 || t.block->warps.size() % kGroupWarps != 0)
    badInstruction(t, site, "instruction",
                   "has a matrix instruction of groups of four warps of 32");
  if ((element != QUARTET_EMU_GROUP_S8 && element != QUARTET_EMU_GROUP_BF16) ||
      columns < 8 || columns > 256 || columns % 8 != 0 || steps < 1)
    badInstruction(t, site, "instruction",
                   "has a matrix instruction of " + std::to_string(columns) +
                       " columns, expected a multiple of 8 up to 256");
  if (element == QUARTET_EMU_GROUP_S8 && columns > 24 && columns % 16 != 0)
    badInstruction(t, site, "instruction",
                   "has a matrix instruction of bytes with " +
                       std::to_string(columns) +
                       " columns, expected 8, 16, 24 or a multiple of 16");
  t.operands.words = {a, nullptr, nullptr, d};
  t.operands.row = descriptors;
  if (!meet(t, wholeWarp(t),
            meetingKind(Together::GroupMatrix, uint32_t(columns)), site))
    return;
  ++t.warp->groupProducts;
  checkFences(t, site);
  LaneWords words[32];
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const Operands &operands = laneOf(t, lane).operands;
    words[lane] = operands.words;
    if (std::memcmp(operands.row, descriptors, size_t(steps) * 8) != 0)
      badInstruction(t, site, "instruction",
                     "has another matrix descriptor than others of its warp");
  }
  std::vector<uint8_t> b(size_t(steps * columns) * 32);
  for (int32_t step = 0; step < steps; ++step)
    readRows(t, descriptors[step], columns,
             b.data() + size_t(step * columns) * 32, site);
  if (element == QUARTET_EMU_GROUP_S8)
    multiply<Bytes>(words, columns, steps, b);
  else
    multiply<Halves>(words, columns, steps, b);
  release(t, wholeWarp(t));
}

void quartet::emu::changesShared(Thread &t) {
  if (t.unfenced)
    return;
  t.unfenced = true;
  if (t.fencedTick == t.block->tick) // told apart from what it has fenced
    t.block->tick = ++t.machine->now;
  t.unfencedTick = t.block->tick;
}

void quartet_emu_group_fence(void) {
  current->unfenced = current->unfencedBegin = false;
  current->fencedTick = current->block->tick;
}
