// Dot products of every packed format against plain loops, bit by bit, for
// every number of tokens and for the instructions of several CPUs.
#include "targets/cpu/kernels/Dot.h"
#include "test/targets/cpu/DotData.h"
#include "test/targets/cpu/KernelRunner.h"
#include <gtest/gtest.h>

using namespace quartet;
using namespace quartet::test;

namespace {
using Dot = void(const uint8_t *, const uint8_t *, int64_t, int64_t, float *,
                 int64_t);
using Matmul = void(const uint8_t *, int64_t, const uint8_t *, int64_t, int64_t,
                    int64_t, float *, int64_t);
} // namespace

/// int8, int6 and int4 for the instructions under test and some sizes.
static const char *const kIntegers[] = {
    "int4:16",        "int4:32",       "int4:64",          "int4:128",
    "int8:16",        "int8:32:bf16",  "int8:64:f32",      "int8:128",
    "int4:64:point",  "int8:32:point", "int4:32:min",      "int8:64:min:f32",
    "int4:32:iq4_nl", "int4:32:e2m1",  "int4:64:min:bf16", "int6:16",
    "int6:32:min",    "int6:64:point", "int6:128:f32"};
static const char *const kFloats[] = {"f32",         "bf16",       "f16",
                                      "fp8",         "fp8:16:f32", "fp8:32",
                                      "fp8:128:f32", "fp8:64:bf16"};

static void expectMatmul(KernelRunner &runner, const PackedFormat &format,
                         const std::string &name, int64_t columns,
                         int64_t tokens) {
  SCOPED_TRACE(format.str() + ", " + std::to_string(columns) + " columns, " +
               std::to_string(tokens) + " tokens");
  std::mt19937 random(7);
  PackedMatrix matrix(format, 35, columns, random);
  StagedRows rows(format, tokens, columns, random);
  PanelLayout layout(format, columns);
  ASSERT_EQ(layout.bytes, matrix.panelBytes());
  constexpr int64_t kStride = 50;
  std::vector<float> out(tokens * kStride, -7.0f);
  runner.get<Matmul>(name)(matrix.bytes.data(), 3, rows.bytes.data(),
                           rows.stride, layout.paddedColumns, tokens,
                           out.data(), kStride * 4);
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t r = 0; r < matrix.rows; ++r)
      ASSERT_EQ(out[t * kStride + r], plainDot(matrix, rows, r, t))
          << "token " << t << ", row " << r;
    for (int64_t r = matrix.rows; r < 48; ++r)
      ASSERT_EQ(out[t * kStride + r], 0.0f) << "row " << r << " is padding";
    ASSERT_EQ(out[t * kStride + 48], -7.0f);
  }
}

/// All of \p formats on \p runner, a module for all.
static void expectFormats(KernelRunner &runner,
                          llvm::ArrayRef<const char *> formats) {
  std::vector<std::pair<PackedFormat, std::string>> kernels;
  for (const char *text : formats) {
    PackedFormat format = *PackedFormat::parse(text);
    kernels.push_back({format, runner.add(matmulKernel(runner.k(), format))});
  }
  for (auto &[format, name] : kernels)
    for (auto [columns, tokens] : // 15 is a block of every size
         {std::pair(100, 15), {100, 0}, {384, 1}, {16, 2}, {256, 17}})
      expectMatmul(runner, format, name, columns, tokens);
}

TEST(Dot, IntegersOnThisMachine) {
  KernelRunner runner;
  expectFormats(runner, kIntegers);
}

TEST(Dot, FloatsOnThisMachine) {
  KernelRunner runner;
  expectFormats(runner, kFloats);
}

TEST(Dot, Avx2) {
  if (!KernelRunner::canRun("x86-64-v3"))
    GTEST_SKIP() << "this machine has no AVX2";
  KernelRunner runner(llvm::StringRef("x86-64-v3"));
  ASSERT_EQ(runner.isa().byteDot, cpu::ByteDot::Avx2);
  llvm::SmallVector<const char *> formats(std::begin(kIntegers),
                                          std::end(kIntegers));
  formats.append({"f16", "fp8:32"});
  expectFormats(runner, formats);
}

TEST(Dot, Baseline) {
  if (!KernelRunner::canRun("x86-64"))
    GTEST_SKIP() << "this machine is no x86-64";
  KernelRunner runner(llvm::StringRef("x86-64"));
  ASSERT_EQ(runner.isa().byteDot, cpu::ByteDot::Widen);
  expectFormats(runner, {"int4:64", "int8:32:point", "int4:32:iq4_nl",
                         "int6:16", "f16", "fp8:32"});
}

// Every size of a block alone, those that matmul does not use included.
TEST(Dot, BlocksOfTokens) {
  PackedFormat format = *PackedFormat::parse("int4:64");
  KernelRunner runner;
  std::vector<std::pair<int, std::string>> kernels;
  for (int tokens : {1, 2, 4, 8, 16})
    kernels.push_back(
        {tokens, runner.add(dotKernel(runner.k(), format, tokens))});
  std::mt19937 random(3);
  PackedMatrix matrix(format, 16, 256, random);
  StagedRows rows(format, 16, 256, random);
  for (auto &[tokens, name] : kernels) {
    std::vector<float> out(17 * 16, -7.0f);
    runner.get<Dot>(name)(matrix.bytes.data(), rows.bytes.data(), rows.stride,
                          256, out.data(), 64);
    for (int64_t i = 0; i < 16 * tokens; ++i)
      ASSERT_EQ(out[i], plainDot(matrix, rows, i % 16, i / 16)) << i;
    ASSERT_EQ(out[16 * tokens], -7.0f);
  }
}

// Zeros and largest values: sums must not saturate anywhere.
TEST(Dot, ExtremeValues) {
  for (const char *cpu : {"", "x86-64-v3", "x86-64"}) {
    if (*cpu && !KernelRunner::canRun(cpu))
      continue;
    KernelRunner runner{llvm::StringRef(cpu)};
    std::vector<std::pair<PackedFormat, std::string>> kernels;
    for (const char *text : {"int8:128", "int4:128:point", "int4:32:iq4_nl",
                             "int4:32:e2m1", "int8:64:min", "int6:64:min"}) {
      PackedFormat format = *PackedFormat::parse(text);
      kernels.push_back({format, runner.add(dotKernel(runner.k(), format, 1))});
    }
    for (auto &[format, name] : kernels) {
      SCOPED_TRACE(format.str());
      std::mt19937 random(3);
      PackedMatrix matrix(format, 16, 128, random);
      StagedRows rows(format, 1, 128, random);
      PanelLayout layout(format, 128);
      int most = format.value == ValueType::INT8   ? 255
                 : format.value == ValueType::INT6 ? 63
                                                   : 15;
      std::fill(matrix.stored.begin(), matrix.stored.end(), most);
      std::fill(matrix.bytes.data() + layout.valuesOffset,
                matrix.bytes.data() + layout.bytes, 255);
      int8_t q = format.codebook == Codebook::None ? -127 : 127;
      std::fill(rows.bytes.data(), rows.bytes.data() + 128, uint8_t(q));
      for (int64_t g = 0; g < layout.groups; ++g)
        *rows.bytes.at<int32_t>(rows.sumAt + 4 * g) = q * format.group;
      std::vector<float> out(16);
      runner.get<Dot>(name)(matrix.bytes.data(), rows.bytes.data(), rows.stride,
                            128, out.data(), 64);
      for (int64_t r = 0; r < 16; ++r)
        ASSERT_EQ(out[r], plainDot(matrix, rows, r, 0)) << r;
    }
  }
}
