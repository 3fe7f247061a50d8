// Norms, gates and quantized rows against plain loops, with rows that are no
// multiple of a vector, on this machine and as code for older CPUs.
#include "targets/cpu/kernels/Stage.h"
#include "runtime/reference/Reference.h"
#include "test/targets/cpu/DotData.h"
#include "test/targets/cpu/KernelRunner.h"
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace quartet;
using namespace quartet::test;

namespace {
using RmsNorm = void(const float *, const float *, float, int64_t, float *);
using GatedNorm = void(const float *, const float *, const float *, float,
                       int64_t, int64_t, float *);
using SiluMul = void(const float *, const float *, int64_t, float *);
using Stage = void(const float *, int64_t, uint8_t *);
} // namespace

static std::vector<float> randomFloats(size_t count, std::mt19937 &random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float &value : values)
    value = normal(random);
  return values;
}

static void expectClose(const std::vector<float> &got,
                        const std::vector<float> &expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], 4e-6f * (1 + std::fabs(expected[i]))) << i;
}

static const char *const kCpus[] = {"", "x86-64-v3", "x86-64"};

TEST(Stage, Norms) {
  for (const char *cpu : kCpus) {
    if (*cpu && !KernelRunner::canRun(cpu))
      continue;
    KernelRunner runner{llvm::StringRef(cpu)};
    std::string norm = runner.add(cpu::rmsNormRow(runner.k()));
    std::string gated[2];
    for (bool silu : {false, true})
      gated[silu] = runner.add(cpu::gatedNormRow(runner.k(), silu));
    std::mt19937 random(5);
    for (int64_t width : {1, 16, 24, 100, 256}) {
      constexpr int64_t kHeads = 3;
      auto x = randomFloats(kHeads * width, random);
      auto z = randomFloats(kHeads * width, random);
      auto w = randomFloats(width, random);
      std::vector<float> expected(width), got(width);
      reference::rmsNorm(x.data(), w.data(), expected.data(), 1, width, 1e-6f);
      runner.get<RmsNorm>(norm)(x.data(), w.data(), 1e-6f, width, got.data());
      expectClose(got, expected);
      expected.resize(kHeads * width);
      got.resize(kHeads * width);
      for (bool silu : {false, true}) {
        reference::gatedRmsNorm(x.data(), z.data(), w.data(), expected.data(),
                                kHeads, width, 1e-6f, silu);
        runner.get<GatedNorm>(gated[silu])(x.data(), z.data(), w.data(), 1e-6f,
                                           kHeads, width, got.data());
        expectClose(got, expected);
      }
    }
  }
}

TEST(Stage, SiluMul) {
  KernelRunner runner;
  std::string name = runner.add(cpu::siluMulRow(runner.k()));
  std::mt19937 random(6);
  auto gate = randomFloats(64, random), up = randomFloats(64, random);
  gate[3] = -90;
  gate[4] = 90;
  std::vector<float> got(64), expected(64);
  for (size_t i = 0; i < 64; ++i)
    expected[i] = float(gate[i] / (1 + std::exp(-double(gate[i]))) * up[i]);
  runner.get<SiluMul>(name)(gate.data(), up.data(), 64, got.data());
  expectClose(got, expected);
}

TEST(Stage, FloatRows) {
  KernelRunner runner;
  std::string name = runner.add(cpu::stageFloatRow(runner.k()));
  std::mt19937 random(7);
  for (int64_t columns : {5, 16, 70}) {
    auto x = randomFloats(columns, random);
    int64_t bytes = cpu::stagedRowBytes(0, columns);
    AlignedBytes row(bytes + 64, 0xee);
    runner.get<Stage>(name)(x.data(), columns, row.data());
    int64_t padded = (columns + 15) / 16 * 16;
    for (int64_t c = 0; c < padded; ++c)
      ASSERT_EQ(*row.at<float>(4 * c), c < columns ? x[c] : 0.0f) << c;
    EXPECT_EQ(*row.at<uint8_t>(bytes), 0xee);
  }
}

/// The staged row of \p x, part by part.
static void expectQuantized(const std::vector<float> &x, int64_t group,
                            const AlignedBytes &row) {
  cpu::StagedRowLayout layout(group, x.size());
  int64_t columns = x.size();
  for (int64_t first = 0; first < layout.paddedColumns; first += group) {
    auto at = [&](int64_t c) { return c < columns ? x[c] : 0.0f; };
    float largest = 0;
    for (int64_t c = first; c < first + group; ++c)
      largest = std::max(largest, std::fabs(at(c)));
    float scale = largest / 127.0f, inverse = scale > 0 ? 1.0f / scale : 0.0f;
    int32_t sum = 0;
    for (int64_t c = first; c < first + group; ++c) {
      float q = std::nearbyint(at(c) * inverse);
      ASSERT_EQ(*row.at<int8_t>(c), q) << c;
      sum += int32_t(q);
    }
    int64_t place = first / group * 4;
    ASSERT_EQ(*row.at<float>(layout.scales + place), scale);
    ASSERT_EQ(*row.at<int32_t>(layout.sums + place), sum);
  }
  EXPECT_EQ(*row.at<uint8_t>(layout.bytes), 0xee);
}

TEST(Stage, QuantizedRows) {
  for (const char *cpu : kCpus) {
    if (*cpu && !KernelRunner::canRun(cpu))
      continue;
    KernelRunner runner{llvm::StringRef(cpu)};
    std::vector<std::pair<int64_t, std::string>> kernels;
    for (int64_t group : {16, 32, 64, 128})
      kernels.push_back(
          {group, runner.add(cpu::quantizeRow(runner.k(), group))});
    std::mt19937 random(8);
    for (auto &[group, name] : kernels)
      for (int64_t columns : {7, 128, 300}) {
        SCOPED_TRACE(name + ", " + std::to_string(columns));
        auto x = randomFloats(columns, random);
        if (columns == 300)
          std::fill(x.begin() + 128, x.begin() + 256, 0.0f);
        AlignedBytes row(cpu::stagedRowBytes(group, columns) + 64, 0xee);
        runner.get<Stage>(name)(x.data(), columns, row.data());
        expectQuantized(x, group, row);
      }
  }
}

// What is not a number must not come out as one.
TEST(Stage, QuantizedNan) {
  KernelRunner runner;
  std::string name = runner.add(cpu::quantizeRow(runner.k(), 16));
  std::vector<float> x(32, 1.0f);
  x[5] = std::numeric_limits<float>::quiet_NaN();
  AlignedBytes row(cpu::stagedRowBytes(16, 32));
  runner.get<Stage>(name)(x.data(), 32, row.data());
  cpu::StagedRowLayout layout(16, 32);
  EXPECT_TRUE(std::isnan(*row.at<float>(layout.scales)));
  EXPECT_EQ(*row.at<float>(layout.scales + 4), 1.0f / 127.0f);
}
