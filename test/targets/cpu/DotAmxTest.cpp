// Products by the tiles of AMX, the machine's own or emulated, in code that is
// for AVX2 otherwise, so that machines without AVX-512 run it, too.
#include "targets/cpu/kernels/Dot.h"
#include "targets/cpu/kernels/DotTiles.h"
#include "test/targets/cpu/AmxEmulator.h"
#include "test/targets/cpu/DotData.h"
#include "test/targets/cpu/KernelRunner.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace quartet;
using namespace quartet::test;

namespace {
using Dot = void(const uint8_t *, const uint8_t *, int64_t, int64_t, float *,
                 int64_t, const uint8_t *, int64_t);
using Matmul = void(const uint8_t *, int64_t, const uint8_t *, int64_t, int64_t,
                    int64_t, float *, int64_t);
using Split = void(const uint8_t *, int64_t, int64_t, int64_t, uint8_t *);
using SplitMatmul = void(const uint8_t *, int64_t, const uint8_t *, int64_t,
                         int64_t, float *, int64_t, const uint8_t *);

constexpr const char *kCpu = "x86-64-v3",
                     *kFeatures = "+amx-tile,+amx-int8,+amx-bf16";

class DotAmx : public testing::Test {
protected:
  void SetUp() override {
    if (!KernelRunner::canRun(kCpu))
      GTEST_SKIP() << "this machine has no AVX2";
    way = enableAmx();
    if (way == Amx::Absent)
      GTEST_SKIP() << "the system lets nobody use AMX";
    before = emulatedAmxInstructions();
  }
  /// That tiles were used since the test began, where that can be known.
  void expectTiles() const {
    if (way == Amx::Emulated)
      EXPECT_GT(emulatedAmxInstructions(), before);
  }

  Amx way = Amx::Absent;
  int64_t before = 0;
};
} // namespace

// Blocks of 16 tokens and two panels, which alone use tiles.
TEST_F(DotAmx, Integers) {
  KernelRunner runner(kCpu, kFeatures);
  std::vector<std::pair<PackedFormat, std::string>> kernels;
  for (const char *text :
       {"int4:64", "int8:16", "int8:32:point", "int8:128", "int4:32:min",
        "int4:128:e2m1", "int4:32:iq4_nl", "int6:16", "int6:64:point"}) {
    PackedFormat format = *PackedFormat::parse(text);
    kernels.push_back({format, runner.add(dotKernel(runner.k(), format, 16,
                                                    /*panels=*/2))});
  }
  for (auto &[format, name] : kernels) {
    SCOPED_TRACE(format.str());
    constexpr int64_t kTokens = 16, kRows = 32, kColumns = 200;
    std::mt19937 random(9);
    PackedMatrix matrix(format, kRows, kColumns, random);
    StagedRows rows(format, kTokens, kColumns, random);
    std::vector<float> out(kTokens * kRows);
    int64_t atFirst = emulatedAmxInstructions();
    runner.get<Dot>(name)(matrix.bytes.data(), rows.bytes.data(), rows.stride,
                          matrix.paddedColumns, out.data(), kRows * 4,
                          matrix.bytes.data(), 0);
    if (way == Amx::Emulated)
      EXPECT_GT(emulatedAmxInstructions(), atFirst);
    for (int64_t t = 0; t < kTokens; ++t)
      for (int64_t r = 0; r < kRows; ++r)
        ASSERT_EQ(out[t * kRows + r], plainDot(matrix, rows, r, t))
            << "token " << t << ", row " << r;
  }
}

// All sizes of blocks together.
TEST_F(DotAmx, IntegersOfManyTokens) {
  KernelRunner runner(kCpu, kFeatures);
  PackedFormat format = *PackedFormat::parse("int4:64");
  std::string name = runner.add(matmulKernel(runner.k(), format));
  constexpr int64_t kTokens = 34, kRows = 48, kColumns = 200;
  std::mt19937 random(9);
  PackedMatrix matrix(format, kRows, kColumns, random);
  StagedRows rows(format, kTokens, kColumns, random);
  std::vector<float> out(kTokens * kRows);
  runner.get<Matmul>(name)(matrix.bytes.data(), 3, rows.bytes.data(),
                           rows.stride, matrix.paddedColumns, kTokens,
                           out.data(), kRows * 4);
  expectTiles();
  for (int64_t t = 0; t < kTokens; ++t)
    for (int64_t r = 0; r < kRows; ++r)
      ASSERT_EQ(out[t * kRows + r], plainDot(matrix, rows, r, t))
          << "token " << t << ", row " << r;
}

/// \p value as the sum of two bf16.
static std::pair<float, float> splitValue(float value) {
  float high = fromBf16(toBf16(value));
  return {high, fromBf16(toBf16(value - high))};
}

/// Row \p r times token \p t with the roundings of tdpbf16ps: in steps of 32
/// columns, even and odd ones apart; the high halves of the activations, then
/// the low ones.
static float splitDot(const PackedMatrix &matrix, const StagedRows &rows,
                      int64_t r, int64_t t) {
  float total = 0;
  for (int64_t first = 0; first < matrix.columns; first += 32)
    for (int part = 0; part < 2; ++part) {
      float sums[2] = {0, 0};
      for (int64_t c = first; c < std::min(first + 32, matrix.columns); ++c) {
        auto [high, low] = splitValue(rows.floats[t * matrix.columns + c]);
        float &sum = sums[c % 2];
        sum = std::fma(part ? low : high, matrix.value(r, c), sum);
      }
      total += sums[0] + sums[1];
    }
  return total;
}

namespace {
/// The kernels of bf16, compiled once.
struct SplitKernels {
  SplitKernels() : runner(kCpu, kFeatures) {
    split = runner.add(splitRowsKernel(runner.k()));
    matmul = runner.add(splitMatmulKernel(runner.k()));
  }
  /// [tokens, stride]: the products, and -7 where nothing is written.
  std::vector<float> run(const PackedMatrix &matrix, const uint8_t *rows,
                         int64_t rowStride, int64_t tokens, int64_t stride) {
    int64_t columns = matrix.paddedColumns;
    AlignedBytes halves(cpu::splitRowsBytes(columns, tokens), 0xff);
    runner.get<Split>(split)(rows, rowStride, columns, tokens, halves.data());
    std::vector<float> out(tokens * stride, -7.0f);
    runner.get<SplitMatmul>(matmul)(
        matrix.bytes.data(), (matrix.rows + 15) / 16, halves.data(), columns,
        tokens, out.data(), stride * 4, matrix.bytes.data());
    return out;
  }

  KernelRunner runner;
  std::string split, matmul;
};
} // namespace

TEST_F(DotAmx, Bf16) {
  SplitKernels kernels;
  PackedFormat format = *PackedFormat::parse("bf16");
  for (auto [columns, tokens, matrixRows] : {std::tuple(100, 15, 35),
                                             {384, 1, 16},
                                             {64, 49, 64},
                                             {16, 16, 48},
                                             {256, 33, 20},
                                             {96, 0, 16},
                                             {112, 64, 80}}) {
    SCOPED_TRACE(std::to_string(columns) + " columns, " +
                 std::to_string(tokens) + " tokens, " +
                 std::to_string(matrixRows) + " rows");
    std::mt19937 random(11);
    PackedMatrix matrix(format, matrixRows, columns, random);
    StagedRows rows(format, tokens, columns, random);
    int64_t padded = (matrixRows + 15) / 16 * 16, stride = padded + 3;
    std::vector<float> out =
        kernels.run(matrix, rows.bytes.data(), rows.stride, tokens, stride);
    for (int64_t t = 0; t < tokens; ++t) {
      for (int64_t r = 0; r < matrixRows; ++r) {
        float found = out[t * stride + r], size = 0;
        ASSERT_EQ(found, splitDot(matrix, rows, r, t))
            << "token " << t << ", row " << r;
        // Of f32 activations, 16 bits remain.
        for (int64_t c = 0; c < columns; ++c)
          size += std::fabs(matrix.value(r, c) * rows.floats[t * columns + c]);
        ASSERT_NEAR(found, plainDot(matrix, rows, r, t), size * 0x1p-16f);
      }
      for (int64_t r = matrixRows; r < padded; ++r)
        ASSERT_EQ(out[t * stride + r], 0.0f) << "row " << r << " is padding";
      ASSERT_EQ(out[t * stride + padded], -7.0f);
    }
  }
  expectTiles();
}

// A row has the same bits wherever it stands in a step, and whatever is beside.
TEST_F(DotAmx, Bf16SameBits) {
  SplitKernels kernels;
  constexpr int64_t kTokens = 50, kRows = 48, kColumns = 80;
  std::mt19937 random(5);
  PackedMatrix matrix(*PackedFormat::parse("bf16"), kRows, kColumns, random);
  StagedRows rows(matrix.format, kTokens, kColumns, random);
  std::vector<float> all =
      kernels.run(matrix, rows.bytes.data(), rows.stride, kTokens, kRows);
  for (auto [first, count] : {std::pair(0, 17), {3, 1}, {17, 33}, {49, 1}}) {
    std::vector<float> some =
        kernels.run(matrix, rows.bytes.data() + first * rows.stride,
                    rows.stride, count, kRows);
    EXPECT_EQ(std::memcmp(some.data(), &all[first * kRows], some.size() * 4), 0)
        << count << " tokens from " << first << " on";
  }
}

// What is not a number stays that, in its row alone; what lies behind a panel
// is not read as weights.
TEST_F(DotAmx, Bf16Specials) {
  SplitKernels kernels;
  constexpr int64_t kRows = 32, kColumns = 48;
  std::mt19937 random(5);
  PackedMatrix matrix(*PackedFormat::parse("bf16"), kRows, kColumns, random);
  StagedRows rows(matrix.format, 2, kColumns, random);
  // The second panel begins with infinities, the first is 48 columns long.
  for (int64_t i = 0; i < 256; ++i)
    *matrix.bytes.at<uint16_t>(matrix.panelBytes() + 2 * i) = 0x7f80;
  *rows.bytes.at<float>(rows.stride + 4) = NAN;
  std::vector<float> out =
      kernels.run(matrix, rows.bytes.data(), rows.stride, 2, kRows);
  for (int64_t r = 0; r < 16; ++r) {
    EXPECT_TRUE(std::isfinite(out[r])) << r;
    EXPECT_TRUE(std::isnan(out[kRows + r])) << r;
  }
}

static std::string assemblyFor(const char *triple, const char *cpu) {
  return kernelAssembly(triple, cpu, [](cpu::KernelBuilder &k) {
    matmulKernel(k, *PackedFormat::parse("int4:64"));
    if (k.machine.amxBf16) {
      splitRowsKernel(k);
      splitMatmulKernel(k);
    }
  });
}

// The instruction that each CPU is there for.
TEST(DotAssembly, Instructions) {
  auto has = [](const std::string &text, const char *instruction) {
    return text.find(instruction) != std::string::npos;
  };
  std::string amx = assemblyFor("x86_64-unknown-linux-gnu", "sapphirerapids");
  EXPECT_TRUE(has(amx, "tdpbsud"));
  EXPECT_TRUE(has(amx, "tileloadd"));
  EXPECT_TRUE(has(amx, "ldtilecfg"));
  EXPECT_TRUE(has(amx, "vpdpbusd"));
  EXPECT_TRUE(has(amx, "tdpbf16ps"));
  EXPECT_TRUE(has(amx, "vcvtneps2bf16"));
  std::string vnni = assemblyFor("x86_64-unknown-linux-gnu", "znver4");
  EXPECT_TRUE(has(vnni, "vpdpbusd"));
  EXPECT_TRUE(has(vnni, "{1to16}")); // activations straight from memory
  EXPECT_FALSE(has(vnni, "tdpbsud"));
  EXPECT_TRUE(
      has(assemblyFor("x86_64-unknown-linux-gnu", "haswell"), "vpmaddubsw"));
  EXPECT_TRUE(
      has(assemblyFor("aarch64-unknown-linux-gnu", "neoverse-n1"), "sdot"));
}
