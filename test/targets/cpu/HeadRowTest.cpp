// Norm, rotation and rounding of one head against the reference.
#include "targets/cpu/kernels/HeadRow.h"
#include "test/targets/cpu/KernelRunner.h"
#include "test/targets/cpu/MixerInputs.h"

using namespace quartet;
using namespace quartet::test;
using reference::Type;

using TableFunction = void(const int32_t *positions, int64_t axisStride,
                           int64_t tokens, float *table, int64_t tableStride);
using HeadFunction = void(const float *x, const float *weight, float eps,
                          const float *cosSin, float *out);
using StoreFunction = void(const float *x, void *to);
using StoreInt8Function = void(const float *x, int8_t *to, void *scale);

static void testHead(const std::string &cpu, int64_t width, int64_t pairs) {
  SCOPED_TRACE(testing::Message() << width << ", pairs " << pairs);
  std::vector<float> invFreq;
  std::vector<int32_t> axes;
  for (int64_t p = 0; p < pairs; ++p) {
    invFreq.push_back(std::pow(1e7f, -static_cast<float>(p) / pairs));
    axes.push_back(p % 3);
  }
  float scale = 1.25f;
  KernelRunner runner{llvm::StringRef(cpu)};
  std::string tableName = runner.add(
      quartet::cpu::ropeTableKernel(runner.k(), invFreq, axes, scale));
  std::string headName =
      runner.add(quartet::cpu::headRowKernel(runner.k(), width, pairs));
  auto *makeTable = runner.get<TableFunction>(tableName);
  auto *head = runner.get<HeadFunction>(headName);

  int64_t tokens = 5, stride = 2 * pairs + 4;
  std::vector<int32_t> positions = {0, 1,      70, 4095, 262143, //
                                    0, 2,      71, 4000, 262100, //
                                    0, 999999, 72, 17,   200000};
  std::vector<float> table(tokens * stride);
  makeTable(positions.data(), tokens * 4, tokens, table.data(), stride * 4);

  Random random(3);
  std::vector<float> x = random.floats(tokens * width, -3, 3);
  std::vector<float> weight = random.floats(width, -0.5f, 0.5f);
  std::vector<float> normed(x.size()), expected(x.size()), got = x;
  reference::rmsNorm(x.data(), weight.data(), normed.data(), tokens, width,
                     1e-6f);
  reference::rope(normed.data(), positions.data(), invFreq.data(), axes.data(),
                  scale, expected.data(), tokens, 1, width, pairs);
  for (int64_t t = 0; t < tokens; ++t) // in place
    head(&got[t * width], weight.data(), 1e-6f, &table[t * stride],
         &got[t * width]);
  expectNear(got, expected, 1e-6, "head");
}

TEST(HeadRow, MatchesReference) {
  for (const std::string &cpu : kernelCpus())
    for (auto [width, pairs] :
         {std::pair(256, 32), {16, 4}, {8, 1}, {24, 12}, {96, 20}, {64, 32}})
      testHead(cpu, width, pairs);
}

TEST(HeadRow, TablesOfOneModule) {
  KernelRunner runner;
  std::string first =
      runner.add(quartet::cpu::ropeTableKernel(runner.k(), {1.0f}, {0}, 1.0f));
  std::string second =
      runner.add(quartet::cpu::ropeTableKernel(runner.k(), {0.5f}, {0}, 1.0f));
  EXPECT_NE(first, second);
}

TEST(StoreHead, RoundsToNearestEven) {
  for (int64_t width : {256, 8, 24}) {
    KernelRunner runner;
    quartet::cpu::KernelBuilder &k = runner.k();
    std::string bf16 =
        runner.add(quartet::cpu::storeHeadKernel(k, width, k.bf16()));
    std::string f16 =
        runner.add(quartet::cpu::storeHeadKernel(k, width, k.f16()));
    std::string f32 =
        runner.add(quartet::cpu::storeHeadKernel(k, width, k.f32()));
    std::vector<float> x = Random(5).floats(width, -100, 100);
    x[0] = 1.00390625f;    // halfway in bf16, down to even
    x[1] = 1.01171875f;    // halfway in bf16, up to even
    x[2] = 1.00048828125f; // halfway in f16
    std::vector<uint16_t> halves(width + 1, 0x1234);
    for (auto [type, name] :
         {std::pair(Type::kBF16, bf16), {Type::kF16, f16}}) {
      runner.get<StoreFunction>(name)(x.data(), halves.data());
      for (int64_t i = 0; i < width; ++i)
        EXPECT_EQ(halves[i], reference::toBits(type, x[i])) << i;
      EXPECT_EQ(halves[width], 0x1234);
    }
    std::vector<float> same(width);
    runner.get<StoreFunction>(f32)(x.data(), same.data());
    expectSame(same, x, "f32");
  }
}

namespace {
/// The kernel for int8 on one row, and what plain loops make of it.
struct Int8Rows {
  std::vector<int8_t> found, expected;
  float scale, expectedScale;

  Int8Rows(StoreInt8Function *store, const std::vector<float> &x)
      : found(x.size() + 1, 99), expected(x.size()) {
    char bytes[5]; // scales may stand anywhere
    store(x.data(), found.data(), bytes + 1);
    std::memcpy(&scale, bytes + 1, 4);
    expectedScale = reference::quantizeRow(x.data(), x.size(), expected.data());
    EXPECT_EQ(found.back(), 99) << "written behind the row";
    found.pop_back();
  }
};
} // namespace

TEST(StoreHead, Int8) {
  for (const std::string &cpu : kernelCpus())
    for (int64_t width : {256, 8, 24, 20, 6}) {
      SCOPED_TRACE(cpu + " width " + std::to_string(width));
      KernelRunner runner{llvm::StringRef(cpu)};
      auto *store = runner.get<StoreInt8Function>(
          runner.add(quartet::cpu::storeHeadInt8Kernel(runner.k(), width)));
      auto expectRow = [&](const std::vector<float> &x, const char *what) {
        Int8Rows rows(store, x);
        EXPECT_EQ(rows.found, rows.expected) << what;
        EXPECT_EQ(0, std::memcmp(&rows.scale, &rows.expectedScale, 4)) << what;
      };
      std::vector<float> x = Random(5).floats(width, -100, 100);
      expectRow(x, "random");
      for (float small : {1e-30f, 1e-38f, 1e-44f}) {
        std::vector<float> faint = x;
        for (float &value : faint)
          value *= small;
        expectRow(faint, "faint");
      }
      expectRow(std::vector<float>(width, 0.0f), "zeros");
      std::vector<float> ties(width, 2.5f); // the scale is 1
      ties[0] = -127.0f;
      ties[1] = 3.5f;
      expectRow(ties, "ties");
      EXPECT_EQ(Int8Rows(store, ties).found[1], 4);
      EXPECT_EQ(Int8Rows(store, ties).found[2], 2);
      x[width - 1] = NAN;
      EXPECT_TRUE(std::isnan(Int8Rows(store, x).scale));
    }
}
