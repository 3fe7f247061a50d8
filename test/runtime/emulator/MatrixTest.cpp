// Matrix instructions against plain loops, with the layouts written down a
// second time as tables of rows: which lane and byte has an element.
#include "runtime/src/emulator/Matrix.h"
#include "test/runtime/emulator/Harness.h"
#include <cmath>
#include <random>

using namespace quartet::emu;

namespace {
enum class Family { Mma, Mfma, Wmma11, Wmma12 };
struct Case {
  int32_t kind;
  Family family;
  int k, bits; ///< bits of an element of A and B
  bool aUnsigned = false, half = false;
  int lanes() const { return family == Family::Mfma ? 64 : 32; }
  int columns() const { return family == Family::Mma ? 8 : 16; }
};
const Case kCases[] = {
    {QUARTET_EMU_MMA_M16N8K32_S8_S8, Family::Mma, 32, 8},
    {QUARTET_EMU_MMA_M16N8K32_U8_S8, Family::Mma, 32, 8, true},
    {QUARTET_EMU_MMA_M16N8K16_BF16, Family::Mma, 16, 16},
    {QUARTET_EMU_MMA_M16N8K16_F16, Family::Mma, 16, 16, false, true},
    {QUARTET_EMU_MFMA_16X16X16_I8, Family::Mfma, 16, 8},
    {QUARTET_EMU_MFMA_16X16X32_I8, Family::Mfma, 32, 8},
    {QUARTET_EMU_MFMA_16X16X64_I8, Family::Mfma, 64, 8},
    {QUARTET_EMU_MFMA_16X16X16_BF16, Family::Mfma, 16, 16},
    {QUARTET_EMU_MFMA_16X16X32_BF16, Family::Mfma, 32, 16},
    {QUARTET_EMU_WMMA11_16X16X16_BF16, Family::Wmma11, 16, 16},
    {QUARTET_EMU_WMMA11_16X16X16_IU8, Family::Wmma11, 16, 8},
    {QUARTET_EMU_WMMA11_16X16X16_UI8, Family::Wmma11, 16, 8, true},
    {QUARTET_EMU_WMMA12_16X16X16_BF16, Family::Wmma12, 16, 16},
    {QUARTET_EMU_WMMA12_16X16X16_IU8, Family::Wmma12, 16, 8},
    {QUARTET_EMU_WMMA12_16X16X16_UI8, Family::Wmma12, 16, 8, true},
};

/// Where an element is: a lane, and its position among the lane's elements.
struct Place {
  int lane, element;
};
Place placeOfA(const Case &test, int row, int k) {
  int each = 32 / test.bits;
  switch (test.family) {
  case Family::Mma: { // a quarter of a row of 4 words, then the other half of k
    int half = k / (test.k / 2), inHalf = k % (test.k / 2);
    int word = 2 * half + row / 8;
    return {row % 8 * 4 + inHalf / each, word * each + inHalf % each};
  }
  case Family::Mfma:
    return {row + k / (test.k / 4) * 16, k % (test.k / 4)};
  case Family::Wmma11:
    return {row, k};
  case Family::Wmma12: { // words 2i and 2i + 1 of lane 0, then of lane 16
    int pair = 64 / test.bits, run = k / pair;
    return {row + run % 2 * 16, run / 2 * pair + k % pair};
  }
  }
  return {};
}
Place placeOfB(const Case &test, int k, int column) {
  if (test.family != Family::Mma)
    return placeOfA(test, column, k);
  int each = 32 / test.bits;
  int half = k / (test.k / 2), inHalf = k % (test.k / 2);
  return {column * 4 + inHalf / each, half * each + inHalf % each};
}
Place placeOfD(const Case &test, int row, int column) {
  switch (test.family) {
  case Family::Mma:
    return {row % 8 * 4 + column / 2, row / 8 * 2 + column % 2};
  case Family::Mfma:
    return {row / 4 * 16 + column, row % 4};
  case Family::Wmma11:
    return {row % 2 * 16 + column, row / 2};
  case Family::Wmma12:
    return {row / 8 * 16 + column, row % 8};
  }
  return {};
}

/// The small integer \p value as an element.
uint32_t encode(const Case &test, int value) {
  if (test.bits == 8)
    return uint32_t(value) & 0xff;
  float number = float(value);
  uint32_t word;
  std::memcpy(&word, &number, 4);
  if (!test.half)
    return word >> 16;
  if (!value)
    return 0;
  return (word >> 16 & 0x8000) | ((word >> 23 & 0xff) - 112) << 10 |
         (word >> 13 & 0x3ff);
}

/// Registers of a warp: A, B and C, of which D takes the place.
struct Registers {
  uint32_t a[64][8] = {}, b[64][8] = {}, c[64][8] = {};
  std::vector<std::vector<int>> result;

  Registers(const Case &test, unsigned seed) {
    std::mt19937 random(seed);
    int low = test.bits == 8 ? -128 : -8, high = test.bits == 8 ? 127 : 8;
    std::uniform_int_distribution<int> any(low, high);
    std::vector<std::vector<int>> left(16, std::vector<int>(test.k)),
        right(test.k, std::vector<int>(test.columns()));
    for (int row = 0; row < 16; ++row)
      for (int k = 0; k < test.k; ++k) {
        left[row][k] = test.aUnsigned ? any(random) + 128 : any(random);
        put(a, placeOfA(test, row, k), left[row][k], test);
      }
    for (int k = 0; k < test.k; ++k)
      for (int column = 0; column < test.columns(); ++column) {
        right[k][column] = any(random);
        put(b, placeOfB(test, k, column), right[k][column], test);
      }
    if (test.family == Family::Wmma11)
      for (int lane = 0; lane < 16; ++lane) {
        std::memcpy(a[lane + 16], a[lane], sizeof a[lane]);
        std::memcpy(b[lane + 16], b[lane], sizeof b[lane]);
      }
    result.assign(16, std::vector<int>(test.columns()));
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < test.columns(); ++column) {
        int sum = any(random);
        Place place = placeOfD(test, row, column);
        uint32_t word = uint32_t(sum);
        float number = float(sum);
        if (test.bits == 16)
          std::memcpy(&word, &number, 4);
        c[place.lane][place.element] = word;
        for (int k = 0; k < test.k; ++k)
          sum += left[row][k] * right[k][column];
        result[row][column] = sum;
      }
  }
  static void put(uint32_t (*words)[8], Place place, int value,
                  const Case &test) {
    int each = 32 / test.bits;
    words[place.lane][place.element / each] |=
        encode(test, value) << test.bits * (place.element % each);
  }
  void expectResult(const Case &test) const {
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < test.columns(); ++column) {
        Place place = placeOfD(test, row, column);
        uint32_t word = c[place.lane][place.element];
        float number;
        std::memcpy(&number, &word, 4);
        int value = test.bits == 16 ? int(number) : int(word);
        ASSERT_EQ(value, result[row][column])
            << "kind " << test.kind << ", row " << row << ", column " << column;
      }
  }
};

TEST(EmulatorMatrix, AllKindsMultiply) {
  for (const Case &test : kCases) {
    EXPECT_EQ(matrixLanes(test.kind), test.lanes());
    for (uint64_t seed : {0, 1}) {
      Registers registers(test, unsigned(seed + 17));
      Options options = small(seed, 2 * test.lanes());
      options.lanes = test.lanes();
      Device device(options);
      EXPECT_TRUE(device.run([&] {
        int64_t lane = thread() % test.lanes();
        if (thread() >= test.lanes()) { // another warp, with other numbers
          uint32_t zero[8] = {}, c[8] = {};
          quartet_emu_mma(test.kind, zero, zero, c, c, "other");
          return;
        }
        quartet_emu_mma(test.kind, registers.a[lane], registers.b[lane],
                        registers.c[lane], registers.c[lane], "mma");
      }));
      EXPECT_CLEAN(device);
      registers.expectResult(test);
    }
  }
}

// Products hold in any order of k that A and B share; how sums are rounded
// shows which one it is: 1 is lost in 2^24 that comes before -2^24.
TEST(EmulatorMatrix, FloatsAreAddedInOrderOfColumns) {
  const int big = 1 << 24;
  for (const Case &test : kCases) {
    if (test.bits != 16 || test.half)
      continue;
    for (int first = 1; first < test.k; ++first)
      for (int second = first + 1; second < test.k; ++second) {
        uint32_t a[64][8] = {}, b[64][8] = {}, c[8] = {}, d[64][8];
        for (auto [k, value] : {std::pair(0, 1), {first, big}, {second, -big}})
          Registers::put(a, placeOfA(test, 0, k), value, test);
        for (int k = 0; k < test.k; ++k)
          Registers::put(b, placeOfB(test, k, 0), 1, test);
        LaneWords lanes[64];
        for (int lane = 0; lane < test.lanes(); ++lane)
          lanes[lane] = {a[lane], b[lane], c, d[lane]};
        multiplyMatrices(test.kind, lanes);
        Place place = placeOfD(test, 0, 0);
        EXPECT_EQ(d[place.lane][place.element], 0u)
            << "kind " << test.kind << ", k " << first << " and " << second;
      }
  }
}

TEST(EmulatorMatrix, IntegersWrapAndHalvesAreExact) {
  Case test = kCases[0];
  LaneWords lanes[32];
  uint32_t ones[4] = {0x01010101, 0x01010101, 0x01010101, 0x01010101};
  uint32_t c[4] = {0x7ffffff0, 0, 0, 0}, d[32][4];
  for (int lane = 0; lane < 32; ++lane)
    lanes[lane] = {ones, ones, c, d[lane]};
  EXPECT_EQ(multiplyMatrices(test.kind, lanes), -1);
  EXPECT_EQ(d[3][0], 0x80000010u);
  // Subnormal, negative and infinite halves times one.
  const uint32_t halves[4] = {0x0001, 0x8400, 0x7c00, 0x3555};
  const float values[4] = {0x1p-24f, -0x1p-14f, INFINITY, 0x1.554p-2f};
  for (int i = 0; i < 4; ++i) {
    uint32_t a[32][4] = {}, b[2] = {0x3c003c00, 0x3c003c00}, zero[4] = {};
    for (int lane = 0; lane < 32; ++lane) {
      if (lane % 4 == 0)
        a[lane][0] = halves[i];
      lanes[lane] = {a[lane], b, zero, d[lane]};
    }
    multiplyMatrices(QUARTET_EMU_MMA_M16N8K16_F16, lanes);
    float value;
    std::memcpy(&value, &d[5][1], 4);
    EXPECT_EQ(value, values[i]);
  }
}

TEST(EmulatorMatrix, ReportsLanesThatAreNoCopies) {
  Registers registers(kCases[9], 3);
  registers.b[21][2] ^= 1;
  Device device(small(0, 32));
  device.run([&] {
    int64_t lane = thread();
    quartet_emu_mma(QUARTET_EMU_WMMA11_16X16X16_BF16, registers.a[lane],
                    registers.b[lane], registers.c[lane], registers.c[lane],
                    "mma");
  });
  EXPECT_REPORT(device, ReportKind::BadInstruction, "than lane 5 of its warp");
}

TEST(EmulatorMatrix, ReportsInstructionsThatDoNotExist) {
  uint32_t words[8] = {};
  for (int32_t kind : {int32_t(QUARTET_EMU_MFMA_16X16X32_I8), 99}) {
    Device device(small(0, 32));
    EXPECT_FALSE(device.run(
        [&] { quartet_emu_mma(kind, words, words, words, words, "mma"); }));
    EXPECT_REPORT(device, ReportKind::BadInstruction,
                  kind == 99 ? "99, which is unknown" : "of warps of 64");
  }
}

TEST(EmulatorMatrix, LoadMatrix) {
  // Element (row, column) of tile i is 64 i + 8 row + column.
  for (int32_t tiles : {1, 2, 4})
    for (int32_t transposed : {0, 1}) {
      Device device(small(1, 32));
      EXPECT_TRUE(device.run([&] {
        for (int64_t i = thread(); i < 64 * tiles; i += 32)
          store(shared<uint16_t>(i / 8 * 32) + i % 8, uint16_t(i));
        quartet_emu_warp_barrier(~uint64_t(0), "written");
        uint32_t words[4];
        int64_t row = thread() % (8 * tiles);
        quartet_emu_ldmatrix(words, shared(row * 32), tiles, transposed, "ld");
        for (int32_t tile = 0; tile < tiles; ++tile)
          for (uint32_t i = 0; i < 2; ++i) {
            uint32_t a = uint32_t(thread()) / 4;
            uint32_t b = uint32_t(thread()) % 4 * 2 + i;
            EXPECT_EQ(words[tile] >> 16 * i & 0xffff,
                      uint32_t(tile) * 64 +
                          (transposed ? 8 * b + a : 8 * a + b));
          }
      }));
      EXPECT_CLEAN(device);
    }
}

TEST(EmulatorMatrix, LoadMatrixIsChecked) {
  auto fill = [] {
    for (int64_t i = thread(); i < 128; i += 32)
      store(shared() + i, 0u, "fill");
  };
  uint32_t words[32][4];
  Device device(small(0, 32));
  device.run([&] { // not transposed, each lane gets what it has written itself
    fill();
    quartet_emu_ldmatrix(words[thread()], shared(thread() * 16), 4, 0, "ld");
  });
  EXPECT_CLEAN(device);
  device.run([&] {
    fill();
    quartet_emu_ldmatrix(words[thread()], shared(thread() * 16), 4, 1, "ld");
  });
  EXPECT_REPORT(device, ReportKind::Race, "'ld'");
  device.clearReports();
  EXPECT_FALSE(device.run([&] {
    quartet_emu_ldmatrix(words[thread()], shared(thread() * 16 + 8), 1, 0,
                         "ld");
  }));
  EXPECT_REPORT(device, ReportKind::BadInstruction, "multiple of 16");
  device.clearReports();
  EXPECT_FALSE(device.run(
      [&] {
        quartet_emu_ldmatrix(words[thread()], shared(thread() * 16), 4, 0,
                             "ld");
      },
      496));
  EXPECT_REPORT(device, ReportKind::OutOfBounds, "byte 496 of shared memory");
}
} // namespace
