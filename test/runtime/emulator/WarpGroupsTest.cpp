// Matrix instructions of warp groups against plain loops, with the places of
// elements written down a second time.
#include "test/runtime/emulator/Harness.h"
#include <cmath>
#include <random>

using namespace quartet::emu;

namespace {
constexpr int64_t kThreads = 128;

struct Case {
  int32_t element;
  int columns, steps;
  int perWord() const { return element == QUARTET_EMU_GROUP_S8 ? 4 : 2; }
  int k() const { return 8 * perWord() * steps; } ///< of all steps
};

/// A matrix of small integers, which both element types have.
std::vector<int> randomMatrix(int count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int> values(size_t(count), 0);
  for (int &value : values)
    value = int(random() % 17) - 8;
  return values;
}

uint32_t bitsOf(const Case &test, int value) {
  if (test.element == QUARTET_EMU_GROUP_S8)
    return uint8_t(int8_t(value));
  auto number = float(value);
  uint32_t bits;
  std::memcpy(&bits, &number, 4);
  return bits >> 16;
}

struct EmulatorWarpGroups : testing::Test {
  /// Rows of B begin here; a multiple of 1024.
  static constexpr int64_t kRows = 1024;

  static uint64_t descriptor(int64_t offset) {
    auto address = reinterpret_cast<uintptr_t>(shared<char>(offset));
    return (address & 0x3ffff) >> 4 | uint64_t(64) << 32 | uint64_t(1) << 62;
  }
  /// One thread writes row \p row of B: byte b of it goes to piece (b / 16) ^
  /// (row % 8).
  static void storeRow(const Case &test, const int *b, int row) {
    int bits = 32 / test.perWord();
    for (int k = 0; k < test.k(); ++k) {
      int byte = k * bits / 8;
      int64_t at =
          kRows + row * 128 + ((byte / 16) ^ (row % 8)) * 16 + byte % 16;
      uint32_t value = bitsOf(test, b[k]);
      if (bits == 8)
        store(shared<uint8_t>(at), uint8_t(value));
      else
        store(shared<uint16_t>(at), uint16_t(value));
    }
  }
};
} // namespace

TEST_F(EmulatorWarpGroups, Multiply) {
  const Case cases[] = {
      {QUARTET_EMU_GROUP_S8, 64, 4},   {QUARTET_EMU_GROUP_S8, 8, 1},
      {QUARTET_EMU_GROUP_S8, 24, 2},   {QUARTET_EMU_GROUP_S8, 48, 2},
      {QUARTET_EMU_GROUP_BF16, 40, 1}, {QUARTET_EMU_GROUP_BF16, 64, 2},
      {QUARTET_EMU_GROUP_BF16, 16, 4}};
  for (const Case &test : cases) {
    std::vector<int> a = randomMatrix(64 * test.k(), 1),
                     b = randomMatrix(test.columns * test.k(), 2);
    Device device(small(1, kThreads));
    EXPECT_TRUE(device.run(
        [&] {
          int me = int(thread()), lane = me % 32, warp = me / 32;
          if (me < test.columns)
            storeRow(test, &b[size_t(me * test.k())], me);
          quartet_emu_group_fence();
          quartet_emu_barrier("rows");
          uint64_t descriptors[4];
          uint32_t words[16] = {}, d[32];
          int perWord = test.perWord();
          for (int step = 0; step < test.steps; ++step) {
            descriptors[step] = descriptor(kRows + step * 32);
            for (int word = 0; word < 4; ++word)
              for (int i = 0; i < perWord; ++i) {
                // Rows 8 apart take turns; then the other half of K.
                int row = 16 * warp + lane / 4 + 8 * (word % 2);
                int k = 8 * perWord * step + lane % 4 * perWord + i +
                        word / 2 * 4 * perWord;
                words[4 * step + word] |=
                    bitsOf(test, a[size_t(row * test.k() + k)])
                    << i * 32 / perWord;
              }
          }
          quartet_emu_group_multiply(test.element, test.columns, test.steps,
                                     descriptors, words, d, "product");
          for (int word = 0; word < test.columns / 2; ++word) {
            int row = 16 * warp + lane / 4 + word / 2 % 2 * 8;
            int column = word / 4 * 8 + lane % 4 * 2 + word % 2;
            int sum = 0;
            for (int k = 0; k < test.k(); ++k)
              sum += a[size_t(row * test.k() + k)] *
                     b[size_t(column * test.k() + k)];
            int got = int(d[word]);
            if (test.element == QUARTET_EMU_GROUP_BF16) {
              float number;
              std::memcpy(&number, &d[word], 4);
              got = int(number);
            }
            EXPECT_EQ(got, sum) << row << ", " << column;
          }
        },
        16 << 10));
    EXPECT_CLEAN(device);
  }
}

namespace {
/// A product of eight columns by all or some warps.
void product(uint64_t at, int64_t warps = 4, int32_t columns = 8) {
  uint32_t words[4] = {}, d[128];
  if (thread() / 32 < warps)
    quartet_emu_group_multiply(QUARTET_EMU_GROUP_S8, columns, 1, &at, words, d,
                               "product");
}
void writeRows() {
  for (int64_t i = thread(); i < 256; i += kThreads)
    store(shared(1024 + i * 4), 0u);
  quartet_emu_group_fence();
}
} // namespace

TEST_F(EmulatorWarpGroups, Reports) {
  struct Wrong {
    std::function<void()> kernel;
    ReportKind kind;
    const char *part;
  };
  alignas(16) static const uint32_t weights[4] = {};
  const Wrong cases[] = {
      {[] { // one warp leaves it out
         writeRows();
         quartet_emu_barrier("rows");
         product(descriptor(kRows), 3);
         quartet_emu_barrier("end");
       },
       ReportKind::Divergence, "warp 3 has had other matrix instructions"},
      {[] { // rows that other threads write are not there yet
         writeRows();
         product(descriptor(kRows));
       },
       ReportKind::Race, "no barrier is between them"},
      {[] { // no fence between the copies and the product
         quartet_emu_copy_async(shared(1024), weights, 16, 16, "copy");
         quartet_emu_commit_group();
         quartet_emu_wait_group(0);
         quartet_emu_barrier("rows");
         product(descriptor(kRows));
       },
       ReportKind::MissingWait, "without a fence"},
      {[] { // nor between ordinary writes and it
         writeRows();
         store(shared(1024 + thread() * 4), 0u);
         quartet_emu_barrier("rows");
         product(descriptor(kRows));
       },
       ReportKind::MissingWait, "without a fence"},
      {[] { product(descriptor(kRows) & ~(uint64_t(3) << 62)); },
       ReportKind::BadInstruction, "without the pattern"},
      {[] { product(descriptor(15 << 10)); }, ReportKind::OutOfBounds,
       "shared memory"},
      {[] { product(descriptor(kRows), 4, 12); }, ReportKind::BadInstruction,
       "multiple of 8"},
      {[] { product(descriptor(kRows), 4, 40); }, ReportKind::BadInstruction,
       "of bytes with 40 columns"},
      {[] { product(descriptor(kRows) + uint64_t(thread() % 32)); },
       ReportKind::BadInstruction, "another matrix descriptor"},
  };
  for (const Wrong &wrong : cases) {
    Device device(small(0, kThreads));
    device.addRegion(weights, sizeof weights, "weights", RegionKind::ReadOnly);
    device.run(wrong.kernel, 15 << 10);
    EXPECT_TRUE(device.has(wrong.kind)) << wrong.part << "\n" << device.text();
    EXPECT_NE(device.text().find(wrong.part), std::string::npos)
        << device.text();
  }
}

namespace {
void groupBarrier(const char *site = "group") {
  quartet_emu_group_barrier(int32_t(1 + thread() / 128), 128, site);
}
} // namespace

// Both groups pass values on inside, at their own pace.
TEST_F(EmulatorWarpGroups, Barriers) {
  for (uint64_t seed : {0, 1, 2}) {
    Options options = small(1, 256);
    options.seed = seed;
    Device device(options);
    EXPECT_TRUE(device.run(
        [&] {
          int64_t me = thread(), group = me / 128, member = me % 128;
          for (int round = 0; round < 3 + group; ++round) {
            store(shared(me * 4), uint32_t(me + round));
            groupBarrier();
            // All of a group read one word, and some threads all of them.
            EXPECT_EQ(load(shared(group * 512)), uint32_t(group * 128 + round));
            int64_t other = group * 128 + (member + 77) % 128;
            EXPECT_EQ(load(shared(other * 4)), uint32_t(other + round));
            groupBarrier();
          }
          quartet_emu_barrier("all");
          EXPECT_EQ(load(shared((255 - me) * 4)),
                    uint32_t(255 - me + (me < 128 ? 3 : 2)));
        },
        1024));
    EXPECT_CLEAN(device);
  }
}

TEST_F(EmulatorWarpGroups, BadBarriers) {
  struct Wrong {
    std::function<void()> kernel;
    ReportKind kind;
    const char *part;
  };
  const Wrong cases[] = {
      {[] { // the other group is not ordered
         store(shared(thread() * 4), 1u);
         groupBarrier();
         load(shared((thread() + 128) % 256 * 4));
       },
       ReportKind::Race, "no barrier is between them"},
      {[] { // nor what it reads
         if (thread() == 0)
           store(shared(0), 1u);
         quartet_emu_barrier("first");
         load(shared(0));
         groupBarrier();
         if (thread() == 0)
           store(shared(0), 2u);
       },
       ReportKind::Race, "no barrier is between them"},
      {[] { // nor what it alone reads
         if (thread() == 0)
           store(shared(0), 1u);
         quartet_emu_barrier("first");
         if (thread() >= 128)
           load(shared(0));
         groupBarrier();
         if (thread() == 0)
           store(shared(0), 2u);
       },
       ReportKind::Race, "threads of the warp group of thread 128"},
      {[] { quartet_emu_group_barrier(1, 128, "group"); },
       ReportKind::Divergence, "another group uses"},
      {[] { groupBarrier(thread() < 32 ? "one" : "other"); },
       ReportKind::Divergence, "another one at"},
      {[] {
         if (thread() != 3)
           groupBarrier();
       },
       ReportKind::Divergence, "wait"},
      {[] {
         if (thread() < 128 && thread() >= 64)
           quartet_emu_barrier("block");
         else
           groupBarrier();
         if (thread() >= 128)
           quartet_emu_barrier("block");
       },
       ReportKind::Deadlock, "at the barrier of its warp group"},
      {[] { quartet_emu_group_barrier(0, 128, "group"); },
       ReportKind::BadInstruction, "number 1 to 15"},
      {[] { quartet_emu_group_barrier(1, 64, "group"); },
       ReportKind::BadInstruction, "four warps"},
  };
  for (const Wrong &wrong : cases) {
    Device device(small(1, 256));
    device.run(wrong.kernel, 1024);
    EXPECT_TRUE(device.has(wrong.kind)) << wrong.part << "\n" << device.text();
    EXPECT_NE(device.text().find(wrong.part), std::string::npos)
        << device.text();
  }
}
